"""What differs from game to game: one record each, plain data, no simulator imported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Game:
    """One cartridge.

    Args:
        background: colours of the console that are drawn black, so that whatever else is on the screen stands out.
        max_steps: agent steps (of four frames) after which an episode is truncated.
        top: first row that the agent sees, of 160 rows two of which make one of its picture; None to show it the whole
            screen, 210 to 250 rows of which two to four make one.
        opening: frames at the start of the game in which no button has an effect on the screen; they are passed over.
        serve: address of the RAM cell that is 0 while no ball is in play, for a game whose ball must be served with
            FIRE; None for the others.
    """

    background: tuple[int, ...]
    max_steps: int = 2500
    top: int | None = None
    opening: int = 0
    serve: int | None = None


# Games whose picture is cut to where things happen; the others are shown whole.
FITTED: dict[str, Game] = {
    # First to 21 points; the picture spans the court from wall to wall.
    "pong": Game(top=34, background=(0x22,)),
    # Five balls, and up to two walls of 432 points.
    "breakout": Game(top=34, background=(0x00,), serve=101),
    # 2 min 16 s by the console's clock, 2 040 steps or so. Road and dashes are background, cars and chickens are not.
    "freeway": Game(top=30, background=(0x06, 0x0C)),
    # One round of 2 min, 1 790 steps or so, or a knock-out at 100 points.
    "boxing": Game(top=28, background=(0xD6,)),
}


def _games() -> dict[str, Game]:
    """Every game of the list that `python -m opengato.envs.atari` writes, by its name in ALE with hyphens."""
    listed = json.loads((files("opengato.assets") / "worlds" / "atari.json").read_text(encoding="utf-8"))
    return {
        name: FITTED.get(name) or Game(background=(row["background"],), opening=row["opening"])
        for name, row in listed.items()
    }


GAMES: dict[str, Game] = _games()
