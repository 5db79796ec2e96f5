"""The levels that the package of DMLab2D brings, and what their files do not say: who plays, and for how long."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from dmlab2d import runfiles_helper

# Maps that are no worlds, and actions that do nothing with nobody else there.
MAPS_LEFT_OUT = {"debug": "an empty room to try things in"}
ACTIONS_LEFT_OUT = {
    "clean_up": ("fireFine",),  # it fines other players
    "commons_harvest": ("zap",),  # it hits other players
}
# Where an opponent is needed it is the level's own bot, which acts at random.
SETTINGS = {"running_with_scissors": {"avatars.bots": "1"}}
MAX_STEPS = {"pushbox": 120}
OTHER_STEPS = 1000  # the limit of most; the others' 3000 and 3600 would show nothing new
# A map in a level's file: `maps.NAME = [[`, or one of a table of such.
MAP = re.compile(r"^\s*(?:maps|LAYOUTS)\.(\w+)\s*=\s*\[\[", re.MULTILINE)


@dataclass(frozen=True)
class Level:
    """One level with one of its maps.

    Args:
        folder: its name in the package.
        map: the name of the map; None where the level has one or draws its own.
        max_steps: of an episode.
        settings: further ones, by the names that the level's script has for them.
    """

    folder: str
    map: str | None
    max_steps: int
    settings: dict[str, str] = field(default_factory=dict)


def root() -> Path:
    """The folder of the package's levels."""
    return Path(str(runfiles_helper.find())) / "dmlab2d" / "lib" / "game_scripts" / "levels"


def levels() -> dict[str, Level]:
    """Every level that can be played, by name; a folder without a level of its own (`examples`) is none."""
    found = {}
    for script in sorted(root().glob("*/init.lua")):
        folder = script.parent.name
        file = script.parent / "maps.lua"
        names = MAP.findall(file.read_text(encoding="utf-8")) if file.is_file() else []
        for map in [name for name in names if name not in MAPS_LEFT_OUT] or [None]:
            parts = [folder] if map in (None, "default") else [folder, map]
            settings = dict(SETTINGS.get(folder, {}))
            if map is not None:
                settings["simulation.mapName"] = map
            name = "-".join(parts).replace("_", "-")
            found[name] = Level(folder, map, MAX_STEPS.get(folder, OTHER_STEPS), settings)
    return found
