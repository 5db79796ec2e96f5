"""BabyAI levels of one room, with the bot as demonstrator."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register

# task → class in minigrid.envs.babyai, instruction, (random, expert) as the Jack of All Trades project published them.
LEVELS: dict[str, tuple[str, str, tuple[float, float]]] = {
    "go-to-local": ("GoToLocal", "go to the object that the mission names", (0.162, 0.925)),
    "go-to-red-ball": ("GoToRedBall", "go to the red ball", (0.167, 0.925)),
    "pickup-loc": ("PickupLoc", "pick up the object that the mission describes", (0.085, 0.915)),
}


def make_level(level: str, **kwargs: Any) -> Any:
    """Make a BabyAI level by its class name."""
    from opengato.envs.gridworld import make

    return make(level, **kwargs)


for _name, (_level, _instruction, (_random, _expert)) in LEVELS.items():
    register(
        f"gridworld/{_name}",
        instruction=_instruction,
        embodiment="an agent on a grid that sees the 7 by 7 cells before it",
        tags=("gridworld", "language", "discrete"),
        success="the mission is done",
        demonstrator="opengato.envs.gridworld.expert:Bot",
        published={"source": "JAT", "random": _random, "expert": _expert},
        extra="gridworld",
    )(partial(make_level, _level))
