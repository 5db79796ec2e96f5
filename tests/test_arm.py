"""The arm: its spaces, its sameness, its demonstrator and the scenes drawn for captions."""

from __future__ import annotations

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from opengato.envs.arm import make
from opengato.envs.arm.env import HALF_HEIGHT, ArmEnv
from opengato.envs.arm.expert import HELD_OUT, ArmExpert
from opengato.envs.arm.goals import BESIDE
from opengato.envs.arm.kinematics import joints_for
from opengato.envs.arm.scene import AREA, MAX_OBJECTS, SHAPES, SceneObject, SceneRenderer
from opengato.envs.tabletop import MAX_STEPS
from opengato.errors import OpengatoError, UnknownNameError
from opengato.tasks import registry
from opengato.tasks.families.arm import TRIPLETS

TASKS = [
    ("reach", "red"),
    ("lift", "red"),
    ("stack", "red", "blue"),
    ("stack", "red", "green"),
    ("stack", "blue", "green"),
    ("place", "green", "red"),
]


def run(env: gym.Env, seed: int, noise: float = 0.0) -> tuple[bool, float, int]:
    """Success, return and length of an episode of the demonstrator, its actions disturbed by `noise`."""
    expert, random = ArmExpert(), np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    expert.reset(env)
    total, steps, done, info = 0.0, 0, False, {}
    while not done:
        action = expert.act(observation)
        assert env.action_space.contains(action)
        disturbed = np.clip(action + random.normal(0, noise, 5), -1, 1)
        observation, reward, terminated, truncated, info = env.step(disturbed)
        total, steps, done = total + reward, steps + 1, terminated or truncated
    return info["success"], total, steps


@pytest.mark.parametrize("task", TASKS, ids="-".join)
def test_demonstrator_succeeds_even_when_disturbed(task: tuple[str, ...]) -> None:
    env = make(*task, cameras=False)
    for seed, noise in ((0, 0.0), (1, 0.0), (2, 0.3), (3, 0.3)):
        success, total, steps = run(env, seed, noise)
        assert success
        assert total == pytest.approx(1.0)
        assert steps < 200


@pytest.mark.parametrize(
    ("task", "others"),
    [(("reach", "red"), {("green", None), ("blue", None)}), (("stack", "red", "green"), {("red", "blue")})],
    ids=str,
)
def test_on_a_detour_another_object_is_meant(task: tuple[str, ...], others: set[tuple[str, str | None]]) -> None:
    env = make(*task, cameras=False)
    observation, _ = env.reset(seed=2)
    expert = ArmExpert()
    expert.reset(env)
    before = env.unwrapped.goal.top, env.unwrapped.goal.bottom
    strays = [expert.astray(np.random.default_rng(seed)) for seed in range(8)]
    assert {(stray._goal.top, stray._goal.bottom) for stray in strays} == others
    for stray in strays:
        assert env.action_space.contains(stray.act(observation))
    assert (env.unwrapped.goal.top, env.unwrapped.goal.bottom) == before


def test_no_detour_shows_a_held_out_stack() -> None:
    assert {card.id for card in registry.find("arm/stack-*", split="held_out") if "triplet" not in card.id} == {
        f"arm/stack-{HELD_OUT[0]}-on-{HELD_OUT[1]}"
    }
    env = make("stack", "blue", "red", cameras=False)
    env.reset(seed=0)
    expert = ArmExpert()
    expert.reset(env)
    with pytest.raises(OpengatoError, match="held out"):
        expert.astray(np.random.default_rng(0))


@pytest.mark.parametrize("number", range(1, 6))
def test_every_basket_can_be_stacked_and_placed_in(number: int) -> None:
    for goal in ("stack", "place"):
        env = make(goal, "green", "blue", shapes=TRIPLETS[number - 1], cameras=False)
        success, total, steps = run(env, number)
        assert success
        assert total == pytest.approx(1.0)
        assert steps < 200


def test_what_lies_beside_another_from_the_start_is_not_placed() -> None:
    env = make("place", "red", "blue", cameras=False)
    env.reset(seed=0)
    body: ArmEnv = env.unwrapped  # type: ignore[assignment]
    start = body.model.joint("red").qposadr[0]
    body.data.qpos[start : start + 2] = body.object_position("blue")[:2] + [0, sum(BESIDE) / 2]
    mujoco.mj_forward(body.model, body.data)
    assert BESIDE[0] < body.horizontal_distance("red", "blue") < BESIDE[1]
    assert not body.goal.met(body)
    assert body.goal.progress(body) < 0.2


def test_baskets_four_and_five_and_one_pair_are_held_out() -> None:
    held_out = {card.id for card in registry.find("arm/*", split="held_out")}
    assert len(registry.find("arm/*")) == 90
    assert held_out == {
        card.id for card in registry.find("arm/*")
        if card.id.endswith(("-triplet-4", "-triplet-5")) or "stack-blue-on-green" in card.id
    }  # fmt: skip


def test_same_seed_and_actions_give_the_same_bytes() -> None:
    runs = []
    for _ in range(2):
        env = make("stack", "red", "blue")
        observation, _ = env.reset(seed=7)
        env.action_space.seed(7)
        steps = [observation] + [env.step(env.action_space.sample())[0] for _ in range(8)]
        runs.append(steps)
        assert all(env.observation_space.contains(step) for step in steps)
        for before, after in zip(steps, steps[1:], strict=False):
            assert not any(np.shares_memory(before[name], after[name]) for name in before)
    for one, other in zip(*runs, strict=True):
        assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_observations_vary_and_hold_no_object_state() -> None:
    env = make("lift", "red")
    observations = [env.reset(seed=seed)[0] for seed in range(6)]
    env.action_space.seed(0)
    observations += [env.step(env.action_space.sample())[0] for _ in range(20)]
    for name in ("joint_angles", "joint_velocities", "gripper", "pose"):
        assert (np.ptp([observation[name] for observation in observations], axis=0) > 0).all()
    assert set(observations[0]) == {
        "joint_angles", "joint_velocities", "gripper", "pose", "camera_front", "camera_side",
    }  # fmt: skip


def test_random_actions_score_low_and_the_episode_ends() -> None:
    env = make("stack", "red", "green", cameras=False)
    env.reset(seed=0)
    env.action_space.seed(0)
    rewards = []
    for step in range(MAX_STEPS):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        rewards.append(reward)
        assert not terminated
        assert truncated == (step == MAX_STEPS - 1)
        assert info["success"] is False
    assert min(rewards) >= 0
    assert sum(rewards) < 0.3


def test_a_stack_held_by_the_gripper_is_no_success() -> None:
    env = make("stack", "red", "blue", cameras=False).unwrapped
    assert isinstance(env, ArmEnv)
    env.reset(seed=0)
    below = env.object_position("blue")
    start = env.model.joint("red").qposadr[0]
    env.data.qpos[start : start + 3] = below + [0, 0, 2 * HALF_HEIGHT]
    env.data.qvel[:] = 0
    mujoco.mj_forward(env.model, env.data)
    assert env.goal.met(env)
    env.data.qpos[start + 2] += 0.02
    mujoco.mj_forward(env.model, env.data)
    assert not env.goal.met(env)


def test_kinematics_match_the_scene() -> None:
    env = make("reach", "red", cameras=False).unwrapped
    assert isinstance(env, ArmEnv)
    random = np.random.default_rng(0)
    for _ in range(20):
        place, yaw = random.uniform([-0.14, -0.14, 0.02], [0.14, 0.14, 0.24]), random.uniform(-1, 1)
        env.data.qpos[:5] = joints_for(place, yaw)
        mujoco.mj_forward(env.model, env.data)
        assert env.gripper_position() == pytest.approx(place, abs=1e-9)
        assert env.gripper_yaw() == pytest.approx(yaw, abs=1e-9)
        assert env.data.site("tcp").xmat[8] == pytest.approx(1.0)


def test_bad_input_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="stack"):
        make("stak", "red", "blue")
    with pytest.raises(UnknownNameError):
        make("lift", "pink")
    with pytest.raises(OpengatoError):
        make("stack", "red", "red")
    with pytest.raises(OpengatoError, match="yellow"):
        make("lift", "yellow")
    with pytest.raises(UnknownNameError):
        make("lift", "red", shapes={"red": "teapot"})
    env = make("lift", "red", cameras=False)
    env.reset(seed=0)
    with pytest.raises(OpengatoError):
        env.step(np.full(5, np.nan))


def test_render() -> None:
    env = make("lift", "red", cameras=False)
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (240, 320, 3)
    assert picture.std() > 10
    env.close()


def test_still_scenes() -> None:
    renderer = SceneRenderer(64, 64)
    empty = renderer.render([])
    for shape in SHAPES:
        one = renderer.render([SceneObject(shape, "blue", 0.0, -0.08)])
        assert (one != empty).any()
    left = renderer.render(
        [SceneObject("ball", "red", 0.0, -0.1), SceneObject("cube", "green", 0.1, 0.1, "small", 0.4)]
    )
    changed = np.argwhere((left != empty).any(axis=-1))
    red = np.argwhere((left[..., 0] > 80) & (left[..., 1] < 40))
    green = np.argwhere((left[..., 1] > 60) & (left[..., 0] < 40) & (left[..., 2] < 60))
    assert len(red) > 10
    assert len(green) > 10
    assert len(changed) >= len(red) + len(green)
    assert red[:, 1].max() < green[:, 1].min(), "smaller y is further left"
    assert red[:, 0].mean() < green[:, 0].mean(), "larger x is lower in the picture"
    assert np.array_equal(renderer.render([]), empty), "objects of an earlier picture remain"
    corner = renderer.render([SceneObject("ball", "red", AREA, AREA)])
    assert not (corner != empty)[:, -1].any(), "an object at the edge of the area is cut"
    with pytest.raises(UnknownNameError):
        SceneObject("cube", "pink", 0, 0)
    with pytest.raises(OpengatoError):
        renderer.render([SceneObject("cube", "red", 0, 0)] * (MAX_OBJECTS + 1))
