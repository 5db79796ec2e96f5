"""Predictive control by sampling: many short futures are tried on the simulator, and the first action of a blend of
them is taken.

After model predictive path integral control (Williams et al. 2017): futures are weighted by the exponential of their
return. Noise is drawn at knots and interpolated, so that what is demonstrated is smooth.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np


class Planned(Protocol):
    """What an environment must offer beside Gymnasium's calls."""

    action_space: Any

    def snapshot(self) -> Any:
        """Everything the next steps depend on."""

    def put_back(self, moment: Any) -> None:
        """Make the environment what it was."""

    def look_ahead(self, action: np.ndarray) -> tuple[float, bool]:
        """One step as `step` takes it, without looking: reward, and whether the episode ended."""


class PredictiveControl:
    """Plans in any environment with `snapshot`, `put_back` and `look_ahead`, and a Box of bounded actions.

    Args:
        futures: tried at a decision. With `horizon` the dial between time and quality: a decision takes
            futures × horizon steps of the simulator.
        horizon: steps of a future.
        knots: numbers drawn per future and action dimension.
        spread: standard deviation of the noise, as a share of half the action's range.
        sharpness: how much better a future must be to outweigh another; of the returns' spread.
        blend: take the weighted mean of futures; else the best one.
    """

    def __init__(
        self, futures: int = 24, horizon: int = 24, knots: int = 5, spread: float = 0.5, sharpness: float = 8.0,
        blend: bool = True,
    ) -> None:  # fmt: skip
        self.futures, self.horizon, self.spread, self.sharpness, self.blend = futures, horizon, spread, sharpness, blend
        # Interpolation from knots to steps, float [horizon, knots].
        at = np.linspace(0, knots - 1, horizon)
        self._between = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(knots)))

    def reset(self, env: Any) -> None:
        """A new episode; its own start decides all chance of the planning."""
        self._env: Planned = env.unwrapped
        space = self._env.action_space
        self._middle, self._half = (space.high + space.low) / 2, (space.high - space.low) / 2
        self._plan = np.zeros((self.horizon, *space.shape))  # in units of half the range
        digest = hashlib.sha256(np.asarray(self._state(self._env.snapshot())).tobytes()).digest()
        self._rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))

    def act(self, observation: Any) -> np.ndarray:
        """The action, float32 in the action space's bounds."""
        begin = self._env.snapshot()
        candidates = self._candidates()
        returns = np.asarray([self._return(begin, candidate) for candidate in candidates])
        self._env.put_back(begin)
        if self.blend and np.ptp(returns) > 0:
            weights = np.exp(self.sharpness * (returns - returns.max()) / (returns.std() + 1e-9))
            chosen = np.tensordot(weights / weights.sum(), candidates, 1)
        else:
            chosen = candidates[int(returns.argmax())]
        self._plan = np.concatenate([chosen[1:], chosen[-1:]])
        return (self._middle + self._half * chosen[0]).astype(np.float32)

    def _candidates(self) -> np.ndarray:
        """Futures [n, horizon, A] in [-1, 1]: the plan as it stands, rest, and the plan with noise of three sizes."""
        shape = (self.futures - 2, self._between.shape[1], self._plan[0].size)
        noise = np.einsum("hk,nka->nha", self._between, self._rng.standard_normal(shape))
        sizes = self.spread * np.asarray([0.3, 1.0, 2.0])[np.arange(len(noise)) % 3]
        tried = self._plan + sizes[:, None, None] * noise.reshape(len(noise), *self._plan.shape)
        return np.clip(np.concatenate([self._plan[None], np.zeros_like(self._plan)[None], tried]), -1, 1)

    def _return(self, begin: Any, candidate: np.ndarray) -> float:
        self._env.put_back(begin)
        total = 0.0
        for action in candidate:
            reward, ended = self._env.look_ahead((self._middle + self._half * action).astype(np.float32))
            total += reward
            if ended:
                break
        return total + self.promise()

    def promise(self) -> float:
        """What the state at the end of a future is worth beyond its rewards, in their units. A subclass says so where
        rewards are too far away for a plan to find them."""
        return 0.0

    def _state(self, moment: Any) -> Any:
        return moment[0] if isinstance(moment, tuple) else moment
