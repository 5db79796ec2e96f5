"""Atari 2600 games in the Arcade Learning Environment, driven without wrappers. Needs the extra `atari`.

The simulator is GPL-2.0, so it is imported when a game is made and never before.
"""

from __future__ import annotations

from typing import Any

from opengato.envs.atari.games import GAMES


def make(game: str, **kwargs: Any) -> Any:
    """Make an `AtariEnv`.

    Args:
        game: a name in `GAMES`.
        **kwargs: arguments of `AtariEnv`.
    """
    from .env import AtariEnv

    return AtariEnv(game, **kwargs)


__all__ = ["GAMES", "make"]
