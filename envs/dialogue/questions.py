"""Questions about a scene and their true answers: exchanges of an opening question and one that refers back to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from opengato.envs.arm.scene import SceneObject
from opengato.envs.caption.scenes import HELD_OUT, MIN_OFFSET, SCENE_SHAPES, Scene, is_held_out

Item = TypeVar("Item")
NUMBERS = ("zero", "one", "two", "three", "four")

Exchange = list[tuple[str, str]]  # (question, answer)
Opening = Callable[[Scene, SceneObject, np.random.Generator], Exchange | None]


def ask(scene: Scene, rng: np.random.Generator, num_exchanges: int = 2) -> Exchange:
    """Exchanges of different kinds, in random order, about different objects; held-out ones come first.

    Args:
        scene: two to four objects of different colours.
        rng: where chance comes from.
        num_exchanges: each has two questions.
    """
    topics = sorted((scene[i] for i in rng.permutation(len(scene))), key=is_held_out)
    asked: Exchange = []
    for kind in rng.permutation(len(OPENINGS)):
        exchange = OPENINGS[kind](scene, topics[-1], rng)
        if exchange is not None:
            asked += exchange
            topics.pop()
        if len(asked) >= 2 * num_exchanges:
            break
    return asked


def _color_of_shape(scene: Scene, about: SceneObject, rng: np.random.Generator) -> Exchange | None:
    side = _which_side(scene, about, rng)
    if side is None or _count(scene, about.shape) > 1:
        return None
    return [(f"what color is the {about.shape}?", about.color), side]


def _shape_of_color(scene: Scene, about: SceneObject, rng: np.random.Generator) -> Exchange | None:
    side = _which_side(scene, about, rng)
    return side and [(f"what shape is the {about.color} object?", about.shape), side]


def _outermost(scene: Scene, about: SceneObject, rng: np.random.Generator) -> Exchange | None:
    side, sign = (("left", 1), ("right", -1))[rng.integers(2)]
    first, second = sorted(scene, key=lambda thing: sign * thing.y)[:2]
    if abs(first.y - second.y) < MIN_OFFSET / 2:
        return None
    return [(f"what color is the object furthest to the {side}?", first.color), ("what shape is it?", first.shape)]


def _existence(scene: Scene, about: SceneObject, rng: np.random.Generator) -> Exchange | None:
    """Yes or no, equally often; a no names a shape that the colour does not have, in training a pair known there."""
    side = _which_side(scene, about, rng)
    if side is None:
        return None  # before the coin is thrown, or no would be the likelier answer
    if rng.random() < 0.5:
        return [(f"is there a {about.color} {about.shape}?", "yes"), side]
    others = [shape for shape in SCENE_SHAPES if shape != about.shape]
    if not any(is_held_out(thing) for thing in scene):
        others = [shape for shape in others if (about.color, shape) not in HELD_OUT]
    return [
        (f"is there a {about.color} {_pick(others, rng)}?", "no"),
        (f"what shape is the {about.color} one?", about.shape),
    ]


def _number(scene: Scene, about: SceneObject, rng: np.random.Generator) -> Exchange | None:
    shape = about.shape if rng.random() < 0.5 else _pick(SCENE_SHAPES, rng)
    count = _count(scene, shape)
    back = ("and how many objects in all?", NUMBERS[len(scene)])
    if count == 1:
        back = ("what color is it?", next(thing.color for thing in scene if thing.shape == shape))
    return [(f"how many {shape}s are there?", NUMBERS[count]), back]


OPENINGS: tuple[Opening, ...] = (_color_of_shape, _shape_of_color, _outermost, _existence, _number)


def _which_side(scene: Scene, about: SceneObject, rng: np.random.Generator) -> tuple[str, str] | None:
    """Asks on which side of another object "it" stands, where there is one to whose side it clearly is."""
    aside = [thing for thing in scene if abs(thing.y - about.y) >= MIN_OFFSET]
    if not aside:
        return None
    other = _pick(aside, rng)
    return f"is it left or right of the {other.color} object?", "left" if about.y < other.y else "right"


def _count(scene: Scene, shape: str) -> int:
    return sum(thing.shape == shape for thing in scene)


def _pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]
