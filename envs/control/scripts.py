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
    """A planar arm whose finger rests on the target: of the poses that put it there, the nearest.

    With a third link there are poses without number: every bend of the joint in the middle, in steps of two degrees,
    leaves an arm of two links. Where its joints cannot bend far enough they are pressed against their limits, which
    give way a little.
    """

    GIVES = 0.15  # rad that a joint bends beyond its limit, pressed by all its motor's strength
    EFFORT = 2.2  # how much further beyond the regulator must be asked to go, to press that much
    FREE = 0.05  # rad from a limit: where it is not felt

    def __init__(self) -> None:
        super().__init__(price=0.03, damping=0.0)

    def reset(self, env: Any) -> None:
        """Measure the arm where its joints move freely: against a limit they would seem not to need a motor."""
        self._nearest = self._nearest_pose(env.unwrapped)
        super().reset(env)
        limit = self.model.jnt_range[-1, 1]
        beyond = self._nearest[1:] - np.clip(self._nearest[1:], -limit, limit)
        self.pose = self._nearest + np.r_[0.0, (self.EFFORT - 1) * beyond]

    def goal(self, env: Any) -> np.ndarray:
        """The nearest pose, its bends within the limits, float64 [2 or 3]."""
        bend = env.simulation[0].jnt_range[-1, 1] - self.FREE
        return np.r_[self._nearest[0], np.clip(self._nearest[1:], -bend, bend)]

    def _nearest_pose(self, env: Any) -> np.ndarray:
        """Shoulder, then the bends of the other joints, float64 [2 or 3]."""
        model, data = env.simulation
        links = [float(np.linalg.norm(model.body(model.jnt_bodyid[i]).pos)) for i in range(1, model.njnt)]
        links.append(float(np.linalg.norm(model.body("finger").pos)))
        x, y = model.geom("target").pos[:2]
        away, limit = float(np.hypot(x, y)), float(model.jnt_range[-1, 1])
        furthest = limit + self.GIVES
        grid = np.arange(-furthest, furthest, np.deg2rad(2)) if len(links) == 3 else np.zeros(1)
        # Complex numbers are points of the plane. Up to the last joint, all is one link.
        upper = links[0] + (links[1] * np.exp(1j * grid) if len(links) == 3 else 0)
        cosine = (away**2 - abs(upper) ** 2 - links[-1] ** 2) / (2 * abs(upper) * links[-1])
        bend = np.arccos(np.clip(cosine, -1, 1))
        poses = []
        for side in (bend, -bend):  # the law of cosines does not say which
            last = np.clip(side - grid + np.angle(upper), -furthest, furthest)
            tip = upper + links[-1] * np.exp(1j * (grid + last))
            shoulder = np.arctan2(y, x) - np.angle(tip)
            turn = np.abs((shoulder - data.qpos[0] + np.pi) % (2 * np.pi) - np.pi)
            bends = [grid, last] if len(links) == 3 else [last]
            turns = [turn, *(np.abs(angle - at) for angle, at in zip(bends, data.qpos[1:], strict=True))]
            beyond = np.maximum(np.abs([grid, last]) - limit, 0).sum(0)
            costs = np.max(turns, 0) + abs(abs(tip) - away) / 1e-3 + 20 * beyond
            poses += list(zip(costs, np.stack([shoulder, *bends], 1), strict=True))
        return min(poses, key=lambda each: each[0])[1]


class Spin:
    """A pendulum that turns round and round: pushed the way it moves, as hard as its motor can."""

    def reset(self, env: Any) -> None:
        self.data = env.unwrapped.simulation[1]

    def act(self, observation: Any) -> np.ndarray:
        """float32 [1] in [-1, 1]."""
        return np.array([np.sign(self.data.qvel[0]) or 1], np.float32)


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
