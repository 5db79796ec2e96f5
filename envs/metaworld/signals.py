"""What the 39 numbers of a Meta-World observation are, by name; shared by all tasks, so that they are one body.

Source: metaworld 3.0.0, `sawyer_xyz_env.py`, `_get_obs`: this frame (18), the frame before (18), the goal (3).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from gymnasium import spaces

SIZE = 39
# Left out of each frame: the quaternion of the second object. No task's second object turns, so it says nothing.
SIGNALS = {
    "hand": slice(0, 3),
    "gripper": slice(3, 4),
    "object": slice(4, 7),
    "object_quaternion": slice(7, 11),
    "second_object": slice(11, 14),
    "previous": slice(18, 32),
    "goal": slice(36, 39),
}


def space() -> spaces.Dict:
    """float32 vectors, unbounded but for the gripper in [0, 1]."""
    boxes = {name: spaces.Box(-np.inf, np.inf, (part.stop - part.start,), np.float32) for name, part in SIGNALS.items()}
    return spaces.Dict({**boxes, "gripper": spaces.Box(0.0, 1.0, (1,), np.float32)})


def split(flat: np.ndarray) -> dict[str, np.ndarray]:
    """float [39] → the signals, float32, in memory of their own."""
    return {name: flat[part].astype(np.float32) for name, part in SIGNALS.items()}


def join(observation: Mapping[str, np.ndarray]) -> np.ndarray:
    """The signals → float64 [39]; what no signal holds is 0."""
    flat = np.zeros(SIZE)
    for name, part in SIGNALS.items():
        flat[part] = observation[name]
    return flat
