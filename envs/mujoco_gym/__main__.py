"""`python -m opengato.envs.mujoco_gym FILE`: what Gymnasium lists, as the registry reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gymnasium

from opengato.envs.mujoco_gym.env import MujocoGym, name_of


def main() -> None:
    found = {}
    for id, spec in gymnasium.registry.items():
        if "mujoco" in str(spec.entry_point) and id.endswith("-v5"):
            found[name_of(id)] = {"id": id, "rate_hz": round(1 / MujocoGym(id).dt, 3)}
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
