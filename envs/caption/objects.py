"""Name the objects in a scene of the arm's basket: its shortest description, and the most shapes to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from .grammar import name_all, names_right
from .scenes import draw_scene, picture
from .turns import Turn, TurnTask, image_space

MIN_OBJECTS, MAX_OBJECTS = 2, 4
MAX_ANSWER = 96  # characters; the longest true answer has 69


class SceneObjectsTask(TurnTask):
    """One picture, one step: the answer names the objects in the order of their colours, "red cube, white ball".

    Observation: `image`, uint8 [64, 64, 3], two to four objects.

    Reward: the share of colours and shapes that are right (`grammar.names_right`). Success: all of them. `info` adds
    `attributes` and `attributes_right`.

    Test split: every scene has a pair of colour and shape that no training scene has (`scenes.HELD_OUT`).
    """

    def __init__(self, split: str = "train", render_mode: str | None = "rgb_array") -> None:
        super().__init__(spaces.Dict({"image": image_space()}), MAX_ANSWER, split, render_mode)

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        scene = draw_scene(rng, self.split, int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)))
        return [Turn({"image": picture(scene)}, name_all(scene))]

    def _score(self, answer: str, truth: str) -> tuple[float, bool, dict[str, Any]]:
        right, total = names_right(answer, truth)
        return right / total, right == total, {"attributes_right": right, "attributes": total}
