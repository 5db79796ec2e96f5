"""The benchmark as a Gymnasium environment: joints, hand, pose and two cameras in; five velocities out."""

from __future__ import annotations

import mujoco
import numpy as np
from dm_robotics.moma.models.robots.robot_arms.sawyer_constants import VELOCITY_LIMITS

from opengato.envs.real.mujoco_body import MujocoBody
from opengato.envs.tabletop import RATE, Tabletop, box, scattered, touching
from opengato.errors import UnknownNameError

from .goal import StackRed
from .scene import (
    ARM_JOINTS,
    BASKET,
    CAMERAS,
    COLORS,
    FLOOR,
    HAND,
    PADS,
    SEEN_BY_AGENT,
    build,
    training_objects,
    triplets,
)
from .steering import POSTURE, Steering

SPEED, TURN = 0.07, 1.0  # m/s and rad/s at action 1: the benchmark's
GRIP = 255.0  # of the hand's own 255 units of closing, per second
# Where the fingertips may go, metres: a box of 25 × 25 × 20 cm over the basket's floor, as in the benchmark.
LOW, HIGH = np.array([0.475, -0.125, 0.0698]), np.array([0.725, 0.125, 0.2698])
MAX_YAW = 1.65
SPAWN, APART = 0.1, 0.09  # objects appear within 10 cm of the basket's middle on each axis, centres 9 cm apart
INSIDE = 0.105  # metres from the middle on each axis, beyond which an object is not within reach
RANDOM = "random"  # the name of a triplet drawn anew for each episode, from the objects for training
_LEASH = 0.02  # metres by which a target may run ahead of what it drives
_SETTLE, _TRIES = 40, 50  # tenths of a second for the objects to lie still; throws until all lie within reach
PAD = 0.0022  # metres: half a pad's thickness
_FORCE = 6.0  # N·m


class RgbStackingEnv(Tabletop):
    """A Sawyer arm with a Robotiq 2F-85 hand over a basket with a red, a green and a blue object: red onto blue.

    Observation (float32 unless said): `joint_angles` [7] rad, `joint_velocities` [7] rad/s, `gripper` [3] (angle of the
    fingers' drive in rad, 0 open; its speed in rad/s; its torque in N·m, positive closes), `pinch_pose` [4] (between
    the fingertips: x, y, z in metres in the frame of the arm's base, yaw in radians), `camera_left` and `camera_right`
    uint8 [64, 64, 3], the basket's two front cameras. Nothing but the pictures tells where the objects are.
    Action, [5] in [-1, 1]: velocity of the fingertips along x, y, z (1 is 0.07 m/s), of their yaw (1 is 1 rad/s), and
    of the hand (1 closes it within a second, -1 opens it).
    An episode ends when red has been on blue, let go and with the hand above, for half a second, or after 400 steps.
    Reward: as for `stack` in `opengato.envs.arm.goals`; a return is the best progress reached, 0 to 1.

    Args:
        triplet: a published one (`rgb_test_triplet1` to `rgb_test_triplet5`), or `random`.
        render_mode: `rgb_array` or None.
        cameras: False leaves the pictures out of the observations (for tests of behaviour).

    Raises:
        UnknownNameError: there is no such triplet.
    """

    # Unit and frame of what is sensed and done.
    units = {
        "joint_angles": ("rad", "joint"),
        "joint_velocities": ("rad/s", "joint"),
        "gripper": ("rad, rad/s, N·m", "gripper"),
        "pinch_pose": ("m, m, m, rad", "base"),
        "action": ("0.07 m/s ×3, 1 rad/s, closing in 1 s", "base"),
    }

    def __init__(self, triplet: str, render_mode: str | None = "rgb_array", cameras: bool = True) -> None:
        known = triplets()
        if triplet != RANDOM and triplet not in known:
            raise UnknownNameError("triplet", triplet, [*known, RANDOM], "Next: choose one of them.")
        self._objects = training_objects() if triplet == RANDOM else None
        self.goal = StackRed()
        self.render_mode = render_mode
        self._views = CAMERAS if cameras else ()
        self.ids: tuple[str, ...] = ()
        self.physique = MujocoBody()
        self._load(tuple(self._objects[:3]) if self._objects else known[triplet])
        limits = self.model.jnt_range[[self.model.joint(name).id for name in ARM_JOINTS]]
        fastest = 2 * np.array(VELOCITY_LIMITS["max"])
        self._set_spaces(
            {
                "joint_angles": box(limits[:, 0], limits[:, 1]),
                "joint_velocities": box(-fastest, fastest),
                "gripper": box([-0.1, -10.0, -_FORCE], [0.9, 10.0, _FORCE]),
                "pinch_pose": box([*(LOW - 0.1), -np.pi], [*(HIGH + 0.1), np.pi]),
            }
        )

    def _load(self, ids: tuple[str, ...]) -> None:
        """Take these objects into the basket."""
        if ids == self.ids:
            return
        self.ids = ids
        cameras = {f"camera_{name.rsplit('_', 1)[1]}": f"base/{name}" for name in self._views}
        model = build(ids)
        self.physique.take(model)
        self._enter(model, ARM_JOINTS, f"{HAND}pinch_site", cameras, SEEN_BY_AGENT)
        self._steering = Steering(self.model)
        drive = self.model.joint(f"{HAND}left_driver_joint")
        self._drive, self._drive_speed = int(drive.qposadr[0]), int(drive.dofadr[0])
        names = {index: self.model.geom(index).name for index in range(self.model.ngeom)}
        self._fingers = [
            [index for index, name in names.items() if name.endswith(PADS) and f"{side}_" in name.removeprefix(HAND)]
            for side in ("left", "right")
        ]
        self._basket = [index for index, name in names.items() if "surface" in name or name == "ground"]
        self.solids = {color: self.model.geom(f"{color}/mesh_{color}_00_collision").id for color in COLORS}

    def _arrange(self, random: np.random.Generator) -> None:
        if self._objects:
            self._load(tuple(str(one) for one in random.choice(self._objects, 3, replace=False)))
        for _ in range(_TRIES):
            self._throw(random)
            places = np.array([self.object_position(color)[:2] for color in COLORS]) - BASKET[:2]
            if np.abs(places).max() < INSIDE:
                break
        self._ground = {color: float(self.object_position(color)[2]) for color in COLORS}

    def _throw(self, random: np.random.Generator) -> None:
        """The arm somewhere over the basket, and the objects dropped any way up until they lie still."""
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        self._position = random.uniform(LOW + [0.025, 0.0, 0.13], HIGH - [0.025, 0.0, 0.0])
        self._yaw = random.uniform(-np.pi / 4, np.pi / 4)
        angles = self._steering.angles(POSTURE, self._position, self._yaw, 60)
        data.qpos[self._joints] = data.act[: len(angles)] = angles
        for color, place in zip(COLORS, scattered(random, len(COLORS), SPAWN, APART), strict=True):
            turn = random.normal(size=4)
            start = model.joint(color).qposadr[0]
            data.qpos[start : start + 7] = *(place + BASKET[:2]), FLOOR, *(turn / np.linalg.norm(turn))
        mujoco.mj_kinematics(model, data)
        for color in COLORS:  # lowest corner just over the floor
            data.qpos[model.joint(color).qposadr[0] + 2] += FLOOR + 0.005 - self.corners(color)[:, 2].min()
        objects = [model.joint(color).dofadr[0] for color in COLORS]
        still = 0
        for _ in range(_SETTLE):
            mujoco.mj_step(model, data, self._substeps * 2)
            moving = max(float(np.abs(data.qvel[start : start + 6]).max()) for start in objects)
            still = still + 1 if moving < 5e-3 else 0  # on an edge an object may pause before it falls
            if still == 3:
                break
        mujoco.mj_forward(model, data)

    def _move(self, velocity: np.ndarray) -> None:
        data, count = self.data, len(self._joints)
        actual = self.gripper_position()
        ahead = np.clip(self._position - actual, -_LEASH, _LEASH)
        self._position = np.clip(actual + ahead + velocity[:3] * SPEED / RATE, LOW, HIGH)
        self._yaw = float(np.clip(self._yaw + velocity[3] * TURN / RATE, -MAX_YAW, MAX_YAW))
        wanted = self._steering.angles(data.act[:count], self._position, self._yaw, 3)
        data.ctrl[:count] = np.clip((wanted - data.act[:count]) * RATE, VELOCITY_LIMITS["min"], VELOCITY_LIMITS["max"])
        data.ctrl[count] = velocity[4] * GRIP
        mujoco.mj_step(self.model, data, self._substeps)

    def _sensed(self) -> dict[str, np.ndarray]:
        data = self.data
        return {
            "joint_angles": data.qpos[self._joints],
            "joint_velocities": data.qvel[self._speeds],
            "gripper": np.array([data.qpos[self._drive], data.qvel[self._drive_speed], data.actuator_force[-1]]),
            "pinch_pose": np.array([*self.gripper_position(), self.gripper_yaw()]),
        }

    # What scripts and goals may know, and the agent may not.

    def opening(self) -> float:
        """Between the fingers' pads, metres."""
        apart = self.data.geom_xpos[self._fingers[0][-1]] - self.data.geom_xpos[self._fingers[1][-1]]
        return float(np.linalg.norm(apart)) - 2 * PAD

    def torque(self) -> float:
        """Of the hand's drive, N·m; positive closes."""
        return float(self.data.actuator_force[-1])

    def centre(self, color: str) -> np.ndarray:
        """Of an object's mass, metres, float64 [3]."""
        return self.data.body(color).xipos.copy()

    def corners(self, color: str) -> np.ndarray:
        """Corners of an object's convex hull, metres, float64 [n, 3]."""
        geom = self.solids[color]
        mesh = self.model.geom_dataid[geom]
        begin = self.model.mesh_vertadr[mesh]
        own = self.model.mesh_vert[begin : begin + self.model.mesh_vertnum[mesh]].astype(np.float64)
        return own @ self.data.geom_xmat[geom].reshape(3, 3).T + self.data.geom_xpos[geom]

    def touches_basket(self, color: str) -> bool:
        """Whether an object touches floor or walls."""
        return touching(self.data, self.solids[color], self._basket)
