"""The house stays in order: floors import downwards only, files stay small, no machine's paths in what is tracked."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each floor imports only from floors below it, and from itself. `agent` and `envs` share a floor and never meet.
LEVELS = [
    ["errors", "assets", "configs", "client"],
    ["envs", "agent"],
    ["tasks"],
    ["training"],
    ["evaluation"],
    ["benchmarks"],
    ["opengato"],
]
FLOORS = {name: level for level, names in enumerate(LEVELS) for name in names}
PACKAGES = [name for name in FLOORS if name != "errors"]
CODE = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py") if "__pycache__" not in path.parts)
OUTSIDE = sorted(p for name in ("tests", "examples", "scripts") for p in (ROOT / name).rglob("*.py"))
LINES_CEILING = 400


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _floor_of_file(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "errors" if parts == ("opengato", "errors.py") else parts[0]


def _modules(node: ast.AST) -> list[str]:
    """Absolute names that an import statement names, `from opengato import envs` included."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        if node.module == "opengato":
            return [f"opengato.{alias.name}" for alias in node.names]
        return [node.module]
    return []


def _paths_in_strings(node: ast.AST) -> list[str]:
    """Import paths given as text (`"opengato.envs.arm:Script"`), which bind floors as an import does."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.findall(r"^opengato\.[a-z_.]+(?=:[A-Za-z_]+$)", node.value)
    return []


def _imported_floors(path: Path) -> list[tuple[int, str]]:
    """(line, floor) of everything of ours that a file imports."""
    found = []
    for node in ast.walk(_tree(path)):
        for module in _modules(node) + _paths_in_strings(node):
            parts = module.split(".")
            if parts[0] == "opengato" and len(parts) > 1:
                floor = parts[1] if parts[1] in FLOORS else "opengato"
                if parts[1] != "__version__":
                    found.append((getattr(node, "lineno", 0), floor))
    return found


@pytest.mark.parametrize("path", CODE, ids=_id)
def test_imports_only_from_floors_below(path: Path) -> None:
    own = _floor_of_file(path)
    for line, other in _imported_floors(path):
        assert other == own or FLOORS[other] < FLOORS[own], f"{_id(path)}:{line}: {own} must not import {other}"


@pytest.mark.parametrize("path", CODE + OUTSIDE, ids=_id)
def test_no_bare_import_of_a_root_folder(path: Path) -> None:
    bare = set(PACKAGES) - {"opengato"}
    for node in ast.walk(_tree(path)):
        for module in _modules(node):
            assert module.split(".")[0] not in bare, f"{_id(path)}:{node.lineno}: write opengato.{module}"


@pytest.mark.parametrize("path", CODE, ids=_id)
def test_relative_imports_stay_inside_their_folder(path: Path) -> None:
    depth = len(path.relative_to(ROOT).parts) - 1
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= depth, f"{_id(path)}:{node.lineno}: across folders import from opengato.…"


@pytest.mark.parametrize("path", CODE + OUTSIDE, ids=_id)
def test_file_is_small_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_CEILING, "one idea a file"
    said = not text.strip() or text.startswith("# ") or ast.get_docstring(_tree(path))
    assert said, "a module says in its first line what it is"


@pytest.mark.parametrize("path", CODE, ids=_id)
def test_no_bare_except_and_no_pickled_file(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{_id(path)}:{node.lineno}: a bare except hides our own bugs"
        if isinstance(node, ast.Call):
            assert not _reads_a_pickle(node), f"{_id(path)}:{node.lineno}: a file that may run code when it is read"


def _reads_a_pickle(call: ast.Call) -> bool:
    """`pickle.load`, `torch.load` that allows more than weights, `numpy.load` that allows pickles. (Bytes that our own
    processes hand each other are another matter.)"""
    settings = {word.arg: ast.unparse(word.value) for word in call.keywords}
    match ast.unparse(call.func):
        case "pickle.load" | "pickle.Unpickler" | "dill.load" | "joblib.load":
            return True
        case "torch.load":
            return settings.get("weights_only") != "True"
        case "np.load" | "numpy.load":
            return settings.get("allow_pickle", "False") != "False"
    return False


def _tracked_text() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = listing.stdout.splitlines() if listing.returncode == 0 else []
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".cfg", ".xml", ".sh", ""}
    found = [ROOT / name for name in names if Path(name).suffix in kinds]
    return [path for path in found if path.is_file() and not path.is_symlink() and path.stat().st_size < 2_000_000]


def test_no_machine_paths_in_tracked_text() -> None:
    # Spelled in pieces, so that this file does not find itself.
    folders = "|".join(["ho" + "me", "ro" + "ot", "wo" + "rk", "Us" + "ers", "op" + "t", "sha" + "red"])
    pattern = re.compile(rf"(?<![\w./}}$)-])/(?:{folders})/[\w.-]+")
    files = _tracked_text()
    if not files:
        pytest.skip("not a git checkout")
    hits = [
        f"{_id(path)}:{number}: {match.group(0)}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for match in pattern.finditer(line)
    ]
    assert not hits, "\n".join(hits)


def test_every_root_package_is_named_for_the_wheel_and_the_type_checker() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert set(wheel["only-include"]) == folders
    assert wheel["sources"] == {name: f"opengato/{name}" for name in sorted(folders - {"opengato"})} | {}
    for name in folders - {"opengato"}:
        assert (ROOT / "typings" / "opengato" / name).resolve() == ROOT / name


def test_top_level_modules_of_the_package_are_linked_for_the_type_checker() -> None:
    for path in (ROOT / "opengato").glob("*.py"):
        link = ROOT / "typings" / "opengato" / path.name
        assert link.is_symlink(), f"ln -s ../../opengato/{path.name} typings/opengato/"
        assert link.resolve() == path
