"""`python -m opengato.envs.doom FILE`: the scenarios that ViZDoom brings, as the registry reads them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from opengato.envs.doom.env import DoomEnv
from opengato.envs.doom.scenarios import TICS_PER_STEP, scenarios

SEEDS, STEPS = range(3), 20


def describe(scenario: str) -> dict[str, Any]:
    """Actions, signals and the longest episode in steps, as the environment has them.

    `still` are signals that buttons at random for two seconds do not change: health, where the first monster is far.
    """
    env = DoomEnv(scenario)
    seen: dict[str, list[float]] = {signal: [] for signal in env.signals}
    env.action_space.seed(0)
    for seed in SEEDS:
        observation, _ = env.reset(seed=seed)
        for _ in range(STEPS):
            for signal, values in seen.items():
                values.append(float(observation[signal][0]))
            observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                break
    limit = env.game.get_episode_timeout()
    env.close()
    return {
        "actions": list(env.action_meanings),
        "signals": env.signals,
        "still": [signal for signal, values in seen.items() if np.ptp(values) == 0],
        "message": env.writes,
        "goal": env.goal,
        "steps": -(-limit // TICS_PER_STEP),
    }


def main() -> None:
    lines = [f" {json.dumps(name)}: {json.dumps(describe(name))}" for name in scenarios()]
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
