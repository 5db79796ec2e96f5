"""One body with every kind of space: nested, tuple, text, picture, counts, switches, odd bounds; a dict of actions.

Nothing in it suits the agent: the sides of the picture are no multiples of 16, a Discrete starts at -2, boxes are odd
or hold integers, the text is not ASCII. Use it as a pattern for a robot with unusual inputs and outputs:

    opengato collect plugins=[examples/every_space.py] tasks=[every/space] episodes=4
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from opengato.tasks import register

ORDERS = ("bleib stehen", "höher ↑", "вправо, 右へ")
REACH = spaces.Box(np.float32([-1.0, 0.0]), np.float32([3.0, 0.5]))
STEPS = 12


class EverySpace(gym.Env[dict[str, Any], dict[str, Any]]):
    """A panel of dials: each step shows new readings, and every part of the action must answer its reading.

    The reward is the share of the five parts that are right, in [0, 1]. Success: 90 % of all parts of the episode.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}
    observation_space = spaces.Dict(
        {
            "body": spaces.Dict(
                {
                    "place": REACH,
                    "inner": spaces.Dict({"count": spaces.Box(-3, 9, (2,), np.int64)}),
                    "switches": spaces.MultiBinary(3),
                }
            ),
            "pair": spaces.Tuple([spaces.Discrete(5, start=-2), spaces.MultiDiscrete([3, 4])]),
            "order": spaces.Text(16, charset=frozenset("".join(ORDERS))),
            "camera": spaces.Box(0, 255, (30, 41, 3), np.uint8),
        }
    )
    action_space = spaces.Dict(
        {
            "move": spaces.Box(np.float32([-0.5, 1.0]), np.float32([1.5, 2.0])),
            "gear": spaces.Discrete(3, start=1),
            "tune": spaces.MultiDiscrete([3, 4]),
            "lights": spaces.MultiBinary(2),
            "jump": spaces.Box(-3, 9, (1,), np.int32),
        }
    )

    def __init__(self, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self.step_count, self.right = 0, 0.0
        self.seen: dict[str, Any] = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict]:
        super().reset(seed=seed)
        self.step_count, self.right = 0, 0.0
        return self._look(), {}

    def step(self, action: dict[str, Any]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        want = answer(self.seen)
        span = self.action_space["move"].high - self.action_space["move"].low
        near = np.abs(action["move"] - want["move"]) <= 0.2 * span
        exact = [np.array_equal(action[name], want[name]) for name in ("gear", "tune", "lights", "jump")]
        reward = float(np.mean([near.all(), *exact]))
        self.step_count, self.right = self.step_count + 1, self.right + reward
        done = self.step_count == STEPS
        return self._look(), reward, False, done, {"success": done and self.right >= 0.9 * STEPS}

    def render(self) -> np.ndarray:
        """The camera's picture, enlarged; uint8 [240, 336, 3]."""
        return np.pad(self.seen["camera"].repeat(8, 0).repeat(8, 1), ((0, 0), (4, 4), (0, 0)))

    def _look(self) -> dict[str, Any]:
        """New readings, drawn with the environment's own generator."""
        draw = self.np_random
        place = draw.uniform(REACH.low, REACH.high).astype(np.float32)
        camera = np.full((30, 41, 3), 40, np.uint8)
        row, column = ((place - REACH.low) / (REACH.high - REACH.low) * (25, 36)).astype(int)
        camera[row : row + 5, column : column + 5] = (250, 160, 30)
        self.seen = {
            "body": {
                "place": place,
                "inner": {"count": draw.integers(-3, 10, 2)},
                "switches": draw.integers(0, 2, 3).astype(np.int8),
            },
            "pair": (np.int64(draw.integers(-2, 3)), draw.integers(0, (3, 4))),
            "order": ORDERS[draw.integers(len(ORDERS))],
            "camera": camera,
        }
        return self.seen


def answer(seen: dict[str, Any]) -> dict[str, Any]:
    """What each reading asks for."""
    move = EverySpace.action_space["move"]
    share = (seen["body"]["place"] - REACH.low) / (REACH.high - REACH.low)
    return {
        "move": (move.low + share * (move.high - move.low)).astype(np.float32),
        "gear": np.int64(1 + ORDERS.index(seen["order"])),
        "tune": np.array(seen["pair"][1]),
        "lights": seen["body"]["switches"][:2].copy(),
        "jump": seen["body"]["inner"]["count"][:1].astype(np.int32),
    }


@register(
    "every/space",
    instruction="answer every dial: ответь, 答えて",
    embodiment="a panel of dials of every kind",
    success="nine tenths of all answers of the episode are right",
    tags=("example",),
    rate_hz=4,
    demonstrator=lambda seen, env: answer(seen),
)
def every_space(**kwargs: Any) -> EverySpace:
    """Make the panel."""
    return EverySpace(**kwargs)
