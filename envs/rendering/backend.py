"""Which renderer draws the videos.

What an agent sees is always ray-cast. A video may use OpenGL where the user asks for it, by setting `OPENGATO_VIDEO_GL`
to `egl`, `osmesa` or `auto`, and `MUJOCO_GL` alike, before the simulator is imported. A backend that is missing kills
`import mujoco`, so each is tried in a child process.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import numpy as np

from opengato.errors import OpengatoError

if TYPE_CHECKING:
    import mujoco

    from opengato.envs.rendering.raycast import FreeCamera

Backend = Literal["egl", "osmesa", "raycast"]
VARIABLE = "OPENGATO_VIDEO_GL"
_TRIAL = """
import mujoco, numpy
model = mujoco.MjModel.from_xml_string('<mujoco><worldbody><light pos="0 0 2"/><geom size=".2"/></worldbody></mujoco>')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 32, 32)
renderer.update_scene(data)
assert renderer.render().max() > 0
renderer.close()
"""


@functools.cache
def probe(timeout: float = 30.0) -> dict[str, str]:
    """Try every renderer; name → "ok" or why it does not work. Each OpenGL backend is tried in a child process."""
    found = {}
    for name in ("egl", "osmesa"):
        environment = {**os.environ, "MUJOCO_GL": name, "PYOPENGL_PLATFORM": name}
        try:
            done = subprocess.run(
                [sys.executable, "-c", _TRIAL], env=environment, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            found[name] = f"no answer within {timeout:.0f} s"
            continue
        lines = done.stderr.strip().splitlines()
        found[name] = "ok" if done.returncode == 0 else (lines[-1] if lines else f"exit code {done.returncode}")
    found["raycast"] = "ok"  # needs nothing but MuJoCo itself
    return found


@functools.cache
def video_backend() -> Backend:
    """The renderer for videos: the ray-caster unless `OPENGATO_VIDEO_GL` asks for OpenGL.

    Raises:
        OpengatoError: the variable's value is unknown, or names a backend that does not work here.
    """
    wanted = os.environ.get(VARIABLE, "raycast")
    if wanted == "raycast":
        return "raycast"
    if wanted not in ("egl", "osmesa", "auto"):
        raise OpengatoError(f"{VARIABLE}={wanted!r} is unknown. Next: set it to egl, osmesa, auto or raycast.")
    works = probe()
    if wanted == "auto":
        return next((name for name in ("egl", "osmesa") if works[name] == "ok"), "raycast")  # type: ignore[return-value]
    if works[wanted] != "ok":
        raise OpengatoError(f"{VARIABLE}={wanted} does not work here: {works[wanted]}. Next: unset {VARIABLE}.")
    return wanted  # type: ignore[return-value]


class VideoRenderer:
    """Draws the frames of a video of one model; keeps its renderer between frames.

    Args:
        model: the scene.
        height: pixels.
        width: pixels.
        camera: as of `RayCaster`.
    """

    def __init__(
        self, model: mujoco.MjModel, height: int = 240, width: int = 320, camera: int | str | FreeCamera = -1
    ) -> None:
        from opengato.envs.rendering.raycast import RayCaster

        backend = video_backend()
        self._gl: mujoco.Renderer | None = None
        # MuJoCo loads its graphics library once, when imported: another choice made since then cannot count.
        if backend != "raycast" and os.environ.get("MUJOCO_GL") == backend and isinstance(camera, (int, str)):
            import mujoco

            quality = model.vis.quality
            quality.offsamples, quality.numslices, quality.numstacks, quality.numquads = 0, 12, 6, 1
            self._gl = mujoco.Renderer(model, height, width)
            self._gl.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
            self._gl.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
            self._camera = camera
        else:
            self._rays = RayCaster(model, height, width, camera, shadows=True)

    def frame(self, data: mujoco.MjData) -> np.ndarray:
        """A new picture, uint8 [height, width, 3]; the kinematics of `data` must be up to date."""
        if self._gl is None:
            return self._rays.render(data)
        self._gl.update_scene(data, self._camera)
        return self._gl.render().copy()

    def close(self) -> None:
        """Free the graphics context, if there is one."""
        if self._gl is not None:
            self._gl.close()
            self._gl = None


def frame(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    height: int = 240,
    width: int = 320,
    camera: int | str | FreeCamera = -1,
) -> np.ndarray:
    """One picture, uint8 [height, width, 3]; who draws many keeps a `VideoRenderer` instead."""
    renderer = VideoRenderer(model, height, width, camera)
    try:
        return renderer.frame(data)
    finally:
        renderer.close()
