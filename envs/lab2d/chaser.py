"""The demonstrator of `chase_eat`: looks some steps ahead with the rule by which the foes choose their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .layers import facings, kinds

WALL, PILL, FOOD, FOE, PREY = range(5)  # kinds of things
NORTH, EAST, SOUTH, WEST = range(4)
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # rows and columns
POINTS = {FOOD: 1.0, PILL: 2.0, PREY: 5.0}
DEATH = 50.0  # what is paid for it, in points
DURATION, MARGIN = 20, 3  # steps that a pill lasts, and of the last of which nothing is hoped
HUNGER = 0.05  # points a step of the way to the next food, at the end of what is looked at

Cell = tuple[int, int]
Foe = tuple[Cell, int]  # where it is, which way it faces


@dataclass(frozen=True)
class Future:
    """What may have come of some steps.

    Args:
        worth: discounted points.
        first: the first step, 0 to 3.
        cell: where the player is.
        foes: where they are then.
        eaten: cells whose food or prey is gone.
        power: whether a pill was taken on the way.
    """

    worth: float
    first: int
    cell: Cell
    foes: tuple[Foe, ...]
    eaten: frozenset[Cell]
    power: bool


class Chaser:
    """Takes the step with the best future: points, and no foe that could be where the player is.

    Foes go where they come nearer to the player, never back unless they must. They are told apart from what they leave
    to chance by staying two cells away from them.

    Args:
        depth: steps that are looked ahead.
        width: futures that are gone on with at each of them.
        discount: of points, per step.
    """

    def __init__(self, depth: int = 8, width: int = 24, discount: float = 0.97) -> None:
        self.depth, self.width, self.discount = depth, width, discount

    def reset(self, env: Any) -> None:
        """Look at a `Lab2D` of `chase_eat`, wrapped or not."""
        self._env = env.unwrapped
        self._pills: set[Cell] = set()
        self._until = 0

    def act(self, observation: Any) -> np.int64:
        """The first step of the best future."""
        layers = self._env.layers()
        found, faces = kinds(layers), facings(layers)
        self._floor = {(int(row), int(column)) for row, column in np.argwhere(found[..., 1] != WALL)}
        pills = {(int(row), int(column)) for row, column in np.argwhere(found[..., 0] == PILL)}
        if len(pills) < len(self._pills):
            self._until = self._env.num_steps + DURATION
        self._pills = pills
        edible = self._until - self._env.num_steps > MARGIN
        self._worth = {
            (int(row), int(column)): POINTS[kind]
            for layer, kind in ((0, PILL), (0, FOOD), *(((2, PREY),) if edible else ()))
            for row, column in np.argwhere(found[..., layer] == kind)
        }
        dangerous = (found[..., 2] == FOE) | ((found[..., 2] == PREY) & (not edible))
        foes = tuple(((int(row), int(column)), int(faces[row, column, 2])) for row, column in np.argwhere(dangerous))
        row, column = np.argwhere(found[..., 1] > FOE)[0]
        return np.int64(1 + self._best((int(row), int(column)), foes))

    def _best(self, cell: Cell, foes: tuple[Foe, ...]) -> int:
        futures = [Future(0.0, -1, cell, foes, frozenset(), False)]
        for step in range(self.depth):
            later: dict[tuple[Cell, tuple[Foe, ...], int], Future] = {}
            for future in futures:
                for way in range(4):
                    new = self._after(future, way, self.discount**step)
                    if new is not None:
                        key = (new.cell, new.foes, len(new.eaten))
                        if key not in later or new.worth > later[key].worth:
                            later[key] = new
            futures = sorted(later.values(), key=lambda each: -each.worth)[: self.width]
        ways = {future.eaten: self._hunger(future.eaten) for future in futures}
        best = max(futures, key=lambda each: each.worth - HUNGER * ways[each.eaten].get(each.cell, 0))
        return best.first

    def _after(self, future: Future, way: int, weight: float) -> Future | None:
        """What comes of one more step; None for walking against a wall."""
        cell = (future.cell[0] + STEPS[way][0], future.cell[1] + STEPS[way][1])
        if cell not in self._floor:
            return None
        worth, eaten, power = future.worth, future.eaten, future.power
        pill = cell in self._pills and cell not in eaten
        if not power:
            nearest = min((_apart(cell, foe) for foe, _ in future.foes), default=9)
            if nearest <= (2 if pill else 1):  # a foe moves once more before a pill changes it
                worth -= weight * DEATH / (1 + (nearest > 0))
        if cell in self._worth and cell not in eaten:
            worth, eaten = worth + weight * self._worth[cell], eaten | {cell}
            if pill and not power:
                power = True
                worth += weight * sum(POINTS[PREY] / (2 + _apart(cell, foe)) for foe, _ in future.foes)
        foes = future.foes if power else tuple(self._moved(foe, cell) for foe in future.foes)
        first = way if future.first < 0 else future.first
        return Future(worth, first, cell, foes, eaten, power)

    def _moved(self, foe: Foe, player: Cell) -> Foe:
        """Where a foe goes that sees the player there."""
        (row, column), facing = foe
        down, right = player[0] - row, player[1] - column
        upright = (SOUTH, NORTH) if down > 0 else (NORTH, SOUTH)
        across = (EAST, WEST) if right > 0 else (WEST, EAST)
        first, second = (upright, across) if abs(down) >= abs(right) else (across, upright)
        back = (facing + 2) % 4
        for way in (first[0], second[0], second[1], first[1]):
            cell = (row + STEPS[way][0], column + STEPS[way][1])
            if cell in self._floor and way != back:
                return cell, way
        return (row + STEPS[back][0], column + STEPS[back][1]), back

    def _hunger(self, eaten: frozenset[Cell]) -> dict[Cell, int]:
        """Steps from every cell to the next thing worth having."""
        waiting = [cell for cell in self._worth if cell not in eaten]
        found = dict.fromkeys(waiting, 0)
        for cell in waiting:
            for step in STEPS:
                beside = (cell[0] + step[0], cell[1] + step[1])
                if beside in self._floor and beside not in found:
                    found[beside] = found[cell] + 1
                    waiting.append(beside)
        return found


def _apart(one: Cell, other: Cell) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])
