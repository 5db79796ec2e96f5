"""Positions fed as they come: keys and values stay in a ring, so a step costs the same early and late in an episode.

Keys are kept turned to their place in the episode. The rotary embedding only knows distances, so that is right for as
long as an episode lasts; the prompt, which never leaves, is looked at as if it stood right before the window. Rows may
belong to different bodies and get different numbers of positions: all but the attention runs over them packed.

Which entry may be seen is kept in numpy, because it is a handful of small integers; what is computed is in tensors.

Shapes: n rows, p new positions of a row at most, N new positions of all rows, D width, H heads, K head size, P prompt
positions, R ring entries.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from opengato.agent.attention import attend
from opengato.agent.graphs import Graphs
from opengato.agent.kernels import turn
from opengato.agent.model import Model
from opengato.agent.transformer import rotary

ROUND = 32  # entries: of a young ring only so many are read, rounded up, so that few shapes occur
FOREVER = 2**62


@dataclass(frozen=True)
class Lane:
    """What a row of the stream looks back at.

    Args:
        prompt_PD: embedded prompt, float [P, D]; P may be 0.
        horizon: how many timesteps a position looks back (the prompt is always seen); 0 for all in the window.
        positions: of a timestep at most; 0 if that varies. Together with a horizon it bounds what must be kept.
        seen: of them, what is fed together with the end of the timestep before, which must still find all that it
            looks at; 0 where a timestep is fed by itself.
    """

    prompt_PD: torch.Tensor
    horizon: int = 0
    positions: int = 0
    seen: int = 0

    def entries(self, window: int) -> int:
        """How many positions of the episode must be kept, of a window of so many."""
        kept = self.horizon * self.positions
        return min(window, kept + self.seen) if kept else window


class Stream:
    """The attention caches of n rows.

    Args:
        model: in evaluation mode.
        lanes: one per row. Rows with the very same prompt tensor throughout share its cache.
    """

    def __init__(self, model: Model, lanes: Sequence[Lane]) -> None:
        config, rows = model.config, len(lanes)
        self.model = model
        self.prompt = np.asarray([len(lane.prompt_PD) for lane in lanes])
        self.window = config.window - self.prompt  # positions of the episode that a row sees at most
        self.horizon = np.asarray([lane.horizon or FOREVER for lane in lanes])
        self.ring = max(lane.entries(int(window)) for lane, window in zip(lanes, self.window, strict=True))
        self.device = lanes[0].prompt_PD.device
        shape = (rows, config.heads, self.ring, config.head_dim)
        self.keys = [torch.zeros(shape, device=self.device) for _ in range(config.blocks)]
        self.values = [torch.zeros(shape, device=self.device) for _ in range(config.blocks)]
        self.place = np.full((rows, self.ring), -1)  # which position of the episode an entry holds
        self.when = np.zeros((rows, self.ring), np.int64)  # … and of which timestep
        self.count = np.zeros(rows, np.int64)  # positions of the episode so far
        prompts = [lane.prompt_PD for lane in lanes]
        self.shared = all(prompt is prompts[0] for prompt in prompts)
        self.prompt_keys, self.prompt_values = self._read(prompts[:1] if self.shared else prompts)
        self.graphs = Graphs(self._replayed) if self.device.type == "cuda" else None

    def clear(self, rows: np.ndarray) -> None:
        """Start new episodes in these rows, int64 [k]; the prompt stays."""
        self.place[rows] = -1
        self.count[rows] = 0

    def skip(self, row: int, sizes: np.ndarray) -> int:
        """Begin a row's episode behind timesteps that nothing after the last of these depends on.

        Args:
            row: which; its episode has just begun.
            sizes: int64 [T], positions of each timestep so far.

        Returns:
            The first timestep that must be fed: a block looks back `horizon` of them, and so does the one below it.
        """
        reach = (int(self.horizon[row]) - 1) * self.model.config.blocks
        first = max(0, len(sizes) - reach)
        self.count[row] = sizes[:first].sum()
        return first

    def change(self, row: int, lane: Lane) -> None:
        """Let a row look back at something else; its episode starts anew.

        The ring must be as long as the lane needs: it is where any lane of the first ones had no horizon.
        """
        length = len(lane.prompt_PD)
        window = self.model.config.window - length
        if lane.entries(window) > self.ring:
            raise ValueError(f"this lane needs more than the {self.ring} entries that there are")
        self.clear(np.asarray([row]))
        before, self.prompt[row] = self.prompt_keys[0].shape[2], length
        self.window[row], self.horizon[row] = window, lane.horizon or FOREVER
        if self.graphs is not None:
            self.graphs.clear()  # they hold the prompts that were
        kept = [self.prompt_keys, self.prompt_values]
        if self.shared:  # from now on each row has its own
            kept = [[x.repeat(len(self.count), 1, 1, 1) for x in each] for each in kept]
            self.shared = False
        more = max(0, length - before)
        self.prompt_keys, self.prompt_values = ([F.pad(x, (0, 0, 0, more)) for x in each] for each in kept)
        if length:
            for into, new in zip((self.prompt_keys, self.prompt_values), self._read([lane.prompt_PD]), strict=True):
                for kept_nHPK, new_1HPK in zip(into, new, strict=True):
                    kept_nHPK[row, :, :length] = new_1HPK[0]

    @torch.inference_mode()
    def _read(self, prompts: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Keys and values of prompts, float [prompts, H, P, K] per block."""
        longest = max(len(prompt) for prompt in prompts)
        x = torch.stack([F.pad(prompt, (0, 0, 0, longest - len(prompt))) for prompt in prompts])
        place = torch.arange(longest, device=self.device)
        angles = rotary(place[None], self.model.config.head_dim, x.dtype)
        mask = (place[:, None] >= place[None])[None, None]
        keys, values = [], []
        for block in self.model.transformer.stack:
            q, k, v = block.queries_keys_values(x)
            k = turn(k, angles)
            keys.append(k)
            values.append(v)
            if longest:
                x = block.finish(x, attend(turn(q, angles), k, v, mask))
        return keys, values

    @torch.inference_mode()
    def feed(self, x_ND: torch.Tensor, lengths: np.ndarray, rows: np.ndarray, step_N: np.ndarray) -> torch.Tensor:
        """Append new positions to some rows.

        Args:
            x_ND: embedded positions, row after row.
            lengths: int64 [n], how many each row gets; at least 1.
            rows: int64 [n], which rows of the stream these are, in rising order.
            step_N: int64 [N], the timestep of each position.

        Returns:
            float [N, D] after the last norm.
        """
        if np.any(lengths > np.minimum(self.window[rows], self.ring)):
            return self._feed_in_parts(x_ND, lengths, rows, step_N)
        view = self._enter(lengths, rows, step_N)
        if self.graphs is None or view.rows is not None:
            return self._blocks(x_ND, view)
        return self.graphs(view.tensors(x_ND), view.kind)

    def _blocks(self, x_ND: torch.Tensor, view: _View) -> torch.Tensor:
        x = x_ND[None]
        for index, block in enumerate(self.model.transformer.stack):
            q, k, v = block.queries_keys_values(x)
            self.keys[index][view.row_N, :, view.slot_N] = turn(k, view.angles)[0].transpose(0, 1)
            self.values[index][view.row_N, :, view.slot_N] = v[0].transpose(0, 1)
            x = block.finish(x, self._attend(index, q, view))
        return self.model.transformer.norm(x)[0]

    def _replayed(self, tensors: Sequence[torch.Tensor], kind: Hashable) -> torch.Tensor:
        return self._blocks(*_View.of(tensors, kind))

    def _feed_in_parts(
        self, x_ND: torch.Tensor, lengths: np.ndarray, rows: np.ndarray, step_N: np.ndarray
    ) -> torch.Tensor:
        """More than a row's window holds: one window after another, as far as each row goes, whoever is beside it. With
        a horizon one timestep after another: the ring holds no more than that takes."""
        out = torch.empty_like(x_ND)
        first = np.cumsum(lengths) - lengths
        row_N = np.repeat(np.arange(len(rows)), lengths)
        since_N = step_N - step_N[first][row_N]
        by_step = (self.horizon[rows] < FOREVER) & (step_N[first + lengths - 1] > step_N[first])
        window_N = (np.arange(len(x_ND)) - first[row_N]) // np.minimum(self.window[rows], self.ring)[row_N]
        part_N = np.where(by_step[row_N], since_N, window_N)
        for number in range(int(part_N.max()) + 1):
            chosen = np.flatnonzero(part_N == number)
            part = np.bincount(row_N[chosen], minlength=len(rows))
            here = torch.from_numpy(chosen).to(self.device)
            out[here] = self.feed(x_ND[here], part[part > 0], rows[part > 0], step_N[chosen])
        return out

    def _enter(self, lengths: np.ndarray, rows: np.ndarray, step_N: np.ndarray) -> _View:
        """Note where the new positions go, and what each of them sees."""
        n, p = len(rows), int(lengths.max())
        valid = np.arange(p) < lengths[:, None]
        place = self.count[rows][:, None] + np.arange(p)
        row_N, place_N = np.repeat(rows, lengths), place[valid]
        slot_N = place_N % self.ring
        self.place[row_N, slot_N], self.when[row_N, slot_N] = place_N, step_N
        self.count[rows] += lengths
        used = min(self.ring, -(-int(self.count[rows].max()) // ROUND) * ROUND)
        step = np.zeros((n, p), np.int64)
        step[valid] = step_N
        held, when = self.place[rows, None, :used], self.when[rows, None, :used]
        first = self.count[rows] - self.window[rows]
        seen = (held >= np.maximum(first, 0)[:, None, None]) & (held <= place[..., None])
        seen &= step[..., None] - when < self.horizon[rows][:, None, None]
        prompt = np.arange(self.prompt_keys[0].shape[2]) < self.prompt[rows][:, None, None]
        seen = np.concatenate([np.broadcast_to(prompt, (n, p, prompt.shape[2])), seen], 2)
        # As if the prompt stood right before the window: behind its end, distances to it no longer grow.
        shift_N = np.repeat(np.maximum(first, 0), lengths)
        place_N = place_N + self.prompt[row_N]
        head, dtype = self.model.config.head_dim, self.keys[0].dtype

        def angles(place_N: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
            cos, sin = rotary(torch.from_numpy(place_N)[None], head, dtype)
            return cos.to(self.device), sin.to(self.device)

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array).to(self.device)

        bias = np.where(seen, np.float32(0), np.float32(-1e30))
        own = angles(place_N)
        return _View(
            n, p, used,
            None if n == len(self.count) else tensor(rows),
            None if valid.all() else tensor(np.flatnonzero(valid)),
            tensor(row_N), tensor(slot_N), own,
            angles(place_N - shift_N) if shift_N.any() and prompt.shape[2] else own,
            tensor(bias)[:, None],
        )  # fmt: skip

    def _attend(self, index: int, q_1HNK: torch.Tensor, view: _View) -> torch.Tensor:
        """What the new positions see in prompt and ring, float [1, N, H·K]."""
        keys, values = self.keys[index], self.values[index]
        if view.rows is not None:
            keys, values = keys[view.rows, :, : view.used], values[view.rows, :, : view.used]
        else:
            keys, values = keys[:, :, : view.used], values[:, :, : view.used]
        q_1HNK = q_1HNK * q_1HNK.shape[-1] ** -0.5
        q = view.spread(turn(q_1HNK, view.angles))
        scores = q @ keys.transpose(2, 3)
        before = self.prompt_keys[index].shape[2]
        if before:
            to_prompt = q if view.prompt_angles is view.angles else view.spread(turn(q_1HNK, view.prompt_angles))
            scores = torch.cat([self._prompt(to_prompt, self.prompt_keys[index].transpose(2, 3), view), scores], 3)
        share = (scores + view.bias).softmax(-1)
        seen = share[..., before:] @ values
        if before:
            seen = seen + self._prompt(share[..., :before], self.prompt_values[index], view)
        return view.pack(seen)

    def _prompt(self, x_nHpX: torch.Tensor, prompt: torch.Tensor, view: _View) -> torch.Tensor:
        """Product with keys or values of each row's prompt; a shared prompt is read once for all rows."""
        if not self.shared:
            return x_nHpX @ (prompt if view.rows is None else prompt[view.rows])
        n, heads, p, _ = x_nHpX.shape
        return (x_nHpX.transpose(0, 1).reshape(heads, n * p, -1) @ prompt[0]).view(heads, n, p, -1).transpose(0, 1)


@dataclass
class _View:
    """Where new positions stand and what they see.

    Args:
        n, p, used: rows, new positions of a row at most, ring entries that are read.
        rows: int64 [n], None for all.
        spots: int64 [N], where packed positions stand in [n, p]; None if every row has p.
        row_N, slot_N: int64 [N], the entry that each goes to.
        angles, prompt_angles: of the rotary embedding, towards the ring and towards the prompt.
        bias: float [n, 1, p, P + used], 0 where a position is seen.
    """

    n: int
    p: int
    used: int
    rows: torch.Tensor | None
    spots: torch.Tensor | None
    row_N: torch.Tensor
    slot_N: torch.Tensor
    angles: tuple[torch.Tensor, torch.Tensor]
    prompt_angles: tuple[torch.Tensor, torch.Tensor]
    bias: torch.Tensor

    @property
    def kind(self) -> Hashable:
        """What is no tensor, for `of`."""
        return self.n, self.p, self.used, self.spots is None, self.prompt_angles is self.angles

    def tensors(self, x_ND: torch.Tensor) -> list[torch.Tensor]:
        """New positions and everything that says where they stand; for a view of all rows."""
        found = [x_ND, self.row_N, self.slot_N, self.bias, *self.angles]
        if self.prompt_angles is not self.angles:
            found += self.prompt_angles
        return found if self.spots is None else [*found, self.spots]

    @classmethod
    def of(cls, tensors: Sequence[torch.Tensor], kind: Any) -> tuple[torch.Tensor, _View]:
        """The inverse of `tensors`."""
        n, p, used, full, same = kind
        x, row_N, slot_N, bias, cos, sin = tensors[:6]
        own = (cos, sin)
        other = own if same else (tensors[6], tensors[7])
        return x, cls(n, p, used, None, None if full else tensors[-1], row_N, slot_N, own, other, bias)

    def spread(self, x_1HNK: torch.Tensor) -> torch.Tensor:
        """Packed to a row each: [n, H, p, K]."""
        x_NHK = x_1HNK[0].transpose(0, 1)
        if self.spots is not None:
            whole = x_NHK.new_zeros(self.n * self.p, *x_NHK.shape[1:])
            whole[self.spots] = x_NHK
            x_NHK = whole
        return x_NHK.reshape(self.n, self.p, *x_NHK.shape[1:]).transpose(1, 2)

    def pack(self, x_nHpK: torch.Tensor) -> torch.Tensor:
        """Back to [1, N, H·K]."""
        x = x_nHpK.transpose(1, 2).reshape(self.n * self.p, -1)
        return (x if self.spots is None else x[self.spots])[None]
