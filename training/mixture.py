"""The mixture: which pieces of which demonstrations a batch holds. A pure function of seed and step, so that a resumed
run continues with the very next batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch

from opengato.agent.codec import Timesteps
from opengato.agent.config import ModelConfig
from opengato.agent.laid import read_positions
from opengato.agent.layout import Layout, pictures
from opengato.agent.model import Batch
from opengato.agent.pieces import Pieces
from opengato.agent.prompt import MAX_INSTRUCTION, place, prompt_positions, tail
from opengato.errors import OpengatoError
from opengato.training.arrays import TaskArrays
from opengato.training.noise import noisy
from opengato.training.shifts import shifted
from opengato.training.unshown import Unshown

PATIENCE = 50  # draws that don't fit in a row, until a sequence is left empty


@dataclass(frozen=True)
class MixtureConfig:
    """How batches are drawn.

    Args:
        rows: sequences a batch; each is as long as the model's window.
        pixels: of a batch, about; where pictures are large, a batch has fewer rows, one at least. 0 for any number.
        demonstration_prompts: share of sequences that start with a demonstration of the same task (Gato: a quarter).
        prompt_ends: share of these that are a demonstration's end, as where an agent is evaluated (Gato: half); the
            others end anywhere in it.
        instruction_prompts: share that start with the task in words, drawn independently.
        segment_steps: timesteps of an episode in a sequence at most; None for as many as fit.
        hide_actions: share of sequences in which past actions are hidden, for a model that sees its own.
        short_history: share of sequences in which a timestep sees only a few before it, so that it needs no long
            memory.
        shift: per pattern of tasks the pixels by which the pictures of a sequence are moved at most (`shifts.py`); a
            later pattern wins.
        noise: per pattern of tasks the noise on what is sensed (`noise.py`); a later pattern wins.
        unshown: per pattern of tasks with text actions, how many words before a word make its context where what a
            context never had is not held against the agent (`unshown.py`); a later pattern wins.
        misread: share of the words which make such contexts differ that are misread, in these tasks.
    """

    rows: int = 32
    pixels: int = 0
    demonstration_prompts: float = 0.25
    prompt_ends: float = 0.5
    instruction_prompts: float = 0.25
    segment_steps: int | None = 64
    hide_actions: float = 0.7
    short_history: float = 0.5
    shift: dict[str, int] = field(default_factory=dict)
    noise: dict[str, float] = field(default_factory=dict)
    unshown: dict[str, int] = field(default_factory=dict)
    misread: float = 0.0

    def check(self) -> None:
        """Raises OpengatoError where a value is outside its legal range."""
        shares = ("demonstration_prompts", "prompt_ends", "instruction_prompts", "hide_actions", "short_history")
        legal = {
            "rows": (self.rows >= 1, "1 or more"),
            "pixels": (self.pixels >= 0, "0 (any number) or more"),
            "segment_steps": (self.segment_steps is None or self.segment_steps >= 1, "1 or more, or null"),
            **{name: (0 <= getattr(self, name) <= 1, "0 to 1") for name in (*shares, "misread")},
            **{name: (min(getattr(self, name).values(), default=0) >= 0, "0 or more")
               for name in ("shift", "noise", "unshown")},
        }  # fmt: skip
        refuse(self, legal, "mixture.")


def refuse(config: Any, legal: Mapping[str, tuple[bool, str]], prefix: str = "") -> None:
    """Raises OpengatoError for the first setting that is not fine: name → whether it is, and what would be."""
    for name, (fine, values) in legal.items():
        if not fine:
            raise OpengatoError(f"{prefix}{name} is {getattr(config, name)}; legal: {values}.")


def shares(tasks: Sequence[str], weights: Mapping[str, float]) -> np.ndarray:
    """Weight of each task, float [tasks]; see `Mixture`."""
    winner = [pattern_of(weights, task) for task in tasks]
    return np.asarray([1.0 if p is None else weights[p] / winner.count(p) for p in winner])


def pattern_of(settings: Mapping[str, Any], task: str) -> str | None:
    """The last pattern that the task matches, None where none does."""
    return next((pattern for pattern in reversed(list(settings)) if fnmatchcase(task, pattern)), None)


def _setting(settings: Mapping[str, Any], task: str) -> Any:
    """What the last pattern that the task matches says, None where none does."""
    pattern = pattern_of(settings, task)
    return None if pattern is None else settings[pattern]


class Mixture:
    """Draws batches.

    Args:
        tasks: the demonstrations.
        model: shape of the model, which decides the layout.
        config: how to draw.
        weights: per task its share of positions, 1 by default. A pattern's share is divided among its tasks; of several
            that match a task, the last wins.
        seed: of everything.

    Attributes:
        too_long: per task how many of its timesteps fit into no window, and are never drawn; tasks without any lack.

    Raises:
        OpengatoError: illegal settings, weights that leave nothing to draw, or a task of which nothing fits.
    """

    def __init__(
        self, tasks: Sequence[TaskArrays], model: ModelConfig, config: MixtureConfig,
        weights: Mapping[str, float] | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        config.check()
        self.tasks, self.model, self.config, self.seed = list(tasks), model, config, seed
        self.layouts = [Layout(task.spec, model) for task in self.tasks]
        share = shares([task.task for task in self.tasks], weights or {})
        if share.min() < 0 or not 0 < share.sum() < np.inf:
            raise OpengatoError(f"weights={dict(weights or {})}; legal: 0 or more each, and more than 0 of some task.")
        self.too_long: dict[str, int] = {}
        for task, layout, part in zip(self.tasks, self.layouts, share, strict=True):
            if part:
                self._fit(task, layout)
        # Tasks are drawn by segment but weighted by position, so a task with short segments is drawn more often.
        chance = share / np.asarray([self._typical(i) for i in range(len(self.tasks))])
        self.chance = chance / chance.sum()
        self.shift = [_setting(config.shift, task.task) or 0 for task in self.tasks]
        self.noise = [_setting(config.noise, task.task) or 0.0 for task in self.tasks]
        self.rows = self._affordable(share / share.sum())
        longest = [_setting(config.unshown, task.task) for task in self.tasks]
        self.unshown = [
            Unshown(task, words, task.codec.vocabulary.end_id) if words else None
            for task, words in zip(self.tasks, longest, strict=True)
        ]

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        rng = np.random.default_rng([self.seed, step])
        length = self.model.window
        pieces = Pieces(self.model.slots)
        shape = (self.rows, length)
        self._position, self._segment = np.zeros(shape, np.int64), np.full(shape, -1)
        self._step, self._horizon = np.zeros(shape, np.int64), np.full(shape, length)
        for row in range(self.rows):
            used = segment = misses = 0
            while used < length and misses < (3 if used else PATIENCE):
                taken = self._segment_into(pieces, rng, row, used, segment)
                used, segment, misses = used + taken, segment + bool(taken), misses + (not taken)
        arrays = (self._position, self._segment, self._step, self._horizon)
        laid = pieces.done(spare=self.rows * length)
        if not laid.all_targets:
            raise OpengatoError(
                f"nothing of batch {step} fits into the model's window of {length} positions. "
                "Next: a larger window, or fewer prompts (mixture.demonstration_prompts, mixture.instruction_prompts)."
            )
        made = Batch(laid, *(torch.from_numpy(array) for array in arrays))
        return replace(made, read=read_positions(laid, self.rows, length))

    def _fit(self, task: TaskArrays, layout: Layout) -> None:
        """Note timesteps that fit into no window. Raises OpengatoError where none fits, alone or behind the task in
        words."""
        window, words = self.model.window, min(len(task.instruction), MAX_INSTRUCTION)
        behind = f" behind the {words} of its instruction" if self.config.instruction_prompts and words else ""
        sizes = np.asarray([layout.step_positions]) if layout.step_positions else layout.sizes(task.steps[:])
        least = int(sizes.min())
        if least + (words if behind else 0) > window:
            raise OpengatoError(
                f"a timestep of {task.task!r} takes {least} positions or more{behind}, and the model's window has "
                f"{window}. Next: a larger window (shape={{window: …}} where an agent is new), or leave the task out."
            )
        if found := int((sizes > window).sum()):
            self.too_long[task.task] = found

    def _segment_into(self, pieces: Pieces, rng: np.random.Generator, row: int, used: int, segment: int) -> int:
        """Draw one segment and lay it out behind what is in the row; returns its positions, 0 if nothing fits."""
        config, length = self.config, self.model.window
        index = int(rng.choice(len(self.tasks), p=self.chance))
        task, layout = self.tasks[index], self.layouts[index]
        room = length - used
        start = row * length + used
        words = task.instruction if rng.random() < config.instruction_prompts else []
        demonstration = self._demonstration(task, layout, rng) if rng.random() < config.demonstration_prompts else None
        episode = int(rng.integers(len(task)))
        steps = self._chunk(task, episode, rng, room)
        prompt = min(len(words), MAX_INSTRUCTION)
        if demonstration is not None:
            prompt += int(layout.demonstration.sizes(demonstration).sum())
        sizes = layout.sizes(steps)
        fits = int(np.searchsorted(np.cumsum(sizes), room - prompt, side="right"))
        if fits == 0:
            return 0
        steps, sizes = steps[:fits], sizes[:fits]
        prompt = place(pieces, layout, task.codec, start, words, demonstration)
        if self.shift[index]:
            steps = shifted(steps, self.shift[index], rng)
        if self.noise[index]:
            steps = noisy(steps, task.codec.observation_scale, self.noise[index], rng)
        keep = np.full(fits, rng.random() >= config.hide_actions)
        begins = start + prompt + np.cumsum(sizes) - sizes
        unshown = self.unshown[index]
        gaps = unshown.of(steps) if unshown else None
        said = steps.replies
        if unshown and gaps and config.misread:
            steps = unshown.misread(steps, gaps, config.misread, rng)
        pieces.add(layout, task.codec, steps, begins, task=index, weight=1.0, keep=keep, gaps=gaps, said=said)
        total = prompt + int(sizes.sum())
        where = (row, slice(used, used + total))
        self._position[where] = np.arange(total)
        self._segment[where] = segment
        self._step[where] = np.concatenate([np.full(prompt, -1), np.repeat(np.arange(fits), sizes)])
        if rng.random() < config.short_history:
            self._horizon[where] = int(rng.choice([1, 2, 4, 8, 16]))
        return total

    def _chunk(self, task: TaskArrays, episode: int, rng: np.random.Generator, room: int) -> Timesteps:
        """A run of timesteps from anywhere in an episode."""
        length = int(task.starts[episode + 1] - task.starts[episode])
        most = min(self.config.segment_steps or room, room)
        begin = int(rng.integers(max(1, length - most // 2))) if length > most else 0
        return task.episode(episode, begin, begin + most)

    def _demonstration(self, task: TaskArrays, layout: Layout, rng: np.random.Generator) -> Timesteps:
        """A prompt: the end of another episode, or a stretch from anywhere in it."""
        task = task.shown or task
        episode = int(rng.integers(len(task)))
        length = int(task.starts[episode + 1] - task.starts[episode])
        end = length if rng.random() < self.config.prompt_ends else int(rng.integers(1, length + 1))
        most = prompt_positions(self.model)
        last = task.episode(episode, end - 1, end)
        least = int(layout.demonstration.sizes(last)[0])  # in fewer positions a prompt would be empty
        positions = int(rng.integers(min(least, most), most + 1))
        begin = max(0, end - positions)  # a timestep takes at least one position
        return tail(layout, task.episode(episode, begin, end), positions)

    def _affordable(self, share: np.ndarray) -> int:
        """Rows that hold as many pixels as are wanted, of tasks with these shares of the positions."""
        if not self.config.pixels:
            return self.config.rows
        row = 0.0
        for task, layout, part in zip(self.tasks, self.layouts, share, strict=True):
            seen = sum(feature.shape[0] * feature.shape[1] * pictures(feature) for feature in task.spec.images)
            row += part * self.model.window / float(layout.sizes(task.episode(0)).mean()) * seen
        return max(1, min(self.config.rows, int(self.config.pixels / row))) if row else self.config.rows

    def _typical(self, index: int) -> float:
        """Positions of a typical segment of a task."""
        task, layout = self.tasks[index], self.layouts[index]
        rng = np.random.default_rng(0)
        sizes = []
        for _ in range(8):
            steps = self._chunk(task, int(rng.integers(len(task))), rng, self.model.window)
            sizes.append(min(int(layout.sizes(steps).sum()), self.model.window))
        return float(np.mean(sizes))
