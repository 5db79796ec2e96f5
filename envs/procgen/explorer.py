"""A demonstrator for games in which something must be reached: it explores the level in a simulator of its own, from
places that it has been to, until it has been there.

After the idea of Go-Explore (Ecoffet et al. 2019): remember how to come to every place, go back to one, explore on.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .simulator import NO_OP, Simulator
from .things import VX, VY, Reader, X, Y

HOLD = 0.25  # chance, step by step, that an action drawn at random is let go of
LEAST = 1000  # steps of an exploration
PACE = (2.0, 1.0)  # speeds that are told apart along one of the game's units of it, across and upwards
ROAM = 16  # steps from a place that was gone back to
CELLS = 2.0  # places along one of the game's own units of length


@dataclass(frozen=True)
class Place:
    """How to come to a place.

    Args:
        state: of the game there.
        steps: from where the exploring began.
        points: brought together on the way.
        before: the place that was set out from, None for the first.
        actions: from there on, indices into the environment's actions.
    """

    state: bytes
    steps: int
    points: float
    before: Place | None
    actions: tuple[int, ...]


class Explorer:
    """Explores from where an episode starts, and follows the shortest way found to the end of the level.

    Where something was collected, the same cell of the level is another place. Places that were seldom set out from are
    preferred; a shorter way to a place replaces a longer one. Exploring ends some time after the level was first
    completed, or with the budget: then the way leads to the place with the most points, of equal ones to that found
    last, and from there it explores on with half the budget. If another action than its own was executed, it explores
    anew.

    Args:
        steps: of the simulator per exploration, at most; 1000 steps cost some 0.15 s.
        more: of the steps up to the first completion, how many are spent on finding shorter ways.
        focus: chance that only the places with the most points are set out from.
        rise: units of length that a place must be higher by to be preferred by a factor of e; 0 to not look at heights.
    """

    def __init__(self, steps: int = 12_000, more: float = 0.5, focus: float = 0.0, rise: float = 0.0) -> None:
        self.steps, self.more, self.focus, self.rise = steps, more, focus, rise
        self.hold, self.roam, self.clock = HOLD, ROAM, 0

    def reset(self, env: Any) -> None:
        """Look at a `Procgen`, wrapped or not."""
        self.env = env.unwrapped
        self._simulator = Simulator(self.env.game, self.env.level)
        state = self.env.simulator.state()
        self._rng = np.random.default_rng(int.from_bytes(hashlib.sha256(state).digest()[:8], "little"))
        self._reader = Reader(state)
        self._budget = self.steps
        self._way: deque[int] = deque()
        self._asked = self._expected = b""

    def act(self, observation: Any) -> np.int64:
        """The next action of the way."""
        now = self.env.simulator.state()
        if now != self._asked:
            if self._way and now == self._expected:
                self._way.popleft()
            else:
                self._way.clear()
            if not self._way:
                self._way.extend(self._explore(now))
            self._asked = now
            self._simulator.put_back(now)
            self._simulator.act(self.env.actions[self._way[0]])
            self._expected = self._simulator.state()
        return np.int64(self._way[0])

    def _explore(self, now: bytes) -> list[int]:
        """The shortest way found to the end, else to the place found last; at least one action."""
        first = Place(now, 0, 0.0, None, ())
        self._places = {self._cell(now, 0.0, 0): first}
        self._visits = {self._cell(now, 0.0, 0): 0}
        best, richest, limit, spent = None, first, float(self._budget), 0
        self._budget = max(self._budget // 2, LEAST)
        while spent < limit and (best is None or best.steps > 1):
            cells = list(self._places)
            if self.focus and self._rng.random() < self.focus:
                cells = [cell for cell in cells if cell[-1] >= richest.points]
            chance = np.asarray([1 / (1 + self._visits[cell]) for cell in cells])
            if self.rise:
                high = np.asarray([cell[1] for cell in cells]) / CELLS
                chance *= np.exp((high - high.max()) / self.rise)
            cell = cells[int(self._rng.choice(len(cells), p=chance / chance.sum()))]
            self._visits[cell] += 1
            found, end, steps = self._roam(self._places[cell], best)
            spent += steps
            richest = found if found is not None and found.points >= richest.points else richest
            if end is not None:
                limit = min(limit, spent * (1 + self.more)) if best is None else limit
                best = end
        return self._actions(best or richest) or [self.env.actions.index(NO_OP)]

    def _roam(self, begin: Place, best: Place | None) -> tuple[Place | None, Place | None, int]:
        """Act at random from a place: a place that was not known, the end if it is nearer than `best`, steps."""
        game, actions, points, new = self._simulator, list[int](), begin.points, None
        game.put_back(begin.state)
        while len(actions) < self.roam and (best is None or begin.steps + len(actions) + 1 < best.steps):
            action = int(self._rng.integers(len(self.env.actions)))
            for _ in range(int(self._rng.geometric(self.hold))):
                actions.append(action)
                reward, over = game.act(self.env.actions[action])
                points += reward
                steps = begin.steps + len(actions)
                if over:
                    nearer = game.completed() and (best is None or steps < best.steps)
                    return new, Place(b"", steps, points, begin, tuple(actions)) if nearer else None, len(actions)
                state = game.state()
                cell = self._cell(state, points, steps)
                known = self._places.get(cell)
                if known is None or steps < known.steps:
                    self._places[cell] = Place(state, steps, points, begin, tuple(actions))
                    self._visits.setdefault(cell, 0)
                    if known is None and (new is None or points >= new.points):
                        new = self._places[cell]
        return new, None, len(actions)

    def _cell(self, state: bytes, points: float, steps: int) -> tuple[int, int, Hashable, float]:
        """Where the player is and what it has brought; and how many keys are left where there are keys to take, or how
        fast it is where it climbs, or how late it is where all else moves."""
        things = self._reader.things(state)
        x, y = float(things[0, X]), float(things[0, Y])
        what: Hashable = len(things) if self.env.game == "heist" else 0
        if self.rise:  # from a place in mid-air other places are reached by speed
            what = (round(PACE[0] * float(things[0, VX])), round(PACE[1] * float(things[0, VY])))
        if self.clock:  # … and what moves has gone on
            what = steps // self.clock
        return int(x * CELLS), int(y * CELLS), what, points

    def _actions(self, end: Place) -> list[int]:
        """From the start to a place."""
        parts: list[tuple[int, ...]] = []
        place: Place | None = end
        while place is not None:
            parts.append(place.actions)
            place = place.before
        return [action for part in reversed(parts) for action in part]


class Climber(Explorer):
    """Explores a tower: it prefers what is high and what has the most points, holds on longer, and needs more steps."""

    def __init__(self, steps: int = 30_000, more: float = 0.5, focus: float = 0.7, rise: float = 4.0) -> None:
        super().__init__(steps, more, focus, rise)
        self.hold, self.roam = 0.12, 30


class Leaper(Explorer):
    """Explores where everything else moves: the same place some steps later is another one.

    Args:
        clock: so many steps later.
    """

    def __init__(self, steps: int = 30_000, more: float = 0.5, clock: int = 10) -> None:
        super().__init__(steps, more)
        self.clock = clock
