"""Bars with intervals as inline SVG.

A row stretches to whatever width it gets (`preserveAspectRatio="none"`); strokes do not scale, so dots stay round and
lines stay thin. Labels are HTML, so that text never stretches. Units along x: score points; y: 0 … 20.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

HEIGHT = 20.0
MARKS = (0.0, 50.0, 100.0)  # grid lines: random, half way, demonstrator


@dataclass(frozen=True)
class Scale:
    """The part of the score axis that a chart shows."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float | None]) -> Scale:
        """A scale that holds 0 … 100 and the values, within −60 … 180, with a little air."""
        found = [value for value in values if value is not None and math.isfinite(value)]
        low, high = min([0.0, *found]), max([100.0, *found])
        return cls(max(-60.0, math.floor(low / 10) * 10 - 4), min(180.0, math.ceil(high / 10) * 10 + 6))

    def x(self, value: float) -> float:
        """Where a score lies, 0 … 100, clamped to the ends."""
        return round(100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low), 2)

    @property
    def marks(self) -> list[tuple[float, float]]:
        """(place in percent, score) of the grid lines."""
        return [(self.x(mark), mark) for mark in MARKS if self.low <= mark <= self.high]


def bar(
    scale: Scale,
    score: float | None,
    interval: Sequence[float] | None = None,
    published: float | None = None,
    title: str = "",
    kind: str = "bar",
) -> Markup:
    """One row: a bar from 0 to the score, a whisker for the interval, a tick for the published expert.

    Args:
        scale: the axis.
        score: None draws the grid alone.
        interval: 95 %.
        published: the published expert's score.
        title: shown when the pointer rests on it.
        kind: CSS class of the row, "bar" or "bar mean".
    """
    parts = [_grid(scale)]
    if score is not None:
        zero, end = scale.x(0.0), scale.x(score)
        sign = "worse" if score < 0 else "value"
        parts.append(
            f'<rect class="{sign}" x="{min(zero, end)}" y="5" width="{round(abs(end - zero), 2)}" height="10"/>'
        )
        if interval is not None:
            parts.append(_whisker(scale, interval, 10.0))
    if published is not None:
        place = scale.x(published)
        parts.append(f'<path class="published" d="M{place} 2V18"/>')
    return _svg(parts, title, kind)


def arrow(
    scale: Scale,
    before: float | None,
    after: float | None,
    intervals: Sequence[Sequence[float] | None],
    title: str = "",
) -> Markup:
    """One row of a comparison: a hollow dot where it was, a full one where it went, an interval for each."""
    parts = [_grid(scale)]
    if before is not None and after is not None:
        parts.append(f'<path class="way" d="M{scale.x(before)} 10H{scale.x(after)}"/>')
    for value, interval, name in ((before, intervals[0], "was"), (after, intervals[1], "is")):
        if value is None:
            continue
        if interval is not None:
            parts.append(_whisker(scale, interval, 10.0, name))
        parts.append(f'<path class="dot {name}" d="M{scale.x(value)} 10h0"/>')
    return _svg(parts, title, "arrow")


def _grid(scale: Scale) -> str:
    lines = "".join(
        f'<path class="grid{" end" if mark else ""}" d="M{place} 0V{HEIGHT}"/>' for place, mark in scale.marks
    )
    return lines


def _whisker(scale: Scale, interval: Sequence[float], y: float, name: str = "") -> str:
    low, high = scale.x(interval[0]), scale.x(interval[1])
    caps = "".join(f"M{place} {y - 3}v6" for place in (low, high))
    return f'<path class="whisker {name}" d="M{low} {y}H{high}{caps}"/>'


def _svg(parts: Iterable[str], title: str, kind: str) -> Markup:
    tip = f"<title>{escape(title)}</title>" if title else ""
    label = f' aria-label="{escape(title)}"' if title else ""
    head = f'<svg class="{kind}" viewBox="0 0 100 {HEIGHT}" preserveAspectRatio="none" role="img"{label}>'
    return Markup(head + tip + "".join(parts) + "</svg>")
