"""One episode in memory: what a demonstrator did, or a prompt, or a rollout that was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Episode:
    """T timesteps.

    Args:
        observations: T observations as the environment gave them (nested dicts and tuples allowed); `observations[t]`
            is what was seen before `actions[t]`.
        actions: T actions. For a demonstration, what the demonstrator wanted.
        rewards: float32 [T].
        success: whether the task's criterion was met; None where it has none.
        seed: the environment's seed, None if unknown.
        info: provenance and whatever else is worth keeping; JSON values.
    """

    observations: list[Any]
    actions: list[Any]
    rewards: np.ndarray
    success: bool | None = None
    seed: int | None = None
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def total_return(self) -> float:
        """Sum of rewards."""
        return float(np.sum(self.rewards))
