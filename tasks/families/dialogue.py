"""Answering in words. Every task evaluates on its own held-out split."""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register


def make_dialogue(name: str, **kwargs: Any) -> Any:
    """Make a dialogue by its name."""
    from opengato.envs.dialogue import make

    return make(name, **kwargs)


register(
    "dialogue/scene",
    instruction="answer the questions about the picture",
    embodiment="a partner in conversation that sees pictures",
    tags=("text", "vision", "dialogue"),
    success="all four questions are answered right",
    demonstrator="opengato.envs.caption.turns:Truth",
    evaluation_kwargs={"split": "test"},
)(partial(make_dialogue, "scene"))

register(
    "dialogue/easy-vqa",
    instruction="answer the questions about the shape",
    embodiment="a partner in conversation that sees pictures",
    tags=("text", "vision", "dialogue"),
    success="every question is answered right",
    demonstrator="opengato.envs.caption.turns:Truth",
    extra="dialogue",
    evaluation_kwargs={"split": "test"},
)(partial(make_dialogue, "easy-vqa"))

register(
    "dialogue/smalltalk",
    instruction="chat with the person",
    embodiment="a partner in conversation",
    tags=("text", "dialogue", "chat"),
    demonstrator="opengato.envs.caption.turns:Truth",
    extra="dialogue",
    evaluation_kwargs={"split": "test"},
)(partial(make_dialogue, "smalltalk"))
