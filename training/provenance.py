"""Where a dataset comes from: the code, the command, the simulators."""

from __future__ import annotations

import functools
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import opengato
from opengato.tasks.card import Card


def provenance() -> dict[str, Any]:
    """`opengato` (version), `commit`, `command`, `created` (UTC), `python`, `platform`."""
    return {
        "opengato": opengato.__version__,
        "commit": git_commit(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


@functools.cache
def git_commit() -> str | None:
    """Commit of the checkout that opengato runs from, with "-dirty" if files differ; None outside a checkout."""
    root = Path(str(opengato.__file__)).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def demonstrator_name(card: Card) -> str:
    """A name for the card's demonstrator that is the same in every process."""
    found = card.demonstrator
    if isinstance(found, str):
        return found
    if not hasattr(found, "__qualname__"):
        found = type(found)
    return f"{found.__module__}:{found.__qualname__}"
