"""Pictures in cells of 4 × 4 pixels, and convolutions over them.

Shapes: n pictures, P cells of a picture, C channels of a cell, c numbers per pixel.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

STEM = 4  # side of a cell in pixels
FLOOR = 8.0  # of 256 levels: a picture flatter than this is not blown up to full contrast


class Convolutions(nn.Module):
    """Cells of 4 × 4 pixels that come to know their surroundings.

    Args:
        planes: numbers per pixel.
        channels: of a cell.
        layers: 3 × 3 convolutions.
    """

    def __init__(self, planes: int, channels: int, layers: int) -> None:
        super().__init__()
        self.stem = nn.Linear(planes * STEM**2, channels)
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers))
        for layer in (self.stem, *self.layers):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def around(self, x_NPC: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """What the stem made of each cell, float [n, P, C], to what the layers make of it, [n, C, rows, columns]."""
        x = F.relu(x_NPC).view(len(x_NPC), rows, columns, -1).permute(0, 3, 1, 2)
        for number, layer in enumerate(self.layers):
            change = F.relu(layer(x))
            x = (x + change) * math.sqrt(0.5) if number else change
        return x


def whole_cells(pixels_NHWC: torch.Tensor) -> torch.Tensor:
    """The pictures with black at the right and below, to a whole number of cells."""
    return F.pad(pixels_NHWC, (0, 0, 0, -pixels_NHWC.shape[2] % STEM, 0, -pixels_NHWC.shape[1] % STEM))


def in_cells(x_NHWc: torch.Tensor) -> tuple[torch.Tensor, int, int]:
    """The numbers of each cell of 4 × 4 pixels, [n, P, 16 · c], and how many rows and columns of cells there are."""
    n, height, width, planes = x_NHWc.shape
    rows, columns = height // STEM, width // STEM
    x = x_NHWc.reshape(n, rows, STEM, columns, STEM, planes).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, rows * columns, -1), rows, columns
