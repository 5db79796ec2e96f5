"""Tasks that others ask of the suite's bodies: backwards, spinning, jumping, an arm of three links.

Tasks and formulas are those of TD-MPC2 (Hansen et al. 2024, appendix "DMControl tasks"; its repository, MIT licence),
whose scores are the published reference. A reward is a function of the physics, in [0, 1] a control step; lengths in
m, speeds in m/s and rad/s.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np
from dm_control import suite
from dm_control.rl import control
from dm_control.suite import ball_in_cup, base, cheetah, common, hopper, reacher, walker
from dm_control.utils.rewards import tolerance

Reward = Callable[[Any], float]
INFINITY = float("inf")


def at_least(value: float, bound: float, margin: float, at_margin: float = 0.1, sigmoid: str = "gaussian") -> float:
    """1 from `bound` on, less below it: `at_margin` where `margin` is lacking."""
    return float(tolerance(value, (bound, INFINITY), margin, sigmoid, at_margin))


def as_fast_as(speed: float, wanted: float, worth: float = 0.5) -> float:
    """1 at the wanted speed, falling in a line: `worth` at half of it, or at rest where `worth` is 0."""
    return at_least(speed, wanted, wanted if worth == 0 else wanted / 2, worth, "linear")


def walker_backwards(wanted: float) -> Reward:
    """The suite's walking, the other way."""

    def reward(physics: Any) -> float:
        standing = at_least(physics.torso_height(), walker._STAND_HEIGHT, walker._STAND_HEIGHT / 2)
        upright = (1 + physics.torso_upright()) / 2
        moving = as_fast_as(-physics.horizontal_velocity(), wanted)
        return (3 * standing + upright) / 4 * (5 * moving + 1) / 6

    return reward


def cheetah_backwards(physics: Any) -> float:
    """Running backwards, at 8 m/s."""
    return as_fast_as(-physics.speed(), 0.8 * cheetah._RUN_SPEED, worth=0)


HIGH = 1.2  # where cheetah's torso and feet should be


def cheetah_jump(physics: Any) -> float:
    """Torso and both feet high above the ground, on the spot."""
    torso, front, back = (physics.named.data.xpos[name, "z"] for name in ("torso", "ffoot", "bfoot"))
    high = sum(at_least((torso + foot) / 2, HIGH, HIGH / 2) for foot in (front, back)) / 2
    still = float(tolerance(physics.speed(), (-0.5, 0.5), 0.5, "linear", 0))
    return (5 * high + still) / 6


def cheetah_on_one_leg(foot: str) -> Reward:
    """Running at 6 m/s with torso and `foot` high above the ground."""

    def reward(physics: Any) -> float:
        torso_up, foot_up = (at_least(physics.named.data.xpos[name, "z"], HIGH, HIGH / 2) for name in ("torso", foot))
        running = as_fast_as(physics.speed(), 0.6 * cheetah._RUN_SPEED, worth=0)
        return (3 * foot_up + 2 * torso_up) / 5 * (5 * running + 1) / 6

    return reward


def hopper_backwards(physics: Any) -> float:
    """Hopping backwards at 1 m/s with the torso above the foot."""
    return float(tolerance(physics.height(), (hopper._STAND_HEIGHT, 2))) * as_fast_as(
        -physics.speed(), hopper._HOP_SPEED / 2
    )


def pendulum_spin(physics: Any) -> float:
    """Turning round and round, at 9 rad/s."""
    return as_fast_as(float(np.linalg.norm(physics.angular_velocity())), 9.0)


def cup_spin(physics: Any) -> float:
    """The ball outside of the cup, 0.5 m from its middle and at 6 m/s."""
    away = as_fast_as(float(np.linalg.norm(physics.ball_to_target())), 0.5)
    speed = float(np.linalg.norm(physics.named.data.qvel[["ball_x", "ball_z"]]))
    return float((1 - physics.in_target()) * (away + 2 * as_fast_as(speed, 6.0)) / 3)


class BallInside(ball_in_cup.BallInCup):
    """Nine episodes in ten start with the ball in the cup."""

    def initialize_episode(self, physics: Any) -> None:
        anywhere = self.random.uniform() < 0.1
        while True:
            physics.named.data.qpos["ball_x"] = self.random.uniform(-0.2, 0.2)
            physics.named.data.qpos["ball_z"] = self.random.uniform(0.2, 0.5)
            physics.after_reset()
            if physics.data.ncon == 0 and (anywhere or physics.in_target()):
                break
        base.Task.initialize_episode(self, physics)


LINK, BEND = 0.09, 80  # length of each link; how far, in degrees, all joints but the shoulder bend


def three_links() -> Any:
    """The suite's reacher with an arm of three links."""
    model: Any = ET.fromstring(common.read_model("reacher.xml"))
    arm, hand = model.find("worldbody/body[@name='arm']"), model.find(".//body[@name='hand']")
    middle: Any = ET.fromstring(
        f'<body name="middle" pos="{LINK} 0 0"><geom name="middle" type="capsule" size=".01" material="self"/>'
        f'<joint name="elbow" limited="true" range="-{BEND} {BEND}"/></body>'
    )
    arm.remove(hand)
    middle.append(hand)
    arm.append(middle)
    for part in (arm, middle):
        part.find("geom").set("fromto", f"0 0 0 {LINK} 0 0")
    hand.set("pos", f"{LINK} 0 0")
    hand.find("joint").set("range", f"-{BEND} {BEND}")
    hand.find("body").set("pos", f"{LINK} 0 0")
    model.find("actuator").insert(1, ET.fromstring('<motor name="elbow" joint="elbow"/>'))
    return reacher.Physics.from_xml_string(ET.tostring(model, encoding="unicode"), common.ASSETS)


def reach_with_three(target_size: float) -> Callable[..., Any]:
    """Environments of the arm of three links."""

    def load(random: np.random.RandomState) -> Any:
        return control.Environment(three_links(), reacher.Reacher(target_size, random=random), time_limit=20)

    return load


def another(domain: str, task: str, reward: Reward) -> Callable[..., Any]:
    """Environments of a suite's task with another reward."""

    def load(random: np.random.RandomState) -> Any:
        environment = suite.load(domain, task, task_kwargs={"random": random})
        environment.task.get_reward = reward
        return environment

    return load


def spinning_cup(random: np.random.RandomState) -> Any:
    """Environments of the ball that should leave its cup."""
    task = BallInside(random=random)
    task.get_reward = cup_spin  # type: ignore[method-assign]
    physics = ball_in_cup.Physics.from_xml_string(*ball_in_cup.get_model_and_assets())
    return control.Environment(physics, task, time_limit=20, control_timestep=0.02)


TASKS: dict[tuple[str, str], Callable[..., Any]] = {
    ("ball_in_cup", "spin"): spinning_cup,
    ("cheetah", "jump"): another("cheetah", "run", cheetah_jump),
    ("cheetah", "run_back"): another("cheetah", "run", cheetah_on_one_leg("ffoot")),
    ("cheetah", "run_backwards"): another("cheetah", "run", cheetah_backwards),
    ("cheetah", "run_front"): another("cheetah", "run", cheetah_on_one_leg("bfoot")),
    ("hopper", "hop_backwards"): another("hopper", "stand", hopper_backwards),
    ("pendulum", "spin"): another("pendulum", "swingup", pendulum_spin),
    ("reacher", "three_easy"): reach_with_three(reacher._BIG_TARGET),
    ("reacher", "three_hard"): reach_with_three(reacher._SMALL_TARGET),
    ("walker", "run_backwards"): another("walker", "run", walker_backwards(walker._RUN_SPEED)),
    ("walker", "walk_backwards"): another("walker", "walk", walker_backwards(walker._WALK_SPEED)),
}
