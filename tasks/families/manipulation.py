"""DeepMind's manipulation tasks: a Jaco arm and bricks, by their state or by a camera. None has a demonstrator yet."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import world

# task without its kind of sight → instruction
INSTRUCTIONS = {
    "lift-brick": "lift the brick",
    "lift-large-box": "lift the large box",
    "place-brick": "place the brick on the pedestal",
    "place-cradle": "place the ball in the cradle on the pedestal",
    "reach-duplo": "reach the brick with the hand",
    "reach-site": "reach the target with the hand",
    "reassemble-3-bricks-fixed-order": "take the tower of three bricks apart and build it in the order asked for",
    "reassemble-5-bricks-random-order": "take the tower of five bricks apart and build it in the order asked for",
    "stack-2-bricks": "stack one brick on the other",
    "stack-2-bricks-moveable-base": "stack one loose brick on the other",
    "stack-2-of-3-bricks-random-order": "stack two of the three bricks in the order asked for",
    "stack-3-bricks": "stack three bricks",
    "stack-3-bricks-random-order": "stack three bricks in the order asked for",
}


def make_manipulation(name: str, **kwargs: Any) -> Any:
    """Make a task by its name with dm_control."""
    from opengato.envs.manipulation import make

    return make(name, **kwargs)


# Its target is a mark in the air that the ray-caster does not draw, so by sight alone it cannot be done.
UNSEEN = ("reach-site-vision",)

for _name, _facts in world("manipulation").items():
    if _name in UNSEEN:
        continue
    _task, _sight = _name.rsplit("-", 1)
    register(
        f"manipulation/{_name}",
        instruction=INSTRUCTIONS[_task],
        embodiment="a Jaco arm with six joints and three fingers over a table",
        tags=("manipulation", "pixels") if _sight == "vision" else ("manipulation", "state", "origin-state"),
        rate_hz=25,
        same_returns_as=f"manipulation/{_task}-features" if _sight == "vision" else None,
    )(partial(make_manipulation, _facts["name"]))
