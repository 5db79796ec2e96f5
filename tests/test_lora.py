"""Adapters: few weights change while they are trained, and the agent is an ordinary one afterwards."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.agent.transformer import MATRICES
from opengato.cli import main
from opengato.errors import OpengatoError
from opengato.training import lora

pytest.importorskip("peft")


def test_only_adapters_and_slots_change_and_merging_leaves_a_plain_model() -> None:
    agent = Agent.new(preset("nano"))
    before = copy.deepcopy(agent.model.state_dict())
    tuner = lora.adapt(agent.model, 4)
    learnt = {name for name, p in agent.model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or name.endswith(("slot.weight", "numbers.bins.weight")) for name in learnt)
    assert sum(p.numel() for name, p in agent.model.named_parameters() if "lora_" in name) < 0.05 * sum(
        map(torch.numel, before.values())
    )
    with torch.no_grad():
        for name, p in agent.model.named_parameters():
            if "lora_" in name:
                p.add_(0.1 * torch.randn_like(p))
    seen = torch.randn(3, agent.model.config.width)
    wanted = agent.model.transformer.stack[0].qkv(seen)
    lora.merge(tuner)
    assert agent.model.state_dict().keys() == before.keys()
    assert all(p.requires_grad for p in agent.model.parameters())
    torch.testing.assert_close(agent.model.transformer.stack[0].qkv(seen), wanted, atol=1e-4, rtol=1e-4)
    changed = {name for name, value in agent.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if name.rsplit(".", 2)[-2] in MATRICES}


@pytest.mark.parametrize("rank", [-1, 1000])
def test_an_illegal_rank_is_named(rank: int) -> None:
    with pytest.raises(OpengatoError, match=f"lora is {rank}; legal: 1 to"):
        lora.adapt(Agent.new(preset("nano")).model, rank)


def test_fine_tuning_with_adapters_resumes_and_saves_an_agent(tmp_path: Path) -> None:
    words = ["finetune", "task=gridworld/go-to-obj-s4", "demonstrations=5", "steps=3", "lora=4", "workers=0"]
    where = [f"data_dir={tmp_path}/data", f"out={tmp_path}/run"]
    assert main([*words, *where]) == 0
    agent = Agent.load(tmp_path / "run/agent")
    assert agent.card["finetuned"][-1]["lora"] == 4
    assert main([*words, *where]) == 0, "what is finished is left as it is"
