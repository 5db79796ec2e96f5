"""Doom through the player's eyes: the scenarios that ViZDoom brings, in rooms that Freedoom's art fills."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import world

TICS_PER_SECOND, TICS_PER_STEP = 35, 4
# Same body as defend-the-centre, other room: turn and shoot.
HELD_OUT = ("defend-the-line",)

# scenario → (instruction, body, success)
KILLED = "the monster is shot before the time is up"
SURVIVED = "the player is alive when the minute is over"
LEFT_RIGHT = "a marine who steps left and right and fires a pistol"
TURRET = "a marine who turns on the spot and fires a pistol"
BAREFOOT = "a marine without weapons who walks and turns"
WORDS: dict[str, tuple[str, str, str | None]] = {
    "basic": ("shoot the monster at the far wall, with few bullets", LEFT_RIGHT, KILLED),
    "basic-notifications": (
        "shoot the monster that the message names, and spare the two others",
        LEFT_RIGHT,
        "the monster that the message names is shot before the time is up",
    ),
    "deadly-corridor": (
        "reach the vest at the end of the corridor past the guards",
        "a marine who walks, turns and fires a pistol",
        "the vest is reached",
    ),
    "deathmatch": (
        "shoot as many monsters as you can in two minutes; pick up weapons and armour",
        "a marine who walks, turns, fires and changes weapons",
        None,
    ),
    "defend-the-center": ("shoot the monsters that come from all sides; bullets are few", TURRET, None),
    "defend-the-line": ("shoot the monsters along the far wall and the ones that come for you", TURRET, None),
    "freedoom1": (
        "find the exit of the first map of Freedoom: Phase 1",
        "a marine who walks, turns, fires, changes weapons and opens doors",
        "the map's exit is taken within two minutes",
    ),
    "freedoom2": (
        "find the exit of the first map of Freedoom: Phase 2",
        "a marine who walks, turns, fires, changes weapons and opens doors",
        "the map's exit is taken within two minutes",
    ),
    "health-gathering": ("stay alive on the acid floor: collect medikits", BAREFOOT, SURVIVED),
    "health-gathering-supreme": (
        "stay alive in the acid maze: collect medikits, leave the poison vials",
        BAREFOOT,
        SURVIVED,
    ),
    "my-way-home": ("find the vest in the maze of rooms", BAREFOOT, "the vest is reached before the time is up"),
    "predict-position": (
        "hit the monster that runs along the far wall with your only rocket",
        "a marine who turns on the spot and fires a rocket launcher",
        "the monster is hit",
    ),
    "rocket-basic": (
        "hit the monster at the far wall with a rocket",
        "a marine who steps left and right and fires a rocket launcher",
        KILLED,
    ),
    "simpler-basic": ("shoot the monster at the far wall of the plain room, with few bullets", LEFT_RIGHT, KILLED),
    "take-cover": (
        "dodge the fireballs for as long as you can",
        "a marine without weapons who steps left and right",
        None,
    ),
}
SHOWN: dict[str, str] = {
    "basic": "shooter:Sidestepper",
    "basic-notifications": "shooter:MessageReader",
    "defend-the-center": "shooter:Turret",
    "defend-the-line": "shooter:Turret",
    "health-gathering": "walker:Gatherer",
    "health-gathering-supreme": "walker:CarefulGatherer",
    "my-way-home": "walker:Walker",
    "predict-position": "shooter:Rocketeer",
    "rocket-basic": "shooter:RocketStepper",
    "simpler-basic": "shooter:Sidestepper",
    "take-cover": "dodger:Dodger",
}


def make_scenario(scenario: str, **kwargs: Any) -> Any:
    """Make a scenario by the name of its file in ViZDoom, with hyphens."""
    from opengato.envs.doom import make

    return make(scenario, **kwargs)


for _name, _facts in world("doom").items():
    _instruction, _body, _success = WORDS[_name]
    register(
        f"doom/{_name}",
        instruction=_instruction,
        embodiment=f"{_body}, seen through his eyes",
        split="held_out" if _name in HELD_OUT else "train",
        tags=(
            "game",
            "pixels",
            "first-person",
            *(("navigation",) if "MOVE_FORWARD" in _facts["actions"] else ()),
            *(("origin-state",) if _facts["still"] else ()),  # Doom's own figures; some stand still for a while
        ),
        rate_hz=TICS_PER_SECOND / TICS_PER_STEP,
        success=_success,
        demonstrator=f"opengato.envs.doom.{SHOWN[_name]}" if _name in SHOWN else None,
        extra="doom",
    )(partial(make_scenario, _name))
