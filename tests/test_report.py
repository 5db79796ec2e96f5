"""The report: one file that needs nothing, says what the rows say, and lets no name break the page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opengato.evaluation import provenance, video
from opengato.evaluation.report import charts, studies, words, write_report
from opengato.evaluation.report.curves import Panel
from opengato.evaluation.report.duel import duel
from opengato.evaluation.report.page import _pairs, _prompts, headline, main_rows

VOID = {"meta", "link", "br", "source", "input", "img"}


def make_row(task: str, score: float | None, **facts: Any) -> dict[str, Any]:
    n = 10
    values = [None if score is None else score + 3 * np.sin(i) for i in range(n)]
    row = {
        "task": task, "family": task.split("/")[0], "split": "train", "instruction": "do it", "agent": "generalist",
        "stage": "", "prompt": "demonstration", "prompt_text": "a demonstration", "n": n, "mean_return": 5.0,
        "return_interval": [4.0, 6.0], "score": score, "interval": None if score is None else [score - 2, score + 2],
        "success": None, "success_interval": None, "random": 0.0, "expert": 10.0, "published": None,
        "published_score": None, "steps": 1000, "errors": [], "videos": [],
        "episodes": [{"seed": i, "return": 1.0, "length": 5, "score": v} for i, v in enumerate(values)],
    }  # fmt: skip
    return {**row, **facts}


class Balance(HTMLParser):
    """Checks that every element is closed in order and collects what would load something from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        links = [value or "" for name, value in attrs if name in ("src", "href", "poster")]
        self.outside += [link for link in links if not link.startswith(("#", "data:"))]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(path: Path) -> tuple[str, Balance]:
    text, parser = path.read_text(encoding="utf-8"), Balance()
    parser.feed(text)
    assert parser.open == []
    return text, parser


@pytest.fixture
def clip(tmp_path: Path) -> dict[str, Any]:
    writer = video.Mp4Writer(tmp_path / "a.mp4", 32, 32, 10.0)
    for _ in range(5):
        writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.close()
    facts = {"seconds": 0.5, "speed": 1.0, "seed": 1, "return": 3.5, "length": 5, "success": True}
    return {"path": "a.mp4", "poster": "a.jpg", "width": 32, "height": 32, **facts}


def test_a_full_report_stands_alone(tmp_path: Path, clip: dict[str, Any]) -> None:
    turn = {"asked": "what?", "said": "that", "expected": "this", "reward": 0.0, "right": False}
    rows = [
        make_row("arm/lift", 80.0, videos=[clip], success=0.9, success_interval=[0.7, 0.97]),
        make_row("arm/lift", 20.0, prompt="wrong"),
        make_row("control/walk", 60.0, published={"source": "TD-MPC2", "expert": 12.0}, published_score=120.0),
        make_row("dialogue/quiz", 40.0, transcripts=[[turn]], exact=0.0, exact_interval=[0.0, 0.3], perplexity=12.5),
        make_row("control/new", 5.0, stage="before", split="held_out", videos=[clip]),
        make_row("control/new", 45.0, stage="after", split="held_out", videos=[clip]),
        make_row("control/odd", None, errors=["seed 3, step 2: RuntimeError: gone"]),
    ]
    path = write_report(
        rows, tmp_path, "Title", {"agent": "generalist", "tasks": ["arm/lift", "control/walk"], "model": {"size": 1}}
    )
    text, parser = read(path)
    assert parser.outside == []  # nothing is loaded from anywhere
    assert text.count("data:video/mp4;base64,") == 3
    for piece in (
        "+40.0",
        "arm/lift, control/walk",
        "model.size",
        "RuntimeError: gone",
        "12.5",
        "truth: this",
        "n = 10",
    ):
        assert piece in text, piece
    embedded = re.search(r'<script type="application/json" id="results">(.*?)</script>', text, re.S)
    assert embedded is not None
    assert [row["score"] for row in json.loads(embedded[1])] == [row["score"] for row in rows]


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    evil = '</script><script>alert("x")</script>'
    row = make_row("lab/a", 50.0, instruction=evil, errors=[evil], agent=evil, prompt_text=evil)
    text, _ = read(write_report([row], tmp_path, evil, {"a": evil}, notes=[evil]))
    assert "<script>alert" not in text


def test_an_empty_report_and_one_without_scores(tmp_path: Path) -> None:
    read(write_report([], tmp_path))
    read(write_report([make_row("lab/a", None, mean_return=None, return_interval=None, n=0, episodes=[])], tmp_path))


def test_missing_videos_are_left_out(tmp_path: Path, clip: dict[str, Any]) -> None:
    (tmp_path / "a.mp4").unlink()
    text, _ = read(write_report([make_row("lab/a", 1.0, videos=[clip])], tmp_path))
    assert "<video" not in text


def test_headline_speaks_of_the_agent_with_its_best_prompt() -> None:
    rows = [
        make_row("a/x", 10.0, prompt="none"),
        make_row("a/x", 80.0),
        make_row("b/y", 40.0),
        make_row("a/x", 100.0, agent="demonstrator", prompt="none"),
        make_row("c/z", 1.0, stage="before"),
    ]
    chosen = main_rows(rows)
    assert [(row["task"], row["prompt"], row["agent"]) for row in chosen] == [
        ("a/x", "demonstration", "generalist"),
        ("b/y", "demonstration", "generalist"),
    ]
    head = headline(chosen)
    assert head["mean"] == pytest.approx(np.mean([e["score"] for row in chosen for e in row["episodes"]]))
    assert head["interval"][0] < head["mean"] < head["interval"][1]
    assert (head["tasks"], head["families"], head["half_way"]) == (2, 2, 1)


def test_bars_stay_inside_their_chart() -> None:
    scale = charts.Scale.around([-500.0, 900.0, None])
    assert (scale.low, scale.high) == (-60.0, 180.0)
    assert [place for place, _ in scale.marks] == [25.0, 45.83, 66.67]
    svg = charts.bar(scale, 900.0, (850.0, 1000.0), title='<"&>')
    assert 'x="25.0" y="5" width="75.0"' in svg
    assert "&lt;&#34;&amp;&gt;" in svg
    assert 'class="worse"' in charts.bar(scale, -30.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (12345.6, "12\u202f346"), (-0.034, "−0.03"), (-0.001, "0.00"), (98.76, "98.8"), (7, "7")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert words.number(value) == text


def test_spans_keep_their_digits_alike() -> None:
    assert words.span([4.08, 17.4]) == "4.1 … 17.4"
    assert words.span([-1.5, 12.0], signed=True) == "−1.5 … +12.0"
    assert words.span([0.5, 1.0], as_share=True) == "50\u202f% … 100\u202f%"
    assert words.span(None) == ""


def test_many_tasks_fold_are_counted_and_can_be_filtered(tmp_path: Path) -> None:
    rows = [make_row(f"grid/level-{number}", 100.0 * (number > 3)) for number in range(20)]
    rows.append(make_row("arm/lift", 80.0))
    assert headline([make_row("a/b", 597.0), make_row("a/c", 50.0)])["mean"] == pytest.approx(75, abs=1), (
        "a task counts for 100 at most"
    )
    page = write_report(rows, tmp_path).read_text()
    assert page.count('<details class="many">') == 1
    assert "<summary>20 tasks</summary>" in page
    assert "<b>4</b><span>below 5, as good as chance</span>" in page
    assert 'id="filter" type="search"' in page


def test_two_agents_stand_side_by_side(tmp_path: Path) -> None:
    rows = [
        *(make_row(f"arm/task-{i}", 50.0 + 10 * i, agent="new") for i in range(3)),
        *(make_row(f"arm/task-{i}", 60.0, agent="old") for i in range(3)),
        make_row("arm/other", 10.0, agent="old"),
        make_row("arm/task-0", 0.0, agent="random"),
    ]
    found = duel(rows, ("random",))
    assert found is not None
    assert {found["first"], found["second"]} == {"new", "old"}
    sign = 1 if found["first"] == "new" else -1
    gains = {line["task"]: sign * line["gain"]["figure"] for line in found["lines"]}
    assert gains == pytest.approx({"arm/task-0": -10, "arm/task-1": 0, "arm/task-2": 10})
    assert found["wins"] == (1, 1)
    assert duel([row for row in rows if row["agent"] != "old"], ("random",)) is None
    page, _ = read(write_report(rows, tmp_path))
    assert 'id="duel"' in page


def test_curves_of_a_study_are_part_of_the_report(tmp_path: Path) -> None:
    about = {"task": "arm/lift", "kind": "delay", "unit": "ms", "n": 20}
    rows = [
        {**about, "agent": agent, "level": level, "score": 90.0 - level, "interval": [80.0 - level, 95.0 - level]}
        for agent in ("plain", "<b>hardened</b>")
        for level in (0, 50)
    ]
    rows.append({**about, "agent": "plain", "level": 100, "score": None, "interval": None})
    (tmp_path / "robustness.json").write_text(json.dumps({"rows": rows}))
    page, _ = read(write_report([], tmp_path))
    assert page.count("<polyline") == 2
    assert page.count("<circle") == 4
    assert "<b>hardened" not in page
    panel = Panel("x", [1.0, 2000.0], {"a": [{"score": 500.0, "interval": None}, None]}, {"a": 3}).draw()
    assert ">2k</text>" in panel
    assert panel.count("<circle") == 1
    ends = [float(y) for _, y in re.findall(r"([\d.-]+),([\d.-]+)", re.search(r'points="(.*?)"', panel)[1])]  # type: ignore[index]
    assert all(0 <= y <= 150 for y in ends)


def test_disturbed_and_cut_rows_are_in_no_mean() -> None:
    plain, other = make_row("a/x", 80.0), make_row("a/y", 60.0)
    odd = [
        make_row("a/x", 10.0, disturbance={"noise": 0.1}), make_row("a/x", 20.0, max_steps=9),
        make_row("a/x", 30.0, precision="int8"),
    ]  # fmt: skip
    for rows in ([*odd, plain, other], [plain, other, *odd]):
        assert main_rows(rows) == [plain, other]
        wrong = [{**row, "prompt": "wrong", "score": 1.0} for row in rows]
        table = _prompts([*rows, *wrong])
        assert table is not None
        assert table["table"]["a/x"]["demonstration"] == plain
        staged = [{**row, "stage": stage} for stage in ("before", "after") for row in rows]
        pairs = _pairs(staged, Path())
        assert [pair["stages"]["after"]["score"] for pair in pairs] == [80.0, 60.0]
        found = duel([*rows, *({**row, "agent": "old"} for row in rows)], ())
        assert found is not None
        assert [line["first"]["score"] for line in found["lines"]] == [80.0, 60.0]
    assert main_rows(odd[:1]) == odd[:1], "shown where there is nothing else"


def test_of_one_task_the_headline_has_its_own_interval() -> None:
    none = make_row("a/x", 0.0, interval=[0.0, 16.1])
    none["episodes"] = [{**episode, "score": 0.0} for episode in none["episodes"]]
    assert headline([none])["interval"] == [0.0, 16.1], "of no success in 20 no zero width"
    assert headline([make_row("a/x", 120.0, interval=[90.0, 150.0])])["interval"] == [90.0, 100.0]


def test_a_few_pairs_are_no_win() -> None:
    few = [{**row, "episodes": row["episodes"][:5]} for row in (make_row("a/x", 90.0), make_row("a/x", 10.0))]
    for row, shift in zip(few, (0, 1), strict=True):
        row["episodes"] = [{**e, "score": e["score"] + shift * i} for i, e in enumerate(row["episodes"])]
    found = duel([few[0], {**few[1], "agent": "old"}], ())
    assert found is not None
    assert found["lines"][0]["gain"]["interval"][0] > 0
    assert found["wins"] == (0, 0)


def test_the_page_says_where_rows_were_measured(tmp_path: Path) -> None:
    rows = [make_row("a/x", 80.0, commit="c0ffee", machine={"processor": "a fast one"}), make_row("a/y", 80.0)]
    about = {"commit": "deadbeef", "machine": {"processor": "a slow one"}, "versions": {"torch": "0.1"}, "config": {}}
    (tmp_path / "results.json").write_text(json.dumps({"about": about, "results": rows}))
    page, _ = read(write_report(rows, tmp_path))
    setup = page[page.index('id="setup"') :]
    assert setup.count("<h3>Measured: 1 row</h3>") == 2
    for told in ("c0ffee", "a fast one", "deadbeef", "a slow one", "This page was made", "<dd>0.1</dd>"):
        assert told in setup, told
    here = [{**row, "commit": provenance.commit(), "machine": provenance.machine()} for row in rows]
    page, _ = read(write_report(here, tmp_path))
    assert "<h3>Measured</h3>" in page
    assert "This page was made" not in page


def test_curves_of_other_settings_are_not_one_curve() -> None:
    row = {"task": "a/x", "method": "scratch", "demonstrations": 1, "n": 20, "interval": None, "steps": 400, "seed": 0}
    rows = [{**row, "score": 10.0}, {**row, "score": 90.0, "steps": 800}, {**row, "method": "nearest", "score": 5.0}]
    assert list(studies._fewshot(rows)["legend"]) == ["scratch, steps 400", "scratch, steps 800", "nearest"]
    body = {"task": "a/x", "kind": "delay", "unit": "ms", "agent": "generalist", "interval": None}
    old, new = (json.dumps(["a/x", "generalist", "demonstration", n, 0, None, {"latency_ms": 1}]) for n in (5, 20))
    rows = [
        *({**body, "level": level, "score": 10.0, "n": 5, "key": old} for level in (0, 50)),
        {**body, "level": 0, "score": 90.0, "n": 20, "key": new},
    ]  # fmt: skip
    (found,) = studies._robustness(rows)["bodies"]
    assert found["note"] == "20 rollouts a point"
    assert str(found["panels"][0]).count("<circle") == 1
