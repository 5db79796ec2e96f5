"""Describe what is seen: scenes of the arm's basket, and icons. Text is the action, one step is an episode."""

from __future__ import annotations

from typing import Any

from opengato.errors import UnknownNameError

TASKS = ("scene", "icons")


def make(name: str, **kwargs: Any) -> Any:
    """Make a captioning task: `scene` or `icons`; keyword arguments are those of its class (`split`, `render_mode`).

    Raises:
        UnknownNameError: there is no such task.
    """
    if name == "scene":
        from .scene import SceneCaptionTask

        return SceneCaptionTask(**kwargs)
    if name == "icons":
        from .icons import IconTask

        return IconTask(**kwargs)
    raise UnknownNameError("captioning task", name, TASKS, "Next: choose one of them.")
