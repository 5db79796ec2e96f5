"""The same disturbances in simulated time: a wrapper for any environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from opengato.envs.real.disturb import Disturbance, Lag, Line, Sensors, change_body


class Disturbed(gym.Wrapper[Any, Any, Any, Any]):
    """An environment whose commands arrive late, whose sensors err, and whose body is another.

    As on the twin, a command that arrives within the step it was decided in takes effect in that step, so a delay
    shorter than a step does nothing; where no new command has come, the last one goes on, and before the first the body
    rests (an environment that knows no rest is given the first at once). A dropped reading shows the one before.

    Args:
        env: any environment.
        disturbance: what goes wrong. `info["disturbance"]` says it after a reset.
        rate_hz: steps a second.
    """

    def __init__(self, env: gym.Env[Any, Any], disturbance: Disturbance, rate_hz: float) -> None:
        super().__init__(env)
        self.disturbance, self._period = disturbance, 1 / rate_hz
        change_body(env, disturbance)
        self._begin(np.random.default_rng(disturbance.seed))

    def _begin(self, rng: np.random.Generator) -> None:
        of = self.disturbance
        self._rng, self._time = rng, 0.0
        self._way: Line[Any] = Line(of.latency_ms / 1000, of.jitter_ms / 1000, rng)
        self._sensors = Sensors(self.observation_space, of, rng)
        self._last: Any = None
        self._lag = Lag(of.lag_ms, 1 / self._period)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self._begin(np.random.default_rng([self.disturbance.seed, seed]))
        else:
            self._begin(self._rng)
        self._shown = self._sensors(observation)
        return self._shown, {**info, "disturbance": self.disturbance.__dict__}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._way.put(action, self._time)
        self._time += self._period
        arrived = self._way.due(np.nextafter(self._time, 0))
        if arrived:
            self._last = arrived[-1]
        elif self._last is None:
            self._last = self._rest(action)
        observation, reward, terminated, truncated, info = self.env.step(self._lagging(self._last))
        if not self.disturbance.dropped or self._rng.random() >= self.disturbance.dropped or terminated or truncated:
            self._shown = self._sensors(observation)
        return self._shown, reward, terminated, truncated, info

    def _rest(self, first: Any) -> Any:
        space = self.action_space
        if isinstance(space, spaces.Box) and np.all(space.low <= 0) and np.all(space.high >= 0):
            return np.zeros(space.shape, space.dtype)
        return first

    def _lagging(self, action: Any) -> Any:
        """What the actuators do."""
        space = self.action_space
        if not self.disturbance.lag_ms or not isinstance(space, spaces.Box) or space.dtype.kind != "f":
            return action
        return np.clip(self._lag(action), space.low, space.high).astype(space.dtype)
