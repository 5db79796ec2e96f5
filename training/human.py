"""A person as demonstrator: keyboard or gamepad, in a window that shows the body's own picture.

    opengato collect 'tasks=[arm/lift-red]' demonstrator=human episodes=10 data_dir=mine

Numbers to set have a pair of keys each, in the order of `PAIRS`; space switches the last one between its ends (a
gripper). Choices have the digits, and the arrows where the environment names its actions. A gamepad's sticks set the
first numbers, its first button is space. Backspace throws the episode away, escape ends the collecting and keeps what
is finished.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.errors import EpisodeRefused, MissingExtraError, OpengatoError

SIDE = 512  # pixels of the window
RATE_HZ = 20.0  # of a body that does not say how fast it is drawn
DEAD = 0.15  # of a stick's way, around its middle, that counts as rest
PAIRS = (("right", "left"), ("up", "down"), ("w", "s"), ("d", "a"), ("e", "q"), ("r", "f"), ("t", "g"), ("y", "h"))
MEANINGS = {"up": "UP", "down": "DOWN", "left": "LEFT", "right": "RIGHT", "space": "FIRE"}


class Human:
    """Asks a person. One window serves all episodes.

    Raises:
        MissingExtraError: pygame is not installed.
    """

    def __init__(self) -> None:
        try:
            import pygame
        except ImportError:
            raise MissingExtraError("demonstrator=human", "human", ("pygame",)) from None
        self._game = pygame
        self._window: Any = None
        self._stick: Any = None
        self._env: Any = None
        self._closed = False
        self._next = self._drawn = self._drawing = 0.0  # when to act; when a picture was drawn, and for how long

    def reset(self, env: Any) -> None:
        """A new episode. Raises OpengatoError where the action is none a person can give with keys."""
        space = env.action_space
        numbers = isinstance(space, spaces.Box) and space.dtype.kind == "f" and len(space.shape) == 1
        if not isinstance(space, spaces.Discrete) and not (numbers and space.shape[0] <= len(PAIRS)):
            raise OpengatoError(
                f"demonstrator=human can't give actions of {space}; "
                f"legal: Discrete, or a Box of up to {len(PAIRS)} numbers. "
                "Next: write a demonstrator (docs/register-an-embodiment.md)."
            )
        self._env, self._closed = env, False
        self._period = 1 / float(env.metadata.get("render_fps") or RATE_HZ)
        self._next = time.monotonic()
        if self._window is None:
            self._game.display.init()
            self._game.joystick.init()
            self._window = self._game.display.set_mode((SIDE, SIDE))
            if self._game.joystick.get_count():
                self._stick = self._game.joystick.Joystick(0)
        self._game.display.set_caption(
            f"{getattr(env.spec, 'id', None) or type(env.unwrapped).__name__}: {self._help(space)}"
        )

    def act(self, observation: Any) -> Any:
        """Show what there is to see, wait for the time to act, and read keys and sticks.

        Raises:
            KeyboardInterrupt: the person wants no more.
            EpisodeRefused: the person threw the episode away.
        """
        self._show(observation)
        while (left := self._next - time.monotonic()) > 0:
            time.sleep(min(left, 0.01))
        self._next = max(self._next + self._period, time.monotonic())
        for event in self._game.event.get():
            if event.type == self._game.QUIT or (event.type == self._game.KEYDOWN and event.key == self._game.K_ESCAPE):
                raise KeyboardInterrupt
            if event.type == self._game.KEYDOWN and event.key == self._game.K_BACKSPACE:
                raise EpisodeRefused("the person threw it away")
            pressed = event.type == self._game.KEYDOWN and event.key == self._game.K_SPACE
            if pressed or (event.type == self._game.JOYBUTTONDOWN and event.button == 0):
                self._closed = not self._closed
        keys = self._game.key.get_pressed()
        held = {name for name in self._names() if keys[self._game.key.key_code(name)]}
        space = self._env.action_space
        return self._choice(space, held) if isinstance(space, spaces.Discrete) else self._set(space, held)

    def _set(self, space: spaces.Box, held: set[str]) -> np.ndarray:
        low, high = (
            np.where(np.isfinite(end), end, fallback) for end, fallback in ((space.low, -1.0), (space.high, 1.0))
        )
        size = len(low)
        way = np.zeros(size)
        for number, (up, down) in enumerate(PAIRS[:size]):
            way[number] = (up in held) - (down in held)
        if self._stick is not None:
            axes = np.asarray([self._stick.get_axis(i) for i in range(self._stick.get_numaxes())][:size])
            axes[1::2] *= -1  # forward is negative on a gamepad
            pushed = np.flatnonzero(np.abs(axes) > DEAD)
            way[pushed] = axes[pushed]
        if size >= 4 and way[-1] == 0:  # with fewer numbers there is no gripper to hold
            way[-1] = -1.0 if self._closed else 1.0
        middle, half = (low + high) / 2, (high - low) / 2
        return (middle + half * np.clip(way, -1, 1)).astype(space.dtype)

    def _choice(self, space: spaces.Discrete, held: set[str]) -> int:
        start, count = int(space.start), int(space.n)
        for digit in sorted(held & set("0123456789")):
            if int(digit) < count:
                return start + int(digit)
        meanings: list[str] = list(getattr(self._env.unwrapped, "get_action_meanings", list)())
        for key, meaning in MEANINGS.items():
            if key in held and meaning in meanings:
                return start + meanings.index(meaning)
        return start

    def _names(self) -> set[str]:
        return {name for pair in PAIRS for name in pair} | set("0123456789") | set(MEANINGS)

    def _help(self, space: spaces.Space[Any]) -> str:
        if isinstance(space, spaces.Discrete):
            return f"keys 0 to {min(9, int(space.n) - 1)}, arrows; backspace: again, escape: enough"
        assert isinstance(space, spaces.Box)
        pairs = ", ".join(f"{down}/{up}" for up, down in PAIRS[: space.shape[0]])
        return f"{pairs}, space: last; backspace: again, escape: enough"

    def _show(self, observation: Any) -> None:
        """Draw what there is to see. A picture that takes longer than there is time for must not slow the body down:
        then a quarter of the time goes into pictures, and fewer are drawn."""
        began = time.monotonic()
        if began + self._drawing > self._next and began - self._drawn < 3 * self._drawing:
            return
        picture = self._env.render() if self._env.render_mode == "rgb_array" else _first_picture(observation)
        if picture is not None:
            surface = self._game.surfarray.make_surface(np.swapaxes(np.asarray(picture)[..., :3], 0, 1))
            self._window.blit(self._game.transform.scale(surface, (SIDE, SIDE)), (0, 0))
        self._game.display.flip()
        self._drawn = time.monotonic()
        self._drawing = self._drawn - began

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._game.quit()
            self._window = self._stick = None


def _first_picture(observation: Any) -> np.ndarray | None:
    parts = (
        observation.values()
        if isinstance(observation, dict)
        else observation
        if isinstance(observation, tuple)
        else [observation]
    )
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype == np.uint8 and part.ndim == 3 and part.shape[2] >= 3:
            return part
    return None
