"""What an agent changes in itself before it learns from a few demonstrations, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from opengato.agent import Agent, Episode, Spec
from opengato.agent.smoothing import gaussian, spread
from opengato.cli import main
from opengato.tasks import registry
from opengato.training.arrays import TaskArrays, arrays_of
from opengato.training.demonstrations import run_episode
from opengato.training.finetune import FinetuneConfig
from opengato.training.gauge import Gauge
from opengato.training.mixture import MixtureConfig
from opengato.training.prepare import UNMET, prepare
from opengato.training.train import learn_statistics
from opengato.training.trainer import Trainer

from . import spaces_zoo as zoo
from .test_policy import SMALL

WAVES = replace(SMALL, value_features=8, plain_features=0, target_smoothing=3.0)
CONFIG = FinetuneConfig(
    steps=3, warmup=1, precision="fp32", target_smoothing=12.0, mixture=MixtureConfig(rows=3), seed=5
)
COLD = {"target_smoothing": 12.0, "cold_start": True, "read_anew": True}

JOINTS = zoo.OBSERVATION["body"]["joints"]  # of a body without eyes


def stranger(shape=WAVES, senses=JOINTS, action=zoo.ACTION) -> tuple[Agent, TaskArrays]:  # type: ignore[no-untyped-def]
    """An agent that never met a body, and demonstrations of it."""
    agent = Agent.new(shape, seed=11)
    zoo.seed(0)
    episodes = []
    for length in (3, 9, 5):
        seen = [senses.sample() for _ in range(length)]
        episodes.append(Episode(seen, [action.sample() for _ in range(length)], np.zeros(length, np.float32)))
    return agent, arrays_of(episodes, "zoo/act", "do as shown", agent.codec(Spec(senses, action)))


def test_who_knows_neither_body_nor_task_aims_wide_and_reads_numbers_anew(tmp_path: Path) -> None:
    agent, arrays = stranger()
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    assert prepare(agent, arrays, CONFIG) == COLD
    assert torch.equal(torch.rand(1), wanted), "what else is random is not touched"
    config = agent.model.config
    assert (config.value_features, config.plain_features, config.target_smoothing) == (0, 32, 12.0)
    assert torch.equal(agent.model.smooth, spread(gaussian(12.0)))
    scratch, same = Agent.new(WAVES, seed=CONFIG.seed), stranger()[1]
    assert prepare(scratch, same, replace(CONFIG, scratch=True)) == {"target_smoothing": 12.0, "read_anew": True}
    after, fresh = agent.model.state_dict(), scratch.model.state_dict()
    assert {name for name in after if not torch.equal(after[name], fresh[name])} == set(), "as who starts from scratch"
    again, same = stranger()
    prepare(again, same, CONFIG)
    assert torch.equal(again.model.embedding.numbers.bins.weight, agent.model.embedding.numbers.bins.weight)
    Trainer(agent, [arrays], CONFIG).run()
    seen = [JOINTS.sample()]
    loaded = Agent.load(agent.save(tmp_path))
    acts = [each.policy(arrays.spec, batch_size=1).act(seen) for each in (agent, loaded)]
    assert str(acts[0]) == str(acts[1])


@pytest.mark.parametrize("config", [replace(CONFIG, scratch=True), replace(CONFIG, lora=4)], ids=["scratch", "lora"])
def test_random_weights_and_those_beside_adapters_are_kept(config: FinetuneConfig) -> None:
    agent, arrays = stranger()
    before = {name: value.clone() for name, value in agent.model.state_dict().items()}
    assert prepare(agent, arrays, config) == {"target_smoothing": 12.0, "read_anew": True}
    after = agent.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in set(after) - {"embedding.numbers.bins.weight"})


def test_who_knows_the_body_reads_it_as_before() -> None:
    agent, arrays = stranger()
    learn_statistics(agent, [arrays])
    assert prepare(agent, arrays, CONFIG) == {"target_smoothing": 12.0}
    assert agent.model.config.value_features == 8


@pytest.mark.parametrize("spreads", [5.0, 15.0, 60.0])
def test_who_met_the_body_otherwise_reads_it_anew_where_a_tenth_is_far_from_that(spreads: float) -> None:
    agent, arrays = stranger()
    learn_statistics(agent, [arrays])
    mean, std = agent.statistics[arrays.spec.signature]
    far = arrays.steps.values.copy()
    far[::10, 0] = mean[0] + spreads * std[0]
    arrays.steps.values[:] = far
    found = prepare(agent, arrays, CONFIG)
    if spreads < UNMET:
        assert found == {"target_smoothing": 12.0}
        np.testing.assert_array_equal(agent.statistics[arrays.spec.signature][1], std)
    else:
        assert found == COLD
        found_mean, found_std = agent.statistics[arrays.spec.signature]
        np.testing.assert_allclose(found_std, far.std(0), rtol=1e-4)
        np.testing.assert_allclose(found_mean, far.mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(arrays.codec.observation_scale.std[0], found_std[0])


def test_who_knows_something_of_the_task_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gauge, "loss", lambda self: self.ignorant - 0.1)
    agent, arrays = stranger()
    before = {name: value.clone() for name, value in agent.model.state_dict().items()}
    assert prepare(agent, arrays, CONFIG) == {}
    assert agent.model.config == WAVES
    assert arrays.spec.signature in agent.statistics
    assert all(torch.equal(value, before[name]) for name, value in agent.model.state_dict().items())


@pytest.mark.parametrize(
    ("shape", "config", "wanted"),
    [
        (SMALL, replace(CONFIG, target_smoothing=16.0), {}),  # reads values as they are, and aims so wide, already
        (WAVES, replace(CONFIG, read_anew=False), {"target_smoothing": 12.0}),
        # Who aims at single bins goes on to.
        (replace(WAVES, target_smoothing=0.0), CONFIG, {"cold_start": True, "read_anew": True}),
    ],
    ids=["today's shape", "told not to", "single bins"],
)
def test_only_what_there_is_to_change_is_changed(shape, config, wanted) -> None:  # type: ignore[no-untyped-def]
    agent, arrays = stranger(shape)
    assert prepare(agent, arrays, config) == wanted


def test_words_and_buttons_have_no_width_and_need_no_other_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gauge, "loss", lambda self: self.ignorant + 0.1)
    assert prepare(*stranger(action=zoo.SPEECH), CONFIG) == {"read_anew": True}, "it acts in words, but senses numbers"
    eyes = zoo.OBSERVATION
    assert prepare(*stranger(senses=eyes), CONFIG) == {"target_smoothing": 12.0}, "what it knows of pictures stays"
    assert "read_anew" in prepare(*stranger(senses=eyes), replace(CONFIG, scratch=True))
    agent = Agent.new(WAVES, seed=11)
    card = registry.get("gridworld/go-to-obj-s4")
    env = card.make()
    spec = Spec.from_env(env)
    episode = run_episode(env, card.make_demonstrator(), 0, 0.0)
    env.close()
    assert prepare(agent, arrays_of([episode], card.id, card.instruction, agent.codec(spec)), CONFIG) == {}


def test_fine_tuning_says_and_keeps_what_was_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = Agent.new(WAVES, seed=11)
    start = agent.save(tmp_path / "start")
    words = ["finetune", "task=control/cartpole-balance", "demonstrations=2", "steps=2", f"agent={start}"]
    words += [f"data_dir={tmp_path}/data", f"out={tmp_path}/run"]
    assert main(words) == 0
    assert "it never met the body, or not like this, and reads its numbers anew" in capsys.readouterr().out
    tuned = Agent.load(tmp_path / "run/agent")
    kept = tuned.card["finetuned"][-1]
    assert (kept["read_anew"], kept["target_smoothing"]) == (True, 16)
    assert isinstance(tuned.model.embedding.numbers.bins, nn.Linear)
    assert tuned.model.embedding.numbers.bins.in_features == 32
    assert main(words) == 0, "what is finished is left as it is"
    assert main([*words, "target_smoothing=151"]) == 2
    assert "target_smoothing=151.0; legal: 0 to 150" in capsys.readouterr().err
