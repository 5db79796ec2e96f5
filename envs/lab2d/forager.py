"""Demonstrators that walk over a whole map which they know: who harvests apples, and who cleans a river before that."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Any

import numpy as np

Cell = tuple[int, int]
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # north, east, south, west; rows and columns
BEAMS = "BD"  # a beam, and the mark where the player looks
STAY = 1  # among the values of `turn`
RADIUS = 3  # within which apples help others grow, in steps
ENOUGH = 2  # apples within it, with which others grow fastest
NEAR = 4  # steps to where a beam may be fired from next
BEAM_LENGTH, BEAM_REST = 5, 3  # cells, and steps from one beam to the next


class Forager:
    """Knows where everything is, and walks looking ahead."""

    def reset(self, env: Any) -> None:
        """Look at a `Lab2D` whose player steps and turns, wrapped or not."""
        self._env = env.unwrapped
        self.facing = 0
        self._under: list[str] = []

    def look(self) -> None:
        """Read the map: `rows` as text, where the player is, and which way he looks."""
        self.rows = rows = self._env.text()
        column, row = self._env.lab.observation("1.POSITION")
        self.place: Cell = (int(row), int(column))
        seen = [way for way in range(4) if self.at(self.beside(self.place, way)) == "D"]
        if seen:
            self.facing = seen[0]
        elif self._env.history:  # he looks at a wall
            self.facing = (self.facing + int(self._env.history[-1][1]) - STAY) % 4
        # What a beam hides is as it was.
        before = self._under or rows
        pairs = zip(rows, before, strict=True)
        self._under = ["".join(o if n in BEAMS else n for n, o in zip(*pair, strict=True)) for pair in pairs]

    def at(self, cell: Cell) -> str:
        """What is drawn there."""
        return self.rows[cell[0]][cell[1]]

    def inside(self, cell: Cell) -> bool:
        """Whether it is no wall; the walls are the map's rim."""
        return 0 < cell[0] < len(self.rows) - 1 and 0 < cell[1] < len(self.rows[0]) - 1

    def cells(self, mark: str) -> set[Cell]:
        """Where a character is drawn, or was before something was drawn over it."""
        return {(r, c) for r, row in enumerate(self._under) for c, each in enumerate(row) if each == mark}

    @staticmethod
    def beside(cell: Cell, way: int) -> Cell:
        """The next cell that way."""
        return cell[0] + STEPS[way][0], cell[1] + STEPS[way][1]

    def way_to(self, goals: Set[Cell], avoid: Collection[Cell] = ()) -> tuple[int, Cell] | None:
        """The first step of the shortest way to the nearest of some cells, and that cell; None where none leads.

        Of ways as short as each other the one straight ahead is taken.
        """
        order = sorted(range(4), key=lambda way: (way - self.facing) % 4 != 0)
        waiting: list[tuple[Cell, int]] = [(self.place, -1)]
        found = {self.place}
        for cell, first in waiting:
            if cell in goals and first >= 0:
                return first, cell
            for way in order:
                after = self.beside(cell, way)
                if after not in found and self.inside(after) and (after not in avoid or after in goals):
                    found.add(after)
                    waiting.append((after, way if first < 0 else first))
        return None

    def walk(self, way: int | None, *beam: int) -> np.ndarray:
        """The action that steps that way and looks there; None stays."""
        if way is None:
            return np.array([0, STAY, *beam], np.int64)
        off = (way - self.facing) % 4
        if off == 2:  # half way round, and sideways
            return np.array([2, STAY + 1, *beam], np.int64)
        return np.array([1, STAY + (off == 1) - (off == 3), *beam], np.int64)


class Harvester(Forager):
    """Eats the nearest apple that has enough others near it, so that it grows again; towards the end, all."""

    def act(self, observation: Any) -> np.ndarray:
        """Where to step and to turn."""
        self.look()
        apples = self.cells("A")
        left = self._env.max_steps - self._env.num_steps
        spare = {apple for apple in apples if left < 1.5 * len(apples) or self._near(apple, apples) > ENOUGH}
        found = self.way_to(spare, apples - spare)
        return self.walk(found[0] if found else None)

    def _near(self, cell: Cell, apples: Set[Cell]) -> int:
        """Apples within `RADIUS`, itself included."""
        return sum(abs(cell[0] - row) + abs(cell[1] - column) <= RADIUS for row, column in apples)


class Cleaner(Forager):
    """Cleans the river until apples have grown almost everywhere, and then harvests them; then anew.

    Args:
        ripe: apples with which harvesting begins; there is room for 122.
        last: apples that are left when cleaning begins anew.
    """

    def __init__(self, ripe: int = 90, last: int = 15) -> None:
        self.ripe, self.last = ripe, last

    def reset(self, env: Any) -> None:
        super().reset(env)
        self._cleans, self._fired = True, -BEAM_REST

    def act(self, observation: Any) -> np.ndarray:
        """Where to step, to turn, and whether to fire the cleaning beam."""
        self.look()
        mud, apples = self.cells("M"), self.cells("A")
        if len(apples) >= self.ripe:
            self._cleans = False
        elif len(apples) < self.last:
            self._cleans = True
        if not self._cleans:
            found = self.way_to(apples)
            return self.walk(found[0] if found else None, 0)
        return self._clean(mud)

    def _clean(self, mud: Set[Cell]) -> np.ndarray:
        """Go where the beam will soon clean most, and fire it."""
        rest = max(self._fired + BEAM_REST - self._env.num_steps, 0)
        best, first, facing = 0.0, -1, self.facing
        for cell, (steps, way) in self._around().items():
            for look in range(4):
                # Who walks looks ahead, and turning by a quarter takes a step of its own.
                turns = (1, 2)[(look - (way if steps else self.facing)) % 4 == 2]
                turns *= (look - (way if steps else self.facing)) % 4 != 0
                worth = self._hits(cell, look, mud) / (max(rest, steps + turns) + 1)
                if worth > best + 1e-9:
                    best, first, facing = worth, way if steps else -1, look
        if not best:
            found = self.way_to(mud)
            return self.walk(found[0] if found else None, 0)
        if first >= 0:
            return self.walk(first, 0)
        off = (facing - self.facing) % 4
        if off:
            return np.array([0, STAY + (off in (1, 2)) - (off == 3), 0], np.int64)
        if not rest:
            self._fired = self._env.num_steps
        return self.walk(None, int(not rest))

    def _around(self) -> dict[Cell, tuple[int, int]]:
        """Cells near by: steps to each, and the way that the first of them goes."""
        found, waiting = {self.place: (0, -1)}, [self.place]
        for cell in waiting:
            steps, first = found[cell]
            for way in range(4):
                after = self.beside(cell, way)
                if steps < NEAR and after not in found and self.inside(after):
                    found[after] = (steps + 1, first if steps else way)
                    waiting.append(after)
        return found

    def _hits(self, cell: Cell, way: int, mud: Set[Cell]) -> int:
        """Cells of mud that a beam from a cell cleans: in three lanes the first one each."""
        (down, right), hits = STEPS[way], 0
        for lane in (-1, 0, 1):
            for far in range(BEAM_LENGTH) if lane else range(1, BEAM_LENGTH + 1):
                if (cell[0] + down * far + right * lane, cell[1] + right * far + down * lane) in mud:
                    hits += 1
                    break
        return hits
