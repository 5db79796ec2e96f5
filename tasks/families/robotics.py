"""Gymnasium-Robotics: the Fetch arm, two hands, mazes for a ball and for an ant, a Franka arm in a kitchen."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import world

FETCH, MAZE = "opengato.envs.robotics.fetch:FetchExpert", "opengato.envs.robotics.maze:MazePlanner"
SHADOW = "a Shadow hand with 24 joints and 20 actuators, its wrist fixed"
ADROIT = "a Shadow hand on a free arm"
FRANKA = "a Franka arm with seven joints and a gripper in a kitchen"

# name's beginning → body
BODIES = {
    "fetch": "a Fetch arm with a gripper that is moved along x, y and z, over a table",
    "hand": SHADOW,
    "adroit-hand-pen": "a Shadow hand whose wrist moves and turns a little",
    "adroit": ADROIT,
    "point": "a ball that is pushed along x and y",
    "ant": "a four-legged walker with eight joints",
    "franka": FRANKA,
}

# name without its kind of reward and of touch → (instruction, success)
WITHIN_5_CM = "within 5 cm of the target"
POSE = "at the pose shown, to 1 cm and 0.1 rad"
TURNED = "turned as shown, to 0.1 rad"
TASKS = {
    "fetch-reach": ("move the gripper to the target", f"the gripper is {WITHIN_5_CM}"),
    "fetch-push": ("push the block to the target", f"the block is {WITHIN_5_CM}"),
    "fetch-slide": ("hit the puck so that it slides to the target", f"the puck is {WITHIN_5_CM}"),
    "fetch-pick-and-place": ("pick up the block and hold it at the target", f"the block is {WITHIN_5_CM}"),
    "hand-reach": (
        "bring the fingertips to their targets",
        "the five fingertips together are within 1 cm of their targets (root of the summed squares)",
    ),
    "hand-manipulate-block": ("move and turn the block in the hand to the pose shown", f"the block is {POSE}"),
    "hand-manipulate-block-rotate-z": (
        "turn the block in the hand about the vertical as shown",
        f"the block is {TURNED}",
    ),
    "hand-manipulate-block-rotate-parallel": (
        "turn the block in the hand so that the face and direction shown are up",
        f"the block is {TURNED}",
    ),
    "hand-manipulate-block-rotate-xyz": ("turn the block in the hand as shown", f"the block is {TURNED}"),
    "hand-manipulate-egg": ("move and turn the egg in the hand to the pose shown", f"the egg is {POSE}"),
    "hand-manipulate-egg-rotate": ("turn the egg in the hand as shown", f"the egg is {TURNED}"),
    "hand-manipulate-pen": (
        "move and turn the pen in the hand to the pose shown",
        "the pen is at the pose shown, to 5 cm and 0.1 rad, however rolled",
    ),
    "hand-manipulate-pen-rotate": ("turn the pen in the hand as shown", "the pen points as shown, to 0.1 rad"),
    "adroit-hand-door": ("undo the latch and pull the door open", "the door is open by 1.35 rad"),
    "adroit-hand-hammer": ("pick up the hammer and drive in the nail", "the nail is within 1 cm of fully driven in"),
    "adroit-hand-pen": (
        "turn the pen in the hand to point like the green one",
        "the pen is within 7.5 cm of its place and points as shown, to a cosine of 0.95",
    ),
    "adroit-hand-relocate": ("carry the ball to the target", "the ball is within 10 cm of the target"),
    "franka-kitchen": ("do everything there is to do in the kitchen", "each of the seven things has been done"),
    "franka-kitchen-bottom-burner": ("turn on the bottom burner", "its knob is within 0.3 rad of on"),
    "franka-kitchen-top-burner": ("turn on the top burner", "its knob is within 0.3 rad of on"),
    "franka-kitchen-light-switch": ("switch on the light", "the switch is within 0.3 rad of on"),
    "franka-kitchen-slide-cabinet": ("slide the cabinet open", "the door is within 0.3 m of open"),
    "franka-kitchen-hinge-cabinet": ("open the hinged cabinet", "the doors are within 0.3 rad of open"),
    "franka-kitchen-microwave": ("open the microwave", "the door is within 0.3 rad of open"),
    "franka-kitchen-kettle": (
        "move the kettle to the back burner",
        "position and turn of the kettle together are within 0.3 of the goal",
    ),
}
ROLES = {"point": "roll", "ant": "walk"}
LAYOUTS = {
    "open": "across the open field",
    "u-maze": "through the U-shaped maze",
    "medium": "through the middle-sized maze",
    "large": "through the large maze",
}
# One maze in all its forms: a way through it says how to get through its others.
HELD_OUT = "point-maze-medium"


def make_task(id: str, settings: dict[str, Any], **kwargs: Any) -> Any:
    """The environment; gymnasium-robotics is imported only here."""
    from opengato.envs.robotics import make

    return make(id, **{**settings, **kwargs})


def facts(name: str) -> tuple[str, str]:
    """(instruction, success) of a task by its name."""
    plain = re.sub(r"(-(boolean|continuous)-touch-sensors)?(-dense|-sparse)?$", "", name)
    if plain in TASKS:
        return TASKS[plain]
    body, _, layout = plain.partition("-maze-")
    way = LAYOUTS[re.sub(r"-diverse-gr?$", "", layout)]
    return f"{ROLES[body]} {way} to the target", "its middle is within 45 cm of the target"


def reward_kind(name: str) -> str:
    """`sparse` or `dense`: the origin names the one that its default is not."""
    if name.endswith(("-sparse", "-dense")):
        return name.rsplit("-", 1)[1]
    return "dense" if name.startswith("adroit") else "sparse"


def shown_by(name: str) -> str | None:
    """The demonstrator, where there is one."""
    return {"fetch": FETCH, "point": MAZE}.get(name.split("-")[0])


for _name, _facts in world("robotics").items():
    _instruction, _success = facts(_name)
    register(
        f"robotics/{_name}",
        instruction=_instruction,
        embodiment=next(body for beginning, body in BODIES.items() if _name.startswith(beginning)),
        split="held_out" if _name.startswith(HELD_OUT) else "train",
        tags=(
            "navigation" if "-maze-" in _name else "manipulation",
            "state",
            "origin-state",
            reward_kind(_name),
        ),
        rate_hz=_facts["rate_hz"],
        success=f"at some step, {_success}",
        demonstrator=shown_by(_name),
        extra="robotics",
    )(partial(make_task, _facts["id"], _facts["kwargs"]))
