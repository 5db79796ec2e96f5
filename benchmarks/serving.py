"""Many robots of different bodies at one server: who waits how long, and what it takes.

    opengato serving minutes=5

The server runs in a process of its own, as `opengato serve` does; the robots are threads that send what their bodies
might see, at their own rates.
"""

from __future__ import annotations

import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from opengato.agent.shipped import DEFAULT
from opengato.errors import OpengatoError
from opengato.evaluation.provenance import commit, machine, versions, write_json
from opengato.tasks import registry

START_S = 120.0
SAMPLES = 16  # observations that a robot repeats
RATE_HZ = 20.0  # of a task whose card names none


@dataclass(frozen=True)
class ServingConfig:
    """The run.

    Args:
        agent: who is served.
        tasks: bodies; the robots are dealt out evenly.
        robots: how many.
        minutes: how long they send.
        rate: share of each body's own rate.
        threads: of the server's PyTorch.
        out: JSON file; None prints only.
    """

    agent: str = DEFAULT
    tasks: list[str] = field(
        default_factory=lambda: ["arm/lift-red", "atari/pong", "bullet/hopper", "gridworld/go-to-local"]
    )
    robots: int = 32
    minutes: float = 5.0
    rate: float = 1.0
    threads: int = 1
    out: str | None = None


class Robot(threading.Thread):
    """One robot: asks at its rate, and notes how long each answer took."""

    def __init__(self, url: str, task: str, seed: int, until: float, share: float) -> None:
        super().__init__(daemon=True)
        from opengato.client import RemotePolicy

        card = registry.get(task)
        env = card.make(evaluation=True)
        env.observation_space.seed(seed)
        self._seen = [env.observation_space.sample() for _ in range(SAMPLES)]
        env.close()
        self.task, self._until, self.rate_hz = task, until, share * (card.rate_hz or RATE_HZ)
        self.policy = RemotePolicy(url, task, prompt="instruction")
        self.waits_ms: list[float] = []
        self.began = 0.0

    def run(self) -> None:
        self.began = due = time.monotonic() + np.random.default_rng().uniform(0, 1 / self.rate_hz)
        while due < self._until:
            time.sleep(max(0.0, due - time.monotonic()))
            asked = time.monotonic()
            self.policy.act(self._seen[len(self.waits_ms) % SAMPLES])
            self.waits_ms.append(1e3 * (time.monotonic() - asked))
            due = max(due + 1 / self.rate_hz, time.monotonic())  # one that is late does not catch up in a burst
        self.policy.close()


def serving(config: ServingConfig) -> dict[str, Any]:
    """Let the robots send.

    Returns:
        Per task its `rate_hz`, the one `reached`, round trips `mean_ms, p50_ms, p99_ms, max_ms`; over all robots
        `slowest_mean_over_mean` and `longest_over_mean`; the server's memory after the first tenth and at the end, MiB.

    Raises:
        OpengatoError: an unknown task, or fewer robots than tasks; before the server starts.
    """
    if not 1 <= len(config.tasks) <= config.robots:
        raise OpengatoError(
            f"robots is {config.robots} for {len(config.tasks)} tasks; legal: one or more for each. "
            f"Next: robots={max(1, len(config.tasks))}, or other tasks"
        )
    for task in config.tasks:
        registry.get(task)
    command = [
        sys.executable, "-m", "opengato", "serve", f"agent={config.agent}", "port=0", f"robots={config.robots}",
        f"tasks=[{','.join(config.tasks)}]", f"threads={config.threads}",
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = _url(server)
        until = time.monotonic() + 60 * config.minutes + 5
        kinds = [config.tasks[number % len(config.tasks)] for number in range(config.robots)]
        robots = [Robot(url, task, number, until, config.rate) for number, task in enumerate(kinds)]
        for robot in robots:
            robot.start()
        time.sleep(max(0.0, 6 * config.minutes))
        before = _memory(server.pid)
        for robot in robots:
            robot.join()
        after = _memory(server.pid)
    finally:
        server.terminate()
        server.wait(30)
    everyone = [np.asarray(robot.waits_ms) for robot in robots]
    mean = float(np.mean(np.concatenate(everyone)))
    return {
        "robots": config.robots, "minutes": config.minutes, "actions": sum(map(len, everyone)),
        "tasks": [_row(task, [robot for robot in robots if robot.task == task]) for task in config.tasks],
        "mean_ms": round(mean, 2),
        "slowest_mean_over_mean": round(max(float(waits.mean()) for waits in everyone) / mean, 3),
        "longest_over_mean": round(max(float(waits.max()) for waits in everyone) / mean, 2),
        "memory_mib": [round(before, 1), round(after, 1)],
        "agent": config.agent, "commit": commit(), "machine": machine(), "versions": versions(),
    }  # fmt: skip


def _row(task: str, robots: list[Robot]) -> dict[str, Any]:
    waits = np.concatenate([robot.waits_ms for robot in robots])
    seconds = [robot._until - robot.began for robot in robots]
    reached = np.mean([len(robot.waits_ms) / each for robot, each in zip(robots, seconds, strict=True)])
    p50, p99 = np.percentile(waits, [50, 99])
    figures = {"mean_ms": waits.mean(), "p50_ms": p50, "p99_ms": p99, "max_ms": waits.max()}
    return {
        "task": task, "robots": len(robots), "rate_hz": robots[0].rate_hz, "reached": round(float(reached), 2),
        **{name: round(float(value), 2) for name, value in figures.items()},
    }  # fmt: skip


def _url(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    ready = select.select([server.stdout], [], [], START_S)[0]
    words = server.stdout.readline().split() if ready else []
    found = [word.rstrip(";") for word in words if word.startswith("ws://")]
    if not found:
        raise OpengatoError("the server did not start; what it said stands above.")
    return found[0]


def _memory(pid: int) -> float:
    """Resident memory, MiB; not a number where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def run(config: ServingConfig, as_json: bool) -> Any:
    """The command."""
    found = serving(config)
    if config.out:
        write_json(Path(config.out), found)
    if as_json:
        return found
    for row in found["tasks"]:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    for name in ("actions", "mean_ms", "slowest_mean_over_mean", "longest_over_mean", "memory_mib"):
        print(f"{name:<24} {found[name]}")
    return None
