"""Text tasks as environments: each timestep shows something, the action is a text, the reward says how right it was."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import Env, spaces

from .card import draw_card
from .text import FreeText, check_split, normalise

IMAGE_SIDE = 64  # pixels, of every picture that a text task shows
PLAIN, RIGHT, WRONG, FAINT = (
    (235, 235, 235),
    (120, 220, 130),
    (240, 120, 110),
    (150, 150, 150),
)  # of the text in render()


def image_space() -> spaces.Box:
    """uint8 [64, 64, 3]."""
    return spaces.Box(0, 255, (IMAGE_SIDE, IMAGE_SIDE, 3), np.uint8)


@dataclass(frozen=True)
class Turn:
    """One timestep: what is shown, and the true answer."""

    observation: Mapping[str, Any]
    truth: str


class TurnTask(Env[dict[str, Any], str], ABC):
    """An episode is a fixed list of turns; answering one leads to the next, whatever the answer.

    `info`: `answer` and `truth` of the turn just answered, `correct` (that answer is right), `success` (this was the
    last turn and every answer was right), and what the score adds.

    Args:
        observation_space: one entry per thing shown.
        max_answer: characters of the longest answer allowed.
        split: `train` or `test`; no example is in both.
        render_mode: `rgb_array` or None.

    Raises:
        UnknownNameError: the split is neither.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 1}

    def __init__(
        self,
        observation_space: spaces.Dict,
        max_answer: int,
        split: str = "train",
        render_mode: str | None = "rgb_array",
    ) -> None:
        self.observation_space = observation_space
        self.action_space = FreeText(max_answer)
        self.split = check_split(split)
        self.render_mode = render_mode
        self._turns: Sequence[Turn] = ()
        self._answers: list[str] = []
        self._all_right = True

    @abstractmethod
    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        """The turns of a new episode, at least one."""

    def _score(self, answer: str, truth: str) -> tuple[float, bool, dict[str, Any]]:
        """Reward in [0, 1], whether the answer is right, further entries of `info`. Here: the same text or nothing."""
        right = normalise(answer) == normalise(truth)
        return float(right), right, {}

    @property
    def truth(self) -> str:
        """The true answer to what is shown now."""
        return self._shown.truth

    @property
    def _shown(self) -> Turn:
        return self._turns[min(len(self._answers), len(self._turns) - 1)]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self._turns = self._draw(self.np_random)
        self._answers, self._all_right = [], True
        return self._observation(), {"success": False}

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        answer, truth = str(action), self.truth
        reward, right, more = self._score(answer, truth)
        self._answers.append(answer)
        self._all_right &= right
        ended = len(self._answers) >= len(self._turns)
        info = {"success": bool(ended and self._all_right), "correct": right, "truth": truth, "answer": answer, **more}
        return self._observation(), reward, ended, False, info

    def render(self) -> np.ndarray:
        """The picture with the question, the answer just given and the truth: uint8 [320, 320, 3]."""
        answered = self._turns[len(self._answers) - 1] if self._answers else None
        turn = answered or self._shown
        return draw_card(turn.observation.get("image"), self._lines(turn, self._answers[-1] if answered else None))

    def _lines(self, turn: Turn, answer: str | None) -> list[tuple[str, tuple[int, int, int]]]:
        lines = [(turn.observation["question"], PLAIN)] if "question" in turn.observation else []
        if answer is not None:
            right = self._score(answer, turn.truth)[1]
            lines.append((f"answer: {answer}", RIGHT if right else WRONG))
            lines.append((f"truth: {turn.truth}", FAINT))
        return lines

    def _observation(self) -> dict[str, Any]:
        return deepcopy(dict(self._shown.observation))


class Truth:
    """The demonstrator of every text task: it says the truth."""

    def reset(self, env: Any) -> None:
        self._env = env.unwrapped

    def act(self, observation: Any) -> str:
        return self._env.truth
