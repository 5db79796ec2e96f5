"""Pictures of a MuJoCo scene with no graphics library: one ray a pixel, cast by `mj_multiRay`.

The same state gives the same bytes in every process: no threads, no matrix products of a BLAS, no shade finer than
1/32, so that a difference in the last bit of a normal does not show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from opengato.envs.rendering.palette import LEVELS, Palette, sky_colours
from opengato.errors import OpengatoError, UnknownNameError

AMBIENT, DIFFUSE, HEADLIGHT = 0.42, 0.40, 0.18  # sum 1: a surface that faces light and eye shows its own colour
LIGHT = np.array([0.35, -0.45, 0.82])  # towards the light, roughly unit length
HIDDEN_GROUP = 5


@dataclass(frozen=True)
class FreeCamera:
    """A camera that no model holds, in MuJoCo's terms.

    Args:
        lookat: the point looked at, metres, world frame.
        distance: metres from that point.
        azimuth: degrees about z; 90 looks along +y.
        elevation: degrees; negative looks down.
        fovy: vertical field of view, degrees.
    """

    lookat: tuple[float, float, float]
    distance: float
    azimuth: float = 90.0
    elevation: float = -30.0
    fovy: float = 45.0

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position float64 [3] and rotation float64 [3, 3], columns right, up, backwards."""
        azimuth, elevation = np.deg2rad(self.azimuth), np.deg2rad(self.elevation)
        forward = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
        up = np.cross(right, forward)
        return np.asarray(self.lookat) - self.distance * forward, np.stack([right, up, -forward], axis=1)

    @classmethod
    def overview(cls, model: mujoco.MjModel) -> FreeCamera:
        """The view MuJoCo's own viewer opens with."""
        view = model.vis.global_
        x, y, z = model.stat.center
        return cls((x, y, z), 1.5 * model.stat.extent, view.azimuth, view.elevation, view.fovy)


class _Rays:
    """Rays from one point, and what they hit.

    Args:
        directions: unit vectors, float64 [n, 3].
        sky: what each shows where it hits nothing, uint8 [n, 3].
    """

    def __init__(self, directions: np.ndarray, sky: np.ndarray) -> None:
        count = len(directions)
        self.directions, self.sky = directions, sky
        self.geoms, self.distances = np.empty(count, np.int32), np.empty(count)  # -1 where nothing is hit
        self.normals = np.zeros((count, 3))

    def some(self, which: np.ndarray) -> _Rays:
        """Those at these places, not yet cast."""
        return _Rays(self.directions[which], self.sky[which])


class RayCaster:
    """Draws one camera of one model.

    Args:
        model: the scene. Colours and materials may change later; the number of geoms may not.
        height: pixels.
        width: pixels.
        camera: id or name of a camera in the model, -1 for an overview, or a `FreeCamera`.
        geom_groups: which of MuJoCo's six geom groups are drawn.
        shadows: cast a second ray a pixel from the lamp (twice the time; for videos).
        texture: draw the checker of textured planes, so that motion shows.

    Raises:
        OpengatoError: the model has no such camera.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        height: int,
        width: int,
        camera: int | str | FreeCamera = -1,
        *,
        geom_groups: tuple[int, ...] = (0, 1, 2),
        shadows: bool = False,
        texture: bool = True,
    ) -> None:
        self.model, self.height, self.width, self.shadows = model, height, width, shadows
        self._camera = _resolve(model, camera)
        fovy = self._camera.fovy if isinstance(self._camera, FreeCamera) else model.cam_fovy[self._camera]
        self._pinhole = _pinhole(height, width, float(fovy))
        self._pixel_angle = _pixel_angle(height, float(fovy))
        self._groups = np.array([group in geom_groups for group in range(6)], np.uint8)
        self._palette = Palette(model, texture)
        count = height * width
        self._rays = _Rays(np.empty((count, 3)), np.empty((count, 3), np.uint8))
        self._rotation = np.full((3, 3), np.nan)

    def render(self, data: mujoco.MjData) -> np.ndarray:
        """A new picture, uint8 [height, width, 3], of `data`, whose kinematics must be up to date (`mj_forward`)."""
        position, rays = self._aim(data), self._rays
        self._palette.refresh()
        picture = self._picture(data, position, rays)
        glass = self._palette.glass
        through = np.flatnonzero(np.isin(rays.geoms, glass)) if glass.size else glass  # what is in sight of it
        if through.size:
            groups = self.model.geom_group[glass].copy()
            alpha = self._palette.alpha[rays.geoms[through]][:, None]
            self.model.geom_group[glass] = HIDDEN_GROUP
            try:
                behind = self._picture(data, position, rays.some(through))
            finally:
                self.model.geom_group[glass] = groups
            picture[through] = np.round(picture[through] * alpha + behind * (1 - alpha)).astype(np.uint8)
        return picture.reshape(self.height, self.width, 3)

    def segment(self, data: mujoco.MjData) -> np.ndarray:
        """Which geom each pixel shows, int32 [height, width]; -1 is the sky."""
        self._cast(data, self._aim(data), self._rays)
        return self._rays.geoms.reshape(self.height, self.width).copy()

    def _aim(self, data: mujoco.MjData) -> np.ndarray:
        """Turns the rays as the camera stands; gives its position, float64 [3]."""
        if isinstance(self._camera, FreeCamera):
            position, rotation = self._camera.pose()
        else:
            position, rotation = data.cam_xpos[self._camera].copy(), data.cam_xmat[self._camera].reshape(3, 3)
        if not np.array_equal(rotation, self._rotation):
            self._rotation = rotation.copy()
            ahead, rays = self._pinhole, self._rays
            for axis in range(3):  # sums in a fixed order: a BLAS may differ from machine to machine
                right, up, back = rotation[axis]
                rays.directions[:, axis] = ahead[0] * right + ahead[1] * up + ahead[2] * back
            rays.sky = sky_colours(rays.directions[:, 2])
        return position

    def _cast(self, data: mujoco.MjData, position: np.ndarray, rays: _Rays) -> None:
        self._trace(data, position, rays.directions, rays.geoms, rays.distances, rays.normals.reshape(-1))

    def _trace(
        self,
        data: mujoco.MjData,
        origin: np.ndarray,
        directions: np.ndarray,
        geoms: np.ndarray,
        distances: np.ndarray,
        normals: np.ndarray | None,
    ) -> None:
        # MuJoCo drops a body whose bounding volume the ray misses, but that volume holds only the geoms that collide:
        # those that are only for show would vanish. A body without a volume is not dropped.
        volumes = self.model.body_bvhadr.copy()
        self.model.body_bvhadr[:] = -1
        try:
            mujoco.mj_multiRay(
                self.model, data, origin, directions.reshape(-1), self._groups, True, -1,
                geoms, distances, normals, geoms.size, mujoco.mjMAXVAL,
            )  # fmt: skip
        finally:
            self.model.body_bvhadr[:] = volumes

    def _picture(self, data: mujoco.MjData, position: np.ndarray, rays: _Rays) -> np.ndarray:
        """What rays show, uint8 [n, 3]."""
        self._cast(data, position, rays)
        geoms, normals, directions = rays.geoms, rays.normals, rays.directions
        facing = -(
            normals[:, 0] * directions[:, 0] + normals[:, 1] * directions[:, 1] + normals[:, 2] * directions[:, 2]
        )
        lit = normals[:, 0] * LIGHT[0] + normals[:, 1] * LIGHT[1] + normals[:, 2] * LIGHT[2]
        lit = np.maximum(np.where(facing < 0, -lit, lit), 0.0)
        if self.shadows:
            lit[self._shaded(data, position, rays)] *= 0.25
        shade = AMBIENT + DIFFUSE * lit + HEADLIGHT * np.abs(facing)
        levels = np.minimum(shade * LEVELS + 0.5, LEVELS).astype(np.intp)
        picture = self._palette.table[geoms, levels]
        for plane in self._palette.textured:
            pixels = np.flatnonzero(geoms == plane.geom)
            if pixels.size:
                distance = rays.distances[pixels]
                points = position + directions[pixels] * distance[:, None]
                footprint = self._pixel_angle * distance / np.maximum(np.abs(facing[pixels]), 0.05)
                picture[pixels] = plane.colours(data, points, footprint, levels[pixels])
        missed = geoms < 0
        picture[missed] = rays.sky[missed]
        return picture

    def _shaded(self, data: mujoco.MjData, position: np.ndarray, rays: _Rays) -> np.ndarray:
        """Which rays end where a far lamp does not reach, bool [n]."""
        hit = rays.geoms >= 0
        lamp = position + LIGHT * 20.0 * self.model.stat.extent  # follows a camera that follows a body
        points = position + rays.directions * np.where(hit, rays.distances, 0.0)[:, None]
        towards = points - lamp
        length = np.sqrt(np.square(towards).sum(axis=1))
        towards /= length[:, None]
        geoms, distances = np.empty_like(rays.geoms), np.empty_like(rays.distances)
        self._trace(data, lamp, towards, geoms, distances, None)
        return hit & (geoms >= 0) & (distances < length - 2e-3 * self.model.stat.extent)


def _resolve(model: mujoco.MjModel, camera: int | str | FreeCamera) -> int | FreeCamera:
    if isinstance(camera, FreeCamera):
        return camera
    if isinstance(camera, str):
        found = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if found < 0:
            known = [model.cam(index).name for index in range(model.ncam)]
            raise UnknownNameError("camera", camera, known, "Next: choose one of them.")
        return found
    if not -1 <= camera < model.ncam:
        raise OpengatoError(f"camera {camera} is unknown. Next: choose -1 to {model.ncam - 1}.")
    return camera if camera >= 0 else FreeCamera.overview(model)


def _pixel_angle(height: int, fovy: float) -> float:
    """Width of a pixel at distance 1."""
    return 2 * math.tan(math.radians(fovy) / 2) / height


def _pinhole(height: int, width: int, fovy: float) -> np.ndarray:
    """Unit directions through the pixels' centres in the camera's frame, float64 [3, pixels]."""
    step = _pixel_angle(height, fovy)
    right, up = np.meshgrid((np.arange(width) + 0.5 - width / 2) * step, -(np.arange(height) + 0.5 - height / 2) * step)
    rays = np.stack([right, up, np.full_like(right, -1.0)]).reshape(3, -1)
    return rays / np.sqrt(rays[0] ** 2 + rays[1] ** 2 + rays[2] ** 2)
