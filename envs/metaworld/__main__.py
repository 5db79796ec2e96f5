"""`python -m opengato.envs.metaworld FILE`: what Meta-World lists, as the registry reads it."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from opengato.envs.metaworld.env import TASKS, MetaWorldEnv
from opengato.envs.metaworld.expert import ScriptedExpert
from opengato.envs.metaworld.words import WORDS

SEEDS = range(10)
# A demonstration goes on after the slowest success until the arm has come to rest, so that it also shows how to stay:
# an agent is judged over Meta-World's own 500 steps. All of them would be mostly waiting.
HOLD, ROUND, LONGEST = 100, 50, 500


def first_success(env: MetaWorldEnv, seed: int) -> int | None:
    """Steps that the script takes until success, None if it fails within the episode."""
    expert, steps, ended = ScriptedExpert(), 0, False
    observation, _ = env.reset(seed=seed)
    expert.reset(env)
    while not ended:
        observation, _, _, ended, info = env.step(expert.act(observation))
        steps += 1
        if info["success"]:
            return steps
    return None


def describe(task: str) -> dict[str, Any]:
    """What the registry says of a task; `solved` of `of` is how often its script succeeds on `SEEDS`."""
    env = MetaWorldEnv(task)
    found = [first_success(env, seed) for seed in SEEDS]
    env.close()
    solved = [steps for steps in found if steps is not None]
    instruction, success = WORDS[task]
    return {
        "instruction": instruction,
        "success": success,
        "rate_hz": round(env.rate_hz, 3),
        "demonstration_steps": min(LONGEST, math.ceil((max(solved) + HOLD) / ROUND) * ROUND),
        "solved": len(solved),
        "of": len(found),
    }


def main() -> None:
    rows = {task: describe(task) for task in TASKS}
    Path(sys.argv[1]).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
