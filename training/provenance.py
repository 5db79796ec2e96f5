"""Where a dataset comes from: the code, the command, the simulators."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
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


def code_hash(card: Card) -> str:
    """Hash of the Python files beside the task's factory and demonstrator: tells whether their code has changed."""
    files = {*_sources(_module_file(card.factory)), *_sources(_demonstrator_file(card))}
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _demonstrator_file(card: Card) -> Path | None:
    if isinstance(card.demonstrator, str):
        spec = importlib.util.find_spec(card.demonstrator.partition(":")[0])
        return Path(spec.origin) if spec is not None and spec.origin else None
    return _module_file(card.demonstrator)


def _module_file(thing: Any) -> Path | None:
    while isinstance(thing, functools.partial):
        thing = thing.func
    thing = thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
    try:
        file = inspect.getsourcefile(thing)
    except TypeError:  # built in
        return None
    return Path(file) if file else None


def _sources(file: Path | None) -> list[Path]:
    if file is None or not file.is_file():
        return []
    # A plugin may lie among a user's other scripts; a package belongs together.
    return list(file.parent.glob("*.py")) if (file.parent / "__init__.py").exists() else [file]
