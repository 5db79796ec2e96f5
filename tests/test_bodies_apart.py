"""Bodies whose slots are the same keep their own facts; an agent's folder and the list of models hold together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from opengato.agent import Agent, Spec
from opengato.agent.config import PRESETS
from opengato.agent.layout import Layout
from opengato.agent.pieces import Pieces
from opengato.agent.text import Vocabulary
from opengato.listing import ListConfig, list_

from .test_policy import SMALL

SEEN = spaces.Box(-1, 1, (2,), np.float32)


def test_bodies_whose_slots_collide_keep_their_own_actions() -> None:
    """One has seven buttons, one three, one none but a number: in one batch each loses what it loses alone."""
    agent = Agent.new(replace(SMALL, slots=1, own_actions=True), seed=1)
    agent.model.eval()
    both, alone = Pieces(1), []
    for at, action in enumerate((spaces.Discrete(7), spaces.Discrete(3), spaces.Box(-1, 1, (1,), np.float32))):
        action.seed(0)
        spec = Spec(SEEN, action)
        layout, codec = Layout(spec, agent.model.config), agent.codec(spec)
        done = 6 if at == 0 else action.sample()  # the last of seven, which three have not
        steps = codec.episode([np.zeros(2, np.float32)], [done])
        for pieces in (both, single := Pieces(1)):
            pieces.add(layout, codec, steps, np.asarray([2 * at if pieces is both else 0]), task=at, weight=1.0)
        (target,) = single.done().targets
        alone.append(target)
        agent.model.embedding(single.done(), 2)
    laid = both.done()
    assert [(t.discrete.tolist(), t.classes.tolist()) for t in laid.targets] == [
        (t.discrete.tolist(), t.classes.tolist()) for t in alone
    ]
    assert len([each for each in laid.numbers if each.action]) == 3
    assert torch.isfinite(agent.model.embedding(laid, 6)).all()


def test_a_vocabulary_that_was_is_whole_until_another_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Agent.new(SMALL).save(tmp_path / "agent")
    vocabulary, whole = Vocabulary.load(), (folder / "vocabulary.json").read_bytes()

    class Torn:
        def save(self, path: str) -> None:
            Path(path).write_text("{")
            raise OSError("the disk is full")

    monkeypatch.setattr(vocabulary, "_tokenizer", Torn())
    with pytest.raises(OSError, match="full"):
        vocabulary.save(folder / "vocabulary.json")
    assert (folder / "vocabulary.json").read_bytes() == whole
    Vocabulary.load(folder / "vocabulary.json").save(folder / "again.json")
    assert not list(folder.glob("again.part"))


def test_all_models_are_listed() -> None:
    found = {row["model"]: row for row in list_(ListConfig(what="models"), as_json=True)}
    assert found.keys() == PRESETS.keys()
    assert 0.9e9 < found["1b"]["in_blocks"] < found["1b"]["parameters"] < 1.5e9
