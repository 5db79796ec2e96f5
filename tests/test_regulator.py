"""What textbook control does: it holds what balances, brings to rest, leaves the simulation as it found it; and a wave
swims where it is steered to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opengato.envs.planning.regulator import Regulator
from opengato.tasks import registry


def played(task: str, steps: int, demonstrator: Any = None, seed: int = 1_000_000) -> list[float]:
    """Rewards of an episode's first steps."""
    card = registry.get(task)
    if not card.available:
        pytest.skip(", ".join(card.missing))
    env, rewards = card.make(), []
    observation, _ = env.reset(seed=seed)
    demonstrator = demonstrator or card.make_demonstrator()
    demonstrator.reset(env)
    for _ in range(steps):
        observation, reward, terminated, truncated, _ = env.step(demonstrator.act(observation))
        rewards.append(float(reward))
        if terminated or truncated:
            break
    env.close()
    return rewards


@pytest.mark.parametrize("task", ["mujoco/inverted-pendulum", "mujoco/inverted-double-pendulum"])
def test_poles_stand(task: str) -> None:
    assert len(played(task, 300)) == 300
    assert len(played(task, 300, Regulator(price=1e9))) < 300, "they would not stand by themselves"


@pytest.mark.parametrize("task", ["control/cartpole-balance-sparse", "control-large/cartpole-balance-sparse"])
def test_a_pole_never_leaves_upright(task: str) -> None:
    assert played(task, 150) == [2.0] * 150


def test_of_two_regulators_that_with_the_price_of_the_task_earns_more() -> None:
    right, cheap = (sum(played("control/lqr-lqr-6-2", 150, Regulator(price=price))) for price in (0.1, 1e-3))
    assert right > cheap


@pytest.mark.parametrize(
    ("task", "least"),
    [
        ("control/pendulum-swingup", 1.9), ("control/cartpole-swingup-sparse", 1.9), ("control/point-mass-easy", 1.9),
        ("control/point-mass-hard", 1.9), ("control/reacher-hard", 2.0), ("control-large/reacher-hard", 2.0),
        ("control/reacher-three-hard", 2.0), ("control/pendulum-spin", 1.5),
    ],
)  # fmt: skip
def test_scripts_arrive_and_stay(task: str, least: float) -> None:
    assert min(played(task, 400)[-50:]) >= least


def test_measuring_a_mechanism_leaves_it_as_it_was() -> None:
    env = registry.get("control-large/lqr-lqr-2-1").make()
    env.reset(seed=3)
    before = env.unwrapped.snapshot()
    Regulator().reset(env)
    after = env.unwrapped.snapshot()
    assert np.array_equal(before[0], after[0])
    assert before[2] == after[2]
    env.close()


def test_a_swimmer_that_is_steered_keeps_its_way() -> None:
    from opengato.envs.mujoco_gym.scripts import Swimming

    steered, drifting = (sum(played("mujoco/swimmer", 1000, Swimming(steering=k))) for k in (0.5, 0.0))
    assert steered > 180 > drifting
