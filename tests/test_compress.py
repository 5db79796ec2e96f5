"""Smaller weights: nearly the same actions, less memory, a clear error for what there is not."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from opengato.agent import Agent
from opengato.agent.compress import Int8Linear, compress
from opengato.benchmarks import ours
from opengato.errors import UnknownNameError


def actions(agent: Agent, rows: int) -> np.ndarray:
    policy, rng = agent.policy(ours.spec(), batch_size=rows), np.random.default_rng(0)
    return np.asarray([policy.act([ours.observation(rng) for _ in range(rows)]) for _ in range(20)])


@pytest.mark.parametrize("rows", [1, 12])  # few and many positions take different ways
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_actions_are_nearly_those_of_float32(precision: str, rows: int) -> None:
    agent = Agent.new(ours.MODELS["default"])
    small = copy.deepcopy(agent)
    compress(small.model, precision)
    apart = np.abs(actions(agent, rows) - actions(small, rows))
    assert 0 < np.median(apart) < 0.02


def test_int8_is_within_half_a_step_of_each_weight() -> None:
    weight = torch.randn(48, 32)
    layer = Int8Linear(weight)
    scale = layer.scale.float()[:, None]
    assert torch.all((layer.weight * scale - weight).abs() <= scale * 0.5 + 0.004 * weight.abs() + 1e-6)
    assert layer.weight.element_size() == 1
    for rows in (0, 1, 40):
        x = torch.randn(rows, 32)
        torch.testing.assert_close(layer(x), x @ weight.t(), atol=0.25, rtol=0.05)


def test_fp32_changes_nothing_and_others_are_refused() -> None:
    agent = Agent.new(ours.MODELS["default"])
    assert compress(copy.deepcopy(agent.model), "fp32").state_dict().keys() == agent.model.state_dict().keys()
    with pytest.raises(UnknownNameError, match="int4"):
        compress(agent.model, "int4")
