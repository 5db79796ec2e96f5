"""Scripts that walk: a map of where a marine fits, the way to the nearest thing worth having, and feet that follow it.

The map is made from the lines of ViZDoom's sectors; whoever reads it knows the rooms by heart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from opengato.envs.doom.script import DEEPEST, Script, Thing, first_turn, wrap

CELL = 16.0  # map units
RADIUS = 17.0  # of a marine, and a bit
CLOSE = 40.0  # nearer to a wall than this is a detour of its own
STRAIGHT, SHARP = 5.0, 50.0  # degrees off: below, walk on; above, turn on the spot
REPLAN, ARRIVED = 4, 24.0  # a way is thought out anew after so many steps, or so near to the place that was aimed at
NEIGHBOURS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 2**0.5), (1, -1, 2**0.5))


class FloorPlan:
    """Where a marine fits, on a grid.

    Args:
        walls: of lines that block, x and y of both ends, map units, float64 [n, 4].
    """

    def __init__(self, walls: np.ndarray) -> None:
        low = walls.reshape(-1, 2).min(axis=0)
        high = walls.reshape(-1, 2).max(axis=0)
        self.low = low
        self.shape = tuple(np.ceil((high - low) / CELL).astype(int))
        rows, columns = np.indices(self.shape)
        self.centres = low + CELL * (np.stack([rows.ravel(), columns.ravel()], axis=1) + 0.5)
        self.room = np.full(len(self.centres), np.inf)  # to the nearest wall
        for wall in walls:
            start, along = wall[:2], wall[2:] - wall[:2]
            share = np.clip((self.centres - start) @ along / max(along @ along, 1e-9), 0.0, 1.0)
            self.room = np.minimum(self.room, np.hypot(*(self.centres - start - share[:, None] * along).T))
        self.free = self.room > RADIUS
        self._edges()

    def _edges(self) -> None:
        """Pairs of neighbouring free cells, and the way between them."""
        index = np.arange(len(self.centres)).reshape(self.shape)
        ends: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        width, height = self.shape
        for right, up, way in NEIGHBOURS:
            first = index[: width - right, max(0, -up) : height - max(0, up)].ravel()
            second = index[right:, max(0, up) : height + min(0, up)].ravel()
            both = self.free[first] & self.free[second]
            ends.append((first[both], second[both], np.full(int(both.sum()), way * CELL)))
        self.first, self.second, self.ways = (np.concatenate(part) for part in zip(*ends, strict=True))

    def cell(self, place: np.ndarray) -> int:
        """The free cell nearest to a place."""
        row, column = np.clip(((place - self.low) / CELL).astype(int), 0, np.array(self.shape) - 1)
        here = int(row * self.shape[1] + column)
        if self.free[here]:
            return here
        apart = np.abs(self.centres - place).sum(axis=1)
        return int(np.where(self.free, apart, np.inf).argmin())

    def spread(
        self, start: np.ndarray, avoid: Sequence[np.ndarray] = (), reach: float = 48.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The shortest ways from a place to all cells.

        Args:
            start: where from.
            avoid: places that are walked around where that can be done.
            reach: how far around, map units.

        Returns:
            The length of the way to each cell, inf where none leads, and the cell before it on that way.
        """
        price = 1.0 + 2.0 * (self.room < CLOSE)
        for place in avoid:
            price = price + 20.0 * (np.hypot(*(self.centres - place).T) < reach)
        cost = self.ways * (price[self.first] + price[self.second]) / 2
        size = len(self.centres)
        graph = sparse.csr_matrix((cost, (self.first, self.second)), shape=(size, size))
        lengths, before = csgraph.dijkstra(
            graph, directed=False, indices=self.cell(start), return_predecessors=True, min_only=False
        )
        return lengths, before

    def clear(self, start: np.ndarray, end: np.ndarray, avoid: Sequence[np.ndarray] = (), reach: float = 48.0) -> bool:
        """Whether a straight way between two places has room, and is `reach` away from places to avoid."""
        points = np.linspace(start, end, 2 + int(np.hypot(*(end - start)) / (CELL / 2)))
        cells = ((points - self.low) / CELL).astype(int)
        if (cells < 0).any() or (cells >= self.shape).any():
            return False
        free = self.free.reshape(self.shape)[cells[:, 0], cells[:, 1]]
        # The first stretch does not count: a marine who has slid to a wall must get away from it.
        near = np.hypot(*(points - start).T) < 1.5 * CELL
        away = all(np.hypot(*(points - place).T).min() > reach for place in avoid)
        return bool((free | near).all()) and away


class Walker(Script):
    """Walks to the nearest of the things that `wanted` names, around those that `shunned` names."""

    wanted: frozenset[str] = frozenset({"GreenArmor"})
    shunned: frozenset[str] = frozenset()
    ahead = 240.0  # map units of the way that is walked in a straight line, where there is room
    reach = 48.0  # map units that are left around what is shunned
    _plans: dict[str, FloorPlan] = {}

    def reset(self, env: Any) -> None:
        super().reset(env)
        if self.env.scenario not in self._plans:
            lines = [line for sector in self.env.game.get_state().sectors for line in sector.lines]
            walls = [(line.x1, line.y1, line.x2, line.y2) for line in lines if line.is_blocking]
            self._plans[self.env.scenario] = FloorPlan(np.unique(np.array(walls, float), axis=0))
        self.plan = self._plans[self.env.scenario]
        self._goal, self._aim, self._since = -1, np.zeros(2), 0

    def act(self, observation: Mapping[str, Any]) -> int:
        things = self.things()
        goals = [thing for thing in things if thing.name in self.wanted]
        avoid = [thing.place for thing in things if thing.name in self.shunned]
        if not goals:
            return self.press()
        self._since += 1
        arrived = np.hypot(*(self._aim - self.place)) < ARRIVED
        if arrived or self._since >= REPLAN or self._goal not in {goal.id for goal in goals}:
            self._aim, self._since = self._next(goals, avoid), 0
        along = self._aim - self.place
        error = float(wrap(np.degrees(np.arctan2(along[1], along[0])) - self.angle))
        # At the end of the way the thing is as wide as it is near.
        slack = max(STRAIGHT, float(np.degrees(np.arctan2(12.0, np.hypot(*along)))))
        way = first_turn(self.held(), np.full(DEEPEST + 1, error), np.full(DEEPEST + 1, slack))
        turn = {1: ("TURN_LEFT",), -1: ("TURN_RIGHT",)}.get(way or 0, ())
        return self.press(*turn, *(() if abs(error) > SHARP else ("MOVE_FORWARD",)))

    def _next(self, goals: Sequence[Thing], avoid: Sequence[np.ndarray]) -> np.ndarray:
        """The farthest place on the way to the nearest goal to which a straight line leads."""
        lengths, before = self.plan.spread(self.place, avoid, self.reach)
        cells = [self.plan.cell(goal.place) for goal in goals]
        near = int(np.argmin([lengths[cell] for cell in cells]))
        self._goal = goals[near].id
        way, cell = [goals[near].place], cells[near]
        if not np.isfinite(lengths[cell]):
            return way[0]
        while before[cell] >= 0:
            way.append(self.plan.centres[cell])
            cell = int(before[cell])
        for place in way:
            if np.hypot(*(place - self.place)) < self.ahead and self.plan.clear(self.place, place, avoid, self.reach):
                return place
        return way[-1]


class Gatherer(Walker):
    """Walks from medikit to medikit, around the poison."""

    wanted = frozenset({"Medikit", "CustomMedikit"})
    shunned = frozenset({"Poison"})


class CarefulGatherer(Gatherer):
    """The same in a maze, where poison may lie in any passage: shorter straight ways, farther around it."""

    ahead = 120.0
    reach = 64.0
