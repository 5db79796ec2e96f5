"""The benchmark's own scene as one MuJoCo model: Sawyer, wrist sensor, Robotiq gripper, basket, three objects.

What DeepMind's packages bring is put together here. What only costs time is taken away: of the robot only the
fingertips can touch anything, and meshes of tens of thousands of triangles, which are for show, are coarsened.
"""

from __future__ import annotations

import copy
import struct
from functools import lru_cache
from typing import Any

import mujoco
import numpy as np
from dm_control import mjcf
from dm_robotics.manipulation.props.rgb_objects import rgb_object
from dm_robotics.manipulation.standard_cell import rgb_basket
from dm_robotics.moma.models.arenas import empty
from dm_robotics.moma.models.end_effectors.robot_hands import robotiq_2f85
from dm_robotics.moma.models.end_effectors.wrist_sensors import robotiq_fts300
from dm_robotics.moma.models.robots.robot_arms import sawyer, sawyer_constants

from opengato.errors import UnknownNameError

COLORS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}
# As the benchmark has them: metres in the frame of the arm's base, degrees.
BASKET = (0.6, 0.0, 0.0498)
FLOOR = BASKET[2]
FIELD_OF_VIEW = 30.0
CAMERAS = ("basket_front_left", "basket_front_right")
OVERVIEW: dict[str, Any] = {"pos": (1.4, 0.0, 0.45), "quat": (0.541, 0.455, 0.456, 0.541), "fovy": 45.0}
TIMESTEP = 0.002
ARM, HAND = "robot0/", "robot0/robotiq_fts300/robotiq_2f85/"
ARM_JOINTS = tuple(f"{ARM}{name}" for name in sawyer_constants.JOINT_NAMES)
PADS = ("_fingertip_geom", "_collision_box1", "_collision_box2")  # ends of the names of what the robot touches with
DETAIL, SIMPLE = 2, 3  # groups: the basket's and arm's own meshes, for videos; the basket's surfaces, for the agent
SEEN_BY_AGENT = (0, 1, SIMPLE)
MANY_TRIANGLES = 10_000
COARSE = 1 / 25  # of a mesh's longest side: corners that share a cell of this size become one

_STL = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def triplets() -> dict[str, tuple[str, ...]]:
    """The published test triplets: name → ids of the red, the green and the blue object."""
    return {name: tuple(found.ids) for name, found in rgb_object.PROP_TRIPLETS_TEST.items()}


def training_objects() -> list[str]:
    """Ids of the objects that are for training only, in the order of their names."""
    return sorted(rgb_object.RGB_OBJECTS_TRAIN_SET)


def build(ids: tuple[str, ...]) -> mujoco.MjModel:
    """The scene with three objects, whose bodies and free joints are named `red`, `green` and `blue`.

    Args:
        ids: of the red, the green and the blue object.

    Raises:
        UnknownNameError: the packages have no such object.
    """
    known = sorted(rgb_object.RGB_OBJECTS_FULL_SET)
    for one in ids:
        if one not in known:
            raise UnknownNameError("object", one, known, "Next: choose one of them.")
    return copy.copy(_compiled(tuple(ids)))  # a disturbance may change a model


@lru_cache(maxsize=8)
def _compiled(ids: tuple[str, ...]) -> mujoco.MjModel:
    xml, assets = _cell()
    spec = mujoco.MjSpec.from_string(xml, assets=assets)
    for body in spec.bodies:
        if body.name.startswith(ARM):
            body.gravcomp = 1.0  # the packages push against gravity with a force of their own at every step
    for (color, rgb), one in zip(COLORS.items(), ids, strict=True):
        thing = rgb_object.RgbObjectProp(obj_id=one, color=[*rgb, 1.0], name=color).mjcf_model
        child = mujoco.MjSpec.from_string(thing.to_xml_string(), assets=thing.get_assets())
        body = spec.worldbody.add_body(name=color)
        body.add_freejoint(name=color)
        spec.attach(child, frame=body.add_frame(), prefix=f"{color}/")
    return spec.compile()


@lru_cache(maxsize=1)
def _cell() -> tuple[str, dict[str, bytes]]:
    """Robot and basket without objects, as MJCF and the files that it names."""
    arena = empty.Arena()
    basket = rgb_basket.RGBBasket()
    arena.attach(basket, arena.mjcf_model.worldbody.add("site", pos=BASKET, size=[0.01], rgba=[0, 0, 0, 0]))
    arm, wrist, hand = sawyer.Sawyer(name="robot0"), robotiq_fts300.RobotiqFTS300(), robotiq_2f85.Robotiq2F85()
    wrist.attach(hand)
    arm.attach(wrist)
    arena.attach(arm)
    for camera in basket.cameras:
        camera.fovy = FIELD_OF_VIEW
    root = arena.mjcf_model
    root.worldbody.add("camera", name="overview", **OVERVIEW)
    root.option.timestep, root.option.integrator = TIMESTEP, "implicitfast"
    for geom in root.find_all("geom"):
        _sort(geom)
    lowest, highest = sawyer_constants.JOINT_LIMITS["min"], sawyer_constants.JOINT_LIMITS["max"]
    for actuator, low, high in zip(arm.actuators, lowest, highest, strict=True):
        actuator.actlimited, actuator.actrange = True, (low, high)
    hand.actuators[0].actlimited, hand.actuators[0].actrange = True, (0.0, 255.0)
    for mesh in root.find_all("mesh"):
        mesh.file = _coarsened(mesh.file)
    return root.to_xml_string(), root.get_assets()


def _sort(geom: Any) -> None:
    """Say who draws a geom and whether it can touch anything; drop it where it is neither seen nor touched."""
    name, owner = geom.name or "", geom.root.model
    if name.startswith(("basket_base_surface", "basket_sloped_side")):
        geom.group, geom.rgba = SIMPLE, (0.5, 0.5, 0.5, 1.0)
    elif "CollisionGeom" in name:  # what the benchmark's controller keeps away from; ours stays in a box
        geom.remove()
    elif owner in ("robot0", "base") and not name.startswith(("l5", "l6")):
        geom.group, geom.contype, geom.conaffinity = DETAIL, 0, 0
    elif not name.endswith(PADS) and name != "ground":
        geom.contype = geom.conaffinity = 0


def _coarsened(file: Any) -> Any:
    """The mesh, with fewer triangles where it has too many."""
    count = struct.unpack("<I", file.contents[80:84])[0]
    if count <= MANY_TRIANGLES:
        return file
    corners = np.frombuffer(file.contents, _STL, count, 84)["corners"].reshape(-1, 3).astype(np.float64)
    cells = np.round(corners / (COARSE * np.ptp(corners, axis=0).max())).astype(np.int64) + 512
    _, first, which = np.unique(cells @ [1 << 20, 1 << 10, 1], return_index=True, return_inverse=True)
    triangles = which.reshape(-1, 3)
    flat = (triangles == np.roll(triangles, 1, axis=1)).any(axis=1)
    triangles = triangles[~flat]
    _, kept = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True)
    triangles = triangles[np.sort(kept)]
    written = np.zeros(len(triangles), _STL)
    written["corners"] = corners[first][triangles]
    contents = bytes(80) + struct.pack("<I", len(triangles)) + written.tobytes()
    return mjcf.Asset(contents, ".stl")
