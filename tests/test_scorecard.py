"""Scores go from results to the card and the README by a command."""

import json
from pathlib import Path

import pytest

from opengato.agent import Agent
from opengato.agents import AgentsConfig, list_
from opengato.errors import OpengatoError
from opengato.evaluation.results import add_results
from opengato.evaluation.scorecard import BEGIN, END, ScorecardConfig, publish

from .test_policy import SMALL


def row(task: str, score: float | None, agent: str, split: str = "train", **more: object) -> dict:
    facts = {"task": task, "family": task.split("/")[0], "split": split, "agent": agent, "stage": "", "seed": 0,
             "prompt": "demonstration", "n": 20, "mean_return": 3.0, "score": score, "max_steps": None,
             "interval": None if score is None else [score - 1, score + 1], "success": None, "random": 0.0,
             "expert": 6.0}  # fmt: skip
    return {**facts, **more}


def test_scores_reach_the_card_and_the_table(tmp_path: Path) -> None:
    agent = str(Agent.new(SMALL).save(tmp_path / "agent"))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    rows = [
        row("a/one", 94.0, agent, seed=7),
        row("a/one", 50.0, agent),
        row("a/two", 30.0, agent, success=0.25),
        row("a/above", 700.0, agent),
        row("b/kept-out", 10.0, agent, "held_out"),
        row("b/none", None, agent),
        row("a/one", 99.0, agent, stage="after"),
        row("a/one", 98.0, agent, max_steps=5),
        row("a/one", 95.0, agent, precision="int8"),
        row("a/one", 97.0, agent, prompt="none"),
        row("a/one", 96.0, "another"),
    ]
    add_results(tmp_path / "out", rows)
    publish(ScorecardConfig(agent, str(tmp_path / "out"), readme=str(readme)))
    card = json.loads((tmp_path / "agent" / "card.json").read_text())
    assert {task: entry.get("score") for task, entry in card["scores"].items()} == {
        "a/one": 50.0, "a/two": 30.0, "a/above": 700.0, "b/kept-out": 10.0, "b/none": None,
    }  # fmt: skip
    assert card["mean_score_of_trained_tasks"] == 60.0, "a score counts for 100 at most"
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "trained tasks: **60.0** [59.5, 60.5]; by family: a 60. Prompt: demonstration; 20 rollouts of 5" in text
    assert "| `a/two` | 3 | 0 | 6 | 25% | 30 [29, 31] |" in text
    assert "| `b/kept-out` (held out) | 3 | 0 | 6 |  | 10 [9, 11] |" in text
    publish(ScorecardConfig(agent, str(tmp_path / "out"), readme=str(readme), table="families"))
    text = readme.read_text()
    assert "trained tasks: **60.0** [59.5, 60.5]. Prompt" in text
    assert "| `a` | 3 | 60 [60, 60] | 2 | 0 |  |" in text
    assert "| `b` | 0 |  |  |  | kept-out 10 |" in text


def test_a_card_says_where_its_scores_were_measured_not_what_came_last(tmp_path: Path) -> None:
    agent = str(Agent.new(SMALL).save(tmp_path / "agent"))
    there, here = {"system": "there"}, {"system": "here"}
    rows = [row(f"a/{name}", 78.5295, agent, commit="old", machine=there) for name in ("one", "two")]
    add_results(tmp_path / "out", [*rows, row("a/three", 78.5295, agent, commit="new", machine=here)])
    add_results(tmp_path / "out", [row("a/one", 5.0, "another", commit="newest", machine=here)])
    publish(ScorecardConfig(agent, str(tmp_path / "out")))
    card = json.loads((tmp_path / "agent" / "card.json").read_text())
    assert card["evaluation"]["measured"] == [
        {"commit": "old", "machine": there, "rows": 2}, {"commit": "new", "machine": here, "rows": 1},
    ]  # fmt: skip


def test_an_agent_without_a_score_on_a_trained_task_has_no_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = str(Agent.new(SMALL).save(tmp_path / "agent"))
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    config = ScorecardConfig(agent, str(tmp_path / "out"), readme=str(readme))
    add_results(tmp_path / "out", [row("a/one", 78.5295, agent)])
    publish(config)
    list_(AgentsConfig([agent]), False)
    assert "mean score 78.5\n" in capsys.readouterr().out
    assert "**78.5**" in readme.read_text()
    add_results(tmp_path / "out", [row("a/one", None, agent), row("b/kept-out", 10.0, agent, "held_out")])
    publish(config)
    assert "No trained task has a score. Prompt" in readme.read_text()
    list_(AgentsConfig([agent]), False)
    assert f"{agent}  " in (told := capsys.readouterr().out)
    assert "mean score" not in told.split(agent)[1]


def test_what_cannot_be_published_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    agent = str(Agent.new(SMALL).save(tmp_path / "agent"))
    add_results(tmp_path / "out", [row("a/one", 50.0, agent)])
    with pytest.raises(OpengatoError, match="no rows of agent 'generalist'"):
        publish(ScorecardConfig("generalist", str(tmp_path / "out")))
    readme = tmp_path / "README.md"
    readme.write_text("no place")
    with pytest.raises(OpengatoError, match="has no single"):
        publish(ScorecardConfig(agent, str(tmp_path / "out"), readme=str(readme)))
    assert "scores" not in json.loads((tmp_path / "agent" / "card.json").read_text())
