"""Sokoban as a Gymnasium environment: a picture in, a step in one of four directions out."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from opengato.errors import OpengatoError

from . import BOXES
from .board import DIRECTIONS, SIDE, Position, Room
from .picture import draw
from .rooms import draw_room

PICTURE = 64  # pixels along a side of what the agent sees
CELL, RENDER_CELL = 6, 32
MAX_STEPS = 120
STEP, ON, OFF, SOLVED = -0.1, 1.0, -1.0, 10.0

Observation = dict[str, np.ndarray]


class Sokoban(gymnasium.Env[Observation, np.int64]):
    """A player who can push boxes, one at a time, and never pull them: a wrong push can spoil the room.

    Every episode has a room of its own, drawn from the seed, which can be solved in 100 steps.

    Observation: `image`, uint8 [64, 64, 3]: the whole room from above, six pixels a cell and two of margin.
    Action: Discrete(4): one cell up, down, left or right. Against a wall, or a box that can't be pushed, nothing moves.
    Reward: -0.1 a step, +1 for a box pushed onto a goal, -1 for one pushed off, +10 for the last one (the rewards of
    Racanière et al., 2017). Success: every box is on a goal. That ends the episode; without it it is truncated after
    120 steps.

    Args:
        boxes: and goals, 1 to 4.
        render_mode: "rgb_array" or None; `render` works with either.
        max_steps: of an episode.

    Raises:
        OpengatoError: there are no rooms with so many boxes.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(self, boxes: int, render_mode: str | None = None, max_steps: int = MAX_STEPS) -> None:
        if boxes not in BOXES:
            raise OpengatoError(f"no rooms with {boxes!r} boxes. Next: give one of {', '.join(map(str, BOXES))}.")
        self.boxes, self.render_mode, self.max_steps = boxes, render_mode, max_steps
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {"image": spaces.Box(0, 255, (PICTURE, PICTURE, 3), np.uint8)}
        )
        self.action_space = spaces.Discrete(len(DIRECTIONS))
        self.room: Room
        self.position: Position
        self._steps = 0

    @property
    def num_steps(self) -> int:
        """Steps of this episode so far."""
        return self._steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new room."""
        super().reset(seed=seed)
        self.room = draw_room(self.np_random, self.boxes)
        self.position, self._steps = self.room.start, 0
        return self._observation(), {"success": False}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Walk, or push.

        Args:
            action: 0 up, 1 down, 2 left, 3 right.

        Raises:
            ValueError: the action is none of them.
        """
        if not 0 <= int(action) < len(DIRECTIONS):
            raise ValueError(f"action {action!r} is outside 0 … {len(DIRECTIONS) - 1}")
        before = self._on_goals()
        self.position = self.room.move(self.position, DIRECTIONS[int(action)])
        self._steps += 1
        change = self._on_goals() - before
        success = self.position.boxes == self.room.goals
        reward = STEP + (ON * change if change > 0 else -OFF * change) + SOLVED * success
        return self._observation(), reward, success, not success and self._steps >= self.max_steps, {"success": success}

    def render(self) -> np.ndarray:
        """The room, uint8 [320, 320, 3]."""
        return draw(self.room, self.position, RENDER_CELL)

    def _on_goals(self) -> int:
        return len(self.position.boxes & self.room.goals)

    def _observation(self) -> Observation:
        return {"image": draw(self.room, self.position, CELL, (PICTURE - SIDE * CELL) // 2)}
