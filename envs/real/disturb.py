"""What goes wrong between a body and who drives it: delay, jitter, loss, noise, lag, another mass and friction."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from gymnasium import spaces

from opengato.errors import OpengatoError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Disturbance:
    """How the twin differs from the simulation.

    Args:
        latency_ms: of the way there and back, half each.
        jitter_ms: standard deviation of each way's delay; nothing overtakes.
        dropped: share of readings that never arrive.
        frozen: share of readings whose pictures are the last ones.
        noise: standard deviation of sensor noise, as a share of a signal's range (of 255 in pictures).
        camera_shift: pixels by which every picture is moved to the right, as by a camera that was knocked.
        lag_ms: time constant of the actuators.
        mass, friction: factors.
        seed: of all chance.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    dropped: float = 0.0
    frozen: float = 0.0
    noise: float = 0.0
    camera_shift: int = 0
    lag_ms: float = 0.0
    mass: float = 1.0
    friction: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("latency_ms", "jitter_ms", "noise", "lag_ms"):
            if not 0 <= getattr(self, name) < np.inf:
                raise OpengatoError(f"{name} is {getattr(self, name)}; legal: 0 or more.")
        if self.camera_shift < 0:
            raise OpengatoError(f"camera_shift is {self.camera_shift}; legal: 0 pixels or more.")
        for name in ("dropped", "frozen"):
            if not 0 <= getattr(self, name) < 1:
                raise OpengatoError(f"{name} is {getattr(self, name)}; legal: 0 up to, not including, 1.")
        for name in ("mass", "friction"):
            if not 0 < getattr(self, name) < np.inf:
                raise OpengatoError(f"{name} is {getattr(self, name)}; legal: above 0.")


class Line(Generic[Item]):
    """A delayed way that keeps the order.

    Args:
        delay_s, jitter_s: of what is put in.
        rng: of the jitter.
    """

    def __init__(self, delay_s: float, jitter_s: float, rng: np.random.Generator) -> None:
        self._delay, self._jitter, self._rng = delay_s, jitter_s, rng
        self._waiting: deque[tuple[float, Item]] = deque()
        self._last = 0.0

    def put(self, item: Item, now: float) -> None:
        """Send something off at a time, seconds."""
        delay = max(0.0, self._delay + self._jitter * float(self._rng.standard_normal()))
        self._last = max(self._last, now + delay)
        self._waiting.append((self._last, item))

    def due(self, now: float) -> list[Item]:
        """What has arrived by a time, oldest first."""
        found = []
        while self._waiting and self._waiting[0][0] <= now:
            found.append(self._waiting.popleft()[1])
        return found

    @property
    def next_due(self) -> float | None:
        """When the next thing arrives."""
        return self._waiting[0][0] if self._waiting else None

    def clear(self) -> None:
        """Lose what is under way."""
        self._waiting.clear()


class Lag:
    """Actuators that follow what they are told with a first-order lag, from rest.

    Args:
        lag_ms: time constant; 0 follows at once.
        rate_hz: steps a second.
    """

    def __init__(self, lag_ms: float, rate_hz: float) -> None:
        self._share = 1.0 if lag_ms == 0 else 1 - float(np.exp(-1000 / (rate_hz * lag_ms)))
        self._moved: np.ndarray | float = 0.0

    def __call__(self, wanted: np.ndarray) -> np.ndarray:
        """What they do, float64."""
        self._moved = self._moved + self._share * (np.asarray(wanted, np.float64) - self._moved)
        return self._moved


def change_body(env: Any, disturbance: Disturbance) -> None:
    """Other masses and friction for a MuJoCo environment.

    Raises:
        OpengatoError: factors are asked for and there is no MuJoCo model.
    """
    model: Any = getattr(env.unwrapped, "model", None)
    if disturbance.mass == disturbance.friction == 1.0:
        return
    if model is None or not hasattr(model, "body_mass"):
        raise OpengatoError("mass and friction can be changed for MuJoCo bodies only.")
    model.body_mass[:] *= disturbance.mass
    model.body_inertia[:] *= disturbance.mass
    model.geom_friction[:] *= disturbance.friction


class Sensors:
    """Noise, shifted and frozen pictures; texts and classes stay as they are.

    Args:
        space: of the observations.
        disturbance: what to do to them.
        rng: of chance.
    """

    def __init__(self, space: spaces.Space[Any], disturbance: Disturbance, rng: np.random.Generator) -> None:
        self._space, self._of, self._rng = space, disturbance, rng
        self._pictures: dict[str, np.ndarray] = {}

    def __call__(self, observation: Any) -> Any:
        """What the sensors say; the observation itself stays untouched."""
        freeze = self._of.frozen > 0 and self._rng.random() < self._of.frozen
        return self._seen(self._space, observation, "", freeze)

    def clear(self) -> None:
        """A new episode: no picture to be stuck at."""
        self._pictures = {}

    def _seen(self, space: spaces.Space[Any], value: Any, path: str, freeze: bool) -> Any:
        if isinstance(space, spaces.Dict):
            return {key: self._seen(part, value[key], f"{path}.{key}", freeze) for key, part in space.items()}
        if isinstance(space, spaces.Tuple):
            return tuple(self._seen(part, value[i], f"{path}.{i}", freeze) for i, part in enumerate(space))
        if not isinstance(space, spaces.Box):
            return value
        picture = space.dtype == np.uint8 and len(space.shape) == 3
        if picture:
            if freeze and path in self._pictures:
                return self._pictures[path]
            if self._of.camera_shift:
                value = np.roll(value, self._of.camera_shift, axis=1)
                value[:, : self._of.camera_shift] = value[:, self._of.camera_shift : self._of.camera_shift + 1]
        if self._of.noise and (picture or np.issubdtype(space.dtype, np.floating)):
            with np.errstate(invalid="ignore"):
                wide = np.where(np.isfinite(space.high - space.low), space.high - space.low, 1.0)
            noisy = value + self._of.noise * wide * self._rng.standard_normal(np.shape(value))
            value = np.clip(noisy, space.low, space.high).astype(space.dtype)
        if picture:
            self._pictures[path] = value
        return value
