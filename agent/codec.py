"""Between what an environment speaks and numeric arrays: the only place that translates observations and actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengato.agent.spec import Feature, Spec, build, numbers, pick
from opengato.agent.text import Vocabulary
from opengato.agent.values import Scale
from opengato.errors import ObservationError


@dataclass
class Timesteps:
    """T timesteps of one embodiment as arrays.

    Args:
        values: float32 [T, number of observation numbers].
        images: per picture feature uint8 [T, height, width, channels].
        texts: per text feature, T lists of token ids.
        actions: float32 [T, number of action numbers]; None where not known yet.
        replies: T lists of token ids where acting means writing; None otherwise.
    """

    values: np.ndarray
    images: dict[str, np.ndarray]
    texts: dict[str, list[list[int]]]
    actions: np.ndarray | None = None
    replies: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, where: slice) -> Timesteps:
        return Timesteps(
            self.values[where],
            {path: image[where] for path, image in self.images.items()},
            {path: text[where] for path, text in self.texts.items()},
            None if self.actions is None else self.actions[where],
            None if self.replies is None else self.replies[where],
        )


class Codec:
    """Translates for one spec.

    Args:
        spec: of the embodiment.
        vocabulary: for texts.
        mean, std: float32 [number of observation numbers], statistics of the demonstrations; None leaves numbers as
            they are.
    """

    def __init__(
        self, spec: Spec, vocabulary: Vocabulary, mean: np.ndarray | None = None, std: np.ndarray | None = None
    ) -> None:
        self.spec = spec
        self.vocabulary = vocabulary
        self.observation_scale = Scale(spec.values, action=False, mean=mean, std=std)
        self.action_scale = Scale(spec.action, action=True)

    def observations(self, observations: Sequence[Any]) -> Timesteps:
        """Raw arrays of T observations.

        Raises:
            ObservationError: an entry is missing, misshapen, out of range or not finite; names the feature.
        """
        values = np.zeros((len(observations), self.spec.num_values), np.float32)
        for row, observation in zip(values, observations, strict=True):
            numbers(observation, self.spec.values, row)
        images = {f.path: np.stack([_image(observation, f) for observation in observations]) for f in self.spec.images}
        texts = {
            f.path: self.vocabulary.encode_many([_text(observation, f) for observation in observations])
            for f in self.spec.texts
        }
        return Timesteps(values, images, texts)

    def episode(self, observations: Sequence[Any], actions: Sequence[Any]) -> Timesteps:
        """Raw arrays of T observations with their T actions."""
        steps = self.observations(observations)
        if self.spec.text_action:
            texts = [_text(action, self.spec.action[0]) for action in actions]
            steps.replies = self.vocabulary.encode_many(texts)
        else:
            steps.actions = np.zeros((len(actions), self.spec.num_actions), np.float32)
            for row, action in zip(steps.actions, actions, strict=True):
                numbers(action, self.spec.action, row)
        return steps

    def action(self, tokens: np.ndarray) -> Any:
        """The environment's action of one row of action tokens (bins may be fractional)."""
        row = self.action_scale.numbers(tokens)
        leaves, at = {}, 0
        for feature in self.spec.action:
            leaves[feature.path] = row[at : at + feature.size]
            at += feature.size
        return build(self.spec.action_space, leaves)

    def reply(self, ids: Sequence[int]) -> Any:
        """The environment's action of written token ids, cut to the longest legal text."""
        feature = self.spec.action[0]
        return build(self.spec.action_space, {feature.path: self.vocabulary.decode(ids)[: feature.max_length]})


def _image(observation: Any, feature: Feature) -> np.ndarray:
    leaf = np.asarray(pick(observation, feature.path))
    if leaf.shape != feature.shape or leaf.dtype != np.uint8:
        raise ObservationError(
            f"picture {feature.path!r} is {leaf.dtype} {leaf.shape}; the spec says uint8 {feature.shape} "
            "(height, width, channel)."
        )
    return leaf


def _text(observation: Any, feature: Feature) -> str:
    leaf = pick(observation, feature.path)
    if not isinstance(leaf, str):
        raise ObservationError(f"text {feature.path!r} is a {type(leaf).__name__}: {leaf!r:.60}; legal: str.")
    return leaf
