"""What `python -m opengato.envs.procgen` has written down of the games; no simulator is imported to read it."""

from __future__ import annotations

import json
from importlib.resources import files


def _actions() -> dict[str, tuple[int, ...]]:
    path = files("opengato.assets") / "worlds" / "procgen.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {game: tuple(row["actions"]) for game, row in rows.items()}


ACTIONS: dict[str, tuple[int, ...]] = _actions()
