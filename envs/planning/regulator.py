"""The linear-quadratic regulator: brings a mechanism to rest at a pose and keeps it there, if it starts near enough.

Near a pose at which it can rest, a mechanism is nearly linear, x' = A x + B u, and the action u = −K x that keeps
Σ |deviation|² + price · |u|² least has a closed form (the discrete algebraic Riccati equation; Kalman 1960). A and B
are measured on the environment's own steps, so a body whose masses differ gets a K of its own.

Shapes: n degrees of freedom, m actuators; x is float64 [2n], deviations of position (m, rad), then velocities.
"""

from __future__ import annotations

from typing import Any, Protocol

import mujoco
import numpy as np
from scipy.linalg import solve_discrete_are

from opengato.envs.planning.predictive import Planned

NUDGE = 1e-4  # of a position or velocity, to see what comes of it
PUSH = 1e-2  # of an action


class Mechanism(Planned, Protocol):
    """What an environment must offer: what a planner wants, and MuJoCo's model and data."""

    simulation: tuple[mujoco.MjModel, mujoco.MjData]


class Regulator:
    """Holds the pose that MuJoCo's model is defined in; a subclass may name another (`goal`).

    Args:
        price: of an action's square, where the square of a deviation by 1 m or 1 rad costs 1.
        damping: what the square of a velocity costs.
    """

    def __init__(self, price: float = 0.1, damping: float = 0.01) -> None:
        self.price, self.damping = price, damping

    def goal(self, env: Any) -> np.ndarray:
        """The pose to rest in, float64 [nq]."""
        return np.array(env.simulation[0].qpos0)

    def reset(self, env: Any) -> None:
        """Measure the mechanism around the goal of this episode."""
        self._env: Mechanism = env.unwrapped
        self.model, self.data = self._env.simulation
        self.pose = self.goal(self._env)
        # A joint that turns without end is where it was after each turn.
        kind, free = self.model.jnt_type, self.model.jnt_limited == 0
        self._turns = self.model.jnt_dofadr[(kind == mujoco.mjtJoint.mjJNT_HINGE) & free]
        begin, n = self._env.snapshot(), self.model.nv
        still, idle = np.zeros(2 * n), np.zeros(self.model.nu)
        a = np.stack([self._answer(begin, NUDGE * unit, idle) / NUDGE for unit in np.eye(2 * n)], 1)
        b = np.stack([self._answer(begin, still, PUSH * unit) / PUSH for unit in np.eye(len(idle))], 1)
        self._env.put_back(begin)
        cost = np.diag(np.r_[np.ones(n), np.full(n, self.damping)])
        price = self.price * np.eye(len(idle))
        p = solve_discrete_are(a, b, cost, price)
        self.gain = np.linalg.solve(price + b.T @ p @ b, b.T @ p @ a)

    def act(self, observation: Any) -> np.ndarray:
        """float32 [m] in [-1, 1]."""
        return np.clip(-self.gain @ self.deviation(), -1, 1).astype(np.float32)

    def deviation(self) -> np.ndarray:
        """x of the simulation as it is."""
        away = np.zeros(self.model.nv)
        mujoco.mj_differentiatePos(self.model, away, 1.0, self.pose, self.data.qpos)
        away[self._turns] = (away[self._turns] + np.pi) % (2 * np.pi) - np.pi
        return np.concatenate([away, self.data.qvel])

    def _answer(self, begin: Any, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Half the difference that one step makes between a change and its opposite, float64 [2n]."""
        return (self._after(begin, x, u) - self._after(begin, -x, -u)) / 2

    def _after(self, begin: Any, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        self._env.put_back(begin)  # an episode that is over would not go on
        n = self.model.nv
        self.data.qpos[:], self.data.qvel[:] = self.pose, x[n:]
        mujoco.mj_integratePos(self.model, self.data.qpos, x[:n], 1.0)
        mujoco.mj_forward(self.model, self.data)
        self._env.look_ahead(u.astype(np.float32))
        return self.deviation()
