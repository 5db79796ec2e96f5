"""What names a task's code changes with that code, and with no other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from opengato.tasks import registry
from opengato.tasks.source import code_hash, source_files

TASKS = ("arm/reach-red", "bullet/panda-reach", "control/cartpole-balance", "sokoban/boxes-1")
# Appends a line to each file named, one after the other, and prints which of the tasks got another name by it.
SCRIPT = f"""
import json, sys
from pathlib import Path
import opengato
from opengato.tasks import registry
from opengato.tasks.source import code_hash

def names():
    return {{task: code_hash(registry.get(task)) for task in {TASKS}}}

told, before = [], names()
assert before == names()
for name in sys.argv[1:]:
    with Path(name).open("a") as file:
        file.write("# changed" + chr(10))
    after = names()
    told.append([task for task in before if after[task] != before[task]])
    before = after
print(json.dumps(told))
"""


def test_a_name_changes_with_its_own_code_alone(tmp_path: Path, root: Path) -> None:
    for folder in ("opengato", "envs", "tasks"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "assets").symlink_to(root / "assets")
    changed = {
        "tasks/families/arm.py": ["arm/reach-red"],
        "tasks/families/doom.py": [],
        "tasks/registry.py": [],
        "envs/bullet/panda_expert.py": ["bullet/panda-reach"],  # the demonstrator
        "envs/bullet/expert.py": [],  # that of other tasks of the family
        "envs/arm/kinematics.py": ["arm/reach-red"],  # at second hand
        "envs/rendering/raycast.py": ["arm/reach-red", "control/cartpole-balance"],
        "envs/sokoban/rooms.py": ["sokoban/boxes-1"],
    }
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", SCRIPT, *changed]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert dict(zip(changed, json.loads(told), strict=True)) == changed


def test_every_task_comes_from_its_own_family_and_worlds(root: Path) -> None:
    for card in registry.find("*"):
        files = {file.relative_to(root) for file in source_files(card)}
        families = {file for file in files if file.parts[0] == "tasks"}
        assert families == {Path("tasks/families") / f"{card.factory.func.__module__.rpartition('.')[2]}.py"}, card.id
        assert all(file.parts[0] == "envs" for file in files - families), card.id
        assert any(file.name in ("env.py", "suite.py", "card.py", "walker.py") for file in files), card.id


@pytest.mark.usefixtures("fresh_registry")
def test_of_a_user_a_file_counts_alone_and_a_package_together(tmp_path: Path) -> None:
    lines = (
        "from opengato.tasks import register\n"
        "@register('{}/walk')\n"
        "def make(**_):\n"
        "    from opengato.envs.arm import make\n"
    )
    (tmp_path / "package").mkdir()
    files = {name: tmp_path / name for name in ("alone.py", "other.py", "package/__init__.py", "package/helper.py")}
    for name, file in files.items():
        file.write_text(lines.format(name[:5]) if name != "package/helper.py" else "print 'another Python'\n")
    registry.load_plugins([file for name, file in files.items() if name != "package/helper.py"])
    cards = [registry.get(f"{name}/walk") for name in ("alone", "other", "packa")]
    before = [code_hash(card) for card in cards]
    assert {file.name for file in source_files(cards[0])} >= {"alone.py", "raycast.py"}
    files["alone.py"].write_text(files["alone.py"].read_text() + "\n")
    files["package/helper.py"].write_text("")
    after = [code_hash(card) for card in cards]
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, False, True]
