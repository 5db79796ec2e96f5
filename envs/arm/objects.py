"""Things that lie in the basket: shapes, colours and sizes, and how each becomes a geom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from opengato.errors import UnknownNameError

SHAPES = ("cube", "ball", "cylinder", "cone", "prism")
COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.93, 0.08, 0.08),
    "green": (0.05, 0.72, 0.12),
    "blue": (0.08, 0.22, 0.95),
    "yellow": (0.98, 0.85, 0.05),
    "purple": (0.62, 0.10, 0.80),
    "white": (1.0, 1.0, 1.0),
}
# Half of the height, metres.
SIZES = {"small": 0.016, "large": 0.026}
# Turning by this angle changes nothing: radians, 0 for round shapes.
SYMMETRY = {"cube": np.pi / 2, "ball": 0.0, "cylinder": 0.0, "cone": 0.0, "prism": np.pi / 3}
# Radius of the footprint (a prism's inscribed circle), in halves of the height.
RADIUS = {"cube": 1.0, "ball": 1.0, "cylinder": 1.05, "cone": 1.2, "prism": 1.0}
_CONE_SIDES = 20


@dataclass(frozen=True)
class SceneObject:
    """One object that stands on the basket's floor.

    Args:
        shape: one of `SHAPES`.
        color: one of `COLORS`.
        x: metres from the basket's centre towards the front camera.
        y: metres towards the right of the front camera's picture.
        size: one of `SIZES`.
        yaw: radians about the vertical.

    Raises:
        UnknownNameError: there is no such shape, colour or size.
    """

    shape: str
    color: str
    x: float
    y: float
    size: str = "large"
    yaw: float = 0.0

    def __post_init__(self) -> None:
        facts = (("shape", self.shape, SHAPES), ("color", self.color, COLORS), ("size", self.size, SIZES))
        for kind, name, known in facts:
            if name not in known:
                raise UnknownNameError(kind, name, known, "Next: choose one of them.")


def add_geom(spec: mujoco.MjSpec, body: Any, shape: str, half_height: float, **attributes: Any) -> Any:
    """Add the geom of a shape to a body of a spec, centred on the body.

    Args:
        spec: takes the mesh, where the shape needs one.
        body: an `MjsBody`.
        shape: one of `SHAPES`.
        half_height: metres.
        **attributes: of the geom, e.g. `rgba`.
    """
    kinds = mujoco.mjtGeom
    radius = RADIUS[shape] * half_height
    if shape == "cube":
        return body.add_geom(type=kinds.mjGEOM_BOX, size=[half_height] * 3, **attributes)
    if shape == "ball":
        return body.add_geom(type=kinds.mjGEOM_SPHERE, size=[half_height, 0, 0], **attributes)
    if shape == "cylinder":
        return body.add_geom(type=kinds.mjGEOM_CYLINDER, size=[radius, half_height, 0], **attributes)
    name = f"{shape}_{half_height * 1e4:.0f}"
    if spec.mesh(name) is None:
        spec.add_mesh(name=name, uservert=_vertices(shape, radius, half_height).ravel().tolist())
    return body.add_geom(type=kinds.mjGEOM_MESH, meshname=name, **attributes)


def _vertices(shape: str, radius: float, half_height: float) -> np.ndarray:
    """Corners, float64 [n, 3]; MuJoCo takes their convex hull."""
    sides = 6 if shape == "prism" else _CONE_SIDES
    if shape == "prism":
        radius /= np.cos(np.pi / 6)  # from the inscribed circle to the corners
    # Corners such that a prism has flat sides at ±y, where the fingers come from at yaw 0.
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(sides, -half_height)], axis=1)
    if shape == "prism":
        return np.concatenate([ring, ring * [1, 1, -1]])
    return np.concatenate([ring, [[0.0, 0.0, half_height]]])
