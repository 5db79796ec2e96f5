"""Sokoban with one to four boxes, each episode in a room of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register

NUMBERS = {1: "one box", 2: "two boxes", 3: "three boxes", 4: "four boxes"}
HELD_OUT = (3,)


def make_rooms(boxes: int, **kwargs: Any) -> Any:
    """Make the game with so many boxes."""
    from opengato.envs.sokoban import make

    return make(boxes, **kwargs)


for _boxes, _words in NUMBERS.items():
    register(
        f"sokoban/boxes-{_boxes}",
        instruction="push the box onto the goal" if _boxes == 1 else f"push the {_words} onto the goals",
        embodiment=f"a player who walks in a room of ten by ten cells with {_words}, seen from above",
        split="held_out" if _boxes in HELD_OUT else "train",
        tags=("game", "pixels", "discrete", "puzzle"),
        success="every box is on a goal",
        demonstrator="opengato.envs.sokoban.expert:Expert",
    )(partial(make_rooms, _boxes))
