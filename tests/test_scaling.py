"""Scores over positions seen: a study that goes on where it stopped, and its curves in a report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from opengato.errors import OpengatoError
from opengato.evaluation import scaling as module
from opengato.evaluation.report import write_report
from opengato.evaluation.scaling import ScalingConfig, rows, study
from opengato.tasks import registry
from opengato.training.collect import CollectConfig, collect

TASK, HELD_OUT = "gridworld/go-to-red-ball", "gridworld/pickup-dist"


@pytest.fixture
def config(tmp_path: Path) -> ScalingConfig:
    pytest.importorskip("minigrid")
    data = str(tmp_path / "data")
    collect(CollectConfig(tasks=[TASK], episodes=2, data_dir=data))
    return ScalingConfig(
        tasks=[TASK], models=["pico", "micro"], positions=[256, 512], rows=1, episodes=2, data_dir=data,
        out=str(tmp_path / "out"),
    )  # fmt: skip


def test_a_study_goes_on_where_it_stopped(config: ScalingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [registry.get(TASK), registry.get(HELD_OUT)]  # the second is held out, so left out
    play, played = module._play, []

    def falling(*arguments: object) -> list[module.Row]:
        played.append(arguments)
        if len(played) == 2:
            raise KeyboardInterrupt
        return play(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_play", falling)
    with pytest.raises(KeyboardInterrupt):
        study(config, cards)
    found = study(config, cards)
    assert [(row["model"], row["positions"], row["task"], row["n"]) for row in found] == [
        (model, positions, TASK, 2) for model in config.models for positions in config.positions
    ]
    assert len(played) == 5  # four moments, one of them asked for twice
    assert found[0]["parameters"] < found[2]["parameters"]
    state = json.loads((Path(config.out) / "scaling.json").read_text("utf-8"))
    assert {(run["model"], run["positions"]) for run in state["runs"]} == {
        (model, positions) for model in config.models for positions in config.positions
    }
    page = write_report([], config.out, "scaling", config).read_text("utf-8")
    assert "Score over positions seen" in page
    assert page.count("pico, ") > 1
    with pytest.raises(OpengatoError, match="another out"):
        study(replace(config, rows=2), cards)
    study(config, cards)
    assert len(played) == 5


def test_bad_settings_are_refused(config: ScalingConfig) -> None:
    cards = [registry.get(TASK)]
    for wrong, word in (
        (replace(config, positions=[100]), "legal: numbers from 128 on"),
        (replace(config, models=["giant"]), "giant"),
        (replace(config, seeds=0), "seeds is 0"),
    ):
        with pytest.raises(OpengatoError, match=word):
            study(wrong, cards)
    with pytest.raises(OpengatoError, match="opengato collect"):
        study(config, [registry.get(HELD_OUT)])


def test_seeds_are_summed_up() -> None:
    one = {"model": "pico", "parameters": 5, "positions": 9, "task": TASK, "scores": [0.0, 50.0], "returns": [1, 2]}
    found = rows([{**one, "seed": 0}, {**one, "seed": 1, "scores": [100.0, 50.0]}])
    assert [(row["score"], row["seeds"], row["n"]) for row in found] == [(50.0, 2, 4)]
    low, high = found[0]["interval"]
    assert low < 50 < high
