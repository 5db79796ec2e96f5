"""The DeepMind Control Suite, and what TD-MPC2 asks of its bodies besides: by state, by camera, and with bodies that
differ from episode to episode."""

from __future__ import annotations

import functools
from typing import Any

from opengato.tasks.registry import register
from opengato.tasks.worlds import published, world

# Whatever is asked of a cart whose pole hangs is held out, for demonstrations of one such task would show the others.
HELD_OUT = ("cartpole-swingup", "cartpole-swingup-sparse")
# Those with a trained policy in assets/experts.
TRAINED = (
    "ball-in-cup-catch", "cartpole-balance", "cartpole-swingup", "reacher-easy", "walker-stand", "walker-walk",
    "cheetah-run", "cheetah-run-backwards", "finger-spin", "walker-walk-backwards",
)  # fmt: skip
# Those that textbook control does, or a planner that knows more of the task than its rewards say. The others are
# shown by one that does not.
REGULATOR = "opengato.envs.planning.regulator:Regulator"
PLANS = "opengato.envs.control.plans:"
SCRIPTS = "opengato.envs.control.scripts:"
SCRIPTED = {
    "ball-in-cup-spin": PLANS + "Whirling",
    "cartpole-balance-sparse": REGULATOR,
    "cartpole-swingup-sparse": SCRIPTS + "SwingUpAndHold",
    "finger-turn-easy": PLANS + "Turning",
    "finger-turn-hard": PLANS + "Turning",
    "fish-swim": PLANS + "Swimming",
    "lqr-lqr-2-1": REGULATOR,
    "lqr-lqr-6-2": REGULATOR,
    "pendulum-spin": SCRIPTS + "Spin",
    "pendulum-swingup": SCRIPTS + "SwingUp",
    "point-mass-easy": SCRIPTS + "PointMass",
    "point-mass-hard": SCRIPTS + "PointMass",
    "reacher-hard": SCRIPTS + "Reaching",
    "reacher-three-easy": SCRIPTS + "Reaching",
    "reacher-three-hard": SCRIPTS + "Reaching",
}
EXPERT = "opengato.envs.experts.expert:Expert"
PLANNER = "opengato.envs.planning.predictive:PredictiveControl"
# Beyond what a planner of some hundred futures a second can show.
TOO_HARD = (
    "dog",
    "humanoid_CMU",
    "humanoid",
    "manipulator",
    "stacker",
    "quadruped",
    "acrobot",
    "hopper",
    "swimmer",
)

BODIES = {
    "acrobot": "two links that hang on each other, with one motor between them",
    "ball_in_cup": "a cup that moves in a plane, and a ball on a string",
    "cartpole": "a cart on a rail with a pole",
    "cheetah": "a planar cheetah with six joints",
    "dog": "a dog with 38 joints",
    "finger": "a finger with two joints beside a free spinner",
    "fish": "a fish with a tail and fins",
    "hopper": "a planar one-legged hopper with four joints",
    "humanoid": "a humanoid with 21 joints",
    "humanoid_CMU": "a humanoid with 56 joints",
    "lqr": "balls on springs in a row",
    "manipulator": "a planar arm with a gripper",
    "pendulum": "a pendulum with a weak motor",
    "point_mass": "a point in the plane, moved by two motors",
    "quadruped": "a four-legged walker with 12 joints",
    "reacher": "a planar arm with two or three joints",
    "stacker": "a planar arm with a gripper, and boxes",
    "swimmer": "a chain of links in a viscous plane",
    "walker": "a planar biped with six joints",
}
INSTRUCTIONS = {
    "acrobot-swingup": "swing the tip up to the target and keep it there",
    "acrobot-swingup-sparse": "bring the tip into the target and keep it there",
    "ball-in-cup-catch": "catch the ball in the cup",
    "ball-in-cup-spin": "swing the ball around the cup",
    "cartpole-balance": "keep the pole upright",
    "cartpole-balance-sparse": "never let the pole leave upright",
    "cartpole-swingup": "swing the pole up, then balance it",
    "cartpole-swingup-sparse": "swing the pole up and hold it upright in the middle",
    "cartpole-two-poles": "swing up two poles in a row and balance them",
    "cartpole-three-poles": "swing up three poles in a row and balance them",
    "cheetah-run": "run forward as fast as you can",
    "cheetah-run-backwards": "run backwards as fast as you can",
    "cheetah-run-back": "run forward on the back leg",
    "cheetah-run-front": "run forward on the front leg",
    "cheetah-jump": "jump on the spot as high as you can",
    "dog-stand": "stand upright on four legs",
    "dog-walk": "walk forward on four legs",
    "dog-trot": "trot forward on four legs",
    "dog-run": "run forward on four legs",
    "dog-fetch": "fetch the ball and bring it to the target",
    "finger-spin": "keep the spinner spinning",
    "finger-turn-easy": "turn the spinner until its tip lies in the large target",
    "finger-turn-hard": "turn the spinner until its tip lies in the small target",
    "fish-upright": "turn upright in the water",
    "fish-swim": "swim to the target",
    "hopper-stand": "stand on one leg",
    "hopper-hop": "hop forward on one leg",
    "hopper-hop-backwards": "hop backwards on one leg",
    "humanoid-stand": "stand up and stay upright",
    "humanoid-walk": "walk upright",
    "humanoid-run": "run upright",
    "humanoid-run-pure-state": "run upright, knowing positions and velocities alone",
    "humanoid-cmu-stand": "stand up and stay upright",
    "humanoid-cmu-walk": "walk upright",
    "humanoid-cmu-run": "run upright",
    "lqr-lqr-2-1": "bring two balls to rest with one motor",
    "lqr-lqr-6-2": "bring six balls to rest with two motors",
    "manipulator-bring-ball": "bring the ball to the target",
    "manipulator-bring-peg": "bring the peg to the target",
    "manipulator-insert-ball": "put the ball into the basket",
    "manipulator-insert-peg": "put the peg into the slot",
    "pendulum-swingup": "swing the pendulum up and keep it there",
    "pendulum-spin": "spin the pendulum round and round",
    "point-mass-easy": "move to the middle",
    "point-mass-hard": "move to the middle with motors that pull at angles unknown",
    "quadruped-walk": "walk forward on four legs",
    "quadruped-run": "run forward on four legs",
    "quadruped-fetch": "bring the ball to the target",
    "reacher-easy": "touch the ball with the fingertip",
    "reacher-hard": "touch the small ball with the fingertip",
    "reacher-three-easy": "touch the ball with the fingertip of an arm of three links",
    "reacher-three-hard": "touch the small ball with the fingertip of an arm of three links",
    "stacker-stack-2": "stack two boxes at the target",
    "stacker-stack-4": "stack four boxes at the target",
    "swimmer-swimmer6": "swim with the nose to the target",
    "swimmer-swimmer15": "swim with the nose to the target, with fifteen links",
    "walker-stand": "stand upright",
    "walker-walk": "walk forward",
    "walker-run": "run forward",
    "walker-walk-backwards": "walk backwards",
    "walker-run-backwards": "run backwards",
}
# Family → what its environments are made with, and a tag. The paper lists the same four groups apart.
VARIANTS: dict[str, tuple[dict[str, Any], str]] = {
    "control": ({}, "state"),
    "control-pixels": ({"pixels": True}, "pixels"),
    "control-small": ({"bodies": 0.1}, "bodies"),
    "control-large": ({"bodies": 0.3}, "bodies"),
}
LOCOMOTION = ("walker", "cheetah", "hopper", "humanoid", "humanoid_CMU", "dog", "quadruped", "swimmer")


def make_control(domain: str, task: str, **kwargs: Any) -> Any:
    """The suite's environment; dm_control is imported only here."""
    from opengato.envs.control import make

    return make(domain, task, **kwargs)


def _demonstrator(name: str, domain: str) -> str | None:
    if name in TRAINED:
        return EXPERT
    return SCRIPTED.get(name, None if domain in TOO_HARD else PLANNER)


_tdmpc2 = published("dm_control")
for _family, (_options, _tag) in VARIANTS.items():
    for _name, _facts in world("control").items():
        if _tag == "pixels" and not _facts["camera"]:
            continue
        _known = _tdmpc2.get(_name.replace("ball-in-", "")) if _family == "control" else None
        register(
            f"{_family}/{_name}",
            instruction=INSTRUCTIONS[_name],
            embodiment=BODIES[_facts["domain"]],
            split="held_out" if _name in HELD_OUT else "train",
            tags=(
                _tag,
                *(() if _tag == "pixels" else ("origin-state",)),
                "locomotion" if _facts["domain"] in LOCOMOTION else "classic",
            ),
            rate_hz=_facts["rate_hz"],
            demonstrator=_demonstrator(_name, _facts["domain"]),
            published={"source": "TD-MPC2", "expert": _known["tdmpc2"]} if _known else None,
            same_returns_as=f"control/{_name}" if _tag == "pixels" else None,
        )(functools.partial(make_control, _facts["domain"], _facts["task"], **_options))
