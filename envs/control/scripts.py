"""Demonstrators of the Control Suite that need no training: textbook control, from the mechanism behind the task."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from opengato.envs.experts.expert import Expert
from opengato.envs.planning.regulator import Regulator


class PointMass(Regulator):
    """To the middle, as fast as the motors can: an action costs next to nothing."""

    def __init__(self) -> None:
        super().__init__(price=1e-3, damping=0.0)


class Reaching(Regulator):
    """A two-link arm whose finger rests on the target: of the two poses that put it there, the nearer one."""

    def __init__(self) -> None:
        super().__init__(price=0.03, damping=0.0)

    def goal(self, env: Any) -> np.ndarray:
        """Shoulder and elbow, float64 [2], by the law of cosines."""
        model, data = env.simulation
        upper, lower = (float(np.linalg.norm(model.body(name).pos)) for name in ("hand", "finger"))
        x, y = model.geom("target").pos[:2]
        bend = np.arccos(np.clip((x * x + y * y - upper**2 - lower**2) / (2 * upper * lower), -1, 1))
        poses = []
        for elbow in (bend, -bend):
            shoulder = np.arctan2(y, x) - np.arctan2(lower * np.sin(elbow), upper + lower * np.cos(elbow))
            poses.append(np.array([shoulder, elbow]))
        turns = [np.abs((pose - data.qpos + np.pi) % (2 * np.pi) - np.pi) for pose in poses]
        return poses[int(np.argmin([turn.max() for turn in turns]))]


class SwingUp(Regulator):
    """A pendulum whose motor is too weak to lift it: pushed the way it moves until it has the energy to stand (Åström
    and Furuta 2000), then held."""

    def reset(self, env: Any) -> None:
        super().reset(env)
        moment = self._env.snapshot()
        self.data.qpos[:], self.data.qvel[:] = self.pose, 0
        mujoco.mj_forward(self.model, self.data)
        self._standing = self._energy()
        self._env.put_back(moment)

    def act(self, observation: Any) -> np.ndarray:
        """float32 [1] in [-1, 1]."""
        away = self.deviation()
        if abs(self.gain @ away) < 2:  # the motor is strong enough, or soon will be
            return super().act(observation)
        lacking = self._standing - self._energy()
        return np.array([np.clip(4 * lacking * (np.sign(away[1]) or 1), -1, 1)], np.float32)

    def _energy(self) -> float:
        """Joule, potential and kinetic."""
        mujoco.mj_energyPos(self.model, self.data)
        mujoco.mj_energyVel(self.model, self.data)
        return float(self.data.energy.sum())


class SwingUpAndHold(Regulator):
    """A pole on a cart: brought up by the policy trained for `cartpole-swingup`, held still by the regulator."""

    NEAR = 0.5  # rad from upright

    def reset(self, env: Any) -> None:
        super().reset(env)
        self._policy = Expert(task="control/cartpole-swingup")
        self._policy.reset(env)

    def act(self, observation: Any) -> np.ndarray:
        """float32 [1] in [-1, 1]."""
        away = self.deviation()
        if abs(away[1]) < self.NEAR and abs(self.gain @ away) < 2:
            return super().act(observation)
        return self._policy.act(observation)
