"""What is found in another's dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gymnasium import spaces

from opengato.training.episodes import Recording


@dataclass
class Found:
    """A dataset that is read episode by episode.

    Args:
        observation_space, action_space: of every step.
        episodes: read when they are asked for.
        facts: what else is known, kept in the metadata; JSON values.
    """

    observation_space: spaces.Space
    action_space: spaces.Space
    episodes: Iterable[Recording]
    facts: dict[str, Any] = field(default_factory=dict)
