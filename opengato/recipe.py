"""`opengato recipe name=…`: the commands that make something from nothing, one after another.

A recipe is a file in `configs/recipe/`. Each of its commands goes on where it was (`evaluate` plays anew), so a recipe
that was stopped does, too.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from opengato.errors import OpengatoError, UnknownNameError


@dataclass(frozen=True)
class RecipeConfig:
    """A recipe.

    Args:
        name: of a file in `configs/recipe/`.
        start: number of the command to begin with; those before it are left out.
        dry: say what would be done, and do nothing.
    """

    name: str = "generalist"
    start: int = 1
    dry: bool = False


def run(config: RecipeConfig, as_json: bool) -> Any:
    """Run a recipe's commands in order; the first that fails ends it."""
    from opengato.cli import COMMANDS
    from opengato.cli import run as run_command

    lines = read(config.name)
    if not 1 <= config.start <= len(lines):
        raise OpengatoError(f"start is {config.start}; legal: 1 to {len(lines)}.")
    for number, line in enumerate(lines[config.start - 1 :], config.start):
        if not as_json or not config.dry:
            print(f"[{number}/{len(lines)}] opengato {line}", file=sys.stderr, flush=True)
        if config.dry:
            continue
        words = shlex.split(line)
        began = time.monotonic()
        # Two words make a command where the first alone is none: `data verify`.
        count = 1 if words[0] in COMMANDS else 2
        run_command(" ".join(words[:count]), words[count:], as_json=False)
        print(
            f"[{number}/{len(lines)}] took {(time.monotonic() - began) / 60:.1f} minutes", file=sys.stderr, flush=True
        )
    return {"recipe": config.name, "commands": lines} if as_json else None


def read(name: str) -> list[str]:
    """The commands of a recipe. Raises UnknownNameError."""
    from omegaconf import OmegaConf

    known = presets("recipe")
    if name not in known:
        raise UnknownNameError("recipe", name, known, "Next: opengato recipe --help")
    return [str(line) for line in OmegaConf.create(known[name]).commands]


def presets(folder: str) -> dict[str, str]:
    """The texts of the YAML files in a folder of `configs/`, by their names."""
    found = [file for file in (files("opengato.configs") / folder).iterdir() if file.name.endswith(".yaml")]
    return {file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8") for file in found}


def check_preset(name: str, command: str, settings: Sequence[str]) -> None:
    """Raises OpengatoError: there is no such preset, or it sets what the command has not."""
    from omegaconf import OmegaConf

    known = presets("preset")
    if name not in known:
        raise UnknownNameError("preset", name, known, f"Next: opengato {command} --help")
    strange = [str(key) for key in OmegaConf.create(known[name]) if key not in ("defaults", *settings)]
    if strange:
        raise OpengatoError(
            f"preset={name} is not for {command}, which has no {strange[0]!r}. Next: opengato train preset={name}"
        )
