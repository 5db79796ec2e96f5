"""Taking and putting back what a MuJoCo simulation is in the middle of."""

from __future__ import annotations

import mujoco
import numpy as np

_ALL = int(mujoco.mjtState.mjSTATE_INTEGRATION)


def take(model: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
    """Everything the next step depends on, float64 [size]."""
    state = np.empty(mujoco.mj_stateSize(model, _ALL))
    mujoco.mj_getState(model, data, state, _ALL)
    return state


def put_back(model: mujoco.MjModel, data: mujoco.MjData, state: np.ndarray) -> None:
    """Make the simulation what it was, with all that is derived from its state."""
    mujoco.mj_setState(model, data, state, _ALL)
    mujoco.mj_forward(model, data)
    mujoco.mj_setState(model, data, state, _ALL)  # `mj_forward` has renewed the solver's warm start
