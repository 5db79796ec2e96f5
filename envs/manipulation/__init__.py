"""DeepMind's manipulation tasks: a Jaco arm with three fingers, and bricks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import Manipulation


def make(name: str, **kwargs: Any) -> Manipulation:
    """Make a task by its name in `dm_control.manipulation`, e.g. `reach_site_features`."""
    from .env import Manipulation

    return Manipulation(name, **kwargs)
