"""What a demonstrator keeps of its return when its actions have gone through the agent's bins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opengato.errors import OpengatoError
from opengato.evaluation import scores
from opengato.tasks import registry


def test_bins_cost_a_demonstrator_nothing_that_counts(tmp_path: Any) -> None:
    out = scores.measure_references(
        [registry.get("control/cartpole-balance")], 2, tmp_path / "scores.json", max_steps=60
    )
    entry = json.loads(out.read_text())["control/cartpole-balance@60"]
    assert entry["quantised"]["mean"] != entry["expert"]["mean"], "the actions have gone through the bins"
    low, high = entry["quantised"]["lost_interval"]
    assert -2 < low <= entry["quantised"]["lost"] <= high < 2


def test_pictures_that_nobody_looks_at_can_be_left_out(tmp_path: Any) -> None:
    card, found = registry.get("arm/reach-red"), []
    for env in ({}, {"cameras": False}):
        out = scores.measure_references([card], 1, tmp_path / f"{len(env)}.json", max_steps=8, env=env)
        found.append(json.loads(out.read_text())["arm/reach-red@8"])
    assert found[1].pop("env") == {"cameras": False}
    assert found[0] == found[1], "what is measured does not depend on them"
    assert found[0]["random"]["length"] == 8


def test_an_argument_that_an_environment_lacks_is_refused(tmp_path: Any) -> None:
    with pytest.raises(OpengatoError, match=r"gridworld/go-to-local does not take env=\{'cameras': False\}"):
        scores.measure_references(
            [registry.get("gridworld/go-to-local")], 1, tmp_path / "scores.json", env={"cameras": False}
        )
    assert not (tmp_path / "scores.json").exists()


def test_a_demonstrator_that_is_surely_known_plays_fewer_episodes() -> None:
    card = registry.get("control/cartpole-swingup")
    found = scores.measure(card, 12, max_steps=100, within=90.0)
    low, high = found["expert"]["interval"]
    assert high - low <= 0.9 * (found["expert"]["mean"] - found["random"]["mean"])
    assert (found["random"]["n"], found["expert"]["n"]) == (12, 2 * scores.ROUND)
    assert scores.measure(card, 12, max_steps=100)["expert"]["n"] == 12
    no_lead = {"random": {"mean": 10.0}, "expert": {"mean": 10.0, "interval": (9.7, 10.3)}}
    assert not scores._known_within(no_lead, 50.0)
