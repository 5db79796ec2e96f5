"""How likely the agent finds texts that others wrote."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from opengato.agent.codec import Codec
from opengato.agent.episode import Episode
from opengato.agent.layout import Layout
from opengato.agent.model import Batch, Model
from opengato.agent.pieces import Pieces


@torch.inference_mode()
def perplexity(model: Model, codec: Codec, episodes: Sequence[Episode]) -> float:
    """exp of the mean cross-entropy per text token (the end of each text included) of the episodes' actions.

    An episode longer than the window is read in stretches of whole timesteps.
    """
    layout = Layout(codec.spec, model.config)
    total, count = 0.0, 0
    for episode in episodes:
        steps = codec.episode(episode.observations[: len(episode)], episode.actions)
        sizes = layout.sizes(steps)
        begin = 0
        while begin < len(steps):
            fits = max(1, int(np.searchsorted(np.cumsum(sizes[begin:]), model.config.window, side="right")))
            size = sizes[begin : begin + fits]
            pieces = Pieces(model.config.slots)
            pieces.add(layout, codec, steps[begin : begin + fits], np.cumsum(size) - size, weight=1.0)
            length = int(size.sum())
            step = torch.from_numpy(np.repeat(np.arange(fits), size))[None]
            zero = torch.zeros(1, length, dtype=torch.long)
            batch = Batch(pieces.done(), torch.arange(length)[None], zero, step, torch.full_like(zero, length))
            losses, _, _ = model.losses(batch.to(next(model.parameters()).device))
            total, count, begin = total + float(losses.sum()), count + len(losses), begin + fits
    return math.exp(total / count) if count else math.nan
