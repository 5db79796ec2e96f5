"""What fits into no window is named, by who learns and by who acts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from opengato.agent import Agent, Episode, Prompt, Spec
from opengato.errors import OpengatoError
from opengato.training.arrays import TaskArrays, arrays_of
from opengato.training.mixture import Mixture, MixtureConfig
from opengato.training.train import announce
from opengato.training.trainer import Trainer, TrainerConfig

from . import spaces_zoo as zoo
from .test_policy import FLAT, SMALL

PLAIN = MixtureConfig(rows=1, demonstration_prompts=0, instruction_prompts=0)
BODY = zoo.OBSERVATION["body"]


def shown(agent: Agent, instruction: str = "do as shown") -> TaskArrays:
    zoo.seed(0)
    episode = Episode([BODY.sample() for _ in range(3)], [zoo.ACTION.sample() for _ in range(3)], np.zeros(3))
    return arrays_of([episode], "zoo/act", instruction, agent.codec(Spec(BODY, zoo.ACTION)))


def told(agent: Agent, lengths: list[int]) -> TaskArrays:
    """Questions of so many letters, a token each, and an empty answer."""
    episodes = [Episode(["q" * length], [""], np.zeros(1, np.float32)) for length in lengths]
    return arrays_of(episodes, "zoo/talk", "", agent.codec(Spec(zoo.SPEECH, zoo.SPEECH)))


def test_a_timestep_that_fits_into_no_window_is_named() -> None:
    agent = Agent.new(replace(FLAT, window=15))
    with pytest.raises(OpengatoError, match=r"of 'zoo/act' takes 16 positions or more, and .* window has 15\. Next"):
        Mixture([shown(agent)], agent.model.config, PLAIN)
    wide = Agent.new(replace(FLAT, window=16))
    assert Mixture([shown(wide)], wide.model.config, PLAIN).batch(0).laid.targets
    with pytest.raises(OpengatoError, match=r"behind the \d of its instruction"):
        Mixture([shown(wide)], wide.model.config, replace(PLAIN, instruction_prompts=0.1))


def test_texts_that_are_too_long_are_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    agent = Agent.new(replace(SMALL, window=16))
    with pytest.raises(OpengatoError, match="'zoo/talk'"):
        Mixture([told(agent, [300, 400])], agent.model.config, PLAIN)
    arrays = told(agent, [300, 3, 400, 500, 600, 700])
    fit = Trainer(agent, [arrays], TrainerConfig(mixture=PLAIN, device="cpu"))
    assert all(fit.mixture.batch(number).laid.word_targets for number in range(20)), "no batch is empty"
    announce(agent, [arrays], fit, False)
    assert "zoo/talk: 5 timesteps are longer than the model's window, and never drawn" in capsys.readouterr().out


def test_an_instruction_that_fills_the_window_is_refused() -> None:
    agent = Agent.new(replace(SMALL, window=8))
    with pytest.raises(OpengatoError, match=r"the prompt takes \d+ positions, and the model's window has 8"):
        agent.policy(Spec(BODY, zoo.ACTION), Prompt("put the red cube on the green one, then wait for the others"))
