"""The bullet family: exact resets, the rewards of `pybullet_envs`, the shipped policies, the Panda and its scripts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from opengato.envs.bullet import NAMES, make
from opengato.envs.bullet.expert import read_weights
from opengato.envs.bullet.panda import RATE_HZ, WORKSPACE_HIGH, WORKSPACE_LOW
from opengato.errors import ObservationError, OpengatoError, UnknownNameError
from opengato.tasks import registry

pytest.importorskip("pybullet")

# Returns over 1000 steps that the shipped policies reach here; the wheel's own environments gave the same ranges.
SHIPPED = {"hopper": 2400, "ant": 2250, "humanoid": 3600, "inverted-pendulum": 999, "inverted-pendulum-swingup": 820}


def play(card: registry.Card, seed: int, disturb: Callable[[np.ndarray], np.ndarray] = lambda action: action) -> tuple:
    """(return, steps, success) of one episode of the demonstrator."""
    env, expert = card.make(), card.make_demonstrator()
    observation, _ = env.reset(seed=seed)
    expert.reset(env)
    total, steps, success, ended = 0.0, 0, False, False
    while not ended:
        observation, reward, terminated, truncated, info = env.step(disturb(expert.act(observation)))
        total, steps, success = total + reward, steps + 1, success or info.get("success", False)
        ended = terminated or truncated
    env.close()
    return total, steps, success


def trace(env: Any, seed: int, steps: int) -> list[np.ndarray]:
    """Observations and rewards of random actions, whatever happens to the body."""
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    seen = [np.concatenate([observation[key] for key in observation])]
    for _ in range(steps):
        observation, reward, *_ = env.step(rng.uniform(-1, 1, env.action_space.shape))
        seen.append(np.append(np.concatenate([observation[key] for key in observation]), reward))
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_is_the_same_after_others_and_after_a_picture(name: str) -> None:
    fresh, used = make(name), make(name)
    trace(used, 1, 100)  # long enough to fall and to tangle limbs
    used.render()
    for left, right in zip(trace(fresh, 0, 80), trace(used, 0, 80), strict=True):
        np.testing.assert_array_equal(left, right)
    fresh.close()
    used.close()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_policy_reaches_its_score(name: str) -> None:
    total, steps, _ = play(registry.get(f"bullet/{name}"), seed=0)
    assert steps == 1000
    assert total > SHIPPED[name]


@pytest.mark.parametrize("name", ["panda-reach", "panda-push"])
def test_panda_script_succeeds_also_when_disturbed(name: str) -> None:
    card, rng = registry.get(f"bullet/{name}"), np.random.default_rng(0)
    for seed in range(100, 102):
        for noise in (0.0, 0.2):
            total, steps, success = play(card, seed, lambda action, n=noise: action + rng.normal(0, n, action.shape))
            assert success, (seed, noise)
            assert total == pytest.approx(1.0)
            assert steps < 200, "the episode ends once the goal has held"


def test_walker_reward_is_the_formula_of_its_source() -> None:
    env = make("ant")
    env.reset(seed=0)
    action = np.linspace(-1, 1, 8).astype(np.float32)
    before = env._mean_x
    observation, reward, terminated, _, _ = env.step(action)
    progress = (env._mean_x - before) / 0.0165
    power = -2.0 * np.abs(action * observation["joint_velocities"]).mean() - 0.1 * np.square(action).mean()
    stuck = np.count_nonzero(np.abs(observation["joint_positions"]) > 0.99)
    assert reward == pytest.approx(1.0 + progress + power - 0.1 * stuck, abs=1e-3)
    assert not terminated


def test_a_body_that_falls_ends_the_episode_with_minus_one_for_being_down() -> None:
    env = make("hopper")
    env.reset(seed=0)
    for _ in range(300):
        *_, terminated, truncated, _ = env.step(np.ones(3))
        if terminated:
            break
    assert terminated
    assert not truncated
    assert env.state[0] + env._reference_height <= 0.8 or abs(env.state[7]) >= 1.0


def test_pendulum_starts_hanging_and_is_cut_at_its_limit() -> None:
    env = make("inverted-pendulum-swingup", max_steps=5)
    observation, _ = env.reset(seed=0)
    assert observation["pole"][0] < -0.99
    ends = [env.step(np.zeros(1))[1:4] for _ in range(5)]
    assert [truncated for *_, truncated in ends] == [False] * 4 + [True]
    assert all(reward == pytest.approx(-1.0, abs=0.02) for reward, *_ in ends)


def test_balancing_starts_near_upright_and_ends_when_the_pole_falls() -> None:
    env = make("inverted-pendulum")
    observation, _ = env.reset(seed=0)
    assert observation["pole"][0] > 0.99
    for _ in range(200):
        _, reward, terminated, _, _ = env.step(np.ones(1))
        assert reward == 1.0
        if terminated:
            break
    assert terminated
    assert abs(env._angle) > 0.2


def test_panda_hand_moves_as_told_and_stays_in_its_workspace() -> None:
    env = make("panda-reach")
    env.reset(seed=2)
    start = env.hand.copy()
    env.step(np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(env.hand - start, [0, 0.3 / RATE_HZ, 0], atol=2e-3)
    for action in ([1, 1, -1], [-1, -1, 1]):
        for _ in range(60):
            env.step(np.array(action))
        assert (env.hand > WORKSPACE_LOW - 0.03).all()
        assert (env.hand < WORKSPACE_HIGH + 0.03).all()


def test_panda_offsets_lead_to_the_goal() -> None:
    env = make("panda-push")
    observation, _ = env.reset(seed=3)
    hand = observation["hand_position"] + 0.5 * (WORKSPACE_LOW + WORKSPACE_HIGH)
    puck = hand + observation["object_offset"]
    np.testing.assert_allclose(puck[:2] + observation["goal_offset"], env.goal[:2], atol=1e-5)


def test_panda_return_is_the_best_progress_and_never_falls() -> None:
    env = make("panda-reach")
    env.reset(seed=0)
    rewards = [env.step(env.action_space.sample())[1] for _ in range(50)]
    assert min(rewards) >= 0.0
    assert sum(rewards) <= 1.0 + 1e-6


def test_weights_are_read_from_the_wheel_without_gym() -> None:
    shapes = [array.shape for array in read_weights("Humanoid")]
    assert shapes == [(44, 256), (256,), (256, 128), (128,), (128, 17), (17,)]
    assert "gym" not in sys.modules
    with pytest.raises(OpengatoError, match="pip install"):
        read_weights("Centipede")


@pytest.mark.parametrize("action", [np.full(3, np.nan), np.zeros(4)])
def test_bad_action_is_refused(action: np.ndarray) -> None:
    env = make("hopper")
    env.reset(seed=0)
    with pytest.raises(ObservationError, match=r"\(3,\)"):
        env.step(action)


def test_unknown_name_and_render_mode_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="humanoid"):
        make("humanoids")
    with pytest.raises(OpengatoError, match="rgb_array"):
        make("ant", render_mode="human")


def test_many_environments_live_beside_one_another_and_go() -> None:
    import pybullet

    environments = [make("hopper") for _ in range(6)]
    starts = [env.reset(seed=4)[0]["joint_positions"] for env in environments]
    assert all(np.array_equal(starts[0], start) for start in starts)
    ids = {env.client.id for env in environments}
    assert len(ids) == 6
    for env in environments:
        env.close()
        env.close()
    assert not any(pybullet.isConnected(id) for id in ids)


def test_cards_agree_with_the_environments() -> None:
    for name in NAMES:
        card = registry.get(f"bullet/{name}")
        env = card.make(render_mode="rgb_array")
        assert env.metadata["render_fps"] == pytest.approx(card.rate_hz)
        env.close()


def test_listing_the_tasks_imports_no_pybullet() -> None:
    code = (
        "from opengato.tasks import registry; import sys; registry.get('bullet/ant'); print('pybullet' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
