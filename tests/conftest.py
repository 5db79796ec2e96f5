"""What every test runs under: no GL library, few threads, a registry that is put back after each test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

# Before any simulator is imported: the tests must pass where no GL library exists, so none may be used here.
os.environ.setdefault("MUJOCO_GL", "disabled")
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # as in `opengato.cli`: or a busy machine takes ten times as long
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks and plugins that a test registers are gone after it."""
    from opengato.tasks import registry

    monkeypatch.setattr(registry, "_cards", dict(registry._all()))
    monkeypatch.setattr(registry, "_plugins", set(registry._plugins))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("opengato_plugin_"):
            del sys.modules[name]


@pytest.fixture
def odd(fresh_registry: None) -> ModuleType:
    """The plugin `odd_tasks.py`, loaded."""
    from opengato.tasks import registry

    registry.load_plugins([ROOT / "tests/odd_tasks.py"])
    return sys.modules["opengato_plugin_odd_tasks"]
