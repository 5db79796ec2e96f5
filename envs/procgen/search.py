"""A demonstrator for games that pay as they go: it tries plans in a simulator of its own, and plays the best one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .simulator import Simulator

HOLD = 0.3  # chance, step by step, that a random plan lets go of the action it holds
END_PRICE = 10.0  # of an end without the level completed, in rewards of the size that the game usually gives
BLOCKS, SHADES = 8, 8  # of the coarse picture by which it is told what is new: along a side, and of grey


@dataclass(frozen=True)
class Moment:
    """One step of a plan: what is pressed, what that brings, and where it leads.

    Args:
        action: index into the environment's actions.
        points: of this step.
        state: of the game after it.
        lost: whether the episode has ended without the level completed.
        over: whether it has ended.
        news: blocks of the coarse picture after it whose shade the episode has not seen in them.
    """

    action: int
    points: float
    state: bytes
    lost: bool
    over: bool
    news: int


class Search:
    """Looks ahead in the simulator's states and keeps the best plan that it has seen.

    A plan is a sequence of actions of `horizon` steps. The plan of the step before lives on, less its first action; its
    last action goes on at its end. Other plans are tried against it: they leave it at its start or at a random place,
    hold an action drawn at random for a while, and go back to it or draw again. One that brings a higher discounted
    return replaces it. Only where no plan brings anything does the one win that shows more that is new.

    All that is random comes from the game's state at `reset`, so the same episode gives the same actions. The
    environment's own simulator is only read. If another action than the plan's was executed, planning begins anew.

    Args:
        steps: of the simulator per decision, at most this many and one plan's worth; 100 steps cost some 15 ms.
        horizon: steps of a plan.
        discount: of the return, per step.
    """

    def __init__(self, steps: int = 160, horizon: int = 24, discount: float = 0.97) -> None:
        self.steps, self.horizon, self.discount = steps, horizon, discount

    def reset(self, env: Any) -> None:
        """Look at a `Procgen`, wrapped or not."""
        self.env = env.unwrapped
        self._simulator = Simulator(self.env.game, self.env.level)
        self._start: bytes = self.env.simulator.state()
        digest = hashlib.sha256(self._start).digest()
        self._rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        self._plan: list[Moment] = []
        self._untried: list[int] = []
        self._seen = np.zeros((BLOCKS * BLOCKS, SHADES), bool)
        self._rewards, self._rewarded = 0.0, 0  # sum of the sizes of the rewards seen, and how many

    def act(self, observation: Any) -> np.int64:
        """The first action of the best plan from where the game is."""
        now = self.env.simulator.state()
        if self._plan and now == self._start:  # asked again
            return np.int64(self._plan[0].action)
        held = self._plan[0].action if self._plan else 0
        followed = bool(self._plan) and now == self._plan[0].state
        self._plan = self._plan[1:] if followed else []
        self._start = now
        self._seen[np.arange(BLOCKS * BLOCKS), _coarse(observation["image"])] = True
        self._improve(held)
        return np.int64(self._plan[0].action)

    def _improve(self, held: int) -> None:
        """Bring the plan to its full length, at first by holding the last action, and try others against it."""
        held, left = (self._plan[-1].action if self._plan else held), self.steps
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
        length, number = self.horizon - at, int(self.env.action_space.n)
        if not self._untried:
            self._untried = self._rng.permutation(number).tolist()
        actions = [self._untried.pop()] * int(self._rng.geometric(HOLD))
        if self._rng.random() < 0.5:  # only this much is new
            actions += [moment.action for moment in self._plan[at + len(actions) :]]
        while len(actions) < length:
            actions += [int(self._rng.integers(number))] * int(self._rng.geometric(HOLD))
        return at, actions[:length]

    def _follow(self, at: int, actions: list[int]) -> list[Moment]:
        """What happens if the plan is left after `at` steps for these actions."""
        game, moments = self._simulator, list[Moment]()
        game.put_back(self._plan[at - 1].state if at else self._start)
        for action in actions:
            points, over = game.act(self.env.actions[action])
            if points:
                self._rewards, self._rewarded = self._rewards + abs(points), self._rewarded + 1
            lost = over and not game.completed()
            shades = _coarse(game.picture())
            news = 0 if over else len(shades) - int(np.count_nonzero(self._seen[np.arange(len(shades)), shades]))
            moments.append(Moment(action, points, game.state(), lost, over, news))
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
        """Discounted return, seen from the first of these moments, less the price of the end."""
        price = END_PRICE * (self._rewards / self._rewarded if self._rewarded else 1.0)
        worth = 0.0
        for moment in reversed(moments):
            worth = moment.points - price * moment.lost + self.discount * worth
        return worth


def _coarse(picture: np.ndarray) -> np.ndarray:
    """uint8 [64, 64, 3] → int64 [64]: the shade of grey, 0 to 7, of one pixel in each of 8 × 8 blocks."""
    step = picture.shape[0] // BLOCKS
    return picture[step // 2 :: step, step // 2 :: step].astype(np.int64).sum(-1).reshape(-1) * SHADES // 766
