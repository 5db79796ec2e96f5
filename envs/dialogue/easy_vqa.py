"""Easy-VQA: coloured shapes on a plain ground, and questions about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
from gymnasium import spaces
from PIL import Image

from opengato.envs.caption.text import FreeText, check_split
from opengato.envs.caption.turns import Turn, TurnTask, image_space

MAX_QUESTIONS = 4  # of an episode: with many more, the earlier answers would give the later ones away
MAX_QUESTION, MAX_ANSWER = 64, 16  # characters; the longest question has 42, the longest answer 9


@cache
def picture_questions(split: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """(file of a picture, its (question, answer) pairs) of one of the package's own splits, by the picture's number.

    Raises:
        UnknownNameError: no such split.
    """
    import easy_vqa

    check_split(split)
    read = (easy_vqa.get_train_questions, easy_vqa.get_train_image_paths)
    if split == "test":
        read = (easy_vqa.get_test_questions, easy_vqa.get_test_image_paths)
    grouped: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for question, answer, number in zip(*read[0](), strict=True):
        grouped[number].append((question, answer))
    return tuple((path, tuple(grouped[number])) for number, path in sorted(read[1]().items()) if grouped[number])


class EasyVqaTask(TurnTask):
    """Up to four questions about one picture, drawn from its own; each answer is one word of thirteen.

    Observation: `image`, uint8 [64, 64, 3], and `question`. Reward: 1 for the right answer, else 0. Success: all right.
    """

    def __init__(self, split: str = "train", render_mode: str | None = "rgb_array") -> None:
        space = spaces.Dict({"image": image_space(), "question": FreeText(MAX_QUESTION)})
        super().__init__(space, MAX_ANSWER, split, render_mode)
        self._pictures = picture_questions(self.split)

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        path, asked = self._pictures[rng.integers(len(self._pictures))]
        with Image.open(path) as file:
            picture = np.asarray(file.convert("RGB")).copy()
        order = rng.permutation(len(asked))[:MAX_QUESTIONS]
        return [Turn({"image": picture, "question": asked[i][0]}, asked[i][1]) for i in order]
