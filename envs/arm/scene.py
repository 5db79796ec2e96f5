"""The arm's scene: built with objects that move, or drawn with objects that only stand there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import mujoco
import numpy as np

from opengato.envs.arm.kinematics import joints_for
from opengato.envs.arm.objects import COLORS, SHAPES, SIZES, SceneObject, add_geom
from opengato.envs.rendering.raycast import RayCaster
from opengato.errors import OpengatoError

__all__ = ["AREA", "COLORS", "MAX_OBJECTS", "SHAPES", "SIZES", "SceneObject", "SceneRenderer", "build", "scene_spec"]

AREA = 0.13  # metres: |x|, |y| below it are inside the basket and inside every picture
MAX_OBJECTS = 5
PARKED = (-0.12, 0.0, 0.24)  # where the gripper hides nothing
DENSITY = 700.0  # kg/m³
ARM_JOINTS = ("waist", "shoulder", "elbow", "wrist_pitch", "wrist_roll")


def scene_spec() -> Any:
    """A fresh `MjSpec` of the scene without objects."""
    return mujoco.MjSpec.from_string((files("opengato.assets") / "arm" / "scene.xml").read_text(encoding="utf-8"))


def build(shapes: dict[str, str], half_height: float = 0.02) -> mujoco.MjModel:
    """The scene with one free object a colour.

    Args:
        shapes: colour → shape; bodies, joints and geoms are named after the colour.
        half_height: of every object, metres.
    """
    spec = scene_spec()
    for color, shape in shapes.items():
        body = spec.worldbody.add_body(name=color, pos=[0, 0, half_height])
        body.add_freejoint(name=color)
        add_geom(
            spec, body, shape, half_height, name=color, rgba=[*COLORS[color], 1.0], density=DENSITY,
            contype=1, conaffinity=3, condim=4, friction=[1.0, 0.02, 0.0005],
        )  # fmt: skip
    return spec.compile()


class SceneRenderer:
    """Draws still scenes: any objects, anywhere in the basket.

    One model holds every shape in every size at each of `MAX_OBJECTS` places; drawing a scene moves and colours those
    that are wanted and hides the others, so nothing is compiled between two pictures.

    Args:
        height: pixels.
        width: pixels.
        camera: `front`, `side` or `overview`.
        shadows: as of `RayCaster`.
    """

    def __init__(self, height: int = 64, width: int = 64, camera: str = "front", *, shadows: bool = False) -> None:
        spec = scene_spec()
        for place in range(MAX_OBJECTS):
            body = spec.worldbody.add_body(name=f"place{place}")
            for shape in SHAPES:
                for size, half in SIZES.items():
                    add_geom(spec, body, shape, half, name=f"{place}-{shape}-{size}", group=5, contype=0, conaffinity=0)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._qpos = [int(self._model.joint(name).qposadr[0]) for name in ARM_JOINTS]
        self._fingers = [int(self._model.joint(name).qposadr[0]) for name in ("left_finger", "right_finger")]
        self._shown: list[int] = []
        self._caster = RayCaster(self._model, height, width, camera, shadows=shadows)

    def render(
        self,
        objects: Sequence[SceneObject],
        gripper: tuple[float, float, float] | None = None,
        opening: float = 0.06,
    ) -> np.ndarray:
        """A new picture, uint8 [height, width, 3].

        Args:
            objects: at most `MAX_OBJECTS`.
            gripper: where the point between the fingertips is, metres; None parks it where it hides nothing.
            opening: metres between the fingers.

        Raises:
            OpengatoError: there are too many objects.
        """
        if len(objects) > MAX_OBJECTS:
            raise OpengatoError(f"{len(objects)} objects given. Next: give at most {MAX_OBJECTS}.")
        model, data = self._model, self._data
        for geom in self._shown:
            model.geom_group[geom] = 5
        self._shown = []
        for place, thing in enumerate(objects):
            body, geom = model.body(f"place{place}").id, model.geom(f"{place}-{thing.shape}-{thing.size}").id
            model.body_pos[body] = thing.x, thing.y, SIZES[thing.size]
            model.body_quat[body] = np.cos(thing.yaw / 2), 0.0, 0.0, np.sin(thing.yaw / 2)
            model.geom_rgba[geom] = *COLORS[thing.color], 1.0
            model.geom_group[geom] = 0
            self._shown.append(geom)
        data.qpos[self._qpos] = joints_for(np.array(gripper or PARKED), 0.0)
        data.qpos[self._fingers] = opening / 2
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        return self._caster.render(data)

    def close(self) -> None:
        """Nothing to free: here so that renderers are all used alike."""
