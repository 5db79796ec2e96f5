"""A demonstrator for games that pay all along: it tries plans in a simulator of its own, and plays the best one.

As the search that plays Atari games, for a simulator whose states are dear: a plan is always tried from its start.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .simulator import NO_OP, Simulator
from .things import HEALTH, Reader, kinds

HOLD = 0.25  # chance, step by step, that a random plan lets go of the action it holds
LOSS = 10.0  # what an episode's end is paid with that completes no level, in points
BOSS, HIT = 2, 0.5  # its kind, and points that taking one of its health is worth before it pays
JUICE, DROP = -24, 10.0  # where the state of `plunder` tells what is left of it, and points that all of it is worth


@dataclass(frozen=True)
class Plan:
    """Some steps from where the game is.

    Args:
        actions: indices into the environment's actions.
        points: of each step; fewer than the actions where the episode ends on the way.
        lost: whether it ends without completing the level.
        over: whether it ends.
        promise: points that where it leads is worth beside them.
    """

    actions: tuple[int, ...]
    points: tuple[float, ...]
    lost: bool
    over: bool
    promise: float = 0.0


class Search:
    """Looks ahead from the game's state and keeps the best plan that it has seen.

    The plan of the step before lives on, less its first action; its last action goes on at its end. Then other plans
    are tried against it: they leave it at its start or at a random place, hold an action drawn at random for a while,
    and go back to it or draw again. One that brings a higher discounted return replaces it.

    All that is random comes from the game's state at `reset`, so the same episode gives the same actions. The
    environment's own simulator is only read. If another action than the plan's was executed, planning begins anew.

    Args:
        steps: of the simulator per decision, about; 800 cost 0.03 s on a free core, in `bossfight` 0.15 s.
        horizon: steps of a plan.
        discount: of the return, per step.
    """

    def __init__(self, steps: int = 800, horizon: int = 40, discount: float = 0.98) -> None:
        self.steps, self.horizon, self.discount = steps, horizon, discount

    def reset(self, env: Any) -> None:
        """Look at a `Procgen`, wrapped or not."""
        self.env = env.unwrapped
        self._simulator = Simulator(self.env.game, self.env.level)
        state = self.env.simulator.state()
        self._rng = np.random.default_rng(int.from_bytes(hashlib.sha256(state).digest()[:8], "little"))
        self._reader = Reader(state)
        self._plan = Plan((), (), False, False)
        self._untried: list[int] = []
        self._asked = self._expected = b""

    def act(self, observation: Any) -> np.int64:
        """The first action of the best plan from where the game is; the observation is ignored."""
        now = self.env.simulator.state()
        if now != self._asked:
            actions = self._plan.actions[1:] if now == self._expected else ()
            held = self._plan.actions[-1] if self._plan.actions else self.env.actions.index(NO_OP)
            self._asked = now
            self._plan = self._best(actions + (held,) * (self.horizon - len(actions)))
            self._simulator.put_back(now)
            self._simulator.act(self.env.actions[self._plan.actions[0]])
            self._expected = self._simulator.state()
        return np.int64(self._plan.actions[0])

    def _best(self, actions: tuple[int, ...]) -> Plan:
        """The best plan found, the given one among them."""
        plan = self._follow(actions)
        worth, spent = self._worth(plan), len(plan.points)
        while spent < self.steps:
            other = self._follow(self._other(plan))
            spent += len(other.points)
            if self._worth(other) > worth + 1e-9:  # rounding is no reason
                plan, worth = other, self._worth(other)
        return plan

    def _other(self, plan: Plan) -> tuple[int, ...]:
        """Actions of a plan that leaves the present one somewhere."""
        at = 0 if self._rng.random() < 0.5 else int(self._rng.integers(len(plan.points)))
        if not self._untried:
            self._untried = self._rng.permutation(len(self.env.actions)).tolist()
        actions = [*plan.actions[:at], *[self._untried.pop()] * int(self._rng.geometric(HOLD))]
        if self._rng.random() < 0.5:  # only this much is new
            actions += plan.actions[len(actions) :]
        while len(actions) < self.horizon:
            actions += [int(self._rng.integers(len(self.env.actions)))] * int(self._rng.geometric(HOLD))
        return tuple(actions[: self.horizon])

    def _follow(self, actions: tuple[int, ...]) -> Plan:
        """What some actions bring from where the game is."""
        game, points = self._simulator, list[float]()
        game.put_back(self._asked)
        for action in actions:
            reward, over = game.act(self.env.actions[action])
            points.append(reward)
            if over:
                return Plan(actions, tuple(points), not game.completed(), True)
        return Plan(actions, tuple(points), False, False, self._promise())

    def _promise(self) -> float:
        """What the game's state is worth where it pays late for what it takes many steps to do."""
        if self.env.game == "bossfight":
            state = self._simulator.state()
            things = self._reader.things(state)
            return -HIT * float(things[kinds(things) == BOSS, HEALTH].sum())
        if self.env.game == "plunder":
            return DROP * float(np.frombuffer(self._simulator.state()[JUICE:], np.float32, 1)[0])
        return 0.0

    def _worth(self, plan: Plan) -> float:
        """Discounted return, less what a loss is paid with."""
        worth = -LOSS if plan.lost else plan.promise
        for points in reversed(plan.points):
            worth = points + self.discount * worth
        return worth
