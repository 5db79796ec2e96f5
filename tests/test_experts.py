"""Trained experts: the policies that ship, what plays them, and the trainer that made them."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from opengato.envs.control import make
from opengato.envs.experts.expert import HELD_OUT, Expert
from opengato.envs.experts.policy import MlpPolicy, flatten
from opengato.errors import ObservationError, OpengatoError, SpaceError
from opengato.tasks import Card, registry
from opengato.tasks.families import control, mujoco
from opengato.training import experts

FOLDER = Path(__file__).parents[1] / "assets" / "experts"
IDS = [f"control/{name}" for name in control.TRAINED] + [f"mujoco/{name}" for name in mujoco.TRAINED]
# Of the published expert's return: what every shipped one has to reach.
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


def test_every_policy_that_ships_is_shown_and_has_a_card() -> None:
    shipped = {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.safetensors")}
    assert shipped == set(IDS)
    assert {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.json")} == shipped


@pytest.mark.parametrize("task", IDS)
def test_expert_reaches_the_bar(task: str) -> None:
    card = registry.get(task)
    assert card.published is not None
    assert play(card, seed=900) >= BAR * card.published["expert"]


@pytest.mark.parametrize("task", IDS)
def test_expert_files_are_small_and_say_how_they_were_made(task: str) -> None:
    path = FOLDER / f"{task}.safetensors"
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


def test_score_of_a_policy_has_an_interval_and_suffers_from_noise() -> None:
    env = gymnasium.wrappers.TimeLimit(make("cartpole", "balance"), 50)
    still = MlpPolicy([np.zeros((5, 1))], [np.zeros(1)], -np.ones(1), np.ones(1))
    card = experts.score(env, still, episodes=2)
    low, high = card["interval_95"]
    assert low <= card["mean_return"] <= high
    assert card["mean_action_change"] == 0.0
    assert set(card["mean_return_under_action_noise"]) == {"0.1", "0.2"}
    env.close()


def test_what_normalises_the_observations_disappears_into_the_first_layer(tmp_path: Path) -> None:
    pytest.importorskip("sbx", reason="pip install 'opengato[experts]'")
    config = experts.Config(task="control/cartpole-balance", out=tmp_path, steps=120, start_steps=60, width=8, batch=8)
    env = experts.make_env(config)
    model = experts.build_model(config, env)
    model.learn(config.steps)
    policy = experts.actor_policy(model, env, {})
    observation, _ = env.reset(seed=0)
    wanted, _ = model.predict(model.get_vec_normalize_env().normalize_obs(observation[None]), deterministic=True)
    np.testing.assert_allclose(policy(observation), wanted[0], atol=1e-4)
    assert np.abs(policy(observation)).max() < 1.0
    env.close()


# Forward speed in m/s, once it is up. The reward for standing is paid to one who walks, too: a policy that is trained
# for it alone may walk, and whoever learns from it learns not to listen.
@pytest.mark.parametrize(
    ("task", "low", "high"),
    [("walker-stand", -0.1, 0.1), ("walker-walk", 0.8, 2.0), ("walker-walk-backwards", -2.0, -0.8)],
)
def test_tasks_of_one_body_are_shown_differently(task: str, low: float, high: float) -> None:
    card = registry.get(f"control/{task}")
    env, expert = card.make(), card.make_demonstrator()
    observation, _ = env.reset(seed=901)
    expert.reset(env)
    speeds = []
    for _ in range(300):
        observation, *_ = env.step(expert.act(observation))
        speeds.append(env.unwrapped.physics.horizontal_velocity())
    assert low <= np.mean(speeds[150:]) <= high
    env.close()


def test_astray_is_another_task_of_the_same_body() -> None:
    assert set(HELD_OUT) == {id for id in IDS if registry.get(id).split == "held_out"}
    walker = make("walker", "stand")
    observation, _ = walker.reset(seed=0)
    expert = Expert()
    expert.reset(walker)
    strays = [expert.astray(np.random.default_rng(seed)) for seed in range(8)]
    assert {stray.task for stray in strays} == {"control/walker-walk", "control/walker-walk-backwards"}
    for stray in strays:
        assert not np.allclose(stray.act(observation), expert.act(observation))
    pole = make("cartpole", "balance")
    pole.reset(seed=0)
    expert.reset(pole)
    with pytest.raises(OpengatoError, match=r"another task of the body of control/cartpole-balance\. Next: detours=0"):
        expert.astray(np.random.default_rng(0))
