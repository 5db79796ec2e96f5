"""A way through the point mazes: shortest path over the map's cells, then steering along it.

The map is the environment's; where the ball and the goal are, the observation says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

WALL = 1
# Of the action per metre off and per metre a second: the ball is at its fastest after some three steps.
PULL, BRAKE = 6.0, 1.1

Cell = tuple[int, int]


class MazePlanner:
    """Rolls the ball to the goal and keeps it there."""

    def reset(self, env: Any) -> None:
        self._maze = env.unwrapped.origin.maze
        self._distance: dict[Cell, int] = {}
        self._goal: Cell | None = None

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 [2] in [-1, 1]."""
        state, goal = observation["state"].astype(np.float64), observation["desired_goal"].astype(np.float64)
        place, speed = state[:2], state[2:]
        target = self._target(place, goal)
        return np.clip(PULL * (target - place) - BRAKE * speed, -1.0, 1.0).astype(np.float32)

    def _target(self, place: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Where to roll now, metres: the next cell's middle, in the goal's own cell the goal."""
        end = self._cell(goal)
        if end != self._goal:
            self._goal, self._distance = end, self._distances(end)
        here = self._cell(place)
        if here == end:
            return goal
        ways = [cell for cell in _beside(here) if cell in self._distance]
        after = min(ways, key=self._distance.__getitem__)
        middle = self._maze.cell_rowcol_to_xy(np.array(after))
        own = self._maze.cell_rowcol_to_xy(np.array(here))
        across = np.abs(place - own) * (middle == own)  # how far off the line between the two middles
        if across.max() > 0.3 * self._maze.maze_size_scaling:
            return np.where(middle == own, own, place)  # back to the line first, or the wall's corner is in the way
        return goal if after == end and self._straight(place, goal) else middle

    def _straight(self, place: np.ndarray, goal: np.ndarray) -> bool:
        """Whether all cells that a straight line passes are free."""
        return all(self._cell(place + share * (goal - place)) in self._distance for share in np.linspace(0.0, 1.0, 12))

    def _cell(self, place: np.ndarray) -> Cell:
        row, column = self._maze.cell_xy_to_rowcol(place)
        return int(row), int(column)

    def _distances(self, end: Cell) -> dict[Cell, int]:
        """Steps to `end` from every cell from which it can be reached."""
        layout = self._maze.maze_map
        found, waiting = {end: 0}, deque([end])
        while waiting:
            cell = waiting.popleft()
            for row, column in _beside(cell):
                if (row, column) not in found and layout[row][column] != WALL:
                    found[row, column] = found[cell] + 1
                    waiting.append((row, column))
        return found


def _beside(cell: Cell) -> tuple[Cell, ...]:
    row, column = cell
    return (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)
