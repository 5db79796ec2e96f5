"""A demonstrator for levels that have no bot: the shortest plan that ends in success, found by trying."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from .snapshot import Snapshot, things_of

TURNS, DROP, TOGGLE, DONE = (0, 1), 4, 5, 6
BESIDE = 2  # turns that may lie between opening a door and laying something down


class Planner:
    """Breadth-first search over a level's own states, from the one it is asked in; a plan is kept while it is followed.

    It knows the whole grid, as the bot of BabyAI does. What moves by itself it foresees with the level's own chance.
    Where it finds no plan it turns on the spot, and looks for one again after one step, two, four and so on: whatever a
    turn leads to was among the states looked at, so without chance there is seldom anything new.

    Args:
        budget: states looked at for a plan.
    """

    def __init__(self, budget: int = 60_000) -> None:
        self.budget = budget

    def reset(self, env: Any) -> None:
        self._env = env.unwrapped
        self._plan: deque[int] = deque()
        self._planned_at = -1
        self._patience, self._search_at = 1, 0

    @property
    def sure(self) -> bool:
        """Whether there is a plan."""
        return bool(self._plan)

    def act(self, observation: Any) -> np.int64:
        """The next action; asked twice about one state, the answer is the same."""
        now = self._env.num_steps
        if now != self._planned_at:
            followed = now == self._planned_at + 1 and self._plan and self._env.last_action == self._plan[0]
            if followed:
                self._plan.popleft()
            if not followed:
                self._plan.clear()
            if not self._plan and now >= self._search_at:
                self._plan = deque(self._search())
                self._patience = 1 if self._plan else 2 * self._patience
                self._search_at = now + self._patience // 2
            self._planned_at = now
        return np.int64(self._plan[0] if self._plan else 0)

    def _search(self) -> list[int]:
        """The shortest way to success; empty if there is none within the budget."""
        level = self._env.level
        things, look = things_of(level), level.gen_obs
        level.gen_obs = dict  # what the agent would see takes most of a step's time, and is not asked for
        begin = Snapshot(level, things)
        try:
            return self._breadth_first(level, things, begin)
        finally:
            begin.put_back(level, things)
            level.gen_obs = look

    def _breadth_first(self, level: Any, things: list[Any], begin: Snapshot) -> list[int]:
        # Turning and walking come before doing, and doing nothing comes last: of equally short plans the plainest wins.
        actions = range(level.action_space.n)
        came: list[tuple[int, int]] = [(-1, -1)]
        waiting: deque[tuple[int, Snapshot]] = deque([(0, begin)])
        known = {begin.key()}
        while waiting and len(came) < self.budget:
            number, moment = waiting.popleft()
            for action in self._worth_trying(actions, came, number):
                moment.put_back(level, things)
                _, reward, terminated, truncated, _ = level.step(action)
                if terminated and reward > 0:
                    return [*self._way(came, number), action]
                if terminated or truncated:
                    continue
                after = Snapshot(level, things)
                key = after.key()
                if key not in known:
                    known.add(key)
                    came.append((number, action))
                    waiting.append((len(came) - 1, after))
        return []

    def _worth_trying(self, actions: range, came: list[tuple[int, int]], number: int) -> Iterable[int]:
        """Of the actions, those that a plan may go on with from this state."""
        return actions

    def _way(self, came: list[tuple[int, int]], number: int) -> list[int]:
        way = []
        while number:
            number, action = came[number]
            way.append(action)
        return way[::-1]


class KeyPlanner(Planner):
    """A planner for levels of doors and keys: it lays down what it carries only beside a door that it has just opened.

    Where a key may be laid down anywhere there are as many states again for every cell.
    """

    def _worth_trying(self, actions: range, came: list[tuple[int, int]], number: int) -> Iterable[int]:
        turns, beside = 0, False
        while number and turns <= BESIDE:
            number, action = came[number]
            if action not in TURNS:
                beside = action == TOGGLE
                break
            turns += 1
        return [action for action in actions if action != DONE and (beside or action != DROP)]
