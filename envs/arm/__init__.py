"""A five-joint arm over a basket with three coloured objects, after RGB Stacking; seen by two cameras."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

TRIPLET = {"red": "cube", "green": "cylinder", "blue": "prism"}


def make(goal: str, top: str, bottom: str | None = None, **kwargs: Any) -> gym.Env:
    """The environment of one task.

    Args:
        goal: `reach`, `lift`, `stack` or `place`.
        top: colour of the object that the task is about.
        bottom: colour of the object it goes on (`stack`) or beside (`place`); the other goals need none.
        **kwargs: of `ArmEnv`.

    Raises:
        UnknownNameError: there is no such goal, or no object of such a colour.
        OpengatoError: `stack` or `place` lacks its second colour, or has the same twice.
    """
    from opengato.envs.arm.env import ArmEnv
    from opengato.envs.arm.goals import make_goal

    return ArmEnv(make_goal(goal, top, bottom), **kwargs)
