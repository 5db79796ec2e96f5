"""Gymnasium's MuJoCo bodies, version 5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import MujocoGym


def make(id: str, **kwargs: Any) -> MujocoGym:
    """Make a body by its id in Gymnasium's registry, e.g. `HalfCheetah-v5`."""
    from .env import MujocoGym

    return MujocoGym(id, **kwargs)
