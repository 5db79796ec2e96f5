"""What `results.json` keeps apart, which rows may stand in one mean, and what no evaluation overwrites."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation import demo as module
from opengato.evaluation.cider import cider
from opengato.evaluation.demo import DemoConfig, demo
from opengato.evaluation.evaluate import EvaluateConfig, _make_stage, evaluate
from opengato.evaluation.policies import RandomPolicy
from opengato.evaluation.results import add_results, alike, digest, ordinary, places, read_results
from opengato.evaluation.rollout import Stage
from opengato.evaluation.transcript import Turn
from opengato.tasks import registry

from .test_evaluation import Walk, forward

ROW = {"agent": "generalist", "task": "a/b", "stage": "", "prompt": "none", "seed": 0, "max_steps": None}


def test_rows_of_another_precision_are_kept_apart(tmp_path: Path) -> None:
    add_results(tmp_path, [{**ROW, "n": 1}])  # an older file's, which does not say
    add_results(tmp_path, [{**ROW, "n": 2, "precision": "int8"}])
    assert [row["n"] for row in read_results(tmp_path)] == [1, 2]
    add_results(tmp_path, [{**ROW, "n": 3, "precision": "fp32"}])
    assert [row["n"] for row in read_results(tmp_path)] == [2, 3]


def test_rows_in_one_mean_were_played_alike() -> None:
    whole, cut = dict(ROW), {**ROW, "max_steps": 50}
    light, wrong = {**ROW, "precision": "int8"}, {**ROW, "disturbance": {"noise": 0.1}}
    rest = [cut, light, wrong, {**wrong, "disturbance": {"noise": 0.2}}, {**wrong, "task": "a/c"}]
    assert alike([*rest, whole]) == [whole]
    assert alike(rest) == [light], "the nearest to what is ordinary"
    assert alike(rest[2:]) == [wrong, rest[-1]], "the disturbance of most rows, and no other"
    assert alike([]) == []
    assert [ordinary(row) for row in (whole, *rest)] == [True] + [False] * 5


def test_rows_say_where_they_were_measured() -> None:
    rows = [{**ROW, "commit": "one", "machine": {"cores": 2}}, ROW, ROW]
    about = {"commit": "two", "machine": {"cores": 4}}
    assert places(rows, about) == [{**about, "rows": 2}, {"commit": "one", "machine": {"cores": 2}, "rows": 1}]
    assert places([ROW], {}) == []


class Some:
    """An agent that acts at random."""

    def policy(self, spec: Any, prompt: Any = None, batch_size: int = 1, seed: int = 0) -> Any:
        return RandomPolicy(spec.action_space, batch_size, seed)


@pytest.fixture
def config(tmp_path: Path, fresh_registry: None) -> EvaluateConfig:
    registry.register("lab/walk", demonstrator=forward, success="arrives", instruction="walk to the goal")(Walk)
    return EvaluateConfig(
        agent="one/agent", tasks=["lab/walk"], episodes=1, max_steps=4, prompt="none", data_dir=str(tmp_path / "data"),
        out=str(tmp_path / "out"),
    )  # fmt: skip


def test_no_video_is_written_over_another_rows(config: EvaluateConfig) -> None:
    changes: tuple[dict[str, Any], ...] = (
        {}, {"agent": "two/agent"}, {"seed": 1}, {"max_steps": 5}, {"precision": "int8"}, {"disturbance": {"noise": 1}},
    )  # fmt: skip
    stems = []
    for change in (*changes, {}):
        with _make_stage(replace(config, video=1, **change), registry.get("lab/walk")) as stage:
            assert isinstance(stage, Stage)
            assert stage.film is not None
            stems.append(stage.film.stem)
    assert len(set(stems)) == len(changes)
    assert stems[0] == stems[-1], "its own elder's it takes the place of"
    (row,) = evaluate(config, agent=Some())
    assert stems[0] == f"lab-walk-agent-none-{digest(row)}"
    assert row["precision"] == "fp32"
    assert row["machine"]["system"]


def test_an_unknown_stage_is_refused(config: EvaluateConfig) -> None:
    with pytest.raises(UnknownNameError, match="befor.*before"):
        evaluate(replace(config, stage="befor"), agent=Some())
    assert not Path(config.out).exists()


@pytest.mark.parametrize("change", [{"task": "control/no-such"}, {"finetune_episodes": 0}, {"agent": "no-such"}])
def test_a_demo_that_cannot_be_leaves_results_alone(
    change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "evaluate", lambda *_: pytest.fail("played before all was looked at"))
    add_results(tmp_path, [ROW])
    before = (tmp_path / "results.json").read_text()
    config = DemoConfig(tasks=["control/cartpole-balance"], task="control/cartpole-swingup", out=str(tmp_path))
    with pytest.raises(OpengatoError):
        demo(replace(config, **change))
    assert (tmp_path / "results.json").read_text() == before
    assert json.loads(before)["results"] == [ROW]


def test_one_caption_has_no_cider() -> None:
    pytest.importorskip("pycocoevalcap")
    turn = Turn("", "a red cup on a table", "a red cup on a table", 1.0, True)
    assert cider([turn]) is None
    other = replace(turn, said="two dogs run over grass", expected="two dogs run over grass")
    assert cider([turn, other]) == pytest.approx(10.0)
