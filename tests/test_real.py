"""What stands between an agent and a robot: limits that hold, messages, delays that keep the order, the twin."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from opengato.envs import arm
from opengato.envs.real.disturb import Disturbance, Line
from opengato.envs.real.disturbed import Disturbed
from opengato.envs.real.robot import Signal, check_twin, signals_of
from opengato.envs.real.safety import Limits, Safety
from opengato.envs.real.twin import MARGIN, Twin, TwinRobot, limits_of
from opengato.envs.real.wire import LONGEST, receive, send
from opengato.errors import OpengatoError
from opengato.evaluation.control_loop import ControlLoop
from opengato.tasks import registry

HOSTILE: list[Any] = [
    None, "left", [], [1.0], np.full(5, np.nan), np.full(5, np.inf), -np.full(5, np.inf), np.full(5, 1e30), np.ones(6),
    np.array([np.nan, 0, 0, 0, 0]), {"x": 1}, 10**400, np.full((5, 1), 2.0), [[1, 2], [3]], -np.ones(5), np.ones(5),
]  # fmt: skip


def blind_arm() -> Any:
    return arm.make("lift", "red", cameras=False)


@pytest.mark.parametrize(("delay", "lost"), [(0, 0.0), (0, 0.05), (2, 0.05)])  # steps of each way; share of readings
@pytest.mark.parametrize("steps", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_action_crosses_a_limit(steps: int, delay: int, lost: float) -> None:
    env, rng = blind_arm(), np.random.default_rng(0)
    limits: Limits = env.limits
    safety, before = Safety(limits), np.zeros(5)
    seen, _ = env.reset(seed=0)
    readings = deque([seen] * (delay + 1), maxlen=delay + 1)
    commands = deque([np.zeros(5, np.float32)] * (delay + 1), maxlen=delay + 1)
    drift = rng.uniform(-1, 1, 5)
    for step in range(steps):
        if step % 40 == 0:
            drift = rng.choice([-5.0, -1, 1, 5], 5)  # into a corner and stay there
        kind = rng.integers(3)
        action = HOSTILE[rng.integers(len(HOSTILE))] if kind == 0 else drift if kind == 1 else rng.normal(0, 3, 5)
        safe = commands[-1] if rng.random() < lost else safety(action, readings[0], delay / limits.rate_hz)
        assert safe.shape == (5,)
        assert safe.dtype == np.float32
        assert np.all((safe >= limits.low) & (safe <= limits.high))
        commands.append(safe)
        seen, _, _, _, _ = env.step(commands[0])
        readings.append(seen)
        place = seen["pose"][:3]
        assert np.all(place >= limits.workspace_low - MARGIN), (step, place)
        assert np.all(place <= limits.workspace_high + MARGIN), (step, place)
        assert np.all(np.abs(seen["joint_velocities"]) <= limits.joint_velocity)
        assert np.all(np.abs(safe - before) <= limits.change + 1e-6)
        before = safe.astype(float)
    assert {"not finite", "wrong length", "no numbers", "range", "workspace", "acceleration"} <= set(safety.reasons)


def test_an_emergency_stop_stays_until_cleared() -> None:
    env = blind_arm()
    seen, _ = env.reset(seed=0)
    safety = Safety(env.limits)
    for _ in range(3):
        safety(np.ones(5), seen)
    safety.stop()
    stopped = [safety(np.ones(5), seen) for _ in range(4)]
    assert np.all(stopped[-1] == 0)
    safety.clear()
    assert np.any(safety(np.ones(5), seen) != 0)
    assert np.all(Safety(env.limits)(np.ones(5), None) == 0)  # without a reading, rest


def test_limits_of_place_force_and_speed() -> None:
    env = blind_arm()
    seen, _ = env.reset(seed=0)
    limits: Limits = env.limits
    edge = {**seen, "pose": np.array([*limits.workspace_high, 0], np.float32)}
    assert np.all(Safety(limits)(np.array([1, 1, 1, 0, 0]), edge)[:3] <= 1e-6)
    fast = {**seen, "joint_velocities": np.full(5, 100, np.float32)}
    assert np.all(Safety(limits)(np.ones(5), fast) == 0)
    squeezing = {**seen, "gripper": np.array([0.02, -10 * limits.force], np.float32)}
    assert Safety(limits)(np.array([0, 0, 0, 0, 1.0]), squeezing)[4] == 0
    assert Safety(limits)(np.array([0, 0, 0, 0, -1.0]), squeezing)[4] == -1  # opening is always allowed
    with pytest.raises(OpengatoError, match="rest"):
        replace(limits, low=np.full(5, 0.5))


@given(st.lists(st.floats(0, 5), min_size=1, max_size=40), st.floats(0, 2), st.floats(0, 2), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_line_delays_and_never_reorders(gaps: list[float], delay: float, jitter: float, seed: int) -> None:
    line: Line[int] = Line(delay, jitter, np.random.default_rng(seed))
    now, came = 0.0, []
    for number, gap in enumerate(gaps):
        now += gap
        line.put(number, now)
        came += line.due(now)
    came += line.due(np.inf)
    assert came == list(range(len(gaps)))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_messages_arrive_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 2), np.uint8)}
    send(pair[0], {"kind": "reading", "text": "é"}, arrays)
    facts, found = receive(pair[1])
    assert facts == {"kind": "reading", "text": "é"}
    assert all(
        np.array_equal(found[name], array) and found[name].dtype == array.dtype for name, array in arrays.items()
    )
    pair[0].close()
    with pytest.raises(ConnectionError):
        receive(pair[1])


@pytest.mark.parametrize(
    "message",
    [
        (LONGEST + 1).to_bytes(4, "little") + bytes(4),
        (4).to_bytes(4, "little") + bytes(4) + b"nope",
        (2).to_bytes(4, "little") + bytes(4) + b"{}",
        (28).to_bytes(4, "little") + (8).to_bytes(4, "little") + b'{"arrays":[["a","|O8",[1]]]}' + bytes(8),
    ],
    ids=["too long", "no JSON", "no plan", "an object"],
)
def test_messages_that_make_no_sense_are_refused(message: bytes, pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].sendall(message)
    with pytest.raises(OpengatoError, match="message"):
        receive(pair[1])


class StillRobot:
    def __init__(self, observed: dict[str, Signal], done: dict[str, Signal], rate_hz: float) -> None:
        self.observation_signals, self.action_signals, self.rate_hz = observed, done, rate_hz


def test_a_robot_that_is_not_the_simulated_body_is_refused() -> None:
    env = blind_arm()
    seen = signals_of(env.observation_space, "observation", env.units)
    done = signals_of(env.action_space, "action", env.units)
    check_twin(StillRobot(seen, done, 20.0), seen, done, 20.0)  # type: ignore[arg-type]
    less = {name: signal for name, signal in seen.items() if name != "pose"}
    wrong_unit = {**seen, "pose": replace(seen["pose"], unit="mm")}
    wrong_frame = {**seen, "pose": replace(seen["pose"], frame="world")}
    cases = [
        (less, done, 20.0, "pose"), ({**seen, "more": seen["pose"]}, done, 20.0, "more"),
        (wrong_unit, done, 20.0, "mm"),
        (wrong_frame, done, 20.0, "world"), (seen, {"action": replace(done["action"], shape=(6,))}, 20.0, "shape"),
        (seen, done, 30.0, "30 Hz"),
    ]  # fmt: skip
    for observed, acted, rate, what in cases:
        with pytest.raises(OpengatoError, match=what):
            check_twin(StillRobot(observed, acted, rate), seen, done, 20.0)  # type: ignore[arg-type]


class Wild:
    """A policy that answers anything."""

    def __init__(self) -> None:
        self.resets, self.rng = 0, np.random.default_rng(0)

    def reset(self) -> None:
        self.resets += 1

    def act(self, observation: dict[str, np.ndarray]) -> Any:
        return HOSTILE[self.rng.integers(len(HOSTILE))] if self.rng.random() < 0.5 else self.rng.normal(0, 5, 5)


@pytest.mark.parametrize(
    "disturbance",
    [Disturbance(), Disturbance(latency_ms=50, jitter_ms=20, dropped=0.1, frozen=0.1, noise=0.01, lag_ms=30, mass=1.5)],
    ids=["calm", "disturbed"],
)
def test_the_loop_drives_the_twin(disturbance: Disturbance) -> None:
    env = blind_arm()
    body = Twin(env, 20.0, disturbance)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            channel, _ = server.accept()
            with channel:
                body.run(channel)

        threading.Thread(target=serve, daemon=True).start()
        robot = TwinRobot(server.getsockname()[:2])
        robot.connect()
        policy = Wild()
        loop = ControlLoop(robot, policy, Safety(env.limits), max_age_s=10.0, record=True)
        report = loop.run(2.0)
        robot.disconnect()
    assert report.actions > 3
    assert policy.resets == 1
    assert report.reordered == 0
    assert robot.summary["crossed"].get("range", 0) == 0
    assert sum(robot.summary["crossed"].values()) == 0, robot.summary
    assert report.latency_ms
    assert min(report.age_ms) >= 0


def test_a_loop_without_a_robot_stops_or_holds() -> None:
    class Silent:
        rate_hz = 50.0
        sent: list[np.ndarray] = []

        def get_observation(self, timeout_s: float) -> None:
            return None

        def send_action(self, action: np.ndarray) -> np.ndarray:
            self.sent.append(action)
            return action

    limits = blind_arm().limits
    report = ControlLoop(Silent(), Wild(), Safety(limits), on_late="stop").run(1.0)  # type: ignore[arg-type]
    assert report.stopped == "no reading"
    robot = Silent()
    ControlLoop(robot, Wild(), Safety(limits), on_late="hold").run(0.05)  # type: ignore[arg-type]
    assert robot.sent
    assert all(np.all(action == 0) for action in robot.sent)
    stopped = ControlLoop(robot, Wild(), Safety(limits)).run(1.0, stop=lambda: True)  # type: ignore[arg-type]
    assert stopped.stopped == "emergency stop"


@pytest.mark.parametrize("wrong", [{"latency_ms": -1}, {"dropped": 1.0}, {"mass": 0.0}, {"noise": float("nan")}])
def test_disturbances_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OpengatoError, match=next(iter(wrong))):
        Disturbance(**wrong)  # type: ignore[arg-type]


class Counting(gym.Env[Any, Any]):
    """Shows how many steps were taken, and remembers what it was told."""

    observation_space = spaces.Dict(
        {"count": spaces.Box(0, 1000, (1,)), "picture": spaces.Box(0, 255, (8, 8, 3), np.uint8)}
    )
    action_space = spaces.Box(-1, 1, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.told: list[float] = []
        return self.seen(), {}

    def seen(self) -> dict[str, np.ndarray]:
        picture = np.zeros((8, 8, 3), np.uint8)
        picture[:, 3] = 200
        return {"count": np.array([len(self.told)], np.float32), "picture": picture}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.told.append(float(action[0]))
        return self.seen(), 0.0, False, False, {}


def told(disturbance: Disturbance, steps: int = 6) -> list[float]:
    env = Disturbed(Counting(), disturbance, 20.0)
    env.reset(seed=0)
    for number in range(1, steps + 1):
        env.step(np.array([number / 10], np.float32))
    return [round(each, 3) for each in env.unwrapped.told]  # type: ignore[attr-defined]


def test_commands_arrive_late_and_in_order() -> None:
    commands = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert told(Disturbance()) == commands
    assert told(Disturbance(latency_ms=49)) == commands
    assert told(Disturbance(latency_ms=60)) == [0.0, *commands[:5]]
    assert told(Disturbance(latency_ms=120)) == [0.0, 0.0, *commands[:4]]
    jittered = told(Disturbance(latency_ms=60, jitter_ms=40), 40)
    assert jittered == sorted(jittered)
    assert len(set(jittered)) < 40
    lagging = told(Disturbance(lag_ms=50))
    assert all(0 < a < b for a, b in zip(lagging, commands, strict=True))


def test_sensors_err_and_the_body_changes() -> None:
    env = Disturbed(Counting(), Disturbance(noise=0.05, camera_shift=2, dropped=0.5), 20.0)
    first, info = env.reset(seed=3)
    assert info["disturbance"]["camera_shift"] == 2
    shown = [env.step(np.zeros(1, np.float32))[0] for _ in range(30)]
    assert all(each in env.observation_space for each in [first, *shown])
    assert any(a is b for a, b in zip(shown, shown[1:], strict=False))  # dropped
    again = Disturbed(Counting(), Disturbance(noise=0.05, camera_shift=2, dropped=0.5), 20.0)
    assert np.array_equal(again.reset(seed=3)[0]["picture"], first["picture"])  # all chance comes from the seeds
    still = Disturbed(Counting(), Disturbance(camera_shift=2), 20.0).reset(seed=0)[0]["picture"]
    assert np.argmax(still[0, :, 0]) == 5
    out_of_view = Disturbed(Counting(), Disturbance(camera_shift=8), 20.0).reset(seed=0)[0]["picture"]
    assert (out_of_view == 0).all()
    heavy, light = blind_arm(), blind_arm()
    Disturbed(heavy, Disturbance(mass=2.0, friction=0.5), 20.0)
    assert heavy.model.body_mass.sum() == pytest.approx(2 * light.model.body_mass.sum())
    assert heavy.model.geom_friction[0, 0] == pytest.approx(0.5 * light.model.geom_friction[0, 0])
    with pytest.raises(OpengatoError, match="mass can't be changed"):
        Disturbed(Counting(), Disturbance(mass=2.0), 20.0)


def test_an_episodes_end_is_never_skipped() -> None:
    """A newer reading takes the place of an older one that was not asked for, but not of an episode's end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = threading.Event()

        def tell() -> None:
            channel, _ = server.accept()
            with channel:
                send(channel, {"kind": "hello", "rate_hz": 20.0, "observation_signals": {}, "action_signals": {}})
                receive(channel)
                for number in range(6):
                    info = {"over": number == 2, "return": 7.0}
                    send(channel, {"kind": "reading", "number": number, "captured_at": 0.0, "episode": 0, "info": info})
                send(channel, {"kind": "summary"})
                heard.wait(10)

        threading.Thread(target=tell, daemon=True).start()
        robot = TwinRobot(server.getsockname()[:2])
        robot.connect()
        with robot._fresh:
            assert robot._fresh.wait_for(lambda: bool(robot.summary), 10)
        given = [robot.get_observation(0.01) for _ in range(3)]
        heard.set()
    assert [reading and reading.number for reading in given] == [2, 5, None]


class Standing(gym.Env[Any, Any]):
    """One Box to sense, ends after five steps, pays one a step."""

    observation_space, action_space = spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.steps = 0
        return np.zeros(3, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.full(3, self.steps / 10, np.float32), 1.0, self.steps == 5, False, {"success": self.steps == 5}


def test_a_body_with_one_box_is_driven_and_recorded() -> None:
    class Still:
        def reset(self) -> None: ...

        def act(self, observation: np.ndarray) -> np.ndarray:
            assert observation.shape == (3,)
            return np.ones(2)

    env = Standing()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            channel, _ = server.accept()
            with channel:
                Twin(env, 50.0, Disturbance()).run(channel)

        threading.Thread(target=serve, daemon=True).start()
        robot = TwinRobot(server.getsockname()[:2])
        robot.connect()
        loop = ControlLoop(robot, Still(), Safety(limits_of(env, 50.0)), max_age_s=10.0, record=True, bare=True)
        report = loop.run(1.5)
        robot.disconnect()
    assert report.returns
    assert set(report.returns) == {5.0}
    assert len(report.recordings) == len(report.returns)
    for episode in report.recordings:
        assert len(episode.rewards) == len(episode.actions) == len(episode.observations)
        before = 10 * episode.observations[0][0]  # steps that went by before the first reading that was given
        assert episode.total_return == pytest.approx(5.0 - before)  # also where later readings were skipped


def test_bodies_that_are_not_driven_by_numbers_are_refused() -> None:
    for task in ("atari/pong", "gridworld/go-to-local", "caption/scene"):
        card = registry.get(task)
        if card.available:
            with pytest.raises(OpengatoError, match="a twin senses"):
                limits_of(card.make(), 20.0)
