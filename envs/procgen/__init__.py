"""Procgen: sixteen games whose levels are generated. Needs the extra `procgen`, and libGL and GLib of the system.

Engine: procgen-mirror 0.10.7 (MIT licence), imported only when a game is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import Procgen


def make(game: str, **kwargs: Any) -> Procgen:
    """Make one game by Procgen's name for it, e.g. `coinrun`.

    Args:
        game: the name.
        **kwargs: passed to the environment (`split`, `max_steps`, `render_mode`).

    Raises:
        UnknownNameError: Procgen has no such game.
    """
    from .env import Procgen

    return Procgen(game, **kwargs)
