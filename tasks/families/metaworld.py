"""Meta-World: fifty tasks of one arm, each with the script that ships with it."""

from __future__ import annotations

import functools
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import published, world

HELD_OUT = ("assembly",)
PUBLISHED_STEPS = 100  # JAT's episodes were that long, ours have 500 steps: the figures do not compare as they stand


def make_task(task: str, **kwargs: Any) -> Any:
    """The environment; metaworld is imported only here."""
    from opengato.envs.metaworld import make

    return make(task, **kwargs)


_jat = published("jat")
for _task, _facts in world("metaworld").items():
    _scores = _jat.get(f"metaworld-{_task}")
    register(
        f"metaworld/{_task}",
        instruction=_facts["instruction"],
        embodiment="a Sawyer arm with a gripper over a table",
        split="held_out" if _task in HELD_OUT else "train",
        tags=("manipulation", "state"),
        rate_hz=_facts["rate_hz"],
        success=f"at some step, {_facts['success']}",
        demonstrator="opengato.envs.metaworld.expert:ScriptedExpert",
        published={"source": "JAT", **_scores, "steps": PUBLISHED_STEPS} if _scores else None,
        extra="metaworld",
        demonstration_steps=_facts["demonstration_steps"],
    )(functools.partial(make_task, _task))
