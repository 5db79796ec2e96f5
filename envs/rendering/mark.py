"""A ball painted over a picture: a goal that is no part of the scene."""

from __future__ import annotations

import numpy as np

from opengato.envs.rendering.raycast import FreeCamera

COLOUR, ALPHA = np.array([40.0, 200.0, 60.0]), 0.6


def paint_ball(picture: np.ndarray, camera: FreeCamera, centre: np.ndarray, radius: float) -> None:
    """Paint a ball over `picture`, uint8 [H, W, 3], in place; nothing hides it.

    Args:
        picture: what `camera` saw.
        camera: the camera.
        centre: float [3], metres, world frame.
        radius: metres.
    """
    position, rotation = camera.pose()
    right, up, back = rotation.T @ (centre - position)
    height, width = picture.shape[:2]
    pixels = height / 2 / np.tan(np.radians(camera.fovy) / 2) / -back  # per metre at the ball's distance
    rows, columns = np.ogrid[:height, :width]
    apart = np.hypot(rows + 0.5 - (height / 2 - up * pixels), columns + 0.5 - (width / 2 + right * pixels))
    inside = apart < radius * pixels
    picture[inside] = np.round(picture[inside] * (1 - ALPHA) + COLOUR * ALPHA).astype(np.uint8)
