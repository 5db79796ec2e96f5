"""The arm as a Gymnasium environment: joints, gripper, pose and two cameras in; five velocities out."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces

from opengato.envs.arm import TRIPLET
from opengato.envs.arm.goals import Goal
from opengato.envs.arm.kinematics import joints_for
from opengato.envs.arm.objects import SHAPES
from opengato.envs.arm.scene import ARM_JOINTS, build
from opengato.envs.real.safety import Limits
from opengato.envs.rendering.backend import VideoRenderer
from opengato.envs.rendering.raycast import RayCaster
from opengato.envs.tabletop import box, scattered, touching
from opengato.errors import OpengatoError, UnknownNameError

RATE = 20  # control steps a second
MAX_STEPS = 400
SPEED = 0.25  # m/s at action 1
TURN = 2.0  # rad/s
GRIP = 0.16  # m/s of opening
OPEN = 0.08  # metres between the fingers
FINGER = 0.041  # metres that one finger can travel
LOW, HIGH = np.array([-0.155, -0.155, 0.016]), np.array([0.155, 0.155, 0.24])  # where the fingertips may go, metres
MAX_YAW = 1.2
SPAWN, APART = 0.11, 0.095  # objects appear at |x|, |y| < SPAWN, centres at least APART from each other
HALF_HEIGHT = 0.0225  # of the objects, metres
IMAGE = 64
_LEASH, _GRIP_LEASH = 0.03, 0.012  # metres by which a target may run ahead of what it drives


class ArmEnv(gym.Env):
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

    metadata = {"render_modes": ["rgb_array"], "render_fps": RATE}
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
        self.model = build(self.shapes, HALF_HEIGHT)
        self.data = mujoco.MjData(self.model)
        self._substeps = round(1 / RATE / self.model.opt.timestep)
        self._joints = np.array([self.model.joint(name).qposadr[0] for name in ARM_JOINTS])
        self._speeds = np.array([self.model.joint(name).dofadr[0] for name in ARM_JOINTS])
        self._fingers = np.array([self.model.joint(name).qposadr[0] for name in ("left_finger", "right_finger")])
        self._tcp = self.model.site("tcp").id
        self._pads = [self.model.geom(name).id for name in ("left_pad", "right_pad")]
        views = ("front", "side") if cameras else ()
        self._casters = {f"camera_{view}": RayCaster(self.model, IMAGE, IMAGE, view) for view in views}
        self._video: VideoRenderer | None = None
        self._position, self._yaw, self._opening, self._steps = np.zeros(3), 0.0, OPEN, 0
        self.action_space = spaces.Box(-1.0, 1.0, (5,), np.float32)
        self.observation_space = self._space()

    def _space(self) -> spaces.Dict:
        limits = self.model.jnt_range[[self.model.joint(name).id for name in ARM_JOINTS]]
        force = self.model.actuator("gripper").forcerange
        self._boxes = {
            "joint_angles": box(limits[:, 0], limits[:, 1]),
            "joint_velocities": spaces.Box(-10.0, 10.0, (5,), np.float32),
            "gripper": box([0.0, force[0]], [2 * FINGER, force[1]]),
            "pose": box([-0.25, -0.25, -0.02, -np.pi], [0.25, 0.25, 0.35, np.pi]),
        }
        pictures = {name: spaces.Box(0, 255, (IMAGE, IMAGE, 3), np.uint8) for name in self._casters}
        return spaces.Dict({**self._boxes, **pictures})

    @property
    def limits(self) -> Limits:
        """What a robot of this kind may be told to do."""
        force = float(np.abs(self.model.actuator("gripper").forcerange).max())
        return Limits(
            low=-np.ones(5), high=np.ones(5), change=np.array([1.0, 1.0, 1.0, 1.0, 2.0]), rate_hz=RATE, speed=SPEED,
            workspace_low=LOW, workspace_high=HIGH, joint_velocity=9.5, gripper=4, force=1.05 * force,
        )  # fmt: skip

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        random = self.np_random
        for color, (x, y) in zip(self.shapes, scattered(random, len(self.shapes), SPAWN, APART), strict=True):
            yaw = random.uniform(-0.5, 0.5)
            start = self.model.joint(color).qposadr[0]
            self.data.qpos[start : start + 7] = x, y, HALF_HEIGHT, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
        self._position = random.uniform([-0.1, -0.1, 0.13], [0.1, 0.1, 0.21])
        self._yaw, self._opening = random.uniform(-0.5, 0.5), random.uniform(0.06, OPEN)
        angles = joints_for(self._position, self._yaw)
        self.data.qpos[self._joints] = angles
        self.data.qpos[self._fingers] = self._opening / 2
        self.data.ctrl[:] = *angles, self._opening / 2
        mujoco.mj_step(self.model, self.data, self._substeps)  # the objects settle
        mujoco.mj_forward(self.model, self.data)
        self._steps = 0
        self.goal.reset(self)
        return self._observe(), {"success": False}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        velocity = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        if velocity.shape != (5,) or not np.isfinite(velocity).all():
            raise OpengatoError(f"action {action!r} is not five finite numbers. Next: keep to the action space.")
        before = self.data.ctrl.copy()
        after = self._targets(velocity)
        for step in range(self._substeps):
            self.data.ctrl[:] = before + (after - before) * ((step + 1) / self._substeps)
            mujoco.mj_step(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)  # positions as they are now, not one physics step ago
        self._steps += 1
        reward, success = self.goal.update(self)
        truncated = self._steps >= MAX_STEPS and not success
        return self._observe(), reward, success, truncated, {"success": success, "progress": self.goal.best}

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

    def _observe(self) -> dict[str, Any]:
        data = self.data
        force = float(data.actuator("gripper").force[0])
        values = {
            "joint_angles": data.qpos[self._joints],
            "joint_velocities": data.qvel[self._speeds],
            "gripper": np.array([self.gripper_opening(), force]),
            "pose": np.array([*self.gripper_position(), self.gripper_yaw()]),
        }
        observation: dict[str, Any] = {}
        for name, value in values.items():
            box = self._boxes[name]
            observation[name] = np.clip(value.astype(np.float32), box.low, box.high)
        for name, caster in self._casters.items():
            observation[name] = caster.render(data)
        return observation

    def render(self) -> np.ndarray:
        """A picture for people, uint8 [240, 320, 3]."""
        if self._video is None:
            self._video = VideoRenderer(self.model, 240, 320, "overview")
        return self._video.frame(self.data)

    def close(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None

    # What scripts and goals may know, and the agent may not.

    def gripper_position(self) -> np.ndarray:
        """Between the fingertips, metres, float64 [3]."""
        return self.data.site_xpos[self._tcp].copy()

    def gripper_yaw(self) -> float:
        """Of the fingers about the vertical, radians; 0 when they open along y."""
        rotation = self.data.site_xmat[self._tcp]
        return float(np.arctan2(rotation[3], rotation[0]))

    def gripper_opening(self) -> float:
        """Metres between the fingers."""
        return float(self.data.qpos[self._fingers].sum())

    def object_position(self, color: str) -> np.ndarray:
        """Centre of an object, metres, float64 [3]."""
        return self.data.body(color).xpos.copy()

    def object_yaw(self, color: str) -> float:
        """Of an object about the vertical, radians."""
        rotation = self.data.body(color).xmat
        return float(np.arctan2(rotation[3], rotation[0]))

    def height(self, color: str) -> float:
        """How far an object's centre is above where it is when it stands on the floor, metres."""
        return float(self.object_position(color)[2]) - self.half_height

    def speed(self, color: str) -> float:
        """Of an object's centre, m/s."""
        start = self.model.joint(color).dofadr[0]
        return float(np.linalg.norm(self.data.qvel[start : start + 3]))

    def horizontal_distance(self, one: str, other: str) -> float:
        """Between the centres of two objects, metres."""
        return float(np.linalg.norm((self.object_position(one) - self.object_position(other))[:2]))

    def touching(self, one: str, other: str) -> bool:
        """Whether two objects touch."""
        return touching(self.data, self.model.geom(one).id, self.model.geom(other).id)

    def touched_by_fingers(self, color: str) -> bool:
        """Whether any finger touches an object."""
        return touching(self.data, self.model.geom(color).id, self._pads)

    def held(self, color: str) -> bool:
        """Whether both fingers touch an object."""
        return all(touching(self.data, self.model.geom(color).id, pad) for pad in self._pads)
