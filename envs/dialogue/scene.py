"""Answer questions about a scene of the arm's basket."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces

from opengato.envs.caption.scenes import draw_scene, picture
from opengato.envs.caption.text import FreeText
from opengato.envs.caption.turns import Turn, TurnTask, image_space

from .questions import ask

NUM_QUESTIONS = 4
MIN_OBJECTS, MAX_OBJECTS = 2, 4
MAX_QUESTION, MAX_ANSWER = 64, 16  # characters; the longest question has 48, the longest answer 8


class SceneDialogueTask(TurnTask):
    """Four questions about one picture, the second and the fourth referring back to the one before.

    Observation: `image`, uint8 [64, 64, 3], two to four objects, and `question`. Answers are one word:
    a colour, a shape, a number, yes or no, left or right. Reward: 1 for the right answer, else 0. Success: all four
    right.

    Test split: every scene has a pair of colour and shape that no training scene has (`opengato.envs.caption.scenes`).
    """

    def __init__(self, split: str = "train", render_mode: str | None = "rgb_array") -> None:
        space = spaces.Dict({"image": image_space(), "question": FreeText(MAX_QUESTION)})
        super().__init__(space, MAX_ANSWER, split, render_mode)

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        asked: list[tuple[str, str]] = []
        while len(asked) < NUM_QUESTIONS:  # a scene may have too little to ask for
            scene = draw_scene(rng, self.split, int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)))
            asked = ask(scene, rng, NUM_QUESTIONS // 2)
        image = picture(scene)
        return [Turn({"image": image, "question": question}, answer) for question, answer in asked]
