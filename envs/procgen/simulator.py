"""Procgen's library behind the few calls that are needed of it: one game, one level, its state, its pictures."""

from __future__ import annotations

import sys
import types
from functools import cache
from typing import Any

import numpy as np

from opengato.errors import OpengatoError

STATE_BYTES = 2**20  # no game's state is longer
NO_OP = 4  # index into COMBINATIONS
# What each of Procgen's actions presses: the arrows, and keys that some of the games know.
COMBINATIONS = (
    *("down left", "left", "up left", "down", "nothing", "up", "down right", "right", "up right"),
    *("D", "A", "W", "S", "Q", "E"),
)


@cache
def library() -> Any:
    """The module `procgen`.

    On import it registers its games with `gym`, which is dead and not needed: stand-ins take its place for as long as
    the import lasts, where it is not there.

    Raises:
        OpengatoError: a library of the system is missing that Procgen links against.
    """
    names = ("gym", "gym.envs", "gym.envs.registration")
    stands_in = "gym" not in sys.modules
    if stands_in:
        gym, envs, registration = (types.ModuleType(name) for name in names)
        registration.register = lambda *_, **__: None  # type: ignore[attr-defined]
        gym.envs, envs.registration = envs, registration  # type: ignore[attr-defined]
        sys.modules.update(zip(names, (gym, envs, registration), strict=True))
    try:
        import procgen
    finally:
        if stands_in:
            for name in names:
                sys.modules.pop(name, None)
    return procgen


def games() -> list[str]:
    """Procgen's own list."""
    return list(library().env.ENV_NAMES)


class Simulator:
    """One game at one level; when an episode of it ends, the next begins at once.

    Args:
        game: a name in `games()`.
        level: number of the level, 0 to 2³¹ - 2. It decides everything that is random in an episode.
        large: also draw pictures of 512 × 512 pixels, which takes twenty times as long as a step.

    Raises:
        OpengatoError: a library of the system is missing that Procgen links against.
    """

    def __init__(self, game: str, level: int, large: bool = False) -> None:
        procgen = library()
        try:
            self._env = procgen.ProcgenGym3Env(
                1,
                game,
                distribution_mode="easy",
                num_levels=1,
                start_level=level,
                rand_seed=0,  # chooses among the levels, of which there is one
                num_threads=0,
                render_mode="rgb_array" if large else None,
            )
        except OSError as error:
            raise OpengatoError(
                f"Procgen does not start: {error}. Next: sudo apt-get install libgl1 libglib2.0-0"
            ) from error
        self._buffer = self._env._ffi.new(f"char[{STATE_BYTES}]")
        self._action = np.zeros(1, np.int32)
        self._seen: dict[str, np.ndarray] | None = None

    def act(self, action: int) -> tuple[float, bool]:
        """One step: its reward, and whether it ended the episode."""
        self._action[0] = action
        self._env.act(self._action)
        reward, self._seen, first = self._env.observe()
        return float(reward[0]), bool(first[0])

    def picture(self) -> np.ndarray:
        """What the agent sees, uint8 [64, 64, 3]; after an end, the first picture of the next episode."""
        if self._seen is None:
            self._seen = self._env.observe()[1]
        return np.array(self._seen["rgb"][0])

    def large_picture(self) -> np.ndarray:
        """uint8 [512, 512, 3], only where `large` was asked for."""
        return np.array(self._env.get_info()[0]["rgb"])

    def completed(self) -> bool:
        """Whether the episode before this one ended because its level was completed."""
        return bool(self._env.get_info()[0]["prev_level_complete"])

    def state(self) -> bytes:
        """Everything that the next steps depend on, some 20 to 30 kB."""
        length = self._env.call_c_func("get_state", 0, self._buffer, STATE_BYTES)
        return bytes(self._env._ffi.buffer(self._buffer, length))

    def put_back(self, state: bytes) -> None:
        """Make the game what it was; another simulator's state of the same game will do."""
        self._env.call_c_func("set_state", 0, state, len(state))
        self._seen = None

    def close(self) -> None:
        """Give its memory back."""
        self._env.close()
