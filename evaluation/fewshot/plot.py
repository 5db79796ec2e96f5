"""A page with a curve per method: score against demonstrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

COLOURS = {
    "generalist": "#3d7bd9",
    "scratch": "#d9843d",
    "nearest": "#5a9a5a",
    "no-control": "#9a5a9a",
    "lora": "#a33b4a",
}
WIDTH, HEIGHT, MARGIN = 420, 260, 38
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1c2330}
svg{max-width:100%}text{font-size:12px;fill:#556}.g{stroke:#dde;stroke-width:1}table{border-collapse:collapse}
td,th{padding:2px 12px 2px 0;text-align:left}"""


def write_page(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    """Write the page of a study's rows; every task gets a plot and a table."""
    parts = [f"<!doctype html><meta charset=utf-8><title>few-shot curves</title><style>{STYLE}</style>"]
    parts.append("<h1>Few-shot curves</h1><p>Score (0 random, 100 demonstrator) with 95 % intervals.</p>")
    for task in dict.fromkeys(row["task"] for row in rows):
        members = [row for row in rows if row["task"] == task]
        parts += [f"<h2>{escape(task)}</h2>", _plot([row for row in members if row["score"] is not None])]
        parts.append(_table(members))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def _plot(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "<p>This task has no scale.</p>"
    counts = sorted({row["demonstrations"] for row in rows})
    low = min(0.0, *(min(row["score"], *(row["interval"] or [row["score"]])) for row in rows))
    high = max(100.0, *(max(row["score"], *(row["interval"] or [row["score"]])) for row in rows))
    first, last = math.log(counts[0]), math.log(counts[-1])

    def x(count: int) -> float:
        share = (math.log(count) - first) / (last - first) if last > first else 0.5
        return MARGIN + share * (WIDTH - 2 * MARGIN)

    def y(value: float) -> float:
        return HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    out = [f'<svg viewBox="0 0 {WIDTH + 110} {HEIGHT}" width="{WIDTH + 110}" role="img">']
    for mark in (0, 50, 100):
        out.append(f"<line class=g x1={MARGIN} x2={WIDTH - MARGIN} y1={y(mark):.1f} y2={y(mark):.1f} />")
        out.append(f"<text x={MARGIN - 8} y={y(mark) + 4:.1f} text-anchor=end>{mark}</text>")
    out += [f"<text x={x(n):.1f} y={HEIGHT - 14} text-anchor=middle>{n}</text>" for n in counts]
    for number, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        colour = COLOURS.get(method, "#777")
        mine = sorted((row for row in rows if row["method"] == method), key=lambda row: row["demonstrations"])
        line = " ".join(f"{x(row['demonstrations']):.1f},{y(row['score']):.1f}" for row in mine)
        out.append(f'<polyline points="{line}" fill=none stroke="{colour}" stroke-width=2 />')
        for row in mine:
            at, (down, up) = x(row["demonstrations"]), row["interval"] or [row["score"]] * 2
            out.append(f'<line x1={at:.1f} x2={at:.1f} y1={y(down):.1f} y2={y(up):.1f} stroke="{colour}" />')
            out.append(f'<circle cx={at:.1f} cy={y(row["score"]):.1f} r=3.5 fill="{colour}" />')
        out.append(f'<text x={WIDTH - MARGIN + 12} y={MARGIN + 18 * number} style="fill:{colour}">{method}</text>')
    return "".join([*out, "</svg>"])


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["<table><tr><th>method<th>demonstrations<th>score<th>95 %<th>return<th>series<th>rollouts</tr>"]
    for row in rows:
        told = "–" if row["score"] is None else f"{row['score']:.0f}"
        span = "" if row["interval"] is None else f"{row['interval'][0]:.0f} to {row['interval'][1]:.0f}"
        cells = (row["method"], row["demonstrations"], told, span, f"{row['mean_return']:.4g}", row["series"], row["n"])
        lines.append("<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + "</tr>")
    return "".join([*lines, "</table>"])
