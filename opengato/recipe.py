"""`opengato recipe name=…`: the commands that make something from nothing, one after another.

A recipe is a file in `configs/recipe/`. Each of its commands goes on where it was, so a recipe that was stopped does,
too.
"""

from __future__ import annotations

import shlex
import sys
import time
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

    folder = files("opengato.configs") / "recipe"
    known = sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    if name not in known:
        raise UnknownNameError("recipe", name, known, "Next: opengato recipe --help")
    found = OmegaConf.create((folder / f"{name}.yaml").read_text())
    return [str(line) for line in found.commands]
