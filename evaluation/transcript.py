"""Turns of text: what the agent was shown, what it said, what would have been right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Where text environments put the right answer in `info`; the first one present counts.
TRUTH_KEYS = ("truth", "target", "expected", "reference")


@dataclass(frozen=True)
class Turn:
    """One exchange.

    Args:
        asked: the text in the observation, "" if there was none.
        said: the agent's action.
        expected: the right answer if the environment tells, "" if not.
        reward: share of what was right, usually 0 … 1.
        right: whether all of it was.
        references: all right answers, where there are several.
    """

    asked: str
    said: str
    expected: str
    reward: float
    right: bool
    references: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; references only where there are several."""
        return {name: value for name, value in asdict(self).items() if name != "references" or value}


def make_turn(observation: Any, action: Any, reward: float, info: Mapping[str, Any]) -> Turn | None:
    """A turn out of one environment step; None if the action holds no text.

    Args:
        observation: what the agent saw before it spoke.
        action: what it said, alone or inside a Dict or Tuple.
        reward: what that earned.
        info: the step's info; the right answer is looked for under `TRUTH_KEYS`.
    """
    said = next(texts(action), None)
    if said is None:
        return None
    expected = next((info[key] for key in TRUTH_KEYS if isinstance(info.get(key), str)), "")
    right = bool(info.get("correct", reward >= 0.999))
    asked = " ".join(texts(observation)).strip()
    return Turn(asked, said, expected, reward, right, tuple(info.get("references", ())))


def first_picture(observation: Any) -> np.ndarray | None:
    """The first picture (uint8 [H, W, 1 or 3]) in a nested observation, None if there is none."""
    if isinstance(observation, np.ndarray):
        return observation if observation.dtype == np.uint8 and observation.ndim == 3 else None
    if isinstance(observation, Mapping):
        observation = tuple(observation.values())
    if isinstance(observation, tuple | list):
        return next((found for entry in observation if (found := first_picture(entry)) is not None), None)
    return None


def texts(observation: Any) -> Iterator[str]:
    """Every string in a nested observation, in order."""
    if isinstance(observation, str):
        yield observation
    elif isinstance(observation, Mapping):
        for value in observation.values():
            yield from texts(value)
    elif isinstance(observation, tuple | list):
        for value in observation:
            yield from texts(value)
