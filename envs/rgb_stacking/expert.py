"""The script that demonstrates the stacking, on positions that the agent does not see.

It decides anew at each step, and remembers only which sides it chose and that it has let go: takes red where two
opposite sides face the fingers, carries it to where blue bears it best, sets it down, opens and goes up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from opengato.envs.tabletop import RATE

from .env import GRIP, LOW, SPEED, TURN, RgbStackingEnv
from .shapes import Grasp, grasps, seat

GAIN = 0.4  # share of the way to the point that one step covers, up to full speed
CLEARANCE = 0.05  # metres above the place to go down to, while travelling
NEAR, FAR = 0.006, 0.03  # metres sideways: the funnel's throat and mouth
TURNED = 0.06  # radians within which the hand is turned as it should be
TIGHT = 4.5  # N·m of the drive: held firmly
SPARE = 0.022  # metres by which the open fingers exceed the object
GAP = 0.0025  # metres over blue at which red is let go
SPAN = 0.086  # metres between the open fingers


class StackExpert:
    """Demonstrator of all tasks of the family."""

    def __init__(self) -> None:
        self._env: RgbStackingEnv | None = None

    def reset(self, env: Any) -> None:
        """A new episode."""
        self._env = env.unwrapped
        self._grasp: Grasp | None = None
        self._placed = False

    def act(self, observation: Any) -> np.ndarray:
        """The action for the environment's present state, float32 [5]."""
        env = self._env
        assert env is not None, "reset(env) comes first"
        if self._placed or env.goal.resting(env):
            self._placed = env.touching("red", "blue") or env.touched_by_fingers("red")
            return self._let_go(env)
        if self._held(env):
            return self._carry(env)
        return self._take(env, "red")

    def _held(self, env: RgbStackingEnv) -> bool:
        """Whether the fingers are closed on red."""
        offset = env.object_position("red") - env.gripper_position()
        return env.held("red") and float(np.linalg.norm(offset)) < 0.06 and env.torque() > TIGHT / 2

    def _take(self, env: RgbStackingEnv, color: str) -> np.ndarray:
        now = env.gripper_position()
        others = [env.corners(other) for other in env.solids if other != color]
        ways = grasps(env.corners(color), env.centre(color), LOW[2], others)
        if not ways:
            return _steer(env, now + [0.0, 0.0, 0.05], env.gripper_yaw(), SPAN)
        chosen = self._grasp
        if chosen is None or not any(abs(way.yaw - chosen.yaw) < 0.1 for way in ways[:3]):
            best = [way for way in ways if way.quality > ways[0].quality - 0.1]
            chosen = min(best, key=lambda way: abs(way.yaw - env.gripper_yaw()))
        kept = chosen.yaw  # one choice lasts, unless the object turns
        way = self._grasp = min(ways, key=lambda way: abs(way.yaw - kept))
        off = abs(way.yaw - env.gripper_yaw())
        point = _funnel(way.point, now, off > 2 * TURNED)
        action = _steer(env, point, way.yaw, way.width + SPARE)
        aside, above = np.linalg.norm((way.point - now)[:2]), abs(way.point[2] - now[2])
        if aside < 0.006 and above < 0.006 and off < TURNED or env.held(color):
            action[4] = 1.0
        return action

    def _carry(self, env: RgbStackingEnv) -> np.ndarray:
        red, blue = env.corners("red"), env.corners("blue")
        found = seat(blue, env.centre("blue"))
        place = found[0] if found else env.centre("blue")[:2]
        centre = env.centre("red")
        gap = float(red[:, 2].min() - blue[:, 2].max())
        aside = float(np.linalg.norm(place - centre[:2]))
        if aside < 0.006 and (gap < GAP or env.touching("red", "blue")):
            self._placed = True
            return self._let_go(env)
        bottom = np.array([*centre[:2], red[:, 2].min()])
        target = _funnel(np.array([*place, blue[:, 2].max() + GAP / 2]), bottom, False)
        action = _steer(env, env.gripper_position() + target - bottom, env.gripper_yaw(), 0.0)
        action[4] = np.clip(0.5 * (TIGHT - env.torque()), -0.2, 1.0)
        return action

    def _let_go(self, env: RgbStackingEnv) -> np.ndarray:
        now = env.gripper_position()
        width = self._grasp.width if self._grasp else 0.05
        free = not env.touched_by_fingers("red") and env.opening() > width + SPARE / 2
        point = now + [0.0, 0.0, 0.05 if free or now[2] > env.corners("red")[:, 2].max() else 0.0]
        return _steer(env, point, env.gripper_yaw(), width + SPARE)


def _steer(env: RgbStackingEnv, point: np.ndarray, yaw: float, opening: float) -> np.ndarray:
    """Action towards a place, a yaw and an opening, slowing down as each comes near."""
    step = np.array([SPEED, SPEED, SPEED, TURN]) / RATE
    error = np.array([*(point - env.gripper_position()), yaw - env.gripper_yaw()])
    closing = (env.opening() - opening) / SPAN
    return np.clip([*(GAIN * error / step), GAIN * closing * 255.0 / (GRIP / RATE)], -1.0, 1.0).astype(np.float32)


def _funnel(place: np.ndarray, now: np.ndarray, wait: bool) -> np.ndarray:
    """Where to steer to come to `place` from above: high while far from it sideways or while there is reason to wait;
    sideways only once high enough."""
    aside = float(np.linalg.norm((place - now)[:2]))
    high = CLEARANCE * (1.0 if wait else float(np.clip((aside - NEAR) / (FAR - NEAR), 0.0, 1.0)))
    point = place + [0.0, 0.0, high]
    lacking = float(np.clip((point[2] - now[2] - 0.01) / 0.02, 0.0, 1.0))  # too low: first up
    point[:2] = point[:2] * (1 - lacking) + now[:2] * lacking
    return point
