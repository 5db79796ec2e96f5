"""The demonstrator: solves the room on what it knows of it, and walks the solution."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from .board import DIRECTIONS, Position, Room
from .solver import Solver


class Expert:
    """Follows the solver's way through a `Sokoban`; looks for a new one where another action than its own was taken.

    In a room that is spoilt it walks up and down: nothing is left to show there.

    Args:
        greed: of the solver.
        budget: positions that the solver looks at for one decision; most steps need none.
    """

    actions = {direction: index for index, direction in enumerate(DIRECTIONS)}  # of the environment

    def __init__(self, greed: float = 2.0, budget: int = 20_000) -> None:
        self.greed, self.budget = greed, budget

    def reset(self, env: Any) -> None:
        """Look at the environment, wrapped or not, at the start of an episode."""
        self._env = env.unwrapped
        self._room = self._find_room()
        self._solver = Solver(self._room, self.greed, self.budget)
        self._way: deque[int] = deque()
        self._asked: Position | None = None
        self._expected: Position | None = None
        self._hopeless: frozenset[int] | None = None  # boxes from which no way was found

    def act(self, observation: Any) -> np.int64:
        """The next action; asked twice about one position, the answer is the same."""
        now = self._position()
        if now != self._asked:
            self._proceed(now)
        return np.int64(self.actions[self._way[0] if self._way else DIRECTIONS[self._env.num_steps % 2]])

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
        self._expected = self._room.move(now, self._way[0]) if self._way else None

    def _find_room(self) -> Room:
        """The room of this episode."""
        room: Room = self._env.room
        return room

    def _position(self) -> Position:
        """Where the player and the boxes are now."""
        position: Position = self._env.position
        return position
