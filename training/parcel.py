"""A batch in one piece.

A batch has hundreds of tensors. Handed from a loader's process to the trainer's one by one, each costs a file
descriptor and a fraction of a millisecond; laid end to end in one buffer they cost one, and the trainer sees them as
views of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from opengato.agent.laid import replaced
from opengato.agent.model import Batch

ALIGNMENT = 64  # bytes


@dataclass
class _Place:
    """Where a tensor lies in the buffer."""

    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass
class Parcel:
    """A packed batch.

    Args:
        buffer: uint8 [bytes], all tensors end to end.
        plan: the batch, with a place for every tensor.
    """

    buffer: torch.Tensor
    plan: Any

    @classmethod
    def pack(cls, batch: Batch) -> Parcel:
        """Copy a batch into one buffer."""
        tensors: list[tuple[_Place, torch.Tensor]] = []
        end = 0

        def place(tensor: torch.Tensor) -> _Place:
            nonlocal end
            found = _Place(-(-end // ALIGNMENT) * ALIGNMENT, tuple(tensor.shape), tensor.dtype)
            tensors.append((found, tensor))
            end = found.start + tensor.numel() * tensor.element_size()
            return found

        plan = replaced(batch, torch.Tensor, place)
        buffer = torch.empty(end, dtype=torch.uint8)
        for found, tensor in tensors:
            _view(buffer, found).copy_(tensor)
        return cls(buffer, plan)

    def pin_memory(self) -> Parcel:
        """In memory that a GPU copies from directly; PyTorch's loader asks for it."""
        return Parcel(self.buffer.pin_memory(), self.plan)

    def open(self) -> Batch:
        """The batch; its tensors are views of the buffer."""
        opened: Batch = replaced(self.plan, _Place, lambda found: _view(self.buffer, found))
        return opened


def _view(buffer: torch.Tensor, place: _Place) -> torch.Tensor:
    size = prod(place.shape) * place.dtype.itemsize
    return buffer[place.start : place.start + size].view(place.dtype).view(place.shape)
