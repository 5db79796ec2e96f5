"""What is asked: the red object on the blue one, let go, the hand above. Progress counts as for the arm's stacking."""

from __future__ import annotations

from typing import Any

import numpy as np

from opengato.envs.arm.goals import LIFT_HEIGHT, SetDown

# As the benchmark's sparse reward has them, metres between the objects' centres; and how far the fingertips must be.
ASIDE, ON_TOP = 0.05, 0.02
APART = 0.07


class StackRed(SetDown):
    """Red on blue, after the benchmark's sparse reward: centres within 5 cm sideways, red at least 2 cm higher, the two
    in touch, red in touch neither with the basket nor with the robot; and the fingertips at least 7 cm above red."""

    def __init__(self) -> None:
        super().__init__("red", "blue")

    def _away(self, env: Any) -> float:
        return env.horizontal_distance("red", "blue")

    def _lifted(self, env: Any) -> float:
        return float(np.clip(env.height("red") / LIFT_HEIGHT, 0.0, 1.0))

    def resting(self, env: Any) -> bool:
        """Whether red lies on blue and nobody holds it."""
        higher = env.object_position("red")[2] - env.object_position("blue")[2]
        return (
            env.horizontal_distance("red", "blue") < ASIDE
            and higher > ON_TOP
            and env.touching("red", "blue")
            and not env.touches_basket("red")
            and not env.touched_by_fingers("red")
        )

    def met(self, env: Any) -> bool:
        away = env.gripper_position()[2] - env.object_position("red")[2]
        return self.resting(env) and away > APART and env.speed("red") < 0.05
