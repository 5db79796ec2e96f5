"""The same disturbances in simulated time: a wrapper for any environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from opengato.envs.real.disturb import ROUNDING, Disturbance, Lag, Line, Sensors
from opengato.envs.real.physique import Body
from opengato.envs.real.spread import Spread

RATE_HZ = 20.0  # of a task whose card names no rate, where delays need one


class Disturbed(gym.Wrapper[Any, Any, Any, Any]):
    """An environment whose commands arrive late, whose sensors err, and whose body is another.

    As on the twin, a command that arrives within the step it was decided in takes effect in that step, so a delay
    shorter than a step does nothing; where no new command has come, the last one goes on, and before the first the body
    rests (an environment that knows no rest is given the first at once). A dropped reading shows the one before.

    Args:
        env: any environment.
        disturbance: what goes wrong, or what is drawn for every episode. `info["disturbance"]` says it after a reset.
        rate_hz: steps a second.
    """

    def __init__(self, env: gym.Env[Any, Any], disturbance: Disturbance | Spread, rate_hz: float) -> None:
        super().__init__(env)
        self._spread = disturbance if isinstance(disturbance, Spread) else None
        self._fixed = disturbance if isinstance(disturbance, Disturbance) else Disturbance(**disturbance.fixed)
        self._period, self._body = 1 / rate_hz, Body(env)
        self._draw(np.random.default_rng(self._fixed.seed))
        self._begin()

    def _draw(self, rng: np.random.Generator) -> None:
        """The episode's chance, and what it draws."""
        self._rng = rng
        self.disturbance = self._spread.draw(rng) if self._spread else self._fixed
        self._body.change(self.disturbance, rng)

    def _begin(self) -> None:
        of, rng = self.disturbance, self._rng
        self._steps = 0
        self._way: Line[Any] = Line(of.latency_ms / 1000, of.jitter_ms / 1000, rng)
        self._sensors = Sensors(self.observation_space, of, rng, 1 / self._period)
        self._last: Any = None
        self._lag = Lag(of.lag_ms, 1 / self._period)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        # Before the reset, so that the first observation already shows the body as it is.
        self._draw(self._rng if seed is None else np.random.default_rng([self._fixed.seed, seed]))
        observation, info = self.env.reset(seed=seed, options=options)
        self._begin()
        self._shown = self._sensors(observation)
        return self._shown, {**info, "disturbance": dict(self.disturbance.__dict__)}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._way.put(action, self._steps * self._period)
        self._steps += 1
        arrived = self._way.due((self._steps - ROUNDING) * self._period)
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
