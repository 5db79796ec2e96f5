"""RGB Stacking: red on blue with the benchmark's own arm and objects; skill mastery and skill generalisation.

Mastery is trained and judged on the five published triplets; generalisation is trained on other objects and judged on
the same five. So an agent that was trained on a mastery task shows nothing by a generalisation task.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import world


def make_rgb_stacking(triplet: str, **kwargs: Any) -> Any:
    """The environment; the benchmark's packages are imported only here."""
    from opengato.envs.rgb_stacking import make

    return make(triplet, **kwargs)


def _register(name: str, triplet: str, skill: str, split: str, like: str | None = None) -> None:
    register(
        f"rgb-stacking/{name}",
        instruction="stack the red object on the blue object",
        embodiment="a Sawyer arm with a Robotiq gripper over a basket with a red, a green and a blue object",
        split=split,
        tags=("arm", "pixels", "stack", skill),
        rate_hz=20,
        success="the red object rests on the blue one alone, the gripper let go and is 7 cm above, for half a second",
        demonstrator="opengato.envs.rgb_stacking.expert:StackExpert",
        extra="rgb-stacking",
        same_returns_as=f"rgb-stacking/{like}" if like else None,
    )(partial(make_rgb_stacking, triplet))


for _name, _facts in world("rgb_stacking").items():
    if _name == "random":
        _register("generalisation", _facts["triplet"], "generalisation", "train")
    else:
        _register(f"mastery-{_name}", _facts["triplet"], "mastery", "train")
        _register(f"generalisation-{_name}", _facts["triplet"], "generalisation", "held_out", f"mastery-{_name}")
