"""What goes wrong between a body and who drives it: delay, jitter, loss, noise, lag, another mass and friction."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar

import numpy as np
from gymnasium import spaces

from opengato.errors import OpengatoError

Item = TypeVar("Item")
ROUNDING = 1e-6  # of a step: a delay of whole steps stays one, however its product or sum rounds


@dataclass(frozen=True)
class Disturbance:
    """How the twin differs from the simulation.

    Args:
        latency_ms: of the way there and back, half each.
        jitter_ms: standard deviation of each way's delay; nothing overtakes.
        dropped: share of readings that never arrive.
        frozen: share of readings whose pictures are the last ones.
        noise: standard deviation of sensor noise, as a share of a signal's range (of 255 in pictures).
        camera_shift: pixels by which every picture is moved to the right, as by a camera that was knocked; its left
            edge is drawn out.
        lag_ms: time constant of the actuators.
        mass, friction, damping, gear: factors of masses, friction, joint damping and the actuators' gear, where the
            environment's body can be changed (`physique.py`).
        light: factor of the pictures' brightness.
        texture: by how much, of 1, each colour of each part of the scene may be off (as above).
        delays_ms: per entry of the observation (a name or a pattern) how much older than the rest it is.
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
    damping: float = 1.0
    gear: float = 1.0
    light: float = 1.0
    texture: float = 0.0
    delays_ms: dict[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("latency_ms", "jitter_ms", "noise", "lag_ms"):
            if not 0 <= getattr(self, name) < np.inf:
                raise OpengatoError(f"{name} is {getattr(self, name)}; legal: 0 or more.")
        for name in ("camera_shift", "seed"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 0:
                raise OpengatoError(
                    f"{name} is {getattr(self, name)}; legal: 0, 1, 2, …. Next: disturbance={{{name}: 1}}"
                )
        for name in ("dropped", "frozen"):
            if not 0 <= getattr(self, name) < 1:
                raise OpengatoError(f"{name} is {getattr(self, name)}; legal: 0 up to, not including, 1.")
        if not 0 <= self.texture <= 1:
            raise OpengatoError(f"texture is {self.texture}; legal: 0 to 1.")
        for name, late in self.delays_ms.items():
            if not 0 <= late < np.inf:
                raise OpengatoError(f"delays_ms.{name} is {late}; legal: 0 or more.")
        for name in ("mass", "friction", "damping", "gear", "light"):
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


class Sensors:
    """Late signals, noise, shifted, darkened and frozen pictures; texts and classes stay as they are.

    Args:
        space: of the observations.
        disturbance: what to do to them.
        rng: of chance.
        rate_hz: readings a second.
    """

    def __init__(
        self, space: spaces.Space[Any], disturbance: Disturbance, rng: np.random.Generator, rate_hz: float
    ) -> None:
        self._space, self._of, self._rng = space, disturbance, rng
        self._pictures: dict[str, np.ndarray] = {}
        late = disturbance.delays_ms if isinstance(space, spaces.Dict) else {}
        # A signal that is late by part of a step shows what was read the step before.
        self._before = {
            name: deque[Any](maxlen=1 + max(int(np.ceil(ms * rate_hz / 1000 - ROUNDING)) for ms in found))
            for name in getattr(space, "spaces", {})
            if (found := [ms for pattern, ms in late.items() if fnmatchcase(name, pattern)])
        }
        unknown = [
            pattern for pattern in late if not any(fnmatchcase(name, pattern) for name in getattr(space, "spaces", {}))
        ]
        if disturbance.delays_ms and (unknown or not isinstance(space, spaces.Dict)):
            names = sorted(getattr(space, "spaces", {}))
            raise OpengatoError(
                f"delays_ms names {sorted(disturbance.delays_ms)}; legal: entries of the observation, {names}."
            )

    def __call__(self, observation: Any) -> Any:
        """What the sensors say; the observation itself stays untouched."""
        freeze = self._of.frozen > 0 and self._rng.random() < self._of.frozen
        if self._before:
            observation = dict(observation)
            for name, before in self._before.items():
                before.append(observation[name])
                observation[name] = before[0]
        return self._seen(self._space, observation, "", freeze)

    def clear(self) -> None:
        """A new episode: no picture to be stuck at, nothing that was read before."""
        self._pictures = {}
        for before in self._before.values():
            before.clear()

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
                value = np.take(value, np.maximum(np.arange(value.shape[1]) - self._of.camera_shift, 0), axis=1)
            if self._of.light != 1:
                value = np.rint(np.clip(value * self._of.light, 0, 255)).astype(np.uint8)
        if self._of.noise and (picture or np.issubdtype(space.dtype, np.floating)):
            with np.errstate(invalid="ignore"):
                wide = np.where(np.isfinite(space.high - space.low), space.high - space.low, 1.0)
            noisy = value + self._of.noise * wide * self._rng.standard_normal(np.shape(value))
            value = np.clip(np.rint(noisy) if picture else noisy, space.low, space.high).astype(space.dtype)
        if picture:
            self._pictures[path] = value
        return value
