"""DeepMind Lab2D: the levels that its package brings, with one player; where an opponent is needed, the level's bot."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import world

HELD_OUT = ("running-with-scissors-no-rock",)
ABOVE = "seen from above, all of the level"
AROUND = "who steps, turns and sees the cells around and before him"
# level → (instruction, body, success, tags)
WORDS: dict[str, tuple[str, str, str | None, tuple[str, ...]]] = {
    "chase_eat": (
        "eat all food in the maze, again and again, and keep away from the ghosts unless a pill has made them weak",
        f"an eater who never stands still in a maze of nine by nine cells, {ABOVE}",
        None,
        ("navigation",),
    ),
    "clean_up": (
        "clean the river with the beam so that apples grow, and collect the apples",
        f"a player with a cleaning beam {AROUND}",
        None,
        ("navigation",),
    ),
    "commons_harvest": (
        "collect apples, and leave enough of them together for others to grow",
        f"a player {AROUND}",
        None,
        ("navigation",),
    ),
    "pushbox": (
        "push the four boxes onto the marks",
        f"a player who walks in a room of ten by ten cells with four boxes, {ABOVE}",
        "every box is on a mark",
        ("puzzle",),
    ),
    "running_with_scissors": (
        "collect rock, paper or scissors, find the other player and hit him with the beam when yours beat his",
        f"a player with a beam and an inventory {AROUND}; the other one acts at random",
        "the player is hit or hits while his things beat the other's",
        ("competitive",),
    ),
}
# Which things a map has only at random places, in words.
MAPS = {
    "probabilistic_apples": "which of them grow at the start is drawn anew each time",
    "no_rock": "rock is rare here",
    "no_paper": "paper is rare here",
    "no_scissors": "scissors are rare here",
}
SHOWN = {
    "chase_eat": "chaser:Chaser",
    "clean_up": "forager:Cleaner",
    "commons_harvest": "forager:Harvester",
    "pushbox": "pusher:Pusher",
}


def make_level(name: str, **kwargs: Any) -> Any:
    """Make a level by its name; dmlab2d is imported only here."""
    from opengato.envs.lab2d import make

    return make(name, **kwargs)


for _name, _facts in world("lab2d").items():
    _instruction, _body, _success, _tags = WORDS[_facts["level"]]
    register(
        f"lab2d/{_name}",
        instruction=f"{_instruction}; {MAPS[_facts['map']]}" if _facts["map"] in MAPS else _instruction,
        embodiment=_body,
        split="held_out" if _name in HELD_OUT else "train",
        tags=(
            "game",
            "pixels",
            "discrete",
            *_tags,
            *(("origin-state",) if _facts["inventory"] else ()),  # it stays as it is until something is found
        ),
        rate_hz=None,
        success=_success,
        demonstrator=f"opengato.envs.lab2d.{SHOWN[_facts['level']]}" if _facts["level"] in SHOWN else None,
        extra="lab2d",
    )(partial(make_level, _name))
