"""Whole pictures to few vectors: what the small presets do in place of Gato's patches.

A patch knows nothing of its neighbours, so an object that crosses an edge has to be learnt anew for every place. A
convolution over the whole picture learns it once. Who acts gets one vector (or a few), made of what a number of maps
found, and where (the expected place under a map: spatial soft-argmax, Levine et al. 2016). Who writes about a picture
gets it tile by tile, as Gato gets its patches, and looks at the tiles while writing (`Reader`).

Shapes: n timesteps, M maps, P cells of a picture, C channels of a cell, D width of the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.cells import FLOOR, STEM, Convolutions, in_cells, whole_cells
from opengato.agent.config import ModelConfig
from opengato.agent.reading import Reader

SHARPNESS = 6.0  # scale of a new map's scores, so that maps look at different things from the start
HIDDEN = 512


class Trunk(Convolutions):
    """Pictures to cells, as who acts sees them.

    Args:
        channels, layers: as in `Convolutions`.
    """

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__(3, channels, layers)

    def forward(self, pixels_NHWC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """uint8 [n, height, width, 3] to cells float [n, C, rows, columns], and mean colour and contrast [n, 4].

        Each picture is centred on its own mean and scaled by its own contrast, because most of it is background that
        never changes: without that the little that differs between two pictures starts too small to be learnt from.
        """
        cells, rows, columns = in_cells(whole_cells(pixels_NHWC))
        n = len(cells)
        x = cells.to(torch.get_autocast_dtype(cells.device.type) if _autocast(cells) else torch.float32)
        mean_N3 = x.mean(1).view(n, -1, 3).mean(1)
        x -= mean_N3.repeat(1, STEM**2)[:, None]
        size = x.shape[1] * x.shape[2]
        contrast_N1 = torch.linalg.vector_norm(x, dim=(1, 2), dtype=torch.float32)[:, None] / math.sqrt(size) + FLOOR
        look_N4 = torch.cat([mean_N3 / 128 - 1, contrast_N1 / 64], 1)
        # The scale is applied behind the linear layer, where there are fewer numbers.
        x = F.linear(x, self.stem.weight) / contrast_N1[..., None].to(x.dtype) + self.stem.bias.to(x.dtype)
        return self.around(x, rows, columns), look_N4


class PictureEncoder(nn.Module):
    """The pictures of a timestep to the vectors of its picture positions.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, width, maps = config.trunk_channels, config.width, config.picture_maps
        self.trunk = Trunk(channels, config.trunk_layers)
        self.score = nn.Linear(channels, maps)
        nn.init.normal_(self.score.weight, std=SHARPNESS * channels**-0.5)
        self.hidden = nn.Linear(maps * (channels + 2) + 4, HIDDEN)
        self.acting = nn.Linear(HIDDEN, config.picture_positions * width)
        self.reader = Reader(config)
        self.camera = nn.Embedding(config.slots, width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(
        self, pictures: Sequence[torch.Tensor], cameras: Sequence[int], positions: int, reading: bool
    ) -> torch.Tensor:
        """Per camera uint8 [n, height, width, channels] to float [n, positions, D].

        Pictures are multiplied channel by channel with a vector of their camera and summed, as numbers are with their
        slots: which camera saw it is not lost.
        """
        seen, count = torch.zeros((), device=self.camera.weight.device), 0
        for pixels, first in zip(pictures, cameras, strict=True):
            for index, picture in enumerate(threes(pixels)):
                if reading:
                    vectors = self.reader(picture)
                else:
                    cells, look = self.trunk(picture)
                    vectors = self.whole(cells, look, positions)
                seen = seen + vectors * self.camera.weight[(first + index) % self.camera.num_embeddings]
                count += 1
        x = seen / math.sqrt(count)
        return x + self.mix(x)

    def whole(self, cells_NCHW: torch.Tensor, look_N4: torch.Tensor, positions: int) -> torch.Tensor:
        """All of the picture in few vectors, float [n, positions, D]."""
        found = self.found(cells_NCHW).flatten(1)
        x = self.acting(F.gelu(self.hidden(torch.cat([found, look_N4.to(found.dtype)], 1))))
        return x.view(len(x), positions, -1)

    def found(self, cells_NCHW: torch.Tensor) -> torch.Tensor:
        """What each map looks at, and where: float [n, M, C + 2]."""
        cells_NPC = cells_NCHW.permute(0, 2, 3, 1).flatten(1, 2)
        share_NMP = self.score(cells_NPC).transpose(1, 2).softmax(-1).to(cells_NPC.dtype)
        place_P2 = places(cells_NCHW.shape[2], cells_NCHW.shape[3], cells_NCHW)
        # Two products: one of C + 2 columns is several times slower in its backward pass.
        return torch.cat([share_NMP @ cells_NPC, share_NMP @ place_P2], -1)


def threes(pixels_NHWC: torch.Tensor) -> list[torch.Tensor]:
    """A stack of frames as pictures of three channels: one channel is repeated, a last incomplete three is padded."""
    channels = pixels_NHWC.shape[-1]
    if channels == 1:
        return [pixels_NHWC.expand(-1, -1, -1, 3)]
    return list(F.pad(pixels_NHWC, (0, -channels % 3)).split(3, -1))


def places(rows: int, columns: int, like: torch.Tensor) -> torch.Tensor:
    """Row and column of each cell in [-1, 1], float [rows · columns, 2]."""

    def line(count: int) -> torch.Tensor:
        return (torch.arange(count, device=like.device) + 0.5) * (2 / count) - 1

    return torch.stack(torch.meshgrid(line(rows), line(columns), indexing="ij"), -1).flatten(0, 1).to(like.dtype)


def _autocast(x: torch.Tensor) -> bool:
    return torch.is_autocast_enabled(x.device.type)
