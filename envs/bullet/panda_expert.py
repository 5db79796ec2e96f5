"""Demonstrators for the Panda: proportional control on the true state, a plain function of what is seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from .panda import MAX_SPEED
from .panda_tasks import PUCK_RADIUS

GAIN = 4.0  # 1/s: speed asked for per metre of error
CONTACT = PUCK_RADIUS + 0.008  # metres between hand and puck when the fingers touch it, less a little
PUSH_HEIGHT, TRAVEL_HEIGHT = 0.03, 0.11  # metres above the table


def _limit(vector: np.ndarray) -> np.ndarray:
    """Shorten to length 1, direction kept."""
    return vector / max(1.0, float(np.linalg.norm(vector)))


class PandaReach:
    """Straight to the goal, slower when near."""

    def reset(self, env: Any) -> None:
        """Take hold of the environment, wrapped or not."""
        self.env = env.unwrapped

    def act(self, observation: Any) -> np.ndarray:
        """float32 [3] in [-1, 1]."""
        return _limit(GAIN / MAX_SPEED * (self.env.goal - self.env.hand)).astype(np.float32)


class PandaPush(PandaReach):
    """Over the puck to its far side from the mark, down, and along the line to the mark.

    How far the hand is from the line behind the puck sets its height and blends travelling into pushing.
    """

    def act(self, observation: Any) -> np.ndarray:
        """float32 [3] in [-1, 1]."""
        hand, puck = self.env.hand, self.env.object[:2]
        to_goal = self.env.goal[:2] - puck
        left = float(np.linalg.norm(to_goal))
        along = to_goal / max(left, 1e-6)
        offset = hand[:2] - puck
        behind = -float(offset @ along)
        lateral = offset + behind * along
        clear = CONTACT + 0.5 * float(np.clip(hand[2] - PUSH_HEIGHT - 0.005, 0.0, 0.03))  # do not come down on the puck
        short = max(0.0, clear - behind)  # metres that the hand lacks from being behind the puck
        away = float(np.linalg.norm(lateral)) + 3.0 * short
        travelling = np.clip((away - 0.012) / 0.025, 0.0, 1.0)
        height = PUSH_HEIGHT + travelling * (TRAVEL_HEIGHT - PUSH_HEIGHT)

        # Low beside the puck, rise before moving across it.
        near = np.clip((0.12 - float(np.linalg.norm(offset))) / 0.03, 0.0, 1.0)
        free = 1.0 - travelling * near * np.clip((0.085 - hand[2]) / 0.03, 0.0, 1.0)
        start = CONTACT + 0.025
        travel = free * GAIN / MAX_SPEED * (puck - start * along - hand[:2])
        speed = np.clip(left / 0.06, 0.0, 1.0) * np.clip((0.055 - hand[2]) / 0.015, 0.0, 1.0)
        push = 0.5 * speed * along - 2.0 * GAIN / MAX_SPEED * lateral
        across = travelling * _limit(travel) + (1.0 - travelling) * _limit(push)
        up = np.clip(GAIN / MAX_SPEED * (height - hand[2]), -1.0, 1.0)
        return np.clip(np.append(across, up), -1.0, 1.0).astype(np.float32)
