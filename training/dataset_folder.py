"""Where a dataset lies, and how it gets there whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from gymnasium import spaces

from opengato.agent.episode import Episode
from opengato.errors import OpengatoError

from .minari_store import dump_space, storable_space, write_group

MAIN_FILE = "main_data.hdf5"  # Minari's name
METADATA_FILE = "metadata.json"  # Minari's name
STALE_SECONDS = 3600.0  # an unfinished dataset that nobody wrote to for so long belongs to a process that was killed


def dataset_id(task: str, name: str = "demonstrator") -> str:
    """Minari's id of a task's dataset; characters that Minari refuses become underscores.

    Raises:
        OpengatoError: the task has no name.
    """
    folder, last = re.sub(r"[^-\w/]", "_", task).strip("/"), re.sub(r"[^-\w]", "_", name)
    if not folder:  # or the id would begin with a slash, and the path at the root of the file system
        raise OpengatoError(f"task {task!r} has no name. Next: give it as 'family/name'.")
    return f"{folder}/{last}-v0"


def dataset_path(data_dir: str | Path, task: str, name: str = "demonstrator") -> Path:
    """Folder of a task's dataset. Raises OpengatoError where the task has no name."""
    return Path(data_dir) / dataset_id(task, name)


def read_metadata(path: Path) -> dict[str, Any]:
    """Minari's raw metadata of the dataset in a folder.

    Raises:
        OpengatoError: there is none, it is damaged, or of a kind that opengato cannot read.
    """
    restore_interrupted(path)
    file = path / "data" / METADATA_FILE
    try:
        raw = json.loads(file.read_text("utf-8"))
        missing = {"dataset_id", "observation_space", "action_space", "total_episodes", "total_steps"} - set(raw)
        if missing:
            raise ValueError(f"no {', '.join(sorted(missing))}")
    except FileNotFoundError:
        raise OpengatoError(f"no episodes at {str(path)!r}. Next: opengato collect") from None
    except ValueError as error:
        raise OpengatoError(
            f"{str(file)!r} is damaged ({error}). Next: delete {str(path)!r} and collect it again."
        ) from error
    if raw.get("data_format") != "hdf5" or raw.get("jpeg_encoding", True):
        raise OpengatoError(
            f"{str(path)!r} is kept as {raw.get('data_format')}, JPEG {raw.get('jpeg_encoding', True)}. "
            "Legal: hdf5 without JPEG. Next: write it again with opengato.training.episodes.write_episodes."
        )
    return raw


def check_owner(path: Path, task: str, raw: dict[str, Any]) -> None:
    """Refuse a folder that another task's name led to ("a.b" and "a_b" share one).

    Raises:
        OpengatoError: the dataset is another task's.
    """
    kept = raw.get("opengato", {}).get("task", task)
    if kept != task:
        raise OpengatoError(f"{str(path)!r} holds episodes of {kept!r}, not of {task!r}. Next: use another data_dir.")


class DatasetWriter:
    """Writes one dataset beside its place and moves it there on a clean exit of the `with` block.

    Args: see `write_episodes`.
    """

    def __init__(
        self,
        data_dir: str | Path,
        task: str,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        metadata: Mapping[str, Any],
        name: str = "demonstrator",
        append: bool = False,
    ) -> None:
        storable_space(observation_space, "observation")
        storable_space(action_space, "action")
        self.path = dataset_path(data_dir, task, name)
        self.task, self.id, self.metadata = task, dataset_id(task, name), dict(metadata)
        self.observation_space, self.action_space = observation_space, action_space
        self.total_episodes = self.total_steps = 0
        self._append = append
        self._temporary = self.path.parent / f".{self.path.name}.tmp-{os.getpid()}-{time.time_ns()}"

    def __enter__(self) -> DatasetWriter:
        restore_interrupted(self.path)
        data = self._temporary / "data"
        data.mkdir(parents=True)
        try:
            if self.path.is_dir():
                raw = read_metadata(self.path)
                check_owner(self.path, self.task, raw)
                if self._append:
                    self._continue(raw)
        except BaseException:
            shutil.rmtree(self._temporary, ignore_errors=True)
            raise
        self._hdf5 = h5py.File(data / MAIN_FILE, "a", libver=("earliest", "v110"), track_order=True)
        return self

    def add(self, episode: Episode) -> None:
        """Add one episode.

        Raises:
            OpengatoError: it does not fit the spaces.
        """
        group = self._hdf5.create_group(f"episode_{self.total_episodes}")
        write_group(group, episode, self.observation_space, self.action_space)
        self._count(group)

    def copy(self, source: h5py.Group) -> None:
        """Add an episode that another file holds in the same layout, without decoding it."""
        source.file.copy(source, self._hdf5, name=f"episode_{self.total_episodes}")
        self._count(self._hdf5[f"episode_{self.total_episodes}"])

    def _count(self, group: h5py.Group) -> None:
        group.attrs["id"] = self.total_episodes
        self.total_episodes += 1
        self.total_steps += int(group.attrs["total_steps"])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._hdf5.close()
        try:
            if kind is not None:
                return
            if self.total_episodes == 0:
                raise OpengatoError(f"no episodes of {self.task!r} to write; {str(self.path)!r} is unchanged.")
            self._write_metadata()
            for file in (self._temporary / "data").iterdir():
                _sync(file)
            _replace(self._temporary, self.path)
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)
            _remove_stale(self.path)

    def _continue(self, raw: dict[str, Any]) -> None:
        for ours, theirs in ((self.observation_space, "observation_space"), (self.action_space, "action_space")):
            if dump_space(ours) != raw[theirs]:
                raise OpengatoError(
                    f"cannot append to {str(self.path)!r}: its {theirs} is another. Next: use another name."
                )
        shutil.copyfile(self.path / "data" / MAIN_FILE, self._temporary / "data" / MAIN_FILE)
        self.total_episodes, self.total_steps = int(raw["total_episodes"]), int(raw["total_steps"])

    def _write_metadata(self) -> None:
        import minari

        provenance = {"task": self.task, **self.metadata}
        size = (self._temporary / "data" / MAIN_FILE).stat().st_size
        raw = {
            "dataset_id": self.id,
            "total_episodes": self.total_episodes,
            "total_steps": self.total_steps,
            "data_format": "hdf5",
            "jpeg_encoding": False,
            "observation_space": dump_space(self.observation_space),
            "action_space": dump_space(self.action_space),
            "minari_version": minari.__version__,
            "dataset_size": float(np.round(size / 1e6, 1)),
            "description": f"Episodes of {self.task}, recorded by opengato.",
            "algorithm_name": str(provenance.get("demonstrator", "unknown")),
            "opengato": provenance,
        }
        (self._temporary / "data" / METADATA_FILE).write_text(json.dumps(raw), "utf-8")


def _aside(path: Path) -> Path:
    return path.parent / f".{path.name}.old"


def _replace(new: Path, path: Path) -> None:
    """Put a finished folder in the place of another; `restore_interrupted` mends a kill between the two renames."""
    if path.exists():
        shutil.rmtree(_aside(path), ignore_errors=True)
        path.rename(_aside(path))
    new.rename(path)
    shutil.rmtree(_aside(path), ignore_errors=True)


def restore_interrupted(path: Path) -> None:
    """Put a dataset back that a kill between `_replace`'s two renames has left aside."""
    if not path.exists() and _aside(path).is_dir():
        with contextlib.suppress(OSError):  # another process may be doing the same, or the disk is read-only
            _aside(path).rename(path)


def _remove_stale(path: Path) -> None:
    for folder in path.parent.glob(f".{path.name}.tmp-*"):
        with contextlib.suppress(OSError):
            newest = max(file.stat().st_mtime for file in [folder, *folder.rglob("*")])
            if time.time() - newest > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _sync(file: Path) -> None:
    """Have the disk keep the file before it gets its name."""
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())
