"""The DeepMind Control Suite as Gymnasium environments, and small policies that were trained on it."""

from typing import Any


def make(domain: str, task: str, **kwargs: Any) -> Any:
    """`ControlEnv` of one suite task; dm_control is imported here, not with this package."""
    from .suite import ControlEnv

    return ControlEnv(domain, task, **kwargs)
