"""Bodies that can be changed, and changed again: other masses, friction, damping, gears and colours than at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import mujoco
import numpy as np

from opengato.envs.real.disturb import Disturbance
from opengato.errors import OpengatoError

# Factor → the fields of a MuJoCo model that it scales.
FIELDS = {
    "mass": ("body_mass", "body_inertia"), "friction": ("geom_friction",), "damping": ("dof_damping",),
    "gear": ("actuator_gear",),
}  # fmt: skip


class Changeable(Protocol):
    """An environment that changes its body itself: one without a MuJoCo model, or that draws a body for every episode.

    Attributes:
        changeable: which of `FIELDS` it can change.
    """

    changeable: tuple[str, ...]

    def change_body(self, factors: Mapping[str, float]) -> None:
        """From the next reset on, have these factors of what the body is without them; what is not named is 1."""


def changeable(env: Any) -> tuple[str, ...]:
    """Which of mass, friction, damping, gear and texture an environment can change; none for most games and texts."""
    own = tuple(getattr(env.unwrapped, "changeable", ()))
    if own:
        return own
    return (*FIELDS, "texture") if hasattr(getattr(env.unwrapped, "model", None), "body_mass") else ()


class Body:
    """The body of an environment: with a MuJoCo model as `env.unwrapped.model`, or one that is `Changeable`.

    Args:
        env: any environment; one whose body can't be changed can be left as it is, and nothing else.
    """

    def __init__(self, env: Any) -> None:
        self._env, self._kept = env, dict[str, np.ndarray]()
        self._changed = False

    def change(self, disturbance: Disturbance, rng: np.random.Generator) -> None:
        """Make the body, from the next reset on, what the disturbance says, from what it was at first.

        Raises:
            OpengatoError: a change is asked for that this body can't have.
        """
        factors = {name: getattr(disturbance, name) for name in FIELDS}
        asked = [name for name, factor in factors.items() if factor != 1.0]
        asked += ["texture"] if disturbance.texture else []
        if not asked and not self._changed:
            return
        legal = changeable(self._env)
        for name in asked:
            if name not in legal:
                raise OpengatoError(
                    f"{name} can't be changed for this body; legal here: {', '.join(legal) or 'nothing of it'}. "
                    "Next: opengato evaluate robustness=sheet asks of each body what it can have."
                )
        self._changed = True
        if getattr(self._env.unwrapped, "changeable", ()):
            self._env.unwrapped.change_body({name: factors[name] for name in factors if name in legal})
        else:
            self._change_model(self._env.unwrapped.model, factors, disturbance.texture, rng)

    def _change_model(self, model: Any, factors: Mapping[str, float], texture: float, rng: np.random.Generator) -> None:
        fields = {field: factors[name] for name, scaled in FIELDS.items() for field in scaled}
        if not self._kept:
            self._kept = {field: getattr(model, field).copy() for field in (*fields, "geom_rgba")}
        for field, factor in fields.items():
            getattr(model, field)[:] = self._kept[field] * factor
        mujoco.mj_setConst(model, mujoco.MjData(model))  # what MuJoCo derives from masses
        colors = self._kept["geom_rgba"].copy()
        colors[:, :3] += texture * rng.uniform(-1, 1, (len(colors), 3))
        model.geom_rgba[:] = np.clip(colors, 0, 1)
