"""Demonstrators of the Control Suite that plan, and know more of their task than its rewards say."""

from __future__ import annotations

import numpy as np

from opengato.envs.planning.predictive import PredictiveControl


class Turning(PredictiveControl):
    """A finger that turns a spinner to the target."""

    def promise(self) -> float:
        """Minus the angle that is left (rad), minus the finger's distance from the spinner's hinge (m)."""
        physics = self._env.physics  # type: ignore[attr-defined]
        (x, z), (to_x, to_z) = physics.tip_position(), physics.target_position()
        left = abs((np.arctan2(to_z, to_x) - np.arctan2(z, x) + np.pi) % (2 * np.pi) - np.pi)
        finger, hinge = (physics.named.data.sensordata[name] for name in ("touchtop_pos", "spinner"))
        return -float(left + np.linalg.norm(finger - hinge))


class Swimming(PredictiveControl):
    """A fish on its way to the target."""

    def promise(self) -> float:
        """Minus the way from mouth to target, in dm."""
        return -10 * float(np.linalg.norm(self._env.physics.mouth_to_target()))  # type: ignore[attr-defined]


class Whirling(PredictiveControl):
    """A ball on a string that is swung around its cup: with plans that may change quickly."""

    def __init__(self) -> None:
        super().__init__(knots=8, spread=0.8)
