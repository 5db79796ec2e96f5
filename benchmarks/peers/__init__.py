"""`opengato peers`: ours beside another project's own code, in turn, in one run.

The peer's source is not part of this repository, and it pins other versions of its dependencies than ours. So a user
names a checkout of it and a Python that has what it needs, and its side runs in a process of its own
(`benchmarks/peers/*_side.py`), driven through the peer's own functions. Both have six blocks of width 256, one thread,
random weights, random data of one shape: 17 numbers sensed, 6 done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

from opengato.agent import Agent
from opengato.benchmarks import ours
from opengato.benchmarks.bench import PLAIN_ROWS, quantiles, timed_update
from opengato.benchmarks.peers.process import Process
from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation.provenance import commit, machine, versions, write_json
from opengato.training.trainer import native_bf16

SIDES = {path.stem.removesuffix("_side"): path for path in Path(__file__).parent.glob("*_side.py")}


@dataclass(frozen=True)
class PeersConfig:
    """Measuring ours beside a peer.

    Args:
        peer: its name; each is a file here.
        source: a checkout of its repository.
        python: of an environment that has its dependencies.
        rounds: how often both sides are timed in turn.
        updates, actions: timed per side and round.
        out: file for the JSON; None prints only.
    """

    peer: str = "jat"
    source: str = ""
    python: str = "python"
    rounds: int = 5
    updates: int = 2
    actions: int = 20
    out: str | None = None


def measure(config: PeersConfig) -> dict[str, Any]:
    """Medians of both sides and their ratios, and where they come from."""
    if config.peer not in SIDES:
        raise UnknownNameError("peer", config.peer, sorted(SIDES), "Next: see benchmarks/README.md")
    if not config.source or not Path(config.source).is_dir():
        raise OpengatoError(f"source is {config.source!r}, no folder. Next: name a checkout of {config.peer}.")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with Process(config.python, str(SIDES[config.peer]), config.source) as peer:
            training = _training(peer, config)
            acting = _acting(peer, config)
            facts = peer.facts
    finally:
        torch.set_num_threads(before)
    rate, seconds = training["timesteps_per_s"], acting["seconds"]
    ratios = {
        "train": rate["ours"] / rate["peer"],
        "action_empty": seconds["ours_empty"]["p50"] / seconds["peer_empty"]["p50"],
        "action_full": seconds["ours_full"]["p50"] / seconds["peer_full"]["p50"],
    }
    return {
        "peer": config.peer, "facts": facts, "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "training": training, "acting": acting, "rounds": config.rounds, "threads": 1,
        "precision": "bf16" if native_bf16(torch.device("cpu")) else "float32",
        "commit": commit(), "machine": machine(), "versions": versions(),
    }  # fmt: skip


def _training(peer: Process, config: PeersConfig) -> dict[str, Any]:
    """Timesteps per second of an update."""
    trainer = ours.trainer(ours.MODELS["default"], PLAIN_ROWS)
    taken: dict[str, list[tuple[float, int]]] = {"ours": [], "peer": []}
    for turn in range(config.rounds + 1):
        for step in range(turn * config.updates, (turn + 1) * config.updates):
            found = {"peer": tuple(peer.ask("update", step)), "ours": timed_update(trainer, step)}
            for side in found if turn else ():  # the first turn is a rehearsal
                taken[side].append(found[side])
    seconds = {side: [took for took, _ in of] for side, of in taken.items()}
    rates = {side: mean(count for _, count in of) / median(seconds[side]) for side, of in taken.items()}
    return {
        "timesteps_per_s": {side: round(rate, 1) for side, rate in rates.items()},
        "update_s": {side: quantiles(values) for side, values in seconds.items()},
    }


def _acting(peer: Process, config: PeersConfig) -> dict[str, Any]:
    """Seconds of an action of one environment, at the start of an episode and with the window full."""
    rng = np.random.default_rng(0)
    agent = Agent.new(ours.MODELS["default"])
    empty, full = agent.policy(ours.spec()), agent.policy(ours.spec())
    ours.fill(full)
    peer.ask("fill", 0)
    seconds: dict[str, list[float]] = {}

    def timed(name: str, act: Callable[[], Any]) -> None:
        began = time.perf_counter()
        act()
        seconds.setdefault(name, []).append(time.perf_counter() - began)

    for turn in range(config.rounds + 1):
        empty.reset()
        for number in range(config.actions):
            timed("ours_empty", lambda: empty.act([ours.observation(rng)]))
            timed("ours_full", lambda: full.act([ours.observation(rng)]))
            for name in ("empty", "full"):
                seconds.setdefault(f"peer_{name}", []).append(peer.ask(f"act_{name}", number))
        if not turn:
            seconds.clear()
    return {"seconds": {name: quantiles(values) for name, values in seconds.items()}}


def table(found: dict[str, Any]) -> str:
    """What was found, in Markdown."""
    rate, seconds = found["training"]["timesteps_per_s"], found["acting"]["seconds"]
    rows = [("training, timesteps/s", rate["ours"], rate["peer"], found["ratios"]["train"])]
    for name, words in (("empty", "an action, start of an episode, ms"), ("full", "an action, window full, ms")):
        times = [round(1e3 * seconds[f"{side}_{name}"]["p50"], 2) for side in ("ours", "peer")]
        rows.append((words, *times, found["ratios"][f"action_{name}"]))
    lines = [f"Commit {found['commit']}, {found['machine']['processor']}, one thread, {found['precision']}.", ""]
    lines += [f"| | ours | {found['peer']} | ours over {found['peer']} |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([*lines, "", f"{found['peer']}: {json.dumps(found['facts'])}"])


def run(config: PeersConfig, as_json: bool) -> Any:
    """The command."""
    found = measure(config)
    if config.out:
        write_json(Path(config.out), found)
    if as_json:
        return found
    print(table(found))
    return None
