"""Steps per second of collecting and of evaluating, on a body that costs nothing: ours beside a plain loop."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from opengato.agent import Agent
from opengato.benchmarks import ours
from opengato.benchmarks.plain import BINS, Plain, PlainActor
from opengato.evaluation.rollout import Case, Stage, rollout
from opengato.tasks import registry
from opengato.tasks.card import Card
from opengato.training.collect import CollectConfig, collect

ROWS = 16
STEPS = 250  # of an episode
PLUGIN = str(Path(__file__).with_name("body.py"))


def _card() -> Card:
    registry.load_plugins([PLUGIN])
    return registry.get("bench/body")


def collecting(rounds: int, episodes: int, workers: int) -> dict[str, list[float]]:
    """Steps per second of `opengato collect`, and of a loop that writes a compressed file an episode."""
    card = _card()
    rates: dict[str, list[float]] = {"plain": [], "ours": []}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            _plain_collect(card, Path(folder), number * episodes, episodes)
            rates["plain"].append(episodes * STEPS / (time.perf_counter() - began))
            config = CollectConfig(
                tasks=["bench/body"], episodes=episodes, keep=0, workers=workers, seed=number * episodes,
                data_dir=str(Path(folder) / "data"), plugins=[PLUGIN],
            )  # fmt: skip
            began = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                collect(config)
            rates["ours"].append(episodes * STEPS / (time.perf_counter() - began))
    return rates


def _plain_collect(card: Card, folder: Path, seed: int, episodes: int) -> None:
    env, demonstrator = card.make(), card.make_demonstrator()
    for number in range(seed, seed + episodes):
        seen, did, got = [], [], []
        observation, _ = env.reset(seed=number)
        demonstrator.reset(env)
        over = False
        while not over:
            action = demonstrator.act(observation)
            seen.append(observation)
            did.append(action)
            observation, reward, ended, cut, _ = env.step(action)
            got.append(reward)
            over = ended or cut
        np.savez_compressed(folder / f"{number}.npz", seen=seen, did=did, got=got)


def evaluating(rounds: int, steps: int) -> dict[str, list[float]]:
    """Steps per second of evaluating 16 episodes: our rollouts in a batch, the reference one environment at a time."""
    card, agent, plain = _card(), Agent.new(ours.MODELS["default"]), Plain().eval()
    rates: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(rounds):
        env, actor = card.make(), PlainActor(plain)
        observation, _ = env.reset(seed=0)
        began = time.perf_counter()
        for _ in range(steps):
            tokens = np.clip(np.arcsinh(observation) / 4 + 0.5, 0, 1 - 1e-6) * BINS
            action = actor.act(torch.from_numpy(tokens.astype(np.int64))[None])[0].numpy()
            observation, *_ = env.step((action + 0.5) / BINS * 2 - 1)
        rates["plain"].append(steps / (time.perf_counter() - began))
        policy = agent.policy(ours.spec(), batch_size=ROWS)
        began = time.perf_counter()
        with Stage(card.make, [Case(index, index) for index in range(ROWS)], ROWS, max_steps=steps) as stage:
            rollout(stage, policy)
        rates["ours"].append(ROWS * steps / (time.perf_counter() - began))
    return rates
