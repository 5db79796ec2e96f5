"""A script that plays Freeway: the cars never change speed, so the way across can be planned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .demonstrator import RamScript
from .env import FRAME_SKIP

CHICKEN_Y, CARS_X = 14, 108  # cells of the console's memory; y grows upwards, ten cars from the lowest lane on
CAR_SPEED = np.array([1 / 5, 1 / 4, 1 / 3, 1 / 2, 1, -1, -1 / 2, -1 / 3, -1 / 4, -1 / 5])  # pixels a frame
LANES, LANE_HEIGHT, ROAD_WIDTH = 10, 16, 160
# A chicken and a car collide while the car's x and the chicken's height above the lane's zero are in these ranges.
COLLISION_X, COLLISION_Y = (39, 54), (13, 29)
SIDEWALK_Y, ARRIVED_Y = 6, 176  # the lowest height, and the one where the point is made
HORIZON = 12  # steps
COLLISION_PRICE = 60  # pixels: it throws the chicken back by more than a lane, and stuns it


class Freeway(RamScript):
    """Crosses as fast as the traffic allows.

    Finds, by going back in time over every height that the chicken may have in the next twelve steps, the way without a
    collision that gets it farthest; of equally good ways it takes the one that goes up first.
    """

    def act(self, observation: Mapping[str, np.ndarray]) -> int:
        height = self.at(CHICKEN_Y)
        heights = _heights(height)
        here = int(np.argmin(np.abs(heights - height)))
        danger = _danger(self.env.ram[CARS_X : CARS_X + LANES].astype(float), heights)
        value = heights.astype(float)
        choices = np.empty((3, len(heights)))
        for step in reversed(range(HORIZON)):
            price = np.where(danger[step], COLLISION_PRICE, 0)
            gain = value - price
            choices[0, :-1], choices[0, -1] = gain[1:], gain[-1]
            choices[1] = gain
            choices[2, 1:], choices[2, 0] = gain[:-1], gain[0]
            arrived = ARRIVED_Y + (HORIZON - step) * FRAME_SKIP
            value = np.where(heights >= ARRIVED_Y, arrived, choices.max(0) - price)
        return (self.press("UP"), self.press("NOOP"), self.press("DOWN"))[int(np.argmax(choices[:, here]))]


def _heights(height: int) -> np.ndarray:
    """int [heights]: the heights that a chicken can reach in whole steps, ascending."""
    return np.arange(SIDEWALK_Y + (height - SIDEWALK_Y) % FRAME_SKIP, ARRIVED_Y + FRAME_SKIP, FRAME_SKIP)


def _danger(cars: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """bool [steps, heights]: whether a car passes over a height during a step.

    Args:
        cars: float [10], x of each lane's car now, pixels.
        heights: int [heights].
    """
    frames = np.arange(HORIZON * FRAME_SKIP + 1)
    x = (cars + frames[:, None] * CAR_SPEED) % ROAD_WIDTH
    near = (x >= COLLISION_X[0]) & (x <= COLLISION_X[1])
    busy = near[1:].reshape(HORIZON, FRAME_SKIP, LANES).any(1)
    above = heights - LANE_HEIGHT * np.arange(LANES)[:, None]
    within = (above >= COLLISION_Y[0]) & (above <= COLLISION_Y[1])
    return busy.astype(int) @ within.astype(int) > 0
