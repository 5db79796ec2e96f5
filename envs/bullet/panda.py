"""A Franka Panda on a table, moved by the velocity of its hand."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pybullet
import pybullet_data
from gymnasium import spaces

from .base import BulletEnv, Camera, Client

RATE_HZ = 20.0
SUBSTEPS = 12  # of 1/240 s, PyBullet's default step
MAX_SPEED = 0.3  # metres a second of the hand at action 1
ARM = tuple(range(7))  # joint indices in franka_panda/panda.urdf
FINGERS = (9, 10)
HAND = 11  # panda_grasptarget, between the finger tips
HOME = np.array([0.0, 0.15, 0.0, -2.15, 0.0, 2.3, 0.785])  # radians; the hand points down, 0.22 m up
JOINT_SPEED = np.array([2.175] * 4 + [2.61] * 3)  # rad/s, limits of panda.urdf
JOINT_EFFORT = (87.0,) * 4 + (12.0,) * 3  # newton metres, limits of panda.urdf
WORKSPACE_LOW = np.array([0.30, -0.32, 0.02])  # metres from the arm's base; the table is z = 0
WORKSPACE_HIGH = np.array([0.68, 0.32, 0.45])
CENTRE = 0.5 * (WORKSPACE_LOW + WORKSPACE_HIGH)
DOWN = (1.0, 0.0, 0.0, 0.0)  # quaternion x, y, z, w of a hand that points down


class PandaEnv(BulletEnv):
    """The arm, its table and its control. Tasks add objects, a goal and a progress.

    Action: float32 [3] in [-1, 1], the hand's velocity along x, y, z as a share of 0.3 m/s, kept inside the workspace.
    The hand is kept pointing down and closed. Joint velocities follow by the damped inverse of the Jacobian, recomputed
    from the measured joints each step, so the arm has no hidden command to drift from.
    Reward: the growth of the best progress of the episode; progress is 0 at the start and 1 within the tolerance.
    The episode ends when the goal has held for half a second, and is cut at `max_steps`.
    """

    camera = Camera(1.0, 118.0, -32.0)
    geared = False
    tolerance = 0.02  # metres
    hold_steps = 10

    def __init__(self, max_steps: int = 200, render_mode: str | None = None) -> None:
        super().__init__(RATE_HZ, SUBSTEPS, max_steps, render_mode)
        self.action_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.goal = np.zeros(3)
        self.hand = np.zeros(3)
        self._stage: Client | None = None

    def _build(self) -> None:
        client = self.client
        client.setPhysicsEngineParameter(
            deterministicOverlappingPairs=1, fixedTimeStep=1.0 / RATE_HZ, numSubSteps=SUBSTEPS, numSolverIterations=50
        )
        client.setGravity(0, 0, -9.81)
        self._furnish(client, pybullet.URDF_IGNORE_VISUAL_SHAPES)  # visible meshes triple the loading time

    def _furnish(self, client: Client, flags: int = 0) -> None:
        """Load table and arm (body ids 0 and 1), then what the task adds; the same in the client for pictures."""
        plane = client.createCollisionShape(pybullet.GEOM_PLANE)
        board = client.createVisualShape(
            pybullet.GEOM_BOX,
            halfExtents=[0.45, 0.5, 0.01],
            rgbaColor=[0.62, 0.55, 0.46, 1],
            visualFramePosition=[0.35, 0, -0.01],
        )
        client.createMultiBody(0, plane, board)
        file = os.path.join(pybullet_data.getDataPath(), "franka_panda", "panda.urdf")
        self._arm = client.loadURDF(file, useFixedBase=True, flags=flags)
        self._add_objects(client)

    def _add_objects(self, client: Client) -> None:
        """Add what the task needs."""

    def _begin(self) -> None:
        client = self.client
        spread = np.array([0.35, 0.12, 0.1, 0.12, 0.1, 0.1, 0.2])
        for joint, position in zip(ARM, HOME + self.np_random.uniform(-spread, spread), strict=True):
            client.resetJointState(self._arm, joint, position, 0.0)
        for finger in FINGERS:
            client.resetJointState(self._arm, finger, 0.0, 0.0)
            client.setJointMotorControl2(self._arm, finger, pybullet.POSITION_CONTROL, targetPosition=0.0, force=20.0)
        self._read_hand()
        self._place()
        self._start_distance = self._distance()
        self._best, self._held = 0.0, 0

    def _place(self) -> None:
        """Draw the goal and the objects' places."""
        raise NotImplementedError

    def _distance(self) -> float:
        """Metres that are left."""
        raise NotImplementedError

    def _read_hand(self) -> None:
        state = self.client.getLinkState(self._arm, HAND, computeLinkVelocity=1, computeForwardKinematics=1)
        self.hand, self._hand_quaternion, self._hand_velocity = np.array(state[4]), state[5], np.array(state[6])

    def _apply(self, action: np.ndarray) -> None:
        target = np.clip(self.hand + action * MAX_SPEED / RATE_HZ, WORKSPACE_LOW, WORKSPACE_HIGH)
        turn = pybullet.getDifferenceQuaternion(self._hand_quaternion, DOWN)
        axis, angle = pybullet.getAxisAngleFromQuaternion(turn)
        angle = (angle + np.pi) % (2.0 * np.pi) - np.pi
        twist = np.concatenate([(target - self.hand) * RATE_HZ, 4.0 * angle * np.array(axis)])
        speeds = self._joint_speeds(twist)
        self.client.setJointMotorControlArray(
            self._arm, ARM, pybullet.VELOCITY_CONTROL, targetVelocities=speeds.tolist(), forces=JOINT_EFFORT
        )

    def _joint_speeds(self, twist: np.ndarray) -> np.ndarray:
        """Joint velocities, rad/s [7], for the hand's, m/s and rad/s [6]; the spare freedom returns to `HOME`."""
        client = self.client
        joints = [state[0] for state in client.getJointStates(self._arm, ARM + FINGERS)]
        zeros = [0.0] * len(joints)
        jacobian = np.vstack(client.calculateJacobian(self._arm, HAND, [0.0] * 3, joints, zeros, zeros))[:, :7]
        damped = jacobian @ jacobian.T + 0.03**2 * np.eye(6)
        posture = 1.0 * (HOME - np.array(joints[:7]))
        speeds = posture + jacobian.T @ np.linalg.solve(damped, twist - jacobian @ posture)
        return speeds / max(1.0, float(np.max(np.abs(speeds) / JOINT_SPEED)))

    def _judge(self, action: np.ndarray) -> tuple[float, bool, dict[str, Any]]:
        distance = self._distance()
        progress = np.clip((self._start_distance - distance) / (self._start_distance - self.tolerance), 0.0, 1.0)
        reward, self._best = max(0.0, float(progress) - self._best), max(self._best, float(progress))
        success = distance < self.tolerance
        self._held = self._held + 1 if success else 0
        return reward, self._held >= self.hold_steps, {"success": success, "distance": distance}

    def _pictured(self) -> Client:
        """A client with the visible meshes, posed as the physics is; made at the first picture."""
        if self._stage is None:
            self._stage = Client()
            self._furnish(self._stage)
            self._add_marker(self._stage)
        for joint, state in enumerate(self.client.getJointStates(self._arm, range(HAND))):
            self._stage.resetJointState(self._arm, joint, state[0])
        for body in range(self._arm + 1, self.client.getNumBodies()):
            self._stage.resetBasePositionAndOrientation(body, *self.client.getBasePositionAndOrientation(body))
        self._stage.resetBasePositionAndOrientation(self._marker, self.goal, (0, 0, 0, 1))
        return self._stage

    def _add_marker(self, client: Client) -> None:
        shape = client.createVisualShape(pybullet.GEOM_SPHERE, radius=self.tolerance, rgbaColor=[0.1, 0.7, 0.2, 1])
        self._marker = client.createMultiBody(0, -1, shape)

    def _look_at(self) -> tuple[float, float, float]:
        return 0.45, 0.0, 0.12

    def close(self) -> None:
        super().close()
        if self._stage is not None:
            self._stage.close()
            self._stage = None
