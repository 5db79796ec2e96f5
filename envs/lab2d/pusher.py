"""The demonstrator of `pushbox`: that of our own Sokoban, for the rules are the same."""

from __future__ import annotations

import numpy as np

from opengato.envs.sokoban.board import DOWN, LEFT, RIGHT, UP, Position, Room
from opengato.envs.sokoban.expert import Expert

from .layers import NOTHING, kinds

WALL, BOX, PLAYER = 1, 2, 3  # kinds of things


class Pusher(Expert):
    """Reads room and position off the layers of a `Lab2D` of `pushbox`; see `Expert`."""

    actions = {UP: 1, RIGHT: 2, DOWN: 3, LEFT: 4}

    def _find_room(self) -> Room:
        pieces, marks = self._look()
        floor, goals = (frozenset(np.flatnonzero(where).tolist()) for where in (pieces != WALL, marks != NOTHING))
        return Room(floor, goals, self._position())

    def _position(self) -> Position:
        pieces = self._look()[0]
        return Position(int(np.flatnonzero(pieces == PLAYER)[0]), frozenset(np.flatnonzero(pieces == BOX).tolist()))

    def _look(self) -> tuple[np.ndarray, np.ndarray]:
        """What stands on the cells, and which of them are goals: kinds, int64 [100] each."""
        layers = kinds(self._env.layers())
        return layers[..., 0].ravel(), layers[..., 1].ravel()
