"""Pictures of Gymnasium-Robotics' tasks: where the camera stands, and how the goal shows."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from opengato.envs.rendering.mark import paint_ball
from opengato.envs.rendering.raycast import FreeCamera, RayCaster

PICTURE = (240, 320)  # rows, columns
# id's beginning → camera, near where the package puts its own.
CAMERAS = {
    "Fetch": FreeCamera((1.3, 0.75, 0.5), distance=1.7, azimuth=132.0, elevation=-22.0),
    "HandReach": FreeCamera((1.0, 0.9, 0.17), distance=0.42, azimuth=55.0, elevation=-30.0),
    "HandManipulate": FreeCamera((1.04, 0.9, 0.17), distance=0.48, azimuth=55.0, elevation=-35.0),
    "AdroitHandDoor": FreeCamera((-0.1, 0.0, 0.25), distance=1.5, azimuth=60.0, elevation=-30.0),
    "AdroitHandHammer": FreeCamera((0.0, -0.1, 0.15), distance=1.3, azimuth=45.0, elevation=-35.0),
    "AdroitHandPen": FreeCamera((0.0, -0.2, 0.22), distance=0.75, azimuth=-45.0, elevation=-35.0),
    "AdroitHandRelocate": FreeCamera((0.0, -0.1, 0.1), distance=1.4, azimuth=90.0, elevation=-40.0),
    "FrankaKitchen": FreeCamera((-0.2, 0.5, 2.0), distance=2.4, azimuth=70.0, elevation=-35.0),
}
BALL = {"Fetch": 0.02, "HandReach": 0.006, "AdroitHandRelocate": 0.04}  # metres
MAZE_BALL = 0.2  # of a cell
TINT, HIDDEN = (0.16, 0.78, 0.24, 0.6), 5


def _by_beginning(table: dict[str, Any], id: str) -> Any:
    return next((value for beginning, value in table.items() if id.startswith(beginning)), None)


class View:
    """Draws one environment.

    Args:
        env: a `Robotics`.
    """

    def __init__(self, env: Any) -> None:
        self._env = env
        self._maze = getattr(env.origin, "maze", None)
        self._camera: FreeCamera = _by_beginning(CAMERAS, env.name) or _above(self._maze)
        _dress(env.model)
        self._caster = RayCaster(env.model, *PICTURE, self._camera)
        self._drawn = mujoco.MjData(env.model)  # the goal is posed in a copy, so that drawing changes nothing

    def draw(self) -> np.ndarray:
        """uint8 [240, 320, 3]."""
        model, goal = self._env.model, self._env.goal
        mujoco.mj_copyData(self._drawn, model, self._env.data)
        posed = self._env.name.startswith("HandManipulate")
        if posed:
            self._drawn.joint("target:joint").qpos[:] = goal
            if self._env.origin.target_position == "ignore":
                self._drawn.joint("target:joint").qpos[0] += 0.15  # beside the hand: only how it is turned counts
        mujoco.mj_kinematics(model, self._drawn)
        picture = self._caster.render(self._drawn)
        radius = MAZE_BALL * self._maze.maze_size_scaling if self._maze else _by_beginning(BALL, self._env.name)
        if radius and not posed:
            for centre in self._places(goal):
                paint_ball(picture, self._camera, centre, radius)
        return picture

    def _places(self, goal: np.ndarray | None) -> np.ndarray:
        """Where the goal is, float64 [n, 3], metres."""
        if self._maze:
            return np.append(goal, 0.0)[None]  # type: ignore[arg-type]
        if goal is None:
            return self._drawn.site("target").xpos[None]
        return goal.reshape(-1, 3)


def _dress(model: Any) -> None:
    """Change how some shapes look, which the simulation does not ask for."""
    for geom in range(model.ngeom):
        name = model.geom(geom).name
        if model.body_mocapid[model.geom_bodyid[geom]] >= 0:
            model.geom_group[geom] = HIDDEN  # the cross by which the Fetch's hand is pulled
        elif name == "particle_geom":
            model.geom_rgba[geom, 3] = 1.0  # the origin draws a mark in its place
        elif name == "target" and model.geom_matid[geom] >= 0:
            model.geom_matid[geom] = -1  # a thing's pose to reach: tinted, to tell it from the thing
            model.geom_rgba[geom] = TINT


def _above(maze: Any) -> FreeCamera:
    """A camera that sees all of a maze, a little from the south."""
    wide = max(maze.map_length * 1.25, maze.map_width) * maze.maze_size_scaling
    return FreeCamera((0.0, 0.0, 0.0), distance=1.0 * wide, azimuth=90.0, elevation=-65.0)
