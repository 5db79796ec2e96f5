"""An agent that gets eyes of its own for reading: what it writes can be learnt, and how it acts stays, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from opengato.agent import Agent, Spec
from opengato.errors import OpengatoError
from opengato.training.grow import grow
from opengato.training.mixture import MixtureConfig
from opengato.training.train import TrainConfig, _start
from opengato.training.trainer import Trainer, TrainerConfig

from . import spaces_zoo as zoo
from .test_policy import SMALL, episode
from .test_recolour import demonstrations as colours
from .test_training import tasks

EYES = ["*.pictures.reading*", "*.pictures.tile"]
CONFIG = TrainerConfig(
    steps=3, warmup=1, workers=0, precision="fp32", learn=EYES, mixture=MixtureConfig(rows=3, demonstration_prompts=0)
)


def acts(agent: Agent) -> list[np.ndarray]:
    policy = agent.policy(Spec(zoo.OBSERVATION, zoo.ACTION), decode="mode")
    found = [policy.act(seen) for seen in episode(4, zoo.ACTION, 7).observations]
    return [np.concatenate([np.ravel(part) for part in each.values()]) for each in found]


def test_eyes_for_reading_learn_and_nothing_that_acts_changes() -> None:
    agent = Agent.new(SMALL, seed=11)
    shown = [task for task in tasks(agent) if task.spec.text_action]
    before = {name: value.clone() for name, value in agent.model.state_dict().items()}
    acted = acts(agent)
    grown = grow(agent, {"reading_layers": 3})
    eyes = grown.model.embedding.pictures
    assert torch.equal(eyes.reading_trunk.layers[1].weight, eyes.trunk.layers[1].weight), "starts as a copy"
    assert len(eyes.reading_trunk.layers) == 3
    Trainer(grown, shown, CONFIG).run()
    after = grown.model.state_dict()
    moved = {name for name, value in after.items() if name not in before or not torch.equal(value, before[name])}
    assert any("reading_trunk.layers.2" in name for name in moved)
    assert all("pictures.reading" in name or name.endswith("pictures.tile") for name in moved)
    for one, other in zip(acts(grown), acted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_grown_agent_grows_no_more_and_is_read_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    grown = grow(Agent.new(SMALL, seed=11), {"reading_layers": 3})
    assert grow(grown, {"reading_layers": 3}) is grown
    with torch.no_grad():
        grown.model.embedding.pictures.reading_trunk.stem.bias += 1
    later = grow(grown, {"horizon": 5})
    assert later.model.config.horizon == 5
    for name, value in grown.model.state_dict().items():
        assert torch.equal(later.model.state_dict()[name], value)
    again = _start(TrainConfig(init=str(later.save(tmp_path)), shape={"horizon": 7}))
    assert again.model.config.horizon == 7
    assert again.model.config.reading_layers == 3


def test_what_does_not_fit_is_refused() -> None:
    agent = Agent.new(SMALL, seed=11)
    with pytest.raises(OpengatoError, match=r"cannot grow.*Next"):
        grow(agent, {"width": 2 * SMALL.width})
    with pytest.raises(OpengatoError, match=r"names no weights.*embedding"):
        Trainer(agent, [colours(agent)], TrainerConfig(learn=["eyes*"], mixture=CONFIG.mixture))
