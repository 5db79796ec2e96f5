"""MiniGrid and BabyAI: a grid of coloured objects seen through a 7x7 window, and a mission in words.

Engine: MiniGrid, imported only when a level is made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import GridWorld

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # MiniGrid imports pygame, which greets on stdout


def make(level: str, **kwargs: Any) -> GridWorld:
    """Make a level by its id in MiniGrid's registry, e.g. `BabyAI-GoToLocal-v0`.

    Raises:
        UnknownNameError: MiniGrid has no such level.
    """
    from .env import GridWorld

    return GridWorld(level, **kwargs)
