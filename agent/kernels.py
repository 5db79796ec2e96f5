"""Steps of a block with their gradients written out: norm, gated layer, rotary turn.

Each is a handful of passes over what a position holds, and on a CPU an update is made of such passes, each as slow as
memory is. So all passes are done for as many positions as fit the processor's cache before the next positions come, and
what is cheap to work out anew is not kept.

Shapes: L positions, D width, F width of the gated layer, K head size.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.device import product_type

Angles = tuple[torch.Tensor, torch.Tensor]
PART = 1 << 17  # numbers, half a megabyte in float32


def _by_hand(x: torch.Tensor) -> bool:
    """Whether it pays: not on a GPU, and not for the few positions of who acts."""
    return x.device.type == "cpu" and torch.is_grad_enabled()


def _parts(rows: torch.Tensor) -> Iterator[slice]:
    """Slices of a first dimension that are worked off one after another."""
    step = max(1, PART * len(rows) // max(1, rows.numel()))
    return (slice(first, first + step) for first in range(0, len(rows), step))


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
        rows = x.reshape(-1, x.shape[-1])
        inverse, out = rows.new_empty(len(rows), 1), rows.new_empty(rows.shape, dtype=kind)
        for part in _parts(rows):
            each = rows[part]
            size = torch.linalg.vector_norm(each, dim=-1, keepdim=True)
            inverse[part] = scale = size.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
            torch.mul(each * scale, weight, out=out[part])
        ctx.save_for_backward(rows, weight, inverse)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        rows, weight, inverse = ctx.saved_tensors
        gradient = gradients[0].reshape(rows.shape)
        d_rows, d_weight = torch.empty_like(rows), torch.zeros_like(weight)
        for part in _parts(rows):
            unit = rows[part] * inverse[part]
            each = gradient[part] * unit
            d_weight += each.sum(0)
            along = (each @ weight)[:, None] / rows.shape[1]
            torch.mul((gradient[part] * weight).addcmul_(unit, along, value=-1), inverse[part], out=d_rows[part])
        return d_rows.view(gradients[0].shape), d_weight, None, None


def gated(up: torch.Tensor) -> torch.Tensor:
    """GELU of the first half times the second (Shazeer 2020): float [L, 2F] to [L, F]."""
    if not _by_hand(up):
        gate, value = up.chunk(2, -1)
        return F.gelu(gate) * value
    return _Gated.apply(up)  # type: ignore[no-any-return, no-untyped-call]


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, up: torch.Tensor) -> torch.Tensor:
        rows = up.reshape(-1, up.shape[-1])
        half = rows.shape[1] // 2
        out = rows.new_empty(len(rows), half)
        for part in _parts(rows):
            gate = rows[part, :half].contiguous()  # GELU of what is not takes four times as long
            torch.mul(F.gelu(gate), rows[part, half:], out=out[part])
        ctx.save_for_backward(rows)
        return out.view(*up.shape[:-1], half)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (rows,) = ctx.saved_tensors
        half = rows.shape[1] // 2
        gradient, d_rows = gradients[0].reshape(-1, half), torch.empty_like(rows)
        for part in _parts(rows):
            gate = rows[part, :half].contiguous()
            d_rows[part, :half] = torch.ops.aten.gelu_backward(gradient[part] * rows[part, half:], gate)
            torch.mul(gradient[part], F.gelu(gate), out=d_rows[part, half:])
        return d_rows.view(*gradients[0].shape[:-1], 2 * half)


def turn(x: torch.Tensor, angles: Angles) -> torch.Tensor:
    """Turn pairs of channels, float [L, K], by an angle that grows with the position: cosines and sines, [L, K] each.

    A pair is a channel of the first half and its counterpart in the second; both have the same angle.
    """
    if not _by_hand(x):
        return torch.addcmul(x * angles[0], x @ _quarter(x.shape[-1], x.dtype, x.device), angles[1])
    return _Turn.apply(x, *angles)  # type: ignore[no-any-return, no-untyped-call]


class _Turn(torch.autograd.Function):
    """The gradient is turned back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        cos, sin = ctx.saved_tensors
        return _turned(gradients[0], cos, sin, -1), None, None


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sign: int) -> torch.Tensor:
    """Halves change places by a product with a constant matrix, which is faster than cutting and joining."""
    quarter, out = _quarter(x.shape[-1], x.dtype, x.device), x.new_empty(x.shape)
    for part in _parts(x):
        each = x[part].contiguous()  # heads that lie among each other are slow to multiply
        angles = (cos[part], sin[part]) if len(cos) == len(x) else (cos, sin)
        torch.addcmul(each * angles[0], each @ quarter, angles[1], value=sign, out=out[part])
    return out


@cache
def _quarter(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The matrix that turns each pair by a right angle: (a, b) to (-b, a)."""
    with torch.inference_mode(False):  # it is kept for training as well
        one = torch.eye(size // 2)
        zero = torch.zeros_like(one)
        return torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)]).to(device, dtype)
