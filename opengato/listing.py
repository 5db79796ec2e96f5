"""`opengato list`: what there is, for people and machines. Imports no simulator."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from opengato.errors import OpengatoError
from opengato.tasks import registry


@dataclass(frozen=True)
class ListConfig:
    """Listing.

    Args:
        what: tasks, families, models or agents.
        tasks: patterns of task ids.
        split: train or held_out; both by default.
        plugins: files of the user that register tasks.
    """

    what: str = "tasks"
    tasks: list[str] = field(default_factory=lambda: ["*"])
    split: Literal["train", "held_out"] | None = None
    plugins: list[str] = field(default_factory=list)


def list_(config: ListConfig, as_json: bool) -> Any:
    """Print tasks, models or agents."""
    if config.what == "models":
        return _list_models(as_json)
    if config.what == "agents":
        return _list_agents(as_json)
    if config.what not in ("tasks", "families"):
        raise OpengatoError(f"cannot list {config.what!r}. Legal: tasks, families, models, agents.")
    from opengato.evaluation.listing import families, rows

    registry.load_plugins(config.plugins)
    cards = registry.find(config.tasks, config.split)
    if not cards:
        raise OpengatoError(f"of {config.tasks} none is in the split {config.split}. Next: leave split= out")
    if config.what == "families":
        return _list_families(families(cards), as_json)
    found = rows(cards)
    if as_json:
        return found
    width = max(len(row["id"]) for row in found)
    for row in found:
        missing = "" if row["available"] else f"   ({row['install']})"
        print(f"{row['id']:<{width}}  {row['split']:<9} {row['instruction']}{missing}")
    return None


def _list_families(found: list[dict[str, Any]], as_json: bool) -> Any:
    if as_json:
        return found
    print(f"{'family':<16} {'tasks':>5} {'run here':>9} {'demonstrated':>13} {'held out':>9}")
    for row in found:
        missing = "" if row["available"] == row["tasks"] else f"   ({row['install']})"
        print(
            f"{row['family']:<16} {row['tasks']:>5} {row['available']:>9} {row['demonstrators']:>13} "
            f"{row['held_out']:>9}{missing}"
        )
    totals = [sum(row[name] for row in found) for name in ("tasks", "available", "demonstrators", "held_out")]
    print(f"{'all':<16} {totals[0]:>5} {totals[1]:>9} {totals[2]:>13} {totals[3]:>9}")
    return None


def _list_models(as_json: bool) -> Any:
    import torch

    from opengato.agent.config import PRESETS
    from opengato.agent.model import Model

    found = []
    for name, config in PRESETS.items():
        with torch.device("meta"):  # counts parameters without making them
            model = Model(config)
        blocks = sum(parameter.numel() for parameter in model.transformer.parameters())
        found.append(
            {"model": name, "parameters": model.num_parameters, "in_blocks": blocks, **dataclasses.asdict(config)}
        )
    if as_json:
        return found
    for row in found:
        print(
            f"{row['model']:<6} {row['parameters'] / 1e6:8.1f} M parameters "
            f"({row['in_blocks'] / 1e6:.1f} M in blocks)  "
            f"{row['blocks']} blocks × {row['width']}, {row['heads']} heads, window {row['window']}"
        )
    return None


def _list_agents(as_json: bool) -> Any:
    from opengato.agent.shipped import shipped

    found = [{"agent": name, **json.loads((path / "card.json").read_text())} for name, path in shipped().items()]
    if as_json:
        return found
    for row in found:
        print(f"{row['agent']}  {row.get('parameters', 0) / 1e6:.1f} M parameters, {len(row.get('tasks', []))} tasks")
    return None
