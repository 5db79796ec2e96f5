"""Tokens and pictures to vectors, one per position.

Paper layout: a number's vector is its row of the table plus its index within the timestep. Pooled layout: many numbers
share a position, so a sum would forget which is which; there each number's vector is multiplied channel by channel with
the row of its slot, which makes the sum a first layer with free weights per number, and a small network follows. Where
every number observed has a position of its own (`value_group=1`) there is nothing for that network to mix.

Shapes: n timesteps, m numbers, G positions, D width.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.config import ModelConfig
from opengato.agent.laid import Laid, Numbers, Pictures, PooledText
from opengato.agent.layout import MAX_POOLED_TEXT
from opengato.agent.patches import PatchEncoder
from opengato.agent.pictures import PictureEncoder
from opengato.agent.pieces import PLACES, ROLE_OBSERVATION
from opengato.agent.spec import MAX_CLASSES
from opengato.agent.values import BINS, expand


def bin_features(count: int) -> torch.Tensor:
    """Of the bins' centres, float32 [bins, count]: the place in [-1, 1], one, and waves of up to 32 turns."""
    place = (torch.arange(BINS) + 0.5) * (2 / BINS) - 1
    return torch.cat([place[:, None], torch.ones(BINS, 1), _waves(math.pi * place, -1, 6, (count - 2) // 2)], 1)


def plain_features(count: int) -> torch.Tensor:
    """Of the numbers that companded bins stand for, in standard deviations: float32 [bins, count].

    The value twice, cut off at ±4 and flattened, and waves that do not turn within a standard deviation: with faster
    ones few demonstrations are learnt by heart.
    """
    place = (np.arange(BINS) + 0.5) * (2 / BINS) - 1
    value = torch.tensor(expand(place).astype(np.float32)).clamp(-10, 10)  # on the device that was asked for
    lines = torch.stack([value.clamp(-4, 4), value.tanh()], 1)
    return torch.cat([lines, _waves(value, -2, 0, (count - 2) // 2)], 1)


def _waves(value: torch.Tensor, lowest: float, highest: float, count: int) -> torch.Tensor:
    """Sines and cosines of frequencies 2^lowest … 2^highest: [n] → [n, 2 · count].

    High frequencies start small, so that near values start with near vectors.
    """
    frequency = 2.0 ** torch.linspace(lowest, highest, count)
    angle = value[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1) / frequency.clamp(min=1).sqrt().repeat(2)


class NumberEmbedding(nn.Module):
    """Vectors of binned and discrete numbers.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.pooled, self.alone = config.pooled, config.value_group == 1
        self.classes = nn.Embedding(MAX_CLASSES, width)
        self.slot = nn.Embedding(config.slots, width)
        self.read_anew(config)
        scale = 1.0 if self.pooled else 0.02
        nn.init.normal_(self.classes.weight, std=scale)
        nn.init.normal_(self.slot.weight, std=scale)
        self.hidden = nn.Embedding(2, width)  # stands in for numbers that are not shown: observation, action
        self.kind = nn.Embedding(2, width)
        nn.init.normal_(self.hidden.weight, std=scale)
        nn.init.normal_(self.kind.weight, std=scale)
        if self.pooled:
            self.mix = nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
            )

    features: torch.Tensor
    bins: nn.Linear | nn.Embedding

    def read_anew(self, config: ModelConfig) -> None:
        """Start over with the vectors of bins: what is known of their values as the configuration says, and random
        weights."""
        known = [bin_features(config.value_features)] if config.value_features else []
        if config.plain_features:
            known.append(plain_features(config.plain_features))
        device = self.slot.weight.device
        if known:
            features = torch.cat(known, 1)
            self.register_buffer("features", features.to(device), persistent=False)
            self.bins = nn.Linear(features.shape[1], config.width, bias=False, device=device)
            nn.init.normal_(self.bins.weight, std=0.5)
        else:
            self.bins = nn.Embedding(BINS, config.width, device=device)
            nn.init.normal_(self.bins.weight, std=0.02)

    def table(self) -> torch.Tensor:
        """A vector per bin, float [bins, D]."""
        return self.bins(self.features) if isinstance(self.bins, nn.Linear) else self.bins.weight

    def forward(self, numbers: Numbers) -> torch.Tensor:
        """float [n, G, D]."""
        kind = self.kind.weight[int(numbers.action)]
        if not self.pooled:
            # Action tokens share one learned vector (kind) in place of an index in the timestep: Gato, appendix C.3.
            place = 0 if numbers.action else self.slot(numbers.slots)
            table = torch.cat([self.table(), self.classes.weight])
            offset = torch.from_numpy(BINS * numbers.discrete.astype(np.int64)).to(numbers.tokens.device)
            return F.embedding(numbers.tokens + offset, table) + place + kind
        positions = numbers.dest.shape[1]
        size = numbers.tokens.shape[1]
        group = -(-size // positions)
        slots = self.slot(numbers.slots)
        # One turn unless a setting spreads the numbers over several positions.
        parts = [slice(first, min(first + group, size)) for first in range(0, size, group)]
        x = torch.stack([self._sum(numbers, part, slots[part]) for part in parts], 1)
        x = torch.where(numbers.keep[:, None, None], x, self.hidden.weight[int(numbers.action)].expand_as(x)) + kind
        return x if self.alone and group == 1 else x + self.mix(x)

    def _sum(self, numbers: Numbers, where: slice, slots: torch.Tensor) -> torch.Tensor:
        """Σ over numbers of slot ⊙ vector, divided by the root of their count. float [n, D]."""
        tokens, discrete = numbers.tokens[:, where], numbers.discrete[where]
        x: torch.Tensor | int = 0
        if not discrete.all():
            chosen = which(~discrete, tokens.device)
            if isinstance(self.bins, nn.Linear):
                # Σ_j s_j ⊙ (A φ(v_j)) as one matrix product: the weights s_j ⊙ A have a row per number and feature.
                weight = (slots[chosen][:, None] * self.bins.weight.t()).flatten(0, 1)
                x = F.embedding(tokens[:, chosen], self.features).flatten(1) @ weight
            else:
                x = (F.embedding(tokens[:, chosen], self.bins.weight) * slots[chosen]).sum(1)
        if discrete.any():
            count = int(numbers.classes[where][discrete].max())
            chosen = which(discrete, tokens.device)
            weight = (slots[chosen][:, None] * self.classes.weight[:count]).flatten(0, 1)
            offset = torch.arange(int(discrete.sum()), device=tokens.device) * count
            x = x + F.embedding_bag(tokens[:, chosen] + offset, weight, mode="sum")
        assert isinstance(x, torch.Tensor)
        return x / math.sqrt(tokens.shape[1])


def which(chosen: np.ndarray, device: torch.device) -> slice | torch.Tensor:
    """Index of the columns where a bool array holds; a slice if it holds everywhere, so that nothing is copied."""
    return slice(None) if chosen.all() else torch.from_numpy(np.flatnonzero(chosen)).to(device)


class Embedding(nn.Module):
    """Everything that has a position, to its vector.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.width, self.pooled = config.width, config.pooled
        self.numbers = NumberEmbedding(config)
        self.text = nn.Embedding(config.vocabulary, config.width)
        self.role = nn.Embedding(4, config.width)
        self.index = nn.Embedding(PLACES, config.width)
        scale = 0.5 if config.pooled else 0.02
        for table in (self.text, self.role, self.index):
            nn.init.normal_(table.weight, std=scale)
        if not config.pooled:
            self.patches = PatchEncoder(config)
        else:
            self.pictures = PictureEncoder(config)
            self.mix_text = nn.Sequential(
                nn.LayerNorm(config.width),
                nn.Linear(config.width, config.width),
                nn.GELU(),
                nn.Linear(config.width, config.width),
            )

    def forward(self, laid: Laid, size: int) -> torch.Tensor:
        """Vectors of `size` flat positions, float [size, D]; a position that holds nothing is zero. What goes to
        position `size` is dropped (`Pieces.done`, spare)."""
        device = self.text.weight.device
        dest, rows = [], []
        for numbers in laid.numbers:
            dest.append(numbers.dest.flatten())
            rows.append(self.numbers(numbers).flatten(0, 1))
        for pictures in laid.pictures:
            dest.append(pictures.dest.flatten())
            rows.append(self._pictures(pictures).flatten(0, 1))
        for words in laid.words:
            vector = self.text(words.ids) * (words.role > 0)[:, None]
            dest.append(words.dest)
            rows.append(vector + self.role(words.role) + self.index(words.index))
        for pooled in laid.pooled:
            dest.append(pooled.dest)
            rows.append(self._pooled(pooled))
        out = torch.zeros(size + 1, self.width, device=device)
        if dest:
            out = out.index_copy(0, torch.cat(dest), torch.cat([row.to(out.dtype) for row in rows]))
        return out[:size]

    def _pictures(self, pictures: Pictures) -> torch.Tensor:
        if self.pooled:
            return self.pictures(pictures.pixels, pictures.cameras, pictures.dest.shape[1], pictures.reading)
        patches = self.patches(pictures.pixels[0])
        return patches + self.index(torch.arange(patches.shape[1], device=patches.device).clamp(max=PLACES - 1))

    def _pooled(self, pooled: PooledText) -> torch.Tensor:
        """Texts in one position each: word ⊙ place, summed, so that the order counts."""
        place = self.index.weight[:MAX_POOLED_TEXT]
        x = (self.text(pooled.ids) * (1 + place) * pooled.mask[..., None]).sum(1)
        x = x + self.role.weight[ROLE_OBSERVATION]
        return x + self.mix_text(x)
