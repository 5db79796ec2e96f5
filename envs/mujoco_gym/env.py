"""One of Gymnasium's MuJoCo environments: its state as a named signal, its pictures without a graphics library."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from opengato.envs.planning.mujoco_state import put_back, take

RENDER_SIZE = (240, 320)

Observation = dict[str, np.ndarray]


def name_of(id: str) -> str:
    """`HalfCheetah-v5` → `half-cheetah`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", id.split("-v")[0]).lower()


def _make(id: str, kwargs: dict[str, Any]) -> Any:
    return gymnasium.make(id, disable_env_checker=True, **kwargs).unwrapped


class MujocoGym(gymnasium.Env[Observation, np.ndarray]):
    """Gymnasium's own dynamics, rewards and ends.

    Observation: `state`, float32 [n], as Gymnasium documents it for the body.
    Action: float32 [actuators] in [-1, 1], scaled to the actuators' own bounds.
    Reward: Gymnasium's. An episode is truncated after the registered number of steps.

    Args:
        id: e.g. `HalfCheetah-v5`.
        render_mode: "rgb_array" or None.
        **kwargs: passed to Gymnasium's environment.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, id: str, render_mode: str | None = None, **kwargs: Any) -> None:
        self._body = _make(id, kwargs)
        self._most = gymnasium.spec(id).max_episode_steps or 1000
        self.render_mode = render_mode
        # The trained policy that shows it, where there is one.
        self.expert = f"mujoco/{name_of(id)}"
        self.metadata = {**self.metadata, "render_fps": round(1 / self._body.dt)}
        state, act = self._body.observation_space, self._body.action_space
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {"state": spaces.Box(-np.inf, np.inf, state.shape, np.float32)}
        )
        self._middle, self._half = (act.high + act.low) / 2, (act.high - act.low) / 2
        self.action_space = spaces.Box(-1.0, 1.0, act.shape, np.float32)
        self._steps = 0
        self._caster: Any = None

    @property
    def model(self) -> Any:
        """MuJoCo's model, whose masses and friction may be changed."""
        return self._body.model

    @property
    def simulation(self) -> tuple[Any, Any]:
        """MuJoCo's model and data, for demonstrators that know mechanics."""
        return self._body.model, self._body.data

    @property
    def dt(self) -> float:
        """Seconds of a step."""
        return float(self._body.dt)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        seen, _ = self._body.reset(seed=int(self.np_random.integers(2**31)))
        self._steps = 0
        return {"state": seen.astype(np.float32)}, {}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        native = self._middle + self._half * np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        seen, reward, terminated, _, _ = self._body.step(native)
        self._steps += 1
        truncated = self._steps >= self._most and not terminated
        return {"state": seen.astype(np.float32)}, float(reward), bool(terminated), truncated, {}

    def snapshot(self) -> tuple[np.ndarray, int]:
        """Everything the next steps depend on, for planners."""
        return take(self._body.model, self._body.data), self._steps

    def put_back(self, moment: tuple[np.ndarray, int]) -> None:
        """Make the environment what it was."""
        put_back(self._body.model, self._body.data, moment[0])
        self._steps = moment[1]

    def look_ahead(self, action: np.ndarray) -> tuple[float, bool]:
        """One step: reward, and whether the episode ended."""
        _, reward, terminated, truncated, _ = self.step(action)
        return reward, terminated or truncated

    def render(self) -> np.ndarray:
        """uint8 [240, 320, 3]: the camera that follows the body, where there is one."""
        if self._caster is None:
            from opengato.envs.rendering.raycast import RayCaster

            model = self._body.model
            self._caster = RayCaster(model, *RENDER_SIZE, camera=0 if model.ncam else -1)
        return self._caster.render(self._body.data)

    def close(self) -> None:
        self._caster = None
        self._body.close()
