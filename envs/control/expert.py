"""The demonstrator of the control tasks: a small trained policy that ships with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from .policy import MlpPolicy


class ControlExpert:
    """Plays the policy that was trained for the environment it is reset with: a plain function of the observation, or
    of the state behind it where the observation is a picture.

    Args:
        path: a policy file to play on any environment; None for the one that ships for the task.
        task: whose policy; None for the environment's own.
    """

    def __init__(self, path: Path | None = None, task: str | None = None) -> None:
        self.path, self.task = path, task
        self.policy: MlpPolicy | None = None

    def reset(self, env: Any) -> None:
        """Load the policy, by default `assets/experts/control/<task>.safetensors`.

        Raises:
            OpengatoError: there is no such policy.
        """
        self._behind = env.unwrapped if getattr(env.unwrapped, "pixels", False) else None
        if self.path is not None:
            self.policy = MlpPolicy.load(self.path)
            return
        shipped = files("opengato.assets").joinpath(
            "experts", "control", f"{self.task or env.unwrapped.name}.safetensors"
        )
        with as_file(shipped) as path:
            self.policy = MlpPolicy.load(path)

    def act(self, observation: Any) -> np.ndarray:
        """float32 [nu] in [-1, 1]."""
        assert self.policy is not None, "reset(env) comes first"
        return self.policy(observation if self._behind is None else self._behind.state)
