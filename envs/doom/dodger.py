"""A script that dodges fireballs: of many ways to step it takes the one that leaves most room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opengato.envs.doom.motion import slide
from opengato.envs.doom.scenarios import TICS_PER_STEP
from opengato.envs.doom.script import Script

FIREBALL = "DoomImpBall"
HORIZON = 15  # steps that are thought ahead
REACH = 16.0 + 6.0  # map units: half a marine and half a fireball, whose bounding squares meet
ROOM = 40.0  # more room than this is as good as any
LOW, HIGH = 36.0, 636.0  # how far the marine can step, along y


def plans() -> np.ndarray:
    """Buttons of each step, int [n, HORIZON]: one way for some steps, then another one for some, then none."""
    found = []
    for first in (0, 1, -1):
        for then in (0, 1, -1):
            for change in range(1, HORIZON, 2):
                for stop in range(change, HORIZON + 1, 3):
                    found.append([first] * change + [then] * (stop - change) + [0] * (HORIZON - stop))
    return np.unique(np.array(found), axis=0)


PLANS = plans()


class Dodger(Script):
    """Foresees all fireballs and where its own steps lead; being near the middle is worth a little."""

    def act(self, observation: Mapping[str, Any]) -> int:
        here = self.place
        balls = [thing for thing in self.things() if thing.name == FIREBALL]
        tics = np.repeat(PLANS, TICS_PER_STEP, axis=1)
        way = np.clip(here[1] + slide(float(self.velocity[1]), tics), LOW, HIGH)  # [plans, tics]
        after = np.arange(1, tics.shape[1] + 1)
        room = np.full(len(PLANS), ROOM)
        for ball in balls:
            path = ball.place + ball.velocity * after[:, None]
            beside = np.abs(path[:, 0] - here[0]) < REACH + abs(ball.velocity[0])
            if beside.any():
                apart = np.abs(path[beside, 1] - way[:, beside]) - REACH
                room = np.minimum(room, apart.min(axis=1))
        effort = np.abs(PLANS).sum(axis=1) / HORIZON
        off = np.abs(way[:, -1] - (LOW + HIGH) / 2) / (HIGH - LOW)
        best = PLANS[int((room - 2.0 * effort - 10.0 * off).argmax())][0]
        return self.press(*({1: ("MOVE_LEFT",), -1: ("MOVE_RIGHT",)}.get(int(best), ())))
