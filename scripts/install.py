"""Set-up of a checkout: makes the virtual environment and installs opengato with every extra that installs here.

Needs nothing but Python ≥ 3.11. Run by `make install`; run it again at any time: what is there already is kept.

    python3 scripts/install.py [--venv .venv] [--torch-index URL]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"
TORCH_FLOOR = (2, 6)  # as in pyproject.toml
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # PyTorch's own index of CPU builds
# No wheel of labmaze exists from Python 3.13 on; the tasks used here never import it, so dm-control goes in without it.
LABMAZE_ENDS = (3, 13)
DM_CONTROL = "dm-control==1.0.49"


def say(line: str) -> None:
    """One line that stands out among pip's."""
    print(f"==> {line}", flush=True)


def run(command: list[str], **options: object) -> bool:
    """Whether the command succeeded."""
    return subprocess.run(command, check=False, **options).returncode == 0  # type: ignore[call-overload]


def make_venv(folder: Path) -> Path:
    """Make the virtual environment if it is not there.

    A PyTorch that the calling Python has already (a GPU user's own build) is shared rather than replaced.

    Returns:
        Its Python.
    """
    python = folder / "bin" / "python"
    if python.exists() and run([str(python), "-m", "pip", "--version"], stdout=subprocess.DEVNULL):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--system-site-packages"] if importlib.util.find_spec("torch") else []
    say(f"making {folder} with Python {platform.python_version()}{', sharing its PyTorch' if options else ''}")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "venv", *options, str(folder)]
    if run(command, **quiet):
        return python
    apt = ["apt-get", "install", "-y", "--no-install-recommends", f"python3.{sys.version_info.minor}-venv"]
    shutil.rmtree(folder, ignore_errors=True)
    if shutil.which("apt-get") and os.geteuid() == 0:
        say(f"Python's venv module is missing; running: {' '.join(apt)}")
        if (run(apt) or (run(["apt-get", "update"]) and run(apt))) and run(command):
            return python
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(f"Python's venv module is missing. Next: sudo {' '.join(apt)}, then the same make again")


def has_torch(python: Path) -> str | None:
    """The version of PyTorch in the environment; None where there is none, or too old a one."""
    code = "import importlib.metadata as m; print(m.version('torch'))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    version = done.stdout.strip()
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())
    return version if numbers >= TORCH_FLOOR else None


def torch_attempts(index: str | None) -> list[list[str]]:
    """Arguments of pip to try in turn; on Linux the plain wheel is a CUDA build of some gigabytes, so it comes late."""
    if index:
        return [[TORCH, "--index-url", index]]
    if sys.platform != "linux":
        return [[TORCH]]
    cpu = f"{TORCH}+cpu"  # the first try finds it where the user's own pip settings know a CPU build
    return [[cpu], [cpu, "--index-url", CPU_INDEX, "--retries", "1", "--timeout", "30"], [TORCH], ["torch>=2.6"]]


def install_torch(python: Path, index: str | None) -> None:
    """Install PyTorch unless one is there: from the index named, else a CPU build, else what pip finds."""
    version = has_torch(python)
    if version:
        say(f"keeping PyTorch {version}")
        return
    attempts = torch_attempts(index)
    for number, arguments in enumerate(attempts, 1):
        say(f"PyTorch: pip install {' '.join(arguments)}")
        last = number == len(attempts)
        if run([str(python), "-m", "pip", "install", "-q", *arguments], stderr=None if last else subprocess.DEVNULL):
            return
    sys.exit("PyTorch did not install. Next: make install TORCH_INDEX=<the index that PyTorch's start page names>")


def install_project(python: Path, work: Path) -> list[str]:
    """Install the project: all at once where that works, else extra by extra.

    Returns:
        The extras that did not install.
    """
    constraints = work / "torch.txt"
    constraints.write_text(f"torch=={has_torch(python)}\n")  # no extra may swap the user's build
    pip = [str(python), "-m", "pip", "install", "-q", "-c", str(constraints)]
    if sys.version_info[:2] >= LABMAZE_ENDS and not run([*pip, "--no-deps", DM_CONTROL]):
        sys.exit(f"{DM_CONTROL} did not install: see pip's message above")
    wanted = wanted_extras()
    say(f"opengato with {', '.join(wanted)}")
    if run([*pip, "-e", f"{ROOT}[{','.join(wanted)}]"], stderr=subprocess.DEVNULL):
        return []
    say("not all at once; one by one")
    if not run([*pip, "-e", str(ROOT)]):
        sys.exit("the base install failed: see pip's message above")
    return [extra for extra in wanted if not run([*pip, "-e", f"{ROOT}[{extra}]"])]


def install_without_dependencies(python: Path) -> list[str]:
    """Install what pip would refuse beside our versions: packages whose pins are stricter than their code.

    Returns:
        The families that did not install.
    """
    code = "import json; from opengato.tasks.card import WITHOUT_DEPENDENCIES as found; print(json.dumps(found))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"]
    return [
        extra
        for extra, packages in json.loads(done.stdout).items()
        if not run([*pip, *packages], stderr=subprocess.DEVNULL)
    ]


def wanted_extras() -> list[str]:
    """Every extra of the project but `all`, which names others, `experts`, which only retrains what ships, and those of
    clusters."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [extra for extra in project["optional-dependencies"] if extra not in ("all", "experts", "slurm", "ray")]


def main() -> None:
    """Parse the command line and set up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--torch-index", default=os.environ.get("TORCH_INDEX") or None)
    options = parser.parse_args()
    python = make_venv(options.venv.absolute())
    install_torch(python, options.torch_index)
    failed = install_project(python, options.venv.absolute())
    failed += install_without_dependencies(python)
    for extra in failed:
        say(f"left out: the extra {extra!r} does not install here. Its tasks stay listed; everything else works")
    say("ready. No system library is needed: what the agent sees and every video is drawn without GL")


if __name__ == "__main__":
    main()
