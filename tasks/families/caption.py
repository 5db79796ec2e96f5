"""Describing pictures. Every task evaluates on its own held-out split."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register


def make_caption(name: str, **kwargs: Any) -> Any:
    """Make a captioning task by its name."""
    from opengato.envs.caption import make

    return make(name, **kwargs)


register(
    "caption/scene",
    instruction="describe the objects in the picture and where they stand",
    embodiment="a reader of pictures that answers in words",
    tags=("text", "vision", "caption"),
    success="every colour, shape and relation is right",
    demonstrator="opengato.envs.caption.turns:Truth",
    evaluation_kwargs={"split": "test"},
)(partial(make_caption, "scene"))

register(
    "caption/icons",
    instruction="name the icon",
    embodiment="a reader of pictures that answers in words",
    tags=("text", "vision", "caption"),
    success="the very name that Unicode gives it",
    demonstrator="opengato.envs.caption.turns:Truth",
    extra="caption",
    evaluation_kwargs={"split": "test"},
)(partial(make_caption, "icons"))
