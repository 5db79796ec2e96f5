"""The agent: spec → tokens → embedding → transformer → policy. Knows spaces only, neither worlds nor tasks.

The package's names are loaded on first use, so that reading a spec does not import PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opengato.agent.agent import Agent as Agent
    from opengato.agent.episode import Episode as Episode
    from opengato.agent.prompt import Prompt as Prompt
    from opengato.agent.spec import Spec as Spec

_HOMES = {"Agent": "agent", "Episode": "episode", "Prompt": "prompt", "Spec": "spec"}
__all__ = ["Agent", "Episode", "Prompt", "Spec"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"opengato.agent.{_HOMES[name]}"), name)
