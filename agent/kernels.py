"""Steps of a block with their gradients written out: norm, gated layer, rotary turn.

Each is a handful of passes over what a position holds, and on a CPU an update is made of such passes: these are fewer
than autograd makes, and of halves and heads that lie together.

Shapes: L positions, D width, F width of the gated layer, K head size.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.device import product_type

Angles = tuple[torch.Tensor, torch.Tensor]


def _by_hand(x: torch.Tensor) -> bool:
    """Whether it pays: not on a GPU, and not for the few positions of who acts."""
    return x.device.type == "cpu" and torch.is_grad_enabled()


class Norm(nn.RMSNorm):
    """Root mean square norm (Zhang & Sennrich 2019), in the type that the product after it takes.

    Args:
        width: of the last dimension.
        keep: return the type of the input.
    """

    def __init__(self, width: int, keep: bool = False) -> None:
        super().__init__(width, eps=1e-6)
        self.keep = keep

    def forward(self, x_LD: torch.Tensor) -> torch.Tensor:
        if not _by_hand(x_LD):
            return super().forward(x_LD)
        kind = x_LD.dtype if self.keep else product_type(x_LD)
        return _Norm.apply(x_LD, self.weight, self.eps, kind)  # type: ignore[no-any-return, no-untyped-call]


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float, kind: torch.dtype) -> torch.Tensor:
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return torch.mul(x * inverse, weight, out=x.new_empty(x.shape, dtype=kind))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,), (x, weight, inverse) = gradients, ctx.saved_tensors
        unit = x * inverse
        each = gradient * unit
        along = (each @ weight)[..., None] / x.shape[-1]
        d_x = (gradient * weight).addcmul_(unit, along, value=-1).mul_(inverse)
        return d_x, each.flatten(0, -2).sum(0), None, None


def gated(up: torch.Tensor) -> torch.Tensor:
    """GELU of the first half times the second (Shazeer 2020): float [L, 2F] to [L, F]."""
    if not _by_hand(up):
        gate, value = up.chunk(2, -1)
        return F.gelu(gate) * value
    return _Gated.apply(up)  # type: ignore[no-any-return, no-untyped-call]


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(up)
        gate, value = up.chunk(2, -1)
        return F.gelu(gate.contiguous()) * value  # GELU of what does not lie together takes four times as long

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,), (up,) = gradients, ctx.saved_tensors
        gate, value = up.chunk(2, -1)
        gate = gate.contiguous()
        return torch.cat([torch.ops.aten.gelu_backward(gradient * value, gate), gradient * F.gelu(gate)], -1)


def turn(x: torch.Tensor, angles: Angles) -> torch.Tensor:
    """Turn pairs of channels, float [L, K], by an angle that grows with the position: cosines and sines, [L, K] each.

    A pair is a channel of the first half and its counterpart in the second; both have the same angle.
    """
    if not _by_hand(x):
        return _turned(x, *angles)
    return _Turn.apply(x, *angles)  # type: ignore[no-any-return, no-untyped-call]


class _Turn(torch.autograd.Function):
    """The gradient is turned back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x.contiguous(), cos, sin)  # heads among each other are slow to multiply

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        cos, sin = ctx.saved_tensors
        return _turned(gradients[0].contiguous(), cos, sin, -1), None, None


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sign: int = 1) -> torch.Tensor:
    """Halves change places by a product with a constant matrix, which is faster than cutting and joining."""
    return torch.addcmul(x * cos, x @ _quarter(x.shape[-1], x.dtype, x.device), sin, value=sign)


@cache
def _quarter(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The matrix that turns each pair by a right angle: (a, b) to (-b, a)."""
    with torch.inference_mode(False):  # it is kept for training as well
        one = torch.eye(size // 2)
        zero = torch.zeros_like(one)
        return torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)]).to(device, dtype)
