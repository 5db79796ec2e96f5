"""The plain reference: a flat stream of tokens, one position each, as a good engineer writes it in an hour.

Pre-norm blocks with a GELU layer of four times the width, learned positions, PyTorch's fused attention, one table of
1 024 bins, a head at the positions that actions are read off, a cache of fixed size. A timestep of the standard
case (17 numbers observed, 6 done) is 17 observation tokens, a separator and 6 action tokens.

Shapes: B rows, L positions, D width, H heads, K head size.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

BINS = 1024
SEPARATOR = BINS
TOKENS = BINS + 1


class Block(nn.Module):
    """Attention and a feed-forward layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x_BLD: torch.Tensor, cache: tuple[torch.Tensor, torch.Tensor] | None, at: int) -> torch.Tensor:
        """With a cache, the L new positions stand at `at` and look at all before them."""
        b, length, width = x_BLD.shape
        q, k, v = self.qkv(self.norm1(x_BLD)).view(b, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache is None:
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            keys, values = cache
            keys[:, :, at : at + length], values[:, :, at : at + length] = k, v
            end = at + length
            mask = torch.ones(length, end, dtype=torch.bool, device=x_BLD.device).tril(at)
            seen = F.scaled_dot_product_attention(q, keys[:, :, :end], values[:, :, :end], attn_mask=mask)
        x_BLD = x_BLD + self.merge(seen.transpose(1, 2).reshape(b, length, width))
        return x_BLD + self.feed(self.norm2(x_BLD))


class Plain(nn.Module):
    """The whole network.

    Args:
        blocks, heads, width: of the transformer.
        window: positions.
        observed, done: numbers of a timestep.
        checkpointing: compute blocks anew in the backward pass.
    """

    def __init__(
        self, blocks: int = 6, heads: int = 8, width: int = 256, window: int = 1024, observed: int = 17, done: int = 6,
        checkpointing: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.checkpointing = checkpointing
        self.observed, self.done, self.window = observed, done, window
        self.table, self.place = nn.Embedding(TOKENS, width), nn.Embedding(window, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, BINS)
        self.shape = (heads, window, width // heads)

    @property
    def stride(self) -> int:
        """Positions of a timestep."""
        return self.observed + 1 + self.done

    def hidden(self, x_BLD: torch.Tensor, caches: list | None = None, at: int = 0) -> torch.Tensor:  # type: ignore[type-arg]
        """Vectors after the last block."""
        x = x_BLD + self.place.weight[at : at + x_BLD.shape[1]]
        for index, block in enumerate(self.blocks):
            if self.checkpointing:
                x = checkpoint(block, x, None, at, use_reentrant=False)
            else:
                x = block(x, caches[index] if caches else None, at)
        return self.norm(x)

    def loss(self, tokens_BL: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of the action tokens of whole timesteps, int64 [B, L]."""
        h = self.hidden(self.table(tokens_BL)).unflatten(1, (-1, self.stride))
        first = self.observed  # the separator: the first action token is read off it
        logits = self.head(h[:, :, first : first + self.done])
        target = tokens_BL.unflatten(1, (-1, self.stride))[:, :, first + 1 :]
        return F.cross_entropy(logits.float().flatten(0, 2), target.flatten())


class PlainActor:
    """Acts in n environments at once, action tokens one after another.

    Args:
        model: the network.
        rows: n.
    """

    def __init__(self, model: Plain, rows: int = 1) -> None:
        self.model, self.rows, self.at = model, rows, 0
        self.last: torch.Tensor | None = None  # the action token that is not in the cache yet
        shape, self.device = (rows, *model.shape), model.head.weight.device
        self.caches = [tuple(torch.zeros(2, *shape, device=self.device)) for _ in model.blocks]

    @torch.inference_mode()
    def act(self, observation_nO: torch.Tensor) -> torch.Tensor:
        """Tokens observed, int64 [n, O], to tokens done, int64 [n, A]."""
        end = torch.full((self.rows, 1), SEPARATOR, device=self.device)
        observation_nO = observation_nO.to(self.device)
        seen = [observation_nO, end] if self.last is None else [self.last, observation_nO, end]
        done = [self._feed(torch.cat(seen, 1))]
        for _ in range(self.model.done - 1):
            done.append(self._feed(done[-1]))
        self.last = done[-1]
        return torch.cat(done, 1).cpu()

    def _feed(self, tokens: torch.Tensor) -> torch.Tensor:
        h = self.model.hidden(self.model.table(tokens), self.caches, self.at)
        self.at += tokens.shape[1]
        return self.model.head(h[:, -1]).argmax(-1, keepdim=True)
