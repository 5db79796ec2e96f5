"""Agents that come with the package, and the one that plays where none is named."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from warnings import warn

from opengato.errors import UnknownNameError

DEFAULT = "generalist"
SUCCESSORS = {"first-light": DEFAULT}  # shipped once → what took its place, so that a command of old goes on working


def shipped() -> dict[str, Path]:
    """Agents that come with the package: name → folder."""
    root = Path(str(files("opengato.assets"))) / "agents"
    return {path.parent.name: path.parent for path in sorted(root.glob("*/config.json"))}


def find(name: str | Path) -> Path:
    """The folder of an agent; where it ships no more, of the one that took its place. Raises UnknownNameError."""
    known = shipped()
    if str(name) in known:
        return known[str(name)]
    path = Path(name).expanduser()
    if not (path / "config.json").is_file():
        if str(name) in SUCCESSORS:
            warn(f"agent {name} ships no more: {SUCCESSORS[str(name)]} took its place and plays", stacklevel=2)
            return find(SUCCESSORS[str(name)])
        raise UnknownNameError(
            "agent", str(name), known, "Next: name a shipped agent or a folder that `opengato train` wrote."
        )
    return path
