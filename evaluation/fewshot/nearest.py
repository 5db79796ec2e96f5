"""The plainest few-shot learner: do what was done in the most similar moment of the demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opengato.agent.codec import Codec, Timesteps
from opengato.agent.episode import Episode
from opengato.agent.spec import Spec
from opengato.agent.text import Vocabulary

CELLS = 12  # a picture is compared as so many by so many grey cells
FLAT = 1e-3  # a number that varies less than this says nothing


class NearestAgent:
    """Looks up demonstrations; has an agent's `policy`.

    Numbers are measured in their standard deviations over the demonstrations, pictures as coarse grey copies; numbers
    and each picture weigh the same. Texts must be the same where any demonstration has the same.

    Args:
        spec: of the body.
        episodes: demonstrations.
        vocabulary: for texts.
    """

    def __init__(self, spec: Spec, episodes: Sequence[Episode], vocabulary: Vocabulary) -> None:
        self.codec = Codec(spec, vocabulary)
        steps = [self.codec.observations(episode.observations) for episode in episodes]
        self.actions = [action for episode in episodes for action in episode.actions]
        values = np.concatenate([each.values for each in steps])
        self._mean, spread = values.mean(0), values.std(0)
        self._scale = np.where(spread > FLAT, spread, np.inf)
        coarse = {path: np.concatenate([_coarse(each.images[path]) for each in steps]) for path in steps[0].images}
        self._grey = {path: (cells.mean(0), max(float(cells.std()), FLAT)) for path, cells in coarse.items()}
        self._texts = [key for each in steps for key in _words(each)]
        self._known = np.concatenate([self._key(each) for each in steps])
        self.card: dict[str, Any] = {"name": "nearest"}

    def policy(self, spec: Spec, prompt: Any = None, *, batch_size: int = 1, seed: int = 0) -> NearestPolicy:
        """As an agent's: acts in a batch of environments. Prompt and seed change nothing."""
        return NearestPolicy(self)

    def act(self, observations: Sequence[Any]) -> list[Any]:
        """The action of the nearest moment for each observation."""
        steps = self.codec.observations(observations)
        keys, texts = self._key(steps), _words(steps)
        found = []
        for key, words in zip(keys, texts, strict=True):
            far = ((self._known - key) ** 2).sum(1)
            same = np.asarray([each == words for each in self._texts])
            found.append(self.actions[int(np.where(same | ~same.any(), far, np.inf).argmin())])
        return found

    def _key(self, steps: Timesteps) -> np.ndarray:
        """float32 [T, features]."""
        numbers = (steps.values - self._mean) / self._scale
        parts = [numbers / max(1, numbers.shape[1]) ** 0.5]
        for path, (mean, spread) in self._grey.items():
            cells = (_coarse(steps.images[path]) - mean) / spread
            parts.append(cells / cells.shape[1] ** 0.5)
        return np.concatenate(parts, 1).astype(np.float32)


class NearestPolicy:
    """A `Policy` over a `NearestAgent`."""

    def __init__(self, agent: NearestAgent) -> None:
        self.agent = agent

    def reset(self, rows: list[int] | None = None) -> None:
        """It remembers nothing."""

    def act(self, observations: list[Any]) -> list[Any]:
        """One action per observation; None in, None out."""
        there = [row for row, each in enumerate(observations) if each is not None]
        actions: list[Any] = [None] * len(observations)
        if there:
            for row, action in zip(there, self.agent.act([observations[row] for row in there]), strict=True):
                actions[row] = action
        return actions


def _coarse(images_THWC: np.ndarray) -> np.ndarray:
    """Grey cells, float32 [T, CELLS²], by taking the mean of each cell's pixels."""
    grey = images_THWC.astype(np.float32).mean(-1)
    for axis in (1, 2):
        size = grey.shape[axis]
        edges = np.unique(np.linspace(0, size, min(CELLS, size) + 1).astype(int))
        counts = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(3)])
        grey = np.add.reduceat(grey, edges[:-1], axis=axis) / counts
    return grey.reshape(len(grey), -1)


def _words(steps: Timesteps) -> list[tuple[Any, ...]]:
    """Per timestep its texts, as token ids."""
    return [tuple(tuple(steps.texts[path][t]) for path in steps.texts) for t in range(len(steps))]
