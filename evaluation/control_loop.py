"""The loop that drives a robot at its rate: read, act, keep to the limits, send, and say what was late."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from opengato.envs.real.robot import Reading, Robot
from opengato.envs.real.safety import Safety
from opengato.errors import OpengatoError
from opengato.evaluation.ahead import AheadPolicy
from opengato.training.episodes import Recording

OnLate = Literal["repeat", "hold", "stop"]


@dataclass
class LoopReport:
    """What a run of the loop was like.

    Args:
        seconds: it took.
        actions: commanded.
        latency_ms: of every action, from a reading's arrival to the action's departure.
        age_ms: of every reading when it arrived.
        met: actions that left within one period of their reading's arrival.
        missing: periods without a reading.
        unthought: readings for which a policy that thinks ahead had no action yet.
        stale: readings too old to act on.
        skipped: readings that never came, by their numbers.
        reordered: readings that came after a newer one.
        reasons: why the safety layer changed actions.
        returns, successes: of whole episodes, where the robot says (a simulated one does); None is an episode of a body
            that tells no success.
        recordings: episodes, what was sensed and what was sent.
        stopped: why the loop ended early; "" if it did not.
    """

    seconds: float = 0.0
    actions: int = 0
    latency_ms: list[float] = field(default_factory=list)
    age_ms: list[float] = field(default_factory=list)
    met: int = 0
    missing: int = 0
    unthought: int = 0
    stale: int = 0
    skipped: int = 0
    reordered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    returns: list[float] = field(default_factory=list)
    successes: list[bool | None] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
    stopped: str = ""


class ControlLoop:
    """Drives a robot with a policy.

    Sensing goes on beside acting (the robot's own thread keeps the newest reading), so an action is never computed
    from an older reading than there is.

    Args:
        robot: connected.
        policy: `act(observation) → action` of one environment, and `reset()`; or an `AheadPolicy` of it.
        safety: between the two.
        on_late: where no reading came for two periods, or only one that is older than `max_age_s`, or no action is
            thought of yet: `repeat` leaves the last action, `hold` commands rest, `stop` ends the run.
        max_age_s: of a reading that is acted on.
        dry_run: compute everything and send nothing.
        record: keep the episodes.
        bare: the policy's observation is the only signal, not a dict of it.
    """

    def __init__(
        self, robot: Robot, policy: Any, safety: Safety, on_late: OnLate = "repeat", max_age_s: float = 0.3,
        dry_run: bool = False, record: bool = False, bare: bool = False,
    ) -> None:  # fmt: skip
        self.robot, self.policy, self.safety = robot, policy, safety
        self.on_late, self.max_age_s, self.dry_run, self.record = on_late, max_age_s, dry_run, record
        self.bare = bare

    def run(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> LoopReport:
        """Drive for a time; the robot rests when it is over, however that comes.

        Args:
            seconds: how long.
            stop: asked before every action; true is an emergency stop.
        """
        report, period = LoopReport(), 1 / self.robot.rate_hz
        self._open: dict[str, list[Any]] = {}
        self._last: Reading | None = None
        began = time.monotonic()
        try:
            while time.monotonic() - began < seconds and not report.stopped:
                if stop():
                    self.safety.stop()
                    report.stopped = "emergency stop"
                else:
                    self._answer(self.robot.get_observation(timeout_s=2 * period), report, period)
        except KeyboardInterrupt:
            self.safety.stop()
            report.stopped = "interrupted"
        finally:
            report.seconds = time.monotonic() - began
            report.reasons = self.safety.reasons
            with contextlib.suppress(OpengatoError, OSError):  # the robot may be gone, and why is said already
                self._come_to_rest(period)
        return report

    def _answer(self, reading: Reading | None, report: LoopReport, period: float) -> None:
        """Act on what has just been read, or on its being missing, old or not thought about yet."""
        arrived = time.monotonic()
        if reading is None:
            report.missing += 1
            self._late(report, "no reading")
            return
        last = self._last
        if last is not None:
            if reading.number <= last.number:
                report.reordered += 1
                return
            report.skipped += reading.number - last.number - 1
        if last is None or reading.episode != last.episode:
            self.policy.reset()
            self.safety.reset()
            self._open = {"seen": [], "done": [], "returns": []}
        self._open["returns"][len(self._open["done"]) :] = [float(reading.info.get("return", 0.0))]
        self._last = reading
        if reading.info.get("over"):
            self._close(report, reading)
            return
        age_s = arrived - reading.captured_at
        report.age_ms.append(1e3 * age_s)
        if age_s > self.max_age_s:
            report.stale += 1
            self._late(report, "a stale reading")
            return
        action = self._act(reading)
        if action is None:
            report.unthought += 1
            self._late(report, "no action thought of in time")
            return
        sent = self._send(self.safety(action, reading.values, age_s))
        report.latency_ms.append(1e3 * (time.monotonic() - arrived))
        report.actions += 1
        report.met += report.latency_ms[-1] <= 1e3 * period
        if self.record:
            self._open["seen"].append(self._seen(reading))
            self._open["done"].append(sent)

    def _come_to_rest(self, period: float) -> None:
        while np.any(self._send(self.safety.rest()) != 0):
            time.sleep(period)

    def _seen(self, reading: Reading) -> Any:
        return next(iter(reading.values.values())) if self.bare else reading.values

    def _send(self, action: np.ndarray) -> np.ndarray:
        return action if self.dry_run else self.robot.send_action(action)

    def _act(self, reading: Reading) -> Any:
        seen = self._seen(reading)
        return self.policy.act(seen, reading.number) if isinstance(self.policy, AheadPolicy) else self.policy.act(seen)

    def _late(self, report: LoopReport, why: str) -> None:
        """What there is to do where something came too late; the run ends where `report.stopped` says why."""
        if self.on_late == "stop":
            report.stopped = why
        elif self.on_late == "hold":
            self._send(self.safety.rest())

    def _close(self, report: LoopReport, reading: Reading) -> None:
        """Take note of an episode's end."""
        report.returns.append(float(reading.info.get("return", np.nan)))
        told = reading.info.get("success")
        success = None if told is None else bool(told)
        report.successes.append(success)
        seen, done, returns = (self._open[key] for key in ("seen", "done", "returns"))
        if self.record and done:
            rewards = np.diff(returns)  # of skipped readings, too
            info = {"terminated": bool(success), "body": "real time"}
            report.recordings.append(
                Recording(seen, done, rewards.astype(np.float32), success, None, info, self._seen(reading))
            )
