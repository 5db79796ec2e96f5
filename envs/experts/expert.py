"""The demonstrator of tasks with a policy of their own: a small trained one that ships with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from opengato.errors import OpengatoError

from .policy import MlpPolicy

HELD_OUT = ("control/cartpole-swingup",)  # held-out tasks with a policy: no detour shows them


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
        self._env = env
        self._behind = env.unwrapped if getattr(env.unwrapped, "pixels", False) else None
        if self.path is not None:
            self.policy = MlpPolicy.load(self.path)
            return
        family, name = (self.task or env.unwrapped.expert).split("/")
        with as_file(_policies(family).joinpath(f"{name}.safetensors")) as path:
            self.policy = MlpPolicy.load(path)

    def astray(self, rng: np.random.Generator) -> Expert:
        """The policy of another task of the same body, of those that ship: told to stand, one that walks.

        Raises:
            OpengatoError: no other one ships.
        """
        task = self.task or self._env.unwrapped.expert
        family, name = task.split("/")
        shipped = (Path(file.name) for file in _policies(family).iterdir())
        names = sorted(file.stem for file in shipped if file.suffix == ".safetensors")
        others = [f"{family}/{other}" for other in names if other != name and other.split("-")[0] == name.split("-")[0]]
        others = [other for other in others if other not in HELD_OUT]
        if not others:
            raise OpengatoError(f"detours: no policy ships of another task of the body of {task}. Next: detours=0")
        found = Expert(task=str(rng.choice(others)))
        found.reset(self._env)
        return found

    def act(self, observation: Any) -> np.ndarray:
        """float32 [actions] in the action space's bounds."""
        assert self.policy is not None, "reset(env) comes first"
        return self.policy(observation if self._behind is None else self._behind.state)


def _policies(family: str) -> Traversable:
    return files("opengato.assets").joinpath("experts", family)
