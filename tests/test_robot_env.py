"""A robot as an environment, and LeRobot's robots as ours."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from opengato.envs.real import lerobot
from opengato.envs.real.disturb import Disturbance
from opengato.envs.real.env import RobotEnv
from opengato.envs.real.lerobot import Calibration, Camera, Channel, Group, LeRobot
from opengato.envs.real.robot import Reading, signals_of
from opengato.envs.real.safety import Limits
from opengato.envs.real.twin import TwinRobot
from opengato.errors import OpengatoError
from opengato.evaluation.twin import running
from opengato.tasks import registry

LIMITS = Limits(-np.ones(2), np.ones(2), np.full(2, 0.5), 50.0)
CALIBRATION = Calibration(
    50.0,
    {"joints": Group([Channel("pan.pos", 10.0, np.pi / 180), Channel("lift.pos", -5.0, np.pi / 180)], "rad", "joint")},
    Group([Channel("pan.vel", 0.0, 0.01), Channel("lift.vel", 0.0, 0.01)]),
    {"camera": Camera("front", 4, 6)},
)


class Body(gymnasium.Env[Any, Any]):
    """The simulated body of `Hardware`."""

    observation_space = spaces.Dict(
        {"joints": spaces.Box(-3, 3, (2,), np.float32), "camera": spaces.Box(0, 255, (4, 6, 3), np.uint8)}
    )
    action_space = spaces.Box(-1, 1, (2,), np.float32)
    units = {"joints": ("rad", "joint")}
    limits = LIMITS


class Hardware:
    """What LeRobot's robots look like from outside."""

    observation_features = {"pan.pos": float, "lift.pos": float, "front": (8, 12, 3)}
    action_features = {"pan.vel": float, "lift.vel": float}

    def __init__(self) -> None:
        self.told: list[dict[str, float]] = []
        self.connected = False
        self.broken = False

    def connect(self) -> None:
        self.connected = True

    def get_observation(self) -> dict[str, Any]:
        if self.broken:
            raise ConnectionError("bus error")
        return {"pan.pos": 100.0, "lift.pos": 85.0, "front": np.full((8, 12, 3), 7, np.uint8)}

    def send_action(self, action: dict[str, float]) -> dict[str, float]:
        self.told.append(action)
        return {name: float(np.clip(value, -40, 40)) for name, value in action.items()}

    def disconnect(self) -> None:
        self.connected = False


def test_features_become_signals_and_back() -> None:
    hardware = Hardware()
    robot = LeRobot(hardware, CALIBRATION)
    robot.connect()
    reading = robot.get_observation(5)
    assert reading is not None
    np.testing.assert_allclose(reading.values["joints"], [np.pi / 2, np.pi / 2], rtol=1e-6)
    assert reading.values["camera"].shape == (4, 6, 3)
    assert (reading.values["camera"] == 7).all()
    later = robot.get_observation(5)
    assert later is not None
    assert later.number > reading.number
    sent = robot.send_action(np.asarray([0.1, 1.0], np.float32))
    assert hardware.told[-1] == pytest.approx({"pan.vel": 10.0, "lift.vel": 100.0})
    np.testing.assert_allclose(sent, [0.1, 0.4], rtol=1e-6)  # the robot clipped, and said so
    hardware.broken = True
    time.sleep(0.1)  # a reading or two later
    with pytest.raises(OpengatoError, match="bus error"):
        robot.get_observation(5)
    robot.disconnect()
    assert not hardware.connected


class Bus(Hardware):
    """A driver that can be held up while it senses."""

    def __init__(self) -> None:
        super().__init__()
        self.sensing, self.go_on, self.wait_s = threading.Event(), threading.Event(), 5.0
        self.busy = self.overlapped = False

    def get_observation(self) -> dict[str, Any]:
        self.busy = True
        self.sensing.set()
        self.go_on.wait(self.wait_s)
        self.busy = False
        return super().get_observation()

    def send_action(self, action: dict[str, float]) -> dict[str, float]:
        self.overlapped |= self.busy
        self.go_on.set()
        return super().send_action(action)


def test_a_driver_is_called_once_at_a_time() -> None:
    hardware = Bus()
    hardware.wait_s = 0.1  # in which an action would come between
    robot = LeRobot(hardware, CALIBRATION)
    robot.connect()
    assert hardware.sensing.wait(5)
    robot.send_action(np.zeros(2))
    robot.disconnect()
    assert len(hardware.told) == 1
    assert not hardware.overlapped


def test_a_driver_that_hangs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lerobot, "DRIVER_S", 0.01)
    hardware = Bus()
    robot = LeRobot(hardware, CALIBRATION)
    robot.connect()
    assert hardware.sensing.wait(5)
    with pytest.raises(OpengatoError, match="has been sensing for 0.01 s. Next"):
        robot.send_action(np.zeros(2))
    hardware.go_on.set()
    robot.disconnect()


def test_a_new_connection_knows_nothing_of_the_one_before() -> None:
    hardware = Bus()
    robot = LeRobot(hardware, CALIBRATION)
    robot.connect()
    hardware.go_on.set()
    with robot._fresh:
        assert robot._fresh.wait_for(lambda: robot._reading is not None, 5)
    robot.disconnect()
    hardware.go_on.clear()
    robot.connect()
    assert robot.get_observation(0.01) is None, "a reading from before"
    hardware.broken = True
    hardware.go_on.set()
    with pytest.raises(OpengatoError, match="bus error"):
        robot.get_observation(5)
    robot.disconnect()
    hardware.broken = False
    robot.connect()
    assert robot.get_observation(5) is not None
    robot.disconnect()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": {"joints": Group([Channel("pan.angle")])}}, "no feature 'pan.angle'.*pan.pos"),
        ({"cameras": {"camera": Camera("wrist", 4, 6)}}, "no camera 'wrist'.*front"),
        ({"action": Group([Channel("pan.pos")])}, "no action feature 'pan.pos'.*pan.vel"),
    ],
)
def test_features_that_the_robot_has_not_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(OpengatoError, match=words):
        LeRobot(Hardware(), replace(CALIBRATION, **change))


def test_calibration_is_kept_as_json(tmp_path: Path) -> None:
    CALIBRATION.save(tmp_path / "arm.json")
    back = Calibration.load(tmp_path / "arm.json")
    assert json.loads((tmp_path / "arm.json").read_text())["rate_hz"] == 50.0
    assert back == CALIBRATION
    for text in ("{", "[]", '{"rate_hz": 5}', '{"rate_hz": 0, "groups": {}, "action": {"channels": []}}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(OpengatoError):
            Calibration.load(tmp_path / "bad.json")
    with pytest.raises(OpengatoError, match="scale 0"):
        replace(CALIBRATION, action=Group([Channel("pan.vel", 0.0, 0.0)]))


def test_a_robot_is_an_environment() -> None:
    hardware = Hardware()
    env = RobotEnv(LeRobot(hardware, CALIBRATION), Body(), max_steps=3)
    observation, info = env.reset()
    assert env.observation_space.contains(observation)
    assert info["age_ms"] < 5000
    ends = []
    for _ in range(3):
        observation, reward, terminated, truncated, info = env.step(np.asarray([1.0, np.nan], np.float32))
        assert env.observation_space.contains(observation)
        assert (reward, terminated) == (0.0, False)
        ends.append(truncated)
        np.testing.assert_array_equal(info["sent"], 0)  # what is no number becomes rest
    assert ends == [False, False, True]
    env.step(np.ones(2, np.float32))
    env.close()
    assert hardware.told[-1] == {"pan.vel": 0.0, "lift.vel": 0.0}
    assert not hardware.connected


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("groups", {"joints": Group(CALIBRATION.groups["joints"].channels, "deg", "joint")}, "unit 'deg'.*'rad'"),
        ("groups", {"joints": Group(CALIBRATION.groups["joints"].channels, "rad", "base")}, "frame 'base'"),
        ("groups", {"joints": Group(CALIBRATION.groups["joints"].channels[:1], "rad", "joint")}, r"shape \(1,\)"),
        ("cameras", {}, "no observation 'camera'"),
        ("rate_hz", 30.0, "30 Hz.*50 Hz"),
    ],
)
def test_a_robot_that_is_another_body_is_refused(part: str, value: Any, words: str) -> None:
    with pytest.raises(OpengatoError, match=words):
        RobotEnv(LeRobot(Hardware(), replace(CALIBRATION, **{part: value})), Body())


def test_a_body_without_limits_needs_some() -> None:
    body = Body()
    body.limits = None  # type: ignore[assignment]
    with pytest.raises(OpengatoError, match="limits"):
        RobotEnv(LeRobot(Hardware(), CALIBRATION), body)
    assert RobotEnv(LeRobot(Hardware(), CALIBRATION), body, limits=LIMITS).safety.limits is LIMITS


class Silent:
    """A robot that is off."""

    observation_signals = signals_of(Body.observation_space, "observation", Body.units)
    action_signals = signals_of(Body.action_space, "action")
    rate_hz = 50.0

    def connect(self) -> None: ...

    def get_observation(self, timeout_s: float = 1.0) -> Reading | None:
        time.sleep(min(timeout_s, 0.01))
        return None

    def send_action(self, action: np.ndarray) -> np.ndarray:
        return action

    def disconnect(self) -> None: ...


def test_a_robot_that_says_nothing_is_an_error() -> None:
    env = RobotEnv(Silent(), Body())
    with pytest.raises(OpengatoError, match="no reading"):
        env.reset()
    env.close()


def test_the_twin_is_an_environment_too() -> None:
    card = registry.get("arm/lift-red")
    body = card.make()
    with running(card, Disturbance(), 20.0) as address:
        env = RobotEnv(TwinRobot(address, 5), body, max_steps=6)
        observation, _ = env.reset()
        assert body.observation_space.contains(observation)
        demonstrated = [env.step(np.asarray([0.2, 0, 0, 0, 0], np.float32)) for _ in range(6)]
        env.close()
    assert demonstrated[-1][3]
    moved = demonstrated[-1][0]["pose"][0] - observation["pose"][0]
    assert moved > 0.005
