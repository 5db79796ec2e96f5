"""Demonstrators for the bodies of `pybullet_envs`: the trained policies that the PyBullet wheel carries."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from opengato.errors import OpengatoError

LAYERS = ("dense1_w", "dense1_b", "dense2_w", "dense2_b", "final_w", "final_b")


@functools.cache
def read_weights(body: str) -> tuple[np.ndarray, ...]:
    """The policy's three layers, matrix and bias in turn, float64.

    They stand as array literals in an example of the wheel, which is read, not run: it would import the dead `gym`.

    Args:
        body: as in the file's name, e.g. `Hopper`.

    Raises:
        OpengatoError: the installed PyBullet has no such example.
    """
    found = importlib.util.find_spec("pybullet_envs")
    folder = Path(next(iter(found.submodule_search_locations or ("",)))) if found else Path()
    file = folder / "examples" / f"enjoy_TF_{body}BulletEnv_v0_2017may.py"
    if not file.is_file():
        raise OpengatoError(f"the installed PyBullet lacks {file.name!r}. Next: pip install 'pybullet>=3.2.7'")
    arrays: dict[str, np.ndarray] = {}
    for name, literal in re.findall(r"weights_(\w+) = np\.array\(\s*(\[.*?\])\s*\)", file.read_text(), re.DOTALL):
        # As JSON, which knows neither plus signs nor trailing commas: ten times faster than Python's own parser.
        arrays[name] = np.array(json.loads(re.sub(r",(?=\s*\])", "", literal.replace("+", ""))))
    return tuple(arrays[name] for name in LAYERS)


class ShippedPolicy:
    """`SmallReactivePolicy` of the wheel's examples: two hidden layers of rectifiers on the body's whole state.

    It reads the state from the environment, in the order it was trained on, so wrappers may change the observation.
    """

    body = ""
    height_offset = 0.0

    def reset(self, env: Any) -> None:
        """Take hold of the environment, wrapped or not."""
        self.env = env.unwrapped
        self.layers = read_weights(self.body)

    def act(self, observation: Any) -> np.ndarray:
        """float32 action in [-1, 1]."""
        x = self.env.state.astype(np.float64)
        x[0] += self.height_offset
        dense1_w, dense1_b, dense2_w, dense2_b, final_w, final_b = self.layers
        x = np.maximum(x @ dense1_w + dense1_b, 0.0)
        x = np.maximum(x @ dense2_w + dense2_b, 0.0)
        return np.clip(x @ final_w + final_b, -1.0, 1.0).astype(np.float32)


class Hopper(ShippedPolicy):
    """Hops forward."""

    body = "Hopper"


class Ant(ShippedPolicy):
    """Runs on four legs."""

    body = "Ant"


class Humanoid(ShippedPolicy):
    """Runs upright."""

    body = "Humanoid"
    height_offset = -1.4 + 0.8  # it was trained with heights relative to 1.4 m


class PendulumBalance(ShippedPolicy):
    """Keeps the pole upright."""

    body = "InvertedPendulum"


class PendulumSwingup(ShippedPolicy):
    """Swings up and balances."""

    body = "InvertedPendulumSwingup"
