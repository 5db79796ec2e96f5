"""`results.json`: the rows of every evaluation into a folder, the newest of its kind in the place of its elder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opengato.errors import OpengatoError
from opengato.evaluation.provenance import commit, machine, plain, versions, write_json

RESULTS = "results.json"
STAGES = ("before", "after", "scratch")  # of a comparison around fine-tuning; "" outside of one
PRECISION = "fp32"  # of rows that do not say
Row = dict[str, Any]


def add_results(out: str | Path, rows: Sequence[Row], config: dict[str, Any] | None = None) -> Path:
    """Add rows to `out/results.json`; a row of the same agent, stage, task, prompt and settings replaces its elder.

    Args:
        out: folder of results and videos.
        rows: as `evaluate` gives them.
        config: what was evaluated, for the report.

    Raises:
        OpengatoError: the file is damaged.
    """
    known = known_results(out)
    fresh = {_key(row): row for row in rows}
    kept = [row for row in known if _key(row) not in fresh]
    about = {"versions": versions(), "commit": commit(), "machine": machine(), "config": config}
    path = Path(out) / RESULTS
    write_json(path, {"about": about, "results": [*kept, *fresh.values()]})
    return path


def read_results(out: str | Path) -> list[Row]:
    """The rows of `out/results.json`.

    Raises:
        OpengatoError: there is none, or it is damaged.
    """
    if not (Path(out) / RESULTS).is_file():
        raise OpengatoError(f"no results in {str(out)!r}. Next: opengato evaluate out={out}")
    return known_results(out)


def known_results(out: str | Path) -> list[Row]:
    """The rows of `out/results.json`, none where there is no such file.

    Raises:
        OpengatoError: it is damaged.
    """
    return list(_read(out)["results"])


def about_results(out: str | Path) -> dict[str, Any]:
    """`versions, commit, machine, config` of the last evaluation into `out`, nothing where there was none.

    Raises:
        OpengatoError: the file is damaged.
    """
    return dict(_read(out).get("about") or {})


def _read(out: str | Path) -> dict[str, Any]:
    path = Path(out) / RESULTS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {**found, "results": list(found["results"])}
    except FileNotFoundError:
        return {"results": []}
    except (ValueError, KeyError, TypeError) as error:
        raise OpengatoError(f"{str(path)!r} is damaged ({error}). Next: delete it, or choose another out=") from error


def _key(row: Row) -> tuple[Any, ...]:
    return (*(row.get(key) for key in ("agent", "stage", "task", "prompt", "seed")), *conditions(row))


def digest(row: Row) -> str:
    """Eight letters that are others where a row does not replace this one: for the names of its files."""
    return hashlib.sha256(json.dumps(_key(row)).encode()).hexdigest()[:8]


def conditions(row: Row) -> tuple[str, int | None, str]:
    """What a row was played under: the disturbance as JSON, where episodes were cut, the weights' precision."""
    disturbance = json.dumps(row.get("disturbance") or {}, sort_keys=True)
    return disturbance, row.get("max_steps"), row.get("precision") or PRECISION


def ordinary(row: Row) -> bool:
    """Whether a row is of whole and undisturbed episodes, by weights of full precision."""
    return conditions(row) == ("{}", None, PRECISION)


def alike(rows: Sequence[Row]) -> list[Row]:
    """Those rows that may stand in one mean: the ordinary ones; where there are none, the nearest to them, and of
    several as near those of the conditions that most rows have."""
    counts = Counter(map(conditions, rows))

    def far(under: tuple[str, int | None, str]) -> tuple[bool, bool, bool, int]:
        return under[0] != "{}", under[1] is not None, under[2] != PRECISION, -counts[under]

    best = min(counts, key=far, default=None)
    return [row for row in rows if conditions(row) == best]


def places(rows: Sequence[Row], about: dict[str, Any]) -> list[dict[str, Any]]:
    """Where rows were measured: each `commit` and `machine` with how many `rows`, most rows first.

    Args:
        rows: those of older files do not say.
        about: `about_results` of their folder, for these.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        place = {name: row.get(name, about.get(name)) for name in ("commit", "machine")}
        if any(place.values()):
            entry = found.setdefault(json.dumps(plain(place), sort_keys=True), {**place, "rows": 0})
            entry["rows"] += 1
    return sorted(found.values(), key=lambda place: -place["rows"])


def plain_row(row: Row) -> Row:
    """A row in JSON's own types."""
    return dict(plain(row))
