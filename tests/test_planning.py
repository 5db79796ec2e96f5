"""Predictive control: the same start gives the same plan, planning changes nothing, and a promise shows the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opengato.envs.control.plans import Swimming, Turning
from opengato.envs.planning.predictive import PredictiveControl
from opengato.tasks import registry


def planned(task: str, seed: int, planner: Any, steps: int) -> tuple[Any, list[np.ndarray]]:
    """The environment after some steps, and the actions taken."""
    env, actions = registry.get(task).make(), []
    observation, _ = env.reset(seed=seed)
    planner.reset(env)
    for _ in range(steps):
        actions.append(planner.act(observation))
        observation, *_ = env.step(actions[-1])
    return env, actions


def test_the_same_start_gives_the_same_plan() -> None:
    first, second = (planned("control/cheetah-run", 3, PredictiveControl(futures=6, horizon=5), 4)[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_planning_changes_nothing() -> None:
    env = registry.get("control/fish-swim").make()
    observation, _ = env.reset(seed=0)
    planner = Swimming(futures=6, horizon=5)
    planner.reset(env)
    before = env.unwrapped.snapshot()
    planner.act(observation)
    after = env.unwrapped.snapshot()
    np.testing.assert_array_equal(before[0], after[0])
    assert before[2] == after[2]
    env.close()


@pytest.mark.parametrize(("planner", "turned"), [(PredictiveControl, False), (Turning, True)])
def test_a_promise_leads_to_a_reward_that_no_plan_finds(planner: Any, turned: bool) -> None:
    env, _ = planned("control/finger-turn-hard", 4, planner(futures=16, horizon=16), 30)
    assert (float(env.unwrapped.physics.dist_to_target()) < 0.05) == turned
    env.close()
