"""What is asked of the arm: progress in [0, 1], and when it is done.

Progress is a sum of stages, weight × how far the stage has come (0 to 1); a stage counts only while its condition
holds. A step's reward is by how much the best progress of the episode grew, so a return is the best progress reached.

| goal  | reach | held | lifted | over | resting | kept |
|-------|-------|------|--------|------|---------|------|
| reach | 0.30  |      |        |      |         | 0.70 |
| lift  | 0.15  | 0.25 | 0.30   |      |         | 0.30 |
| stack | 0.15  | 0.20 | 0.15   | 0.15 | 0.10    | 0.25 |
| place | 0.15  | 0.20 | 0.15   | 0.15 | 0.10    | 0.25 |

reach: 1 − d / d₀, d the distance of the fingertips from the object (`reach`: a point above it), d₀ that at reset.
held: both fingers touch the object. lifted, while held: the object's height over the floor / 6 cm.
over, while held: lifted × (1 − horizontal distance to the other object / that at reset).
resting: the object lies on the other (`place`: on the floor beside it, having been lifted) and is not held; then the
earlier stages count in full. `place` counts the distance to the nearest place beside the other object as the way over.
kept: share of the half second for which the goal has been met without a break.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from opengato.envs.arm.objects import COLORS
from opengato.errors import OpengatoError, UnknownNameError

if TYPE_CHECKING:
    from opengato.envs.arm.env import ArmEnv

KEEP_STEPS = 10  # half a second at 20 Hz
LIFT_HEIGHT = 0.06  # metres
HOVER = 0.06  # metres above the object's centre, where `reach` wants the fingertips
HOVER_TOLERANCE = 0.02
APART = 0.04  # metres that the fingertips must be above the stacked object's centre
BESIDE = (0.058, 0.095)  # metres between the centres of two objects that lie beside each other without touching
CARRIED = 0.03  # metres that an object must have been lifted before it counts as placed
STACK_TOLERANCE = (0.02, 0.006)  # metres, horizontal and vertical


class Goal(ABC):
    """One goal for one environment.

    Args:
        top: colour of the object that matters.
        bottom: colour of the object it goes on or beside, if any.
    """

    def __init__(self, top: str, bottom: str | None = None) -> None:
        self.top, self.bottom = top, bottom
        self.best = 0.0
        self._kept = 0
        self._start = 1.0

    def reset(self, env: ArmEnv) -> None:
        """Start an episode; the environment is at its first state."""
        self._kept = 0
        self._start = max(self.distance(env), 0.05)
        self.best = self.progress(env)

    def update(self, env: ArmEnv) -> tuple[float, bool]:
        """Reward of the step just made, and whether the goal has been met for long enough."""
        self._kept = self._kept + 1 if self.met(env) else 0
        progress = self.progress(env)
        reward = max(progress - self.best, 0.0)
        self.best = max(self.best, progress)
        return reward, self._kept >= KEEP_STEPS

    @property
    def kept(self) -> float:
        """Share of the time that the goal must be met, 0 to 1."""
        return min(self._kept / KEEP_STEPS, 1.0)

    def distance(self, env: ArmEnv) -> float:
        """Metres between fingertips and where they should go first."""
        return float(np.linalg.norm(env.gripper_position() - env.object_position(self.top)))

    def _reach(self, env: ArmEnv) -> float:
        return float(np.clip(1 - self.distance(env) / self._start, 0.0, 1.0))

    @abstractmethod
    def met(self, env: ArmEnv) -> bool:
        """Whether the goal is met now."""

    @abstractmethod
    def progress(self, env: ArmEnv) -> float:
        """How far the episode is, 0 to 1."""


class Reach(Goal):
    """Bring the fingertips right above an object."""

    def distance(self, env: ArmEnv) -> float:
        point = env.object_position(self.top) + [0.0, 0.0, HOVER]
        return float(np.linalg.norm(env.gripper_position() - point))

    def met(self, env: ArmEnv) -> bool:
        return self.distance(env) < HOVER_TOLERANCE

    def progress(self, env: ArmEnv) -> float:
        if self.met(env):
            return 0.3 + 0.7 * self.kept
        return 0.3 * self._reach(env)


class Lift(Goal):
    """Hold an object up."""

    def met(self, env: ArmEnv) -> bool:
        return env.height(self.top) > LIFT_HEIGHT and env.held(self.top)

    def progress(self, env: ArmEnv) -> float:
        if not env.held(self.top):
            return 0.15 * self._reach(env)
        lifted = float(np.clip(env.height(self.top) / LIFT_HEIGHT, 0.0, 1.0))
        return 0.4 + 0.3 * lifted + 0.3 * self.kept


class SetDown(Goal):
    """Carry an object to another, set it down there and let go of it."""

    def reset(self, env: ArmEnv) -> None:
        self._apart = max(self._away(env), 0.05)
        super().reset(env)

    @abstractmethod
    def _away(self, env: ArmEnv) -> float:
        """Metres that are left sideways."""

    @abstractmethod
    def _lifted(self, env: ArmEnv) -> float:
        """How far the held object is lifted, 0 to 1."""

    @abstractmethod
    def resting(self, env: ArmEnv) -> bool:
        """Whether the object lies still where it should, and nobody holds it."""

    def met(self, env: ArmEnv) -> bool:
        away = env.gripper_position()[2] - env.object_position(self.top)[2]
        return self.resting(env) and away > APART and env.speed(self.top) < 0.05

    def progress(self, env: ArmEnv) -> float:
        if self.resting(env):
            return 0.75 + 0.25 * self.kept
        if not env.held(self.top):
            return 0.15 * self._reach(env)
        lifted = self._lifted(env)
        over = float(np.clip(1 - self._away(env) / self._apart, 0.0, 1.0))
        return 0.35 + 0.15 * lifted + 0.15 * over * lifted


class Stack(SetDown):
    """Set an object on another."""

    def _away(self, env: ArmEnv) -> float:
        return env.horizontal_distance(self.top, self.bottom or "")

    def _lifted(self, env: ArmEnv) -> float:
        return float(np.clip(env.height(self.top) / LIFT_HEIGHT, 0.0, 1.0))

    def resting(self, env: ArmEnv) -> bool:
        """Whether the object lies still on the other, which stands on the floor, and nobody holds it."""
        assert self.bottom is not None
        flat, upright = STACK_TOLERANCE
        lower, upper = env.object_position(self.bottom), env.object_position(self.top)
        return (
            env.horizontal_distance(self.top, self.bottom) < flat
            and abs(upper[2] - lower[2] - 2 * env.half_height) < upright
            and abs(env.height(self.bottom)) < upright
            and env.touching(self.top, self.bottom)
            and not env.touched_by_fingers(self.top)
        )


class Place(SetDown):
    """Lift an object and set it down beside another."""

    def reset(self, env: ArmEnv) -> None:
        self.carried = False
        super().reset(env)

    def _away(self, env: ArmEnv) -> float:
        """Metres that the object is too near or too far, horizontally."""
        near, far = BESIDE
        distance = env.horizontal_distance(self.top, self.bottom or "")
        return max(near - distance, distance - far, 0.0)

    def _lifted(self, env: ArmEnv) -> float:
        return 1.0 if self.carried else float(np.clip(env.height(self.top) / CARRIED, 0.0, 1.0))

    def resting(self, env: ArmEnv) -> bool:
        """Whether the object was carried, lies on the floor beside the other, and nobody holds it."""
        self.carried = self.carried or (env.held(self.top) and env.height(self.top) > CARRIED)
        down = abs(env.height(self.top)) < STACK_TOLERANCE[1]
        return self.carried and down and not self._away(env) and not env.touched_by_fingers(self.top)


_GOALS: dict[str, type[Goal]] = {"reach": Reach, "lift": Lift, "stack": Stack, "place": Place}
_TWO_OBJECTS = ("stack", "place")


def make_goal(kind: str, top: str, bottom: str | None = None) -> Goal:
    """A goal by name.

    Raises:
        UnknownNameError: there is no such goal or colour.
        OpengatoError: `stack` or `place` lacks its second colour, or has the same twice.
    """
    if kind not in _GOALS:
        raise UnknownNameError("goal", kind, _GOALS, "Next: choose one of them.")
    for color in filter(None, (top, bottom)):
        if color not in COLORS:
            raise UnknownNameError("color", color, COLORS, "Next: choose one of them.")
    if kind in _TWO_OBJECTS and bottom in (None, top):
        raise OpengatoError(f"{kind} of {top!r} and {bottom!r}. Next: name two different colours.")
    return _GOALS[kind](top, bottom)
