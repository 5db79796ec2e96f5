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

RUNS, STEPS, FRAMES = 3, 40, 10  # of the random play that is looked at: games, actions in each, frames of each
# Games that are no tasks, and why; they can be made all the same.
DROPPED = {"tic-tac-toe-3d": "the console turns the screen black for seconds while it thinks"}
OPENING = 1200  # frames: no game's opening is longer


def names() -> list[str]:
    """Every game that ale-py registers with Gymnasium as `ALE/…-v5`, sorted, with hyphens for underscores."""
    gymnasium.register_envs(ale_py)
    found = {spec.kwargs["game"] for id, spec in gymnasium.registry.items() if id.startswith("ALE/")}
    return sorted(name.replace("_", "-") for name in found)


def describe(name: str) -> dict[str, Any]:
    """A game's minimal actions, modes and difficulties as ALE lists them, and what was measured.

    `opening` counts the frames in which no button has an effect; `background` is the colour that most of the screen has
    in three times 400 frames of random play after them, always the same ones. `dropped` says why a game is no task.
    """
    ale, opening = console(name), _opening(name)
    actions, rng, counts = ale.getMinimalActionSet(), np.random.default_rng(0), np.zeros(256, np.int64)
    for _ in range(RUNS):
        ale.reset_game()
        for _ in range(opening):
            ale.act(ale_py.Action.NOOP)
        for action in rng.integers(len(actions), size=STEPS):
            for _ in range(FRAMES):
                ale.act(actions[action])
            counts += np.bincount(ale.getScreen().ravel(), minlength=256)
            if ale.game_over():
                break
    return {
        "actions": [action.name for action in actions],
        "modes": list(ale.getAvailableModes()),
        "difficulties": list(ale.getAvailableDifficulties()),
        "background": int(counts.argmax()),
        "opening": opening,
        **({"dropped": DROPPED[name]} if name in DROPPED else {}),
    }


def _opening(name: str) -> int:
    """How many frames of the game show the same screens whatever is pressed: nothing, or at random in two ways."""
    ales, rng = [console(name) for _ in range(3)], np.random.default_rng(0)
    actions = ales[0].getMinimalActionSet()
    for frame in range(OPENING):
        if frame % FRAMES == 0:
            pressed = [actions[0], *(actions[int(rng.integers(len(actions)))] for _ in ales[1:])]
        for ale, action in zip(ales, pressed, strict=True):
            ale.act(action)
        first, *others = [ale.getScreen() for ale in ales]
        if any(not np.array_equal(first, other) for other in others):
            return frame
    return 0


def main() -> None:
    lines = [f" {json.dumps(name)}: {json.dumps(describe(name))}" for name in names()]
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
