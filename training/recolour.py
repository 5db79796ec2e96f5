"""Whether a task is one that the agent knows, in other colours.

An agent whose life was full of red objects goes for the red one whatever ten demonstrations show, and unlearning that
takes more of them than learning to grasp. So before it is fine-tuned it looks at the demonstrations through each order
of the colour channels. Where it tells their actions no better than who only knows how often each occurs, and tells them
better through another order, it starts with its eyes changed that way.
"""

from __future__ import annotations

import itertools

import torch

from opengato.agent.model import Model
from opengato.agent.pictures import PictureEncoder
from opengato.training.gauge import Gauge

SAME = (0, 1, 2)
COLOURS = ("red", "green", "blue")


def recolour(model: Model, gauge: Gauge) -> tuple[int, ...]:
    """Let the agent's eyes take each colour for the one that makes the demonstrations clearest, in place.

    Args:
        model: to be fine-tuned; of one that sees no whole pictures nothing is changed.
        gauge: measures it on the demonstrations.

    Returns:
        For each channel of the pictures the one that it is taken for; `SAME` where the agent knows something of the
        task as it is, or nothing in any colours.
    """
    eyes = getattr(model.embedding, "pictures", None)
    if not isinstance(eyes, PictureEncoder) or gauge.loss() <= gauge.ignorant:
        return SAME
    weight = eyes.trunk.stem.weight
    kept = weight.detach().clone().unflatten(1, (-1, 3))
    found = {}
    with torch.no_grad():
        for order in itertools.permutations(SAME):
            weight.copy_(kept[..., list(order)].flatten(1))
            found[order] = gauge.loss()
        best = min(found, key=lambda order: found[order])
        best = best if found[best] < gauge.ignorant else SAME
        weight.copy_(kept[..., list(best)].flatten(1))
    return best
