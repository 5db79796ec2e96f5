"""Our side of the standard case: the same blocks, in each of the layouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from gymnasium import spaces

from opengato.agent import Agent, Spec
from opengato.agent.codec import Timesteps
from opengato.agent.config import ModelConfig, preset
from opengato.agent.policy import Policy
from opengato.training.arrays import TaskArrays
from opengato.training.mixture import MixtureConfig
from opengato.training.train import learn_statistics
from opengato.training.trainer import Trainer, TrainerConfig

OBSERVED, DONE, SIDE = 17, 6, 64
EPISODES, STEPS = 20, 250
WINDOW = 1024


# A gated layer has three matrices: 1 376 before the gate gives it the weights of a plain one of 4 × 256, and a bit.
_DEFAULT = replace(preset("nano"), blocks=6, heads=8, width=256, head_dim=32, feedforward=1376, window=WINDOW)
MODELS = {
    "default": _DEFAULT,  # the layout of the small presets: one position per timestep
    "pool1": replace(_DEFAULT, value_group=1, picture_positions=16),  # one per number or patch sensed
    "flat": replace(_DEFAULT, pooled=False, own_actions=True, patch_width=256),  # one per token
}


def spec(pictures: bool = False) -> Spec:
    """Of the standard case, or of the one with a picture a timestep."""
    action = spaces.Box(-1, 1, (DONE,))
    if pictures:
        return Spec(spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8), action)
    return Spec(spaces.Box(-np.inf, np.inf, (OBSERVED,)), action)


def demonstrations(agent: Agent, pictures: bool = False, episodes: int = EPISODES) -> TaskArrays:
    """Random ones: how fast they are read does not hang on what they show."""
    rng = np.random.default_rng(0)
    body = spec(pictures)
    total = episodes * STEPS
    images = {f.path: rng.integers(0, 256, (total, *f.shape), np.uint8) for f in body.images}
    steps = Timesteps(
        rng.normal(size=(total, body.num_values)).astype(np.float32), images, {},
        rng.uniform(-1, 1, (total, DONE)).astype(np.float32),
    )  # fmt: skip
    task = TaskArrays("bench/body", [], agent.codec(body), steps, np.arange(0, total + 1, STEPS))
    learn_statistics(agent, [task])
    return task


def trainer(
    config: ModelConfig, rows: int, pictures: bool = False, device: str = "cpu", checkpointing: bool = False
) -> Trainer:
    """A trainer on these demonstrations, without prompts, as the reference has none."""
    agent = Agent.new(config)
    mixture = MixtureConfig(rows=rows, demonstration_prompts=0, instruction_prompts=0)
    settings = TrainerConfig(workers=0, mixture=mixture, device=device, gradient_checkpointing=checkpointing)
    made = Trainer(agent, [demonstrations(agent, pictures, 4 if pictures else EPISODES)], settings)
    agent.model.train()
    return made


def fill(policy: Policy) -> None:
    """Bring the window of every row to its end, with positions that hold noise: how long that takes to look at does not
    hang on what they hold."""
    rows = np.arange(policy.rows)
    part = 64
    for _ in range(0, policy.model.config.window, part):
        x = torch.randn(part * policy.rows, policy.model.config.width, device=policy.device)
        policy.stream.feed(x, np.full(policy.rows, part), rows, np.zeros(len(x), np.int64))


def observation(rng: np.random.Generator) -> np.ndarray:
    """One of the standard case, float32 [17]."""
    return rng.normal(size=OBSERVED).astype(np.float32)
