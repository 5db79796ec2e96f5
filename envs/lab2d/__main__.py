"""`python -m opengato.envs.lab2d FILE`: the levels that DMLab2D brings, as the registry reads them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from opengato.envs.lab2d.env import Lab2D
from opengato.envs.lab2d.levels import levels


def describe(name: str) -> dict[str, Any]:
    """Level, map, actions, cells along a side of the view, and steps of an episode, as the environment has them."""
    env = Lab2D(name)
    return {
        "level": env.level.folder,
        "map": env.level.map,
        "actions": dict(zip(env.action_names, map(list, env.action_meanings), strict=True)),
        "cells": env.cells,
        "inventory": "inventory" in env.observation_space.spaces,  # type: ignore[attr-defined]
        "steps": env.max_steps,
    }


def main() -> None:
    lines = [f" {json.dumps(name)}: {json.dumps(describe(name))}" for name in levels()]
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
