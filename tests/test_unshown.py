"""Gaps of the demonstrations: found by counting, and not held against the agent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.agent.episode import Episode
from opengato.agent.gaps import chosen_among, unevenness
from opengato.agent.spec import Spec
from opengato.envs.caption.scenes import HELD_OUT, SCENE_COLORS
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
    told = {context[-1]: gap for context, gap in found.gaps.items()}
    for color, shape in HELD_OUT:
        assert told[word[color]] == {word[shape]}
        assert {agent.vocabulary.encode(f"a {other}")[-1] for other in SCENE_COLORS} - {word[color]} <= set(
            found.peers[word[color]]
        )


def test_a_word_of_a_gap_is_neither_wanted_nor_unwanted(agent: Agent, captions: TaskArrays) -> None:
    plain, spared = (
        Mixture([captions], agent.model.config, MixtureConfig(rows=2, demonstration_prompts=0, unshown=unshown), seed=0)
        for unshown in ({}, {"caption/*": 2})
    )
    agent.model.eval()
    one, two = plain.batch(0), spared.batch(0)
    assert torch.equal(one.laid.word_targets[0].ids, two.laid.word_targets[0].ids)
    assert (one.laid.word_targets[0].unshown < 0).all()
    losses, other = agent.model.losses(one)[0], agent.model.losses(two)[0]
    chosen = (two.laid.word_targets[0].unshown >= 0).any(1)
    assert 0 < chosen.sum() < len(chosen)
    torch.testing.assert_close(losses[~chosen], other[~chosen])
    assert (other[chosen] < losses[chosen]).all(), "sharing a choice with fewer words is easier"


def test_the_choice_leaves_out_the_words_of_the_gap() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]], requires_grad=True)
    losses = chosen_among(scores, torch.tensor([0, 1]), torch.tensor([[3, 1, -1], [-1, -1, -1]]))
    np.testing.assert_allclose(
        losses.detach(), [np.log(1 + np.exp(2)), np.log(sum(np.exp(np.arange(1, 5)))) - 2], rtol=1e-6
    )
    losses[0].backward()
    assert scores.grad is not None
    assert not scores.grad[0, [1, 3]].any()


def test_a_gap_is_drawn_to_where_its_word_is_elsewhere() -> None:
    """Word 1 is right throughout; word 2 was never shown with the first five, and with the others it is far behind."""
    far = torch.tensor([1.5, 5.5, 3.0, 2.0, 3.0])
    scores = torch.zeros(10, 3)
    scores[:5, 2] = torch.tensor([3.0, 4.0, 5.0, 3.0, 5.0])  # it drifted ahead
    scores[5:, 2] = -far
    scores.requires_grad_()
    gaps = torch.tensor([[2]] * 5 + [[-1]] * 5)
    right, asked = torch.ones(10, dtype=torch.long), torch.ones(10, dtype=torch.bool)
    losses = unevenness(scores, right, gaps, asked)
    deviations = 3 / float(far.std()) * float(scores[:5, 2].std())
    np.testing.assert_allclose(losses.detach(), [(4 + min(3.0, deviations)) ** 2] * 5 + [0] * 5, rtol=1e-5)
    losses.sum().backward()
    assert scores.grad is not None
    assert (scores.grad[:5, 2] > 0).all()
    assert not scores.grad[5:].any()
    assert not unevenness(scores, right, gaps, asked & (torch.arange(10) > 2)).any(), "two say nothing of a mean"
    farther = unevenness(scores * torch.tensor([1, 1, 9]), right, gaps, asked).detach()
    np.testing.assert_allclose(farther[:5], [(36 + 5) ** 2] * 5, rtol=1e-5)


def test_words_that_make_the_difference_are_misread(agent: Agent, captions: TaskArrays) -> None:
    found = Unshown(captions, 2, agent.vocabulary.end_id)
    steps, rng = captions.episode(0), np.random.default_rng(0)
    gaps = found.of(steps)
    assert found.misread(steps, gaps, 0.0, rng).replies == steps.replies
    read = found.misread(steps, gaps, 1.0, rng).replies
    assert steps.replies is not None
    assert read is not None
    pairs = [pair for pair in zip(steps.replies[0], read[0], strict=True) if pair[0] != pair[1]]
    assert pairs
    assert all(other in found.peers[word] for word, other in pairs)
    assert len(pairs) == sum(word in found.peers for word in steps.replies[0])


def test_a_question_is_misread_where_its_answer_has_a_gap(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unshown, "OFTEN", 8)
    questions = demonstrations(agent, "dialogue/scene", 900)
    found, rng = Unshown(questions, 13, agent.vocabulary.end_id), np.random.default_rng(0)
    colors = {agent.vocabulary.encode(f"a {name}")[-1] for name in SCENE_COLORS}
    changed = 0
    for episode in range(60):
        steps = questions.episode(episode)
        gaps = found.of(steps)
        (before,), (after,) = steps.texts.values(), found.misread(steps, gaps, 1.0, rng).texts.values()
        assert steps.replies is not None
        end = np.cumsum([len(reply) + 1 for reply in steps.replies])
        for number, (one, two) in enumerate(zip(before, after, strict=True)):
            other = [pair for pair in zip(one, two, strict=True) if pair[0] != pair[1]]
            assert not other or any(gaps[end[number] - len(steps.replies[number]) - 1 : end[number]])
            assert all(b in found.peers[a] for a, b in other)
            changed += any(a in colors and b in colors for a, b in other)
    assert changed > 10


def test_what_is_misread_is_still_what_is_to_be_said(agent: Agent, captions: TaskArrays) -> None:
    config = MixtureConfig(rows=1, demonstration_prompts=0, instruction_prompts=0, unshown={"caption/*": 2})
    plain, misread = (
        Mixture([captions], agent.model.config, replace(config, misread=share), seed=0).batch(0).laid
        for share in (0.0, 1.0)
    )
    a, color, shape = plain.word_targets[0].ids[:3].tolist()
    assert misread.word_targets[0].ids[:3].tolist() == [a, color, shape]
    began = plain.words[0].ids.tolist().index(a)
    assert plain.words[0].ids[began : began + 3].tolist() == [a, color, shape]
    as_read = misread.words[0].ids[began : began + 3].tolist()
    assert as_read[1] != color
    assert [as_read[0], as_read[2]] == [a, shape]


def test_short_contexts_that_many_questions_end_in_are_no_gaps(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever "all?" may be followed by elsewhere: how many objects there are in all is never "one" here."""
    monkeypatch.setattr(unshown, "OFTEN", 8)  # these are a fiftieth of the questions that an agent is trained on
    questions = demonstrations(agent, "dialogue/scene", 900)
    found = Unshown(questions, 13, agent.vocabulary.end_id)
    assert found.shortest == 6
    assert min(map(len, found.gaps)) >= 6
    asked = {name: agent.vocabulary.encode(f"a {name}")[-1] for name in ("all", "red")}
    answer = {name: agent.vocabulary.encode(name)[0] for name in ("one", "zero", "cylinder")}
    totals = [gap for context, gap in found.gaps.items() if asked["all"] in context[-3:]]
    assert not any({answer["one"], answer["zero"]} & gap for gap in totals)
    shapes = [gap for context, gap in found.gaps.items() if asked["red"] in context[-4:]]
    assert any(answer["cylinder"] in gap for gap in shapes)  # the pair that no scene shows is still one
    monkeypatch.setattr(unshown, "max", lambda *_: 2, raising=False)  # looking at the shortest contexts, too
    loose = Unshown(questions, 13, agent.vocabulary.end_id).gaps
    totals = [gap for context, gap in loose.items() if asked["all"] in context[-3:]]
    assert any(answer["one"] in gap for gap in totals)  # which is what went wrong
