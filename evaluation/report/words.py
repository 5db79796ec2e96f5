"""Figures as text, and which columns the table has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opengato.evaluation import results

NOTHING = "–"


def number(value: float | None, digits: int | None = None) -> str:
    """A figure with about three significant digits; a dash for none."""
    if value is None:
        return NOTHING
    if digits is None:
        size = abs(value)
        digits = 0 if size >= 1000 or float(value).is_integer() else 1 if size >= 10 else 2
    text = f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "−")
    return text.replace("−", "") if set(text) <= set("−0.") else text


def points(value: float | None) -> str:
    """A score: one digit after the point below 10, none above 100."""
    return number(value, None if value is None else 0 if abs(value) >= 99.95 else 1)


def span(interval: Sequence[float] | None, as_share: bool = False, signed: bool = False) -> str:
    """An interval, "low … high"."""
    if interval is None or any(end is None for end in interval):
        return ""
    size = max(map(abs, interval))
    digits = 0 if size >= 1000 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    ends = [share(end) if as_share else number(end, digits) for end in interval]
    low, high = (("+" if signed and end > 0 else "") + text for end, text in zip(interval, ends, strict=True))
    return f"{low} … {high}"


def share(value: float | None) -> str:
    """A share in percent."""
    return NOTHING if value is None else f"{100 * value:.0f}\u202f%"


def plural(count: int, word: str, many: str = "") -> str:
    """ "1 task", "2 tasks"."""
    return f"{count:,} {word if count == 1 else many or word + 's'}".replace(",", "\u202f")


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Which optional columns hold anything."""
    names = ("success", "published", "perplexity", "cider", "exact", "stage", "errors")
    found = {name: any(row.get(name) not in (None, "", []) for row in rows) for name in names}
    found["agent"] = len({row["agent"] for row in rows}) > 1
    found["conditions"] = any(map(conditions, rows))
    return found


def conditions(row: Mapping[str, Any]) -> str:
    """What is not ordinary about a row, in a few words; "" for nothing."""
    disturbance, steps, precision = results.conditions(dict(row))
    told = ["" if disturbance == "{}" else f"disturbed {disturbance}", "" if steps is None else f"cut at {steps} steps"]
    return ", ".join(filter(None, [*told, "" if precision == results.PRECISION else precision]))


def settings(config: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """A configuration as (dotted name, value) in its own order."""
    found: list[tuple[str, str]] = []
    for key, value in (config or {}).items():
        if isinstance(value, Mapping):
            found += [(f"{key}.{name}", text) for name, text in settings(value)]
        elif isinstance(value, list | tuple):
            found.append((str(key), ", ".join(map(str, value)) or NOTHING))
        else:
            found.append((str(key), NOTHING if value in (None, "") else str(value)))
    return found
