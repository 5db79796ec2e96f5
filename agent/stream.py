"""Positions fed as they come: keys and values stay in a ring, so a step costs the same early and late in an episode.

The ring keeps keys unrotated and turns them when they are looked at. That gives every entry its true place in the
window also after older ones have left, which is what a full forward pass over the window would see.

Shapes: n rows, p new positions, D width, H heads, K head size, P prompt positions, R ring entries.
"""

from __future__ import annotations

import torch

from opengato.agent.model import Model
from opengato.agent.transformer import rotary, turn


class Stream:
    """The attention caches of n rows that share a prompt.

    Args:
        model: in evaluation mode.
        rows: how many.
        prompt_PD: embedded prompt, float [P, D]; P may be 0.
        horizon: how many timesteps a position looks back (the prompt is always seen); 0 for all that the ring holds.
    """

    def __init__(self, model: Model, rows: int, prompt_PD: torch.Tensor, horizon: int = 0) -> None:
        config = model.config
        self.model, self.horizon = model, horizon
        self.prompt = len(prompt_PD)
        self.ring = config.window - self.prompt
        device = prompt_PD.device
        # One entry past the ring takes what padding writes; it is never looked at.
        shape = (rows, config.heads, self.prompt + self.ring + 1, config.head_dim)
        self.keys = [torch.zeros(shape, device=device) for _ in range(config.blocks)]
        self.values = [torch.zeros(shape, device=device) for _ in range(config.blocks)]
        self.entry = torch.full(
            (rows, self.ring + 1), -1, device=device
        )  # which position of the episode an entry holds
        self.when = self.entry.clone()  # … and of which timestep
        self.count = torch.zeros(rows, dtype=torch.long, device=device)  # positions of the episode so far
        if self.prompt:
            self._prefill(prompt_PD[None])

    def clear(self, rows: torch.Tensor) -> None:
        """Start new episodes in these rows, int64 [k]; the prompt stays."""
        self.entry[rows] = -1
        self.count[rows] = 0

    @torch.inference_mode()
    def _prefill(self, prompt_1PD: torch.Tensor) -> None:
        place = torch.arange(self.prompt, device=prompt_1PD.device)
        angles = rotary(place[None], self.model.config.head_dim, prompt_1PD.dtype)
        mask = (place[:, None] >= place[None])[None, None]
        x = prompt_1PD
        for block, keys, values in zip(self.model.transformer.stack, self.keys, self.values, strict=True):
            q, k, v = block.queries_keys_values(x)
            keys[:, :, : self.prompt], values[:, :, : self.prompt] = k, v
            x = block.finish(x, turn(q, angles), turn(k, angles), v, mask)

    @torch.inference_mode()
    def feed(
        self, x_npD: torch.Tensor, lengths: torch.Tensor, rows: torch.Tensor, step_np: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Append new positions to some rows.

        Args:
            x_npD: embedded positions; row i holds lengths[i] of them, the rest is padding.
            lengths: int64 [n].
            rows: int64 [n], which rows of the stream these are.
            step_np: int64 [n, p], the timestep of each; needed where there is a horizon.

        Returns:
            float [n, p, D] after the last norm.
        """
        n, p, _ = x_npD.shape
        step = torch.arange(p, device=x_npD.device)
        valid = step < lengths[:, None]
        place = self.count[rows][:, None] + step
        slot = torch.where(valid, place % self.ring, self.ring)
        entry = self.entry[rows]
        entry.scatter_(1, slot, torch.where(valid, place, -1))
        entry[:, self.ring] = -1
        self.entry[rows] = entry
        self.count[rows] += lengths
        shift = (self.count[rows] - self.ring).clamp(min=0)[:, None]
        at_query = self.prompt + place - shift
        prompt = torch.arange(self.prompt, device=x_npD.device).expand(n, -1)
        at_key = torch.cat([prompt, (self.prompt + entry - shift).clamp(min=0)], 1)
        seen = (entry[:, None] >= 0) & (entry[:, None] <= place[..., None])
        if self.horizon:
            assert step_np is not None, "a horizon is counted in timesteps"
            when = self.when[rows].scatter(1, slot, step_np)
            self.when[rows] = when
            seen &= step_np[..., None] - when[:, None] < self.horizon
        mask = torch.cat([torch.ones(n, p, self.prompt, dtype=torch.bool, device=seen.device), seen], 2)[:, None]
        head = self.model.config.head_dim
        query_angles, key_angles = rotary(at_query, head, x_npD.dtype), rotary(at_key, head, x_npD.dtype)
        where = (rows[:, None], slice(None), self.prompt + slot)
        x = x_npD
        for block, keys, values in zip(self.model.transformer.stack, self.keys, self.values, strict=True):
            q, k, v = block.queries_keys_values(x)
            keys[where], values[where] = k.transpose(1, 2), v.transpose(1, 2)
            x = block.finish(x, turn(q, query_angles), turn(keys[rows], key_angles), values[rows], mask)
        return self.model.transformer.norm(x)
