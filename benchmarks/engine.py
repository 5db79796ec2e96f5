"""How fast the small preset trains and acts here; everything that is compared is measured in turn, in one run.

    python benchmarks/engine.py [updates=20] [rounds=3]

Prints JSON: medians in milliseconds with the ratios beside them, commit and machine. Absolute times mean little on a
shared machine; the ratios do.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from unittest import mock

os.environ.setdefault("GOMP_SPINCOUNT", "100000")  # as the command line sets them
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")

import numpy as np
from gymnasium import spaces

from opengato.agent import Agent, Spec, pieces
from opengato.agent.codec import Timesteps
from opengato.agent.config import preset
from opengato.evaluation.provenance import commit, machine
from opengato.training.arrays import TaskArrays
from opengato.training.train import learn_statistics
from opengato.training.trainer import Trainer, TrainerConfig

BODIES = {"cheetah": (17, 6), "humanoid": (44, 17), "hopper": (15, 3), "reacher": (6, 2), "ant": (28, 8)}
EPISODES, STEPS = 20, 200


def tasks(agent: Agent) -> list[TaskArrays]:
    """Random demonstrations of bodies that sense and do different amounts, as any mixture of tasks has them."""
    rng = np.random.default_rng(0)
    made = []
    for name, (sensed, done) in BODIES.items():
        spec = Spec(spaces.Box(-np.inf, np.inf, (sensed,)), spaces.Box(-1, 1, (done,)))
        total = EPISODES * STEPS
        steps = Timesteps(
            rng.normal(size=(total, sensed)).astype(np.float32), {}, {},
            rng.uniform(-1, 1, (total, done)).astype(np.float32),
        )  # fmt: skip
        made.append(TaskArrays(name, [], agent.codec(spec), steps, np.arange(0, total + 1, STEPS)))
    learn_statistics(agent, made)
    return made


def update_ms(trainer: Trainer, first: int, count: int) -> list[float]:
    """Milliseconds of each of `count` updates, every one on a new batch."""
    found = []
    for step in range(first, first + count):
        batch = trainer.mixture.batch(step)
        began = time.perf_counter()
        trainer.update(batch)
        found.append(1e3 * (time.perf_counter() - began))
    return found


def act_ms(agent: Agent, steps: int) -> tuple[float, float]:
    """Median milliseconds of an action at the start of an episode and with the window full, one environment."""
    spec = Spec(spaces.Box(-np.inf, np.inf, (17,)), spaces.Box(-1, 1, (6,)))
    policy, rng = agent.policy(spec), np.random.default_rng(0)
    found = []
    for _ in range(agent.model.config.window + steps):
        observation = rng.normal(size=17).astype(np.float32)
        began = time.perf_counter()
        policy.act(observation)
        found.append(1e3 * (time.perf_counter() - began))
    return statistics.median(found[3 : steps + 3]), statistics.median(found[-steps:])


def main(updates: int = 20, rounds: int = 3) -> dict[str, object]:
    """Measure; returns what is printed."""
    agent = Agent.new(preset("nano"))
    made = tasks(agent)
    trainer = Trainer(agent, made, TrainerConfig(workers=0))
    agent.model.train()
    update_ms(trainer, 0, updates)
    filled: list[float] = []
    ragged: list[float] = []
    for turn in range(rounds):
        at = (1 + turn) * updates
        filled += update_ms(trainer, at, updates)
        with mock.patch.object(pieces, "_filled", lambda kind, arrays, spare: arrays):
            ragged += update_ms(trainer, at, updates)
    early, late = act_ms(agent, 60)
    batch = trainer.mixture.batch(0)
    timesteps = sum(int((target.weight > 0).sum()) for target in batch.laid.targets)
    update = statistics.median(filled)
    return {
        "update_ms": round(update, 1),
        "timesteps_per_s": round(1e3 * timesteps / update),
        "positions_per_s": round(1e3 * batch.segment.numel() / update),
        "act_early_ms": round(early, 2),
        "act_full_window_ms": round(late, 2),
        "ratios": {
            "ragged_over_filled_update": round(statistics.median(ragged) / update, 2),
            "full_window_over_early_action": round(late / early, 2),
        },
        "updates": updates, "rounds": rounds, "commit": commit(), "machine": machine(),
    }  # fmt: skip


if __name__ == "__main__":
    settings = dict(word.split("=", 1) for word in sys.argv[1:])
    print(json.dumps(main(**{name: int(value) for name, value in settings.items()}), indent=1))
