"""Pale pictures: what a thing is should be told by its light and shade, for those are the same in every colour.

An agent that has never met a red cylinder may tell shapes of red things by marks that only red things have. The paler a
picture, the more alike are things of all colours, down to a trace of the hue by which they are named; so the marks that
serve at every paleness serve in every colour. The grey towards which a picture fades is that of a photograph through a
filter of any colour, so that no hue is the bright one for good.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from opengato.agent.codec import Timesteps


def pale(steps: Timesteps, least: float, rng: np.random.Generator) -> Timesteps:
    """The timesteps with the colour of every RGB picture faded, all of them alike.

    Args:
        steps: T timesteps.
        least: share of its saturation that a picture keeps at least, 0 (grey) … 1 (as it is).
        rng: of chance.
    """
    kept, seen = np.float32(rng.uniform(least, 1.0)), rng.dirichlet(np.ones(3)).astype(np.float32)
    return replace(steps, images={path: _fade(image, kept, seen) for path, image in steps.images.items()})


def _fade(images_THWC: np.ndarray, kept: np.float32, seen_C: np.ndarray) -> np.ndarray:
    if images_THWC.shape[-1] != 3:
        return images_THWC
    grey = (images_THWC @ seen_C)[..., None]
    return np.rint(grey + kept * (images_THWC - grey)).astype(np.uint8)
