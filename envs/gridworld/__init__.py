"""BabyAI: a grid of coloured objects seen through a 7x7 window, and a mission in words.

Engine: MiniGrid, imported only when a level is made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import BabyAI

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # MiniGrid imports pygame, which greets on stdout


def make(level: str, **kwargs: Any) -> BabyAI:
    """Make a level by the name of its class in `minigrid.envs.babyai`, e.g. `GoToLocal`.

    Raises:
        UnknownNameError: MiniGrid has no such level.
    """
    from .env import BabyAI

    return BabyAI(level, **kwargs)
