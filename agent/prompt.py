"""What comes before the episode: a demonstration, an instruction, both or nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opengato.agent.codec import Codec, Timesteps
from opengato.agent.config import ModelConfig
from opengato.agent.episode import Episode
from opengato.agent.layout import Layout
from opengato.agent.pieces import ROLE_INSTRUCTION, Pieces

MAX_INSTRUCTION = 48  # tokens


@dataclass(frozen=True)
class Prompt:
    """A prompt.

    Args:
        instruction: the task in words.
        episode: a demonstration in an embodiment of the same spec.
    """

    instruction: str | None = None
    episode: Episode | None = None


def prompt_positions(config: ModelConfig) -> int:
    """How many positions a demonstration in a prompt may take: a quarter of the window."""
    return config.window // 4


def tail(layout: Layout, steps: Timesteps, positions: int, end: int | None = None) -> Timesteps:
    """The last whole timesteps before `end` that fit into so many positions of a prompt."""
    end = len(steps) if end is None else end
    length = layout.demonstration.sizes(steps)[:end][::-1].cumsum()
    return steps[end - int(np.searchsorted(length, positions, side="right")) : end]


def place(
    pieces: Pieces, layout: Layout, codec: Codec, start: int, instruction: list[int], demonstration: Timesteps | None
) -> int:
    """Lay a prompt out from flat position `start` on; returns how many positions it takes."""
    words = instruction[:MAX_INSTRUCTION]
    pieces.text([words], np.asarray([start]), ROLE_INSTRUCTION)
    used = len(words)
    if demonstration is not None and len(demonstration):
        layout = layout.demonstration
        length = layout.sizes(demonstration)
        pieces.add(layout, codec, demonstration, start + used + np.cumsum(length) - length)
        used += int(length.sum())
    return used
