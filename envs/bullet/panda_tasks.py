"""What the Panda is asked to do: bring its hand to a point, push a puck onto a mark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pybullet
from gymnasium import spaces

from .base import Client
from .panda import CENTRE, PandaEnv

PUCK_RADIUS, PUCK_HEIGHT, PUCK_MASS = 0.04, 0.05, 0.2  # metres, metres, kilograms


def _box(limit: float, size: int) -> spaces.Box:
    return spaces.Box(-limit, limit, (size,), np.float32)


class PandaReachEnv(PandaEnv):
    """Bring the hand to a point in space; success within 2 cm.

    Observation, float32, in the arm's base frame: `hand_position` (m, from the workspace's centre), `hand_velocity`
    (m/s), `goal_offset` (m, from the hand to the goal).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.observation_space = spaces.Dict(
            {"hand_position": _box(0.5, 3), "hand_velocity": _box(1.0, 3), "goal_offset": _box(1.0, 3)}
        )

    def _place(self) -> None:
        while True:
            self.goal = self.np_random.uniform([0.35, -0.28, 0.05], [0.60, 0.28, 0.40])
            if self._distance() > 0.1:  # a goal at the hand would ask for nothing
                return

    def _distance(self) -> float:
        return float(np.linalg.norm(self.goal - self.hand))

    def _measure(self) -> dict[str, Any]:
        self._read_hand()
        return _bounded(
            self.observation_space,
            hand_position=self.hand - CENTRE,
            hand_velocity=self._hand_velocity,
            goal_offset=self.goal - self.hand,
        )


class PandaPushEnv(PandaEnv):
    """Push a puck over the table onto a mark; success when its centre is within 4 cm of the mark's.

    Observation, float32, in the arm's base frame: `hand_position` (m, from the workspace's centre), `hand_velocity`
    (m/s), `object_offset` (m, from the hand to the puck's centre), `goal_offset` (m, x and y, from the puck to the
    mark). The puck is round, so its turn about the vertical cannot be told, and friction stops it within 0.15 s.
    """

    tolerance = 0.04

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.object = np.zeros(3)
        self.observation_space = spaces.Dict(
            {
                "hand_position": _box(0.5, 3),
                "hand_velocity": _box(1.0, 3),
                "object_offset": _box(1.0, 3),
                "goal_offset": _box(1.0, 2),
            }
        )

    def _add_objects(self, client: Client) -> None:
        shape = client.createCollisionShape(pybullet.GEOM_CYLINDER, radius=PUCK_RADIUS, height=PUCK_HEIGHT)
        look = client.createVisualShape(
            pybullet.GEOM_CYLINDER, radius=PUCK_RADIUS, length=PUCK_HEIGHT, rgbaColor=[0.85, 0.2, 0.15, 1]
        )
        self._puck = client.createMultiBody(PUCK_MASS, shape, look, [0.5, 0, PUCK_HEIGHT / 2])
        client.changeDynamics(self._puck, -1, lateralFriction=0.6)

    def _add_marker(self, client: Client) -> None:
        shape = client.createVisualShape(
            pybullet.GEOM_CYLINDER, radius=self.tolerance, length=0.004, rgbaColor=[0.1, 0.7, 0.2, 1]
        )
        self._marker = client.createMultiBody(0, -1, shape)

    def _place(self) -> None:
        self.object[:2] = self.np_random.uniform([0.42, -0.15], [0.56, 0.15])
        self.object[2] = PUCK_HEIGHT / 2
        self.client.resetBasePositionAndOrientation(self._puck, self.object.tolist(), (0, 0, 0, 1))
        while True:
            self.goal = np.array([*self.np_random.uniform([0.38, -0.2], [0.60, 0.2]), 0.0])
            if self._distance() > 0.12:
                return

    def _distance(self) -> float:
        return float(np.linalg.norm(self.goal[:2] - self.object[:2]))

    def _measure(self) -> dict[str, Any]:
        self._read_hand()
        self.object = np.array(self.client.getBasePositionAndOrientation(self._puck)[0])
        return _bounded(
            self.observation_space,
            hand_position=self.hand - CENTRE,
            hand_velocity=self._hand_velocity,
            object_offset=self.object - self.hand,
            goal_offset=(self.goal - self.object)[:2],
        )


def _bounded(space: spaces.Dict, **values: Any) -> dict[str, Any]:
    """Values as float32 inside their boxes: a knock may throw the puck far."""
    boxes = {name: box for name, box in space.spaces.items() if isinstance(box, spaces.Box)}
    return {name: np.clip(np.float32(value), boxes[name].low, boxes[name].high) for name, value in values.items()}
