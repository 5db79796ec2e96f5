"""A plugin for the tests of collecting: bodies with every kind of space, and demonstrators good and bad.

With ODD_LOG set, every reset appends its seed to that file; with ODD_SLOW set, every step sleeps that many seconds.
"""

from __future__ import annotations

import os
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from opengato.errors import OpengatoError, SimulatorDied
from opengato.tasks.registry import register


class Odd(gymnasium.Env[Any, Any]):
    """`x` must follow `target`; four episodes of five are good ones."""

    def __init__(self, length: int = 10, side: int = 24) -> None:
        self.length = length
        pair = spaces.Tuple([spaces.Discrete(5, start=-2), spaces.Text(30, charset="aäöß字😀")])
        self.observation_space = spaces.Dict(
            {
                "camera/front": spaces.Box(0, 255, (side, side, 3), np.uint8),
                "nested": spaces.Dict({"pair": pair, "many": spaces.MultiDiscrete([3, 4])}),
                "bits": spaces.MultiBinary(3),
                "target": spaces.Box(-1, 1, (2,), np.float32),
                "count": spaces.Box(0, 1000, (1,), np.int32),
            }
        )
        self.action_space = spaces.Dict(
            {
                "x": spaces.Box(np.array([-1, -3], np.float32), np.array([1, 5], np.float32)),
                "choice": spaces.Discrete(4, start=1),
                "say": spaces.Text(5, charset="ab"),
            }
        )
        self._image = np.zeros((side, side, 3), np.uint8)  # one buffer for all steps: the collector has to copy

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if log := os.environ.get("ODD_LOG"):
            with open(log, "a") as file:
                file.write(f"{seed}\n")
        self.t = 0
        self.good = bool(self.np_random.uniform() < 0.8)
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        time.sleep(float(os.environ.get("ODD_SLOW", 0)))
        reward = 1 - float(np.abs(action["x"] - self.target).mean()) if self.good else 0.1
        self.t += 1
        return self._observe(), reward, False, self.t >= self.length, {"success": self.good}

    def _observe(self) -> dict[str, Any]:
        self._image[:] = self.np_random.integers(0, 256, self._image.shape)
        self.target = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        pair = (self.np_random.integers(-2, 3), "字ä😀"[: self.np_random.integers(1, 4)])
        return {
            "camera/front": self._image,
            "nested": {"pair": pair, "many": np.array([self.t % 3, self.t % 4])},
            "bits": np.array([self.t % 2, 1, 0], np.int8),
            "target": self.target,
            "count": np.array([self.t], np.int32),
        }


class Follow:
    """Answers with lists and Python numbers."""

    def reset(self, env: Any) -> None:
        self.env = env.unwrapped

    def act(self, observation: dict[str, Any]) -> dict[str, Any]:
        return {"x": observation["target"].tolist(), "choice": 1 + int(observation["count"][0]) % 4, "say": "ab"}


class Flaky(Follow):
    """In a bad episode it raises, returns NaN, or takes its simulator or its whole process down."""

    def act(self, observation: dict[str, Any]) -> dict[str, Any]:
        action = super().act(observation)
        if self.env.good:
            return action
        if observation["target"][0] > 0.8:
            raise RuntimeError("lost")
        if "ODD_MAY_DIE" in os.environ:
            raise SimulatorDied("the simulator died")
        if observation["target"][1] < 0.4 and "ODD_MAY_CRASH" in os.environ:
            os._exit(3)
        return {**action, "x": [np.nan, 0.0]}


def broken(observation: Any, env: Any) -> Any:
    """Never gives a legal action."""
    return {"x": [0.0, 99.0], "choice": 1, "say": "a"}


def helpless(observation: Any, env: Any) -> Any:
    """Raises what no other seed would mend."""
    raise OpengatoError("the policy's file is missing. Next: train it")


def missing_simulator(**_: Any) -> Any:
    """A factory that fails."""
    raise RuntimeError("no simulator here")


register("odd/follow", demonstrator=Follow, success="always told")(Odd)
register("odd/return", demonstrator=Follow)(Odd)
register("odd/flaky", demonstrator=Flaky)(Odd)
register("odd/broken", demonstrator=broken)(Odd)
register("odd/helpless", demonstrator=helpless)(Odd)
register("odd/alone")(Odd)
register("odd/absent", demonstrator=Follow)(missing_simulator)
