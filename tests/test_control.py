"""The control family: dm_control behind Gymnasium, its shipped experts, and the trainer that made them."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from opengato.envs.control import make
from opengato.envs.control.policy import MlpPolicy, flatten
from opengato.errors import ObservationError, OpengatoError, SpaceError
from opengato.tasks import Card, registry
from opengato.tasks.families.control import TRAINED, VARIANTS
from opengato.training import experts

ALL = [card.id for card in registry.find("control/*")]
IDS = [f"control/{name}" for name in TRAINED]  # those with a policy of their own
# 80 % of TD-MPC2's return, the bar that every shipped expert has to reach.
BAR = 0.8


class Picture(gymnasium.Env[np.ndarray, np.ndarray]):
    """A body that only sees a picture."""

    observation_space = spaces.Box(0, 255, (8, 8, 3), np.uint8)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)


def play(card: Card, seed: int) -> float:
    """Return of one episode of the demonstrator."""
    env, expert = card.make(), card.make_demonstrator()
    observation, _ = env.reset(seed=seed)
    expert.reset(env)
    total, ended = 0.0, False
    while not ended:
        observation, reward, terminated, truncated, _ = env.step(expert.act(observation))
        total += reward
        ended = terminated or truncated
    env.close()
    return total


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


@pytest.mark.parametrize("task", IDS)
def test_expert_reaches_the_bar(task: str) -> None:
    card = registry.get(task)
    assert card.published is not None
    assert play(card, seed=900) >= BAR * card.published["expert"]


@pytest.mark.parametrize("task", IDS)
def test_expert_files_are_small_and_say_how_they_were_made(task: str) -> None:
    path = Path(__file__).parents[1] / "assets" / "experts" / f"{task}.safetensors"
    assert path.stat().st_size <= 2**20
    facts = MlpPolicy.load(path).facts
    assert facts["task"] == task
    assert facts["command"].startswith("opengato expert task=")


def test_policy_round_trip_and_refusals(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(3, 4)), rng.normal(size=(4, 2))], [np.zeros(4), np.ones(2)]
    low, high = np.array([-1.0, 0.0]), np.array([3.0, 5.0])
    policy = MlpPolicy(*layers, low, high, {"task": "a/b"})
    policy.save(tmp_path / "p.safetensors")
    loaded = MlpPolicy.load(tmp_path / "p.safetensors")
    observation = {"b": np.ones(2), "a": np.array([5.0])}
    np.testing.assert_array_equal(flatten(observation), np.array([5, 1, 1], np.float32))
    np.testing.assert_array_equal(loaded(observation), policy(observation))
    assert loaded.facts == {"task": "a/b"}
    far = loaded(100 * rng.normal(size=3))
    assert (far >= low).all()
    assert (far <= high).all()
    with pytest.raises(ObservationError, match="trained on 3"):
        loaded(np.zeros(5))
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(OpengatoError, match=r"bad\.safetensors"):
        MlpPolicy.load(tmp_path / "bad.safetensors")


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


def test_trainer_refuses_pictures_and_holds_actions() -> None:
    with pytest.raises(SpaceError, match="float vectors"):
        experts.check_spaces(Picture(), "mylab/picture")
    config = experts.Config(task="control/cheetah-run", out=Path(), hold=2, effort=0.5, change=1.0)
    env = experts.Decisions(make("cheetah", "run"), config)
    env.reset(seed=0)
    start = env.unwrapped.physics.data.time
    _, reward, *_ = env.step(np.ones(6, np.float32))
    assert env.unwrapped.physics.data.time - start == pytest.approx(0.04)
    # Full effort for two steps, and a change of 1 from the resting action, against rewards of at most 2 a step.
    assert reward < 2 * (2.0 - 0.5) - 1.0


@pytest.mark.render
def test_picture_shows_the_body() -> None:
    env = make("cheetah", "run", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (240, 320, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5
    env.close()


def test_score_of_a_policy_has_an_interval_and_suffers_from_noise() -> None:
    env = gymnasium.wrappers.TimeLimit(make("cartpole", "balance"), 50)
    still = MlpPolicy([np.zeros((5, 1))], [np.zeros(1)], -np.ones(1), np.ones(1))
    card = experts.score(env, still, episodes=2)
    low, high = card["interval_95"]
    assert low <= card["mean_return"] <= high
    assert card["mean_action_change"] == 0.0
    assert set(card["mean_return_under_action_noise"]) == {"0.1", "0.2"}
    env.close()
