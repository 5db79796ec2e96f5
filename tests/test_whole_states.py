"""What a run leaves behind is of a whole step that can be gone on from, and belongs together."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from opengato.agent import Agent
from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.training import checkpoint
from opengato.training.collect import CollectConfig, collect
from opengato.training.train import TrainConfig, learn_statistics, train
from opengato.training.trainer import Trainer

from .test_policy import SMALL
from .test_training import CONFIG, tasks, trainer

TASK = "gridworld/go-to-obj-s4"
SHAPE = {"blocks": 1, "heads": 2, "width": 32, "feedforward": 64, "head_dim": 16, "window": 48, "slots": 64}


def steps_kept(out: Path) -> list[str]:
    return [path.name for path in checkpoint.checkpoints(out)]


def test_a_run_that_diverged_is_not_saved(tmp_path: Path) -> None:
    fit = trainer(out=tmp_path)
    fit.run(stop_after=2)
    update = fit.update

    def diverging(*batches):  # type: ignore[no-untyped-def]
        if fit.step == 3:
            with torch.no_grad():
                next(fit.agent.model.parameters()).fill_(float("nan"))
        return update(*batches)

    fit.update = diverging  # type: ignore[method-assign]
    with pytest.raises(OpengatoError, match="the loss is nan at step 3"):
        fit.run()
    assert steps_kept(tmp_path) == ["checkpoint-00000002"]


@pytest.mark.parametrize("thread", [False, True], ids=["main thread", "another"])
def test_an_update_that_was_broken_off_is_not_saved(thread: bool, tmp_path: Path) -> None:
    whole = trainer().run()
    fit = trainer(out=tmp_path)
    losses = fit.run(stop_after=2)
    step = fit.optimizer.step

    def interrupted() -> None:
        step()
        if fit.step == 3:
            raise KeyboardInterrupt  # the weights have moved, the count has not

    fit.optimizer.step = interrupted  # type: ignore[method-assign]

    def run() -> None:
        with pytest.raises(KeyboardInterrupt):
            fit.run()

    if thread:
        worker = threading.Thread(target=run)
        worker.start()
        worker.join()
    else:
        run()
    again = trainer(out=tmp_path)
    assert again.resume()
    assert again.step == 2
    assert losses + again.run() == whole


def test_ctrl_c_between_updates_keeps_what_was_learnt(tmp_path: Path) -> None:
    fit = trainer(out=tmp_path)

    def watch(step: int) -> bool:
        if step == 3:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        fit.run(watch=watch)
    assert steps_kept(tmp_path) == ["checkpoint-00000003"]


def test_a_resumed_run_keeps_the_statistics_of_its_weights(tmp_path: Path) -> None:
    first = trainer(out=tmp_path)
    first.run(stop_after=2)
    agent = Agent.new(SMALL, seed=11)
    made = tasks(agent)
    agent.statistics.clear()
    made[0].steps.values += 5  # as many, but others
    learn_statistics(agent, made)
    again = Trainer(agent, made, CONFIG, tmp_path)
    sign = made[0].spec.signature
    assert not np.array_equal(agent.statistics[sign][0], first.agent.statistics[sign][0])
    assert again.resume()
    for one, other in zip(agent.statistics[sign], first.agent.statistics[sign], strict=True):
        np.testing.assert_array_equal(one, other)
    numbers = ~made[0].codec.observation_scale.discrete
    np.testing.assert_array_equal(made[0].codec.observation_scale.mean[numbers], agent.statistics[sign][0][numbers])


def test_a_run_on_other_demonstrations_is_another_run(tmp_path: Path) -> None:
    card, data = registry.get(TASK), str(tmp_path / "data")
    collect(CollectConfig(tasks=[TASK], episodes=2, data_dir=data, workers=1), [card])
    config = TrainConfig(data_dir=data, out=str(tmp_path / "run"), shape=SHAPE, steps=2, warmup=0, workers=0)
    train(config, [card])
    folder = train(replace(config, steps=1), [card])
    assert Agent.load(folder).card["steps"] == 2, "what was done, not what was asked for"
    collect(CollectConfig(tasks=[TASK], episodes=3, data_dir=data, workers=1), [card])
    with pytest.raises(OpengatoError, match=rf"{TASK} had 2 episodes of \d+ timesteps, now 3 of \d+\. Next: give ano"):
        train(config, [card])
