"""From a pose of the fingertips to velocities of the Sawyer's seven joints, by damped least squares."""

from __future__ import annotations

import mujoco
import numpy as np

from .scene import ARM_JOINTS, HAND

# Where the joints would rather be: the benchmark's own posture, radians.
POSTURE = np.array([0.0, -0.5186, -0.5294, 1.2209, 0.4086, 1.0783, 0.0])
DAMPING, PULL = 0.02, 0.05  # of the least squares; share of the way to the posture that an iteration takes
LONGEST = 0.3  # metres or radians of error that an iteration looks at


class Steering:
    """Solves for joint angles on a copy of the scene that nothing else moves.

    Args:
        model: of `scene.build`.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        self._joints = np.array([model.joint(name).qposadr[0] for name in ARM_JOINTS])
        self._columns = np.array([model.joint(name).dofadr[0] for name in ARM_JOINTS])
        self._low, self._high = model.jnt_range[[model.joint(name).id for name in ARM_JOINTS]].T + [[0.01], [-0.01]]
        self._tip = model.site(f"{HAND}pinch_site").id

    def angles(self, start: np.ndarray, position: np.ndarray, yaw: float, iterations: int) -> np.ndarray:
        """Joint angles near `start` that put the fingertips at a place, pointing down; radians, float64 [7].

        Args:
            start: angles to begin from, radians, [7].
            position: metres in the frame of the arm's base, [3].
            yaw: of the hand about the vertical, radians.
            iterations: each about halves what is missing where it is far, and more where it is near.
        """
        model, data = self._model, self._data
        cosine, sine = np.cos(yaw), np.sin(yaw)
        wanted = np.array([[cosine, sine, 0.0], [sine, -cosine, 0.0], [0.0, 0.0, -1.0]])
        slide, turn = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        angles = np.array(start, np.float64)
        for _ in range(iterations):
            data.qpos[self._joints] = angles
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_jacSite(model, data, slide, turn, self._tip)
            jacobian = np.concatenate([slide, turn])[:, self._columns]
            now = data.site_xmat[self._tip].reshape(3, 3)
            rotation = np.cross(now.T, wanted.T).sum(axis=0) / 2
            error = np.concatenate([position - data.site_xpos[self._tip], rotation])
            error *= min(1.0, LONGEST / max(float(np.linalg.norm(error)), 1e-9))
            inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING**2 * np.eye(6))
            pull = PULL * (POSTURE - angles)
            angles = angles + inverse @ error + pull - inverse @ (jacobian @ pull)
            angles = np.clip(angles, self._low, self._high)
        return angles
