"""How a level's layers tell what is where, and which way it faces."""

from __future__ import annotations

import numpy as np

NOTHING = -1
FACINGS = 4


def kinds(layers: np.ndarray) -> np.ndarray:
    """What stands where, as numbers in the order in which the level names its sprites; `NOTHING` where nothing does.

    Args:
        layers: as `Lab2D.layers` gives them, int32, of any shape.

    Returns:
        int64 of the same shape.
    """
    return (layers.astype(np.int64) + FACINGS - 1) // FACINGS - 1


def facings(layers: np.ndarray) -> np.ndarray:
    """Which way it faces: 0 north, 1 east, 2 south, 3 west, int64 of the same shape; of no meaning where nothing is."""
    return (layers.astype(np.int64) - 1) % FACINGS
