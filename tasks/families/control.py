"""DeepMind Control Suite tasks: a state vector in, joint torques out."""

from __future__ import annotations

import functools
from typing import Any

from opengato.tasks.registry import register


def make_control(domain: str, task: str, **kwargs: Any) -> Any:
    """The suite's environment; dm_control is imported only here."""
    from opengato.envs.control import make

    return make(domain, task, **kwargs)


# (domain, task, instruction, embodiment, split, control rate in Hz at action repeat 2, TD-MPC2's return)
TASKS = (
    ("cartpole", "balance", "keep the pole upright", "a cart on a rail with a pole", "train", 50, 998.3),
    (
        "cartpole",
        "swingup",
        "swing the pole up, then balance it",
        "a cart on a rail with a pole",
        "held_out",
        50,
        877.2,
    ),
    ("reacher", "easy", "touch the ball with the fingertip", "a planar arm with two joints", "train", 25, 987.2),
    ("walker", "stand", "stand upright", "a planar biped with six joints", "train", 20, 992.7),
    ("walker", "walk", "walk forward", "a planar biped with six joints", "train", 20, 981.1),
    ("cheetah", "run", "run forward as fast as you can", "a planar cheetah with six joints", "train", 50, 895.8),
)

for domain, task, instruction, embodiment, split, rate_hz, published in TASKS:
    register(
        f"control/{domain}-{task}",
        instruction=instruction,
        embodiment=embodiment,
        split=split,
        tags=("state", "locomotion" if domain in ("walker", "cheetah") else "classic"),
        rate_hz=rate_hz,
        demonstrator="opengato.envs.control.expert:ControlExpert",
        published={"source": "TD-MPC2", "expert": published},
    )(functools.partial(make_control, domain, task))
