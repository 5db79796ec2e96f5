"""Agents as things to give away: a folder with a model card and a digest of every file, pushed to a hub or a folder
and pulled back.

A place is a folder, or `hf:user/name` for a repository on the Hugging Face hub (its own client does the work, and
knows the token).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from opengato.agent.agent import Agent
from opengato.agent.shipped import find
from opengato.errors import OpengatoError

HUB = "hf:"
DIGESTS = "digests.json"
FILES = ("config.json", "card.json", "specs.json", "vocabulary.json", "model.safetensors")


def push(agent: str | Path, to: str, private: bool = True) -> str:
    """Give an agent away: its files, a model card as README.md, and digests.

    Args:
        agent: a shipped agent's name or an agent's folder.
        to: a folder that is not there yet, or `hf:user/name`.
        private: whether a new repository on the hub is for its owner alone.

    Returns:
        Where it is now.

    Raises:
        OpengatoError: the agent is not whole, the folder is taken, or the hub refuses.
    """
    folder = find(agent)
    Agent.load(folder)  # what is not whole is not given away
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / "agent"
        packed.mkdir()
        for name in FILES:
            shutil.copy2(folder / name, packed / name)
        (packed / "README.md").write_text(model_card(folder), encoding="utf-8")
        (packed / DIGESTS).write_text(json.dumps(_digests(packed), indent=1) + "\n", encoding="utf-8")
        if to.startswith(HUB):
            return _upload(packed, to.removeprefix(HUB), private)
        target = Path(to).expanduser()
        if target.exists():
            raise OpengatoError(f"{str(target)!r} is there already. Next: another folder, or remove that one.")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(packed, target)
        return str(target)


def pull(source: str, to: str | Path) -> Path:
    """Fetch an agent, compare every file with its digest, and see that it loads; only then it appears.

    Args:
        source: a folder that `push` made, or `hf:user/name`.
        to: the agent's new folder.

    Returns:
        The folder.

    Raises:
        OpengatoError: a file is missing or is not what was pushed (it is named), the folder is taken, or the hub
            refuses.
    """
    target = Path(to).expanduser()
    if target.exists():
        raise OpengatoError(f"{str(target)!r} is there already. Next: another folder, or remove that one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        fetched = Path(temporary) / "agent"
        if source.startswith(HUB):
            _download(source.removeprefix(HUB), fetched)
        else:
            origin = Path(source).expanduser()
            if not origin.is_dir():
                raise OpengatoError(
                    f"{str(origin)!r} is no folder. Next: give a folder that was pushed to, or hf:user/name."
                )
            shutil.copytree(origin, fetched)
        verify(fetched)
        Agent.load(fetched)
        fetched.replace(target)
    return target


def verify(folder: Path) -> None:
    """Compare a fetched agent with its digests. Raises OpengatoError and names the first file that differs."""
    try:
        wanted: dict[str, str] = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise OpengatoError(
            f"{DIGESTS} is missing or damaged, so nothing says what the files should be. Next: push it anew."
        ) from None
    missing = [name for name in FILES if name not in wanted or not (folder / name).is_file()]
    if missing:
        raise OpengatoError(f"{missing[0]} is missing: the agent is not whole. Next: push it anew.")
    found = _digests(folder)
    for name, digest in wanted.items():
        if found.get(name) != digest:
            raise OpengatoError(f"{name} is not what was pushed (its SHA-256 differs). Next: pull it again.")


def model_card(folder: Path) -> str:
    """What a person wants to know of an agent, in Markdown with the hub's header."""
    card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    name = card.get("name", folder.parent.name if folder.name == "agent" else folder.name)
    licence, size = str(card.get("licence", "other")).lower(), card.get("parameters", 0) / 1e6
    head = ["---", f"license: {licence}", "library_name: opengato", "pipeline_tag: robotics"]
    lines = [*head, "tags: [generalist-agent, imitation-learning]", "---", "", f"# {name}", ""]
    lines += [
        f"A generalist agent of opengato: {size:.1f} million weights, trained on {len(card.get('tasks', []))} tasks.",
        "",
        "```bash",
        f"opengato agents pull source=hf:USER/{name} to=agents/{name}",
        f"opengato evaluate agent=agents/{name} video=1",
        "```",
        "",
    ]
    facts = ("command", "machine", "hours", "seed", "steps", "torch", "demonstrations", "remark")
    lines += [f"- {fact}: {_words(card[fact])}" for fact in facts if card.get(fact) not in (None, "")]
    if card.get("scores"):
        lines += ["", "Score = 100 · (agent − random) / (demonstrator − random), 95 % interval.", ""]
        lines += ["| task | score | n | prompt |", "|---|---|---|---|"]
        for task, row in sorted(card["scores"].items()):
            low_high = "" if not row.get("interval") else " [{:.0f}, {:.0f}]".format(*row["interval"])
            score = "no scale" if row.get("score") is None else f"{row['score']:.0f}{low_high}"
            lines.append(f"| `{task}` | {score} | {row.get('n', '')} | {row.get('prompt', '')} |")
    return "\n".join(lines) + "\n"


def _words(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir()) if path.is_file() and path.name != DIGESTS
    }  # fmt: skip


def _upload(folder: Path, repository: str, private: bool) -> str:
    hub = _client()
    try:
        api = hub.HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=str(folder), commit_message="opengato agents push")
    except Exception as error:
        raise _refused(repository, error) from None
    return f"{HUB}{repository}"


def _download(repository: str, to: Path) -> None:
    hub = _client()
    try:
        hub.snapshot_download(repository, local_dir=str(to), allow_patterns=[*FILES, DIGESTS, "README.md"])
    except Exception as error:
        raise _refused(repository, error) from None
    shutil.rmtree(to / ".cache", ignore_errors=True)  # the client's own notes


def _client() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise OpengatoError("the hub's client is missing. Next: pip install 'opengato[hub]'") from None
    return huggingface_hub


def _refused(repository: str, error: Exception) -> OpengatoError:
    why = f"the hub refused {repository!r} ({type(error).__name__}: {error})"
    return OpengatoError(f"{why}. Next: hf auth login, and see that the name is right.")
