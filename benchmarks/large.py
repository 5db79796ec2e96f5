"""The preset `1b` on a GPU: how near its training comes to what the GPU multiplies, and how fast it acts with two
cameras."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from opengato.agent import Agent, Spec
from opengato.agent.compress import compress
from opengato.agent.config import ModelConfig, preset
from opengato.benchmarks import ours
from opengato.benchmarks.bench import PLAIN_ROWS, PlainTrainer, in_turn, quantiles
from opengato.benchmarks.plain import Plain
from opengato.training.trainer import Trainer

SQUARE = 8192  # side of the products that say what the GPU multiplies
ROWS = 8  # of a step without checkpointing
CAMERAS, SIDE, JOINTS, DONE = 2, 128, 7, 5
WARM = 12  # actions until all that is recorded for the GPU is


def training(rounds: int, updates: int, device: torch.device, name: str = "1b") -> dict[str, Any]:
    """Updates of the preset with one position per token, beside the plain reference of its size, blocks computed anew
    on both sides; and without that, against the ceiling.

    Returns:
        As `in_turn`, with `flops` (of `ceiling` and of forward and backward without checkpointing, per second) and
        `ratios`.
    """
    shape = preset(name)
    model = Plain(shape.blocks, shape.heads, shape.width, checkpointing=True)
    plain = PlainTrainer(model, False, device)
    ready = {name: ours.trainer(shape, PLAIN_ROWS, False, device.type, checkpointing=True)}
    found = in_turn(plain, ready, rounds, updates, load=name)
    rates = found["timesteps_per_s"]
    made = ready[name]
    del plain, ready
    most = ceiling(device)
    reached, seconds = forward_backward(made, shape, rounds * updates)
    return {
        **found, "flops": {"ceiling": most, "forward_backward": reached, "seconds": seconds, "rows": ROWS},
        "ratios": {"train_1b": round(rates[name] / rates["plain"], 3), "of_ceiling": round(reached / most, 3)},
    }  # fmt: skip


def ceiling(device: torch.device, side: int = SQUARE) -> float:
    """Floating-point operations a second of square bf16 products of random numbers; median of five times ten."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    rates = []
    for turn in range(6):
        began = time.perf_counter()
        for _ in range(10):
            torch.mm(a, b)
        _wait(device)
        if turn:
            rates.append(10 * 2 * side**3 / (time.perf_counter() - began))
    return median(rates)


def forward_backward(trainer: Trainer, shape: ModelConfig, count: int) -> tuple[float, float]:
    """Useful operations a second of forward and backward passes without checkpointing, and the median seconds of one.

    Useful are those of the blocks: six per weight and position, and twelve per channel and pair of positions, halved
    because of each pair one sees the other (the rule of PaLM's appendix B).
    """
    model = trainer.agent.model
    model.transformer.checkpointing = False
    config = replace(trainer.mixture.config, rows=ROWS)
    trainer.mixture.config = config
    weights = sum(p.numel() for block in model.transformer.stack for p in block.parameters())
    positions = ROWS * shape.window
    inner = shape.heads * shape.head_dim
    useful = 6 * weights * positions + 12 * shape.blocks * inner * shape.window * positions / 2
    seconds = []
    for step in range(count + 2):
        batch = trainer.mixture.batch(step).to(trainer.device)
        _wait(trainer.device)
        began = time.perf_counter()
        with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.bf16):
            losses, weight, _ = model.losses(batch)
            ((losses * weight).sum() / weight.sum()).backward()
        _wait(trainer.device)
        if step > 1:
            seconds.append(time.perf_counter() - began)
        trainer.optimizer.zero_grad(set_to_none=True)
    return useful / median(seconds), median(seconds)


def acting(rounds: int, actions: int, device: torch.device, name: str = "1b") -> dict[str, Any]:
    """Seconds of one action of a body with two cameras of 128 × 128, seven joints and five numbers to set, its window
    of 1 024 positions full; with weights in fp32, bf16 and int8.

    As the preset is, five tokens one after another, and in one pass, with the layout of the small presets.

    Returns:
        `seconds`: quantiles per precision; `hz`: actions a second, 99 of 100 of which are faster.
    """
    rng = np.random.default_rng(0)
    cameras = {f"camera{number}": spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8) for number in range(CAMERAS)}
    body = Spec(spaces.Dict({**cameras, "joints": spaces.Box(-1, 1, (JOINTS,))}), spaces.Box(-1, 1, (DONE,)))

    def seen() -> dict[str, np.ndarray]:
        pictures = {key: rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for key in cameras}
        return {**pictures, "joints": rng.uniform(-1, 1, JOINTS).astype(np.float32)}

    found = {}
    for title, shape in {name: preset(name), f"{name} in one pass": replace(preset(name), pooled=True)}.items():
        whole = Agent.new(shape)
        for precision in ("fp32", "bf16", "int8"):
            agent = copy.deepcopy(whole)
            compress(agent.model, precision)
            agent.model.to(device)
            policy = agent.policy(body)
            ours.fill(policy)
            seconds = []
            for number in range(rounds * actions + WARM):
                observation = seen()
                began = time.perf_counter()
                policy.act(observation)
                if number >= WARM:
                    seconds.append(time.perf_counter() - began)
            found[f"{title}, {precision}"] = quantiles(seconds)
    return {"seconds": found, "hz": {key: round(1 / of["p99"], 1) for key, of in found.items()}}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
