"""A robot as one more Gymnasium environment, with the spaces of the body it was simulated as."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from opengato.envs.real.robot import Reading, Robot, check_twin, signals_of
from opengato.envs.real.safety import Limits, Safety
from opengato.errors import OpengatoError

WAIT_PERIODS = 10  # without a reading before a step gives up


class RobotEnv(gymnasium.Env[Any, np.ndarray]):
    """Steps a robot in its own time: `step` sends an action and returns with the next reading.

    Observation and action spaces are those of the simulated body. The reward is what the robot says of it (a simulated
    one does), else 0. `info` holds the reading's `number` and `age_ms`, what was really `sent`, what the robot says.

    Args:
        robot: not connected yet.
        body: the simulated environment of the same body; it is read here and not kept.
        limits: of actions; the body's own by default.
        max_steps: of an episode.

    Raises:
        OpengatoError: a signal, shape, dtype, unit, frame or the rate differs from the simulated body's, and is named;
            or the body states no limits and none are given.
    """

    def __init__(
        self, robot: Robot, body: gymnasium.Env[Any, Any], limits: Limits | None = None, max_steps: int = 1000
    ) -> None:
        units = getattr(body.unwrapped, "units", {})
        observed = signals_of(body.observation_space, "observation", units)
        known: Any = limits or getattr(body.unwrapped, "limits", None)
        if not isinstance(known, Limits):
            raise OpengatoError("this body states no limits. Next: give RobotEnv limits=Limits(…).")
        check_twin(robot, observed, signals_of(body.action_space, "action", units), known.rate_hz)
        self.observation_space, self.action_space = body.observation_space, body.action_space
        self.robot, self.safety, self.max_steps = robot, Safety(known), max_steps
        self.metadata = {**self.metadata, "render_fps": robot.rate_hz}
        self._bare = not isinstance(body.observation_space, spaces.Dict)
        self._connected = False
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Wait for the first reading of an episode. A seed seeds nothing in the world."""
        super().reset(seed=seed)
        if not self._connected:
            self.robot.connect()
            self._connected = True
        self.safety.reset()
        self._steps = 0
        reading = self._next()
        while reading.info.get("over"):  # the end of the episode before
            reading = self._next()
        self._last = reading
        return self._seen(reading), self._info(reading, None)

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Send an action through the safety layer, and wait for the next reading.

        Raises:
            OpengatoError: no reading came for `WAIT_PERIODS` periods; the robot was told to rest.
        """
        age_s = time.monotonic() - self._last.captured_at
        sent = self.robot.send_action(self.safety(action, self._last.values, age_s))
        self._last = self._next()
        self._steps += 1
        over = bool(self._last.info.get("over", False))
        truncated = self._steps >= self.max_steps and not over
        reward = float(self._last.info.get("reward", 0.0))
        return self._seen(self._last), reward, over, truncated, self._info(self._last, sent)

    def close(self) -> None:
        """Bring the robot to rest and let go of it."""
        if self._connected:
            try:
                while np.any(self.robot.send_action(self.safety.rest()) != 0):
                    time.sleep(1 / self.robot.rate_hz)
            finally:
                self.robot.disconnect()
                self._connected = False

    def _next(self) -> Reading:
        reading = self.robot.get_observation(WAIT_PERIODS / self.robot.rate_hz)
        if reading is None:
            self.robot.send_action(self.safety.rest())
            raise OpengatoError(f"no reading for {WAIT_PERIODS} periods. Next: see whether the robot is on.")
        return reading

    def _seen(self, reading: Reading) -> Any:
        return next(iter(reading.values.values())) if self._bare else reading.values

    def _info(self, reading: Reading, sent: np.ndarray | None) -> dict[str, Any]:
        age = 1e3 * (time.monotonic() - reading.captured_at)
        return {"success": False, **reading.info, "number": reading.number, "age_ms": age, "sent": sent}
