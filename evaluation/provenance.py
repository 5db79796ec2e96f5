"""Where a figure comes from: versions, commit and machine."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from opengato.training.provenance import git_commit

PACKAGES = (
    "torch", "numpy", "gymnasium", "mujoco", "dm-control", "pybullet", "ale-py", "minigrid", "metaworld",
    "gymnasium-robotics", "vizdoom", "dmlab2d", "procgen-mirror", "dm_robotics-manipulation",
)  # fmt: skip


@functools.cache
def versions() -> dict[str, str]:
    """Versions of opengato, Python and the installed simulators."""
    import opengato

    found = {"opengato": opengato.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Short hash of the checkout this code runs from, "+" appended if files differ from it; None outside a checkout."""
    whole = git_commit()
    return None if whole is None else whole[:10] + ("+" if whole.endswith("-dirty") else "")


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory, system, and the accelerator if PyTorch has been loaded and sees
    one.
    """
    found: dict[str, Any] = {"system": f"{platform.system()} {platform.machine()}", "processor": _processor()}
    found["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_gib"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["accelerator"] = torch.cuda.get_device_name(0)
    return found


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that the file is always whole: beside its place first, then moved. NaN becomes null.

    Raises:
        TypeError: the content holds something JSON has no word for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(plain(content), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def plain(value: Any) -> Any:
    """The same content in JSON's own types: numpy scalars and tuples converted, numbers that are not finite to None."""
    if hasattr(value, "item") and not isinstance(value, str) and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
