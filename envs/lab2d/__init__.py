"""DeepMind Lab2D: grid worlds with a map and rules in Lua, played by one player. Needs the extra `lab2d`.

Engine and levels: dmlab2d 1.0.2 (Apache-2.0), imported only when a level is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import Lab2D


def make(name: str, **kwargs: Any) -> Lab2D:
    """Make one level by its name, e.g. `pushbox` or `running-with-scissors-no-rock`.

    Args:
        name: the level's folder in the package, with hyphens, and the map's name where it is not the first one.
        **kwargs: passed to the environment (`max_steps`, `settings`, `render_mode`).

    Raises:
        UnknownNameError: there is no such level.
    """
    from .env import Lab2D

    return Lab2D(name, **kwargs)
