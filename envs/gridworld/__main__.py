"""`python -m opengato.envs.gridworld FILE`: which levels there are, and who can show them, as the registry lists them.

Listing must not import a simulator, so what the simulator knows is written down here once.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from opengato.envs.gridworld.env import GridWorld, levels
from opengato.envs.gridworld.expert import Bot
from opengato.envs.gridworld.planner import KeyPlanner, Planner

SEEDS = range(10)
PATIENCE_S = 300.0  # of a level's trials; one that is not through by then has no demonstrator
ENOUGH = 0.5  # of the trials solved; collecting keeps successes only
GOOD = 0.8  # of the trials: who solves these is not held against others


def name_of(level: str) -> str:
    """`BabyAI-GoToLocalS5N2-v0` → `go-to-local-s5n2`; MiniGrid's own levels keep their family's name in front."""
    family, name = level.rsplit("-v", 1)[0].split("-", 1)
    parts = re.findall(r"WFC|S\d+(?:N\d+)?(?:R\d+)?|N\d+|[A-Z][a-z]+|\d\w*|[A-Z]+(?![a-z])", name)
    words = "-".join(parts).lower()
    return words if family == "BabyAI" else f"minigrid-{words}"


def newest() -> dict[str, str]:
    """Name → id of every level, in its newest version."""
    found: dict[str, str] = {}
    for level in sorted(levels()):
        found[name_of(level)] = level  # sorted: a later version comes after an earlier
    return found


def describe(level: str) -> dict[str, Any] | None:
    """What the registry says of a level; None if it cannot be made."""
    try:
        env = GridWorld(level)
        missions = {str(env.reset(seed=seed)[0]["mission"]) for seed in SEEDS}
    except FileNotFoundError:  # levels whose patterns are not in MiniGrid's wheel
        return None
    words = missions.pop() if len(missions) == 1 else "do what the mission says"
    row: dict[str, Any] = {"level": level, "instruction": words, "steps": env.level.max_steps}
    best, shows = int(ENOUGH * len(SEEDS)) - 1, None
    for kind, make in (("bot", Bot), ("planner", Planner), ("keys", KeyPlanner)):
        if best >= GOOD * len(SEEDS) or (kind == "bot" and not hasattr(env.level, "instrs")):
            continue
        solved = _solved(env, make())
        if solved > best:
            best, shows = solved, kind
    return {**row, "demonstrator": shows, **({"solved": best, "of": len(SEEDS)} if shows else {})}


def _solved(env: GridWorld, demonstrator: Any) -> int:
    """How many of the seeds a demonstrator solves; -1 if it takes too long or fails too often."""
    begun, failed = time.monotonic(), 0
    for seed in SEEDS:
        observation, _ = env.reset(seed=seed)
        demonstrator.reset(env)
        success = ended = False
        while not ended:
            observation, _, terminated, truncated, info = env.step(demonstrator.act(observation))
            success, ended = info["success"], terminated or truncated
            if time.monotonic() - begun > PATIENCE_S:
                return -1
            if isinstance(demonstrator, Planner) and not ended and not demonstrator.sure:
                break  # no plan within its budget; it would only turn on the spot
        failed += not success
        if failed > (1 - ENOUGH) * len(SEEDS):
            return -1
    return len(SEEDS) - failed


def main() -> None:
    found = {}
    for name, level in newest().items():
        row = describe(level)
        print(f"{name}: {'cannot be made' if row is None else row}", flush=True)
        if row is not None:
            found[name] = row
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
