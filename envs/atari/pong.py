"""A script that plays Pong: foresee where the ball arrives, and meet it with the end of the paddle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .demonstrator import reflect
from .env import FRAME_SKIP
from .paddle import HORIZON, PaddleScript, Response

# Cells of the console's memory; y grows downwards, the velocities are pixels a frame.
BALL_X, BALL_Y, PADDLE_Y, BALL_LEFTWARDS, BALL_DOWNWARDS = 49, 54, 51, 58, 56
BALL_TOP, BALL_BOTTOM = 45.0, 206.0  # where the walls throw the ball back
PADDLE_TOP, PADDLE_BOTTOM = 38.0, 203.0  # the paddle's own limits
CONTACT_X = 188
PADDLE_CENTRED = 117.0
# A ball 2 pixels above to 0 below the paddle's zero is returned with -2 pixels a frame, one 13 to 16 below with +2, and
# those in between slower than the opponent's paddle runs.
UPWARD_EDGE, DOWNWARD_EDGE = -0.5, 14.5
# The opponent is late for a fast ball that has crossed most of the court since its last bounce: those are the balls hit
# upwards from below this line, and downwards from above it.
UPWARDS_FROM = 118.0
# The paddle moves in every other frame, so that it matters whether a step begins on an even or on an odd one.
RESPONSES = (
    Response((0, 0, 3, 3, 10, 10, 17, 17, 20, 20, 22, 22, 23), (0, 0, 0.54, 0.54, 0.77, 0.77, 0.92, 0.92, 1)),
    Response((0, 0, 0, 6, 6, 15, 15, 19, 19, 21, 21, 22, 22, 23), (0, 0.53, 0.53, 0.76, 0.76, 0.88, 0.88, 0.94, 1)),
)


class Pong(PaddleScript):
    """Plays to win the rally with a fast, steep ball.

    Where the ball will cross the paddle's column decides which end of the paddle should meet it. While the ball flies
    away the paddle goes back to the middle.
    """

    paddle = PADDLE_Y
    buttons = ("RIGHT", "NOOP", "LEFT")  # up, stay, down

    def response(self) -> Response:
        return RESPONSES[self.env.ale.getEpisodeFrameNumber() % 2]

    def act(self, observation: Mapping[str, np.ndarray]) -> int:
        rightwards = -self.signed(BALL_LEFTWARDS)
        if self.at(BALL_Y) == 0 or rightwards <= 0:
            return self.move_to(PADDLE_CENTRED, slack=20)
        frames = max(1, round((CONTACT_X - self.at(BALL_X)) / rightwards))
        arrival = reflect(self.at(BALL_Y) + self.signed(BALL_DOWNWARDS) * frames, BALL_TOP, BALL_BOTTOM)
        edge = UPWARD_EDGE if arrival >= UPWARDS_FROM else DOWNWARD_EDGE
        wanted = min(max(arrival - edge, PADDLE_TOP), PADDLE_BOTTOM)
        if frames > HORIZON * FRAME_SKIP:
            return self.move_to(wanted, slack=30)
        return self.be_at(wanted, frames, tolerance=1)
