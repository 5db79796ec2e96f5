"""Numbers to tokens and back: companding and 1 024 uniform bins (Gato, section 2.1; appendix B for actions)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opengato.agent.spec import Feature

BINS = 1024
MU = 100.0
M = 256.0


def compand(x: np.ndarray) -> np.ndarray:
    """F(x) = sgn(x)·log(|x|·μ + 1) / log(M·μ + 1), μ = 100, M = 256 (Gato, equation 3). Any shape; ±256 maps to ±1."""
    return np.sign(x) * np.log1p(np.abs(x) * MU) / np.log1p(M * MU)


def expand(y: np.ndarray) -> np.ndarray:
    """The inverse of `compand`."""
    return np.sign(y) * np.expm1(np.abs(y) * np.log1p(M * MU)) / MU


def to_bins(y: np.ndarray) -> np.ndarray:
    """[-1, 1] to bins 0 … 1023, int16; outside values are clipped, and 1.0 falls into the last bin."""
    return np.clip(np.floor((np.clip(y, -1.0, 1.0) + 1.0) * (BINS / 2)), 0, BINS - 1).astype(np.int16)


def from_bins(bins: np.ndarray) -> np.ndarray:
    """The centre of each bin in [-1, 1], float32. Takes fractional bins, too (an expectation over bins)."""
    return ((np.asarray(bins, np.float32) + 0.5) * (2.0 / BINS) - 1.0).astype(np.float32)


class Scale:
    """Maps a row of numbers into [-1, 1] before binning, and back.

    Observations: optionally centred and divided by their spread, then companded. Actions with finite bounds: linear
    from [low, high]; without: companded, since nothing says how far they go. Discrete elements pass as they are.

    Args:
        features: the numeric features of an observation or of an action.
        action: which of the two rules holds.
        mean, std: float32 [number of elements] of the demonstrations, or None (the paper's rule: nothing is centred).
    """

    def __init__(
        self,
        features: Sequence[Feature],
        *,
        action: bool,
        mean: np.ndarray | None = None,
        std: np.ndarray | None = None,
    ) -> None:
        numeric = [feature for feature in features if feature.size]
        self.size = sum(feature.size for feature in numeric)
        self.discrete = np.concatenate([np.full(f.size, f.kind == "discrete") for f in numeric] or [np.zeros(0, bool)])
        self.classes = np.concatenate(
            [
                np.asarray(f.high) - np.asarray(f.low) + 1 if f.kind == "discrete" else np.full(f.size, BINS)
                for f in numeric
            ]
            or [np.zeros(0)]
        ).astype(int)
        self.mean = np.zeros(self.size, np.float32)
        self.std = np.ones(self.size, np.float32)
        linear = np.concatenate(
            [np.full(f.size, f.kind == "continuous" and f.bounded and (action or _wide(f))) for f in numeric]
            or [np.zeros(0, bool)]
        )
        if linear.any():
            low = np.concatenate([np.asarray(f.low, np.float64) for f in numeric])
            high = np.concatenate([np.asarray(f.high, np.float64) for f in numeric])
            self.mean[linear] = (low[linear] + high[linear]) / 2
            self.std[linear] = np.maximum((high[linear] - low[linear]) / 2, 1e-6)
        self.companded = ~linear & ~self.discrete
        if not action and mean is not None and std is not None:
            take = ~self.discrete
            self.mean[take], self.std[take] = mean[take], np.maximum(std[take], 1e-4)
            self.companded = take

    def tokens(self, rows: np.ndarray) -> np.ndarray:
        """float32 [..., size] to bins or classes, int16 [..., size]."""
        scaled = (rows - self.mean) / self.std
        scaled = np.where(self.companded, compand(scaled), scaled)
        return np.where(self.discrete, rows, to_bins(scaled)).astype(np.int16)

    def numbers(self, tokens: np.ndarray) -> np.ndarray:
        """Bins (fractions allowed) or classes [..., size] to float32 numbers."""
        scaled = from_bins(tokens)
        scaled = np.where(self.companded, expand(scaled), scaled)
        return np.where(self.discrete, tokens, scaled * self.std + self.mean).astype(np.float32)


def _wide(feature: Feature) -> bool:
    """A bounded observation that companding would clip (it ends at ±256)."""
    return max(np.max(np.abs(feature.low)), np.max(np.abs(feature.high))) > M
