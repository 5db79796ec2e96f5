"""Demonstrations as memory-mapped arrays, built once from the episode store, so that training never waits for parsing.

The arrays lie beside the dataset, under a name that holds the dataset's and the vocabulary's digests: a changed
dataset or vocabulary builds new ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from opengato.agent.codec import Codec, Timesteps
from opengato.agent.episode import Episode
from opengato.agent.spec import Spec
from opengato.agent.text import Vocabulary
from opengato.errors import ObservationError, OpengatoError
from opengato.training.episodes import EpisodeStore
from opengato.training.minari_store import quote_key

VERSION = 1
ABANDONED_S = 24 * 3600.0


@dataclass
class TaskArrays:
    """All demonstrations of one task.

    Args:
        task: its id.
        instruction: the task in words, as token ids.
        codec: translator of its spec.
        steps: every timestep of every episode, memory-mapped where numeric.
        starts: int64 [episodes + 1], first timestep of each episode.
        folder: where the arrays lie; None in memory. Another process is handed the folder and maps it itself.
        shown: demonstrations that prompts are drawn from; None for these here.
    """

    task: str
    instruction: list[int]
    codec: Codec
    steps: Timesteps
    starts: np.ndarray
    folder: Path | None = None
    shown: TaskArrays | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **({"steps": None} if self.folder else {})}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.folder:
            self.steps, self.starts = _map(self.folder, self.codec.spec)

    @property
    def spec(self) -> Spec:
        return self.codec.spec

    def __len__(self) -> int:
        return len(self.starts) - 1

    def episode(self, index: int, begin: int = 0, end: int | None = None) -> Timesteps:
        """Timesteps [begin, end) of one episode."""
        first, last = int(self.starts[index]), int(self.starts[index + 1])
        return self.steps[first + begin : last if end is None else min(first + end, last)]

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the observation numbers, float32 [m] each, from at most 100 000 timesteps."""
        every = max(1, len(self.steps.values) // 100_000)
        sample = np.asarray(self.steps.values[::every], np.float64)
        return sample.mean(0).astype(np.float32), sample.std(0).astype(np.float32)


class Ragged:
    """Many token lists in one flat array; slices like a list of lists."""

    def __init__(self, ids: np.ndarray, offsets: np.ndarray) -> None:
        self.ids, self.offsets = ids, offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, where: slice) -> Any:
        begin, end, _ = where.indices(len(self))
        bounds = self.offsets[begin : end + 1]
        return [self.ids[a:b].tolist() for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def open_arrays(
    store: EpisodeStore, task: str, instruction: str, vocabulary: Vocabulary, skip_damaged: bool = False
) -> TaskArrays:
    """The arrays of a dataset; they are built when they are not there yet.

    Args:
        store: the dataset.
        task: its id.
        instruction: the task in words.
        vocabulary: turns texts into tokens.
        skip_damaged: leave out episodes that cannot be read, are not what their checksum says or do not fit the spaces.

    Raises:
        OpengatoError: an episode is damaged or does not fit the spaces, or all are.
    """
    counts = [store.metadata["total_episodes"], store.metadata["total_steps"]]
    facts = json.dumps([VERSION, vocabulary.digest, *(["whole"] if skip_damaged else []), *counts])
    modified = max(path.stat().st_mtime_ns for path in (store.path / "data").iterdir())
    digest = hashlib.sha256(f"{facts}{modified}".encode()).hexdigest()[:12]
    folder = store.arrays / digest
    spec = Spec(store.observation_space, store.action_space)
    if not (folder / "arrays.json").is_file():
        source = [VERSION, *counts, modified]
        _build(folder, source, _whole(store, Codec(spec, vocabulary), skip_damaged), _text_names(spec))
        _remove_old(folder, source)
    steps, starts = _map(folder, spec)
    return TaskArrays(task, vocabulary.encode(instruction), Codec(spec, vocabulary), steps, starts, folder)


def arrays_of(episodes: Iterable[Episode], task: str, instruction: str, codec: Codec) -> TaskArrays:
    """The arrays of a few episodes, in memory."""
    parts = [codec.episode(episode.observations, episode.actions) for episode in episodes]
    starts = np.cumsum([0] + [len(part) for part in parts])
    first = parts[0]
    steps = Timesteps(
        np.concatenate([part.values for part in parts]),
        {path: np.concatenate([part.images[path] for part in parts]) for path in first.images},
        {path: [ids for part in parts for ids in part.texts[path]] for path in first.texts},
        None if first.actions is None else np.concatenate([part.actions for part in parts if part.actions is not None]),
        None if first.replies is None else [ids for part in parts for ids in part.replies or []],
    )
    return TaskArrays(task, codec.vocabulary.encode(instruction), codec, steps, starts)


def _build(folder: Path, source: list[Any], episodes: Iterable[Timesteps], texts: list[str]) -> None:
    """Write raw arrays beside the dataset, then rename: they appear whole or not at all. Several processes may do so at
    once; the first to end wins."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed and had the same number
    temporary.mkdir(parents=True)
    try:
        _write(temporary, source, episodes, texts)
        try:
            temporary.replace(folder)
        except OSError:
            if not folder.is_dir():  # where it is, another process was faster
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path, source: list[Any], episodes: Iterable[Timesteps], texts: list[str]) -> None:
    lengths, counts = [], {name: [0] for name in texts}
    files: dict[str, BinaryIO] = {}
    try:
        for steps in episodes:
            lengths.append(len(steps))
            for name, array in _columns(steps).items():
                if name not in files:
                    files[name] = (folder / name).open("wb")
                if isinstance(array, list):
                    counts[name].extend(len(ids) for ids in array)
                    array = np.asarray([token for ids in array for token in ids], np.int32)
                files[name].write(np.ascontiguousarray(array).tobytes())
    finally:
        for file in files.values():
            file.close()
    np.save(folder / "starts.npy", np.cumsum([0, *lengths]))
    for name, count in counts.items():
        np.save(folder / f"{name}.offsets.npy", np.cumsum(count))
    facts = {"version": VERSION, "episodes": len(lengths), "steps": sum(lengths), "source": source}
    (folder / "arrays.json").write_text(json.dumps(facts))


def _remove_old(folder: Path, source: list[Any]) -> None:
    """Remove arrays of an earlier version of the dataset, and what a process that was killed long ago left. Those of
    this version with another vocabulary may be in use by another run."""
    for old in folder.parent.iterdir():
        facts = old / "arrays.json"
        with contextlib.suppress(OSError):  # another process removes it
            if facts.is_file() and not old.name.endswith(".part"):
                outdated = json.loads(facts.read_text()).get("source", source) != source
            else:
                outdated = time.time() - old.stat().st_mtime > ABANDONED_S
            if outdated:
                shutil.rmtree(old, ignore_errors=True)


def _whole(store: EpisodeStore, codec: Codec, skip_damaged: bool) -> Iterator[Timesteps]:
    """Episodes that are what was written, and fit their spaces."""
    skipped = 0
    for index in range(len(store)):
        try:
            store.check(index)
            yield _encoded(store, index, codec)
        except OpengatoError as error:
            if not skip_damaged:
                raise
            skipped += 1
            print(f"left out: {error}", file=sys.stderr)
    if skipped == len(store):
        raise OpengatoError(f"every episode of {str(store.path)!r} is damaged. Next: delete it and collect it again.")


def _encoded(store: EpisodeStore, index: int, codec: Codec) -> Timesteps:
    episode = store[index]
    try:
        return codec.episode(episode.observations[: len(episode)], episode.actions)
    except ObservationError as error:
        why = str(error).partition(" Next: ")[0].rstrip(".")
        raise OpengatoError(
            f"episode {index} of {str(store.path)!r} cannot be learnt ({why}). "
            "Next: collect the dataset again, or skip_damaged=true."
        ) from error


def _map(folder: Path, spec: Spec) -> tuple[Timesteps, np.ndarray]:
    """Memory-mapped timesteps of a folder, and where episodes start."""
    starts = np.load(folder / "starts.npy")
    total = int(starts[-1])

    def mapped(name: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
        if 0 in shape or not (folder / name).stat().st_size:
            return np.zeros(shape, dtype)
        return np.memmap(folder / name, dtype, "r", shape=shape)

    def ragged(name: str) -> Any:
        offsets = np.load(folder / f"{name}.offsets.npy")
        return Ragged(mapped(name, "int32", (int(offsets[-1]),)), offsets)

    steps = Timesteps(
        mapped("values", "float32", (total, spec.num_values)),
        {f.path: mapped(_name("image", f.path), "uint8", (total, *f.shape)) for f in spec.images},
        {f.path: ragged(_name("text", f.path)) for f in spec.texts},
        None if spec.text_action else mapped("actions", "float32", (total, spec.num_actions)),
        ragged("replies") if spec.text_action else None,
    )
    return steps, starts


def _name(kind: str, path: str) -> str:
    """File of a feature; a "/" in its path is no folder."""
    return quote_key(f"{kind}.{path}")


def _text_names(spec: Spec) -> list[str]:
    return [_name("text", feature.path) for feature in spec.texts] + (["replies"] if spec.text_action else [])


def _columns(steps: Timesteps) -> dict[str, Any]:
    columns: dict[str, Any] = {"values": steps.values}
    columns.update({_name("image", path): image for path, image in steps.images.items()})
    columns.update({_name("text", path): text for path, text in steps.texts.items()})
    if steps.replies is not None:
        columns["replies"] = steps.replies
    else:
        columns["actions"] = steps.actions
    return columns
