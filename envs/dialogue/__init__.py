"""Answer what is asked or said: about scenes of the arm's basket, about coloured shapes, and in human small talk."""

from __future__ import annotations

from typing import Any

from opengato.errors import UnknownNameError

TASKS = ("scene", "easy-vqa", "smalltalk")


def make(name: str, **kwargs: Any) -> Any:
    """Make a dialogue by its name; keyword arguments are those of its class (`split`, `render_mode`).

    Raises:
        UnknownNameError: there is no such task.
    """
    if name == "scene":
        from .scene import SceneDialogueTask

        return SceneDialogueTask(**kwargs)
    if name == "easy-vqa":
        from .easy_vqa import EasyVqaTask

        return EasyVqaTask(**kwargs)
    if name == "smalltalk":
        from .smalltalk import SmalltalkTask

        return SmalltalkTask(**kwargs)
    raise UnknownNameError("dialogue", name, TASKS, "Next: choose one of them.")
