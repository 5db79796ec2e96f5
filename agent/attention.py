"""Attention: what a position may look at, and looking at it.

A short window is one product with a mask. In a long one most pairs of positions are hidden from each other (what comes
later, other segments, timesteps beyond a row's horizon), and on a CPU the time goes into pairs. So there rows are cut
into tiles, and the queries of a tile meet only the tiles of keys that one of them may see: in one product for all, of
whatever row, that meet as many. But in bf16 a row that may look at all before it takes PyTorch's fused causal kernel.

Shapes: B rows, L positions, H heads, K head size; T tiles in all, C positions of a tile, G tiles of queries that meet
M tiles of keys each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

TILE = 64  # positions
LONG = 256  # positions of a window from which on tiles pay


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention with an additive or boolean mask: [B, H, L, K] each to what each position sees, [B, L, H·K].

    On CPUs the fused kernel's backward pass in bf16 costs three times the plain products, so those are used there.
    """
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    else:
        seen = ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + mask).softmax(-1) @ v
    return seen.transpose(1, 2).flatten(2)


class Sight:
    """What every position of a batch may look at; the same for every block.

    Args:
        mask_BLL: bool, which position (row) may look at which (column), none at what comes after it; [B, N, L] where
            only some positions look. What sees nothing is padding, and may be shown anything.
        dtype: in which the attention is computed.
    """

    def __init__(self, mask_BLL: torch.Tensor, dtype: torch.dtype) -> None:
        looking, length = mask_BLL.shape[1:]
        self.dense: torch.Tensor | None = None
        if looking < length or length < LONG or mask_BLL.device.type != "cpu":
            self.dense = _bias(mask_BLL, dtype)[:, None]
            return
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        padding = ~mask_BLL.any(2, keepdim=True)
        fused = ((mask_BLL == causal) | padding).all(2).all(1) & (dtype == torch.bfloat16)
        self.fused = fused.nonzero().flatten().tolist()
        self.tiled = Tiled(mask_BLL, (~fused).nonzero().flatten(), dtype)

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """[B, H, L, K] each to what each position sees, [B, L, H·K]."""
        if self.dense is not None:
            return attend(q, k, v, self.dense)
        if len(self.fused) == len(q):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        return _Long.apply(q, k, v, self.fused, self.tiled).transpose(1, 2).flatten(2)  # type: ignore[no-untyped-call]


@dataclass
class Meeting:
    """Tiles of queries that meet as many tiles of keys.

    Args:
        queries: which tiles, G of them.
        keys: int64 [G, M], the tiles that each meets: itself, then those before it, the nearest first.
        twice: of each column of these, whether it has a tile twice, as what prompts are in.
        bias: float [G, 1, C, M·C], 0 where a key is seen.
    """

    queries: slice
    keys: torch.Tensor
    twice: list[bool]
    bias: torch.Tensor


class Tiled:
    """Some rows of a long window, cut into tiles, and who meets whom.

    Args:
        mask_BLL: as for `Sight`.
        rows: int64 [R], which ones.
        dtype: as for `Sight`.
    """

    def __init__(self, mask_BLL: torch.Tensor, rows: torch.Tensor, dtype: torch.dtype) -> None:
        self.length = mask_BLL.shape[1]
        fill = -self.length % TILE
        mask = F.pad(mask_BLL[rows], (0, fill, 0, fill)).unflatten(1, (-1, TILE)).unflatten(3, (-1, TILE))
        meets = mask.any(4).any(2) | torch.eye(mask.shape[1], dtype=torch.bool)  # padding may meet itself
        many = meets.sum(2)
        # In this order those that meet as many lie together, and a meeting's queries are a slice.
        order = many.flatten().argsort(stable=True)
        row, self.place = order // meets.shape[1], order % meets.shape[1]
        self.row, number = rows[row], order.argsort().view_as(many)
        self.meetings, first = [], 0
        for each, tiles in zip(*(found.tolist() for found in many.unique(return_counts=True)), strict=True):
            queries = slice(first, first := first + tiles)
            here, place = row[queries], self.place[queries]
            met = meets[here, place].nonzero()[:, 1].view(tiles, each).flip(1)
            keys = number[here[:, None], met]
            twice = (keys.sort(0).values.diff(dim=0) == 0).any(0).tolist()
            shown = mask[here[:, None], place[:, None], :, met].transpose(1, 2).flatten(2)
            self.meetings.append(Meeting(queries, keys, twice, _bias(shown, dtype)[:, None]))

    def cut(self, x: torch.Tensor) -> torch.Tensor:
        """Tiles of [B, H, L, K], each of which lies together, as products want it: [T, H, C, K], zeros at the end."""
        filled = F.pad(x, (0, 0, 0, -self.length % TILE)) if self.length % TILE else x
        return filled.unflatten(2, (-1, TILE))[self.row, :, self.place]

    def join(self, x: torch.Tensor, to: torch.Tensor) -> None:
        """The other way, to [B, H, whole tiles, K]."""
        to.unflatten(2, (-1, TILE))[self.row, :, self.place] = x


def _bias(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros((), dtype=dtype, device=mask.device).where(mask, torch.finfo(torch.float32).min / 2)


class _Long(torch.autograd.Function):
    """Attention of a long window, [B, H, L, K] each. By hand, because autograd would fill and add up a gradient of the
    whole batch for every meeting."""

    @staticmethod
    def forward(
        ctx: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, fused: list[int], tiled: Tiled
    ) -> torch.Tensor:
        batch, heads, length, size = q.shape
        out = q.new_empty(batch, length + -length % TILE, heads, size).transpose(1, 2)
        ctx.kept = []
        for row in fused:
            with torch.enable_grad():
                a, b, c = leaves = [each[row : row + 1].detach().requires_grad_() for each in (q, k, v)]
                seen = F.scaled_dot_product_attention(a, b, c, is_causal=True)
            out[row, :, :length] = seen.detach()[0]
            ctx.kept.append((leaves, seen))
        q, k, v = tiled.cut(q).mul_(size**-0.5), tiled.cut(k), tiled.cut(v)
        seen, ctx.shares = _meet(q, k, v, tiled.meetings)
        tiled.join(seen, out)
        ctx.save_for_backward(q, k, v)
        ctx.fused, ctx.tiled = fused, tiled
        return out[:, :, :length]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (d_out,) = gradients
        batch, heads, length, size = d_out.shape
        found = [d_out.new_empty(batch, heads, length + -length % TILE, size) for _ in range(3)]
        for row, (leaves, seen) in zip(ctx.fused, ctx.kept, strict=True):
            parts = torch.autograd.grad(seen, leaves, d_out[row : row + 1])
            for to, part in zip(found, parts, strict=True):
                to[row, :, :length] = part[0]
        q, k, v = ctx.saved_tensors
        d_q, d_k, d_v = _meet_backward(q, k, v, ctx.tiled.meetings, ctx.shares, ctx.tiled.cut(d_out))
        for to, part in zip(found, (d_q.mul_(size**-0.5), d_k, d_v), strict=True):
            ctx.tiled.join(part, to)
        ctx.kept = ctx.shares = None
        return (*(each[:, :, :length] for each in found), None, None)


def _meet(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, meetings: list[Meeting]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """What queries, scaled, see, [T, H, C, K] each, and the shares of attention of every meeting, [G·H, C, M·C]."""
    out, shares = torch.empty_like(q), []
    for each in meetings:
        score = torch.bmm(q[each.queries].flatten(0, 1), _met(k, each).transpose(1, 2))
        score.unflatten(0, (-1, q.shape[1])).add_(each.bias)
        share = score.softmax(-1)
        torch.bmm(share, _met(v, each), out=out[each.queries].flatten(0, 1))
        shares.append(share)
    return out, shares


def _meet_backward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, meetings: list[Meeting], shares: list[torch.Tensor],
    d_out: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Gradients of scaled queries, keys and values, [T, H, C, K] each."""
    d_q, d_k, d_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    for each, share in zip(meetings, shares, strict=True):
        here = d_out[each.queries].flatten(0, 1)
        d_share = torch.bmm(here, _met(v, each).transpose(1, 2))
        d_score = torch._softmax_backward_data(d_share, share, -1, share.dtype)
        torch.bmm(d_score, _met(k, each), out=d_q[each.queries].flatten(0, 1))
        _add(d_k, each, torch.bmm(d_score.transpose(1, 2), q[each.queries].flatten(0, 1)))
        _add(d_v, each, torch.bmm(share.transpose(1, 2), here))
    return d_q, d_k, d_v


def _met(x: torch.Tensor, meeting: Meeting) -> torch.Tensor:
    """The tiles that are met, of [T, H, C, K]: [G·H, M·C, K]."""
    tiles, many = meeting.keys.shape
    if many == 1:
        return x[meeting.queries].flatten(0, 1)
    which = meeting.keys[:, None] * x.shape[1] + torch.arange(x.shape[1])[:, None]
    return x.flatten(2).flatten(0, 1).index_select(0, which.flatten()).view(tiles * x.shape[1], -1, x.shape[3])


def _add(x: torch.Tensor, meeting: Meeting, gradient: torch.Tensor) -> None:
    """Add gradients of what was met, [G·H, M·C, K], to its tiles: [T, H, C, K].

    `index_add_` would widen the indices to the size of what is added, so it is kept for tiles that come twice.
    """
    tiles, many = meeting.keys.shape
    parts = gradient.view(tiles, -1, many, TILE, x.shape[3])
    if tiles < many:  # none meets a tile twice
        for keys, part in zip(meeting.keys, parts, strict=True):
            x[keys] += part.transpose(0, 1)
        return
    itself, *others = parts.unbind(2)
    x[meeting.queries].add_(itself)
    for part, keys, twice in zip(others, meeting.keys.unbind(1)[1:], meeting.twice[1:], strict=True):
        if twice:
            x.index_add_(0, keys, part)
        else:
            x[keys] += part
