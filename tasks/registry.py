"""Finding and adding tasks: in the package, in installed distributions, in files named on the command line."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from opengato.errors import OpengatoError, UnknownNameError
from opengato.tasks.card import Card

MOST_AHEAD = 2, 64  # actions said at once; one is the task itself

Factory = TypeVar("Factory", bound=Callable[..., Any])

_cards: dict[str, Card] = {}
_loaded = _loading = False
_plugins: set[Path] = set()


def register(id: str, **facts: Any) -> Callable[[Factory], Factory]:
    """Decorate an environment's factory to add its task.

    Args:
        id: `family/name`.
        **facts: the fields of `Card`.

    Raises:
        OpengatoError: the id has no family, or another factory has it already.
    """
    check_id(id)

    def add(factory: Factory) -> Factory:
        if id in _cards:
            raise OpengatoError(
                f"task {id!r} is registered already, by {_cards[id].factory.__module__}. Next: choose another id."
            )
        instruction = facts.pop("instruction", None) or id.partition("/")[2].replace("-", " ")
        _cards[id] = Card(id=id, factory=factory, instruction=instruction, **facts)
        return factory

    return add


def check_id(id: str) -> None:
    """Raises OpengatoError where a task cannot have this id."""
    family, slash, name = id.partition("/")
    if not (family and slash and name):
        raise OpengatoError(
            f"task id {id!r} must read 'family/name'. Next: rename it, e.g. 'mylab/{id.strip('/') or 'task'}'."
        )
    if "@" in id:
        raise OpengatoError(f"task id {id!r} holds an '@', which asks for actions ahead. Next: rename it.")


def get(id: str) -> Card:
    """The card of one task.

    Raises:
        UnknownNameError: there is no such task; the message offers the nearest id.
    """
    cards = _all()
    origin, at, ahead = id.partition("@")
    if origin not in cards:
        raise UnknownNameError("task", id, cards, "Next: opengato list")
    return _ahead(cards[origin], ahead) if at else cards[origin]


def find(patterns: str | Sequence[str] = "*", split: str | None = None) -> list[Card]:
    """Cards whose id fits any pattern (`control/*`), in the registry's order; `control/*@4`: with four actions ahead.

    Raises:
        UnknownNameError: a pattern fits no task.
    """
    cards, chosen = _all(), dict[str, Card]()
    for wanted in [patterns] if isinstance(patterns, str) else patterns:
        pattern, at, ahead = wanted.partition("@")
        hits = [pattern] if pattern in cards else fnmatch.filter(cards, pattern)
        if not hits:
            raise UnknownNameError("task", pattern, cards, "Next: opengato list")
        found = [_ahead(cards[hit], ahead) if at else cards[hit] for hit in hits]
        chosen.update((card.id, card) for card in found)
    return [card for card in chosen.values() if split in (None, card.split)]


def actions_said(id: str) -> int:
    """How many actions are said at once: 4 for `family/name@4`, 1 for `family/name`.

    Raises:
        OpengatoError: behind the @ stands no number, or none from 2 to 64.
    """
    origin, at, ahead = id.partition("@")
    if not at:
        return 1
    if not (ahead.isdecimal() and MOST_AHEAD[0] <= int(ahead) <= MOST_AHEAD[1]):
        raise OpengatoError(
            f"task {id!r}: after the @ comes how many actions are said at once, a number from "
            f"{MOST_AHEAD[0]} to {MOST_AHEAD[1]}. Next: {origin}@4"
        )
    return int(ahead)


def _ahead(card: Card, ahead: str) -> Card:
    """The same task with several actions a step."""
    from opengato.envs.ahead import look_every  # imports Gymnasium, which a plain listing does without

    count = actions_said(f"{card.id}@{ahead}")
    rate = None if card.rate_hz is None else card.rate_hz / look_every(count)
    return replace(card, id=f"{card.id}@{count}", ahead=count, rate_hz=rate)


def family_names() -> list[str]:
    """Names of all families, in the registry's order."""
    return list(dict.fromkeys(card.family for card in _all().values()))


def load_plugins(files: Iterable[str | Path]) -> None:
    """Import files of the user that register tasks; a file is imported once.

    Raises:
        OpengatoError: a file is not there, or fails to import.
    """
    _all()
    for file in files:
        path = Path(file).expanduser().resolve()
        if path in _plugins:
            continue
        if not path.is_file():
            raise OpengatoError(
                f"plugin {str(file)!r} is not a file. Next: give the path of a Python file that registers tasks."
            )
        spec = importlib.util.spec_from_file_location(f"opengato_plugin_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except OpengatoError:
            raise
        except Exception as error:
            raise OpengatoError(f"plugin {str(file)!r} failed to import: {type(error).__name__}: {error}") from error
        _plugins.add(path)


def _all() -> dict[str, Card]:
    global _loading, _loaded
    if not _loaded and not _loading:
        _loading = True  # a family that asks the registry while it loads must not load it again
        try:
            _load()
            _loaded = True
        finally:
            _loading = False
    return _cards


def _load() -> None:
    """Import every family of the package and every entry point; one that fails is named in a warning."""
    families = importlib.import_module("opengato.tasks.families")

    for module in pkgutil.iter_modules(families.__path__):
        importlib.import_module(f"{families.__name__}.{module.name}")
    for entry in importlib.metadata.entry_points(group="opengato.tasks"):
        try:
            entry.load()
        except Exception as error:  # another's package must not keep anyone from the other tasks
            package = entry.dist.name if entry.dist else entry.name
            warnings.warn(
                f"tasks of {package} are missing: its entry point {entry.name} = {entry.value} failed to import: "
                f"{type(error).__name__}: {error}. Next: pip install --upgrade {package}, or pip uninstall {package}",
                stacklevel=2,
            )
