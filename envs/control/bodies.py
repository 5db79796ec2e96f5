"""Bodies that differ a little from episode to episode: what an agent must do without knowing its own measures.

Varied are masses with their inertias, friction, damping, stiffness and armature of joints, and the gear of motors; each
element by a factor of its own, drawn evenly from 1 - share to 1 + share.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

FIELDS = ("body_mass", "dof_damping", "jnt_stiffness", "dof_armature", "geom_friction", "actuator_gear")


class Bodies:
    """Draws bodies.

    Args:
        model: changed in place.
        share: largest relative change, in (0, 1).
    """

    def __init__(self, model: mujoco.MjModel, share: float) -> None:
        if not 0 < share < 1:
            raise ValueError(f"bodies is {share}, must lie between 0 and 1")
        self._model, self._share = model, share
        self._scratch = mujoco.MjData(model)
        self._standard = {name: np.array(getattr(model, name)) for name in (*FIELDS, "body_inertia")}

    def draw(self, draws: np.random.RandomState) -> dict[str, Any]:
        """A new body; tells the factors, a list per field with one per element."""
        told = {}
        for name in FIELDS:
            standard = self._standard[name]
            factors = draws.uniform(1 - self._share, 1 + self._share, len(standard))
            spread = factors.reshape(-1, *[1] * (standard.ndim - 1))
            getattr(self._model, name)[:] = standard * spread
            if name == "body_mass":
                self._model.body_inertia[:] = self._standard["body_inertia"] * factors[:, None]
            told[name] = factors.tolist()
        mujoco.mj_setConst(self._model, self._scratch)  # what MuJoCo derives from masses at rest
        return {"body": told}
