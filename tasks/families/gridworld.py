"""Every MiniGrid and BabyAI level, with BabyAI's bot or a planner as demonstrator."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import published, world

# Two levels, and those that are the same in another size.
HELD_OUT = ("pickup-dist", "pickup-dist-debug", "put-next-local", "put-next-local-s5n3", "put-next-local-s6n4")
# MiniGrid lays these out alike whatever the seed.
FIXED = ("empty-5x5", "empty-6x6", "empty-8x8", "empty-16x16", "dist-shift-1", "dist-shift-2")
DEMONSTRATORS = {
    "bot": "opengato.envs.gridworld.expert:Bot",
    "planner": "opengato.envs.gridworld.planner:Planner",
    "keys": "opengato.envs.gridworld.planner:KeyPlanner",
}
# In words that the shipped agent was trained with; the other levels say what their missions have in common.
INSTRUCTIONS = {
    "go-to-local": "go to the object that the mission names",
    "go-to-red-ball": "go to the red ball",
    "pickup-loc": "pick up the object that the mission describes",
}


def make_level(level: str, **kwargs: Any) -> Any:
    """Make a level by its id in MiniGrid's registry."""
    from opengato.envs.gridworld import make

    return make(level, **kwargs)


_jat = published("jat")
for _name, _facts in world("gridworld").items():
    _expert = _jat.get(f"babyai-{_name}")
    register(
        f"gridworld/{_name}",
        instruction=INSTRUCTIONS.get(_name, _facts["instruction"]),
        embodiment="an agent on a grid that sees the 7 by 7 cells before it",
        split="held_out" if _name in HELD_OUT else "train",
        tags=(
            "gridworld",
            "language",
            "discrete",
            "minigrid" if _name.startswith("minigrid-") else "babyai",
            *(("fixed-start",) if _name.removeprefix("minigrid-") in FIXED else ()),
        ),  # fmt: skip
        success="the mission is done",
        demonstrator=DEMONSTRATORS.get(_facts["demonstrator"] or ""),
        published={"source": "JAT", "random": _expert["random"], "expert": _expert["expert"]} if _expert else None,
        extra="gridworld",
    )(partial(make_level, _facts["level"]))
