"""The robotics family: its list, its seeds, its goals by name, its scripts, and that planners can put it back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opengato.errors import ObservationError, UnknownNameError
from opengato.tasks import registry
from opengato.tasks.families.robotics import TASKS, facts, reward_kind
from opengato.tasks.worlds import world

pytest.importorskip("gymnasium_robotics")

from opengato.envs.robotics import make
from opengato.envs.robotics.__main__ import describe, name_of
from opengato.envs.robotics.fetch import FetchExpert, _glide, _speed_for
from opengato.envs.robotics.maze import MazePlanner
from opengato.envs.robotics.origin import IDS, OBS_ELEMENT_GOALS

WORLD = world("robotics")
# One of every kind of body and goal.
KINDS = (
    "FetchPush-v4", "HandReach-v3", "HandManipulateBlock_BooleanTouchSensors-v1", "AntMaze_UMaze-v5",
    "PointMaze_Medium-v3", "AdroitHandPen-v1", "FrankaKitchen-v1",
)  # fmt: skip


def shown(env: Any, expert: Any, seed: int) -> list[bool]:
    """What `info["success"]` said at every step of an episode."""
    observation, _ = env.reset(seed=seed)
    expert.reset(env)
    said, ended = [], False
    while not ended:
        observation, _, terminated, truncated, info = env.step(expert.act(observation))
        said.append(info["success"])
        ended = terminated or truncated
    return said


def test_the_list_is_what_the_simulator_lists() -> None:
    whole = {name: row["id"] for name, row in WORLD.items() if not row["kwargs"]}
    assert whole == {name_of(id): id for id in IDS}
    assert {name_of("FetchPickAndPlaceDense-v4"), name_of("PointMaze_Open_Diverse_GRDense-v3")} == {
        "fetch-pick-and-place-dense",
        "point-maze-open-diverse-gr-dense",
    }
    alone = [row["kwargs"]["tasks_to_complete"] for row in WORLD.values() if row["kwargs"]]
    assert sorted(alone) == sorted([thing] for thing in OBS_ELEMENT_GOALS)
    for name in ("fetch-push", "ant-maze-open", "adroit-hand-door"):
        assert WORLD[name] == describe(WORLD[name]["id"])


def test_every_task_has_words_and_one_layout_is_held_out() -> None:
    cards = registry.find("robotics/*")
    assert {card.id for card in cards} == {f"robotics/{name}" for name in WORLD}
    assert all(name in WORLD for name in TASKS)
    held_out = {card.id for card in cards if card.split == "held_out"}
    assert held_out == {card.id for card in cards if "point-maze-medium" in card.id}
    assert len(held_out) == 6
    assert facts("ant-maze-large-diverse-gr-dense") == facts("ant-maze-large")


def test_the_kind_of_reward_is_what_the_simulator_says() -> None:
    for name in ("fetch-push", "fetch-push-dense", "point-maze-open", "adroit-hand-door", "adroit-hand-door-sparse"):
        origin = make(WORLD[name]["id"]).origin
        sparse = getattr(origin, "sparse_reward", getattr(origin, "reward_type", None) == "sparse")
        assert reward_kind(name) == ("sparse" if sparse else "dense"), name


def test_listing_imports_no_simulator() -> None:
    code = (
        "import sys; from opengato.tasks import registry; registry.find('robotics/*'); "
        "sys.exit(bool({'gymnasium_robotics', 'mujoco'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_mujoco_is_changed_for_the_package_alone() -> None:
    import mujoco
    from gymnasium_robotics.utils import mujoco_utils

    assert mujoco_utils.mujoco is not mujoco
    assert mujoco_utils.mujoco.mj_step is mujoco.mj_step
    assert int(mujoco.mjtJoint.mjJNT_HINGE) == mujoco_utils.mujoco.mjtJoint.mjJNT_HINGE
    assert isinstance(mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint)


@pytest.mark.parametrize("id", KINDS)
def test_seeds_decide_whatever_came_before(id: str) -> None:
    used, fresh = make(id), make(id)
    used.reset(seed=3)
    for _ in range(5):
        used.step(used.action_space.sample())
    other, left, right = fresh.reset(seed=9)[0], used.reset(seed=8)[0], fresh.reset(seed=8)[0]
    assert any(not np.array_equal(right[name], other[name]) for name in right)
    action = np.full(fresh.action_space.shape, 0.3, np.float32)
    for _ in range(3):
        for name in right:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)
        left, right = used.step(action)[0], fresh.step(action)[0]


@pytest.mark.parametrize("id", KINDS)
def test_a_planner_can_put_it_back(id: str) -> None:
    env = make(id)
    env.reset(seed=1)
    actions = np.random.default_rng(0).uniform(-1, 1, (8, *env.action_space.shape))  # type: ignore[misc]
    for action in actions[:3]:
        env.step(action)
    moment = env.snapshot()
    first = [env.step(action)[:3] for action in actions[3:]]
    env.put_back(moment)
    for (seen, reward, ended), action in zip(first, actions[3:], strict=True):
        again = env.step(action)
        assert (reward, ended) == again[1:3]
        for name, value in seen.items():
            np.testing.assert_array_equal(value, again[0][name], err_msg=name)


def test_goals_are_what_success_and_reward_say() -> None:
    env = make("FetchReachDense-v4")
    observation, _ = env.reset(seed=0)
    for _ in range(6):
        observation, reward, _, _, info = env.step(np.array([0.5, -0.2, 0.1, 0.0], np.float32))
        off = np.linalg.norm(observation["desired_goal"] - observation["achieved_goal"])
        assert reward == pytest.approx(-off, abs=1e-5)
        assert info["success"] == (off < 0.05)


def test_the_kitchen_is_one_body_whatever_is_asked_for() -> None:
    both = [make("FrankaKitchen-v1"), make("FrankaKitchen-v1", tasks_to_complete=["microwave"])]
    everything, one = (env.reset(seed=0)[0] for env in both)
    assert both[0].observation_space == both[1].observation_space
    assert np.count_nonzero(one["desired_goal"]) == 1
    assert set(one["desired_goal"]) <= set(everything["desired_goal"]) | {0.0}


def test_a_maze_leaves_no_file_behind() -> None:
    env = make("PointMaze_UMaze-v3")
    assert not Path(env.origin.tmp_xml_file_path).exists()


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="FetchPush-v4"):
        make("FetchPush-v3")
    env = make("FetchReach-v4")
    env.reset(seed=0)
    with pytest.raises(ObservationError, match="4 finite numbers"):
        env.step(np.array([0.0, np.nan, 0.0, 0.0]))


@pytest.mark.parametrize("task", ["FetchReach", "FetchPush", "FetchPickAndPlace"])
def test_scripts_succeed_and_hold(task: str) -> None:
    env = make(f"{task}-v4")
    for seed in range(200, 205):
        said = shown(env, FetchExpert(), seed)
        assert len(said) == 50
        assert said[-1], seed


def test_the_puck_glides_as_far_as_its_speed_says() -> None:
    for way in ([0.4, 0.1], [-0.2, 0.3], [0.0, -0.5]):
        np.testing.assert_allclose(_glide(_speed_for(np.array(way))), way, atol=1e-9)


@pytest.mark.slow
def test_most_pucks_reach_the_target() -> None:
    env = make("FetchSlide-v4")
    assert sum(any(shown(env, FetchExpert(), seed)) for seed in range(20)) >= 13


@pytest.mark.parametrize("layout", ["UMaze", "Medium", "Large_Diverse_GR"])
def test_the_ball_finds_its_way(layout: str) -> None:
    env = make(f"PointMaze_{layout}-v3")
    for seed in (100, 101):
        assert shown(env, MazePlanner(), seed)[-1], seed


@pytest.mark.render
@pytest.mark.parametrize("id", ["FetchReach-v4", "PointMaze_Open-v3", "AdroitHandRelocate-v1"])
def test_pictures_show_the_goal_and_change_nothing(id: str) -> None:
    env, blind = make(id), make(id)
    env.reset(seed=0)
    blind.reset(seed=0)
    action = np.full(env.action_space.shape, 0.5, np.float32)
    first = env.render()
    for _ in range(4):
        seen, expected = env.step(action)[0], blind.step(action)[0]
        second = env.render()
        np.testing.assert_array_equal(seen["state"], expected["state"])
    assert first.shape == (240, 320, 3)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, second)
    red, green, blue = (first[..., channel].astype(int) for channel in range(3))
    assert ((green > red + 40) & (green > blue + 40)).any(), "no goal in the picture"
