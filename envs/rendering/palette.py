"""What colour a hit shows: a table per geom and shade, and the pattern of textured planes."""

from __future__ import annotations

from dataclasses import dataclass, field

import mujoco
import numpy as np

LEVELS = 32  # shades of a colour
OPAQUE = 0.99
_SKY_LOW, _SKY_HIGH = np.array([196.0, 211.0, 226.0]), np.array([108.0, 148.0, 194.0])
_GROUND = np.array([124, 132, 142], np.uint8)  # what a ray that points down and meets nothing shows


def shown_rgba(model: mujoco.MjModel) -> np.ndarray:
    """The colour that each geom shows, float64 [geoms, 4] in [0, 1], before any pattern."""
    rgba = model.geom_rgba.astype(np.float64)
    # As MuJoCo does: a material's colour counts where the geom keeps the default one.
    default = (model.geom_rgba == np.array([0.5, 0.5, 0.5, 1.0], np.float32)).all(axis=1) & (model.geom_matid >= 0)
    rgba[default] = model.mat_rgba[model.geom_matid[default]]
    return rgba


def sky_colours(upward: np.ndarray) -> np.ndarray:
    """Sky for rays whose vertical component is `upward`, float [n] → uint8 [n, 3]; 16 steps from horizon to zenith."""
    height = np.round(np.clip(upward, 0.0, 1.0) * 16)[:, None] / 16
    sky = np.round(_SKY_LOW + (_SKY_HIGH - _SKY_LOW) * height).astype(np.uint8)
    sky[upward < 0] = _GROUND
    return sky


class Palette:
    """Colours of a model's geoms, kept in step with the model.

    `table` is uint8 [geoms, LEVELS + 1, 3], `alpha` float [geoms], `glass` the ids of geoms that let light through,
    `textured` the planes that carry a pattern.
    """

    def __init__(self, model: mujoco.MjModel, texture: bool = True) -> None:
        self._model = model
        self._seen: tuple[np.ndarray, np.ndarray] | None = None
        self.textured = _textured_planes(model) if texture else []
        self.refresh()

    def refresh(self) -> None:
        """Read the colours again if the model's changed."""
        model = self._model
        if self._seen is not None:
            geoms, materials = self._seen
            if np.array_equal(geoms, model.geom_rgba) and np.array_equal(materials, model.mat_rgba):
                return
        self._seen = (model.geom_rgba.copy(), model.mat_rgba.copy())
        rgba = shown_rgba(model)
        shades = np.arange(LEVELS + 1)[None, :, None] / LEVELS
        self.table = np.round(np.clip(rgba[:, None, :3] * shades, 0.0, 1.0) * 255).astype(np.uint8)
        self.alpha = rgba[:, 3]
        self.glass = np.flatnonzero((self.alpha < OPAQUE) & (self.alpha > 0))
        for plane in self.textured:
            plane.tint = rgba[plane.geom, :3]


@dataclass
class TexturedPlane:
    """A plane with a picture on it.

    Args:
        geom: its id.
        picture: uint8 [h, w, 3].
        repeats: pictures a metre along the plane's x and y.
        tint: the colour that multiplies the picture, float [3].
    """

    geom: int
    picture: np.ndarray
    repeats: np.ndarray
    tint: np.ndarray
    _mean: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._mean = self.picture.reshape(-1, 3).mean(axis=0)

    def colours(self, data: mujoco.MjData, points: np.ndarray, footprint: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """uint8 [n, 3] at world `points` [n, 3]; far away, where a pixel covers much, the pattern fades to its mean.

        Args:
            data: for the plane's own pose.
            points: float64 [n, 3], metres.
            footprint: metres that a pixel covers, [n].
            levels: shades 0..LEVELS, [n].
        """
        rotation = data.geom_xmat[self.geom].reshape(3, 3)
        local = points - data.geom_xpos[self.geom]
        height, width = self.picture.shape[:2]
        cell = []
        for axis, size in ((0, width), (1, height)):
            along = local[:, 0] * rotation[0, axis] + local[:, 1] * rotation[1, axis] + local[:, 2] * rotation[2, axis]
            turns = along * self.repeats[axis] + 0.5
            cell.append(np.minimum(((turns - np.floor(turns)) * size).astype(np.intp), size - 1))
        near = self.picture[cell[1], cell[0]].astype(np.float64)
        fade = np.clip(footprint * self.repeats.max() * 2, 0.0, 1.0)
        fade = (np.round(fade * 8) / 8)[:, None]
        return np.round((near + (self._mean - near) * fade) * self.tint * (levels[:, None] / LEVELS)).astype(np.uint8)


def _textured_planes(model: mujoco.MjModel) -> list[TexturedPlane]:
    planes = []
    for geom in np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE):
        material = model.geom_matid[geom]
        if material < 0:
            continue
        roles = model.mat_texid[material]
        texture = int(roles[mujoco.mjtTextureRole.mjTEXROLE_RGB])
        if texture < 0 or model.tex_type[texture] != mujoco.mjtTexture.mjTEXTURE_2D:
            continue
        height, width = int(model.tex_height[texture]), int(model.tex_width[texture])
        channels, start = int(model.tex_nchannel[texture]), int(model.tex_adr[texture])
        picture = model.tex_data[start : start + height * width * channels].reshape(height, width, channels)
        repeats = model.mat_texrepeat[material].astype(np.float64)
        size = model.geom_size[geom, :2]
        if not model.mat_texuniform[material] and (size > 0).all():
            repeats = repeats / (2 * size)
        planes.append(TexturedPlane(int(geom), np.array(picture[..., :3]), repeats, np.ones(3)))
    return planes
