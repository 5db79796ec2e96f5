"""Detours: the body follows another goal for a while, and what was wanted is recorded.

Where two tasks differ in nothing but their goal, a demonstration shows the goal in a few steps only: once the hand is
on its way to the green object, its place says where it goes on to. An agent may learn to go on, and choose a goal by
itself. On a detour the body is on its way to the wrong goal, and only the prompt says which is right.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from opengato.errors import OpengatoError

STEPS = 5, 25  # of one detour


@runtime_checkable
class Astray(Protocol):
    """A demonstrator that knows other goals of its body."""

    def astray(self, rng: np.random.Generator) -> Any:
        """One that acts toward another goal in the environment at hand, drawn at random; it has `act(observation)`."""


def chance_to_begin(share: float, mean: float) -> float:
    """Per step outside a stretch, so that this share of all steps lies in stretches of so many steps in the mean."""
    return share / (mean * (1 - share) + share)


class Detours:
    """Decides step by step whose action the body executes; make one per episode.

    Args:
        demonstrator: the episode's, an `Astray`.
        share: of the steps that lie on detours, 0 to less than 1.
        rng: source of randomness.

    Raises:
        OpengatoError: the demonstrator knows no other goal.
    """

    def __init__(self, demonstrator: Any, share: float, rng: np.random.Generator) -> None:
        if not isinstance(demonstrator, Astray):
            raise OpengatoError(
                f"detours={share}: {type(demonstrator).__name__} knows no other goal of its body. "
                "Next: detours=0, or give it a method astray(rng) that returns a demonstrator of one."
            )
        self._demonstrator, self._rng = demonstrator, rng
        self._begin = chance_to_begin(share, sum(STEPS) / 2)
        self._left, self._other = 0, None

    def __call__(self, observation: Any, action: Any) -> Any:
        """What is wanted at this step: the action given, or another goal's."""
        if self._left == 0 and self._rng.random() < self._begin:
            self._left = int(self._rng.integers(STEPS[0], STEPS[1] + 1))
            self._other = self._demonstrator.astray(self._rng)
        if self._left == 0:
            return action
        self._left -= 1
        assert self._other is not None
        return self._other.act(observation)
