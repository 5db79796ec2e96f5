"""One Atari game as a Gymnasium environment: emulator, frame skip, picture."""

from __future__ import annotations

from typing import Any

import ale_py
import gymnasium
import numpy as np
from ale_py import roms
from gymnasium import spaces

from opengato.envs.atari.games import GAMES
from opengato.errors import OpengatoError, UnknownNameError

FRAME_SKIP = 4
FRAMES_PER_SECOND = 60
MAX_RANDOM_FRAMES = 30  # at the start of an episode
SIDE = 80  # of the agent's picture, in pixels
VIDEO_BLOCK = 16  # the sides of a video frame are multiples of this

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # else it prints a banner for each emulator


class AtariEnv(gymnasium.Env[Any, Any]):
    """An Atari game after the classical protocol.

    Each step holds the action for 4 frames (15 Hz); there are no sticky actions; losing a life ends nothing. The reward
    is the game's own points, unclipped. An episode ends with the game, or is truncated after the game's `max_steps`.

    An episode starts after 0 to 30 frames with an action drawn anew for each, all from the seed: nothing else in the
    console is random. The classical protocol holds no action in these frames, which leaves some games in the same
    state whatever the seed, so that twenty episodes of a deterministic player would be one episode twenty times. Before
    them a game's title, its jingle or whatever else it begins with is passed over (`Game.opening`).

    Where the ball must be served (Breakout), a step that begins without a ball in play presses FIRE, whatever the
    action: to learn that a rare button ends a dead screen says little about an agent.

    Observation: `screen`, uint8 [80, 80, 3]: the pictures after the last three steps, oldest first (the first picture
    three times at reset). A picture is the brightest of the last two frames, because the console draws some sprites in
    every other frame, and of 2 × 2 pixels, so that a ball two pixels wide keeps its full brightness; where the game is
    shown whole (`Game.top` is None), of as many rows as it takes. Brightness: 0 for the game's background, else
    64 + 27 · l, where l is the luminance (0 to 7) in the console's own colour code.

    Action: `Discrete(n)`, the game's minimal action set in ALE's order (`action_meanings`).

    Args:
        game: a name in `GAMES`.
        render_mode: "rgb_array" or None; `render` works with either.
        max_steps: replaces the game's own limit.
        mode: number of one of the game's variants, as ALE lists them; None for ALE's default.
        difficulty: position of the console's difficulty switches, as ALE lists them; None for ALE's default.

    Raises:
        UnknownNameError: there is no such game.
        OpengatoError: the game has no such mode or difficulty.
        OpengatoError: the game's ROM is not in the installed ale-py.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": FRAMES_PER_SECOND // FRAME_SKIP}

    def __init__(
        self,
        game: str,
        render_mode: str | None = None,
        max_steps: int | None = None,
        mode: int | None = None,
        difficulty: int | None = None,
    ) -> None:
        if game not in GAMES:
            raise UnknownNameError("Atari game", game, GAMES, "Next: opengato list")
        self.game = GAMES[game]
        self.render_mode = render_mode
        self.max_steps = max_steps or self.game.max_steps
        self.name, self.mode, self.difficulty = game, mode, difficulty
        self.ale = self.emulator()
        self._actions = self.ale.getMinimalActionSet()
        self.action_meanings: tuple[str, ...] = tuple(action.name for action in self._actions)
        self.observation_space = spaces.Dict({"screen": spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)})
        self.action_space = spaces.Discrete(len(self._actions))
        self._brightness = _brightness(self.game.background)
        height, width = self.ale.getScreenDims()
        self._first_rows = np.arange(SIDE) * height // SIDE  # of each row of the picture, where the screen is whole
        self._video_size = tuple(2 * side // VIDEO_BLOCK * VIDEO_BLOCK for side in (height, width))
        self._pictures: list[np.ndarray] = []
        self._steps = 0
        self.ram = self.previous_ram = self.ale.getRAM()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start the game anew; the seed draws what happens in the first frames."""
        super().reset(seed=seed)
        self.ale.reset_game()
        for _ in range(self.game.opening):
            self.ale.act(ale_py.Action.NOOP)
        for _ in range(int(self.np_random.integers(MAX_RANDOM_FRAMES + 1))):
            self.ale.act(self._actions[int(self.np_random.integers(len(self._actions)))])
        self._steps = 0
        self.ram = self.previous_ram = self.ale.getRAM()
        self._pictures = [self._picture(self.ale.getScreen())] * 3
        return self._observation(), self._info()

    def step(self, action: int) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Hold one action for four frames.

        Args:
            action: index into `action_meanings`.

        Raises:
            ValueError: the index is outside the action space.
        """
        if not 0 <= int(action) < len(self._actions):
            raise ValueError(f"action {action!r} is outside 0 … {len(self._actions) - 1}")
        pressed = self.button(int(action), self.ram)
        reward = sum(self.ale.act(pressed) for _ in range(FRAME_SKIP - 1))
        screen = self.ale.getScreen()
        reward += self.ale.act(pressed)
        self._steps += 1
        self.previous_ram, self.ram = self.ram, self.ale.getRAM()
        self._pictures = [*self._pictures[1:], np.maximum(self._picture(screen), self._picture(self.ale.getScreen()))]
        terminated = self.ale.game_over(with_truncation=False)
        truncated = not terminated and self._steps >= self.max_steps
        return self._observation(), float(reward), terminated, truncated, self._info()

    def emulator(self) -> ale_py.ALEInterface:
        """A console of its own with this game in it, in this mode and at this difficulty from `reset_game` on.

        `restoreState` brings it to where `ale` is, for looking ahead. `ale` itself is no place for that: a restored
        state lacks the half of the picture that the beam has drawn already.
        """
        ale = console(self.name)
        if self.mode is not None:
            ale.setMode(self._legal("mode", self.mode, ale.getAvailableModes()))
        if self.difficulty is not None:
            ale.setDifficulty(self._legal("difficulty", self.difficulty, ale.getAvailableDifficulties()))
        return ale

    def button(self, action: int, ram: np.ndarray) -> ale_py.Action:
        """What an action presses in a console whose memory is `ram`, uint8 [128]: FIRE where it must be served."""
        served = self.game.serve is None or ram[self.game.serve] != 0
        return self._actions[action] if served else ale_py.Action.FIRE

    def render(self) -> np.ndarray:
        """The console's screen, uint8 [height, 320, 3], two pixels per pixel.

        As many rows are cut at either end as make the height a multiple of 16: 416 for a screen of 210 rows, up to 496.
        """
        height, width = self._video_size
        picture = self.ale.getScreenRGB().repeat(2, axis=0).repeat(2, axis=1)
        margin = (picture.shape[0] - height) // 2
        return np.ascontiguousarray(picture[margin : margin + height, :width])

    def _picture(self, screen: np.ndarray) -> np.ndarray:
        """uint8 [210 to 250, 160] colour codes → uint8 [80, 80] brightness."""
        if self.game.top is None:
            rows = np.maximum.reduceat(self._brightness[screen], self._first_rows, axis=0)
        else:
            bright = self._brightness[screen[self.game.top : self.game.top + 2 * SIDE]]
            rows = np.maximum(bright[::2], bright[1::2])
        return np.maximum(rows[:, ::2], rows[:, 1::2])

    def _legal(self, what: str, value: int, known: list[int]) -> int:
        if value not in known:
            raise OpengatoError(
                f"{self.name!r} has no {what} {value!r}. Next: give one of {', '.join(map(str, known))}, or None."
            )
        return int(value)

    def _observation(self) -> dict[str, np.ndarray]:
        return {"screen": np.stack(self._pictures, axis=-1)}

    def _info(self) -> dict[str, Any]:
        return {"lives": self.ale.lives(), "frames": self.ale.getEpisodeFrameNumber()}


def _brightness(background: tuple[int, ...]) -> np.ndarray:
    """uint8 [256]: brightness of each colour code, whose bits 1 to 3 are its luminance."""
    table = (64 + 27 * (np.arange(256) >> 1 & 7)).astype(np.uint8)
    table[list(background)] = 0
    return table


def console(game: str) -> ale_py.ALEInterface:
    """A console with a game in it, as it is switched on; nothing in it is random.

    Raises:
        OpengatoError: the game's ROM is not in the installed ale-py.
    """
    cartridge = roms.get_rom_path(game.replace("-", "_"))
    if cartridge is None:
        raise OpengatoError(f"the ROM of {game!r} is not in ale-py. Next: pip install --force-reinstall ale-py")
    ale = ale_py.ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(cartridge)
    return ale
