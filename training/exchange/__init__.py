"""Datasets of others in, ours out: Minari's folders and LeRobot's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.training.dataset_folder import dataset_path, restore_interrupted
from opengato.training.episodes import EpisodeStore, write_episodes

Format = Literal["minari", "lerobot"]


@dataclass(frozen=True)
class ImportConfig:
    """Bringing a dataset in.

    Args:
        path: folder of the dataset.
        task: `family/name` that it becomes the demonstrations of; register the task (with the same spaces) to train on
            it.
        format: "minari" (a local dataset of Minari, HDF5 or Arrow) or "lerobot" (version 3).
        data_dir: folder of all datasets.
        overwrite: replace the dataset that the task has already.
    """

    path: str
    task: str
    format: Format
    data_dir: str = "data"
    overwrite: bool = False


@dataclass(frozen=True)
class ExportConfig:
    """Giving a dataset away.

    Args:
        task: whose demonstrations; with one action a step.
        out: folder that must not exist yet.
        format: "minari" or "lerobot" (version 3, pictures kept without loss).
        data_dir: folder of all datasets.
        rate_hz: steps a second, for LeRobot, where the task's card has none.
        plugins: files of the user that register tasks.
    """

    task: str
    out: str
    format: Format
    data_dir: str = "data"
    rate_hz: float | None = None
    plugins: tuple[str, ...] = ()


def import_(config: ImportConfig) -> Path:
    """Write the episodes of another's dataset into the store. Returns the dataset's folder.

    Raises:
        OpengatoError: no such dataset, a version or a feature that cannot be read, or a damaged one; a task that has a
            dataset already.
    """
    registry.check_id(config.task)
    taken = dataset_path(config.data_dir, config.task)
    restore_interrupted(taken)
    if taken.exists() and not config.overwrite:
        raise OpengatoError(
            f"{str(taken)!r} holds a dataset already. Next: overwrite=true replaces it; or another task=… or data_dir."
        )
    folder = Path(config.path).expanduser()
    if not folder.is_dir():
        raise OpengatoError(f"{config.path!r} is no folder. Next: give the folder of a {config.format} dataset.")
    if config.format == "minari":
        from opengato.training.exchange.minari import read_minari

        found = read_minari(folder)
    else:
        from opengato.training.exchange.lerobot_read import read_lerobot

        found = read_lerobot(folder)
    metadata = {"demonstrator": f"{config.format} dataset {folder.name}", **found.facts}
    spaces = (found.observation_space, found.action_space)
    return write_episodes(config.data_dir, config.task, found.episodes, *spaces, metadata)


def export(config: ExportConfig) -> Path:
    """Write a dataset of the store in another's format. Returns its folder.

    Raises:
        OpengatoError: nothing was collected, `out` exists, or the format cannot hold an entry.
    """
    if "@" in config.task:
        raise OpengatoError(
            f"{config.task!r} asks for several actions a step; what was collected, and is exported, are single steps. "
            f"Next: task={config.task.partition('@')[0]}"
        )
    registry.load_plugins(config.plugins)
    store = EpisodeStore.open(config.data_dir, config.task)
    out = Path(config.out).expanduser()
    if config.format == "minari":  # the store's own layout is Minari's
        with _whole(out) as temporary:
            shutil.copytree(store.path / "data", temporary / "data")
        return out
    from opengato.training.exchange.lerobot_write import write_lerobot

    instruction, rate = _card_facts(config.task)
    rate = config.rate_hz or rate
    if not rate:
        raise OpengatoError(f"{config.task!r} has no rate, and LeRobot wants one. Next: add rate_hz=…, steps a second.")
    with _whole(out) as temporary:
        write_lerobot(store, temporary, instruction or config.task, rate)
    return out


def _card_facts(task: str) -> tuple[str, float | None]:
    """Instruction and rate of a registered task; nothing of one that is not."""
    cards: list[Any] = [card for card in registry.find() if card.id == task]
    return (cards[0].instruction, cards[0].rate_hz) if cards else ("", None)


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder that appears whole or not at all."""
    if out.exists():
        raise OpengatoError(f"{str(out)!r} exists. Next: another out=…, or remove it.")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
