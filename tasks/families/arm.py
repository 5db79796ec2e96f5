"""The arm: reach, lift and stack coloured objects, seen by two cameras."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register

HELD_OUT = {("blue", "green")}
_FACTS: dict[str, Any] = {
    "embodiment": "a five-joint arm with a parallel gripper over a basket with a red, a green and a blue object",
    "rate_hz": 20,
    "demonstrator": "opengato.envs.arm.expert:ArmExpert",
}


def make_arm(goal: str, top: str, bottom: str | None = None, **kwargs: Any) -> Any:
    """The environment of one task; arguments as of `opengato.envs.arm.make`."""
    from opengato.envs.arm import make

    return make(goal, top, bottom, **kwargs)


register(
    "arm/reach-red",
    instruction="move the gripper right above the red object",
    tags=("arm", "pixels", "reach"),
    success="the fingertips stay within 2 cm of the point 6 cm above the red object's centre for half a second",
    **_FACTS,
)(partial(make_arm, "reach", "red"))

register(
    "arm/lift-red",
    instruction="lift the red object",
    tags=("arm", "pixels", "lift"),
    success="both fingers hold the red object 6 cm above the floor for half a second",
    **_FACTS,
)(partial(make_arm, "lift", "red"))

for _top, _bottom in (("red", "blue"), ("red", "green"), ("blue", "green")):
    register(
        f"arm/stack-{_top}-on-{_bottom}",
        instruction=f"stack the {_top} object on the {_bottom} object",
        split="held_out" if (_top, _bottom) in HELD_OUT else "train",
        tags=("arm", "pixels", "stack"),
        success=f"the {_top} object rests on the {_bottom} one with the gripper open and away, for half a second",
        **_FACTS,
    )(partial(make_arm, "stack", _top, _bottom))
