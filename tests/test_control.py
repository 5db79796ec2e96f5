"""The control family: dm_control behind Gymnasium, by its state, by its camera and with bodies that differ."""

from __future__ import annotations

import numpy as np
import pytest

from opengato.envs.control import make
from opengato.envs.experts.policy import flatten
from opengato.tasks import registry
from opengato.tasks.families.control import TRAINED, VARIANTS

ALL = [card.id for card in registry.find("control/*")]
IDS = [f"control/{name}" for name in TRAINED]  # those with a policy of their own


def test_a_hanging_pole_is_held_out_in_every_variant() -> None:
    for family in VARIANTS:
        held_out = {card.id.split("/")[1] for card in registry.find(f"{family}/*", split="held_out")}
        assert held_out == {"cartpole-swingup", "cartpole-swingup-sparse"}


@pytest.mark.parametrize("task", IDS)
def test_rate_on_the_card_is_the_rate_of_the_simulator(task: str) -> None:
    card = registry.get(task)
    env = card.make()
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert env.physics.data.time == pytest.approx(1.0 / card.rate_hz, rel=1e-4)
    assert env.metadata["render_fps"] == round(card.rate_hz)
    env.close()


@pytest.mark.parametrize("task", ["cartpole balance", "lqr lqr_2_1"])  # the suite would let lqr go on for ever
def test_episode_is_500_steps_of_two_and_truncates(task: str) -> None:
    env = make(*task.split())
    env.reset(seed=0)
    for step in range(500):
        *_, terminated, truncated, _ = env.step(np.zeros(1, np.float32))
        assert not terminated
        assert truncated == (step == 499)


def test_action_repeat_sums_the_rewards_of_single_steps() -> None:
    double, single = make("walker", "walk"), make("walker", "walk", action_repeat=1)
    double.reset(seed=3)
    single.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(-1, 1, 6).astype(np.float32)
        observation, reward, *_ = double.step(action)
        first = single.step(action)
        second = single.step(action)
        assert reward == pytest.approx(first[1] + second[1])
        np.testing.assert_array_equal(flatten(observation), flatten(second[0]))


def test_one_seed_one_trajectory_and_reset_without_a_seed_goes_on() -> None:
    first, second = make("reacher", "easy"), make("reacher", "easy")
    for kwargs in ({"seed": 7}, {}, {}):
        a, b = first.reset(**kwargs)[0], second.reset(**kwargs)[0]
        np.testing.assert_array_equal(flatten(a), flatten(b))
    assert not np.array_equal(flatten(first.reset()[0]), flatten(a))


@pytest.mark.parametrize("task", ["finger turn_hard", "cartpole two_poles", "lqr lqr_2_1", "walker run"])
def test_looking_ahead_is_what_a_step_brings(task: str) -> None:
    env = make(*task.split())
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    for step in range(500):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        if step < 20 or step > 495:  # the start, and the end of the time
            before = env.snapshot()
            guess = env.look_ahead(action)
            env.put_back(before)
        else:
            guess = None
        _, reward, terminated, truncated, _ = env.step(action)
        assert guess is None or guess == (pytest.approx(reward), terminated or truncated)
    assert truncated


def test_seen_by_the_camera_the_body_does_the_same() -> None:
    state, pixels = make("walker", "walk"), make("walker", "walk", pixels=True)
    seen = [env.reset(seed=3)[0] for env in (state, pixels)]
    assert seen[1]["camera"].shape == (64, 64, 3)
    np.testing.assert_array_equal(flatten(seen[0]), flatten(pixels.state))
    for _ in range(3):
        action = state.action_space.sample()
        a, b = state.step(action), pixels.step(action)
        assert a[1] == b[1]
        assert not np.array_equal(b[0]["camera"], seen[1]["camera"])
    expert = registry.get("control-pixels/walker-walk").make_demonstrator()
    expert.reset(pixels)
    assert pixels.action_space.contains(expert.act(b[0]))


def test_bodies_differ_from_episode_to_episode_within_their_share() -> None:
    env, standard = make("cheetah", "run", bodies=0.3), make("cheetah", "run")
    mass = np.array(standard.physics.model.body_mass)
    told = [env.reset(seed=seed)[1]["body"] for seed in (0, 1, 0)]
    for factors in told[0].values():
        assert np.all(np.abs(np.asarray(factors) - 1) <= 0.3)
    np.testing.assert_allclose(env.physics.model.body_mass, mass * told[2]["body_mass"])
    assert told[0] == told[2]
    assert told[0]["body_mass"] != told[1]["body_mass"]
    with pytest.raises(ValueError, match="between 0 and 1"):
        make("cheetah", "run", bodies=1.0)


@pytest.mark.render
def test_picture_shows_the_body() -> None:
    env = make("cheetah", "run", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (240, 320, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5
    env.close()
