"""Other masses and friction: read back from the simulator, never compounded, gone without a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from opengato.envs.real.bodies import Body, changeable
from opengato.envs.real.disturb import Disturbance
from opengato.envs.real.disturbed import Disturbed
from opengato.envs.real.spread import read
from opengato.errors import OpengatoError
from opengato.tasks import registry


def model_facts(env: Any) -> tuple[float, float]:
    """Sum of masses and of sliding friction of a MuJoCo body."""
    model = env.unwrapped.model if env.unwrapped.model is not None else env.unwrapped.physics.model
    return float(np.sum(model.body_mass)), float(np.sum(model.geom_friction[:, 0]))


def bullet_facts(env: Any) -> tuple[float, float]:
    """Sum of masses, and of the squares of all links' friction: a contact has the product of two."""
    client, mass, friction = env.unwrapped.client, 0.0, 0.0
    for body in map(client.getBodyUniqueId, range(client.getNumBodies())):
        for link in range(-1, client.getNumJoints(body)):
            facts = client.getDynamicsInfo(body, link)
            mass, friction = mass + facts[0], friction + facts[1] ** 2
    return mass, friction


def needs(task: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not registry.get(task).available, reason=f"{task} can't be made here")


needs_bullet = needs("bullet/ant")
BODIES = [
    pytest.param("arm/lift-red", model_facts, id="arm"),
    pytest.param("control/cheetah-run", model_facts, id="control"),
    pytest.param("control-small/walker-walk", model_facts, id="control-small"),
    pytest.param("mujoco/hopper", model_facts, id="mujoco"),
    pytest.param("metaworld/door-open", model_facts, id="metaworld", marks=needs("metaworld/door-open")),
    pytest.param("bullet/ant", bullet_facts, id="bullet", marks=needs_bullet),
    pytest.param("bullet/panda-push", bullet_facts, id="panda", marks=needs_bullet),
]


def path(env: gym.Env[Any, Any], seed: int, steps: int = 12) -> list[float]:
    """What is sensed in numbers along the way of actions that a seed decides."""
    seen, _ = env.reset(seed=seed)
    env.action_space.seed(seed)
    told: list[float] = []
    for _ in range(steps):
        told += [float(np.sum(value)) for value in gym.spaces.utils.flatten(env.observation_space, seen)[-40:]]
        seen = env.step(env.action_space.sample())[0]
    return told


@pytest.mark.parametrize(("task", "facts"), BODIES)
def test_factors_are_of_what_the_body_was_at_first(task: str, facts: Callable[[Any], tuple[float, float]]) -> None:
    card = registry.get(task)
    plain, env = card.make(), card.make()
    changed = Disturbed(env, read({"mass": [0.5, 2], "friction": [0.5, 2]}), 20.0)  # type: ignore[arg-type]
    for seed in range(4):  # each of the last is what its own draw says, whatever was drawn before
        plain.reset(seed=seed)
        told = changed.reset(seed=seed)[1]["disturbance"]
        mass, friction = facts(plain)
        assert facts(env) == pytest.approx((mass * told["mass"], friction * told["friction"]), rel=1e-6)
    plain.close()
    changed.close()


@pytest.mark.parametrize(("task", "facts"), BODIES)
def test_another_body_moves_otherwise_and_the_first_comes_back(task: str, facts: Any) -> None:
    card = registry.get(task)
    env = card.make()
    before = path(env, 5)
    wrong = Disturbance(mass=2.0, friction=0.5)
    body = Body(env)
    body.change(wrong, np.random.default_rng(0))
    heavy = path(env, 5)
    assert heavy != before
    assert heavy == path(Disturbed(card.make(), wrong, 20.0), 5)
    body.change(Disturbance(), np.random.default_rng(0))
    assert path(env, 5) == before
    env.close()


def test_what_cannot_be_changed_is_named() -> None:
    grid = registry.get("caption/scene").make()
    assert changeable(grid) == ()
    with pytest.raises(OpengatoError, match="mass can't be changed for this body; legal here: nothing"):
        Disturbed(grid, Disturbance(mass=2.0), 20.0)
    Disturbed(grid, Disturbance(noise=0.1), 20.0)


@needs_bullet
def test_a_body_without_gears_says_what_it_has() -> None:
    hopper = registry.get("bullet/hopper").make()
    with pytest.raises(OpengatoError, match="gear can't be changed for this body; legal here: mass, friction"):
        Disturbed(hopper, Disturbance(gear=2.0), 20.0)
