"""A body that costs nothing to simulate, so that what is timed is our own overhead. A plugin: `plugins=[…/body.py]`."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from opengato.tasks import register

OBSERVED, DONE, STEPS = 17, 6, 250


class Body(gym.Env[np.ndarray, np.ndarray]):
    """A damped linear system of 17 numbers, pushed by 6. Reward: minus its mean square."""

    metadata = {"render_modes": []}
    render_mode = None
    observation_space = spaces.Box(-np.inf, np.inf, (OBSERVED,))
    action_space = spaces.Box(-1, 1, (DONE,))
    push: np.ndarray = np.random.default_rng(0).normal(size=(DONE, OBSERVED)).astype(np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.step_count, self.state = 0, self.np_random.normal(size=OBSERVED).astype(np.float32)
        return self.state, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.state = (0.95 * self.state + 0.05 * np.asarray(action) @ self.push).astype(np.float32)
        self.step_count += 1
        return self.state, -float(self.state @ self.state) / OBSERVED, False, self.step_count >= STEPS, {}


def demonstrate(observation: np.ndarray, env: gym.Env[np.ndarray, np.ndarray]) -> np.ndarray:
    """Push against where it stands."""
    return np.clip(-Body.push @ observation / OBSERVED, -1, 1)


@register(
    "bench/body", instruction="come to rest", embodiment="17 numbers pushed by 6", demonstrator=demonstrate,
    tags=("benchmark",),
)  # fmt: skip
def body() -> Body:
    return Body()
