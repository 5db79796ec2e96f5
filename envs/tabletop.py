"""What scenes of an arm over a few objects have in common: where things lie, and what touches what."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces


def box(low: Any, high: Any) -> spaces.Box:
    """A float32 `Box` with bounds for each element."""
    return spaces.Box(np.asarray(low, np.float32), np.asarray(high, np.float32), dtype=np.float32)


def scattered(random: np.random.Generator, count: int, reach: float, apart: float) -> np.ndarray:
    """Places at |x|, |y| < `reach`, at least `apart` from each other, metres, float64 [count, 2]."""
    while True:
        places = random.uniform(-reach, reach, (count, 2))
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(count, 1)]
        if not gaps.size or gaps.min() >= apart:
            return places


def touching(data: mujoco.MjData, some: Any, others: Any) -> bool:
    """Whether a geom of `some` (ids) is in contact with one of `others`."""
    pairs = data.contact.geom
    one, other = np.isin(pairs, some), np.isin(pairs, others)
    return bool(((one[:, 0] & other[:, 1]) | (one[:, 1] & other[:, 0])).any())
