"""A policy that learns and acts in another Python's process, seen from ours."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opengato.agent.codec import Codec
from opengato.agent.values import BINS
from opengato.benchmarks.peers.process import Process
from opengato.errors import OpengatoError
from opengato.training.arrays import TaskArrays

LEARNER = Path(__file__).parent / "act_learner.py"


class Borrowed:
    """LeRobot's ACT on one body; a policy for `rollout` whose rows all begin together.

    Args:
        codec: of the body.
        python: of an environment that has LeRobot.
        size: a key of `SIZES` there.

    Raises:
        OpengatoError: the body senses what are no numbers, or does what are no continuous ones; the process ended.
    """

    def __init__(self, codec: Codec, python: str, size: str) -> None:
        spec = codec.spec
        if spec.images or spec.texts or spec.text_action or codec.action_scale.discrete.any():
            raise OpengatoError(f"{size} learns bodies that sense numbers and act in continuous numbers alone.")
        self.codec, self.size = codec, size
        self._process = Process(python, str(LEARNER))

    def fit(self, arrays: TaskArrays, seconds: float, seed: int) -> int:
        """Learn for so long; returns how many updates it took."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "demonstrations.npz"
            np.savez(
                file,
                observations=np.asarray(arrays.steps.values, np.float32),
                actions=np.asarray(arrays.steps.actions, np.float32),
                starts=np.asarray(arrays.starts, np.int64),
            )
            order = {"file": str(file), "size": self.size, "seconds": seconds, "seed": seed}
            taken: int = self._process.ask("fit", order)
        self._process.ask("reset")
        return taken

    def reset(self, rows: list[int] | None = None) -> None:
        """Nothing of a row's own to forget."""

    def act(self, observations: Sequence[Any]) -> list[Any]:
        """One action per observation; None in, None out."""
        at = [row for row, observation in enumerate(observations) if observation is not None]
        seen = np.zeros((len(observations), self.codec.spec.num_values), np.float32)
        seen[at] = self.codec.observations([observations[row] for row in at]).values
        chosen = np.asarray(self._process.ask("act", seen.tolist()), np.float32)[at]
        scale = self.codec.action_scale
        centred = np.clip((chosen - scale.mean) / scale.std, -1, 1)  # as ours and the control do, through the bins
        actions: list[Any] = [None] * len(observations)
        for row, tokens in zip(at, (centred + 1) / 2 * BINS - 0.5, strict=True):
            actions[row] = self.codec.action(tokens.astype(np.float32))
        return actions

    def close(self) -> None:
        """End the process."""
        self._process.close()
