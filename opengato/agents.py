"""`opengato agents`: which there are; `agents push` and `agents pull`: giving them away and fetching them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengato.errors import OpengatoError


@dataclass(frozen=True)
class AgentsConfig:
    """Which agents to list, beside those that ship.

    Args:
        folders: patterns of folders; those that hold an agent are shown.
    """

    folders: list[str] = field(default_factory=lambda: ["runs/*/agent", "agents/*"])


def list_(config: AgentsConfig, as_json: bool) -> Any:
    """Shipped and local agents with what their cards say."""
    from opengato.agent.shipped import shipped

    places = dict(shipped())
    for pattern in config.folders:
        root = Path("/") if Path(pattern).is_absolute() else Path()
        try:
            paths = sorted(root.glob(pattern.lstrip("/")))
        except ValueError as error:
            raise OpengatoError(f"folders={pattern!r} is no pattern: {error}. Next: folders=['agents/*']") from None
        for path in paths:
            if (path / "config.json").is_file():
                places[str(path)] = path
    found = [_facts(name, path) for name, path in places.items()]
    if as_json:
        return found
    for row in found:
        mean = row.get("mean_score_of_trained_tasks")
        told = "" if mean is None else f", mean score {mean:.1f}"
        tuned = "".join(f", fine-tuned on {each['task']}" for each in row.get("finetuned", []))
        print(
            f"{row['agent']}  {row.get('parameters', 0) / 1e6:.1f} M parameters, "
            f"{len(row.get('tasks', []))} tasks{told}{tuned}"
        )
    return None


def _facts(name: str, path: Path) -> dict[str, Any]:
    try:
        return {"agent": name, **json.loads((path / "card.json").read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise OpengatoError(
            f"{str(path / 'card.json')!r} can't be read ({error}). Next: restore or remove that agent."
        ) from None


@dataclass(frozen=True)
class PushConfig:
    """Giving an agent away.

    Args:
        agent: a shipped agent's name or an agent's folder.
        to: a folder that is not there yet, or hf:user/name.
        private: whether a new repository on the hub is for its owner alone.
    """

    agent: str = ""
    to: str = ""
    private: bool = True


def push(config: PushConfig, as_json: bool) -> Any:
    """Give an agent away."""
    from opengato.agent.hub import push as run

    if not (config.agent and config.to):
        raise OpengatoError("which agent, and where to? Next: opengato agents push agent=generalist to=hf:user/name")
    place = run(config.agent, config.to, config.private)
    if as_json:
        return {"agent": place}
    print(f"pushed: {place}")
    return None


@dataclass(frozen=True)
class PullConfig:
    """Fetching an agent.

    Args:
        source: a folder that was pushed to, or hf:user/name.
        to: the agent's new folder.
    """

    source: str = ""
    to: str = ""


def pull(config: PullConfig, as_json: bool) -> Any:
    """Fetch an agent."""
    from opengato.agent.hub import pull as run

    if not (config.source and config.to):
        raise OpengatoError("from where, and where to? Next: opengato agents pull source=hf:user/name to=agents/name")
    folder = run(config.source, config.to)
    if as_json:
        return {"agent": str(folder)}
    print(f"agent: {folder}")
    return None
