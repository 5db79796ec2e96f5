"""`opengato twin`: an agent drives the simulated twin of a robot, in real time, over a socket."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.agent.shipped import DEFAULT
from opengato.envs.ahead import actions_ahead
from opengato.envs.real.disturb import Disturbance
from opengato.envs.real.disturbed import RATE_HZ
from opengato.envs.real.robot import check_twin, signals_of
from opengato.envs.real.safety import Safety
from opengato.envs.real.twin import Twin, TwinRobot, limits_of
from opengato.errors import OpengatoError
from opengato.evaluation.ahead import AheadPolicy
from opengato.evaluation.control_loop import ControlLoop, LoopReport, OnLate
from opengato.evaluation.intervals import mean_interval
from opengato.evaluation.prompts import make_prompt
from opengato.evaluation.provenance import commit, machine
from opengato.evaluation.rollout import FIRST_SEED
from opengato.evaluation.scores import Reference, reference_for, score
from opengato.evaluation.serve import TOKEN
from opengato.tasks import registry
from opengato.tasks.card import Card
from opengato.training.episodes import write_episodes
from opengato.training.workers import ENVIRONMENT

START_S = 120.0  # imports from a cold disk, on a machine that is busy


@dataclass(frozen=True)
class TwinConfig(Disturbance):
    """Driving the twin, with the disturbances below.

    Args:
        task: whose body, and what is asked of it; `arm/lift-red@4` for an agent that was fine-tuned to say four actions
            at once.
        agent: who drives; or where one is served: ws://host:port of `opengato serve`, with its token in OPENGATO_TOKEN.
        minutes: how long.
        on_late: repeat, hold or stop; what to do where no reading comes in time.
        max_age_ms: of a reading that is acted on.
        prompt: as in `evaluate`.
        record: name of a dataset that keeps what was sensed and sent, beside the demonstrations; "" for none.
        dry_run: compute everything and send nothing.
        seed: counts from the evaluation's first, too.
        data_dir: where demonstrations may be.
        plugins: files of the user that register tasks.
        threads: of PyTorch; 0 leaves its own choice.
    """

    task: str = "arm/lift-red"
    agent: str = DEFAULT
    minutes: float = 1.0
    on_late: OnLate = "repeat"
    max_age_ms: float = 300.0
    prompt: str = "demonstration"
    record: str = ""
    dry_run: bool = False
    data_dir: str = "data"
    plugins: tuple[str, ...] = ()
    threads: int = 1


def twin(config: TwinConfig) -> dict[str, Any]:
    """Drive the twin.

    Returns:
        `rate_hz` reached, `p50_ms` and `p99_ms` from a reading's arrival to its action's departure, the shares
        `deadlines_met`, counts `missing, stale, skipped, reordered`, `limits_crossed` as the twin counted them,
        `corrected` by the safety layer, and `score` with its interval over whole episodes.

    Raises:
        OpengatoError: an unknown task or agent, or a body that cannot be driven by numbers.
    """
    import torch

    from opengato.agent import Agent, Spec

    registry.load_plugins(config.plugins)
    card = registry.get(config.task)
    body_card = registry.get(card.origin)
    if config.threads:
        torch.set_num_threads(config.threads)
    disturbance = Disturbance(**{f: getattr(config, f) for f in Disturbance.__dataclass_fields__})
    env = body_card.make(evaluation=True)
    rate = body_card.rate_hz or RATE_HZ
    try:
        limits, body = limits_of(env, rate), (env.observation_space, env.action_space)
        ahead = env.action_space if card.ahead == 1 else actions_ahead(env.action_space, card.ahead)
        spec = Spec(env.observation_space, ahead)
        units = getattr(env.unwrapped, "units", {})
        observed = signals_of(env.observation_space, "observation", units)
        done = signals_of(env.action_space, "action", units)
    finally:
        env.close()
    if config.agent.startswith(("ws://", "wss://")):
        policy, words = _remote(config), "by the server"
    else:
        prompt, words = make_prompt(config.prompt, card, config.data_dir)
        policy = Agent.load(config.agent).policy(spec, prompt, seed=config.seed)
    _warm(policy, spec)
    if card.ahead > 1:
        policy = AheadPolicy(policy, card.ahead, rate)
    with running(body_card, disturbance, rate, config.plugins) as address:
        robot = TwinRobot(address, FIRST_SEED + config.seed)
        check_twin(robot, observed, done, body_card.rate_hz)
        robot.connect()
        bare = not isinstance(spec.observation_space, spaces.Dict)
        loop = ControlLoop(
            robot, policy, Safety(limits), config.on_late, config.max_age_ms / 1e3, config.dry_run,
            bool(config.record), bare,
        )  # fmt: skip
        stop = _key_pressed if sys.stdin and sys.stdin.isatty() else lambda: False
        report = loop.run(60 * config.minutes, stop)
        robot.disconnect()
    if config.record and report.recordings:
        facts = {"demonstrator": config.agent, "kind": "twin", "disturbance": asdict(disturbance)}
        write_episodes(config.data_dir, body_card.id, report.recordings, *body, facts, name=config.record)
    return {
        "task": card.id, "agent": config.agent, "prompt": config.prompt, "prompt_text": words,
        **_figures(report, robot.summary, reference_for(card, config.data_dir)),
        "disturbance": asdict(disturbance), "commit": commit(), "machine": machine(),
    }  # fmt: skip


def _figures(report: LoopReport, summary: dict[str, Any], reference: Reference | None) -> dict[str, Any]:
    """What the loop and the twin counted, and what that is worth."""
    scores = [value for value in (score(each, reference) for each in report.returns) if value is not None]
    interval = mean_interval(scores) if len(scores) > 1 else None
    told = [success for success in report.successes if success is not None]
    due = report.actions + report.missing + report.stale + report.unthought
    quantiles = np.percentile(report.latency_ms, [50, 95, 99]) if report.latency_ms else [np.nan] * 3
    return {
        "seconds": round(report.seconds, 2), "actions": report.actions,
        "rate_hz": round(report.actions / report.seconds, 2) if report.seconds else 0.0,
        **{f"p{p}_ms": round(float(q), 2) for p, q in zip((50, 95, 99), quantiles, strict=True)},
        "age_ms": round(float(np.median(report.age_ms)), 2) if report.age_ms else None,
        "deadlines_met": round(report.met / max(1, due), 5),
        "missing": report.missing, "unthought": report.unthought, "stale": report.stale,
        "skipped": report.skipped, "reordered": report.reordered,
        "limits_crossed": sum(summary.get("crossed", {}).values()),
        "crossed": summary.get("crossed", {}), "corrected": dict(report.reasons),
        "late_ticks": summary.get("late_ticks"), "n": len(report.returns),
        "score": round(float(np.mean(scores)), 1) if scores else None,
        "interval": [round(each, 1) for each in interval] if interval else None,
        "success": round(float(np.mean(told)), 3) if told else None,
        "stopped": report.stopped,
    }  # fmt: skip


def _remote(config: TwinConfig) -> Any:
    """The policy of a server."""
    try:
        from opengato.client import PolicyError, RemotePolicy
    except ImportError as error:
        raise OpengatoError(f"{error.name} is missing. Next: pip install 'opengato[serve]'") from None
    token = os.environ.get(TOKEN, "")
    try:
        return RemotePolicy(config.agent, config.task, token=token, prompt=config.prompt)
    except PolicyError as error:
        raise OpengatoError(str(error)) from None


def _warm(policy: Any, spec: Any, actions: int = 20) -> None:
    """The first actions of a process take longest; they are not the robot's."""
    spec.observation_space.seed(0)
    for _ in range(actions):
        policy.act(spec.observation_space.sample())
    policy.reset()


def _key_pressed() -> bool:
    """Whether Enter was pressed: the emergency stop."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


@contextmanager
def running(
    card: Card, disturbance: Disturbance, rate_hz: float, plugins: tuple[str, ...] = ()
) -> Iterator[tuple[str, int]]:
    """A twin in a process of its own; gives its address.

    Raises:
        OpengatoError: it does not start.
    """
    job = {"task": card.id, "rate_hz": rate_hz, "plugins": list(plugins), "disturbance": asdict(disturbance)}
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would fill up
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, json.dumps(job)], stdout=subprocess.PIPE, stderr=log, text=True,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": paths}, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = select.select([process.stdout], [], [], START_S)[0]
        line = process.stdout.readline() if ready else ""
        if not line.strip().isdigit():
            log.seek(0)
            raise OpengatoError(f"the twin did not start: {(log.read() or 'it took too long').strip()[-500:]}")
        yield "127.0.0.1", int(line)
    finally:
        process.kill()
        process.communicate()
        log.close()


def serve(job: dict[str, Any]) -> None:
    """What the twin's process does: say its port, take one driver, end."""
    registry.load_plugins(job["plugins"])
    body = Twin(
        registry.get(job["task"]).make(evaluation=True), float(job["rate_hz"]), Disturbance(**job["disturbance"])
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        channel, _ = server.accept()
        with channel:
            channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            body.run(channel)


def run(config: TwinConfig, as_json: bool) -> Any:
    """The command."""
    found = twin(config)
    if as_json:
        return found
    for name, value in found.items():
        if name not in ("commit", "machine", "disturbance", "prompt_text"):
            print(f"{name:<15} {value}")
    return None


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
