"""The decoder: pre-norm blocks with rotary positions and a gated feed-forward layer.

Shapes: B rows, L positions, D width, H heads, K head size, W entries of a cache.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.config import ModelConfig

ROTARY_BASE = 10_000.0


def rotary(position_BL: torch.Tensor, head_dim: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of the rotary embedding (Su et al. 2021), [B, 1, L, K/2] each; the same for every block."""
    half = head_dim // 2
    frequency = ROTARY_BASE ** (-torch.arange(half, device=position_BL.device, dtype=torch.float32) / half)
    angle = position_BL[:, None, :, None].float() * frequency
    return angle.cos().to(dtype), angle.sin().to(dtype)


def turn(x_BHLK: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turn pairs of channels by an angle that grows with the position."""
    cos, sin = angles
    a, b = x_BHLK.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Attention with an additive or boolean mask, [B, H, L, K].

    On CPUs the fused kernel's backward pass in bf16 costs three times the plain products, so those are used there.
    """
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return (score if mask is None else score + mask).softmax(-1) @ v


class Block(nn.Module):
    """Attention and a GEGLU layer, each behind a norm and beside a skip.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads, self.drop = config.heads, config.stochastic_depth
        self.norm1, self.norm2 = nn.RMSNorm(config.width, eps=1e-6), nn.RMSNorm(config.width, eps=1e-6)
        self.qkv = nn.Linear(config.width, 3 * inner, bias=False)
        self.merge = nn.Linear(inner, config.width, bias=False)
        self.up = nn.Linear(config.width, config.feedforward, bias=False)
        self.down = nn.Linear(config.feedforward // 2, config.width, bias=False)

    def queries_keys_values(self, x_BLD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Not yet rotated [B, H, L, K] each, so that a cache can give its entries new positions."""
        b, length, _ = x_BLD.shape
        q, k, v = self.qkv(self.norm1(x_BLD)).view(b, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return q, k, v

    def finish(
        self, x_BLD: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Attend, merge and feed forward. `mask` is boolean or additive, broadcastable to [B, H, L, W]."""
        seen = attend(q, k, v, mask)
        x_BLD = self._skip(x_BLD, self.merge(seen.transpose(1, 2).flatten(2)))
        gate, value = self.up(self.norm2(x_BLD)).chunk(2, -1)
        return self._skip(x_BLD, self.down(F.gelu(gate) * value))

    def forward(
        self, x_BLD: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor], mask: torch.Tensor
    ) -> torch.Tensor:
        q, k, v = self.queries_keys_values(x_BLD)
        return self.finish(x_BLD, turn(q, angles), turn(k, angles), v, mask)

    def _skip(self, x_BLD: torch.Tensor, change_BLD: torch.Tensor) -> torch.Tensor:
        """Residual sum; stochastic depth drops the change for whole rows in training (Huang et al. 2016)."""
        if self.training and self.drop:
            keep = torch.rand(len(x_BLD), 1, 1, device=x_BLD.device) >= self.drop
            change_BLD = change_BLD * keep / (1 - self.drop)
        return x_BLD + change_BLD


class Transformer(nn.Module):
    """A stack of blocks and a last norm.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.RMSNorm(config.width, eps=1e-6)
        self.head_dim = config.head_dim

    @property
    def stack(self) -> list[Block]:
        """The blocks, first to last."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def forward(self, x_BLD: torch.Tensor, position_BL: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """float [B, L, D] to float [B, L, D]; mask additive or boolean [B, 1, L, L]."""
        kind = x_BLD.dtype
        if torch.is_autocast_enabled(x_BLD.device.type):
            kind = torch.get_autocast_dtype(x_BLD.device.type)
        angles = rotary(position_BL, self.head_dim, kind)
        for block in self.stack:
            x_BLD = block(x_BLD, angles, mask)
        return self.norm(x_BLD)
