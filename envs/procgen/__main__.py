"""`python -m opengato.envs.procgen FILE`: Procgen's games, and which of its fifteen actions differ in each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from opengato.envs.procgen.simulator import COMBINATIONS, NO_OP, Simulator, games

LEVELS, MOMENTS, APART = 8, 12, 8  # of random play: levels, moments in each, steps between them
# Of actions that are the same, the first of these is kept: nothing, one arrow, two, another key.
PLAINEST_FIRST = (NO_OP, 1, 3, 5, 7, 0, 2, 6, 8, *range(9, len(COMBINATIONS)))
HELD, AFTER = 2, 3  # steps that an action is held for, and in which nothing is pressed after it


def describe(game: str) -> dict[str, Any]:
    """The actions that differ.

    Two are the same if no moment of random play tells them apart: whether the one or the other is held for two steps,
    the pictures and rewards are the same to the last bit, then and in the three steps after.
    """
    same = np.ones((len(COMBINATIONS), len(COMBINATIONS)), bool)
    rng = np.random.default_rng(0)
    for level in range(LEVELS):
        simulator = Simulator(game, level)
        for _ in range(MOMENTS):
            begin = simulator.state()
            outcomes = [_outcome(simulator, begin, action) for action in range(len(COMBINATIONS))]
            same &= np.asarray([[one == other for other in outcomes] for one in outcomes])
            simulator.put_back(begin)
            for action in rng.integers(len(COMBINATIONS), size=APART):
                simulator.act(int(action))
        simulator.close()
    kept: list[int] = []
    for action in PLAINEST_FIRST:
        if not any(same[action, other] for other in kept):
            kept.append(action)
    return {"actions": sorted(kept)}


def _outcome(simulator: Simulator, begin: bytes, action: int) -> tuple[Any, ...]:
    simulator.put_back(begin)
    seen = []
    for pressed in [action] * HELD + [NO_OP] * AFTER:
        seen.append((*simulator.act(pressed), simulator.picture().tobytes()))
    return tuple(seen)


def main() -> None:
    lines = [f" {json.dumps(game)}: {json.dumps(describe(game))}" for game in games()]
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
