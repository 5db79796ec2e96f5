"""What the simulators list, written down in `assets/worlds`: listing tasks must not import a simulator."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def world(family: str) -> dict[str, dict[str, Any]]:
    """Per task name what the family's simulator says of it; `python -m opengato.envs.<family>` writes it."""
    path = files("opengato.assets") / "worlds" / f"{family}.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def published(source: str) -> dict[str, dict[str, float]]:
    """Scores that others published: `jat`, `dm_control` or `metaworld_success`, per task of theirs."""
    path = files("opengato.assets") / "published_scores.json"
    found: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))[source]
    return found
