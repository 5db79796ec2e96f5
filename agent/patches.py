"""Pictures as Gato sees them: 16 × 16 patches, a small residual network on each alone."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.config import ModelConfig
from opengato.agent.pictures import threes
from opengato.agent.spec import PATCH

INTERVALS = 128  # Gato, appendix C.3: a patch's row and column interval is quantised to 128 places


class PatchEncoder(nn.Module):
    """Each patch alone through a convolution and one ResNet v2 block (GroupNorm, GELU), plus its place in the picture.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, stem = config.patch_channels, config.patch_stem
        groups = min(32, channels)
        self.stem = nn.Conv2d(3, channels, stem, stride=stem) if stem > 1 else nn.Conv2d(3, channels, 3, padding=1)
        self.norm1, self.norm2 = nn.GroupNorm(groups, channels), nn.GroupNorm(groups, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.mean = config.patch_pool == "mean"
        self.out = nn.Linear(channels if self.mean else channels * (PATCH // stem) ** 2, config.patch_width)
        self.row = nn.Embedding(INTERVALS, config.patch_width)
        self.column = nn.Embedding(INTERVALS, config.patch_width)

    def forward(self, pixels_NHWC: torch.Tensor) -> torch.Tensor:
        """uint8 [n, height, width, channels] to float [n, patches, patch_width]; sides are padded to multiples of
        16."""
        patches_NPCHW, rows, columns = split(pixels_NHWC)
        n, count = patches_NPCHW.shape[:2]
        x = patches_NPCHW.flatten(0, 1).float().mul_(2 / 255).sub_(1).div_(4)  # [-1, 1] / sqrt(16): Gato, section 2.1
        x = self.stem(x)
        x = x + self.conv2(F.gelu(self.norm2(self.conv1(F.gelu(self.norm1(x))))))
        x = self.out(x.mean((2, 3)) if self.mean else x.flatten(1)).view(n, count, -1)
        return x + self.row(self._place(rows, n)) + self.column(self._place(columns, n))

    def _place(self, interval_P2: torch.Tensor, n: int) -> torch.Tensor:
        """A place inside each patch's interval: drawn uniformly in training, the rounded middle otherwise. int64 [n,
        P]."""
        low, high = (interval_P2 * (INTERVALS - 1)).unbind(-1)
        if not self.training:
            return ((low + high) / 2).round().long().expand(n, -1)
        spread = torch.rand(n, len(low), device=low.device)
        return (low + spread * (high - low)).round().long()


def split(pixels_NHWC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cut pictures into patches in raster order.

    Returns:
        uint8 [n, P, 3, 16, 16], and each patch's row and column interval as a share of the picture, float [P, 2].
    """
    n, height, width, _ = pixels_NHWC.shape
    x = torch.stack(threes(pixels_NHWC), 1)
    x = F.pad(x, (0, 0, 0, -width % PATCH, 0, -height % PATCH))
    pictures, rows, columns = x.shape[1], x.shape[2] // PATCH, x.shape[3] // PATCH
    x = x.reshape(n, pictures, rows, PATCH, columns, PATCH, 3).permute(0, 1, 2, 4, 6, 3, 5)

    def intervals(count: int) -> torch.Tensor:
        edge = torch.arange(count + 1, device=x.device) / count
        return torch.stack([edge[:-1], edge[1:]], -1)

    row = intervals(rows)[:, None].expand(rows, columns, 2).flatten(0, 1).repeat(pictures, 1)
    column = intervals(columns)[None].expand(rows, columns, 2).flatten(0, 1).repeat(pictures, 1)
    return x.flatten(1, 3), row, column
