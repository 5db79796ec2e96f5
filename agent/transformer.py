"""The decoder: pre-norm blocks with rotary positions and a gated feed-forward layer.

Shapes: B rows, L positions, D width, H heads, K head size, I = H · K.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from opengato.agent.attention import Sight
from opengato.agent.config import ModelConfig

ROTARY_BASE = 10_000.0


def rotary(position_BL: torch.Tensor, head_dim: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of the rotary embedding (Su et al. 2021), [B, 1, L, K] each; the same for every block.

    On the CPU angles are taken in double precision: an episode may have millions of positions.
    """
    half = head_dim // 2
    kind = torch.float64 if position_BL.device.type == "cpu" else torch.float32
    frequency = ROTARY_BASE ** (-torch.arange(half, device=position_BL.device, dtype=kind) / half)
    angle = (position_BL[:, None, :, None].to(kind) * frequency).repeat(1, 1, 1, 2)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def turn(x_BHLK: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turn pairs of channels by an angle that grows with the position.

    Halves change places by a product with a constant matrix, which is faster than cutting and joining.
    """
    cos, sin = angles
    return torch.addcmul(x_BHLK * cos, x_BHLK @ _quarter(x_BHLK.shape[-1], x_BHLK.dtype, x_BHLK.device), sin)


@cache
def _quarter(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The matrix that turns each pair by a right angle: (a, b) to (-b, a)."""
    with torch.inference_mode(False):  # it is kept for training as well
        one = torch.eye(size // 2)
        zero = torch.zeros_like(one)
        return torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)]).to(device, dtype)


MATRICES = ("qkv", "merge", "up", "down")  # of a block: nearly all of its weights


class Block(nn.Module):
    """Attention and a GEGLU layer, each behind a norm and beside a skip.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads, self.head_dim, self.drop = config.heads, config.head_dim, config.stochastic_depth
        self.norm1, self.norm2 = nn.RMSNorm(config.width, eps=1e-6), nn.RMSNorm(config.width, eps=1e-6)
        self.qkv = nn.Linear(config.width, 3 * inner, bias=False)
        self.merge = nn.Linear(inner, config.width, bias=False)
        self.up = nn.Linear(config.width, config.feedforward, bias=False)
        self.down = nn.Linear(config.feedforward // 2, config.width, bias=False)

    def queries_keys_values(self, x_BLD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Not yet rotated [B, H, L, K] each, so that a cache can give its entries new positions."""
        b, length, _ = x_BLD.shape
        q, k, v = self.qkv(self.norm1(x_BLD)).view(b, length, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        return q, k, v

    def finish(self, x_BLD: torch.Tensor, seen_BLI: torch.Tensor) -> torch.Tensor:
        """Merge what was seen, and feed forward."""
        x_BLD = self._skip(x_BLD, self.merge(seen_BLI))
        gate, value = self.up(self.norm2(x_BLD)).chunk(2, -1)
        return self._skip(x_BLD, self.down(F.gelu(gate) * value))

    def forward(self, x_BLD: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor], sight: Sight) -> torch.Tensor:
        q, k, v = self.queries_keys_values(x_BLD)
        return self.finish(x_BLD, sight.attend(turn(q, angles), turn(k, angles), v))

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
        self.checkpointing = False  # compute blocks anew in the backward pass (`TrainerConfig.gradient_checkpointing`)

    @property
    def stack(self) -> list[Block]:
        """The blocks, first to last."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def forward(self, x_BLD: torch.Tensor, position_BL: torch.Tensor, mask_BLL: torch.Tensor) -> torch.Tensor:
        """float [B, L, D] to float [B, L, D]; mask bool [B, L, L], which position may look at which."""
        kind = x_BLD.dtype
        if torch.is_autocast_enabled(x_BLD.device.type):
            kind = torch.get_autocast_dtype(x_BLD.device.type)
        angles, sight = rotary(position_BL, self.head_dim, kind), Sight(mask_BLL, kind)
        for block in self.stack:
            if self.checkpointing and self.training:
                x_BLD = checkpoint(block, x_BLD, angles, sight, use_reentrant=False)
            else:
                x_BLD = block(x_BLD, angles, sight)
        return self.norm(x_BLD)
