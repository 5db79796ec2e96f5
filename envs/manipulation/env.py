"""One of dm_control's manipulation tasks as a Gymnasium environment, pictures without a graphics library."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from dm_control import composer
from dm_control.composer.observation.observable import MJCFCamera
from dm_control.manipulation.shared import registry
from gymnasium import spaces

from opengato.envs.real.mujoco_body import MujocoBody
from opengato.errors import UnknownNameError

TIME_LIMIT_S = 10.0  # dm_control's own
PICTURE = 64  # pixels along a side of what is seen
RENDER_SIZE = (240, 320)
CAMERA = "front_close"

Observation = dict[str, np.ndarray]


class Manipulation(gymnasium.Env[Observation, np.ndarray]):
    """A Jaco arm with a three-fingered hand, and what dm_control puts before it.

    Observation: `Dict` of float32 vectors under dm_control's keys without their last axis of one reading (rad, rad/s,
    N m, m); where the task is a `vision` one, the objects' own places are not among them, and a uint8 [64, 64, 3]
    picture `camera` is.
    Action: float32 [9] in [-1, 1], scaled to joint velocities' bounds of six arm joints and three fingers.
    Reward: dm_control's, in [0, 1] a step. An episode lasts 10 s, 250 steps.

    Args:
        name: of the task, as `dm_control.manipulation.ALL` lists it.
        render_mode: "rgb_array" or None.

    Raises:
        UnknownNameError: there is no such task.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}

    def __init__(self, name: str, *, render_mode: str | None = None) -> None:
        known = list(registry.get_all_names())
        if name not in known:
            raise UnknownNameError("manipulation task", name, known, "Next: opengato list 'tasks=[manipulation/*]'")
        task = registry.get_constructor(name)()
        self.pixels = False
        for observable in task.observables.values():
            if observable.enabled and isinstance(observable, MJCFCamera):
                observable.enabled = False  # dm_control would ask a graphics library
                self.pixels = True
        self.name, self.render_mode = name, render_mode
        self._draws = np.random.RandomState(0)
        self._task = composer.Environment(task, TIME_LIMIT_S, random_state=self._draws)
        self.physique = physique = MujocoBody()
        # The scene is built anew for every episode.
        self._task.add_extra_hook("after_compile", lambda physics, _: physique.take(physics.model.ptr))
        native = self._task.action_spec()
        self._low, self._high = native.minimum.astype(np.float64), native.maximum.astype(np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, native.shape, np.float32)
        seen: dict[str, spaces.Space[Any]] = {
            key: spaces.Box(-np.inf, np.inf, (int(np.prod(spec.shape)),), np.float32)
            for key, spec in self._task.observation_spec().items()
        }
        if self.pixels:
            seen["camera"] = spaces.Box(0, 255, (PICTURE, PICTURE, 3), np.uint8)
        self.observation_space = spaces.Dict(seen)  # type: ignore[assignment]
        self._casters: dict[tuple[int, int], Any] = {}

    @property
    def physics(self) -> Any:
        """dm_control's `Physics`; another one after every reset."""
        return self._task.physics

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self._draws.seed(int(self.np_random.integers(2**32, dtype=np.uint32)))
        now = self._task.reset()
        self._casters = {}  # of the scene that was
        return self._observe(now), {}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        clipped = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        now = self._task.step(self._low + (clipped + 1.0) * 0.5 * (self._high - self._low))
        terminated = bool(now.last()) and now.discount == 0.0
        return self._observe(now), float(now.reward or 0.0), terminated, bool(now.last()) and not terminated, {}

    def render(self) -> np.ndarray:
        """uint8 [240, 320, 3]: the suite's camera before the table."""
        return self._picture(*RENDER_SIZE)

    def close(self) -> None:
        self._casters = {}
        self._task.close()

    def _observe(self, now: Any) -> Observation:
        seen = {key: np.asarray(value, np.float32).reshape(-1) for key, value in now.observation.items()}
        if self.pixels:
            seen["camera"] = self._picture(PICTURE, PICTURE)
        return seen

    def _picture(self, height: int, width: int) -> np.ndarray:
        if (height, width) not in self._casters:
            from opengato.envs.rendering.raycast import RayCaster

            self._casters[height, width] = RayCaster(self.physics.model.ptr, height, width, camera=CAMERA)
        picture: np.ndarray = self._casters[height, width].render(self.physics.data.ptr)
        return picture
