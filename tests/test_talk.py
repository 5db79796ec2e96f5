"""Captions of a user's pictures and chats: the commands, with an untrained agent."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opengato.agent import Agent, Spec
from opengato.cli import main
from opengato.tasks import registry

from .spaces_zoo import OBSERVATION, SPEECH
from .test_policy import SMALL, episode


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(Agent.new(SMALL, seed=0).save(tmp_path_factory.mktemp("agents") / "blank"))


def test_a_picture_of_any_size_is_described(agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGBA", (123, 77), "red").save(tmp_path / "red.png")
    assert main(["caption", f"image={tmp_path / 'red.png'}", f"agent={agent}", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out)["caption"], str)


def test_a_file_that_is_no_picture_is_refused(agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.png").write_text("not a picture")
    assert main(["caption", f"image={tmp_path / 'no.png'}", f"agent={agent}"]) == 2
    assert "no picture" in capsys.readouterr().err


def test_a_chat_answers_every_line(
    agent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "blue.png")
    monkeypatch.setattr("sys.stdin", io.StringIO("what is it?\nand now?\n"))
    assert main(["chat", f"agent={agent}", f"image={tmp_path / 'blue.png'}", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["you"] for line in lines] == ["what is it?", "and now?"]


def test_perplexity_of_an_untrained_agent_is_about_the_vocabularys_size() -> None:
    agent = Agent.new(SMALL, seed=0)
    found = agent.perplexity(Spec(OBSERVATION, SPEECH), [episode(4, SPEECH, seed) for seed in range(3)])
    assert math.isfinite(found)
    assert 0.2 * len(agent.vocabulary) < found < 5 * len(agent.vocabulary)


def test_a_task_that_is_learnt_by_heart_is_played_back(tmp_path: Path) -> None:
    """The whole line on the smallest data: an agent that has learnt three answers gives them."""
    from opengato.training.arrays import arrays_of
    from opengato.training.demonstrations import run_episode
    from opengato.training.mixture import MixtureConfig
    from opengato.training.trainer import Trainer, TrainerConfig

    card = registry.get("caption/scene")
    env, truth = card.make(), card.make_demonstrator()
    shown = [run_episode(env, truth, seed) for seed in range(3)]
    agent = Agent.new(replace(SMALL, width=64, feedforward=128), seed=0)
    spec = Spec.from_env(env)
    arrays = arrays_of(shown, card.id, card.instruction, agent.codec(spec))
    mixture = MixtureConfig(rows=2, demonstration_prompts=0, instruction_prompts=0)
    config = TrainerConfig(steps=400, learning_rate=6e-3, warmup=20, workers=0, precision="fp32", mixture=mixture)
    Trainer(agent, [arrays], config).run()
    again = Agent.load(agent.save(tmp_path / "agent"))
    answers = [again.policy(spec).act(each.observations[0]) for each in shown]
    assert np.mean([answer == each.actions[0] for answer, each in zip(answers, shown, strict=True)]) == 1.0
