"""Gymnasium's MuJoCo bodies: what runs is shown by policies trained here, what balances by a regulator, what swims by a
script, the others by a planner on the simulator.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import published, world

# name → (instruction, body, name with the Jack of All Trades project)
BODIES = {
    "ant": ("run forward on four legs", "a four-legged walker with eight joints", "ant"),
    "half-cheetah": ("run forward as fast as you can", "a planar cheetah with six joints", "halfcheetah"),
    "hopper": ("hop forward without falling", "a planar one-legged hopper with three joints", "hopper"),
    "humanoid": ("run forward without falling", "a humanoid with 17 joints", "humanoid"),
    "humanoid-standup": ("stand up", "a humanoid with 17 joints, lying", "standup"),
    "inverted-double-pendulum": ("balance two poles in a row", "a cart on a rail with two poles", "doublependulum"),
    "inverted-pendulum": ("keep the pole upright", "a cart on a rail with a pole", "pendulum"),
    "pusher": ("push the cylinder to the target", "an arm with seven joints over a table", "pusher"),
    "reacher": ("touch the target with the fingertip", "a planar arm with two joints", "reacher"),
    "swimmer": ("swim forward as fast as you can", "a chain of three links in a viscous plane", "swimmer"),
    "walker2d": ("walk forward without falling", "a planar biped with six joints", "walker"),
}
# Those with a trained policy in assets/experts.
TRAINED = ("half-cheetah", "hopper", "walker2d")
EXPERT = "opengato.envs.experts.expert:Expert"
REGULATOR = "opengato.envs.planning.regulator:Regulator"
SHOWN_BY = {
    **dict.fromkeys(TRAINED, EXPERT),
    "inverted-double-pendulum": REGULATOR,
    "inverted-pendulum": REGULATOR,
    "swimmer": "opengato.envs.mujoco_gym.scripts:Swimming",
}
PLANNER = "opengato.envs.planning.predictive:PredictiveControl"
TOO_HARD = ("humanoid", "humanoid-standup", "ant")  # for a planner of some hundred futures a second


def make_body(id: str, **kwargs: Any) -> Any:
    """Make a body by its id in Gymnasium's registry."""
    from opengato.envs.mujoco_gym import make

    return make(id, **kwargs)


_jat = published("jat")
for _name, _facts in world("mujoco").items():
    _instruction, _body, _theirs = BODIES[_name]
    register(
        f"mujoco/{_name}",
        instruction=_instruction,
        embodiment=_body,
        tags=("state", "origin-state", "locomotion" if "forward" in _instruction else "classic"),
        rate_hz=_facts["rate_hz"],
        demonstrator=SHOWN_BY.get(_name, None if _name in TOO_HARD else PLANNER),
        published={"source": "JAT", **{k: _jat[f"mujoco-{_theirs}"][k] for k in ("expert", "random")}},
    )(partial(make_body, _facts["id"]))
