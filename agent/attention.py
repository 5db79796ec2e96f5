"""Attention: what a position may look at, and looking at it.

A short window is one product with a mask. In a long one most pairs of positions are hidden from each other (what comes
later, other segments, timesteps beyond a row's horizon), and on a CPU the time goes into pairs. So there a row is
worked off in bands of queries with only the keys that one of them may see; but in bf16 one that may look at all before
it takes PyTorch's fused causal kernel.

Shapes: B rows, L positions, H heads, K head size, C queries of a band, S keys of a band.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

BAND = 64  # queries
LONG = 512  # positions of a window from which on bands pay


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention with an additive or boolean mask: [B, H, L, K] each to what each position sees, [B, L, H·K].

    On CPUs the fused kernel's backward pass in bf16 costs three times the plain products, so those are used there.
    """
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    else:
        seen = ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + mask).softmax(-1) @ v
    return seen.transpose(1, 2).flatten(2)


@dataclass
class Band:
    """Queries `first` to `last` and the keys that they see.

    Args:
        keys: a slice, or int64 [S] where what is seen has gaps.
        some: the keys, of these, that not all queries see.
        bias: float [C, keys of `some`], 0 where a key is seen.
    """

    first: int
    last: int
    keys: slice | torch.Tensor
    some: slice
    bias: torch.Tensor


class Sight:
    """What every position of a batch may look at; the same for every block.

    Args:
        mask_BLL: bool, which position (row) may look at which (column); [B, N, L] where only some positions look.
        dtype: in which the attention is computed.
    """

    def __init__(self, mask_BLL: torch.Tensor, dtype: torch.dtype) -> None:
        looking, length = mask_BLL.shape[1:]
        self.dense: torch.Tensor | None = None
        if looking < length or length < LONG or mask_BLL.device.type != "cpu":
            self.dense = _bias(mask_BLL, dtype)[:, None]
            return
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        fused = (mask_BLL == causal).all(2).all(1) & (dtype == torch.bfloat16)
        self.rows = [
            None if whole else _bands(mask, dtype) for whole, mask in zip(fused.tolist(), mask_BLL, strict=True)
        ]

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """[B, H, L, K] each to what each position sees, [B, L, H·K]."""
        if self.dense is not None:
            return attend(q, k, v, self.dense)
        if not any(self.rows):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        return _Rows.apply(q, k, v, self.rows).transpose(1, 2).flatten(2)  # type: ignore[no-untyped-call]


class _Rows(torch.autograd.Function):
    """Attention row by row, band by band, [B, H, L, K]. By hand, because autograd would fill and add up a gradient of
    the whole batch for every band."""

    @staticmethod
    def forward(
        ctx: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rows: list[list[Band] | None]
    ) -> torch.Tensor:
        out = torch.empty_like(q)
        v = v.contiguous()  # or every band would copy what it reads; `turn` has done it for the others
        kept: list[Any] = []
        for number, bands in enumerate(rows):
            inputs = (q[number], k[number], v[number])
            if bands is None:
                with torch.enable_grad():
                    a, b, c = leaves = [each.detach()[None].requires_grad_() for each in inputs]
                    seen = F.scaled_dot_product_attention(a, b, c, is_causal=True)
                out[number] = seen.detach()[0]
                kept.append((leaves, seen))
            else:
                kept.append(_forward(*inputs, bands, out[number]))
        ctx.save_for_backward(q, k, v)
        ctx.rows, ctx.kept = rows, kept
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (d_out,) = gradients
        q, k, v = ctx.saved_tensors
        found = [torch.zeros_like(each) for each in (q, k, v)]
        for number, (bands, kept) in enumerate(zip(ctx.rows, ctx.kept, strict=True)):
            mine = [each[number] for each in found]
            if bands is None:
                leaves, seen = kept
                for to, gradient in zip(mine, torch.autograd.grad(seen, leaves, d_out[number][None]), strict=True):
                    to.copy_(gradient[0])
            else:
                _backward(q[number], k[number], v[number], bands, kept, d_out[number], mine)
        ctx.kept = None
        return (*found, None)


def _forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bands: list[Band], out: torch.Tensor
) -> list[torch.Tensor]:
    """Fill `out` of one row, [H, L, K]; returns the shares of attention of every band, [H, C, S]."""
    q, shares = q * q.shape[-1] ** -0.5, []
    for band in bands:
        score = torch.bmm(q[:, band.first : band.last], k[:, band.keys].transpose(1, 2))
        score[..., band.some] += band.bias
        share = score.softmax(-1)
        out[:, band.first : band.last] = torch.bmm(share, v[:, band.keys])
        shares.append(share)
    return shares


def _backward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bands: list[Band], shares: list[torch.Tensor],
    d_out: torch.Tensor, found: list[torch.Tensor],
) -> None:  # fmt: skip
    """Add the gradients of one row to `found`."""
    d_q, d_k, d_v = found
    q, d_out = q * q.shape[-1] ** -0.5, d_out.contiguous()
    for band, share in zip(bands, shares, strict=True):
        here = slice(band.first, band.last)
        d_share = torch.bmm(d_out[:, here], v[:, band.keys].transpose(1, 2))
        d_score = torch._softmax_backward_data(d_share, share, -1, share.dtype)
        torch.bmm(d_score, k[:, band.keys], out=d_q[:, here])
        d_k[:, band.keys] += torch.bmm(d_score.transpose(1, 2), q[:, here])
        d_v[:, band.keys] += torch.bmm(share.transpose(1, 2), d_out[:, here])
    d_q *= q.shape[-1] ** -0.5


def _bands(mask_LL: torch.Tensor, dtype: torch.dtype) -> list[Band]:
    made = []
    for first in range(0, len(mask_LL), BAND):
        last = min(first + BAND, len(mask_LL))
        seen = mask_LL[first:last].any(0).nonzero().flatten()
        # What sees nothing is padding; it may look anywhere, as long as it is the same for every block.
        run = _run(seen) if len(seen) else slice(first, last)
        keys = seen if 0 < len(seen) < run.stop - run.start else run
        hidden = ~mask_LL[first:last, keys]
        some = _run(hidden.any(0).nonzero().flatten())
        made.append(Band(first, last, keys, some, _bias(~hidden[:, some], dtype)))
    return made


def _run(places: torch.Tensor) -> slice:
    """From the first of these places to the last."""
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def _bias(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros((), dtype=dtype, device=mask.device).where(mask, torch.finfo(torch.float32).min / 2)
