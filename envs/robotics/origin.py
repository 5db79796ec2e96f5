"""The package itself: what it lists, and the one comparison in it that this MuJoCo answers otherwise."""

from __future__ import annotations

import contextlib
import io
import re
import types
from pathlib import Path
from typing import Any

import gymnasium
import mujoco

with contextlib.redirect_stderr(io.StringIO()):  # it prints news of its next version in every process
    import gymnasium_robotics
    from gymnasium_robotics.envs.franka_kitchen.kitchen_env import OBS_ELEMENT_GOALS, OBS_ELEMENT_INDICES
    from gymnasium_robotics.utils import mujoco_utils

__all__ = ["IDS", "OBS_ELEMENT_GOALS", "OBS_ELEMENT_INDICES", "open_task"]

# Packages of tasks; `envs.mujoco` holds Gymnasium's old bodies, which the package takes in for those who need them.
FOLDERS = ("fetch", "shadow_dexterous_hand", "maze", "adroit_hand", "franka_kitchen")
# "Full" ids are other names of the same task.
ALIAS = re.compile(r"Full(Dense)?-v\d+$")


class _Joints:
    """`mujoco.mjtJoint` with plain numbers."""


class _Mujoco(types.ModuleType):
    """The module `mujoco` but for its kinds of joints.

    The package looks a joint's kind, a NumPy integer, up in a tuple of MuJoCo's enumeration. From MuJoCo 3.16 on a
    member of that does not equal a NumPy integer, so that no hinge is one.
    """

    mjtJoint = _Joints

    def __getattr__(self, name: str) -> Any:
        return getattr(mujoco, name)


for _name in dir(mujoco.mjtJoint):
    if _name.startswith("mjJNT"):
        setattr(_Joints, _name, int(getattr(mujoco.mjtJoint, _name)))
mujoco_utils.mujoco = _Mujoco("mujoco")  # in that one file of the package; nobody else's `mujoco` changes

gymnasium.register_envs(gymnasium_robotics)


def _listed() -> tuple[str, ...]:
    newest: dict[str, int] = {}
    for id, spec in gymnasium.registry.items():
        module = str(spec.entry_point).split(":")[0]
        if any(module.startswith(f"gymnasium_robotics.envs.{folder}") for folder in FOLDERS):
            name, version = id.rsplit("-v", 1)
            newest[name] = max(newest.get(name, 0), int(version))
    return tuple(sorted(f"{name}-v{version}" for name, version in newest.items()))


IDS = tuple(id for id in _listed() if not ALIAS.search(id))


def open_task(id: str, kwargs: dict[str, Any]) -> Any:
    """The package's own environment, without Gymnasium's wrappers."""
    task = gymnasium.make(id, disable_env_checker=True, **kwargs).unwrapped
    written = getattr(task, "tmp_xml_file_path", None)
    if written:  # a maze's model, which the package leaves behind in the folder for temporary files
        Path(written).unlink(missing_ok=True)
    return task
