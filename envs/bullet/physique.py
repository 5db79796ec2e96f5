"""Other masses, friction and motors for bodies of PyBullet."""

from __future__ import annotations

from typing import Any

from opengato.envs.real.physique import NONE, Change


class BulletBody:
    """See `Physique`. The world is loaded anew at every reset, and changed then.

    The bodies here have no damping of joints, so there is none to change; their colours are in no observation.

    Args:
        geared: whether an action is the force of motors, and not a speed.
    """

    def __init__(self, geared: bool) -> None:
        self.can: tuple[str, ...] = ("mass", "friction", "gear") if geared else ("mass", "friction")
        self.gear = 1.0  # factor of the forces of this episode
        self._wanted = NONE

    def change(self, wanted: Change) -> None:
        """See `Physique`; from the next reset on."""
        self._wanted = wanted

    def take(self, client: Any) -> None:
        """A world was loaded: change all that is in it.

        Args:
            client: the `Client` that it was loaded in.
        """
        wanted = self._wanted
        self.gear = wanted.gear
        if wanted.mass == wanted.friction == 1.0:
            return
        # A contact's friction is the product of both sides', also of rolling and spinning.
        root = wanted.friction**0.5
        for body in range(client.getNumBodies()):
            for link in range(-1, client.getNumJoints(body)):
                mass, sliding, inertia, _, _, _, rolling, spinning, *_ = client.getDynamicsInfo(body, link)
                changed: dict[str, Any] = {}
                if mass and wanted.mass != 1.0:  # without mass: what never moves, and joints between two links
                    changed = {"mass": wanted.mass * mass, "localInertiaDiagonal": [wanted.mass * i for i in inertia]}
                if wanted.friction != 1.0:
                    changed |= {"lateralFriction": root * sliding, "rollingFriction": root * rolling}
                    changed |= {"spinningFriction": root * spinning}
                if changed:
                    client.changeDynamics(body, link, **changed)
