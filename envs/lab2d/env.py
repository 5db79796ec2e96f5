"""One level of DMLab2D as a Gymnasium environment: a picture in, the level's own actions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dmlab2d
import gymnasium
import numpy as np
from dmlab2d import runfiles_helper
from gymnasium import spaces

from opengato.errors import ObservationError, UnknownNameError

from .levels import ACTIONS_LEFT_OUT, levels

SIDE = 64  # of the agent's picture
RENDER_SIDE = 320  # pixels, about, of what `render` draws
FRAMES_PER_SECOND = 8
PRICE = 5.0  # a step's reward above this is that for the last box
COMPASS = ("STAY", "NORTH", "EAST", "SOUTH", "WEST")
SIDES = ("STAY", "FORWARD", "RIGHT", "BACKWARD", "LEFT")
VALUES = {"MOVE": COMPASS, "move": SIDES, "turn": ("LEFT", "STAY", "RIGHT")}

Observation = dict[str, np.ndarray]
Action = np.ndarray | np.int64 | int | Sequence[int]


class Lab2D(gymnasium.Env[Observation, Any]):
    """A level with one player.

    The seed draws a seed of the level for each episode; it and the actions decide everything else.

    Observation:
        image: uint8 [64, 64, 3], what the level shows its player: all of it (`pushbox`, `chase_eat`), or the cells
            around and before him, turned so that he looks up. A cell is 5 to 13 pixels wide.
        inventory: float32 [3], rock, paper and scissors that the player has, in `running_with_scissors`.

    Action: what the level has (`action_meanings`): Discrete(5), a step north, east, south or west, where that is all;
    else MultiDiscrete, one number for the step, one for turning, one for a beam.

    Reward: the player's own. An episode ends with the level, or is truncated after `max_steps`. `info["success"]` in
    `pushbox` (every box is on a goal) and `running_with_scissors` (the duel is won).

    Args:
        name: one of `levels()`.
        max_steps: of an episode; None for 120 in `pushbox` and 1000 elsewhere.
        settings: of the level's script by the names that it has for them, e.g. `{"numBoxes": 2}`.
        render_mode: "rgb_array" or None; `render` works with either.

    Raises:
        UnknownNameError: there is no such level.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": FRAMES_PER_SECOND}

    def __init__(
        self,
        name: str,
        max_steps: int | None = None,
        settings: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        known = levels()
        if name not in known:
            raise UnknownNameError("level of DMLab2D", name, known, "Next: opengato list 'tasks=[lab2d/*]'")
        self.name, self.level, self.render_mode = name, known[name], render_mode
        self.max_steps = max_steps or self.level.max_steps
        self._settings = {**self.level.settings, **{key: str(value) for key, value in (settings or {}).items()}}
        probe = self._open(8)
        names = probe.observation_names()
        self._view, self._layers = ("1.RGB", "1.LAYER") if "1.RGB" in names else ("WORLD.RGB", "WORLD.LAYER")
        self._is_won_or_lost = self.level.folder in ("pushbox", "running_with_scissors")
        self._has_inventory = "1.INVENTORY" in names
        self.cells = int(probe.observation_spec(self._layers)["shape"][0])
        self.lab = self._open((SIDE + 2) // self.cells)
        self._read_actions()
        seen: dict[str, spaces.Space[Any]] = {"image": spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)}
        if self._has_inventory:
            seen["inventory"] = spaces.Box(0, np.inf, (3,), np.float32)
        self.observation_space = spaces.Dict(seen)  # type: ignore[assignment]
        self.history: list[np.ndarray] = []
        self._camera: dmlab2d.Lab2d | None = None
        self._return = 0.0
        self._drawn = 0  # actions that the camera has seen
        self._seed = 0

    @property
    def num_steps(self) -> int:
        """Steps of this episode so far."""
        return len(self.history)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin the level."""
        super().reset(seed=seed)
        self._seed = int(self.np_random.integers(2**31))
        self.lab.start(0, seed=self._seed)
        self.history, self._drawn, self._return = [], -1, 0.0
        return self._observation(), self._info(False)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One frame.

        Args:
            action: indices into `action_meanings`, int64 [number of them]; one number where there is one.

        Raises:
            ObservationError: the action is outside the action space.
        """
        chosen = np.atleast_1d(np.asarray(action, np.int64))
        if chosen.shape != self._low.shape or (chosen < 0).any() or (chosen >= self._sizes).any():
            raise ObservationError(f"action {action!r} is outside {self.action_space}. Next: check the policy.")
        self.history.append(chosen)
        ended, reward = self._advance(self.lab, chosen)
        if self._view == "1.RGB":  # the level tells the sum over all players
            reward = float(self.lab.observation("1.REWARD"))
        self._return += reward
        # A duel is paid for in the step before the one in which it ends.
        won = reward > PRICE if self.level.folder == "pushbox" else self._return > 0
        success = ended and won and self._is_won_or_lost
        truncated = ended and not success and self.num_steps >= self.max_steps
        return self._observation(), reward, ended and not truncated, truncated, self._info(success)

    def render(self) -> np.ndarray:
        """The same view in more detail, uint8 [height, width, 3] of about 320 pixels, multiples of 16."""
        if self._camera is None:
            self._camera, self._drawn = self._open(-(-RENDER_SIDE // self.cells) // 16 * 16 or 16), -1
        if self._drawn < 0:
            self._camera.start(0, seed=self._seed)
        for action in self.history[max(self._drawn, 0) :]:
            self._advance(self._camera, action)
        self._drawn = self.num_steps
        return np.array(self._camera.observation(self._view))

    def layers(self) -> np.ndarray:
        """For demonstrators: what stands where in the view, int32 [cells, cells, layers], 0 where nothing does."""
        return np.array(self.lab.observation(self._layers))

    def text(self) -> list[str]:
        """For demonstrators: the rows of the whole world, a character a cell."""
        name = "WORLD.TEXT" if self._layers == "WORLD.LAYER" else "GLOBAL.TEXT"
        text = self.lab.observation(name)
        return (text.decode() if isinstance(text, bytes) else str(text)).strip("\n").split("\n")

    def _open(self, pixels: int) -> dmlab2d.Lab2d:
        """The level, drawn with so many pixels along a cell's side."""
        told = {"levelName": self.level.folder, "episodeLengthFrames": str(self.max_steps), "spriteSize": str(pixels)}
        return dmlab2d.Lab2d(runfiles_helper.find(), {**told, **self._settings})

    def _read_actions(self) -> None:
        """The player's actions, without those of bots and those that are left out."""
        self._all = list(self.lab.action_discrete_names())
        dropped = ACTIONS_LEFT_OUT.get(self.level.folder, ())
        kept = [name for name in self._all if name[:2] in ("MO", "1.") and name.removeprefix("1.") not in dropped]
        self._kept = [self._all.index(name) for name in kept]
        limits = [self.lab.action_discrete_spec(name) for name in kept]
        self._low = np.asarray([limit["min"] for limit in limits], np.int64)
        self._sizes = np.asarray([limit["max"] - limit["min"] + 1 for limit in limits], np.int64)
        short = [name.removeprefix("1.") for name in kept]
        self.action_names = tuple(short)
        self.action_meanings = tuple(VALUES.get(name, ("NOTHING", name.upper())) for name in short)
        if len(kept) == 1:
            self.action_space = spaces.Discrete(int(self._sizes[0]))
        else:
            self.action_space = spaces.MultiDiscrete(self._sizes)

    def _advance(self, lab: dmlab2d.Lab2d, chosen: np.ndarray) -> tuple[bool, float]:
        """Whether the level ended, and the reward that it tells."""
        pressed = np.zeros(len(self._all), np.int32)
        pressed[self._kept] = chosen + self._low
        lab.act_discrete(pressed)
        status, reward = lab.advance()
        return status != dmlab2d.RUNNING, float(reward)

    def _observation(self) -> Observation:
        seen = {"image": _fit(np.asarray(self.lab.observation(self._view)))}
        if self._has_inventory:
            seen["inventory"] = np.array(self.lab.observation("1.INVENTORY"), np.float32)
        return seen

    def _info(self, success: bool) -> dict[str, Any]:
        return {"success": success} if self._is_won_or_lost else {}


def _fit(picture: np.ndarray) -> np.ndarray:
    """uint8 [n, n, 3] → uint8 [64, 64, 3] of its own: a margin of black round it, or its rim cut off."""
    off = (len(picture) - SIDE) // 2
    if off >= 0:
        return np.array(picture[off : off + SIDE, off : off + SIDE])
    small, low = np.zeros((SIDE, SIDE, 3), np.uint8), (SIDE - len(picture)) // 2
    small[low : low + len(picture), low : low + len(picture)] = picture
    return small
