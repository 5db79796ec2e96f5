"""PyBullet: the walking bodies and the pendulum of `pybullet_envs`, and a Panda arm that reaches and pushes."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register

_EXPERT = "opengato.envs.bullet.expert"
_PANDA = "opengato.envs.bullet.panda_expert"
_ARM = "a Franka Panda arm on a table, moved by the velocity of its closed hand"

# name: instruction, embodiment, tags, demonstrator
_RUNNING: dict[str, tuple[str, str, str]] = {
    "hopper": ("hop forward as fast as you can", "a planar leg with three joints", "Hopper"),
    "ant": ("run forward as fast as you can", "a four-legged body with eight joints", "Ant"),
    "humanoid": ("run forward as fast as you can", "a humanoid with seventeen joints", "Humanoid"),
}


def _make(name: str, **kwargs: Any) -> Any:
    from opengato.envs.bullet import make

    return make(name, **kwargs)


for _name, (_instruction, _embodiment, _demonstrator) in _RUNNING.items():
    register(
        f"bullet/{_name}",
        instruction=_instruction,
        embodiment=_embodiment,
        extra="bullet",
        tags=("locomotion", "state"),
        rate_hz=1.0 / 0.0165,
        demonstrator=f"{_EXPERT}:{_demonstrator}",
    )(partial(_make, _name))

register(
    "bullet/inverted-pendulum",
    instruction="keep the pole upright",
    embodiment="a cart on a rail that carries a pole",
    extra="bullet",
    tags=("balance", "state"),
    rate_hz=1.0 / 0.0165,
    demonstrator=f"{_EXPERT}:PendulumBalance",
)(partial(_make, "inverted-pendulum"))

register(
    "bullet/inverted-pendulum-swingup",
    instruction="swing the pole up and keep it upright",
    embodiment="a cart on a rail that carries a pole",
    extra="bullet",
    tags=("balance", "state"),
    rate_hz=1.0 / 0.0165,
    demonstrator=f"{_EXPERT}:PendulumSwingup",
)(partial(_make, "inverted-pendulum-swingup"))

register(
    "bullet/panda-reach",
    instruction="bring the hand to the goal",
    embodiment=_ARM,
    extra="bullet",
    tags=("arm", "reach", "state"),
    rate_hz=20.0,
    success="the hand is within 2 cm of the goal",
    demonstrator=f"{_PANDA}:PandaReach",
)(partial(_make, "panda-reach"))

register(
    "bullet/panda-push",
    instruction="push the puck onto the mark",
    embodiment=_ARM,
    extra="bullet",
    tags=("arm", "push", "state"),
    rate_hz=20.0,
    success="the puck's centre is within 4 cm of the mark's",
    demonstrator=f"{_PANDA}:PandaPush",
)(partial(_make, "panda-push"))
