"""A MuJoCo model whose masses, friction, damping, gears and colours can be changed, and changed again."""

from __future__ import annotations

import copy
from typing import Any

import mujoco
import numpy as np

from opengato.envs.real.physique import NONE, PARTS, Change
from opengato.envs.rendering.palette import shown_rgba

FACTORS = {
    "body_mass": "mass", "body_inertia": "mass", "geom_friction": "friction", "dof_damping": "damping",
    "actuator_gear": "gear",
}  # fmt: skip
# What MuJoCo derives from masses and gears as it compiles: it finds a body's centre and how stiff contacts are by them.
DERIVED = (
    "body_subtreemass", "body_invweight0", "dof_M0", "dof_invweight0", "tendon_invweight0", "actuator_acc0",
    "actuator_length0",
)  # fmt: skip
STATISTICS = ("meanmass", "meaninertia")


class MujocoBody:
    """See `Physique`.

    Args:
        model: changed in place, at once; None where the first is yet to be built.
    """

    can: tuple[str, ...] = PARTS

    def __init__(self, model: mujoco.MjModel | None = None) -> None:
        self._wanted = NONE
        self._first: dict[str, np.ndarray] = {}
        self._statistics: dict[str, float] = {}
        self._model: Any = model

    def take(self, model: mujoco.MjModel) -> None:
        """A model was built, or its body drawn: what it is now is what changes are of, and it is changed at once."""
        self._model, self._first, self._statistics = model, {}, {}
        self.change(self._wanted)

    def restore(self) -> None:
        """Make the model what it was without any change, until the next `take` or `change`."""
        for name, value in self._first.items():
            getattr(self._model, name)[:] = value
        for name, number in self._statistics.items():
            setattr(self._model.stat, name, number)

    def change(self, wanted: Change) -> None:
        """See `Physique`."""
        self._wanted, model = wanted, self._model
        self.restore()
        if model is None or not wanted.asked:
            return
        if not self._first:
            self._first = {name: getattr(model, name).copy() for name in (*FACTORS, *DERIVED, "geom_rgba")}
            self._statistics = {name: float(getattr(model.stat, name)) for name in STATISTICS}
        for name, part in FACTORS.items():
            getattr(model, name)[:] = self._first[name] * getattr(wanted, part)
        if wanted.mass != 1 or wanted.gear != 1:
            _derive(model)
        if wanted.texture:
            shown = shown_rgba(model)  # a geom whose own colour changes no longer shows its material's
            off = wanted.texture * np.random.default_rng(wanted.seed).uniform(-1, 1, (len(shown), 3))
            shown[:, :3] = np.clip(shown[:, :3] + off, 0, 1)
            model.geom_rgba[:] = shown


def _derive(model: mujoco.MjModel) -> None:
    """Bring up to date what follows from masses and gears, and nothing else: `mj_setConst` also sets what the scene's
    author or the environment chose, as the extent by which pictures are lit."""
    scratch = copy.copy(model)
    mujoco.mj_setConst(scratch, mujoco.MjData(scratch))
    for name in DERIVED:
        getattr(model, name)[:] = getattr(scratch, name)
    for name in STATISTICS:
        setattr(model.stat, name, getattr(scratch.stat, name))
