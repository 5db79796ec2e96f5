"""The network: embedding, transformer, and the two heads that read actions and words off it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from opengato.agent.config import ModelConfig
from opengato.agent.embedding import Embedding, which
from opengato.agent.gaps import EVEN, chosen_among, unevenness
from opengato.agent.laid import Laid, Targets, Tensors, WordTargets
from opengato.agent.smoothing import gaussian, smoothed_loss, spread
from opengato.agent.transformer import Transformer
from opengato.agent.values import BINS


@dataclass
class Batch(Tensors):
    """B rows of L positions.

    Args:
        laid: what stands where.
        position: int64 [B, L], place within the segment, for the rotary embedding.
        segment: int64 [B, L], which sequence a position belongs to; -1 is padding.
        step: int64 [B, L], timestep within the segment; -1 is the prompt.
        horizon: int64 [B, L], how many timesteps back a position may look (the prompt is always seen).
        read: int64 [B, N], the positions that targets are predicted from (`read_positions`); None for all.
    """

    laid: Laid
    position: torch.Tensor
    segment: torch.Tensor
    step: torch.Tensor
    horizon: torch.Tensor
    read: torch.Tensor | None = None

    def mask(self) -> torch.Tensor:
        """Which position may look at which, bool [B, L, L]; padding looks at nothing."""
        # Small integers: in a long window these comparisons would cost as much as a block does.
        segment, step, horizon = (each.to(torch.int16) for each in (self.segment, self.step, self.horizon))
        same = segment[:, :, None] == segment[:, None, :]
        same &= (segment >= 0)[:, :, None]
        length = self.segment.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=same.device).tril()
        near = (step[:, :, None] - step[:, None, :] < horizon[:, :, None]) | (step[:, None, :] < 0)
        return same & causal & near

    def rows_of_hidden(self) -> torch.Tensor:
        """Which row of `Model.hidden` a flat position has, int64 [B·L]; of positions that are not read, any."""
        b, length = self.segment.shape
        row = torch.arange(b * length, device=self.segment.device)
        if self.read is not None:
            flat = (self.read + length * torch.arange(b, device=row.device)[:, None]).flatten()
            row[flat] = torch.arange(len(flat), device=row.device)
        return row


class ActionHead(nn.Module):
    """Reads all numbers of an action off one position: a slot's vector gates and shifts a shared hidden layer.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.shared = nn.Linear(width, width)
        self.slot = nn.Embedding(config.slots, 2 * width)
        nn.init.normal_(self.slot.weight, std=0.5)
        self.out = nn.Linear(width, width)
        self.bins = nn.Linear(width, BINS)
        with torch.no_grad():  # bins near each other start alike: a bin's row is a smooth curve over the bins
            curve = F.interpolate(torch.randn(1, width, BINS // 16), size=BINS, mode="linear")[0].t()
            self.bins.weight.copy_(curve * width**-0.5)
            self.bins.bias.zero_()

    def forward(self, h_nD: torch.Tensor, slots_A: torch.Tensor) -> torch.Tensor:
        """float [n, D] to one vector per number of the action, float [n, A, D]."""
        gate, shift = self.slot(slots_A).chunk(2, -1)
        return self.out(F.gelu(self.shared(h_nD)[:, None] * (1 + gate) + shift))


class Model(nn.Module):
    """The generalist.

    Args:
        config: shape and choices.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        # Pooled tables start at the scale of inputs; as output layers they are scaled so that first scores are small.
        self.tied_scale = config.width**-0.5 if config.pooled else 1.0
        self.embedding = Embedding(config)
        self.transformer = Transformer(config)
        if config.pooled:
            self.action_head = ActionHead(config)
        self._initialise()
        self.register_buffer("smooth", spread(gaussian(config.target_smoothing)), persistent=False)

    smooth: torch.Tensor

    def smooth_targets(self, bins: float) -> None:
        """Aim at continuous actions with this `target_smoothing` from now on."""
        self.config = replace(self.config, target_smoothing=bins)
        self.smooth = spread(gaussian(bins)).to(self.smooth.device)

    def _initialise(self) -> None:
        """Residual branches start small, so that depth does not change the scale (as GPT-2 does)."""
        scale = (2 * self.config.blocks) ** -0.5
        for block in self.transformer.stack:
            for layer, factor in ((block.qkv, 1.0), (block.up, 1.0), (block.merge, scale), (block.down, scale)):
                nn.init.normal_(layer.weight, std=factor * layer.in_features**-0.5)

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Vectors after the last block, flat: float [B·L, D], or [B·N, D] at the positions that are read."""
        b, length = batch.segment.shape
        x_BLD = self.embedding(batch.laid, b * length).view(b, length, -1)
        return self.transformer(x_BLD, batch.position, batch.mask(), batch.read).flatten(0, 1)

    def action_logits(self, h_nAD: torch.Tensor, discrete: bool, classes: int, slots: torch.Tensor) -> torch.Tensor:
        """Scores over bins or classes for action numbers of one kind.

        Args:
            h_nAD: float [n, A, D], or [n, 1, D] where one position carries all numbers.
            discrete: whether the numbers are classes; `classes` is then how many are scored.
            slots: int64 [A].
        """
        if self.config.pooled:
            u = self.action_head(h_nAD[:, 0], slots)
            if not discrete:
                return self.action_head.bins(u)
            return F.linear(u * self.tied_scale, self.embedding.numbers.classes.weight[:classes])
        table = self.embedding.numbers.classes.weight[:classes] if discrete else self.embedding.numbers.table()
        return F.linear(h_nAD, table.to(h_nAD.dtype))

    def word_logits(self, h_nD: torch.Tensor) -> torch.Tensor:
        """Scores over the vocabulary, the embedding's own table: float [n, vocabulary]."""
        return F.linear(h_nD * self.tied_scale, self.embedding.text.weight.to(h_nD.dtype))

    def losses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Weighted cross-entropy of every target.

        Returns:
            float [n] losses, float [n] weights (0 where a row only fills up a group) and int64 [n] task numbers. A
            control timestep counts once, whatever the number of its action tokens; a text token counts once.
        """
        h, row = self.hidden(batch), batch.rows_of_hidden()
        parts = [self._action_loss(h, row, target) for target in batch.laid.targets]
        parts += [self._word_loss(h, row, target) for target in batch.laid.word_targets]
        losses, weights, tasks = (torch.cat(column) for column in zip(*parts, strict=True))
        return losses, weights, tasks

    def _action_loss(
        self, h: torch.Tensor, row: torch.Tensor, target: Targets
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        source = row[target.source[:, :1] if self.config.pooled else target.source]
        total = torch.zeros(len(source), device=h.device)
        for discrete in (False, True):
            of_kind = target.discrete == discrete
            if not of_kind.any():
                continue
            chosen, classes = which(of_kind, h.device), target.classes[of_kind]
            here = h[source if self.config.pooled else source[:, chosen]]
            logits = self.action_logits(here, discrete, int(classes.max()), target.slots[chosen])
            tokens = target.tokens[:, chosen]
            if discrete:
                logits = logits.float()
                if (classes < logits.shape[-1]).any():
                    legal = torch.arange(logits.shape[-1]) < torch.from_numpy(classes)[:, None]
                    logits = logits.masked_fill(~legal.to(h.device), -1e9)
                loss = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
            else:
                loss = smoothed_loss(logits, tokens, self.smooth)
            total = total + loss.sum(1)
        return total / target.tokens.shape[1], target.weight, target.task

    def _word_loss(
        self, h: torch.Tensor, row: torch.Tensor, target: WordTargets
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits = self.word_logits(h[row[target.source]]).float()
        losses = chosen_among(logits, target.ids, target.unshown)
        if self.training:
            losses = losses + EVEN * unevenness(logits, target.ids, target.unshown, target.weight > 0)
        return losses, target.weight, target.task
