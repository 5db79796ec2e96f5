"""The picture of a room, drawn cell by cell in numpy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .board import SIDE, Position, Room

WALL, MORTAR, FLOOR = (92, 84, 110), (60, 54, 76), (24, 24, 30)
GOAL, BOX, BOX_EDGE, HOME, HOME_EDGE, PLAYER = (
    (230, 90, 70),
    (190, 130, 60),
    (120, 76, 30),
    (110, 200, 90),
    (50, 120, 50),
    (80, 170, 250),
)


@lru_cache(maxsize=64)
def _tile(kind: str, pixels: int) -> np.ndarray:
    """uint8 [pixels, pixels, 3]: wall, floor, goal, box, home (a box on a goal), player or player-goal."""
    at = (np.arange(pixels) + 0.5) / pixels * 2 - 1
    down, across = np.meshgrid(at, at, indexing="ij")
    away, far = np.hypot(down, across), np.maximum(np.abs(down), np.abs(across))
    tile = np.empty((pixels, pixels, 3), np.uint8)
    tile[:] = WALL if kind == "wall" else FLOOR
    if kind == "wall":
        tile[(down > 1 - 2.1 / pixels) | (across > 1 - 2.1 / pixels)] = MORTAR
    if kind in ("goal", "player-goal"):
        tile[(away > 0.55) & (away < 0.95)] = GOAL
    if kind == "goal":
        tile[away < 0.3] = GOAL
    if kind in ("box", "home"):
        tile[far < 0.9] = BOX_EDGE if kind == "box" else HOME_EDGE
        tile[far < 0.6] = BOX if kind == "box" else HOME
    if kind.startswith("player"):
        tile[away < 0.55] = PLAYER
    tile.setflags(write=False)
    return tile


def draw(room: Room, position: Position, pixels: int, margin: int = 0) -> np.ndarray:
    """The room from above.

    Args:
        room: the room.
        position: what stands where.
        pixels: along a cell's side.
        margin: pixels of wall all round.

    Returns:
        uint8 [10 · pixels + 2 · margin, the same, 3].
    """
    side = SIDE * pixels + 2 * margin
    picture = np.empty((side, side, 3), np.uint8)
    picture[:] = MORTAR
    for cell in range(SIDE * SIDE):
        goal = cell in room.goals
        if cell not in room.floor:
            kind = "wall"
        elif cell == position.player:
            kind = "player-goal" if goal else "player"
        elif cell in position.boxes:
            kind = "home" if goal else "box"
        else:
            kind = "goal" if goal else "floor"
        row, column = (margin + pixels * part for part in divmod(cell, SIDE))
        picture[row : row + pixels, column : column + pixels] = _tile(kind, pixels)
    return picture
