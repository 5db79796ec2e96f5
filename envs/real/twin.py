"""A simulated body that runs in real time behind a socket: what stands in for hardware.

It moves in ticks of its control rate, whatever the other side does: a command that arrives within a tick takes effect
at the next, the last one is repeated where none came, and after `WATCHDOG_S` without any the body rests. Every tick
gives a reading.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import Counter, deque
from dataclasses import asdict
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.envs.real.disturb import Disturbance, Lag, Line, Sensors
from opengato.envs.real.physique import Body
from opengato.envs.real.robot import Reading, Signal, signals_of
from opengato.envs.real.safety import Limits
from opengato.envs.real.wire import receive, send
from opengato.errors import OpengatoError

WATCHDOG_S = 0.5
MARGIN = 0.01  # metres by which the body may overshoot the workspace before that counts as crossed
ROUNDING = 1e-5


def limits_of(env: Any, rate_hz: float) -> Limits:
    """What a body's environment says of its limits; its action space alone where it says nothing."""
    found = getattr(env.unwrapped, "limits", None)
    if isinstance(found, Limits):
        return found
    space = env.action_space
    seen = env.observation_space
    parts = [space, *(seen.spaces.values() if isinstance(seen, spaces.Dict) else [seen])]
    for part in parts:
        if not isinstance(part, spaces.Box):
            raise OpengatoError(f"a twin senses and does rows of numbers and pictures; this body has a {part}.")
    low, high = np.asarray(space.low, np.float64).reshape(-1), np.asarray(space.high, np.float64).reshape(-1)
    if not (np.all(low <= 0) and np.all(high >= 0) and np.isfinite([low, high]).all()):
        raise OpengatoError("a body is driven by bounded numbers of which zero is rest; this one's actions are others.")
    return Limits(low, high, high - low, rate_hz)


class Twin:
    """The body's side.

    Args:
        env: a Gymnasium environment with a flat Dict of boxes (or one Box) to sense and a Box to do.
        rate_hz: ticks a second.
        disturbance: how it differs from the simulation.
    """

    def __init__(self, env: Any, rate_hz: float, disturbance: Disturbance) -> None:
        self.env, self.rate_hz, self.disturbance = env, rate_hz, disturbance
        rng = np.random.default_rng(disturbance.seed)
        Body(env).change(disturbance, rng)
        self.limits = limits_of(env, rate_hz)
        delay, jitter = disturbance.latency_ms / 2000, disturbance.jitter_ms / 1000
        self._out: Line[Reading] = Line(delay, jitter, rng)
        self._in: Line[np.ndarray] = Line(delay, jitter, rng)
        self._sensors, self._rng = Sensors(env.observation_space, disturbance, rng, rate_hz), rng
        self.crossed: Counter[str] = Counter()
        self.late_ticks = self.ticks = 0
        self._number = self._episode = -1
        self._rest()

    def _rest(self) -> None:
        size = len(self.limits.low)
        self._command, self._commanded_at = np.zeros(size), -np.inf
        self._lag = Lag(self.disturbance.lag_ms, self.rate_hz)

    def run(self, channel: socket.socket) -> None:
        """Serve one driver until it says goodbye or is gone."""
        units = getattr(self.env.unwrapped, "units", {})
        signals = {
            "observation_signals": signals_of(self.env.observation_space, "observation", units),
            "action_signals": signals_of(self.env.action_space, "action", units),
        }
        described = {part: {name: asdict(s) for name, s in found.items()} for part, found in signals.items()}
        send(channel, {"kind": "hello", "rate_hz": self.rate_hz, **described})
        period, next_tick = 1 / self.rate_hz, np.inf
        while True:
            until = min(next_tick, self._out.next_due or np.inf, self._in.next_due or np.inf)
            wait = None if until == np.inf else max(0.0, until - time.monotonic())
            if select.select([channel], [], [], wait)[0]:
                try:
                    facts, arrays = receive(channel)
                except (ConnectionError, OpengatoError):
                    return
                now = time.monotonic()
                if facts.get("kind") == "action" and facts.get("episode") in (None, self._episode):
                    self._in.put(np.asarray(arrays.get("action", [])), now)
                elif facts.get("kind") == "reset":
                    self._seed = int(facts.get("seed", 0))
                    self._begin(now)
                    next_tick = now + period
                elif facts.get("kind") == "bye":
                    summary = {"crossed": dict(self.crossed), "late_ticks": self.late_ticks, "ticks": self.ticks}
                    send(channel, {"kind": "summary", **summary})
                    return
            now = time.monotonic()
            for reading in self._out.due(now):
                facts = {"number": reading.number, "captured_at": reading.captured_at, "episode": reading.episode}
                send(channel, {"kind": "reading", **facts, "info": reading.info}, reading.values)
            for command in self._in.due(now):
                self._take(command, now)
            if now >= next_tick:
                self._tick(now)
                self.late_ticks += now > next_tick + period
                next_tick = max(next_tick + period, now)

    def _begin(self, now: float) -> None:
        """A new episode."""
        self._in.clear()
        self._sensors.clear()
        self._rest()
        seen, _ = self.env.reset(seed=self._seed)
        self._seed += 1
        self._episode += 1
        self._return, self._over = 0.0, False
        self._success: bool | None = None  # until the body tells one
        self._publish(seen, now, {})

    def _take(self, command: np.ndarray, now: float) -> None:
        """A command as it arrives: what hardware would refuse or suffer from is counted."""
        limits, before = self.limits, self._command
        if command.shape != limits.low.shape or not np.isfinite(command).all():
            self.crossed["not finite or wrong length"] += 1
            return
        if np.any(command < limits.low - ROUNDING) or np.any(command > limits.high + ROUNDING):
            self.crossed["range"] += 1
        self._command, self._commanded_at = np.clip(command, limits.low, limits.high).astype(np.float64), now
        if np.any(np.abs(self._command - before) > limits.change + ROUNDING):
            self.crossed["acceleration"] += 1

    def _tick(self, now: float) -> None:
        if self._over:
            self._begin(now)
            return
        self.ticks += 1
        fresh = now - self._commanded_at < WATCHDOG_S
        wanted = self._command if fresh else np.zeros_like(self._command)
        space = self.env.action_space
        moved = self._lag(wanted).astype(space.dtype).reshape(space.shape)
        seen, reward, terminated, truncated, info = self.env.step(moved)
        self._return += float(reward)
        if "success" in info:
            self._success = bool(self._success or info["success"])
        self._over = bool(terminated or truncated)
        self._check(seen)
        told = {"reward": float(reward), "over": self._over, "return": self._return, "success": self._success}
        self._publish(seen, now, told)

    def _check(self, seen: Any) -> None:
        limits = self.limits
        if not isinstance(seen, dict):
            return
        if limits.workspace_low is not None and limits.workspace_high is not None and "pose" in seen:
            place = np.asarray(seen["pose"][:3])
            outside = (place < limits.workspace_low - MARGIN) | (place > limits.workspace_high + MARGIN)
            self.crossed["workspace"] += int(outside.any())
        if "joint_velocities" in seen:
            self.crossed["joint velocity"] += int(np.any(np.abs(seen["joint_velocities"]) > limits.joint_velocity))

    def _publish(self, seen: Any, now: float, info: dict[str, Any]) -> None:
        self._number += 1
        over = bool(info.get("over", False))
        if self._rng.random() < self.disturbance.dropped and info and not over:
            return
        seen = self._sensors(seen)
        values = seen if isinstance(seen, dict) else {"observation": np.asarray(seen)}
        self._out.put(Reading(values, self._number, now, self._episode, info), now)


class TwinRobot:
    """The driver's side: a `Robot`.

    Args:
        address: host and port of the twin.
        seed: of its first episode; the next have the next.
    """

    def __init__(self, address: tuple[str, int], seed: int = 0) -> None:
        self.address, self.seed = address, seed
        self.summary: dict[str, Any] = {}
        self._episode: int | None = None  # of the reading that was given last
        self._fresh = threading.Condition()
        self._waiting: deque[Reading] = deque()  # the newest reading, and before it ends of episodes not yet given
        self._lost: Exception | None = None
        self._channel = socket.create_connection(address, timeout=60)
        self._channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello, _ = receive(self._channel)
        self._channel.settimeout(None)
        self.rate_hz = float(hello["rate_hz"])
        self.observation_signals, self.action_signals = (
            {name: Signal(**{**facts, "shape": tuple(facts["shape"])}) for name, facts in hello[part].items()}
            for part in ("observation_signals", "action_signals")
        )

    def connect(self) -> None:
        """Begin the first episode."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._send({"kind": "reset", "seed": self.seed})

    def _send(self, facts: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> None:
        try:
            send(self._channel, facts, arrays)
        except ConnectionError as error:
            raise OpengatoError(f"the twin is gone ({error}).") from error

    def _listen(self) -> None:
        try:
            while True:
                facts, values = receive(self._channel)
                with self._fresh:
                    if facts["kind"] == "summary":
                        self.summary = facts
                        self._fresh.notify_all()
                        return
                    if self._waiting and not self._waiting[-1].info.get("over"):
                        self._waiting.pop()
                    number, episode = int(facts["number"]), int(facts["episode"])
                    self._waiting.append(Reading(values, number, float(facts["captured_at"]), episode, facts["info"]))
                    self._fresh.notify_all()
        except (ConnectionError, OSError, OpengatoError) as error:
            with self._fresh:
                self._lost = error
                self._fresh.notify_all()

    def get_observation(self, timeout_s: float = 1.0) -> Reading | None:
        """See `Robot`. Raises OpengatoError when the twin is gone."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._lost is not None or bool(self._waiting), timeout_s)
            if self._lost:
                raise OpengatoError(f"the twin is gone ({self._lost}).")
            if not self._waiting:
                return None
            self._episode = self._waiting[0].episode
            return self._waiting.popleft()

    def send_action(self, action: np.ndarray) -> np.ndarray:
        """See `Robot`. What answers a reading of an episode that is over by then is not for the next one. Raises
        OpengatoError when the twin is gone."""
        sent = np.asarray(action, np.float32)
        self._send({"kind": "action", "episode": self._episode}, {"action": sent})
        return sent

    def disconnect(self) -> None:
        """Rest, and hear how it went: `summary`."""
        try:
            send(self._channel, {"kind": "bye"})
            with self._fresh:
                self._fresh.wait_for(lambda: bool(self.summary) or self._lost is not None, 10)
        except OSError as error:
            self._lost = error
        finally:
            self._channel.close()
