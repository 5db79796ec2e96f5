"""Settings outside their range are refused before any work, with what is legal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opengato.agent import Agent
from opengato.agent.text import Vocabulary
from opengato.errors import OpengatoError
from opengato.tasks import registry
from opengato.training.by_score import weights_by_score
from opengato.training.finetune import FinetuneConfig, finetune
from opengato.training.mixture import Mixture, MixtureConfig
from opengato.training.train import TrainConfig, _start, train
from opengato.training.trainer import Trainer

from .test_policy import SMALL
from .test_training import CONFIG, tasks

TASK = "gridworld/go-to-obj-s4"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("blocks", 0, "blocks=0; legal: whole numbers from 1"),
        ("width", 32.5, "width=32.5; legal: whole numbers from 1"),
        ("horizon", -1, "horizon=-1; legal: whole numbers from 0"),
        ("feedforward", 255, "feedforward=255 is odd"),
        ("decode", "average", "decode=average; legal: mean, mode, sample"),
        ("patch_pool", "max", "patch_pool=max; legal: flatten, mean"),
        ("pooled", "yes", "pooled=yes; legal: true, false"),
        ("stochastic_depth", 1.0, "stochastic_depth=1.0; legal: 0 to below 1"),
        ("target_smoothing", "wide", "target_smoothing=wide; legal: numbers"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(field: str, value: Any, words: str) -> None:
    with pytest.raises(OpengatoError, match=words):
        replace(SMALL, **{field: value})
    with pytest.raises(OpengatoError, match=words):  # before demonstrations are looked for
        train(TrainConfig(shape={field: value}, data_dir="nowhere"), [registry.get(TASK)])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": -1}, "seed is -1; legal: 0 to 2147483647"),
        ({"steps": 0}, "steps is 0; legal: 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; legal: more than 0"),
        ({"beta2": 1.0}, "beta2 is 1.0; legal: 0 to below 1"),
        ({"mixture": MixtureConfig(rows=0)}, "mixture.rows is 0; legal: 1 or more"),
        ({"mixture": MixtureConfig(hide_actions=1.5)}, "mixture.hide_actions is 1.5; legal: 0 to 1"),
        ({"mixture": MixtureConfig(noise={"*": -1.0})}, "mixture.noise is .* legal: 0 or more"),
    ],
)
def test_settings_of_training_are_refused_before_it(settings: dict[str, Any], words: str) -> None:
    card = registry.get(TASK)
    with pytest.raises(OpengatoError, match=words):
        train(TrainConfig(**settings, data_dir="nowhere"), [card])
    with pytest.raises(OpengatoError, match=words):
        finetune(FinetuneConfig(**settings, data_dir="nowhere"), card)
    agent = Agent.new(SMALL)
    with pytest.raises(OpengatoError, match=words):
        Trainer(agent, tasks(agent), replace(CONFIG, **settings))


@pytest.mark.parametrize("weights", [{"*": 0.0}, {"zoo/act": -1.0}])
def test_weights_that_leave_nothing_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(OpengatoError, match="legal: 0 or more each, and more than 0 of some task"):
        Mixture(tasks(Agent.new(SMALL)), SMALL, MixtureConfig(), weights)


def test_a_task_of_no_weight_is_lifted_to_none() -> None:
    assert weights_by_score(["a/x", "b/x"], {"a/*": 0.0, "b/*": 2.0}, {}, lift=1.0) == {"a/x": 0.0, "b/x": 2.0}


def test_what_does_not_fit_the_agent_to_start_from_is_refused(tmp_path: Path) -> None:
    folder = str(Agent.new(replace(SMALL, horizon=3)).save(tmp_path / "agent"))
    start = TrainConfig(init=folder)
    assert _start(start).model.config.horizon == 3
    assert _start(replace(start, shape={"horizon": 3, "width": 32})).model.config.width == 32, "as presets say it again"
    with pytest.raises(OpengatoError, match="has horizon=3, and model and shape say 2"):
        _start(replace(start, shape={"horizon": 2}))
    with pytest.raises(OpengatoError, match="has blocks=2, and model and shape say 6"):
        _start(replace(start, model="small"))
    other = tmp_path / "other.json"
    Vocabulary.train(["some words, and some more of them"], 300).save(other)
    assert _start(replace(start, vocabulary=f"{folder}/vocabulary.json"))
    with pytest.raises(OpengatoError, match="has another vocabulary"):
        _start(replace(start, vocabulary=str(other)))
