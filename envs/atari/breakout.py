"""A script that plays Breakout: foresee where the ball comes down, and be there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .demonstrator import reflect
from .env import FRAME_SKIP
from .paddle import HORIZON, PaddleScript, Response

# Cells of the console's memory; a velocity is a signed whole part and 256ths, in pixels a frame.
BALL_X, BALL_Y, PADDLE_X = 99, 101, 72
DOWNWARDS, DOWNWARDS_256THS, LEFTWARDS, LEFTWARDS_256THS = 103, 104, 105, 106
BALL_LEFT, BALL_RIGHT = 56.5, 201.5  # where the walls throw the ball back
PADDLE_LEFT, PADDLE_RIGHT = 55.0, 191.0  # the paddle's own limits
CONTACT_Y = 177
RESPONSE = Response((0, 0, 3, 8, 12, 17, 20, 21, 22, 22, 22, 23), (0, 0.5, 0.77, 0.87, 0.95, 1))
MIDDLE = 8.0  # of the paddle, from the position that its cell holds


class Breakout(PaddleScript):
    """Keeps the ball in play.

    Meets a falling ball with the middle of the paddle, and stays below a rising one.
    """

    paddle = PADDLE_X
    buttons = ("LEFT", "NOOP", "RIGHT")

    def response(self) -> Response:
        return RESPONSE

    def act(self, observation: Mapping[str, np.ndarray]) -> int:
        x, y = self.at(BALL_X), self.at(BALL_Y)
        downwards = self.signed(DOWNWARDS) + self.at(DOWNWARDS_256THS) / 256
        if y == 0 or downwards <= 0:
            return self.move_to(_below(x), slack=14)
        frames = max(1, round((CONTACT_Y - y) / downwards))
        rightwards = -(self.signed(LEFTWARDS) + self.at(LEFTWARDS_256THS) / 256)
        wanted = _below(reflect(x + rightwards * frames, BALL_LEFT, BALL_RIGHT))
        if frames > HORIZON * FRAME_SKIP:
            return self.move_to(wanted, slack=14)
        return self.be_at(wanted, frames, tolerance=3)


def _below(x: float) -> float:
    """The paddle's position with its middle under the ball, within its limits."""
    return min(max(x - MIDDLE, PADDLE_LEFT), PADDLE_RIGHT)
