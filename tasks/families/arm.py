"""The arm: reach, lift, stack and place coloured objects in five baskets, seen by two cameras."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from typing import Any

from opengato.tasks.registry import register

# Which shape has which colour, in five baskets. The first is the one whose tasks bear no number.
TRIPLETS: tuple[dict[str, str], ...] = (
    {"red": "cube", "green": "cylinder", "blue": "prism"},
    {"red": "cylinder", "green": "prism", "blue": "cube"},
    {"red": "prism", "green": "cube", "blue": "cylinder"},
    {"red": "cube", "green": "cube", "blue": "prism"},
    {"red": "cylinder", "green": "cylinder", "blue": "prism"},
)
HELD_OUT_TRIPLETS = (4, 5)
HELD_OUT_PAIR = ("blue", "green")  # stacking these, in any basket
COLORS = tuple(TRIPLETS[0])
GOALS = {
    "reach": (
        "move the gripper right above the {0} object",
        "the fingertips stay within 2 cm of the point 6 cm above the {0} object's centre for half a second",
    ),
    "lift": ("lift the {0} object", "both fingers hold the {0} object 6 cm above the floor for half a second"),
    "stack": (
        "stack the {0} object on the {1} object",
        "the {0} object rests on the {1} one with the gripper open and away, for half a second",
    ),
    "place": (
        "place the {0} object beside the {1} object",
        "the {0} object was lifted and rests on the floor beside the {1} one, with the gripper open and away, for half "
        "a second",
    ),
}


def make_arm(goal: str, top: str, bottom: str | None = None, **kwargs: Any) -> Any:
    """The environment of one task; arguments as of `opengato.envs.arm.make`."""
    from opengato.envs.arm import make

    return make(goal, top, bottom, **kwargs)


def _register(goal: str, colors: tuple[str, ...], number: int) -> None:
    instruction, success = (text.format(*colors) for text in GOALS[goal])
    name = {"stack": "stack-{}-on-{}", "place": "place-{}-beside-{}"}.get(goal, f"{goal}-{{}}").format(*colors)
    held_out = number in HELD_OUT_TRIPLETS or (goal == "stack" and colors == HELD_OUT_PAIR)
    kwargs: dict[str, Any] = {"shapes": TRIPLETS[number - 1]} if number > 1 else {}
    register(
        f"arm/{name}" + (f"-triplet-{number}" if number > 1 else ""),
        instruction=instruction,
        embodiment="a five-joint arm with a parallel gripper over a basket with a red, a green and a blue object",
        split="held_out" if held_out else "train",
        tags=("arm", "pixels", goal, f"triplet-{number}"),
        rate_hz=20,
        success=success,
        demonstrator="opengato.envs.arm.expert:ArmExpert",
    )(partial(make_arm, goal, *colors, **kwargs))


for _number in range(1, len(TRIPLETS) + 1):
    for _goal in ("reach", "lift"):
        for _color in COLORS:
            _register(_goal, (_color,), _number)
    for _goal in ("stack", "place"):
        for _pair in permutations(COLORS, 2):
            _register(_goal, _pair, _number)
