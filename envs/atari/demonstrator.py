"""What the scripts that play the games share: they read the console's memory, and keep nothing between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class RamScript:
    """A demonstrator whose action depends on the console's memory now and one step ago, and on nothing else.

    That makes it indifferent to who chose the last action, so that it recovers from actions that were not its own.
    """

    env: Any

    def reset(self, env: Any) -> None:
        """Look at an `AtariEnv`, wrapped or not."""
        self.env = env.unwrapped

    def act(self, observation: Mapping[str, np.ndarray]) -> int:
        """The action for the game as it stands; the observation is ignored."""
        raise NotImplementedError

    def press(self, meaning: str) -> int:
        """Index of an action by its name in ALE.

        Raises:
            ValueError: the game has no such action.
        """
        return self.env.action_meanings.index(meaning)

    def at(self, address: int) -> int:
        """A RAM cell as it is, 0 to 255."""
        return int(self.env.ram[address])

    def signed(self, address: int) -> int:
        """A RAM cell as a signed byte, -128 to 127."""
        value = int(self.env.ram[address])
        return value - 256 if value > 127 else value

    def before(self, address: int) -> int:
        """A RAM cell as it was one step ago, 0 to 255."""
        return int(self.env.previous_ram[address])


def reflect(position: float, low: float, high: float) -> float:
    """Where a ball ends that would reach `position` if walls at `low` and `high` did not throw it back."""
    span = high - low
    offset = (position - low) % (2 * span)
    return low + (offset if offset <= span else 2 * span - offset)
