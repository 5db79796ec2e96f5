"""Gymnasium-Robotics: a Fetch arm, two hands, mazes and a Franka arm in a kitchen, most of them with goals.

Engine: gymnasium-robotics 1.4.2 on MuJoCo (MIT licence), imported only when a task is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import Robotics


def make(id: str, **kwargs: Any) -> Robotics:
    """Make one task by its id in Gymnasium's registry, e.g. `FetchPush-v4`.

    Args:
        id: the newest version of a task of this package.
        **kwargs: passed to the environment.

    Raises:
        UnknownNameError: Gymnasium-Robotics has no such task.
    """
    from .env import Robotics

    return Robotics(id, **kwargs)
