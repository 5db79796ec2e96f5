"""A demonstrator for any game: it tries plans in a console of its own, and plays the best it has found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import ale_py
import numpy as np

from .env import FRAME_SKIP

HOLD = 0.25  # chance, step by step, that a random plan lets go of the action it holds
CELLS = 128  # of the console's memory, a byte each
LIFE_PRICE = 10.0  # of a life, in rewards of the size that the game usually gives


@dataclass(frozen=True)
class Moment:
    """One step of a plan: what is pressed, what that brings, and where it leads.

    Args:
        action: index into `action_meanings`.
        points: of this step.
        lives: lost in this step.
        state: of the console after it.
        over: whether the game has ended.
        news: cells of the console's memory whose value after it the episode has not seen in them.
    """

    action: int
    points: float
    lives: int
    state: ale_py.ALEState
    over: bool
    news: int


class Search:
    """Looks ahead in snapshots of the console and keeps the best plan that it has seen.

    A plan is a sequence of actions of `horizon` steps. The plan of the step before lives on, less its first action; its
    last action goes on at its end. Then other plans are tried against it: they leave it at its start or at a random
    place, hold an action drawn at random for a while, and go back to it or draw again. One that brings a higher
    discounted return replaces it; one as good does not, so that nothing moves without a reason. Only where no plan
    brings anything does the one win that changes more of the console's memory to what the episode has not seen yet: to
    stand still would never bring anything. A life is worth ten usual rewards: what dying costs lies beyond the horizon.

    All that is random comes from the console's state at `reset`, so the same episode gives the same actions. The
    environment's own console is only read. If another action than the plan's was executed, planning begins anew.

    Args:
        frames: emulated per decision, at most this many and one plan's worth; 500 frames cost 0.05 to 0.15 s.
        horizon: steps of a plan, four frames each.
        discount: of the return, per step.
    """

    def __init__(self, frames: int = 500, horizon: int = 30, discount: float = 0.98) -> None:
        self.frames, self.horizon, self.discount = frames, horizon, discount

    def reset(self, env: Any) -> None:
        """Look at an `AtariEnv`, wrapped or not."""
        self.env = env.unwrapped
        self.console = self.env.emulator()
        self._start = self.env.ale.cloneState()
        digest = hashlib.sha256(self._start.serialize()).digest()
        self._rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        self._plan: list[Moment] = []
        self._untried: list[int] = []
        self._seen = np.zeros((CELLS, 256), bool)
        self._rewards, self._rewarded = 0.0, 0  # sum of the sizes of the rewards seen, and how many

    def act(self, observation: Any) -> int:
        """The first action of the best plan from where the console is; the observation is ignored."""
        now = self.env.ale.cloneState()
        if self._plan and now == self._start:  # asked again
            return self._plan[0].action
        held = self._plan[0].action if self._plan else 0
        followed = bool(self._plan) and now == self._plan[0].state
        self._plan = self._plan[1:] if followed else []
        self._start = now
        self._seen[np.arange(CELLS), self.env.ram] = True
        self._improve(held)
        return self._plan[0].action

    def _improve(self, held: int) -> None:
        """Bring the plan to its full length, at first by holding the last action, and try others against it."""
        held = self._plan[-1].action if self._plan else held
        left = self.frames // FRAME_SKIP
        if not (self._plan and self._plan[-1].over):
            more = self._follow(len(self._plan), [held] * (self.horizon - len(self._plan)))
            self._plan += more
            left -= len(more)
        while left > 0:
            at, actions = self._candidate()
            tail = self._follow(at, actions)
            left -= len(tail)
            if self._better(tail, self._plan[at:]):
                self._plan[at:] = tail

    def _candidate(self) -> tuple[int, list[int]]:
        """Where a new plan leaves the present one, and its actions from there on."""
        at = 0 if self._rng.random() < 0.5 else int(self._rng.integers(len(self._plan)))
        length = self.horizon - at
        if not self._untried:
            self._untried = self._rng.permutation(self.env.action_space.n).tolist()
        actions = [self._untried.pop()] * int(self._rng.geometric(HOLD))
        if self._rng.random() < 0.5:  # only this much is new
            actions += [moment.action for moment in self._plan[at + len(actions) :]]
        while len(actions) < length:
            actions += [int(self._rng.integers(self.env.action_space.n))] * int(self._rng.geometric(HOLD))
        return at, actions[:length]

    def _follow(self, at: int, actions: list[int]) -> list[Moment]:
        """What happens if the plan is left after `at` steps for these actions."""
        ale, moments = self.console, list[Moment]()
        ale.restoreState(self._plan[at - 1].state if at else self._start)
        lives = ale.lives()
        for action in actions:
            button = self.env.button(action, ale.getRAM())
            points = float(sum(ale.act(button) for _ in range(FRAME_SKIP)))
            if points:
                self._rewards, self._rewarded = self._rewards + abs(points), self._rewarded + 1
            lost, lives = max(0, lives - ale.lives()), ale.lives()
            over = ale.game_over(with_truncation=False)
            news = CELLS - int(np.count_nonzero(self._seen[np.arange(CELLS), ale.getRAM()]))
            moments.append(Moment(action, points, lost, ale.cloneState(), over, news))
            if over:
                break
        return moments

    def _better(self, tail: list[Moment], present: list[Moment]) -> bool:
        """Whether another end of the plan is better than the present one."""
        ours, theirs = self._worth(tail), self._worth(present)
        if ours == theirs == 0 and not any(moment.points for moment in self._plan):
            return sum(moment.news for moment in tail) > sum(moment.news for moment in present)
        return ours > theirs + 1e-9  # rounding is no reason

    def _worth(self, moments: list[Moment]) -> float:
        """Discounted return, seen from the first of these moments, less the price of the lives lost."""
        price = LIFE_PRICE * (self._rewards / self._rewarded if self._rewarded else 1.0)
        worth = 0.0
        for moment in reversed(moments):
            worth = moment.points - price * moment.lives + self.discount * worth
        return worth
