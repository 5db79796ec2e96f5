"""How a marine picks up speed and slides to rest, for scripts that think a few steps ahead."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from opengato.envs.doom.scenarios import TICS_PER_STEP

FRICTION = 0.90625  # of the speed that a tic leaves
THRUST = 0.75  # map units a tic that a button to the side adds in a tic


@cache
def _ways(steps: int) -> np.ndarray:
    """Every sequence of buttons, int [3^steps, steps]: 1 left, -1 right, 0 none."""
    return np.array(list(product((0, 1, -1), repeat=steps)), np.int64).reshape(3**steps, steps)


def slide(velocity: float, ways: np.ndarray) -> np.ndarray:
    """Where a player is after each tic.

    Args:
        velocity: now, map units a tic.
        ways: buttons of every tic, [n, tics]; 1 left, -1 right, 0 none.

    Returns:
        Way from here, float64 [n, tics].
    """
    places = np.empty(ways.shape)
    place, speed = np.zeros(len(ways)), np.full(len(ways), velocity)
    for tic in range(ways.shape[1]):
        speed = speed + THRUST * ways[:, tic]
        place = place + speed
        places[:, tic] = place
        speed = speed * FRICTION
    return places


def sidesteps(velocity: float, steps: int, rest: int) -> tuple[np.ndarray, np.ndarray]:
    """Where every sequence of buttons leads, and `rest` tics without any after it.

    Returns:
        The sequences, int [3^steps, steps], and the ways from here in map units, float64 [3^steps].
    """
    ways = _ways(steps)
    tics = np.pad(np.repeat(ways, TICS_PER_STEP, axis=1), ((0, 0), (0, rest)))
    return ways, slide(velocity, tics)[:, -1]
