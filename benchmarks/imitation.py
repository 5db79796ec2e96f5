"""What is learnt from the same demonstrations in the same time: ours beside plain behavioural cloning.

    opengato imitation seconds=300 seeds=3

Demonstrations are read from `data_dir`; `opengato collect` brings them.
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
from opengato.evaluation.intervals import mean_interval
from opengato.evaluation.provenance import commit, machine, versions
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
    "bullet/hopper", "bullet/panda-push", "bullet/panda-reach", "control/reacher-easy", "control/walker-walk",
    "gridworld/go-to-local",
]  # fmt: skip
TRIAL = 12  # updates that tell how many fit into the time


@dataclass(frozen=True)
class ImitationConfig:
    """The comparison.

    Args:
        tasks: bodies that sense numbers and words and act in numbers.
        demonstrations: how many of each task's.
        seconds: of training, for each side.
        seeds: runs of each side.
        episodes: rollouts per run, on the evaluation's seeds.
        data_dir: where the demonstrations lie.
        learning_rate, rows: of ours.
        threads: of PyTorch; 0 leaves its own choice.
        out: JSON file; None prints only.
    """

    tasks: list[str] = field(default_factory=lambda: list(TASKS))
    demonstrations: int = 60
    seconds: float = 300.0
    seeds: int = 3
    episodes: int = 20
    data_dir: str = "data"
    learning_rate: float = 0.0025
    rows: int = 16
    threads: int = 0
    out: str | None = None


def imitation(config: ImitationConfig) -> dict[str, Any]:
    """Train and play both sides on every task; scores are 0 for random and 100 for the demonstrator."""
    if config.threads:
        torch.set_num_threads(config.threads)
    rows = []
    for card in registry.find(config.tasks):
        for side, run in (("cloning", _cloned), ("ours", _trained)):
            runs = [_played(config, card, run(config, card, seed)) for seed in range(config.seeds)]
            values = [value for one in runs for value in one]
            rows.append({
                "task": card.id, "side": side, "score": float(np.mean(values)), "interval": mean_interval(values),
                "seeds": [float(np.mean(one)) for one in runs], "n": len(values),
            })  # fmt: skip
            print(_line(rows[-1]), file=sys.stderr, flush=True)
    found = {
        "rows": rows, "demonstrations": config.demonstrations, "seconds": config.seconds,
        "threads": torch.get_num_threads(), "commit": commit(), "machine": machine(), "versions": versions(),
    }  # fmt: skip
    if config.out:
        Path(config.out).parent.mkdir(parents=True, exist_ok=True)
        Path(config.out).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _arrays(config: ImitationConfig, card: Card, agent: Agent) -> TaskArrays:
    store = EpisodeStore.open(config.data_dir, card.id)
    episodes = [store[index] for index in range(min(config.demonstrations, len(store)))]
    codec = agent.codec(Spec(store.observation_space, store.action_space))
    arrays = arrays_of(episodes, card.id, card.instruction, codec)
    learn_statistics(agent, [arrays])
    return arrays


def _cloned(config: ImitationConfig, card: Card, seed: int) -> Any:
    agent = Agent.new(preset("nano"), seed=seed)  # for its codec alone
    arrays = _arrays(config, card, agent)
    clone = Clone(arrays.codec)
    clone.fit(arrays, config.seconds, seed)
    return clone


def _trained(config: ImitationConfig, card: Card, seed: int) -> Any:
    shape = replace(preset("nano"), horizon=3)  # as the shipped agent has it
    settings = TrainerConfig(
        steps=TRIAL, learning_rate=config.learning_rate, warmup=20, seed=seed, workers=0,
        mixture=MixtureConfig(rows=config.rows, demonstration_prompts=0, instruction_prompts=0),
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
    low, high = row["interval"]
    each = ", ".join(f"{value:.0f}" for value in row["seeds"])
    return f"{row['task']:28} {row['side']:8} {row['score']:5.1f} [{low:.0f}, {high:.0f}]  seeds {each}  n={row['n']}"


def run(config: ImitationConfig, as_json: bool) -> Any:
    """The command."""
    found = imitation(config)
    return found if as_json else None
