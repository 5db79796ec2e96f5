"""What is learnt from the same demonstrations in the same time: ours beside plain behavioural cloning.

    opengato imitation seconds=300 seeds=3 out=runs/imitation.json

Demonstrations are read from `data_dir`; `opengato collect episodes=60 noise=0.3` brings them as `finetune` would. With
`out`, a comparison that was stopped goes on with the next run.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.agent.spec import Spec
from opengato.benchmarks.cloning import Clone
from opengato.benchmarks.peers.borrowed import Borrowed
from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation.intervals import nested_interval
from opengato.evaluation.provenance import commit, machine, versions, write_json
from opengato.evaluation.rollout import Stage, cases, rollout
from opengato.evaluation.scores import reference_for, score
from opengato.tasks import registry
from opengato.tasks.card import Card
from opengato.training.arrays import TaskArrays, arrays_of
from opengato.training.episodes import EpisodeStore
from opengato.training.mixture import MixtureConfig
from opengato.training.train import learn_statistics
from opengato.training.trainer import Trainer, TrainerConfig

TASKS = [
    "metaworld/reach", "metaworld/pick-place", "control/reacher-easy", "control/walker-walk", "bullet/hopper",
    "gridworld/go-to-local",
]  # fmt: skip
# What the model of a side changes in `nano`. A batch has as many positions on every side.
LAYOUTS: dict[str, dict[str, Any]] = {
    "ours": {},
    "per-number": {"value_group": 1, "window": 512},
    "per-token": {"pooled": False, "own_actions": True, "patch_width": preset("nano").width, "window": 512},
}
PEERS = ("act", "act-small")
SIDES = ("cloning", *LAYOUTS, *PEERS)
TRIAL = 12  # updates that tell how many fit into the time


@dataclass(frozen=True)
class ImitationConfig:
    """The comparison.

    Args:
        tasks: bodies that sense numbers and words and act in numbers.
        demonstrations: how many of each task's.
        seconds: of training, for each side.
        sides: `cloning` (the control), `ours` (one position per timestep), `per-number` (one position per number
            that is sensed, actions in one pass), `per-token` (one per token, actions one after another: the paper's),
            `act` and `act-small` (LeRobot's ACT as it comes, and at our size: `benchmarks/peers/act_learner.py`).
        seeds: runs of each side.
        episodes: rollouts per run, on the evaluation's seeds.
        data_dir: where the demonstrations lie.
        learning_rate: of ours.
        positions, segment: of a batch of ours, and timesteps of an episode in a row of it: many short pieces teach more
            than few long ones, which are much alike.
        noise: on what ours senses while it learns (`training/noise.py`).
        stochastic_depth: of ours.
        threads: of PyTorch; 0 leaves its own choice.
        lerobot: a Python that has LeRobot, for the sides that are its; they take one thread.
        out: JSON file, written after every run; None prints only.
    """

    tasks: list[str] = field(default_factory=lambda: list(TASKS))
    demonstrations: int = 60
    seconds: float = 300.0
    sides: list[str] = field(default_factory=lambda: ["cloning", "ours"])
    seeds: int = 3
    episodes: int = 20
    data_dir: str = "data"
    learning_rate: float = 0.0025
    positions: int = 512
    segment: int = 8
    noise: float = 0.0
    stochastic_depth: float = 0.1
    threads: int = 0
    lerobot: str = ""
    out: str | None = None


def imitation(config: ImitationConfig) -> dict[str, Any]:
    """Train and play every side on every task; scores are 0 for random and 100 for the demonstrator."""
    for side in config.sides:
        if side not in SIDES:
            raise UnknownNameError("side", side, SIDES, "Next: opengato imitation --help")
        if side in PEERS and not config.lerobot:
            raise OpengatoError(f"the side {side} needs a Python that has LeRobot. Next: lerobot=/path/to/python")
    if config.threads:
        torch.set_num_threads(config.threads)
    cards = registry.find(config.tasks)
    found: dict[str, Any] = {"settings": _settings(config), "runs": {}}
    if config.out and Path(config.out).is_file():
        found = json.loads(Path(config.out).read_text("utf-8"))
        if found["settings"] != _settings(config):
            raise OpengatoError(
                f"{config.out} was made with {found['settings']}; asked: {_settings(config)}. Next: another out=…"
            )
    for seed in range(config.seeds):
        for card in cards:
            for side in config.sides:
                key = f"{card.id} {side} {seed}"
                if key in found["runs"]:
                    continue
                policy = _learn(config, card, side, seed)
                found["runs"][key] = _played(config, card, policy)
                if isinstance(policy, Borrowed):
                    policy.close()
                print(f"{key:40} {np.mean(found['runs'][key]):6.1f}", file=sys.stderr, flush=True)
                found["rows"] = _rows([card.id for card in cards], config.sides, found["runs"])
                found |= {"threads": torch.get_num_threads(), "commit": commit()}
                found |= {"machine": machine(), "versions": versions()}
                if config.out:
                    write_json(Path(config.out), found)
    for row in found["rows"]:
        print(_line(row), file=sys.stderr)
    return found


def _settings(config: ImitationConfig) -> dict[str, Any]:
    """What must be the same for runs to be compared."""
    names = (
        "demonstrations", "seconds", "episodes", "learning_rate", "positions", "segment", "noise", "stochastic_depth",
    )  # fmt: skip
    return {name: getattr(config, name) for name in names}


def _rows(tasks: list[str], sides: list[str], runs: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Mean and interval of a side on a task over all of its runs."""
    rows = []
    for task in tasks:
        for side in sides:
            each = [values for key, values in runs.items() if key.startswith(f"{task} {side} ")]
            if each:
                values = [value for one in each for value in one]
                rows.append({
                    "task": task, "side": side, "score": float(np.mean(values)), "interval": nested_interval(each),
                    "seeds": [float(np.mean(one)) for one in each], "n": len(values),
                })  # fmt: skip
    return rows


def _arrays(config: ImitationConfig, card: Card, agent: Agent) -> TaskArrays:
    store = EpisodeStore.open(config.data_dir, card.id)
    episodes = [store[index] for index in range(min(config.demonstrations, len(store)))]
    codec = agent.codec(Spec(store.observation_space, store.action_space))
    arrays = arrays_of(episodes, card.id, card.instruction, codec)
    learn_statistics(agent, [arrays])
    return arrays


def _learn(config: ImitationConfig, card: Card, side: str, seed: int) -> Any:
    """The policy of a side after its time."""
    if side in LAYOUTS:
        return _trained(config, card, side, seed)
    arrays = _arrays(config, card, Agent.new(preset("nano"), seed=seed))  # for its codec alone
    learner = Clone(arrays.codec) if side == "cloning" else Borrowed(arrays.codec, config.lerobot, side)
    print(f"{card.id} {side}: {learner.fit(arrays, config.seconds, seed)} updates", file=sys.stderr, flush=True)
    return learner


def _trained(config: ImitationConfig, card: Card, side: str, seed: int) -> Any:
    # A horizon as the shipped agent has it.
    shape = replace(preset("nano"), horizon=3, stochastic_depth=config.stochastic_depth, **LAYOUTS[side])
    rows = max(1, config.positions // shape.window)
    settings = TrainerConfig(
        steps=TRIAL, learning_rate=config.learning_rate, final_rate=0.0, warmup=20, seed=seed, workers=0,
        mixture=MixtureConfig(
            rows=rows, demonstration_prompts=0, instruction_prompts=0, segment_steps=config.segment,
            noise={"*": config.noise},
        ),
    )  # fmt: skip
    agent = Agent.new(shape, seed=seed)
    arrays = _arrays(config, card, agent)
    trial = Trainer(Agent.new(shape, seed=seed), [arrays], settings)
    began, took = time.perf_counter(), []
    for step in range(TRIAL):
        start = time.perf_counter()
        trial.update(trial.mixture.batch(step))
        took.append(time.perf_counter() - start)
    left = config.seconds - (time.perf_counter() - began)  # the trial counts
    Trainer(agent, [arrays], replace(settings, steps=max(TRIAL, int(left / median(took))), log_seconds=1e9)).run()
    return agent.policy(arrays.spec, batch_size=config.episodes)


def _played(config: ImitationConfig, card: Card, policy: Any) -> list[float]:
    reference = reference_for(card, config.data_dir)
    with Stage(lambda: card.make(evaluation=True), cases(config.episodes), config.episodes, task=card.id) as stage:
        outcomes = rollout(stage, policy)
    return [value for outcome in outcomes if (value := score(outcome.total_return, reference)) is not None]


def _line(row: dict[str, Any]) -> str:
    interval = "[{:.0f}, {:.0f}]".format(*row["interval"]) if row["interval"] else "(one rollout has no interval)"
    each = ", ".join(f"{value:.0f}" for value in row["seeds"])
    return f"{row['task']:28} {row['side']:8} {row['score']:5.1f} {interval}  seeds {each}  n={row['n']}"


def run(config: ImitationConfig, as_json: bool) -> Any:
    """The command."""
    found = imitation(config)
    return found if as_json else None
