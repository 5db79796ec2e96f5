"""Which position of a timestep holds which tokens. Derived from the spec; nothing else in the project knows it.

A timestep is its observation parts, then its action. The paper's layout gives every token a position, features
sorted by path, a separator before the action, action tokens one after another. The pooled layout gives the pictures
of a timestep one position (or a few), each text one, all numbers one, and all action tokens one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from opengato.agent.codec import Timesteps
from opengato.agent.config import ModelConfig
from opengato.agent.spec import PATCH, Feature, Spec

MAX_POOLED_TEXT = 32  # tokens of a text that share a position; a longer text loses its end


@dataclass(frozen=True)
class Part:
    """A run of positions within a timestep.

    Args:
        kind: what it holds.
        features: which observation features.
        start: first column of the `values` row (kind `values`).
        positions: how many; 0 for a text with one position per token, whose length varies.
    """

    kind: Literal["image", "text", "values", "separator"]
    features: tuple[Feature, ...] = ()
    start: int = 0
    positions: int = 1

    @cached_property
    def size(self) -> int:
        return sum(feature.size for feature in self.features)


class Layout:
    """The layout of one spec under one model configuration.

    Args:
        spec: of the embodiment.
        config: of the model.
        actions: whether actions take positions; by default as the model sees those of its own episode.
    """

    def __init__(self, spec: Spec, config: ModelConfig, actions: bool | None = None) -> None:
        self.spec, self.config = spec, config
        self.pooled = config.pooled
        self.parts = _pooled(spec, config) if config.pooled else _flat(spec)
        shown = config.own_actions if actions is None else actions
        self.action_positions = 0 if spec.text_action or not shown else (1 if config.pooled else spec.num_actions)
        self.slot = int(spec.signature, 16) % config.slots

    @property
    def step_positions(self) -> int:
        """Positions of a timestep; 0 where texts make it vary."""
        fixed = [part.positions for part in self.parts]
        return sum(fixed) + self.action_positions if all(fixed) and not self.spec.text_action else 0

    @cached_property
    def demonstration(self) -> Layout:
        """The layout of a demonstration in a prompt: its actions are seen in any case."""
        return Layout(self.spec, self.config, actions=True)

    def slots(self, start: int, size: int, total: int, *, action: bool = False) -> np.ndarray:
        """Slot rows of `size` numbers from column `start`; int64 [size]. Paper layouts count within the timestep."""
        first = start if not self.pooled else self.slot + start + (self.spec.num_values if action else 0)
        return (first + np.arange(size)) % total

    def lengths(self, steps: Timesteps) -> tuple[np.ndarray, np.ndarray]:
        """Positions of each part and of the action: int64 [T, parts] and int64 [T]."""
        parts = np.zeros((len(steps), len(self.parts)), np.int64)
        for column, part in enumerate(self.parts):
            parts[:, column] = part.positions or [len(ids) for ids in steps.texts[part.features[0].path]]
        if steps.replies is not None:  # every reply is closed by the end token
            action = np.asarray([len(ids) + 1 for ids in steps.replies], np.int64)
        else:
            action = np.full(len(steps), self.action_positions if steps.actions is not None else 0, np.int64)
        return parts, action

    def sizes(self, steps: Timesteps) -> np.ndarray:
        """Positions of each timestep, its action included: int64 [T]."""
        parts, action = self.lengths(steps)
        return parts.sum(1) + action


def pictures(feature: Feature) -> int:
    """How many three-channel pictures a feature holds: channels in threes, the last padded."""
    return max(1, -(-feature.shape[2] // 3))


def patches(feature: Feature) -> int:
    """16 × 16 patches of a feature, sides rounded up."""
    height, width, _ = feature.shape
    return pictures(feature) * -(-height // PATCH) * -(-width // PATCH)


def _pooled(spec: Spec, config: ModelConfig) -> tuple[Part, ...]:
    parts = []
    if spec.images:
        positions = config.picture_grid**2 if spec.text_action else config.picture_positions
        parts.append(Part("image", spec.images, positions=positions))
    # A body reads its instruction again at every step, so it gets one position; a speaker reads word by word.
    parts += [Part("text", (feature,), positions=0 if spec.text_action else 1) for feature in spec.texts]
    if spec.num_values:
        group = config.value_group or spec.num_values
        parts.append(Part("values", spec.values, positions=-(-spec.num_values // group)))
    if parts[-1].kind == "text" and spec.text_action:
        parts.append(Part("separator"))  # an empty question still leaves a position to answer from
    return tuple(parts)


def _flat(spec: Spec) -> tuple[Part, ...]:
    parts, start = [], 0
    for feature in spec.observation:
        if feature.kind == "image":
            parts.append(Part("image", (feature,), positions=patches(feature)))
        elif feature.kind == "text":
            parts.append(Part("text", (feature,), positions=0))
        else:
            parts.append(Part("values", (feature,), start, feature.size))
            start += feature.size
    return (*parts, Part("separator"))
