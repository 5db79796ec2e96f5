"""The study of prompts: paired seeds, resumed where it was, a table that says what was found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.errors import OpengatoError
from opengato.evaluation import prompt_study
from opengato.evaluation.prompt_study import PromptsConfig, differences, study, table


def test_every_prompt_is_played_on_the_same_seeds_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Agent.new(preset("nano")).save(tmp_path / "agent")
    config = PromptsConfig(
        agent=str(tmp_path / "agent"), episodes=3,
        tasks=["gridworld/go-to-obj-s4", "gridworld/go-to-red-ball-no-dists"],
        data_dir=str(tmp_path / "data"), out=str(tmp_path / "out"),
    )  # fmt: skip
    found = study(config)
    assert len(found["rows"]) == 10
    assert len({tuple(row["scores"]) for row in found["rows"]}) == 1, "the same seeds"
    assert {row["task"] for row in found["differences"]} == set(config.tasks)
    wrong = [row["prompt_text"] for row in found["rows"] if row["prompt"] == "wrong"]
    assert wrong == [f"a demonstration of {task}" for task in reversed(config.tasks)], "of the other one, the same body"
    assert table(found).count("\n") == 3

    monkeypatch.setattr(prompt_study, "evaluate", lambda *_, **__: pytest.fail("it was played already"))
    assert study(config)["rows"] == found["rows"]


def test_a_difference_is_taken_seed_by_seed() -> None:
    rows = [
        {"task": "a/b", "prompt": "demonstration", "scores": {"1": 10.0, "2": 50.0, "3": 90.0}},
        {"task": "a/b", "prompt": "wrong", "scores": {"2": 40.0, "3": 80.0, "1": 0.0}},
    ]
    (found,) = differences(rows)
    assert found["difference"] == 10.0
    assert found["interval"] is None, "three alike say little"


def test_what_another_study_found_is_not_thrown_away(tmp_path: Path) -> None:
    file = tmp_path / prompt_study.RESULTS
    file.write_text(json.dumps({"settings": {"agent": "generalist", "episodes": 200, "seed": 0}, "rows": [{}]}))
    before = file.read_text()
    config = PromptsConfig(tasks=["gridworld/go-to-obj-s4"], out=str(tmp_path))
    with pytest.raises(OpengatoError, match=r"was made with .*200.*Next: another out"):
        study(config)
    assert file.read_text() == before
    with pytest.raises(OpengatoError, match="no tasks given"):
        study(replace(config, tasks=[]))
