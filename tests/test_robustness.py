"""The sheet holds every level once, knows what can go wrong with a body, and goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from opengato.errors import OpengatoError
from opengato.evaluation import robustness
from opengato.evaluation.evaluate import EvaluateConfig
from opengato.evaluation.results import read_results
from opengato.tasks import registry


@pytest.mark.parametrize(
    ("task", "wrong"),
    [
        ("arm/lift-red", ["delay", "noise", "mass", "friction", "camera", "dropped"]),
        ("caption/scene", ["noise", "camera"]),
        ("control/cartpole-balance", ["delay", "noise", "mass", "friction", "dropped"]),
        ("control-large/walker-walk", ["delay", "noise", "mass", "friction", "dropped"]),
        ("bullet/hopper", ["delay", "noise", "mass", "friction", "dropped"]),
        ("gridworld/go-to-local", ["delay", "dropped"]),
    ],
)
def test_what_can_go_wrong(task: str, wrong: list[str]) -> None:
    assert robustness.kinds(registry.get(task)) == wrong


def test_a_sheet_is_whole_and_played_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = EvaluateConfig(
        agent="random", tasks=["control/cartpole-balance"], episodes=2, max_steps=5, out=str(tmp_path),
        robustness="sheet", data_dir=str(tmp_path / "data"),
    )  # fmt: skip
    rows = robustness.sheet(config)
    assert {(row["kind"], row["level"]) for row in rows} >= {("delay", 0), ("delay", 200), ("noise", 0.1)}
    assert len({(row["kind"], row["level"]) for row in rows}) == len(rows)
    assert all(row["n"] == 2 for row in rows)
    kept = json.loads((tmp_path / robustness.FILE).read_text())["rows"]
    assert len(kept) == len(rows)
    text = (tmp_path / "report.html").read_text()
    kinds = {row["kind"] for row in rows if row["score"] is not None}
    assert text.count('<svg class="curves"') == len(kinds) >= 3
    undisturbed = read_results(tmp_path)
    assert [row["disturbance"] for row in undisturbed] == [{}]

    def never(*_: object) -> None:
        raise AssertionError("played again")

    monkeypatch.setattr(robustness, "evaluate", never)
    assert [row["score"] for row in robustness.sheet(config)] == [row["score"] for row in rows]
    with pytest.raises(AssertionError, match="played again"):
        robustness.sheet(replace(config, precision="int8"))


def test_without_tasks_it_is_those_of_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = SimpleNamespace(card={"tasks": ["dialogue/smalltalk", "control/cartpole-balance"]})
    played: list[str] = []

    def play(config: EvaluateConfig, *_: object) -> list[dict[str, object]]:
        played.extend(config.tasks)
        row = {"task": config.tasks[0], "agent": "x", **dict.fromkeys(robustness.KEPT)}
        return [row]

    monkeypatch.setattr(robustness, "evaluate", play)
    monkeypatch.setattr(robustness, "write_report", lambda *_: None)
    monkeypatch.setattr(robustness, "read_results", lambda _: [])
    rows = robustness.sheet(EvaluateConfig(agent="x", out=str(tmp_path), robustness="sheet"), agent=agent)
    assert {row["task"] for row in rows} == set(played) == {"control/cartpole-balance"}


@pytest.mark.parametrize(
    ("tasks", "told"), [([], "no tasks given"), (["dialogue/smalltalk"], "nothing can be disturbed in dialogue/small")]
)
def test_a_sheet_of_nothing_is_refused(tmp_path: Path, tasks: list[str], told: str) -> None:
    with pytest.raises(OpengatoError, match=told):
        robustness.sheet(EvaluateConfig(agent="random", tasks=tasks, out=str(tmp_path), robustness="sheet"))
    assert not list(tmp_path.iterdir())


def test_another_sheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpengatoError, match="sheet"):
        robustness.sheet(EvaluateConfig(tasks=["arm/lift-red"], out=str(tmp_path), robustness="table"))
