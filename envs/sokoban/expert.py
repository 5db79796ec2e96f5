"""The demonstrator: solves the room on what it knows of it, and walks the solution."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from .board import DIRECTIONS, Position
from .solver import Solver


class Expert:
    """Follows the solver's way, and looks for a new one where another action than its own was taken.

    In a room that is spoilt it walks up and down: nothing is left to show there.

    Args:
        greed: of the solver.
        budget: positions that the solver looks at for one decision; most steps need none.
    """

    def __init__(self, greed: float = 2.0, budget: int = 20_000) -> None:
        self.greed, self.budget = greed, budget

    def reset(self, env: Any) -> None:
        """Look at a `Sokoban`, wrapped or not."""
        self._env = env.unwrapped
        self._solver = Solver(self._env.room, self.greed, self.budget)
        self._way: deque[int] = deque()
        self._asked: Position | None = None
        self._expected: Position | None = None
        self._hopeless: frozenset[int] | None = None  # boxes from which no way was found

    def act(self, observation: Any) -> np.int64:
        """The next action; asked twice about one position, the answer is the same."""
        now: Position = self._env.position
        if now != self._asked:
            self._proceed(now)
        if not self._way:
            return np.int64(self._env.num_steps % 2)
        return np.int64(DIRECTIONS.index(self._way[0]))

    def _proceed(self, now: Position) -> None:
        """Have the way begin at a position, if there is one."""
        if self._way and now == self._expected:
            self._way.popleft()
        else:
            self._way.clear()
        if not self._way and now.boxes != self._hopeless:
            self._way.extend(self._solver.solve(now) or ())
            self._hopeless = None if self._way else now.boxes
        self._asked = now
        self._expected = self._env.room.move(now, self._way[0]) if self._way else None
