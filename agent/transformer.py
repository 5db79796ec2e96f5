"""The decoder: pre-norm blocks with rotary positions and a gated feed-forward layer.

Shapes: B rows, L positions, N of them that are read, D width, H heads, K head size, I = H · K.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from opengato.agent.attention import Sight
from opengato.agent.config import ModelConfig
from opengato.agent.device import product_type
from opengato.agent.kernels import Angles, Norm, gated, split, split_turned

ROTARY_BASE = 10_000.0


def rotary(position_BL: torch.Tensor, head_dim: int, dtype: torch.dtype) -> Angles:
    """Cosines and sines of the rotary embedding (Su et al. 2021), [B, 1, L, K] each; the same for every block.

    On the CPU angles are taken in double precision: an episode may have millions of positions.
    """
    half = head_dim // 2
    kind = torch.float64 if position_BL.device.type == "cpu" else torch.float32
    frequency = ROTARY_BASE ** (-torch.arange(half, device=position_BL.device, dtype=kind) / half)
    angle = (position_BL[:, None, :, None].to(kind) * frequency).repeat(1, 1, 1, 2)
    return angle.cos().to(dtype), angle.sin().to(dtype)


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
        self.norm1, self.norm2 = Norm(config.width), Norm(config.width)
        self.qkv = nn.Linear(config.width, 3 * inner, bias=False)
        self.merge = nn.Linear(inner, config.width, bias=False)
        self.up = nn.Linear(config.width, config.feedforward, bias=False)
        self.down = nn.Linear(config.feedforward // 2, config.width, bias=False)

    def queries_keys_values(self, x_BLD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Not yet rotated [B, H, L, K] each, so that a cache can give its entries new positions."""
        return split(self.qkv(self.norm1(x_BLD)), self.heads)

    def finish(self, x_BLD: torch.Tensor, seen_BLI: torch.Tensor) -> torch.Tensor:
        """Merge what was seen, and feed forward."""
        x_BLD = self._skip(x_BLD, self.merge(seen_BLI))
        return self._skip(x_BLD, self.down(gated(self.norm2(x_BLD), self.up)))

    def forward(
        self, x_BLD: torch.Tensor, angles: Angles, sight: Sight, read_BN: torch.Tensor | None = None
    ) -> torch.Tensor:
        """float [B, L, D], or [B, N, D] where only some positions are read (`sight` is then theirs)."""
        q, k, v = split_turned(self.qkv(self.norm1(x_BLD)), self.heads, angles)
        if read_BN is not None:
            q = q.gather(2, read_BN[:, None, :, None].expand(-1, q.shape[1], -1, q.shape[3]))
            x_BLD = x_BLD.gather(1, read_BN[..., None].expand(-1, -1, x_BLD.shape[2]))
        return self.finish(x_BLD, sight.attend(q, k, v))

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
        self.norm = Norm(config.width, keep=True)
        self.head_dim = config.head_dim
        self.checkpointing = False  # compute blocks anew in the backward pass (`TrainerConfig.gradient_checkpointing`)

    @property
    def stack(self) -> list[Block]:
        """The blocks, first to last."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def forward(
        self, x_BLD: torch.Tensor, position_BL: torch.Tensor, mask_BLL: torch.Tensor,
        read_BN: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """float [B, L, D] to float [B, L, D], or to [B, N, D] at the positions read, int64 [B, N], alone.

        mask: bool [B, L, L], which position may look at which.
        """
        kind = product_type(x_BLD)
        angles = rotary(position_BL, self.head_dim, kind)
        *before, last = self.stack
        if before or read_BN is None:
            sight = Sight(mask_BLL, kind)
        for block in before:
            x_BLD = self._through(block, x_BLD, angles, sight)
        if read_BN is not None:
            sight = Sight(mask_BLL.gather(1, read_BN[..., None].expand(-1, -1, mask_BLL.shape[2])), kind)
        return self.norm(self._through(last, x_BLD, angles, sight, read_BN))

    def _through(self, block: Block, *inputs: Any) -> torch.Tensor:
        if self.checkpointing and self.training:
            return checkpoint(block, *inputs, use_reentrant=False)
        return block(*inputs)
