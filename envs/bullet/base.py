"""What every PyBullet environment shares: a physics client of its own, exact resets, pictures without GL."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import pybullet
from gymnasium import spaces

from opengato.envs.bullet.physique import BulletBody
from opengato.errors import ObservationError, OpengatoError

SKY = (205, 220, 235)


class Client:
    """One physics server in this process, without a window.

    Every function of `pybullet` is an attribute, bound to this server. Many clients live beside one another.
    """

    def __init__(self) -> None:
        self.id: int = pybullet.connect(pybullet.DIRECT)
        if self.id < 0:
            raise OpengatoError(
                "PyBullet has no room for another physics client. Next: close() environments that are done."
            )

    def __getattr__(self, name: str) -> Any:
        found = getattr(pybullet, name)
        if callable(found):
            found = functools.partial(found, physicsClientId=self.id)
            self.__dict__[name] = found  # the next call skips this function
        return found

    def close(self) -> None:
        """Free the server; a second call does nothing."""
        if self.id >= 0:
            pybullet.disconnect(self.id)
            self.id = -1


@dataclass(frozen=True)
class Camera:
    """A camera that looks at a point.

    Args:
        distance: metres from the point.
        yaw: degrees around the vertical.
        pitch: degrees, negative looks down.
    """

    distance: float
    yaw: float
    pitch: float


class BulletEnv(gymnasium.Env[dict[str, Any], np.ndarray]):
    """A world in a client of its own.

    A subclass sets the spaces and fills `_build` (load the world), `_begin` (draw the start of an episode),
    `_apply` (set motors), `_measure` (read the state; returns the observation), `_judge` (reward, terminated, info).

    Args:
        rate_hz: control steps a second.
        substeps: physics steps within one control step.
        max_steps: control steps until truncation.
        render_mode: `rgb_array` or None.
    """

    camera = Camera(3.0, 0.0, -20.0)
    picture_size = (240, 320)  # rows, columns
    geared = True  # an action is the force of motors

    def __init__(self, rate_hz: float, substeps: int, max_steps: int, render_mode: str | None = None) -> None:
        if render_mode not in (None, "rgb_array"):
            raise OpengatoError(f"render_mode {render_mode!r} is not known. Next: use 'rgb_array' or None.")
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": rate_hz}
        self.render_mode = render_mode
        self.rate_hz, self.substeps, self.max_steps = rate_hz, substeps, max_steps
        self.action_space: spaces.Box
        self.observation_space: spaces.Dict
        self.physique = BulletBody(self.geared)
        self._client: Client | None = None
        self._steps = 0

    @property
    def client(self) -> Client:
        """The physics client, opened on first use."""
        if self._client is None:
            self._client = Client()
        return self._client

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        # PyBullet's saved states do not keep the order of the broad phase's pairs, which is that of the contacts: a
        # restored humanoid takes another path. A world loaded anew is exact and takes 3 to 30 ms.
        self.client.resetSimulation()
        self._build()
        self.physique.take(self.client)
        self._begin()
        self._steps = 0
        return self._measure(), {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        values = np.asarray(action, dtype=np.float64)
        if values.shape != self.action_space.shape or not np.isfinite(values).all():
            raise ObservationError(
                f"action {action!r} must be {self.action_space.shape} finite numbers. Next: check the policy."
            )
        values = np.clip(values, -1.0, 1.0)
        self._apply(self.physique.gear * values)
        self.client.stepSimulation()
        self._steps += 1
        observation = self._measure()
        reward, terminated, info = self._judge(values)
        return observation, reward, terminated, self._steps >= self.max_steps, info

    def render(self) -> np.ndarray:
        """uint8 [240, 320, 3] from PyBullet's software renderer; needs no GL and no display."""
        client, (height, width) = self._pictured(), self.picture_size
        x, y, z = self._look_at()
        view = client.computeViewMatrixFromYawPitchRoll(
            [x, y, z], self.camera.distance, self.camera.yaw, self.camera.pitch, 0.0, 2
        )
        lens = client.computeProjectionMatrixFOV(fov=50.0, aspect=width / height, nearVal=0.05, farVal=40.0)
        _, _, picture, depth, _ = client.getCameraImage(
            width,
            height,
            viewMatrix=view,
            projectionMatrix=lens,
            lightDirection=[1.0, -1.5, 2.5],
            flags=pybullet.ER_NO_SEGMENTATION_MASK,
            renderer=pybullet.ER_TINY_RENDERER,
        )
        image = np.reshape(np.asarray(picture, dtype=np.uint8), (height, width, 4))[:, :, :3].copy()
        image[np.reshape(np.asarray(depth), (height, width)) > 0.99999] = SKY  # the renderer leaves it white
        return image

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _build(self) -> None:
        raise NotImplementedError

    def _begin(self) -> None:
        raise NotImplementedError

    def _apply(self, action: np.ndarray) -> None:
        raise NotImplementedError

    def _measure(self) -> dict[str, Any]:
        raise NotImplementedError

    def _judge(self, action: np.ndarray) -> tuple[float, bool, dict[str, Any]]:
        raise NotImplementedError

    def _look_at(self) -> tuple[float, float, float]:
        return 0.0, 0.0, 0.0

    def _pictured(self) -> Client:
        """The client that pictures are taken in."""
        return self.client
