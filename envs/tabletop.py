"""An arm's fingertips over a few coloured objects: what all bodies of that kind have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces

from opengato.envs.rendering.backend import VideoRenderer
from opengato.envs.rendering.raycast import RayCaster
from opengato.errors import OpengatoError

RATE = 20  # control steps a second
MAX_STEPS = 400
IMAGE = 64


def box(low: Any, high: Any) -> spaces.Box:
    """A float32 `Box` with bounds for each element."""
    return spaces.Box(np.asarray(low, np.float32), np.asarray(high, np.float32), dtype=np.float32)


def scattered(random: np.random.Generator, count: int, reach: float, apart: float) -> np.ndarray:
    """Places at |x|, |y| < `reach`, at least `apart` from each other, metres, float64 [count, 2]."""
    while True:
        places = random.uniform(-reach, reach, (count, 2))
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(count, 1)]
        if not gaps.size or gaps.min() >= apart:
            return places


def touching(data: mujoco.MjData, some: Any, others: Any) -> bool:
    """Whether a geom of `some` (ids) is in contact with one of `others`."""
    pairs = data.contact.geom
    one, other = np.isin(pairs, some), np.isin(pairs, others)
    return bool(((one[:, 0] & other[:, 1]) | (one[:, 1] & other[:, 0])).any())


class Tabletop(gym.Env, ABC):
    """Numbers of the arm and pictures in; velocities of the fingertips and of the gripper out, [5] in [-1, 1].

    An episode ends when the goal says so, or after 400 steps. Bodies and free joints of objects bear their colour.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": RATE}
    model: mujoco.MjModel
    data: mujoco.MjData
    goal: Any  # an `opengato.envs.arm.goals.Goal`, or one like it
    solids: Mapping[str, int]  # colour → the geom that an object touches others with
    _fingers: Sequence[Any]  # per finger, the geom or geoms that it touches objects with
    _ground: Mapping[str, float]  # colour → height at which an object lies on the floor, metres
    _video: VideoRenderer | None = None
    _steps = 0

    def _enter(
        self,
        model: mujoco.MjModel,
        joints: Sequence[str],
        tip: str,
        cameras: Mapping[str, str],
        geom_groups: tuple[int, ...] = (0, 1, 2),
    ) -> None:
        """Go on in this scene.

        Args:
            model: the scene.
            joints: names of the arm's.
            tip: name of the site between the fingertips.
            cameras: name of an observation → name of the camera that it shows.
            geom_groups: what the agent's pictures show.
        """
        self.close()
        self.model, self.data = model, mujoco.MjData(model)
        self._substeps = round(1 / RATE / model.opt.timestep)
        self._joints = np.array([model.joint(name).qposadr[0] for name in joints])
        self._speeds = np.array([model.joint(name).dofadr[0] for name in joints])
        self._tip = model.site(tip).id
        self._casters = {
            name: RayCaster(model, IMAGE, IMAGE, camera, geom_groups=geom_groups) for name, camera in cameras.items()
        }

    def _set_spaces(self, boxes: dict[str, spaces.Box]) -> None:
        """Spaces of these numbers, of the cameras' pictures and of five velocities."""
        self._boxes = boxes
        pictures = {name: spaces.Box(0, 255, (IMAGE, IMAGE, 3), np.uint8) for name in self._casters}
        self.observation_space = spaces.Dict({**boxes, **pictures})
        self.action_space = spaces.Box(-1.0, 1.0, (5,), np.float32)

    @abstractmethod
    def _arrange(self, random: np.random.Generator) -> None:
        """Put arm and objects where an episode begins."""

    @abstractmethod
    def _move(self, velocity: np.ndarray) -> None:
        """Simulate a step at these velocities, float64 [5] in [-1, 1]."""

    @abstractmethod
    def _sensed(self) -> dict[str, np.ndarray]:
        """The observation's numbers as they are, before they are clipped to their boxes."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict]:
        super().reset(seed=seed)
        self._arrange(self.np_random)
        self._steps = 0
        self.goal.reset(self)
        return self._observe(), {"success": False}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.advance(action)
        self._steps += 1
        reward, success = self.goal.update(self)
        truncated = self._steps >= MAX_STEPS and not success
        return self._observe(), reward, success, truncated, {"success": success, "progress": self.goal.best}

    def advance(self, action: np.ndarray) -> None:
        """A twentieth of a second of the simulation at these velocities, with no look at it.

        Raises:
            OpengatoError: the action is not five finite numbers.
        """
        velocity = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        if velocity.shape != (5,) or not np.isfinite(velocity).all():
            raise OpengatoError(f"action {action!r} is not five finite numbers. Next: keep to the action space.")
        self._move(velocity)
        mujoco.mj_forward(self.model, self.data)  # positions as they are now, not one physics step ago

    def _observe(self) -> dict[str, Any]:
        observation: dict[str, Any] = {}
        for name, value in self._sensed().items():
            space = self._boxes[name]
            observation[name] = np.clip(value.astype(np.float32), space.low, space.high)
        for name, caster in self._casters.items():
            observation[name] = caster.render(self.data)
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
        return self.data.site_xpos[self._tip].copy()

    def gripper_yaw(self) -> float:
        """Of the fingers about the vertical, radians; 0 when they open along y."""
        rotation = self.data.site_xmat[self._tip]
        return float(np.arctan2(rotation[3], rotation[0]))

    def object_position(self, color: str) -> np.ndarray:
        """Where an object's own frame is, metres, float64 [3]."""
        return self.data.body(color).xpos.copy()

    def height(self, color: str) -> float:
        """How far an object is above where it lies on the floor, metres."""
        return float(self.object_position(color)[2]) - self._ground[color]

    def speed(self, color: str) -> float:
        """Of an object, m/s."""
        start = self.model.joint(color).dofadr[0]
        return float(np.linalg.norm(self.data.qvel[start : start + 3]))

    def horizontal_distance(self, one: str, other: str) -> float:
        """Between two objects, metres."""
        return float(np.linalg.norm((self.object_position(one) - self.object_position(other))[:2]))

    def touching(self, one: str, other: str) -> bool:
        """Whether two objects touch."""
        return touching(self.data, self.solids[one], self.solids[other])

    def touched_by_fingers(self, color: str) -> bool:
        """Whether any finger touches an object."""
        return any(touching(self.data, self.solids[color], finger) for finger in self._fingers)

    def held(self, color: str) -> bool:
        """Whether both fingers touch an object."""
        return all(touching(self.data, self.solids[color], finger) for finger in self._fingers)
