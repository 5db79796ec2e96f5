"""From result rows to the page: which rows are the headline, which are pairs, what stands in which section."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from opengato.evaluation import intervals, provenance
from opengato.evaluation.report import charts, words
from opengato.evaluation.report.duel import duel, paired
from opengato.evaluation.report.studies import studies
from opengato.evaluation.results import STAGES, about_results, alike, places
from opengato.evaluation.scores import COLLAPSED, MOST

HERE = Path(__file__).resolve().parent
PROMPT_ORDER = ("demonstration", "both", "instruction", "none", "wrong")
BASELINES = ("random", "demonstrator")
HUES = (222, 160, 28, 275, 345, 192, 95, 310, 52, 250)  # of families, in order of appearance
Row = dict[str, Any]
# What a row may leave out.
DEFAULTS: Row = {
    **dict.fromkeys(("score", "interval", "mean_return", "return_interval", "success", "success_interval", "random")),
    **dict.fromkeys(("expert", "published", "published_score")),
    **{"agent": "", "stage": "", "prompt": "none", "prompt_text": "", "split": "train", "instruction": "", "n": 0},
}


def write_report(
    results: Sequence[Row],
    out_dir: str | Path,
    title: str = "Evaluation",
    config: Any = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write `out_dir/report.html`.

    Args:
        results: rows of `evaluate`; `stage` "before", "after" and "scratch" make the fine-tuning section. Paths of
            videos are relative to `out_dir` or absolute; one that is missing is left out. Rows of two agents are set
            side by side.
        out_dir: made if missing; a robustness sheet and few-shot curves that lie in it are shown, too.
        title: the page's heading.
        config: settings to show: a dict or a dataclass; by default those that `out_dir/results.json` was last written
            with.
        notes: sentences to put under the heading.

    Returns:
        The file. It says where each row was measured, and where the page was made if that is elsewhere.

    Raises:
        OpengatoError: `out_dir/results.json` is damaged.
    """
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    rows = [{**DEFAULTS, "family": row["task"].split("/")[0], **row} for row in results]
    main = main_rows(rows)
    families = {family: HUES[i % len(HUES)] for i, family in enumerate(dict.fromkeys(row["family"] for row in rows))}
    scale = charts.Scale.around(_drawn(main))
    about = about_results(out)
    settings = _settings(config, about)
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        bar=charts.bar, arrow=charts.arrow, number=words.number, span=words.span, share=words.share
    )
    environment.globals.update(points=words.points, plural=words.plural, conditions=words.conditions)
    environment.globals.update(clear_from=intervals.CLEAR_FROM)
    page = environment.get_template("template.html").render(
        title=title,
        notes=list(notes),
        head=headline(main),
        families=families,
        groups=_groups(main),
        scale=scale,
        clips=_clips(main, out),
        pairs=_pairs(rows, out),
        scratch=any(row.get("stage") == "scratch" for row in rows),
        pair_scale=charts.Scale.around(_drawn([row for row in rows if row.get("stage")])),
        prompts=_prompts(rows),
        duel=duel(rows, BASELINES),
        studies=studies(out),
        talks=_talks(main),
        rows=rows,
        columns=words.columns(rows),
        errors=[(row["task"], error) for row in rows for error in row.get("errors") or ()],
        settings=words.settings(settings),
        places=_places(rows, about),
        versions=about.get("versions") or provenance.versions(),
        data=_embed_json(rows),
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "script.js").read_text(encoding="utf-8")),
    )
    path = out / "report.html"
    part = out / ".report.html.part"
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def _settings(config: Any, about: dict[str, Any]) -> Any:
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return dataclasses.asdict(config)
    return about.get("config") if config is None else config


def _places(rows: Sequence[Row], about: dict[str, Any]) -> list[dict[str, Any]]:
    """Where the rows were measured, and where this page is made unless that is one of these."""
    measured = places(rows, about)
    here = {"commit": provenance.commit(), "machine": provenance.machine()}

    def essence(place: dict[str, Any]) -> tuple[Any, ...]:  # cores and accelerator depend on how a process was started
        return place["commit"], *((place["machine"] or {}).get(name) for name in ("system", "processor"))

    made = [] if essence(here) in map(essence, measured) else [{**here, "title": "This page was made"}]
    titled = [
        {**place, "title": "Measured" if len(measured) == 1 else f"Measured: {words.plural(place['rows'], 'row')}"}
        for place in measured
    ]
    return [*titled, *made]


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows the headline speaks of: the agent with most rows, outside any comparison, with its best-informed prompt,
    and of rows played under several conditions those that are `alike`.

    One row per task; where only baselines or comparisons were run, those.
    """
    pools = [
        [row for row in rows if not row.get("stage") and row["agent"] not in BASELINES],
        [row for row in rows if row.get("stage") == "after"],
        list(rows),
    ]
    pool = alike(next((pool for pool in pools if pool), []))
    if not pool:
        return []
    agent = Counter(row["agent"] for row in pool).most_common(1)[0][0]
    best: dict[str, Row] = {}
    for row in pool:
        known = best.get(row["task"])
        if row["agent"] == agent and (known is None or _rank(row) < _rank(known)):
            best[row["task"]] = row
    return list(best.values())


def headline(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures on top: mean score over tasks with its interval, interquartile mean, counts."""
    scored = [row for row in rows if row.get("score") is not None]
    groups = [
        [e["score"] for e in row.get("episodes", ()) if e["score"] is not None] or [row["score"]] for row in scored
    ]
    groups = [[MOST] * len(of) if row["score"] > MOST else of for of, row in zip(groups, scored, strict=True)]
    found: dict[str, Any] = {"mean": None, "interval": None, "iqm": None, "iqm_interval": None}
    if groups:
        found["mean"], found["interval"] = intervals.stratified(groups)
        if len(scored) == 1:  # its own interval knows what its episodes are, successes say
            found["interval"] = _at_most(scored[0].get("interval"))
        found["iqm"], found["iqm_interval"] = intervals.stratified(
            groups, intervals.pooled_interquartile_mean, resamples=500
        )
    told = [row["success"] for row in rows if row.get("success") is not None]
    return {
        **found,
        "agent": rows[0]["agent"] if rows else "",
        "prompts": sorted({row["prompt"] for row in rows}, key=_prompt_rank),
        "tasks": len(rows),
        "families": len({row["family"] for row in rows}),
        "episodes": sum(row["n"] for row in rows),
        "steps": sum(row.get("steps") or 0 for row in rows),
        "success": sum(told) / len(told) if told else None,
        "success_tasks": len(told),
        "half_way": sum(row["score"] >= 50 for row in scored),
        "collapsed": sum(row["score"] < COLLAPSED for row in scored),
        "scored": len(scored),
        "unscored": len(rows) - len(scored),
    }


def _at_most(interval: Sequence[float] | None) -> list[float] | None:
    """A score's interval where the score counts for `MOST` at most."""
    return None if interval is None else [min(end, MOST) for end in interval]


def _groups(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Per family its mean with interval and its rows, best first."""
    groups = []
    for family in dict.fromkeys(row["family"] for row in rows):
        members = [row for row in rows if row["family"] == family]
        head = headline(members)
        members.sort(key=lambda row: -(row["score"] if row.get("score") is not None else -1e9))
        groups.append({"family": family, "mean": head["mean"], "interval": head["interval"], "rows": members})
    return groups


def _pairs(rows: Sequence[Row], out: Path) -> list[dict[str, Any]]:
    """Comparisons around fine-tuning: per task and prompt the rows by stage, the gain and the clips."""
    found = []
    staged = alike([row for row in rows if row.get("stage") in STAGES])
    for key in dict.fromkeys((row["task"], row["prompt"]) for row in staged):
        stages = {row["stage"]: row for row in staged if (row["task"], row["prompt"]) == key}
        gains = []
        for other in ("before", "scratch"):
            gain = paired(stages.get("after"), stages.get(other))
            if gain is not None:
                gains.append({"over": other, **gain})
        clips = [
            {**clip, "stage": name} for name in STAGES if name in stages for clip in _clips([stages[name]], out)[:1]
        ]
        found.append({"task": key[0], "prompt": key[1], "stages": stages, "gains": gains, "clips": clips})
    return found


def _prompts(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Score by task and kind of prompt, where at least one task has been tried with two."""
    plain = alike([row for row in rows if not row.get("stage") and row["agent"] not in BASELINES])
    if not plain:
        return None
    agent = Counter(row["agent"] for row in plain).most_common(1)[0][0]
    table: dict[str, dict[str, Row]] = {}
    for row in plain:
        if row["agent"] == agent:
            table.setdefault(row["task"], {})[row["prompt"]] = row
    table = {task: cells for task, cells in table.items() if len(cells) > 1}
    kinds = sorted({kind for cells in table.values() for kind in cells}, key=_prompt_rank)
    if not table:
        return None
    # The means compare like with like: only tasks that were tried with every kind.
    full = [cells for cells in table.values() if all(kind in cells for kind in kinds)]
    means = {kind: headline([cells[kind] for cells in full]) for kind in kinds} if full else {}
    return {"kinds": kinds, "table": table, "means": means, "full": len(full)}


def _talks(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A few exchanges of each text task."""
    return [
        {"task": row["task"], "turns": [turn for episode in row["transcripts"][:4] for turn in episode[:4]][:6]}
        for row in rows
        if row.get("transcripts")
    ]


def _clips(rows: Sequence[Row], out: Path) -> list[dict[str, Any]]:
    """Videos as data URIs, with their captions; those whose file is gone are left out."""
    found = []
    for row in rows:
        for clip in row.get("videos") or ():
            path, poster = out / clip["path"], out / clip["poster"]
            if not path.is_file():
                continue
            video = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
            still = ""
            if poster.is_file():
                still = "data:image/jpeg;base64," + base64.b64encode(poster.read_bytes()).decode()
            found.append({**clip, "row": row, "video": video, "still": still})
    return found


def _drawn(rows: Sequence[Row]) -> list[float | None]:
    ends = [end for row in rows for end in row.get("interval") or ()]
    return [*(row.get("score") for row in rows), *(row.get("published_score") for row in rows), *ends]


def _embed_json(rows: Sequence[Row]) -> Markup:
    """The rows for a program that reads the page; `<` is escaped so that nothing ends the script element."""
    text = json.dumps(provenance.plain(list(rows)), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))


def _rank(row: Row) -> tuple[int, int]:
    return _prompt_rank(row["prompt"]), -(row.get("n") or 0)


def _prompt_rank(kind: str) -> int:
    return PROMPT_ORDER.index(kind) if kind in PROMPT_ORDER else len(PROMPT_ORDER)
