"""Sokoban: push every box onto a goal in a room of ten by ten cells. Written here; needs no package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import Sokoban

BOXES = (1, 2, 3, 4)  # how many a room can have


def make(boxes: int, **kwargs: Any) -> Sokoban:
    """Make the game with so many boxes.

    Args:
        boxes: one of `BOXES`.
        **kwargs: passed to the environment (`render_mode`, `max_steps`).

    Raises:
        OpengatoError: there are no rooms with so many boxes.
    """
    from .env import Sokoban

    return Sokoban(boxes, **kwargs)
