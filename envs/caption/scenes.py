"""Random scenes of the arm's basket, with combinations of colour and shape that only the test split shows."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

from opengato.envs.arm.scene import AREA, COLORS, SceneObject, SceneRenderer

from .text import stable_hash
from .turns import IMAGE_SIDE

# The prism is left out: at 64 pixels it looks like a cylinder.
SCENE_SHAPES = ("cube", "ball", "cylinder", "cone")
SCENE_COLORS = tuple(COLORS)
NUM_HELD_OUT = 5  # of 24 pairs
MIN_DISTANCE = 0.075  # metres between centres: objects never touch
CLEAR_BEHIND = 0.1  # metres in depth where two objects overlap from side to side: none hides another
MIN_OFFSET = 0.06  # metres along the axis that a relation names
DOMINANCE = 1.8  # by which the offset along that axis exceeds the other one, so that the word is beyond doubt
MAX_YAW = 0.35  # radians: a cube that shows an edge looks like a cylinder at 64 pixels

Scene = tuple[SceneObject, ...]


def _choose_held_out() -> frozenset[tuple[str, str]]:
    pairs = sorted(
        ((color, shape) for color in SCENE_COLORS for shape in SCENE_SHAPES), key=lambda p: stable_hash(" ".join(p))
    )
    chosen: list[tuple[str, str]] = []
    for color, shape in pairs:
        new_color = all(color != other for other, _ in chosen)
        if new_color and sum(shape == other for _, other in chosen) < 2 and len(chosen) < NUM_HELD_OUT:
            chosen.append((color, shape))
    return frozenset(chosen)


# (colour, shape) pairs that no training scene shows and no training question names: the first by hash, at most one a
# colour and two a shape, so that every single word is learned from the others.
HELD_OUT = _choose_held_out()


def is_held_out(thing: SceneObject) -> bool:
    """Whether the object's pair of colour and shape is for the test split only."""
    return (thing.color, thing.shape) in HELD_OUT


def relation(first: SceneObject, second: SceneObject) -> str | None:
    """Where the first object stands from the second as the viewer sees it; None where no word is beyond doubt.

    One of `left of`, `right of`, `in front of`, `behind`: the axis with the larger offset, if that is at least
    `MIN_OFFSET` and `DOMINANCE` times the other.
    """
    right, front = first.y - second.y, first.x - second.x
    larger, smaller = max(abs(right), abs(front)), min(abs(right), abs(front))
    if larger < MIN_OFFSET or larger < DOMINANCE * smaller:
        return None
    if abs(right) > abs(front):
        return "right of" if right > 0 else "left of"
    return "in front of" if front > 0 else "behind"


def draw_scene(rng: np.random.Generator, split: str, num_objects: int) -> Scene:
    """A random scene: objects of different colours, in the order of `SCENE_COLORS`, neighbours in it clearly related.

    A training scene has no held-out pair; a test scene has at least one.

    Args:
        rng: where chance comes from.
        split: `train` or `test`.
        num_objects: 1 to 4.
    """
    while True:
        looks = _draw_looks(rng, num_objects)
        if any(look in HELD_OUT for look in looks) == (split == "test"):
            break
    while True:
        places = rng.uniform(-AREA, AREA, (num_objects, 2)) * 0.95
        yaws = rng.uniform(-MAX_YAW, MAX_YAW, num_objects)
        if not _all_visible(places):
            continue
        scene = tuple(
            SceneObject(shape, color, float(x), float(y), yaw=float(yaw))
            for (color, shape), (x, y), yaw in zip(looks, places, yaws, strict=True)
        )
        if all(relation(a, b) for a, b in pairwise(scene)):
            return scene


def _all_visible(places: np.ndarray) -> bool:
    """Whether objects at these (x, y), float [n, 2], neither touch nor hide each other from the front."""
    depth, aside = np.moveaxis(np.abs(places[:, None] - places[None]) + np.eye(len(places))[..., None], -1, 0)
    hidden = (aside < MIN_DISTANCE / 2) & (depth < CLEAR_BEHIND)
    return bool((np.hypot(depth, aside) >= MIN_DISTANCE).all() and not hidden.any())


def _draw_looks(rng: np.random.Generator, num_objects: int) -> list[tuple[str, str]]:
    colors = sorted(rng.permutation(len(SCENE_COLORS))[:num_objects])
    shapes = rng.integers(len(SCENE_SHAPES), size=num_objects)
    return [(SCENE_COLORS[c], SCENE_SHAPES[s]) for c, s in zip(colors, shapes, strict=True)]


@cache
def _renderer() -> SceneRenderer:
    return SceneRenderer(IMAGE_SIDE, IMAGE_SIDE)


def picture(scene: Scene) -> np.ndarray:
    """The scene from the front: uint8 [64, 64, 3]. One renderer serves a process; not for several threads at once."""
    return _renderer().render(scene)
