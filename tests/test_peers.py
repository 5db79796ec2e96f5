"""Ours beside a peer: orders and answers, what is reported, what a borrowed learner gets, and what its failure says."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.benchmarks import ours, peers
from opengato.benchmarks.imitation import ImitationConfig, imitation
from opengato.benchmarks.peers import borrowed
from opengato.errors import OpengatoError, UnknownNameError

WORKER = Path(peers.__file__).parent
# A peer whose every update takes 2 s for 10 timesteps, and every action 1 s, half a second at the start of an episode.
SIDE = f"""
import sys
sys.path.insert(0, {str(WORKER)!r})
from worker import serve

class Side:
    def facts(self): return {{"source": sys.argv[1]}}
    def update(self, step): print("noise"); return 2.0, 10
    def fill(self, _): return 3
    def act_full(self, _): return 1.0
    def act_empty(self, _): return 0.5

serve(Side())
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> peers.PeersConfig:
    """Of a peer that is no model at all, beside a small one of ours."""
    (tmp_path / "told_side.py").write_text(SIDE)
    monkeypatch.setitem(peers.SIDES, "told", tmp_path / "told_side.py")
    monkeypatch.setitem(ours.MODELS, "default", replace(ours.MODELS["default"], blocks=1, width=64, feedforward=64))
    return peers.PeersConfig("told", str(tmp_path), sys.executable, rounds=2, updates=1, actions=3)


def test_ratios_are_of_what_both_sides_took(config: peers.PeersConfig, tmp_path: Path) -> None:
    found = peers.measure(config)
    assert found["facts"] == {"source": str(tmp_path)}
    rate, seconds = found["training"]["timesteps_per_s"], found["acting"]["seconds"]
    assert rate["peer"] == 5.0
    assert (seconds["peer_empty"]["p50"], seconds["peer_full"]["p50"]) == (0.5, 1.0)
    assert seconds["ours_full"]["n"] == 6  # the first round is a rehearsal
    assert found["ratios"]["train"] == pytest.approx(rate["ours"] / 5, rel=1e-3)
    assert found["ratios"]["action_full"] == pytest.approx(seconds["ours_full"]["p50"], abs=1e-3)
    assert "| training, timesteps/s |" in peers.table(found)
    json.dumps(found)


def test_what_a_user_can_mend_is_said(config: peers.PeersConfig, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="jat"):
        peers.measure(replace(config, peer="jot"))
    with pytest.raises(OpengatoError, match="no folder"):
        peers.measure(replace(config, source=str(tmp_path / "absent")))
    with pytest.raises(OpengatoError, match="does not start"):
        peers.measure(replace(config, python=str(tmp_path / "no-python")))


def test_a_side_that_ends_is_quoted(config: peers.PeersConfig) -> None:
    peers.SIDES["told"].write_text("raise RuntimeError('no transformers here')")
    with pytest.raises(OpengatoError, match="no transformers here"):
        peers.measure(config)


LEARNER = f"""
import sys
sys.path.insert(0, {str(WORKER)!r})
import numpy as np
from worker import serve

class Learner:
    def facts(self): return {{}}
    def fit(self, order):
        told = np.load(order["file"])
        self.action = told["actions"].max(0).tolist()
        assert told["observations"].shape[0] == told["actions"].shape[0] == told["starts"][-1]
        return 7
    def reset(self, _): pass
    def act(self, observations): return [self.action for _ in observations]

serve(Learner())
"""


def test_a_borrowed_learner_gets_the_demonstrations_and_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "learner.py").write_text(LEARNER)
    monkeypatch.setattr(borrowed, "LEARNER", tmp_path / "learner.py")
    arrays = ours.demonstrations(Agent.new(preset("nano")), episodes=2)
    learner = borrowed.Borrowed(arrays.codec, sys.executable, "act")
    assert learner.fit(arrays, 1.0, 0) == 7
    first, none = learner.act([np.zeros(ours.OBSERVED, np.float32), None])
    learner.close()
    assert none is None
    assert arrays.steps.actions is not None
    np.testing.assert_allclose(first, np.asarray(arrays.steps.actions).max(0), atol=0.01)


def test_only_bodies_of_numbers_are_lent() -> None:
    arrays = ours.demonstrations(Agent.new(preset("nano")), pictures=True, episodes=2)
    with pytest.raises(OpengatoError, match="continuous numbers"):
        borrowed.Borrowed(arrays.codec, sys.executable, "act")


def test_a_side_of_lerobot_asks_for_its_python() -> None:
    with pytest.raises(OpengatoError, match="lerobot="):
        imitation(ImitationConfig(sides=["act"]))
