"""Noise on what a body senses of itself: in clean demonstrations the surest sign of the next action is the motion under
way, and an agent that learns to go on as it goes stands still for good once it stands.

The remedy for such causal confusion (de Haan et al. 2019) is to make the sign unsure, so that the goal has to be looked
at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from opengato.agent.codec import Timesteps
from opengato.agent.values import Scale


def noisy(steps: Timesteps, scale: Scale, share: float, rng: np.random.Generator) -> Timesteps:
    """The timesteps with Gaussian noise on every number observed; classes, pictures, texts and actions stay.

    Args:
        steps: T timesteps.
        scale: of the observation's numbers.
        share: standard deviation, as a share of the scale's own.
        rng: of chance.
    """
    noise = share * np.where(scale.discrete, 0, scale.std) * rng.standard_normal(steps.values.shape)
    return replace(steps, values=(steps.values + noise).astype(np.float32))
