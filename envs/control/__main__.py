"""`MUJOCO_GL=disabled python -m opengato.envs.control FILE`: what the suite lists, as the registry reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dm_control import suite

from opengato.envs.control import added
from opengato.envs.control.suite import ControlEnv, name_of


def describe(domain: str, task: str) -> dict[str, Any] | None:
    """What the registry says of a task; None if it cannot run without a graphics library."""
    try:
        env = ControlEnv(domain, task)
        env.reset(seed=0)
    except Exception as error:  # whatever a missing graphics library makes of it
        print(f"{domain}/{task}: {type(error).__name__}: {error}")
        return None
    rate = 1.0 / (env._suite.control_timestep() * env.action_repeat)
    return {"domain": domain, "task": task, "rate_hz": round(rate, 3), "camera": int(env.physics.model.ncam) > 0}


def main() -> None:
    found = {name_of(*each): describe(*each) for each in (*suite.ALL_TASKS, *added.TASKS)}
    kept = {name: row for name, row in found.items() if row is not None}
    Path(sys.argv[1]).write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
