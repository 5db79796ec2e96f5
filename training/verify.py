"""`opengato data verify`: read every episode, compare it with its checksum, and name what is damaged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengato.errors import OpengatoError
from opengato.training.dataset_folder import METADATA_FILE, read_metadata
from opengato.training.episodes import EpisodeStore


@dataclass(frozen=True)
class VerifyConfig:
    """Looking for damage.

    Args:
        tasks: patterns of `family/name`; the datasets need not be of registered tasks.
        data_dir: folder of all datasets.
    """

    tasks: list[str] = field(default_factory=lambda: ["*"])
    data_dir: str = "data"


def verify(config: VerifyConfig) -> list[dict[str, Any]]:
    """One row per dataset: `task, path, episodes, steps, unsigned` (episodes without a checksum, of an older version)
    and `damaged`, a list of `{episode, why}`.

    Raises:
        OpengatoError: no dataset fits the patterns.
    """
    root = Path(config.data_dir)
    chosen = [path for path in datasets(root) if _fits(path.relative_to(root).parent, config.tasks)]
    if not chosen:
        raise OpengatoError(f"no dataset of {config.tasks} in {config.data_dir!r}. Next: opengato collect")
    return [_verify(path, str(path.relative_to(root).parent)) for path in chosen]


def datasets(root: Path) -> list[Path]:
    """Folders of all datasets, by name."""
    found = (path.parent.parent for path in root.rglob(f"data/{METADATA_FILE}"))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _fits(task: Path, patterns: list[str]) -> bool:
    return any(pattern == "*" or task.match(pattern) for pattern in patterns)


def _verify(path: Path, task: str) -> dict[str, Any]:
    row: dict[str, Any] = {"task": task, "path": str(path), "episodes": 0, "steps": 0, "unsigned": 0, "damaged": []}
    try:
        raw = read_metadata(path)
        row.update(task=raw.get("opengato", {}).get("task", task), episodes=raw["total_episodes"])
        row.update(steps=raw["total_steps"])
        store = EpisodeStore(path)
    except OpengatoError as error:
        row["damaged"].append({"episode": None, "why": str(error)})
        return row
    for index in range(len(store)):
        try:
            row["unsigned"] += not store.check(index)
        except OpengatoError as error:
            row["damaged"].append({"episode": index, "why": str(error)})
    store.close()
    return row
