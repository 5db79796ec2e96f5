"""Checkpoints: the agent's folder plus the optimiser's state, safetensors and JSON; written beside, then renamed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from opengato.agent.agent import Agent
from opengato.errors import OpengatoError


def save(folder: Path, agent: Agent, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> Path:
    """Write `folder/checkpoint-<step>` and remove all but the newest two.

    Args:
        folder: of the run.
        agent: being trained.
        optimizer: AdamW.
        state: JSON values, with `step`.
    """
    target = folder / f"checkpoint-{state['step']:08d}"
    temporary = folder / f"{target.name}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    agent.save(temporary)
    tensors = {
        f"{index}.{name}": value.contiguous()
        for index, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
    }
    save_file(tensors, temporary / "optimizer.safetensors")
    (temporary / "state.json").write_text(json.dumps(state, indent=1))
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)
    for old in checkpoints(folder)[:-2]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints of a run, oldest first."""
    return sorted(path for path in folder.glob("checkpoint-????????") if (path / "state.json").is_file())


def check_identity(checkpoint: Path, identity: dict[str, Any]) -> None:
    """Refuse to go on from another run's checkpoint. Raises OpengatoError that names what differs."""
    try:
        kept = dict(json.loads((checkpoint / "state.json").read_text())).get("identity", {})
    except (OSError, ValueError) as error:
        raise OpengatoError(f"checkpoint {str(checkpoint)!r} is damaged ({error}). Next: delete it.") from None
    other = sorted(name for name in kept.keys() | identity.keys() if kept.get(name) != identity.get(name))
    if other:
        name = other[0]
        raise OpengatoError(
            f"{str(checkpoint.parent)!r} holds another run: its {name} is {kept.get(name)!r}, this one's "
            f"{identity.get(name)!r}. Next: give another out=, or delete that folder."
        )


def load_state(checkpoint: Path, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Restore the optimiser and return the saved state. Raises OpengatoError on a damaged checkpoint."""
    try:
        tensors = load_file(checkpoint / "optimizer.safetensors")
        state = dict(json.loads((checkpoint / "state.json").read_text()))
    except (SafetensorError, OSError, ValueError) as error:
        raise OpengatoError(
            f"checkpoint {str(checkpoint)!r} is damaged ({error}). "
            "Next: delete it; the run goes on from the one before."
        ) from None
    entries: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        entries.setdefault(int(index), {})[name] = value
    whole = optimizer.state_dict()
    whole["state"] = entries
    optimizer.load_state_dict(whole)
    return state
