"""What others ask of the suite's bodies: each reward is worth what its formula says where that is known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opengato.envs.control import added, make

LOCOMOTION = {("cheetah", "run_backwards"): 8.0, ("walker", "walk_backwards"): 1.0, ("walker", "run_backwards"): 8.0}


def started(domain: str, task: str) -> Any:
    env = make(domain, task)
    env.reset(seed=1)
    return env


@pytest.mark.parametrize(("domain", "task"), LOCOMOTION)
def test_moving_backwards_is_worth_more_than_forwards(domain: str, task: str) -> None:
    env, wanted = started(domain, task), LOCOMOTION[domain, task]
    physics, worth = env.physics, []
    for speed in (wanted, 0.0, -wanted / 2, -wanted, -2 * wanted):
        physics.data.qvel[:] = 0
        physics.named.data.qvel["rootx"] = speed
        physics.forward()
        worth.append(env._suite.task.get_reward(physics))
    assert worth[0] <= worth[1] < worth[2] < worth[3] == worth[4]
    env.close()


def test_a_cheetah_in_the_air_jumps() -> None:
    env = started("cheetah", "jump")
    physics = env.physics
    low = env._suite.task.get_reward(physics)
    physics.named.data.qpos["rootz"] += 2.0
    physics.data.qvel[:] = 0
    physics.forward()
    assert low < 0.6 < env._suite.task.get_reward(physics) == 1.0
    physics.named.data.qvel["rootx"] = 1.0  # no longer on the spot
    physics.forward()
    assert env._suite.task.get_reward(physics) == pytest.approx(5 / 6)
    env.close()


@pytest.mark.parametrize(("task", "foot"), [("run_back", "ffoot"), ("run_front", "bfoot")])
def test_running_on_one_leg_wants_the_other_in_the_air(task: str, foot: str) -> None:
    env = started("cheetah", task)
    physics, worth = env.physics, []
    for pitch in (-1.2, 1.2):  # nose up, nose down
        physics.reset()
        physics.named.data.qpos[["rootz", "rooty"]] = 0.5, pitch
        physics.named.data.qvel["rootx"] = 6.0
        physics.forward()
        worth.append(env._suite.task.get_reward(physics))
    assert (worth[0] > worth[1] + 0.3) == (foot == "ffoot")
    env.close()


def test_a_pendulum_that_turns_fast_earns_all_and_either_way() -> None:
    env = started("pendulum", "spin")
    worth = []
    for speed in (-9.0, 0.0, 4.5, 9.0):
        env.physics.data.qvel[:] = speed
        env.physics.forward()
        worth.append(env._suite.task.get_reward(env.physics))
    assert worth == [1.0, 0.0, 0.5, 1.0]
    env.close()


def test_a_hopper_that_lies_earns_nothing_whatever_its_speed() -> None:
    env = started("hopper", "hop_backwards")
    physics = env.physics
    physics.reset()
    physics.named.data.qvel["rootx"] = -1.0
    physics.forward()
    assert env._suite.task.get_reward(physics) == 1.0
    physics.named.data.qpos["rooty"] = np.pi / 2
    physics.forward()
    assert env._suite.task.get_reward(physics) == 0.0
    env.close()


def test_a_ball_starts_in_its_cup_and_earns_nothing_there() -> None:
    env = make("ball_in_cup", "spin")
    inside = []
    for seed in range(30):
        env.reset(seed=seed)
        inside.append(bool(env.physics.in_target()))
        if inside[-1]:
            assert env._suite.task.get_reward(env.physics) == 0.0
    assert 20 < sum(inside) < 30
    env.close()


def test_an_arm_of_three_links_reaches_as_far_as_they_are_long() -> None:
    physics = added.three_links()
    physics.forward()
    assert physics.model.nu == 3
    assert np.linalg.norm(physics.named.data.geom_xpos["finger"][:2]) == pytest.approx(3 * added.LINK)
    assert np.rad2deg(physics.named.model.jnt_range["wrist"]) == pytest.approx([-80, 80])
