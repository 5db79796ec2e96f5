"""Describe a scene of the arm's basket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from .grammar import attributes_right, describe
from .scenes import draw_scene, picture
from .turns import Turn, TurnTask, image_space

MAX_OBJECTS = 3
MAX_CAPTION = 96  # characters; the longest true caption has 80


class SceneCaptionTask(TurnTask):
    """One picture, one step: the answer is a caption in the language of `grammar`.

    Observation: `image`, uint8 [64, 64, 3], one to three objects.

    Reward: the share of colours, shapes and relations that are right (`grammar.attributes_right`). Success: all of
    them. `info` adds `attributes` and `attributes_right`.

    Test split: every scene has a pair of colour and shape that no training scene has (`scenes.HELD_OUT`).
    """

    def __init__(self, split: str = "train", render_mode: str | None = "rgb_array") -> None:
        super().__init__(spaces.Dict({"image": image_space()}), MAX_CAPTION, split, render_mode)

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        scene = draw_scene(rng, self.split, int(rng.integers(1, MAX_OBJECTS + 1)))
        return [Turn({"image": picture(scene)}, describe(scene))]

    def _score(self, answer: str, truth: str) -> tuple[float, bool, dict[str, Any]]:
        right, total = attributes_right(answer, truth)
        return right / total, right == total, {"attributes_right": right, "attributes": total}
