"""The demonstrator of tasks with a policy of their own: a small trained one that ships with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from .policy import MlpPolicy


class Expert:
    """Plays the policy that was trained for the environment it is reset with: a plain function of the observation, or
    of the `state` behind it where the environment sees by `pixels`.

    Args:
        path: a policy file to play on any environment; None for one that ships.
        task: whose policy ships, e.g. "control/walker-walk"; None for what the environment says in its `expert`.
    """

    def __init__(self, path: Path | None = None, task: str | None = None) -> None:
        self.path, self.task = path, task
        self.policy: MlpPolicy | None = None

    def reset(self, env: Any) -> None:
        """Load the policy, by default `assets/experts/<task>.safetensors`.

        Raises:
            OpengatoError: there is no such policy.
        """
        self._behind = env.unwrapped if getattr(env.unwrapped, "pixels", False) else None
        if self.path is not None:
            self.policy = MlpPolicy.load(self.path)
            return
        family, name = (self.task or env.unwrapped.expert).split("/")
        with as_file(files("opengato.assets").joinpath("experts", family, f"{name}.safetensors")) as path:
            self.policy = MlpPolicy.load(path)

    def act(self, observation: Any) -> np.ndarray:
        """float32 [actions] in the action space's bounds."""
        assert self.policy is not None, "reset(env) comes first"
        return self.policy(observation if self._behind is None else self._behind.state)
