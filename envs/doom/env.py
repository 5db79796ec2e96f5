"""One Doom scenario as a Gymnasium environment: the player's view in, buttons out."""

from __future__ import annotations

import string
from typing import Any

import gymnasium
import numpy as np
import vizdoom
from gymnasium import spaces

from opengato.envs.doom.buttons import actions
from opengato.envs.doom.process import PICTURE, DoomDied, Launch, alive
from opengato.envs.doom.scenarios import (
    FIRST_MAPS,
    GAME_TICS,
    GOALS,
    TICS_PER_SECOND,
    TICS_PER_STEP,
    UNLIMITED_TICS,
    maps,
    scenarios,
)
from opengato.errors import ObservationError, OpengatoError, UnknownNameError

SIDE = 64  # of the agent's picture
# Game variables by the names of signals; others keep theirs in small letters.
SIGNALS = {"AMMO2": "ammo", "SELECTED_WEAPON": "weapon", "SELECTED_WEAPON_AMMO": "ammo", "KILLCOUNT": "kills"}
MESSAGE_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")
MESSAGE_LENGTH = 80

Observation = dict[str, Any]


class DoomEnv(gymnasium.Env[Observation, np.int64]):
    """A scenario of ViZDoom for one player.

    Each step holds the buttons for 4 of Doom's tics (8.75 Hz). An episode is truncated when the scenario's time is up:
    one minute where it sets none, two where it sets an hour.

    Observation:
        image: uint8 [64, 64, 3], what the player sees, without a status bar where the scenario shows none. It is the
            mean over blocks of 3 × 4 pixels of Doom's software renderer at 256 × 192.
        `health`, `ammo`, `armor`, `kills`, `weapon`: float32 [1], those that the scenario makes available, as Doom
            counts them; none in some scenarios.
        message: text, the last line that the scenario wrote to the player; where it writes any.
    In the last observation of an episode that ended by itself the picture is the one before: Doom draws none then.

    Action: `Discrete(n)` over `action_meanings`: nothing, each button, and each pair of buttons that two hands can hold
    together (not left with right).

    Reward: the scenario's own, summed over the four tics. `info["success"]` where the scenario can be won
    (`scenarios.GOALS`).

    `game` is ViZDoom's own object, on whose list of objects demonstrators rely; `history` are the episode's actions.

    Args:
        scenario: one of `scenarios()`.
        render_mode: "rgb_array" or None; `render` works with either.
        map: of the scenario's game, e.g. `E1M3` of `freedoom1` or `MAP07` of `freedoom2`; None for the scenario's own.

    Raises:
        UnknownNameError: there is no such scenario, or it has no such map.
        DoomDied: (any call) Doom's process ended; the next `reset` starts another one.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": TICS_PER_SECOND / TICS_PER_STEP}

    def __init__(self, scenario: str, *, render_mode: str | None = "rgb_array", map: str | None = None) -> None:
        known = scenarios()
        if scenario not in known:
            raise UnknownNameError("Doom scenario", scenario, known, "Next: opengato list 'tasks=[doom/*]'")
        if map is not None and map not in maps(scenario):
            raise UnknownNameError(f"map of {scenario!r}", map, maps(scenario), "Next: leave out `map` for its own.")
        self.scenario, self.render_mode, self.map = scenario, render_mode, map or FIRST_MAPS.get(scenario)
        self.goal = GOALS.get(scenario)
        self._launch: Launch | None = None
        game = self._start()
        names = [button.name for button in game.get_available_buttons()]
        self.variables = list(game.get_available_game_variables())
        self.signals = [SIGNALS.get(variable.name, variable.name.lower()) for variable in self.variables]
        self.writes = bool(game.is_notifications_buffer_enabled())
        chosen = actions(names)
        self.action_meanings: tuple[str, ...] = tuple("+".join(action) or "NOTHING" for action in chosen)
        self._held = [[float(name in action) for name in names] for action in chosen]
        seen: dict[str, spaces.Space[Any]] = {"image": spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)}
        for signal in self.signals:
            seen[signal] = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        if self.writes:
            seen["message"] = spaces.Text(MESSAGE_LENGTH, min_length=0, charset=MESSAGE_CHARACTERS)
        self.observation_space = spaces.Dict(seen)  # type: ignore[assignment]
        self.action_space = spaces.Discrete(len(chosen))
        self.history: list[int] = []
        self._screen: np.ndarray | None = None
        self._message, self._last_reward = "", 0.0

    @property
    def game(self) -> vizdoom.DoomGame:
        """ViZDoom's own object.

        Raises:
            DoomDied: there is none because its process ended, or because the environment was closed.
        """
        if self._launch is None:
            raise DoomDied(f"there is no Doom process of scenario {self.scenario!r}. Next: call `reset`.")
        return self._launch.game

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        game = self._start() if self._launch is None else self._launch.game
        try:
            with alive(self.scenario):
                game.set_seed(int(self.np_random.integers(2**32, dtype=np.uint32)))
                if game.is_running():
                    game.new_episode()
                else:
                    game.init()
                self._message, self.history, self._last_reward = "", [], 0.0
                return self._look(), self._info(False)
        except DoomDied:
            self.close()
            raise

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold one action's buttons for four tics.

        Raises:
            ObservationError: the action is outside the action space.
        """
        if not 0 <= int(action) < len(self._held):
            raise ObservationError(f"action {action!r} is outside 0 … {len(self._held) - 1}. Next: check the policy.")
        game = self.game
        try:
            with alive(self.scenario):
                reward = float(game.make_action(self._held[int(action)], TICS_PER_STEP))
                self.history.append(int(action))
                ended, dead = bool(game.is_episode_finished()), bool(game.is_player_dead())
                truncated = ended and not dead and bool(game.is_episode_timeout_reached())
                won = truncated and self.goal == "survive"
                # Some maps pay in the step before the one in which they end.
                won |= ended and not truncated and not dead and self.goal == "exit" and reward + self._last_reward > 0
                self._last_reward = reward
                return self._look(), reward, ended and not truncated, truncated, self._info(won)
        except DoomDied:
            self.close()
            raise

    def render(self) -> np.ndarray:
        """The player's view, uint8 [192, 256, 3].

        Raises:
            OpengatoError: before the first `reset`.
        """
        if self._screen is None:
            raise OpengatoError("there is nothing to draw before the first `reset`. Next: call `reset`.")
        return self._screen.copy()

    def close(self) -> None:
        if self._launch is not None:
            self._launch.close()
            self._launch = None

    def _start(self) -> vizdoom.DoomGame:
        """Set up a Doom; its process starts with the first episode."""
        self._launch = Launch(self.scenario)
        game = self._launch.game
        if self.map is not None:
            game.set_doom_map(self.map)
        limit = game.get_episode_timeout()
        game.set_episode_timeout(UNLIMITED_TICS if not limit else min(limit, GAME_TICS))
        return game

    def _look(self) -> Observation:
        """The observation, in memory of its own."""
        state = self.game.get_state()
        if state is not None:
            self._screen = np.array(state.screen_buffer)
            if self.writes and state.notifications_buffer:
                lines = [line.strip() for line in str(state.notifications_buffer).splitlines() if line.strip()]
                kept = "".join(c for c in (lines or [self._message])[-1] if c in MESSAGE_CHARACTERS)
                self._message = kept[:MESSAGE_LENGTH]
        assert self._screen is not None, "an episode begins with a picture"
        seen: Observation = {"image": _small(self._screen)}
        for signal, variable in zip(self.signals, self.variables, strict=True):
            seen[signal] = np.array([self.game.get_game_variable(variable)], np.float32)
        if self.writes:
            seen["message"] = self._message
        return seen

    def _info(self, success: bool) -> dict[str, Any]:
        return {"success": success} if self.goal else {}


def _small(screen: np.ndarray) -> np.ndarray:
    """uint8 [192, 256, 3] → uint8 [64, 64, 3], means over blocks, rounded; integers only, so alike everywhere."""
    rows, columns = PICTURE[0] // SIDE, PICTURE[1] // SIDE
    sums = screen.reshape(SIDE, rows, SIDE, columns, 3).sum(axis=(1, 3), dtype=np.uint32)
    size = rows * columns
    return ((sums + size // 2) // size).astype(np.uint8)
