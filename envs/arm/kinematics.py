"""Joint angles that put the gripper, pointing down, at a place: in closed form, so exact and the same every time.

The arm is planar above its waist: waist (yaw), shoulder, elbow and wrist pitch, then a roll about the vertical. Lengths
are those of `assets/arm/scene.xml`; a test holds the two together.
"""

from __future__ import annotations

import math

import numpy as np

BASE_X = -0.44  # waist's axis, metres
SHOULDER_Z = 0.26
LINK = 0.33  # upper arm and forearm alike
HAND = 0.15  # from the wrist down to the point between the fingertips


def joints_for(position: np.ndarray, yaw: float) -> np.ndarray:
    """Angles of waist, shoulder, elbow, wrist pitch and wrist roll, radians, float64 [5].

    Args:
        position: the point between the fingertips, metres, float64 [3]; a place out of reach gives the nearest stretch.
        yaw: of the fingers about the vertical, radians.
    """
    x, y, z = (float(value) for value in position)
    waist = math.atan2(y, x - BASE_X)
    out, up = math.hypot(x - BASE_X, y), z + HAND - SHOULDER_Z
    slope = math.atan2(up, out)
    bend = math.acos(min(math.hypot(out, up) / (2 * LINK), 1.0))
    return np.array([waist, -(slope + bend), 2 * bend, slope - bend, yaw - waist])
