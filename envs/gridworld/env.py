"""A MiniGrid or BabyAI level as an environment whose spaces say what they hold: symbols are not a picture."""

from __future__ import annotations

import contextlib
import io
import string
from typing import Any

import gymnasium
import minigrid  # noqa: F401 - registers the levels
import numpy as np
from gymnasium import Env, spaces
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX

from opengato.errors import UnknownNameError

VIEW = 7  # cells along one side of the agent's window; MiniGrid's default
TILE_PIXELS = 40  # of render(): a single room of 8x8 cells becomes 320x320
MAX_RENDER_PIXELS = 480  # larger mazes get smaller tiles
MIN_RENDER_PIXELS = 160  # a corridor of 3 cells is framed by black
MISSION_CHARACTERS = frozenset(string.ascii_lowercase + " ,")


def levels() -> list[str]:
    """Ids of all levels, as MiniGrid registers them."""
    return [id for id in gymnasium.registry if id.startswith(("BabyAI-", "MiniGrid-"))]


def _make(level: str, kwargs: dict[str, Any]) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return gymnasium.make(level, disable_env_checker=True, **kwargs).unwrapped


class GridWorld(Env[dict[str, Any], np.int64]):
    """One level of MiniGrid or BabyAI.

    Observation:
        cells: MultiDiscrete [147]. The 7x7 window before the agent, column by column from the left, far to near; each
            cell is (object type 0-10, colour 0-5, state 0-2). Type 0 is a cell that can't be seen. The agent stands in
            the middle of the near row; its own cell shows what it carries.
        direction: Discrete(4). 0 east, 1 south, 2 west, 3 north.
        mission: text, e.g. `pick up the red ball on your left` (sides as seen from where the episode began).

    Action: Discrete(7). 0 turn left, 1 turn right, 2 forward, 3 pick up, 4 drop, 5 toggle, 6 done (in BabyAI it does
    nothing); the first three alone where obstacles move.

    Reward: 1 - 0.9 t/T when the mission is done at step t of T, else 0; -1 for running into a moving obstacle. Success:
    the mission is done.

    Args:
        level: Gymnasium's id, e.g. `BabyAI-GoToLocal-v0`.
        render_mode: `rgb_array` or None.
        **kwargs: passed to the level's class.

    Raises:
        UnknownNameError: there is no such level.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(self, level: str, render_mode: str | None = "rgb_array", **kwargs: Any) -> None:
        known = levels()
        if level not in known:
            raise UnknownNameError("gridworld level", level, known, "Next: opengato list 'tasks=[gridworld/*]'")
        self.level = _make(level, kwargs)
        self.render_mode = render_mode
        sizes = [len(OBJECT_TO_IDX), len(COLOR_TO_IDX), len(STATE_TO_IDX)]
        self.observation_space = spaces.Dict(
            {
                "cells": spaces.MultiDiscrete(np.array(sizes * VIEW * VIEW)),
                "direction": spaces.Discrete(4),
                "mission": spaces.Text(256, charset=MISSION_CHARACTERS),
            }
        )
        self.action_space = spaces.Discrete(int(self.level.action_space.n))
        self.last_action: int | None = None  # what was truly executed: the bot plans on it

    @property
    def num_steps(self) -> int:
        """Steps of this episode so far."""
        return int(self.level.step_count)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        with contextlib.redirect_stdout(io.StringIO()):  # MiniGrid prints every mission that it rejects
            raw, _ = self.level.reset(seed=int(self.np_random.integers(2**31)))
        self.last_action = None
        return self._observation(raw), {"success": False}

    def step(self, action: np.int64 | int) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        raw, reward, terminated, truncated, _ = self.level.step(int(action))
        self.last_action = int(action)
        success = bool(terminated and reward > 0)
        return self._observation(raw), float(reward), bool(terminated), bool(truncated), {"success": success}

    def render(self) -> np.ndarray:
        """The whole grid from above, the agent's window lit: uint8 [H, W, 3], H and W multiples of 16."""
        cells = max(self.level.width, self.level.height)
        tile = min(TILE_PIXELS, MAX_RENDER_PIXELS // cells)
        frame = np.asarray(self.level.get_frame(highlight=True, tile_size=tile, agent_pov=False), np.uint8)
        missing = [max(MIN_RENDER_PIXELS - side, -side % 16) for side in frame.shape[:2]]
        return np.pad(frame, [*((pixels // 2, pixels - pixels // 2) for pixels in missing), (0, 0)])

    def close(self) -> None:
        self.level.close()

    def _observation(self, raw: dict[str, Any]) -> dict[str, Any]:
        return {
            "cells": np.asarray(raw["image"]).reshape(-1).astype(np.int64),
            "direction": np.int64(raw["direction"]),
            "mission": str(raw["mission"]) or "no mission",  # as the playground has it
        }
