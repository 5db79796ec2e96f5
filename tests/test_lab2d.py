"""DeepMind Lab2D: what is listed, the same level from the same seed, and the demonstrators."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from opengato import tasks
from opengato.errors import ObservationError, UnknownNameError
from opengato.tasks.worlds import world

pytest.importorskip("dmlab2d")

from opengato.envs.lab2d import make
from opengato.envs.lab2d.__main__ import describe
from opengato.envs.lab2d.chaser import Chaser
from opengato.envs.lab2d.levels import levels, root


def play(id: str, seed: int, steps: int | None = None, expert: bool = True) -> tuple[float, bool, int]:
    """Return, success and length of an episode of the demonstrator, or of acting at random."""
    card = tasks.get(id)
    env = card.make(max_steps=steps)
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    demonstrator = card.make_demonstrator()
    demonstrator.reset(gymnasium.Wrapper(env))
    total, ended, info = 0.0, False, dict[str, Any]()
    while not ended:
        action = demonstrator.act(observation) if expert else env.action_space.sample()
        observation, reward, terminated, truncated, info = env.step(action)
        total, ended = total + reward, terminated or truncated
    return total, info.get("success", False), env.num_steps


def test_lists_the_packages_levels() -> None:
    assert {name: describe(name) for name in levels()} == world("lab2d")
    folders = {script.parent.name for script in root().glob("*/init.lua")}
    assert {row["level"] for row in world("lab2d").values()} == folders
    assert {card.id for card in tasks.find("lab2d/*")} == {f"lab2d/{name}" for name in levels()}


def test_refuses_what_there_is_not() -> None:
    with pytest.raises(UnknownNameError, match="pushbox"):
        make("push-box")
    env = make("clean-up")
    env.reset(seed=0)
    for action in ([0, 1], [5, 1, 0], [-1, 1, 0], 3):
        with pytest.raises(ObservationError, match="outside"):
            env.step(action)


def test_food_is_looked_for_on_the_map_alone() -> None:
    chaser = Chaser()
    chaser._floor, chaser._worth = {(0, 0), (0, 1)}, {(0, 1): 1.0}  # no walls round it, as a broken map has none
    assert chaser._hunger(frozenset()) == {(0, 1): 0, (0, 0): 1}


def test_an_episode_is_truncated() -> None:
    env = make("commons-harvest", max_steps=3)
    env.reset(seed=0)
    assert [env.step([0, 1])[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


def test_settings_reach_the_level() -> None:
    env = make("pushbox", settings={"numBoxes": 1})
    env.reset(seed=0)
    assert "".join(env.text()).count("B") == 1


def test_the_picture_in_detail_shows_the_same_moment() -> None:
    env = make("pushbox")
    env.action_space.seed(0)
    for seed in (0, 1):
        env.reset(seed=seed)
        for _ in range(10):
            observation = env.step(env.action_space.sample())[0]
        large = env.render()
        assert large.shape == (320, 320, 3)
        small = large[16::32, 16::32].astype(int)  # the middle of each cell
        seen = observation["image"][2:62, 2:62][3::6, 3::6].astype(int)
        assert np.median(np.abs(small - seen)) < 40
        again = make("pushbox")
        again.reset(seed=seed)
        for action in env.history:
            again.step(action[0])
        np.testing.assert_array_equal(again.render(), large)


def test_a_duel_is_the_players_own() -> None:
    """The level tells the sum over both, which is zero; and pays a step before it ends."""
    env = make("running-with-scissors")
    env.action_space.seed(0)
    returns = []
    for seed in range(6):
        env.reset(seed=seed)
        total, ended, info = 0.0, False, dict[str, Any]()
        while not ended:
            _, reward, terminated, truncated, info = env.step(env.action_space.sample())
            total, ended = total + reward, terminated or truncated
        returns.append(total)
        assert info["success"] == (total > 0)
    assert any(returns)


def test_pusher_solves_the_room_and_finds_back() -> None:
    total, success, steps = play("lab2d/pushbox", 1)
    assert success
    assert total > 9
    assert steps < 60
    env, demonstrator = make("pushbox"), tasks.get("lab2d/pushbox").make_demonstrator()
    observation, _ = env.reset(seed=1)
    demonstrator.reset(env)
    info = {}
    for step in range(100):
        action = demonstrator.act(observation)
        assert demonstrator.act(observation) == action
        observation, _, terminated, truncated, info = env.step(0 if step == 3 else action)
        if terminated or truncated:
            break
    assert info["success"]


@pytest.mark.parametrize("name", ["chase-eat", "commons-harvest", "commons-harvest-probabilistic-apples"])
def test_demonstrators_collect_more_than_chance(name: str) -> None:
    shown = sum(play(f"lab2d/{name}", seed, 200)[0] for seed in range(2))
    chance = sum(play(f"lab2d/{name}", seed, 200, expert=False)[0] for seed in range(2))
    assert shown > 2 * chance


def test_cleaner_cleans_and_then_harvests() -> None:
    assert play("lab2d/clean-up", 1, 700)[0] >= 50
