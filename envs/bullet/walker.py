"""Hopper, ant and humanoid of `pybullet_envs`: run towards a point a kilometre away."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pybullet
import pybullet_data
from gymnasium import spaces

from opengato.errors import UnknownNameError

from .base import BulletEnv, Camera

PHYSICS_STEP_S = 0.0165 / 4  # gym_locomotion_envs: create_single_player_scene
SUBSTEPS = 4
CONTROL_STEP_S = PHYSICS_STEP_S * SUBSTEPS
TARGET_X = 1e3  # metres; robot_locomotors: "kilometer away"
ELECTRICITY_COST, STALL_COST, LIMIT_COST = -2.0, -0.1, -0.1  # gym_locomotion_envs: WalkerBaseBulletEnv
PAINT = ((0.93, 0.60, 0.24, 1), (0.95, 0.72, 0.38, 1), (0.80, 0.36, 0.20, 1))  # for pictures: limbs in turn, torso


@dataclass(frozen=True)
class Body:
    """A body of `robot_locomotors`.

    Args:
        file: MJCF of `pybullet_data`.
        feet: links whose contact with the ground is sensed.
        powers: newton metres of each joint at action 1, in the order of the file.
        alive_bonus: reward of each step in which the body is up.
        min_height: metres; below it the body is down.
        max_pitch: radians; beyond it the body is down.
        reference_height: metres that the observed height is relative to; None takes the height at reset.
        cost_scale: factor on the cost of power.
        body_features: which of height, sin and cos of the angle to the target, forward, sideways and upward velocity,
            roll, pitch are observed: a planar body's others are constant.
    """

    file: str
    feet: tuple[str, ...]
    powers: tuple[float, ...]
    alive_bonus: float
    min_height: float
    max_pitch: float = np.inf
    reference_height: float | None = None
    cost_scale: float = 1.0
    body_features: tuple[int, ...] = tuple(range(8))


# robot_locomotors: power × power_coef (100 unless the body says otherwise).
_HUMANOID_MOTORS = (100, 100, 100, *(100, 100, 300, 200) * 2, *(75, 75, 75) * 2)
BODIES = {
    "hopper": Body("hopper.xml", ("foot",), (75.0,) * 3, 1.0, 0.8, max_pitch=1.0, body_features=(0, 3, 5, 7)),
    "ant": Body(
        "ant.xml", ("front_left_foot", "front_right_foot", "left_back_foot", "right_back_foot"), (250.0,) * 8, 1.0, 0.26
    ),
    "humanoid": Body(
        "humanoid_symmetric.xml",
        ("right_foot", "left_foot"),
        tuple(0.41 * power for power in _HUMANOID_MOTORS),
        2.0,
        0.78,
        reference_height=0.8,
        cost_scale=4.25,
    ),
}


class WalkerEnv(BulletEnv):
    """One of `BODIES` on a plane; the observations, rewards and endings of `pybullet_envs`.

    Observation, float32:
        `body`: height above its reference (m), sin and cos of the angle to the target, velocity in the body's heading
            (0.3 × m/s), roll, pitch (rad), in [-5, 5]; the hopper has height, forward and upward velocity, pitch.
        `joint_positions`: -1 … 1 between the limits; `joint_velocities`: 0.1 × rad/s, in [-5, 5].
        `feet`: int8, 1 where the foot touched the ground one step ago.
    Action: float32 in [-1, 1], torque of each joint as a share of its power.
    Reward of a step (`gym_locomotion_envs`: WalkerBaseBulletEnv.step):
        alive (its bonus, or -1 when down) + progress to the target in metres / 0.0165 s
        + scale · (-2 · mean|action · joint velocity| - 0.1 · mean(action²)) - 0.1 · number of joints at a limit.
    The body's place is the mean over its links and the floor's origin, as in the original, so progress is a little less
    than the body's own. The episode ends when the body is down, and is cut at `max_steps`.

    Raises:
        UnknownNameError: `name` is not in `BODIES`.
    """

    camera = Camera(2.6, 20.0, -14.0)

    def __init__(self, name: str, max_steps: int = 1000, render_mode: str | None = None) -> None:
        if name not in BODIES:
            raise UnknownNameError("walking body", name, BODIES, "Next: opengato list")
        super().__init__(1.0 / CONTROL_STEP_S, SUBSTEPS, max_steps, render_mode)
        self.body = BODIES[name]
        joints = len(self.body.powers)
        self.action_space = spaces.Box(-1.0, 1.0, (joints,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "body": spaces.Box(-5.0, 5.0, (len(self.body.body_features),), np.float32),
                "joint_positions": spaces.Box(-5.0, 5.0, (joints,), np.float32),
                "joint_velocities": spaces.Box(-5.0, 5.0, (joints,), np.float32),
                "feet": spaces.MultiBinary(len(self.body.feet)),
            }
        )
        self.state = np.zeros(8 + 2 * joints + len(self.body.feet), np.float32)

    def _build(self) -> None:
        client = self.client
        client.setPhysicsEngineParameter(deterministicOverlappingPairs=1)
        client.setGravity(0, 0, -9.8)
        client.setDefaultContactERP(0.9)
        client.setPhysicsEngineParameter(fixedTimeStep=CONTROL_STEP_S, numSolverIterations=5, numSubSteps=SUBSTEPS)
        folder = pybullet_data.getDataPath()
        self._floor = client.loadSDF(os.path.join(folder, "plane_stadium.sdf"))[0]
        client.changeDynamics(self._floor, -1, lateralFriction=0.8, restitution=0.5)
        flags = pybullet.URDF_USE_SELF_COLLISION | pybullet.URDF_USE_SELF_COLLISION_EXCLUDE_ALL_PARENTS
        (self._robot,) = client.loadMJCF(os.path.join(folder, "mjcf", self.body.file), flags=flags)
        self._find_parts()
        for link in range(-1, client.getNumJoints(self._robot)):
            client.changeVisualShape(self._robot, link, rgbaColor=PAINT[-1 if link == self._torso else link % 2])

    def _find_parts(self) -> None:
        """Names to indices; all motors off, as `robot_bases` leaves them."""
        client, robot = self.client, self._robot
        links: dict[str, int] = {}
        joints: list[tuple[int, float, float]] = []
        for index in range(client.getNumJoints(robot)):
            client.setJointMotorControl2(
                robot, index, pybullet.POSITION_CONTROL, positionGain=0.1, velocityGain=0.1, force=0
            )
            facts = client.getJointInfo(robot, index)
            links[facts[12].decode()] = index
            if not facts[1].startswith((b"ignore", b"jointfix")):
                joints.append((index, facts[8], facts[9]))
        self._links = list(links.values())
        self._torso = links.get("torso", -1)  # -1 is the base
        self._feet = [links[name] for name in self.body.feet]
        self._joints = [index for index, _, _ in joints]
        low, high = np.array([limits for _, *limits in joints]).T
        self._joint_middle, self._joint_span = 0.5 * (low + high), high - low

    def _begin(self) -> None:
        client = self.client
        for joint, position in zip(self._joints, self.np_random.uniform(-0.1, 0.1, len(self._joints)), strict=True):
            client.resetJointState(self._robot, joint, position, 0.0)
        self._contacts = np.zeros(len(self._feet), np.float32)
        self._reference_height = self.body.reference_height
        self._measure()
        self._potential = self._to_target()

    def _apply(self, action: np.ndarray) -> None:
        torques = [power * value for power, value in zip(self.body.powers, action.tolist(), strict=True)]
        self.client.setJointMotorControlArray(self._robot, self._joints, pybullet.TORQUE_CONTROL, forces=torques)

    def _measure(self) -> dict[str, Any]:
        client, robot = self.client, self._robot
        states = client.getJointStates(robot, self._joints)
        positions = 2.0 * (np.array([state[0] for state in states]) - self._joint_middle) / self._joint_span
        self._joint_velocities = 0.1 * np.array([state[1] for state in states])
        self._joints_at_limit = int(np.count_nonzero(np.abs(positions) > 0.99))
        self._position, quaternion, velocity = self._torso_state()
        roll, pitch, yaw = pybullet.getEulerFromQuaternion(quaternion)
        self._height, self._pitch = self._position[2], pitch
        if self._reference_height is None:
            self._reference_height = self._height
        angle = np.arctan2(-self._mean_y, TARGET_X - self._mean_x) - yaw
        cos, sin = np.cos(yaw), np.sin(yaw)
        forward, left = cos * velocity[0] + sin * velocity[1], cos * velocity[1] - sin * velocity[0]
        height = self._height - self._reference_height
        body = [height, np.sin(angle), np.cos(angle), 0.3 * forward, 0.3 * left, 0.3 * velocity[2], roll, pitch]
        clipped = [
            np.clip(np.asarray(part, np.float32), -5.0, 5.0) for part in (body, positions, self._joint_velocities)
        ]
        joints = np.stack(
            clipped[1:], axis=1
        ).ravel()  # position, velocity, position, …: the order the policies learned
        self.state = np.concatenate([clipped[0], joints, self._contacts])
        return {
            "body": clipped[0][list(self.body.body_features)],
            "joint_positions": clipped[1],
            "joint_velocities": clipped[2],
            "feet": self._contacts.astype(np.int8),
        }

    def _torso_state(self) -> tuple[Any, Any, Any]:
        """Position (m), quaternion and velocity (m/s) of the torso; notes the mean place of all parts on the way."""
        client, robot = self.client, self._robot
        links = client.getLinkStates(robot, self._links)
        places = [link[0] for link in links]
        if self._torso >= 0:
            link = client.getLinkState(robot, self._torso, computeLinkVelocity=1)
            position, quaternion, velocity = link[0], link[1], link[6]
        else:
            position, quaternion = client.getBasePositionAndOrientation(robot)
            velocity, _ = client.getBaseVelocity(robot)
            places.append(position)
        count = len(places) + 1  # the floor is a part at the origin in the original too
        self._mean_x = sum(place[0] for place in places) / count
        self._mean_y = sum(place[1] for place in places) / count
        return position, quaternion, velocity

    def _to_target(self) -> float:
        return -float(np.hypot(self._mean_y, TARGET_X - self._mean_x)) / CONTROL_STEP_S

    def _judge(self, action: np.ndarray) -> tuple[float, bool, dict[str, Any]]:
        up = self._height > self.body.min_height and abs(self._pitch) < self.body.max_pitch
        alive = self.body.alive_bonus if up else -1.0
        potential = self._to_target()
        progress, self._potential = potential - self._potential, potential
        power = (
            ELECTRICITY_COST * np.abs(action * self._joint_velocities).mean() + STALL_COST * np.square(action).mean()
        )
        reward = alive + progress + self.body.cost_scale * power + LIMIT_COST * self._joints_at_limit
        for index, foot in enumerate(self._feet):
            touching = self.client.getContactPoints(self._robot, self._floor, foot, -1)
            self._contacts[index] = float(bool(touching))
        return float(reward), not up, {}

    def _look_at(self) -> tuple[float, float, float]:
        x, y, _ = self._position
        return x, y, 0.7
