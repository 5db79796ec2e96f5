"""Demonstrators of Gymnasium's bodies that need no training."""

from __future__ import annotations

from typing import Any

import numpy as np


class Swimming:
    """A wave that travels down a chain of links: each joint does what the one before did, a while later; all bend a
    little, by how far the chain has turned off its way.

    Args:
        rate_hz: of the wave.
        lag: radians between neighbouring joints.
        steering: share of an action per radian off the way.
    """

    def __init__(self, rate_hz: float = 0.45, lag: float = 0.6, steering: float = 0.5) -> None:
        self.rate_hz, self.lag, self.steering = rate_hz, lag, steering

    def reset(self, env: Any) -> None:
        """Start the wave anew."""
        self._step, self._seconds = 0, env.unwrapped.dt
        self._joints = np.arange(env.action_space.shape[0])

    def act(self, observation: Any) -> np.ndarray:
        """float32 [joints] in [-1, 1]. The state begins with the angles of the first link and of the joints, rad."""
        phase = 2 * np.pi * self.rate_hz * self._step * self._seconds
        self._step += 1
        links = np.cumsum(observation["state"][: len(self._joints) + 1])
        wave = np.sin(phase - self.lag * self._joints)
        return np.clip(wave + self.steering * links.mean(), -1, 1).astype(np.float32)
