"""The script that demonstrates the arm's tasks.

It knows where the objects are and decides anew each step from what it sees: nothing is remembered, so a push only
makes it take the way again. It steers to a point, and that point moves smoothly: high above the goal while far from it
sideways, down a funnel as it comes near.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from opengato.envs.arm.env import GRIP, OPEN, SPEED, TURN, ArmEnv
from opengato.envs.arm.goals import BESIDE, HOVER, LIFT_HEIGHT, Goal, Lift, Place, Reach, Stack
from opengato.envs.arm.objects import SYMMETRY
from opengato.envs.tabletop import RATE
from opengato.errors import OpengatoError

GAIN = 0.35  # share of the way to the point that one step covers, up to full speed
CLEARANCE = 0.065  # metres above the place to go down to, while travelling
NEAR, FAR = 0.008, 0.035  # metres sideways: the funnel's throat and mouth
CLOSE_FLAT, CLOSE_HIGH = 0.011, 0.010  # where fingers may close
RELEASED = 0.012  # metres by which open fingers must exceed the object
HELD_OUT = ("blue", "green")  # stacking these is a held-out task: no detour shows it


class ArmExpert:
    """Demonstrator of all tasks of the arm.

    Args:
        goal: what it acts toward; None for what is asked of the arm.
    """

    def __init__(self, goal: Goal | None = None) -> None:
        self._env: ArmEnv | None = None
        self._goal = goal

    def astray(self, rng: np.random.Generator) -> ArmExpert:
        """One that mistakes another object for the one to go to (of those to go onto or beside, where there is one).

        Raises:
            OpengatoError: the only other goal is held out from every training run.
        """
        assert self._env is not None, "reset(env) comes first"
        goal = copy.copy(self._env.goal)
        others = [color for color in self._env.shapes if color not in (goal.top, goal.bottom)]
        if isinstance(goal, Stack):
            others = [color for color in others if (goal.top, color) != HELD_OUT]
        if not others:
            raise OpengatoError(
                f"detours: stacking {goal.top} on {goal.bottom} has no other goal but one that is held out. "
                "Next: detours=0"
            )
        other = str(rng.choice(others))
        goal.top, goal.bottom = (goal.top, other) if goal.bottom else (other, None)
        found = ArmExpert(goal)
        found.reset(self._env)
        return found

    def reset(self, env: Any) -> None:
        self._env = env.unwrapped

    def act(self, observation: Any) -> np.ndarray:
        """The action for the environment's present state, float32 [5]."""
        env = self._env
        assert env is not None, "reset(env) comes first"
        goal = self._goal or env.goal
        yaw = env.gripper_yaw()
        if isinstance(goal, Reach):
            above = env.object_position(goal.top) + [0.0, 0.0, HOVER]
            return _steer(env, above, _aligned(env, goal.top), OPEN)
        if isinstance(goal, Place) and (goal.resting(env) or _set_down(env, goal)):
            return _let_go(env, goal.top, yaw)
        if isinstance(goal, Stack) and _placed(env, goal):
            return _let_go(env, goal.top, yaw)
        if not _grasped(env, goal.top):
            return _grasp(env, goal.top)
        if isinstance(goal, Lift):
            place = env.object_position(goal.top)
            place[2] = env.half_height + LIFT_HEIGHT + 0.03
            return _carry(env, goal.top, place, yaw)
        if isinstance(goal, Place):
            now = env.object_position(goal.top)
            if not goal.carried:  # straight up first: an object that lies there already must still be carried
                return _carry(env, goal.top, now + [0.0, 0.0, 0.05], yaw)
            return _carry(env, goal.top, _funnel(_beside(env, goal), now), yaw)
        place = env.object_position(goal.bottom or "")
        place[2] += 2 * env.half_height
        return _carry(env, goal.top, _funnel(place, env.object_position(goal.top)), yaw)


def _steer(env: ArmEnv, point: np.ndarray, yaw: float, opening: float) -> np.ndarray:
    """Action towards a place, a yaw and an opening, slowing down as each comes near."""
    step = np.array([SPEED, SPEED, SPEED, TURN, -GRIP]) / RATE
    error = np.array([*(point - env.gripper_position()), yaw - env.gripper_yaw(), opening - env.gripper_opening()])
    return np.clip(GAIN * error / step, -1.0, 1.0).astype(np.float32)


def _funnel(place: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Where to steer to come to `place` from above: high while far from it sideways; sideways only once high enough."""
    aside = float(np.linalg.norm((place - now)[:2]))
    high = CLEARANCE * float(np.clip((aside - NEAR) / (FAR - NEAR), 0.0, 1.0))
    point = place + [0.0, 0.0, high]
    lacking = float(np.clip((point[2] - now[2] - 0.01) / 0.03, 0.0, 1.0))  # too low: first up
    point[:2] = point[:2] * (1 - lacking) + now[:2] * lacking
    return point


def _aligned(env: ArmEnv, color: str) -> float:
    """The yaw nearest to 0 in which flat fingers meet flat sides."""
    period = SYMMETRY[env.shapes[color]]
    if not period:
        return 0.0
    turn = env.object_yaw(color)
    return turn - period * round(turn / period)


def _grasp(env: ArmEnv, color: str) -> np.ndarray:
    place, now = env.object_position(color), env.gripper_position()
    aside, above = np.linalg.norm((place - now)[:2]), abs(place[2] - now[2])
    ready = aside < CLOSE_FLAT and above < CLOSE_HIGH
    action = _steer(env, _funnel(place, now), _aligned(env, color), OPEN)
    if ready:
        action[4] = 1.0
    return action


def _grasped(env: ArmEnv, color: str) -> bool:
    """Whether the object is between closed fingers."""
    offset = env.object_position(color) - env.gripper_position()
    return env.held(color) and float(np.linalg.norm(offset[:2])) < 0.02 and abs(offset[2]) < 0.022


def _carry(env: ArmEnv, color: str, place: np.ndarray, yaw: float) -> np.ndarray:
    """Bring the held object to `place`; the fingers stay closed."""
    offset = place - env.object_position(color)
    action = _steer(env, env.gripper_position() + offset, yaw, 0.0)
    action[4] = 1.0
    return action


def _placed(env: ArmEnv, goal: Stack) -> bool:
    """Whether the object stands where it may be let go."""
    assert goal.bottom is not None
    offset = env.object_position(goal.top) - env.object_position(goal.bottom)
    return float(np.linalg.norm(offset[:2])) < 0.012 and abs(offset[2] - 2 * env.half_height) < 0.004


def _let_go(env: ArmEnv, color: str, yaw: float) -> np.ndarray:
    """Open, and go up once the fingers are clear of the object."""
    now = env.gripper_position()
    free = not env.touched_by_fingers(color) and env.gripper_opening() > 2 * env.half_height + RELEASED
    point = now.copy()
    if free or now[2] - env.object_position(color)[2] > 0.02:
        point[2] = env.object_position(color)[2] + 0.08
    return _steer(env, point, yaw, OPEN)


def _beside(env: ArmEnv, goal: Place) -> np.ndarray:
    """The place beside the other object that has most room around it, metres [3]: of eight, those near the basket's
    middle first."""
    assert goal.bottom is not None
    centre = env.object_position(goal.bottom)
    angles = np.arange(8) * np.pi / 4
    places = centre[:2] + sum(BESIDE) / 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    others = [env.object_position(color)[:2] for color in env.shapes if color not in (goal.top, goal.bottom)]
    room = (
        np.min([np.linalg.norm(places - other, axis=1) for other in others], axis=0) if others else np.ones(len(places))
    )
    best = int(np.argmax(np.minimum(room, 0.12) - np.linalg.norm(places, axis=1)))
    return np.array([*places[best], env.half_height + 0.002])


def _set_down(env: ArmEnv, goal: Place) -> bool:
    """Whether the carried object stands on the floor where it may be let go."""
    offset = env.object_position(goal.top) - _beside(env, goal)
    return goal.carried and float(np.linalg.norm(offset[:2])) < 0.014 and abs(env.height(goal.top)) < 0.004
