"""The BabyAI bot as a demonstrator: told what was truly done, and never allowed to spin."""

from __future__ import annotations

from typing import Any

import numpy as np
from minigrid.utils.baby_ai_bot import BabyAIBot, DisappearedBoxError

MAX_SEARCHES = 200  # breadth-first searches for one decision; a sound plan needs fewer than 30
TURN_LEFT, DONE = 0, 6


class PlanningStuckError(RuntimeError):
    """The bot searches on and on without deciding."""


class _GuardedBot(BabyAIBot):
    """The bot with a limit on its searches for one decision: it is known to loop on some levels."""

    def replan(self, action_taken: Any = None) -> Any:
        self._searches_left = MAX_SEARCHES
        return super().replan(action_taken)

    def _breadth_first_search(self, *args: Any, **kwargs: Any) -> Any:
        self._searches_left -= 1
        if self._searches_left < 0:
            raise PlanningStuckError
        return super()._breadth_first_search(*args, **kwargs)


class Bot:
    """Plays any level of `BabyAI` through its wrappers.

    The plan follows the action that was executed, which need not be the one that was advised. Where the plan can't
    follow (the bot raises), a fresh bot plans from the present state; where that fails too, the agent turns to see
    more.
    """

    def reset(self, env: Any) -> None:
        self._env = env.unwrapped
        self._bot = _GuardedBot(self._env.level)
        self._planned_at = -1
        self._advice = DONE

    def act(self, observation: Any) -> np.int64:
        """The next action, Discrete(7); asked twice about one state, the answer is the same."""
        now = self._env.num_steps
        if now != self._planned_at:
            followed = now == self._planned_at + 1
            self._advice = self._plan(self._env.last_action if followed else None, fresh=not followed and now > 0)
            self._planned_at = now
        return np.int64(self._advice)

    def _plan(self, action_taken: int | None, fresh: bool) -> int:
        attempts = [(True, None)] if fresh else [(False, action_taken), (True, None)]
        for rebuild, taken in attempts:
            try:
                if rebuild:
                    self._bot = _GuardedBot(self._env.level)
                advice = self._bot.replan(taken)
            except (AssertionError, AttributeError, IndexError, TypeError, DisappearedBoxError, PlanningStuckError):
                continue  # what the bot raises on states that its plan did not foresee
            # An empty plan while the mission is open means that the plan was overtaken: plan anew.
            if rebuild or int(advice) != DONE:
                return int(advice)
        return TURN_LEFT
