"""Doom seen through the player's eyes: the scenarios that ViZDoom brings, drawn by Doom's own software renderer.

Engine: ViZDoom 1.3 (MIT) over ZDoom, with Freedoom's art (BSD); imported only when a scenario is made. Needs the extra
`doom`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import DoomEnv


def make(scenario: str, **kwargs: Any) -> DoomEnv:
    """Make a scenario by the name of its file in ViZDoom, with hyphens, e.g. `health-gathering`.

    Args:
        scenario: the name.
        **kwargs: passed to the environment (`render_mode`, `map`).

    Raises:
        UnknownNameError: there is no such scenario.
    """
    from .env import DoomEnv

    return DoomEnv(scenario, **kwargs)
