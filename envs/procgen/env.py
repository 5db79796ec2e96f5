"""One of Procgen's games as a Gymnasium environment: a picture in, keys out, levels apart for training and testing."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from opengato.errors import UnknownNameError

from .facts import ACTIONS
from .simulator import COMBINATIONS, Simulator

SIDE = 64
MAX_STEPS = 1000  # the limit of most of the games themselves
FRAMES_PER_SECOND = 15
# Levels of each split: the first, and how many from there on.
LEVELS = {"train": (0, 200), "test": (10_000, 1_000_000)}

Observation = dict[str, np.ndarray]


class Procgen(gymnasium.Env[Observation, np.int64]):
    """A game of Procgen in its easy distribution, with backgrounds.

    The seed draws an episode's level from those of the split; level and actions decide everything else.

    Observation: `image`, uint8 [64, 64, 3]. With the step that ends an episode Procgen shows the next one already; what
    is given then is the last picture once more.
    Action: Discrete(n): those of Procgen's fifteen that differ in the game (`action_meanings`).
    Reward: Procgen's. An episode ends with the game, or is truncated after 1000 steps. `info["success"]`: the level was
    completed, as Procgen says; `info["level"]`: its number.

    Args:
        game: Procgen's name of it.
        split: "train" for levels 0 to 199, "test" for levels from 10 000 on, which training never sees.
        max_steps: of an episode.
        render_mode: "rgb_array" or None; `render` works with either.

    Raises:
        UnknownNameError: there is no such game or split.
        OpengatoError: a library of the system is missing that Procgen links against.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": FRAMES_PER_SECOND}

    def __init__(
        self, game: str, split: str = "train", max_steps: int = MAX_STEPS, render_mode: str | None = None
    ) -> None:
        if game not in ACTIONS:
            raise UnknownNameError("Procgen game", game, ACTIONS, "Next: opengato list 'tasks=[procgen/*]'")
        if split not in LEVELS:
            raise UnknownNameError("split of Procgen's levels", split, LEVELS, "Next: give one of them.")
        self.game, self.split, self.max_steps, self.render_mode = game, split, max_steps, render_mode
        self.actions = ACTIONS[game]
        self.action_meanings = tuple(COMBINATIONS[action] for action in self.actions)
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {"image": spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)}
        )
        self.action_space = spaces.Discrete(len(self.actions))
        self.level = -1
        self.simulator: Simulator | None = None
        self._camera: Simulator | None = None
        self._picture = np.zeros((SIDE, SIDE, 3), np.uint8)
        self._drawn = b""
        self._steps = 0

    @property
    def num_steps(self) -> int:
        """Steps of this episode so far."""
        return self._steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A level of the split, from its start."""
        super().reset(seed=seed)
        first, number = LEVELS[self.split]
        self.level = first + int(self.np_random.integers(number))
        if self.simulator is not None:
            self.simulator.close()
        self.simulator = Simulator(self.game, self.level)
        self._steps = 0
        self._look(self.simulator)
        return self._observation(), {"success": False, "level": self.level}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold keys for one step.

        Args:
            action: index into `action_meanings`.

        Raises:
            ValueError: the index is outside the action space.
        """
        if not 0 <= int(action) < len(self.actions):
            raise ValueError(f"action {action!r} is outside 0 … {len(self.actions) - 1}")
        assert self.simulator is not None, "reset comes first"
        reward, ended = self.simulator.act(self.actions[int(action)])
        self._steps += 1
        success = ended and self.simulator.completed()
        truncated = not success and self._steps >= self.max_steps
        if not ended:
            self._look(self.simulator)
        info = {"success": success, "level": self.level}
        return self._observation(), reward, ended and not truncated, truncated, info

    def render(self) -> np.ndarray:
        """The same view in more detail, uint8 [512, 512, 3]."""
        if self._camera is None:
            self._camera = Simulator(self.game, max(self.level, 0), large=True)
        self._camera.put_back(self._drawn)
        return self._camera.large_picture()

    def close(self) -> None:
        """Give the simulators' memory back."""
        for simulator in (self.simulator, self._camera):
            if simulator is not None:
                simulator.close()
        self.simulator = self._camera = None

    def _look(self, simulator: Simulator) -> None:
        self._picture, self._drawn = simulator.picture(), simulator.state()

    def _observation(self) -> Observation:
        return {"image": self._picture.copy()}
