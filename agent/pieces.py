"""Timesteps laid out as positions: what the model embeds, where it stands, and what is to be predicted from where.

`Pieces` gathers the parts of many timesteps of many embodiments; `Pieces.done` concatenates those of equal shape,
so the model runs once per embodiment and never loops over tokens, timesteps or samples. Training and acting both
come this way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from opengato.agent.codec import Codec, Timesteps
from opengato.agent.laid import Laid, Numbers, Pictures, PooledText, Targets, Words, WordTargets, rounded
from opengato.agent.layout import MAX_POOLED_TEXT, Layout, pictures

MAX_GAP = 8  # words that one place never had
ROLE_SEPARATOR, ROLE_OBSERVATION, ROLE_ACTION, ROLE_INSTRUCTION = range(4)
PLACES = 512  # of tokens within a timestep; those behind share the last (Gato, appendix C.3)


class Pieces:
    """Collects timesteps and lays them out.

    Args:
        slots: rows of the slot table.
    """

    def __init__(self, slots: int) -> None:
        self.total_slots = slots
        self._groups: dict[tuple[Any, ...], list[tuple[np.ndarray, ...]]] = defaultdict(list)
        self._facts: dict[tuple[Any, ...], dict[str, Any]] = {}

    def add(
        self, layout: Layout, codec: Codec, steps: Timesteps, starts: np.ndarray, *,
        task: int = 0, weight: float = 0.0, keep: np.ndarray | None = None,
        gaps: Sequence[Sequence[int]] | None = None, said: list[list[int]] | None = None,
    ) -> None:  # fmt: skip
        """Lay out T whole timesteps.

        Args:
            layout, codec: of their embodiment.
            steps: their arrays.
            starts: int64 [T], flat position where each timestep begins.
            task: number under which losses are reported.
            weight: of each timestep's loss; 0 asks for no prediction.
            keep: bool [T], False hides that action from later timesteps.
            gaps: per word of the replies, ends included, the words that this place never had (`training/unshown.py`).
            said: what was to be said, where later words find other replies.
        """
        action_start = self.observe(layout, codec, steps, starts)
        if steps.replies is not None:
            self._reply(codec, said or steps.replies, steps.replies, action_start, task, weight, gaps)
        elif steps.actions is not None:
            tokens = codec.action_scale.tokens(steps.actions)
            if layout.action_positions:
                self.act(layout, codec, tokens, _run(action_start, layout.action_positions), keep)
            if weight:
                self._target(layout, codec, tokens, action_start, task, weight)

    def observe(self, layout: Layout, codec: Codec, steps: Timesteps, starts: np.ndarray) -> np.ndarray:
        """Lay out the observations of T timesteps; returns where each one's action begins, int64 [T]."""
        lengths, _ = layout.lengths(steps)
        offsets = starts[:, None] + np.cumsum(lengths, axis=1) - lengths
        tokens = codec.observation_scale.tokens(steps.values) if steps.values.size else None
        for column, part in enumerate(layout.parts):
            at = offsets[:, column]
            if part.kind == "image":
                pixels = [steps.images[feature.path] for feature in part.features]
                before = np.cumsum([0] + [pictures(feature) for feature in part.features])
                cameras = [int(layout.slot + c) % self.total_slots for c in before[:-1]]
                facts: dict[str, Any] = {"cameras": cameras, "reading": layout.spec.text_action}
                self._put(("pictures", layout.spec.signature, part), facts, *pixels, _run(at, part.positions))
            elif part.kind == "values":
                assert tokens is not None
                where = slice(part.start, part.start + part.size)
                facts = _facts(codec.observation_scale, where, layout.slots(part.start, part.size, self.total_slots))
                shown = np.ones(len(steps), bool)
                key = ("values", layout.spec.signature, part)
                self._put(key, facts, tokens[:, where], _run(at, part.positions), shown)
            elif part.kind == "separator":
                zero = np.zeros(len(at), np.int64)
                self.words(zero, ROLE_SEPARATOR, zero, at)
            elif part.positions:
                self._pool(steps.texts[part.features[0].path], at)
            else:
                self.text(steps.texts[part.features[0].path], at, ROLE_OBSERVATION)
        return starts + lengths.sum(axis=1)

    def act(
        self, layout: Layout, codec: Codec, tokens: np.ndarray, dest: np.ndarray, keep: np.ndarray | None = None,
        where: slice = slice(None),
    ) -> None:  # fmt: skip
        """Lay out action tokens as inputs: numbers `where` of n actions, tokens [n, numbers], dest [n, positions]."""
        size = codec.action_scale.size
        slots = layout.slots(0, size, self.total_slots, action=True)[where]
        facts = {**_facts(codec.action_scale, where, slots), "action": True}
        shown = np.ones(len(tokens), bool) if keep is None else keep
        key = ("actions", layout.spec.signature, size, layout.pooled, where.start, where.stop)
        self._put(key, facts, tokens, dest, shown)

    def text(self, texts: list[list[int]], starts: np.ndarray, role: int) -> None:
        """Lay out texts with a position per token."""
        ids, index, counts = _in_a_row(texts)
        if len(ids):
            self.words(ids, role, index, np.repeat(starts, counts) + index)

    def words(self, ids: np.ndarray, role: int, index: np.ndarray, dest: np.ndarray) -> None:
        """Lay out single text tokens, int64 [n] each."""
        self._put(("words",), {}, ids, np.full(len(ids), role), np.minimum(index, PLACES - 1), dest)

    def _pool(self, texts: list[list[int]], at: np.ndarray) -> None:
        ids = np.zeros((len(texts), MAX_POOLED_TEXT), np.int64)
        mask = np.zeros(ids.shape, bool)
        for row, text in enumerate(texts):
            cut = text[:MAX_POOLED_TEXT]
            ids[row, : len(cut)], mask[row, : len(cut)] = cut, True
        self._put(("pooled",), {}, ids, mask, at)

    def _target(
        self, layout: Layout, codec: Codec, tokens: np.ndarray, start: np.ndarray, task: int, weight: float
    ) -> None:
        """Ask for actions: all from the last position before them when pooled, else each from the one before it."""
        size = tokens.shape[1]
        facts = _facts(codec.action_scale, slice(None), layout.slots(0, size, self.total_slots, action=True))
        source = start[:, None] - 1 + (np.zeros(size, int) if layout.pooled else np.arange(size))
        weights, tasks = np.full(len(tokens), weight, np.float32), np.full(len(tokens), task)
        self._put(("targets", layout.spec.signature, size, layout.pooled), facts, source, tokens, weights, tasks)

    def _reply(
        self, codec: Codec, replies: list[list[int]], read: list[list[int]], start: np.ndarray, task: int,
        weight: float, gaps: Sequence[Sequence[int]] | None,
    ) -> None:  # fmt: skip
        end = codec.vocabulary.end_id
        self.text([[*ids, end] for ids in read], start, ROLE_ACTION)
        if weight:
            ids, index, counts = _in_a_row([[*ids, end] for ids in replies])
            source = np.repeat(start, counts) + index - 1
            unshown = np.full((len(ids), MAX_GAP), -1)
            for row, words in zip(unshown, gaps or [()] * len(ids), strict=True):
                row[: len(words)] = words[:MAX_GAP]
            weights, tasks = np.full(len(ids), weight, np.float32), np.full(len(ids), task)
            self._put(("word_targets",), {}, source, ids, unshown, weights, tasks)

    def _put(self, key: tuple[Any, ...], facts: dict[str, Any], *arrays: np.ndarray) -> None:
        self._facts.setdefault(key, facts)
        self._groups[key].append(arrays)

    def done(self, spare: int | None = None) -> Laid:
        """Everything added so far as tensors, timesteps of equal shape together.

        Args:
            spare: a flat position past the last one. Where given, each group is filled up to a round number of rows,
                and what fills it goes there.
        """
        laid = Laid([], [], [], [], [], [])
        for key, entries in self._groups.items():
            facts = dict(self._facts[key])
            if "slots" in facts:
                facts["slots"] = torch.as_tensor(facts["slots"])
            arrays = [np.concatenate(column) for column in zip(*entries, strict=True)]
            if spare is not None:
                arrays = _filled(key[0], arrays, spare)
            columns = [_tensor(array) for array in arrays]
            if key[0] == "pictures":
                laid.pictures.append(Pictures(pixels=columns[:-1], dest=columns[-1], **facts))
            elif key[0] in ("values", "actions"):
                tokens, dest, keep = columns
                facts.setdefault("action", False)
                laid.numbers.append(Numbers(tokens=tokens, dest=dest, keep=keep, **facts))
            elif key[0] == "words":
                laid.words.append(Words(*columns))
            elif key[0] == "pooled":
                laid.pooled.append(PooledText(*columns))
            elif key[0] == "targets":
                source, tokens, weight, task = columns
                laid.targets.append(Targets(source=source, tokens=tokens, weight=weight, task=task, **facts))
            else:
                laid.word_targets.append(WordTargets(*columns))
        return laid


# Which column of a group says where a row goes; targets have none, and are filled with rows of no weight.
_DEST = {"pictures": -1, "values": 1, "actions": 1, "words": 3, "pooled": 2}
_WEIGHT = -2


def _filled(kind: str, arrays: list[np.ndarray], spare: int) -> list[np.ndarray]:
    """Repeat the first row until the number of rows is round."""
    rows = len(arrays[0])
    extra = rounded(rows) - rows
    if not extra:
        return arrays
    filled = [np.concatenate([array, np.repeat(array[:1], extra, axis=0)]) for array in arrays]
    if kind in _DEST:
        filled[_DEST[kind]][rows:] = spare
    else:
        filled[_WEIGHT][rows:] = 0
    return filled


def _in_a_row(texts: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All tokens one after another and the place of each in its text, int64 [tokens]; each text's length, int64 [n]."""
    counts = np.asarray([len(ids) for ids in texts], np.int64)
    ids = np.asarray([token for ids in texts for token in ids], np.int64)
    return ids, np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts), counts


def _run(start: np.ndarray, count: int) -> np.ndarray:
    """int64 [T, count]: `count` positions from each start on."""
    return start[:, None] + np.arange(count)


def _facts(scale: Any, where: slice, slots: np.ndarray) -> dict[str, Any]:
    return {"discrete": scale.discrete[where], "classes": scale.classes[where].astype(np.int64), "slots": slots}


def _tensor(array: np.ndarray) -> torch.Tensor:
    if array.dtype == np.int16 or array.dtype == np.int32:
        array = array.astype(np.int64)
    return torch.from_numpy(np.ascontiguousarray(array))
