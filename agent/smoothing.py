"""Cross-entropy of a continuous number against a Gaussian over the bins around its own.

By hand, because over 1 024 bins the steps that autograd would record, each as large as all scores, take a third of a
small model's update on a CPU.

Shapes: n timesteps, A numbers of an action, W bins around a target.
"""

from __future__ import annotations

from typing import Any

import torch

from opengato.agent.values import BINS


def gaussian(sigma: float) -> torch.Tensor:
    """Weights of the bins around a target, float [W], W odd, summing to one; a single one for 0."""
    reach = int(3 * sigma)
    distance = torch.arange(-reach, reach + 1).float()
    weight = torch.exp(-0.5 * (distance / max(sigma, 1e-6)) ** 2)
    return weight / weight.sum()


def spread(weight: torch.Tensor) -> torch.Tensor:
    """What each target wants of the W bins from `first_bin` on, float [bins, W]; past the ends the last bin stands in.

    Args:
        weight: float [W], W odd.
    """
    size, token = len(weight), torch.arange(BINS)
    near = token[:, None] + torch.arange(size) - size // 2
    place = near.clamp(0, BINS - 1) - first_bin(token, size)[:, None]
    return weight.new_zeros(BINS, size).scatter_add_(1, place, weight.expand(BINS, size))


def first_bin(tokens: torch.Tensor, size: int) -> torch.Tensor:
    """The first of `size` bins around each token, moved so that all of them exist."""
    return (tokens - size // 2).clamp(0, BINS - size)


def smoothed_loss(scores: torch.Tensor, tokens: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """-Σ over bins around the target of what it wants of them · log-probability, float32 [n, A].

    Args:
        scores: float [n, A, bins].
        tokens: int64 [n, A].
        wanted: float [bins, W], of each possible target (`spread`).
    """
    return _Loss.apply(scores, tokens, wanted)  # type: ignore[no-any-return, no-untyped-call]


class _Loss(torch.autograd.Function):
    """Keeps the probabilities, which are the gradient but for the bins around the target.

    Those are W neighbours in memory, so they are read as a row of all windows of W: ten times as fast as by `gather`.
    """

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, tokens: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        scores, size = scores.contiguous(), wanted.shape[1]
        share = scores.softmax(-1)
        first = first_bin(tokens, size).flatten()
        at = first + BINS * torch.arange(len(first), device=first.device)
        wanted = wanted.index_select(0, tokens.flatten())
        # Shares of a sum may be too small for a float, so only the largest around the target becomes a logarithm; the
        # others are as far below it as their scores. Below -87 it says -87.
        score = _windows(scores, size).index_select(0, at).float()
        most = _windows(share, size).index_select(0, at).amax(-1, keepdim=True).float()
        rest = score - score.amax(-1, keepdim=True) + most.clamp(min=1e-38).log()
        ctx.share, ctx.at, ctx.wanted = share, at, wanted
        return -(rest * wanted).sum(-1).view(tokens.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        share, ctx.share = ctx.share, None  # as large as the scores, so it is turned into their gradient in place
        at, wanted, size = ctx.at, ctx.wanted, ctx.wanted.shape[1]
        each = gradients[0].flatten()[:, None]
        share.mul_(gradients[0][..., None].to(share.dtype))
        new = _windows(share, size).index_select(0, at) - (each * wanted).to(share.dtype)
        share.put_(at[:, None] + torch.arange(size, device=at.device), new)  # `scatter_` would copy all of it, twice
        return share, None, None


def _windows(rows: torch.Tensor, size: int) -> torch.Tensor:
    """All runs of `size` neighbours, a view: [.., bins] → [numbers in all - size + 1, size]."""
    return rows.as_strided((rows.numel() - size + 1, size), (1, 1))
