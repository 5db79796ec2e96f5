"""Where two flat fingers can take a convex object, and where on another it will stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

WIDEST = 0.079  # metres that the open hand can span
UPRIGHT = 0.25  # of a side's normal: how far it may lean for a finger to hold it
PADS = (0.0, 0.015)  # heights of a finger's two pads over the point between the fingertips, metres
HALF_PAD = 0.006  # of their width
FINGER = (0.022, 0.013)  # a finger's thickness and half its width, metres
FLAT = 0.02  # of an upward normal: how far a top face may lean
LEVEL = 0.0015  # metres within which corners belong to the same face


@dataclass(frozen=True)
class Grasp:
    """One way to take an object.

    Args:
        point: between the fingertips, metres, float64 [3].
        yaw: of the hand, radians, within ±π/2.
        width: of the object between the fingers, metres.
        quality: higher is better; 1 where all pads meet sides that face them.
    """

    point: np.ndarray
    yaw: float
    width: float
    quality: float


def grasps(corners: np.ndarray, centre: np.ndarray, lowest: float, others: list[np.ndarray]) -> list[Grasp]:
    """Ways to take an object, best first.

    Args:
        corners: of its convex hull, [n, 3].
        centre: of its mass, [3].
        lowest: height down to which the fingertips may go.
        others: corners of what stands around it.
    """
    hull = ConvexHull(corners)
    normals, offsets = hull.equations[:, :3], -hull.equations[:, 3]
    sides = normals[np.abs(normals[:, 2]) < UPRIGHT, :2]
    yaws = np.unique(np.round(np.arctan2(sides[:, 0], -sides[:, 1]), 3))  # the fingers open along (sin, -cos) of a yaw
    yaws = np.unique(np.round((yaws + np.pi / 2) % np.pi - np.pi / 2, 3))
    height = float(np.clip(centre[2] - 0.008, lowest, max(corners[:, 2].max() - 0.01, lowest)))
    found = []
    for yaw in yaws:
        along = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
        across = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        facing: list[float] = []
        reaches: list[list[float]] = []
        for pad in PADS:
            for aside in (-HALF_PAD, 0.0, HALF_PAD):
                start = np.array([*centre[:2], height + pad]) + aside * across
                if (normals @ start > offsets - 1e-4).any():
                    facing.append(0.0)
                    continue
                ends = [_leave(normals, offsets, start, way) for way in (along, -along)]
                facing.append(min(end[1] for end in ends))
                reaches.append([ends[0][0], ends[1][0]])
        if not reaches:
            continue
        forth, back = np.max(reaches, axis=0)
        if forth + back > WIDEST:
            continue
        middle = np.array([*centre[:2], height]) + along * (forth - back) / 2
        quality = float(np.mean([max(0.0, (value - 0.9) * 10) for value in facing]))
        half = (forth + back) / 2 + 0.01
        blocked = any(_in_the_way(other, middle, along, across, half) for other in others)
        found.append(Grasp(middle, float(yaw), float(forth + back), quality - 0.5 * blocked))
    return sorted(found, key=lambda grasp: -grasp.quality)


def _leave(normals: np.ndarray, offsets: np.ndarray, start: np.ndarray, way: np.ndarray) -> tuple[float, float]:
    """How far a ray from inside goes, metres, and how squarely it meets the side it leaves by, 0 to 1."""
    speeds = normals @ way
    ahead = speeds > 1e-6
    lengths = np.where(ahead, (offsets - normals @ start) / np.where(ahead, speeds, 1.0), np.inf)
    side = int(np.argmin(lengths))
    return float(lengths[side]), float(speeds[side])


def _in_the_way(other: np.ndarray, middle: np.ndarray, along: np.ndarray, across: np.ndarray, half: float) -> bool:
    """Whether a finger on its way down would meet another object: its corners, or the middles between them."""
    if other[:, 2].max() < middle[2]:
        return False
    points = np.concatenate([other, (other[:, None] + other[None]).reshape(-1, 3) / 2]) - middle
    out, aside = np.abs(points @ along), np.abs(points @ across)
    return bool(((out > half - 0.004) & (out < half + FINGER[0]) & (aside < FINGER[1] + 0.004)).any())


def top(corners: np.ndarray) -> np.ndarray | None:
    """Corners of the level face on top of an object, in order, [n, 2]; None where no face is level."""
    hull = ConvexHull(corners)
    if not (hull.equations[:, 2] > 1 - FLAT).any():
        return None
    return _outline(corners[corners[:, 2] > corners[:, 2].max() - LEVEL * 2, :2])


def bottom(corners: np.ndarray) -> np.ndarray | None:
    """Corners of what an object stands on, in order, [n, 2]; None where that is no area."""
    return _outline(corners[corners[:, 2] < corners[:, 2].min() + LEVEL * 2, :2])


def _outline(points: np.ndarray) -> np.ndarray | None:
    if len(points) < 3 or np.linalg.matrix_rank(points - points[0], tol=2e-3) < 2:
        return None
    return points[ConvexHull(points).vertices]


def margin(outline: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far points [m, 2] are inside an outline [n, 2] in order against the clock, metres [m]; negative outside."""
    edges = np.roll(outline, -1, axis=0) - outline
    inward = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.linalg.norm(edges, axis=1, keepdims=True)
    return np.min(((points[:, None] - outline[None]) * inward[None]).sum(axis=-1), axis=1)


def seat(corners: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Where on an object another of the same mass rests best: the place for its centre, metres [2], and how far that
    is from where one of the two would tip over, metres. None where there is no level face on top."""
    above, below = top(corners), bottom(corners)
    if above is None:
        return None
    low, high = above.min(axis=0), above.max(axis=0)
    steps = np.stack(np.meshgrid(*(np.linspace(low[axis], high[axis], 25) for axis in (0, 1))), axis=-1).reshape(-1, 2)
    room = margin(above, steps)
    if below is not None:
        room = np.minimum(room, 2 * margin(below, (steps + centre[:2]) / 2))
    room -= 0.02 * np.linalg.norm(steps - above.mean(axis=0), axis=1)  # of places alike, the middle one
    best = int(np.argmax(room))
    return steps[best], float(room[best])
