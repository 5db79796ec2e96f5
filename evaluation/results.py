"""`results.json`: the rows of every evaluation into a folder, the newest of its kind in the place of its elder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opengato.errors import OpengatoError
from opengato.evaluation.provenance import commit, machine, plain, versions, write_json

RESULTS = "results.json"
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
    path = Path(out) / RESULTS
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["results"])
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise OpengatoError(f"{str(path)!r} is damaged ({error}). Next: delete it, or choose another out=") from error


def _key(row: Row) -> tuple[Any, ...]:
    facts = tuple(row.get(key) for key in ("agent", "stage", "task", "prompt", "seed", "max_steps"))
    return (*facts, json.dumps(row.get("disturbance") or {}, sort_keys=True))


def plain_row(row: Row) -> Row:
    """A row in JSON's own types."""
    return dict(plain(row))
