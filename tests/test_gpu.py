"""What must hold on a GPU; skipped where there is none."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from opengato.agent import Agent
from opengato.agent.compress import compress
from opengato.benchmarks import ours
from opengato.training.mixture import MixtureConfig
from opengato.training.trainer import Trainer, TrainerConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU"),
]


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions in float32 too: TF32 keeps ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def trainer(agent: Agent, device: str, pictures: bool, **settings: object) -> Trainer:
    mixture = MixtureConfig(rows=2, demonstration_prompts=0.5)
    config = TrainerConfig(workers=0, precision="fp32", device=device, mixture=mixture, **settings)  # type: ignore[arg-type]
    return Trainer(agent, [ours.demonstrations(agent, pictures, 2)], config)


@pytest.mark.parametrize("shape", sorted(ours.MODELS))
@pytest.mark.parametrize("pictures", [False, True])
def test_updates_are_those_of_the_cpu(shape: str, pictures: bool) -> None:
    agent = Agent.new(ours.MODELS[shape])
    here = trainer(copy.deepcopy(agent), "cpu", pictures)
    there = trainer(copy.deepcopy(agent), "cuda", pictures)
    for step in range(3):
        loss, _ = here.update(here.mixture.batch(step))
        same, _ = there.update(there.mixture.batch(step))
        assert same == pytest.approx(loss, rel=5e-3)  # convolutions add up in another order


@pytest.mark.parametrize("shape", sorted(ours.MODELS))
def test_actions_are_those_of_the_cpu(shape: str) -> None:
    agent = Agent.new(ours.MODELS[shape])
    there = copy.deepcopy(agent)
    there.model.to("cuda")
    rng = np.random.default_rng(0)
    seen = [[ours.observation(rng) for _ in range(3)] for _ in range(60)]
    mine, other = (each.policy(ours.spec(), batch_size=3) for each in (agent, there))
    apart = [np.abs(np.asarray(mine.act(each)) - np.asarray(other.act(each))).max() for each in seen]
    # One position per token feeds actions back, so one bin chosen otherwise changes what follows.
    assert np.median(apart) < 1e-3


def test_resume_goes_on_where_it_was(tmp_path) -> None:  # type: ignore[no-untyped-def]
    agent = Agent.new(ours.MODELS["default"])
    whole = trainer(copy.deepcopy(agent), "cuda", False, steps=6)
    losses = whole.run()
    first = Trainer(*_parts(agent), out=tmp_path)
    start = first.run(stop_after=3)
    second = Trainer(*_parts(agent), out=tmp_path)
    assert second.resume()
    assert start + second.run() == pytest.approx(losses, rel=1e-3)


def _parts(agent: Agent):  # type: ignore[no-untyped-def]
    made = trainer(copy.deepcopy(agent), "cuda", False, steps=6)
    return made.agent, [ours.demonstrations(made.agent, False, 2)], made.config


def test_bf16_trains() -> None:
    made = ours.trainer(ours.MODELS["default"], 2, device="cuda")
    assert made.bf16
    losses = [made.update(made.mixture.batch(step % 2))[0] for step in range(20)]
    assert losses[-1] < losses[0]


def test_recorded_steps_are_those_taken_one_by_one() -> None:
    agent = Agent.new(ours.MODELS["default"])
    agent.model.to("cuda")
    rng = np.random.default_rng(0)
    recorded, plain = (agent.policy(ours.spec(), batch_size=2) for _ in range(2))
    plain.stream.graphs = None
    for step in range(80):
        seen = [ours.observation(rng) for _ in range(2)]
        if step == 50:  # one rests for a while: a shape of its own
            seen[1] = None
        np.testing.assert_allclose(*(_first(policy.act(seen)) for policy in (recorded, plain)), atol=1e-5)
    assert recorded.stream.graphs is not None
    assert recorded.stream.graphs.count
    recorded.reset([0])
    plain.reset([0])
    seen = [ours.observation(rng) for _ in range(2)]
    np.testing.assert_allclose(*(np.asarray(policy.act(seen)) for policy in (recorded, plain)), atol=1e-5)


def _first(actions):  # type: ignore[no-untyped-def]
    return np.asarray([action for action in actions if action is not None])


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_smaller_weights_act_alike(precision: str) -> None:
    agent = Agent.new(ours.MODELS["default"])
    other = copy.deepcopy(agent)
    compress(other.model, precision)
    rng = np.random.default_rng(0)
    policies = []
    for each in (agent, other):
        each.model.to("cuda")
        policies.append(each.policy(ours.spec()))
    apart = [
        np.abs(np.subtract(*(policy.act(seen) for policy in policies))).max()
        for seen in (ours.observation(rng) for _ in range(40))
    ]
    assert np.median(apart) < 0.02
