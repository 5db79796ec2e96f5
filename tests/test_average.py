"""`init_share`: an agent at the end is the average of what it was and what it learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from opengato.agent.agent import Agent
from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.training.collect import CollectConfig, collect
from opengato.training.train import TrainConfig, train

TASK = "gridworld/go-to-red-ball"
SHAPE = {"blocks": 1, "heads": 2, "width": 32, "feedforward": 64, "head_dim": 16, "window": 48, "slots": 64}


def test_weights_are_averaged_with_those_of_the_start(tmp_path: Path) -> None:
    card, data = registry.get(TASK), str(tmp_path / "data")
    collect(CollectConfig(tasks=[TASK], episodes=2, data_dir=data, workers=1), [card])
    config = TrainConfig(data_dir=data, out=str(tmp_path / "start"), shape=SHAPE, steps=2, warmup=0, workers=0)
    start = train(config, [card])
    config = replace(config, init=str(start), seed=1)
    whole = train(replace(config, out=str(tmp_path / "whole")), [card])
    shared = train(replace(config, out=str(tmp_path / "shared"), init_share=0.25), [card])
    before, after, mean = (Agent.load(folder).model.state_dict() for folder in (start, whole, shared))
    moved = 0.0
    for name, weight in mean.items():
        torch.testing.assert_close(weight, 0.75 * after[name] + 0.25 * before[name])
        moved += float((after[name] - before[name]).abs().sum())
    assert moved > 1  # or any share would do
    assert Agent.load(shared).card["init_share"] == 0.25
    again = train(replace(config, out=str(tmp_path / "again"), init=str(shared)), [card])
    assert "init_share" not in Agent.load(again).card


@pytest.mark.parametrize(("init", "share"), [("start", 1.0), ("start", -0.1), (None, 0.5)])
def test_a_share_that_means_nothing_is_refused(init: str | None, share: float) -> None:
    with pytest.raises(OpengatoError, match="init_share is"):
        train(TrainConfig(init=init, init_share=share), [registry.get(TASK)])
