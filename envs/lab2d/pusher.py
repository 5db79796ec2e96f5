"""The demonstrator of `pushbox`: the solver of our own Sokoban, for the rules are the same."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from opengato.envs.sokoban.board import DIRECTIONS, DOWN, LEFT, RIGHT, UP, Position, Room
from opengato.envs.sokoban.solver import Solver

from .layers import NOTHING, kinds

WALL, BOX, PLAYER = 1, 2, 3  # kinds of things
ACTIONS = {UP: 1, RIGHT: 2, DOWN: 3, LEFT: 4}


class Pusher:
    """Follows the solver's way, and looks for a new one where another action than its own was taken.

    In a room that is spoilt it walks up and down: nothing is left to show there.

    Args:
        greed: of the solver.
        budget: positions that the solver looks at for one decision; most steps need none.
    """

    def __init__(self, greed: float = 2.0, budget: int = 20_000) -> None:
        self.greed, self.budget = greed, budget

    def reset(self, env: Any) -> None:
        """Look at a `Lab2D` of `pushbox`, wrapped or not, at the start of an episode."""
        self._env = env.unwrapped
        pieces, marks = self._look()
        floor, goals = (frozenset(np.flatnonzero(where).tolist()) for where in (pieces != WALL, marks != NOTHING))
        self._room = Room(floor, goals, self._position(pieces))
        self._solver = Solver(self._room, self.greed, self.budget)
        self._way: deque[int] = deque()
        self._asked: Position | None = None
        self._expected: Position | None = None
        self._hopeless: frozenset[int] | None = None  # boxes from which no way was found

    def act(self, observation: Any) -> np.int64:
        """The next action; asked twice about one position, the answer is the same."""
        now = self._position(self._look()[0])
        if now != self._asked:
            self._proceed(now)
        return np.int64(ACTIONS[self._way[0] if self._way else DIRECTIONS[self._env.num_steps % 2]])

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

    def _look(self) -> tuple[np.ndarray, np.ndarray]:
        """What stands on the cells, and which of them are goals: kinds, int64 [100] each."""
        layers = kinds(self._env.layers())
        return layers[..., 0].ravel(), layers[..., 1].ravel()

    def _position(self, pieces: np.ndarray) -> Position:
        """Where the player and the boxes are."""
        return Position(int(np.flatnonzero(pieces == PLAYER)[0]), frozenset(np.flatnonzero(pieces == BOX).tolist()))
