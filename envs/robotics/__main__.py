"""`python -m opengato.envs.robotics FILE`: what Gymnasium-Robotics lists, as the registry reads it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from opengato.envs.robotics.env import Robotics
from opengato.envs.robotics.origin import IDS, OBS_ELEMENT_GOALS

KITCHEN = "FrankaKitchen"


def name_of(id: str) -> str:
    """`HandManipulateBlockRotateXYZDense-v1` → `hand-manipulate-block-rotate-xyz-dense`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", id.split("-v")[0])
    return apart.replace("_", "-").lower()


def describe(id: str, **kwargs: Any) -> dict[str, Any]:
    """What the registry says of a task."""
    env = Robotics(id, **kwargs)
    found = {"id": id, "kwargs": kwargs, "rate_hz": round(env.rate_hz, 3)}
    env.close()
    return found


def rows() -> dict[str, dict[str, Any]]:
    """Every task; the kitchen also with each of its things asked for alone."""
    found = {name_of(id): describe(id) for id in IDS}
    for id in IDS:
        if id.startswith(KITCHEN):
            for thing in OBS_ELEMENT_GOALS:
                found[f"{name_of(id)}-{thing.replace(' ', '-')}"] = describe(id, tasks_to_complete=[thing])
    return dict(sorted(found.items()))


def main() -> None:
    Path(sys.argv[1]).write_text(json.dumps(rows(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
