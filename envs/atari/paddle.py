"""Steering a paddle that trails its joystick, shared by the scripts for Pong and Breakout."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import ale_py
import numpy as np

from .demonstrator import RamScript
from .env import FRAME_SKIP

HORIZON = 5  # steps over which the paddle's moves are planned


@dataclass(frozen=True)
class Response:
    """How the console's paddle answers the joystick, frame by frame; the last entry holds for ever after.

    Args:
        pressed: pixels moved, 0, 1, 2, … frames after a press of one step began.
        trailing: the share of what is left to go that the paddle will have gone by then with no press.
    """

    pressed: tuple[float, ...]
    trailing: tuple[float, ...]

    @cached_property
    def shifts(self) -> np.ndarray:
        """float [frames, plans]: pixels by which each plan has moved the paddle after 0, 1, … frames."""
        frames = np.arange(HORIZON * FRAME_SKIP + 1)[:, None] - FRAME_SKIP * np.arange(HORIZON)
        return np.asarray(self.pressed)[np.clip(frames, 0, len(self.pressed) - 1)] @ _PLANS.T

    def trailed(self, frames: int) -> float:
        """`trailing` after any number of frames."""
        return self.trailing[min(frames, len(self.trailing) - 1)]


# Every sequence of presses (-1, 0, 1) over the horizon, and its cost: fewer presses are better, and early ones.
_PLANS = np.array(list(itertools.product((0, -1, 1), repeat=HORIZON)))
_EFFORT = np.abs(_PLANS) @ np.linspace(0.3, 0.4, HORIZON)


class PaddleScript(RamScript):
    """A script whose body is a paddle; directions are -1, 0 or 1 along the axis on which the paddle's cell counts."""

    paddle: int  # address of the paddle's position
    buttons: tuple[str, str, str]  # actions for -1, 0 and 1

    def response(self) -> Response:
        """How the paddle will answer a press that begins now."""
        raise NotImplementedError

    def move_to(self, wanted: float, slack: float) -> int:
        """The action after which the paddle is bound to rest within `slack` pixels of `wanted`, sooner or later."""
        missing = wanted - self.resting_place()
        return self._joystick(0 if abs(missing) < slack else int(np.sign(missing)))

    def be_at(self, wanted: float, frames: int, tolerance: float) -> int:
        """The first action of the best plan to have the paddle at `wanted` in `frames`.

        The presses of the next five steps are found by trying all 3⁵ on a model of the paddle; a press shifts the
        paddle by 23 pixels in the end, so a place between is reached by passing it at the right time.

        Args:
            wanted: position, in the units of the paddle's cell.
            frames: when, at most `HORIZON * FRAME_SKIP` ahead.
            tolerance: a miss by no more than this many pixels is as good as none.
        """
        here, response = self.at(self.paddle), self.response()
        drift = (self.resting_place() - here) * response.trailed(frames)
        miss = np.abs(response.shifts[frames] - (wanted - here - drift))
        return self._joystick(int(_PLANS[np.argmin(np.maximum(miss, tolerance) + _EFFORT), 0]))

    def resting_place(self) -> float:
        """Where the paddle would come to rest with no further press; the console is asked by trying one such step."""
        ale, here = self.env.ale, self.at(self.paddle)
        state = ale.cloneState()
        for _ in range(FRAME_SKIP):
            ale.act(ale_py.Action.NOOP)
        after = int(ale.getRAM()[self.paddle])
        ale.restoreState(state)
        return here + (after - here) / self.response().trailed(FRAME_SKIP)

    def _joystick(self, direction: int) -> int:
        return self.press(self.buttons[direction + 1])
