"""Several processes, one model: what each adds to a step is summed by `torch.distributed`.

Start them with PyTorch's own launcher: `torchrun --nproc-per-node 2 -m opengato train …`. A step then consists of
`accumulate` batches per process, and is the very step that one process takes with all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed


@contextmanager
def session() -> Iterator[None]:
    """Join the processes that the launcher started; nothing to do where there is one."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or distributed.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # Weights that are shared out are written from the CPU, which NCCL does not serve.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def place() -> tuple[int, int]:
    """Number of this process, and how many there are."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def total(value: float, device: torch.device) -> float:
    """Sum of a number over all processes."""
    if place()[1] == 1:
        return value
    whole = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(whole)
    return float(whole)


def anyone(flag: bool, device: torch.device) -> bool:
    """Whether any process says yes."""
    return total(float(flag), device) > 0


def add_gradients(model: torch.nn.Module) -> None:
    """Replace each gradient by its sum over all processes. What a process did not use counts as zero."""
    if place()[1] == 1:
        return
    parameters = list(model.parameters())
    flat = torch.cat([
        (torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters
    ])  # fmt: skip
    distributed.all_reduce(flat)
    for parameter, gradient in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        parameter.grad = gradient.view_as(parameter)


def wait() -> None:
    """Until all processes are here."""
    if place()[1] > 1:
        distributed.barrier()
