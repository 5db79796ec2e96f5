"""A task that the agent knows in other colours is found to be one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from opengato.agent import Agent, Episode, Spec
from opengato.training.arrays import TaskArrays, arrays_of
from opengato.training.gauge import Gauge
from opengato.training.mixture import MixtureConfig
from opengato.training.recolour import SAME, recolour
from opengato.training.train import learn_statistics
from opengato.training.trainer import Trainer, TrainerConfig

from .test_policy import SMALL

SEEN, ACTION = spaces.Dict({"camera": spaces.Box(0, 255, (16, 16, 3), np.uint8)}), spaces.Discrete(3)
MIXTURE = MixtureConfig(rows=2, demonstration_prompts=0, instruction_prompts=0)
ORDER = [1, 2, 0]  # a channel of the strange pictures holds what this one held


def demonstrations(agent: Agent, strange: bool = False, senseless: bool = False) -> TaskArrays:
    """A patch somewhere in the picture; the action is its colour."""
    rng = np.random.default_rng(3)
    episodes = []
    for _ in range(6):
        pictures, actions = np.full((20, 16, 16, 3), 40, np.uint8), rng.integers(3, size=20)
        for picture, action in zip(pictures, actions, strict=True):
            row, column = rng.integers(10, size=2)
            picture[row : row + 6, column : column + 6, action] = 250
        shown = pictures[..., ORDER] if strange else pictures
        told = rng.integers(3, size=20) if senseless else actions
        episodes.append(Episode([{"camera": each} for each in shown], list(told), np.zeros(20, np.float32)))
    made = arrays_of(episodes, "zoo/colour", "say the colour", agent.codec(Spec(SEEN, ACTION)))
    learn_statistics(agent, [made])
    return made


@pytest.fixture(scope="module")
def knowing() -> Agent:
    agent = Agent.new(SMALL, seed=11)
    config = TrainerConfig(steps=60, learning_rate=4e-3, warmup=5, workers=0, precision="fp32", mixture=MIXTURE)
    Trainer(agent, [demonstrations(agent)], config).run()
    return agent


def test_other_colours_are_taken_for_those_that_it_knows(knowing: Agent) -> None:
    stem = knowing.model.embedding.pictures.trunk.stem.weight
    before = stem.detach().clone()
    usual = Gauge(knowing, [demonstrations(knowing)], MIXTURE)
    known = usual.loss()
    assert known < 0.5 * usual.ignorant
    assert recolour(knowing.model, usual) == SAME
    senseless = Gauge(knowing, [demonstrations(knowing, senseless=True)], MIXTURE)
    assert recolour(knowing.model, senseless) == SAME, "in no colours is there anything to know"
    assert torch.equal(stem, before)
    strange = Gauge(knowing, [demonstrations(knowing, strange=True)], MIXTURE)
    assert strange.loss() > strange.ignorant
    try:
        assert recolour(knowing.model, strange) == tuple(ORDER)
        assert strange.loss() == pytest.approx(known, abs=1e-3)
    finally:
        with torch.no_grad():
            stem.copy_(before)


def test_an_agent_without_whole_pictures_is_left_alone() -> None:
    flat = Agent.new(replace(SMALL, pooled=False, own_actions=True, patch_width=SMALL.width), seed=11)
    before = {name: value.clone() for name, value in flat.model.state_dict().items()}
    assert recolour(flat.model, Gauge(flat, [demonstrations(flat)], MIXTURE)) == SAME
    assert all(torch.equal(value, before[name]) for name, value in flat.model.state_dict().items())
