"""CUDA graphs of a stream's blocks: a GPU is told once what a step is, and then only that there is another.

A step of a small model is some two hundred kernels that take microseconds each; starting them one by one takes longer
than they do. Shapes repeat (same rows, same number of new positions, a ring that is full), so each that comes up often
enough is recorded, with places of its own for what goes in and what comes out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

import torch

OFTEN = 3  # times a shape is computed step by step before it is recorded
KEPT = 16  # recordings, each with the memory of one step

Tensors = Sequence[torch.Tensor]


class Graphs:
    """Recordings of one computation.

    Args:
        compute: tensors to one tensor. It may write into tensors that it holds itself (a cache), as long as these stay
            the same ones; `clear` forgets recordings when they do not.
    """

    def __init__(self, compute: Callable[[Tensors, Hashable], torch.Tensor]) -> None:
        self._compute = compute
        self._seen: OrderedDict[Hashable, int] = OrderedDict()
        self._made: OrderedDict[Hashable, tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]] = OrderedDict()

    def clear(self) -> None:
        """Forget all recordings."""
        self._seen.clear()
        self._made.clear()

    @property
    def count(self) -> int:
        """How many recordings there are."""
        return len(self._made)

    def __call__(self, inputs: Tensors, kind: Hashable) -> torch.Tensor:
        """The computation for these inputs.

        Args:
            inputs: tensors on the GPU.
            kind: what else decides which kernels run; with the shapes it says which recording fits.
        """
        key = (kind, *(tuple(each.shape) for each in inputs))
        if key not in self._made:
            self._seen[key] = self._seen.get(key, 0) + 1
            while len(self._seen) > 8 * KEPT:
                self._seen.popitem(last=False)
            if self._seen[key] <= OFTEN:
                return self._compute(inputs, kind)
            self._made[key] = self._record(inputs, kind)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        graph, places, out = self._made[key]
        for place, new in zip(places, inputs, strict=True):
            place.copy_(new)
        graph.replay()
        return out.clone()  # the next step writes over it

    def _record(self, inputs: Tensors, kind: Hashable) -> tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]:
        places = [each.clone() for each in inputs]
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        # Other threads (a server's, a loader's) may go on using the GPU meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            out = self._compute(places, kind)
        return graph, places, out
