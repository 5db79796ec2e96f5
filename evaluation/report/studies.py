"""What a report shows beside its results, where the folder holds it: the robustness sheet, few-shot and scaling
curves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from opengato.evaluation.report.curves import Panel, hues

Row = dict[str, Any]


def studies(out: Path) -> list[dict[str, Any]]:
    """Sections with curves.

    Returns:
        Per study `id, title, text, legend` ((name, hue) each) and `bodies`: per task `name, note, panels` (SVG).
    """
    makers: Sequence[tuple[str, Callable[[list[Row]], dict[str, Any]]]] = (
        ("robustness.json", _robustness),
        ("fewshot.json", _fewshot),
        ("scaling.json", _scaling),
    )
    found = []
    for name, make in makers:
        file = out / name
        if file.is_file():
            rows = [row for row in json.loads(file.read_text("utf-8"))["rows"] if row["score"] is not None]
            if rows:
                found.append(make(rows))
    return found


def _robustness(rows: list[Row]) -> dict[str, Any]:
    rows = _newest(rows)
    colours = hues([row["agent"] for row in rows])
    bodies = []
    for task, members in _by(rows, "task").items():
        panels = [
            _panel(f"{kind}, {of[0]['unit']}", of, "level", "agent", colours)
            for kind, of in _by(members, "kind").items()
        ]
        bodies.append({"name": task, "note": _rollouts(members), "panels": panels})
    text = "Score where one thing is wrong at a time, in simulated time. At 0, or × 1, the body is undisturbed."
    return {"id": "robustness", "title": "What will break", "text": text, "legend": colours, "bodies": bodies}


def _newest(rows: Sequence[Row]) -> list[Row]:
    """Of each task and agent the rows that were made with the settings of the last one: earlier ones are of another
    sheet. (A row's key is those settings and the disturbance.)"""

    def settings(row: Row) -> Any:
        return json.loads(row["key"])[:-1] if "key" in row else None

    last = {(row["task"], row["agent"]): settings(row) for row in rows}
    return [row for row in rows if settings(row) == last[row["task"], row["agent"]]]


def _fewshot(rows: list[Row]) -> dict[str, Any]:
    from opengato.evaluation.fewshot.study import PROTOCOL  # what learns is imported where there is such a study only

    rows = [{**row, "curve": name} for of in _by(rows, "method").values() for row, name in _named(of, PROTOCOL)]
    colours = hues([row["curve"] for row in rows])
    tasks = _by(rows, "task")
    charts: dict[str, Sequence[Row]] = dict(tasks)
    if len(tasks) > 1:
        charts = {_mean_of(tasks): _mean(list(tasks.values()), "curve", "demonstrations"), **charts}
    panels = [_panel(name, of, "demonstrations", "curve", colours) for name, of in charts.items() if of]
    bodies = [{"name": "Score over demonstrations", "note": _rollouts(rows), "panels": panels}]
    text = (
        "Tasks that were never trained on: the generalist fine-tuned on their demonstrations, the same size from "
        "scratch, a look-up of the nearest moment; best moment of the smoothed curve, on seeds of its own."
    )
    return {"id": "fewshot", "title": "Few-shot curves", "text": text, "legend": colours, "bodies": bodies}


def _named(rows: Sequence[Row], protocol: Sequence[str]) -> list[tuple[Row, str]]:
    """Rows of one method, each with the name of its curve: how it was made is part of it where others were made in
    another way, for those are other studies."""
    differ = [name for name in protocol if len({row.get(name) for row in rows}) > 1]
    return [(row, ", ".join([row["method"], *(f"{name} {row.get(name)}" for name in differ)])) for row in rows]


def _scaling(rows: list[Row]) -> dict[str, Any]:
    rows = sorted(rows, key=lambda row: row["parameters"])
    rows = [{**row, "size": f"{row['model']}, {row['parameters'] / 1e6:.1f} M"} for row in rows]
    parameters = {row["size"]: row["parameters"] for row in rows}
    colours = hues(list(parameters))
    tasks = _by(rows, "task")
    means = _mean(list(tasks.values()), "size", "positions")
    most = max(row["positions"] for row in rows)
    ends = [{**row, "parameters": parameters[row["size"]], "all": "all"} for row in means if row["positions"] == most]
    panels = [
        _panel(_mean_of(tasks), means, "positions", "size", colours),
        _panel("at the end, over parameters", ends, "parameters", "all", hues(["all"])),
        *(_panel(name, of, "positions", "size", colours) for name, of in tasks.items()),
    ]
    bodies = [{"name": "Score over positions seen", "note": _rollouts(rows), "panels": panels}]
    text = (
        "Models of several sizes, trained on the same demonstrations and playing the same tasks at the same moments of "
        "their training."
    )
    return {"id": "scaling", "title": "Scaling", "text": text, "legend": colours, "bodies": bodies}


def _mean_of(tasks: dict[str, list[Row]]) -> str:
    return f"mean of {len(tasks)} tasks"


def _mean(tasks: Sequence[Sequence[Row]], curve: str, along: str) -> list[Row]:
    """Per curve and level that every task has, the mean of the tasks' scores, each at most 100 as in a scorecard. The
    interval is that of the rollouts on these tasks, from half-widths added in quadrature."""
    found = []
    for key in dict.fromkeys((row[curve], row[along]) for row in tasks[0]):
        picked = [next((row for row in of if (row[curve], row[along]) == key), None) for of in tasks]
        there = [row for row in picked if row is not None]
        if len(there) < len(tasks):
            continue
        middle = fmean(min(row["score"], 100) for row in there)
        ends = [row["interval"] for row in there]
        interval = None  # where a task had a single rollout
        if all(ends):
            half = math.hypot(*((high - low) / 2 for low, high in ends)) / len(there)
            interval = [middle - half, middle + half]
        found.append({curve: key[0], along: key[1], "score": middle, "interval": interval})
    return found


def _panel(name: str, rows: Sequence[Row], along: str, curve: str, colours: dict[str, int]) -> Any:
    levels = sorted({row[along] for row in rows})
    curves = {}
    for each, of in _by(rows, curve).items():
        newest = {row[along]: row for row in of}
        curves[each] = [newest.get(level) for level in levels]
    return Panel(name, levels, curves, colours).draw()


def _by(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    """Rows by the value of a field, in order of appearance."""
    return {value: [row for row in rows if row[key] == value] for value in dict.fromkeys(row[key] for row in rows)}


def _rollouts(rows: Sequence[Row]) -> str:
    least, most = min(row["n"] for row in rows), max(row["n"] for row in rows)
    return f"{least} rollouts a point" if least == most else f"{least} to {most} rollouts a point"
