"""Low-rank adapters (Hu et al. 2021) by the library PEFT: fine-tune a few weights beside the blocks' matrices, then
add them in."""

from __future__ import annotations

from typing import Any

from torch import nn

from opengato.agent.model import Model
from opengato.agent.transformer import MATRICES
from opengato.errors import OpengatoError

SCALE = 2  # α / r


def adapt(model: Model, rank: int) -> Any:
    """Put adapters beside the blocks' matrices, in place; only they, and what a body's numbers are read by, are
    trained then.

    Args:
        model: to be fine-tuned.
        rank: of the adapters.

    Returns:
        What `merge` wants.

    Raises:
        OpengatoError: rank is out of range, or PEFT is not installed.
    """
    if not 1 <= rank <= model.config.width:
        raise OpengatoError(f"lora is {rank}; legal: 1 to {model.config.width}, or 0 to fine-tune every weight.")
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError:
        raise OpengatoError("PEFT is missing. Next: pip install 'opengato[lora]', or lora=0") from None
    config = LoraConfig(r=rank, lora_alpha=SCALE * rank, target_modules=list(MATRICES))
    tuner = LoraModel(model, {"default": config}, "default")
    # A new body's numbers have rows of their own in the table of slots, which start as chance left them; what their
    # values are read by may have been begun anew as well (`prepare.py`).
    tables: list[nn.Module] = [model.embedding.numbers.slot, model.embedding.numbers.bins]
    if model.config.pooled:
        tables.append(model.action_head.slot)
    for table in tables:
        table.requires_grad_(True)
    return tuner


def merge(tuner: Any) -> None:
    """Add the adapters to the matrices and take them away, in place: the model is as it was before, but for its
    weights."""
    model = tuner.merge_and_unload()
    model.requires_grad_(True)
