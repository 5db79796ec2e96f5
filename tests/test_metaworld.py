"""The metaworld family: its list, its seeds, its named observation, its scripts and its pictures."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from opengato.errors import ObservationError, UnknownNameError
from opengato.tasks import registry
from opengato.tasks.worlds import world

pytest.importorskip("metaworld")

from opengato.envs.metaworld import make, signals
from opengato.envs.metaworld.__main__ import describe, first_success
from opengato.envs.metaworld.env import TASKS
from opengato.envs.metaworld.expert import ScriptedExpert
from opengato.envs.metaworld.words import WORDS

WORLD = world("metaworld")
TWO_OBJECTS = ("hammer", "stick-pull", "stick-push")


def shown(task: str, seed: int, steps: int) -> list[tuple[Any, float]]:
    """(observation, reward) of `steps` steps of the script."""
    env, expert = make(task), ScriptedExpert()
    observation, _ = env.reset(seed=seed)
    expert.reset(env)
    seen = [(observation, 0.0)]
    for _ in range(steps):
        observation, reward, *_ = env.step(expert.act(observation))
        seen.append((observation, reward))
    env.close()
    return seen


def test_the_list_is_what_the_simulator_lists() -> None:
    assert tuple(WORLD) == TASKS
    assert len(TASKS) == 50
    assert set(WORDS) == set(TASKS)
    for task, row in WORLD.items():
        assert (row["instruction"], row["success"]) == WORDS[task]
    assert WORLD["reach"] == describe("reach")


def test_assembly_alone_is_held_out() -> None:
    cards = registry.find("metaworld/*")
    assert [card.id for card in cards if card.split == "held_out"] == ["metaworld/assembly"]
    assert {card.id for card in cards} == {f"metaworld/{task}" for task in TASKS}


def test_listing_imports_no_simulator() -> None:
    code = (
        "import sys; from opengato.tasks import registry; registry.find('metaworld/*'); "
        "sys.exit(bool({'metaworld', 'mujoco'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_tasks_are_one_body() -> None:
    spaces = {str(make(task).observation_space) for task in ("assembly", "reach", "hammer")}
    assert len(spaces) == 1


@pytest.mark.parametrize("task", ["pick-place", "stick-pull", "window-close"])
def test_seeds_decide_whatever_came_before(task: str) -> None:
    used = make(task)
    used.reset(seed=3)
    for _ in range(40):
        used.step(used.action_space.sample())
    used.render()
    fresh = make(task)
    left, right, other = used.reset(seed=8)[0], fresh.reset(seed=8)[0], fresh.reset(seed=9)[0]
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])
    assert any(not np.array_equal(right[name], other[name]) for name in ("object", "goal"))
    again = fresh.reset()[0]
    assert any(not np.array_equal(again[name], other[name]) for name in ("object", "goal")), "an episode of its own"


@pytest.mark.parametrize("task", ["assembly", *TWO_OBJECTS])
def test_signals_join_to_the_simulators_observation(task: str) -> None:
    env = make(task)
    observation, _ = env.reset(seed=0)
    for _ in range(5):
        observation, *_ = env.step(env.action_space.sample())
        flat = env.simulator._last_stable_obs.astype(np.float32)
        joined = signals.join(observation)
        left_out = [*range(14, 18), *range(32, 36)]
        kept = np.setdiff1d(np.arange(signals.SIZE), left_out)
        np.testing.assert_array_equal(joined[kept], flat[kept])
        assert np.ptp(np.append(flat[15:18], flat[33:36])) == 0, "the second object never turns"
    np.testing.assert_array_equal(observation["goal"], env.simulator._target_pos.astype(np.float32))
    assert np.any(observation["second_object"]) == (task in TWO_OBJECTS)


def test_previous_is_the_frame_before() -> None:
    seen = [observation for observation, _ in shown("push", 0, 10)]
    for before, now in zip(seen, seen[1:], strict=False):
        frame = np.concatenate([before[name] for name in list(signals.SIGNALS)[:5]])
        np.testing.assert_allclose(now["previous"], frame, atol=1e-6)


def test_an_episode_has_500_steps_and_success_stays() -> None:
    env, expert = make("reach"), ScriptedExpert()
    observation, _ = env.reset(seed=0)
    expert.reset(env)
    successes, ends = [], []
    for step in range(500):
        action = expert.act(observation) if step < 120 else -np.ones(4, np.float32)
        observation, reward, terminated, truncated, info = env.step(action)
        assert 0.0 <= reward <= 10.0
        successes.append(info["success"])
        ends.append((terminated, truncated))
    assert ends == [(False, False)] * 499 + [(False, True)]
    assert not successes[0]
    assert successes[-1]
    assert successes == sorted(successes)
    assert env.reset(seed=1)[1] == {"success": False}


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"pick-place.*'tasks=\[metaworld/\*\]'"):
        make("pick-plaec")
    env = make("reach")
    env.reset(seed=0)
    with pytest.raises(ObservationError, match="4 finite numbers"):
        env.step(np.array([0.0, np.nan, 0.0, 0.0]))


@pytest.mark.parametrize("task", ["door-open", "drawer-close", "pick-place"])
def test_script_succeeds(task: str) -> None:
    env = make(task)
    for seed in (100, 101):
        steps = first_success(env, seed)
        assert steps is not None, seed
        assert steps <= WORLD[task]["demonstration_steps"], seed


def test_every_script_is_paid() -> None:
    """The script for this task, as it comes, has open fingers and a return of 0."""
    assert sum(reward for _, reward in shown("button-press-topdown-wall", 0, 80)) > 100


@pytest.mark.slow
def test_scripts_solve_nearly_all() -> None:
    good = []
    for task in TASKS:
        env = make(task)
        solved = sum(first_success(env, seed) is not None for seed in range(100, 110))
        env.close()
        good += [task] if solved >= 9 else []
    assert len(good) >= 45, sorted(set(TASKS) - set(good))


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_row_is_what_the_simulator_says(task: str) -> None:
    assert WORLD[task] == describe(task)


@pytest.mark.render
def test_pictures_move_and_show_the_goal() -> None:
    env = make("reach")
    env.reset(seed=0)
    first = env.render()
    for _ in range(10):
        env.step(np.array([1.0, 0.0, 0.0, 0.0], np.float32))
    second = env.render()
    assert first.shape == (240, 320, 3)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, second)
    red, green, blue = (first[..., channel].astype(int) for channel in range(3))
    assert ((green > red + 40) & (green > blue + 40)).any(), "no goal in the picture"
