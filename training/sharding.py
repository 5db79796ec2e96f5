"""One model over several processes: each keeps a share of every weight, of its gradient and of the optimiser's state.

PyTorch's FSDP2: a block's weights are whole only while that block computes. It costs communication and buys memory, so
it is for models that do not fit on one device beside their optimiser; others learn faster with whole copies.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import MethodType
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import distributed
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from opengato.agent.agent import Agent
from opengato.agent.model import Batch, Model
from opengato.errors import OpengatoError

PARTS = "shards"  # of a checkpoint: model and optimiser, by `torch.distributed.checkpoint`
STATE = "state.json"


def shard(model: Model) -> None:
    """Share a model's weights out over all processes, in place; `model.all_losses` then takes the place of `losses`."""
    for block in model.transformer.stack:
        fully_shard(block)
    fully_shard(model)
    model.all_losses = MethodType(_all_losses, model)  # type: ignore[assignment]
    register_fsdp_forward_method(model, "all_losses")


def _all_losses(model: Model, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The losses, with every weight outside the blocks in them.

    What a batch does not use (no picture, no text) has no gradient, but the processes reduce gradients together and
    must have the same ones.
    """
    losses, weights, tasks = model.losses(batch)
    inside = {id(parameter) for block in model.transformer.stack for parameter in block.parameters()}
    nothing = sum(p.flatten()[0] * 0 for p in model.parameters() if id(p) not in inside)
    return losses + nothing, weights, tasks


def gathered(agent: Agent) -> Agent:
    """The agent with a whole model on the CPU in the first process; in the others it is not to be used."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(agent.model, options=options)
    whole = Model(agent.model.config)
    if distributed.get_rank() == 0:
        whole.load_state_dict(weights)
    agent.model = whole.eval()
    return agent


class Checkpoints:
    """Saves shares beside training: the copy is made at once, the writing goes on in the background.

    Args:
        folder: of the run.
        keep: how many are kept.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep
        self._writing: Any = None
        self._then: tuple[Path, Path, dict[str, Any]] | None = None

    def save(self, model: Model, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Begin to write `folder/checkpoint-<step>`; all processes must call it together."""
        self.finish()
        target = self.folder / f"checkpoint-{state['step']:08d}"
        part = target.with_name(f"{target.name}.part")
        if distributed.get_rank() == 0:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
        distributed.barrier()
        weights, moments = get_state_dict(model, optimizer)
        self._writing = dcp.async_save({"model": weights, "optimizer": moments}, checkpoint_id=part / PARTS)
        self._then = (part, target, state)

    def finish(self) -> None:
        """Wait for what is being written, and give it its name."""
        if self._writing is None or self._then is None:
            return
        self._writing.result()
        part, target, state = self._then
        self._writing = self._then = None
        if distributed.get_rank() == 0:
            (part / STATE).write_text(json.dumps(state, indent=1))
            shutil.rmtree(target, ignore_errors=True)
            part.replace(target)
            for old in sorted(self.folder.glob("checkpoint-????????"))[: -self.keep]:
                shutil.rmtree(old, ignore_errors=True)
        distributed.barrier()


def load(checkpoint: Path, model: Model, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Restore a model that is shared out, over as many processes as there are now, and its optimiser.

    Returns:
        What was saved beside them.

    Raises:
        OpengatoError: the checkpoint is damaged, or was written by whole copies.
    """
    if not (checkpoint / PARTS).is_dir():
        raise OpengatoError(f"checkpoint {str(checkpoint)!r} holds no shards. Next: shard=false, or another out=")
    weights, moments = get_state_dict(model, optimizer)
    try:
        dcp.load({"model": weights, "optimizer": moments}, checkpoint_id=checkpoint / PARTS)
        state = dict(json.loads((checkpoint / STATE).read_text()))
    except (OSError, ValueError, dcp.api.CheckpointException) as error:
        raise OpengatoError(
            f"checkpoint {str(checkpoint)!r} is damaged ({error}). "
            "Next: delete it; the run goes on from the one before."
        ) from None
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
    return state
