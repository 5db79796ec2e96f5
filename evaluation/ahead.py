"""A policy that says several actions at once, beside a body that doesn't wait for it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from opengato.envs.ahead import look_every

PATIENCE = 0.5  # share of a period that a new look may take before the last one's actions go on


class AheadPolicy:
    """Acts at every reading from the newest look that is thought through, while the next is thought about.

    A look at reading r gives actions for r to r + ahead - 1. The next is due `look_every(ahead)` readings later, so
    thinking may take half of `ahead` periods. On a fast machine it acts as in simulation: from every look the first
    half.

    Args:
        policy: says [ahead, n] actions.
        ahead: how many.
        rate_hz: of readings.
    """

    def __init__(self, policy: Any, ahead: int, rate_hz: float) -> None:
        self.policy, self.ahead, self.look = policy, ahead, look_every(ahead)
        self._patience = PATIENCE / rate_hz
        self._thinker = ThreadPoolExecutor(1, thread_name_prefix="opengato-policy")
        self._thought: Future[Any] | None = None
        self.reset()

    def reset(self) -> None:
        """A new episode."""
        if self._thought is not None:
            self._thought.result()
        self._thought, self._asked = None, -np.inf
        self._actions: np.ndarray | None = None
        self._from = 0
        self.policy.reset()

    def act(self, observation: Any, number: int) -> np.ndarray | None:
        """The action of a reading.

        Args:
            observation: what was read.
            number: the reading's; they count up by one, and some may be missing.

        Returns:
            The action; None where the last look's are used up and the next is not thought through yet.
        """
        self._take(0.0)
        if self._thought is None and number - self._asked >= self.look:
            self._thought, self._asked = self._thinker.submit(self.policy.act, observation), number
            self._take(None if self._actions is None else self._patience)
        step = number - self._from
        if self._actions is None or step >= len(self._actions):
            return None
        return np.asarray(self._actions[step])

    def _take(self, wait_s: float | None) -> None:
        """Go over to the look that was thought about, if that ends in time."""
        if self._thought is None:
            return
        try:
            actions = self._thought.result(wait_s)
        except TimeoutError:
            return
        self._actions, self._from, self._thought = np.asarray(actions), int(self._asked), None
