"""Gaps of the demonstrations: found by counting, and not held against the agent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.agent.episode import Episode
from opengato.agent.model import _chosen
from opengato.agent.spec import Spec
from opengato.envs.caption.scenes import HELD_OUT
from opengato.tasks import registry
from opengato.training import unshown
from opengato.training.arrays import TaskArrays, arrays_of
from opengato.training.demonstrations import run_episode
from opengato.training.mixture import Mixture, MixtureConfig
from opengato.training.unshown import Unshown


def demonstrations(agent: Agent, task: str, count: int) -> TaskArrays:
    card = registry.get(task)
    env, demonstrator = card.make(), card.make_demonstrator()
    episodes: list[Episode] = [run_episode(env, demonstrator, seed) for seed in range(count)]
    return arrays_of(episodes, task, card.instruction, agent.codec(Spec.from_env(env)))


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent.new(replace(preset("nano"), window=96), seed=0)


@pytest.fixture(scope="module")
def captions(agent: Agent) -> TaskArrays:
    return demonstrations(agent, "caption/scene", 700)


def test_the_gaps_are_the_pairs_that_no_scene_shows(agent: Agent, captions: TaskArrays) -> None:
    found = Unshown(captions, 2, agent.vocabulary.end_id)
    word = {name: agent.vocabulary.encode(f"a {name}")[-1] for pair in HELD_OUT for name in pair}
    told = {context[-1]: gap for context, (_, gap) in found.gaps.items()}
    for color, shape in HELD_OUT:
        assert told[word[color]] == {word[shape]}


def test_a_word_of_a_gap_is_neither_wanted_nor_unwanted(agent: Agent, captions: TaskArrays) -> None:
    plain, spared = (
        Mixture([captions], agent.model.config, MixtureConfig(rows=2, demonstration_prompts=0, unshown=unshown), seed=0)
        for unshown in ({}, {"caption/*": 2})
    )
    agent.model.eval()
    one, two = plain.batch(0), spared.batch(0)
    assert torch.equal(one.laid.word_targets[0].ids, two.laid.word_targets[0].ids)
    assert (one.laid.word_targets[0].shown < 0).all()
    losses, other = agent.model.losses(one)[0], agent.model.losses(two)[0]
    chosen = (two.laid.word_targets[0].unshown >= 0).any(1)
    assert 0 < chosen.sum() < len(chosen)
    torch.testing.assert_close(losses[~chosen], other[~chosen])
    assert (other[chosen] < losses[chosen]).all(), "sharing a choice with fewer words is easier"


def test_the_choice_is_between_the_words_that_were_shown() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]], requires_grad=True)
    ids = torch.tensor([[0, 2, -1], [-1, -1, -1]])
    found = _chosen(scores, ids, scores[:, 1])
    np.testing.assert_allclose(found.detach(), [np.log(np.exp(1) + np.exp(3)), 2.0], rtol=1e-6)
    assert float(_chosen(scores, ids, None)[1].detach()) < -1e8


def test_short_contexts_that_many_questions_end_in_are_no_gaps(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever "all?" may be followed by elsewhere: how many objects there are in all is never "one" here."""
    monkeypatch.setattr(unshown, "OFTEN", 8)  # these are a fiftieth of the questions that an agent is trained on
    questions = demonstrations(agent, "dialogue/scene", 900)
    found = Unshown(questions, 13, agent.vocabulary.end_id)
    assert found.shortest == 6
    assert min(map(len, found.gaps)) >= 6
    asked = {name: agent.vocabulary.encode(f"a {name}")[-1] for name in ("all", "red")}
    answer = {name: agent.vocabulary.encode(name)[0] for name in ("one", "zero", "cylinder")}
    totals = [gap for context, (_, gap) in found.gaps.items() if asked["all"] in context[-3:]]
    assert not any({answer["one"], answer["zero"]} & gap for gap in totals)
    shapes = [gap for context, (_, gap) in found.gaps.items() if asked["red"] in context[-4:]]
    assert any(answer["cylinder"] in gap for gap in shapes)  # the pair that no scene shows is still one
    monkeypatch.setattr(unshown, "max", lambda *_: 2, raising=False)  # looking at the shortest contexts, too
    loose = Unshown(questions, 13, agent.vocabulary.end_id).gaps
    totals = [gap for context, (_, gap) in loose.items() if asked["all"] in context[-3:]]
    assert any(answer["one"] in gap for gap in totals)  # which is what went wrong
