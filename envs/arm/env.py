"""The arm as a Gymnasium environment: joints, gripper, pose and two cameras in; five velocities out."""

from __future__ import annotations

import mujoco
import numpy as np
from gymnasium import spaces

from opengato.envs.arm import TRIPLET
from opengato.envs.arm.goals import Goal
from opengato.envs.arm.kinematics import joints_for
from opengato.envs.arm.objects import SHAPES
from opengato.envs.arm.scene import ARM_JOINTS, build
from opengato.envs.real.safety import Limits
from opengato.envs.tabletop import RATE, Tabletop, box, scattered
from opengato.errors import OpengatoError, UnknownNameError

SPEED = 0.25  # m/s at action 1
TURN = 2.0  # rad/s
GRIP = 0.16  # m/s of opening
OPEN = 0.08  # metres between the fingers
FINGER = 0.041  # metres that one finger can travel
LOW, HIGH = np.array([-0.155, -0.155, 0.016]), np.array([0.155, 0.155, 0.24])  # where the fingertips may go, metres
MAX_YAW = 1.2
SPAWN, APART = 0.11, 0.095  # objects appear at |x|, |y| < SPAWN, centres at least APART from each other
HALF_HEIGHT = 0.0225  # of the objects, metres
_LEASH, _GRIP_LEASH = 0.03, 0.012  # metres by which a target may run ahead of what it drives


class ArmEnv(Tabletop):
    """An arm that moves its fingertips by velocity.

    Observation (float32 unless said): `joint_angles` [5] rad, `joint_velocities` [5] rad/s, `gripper` [2] (opening in
    metres, force in newtons, negative closes), `pose` [4] (fingertips x, y, z in metres and yaw in radians),
    `camera_front` and `camera_side` uint8 [64, 64, 3].
    Action, [5] in [-1, 1]: velocity of the fingertips along x, y, z (1 is 0.25 m/s), of their yaw (1 is 2 rad/s), and
    of the gripper (1 closes it at 0.16 m/s, -1 opens it).
    An episode ends when the goal has been met for half a second, or after 400 steps. Reward: `opengato.envs.arm.goals`.

    Args:
        goal: what is asked.
        shapes: colour → shape of the objects in the basket.
        render_mode: `rgb_array` or None.
        cameras: False leaves the pictures out of the observations (six times faster; for tests of behaviour).

    Raises:
        UnknownNameError: a shape is unknown.
        OpengatoError: the goal is about a colour that is not in the basket.
    """

    # Unit and frame of what is sensed and done.
    units = {
        "joint_angles": ("rad", "joint"),
        "joint_velocities": ("rad/s", "joint"),
        "gripper": ("m, N", "gripper"),
        "pose": ("m, m, m, rad", "basket"),
        "action": ("0.25 m/s ×3, 2 rad/s, 0.16 m/s", "basket"),
    }

    def __init__(
        self,
        goal: Goal,
        shapes: dict[str, str] | None = None,
        render_mode: str | None = "rgb_array",
        cameras: bool = True,
    ) -> None:
        self.shapes = dict(shapes or TRIPLET)
        for shape in self.shapes.values():
            if shape not in SHAPES:
                raise UnknownNameError("shape", shape, SHAPES, "Next: choose one of them.")
        for color in filter(None, (goal.top, goal.bottom)):
            if color not in self.shapes:
                raise OpengatoError(f"no {color} object in the basket {sorted(self.shapes)}. Next: give it a shape.")
        self.goal, self.render_mode, self.half_height = goal, render_mode, HALF_HEIGHT
        views = ("front", "side") if cameras else ()
        model = build(self.shapes, HALF_HEIGHT)
        self._enter(model, ARM_JOINTS, "tcp", {f"camera_{view}": view for view in views})
        self._slides = np.array([model.joint(name).qposadr[0] for name in ("left_finger", "right_finger")])
        self._fingers = [model.geom(name).id for name in ("left_pad", "right_pad")]
        self.solids = {color: model.geom(color).id for color in self.shapes}
        self._ground = dict.fromkeys(self.shapes, HALF_HEIGHT)
        self._position, self._yaw, self._opening = np.zeros(3), 0.0, OPEN
        limits = model.jnt_range[[model.joint(name).id for name in ARM_JOINTS]]
        force = model.actuator("gripper").forcerange
        self._set_spaces(
            {
                "joint_angles": box(limits[:, 0], limits[:, 1]),
                "joint_velocities": spaces.Box(-10.0, 10.0, (5,), np.float32),
                "gripper": box([0.0, force[0]], [2 * FINGER, force[1]]),
                "pose": box([-0.25, -0.25, -0.02, -np.pi], [0.25, 0.25, 0.35, np.pi]),
            }
        )

    @property
    def limits(self) -> Limits:
        """What a robot of this kind may be told to do."""
        force = float(np.abs(self.model.actuator("gripper").forcerange).max())
        return Limits(
            low=-np.ones(5), high=np.ones(5), change=np.array([1.0, 1.0, 1.0, 1.0, 2.0]), rate_hz=RATE, speed=SPEED,
            workspace_low=LOW, workspace_high=HIGH, joint_velocity=9.5, gripper=4, force=1.05 * force,
        )  # fmt: skip

    def _arrange(self, random: np.random.Generator) -> None:
        mujoco.mj_resetData(self.model, self.data)
        for color, (x, y) in zip(self.shapes, scattered(random, len(self.shapes), SPAWN, APART), strict=True):
            yaw = random.uniform(-0.5, 0.5)
            start = self.model.joint(color).qposadr[0]
            self.data.qpos[start : start + 7] = x, y, HALF_HEIGHT, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
        self._position = random.uniform([-0.1, -0.1, 0.13], [0.1, 0.1, 0.21])
        self._yaw, self._opening = random.uniform(-0.5, 0.5), random.uniform(0.06, OPEN)
        angles = joints_for(self._position, self._yaw)
        self.data.qpos[self._joints] = angles
        self.data.qpos[self._slides] = self._opening / 2
        self.data.ctrl[:] = *angles, self._opening / 2
        mujoco.mj_step(self.model, self.data, self._substeps)  # the objects settle
        mujoco.mj_forward(self.model, self.data)

    def _move(self, velocity: np.ndarray) -> None:
        before = self.data.ctrl.copy()
        after = self._targets(velocity)
        for step in range(self._substeps):
            self.data.ctrl[:] = before + (after - before) * ((step + 1) / self._substeps)
            mujoco.mj_step(self.model, self.data)

    def _targets(self, velocity: np.ndarray) -> np.ndarray:
        """Targets of the six actuators after a step at `velocity`; a target is kept near what it drives."""
        actual = self.gripper_position()
        ahead = np.clip(self._position - actual, -_LEASH, _LEASH)
        self._position = np.clip(actual + ahead + velocity[:3] * SPEED / RATE, LOW, HIGH)
        self._yaw = float(np.clip(self._yaw + velocity[3] * TURN / RATE, -MAX_YAW, MAX_YAW))
        opening = self.gripper_opening()
        ahead = np.clip(self._opening - opening, -_GRIP_LEASH, _GRIP_LEASH)
        self._opening = float(np.clip(opening + ahead - velocity[4] * GRIP / RATE, -_GRIP_LEASH, OPEN))
        return np.array([*joints_for(self._position, self._yaw), self._opening / 2])

    def _sensed(self) -> dict[str, np.ndarray]:
        data = self.data
        force = float(data.actuator("gripper").force[0])
        return {
            "joint_angles": data.qpos[self._joints],
            "joint_velocities": data.qvel[self._speeds],
            "gripper": np.array([self.gripper_opening(), force]),
            "pose": np.array([*self.gripper_position(), self.gripper_yaw()]),
        }

    # What scripts and goals may know, and the agent may not.

    def gripper_opening(self) -> float:
        """Metres between the fingers."""
        return float(self.data.qpos[self._slides].sum())

    def object_yaw(self, color: str) -> float:
        """Of an object about the vertical, radians."""
        rotation = self.data.body(color).xmat
        return float(np.arctan2(rotation[3], rotation[0]))
