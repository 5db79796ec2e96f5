"""Meta-World: fifty things that one Sawyer arm does over a table, each with a scripted policy.

Engine: metaworld 3.0.0 on MuJoCo (MIT licence), imported only when a task is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .env import MetaWorldEnv


def make(task: str, **kwargs: Any) -> MetaWorldEnv:
    """Make one task by Meta-World's name for it without the version, e.g. `pick-place`.

    Args:
        task: the name.
        **kwargs: passed to the environment (`render_mode`).

    Raises:
        UnknownNameError: Meta-World has no such task.
    """
    from .env import MetaWorldEnv

    return MetaWorldEnv(task, **kwargs)
