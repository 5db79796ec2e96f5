"""The language of scene captions, both ways: exact, so that what is right can be counted.

    caption  = object { relation object }
    object   = "a" colour shape
    relation = "left of" | "right of" | "in front of" | "behind"

Objects are named in the order red, green, blue, yellow, purple, white; a relation says where the object before it
stands from the one after it: "a red cube left of a green ball behind a white cone".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from .scenes import SCENE_COLORS, SCENE_SHAPES, Scene, relation
from .text import normalise

RELATIONS = ("left of", "right of", "in front of", "behind")
_RELATION = re.compile(rf"\s*\b({'|'.join(RELATIONS)})\b\s*")


@dataclass(frozen=True)
class Caption:
    """What a caption says.

    Args:
        objects: (colour, shape) of each object; None for what is no word of the language.
        relations: between neighbours, one fewer.
    """

    objects: tuple[tuple[str | None, str | None], ...]
    relations: tuple[str, ...]

    @property
    def num_attributes(self) -> int:
        """Colours, shapes and relations."""
        return 2 * len(self.objects) + len(self.relations)


def describe(scene: Scene) -> str:
    """The true caption."""
    text = f"a {scene[0].color} {scene[0].shape}"
    for first, second in pairwise(scene):
        text += f" {relation(first, second)} a {second.color} {second.shape}"
    return text


def parse(text: str) -> Caption:
    """What a caption says, word for word; what lies outside the language becomes None and can't be right."""
    parts = _RELATION.split(normalise(text))
    return Caption(tuple(_object(part) for part in parts[::2]), tuple(parts[1::2]))


def _object(text: str) -> tuple[str | None, str | None]:
    match text.split():
        case ["a", color, shape]:
            return color if color in SCENE_COLORS else None, shape if shape in SCENE_SHAPES else None
    return None, None


def attributes_right(answer: str, truth: str) -> tuple[int, int]:
    """Compare two captions place by place.

    Returns:
        How many of colours, shapes and relations agree, and how many there are: those of the longer caption, so that
        naming too much costs as well.
    """
    said, meant = parse(answer), parse(truth)
    right = sum(a == b for x, y in zip(said.objects, meant.objects, strict=False) for a, b in zip(x, y, strict=True))
    right += sum(a == b for a, b in zip(said.relations, meant.relations, strict=False))
    return right, max(said.num_attributes, meant.num_attributes)
