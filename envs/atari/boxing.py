"""A script that plays Boxing: step up close, a little above or below the opponent, and jab."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .demonstrator import RamScript

# Cells of the console's memory; x grows to the right, y downwards; an arm counts from 0 (drawn in) to 72 (stretched).
OWN_X, OWN_Y, OTHER_X, OTHER_Y, OWN_ARMS = 32, 34, 33, 35, (55, 57)
# Where punches land and the opponent's do not: as near as the boxers get, with the gloves level with the head.
DISTANCE, HEIGHT = 10, 7
REACH_X, REACH_Y = 24, 28
DRAWN_IN = 16


class Boxing(RamScript):
    """Fights at close quarters.

    Keeps the opponent at a fixed distance, on the side and at the height where it is nearer to being already, and
    punches when it is in reach and both arms are drawn in: a button that is held down keeps the arm stretched.
    """

    def act(self, observation: Mapping[str, np.ndarray]) -> int:
        across, down = self.at(OTHER_X) - self.at(OWN_X), self.at(OTHER_Y) - self.at(OWN_Y)
        step_x = across - (DISTANCE if across >= 0 else -DISTANCE)
        step_y = down - (HEIGHT if down >= 0 else -HEIGHT)
        ready = max(map(self.at, OWN_ARMS)) < DRAWN_IN
        return self.press(
            "".join(
                (
                    "UP" if step_y < -1 else "DOWN" if step_y > 1 else "",
                    "LEFT" if step_x < -1 else "RIGHT" if step_x > 1 else "",
                    "FIRE" if ready and abs(across) < REACH_X and abs(down) < REACH_Y else "",
                )
            )
            or "NOOP"
        )
