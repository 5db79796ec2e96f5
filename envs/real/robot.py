"""What a robot must do to be driven: four calls and what is known before the first, after LeRobot's robots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from opengato.errors import OpengatoError


@dataclass(frozen=True)
class Signal:
    """One sensor or actuator group, known before connecting.

    Args:
        shape: of its values; (height, width, channels) of a camera.
        dtype: of its values.
        unit: e.g. "rad"; "" for none.
        frame: of reference, e.g. "base"; "" for none.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    unit: str = ""
    frame: str = ""


@dataclass
class Reading:
    """What the sensors said at one moment.

    Args:
        values: per signal an array.
        number: counts up; a robot never gives an older one after a newer one.
        captured_at: when, seconds of `time.monotonic`.
        episode: counts the resets before it.
        info: what a simulated robot adds: reward, success, end of the episode.
    """

    values: dict[str, np.ndarray]
    number: int
    captured_at: float
    episode: int = 0
    info: dict[str, Any] = field(default_factory=dict)


class Robot(Protocol):
    """A robot. `observation_signals`, `action_signals` and `rate_hz` are known before `connect`."""

    observation_signals: dict[str, Signal]
    action_signals: dict[str, Signal]
    rate_hz: float

    def connect(self) -> None:
        """Open the connection. Raises OpengatoError when there is no robot."""

    def get_observation(self, timeout_s: float = 1.0) -> Reading | None:
        """The newest reading, once; waits for one that was not given yet, None where none comes in time."""

    def send_action(self, action: np.ndarray) -> np.ndarray:
        """Command an action; returns what was really sent."""

    def disconnect(self) -> None:
        """Bring the robot to rest and close the connection."""


def signals_of(
    space: spaces.Space[Any], name: str, units: Mapping[str, tuple[str, str]] | None = None
) -> dict[str, Signal]:
    """The signals of a flat Dict of boxes, or of one Box.

    Args:
        space: of observations or actions.
        name: of the one Box.
        units: per name its unit and frame.
    """
    units = units or {}
    parts = dict(space.items()) if isinstance(space, spaces.Dict) else {name: space}
    return {
        name: Signal(tuple(part.shape or ()), str(part.dtype), *units.get(name, ("", "")))
        for name, part in parts.items()
    }


def check_twin(robot: Robot, observed: Mapping[str, Signal], done: Mapping[str, Signal], rate_hz: float | None) -> None:
    """Whether a robot is the body that a task was simulated with.

    Raises:
        OpengatoError: a signal is missing or too many, has another shape, dtype, unit or frame, or the rate differs.
    """
    for part, wanted, found in (
        ("observation", observed, robot.observation_signals),
        ("action", done, robot.action_signals),
    ):
        for name in wanted:
            if name not in found:
                raise OpengatoError(f"the robot has no {part} {name!r}; it has {sorted(found)}.")
        for name in found:
            if name not in wanted:
                raise OpengatoError(f"the robot's {part} {name!r} is unknown to the simulated body {sorted(wanted)}.")
        for name, signal in wanted.items():
            for fact in ("shape", "dtype", "unit", "frame"):
                ours, theirs = getattr(signal, fact), getattr(found[name], fact)
                if ours != theirs:
                    raise OpengatoError(f"{part} {name!r}: {fact} {theirs!r} on the robot, {ours!r} in simulation.")
    if rate_hz and abs(robot.rate_hz - rate_hz) > 1e-6:
        raise OpengatoError(f"the robot runs at {robot.rate_hz:g} Hz, the simulation at {rate_hz:g} Hz.")
