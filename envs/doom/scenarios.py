"""Which of ViZDoom's scenarios one player can play here, and what their files do not say."""

from __future__ import annotations

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
