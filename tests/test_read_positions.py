"""The last block works out only what is read, and nothing is lost by that."""

from dataclasses import replace

import pytest
import torch

from opengato.agent import Agent
from opengato.training.mixture import Mixture, MixtureConfig

from .test_policy import FLAT, SMALL
from .test_training import tasks


@pytest.mark.parametrize("shape", [SMALL, FLAT], ids=["pooled", "flat"])
def test_the_last_block_works_out_what_is_read_and_nothing_is_lost(shape) -> None:  # type: ignore[no-untyped-def]
    agent = Agent.new(shape, seed=0)
    batch = Mixture(tasks(agent), shape, MixtureConfig(rows=3), seed=1).batch(3)
    assert batch.read is not None
    found = []
    for read in (batch.read, None):
        torch.manual_seed(0)  # the paper's patches are given places within random intervals
        agent.model.zero_grad()
        losses, weights, _ = agent.model.losses(replace(batch, read=read))
        (losses * weights).sum().backward()
        gradients = [p.grad for p in agent.model.parameters() if p.grad is not None]
        found.append([losses.detach(), *gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
