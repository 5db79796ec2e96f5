"""The code that a task comes from: which files, and one name for what they say."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any

import opengato.envs
from opengato.tasks.card import Card

WORLDS = Path(str(opengato.envs.__file__)).resolve().parent
OURS = tuple(WORLDS.parent / floor for floor in ("envs", "tasks", "training"))  # where factories and demonstrators are


def code_hash(card: Card) -> str:
    """Names the code that a task comes from, 16 hexadecimal digits: another name tells that the code has changed."""
    digests = sorted(_look(file)[0] for file in source_files(card))
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


def source_files(card: Card) -> set[Path]:
    """The Python files of a task's factory and demonstrator, and all that these import of our worlds, at any hand.

    Neither a family beside them nor another task's script is among them. Of a user's package the whole folder is.
    """
    found: set[Path] = set()
    due = {*_beside(_module_file(card.factory)), *_beside(_demonstrator_file(card))}
    while due:
        file = due.pop()
        found.add(file)
        due |= _look(file)[1] - found
    return found


def _demonstrator_file(card: Card) -> Path | None:
    if isinstance(card.demonstrator, str):
        try:
            spec = importlib.util.find_spec(card.demonstrator.partition(":")[0])
        except (ImportError, ValueError):  # a path that leads nowhere: `make_demonstrator` says so
            return None
        return Path(spec.origin) if spec is not None and spec.origin else None
    return _module_file(card.demonstrator)


def _module_file(thing: Any) -> Path | None:
    while isinstance(thing, functools.partial):
        thing = thing.func
    thing = inspect.unwrap(thing) if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
    try:
        file = inspect.getsourcefile(thing)
    except TypeError:  # built in
        return None
    return Path(file) if file else None


def _beside(file: Path | None) -> list[Path]:
    """The file, with the rest of its folder where that is a user's package, which belongs together."""
    if file is None or not file.is_file():
        return []
    file = file.resolve()
    alone = any(file.is_relative_to(folder) for folder in OURS) or not (file.parent / "__init__.py").exists()
    return [file] if alone else list(file.parent.glob("*.py"))


def _look(file: Path) -> tuple[bytes, frozenset[Path]]:
    """A file's SHA-256, and the files of our worlds that it imports."""
    state = file.stat()
    return _look_once(file, state.st_mtime_ns, state.st_size)


@functools.cache
def _look_once(file: Path, changed: int, size: int) -> tuple[bytes, frozenset[Path]]:
    text = file.read_bytes()
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):  # compiled, or not for this Python
        nodes = []
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, file)
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}  # what is named may be a module
    return hashlib.sha256(text).digest(), frozenset(path for name in names for path in _worlds_files(name))


def _absolute(node: ast.ImportFrom, file: Path) -> str:
    """The module that is imported from; a relative one matters in the worlds alone."""
    if not node.level or not file.is_relative_to(WORLDS):
        return node.module or ""
    folder = file.relative_to(WORLDS).parents[node.level - 1]
    return ".".join(["opengato.envs", *folder.parts, *filter(None, [node.module])])


def _worlds_files(module: str) -> list[Path]:
    """What importing a module runs of our worlds: the packages on the way to it, and the module."""
    if not module.startswith("opengato.envs."):
        return []
    parts = module.split(".")[2:]
    packages = [WORLDS.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    return [path for path in (*packages, WORLDS.joinpath(*parts).with_suffix(".py")) if path.is_file()]
