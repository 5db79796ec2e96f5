"""What of a simulated body can be changed: how an environment says it, and how it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from opengato.envs.real.disturb import Disturbance
from opengato.errors import OpengatoError


@dataclass(frozen=True)
class Change:
    """How a body differs from what it was at first.

    Args:
        mass: factor of all masses and inertias.
        friction: factor of the friction of every contact.
        damping: factor of the joints' damping.
        gear: factor of what the motors do.
        texture: by how much, of 1, each colour of each part of the scene may be off.
        seed: of the colours.
    """

    mass: float = 1.0
    friction: float = 1.0
    damping: float = 1.0
    gear: float = 1.0
    texture: float = 0.0
    seed: int = 0

    @property
    def asked(self) -> list[str]:
        """Names of what is another than at first."""
        return [name for name in PARTS if getattr(self, name) != getattr(NONE, name)]


PARTS = ("mass", "friction", "damping", "gear", "texture")
NONE = Change()


class Physique(Protocol):
    """What an environment offers as `env.unwrapped.physique` when its body can be changed. One with a MuJoCo model that
    stays the same object needs none: `env.unwrapped.model` is enough."""

    can: tuple[str, ...]  # of `PARTS`

    def change(self, wanted: Change) -> None:
        """From the next reset on at the latest, be this of what the body is without any change, also where every
        episode builds or draws a body; `NONE` undoes everything to the last digit."""


def physique_of(env: Any) -> Physique | None:
    """How an environment's body can be changed; None where it can't be."""
    found: Physique | None = getattr(env.unwrapped, "physique", None)
    model = getattr(env.unwrapped, "model", None)
    if found is None and hasattr(model, "body_mass"):
        from opengato.envs.real.mujoco_body import MujocoBody

        return MujocoBody(model)
    return found


class Body:
    """An environment's body, which can be changed, and changed again.

    Args:
        env: any environment; one whose body can't be changed can be left as it is, and nothing else.
    """

    def __init__(self, env: Any) -> None:
        self._env = env
        self._physique: Physique | None = None

    def change(self, disturbance: Disturbance, rng: np.random.Generator) -> None:
        """Make the body what the disturbance says, from what it was at first.

        Raises:
            OpengatoError: it asks for a change that this body can't have.
        """
        wanted = Change(**{name: getattr(disturbance, name) for name in PARTS})
        if not wanted.asked and self._physique is None:
            return
        physique = self._physique or physique_of(self._env)
        can = physique.can if physique else ()
        wrong = [name for name in wanted.asked if name not in can]
        if wrong or physique is None:
            offered = f"what can: {', '.join(can)}" if can else "nothing of its body can"
            raise OpengatoError(
                f"{' and '.join(wrong)} can't be changed in this environment; {offered}. "
                f"Next: disturbance={{{wrong[0]}: {getattr(NONE, wrong[0]):g}}}"
            )
        if wanted.texture:
            wanted = replace(wanted, seed=int(rng.integers(2**63)))
        self._physique = physique
        physique.change(wanted)
