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


def smoothed_loss(scores: torch.Tensor, tokens: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """-Σ over bins around the target of weight · log-probability, float32 [n, A]; past the ends the last bin stands in.

    Args:
        scores: float [n, A, bins].
        tokens: int64 [n, A].
        weight: float [W], summing to one.
    """
    return _Loss.apply(scores, tokens, weight)  # type: ignore[no-any-return, no-untyped-call]


class _Loss(torch.autograd.Function):
    """Keeps the probabilities, which are the gradient but for the bins around the target."""

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, tokens: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        share, near = scores.softmax(-1), _around(tokens, weight)
        # Shares of a sum may be too small for a float, so only the largest around the target becomes a logarithm; the
        # others are as far below it as their scores. Below -87 it says -87.
        score, most = scores.gather(-1, near).float(), share.gather(-1, near).amax(-1, keepdim=True).float()
        rest = score - score.amax(-1, keepdim=True) + most.clamp(min=1e-38).log()
        ctx.share, ctx.tokens, ctx.weight = share, tokens, weight
        return -(rest * weight).sum(-1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        each, near = gradients[0][..., None], _around(ctx.tokens, ctx.weight)
        share, ctx.share = ctx.share, None  # as large as the scores, so it is turned into their gradient in place
        share.mul_(each.to(share.dtype))
        wanted = (each * _weights_of_bins(near, ctx.weight)).to(share.dtype)
        flat = near + BINS * torch.arange(ctx.tokens.numel(), device=near.device).view(*near.shape[:-1], 1)
        return share.put_(flat, share.take(flat) - wanted), None, None  # `scatter_` would copy all of it, twice


def _around(tokens: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The bins around each token, int64 [n, A, W]."""
    reach = len(weight) // 2
    return (tokens[..., None] + torch.arange(-reach, reach + 1, device=tokens.device)).clamp_(0, BINS - 1)


def _weights_of_bins(near: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weight of each of these bins, float [n, A, W]; the first and the last have the sum of those they stand in for,
    however often they are named."""
    each = weight.expand(near.shape)
    for end in (0, BINS - 1):
        there = near == end
        each = torch.where(there, (there * weight).sum(-1, keepdim=True), each)
    return each
