"""A picture as who writes sees it: tile by tile, form and colour apart.

Shapes: n pictures, C channels of a cell, G tiles to a side, D width of the model.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.cells import FLOOR, STEM, Convolutions, in_cells, whole_cells
from opengato.agent.config import ModelConfig

TILE = 4  # cells to a tile's side: 16 pixels of a 64 × 64 picture
AROUND = 9  # pixels to a side of the neighbourhood that brightness is compared with
DARK = 16.0  # of 256 levels: below it differences hardly count
GREY = 0.3  # share of pictures in training whose saturation is not seen


class Reader(nn.Module):
    """A picture tile by tile, form and colour apart, as who writes sees it.

    Eyes that take in both at once learn what a cube is in each colour anew: of a red cylinder, if none was ever shown,
    they see no more than that it is red and stands there (docs/log.md). So form is told from what is the same whatever
    the colour: how bright a pixel is next to its neighbourhood (the value of its hue, saturation and value), and how
    saturated. Colour comes without form, a mean per cell. Both meet in the transformer only.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, width, self.grid = config.trunk_channels, config.width, config.picture_grid
        self.trunk = Convolutions(2, channels, config.trunk_layers)
        self.form = nn.Sequential(nn.Linear(channels * TILE**2, 256), nn.GELU(), nn.Linear(256, width))
        self.colour = nn.Sequential(nn.Linear(3 * TILE**2, 128), nn.GELU(), nn.Linear(128, width))
        self.place = nn.Parameter(0.5 * torch.randn(self.grid**2, width))

    def forward(self, pixels_NHWC: torch.Tensor) -> torch.Tensor:
        """uint8 [n, height, width, 3] to one vector per tile, row by row: float [n, G², D]."""
        pixels = whole_cells(pixels_NHWC)
        form = outlines(pixels)
        if self.training:  # a white thing has no saturation: so that its form is told as those of others are
            form[..., 1] *= torch.rand(len(form), 1, 1, device=form.device) >= GREY
        cells, rows, columns = in_cells(form)
        known = self.trunk.around(self.trunk.stem(cells), rows, columns)
        colour = self.colour(self._tiles(tints(pixels)))
        if self.training:
            colour = astray(colour)
        return self.form(self._tiles(known)) + colour + self.place

    def _tiles(self, cells_NCHW: torch.Tensor) -> torch.Tensor:
        """The cells of each tile, float [n, G², cells · C]. A picture of another size is brought to G tiles a side."""
        n, channels, *sides = cells_NCHW.shape
        if sides != [self.grid * TILE] * 2:
            cells_NCHW = F.adaptive_avg_pool2d(cells_NCHW, self.grid * TILE)
        x = cells_NCHW.reshape(n, channels, self.grid, TILE, self.grid, TILE).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(n, self.grid**2, -1)


def astray(colour_NGD: torch.Tensor) -> torch.Tensor:
    """Colours of tiles in training: of every other picture up to all are lost, half of these for another tile's.

    Which words and colours go with a form is no help then, and where a thing lies over several tiles the one that has
    lost its colour is told by its form. It is for tiles what `training/unshown.py` does for words.
    """
    n, tiles, _ = colour_NGD.shape
    share = 2 * torch.rand(n, 1, 1, device=colour_NGD.device) - 1
    chance = torch.rand(n, tiles, 1, device=colour_NGD.device)
    other = colour_NGD.flatten(0, 1)[torch.randperm(n * tiles, device=colour_NGD.device)].view_as(colour_NGD)
    lost = torch.where(chance < share / 2, other, torch.zeros_like(colour_NGD))
    return torch.where(chance < share, lost, colour_NGD)


def outlines(pixels_NHWC: torch.Tensor) -> torch.Tensor:
    """Form without colour, uint8 [n, height, width, 3] to float in [-1, 1], [n, height, width, 2].

    The logarithm of a pixel's brightest channel less its mean around, so that shading is the same on a dark and on a
    bright object; and saturation, which from a half on counts as full.
    """
    x = pixels_NHWC.permute(0, 3, 1, 2).float()
    brightest, darkest = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    value = torch.log(brightest + DARK)
    value = value - F.avg_pool2d(value, AROUND, 1, AROUND // 2, count_include_pad=False)
    saturation = (brightest - darkest) / (brightest + DARK)
    return torch.cat([torch.tanh(8 * value), (2 * saturation).clamp(max=1)], 1).permute(0, 2, 3, 1)


def tints(pixels_NHWC: torch.Tensor) -> torch.Tensor:
    """Colour without form: the mean of each cell, centred on the picture's own mean and scaled by its own contrast.
    uint8 [n, height, width, 3] to float [n, 3, rows, columns]."""
    x = pixels_NHWC.permute(0, 3, 1, 2).float()
    x = x - x.mean((2, 3), keepdim=True)
    return F.avg_pool2d(x / (x.square().mean((1, 2, 3), keepdim=True).sqrt() + FLOOR), STEM)
