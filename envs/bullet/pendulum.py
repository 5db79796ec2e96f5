"""The inverted pendulum of `pybullet_envs`, started hanging down or upright."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pybullet
import pybullet_data
from gymnasium import spaces

from .base import BulletEnv, Camera

STEP_S = 0.0165  # gym_pendulum_envs: create_single_player_scene
FORCE_N = 100.0  # robot_pendula: apply_action
FALLEN_RAD = 0.2  # gym_pendulum_envs: InvertedPendulumBulletEnv.step


class PendulumSwingupEnv(BulletEnv):
    """A cart on a 2 m rail swings a pole up and holds it.

    Observation, float32: `cart`: position (m), velocity (m/s); `pole`: cos and sin of its angle from upright, its
    angular velocity (rad/s).
    Action: float32 [1] in [-1, 1], 100 N on the cart.
    Reward of a step: the cosine of the pole's angle from upright (`gym_pendulum_envs`: InvertedPendulumBulletEnv.step).
    The episode is cut at `max_steps`; nothing ends it.
    """

    camera = Camera(2.6, 0.0, -8.0)

    def __init__(self, max_steps: int = 1000, render_mode: str | None = None) -> None:
        super().__init__(1.0 / STEP_S, 1, max_steps, render_mode)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        limit = np.array([1.0, 1.0, np.inf], np.float32)
        self.observation_space = spaces.Dict(
            {
                "cart": spaces.Box(-np.inf, np.inf, (2,), np.float32),
                "pole": spaces.Box(-limit, limit, dtype=np.float32),
            }
        )
        self.state = np.zeros(5, np.float32)

    def _build(self) -> None:
        client = self.client
        client.setPhysicsEngineParameter(deterministicOverlappingPairs=1)
        client.setGravity(0, 0, -9.8)
        client.setDefaultContactERP(0.9)
        client.setPhysicsEngineParameter(fixedTimeStep=STEP_S, numSolverIterations=5, numSubSteps=1)
        flags = pybullet.URDF_USE_SELF_COLLISION | pybullet.URDF_USE_SELF_COLLISION_EXCLUDE_ALL_PARENTS
        file = os.path.join(pybullet_data.getDataPath(), "mjcf", "inverted_pendulum.xml")
        self._rail, self._cart = client.loadMJCF(file, flags=flags)
        joints = {client.getJointInfo(self._cart, index)[1]: index for index in range(client.getNumJoints(self._cart))}
        for index in joints.values():
            client.setJointMotorControl2(
                self._cart, index, pybullet.POSITION_CONTROL, positionGain=0.1, velocityGain=0.1, force=0
            )
        client.changeVisualShape(self._rail, -1, rgbaColor=[0.35, 0.38, 0.45, 1])
        for index in joints.values():
            paint = [0.80, 0.36, 0.20, 1] if index < joints[b"hinge"] else [0.93, 0.60, 0.24, 1]  # cart, pole
            client.changeVisualShape(self._cart, index, rgbaColor=paint)
        self._joints = [joints[b"slider"], joints[b"hinge"]]

    def _begin(self) -> None:
        self.client.resetJointState(self._cart, self._joints[1], 3.1415 + self.np_random.uniform(-0.1, 0.1), 0.0)

    def _apply(self, action: np.ndarray) -> None:
        self.client.setJointMotorControl2(
            self._cart, self._joints[0], pybullet.TORQUE_CONTROL, force=FORCE_N * float(action[0])
        )

    def _measure(self) -> dict[str, Any]:
        (x, velocity, *_), (self._angle, spin, *_) = self.client.getJointStates(self._cart, self._joints)
        self.state = np.array([x, velocity, np.cos(self._angle), np.sin(self._angle), spin], np.float32)
        return {"cart": self.state[:2].copy(), "pole": self.state[2:].copy()}

    def _judge(self, action: np.ndarray) -> tuple[float, bool, dict[str, Any]]:
        return float(np.cos(self._angle)), False, {}


class PendulumBalanceEnv(PendulumSwingupEnv):
    """The same cart, its pole started within 0.1 rad of upright.

    Observation and action as above. Reward: 1 a step; the episode ends when the pole leans by more than 0.2 rad, and is
    cut at `max_steps` (`gym_pendulum_envs`: InvertedPendulumBulletEnv.step).
    """

    def _begin(self) -> None:
        self.client.resetJointState(self._cart, self._joints[1], self.np_random.uniform(-0.1, 0.1), 0.0)

    def _judge(self, action: np.ndarray) -> tuple[float, bool, dict[str, Any]]:
        return 1.0, abs(self._angle) > FALLEN_RAD, {}
