"""Which of ViZDoom's scenarios one player can play here, and what their files do not say."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Literal

import vizdoom

# Scenarios that are no worlds here, and why.
LEFT_OUT = {
    "basic-audio": "its target is invisible and can only be heard",
    "cig": "it wants several players",
    "doom": "it wants the game that is sold",
    "doom2": "it wants the game that is sold",
    "learning": "it is `basic`",
    "multi": "it wants several players",
    "multi-duel": "it wants several players",
    "oblige": "it wants a map from a generator that does not come with it",
}

# How an episode is won. `exit`: the scenario's own end with a reward (a monster dies, a vest is reached, a map's exit
# is taken); `survive`: alive when the time is up. Elsewhere the return is all that counts.
Goal = Literal["exit", "survive"]
GOALS: dict[str, Goal] = {
    "basic": "exit",
    "basic-notifications": "exit",
    "deadly-corridor": "exit",
    "freedoom1": "exit",
    "freedoom2": "exit",
    "health-gathering": "survive",
    "health-gathering-supreme": "survive",
    "my-way-home": "exit",
    "predict-position": "exit",
    "rocket-basic": "exit",
    "simpler-basic": "exit",
}

FIRST_MAPS = {"freedoom1": "E1M1", "freedoom2": "MAP01"}  # where a scenario's file does not name its map

TICS_PER_SECOND = 35
TICS_PER_STEP = 4
UNLIMITED_TICS = 2100  # an episode's length where the scenario sets none: one minute, as in most others
GAME_TICS = 4200  # … and where it sets an hour, because it is a whole game: two minutes


def config(scenario: str) -> Path:
    """The file that ViZDoom reads."""
    return Path(vizdoom.scenarios_path) / f"{scenario.replace('-', '_')}.cfg"


def scenarios() -> list[str]:
    """Names of all scenarios that can be played here, sorted."""
    found = (path.stem.replace("_", "-") for path in Path(vizdoom.scenarios_path).glob("*.cfg"))
    return sorted(name for name in found if name not in LEFT_OUT)


def maps(scenario: str) -> list[str]:
    """Names of the maps that a scenario could be played on, e.g. `E1M3` or `MAP07`, as its WAD file lists them."""
    whole_game = Path(vizdoom.__file__).parent / f"{scenario}.wad"
    wad = whole_game if whole_game.is_file() else config(scenario).with_suffix(".wad")
    with wad.open("rb") as file:
        _, number, start = struct.unpack("<4sii", file.read(12))
        file.seek(start)
        entries = file.read(16 * number)
    names = {entries[at + 8 : at + 16].rstrip(b"\0").decode("ascii", "replace") for at in range(0, len(entries), 16)}
    return sorted(name for name in names if re.fullmatch(r"E\dM\d|MAP\d\d", name))
