"""`python -m opengato.envs.atari FILE`: which games there are, as ALE lists them, one a line.

Listing must not import a simulator, so what the simulator knows is written down here once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ale_py
import gymnasium
import numpy as np

from opengato.envs.atari.env import console

STEPS, FRAMES = 40, 10  # of the random play in which the background is found: actions, and frames of each


def names() -> list[str]:
    """Every game that ale-py registers with Gymnasium as `ALE/…-v5`, sorted, with hyphens for underscores."""
    gymnasium.register_envs(ale_py)
    found = {spec.kwargs["game"] for id, spec in gymnasium.registry.items() if id.startswith("ALE/")}
    return sorted(name.replace("_", "-") for name in found)


def describe(name: str) -> dict[str, Any]:
    """A game's minimal actions, modes and difficulties as ALE lists them, and the colour that most of its screen has.

    The colour is counted over 400 frames of random play, always the same ones.
    """
    ale = console(name)
    actions, rng, counts = ale.getMinimalActionSet(), np.random.default_rng(0), np.zeros(256, np.int64)
    for _ in range(STEPS):
        action = actions[int(rng.integers(len(actions)))]
        for _ in range(FRAMES):
            ale.act(action)
        counts += np.bincount(ale.getScreen().ravel(), minlength=256)
        if ale.game_over():
            ale.reset_game()
    return {
        "actions": [action.name for action in actions],
        "modes": list(ale.getAvailableModes()),
        "difficulties": list(ale.getAvailableDifficulties()),
        "background": int(counts.argmax()),
    }


def main() -> None:
    lines = [f" {json.dumps(name)}: {json.dumps(describe(name))}" for name in names()]
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
