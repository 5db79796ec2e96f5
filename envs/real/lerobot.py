"""Robots of LeRobot, or anything with its calls, as a `Robot`: named numbers in and out become signals.

How they do is a file of its own, the calibration: which of the robot's features make up a signal, and for each number
`(raw - offset) · scale` into the unit that the simulated body has.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from opengato.envs.real.robot import Reading, Signal
from opengato.errors import OpengatoError

DRIVER_S = 1.0  # that an action waits for the driver; one that hangs must not hang whoever drives
TURN_S = 0.001  # between readings of a slow driver, that an action which waits for it gets its turn


@dataclass(frozen=True)
class Channel:
    """One of the robot's numbers.

    Args:
        name: the robot's feature, e.g. "shoulder_pan.pos".
        offset, scale: ours = (theirs - offset) · scale.
    """

    name: str
    offset: float = 0.0
    scale: float = 1.0

    def ours(self, raw: float) -> float:
        return (float(raw) - self.offset) * self.scale

    def theirs(self, value: float) -> float:
        return float(value) / self.scale + self.offset


@dataclass(frozen=True)
class Group:
    """The numbers of a signal, with their unit and frame."""

    channels: Sequence[Channel]
    unit: str = ""
    frame: str = ""


@dataclass(frozen=True)
class Camera:
    """A picture, made smaller or larger to `height` × `width`."""

    name: str
    height: int
    width: int


@dataclass(frozen=True)
class Calibration:
    """How a robot's features become the simulated body's signals.

    Args:
        rate_hz: readings a second.
        groups: per observed signal its numbers.
        cameras: per observed signal its picture.
        action: the numbers of the action, in order.
    """

    rate_hz: float
    groups: Mapping[str, Group]
    action: Group
    cameras: Mapping[str, Camera] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.rate_hz > 0:
            raise OpengatoError(f"rate_hz is {self.rate_hz}; legal: above 0.")
        for name, group in {**self.groups, "action": self.action}.items():
            for channel in group.channels:
                if not (np.isfinite([channel.offset, channel.scale]).all() and channel.scale):
                    raise OpengatoError(
                        f"{name}: {channel.name} has offset {channel.offset} and scale {channel.scale}."
                    )

    def save(self, path: str | Path) -> None:
        """Write it as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read it. Raises OpengatoError where the file is none."""
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
            groups = {name: _group(each) for name, each in facts["groups"].items()}
            cameras = {name: Camera(**each) for name, each in facts.get("cameras", {}).items()}
            return cls(float(facts["rate_hz"]), groups, _group(facts["action"]), cameras)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OpengatoError(f"{str(path)!r} is no calibration ({type(error).__name__}: {error}).") from error


def _group(facts: Mapping[str, Any]) -> Group:
    return Group([Channel(**each) for each in facts["channels"]], facts.get("unit", ""), facts.get("frame", ""))


class LeRobot:
    """A `Robot` around one of LeRobot's. Sensing goes on in a thread, at the calibration's rate.

    Args:
        robot: with LeRobot's `observation_features`, `action_features`, `connect`, `get_observation`, `send_action` and
            `disconnect`.
        calibration: how its features become signals.

    Raises:
        OpengatoError: the calibration names a feature that the robot has not; the legal ones are named.
    """

    def __init__(self, robot: Any, calibration: Calibration) -> None:
        self.robot, self.calibration, self.rate_hz = robot, calibration, calibration.rate_hz
        for names, known, what in (
            ([c.name for g in calibration.groups.values() for c in g.channels], robot.observation_features, "feature"),
            ([camera.name for camera in calibration.cameras.values()], robot.observation_features, "camera"),
            ([channel.name for channel in calibration.action.channels], robot.action_features, "action feature"),
        ):
            for name in names:
                if name not in known:
                    raise OpengatoError(f"the robot has no {what} {name!r}; it has {sorted(known)}.")
        self.observation_signals = {
            name: Signal((len(group.channels),), "float32", group.unit, group.frame)
            for name, group in calibration.groups.items()
        } | {name: Signal((c.height, c.width, 3), "uint8") for name, c in calibration.cameras.items()}
        action = calibration.action
        self.action_signals = {"action": Signal((len(action.channels),), "float32", action.unit, action.frame)}
        self._driver = threading.Lock()  # drivers share a bus between sensing and acting
        self._fresh = threading.Condition()
        self._reading: Reading | None = None
        self._lost: Exception | None = None
        self._stop = threading.Event()

    def connect(self) -> None:
        """Open the connection and begin to sense; nothing is left of a connection before."""
        self.robot.connect()
        self._reading = self._lost = None
        self._stop = threading.Event()  # its own: a thread that hangs in the driver must not sense on
        self._thread = threading.Thread(target=self._sense, args=(self._stop,), daemon=True)
        self._thread.start()

    def get_observation(self, timeout_s: float = 1.0) -> Reading | None:
        """See `Robot`. Raises OpengatoError when the robot fails."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._reading is not None or self._lost is not None, timeout_s)
            if self._lost is not None:
                raise OpengatoError(f"the robot failed ({type(self._lost).__name__}: {self._lost}).")
            reading, self._reading = self._reading, None
            return reading

    def send_action(self, action: np.ndarray) -> np.ndarray:
        """See `Robot`: LeRobot's robots clip to their own limits and say what they sent.

        Raises:
            OpengatoError: the driver hangs.
        """
        channels = self.calibration.action.channels
        wanted = {c.name: c.theirs(value) for c, value in zip(channels, np.asarray(action).reshape(-1), strict=True)}
        if not self._driver.acquire(timeout=DRIVER_S):
            raise OpengatoError(f"the robot has been sensing for {DRIVER_S:g} s. Next: see whether it is on.")
        try:
            sent = self.robot.send_action(wanted) or wanted
        finally:
            self._driver.release()
        return np.asarray([c.ours(sent.get(c.name, wanted[c.name])) for c in channels], np.float32)

    def disconnect(self) -> None:
        """Stop sensing and close the connection, also of a driver that hangs."""
        self._stop.set()
        with contextlib.suppress(AttributeError):
            self._thread.join(2.0)
        self.robot.disconnect()

    def _sense(self, stop: threading.Event) -> None:
        number, period = 0, 1 / self.rate_hz
        due = time.monotonic()
        while not stop.is_set():
            reading: Reading | None = None
            lost: Exception | None = None
            try:
                with self._driver:
                    captured = time.monotonic()
                    raw = self.robot.get_observation()
                reading = Reading(self._values(raw), number, captured)
            except Exception as error:  # whatever a driver raises; the loop has to hear of it
                lost = error
            with self._fresh:
                if stop.is_set():
                    return
                self._reading, self._lost = reading, lost
                self._fresh.notify_all()
            if lost is not None:
                return
            number += 1
            due = max(due + period, time.monotonic() + TURN_S)
            stop.wait(due - time.monotonic())

    def _values(self, raw: Mapping[str, Any]) -> dict[str, np.ndarray]:
        values = {
            name: np.asarray([channel.ours(raw[channel.name]) for channel in group.channels], np.float32)
            for name, group in self.calibration.groups.items()
        }
        return values | {name: _fitted(raw[camera.name], camera) for name, camera in self.calibration.cameras.items()}


def _fitted(picture: Any, camera: Camera) -> np.ndarray:
    """uint8 [height, width, 3]."""
    whole = np.asarray(picture, np.uint8)
    if whole.shape[:2] == (camera.height, camera.width):
        return whole
    return np.asarray(Image.fromarray(whole).resize((camera.width, camera.height), Image.Resampling.BOX))
