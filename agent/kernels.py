"""Steps of a block with their gradients written out: norm, gated layer, queries and keys turned by their places.

Each is a handful of passes over what a position holds, and on a CPU an update is made of such passes: these are fewer
than autograd makes, and of halves and heads that lie together.

Shapes: B rows, L positions, D width, F width of the gated layer, H heads, K head size.
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


def gated(x_LD: torch.Tensor, up: nn.Module) -> torch.Tensor:
    """GELU of the first half of what a layer without bias gives, times the second (Shazeer 2020): [L, D] to [L, F]."""
    if not _by_hand(x_LD) or type(up) is not nn.Linear:  # adapters stand in for the layer in LoRA
        gate, value = up(x_LD).chunk(2, -1)
        return F.gelu(gate) * value
    return _Gated.apply(x_LD, up.weight.to(x_LD.dtype))  # type: ignore[no-any-return, no-untyped-call]


class _Gated(torch.autograd.Function):
    """Each half is a product of its own and lies together: halves of one would have to be copied before a GELU, which
    is four times slower on what does not, and their gradients joined."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        gate, value = (x @ half.t() for half in weight.chunk(2))
        ctx.save_for_backward(x, weight, gate, value)
        return F.gelu(gate).mul_(value)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,), (x, weight, gate, value) = gradients, ctx.saved_tensors
        d_gate = torch.ops.aten.gelu_backward(gradient * value, gate).flatten(0, -2)
        d_value = F.gelu(gate).mul_(gradient).flatten(0, -2)
        (w_gate, w_value), rows = weight.chunk(2), x.flatten(0, -2)
        d_weight = torch.empty_like(weight)
        for d_half, to in zip((d_gate, d_value), d_weight.chunk(2), strict=True):
            torch.mm(d_half.t(), rows, out=to)
        return (d_gate @ w_gate).addmm_(d_value, w_value).view_as(x), d_weight


def turn(x: torch.Tensor, angles: Angles, back: bool = False, out: torch.Tensor | None = None) -> torch.Tensor:
    """Turn pairs of channels, float [L, K], by an angle that grows with the position: cosines and sines, [L, K] each.

    A pair is a channel of the first half and its counterpart in the second; both have the same angle. Halves change
    places by a product with a constant matrix, which is faster than cutting and joining.

    Args:
        back: turn the other way, as gradients are.
        out: to be filled.
    """
    cos, sin = angles
    swapped = x @ _quarter(x.shape[-1], x.dtype, x.device)
    return torch.addcmul(x * cos, swapped, sin, value=-1 if back else 1, out=out)


def split(x_BLI: torch.Tensor, heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values out of one product, float [B, L, 3·H·K]: views, [B, H, L, K] each."""
    q, k, v = x_BLI.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    return q, k, v


def split_turned(x_BLI: torch.Tensor, heads: int, angles: Angles) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same, queries and keys turned."""
    if not _by_hand(x_BLI):
        q, k, v = split(x_BLI, heads)
        return turn(q, angles), turn(k, angles), v
    return _SplitTurned.apply(x_BLI, heads, *angles)  # type: ignore[no-any-return, no-untyped-call]


class _SplitTurned(torch.autograd.Function):
    """Each gradient goes straight to its place in that of the product; autograd would join the three and copy them into
    this order."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, heads: int, *angles: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ctx.save_for_backward(*angles)
        cos, sin = angles
        q, k, v = (each.contiguous() for each in split(x, heads))  # heads among each other are slow to multiply
        return turn(q, (cos, sin)), turn(k, (cos, sin)), v

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (d_q, d_k, d_v), (cos, sin) = (each.contiguous() for each in gradients), ctx.saved_tensors
        b, heads, length, size = d_v.shape
        d_x = d_v.new_empty(b, length, 3 * heads * size)
        to_q, to_k, to_v = split(d_x, heads)
        turn(d_q, (cos, sin), back=True, out=to_q)
        turn(d_k, (cos, sin), back=True, out=to_k)
        to_v.copy_(d_v)
        return d_x, None, None, None


@cache
def _quarter(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The matrix that turns each pair by a right angle: (a, b) to (-b, a)."""
    with torch.inference_mode(False):  # it is kept for training as well
        one = torch.eye(size // 2)
        zero = torch.zeros_like(one)
        return torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)]).to(device, dtype)
