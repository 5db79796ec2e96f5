"""What a demonstration in a prompt is drawn from: another folder where one is named, and which part of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.training.arrays import TaskArrays
from opengato.training.collect import CollectConfig, collect
from opengato.training.mixture import Mixture, MixtureConfig
from opengato.training.train import TrainConfig, train

from .test_policy import SMALL
from .test_training import tasks
from .test_unshown import demonstrations


def pictures(task: TaskArrays) -> set[bytes]:
    return {picture.tobytes() for images in task.steps.images.values() for picture in images}


def seen(made: list[TaskArrays], prompts: float) -> set[bytes]:
    laid = Mixture(made, SMALL, MixtureConfig(rows=8, demonstration_prompts=prompts)).batch(0).laid
    return {picture.numpy().tobytes() for group in laid.pictures for pixels in group.pixels for picture in pixels}


def test_prompts_show_what_is_named_and_the_rest_is_learnt_as_before() -> None:
    agent = Agent.new(SMALL, seed=11)
    made = tasks(agent)[:1]
    other = tasks(agent)[1]  # its pictures are others
    assert not pictures(made[0]) & pictures(other)
    told = [replace(made[0], shown=replace(other, task=made[0].task, codec=made[0].codec))]
    assert not seen(told, 0.0) & pictures(other)
    assert not seen(made, 1.0) & pictures(other)
    both = seen(told, 1.0)
    assert both & pictures(other)
    assert both & pictures(made[0])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_prompt_is_an_end_as_often_as_it_is_told(share: float) -> None:
    made = tasks(Agent.new(SMALL, seed=11))
    mixture = Mixture(made, SMALL, MixtureConfig(prompt_ends=share))
    task, layout, rng = made[0], mixture.layouts[0], np.random.default_rng(0)
    ends = {task.episode(number).values[-1].tobytes() for number in range(len(task))}
    drawn = [mixture._demonstration(task, layout, rng) for _ in range(200)]
    whole = [steps.values[-1].tobytes() in ends for steps in drawn if len(steps)]
    assert len(whole) > 20
    assert all(whole) if share else 0.05 < np.mean(whole) < 0.5


def test_a_prompt_shows_something_where_a_timestep_is_long() -> None:
    """A question about a picture takes 24 positions and more: drawn from one on, most prompts would be empty."""
    agent = Agent.new(replace(preset("nano"), window=160), seed=0)
    task = demonstrations(agent, "dialogue/scene", 12)
    mixture = Mixture([task], agent.model.config, MixtureConfig())
    rng = np.random.default_rng(0)
    drawn = [mixture._demonstration(task, mixture.layouts[0], rng) for _ in range(60)]
    assert all(len(steps) == 1 for steps in drawn)
    short = replace(agent.model.config, window=64)  # where none fits
    mixture = Mixture([task], short, MixtureConfig())
    assert not any(len(mixture._demonstration(task, mixture.layouts[0], rng)) for _ in range(20))


def test_demonstrations_as_prompts_may_lie_elsewhere(tmp_path: Path) -> None:
    task = "gridworld/go-to-red-ball"
    card, data, clean = registry.get(task), str(tmp_path / "data"), str(tmp_path / "clean")
    collect(CollectConfig(tasks=[task], episodes=2, data_dir=data, workers=1), [card])
    shape = {"blocks": 1, "heads": 2, "width": 32, "feedforward": 64, "head_dim": 16, "window": 48, "slots": 64}
    config = TrainConfig(
        data_dir=data, out=str(tmp_path / "run"), shape=shape, steps=1, warmup=0, workers=0,
        shown={"gridworld/*": "nowhere", task: clean},
    )  # fmt: skip
    assert config.shown_of(task) == clean
    assert config.shown_of("gridworld/open") == "nowhere"
    assert config.shown_of("arm/lift-red") is None
    with pytest.raises(OpengatoError, match="opengato collect"):
        train(config, [card])
    collect(CollectConfig(tasks=[task], episodes=1, data_dir=clean, seed=5, workers=1), [card])
    assert Agent.load(train(config, [card])).card["episodes"] == {task: 2}
