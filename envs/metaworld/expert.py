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


# Where the script's grip lets the object slip on the way, the fingers close with all their force: seeds 0 to 19 then
# succeed 17 times instead of 13 on shelf-place, 20 instead of 17 on hand-insert. (On peg-insert-side it does harm.)
FIRM = ("shelf-place", "hand-insert")
# This script presses with open fingers, which the reward multiplies by how far they are closed: it would return 0.
CLOSED = ("button-press-topdown-wall",)


class ScriptedExpert:
    """The script that Meta-World ships for a task; it reads the observation alone."""

    def reset(self, env: Any) -> None:
        task = env.unwrapped.task
        policies: Any = ENV_POLICY_MAP  # typed as a map to the abstract class
        self._policy, self._firm, self._closed = policies[task + VERSION](), task in FIRM, task in CLOSED

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 [4] in [-1, 1]."""
        action = self._policy.get_action(signals.join(observation))
        if self._closed or (self._firm and action[3] > 0):
            action[3] = 1.0
        return np.clip(action, -1.0, 1.0).astype(np.float32)
