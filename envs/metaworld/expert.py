"""Meta-World's scripted policies as demonstrators."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from metaworld.policies import ENV_POLICY_MAP

from opengato.envs.metaworld import signals
from opengato.envs.metaworld.env import VERSION

# The scripts aim beyond the action's range on purpose, and say so at every step.
warnings.filterwarnings("ignore", message=r"Constant\(s\) may be too high", category=UserWarning)


class ScriptedExpert:
    """The script that Meta-World ships for a task; it reads the observation alone."""

    def reset(self, env: Any) -> None:
        self._policy = ENV_POLICY_MAP[env.unwrapped.task + VERSION]()

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 [4] in [-1, 1]."""
        action = self._policy.get_action(signals.join(observation))
        return np.clip(action, -1.0, 1.0).astype(np.float32)
