"""Small line charts with intervals as inline SVG: scores over what was varied, a curve per agent or method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 190, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 180, 10, 118  # of the part with the curves
MARKS = (0, 50, 100)
HUES = (222, 28, 152, 345, 275, 192, 52, 310)  # of curves, in order of appearance
Row = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One chart.

    Args:
        name: stands below it.
        levels: what was varied, in order; drawn at equal distances.
        curves: per name a row with `score` and `interval` for each level, None where there is none.
        hues: of the curves' names.
    """

    name: str
    levels: Sequence[float]
    curves: Mapping[str, Sequence[Row | None]]
    hues: Mapping[str, int]

    def draw(self) -> Markup:
        """The chart as SVG."""
        at = np.linspace(LEFT + 6, RIGHT - 8, len(self.levels)) if len(self.levels) > 1 else [(LEFT + RIGHT) / 2]
        ends = [
            end
            for rows in self.curves.values()
            for row in rows
            if row is not None
            for end in (row["score"], *(row["interval"] or ()))
        ]
        low, high = max(-60.0, min(0.0, *ends, 0.0)), min(180.0, max(100.0, *ends, 100.0))

        def y(value: float) -> float:
            return round(BOTTOM - (min(max(value, low), high) - low) / (high - low) * (BOTTOM - TOP), 1)

        parts = [
            f'<path class="grid" d="M{LEFT} {y(mark)}H{RIGHT}"/><text x="{LEFT - 6}" y="{y(mark) + 4}" '
            f'text-anchor="end">{mark}</text>'
            for mark in MARKS
        ]
        for x, level in zip(at, self.levels, strict=True):
            parts.append(f'<text x="{x:.1f}" y="{BOTTOM + 15}" text-anchor="middle">{_short(level)}</text>')
        for name, rows in self.curves.items():
            there = [(x, row) for x, row in zip(at, rows, strict=True) if row is not None and row["score"] is not None]
            parts.append(self._curve(name, there, y))
        middle = (LEFT + RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">{escape(self.name)}</text>')
        label = f'role="img" aria-label="{escape(self.name)}"'
        return Markup(f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" {label}>{"".join(parts)}</svg>')

    def _curve(self, name: str, there: Sequence[tuple[float, Row]], y: Any) -> str:
        bounds = [row["interval"] or (row["score"], row["score"]) for _, row in there]
        up = [f"{x:.1f},{y(high)}" for (x, _), (_, high) in zip(there, bounds, strict=True)]
        down = [f"{x:.1f},{y(low)}" for (x, _), (low, _) in zip(there, bounds, strict=True)]
        line = " ".join(f"{x:.1f},{y(row['score'])}" for x, row in there)
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{y(row["score"])}" r="2.6">'
            f"<title>{escape(name)}: {row['score']:.0f}</title></circle>"
            for x, row in there
        )
        band = f'<polygon points="{" ".join([*up, *reversed(down)])}"/>'
        return f'<g style="--h:{self.hues[name]}">{band}<polyline points="{line}"/>{dots}</g>'


def hues(names: Sequence[str]) -> dict[str, int]:
    """A hue for each name, in order of appearance."""
    return {name: HUES[i % len(HUES)] for i, name in enumerate(dict.fromkeys(names))}


def _short(level: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(level) >= size:
            return f"{level / size:.3g}{letter}"
    return f"{level:g}"
