"""PyBullet worlds: the walking bodies and the pendulum of `pybullet_envs`, and a Panda arm.

All is rebuilt from `pybullet_data` with `pybullet_envs`' own numbers, because that package imports the dead `gym`.
Source of every constant: pybullet 3.2.7, modules `gym_locomotion_envs`, `gym_pendulum_envs`, `robot_locomotors`,
`robot_pendula`, `robot_bases`, `scene_abstract`, `scene_stadium` (Bullet physics, zlib licence).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import BulletEnv

WALKERS = ("hopper", "ant", "humanoid")
NAMES = (*WALKERS, "inverted-pendulum", "inverted-pendulum-swingup", "panda-reach", "panda-push")


def make(name: str, **kwargs: Any) -> BulletEnv:
    """Make one environment of the family.

    Args:
        name: one of `NAMES`.
        **kwargs: passed to the environment (`render_mode`, `max_steps`).

    Raises:
        UnknownNameError: there is no such environment.
    """
    if name in WALKERS:
        from .walker import WalkerEnv

        return WalkerEnv(name, **kwargs)
    if name == "inverted-pendulum":
        from .pendulum import PendulumBalanceEnv

        return PendulumBalanceEnv(**kwargs)
    if name == "inverted-pendulum-swingup":
        from .pendulum import PendulumSwingupEnv

        return PendulumSwingupEnv(**kwargs)
    if name == "panda-reach":
        from .panda_tasks import PandaReachEnv

        return PandaReachEnv(**kwargs)
    if name == "panda-push":
        from .panda_tasks import PandaPushEnv

        return PandaPushEnv(**kwargs)
    from opengato.errors import UnknownNameError

    raise UnknownNameError("bullet environment", name, NAMES, "Next: opengato list")
