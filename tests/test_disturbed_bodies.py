"""Other masses, friction and motors in every simulator: of what a body was, never on top of one another, and undone."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from opengato.envs.real.disturb import Disturbance
from opengato.envs.real.disturbed import Disturbed
from opengato.envs.real.physique import NONE, Body, physique_of
from opengato.envs.real.spread import read
from opengato.errors import OpengatoError
from opengato.tasks import registry

RATE_HZ = 20.0
TASKS = (
    "bullet/hopper", "bullet/ant", "bullet/panda-push", "control/cheetah-run", "control-small/walker-walk",
    "control-large/cheetah-run", "control-pixels/walker-walk", "mujoco/hopper", "robotics/fetch-push",
    "manipulation/lift-brick-features", "metaworld/door-open", "rgb-stacking/generalisation",
)  # fmt: skip
RNG = np.random.default_rng(0)


def made(task: str) -> Any:
    """The environment; the test is skipped where its simulator isn't installed."""
    card = registry.get(task)
    if not card.available:
        pytest.skip(f"{task} needs another extra")
    return card.make(evaluation=True)


def measured(env: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masses, inertias and what a contact takes of friction, as the simulator has them now."""
    body = env.unwrapped
    if not hasattr(body, "client"):
        model = body.physics.model.ptr if hasattr(body, "physics") else body.model
        return model.body_mass.copy(), model.body_inertia.copy(), model.geom_friction.copy()
    client = body.client
    bodies = [(each, link) for each in range(client.getNumBodies()) for link in range(-1, client.getNumJoints(each))]
    facts = [client.getDynamicsInfo(*each) for each in bodies]
    mass, friction, inertia = (np.array([fact[index] for fact in facts]) for index in range(3))
    return mass, inertia, friction**2  # a contact's is the product of both bodies'


def numbers(observation: Any) -> np.ndarray:
    return np.concatenate([np.ravel(value).astype(np.float64) for value in observation.values()])


def play(env: Any, seed: int, steps: int = 12) -> np.ndarray:
    """All that is seen and earned with random actions of a seed."""
    seen, draws = [numbers(env.reset(seed=seed)[0])], np.random.default_rng(seed)
    for _ in range(steps):
        observation, reward, terminated, truncated, _ = env.step(
            draws.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        )
        seen.append(np.append(numbers(observation), reward))
        if terminated or truncated:
            break
    return np.concatenate(seen)


@pytest.mark.parametrize("task", TASKS)
def test_a_body_is_changed_of_what_it_was_and_is_itself_again(task: str) -> None:
    plain, env = made(task), made(task)
    body = Body(env)
    body.change(Disturbance(mass=2.0, friction=0.5), RNG)
    for seed in (0, 1, 2):  # factors never come on top of one another
        plain.reset(seed=seed)
        env.reset(seed=seed)
    before, after = measured(plain), measured(env)
    np.testing.assert_allclose(after[0], 2 * before[0], rtol=1e-6)
    np.testing.assert_allclose(after[1], 2 * before[1], rtol=1e-6)
    np.testing.assert_allclose(after[2], 0.5 * before[2], rtol=1e-6)
    assert before[0].sum() > 0
    body.change(Disturbance(mass=0.5), RNG)
    env.reset(seed=2)
    np.testing.assert_allclose(measured(env)[0], 0.5 * before[0], rtol=1e-6)
    play(env, 3)
    body.change(Disturbance(), RNG)
    for seed in (4, 5):
        np.testing.assert_array_equal(play(env, seed), play(plain, seed))


@pytest.mark.parametrize("task", ["bullet/ant", "control-small/walker-walk", "robotics/fetch-push", "mujoco/hopper"])
@pytest.mark.parametrize("wrong", [{"mass": 2.0}, {"friction": 0.5}], ids=["mass", "friction"])
def test_each_changes_what_happens_by_the_seed_alone(task: str, wrong: dict[str, Any]) -> None:
    plain, env = made(task), Disturbed(made(task), Disturbance(**wrong), RATE_HZ)
    seen = play(env, 1, 60)
    assert not np.array_equal(seen, play(plain, 1, 60))
    play(env, 2)
    np.testing.assert_array_equal(seen, play(env, 1, 60))
    again = Disturbed(made(task), Disturbance(**wrong), RATE_HZ)
    np.testing.assert_array_equal(seen, play(again, 1, 60))


@pytest.mark.parametrize("task", ["bullet/hopper", "control-large/cheetah-run", "rgb-stacking/generalisation"])
def test_factors_may_be_drawn_for_every_episode(task: str) -> None:
    spread = read({"mass": [0.5, 2], "friction": [0.5, 2], "gear": [0.9, 1.1]})
    assert spread is not None
    plain, env = made(task), Disturbed(made(task), spread, RATE_HZ)
    for seed in (1, 2, 1):
        told = env.reset(seed=seed)[1]["disturbance"]
        plain.reset(seed=seed)
        np.testing.assert_allclose(measured(env)[0], told["mass"] * measured(plain)[0], rtol=1e-6)
        np.testing.assert_allclose(measured(env)[2], told["friction"] * measured(plain)[2], rtol=1e-6)


def test_a_drawn_body_is_the_one_that_its_seed_draws() -> None:
    plain, env = made("control-large/cheetah-run"), made("control-large/cheetah-run")
    Body(env).change(Disturbance(mass=2.0, gear=0.5, damping=3.0), RNG)
    for seed in (0, 1, 0):
        assert env.reset(seed=seed)[1] == plain.reset(seed=seed)[1]
        ours, theirs = env.unwrapped.physics.model, plain.unwrapped.physics.model
        np.testing.assert_allclose(ours.actuator_gear, 0.5 * theirs.actuator_gear)
        np.testing.assert_allclose(ours.dof_damping, 3 * theirs.dof_damping)
        np.testing.assert_array_equal(ours.dof_armature, theirs.dof_armature)


def test_a_heavy_body_senses_its_own_speed() -> None:
    """MuJoCo finds the speed of a body's centre by what it summed up of the masses when it compiled."""
    env = made("control/cheetah-run")
    Body(env).change(Disturbance(mass=2.0), RNG)
    play(env, 0, 40)
    physics = env.unwrapped.physics
    masses, speeds = physics.model.body_mass[1:], [physics.data.body(i).cvel for i in range(1, physics.model.nbody)]
    origin = physics.data.subtree_com[1]
    places = physics.data.xipos[1:]
    linear = [v[3:] + np.cross(v[:3], place - origin) for v, place in zip(speeds, places, strict=True)]
    assert physics.speed() == pytest.approx(float(masses @ np.array(linear)[:, 0] / masses.sum()), rel=1e-4, abs=1e-4)
    assert physics.model.ptr.body_subtreemass[0] == pytest.approx(masses.sum())


@pytest.mark.parametrize("friction", [0.5, 2.0])
def test_a_puck_slides_as_far_as_friction_says(friction: float) -> None:
    far = []
    for factor in (1.0, friction):
        env = made("bullet/panda-push")
        Body(env).change(Disturbance(friction=factor), RNG)
        env.reset(seed=0)
        client, puck = env.unwrapped.client, env.unwrapped._puck
        client.resetBasePositionAndOrientation(puck, (2.0, 0.0, 0.025), (0, 0, 0, 1))
        client.resetBaseVelocity(puck, (1.0, 0.0, 0.0))
        for _ in range(30):
            client.stepSimulation()
        far.append(client.getBasePositionAndOrientation(puck)[0][0] - 2.0)
    assert far[0] / far[1] == pytest.approx(friction, rel=0.1)


def test_motors_of_half_the_force_do_half() -> None:
    weak, plain = made("bullet/ant"), made("bullet/ant")
    Body(weak).change(Disturbance(gear=0.5), RNG)
    weak.reset(seed=0)
    plain.reset(seed=0)
    for _ in range(20):
        action = weak.action_space.sample()
        np.testing.assert_array_equal(numbers(weak.step(action)[0]), numbers(plain.step(action / 2)[0]))


@pytest.mark.parametrize(
    ("task", "wrong", "told"),
    [
        ("bullet/hopper", {"damping": 2.0}, "damping can't be changed .* what can: mass, friction, gear. Next"),
        ("bullet/panda-push", {"gear": 2.0, "texture": 0.1}, "gear and texture can't .* can: mass, friction. Next"),
        ("gridworld/go-to-local", {"mass": 2.0}, "mass can't .* nothing of its body can. Next: disturbance={mass: 1}"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_is_said(task: str, wrong: dict[str, Any], told: str) -> None:
    env = made(task)
    Disturbed(env, Disturbance(noise=0.1), RATE_HZ)
    with pytest.raises(OpengatoError, match=told):
        Disturbed(env, Disturbance(**wrong), RATE_HZ)


def test_what_a_material_colours_keeps_its_colour_but_for_what_is_asked() -> None:
    plain = made("control-pixels/walker-walk")
    env = Disturbed(made("control-pixels/walker-walk"), Disturbance(texture=0.01), RATE_HZ)
    seen, right = (each.reset(seed=0)[0]["camera"].astype(int) for each in (env, plain))
    assert 0 < np.abs(seen - right).max() <= 3  # 0.01 of 255, rounded
    Body(plain).change(Disturbance(texture=0.3), RNG)
    assert 20 < np.abs(plain.reset(seed=0)[0]["camera"].astype(int) - right).max() <= 78
    env.env.unwrapped.physique.change(NONE)
    np.testing.assert_array_equal(env.env.reset(seed=0)[0]["camera"], right)


def test_an_environment_may_say_itself_what_can_be_changed() -> None:
    class Own(gymnasium.Env[Any, Any]):
        can = ("mass",)

        def __init__(self) -> None:
            self.physique, self.masses = self, list[float]()

        def change(self, wanted: Any) -> None:
            self.masses.append(wanted.mass)

    env = Own()
    assert physique_of(env) is env  # type: ignore[comparison-overlap]
    body = Body(env)
    for mass in (1.0, 2.0, 3.0, 1.0):
        body.change(Disturbance(mass=mass), RNG)
    assert env.masses == [2, 3, 1], "one that nothing is asked of is left alone"
