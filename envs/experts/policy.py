"""A small deterministic policy in numpy: what an expert ships as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from opengato.errors import ObservationError, OpengatoError


def flatten(observation: Any) -> np.ndarray:
    """float32 [D]: the entries of a (nested) dict, raveled, in the order of their sorted keys; or one array."""
    if isinstance(observation, Mapping):
        return np.concatenate([flatten(observation[key]) for key in sorted(observation)])
    return np.asarray(observation, np.float32).ravel()


class MlpPolicy:
    """tanh(MLP(flatten(observation))) with ReLU between layers, scaled to the task's bounds.

    Args:
        weights: per layer float [inputs, outputs].
        biases: per layer float [outputs].
        low: float [A], the action at tanh = -1.
        high: float [A], the action at tanh = 1.
        facts: JSON values kept beside the weights (task, training command, scores).
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        biases: Sequence[np.ndarray],
        low: np.ndarray,
        high: np.ndarray,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.weights = [np.asarray(weight, np.float32) for weight in weights]
        self.biases = [np.asarray(bias, np.float32) for bias in biases]
        self.low, self.high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self.facts = dict(facts or {})

    def __call__(self, observation: Any) -> np.ndarray:
        """float32 [A] between `low` and `high`.

        Raises:
            ObservationError: the flattened observation has another length than the policy was trained on.
        """
        x = flatten(observation)
        if x.shape[0] != self.weights[0].shape[0]:
            raise ObservationError(
                f"observation has {x.shape[0]} numbers, this expert was trained on {self.weights[0].shape[0]}"
            )
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weight + bias, 0.0)
        squashed = np.tanh(x @ self.weights[-1] + self.biases[-1])
        return np.clip(self.low + (squashed + 1.0) * 0.5 * (self.high - self.low), self.low, self.high)

    def save(self, path: Path) -> None:
        """Write `path` (safetensors, float32) whole or not at all."""
        tensors = {f"layer{i}.weight": np.ascontiguousarray(weight) for i, weight in enumerate(self.weights)}
        tensors |= {f"layer{i}.bias": np.ascontiguousarray(bias) for i, bias in enumerate(self.biases)}
        tensors |= {"low": self.low, "high": self.high}
        partial = path.with_suffix(".partial")
        save_file(tensors, partial, metadata={"facts": json.dumps(self.facts, sort_keys=True)})
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> MlpPolicy:
        """Read what `save` wrote.

        Raises:
            OpengatoError: the file is missing or is no such policy.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                names = file.keys()
                count = sum(name.endswith(".weight") for name in names)
                weights = [file.get_tensor(f"layer{i}.weight") for i in range(count)]
                biases = [file.get_tensor(f"layer{i}.bias") for i in range(count)]
                low, high = file.get_tensor("low"), file.get_tensor("high")
                facts = json.loads((file.metadata() or {}).get("facts", "{}"))
        except Exception as error:
            raise OpengatoError(f"expert {str(path)!r} can't be read: {error}. Next: opengato expert task=…") from error
        return cls(weights, biases, low, high, facts)
