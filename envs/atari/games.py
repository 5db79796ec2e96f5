"""What differs from game to game: one record each, plain data, no simulator imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Game:
    """One cartridge.

    Args:
        max_steps: agent steps (of four frames) after which an episode is truncated.
        top: first row of the 210 that the agent sees; it sees 160 rows and all 160 columns.
        background: colours of the console that are drawn black, so that whatever else is on the screen stands out.
        serve: address of the RAM cell that is 0 while no ball is in play, for a game whose ball must be served with
            FIRE; None for the others.
    """

    max_steps: int
    top: int
    background: tuple[int, ...]
    serve: int | None = None


GAMES: dict[str, Game] = {
    # First to 21 points; the picture spans the court from wall to wall.
    "pong": Game(max_steps=2500, top=34, background=(0x22,)),
    # Five balls, and up to two walls of 432 points.
    "breakout": Game(max_steps=2500, top=34, background=(0x00,), serve=101),
    # 2 min 16 s by the console's clock, 2 040 steps or so. Road and dashes are background, cars and chickens are not.
    "freeway": Game(max_steps=2500, top=30, background=(0x06, 0x0C)),
    # One round of 2 min, 1 790 steps or so, or a knock-out at 100 points.
    "boxing": Game(max_steps=2500, top=28, background=(0xD6,)),
}
