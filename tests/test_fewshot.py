"""Few-shot curves: nested subsets, a lookup that finds what it saw, a study that goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from opengato.agent import Agent, Episode, Spec
from opengato.agent.text import Vocabulary
from opengato.errors import OpengatoError
from opengato.evaluation import evaluate as evaluating
from opengato.evaluation.fewshot import study as module
from opengato.evaluation.fewshot.config import FewshotConfig
from opengato.evaluation.fewshot.nearest import CELLS, NearestAgent, _coarse
from opengato.evaluation.fewshot.study import rows, study
from opengato.evaluation.report import write_report
from opengato.evaluation.report.studies import _mean, studies
from opengato.tasks import registry

from .test_policy import SMALL

SEEN = spaces.Dict(
    {
        "place": spaces.Box(-10, 10, (2,), np.float32),
        "camera": spaces.Box(0, 255, (20, 30, 3), np.uint8),
        "goal": spaces.Text(10),
    }
)
DONE = spaces.Box(-1, 1, (1,), np.float32)
TASK = "gridworld/go-to-red-ball"


def moment(place: float, shade: int, goal: str) -> dict[str, Any]:
    return {
        "place": np.asarray([place, 0], np.float32), "camera": np.full((20, 30, 3), shade, np.uint8), "goal": goal,
    }  # fmt: skip


def test_the_nearest_moment_decides() -> None:
    seen = [moment(-5, 10, "left"), moment(5, 10, "left"), moment(-5, 200, "right"), moment(5, 200, "right")]
    done = [np.asarray([value], np.float32) for value in (-1, -0.5, 0.5, 1)]
    agent = NearestAgent(Spec(SEEN, DONE), [Episode(seen, done, np.zeros(4, np.float32))], Vocabulary.load())
    policy = agent.policy(Spec(SEEN, DONE), batch_size=5)
    policy.reset()
    asked = [moment(4, 20, "left"), None, moment(4, 190, "right"), moment(-4, 20, "right"), moment(-4, 30, "else")]
    acted = policy.act(asked)
    assert acted[1] is None
    # Words decide first: on the right-hand goal the left-hand moments are not asked. An unknown word is no help.
    assert [float(a[0]) for a in acted if a is not None] == [-0.5, 1.0, 0.5, -1.0]


def test_coarse_pictures_are_means_of_cells() -> None:
    image = np.random.default_rng(0).integers(0, 256, (2, 2 * CELLS, 3 * CELLS, 3), np.uint8)
    cells = _coarse(image).reshape(2, CELLS, CELLS)
    assert cells[1, 2, 3] == pytest.approx(image[1, 4:6, 9:12].mean(), rel=1e-4)
    assert _coarse(image[:, :5, :7]).shape == (2, 35)


@pytest.fixture
def config(tmp_path: Path) -> FewshotConfig:
    pytest.importorskip("minigrid")
    Agent.new(SMALL, seed=1).save(tmp_path / "agent")
    return FewshotConfig(
        task=TASK, agent=str(tmp_path / "agent"), demonstrations=[2, 1], series=2, episodes=2, along=1, moments=2,
        steps=4, data_dir=str(tmp_path / "data"), out=str(tmp_path / "out"), prompt="none",
    )  # fmt: skip


def test_a_study_is_nested_goes_on_and_sums_up(config: FewshotConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[tuple[str, int, list[int]]] = []
    learn = module._learn

    def noting(cfg: Any, card: Any, spec: Any, episodes: Any, method: str, series: int) -> Any:
        learnt.append((method, series, [id(episode) for episode in episodes]))
        return learn(cfg, card, spec, episodes, method, series)

    monkeypatch.setattr(module, "_learn", noting)
    card = registry.get(TASK)
    found = study(config, card, lambda _: None)
    assert [(row["method"], row["demonstrations"]) for row in found] == [
        ("generalist", 1), ("scratch", 1), ("nearest", 1), ("generalist", 2), ("scratch", 2), ("nearest", 2),
    ]  # fmt: skip
    assert all(row["n"] == 4 and row["series"] == 2 for row in found)
    by_series = {s: [ids for method, series, ids in learnt if method == "nearest" and series == s] for s in (0, 1)}
    for few, more in by_series.values():
        assert few == more[:1]
    assert by_series[0] != by_series[1]
    assert len(learnt) == 12
    study(config, card, lambda _: None)
    assert len(learnt) == 12  # nothing is done twice
    study(replace(config, demonstrations=[1], episodes=3), card, lambda _: None)
    assert len(learnt) == 18  # other rollouts are another study
    other = replace(config, demonstrations=[1], moments=1, methods=["scratch"])
    assert [row["n"] for row in study(other, card, lambda _: None)] == [4]
    assert len(learnt) == 20  # and so is another way to choose the moment
    apart = rows(json.loads((Path(config.out) / "fewshot.json").read_text())["runs"])
    assert [row["n"] for row in apart if row["demonstrations"] == 1] == [4, 4, 4, 6, 6, 6, 4]
    kept = json.loads((Path(config.out) / "fewshot.json").read_text())
    assert all(run["moment"] in (0, 2, 4) for run in kept["runs"] if run["method"] != "nearest")
    page = write_report([], config.out).read_text()
    assert page.count("<polyline") == 7  # what was made in another way has a curve of its own
    assert TASK in page


@pytest.fixture
def learnt(config: FewshotConfig, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Methods in the order in which they learn; nothing is learnt, and nothing played."""
    found: list[str] = []

    def learn(cfg: Any, card: Any, spec: Any, episodes: Any, method: str, series: int) -> Any:
        found.append(method)
        return None, 0

    monkeypatch.setattr(module, "_learn", learn)
    monkeypatch.setattr(module, "_play", lambda *_: [1.0, 2.0])
    return found


def test_another_agent_without_control_is_another_study(config: FewshotConfig, learnt: list[str]) -> None:
    first = replace(config, methods=["no-control", "scratch"], demonstrations=[1], series=1, without_control="a")
    for again in (first, first, replace(first, without_control="b"), first):
        found = study(again, registry.get(TASK), lambda _: None)
        assert {(row["method"], row["agent"], row["series"]) for row in found} == {
            ("no-control", again.without_control, 1), ("scratch", config.agent, 1),
        }  # fmt: skip
    assert learnt == ["no-control", "scratch", "no-control"]
    study(replace(first, noise=0.1), registry.get(TASK), lambda _: None)
    assert learnt[3:] == ["no-control", "scratch"]


def test_a_prompt_shows_the_best_that_the_learner_was_given(
    config: FewshotConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    shown: list[Any] = []
    learn, make = module._learn, evaluating.make_prompt

    def learning(cfg: Any, card: Any, spec: Any, episodes: Any, method: str, series: int) -> Any:
        given.append(max(episodes, key=lambda episode: episode.total_return))
        return learn(cfg, card, spec, episodes, method, series)

    def making(*facts: Any) -> Any:
        prompt, words = make(*facts)
        shown.append(prompt.episode)
        return prompt, words

    monkeypatch.setattr(module, "_learn", learning)
    monkeypatch.setattr(evaluating, "make_prompt", making)
    study(
        replace(config, prompt="demonstration", methods=["nearest"], episodes=1), registry.get(TASK), lambda _: None
    )  # fmt: skip
    assert [id(episode) for episode in shown] == [id(episode) for episode in given]
    assert len(given) == 4


def test_figures_of_studies_before_are_read_and_shown(root: Path) -> None:
    kept = json.loads((root / "docs" / "results" / "fewshot.json").read_text())
    few = [run for run in kept["runs"] if run["demonstrations"] == 1 and run["task"] == kept["runs"][0]["task"]]
    told = {(row["method"], row["score"]) for row in kept["rows"]}
    assert few
    assert {(row["method"], row["score"]) for row in rows(few)} <= told
    assert "fewshot" in [section["id"] for section in studies(root / "docs" / "results")]


def test_a_pool_makes_separate_studies_nested(config: FewshotConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[str]] = []
    learn = module._learn

    def noting(cfg: Any, card: Any, spec: Any, episodes: Any, method: str, series: int) -> Any:
        drawn.append([repr(episode.actions) + repr(episode.rewards) for episode in episodes])
        return learn(cfg, card, spec, episodes, method, series)

    monkeypatch.setattr(module, "_learn", noting)
    for count in (1, 3):
        alone = replace(config, demonstrations=[count], pool=6, methods=["nearest"], series=3)
        study(alone, registry.get(TASK), lambda _: None)
    assert all(few == more[:1] for few, more in zip(drawn[:3], drawn[3:], strict=True))
    assert len({few[0] for few in drawn[:3]}) > 1
    other = replace(config, demonstrations=[1], pool=4, methods=["nearest"], series=1)
    assert [row["series"] for row in study(other, registry.get(TASK), lambda _: None)] == [1]
    kept = json.loads((Path(config.out) / "fewshot.json").read_text())
    assert [(row["demonstrations"], row["series"]) for row in kept["rows"]] == [(1, 4), (3, 3)]


def test_rows_pool_the_series() -> None:
    run = {"task": "a/b", "method": "scratch", "demonstrations": 3, "returns": [1.0, 3.0], "scores": [10.0, 30.0]}
    row = rows([{**run, "series": 0}, {**run, "series": 1, "returns": [5.0, 7.0], "scores": [50.0, 70.0]}])[0]
    assert (row["mean_return"], row["score"], row["n"], row["runs"]) == (4.0, 40.0, 4, [20.0, 60.0])
    assert row["interval"][0] < 40 < row["interval"][1]
    assert rows([{**run, "series": 0, "scores": [None, None]}])[0]["score"] is None


def test_the_report_has_a_mean_over_what_every_task_has() -> None:
    one = [
        {"method": "scratch", "demonstrations": 1, "score": 140.0, "interval": [134.0, 146.0]},
        {"method": "nearest", "demonstrations": 1, "score": 50.0, "interval": [40.0, 60.0]},
    ]
    other = [{"method": "scratch", "demonstrations": 1, "score": 20.0, "interval": [12.0, 28.0]}]
    assert _mean([one, other], "method", "demonstrations") == [
        {"method": "scratch", "demonstrations": 1, "score": 60.0, "interval": [55.0, 65.0]}
    ]
    single = [{**other[0], "interval": None}]
    assert [(row["score"], row["interval"]) for row in _mean([one, single], "method", "demonstrations")] == [
        (60.0, None)
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"methods": ["magic"]}, "magic.*nearest"),
        ({"methods": ["no-control"]}, "without_control"),
        ({"demonstrations": []}, "demonstrations"),
        ({"demonstrations": [0]}, "from 1 on"),
        ({"series": 0}, "series is 0"),
        ({"steps": 3}, "moments"),
        ({"pool": 1}, "pool is 1.*30 or more"),
    ],
)
def test_settings_without_sense_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(OpengatoError, match=words):
        replace(FewshotConfig(task=TASK), **change).check()
