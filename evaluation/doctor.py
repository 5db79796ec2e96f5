"""What works on this machine, tried rather than guessed: each trial runs in a child process, so a crash is a finding.

A broken graphics driver kills `import mujoco` and some simulators abort instead of raising. A child that dies or hangs
costs this process nothing.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from opengato.tasks import find
from opengato.tasks.card import EXTRA_MODULES

TIMEOUT_S = 120.0
SMALL_BALL = '<mujoco><worldbody><light pos="0 0 2"/><geom size=".2"/></worldbody></mujoco>'

RENDERER = f"""
import mujoco
model = mujoco.MjModel.from_xml_string('''{SMALL_BALL}''')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 32, 32)
renderer.update_scene(data)
assert renderer.render().max() > 0, "the picture is black"
print("draws")
"""
RAYCASTER = f"""
import mujoco
from opengato.envs.rendering.raycast import FreeCamera, RayCaster
model = mujoco.MjModel.from_xml_string('''{SMALL_BALL}''')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
picture = RayCaster(model, 32, 32, camera=FreeCamera.overview(model)).render(data)
assert picture.max() > 0, "the picture is black"
print("draws")
"""
TINY = """
import pybullet as p
p.connect(p.DIRECT)
p.createMultiBody(0, -1, p.createVisualShape(p.GEOM_SPHERE, radius=.3, rgbaColor=[1, 0, 0, 1]))
view = p.computeViewMatrix([1, 1, 1], [0, 0, 0], [0, 0, 1])
lens = p.computeProjectionMatrixFOV(60, 1, .1, 10)
picture = p.getCameraImage(32, 32, view, lens, renderer=p.ER_TINY_RENDERER)[2]
assert max(map(int, bytes(bytearray(picture)[:4096:4]))) > 0, "the picture is black"
print("draws")
"""
VIDEO = """
import sys, numpy, imageio_ffmpeg
writer = imageio_ffmpeg.write_frames(sys.argv[1], (64, 64), fps=10, codec="libx264", macro_block_size=2)
writer.send(None)
for level in range(8):
    writer.send(numpy.full((64, 64, 3), 30 * level, numpy.uint8))
writer.close()
print("writes H.264 with ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
"""
TORCH = """
import torch
from torch.backends import mps
device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "mps" if mps.is_available() else "CPU"
product = torch.ones(8, 8, dtype=torch.bfloat16) @ torch.ones(8, 8, dtype=torch.bfloat16)
assert product.sum() == 512
kernels = torch.backends.cpu.get_cpu_capability()
print(f"PyTorch {torch.__version__} on {device}, {torch.get_num_threads()} threads, {kernels}")
"""
TASK = """
import sys
from opengato.tasks import get, load_plugins
load_plugins(sys.argv[2:])
card = get(sys.argv[1])
env = card.make()
env.action_space.seed(0)
observation, _ = env.reset(seed=0)
assert env.observation_space.contains(observation), "the first observation is outside its space"
env.step(env.action_space.sample())
picture = env.render()
assert picture is not None and picture.max() > 0, "render() gave a black picture"
env.close()
print(f"{card.id} made, reset, stepped, drawn")
"""


@dataclass(frozen=True)
class Finding:
    """One thing tried.

    Args:
        kind: what sort of thing.
        name: of the thing.
        ok: whether it works.
        needed: whether anything of the base install rests on it.
        detail: what it answered, or why it failed.
        next_step: a command, where one would help; else empty.
        seconds: how long the trial took.
    """

    kind: Literal["machine", "renderer", "video", "family"]
    name: str
    ok: bool
    needed: bool
    detail: str
    next_step: str
    seconds: float


def doctor(
    plugins: list[str] | None = None, *, show: bool = True, timeout_s: float = TIMEOUT_S
) -> list[dict[str, Any]]:
    """Try every renderer, the video encoder, PyTorch and one task of every family.

    Args:
        plugins: files that register further tasks.
        show: print the findings as a table on standard output.
        timeout_s: a trial that takes longer has failed.

    Returns:
        One dict per finding: `kind, name, ok, needed, detail, next_step, seconds`; JSON values only.

    Raises:
        OpengatoError: a plugin does not load.
    """
    trials = machine_trials(timeout_s) + renderer_trials(timeout_s) + family_trials(plugins or [], timeout_s)
    with ThreadPoolExecutor(max(1, min(4, (os.cpu_count() or 1)))) as pool:
        findings = list(pool.map(lambda trial: trial(), trials))
    if show:
        print_table(findings)
    return [asdict(finding) for finding in findings]


def try_in_child(code: str, *arguments: str, timeout_s: float, **variables: str) -> tuple[bool, str, float]:
    """Run code in a fresh Python.

    Returns:
        Whether it exited with 0; its last line of output, or the reason that it failed; the seconds it took.
    """
    started = time.monotonic()
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, **variables}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {timeout_s:.0f} s", timeout_s
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    ending = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    last = lines[-1].strip() if lines else ("" if done.returncode == 0 else ending)
    return done.returncode == 0, last, time.monotonic() - started


def machine_trials(timeout_s: float) -> list[Callable[[], Finding]]:
    """Python, PyTorch and the video encoder."""

    def python() -> Finding:
        text = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        return Finding("machine", "python", sys.version_info >= (3, 11), True, text, "", 0.0)

    def torch() -> Finding:
        ok, text, seconds = try_in_child(TORCH, timeout_s=timeout_s)
        return Finding("machine", "torch", ok, True, text, "" if ok else "make install", seconds)

    def video() -> Finding:
        with tempfile.TemporaryDirectory() as folder:
            ok, text, seconds = try_in_child(VIDEO, os.path.join(folder, "trial.mp4"), timeout_s=timeout_s)
        return Finding("video", "mp4", ok, True, text, "" if ok else "pip install imageio-ffmpeg", seconds)

    return [python, torch, video]


def renderer_trials(timeout_s: float) -> list[Callable[[], Finding]]:
    """The renderers that need no graphics library, and the two of OpenGL, which are optional."""
    opengl = {
        "egl": "apt-get install libegl1 libopengl0 libgl1-mesa-dri",
        "osmesa": "apt-get install libosmesa6",
    }

    def trial(name: str, code: str, needed: bool, next_step: str, **variables: str) -> Callable[[], Finding]:
        def run() -> Finding:
            ok, text, seconds = try_in_child(code, timeout_s=timeout_s, **variables)
            return Finding("renderer", name, ok, needed, text, "" if ok else next_step, seconds)

        return run

    plain = {"MUJOCO_GL": "disabled"}
    trials = [
        trial("ray-caster", RAYCASTER, True, "make install", **plain),
        trial("pybullet-tiny", TINY, False, "pip install 'opengato[bullet]'"),
    ]
    for name, packages in opengl.items():
        trials.append(trial(name, RENDERER, False, packages, MUJOCO_GL=name, PYOPENGL_PLATFORM=name))
    return trials


def family_trials(plugins: list[str], timeout_s: float) -> list[Callable[[], Finding]]:
    """One trial per family and extra: tasks of one family may rest on different packages."""
    from opengato.tasks import load_plugins

    load_plugins(plugins)
    chosen = {(card.family, card.extra): card for card in reversed(find("*"))}
    shared = {family for family, _ in chosen if sum(other == family for other, _ in chosen) > 1}

    def trial(card: Any) -> Callable[[], Finding]:
        def run() -> Finding:
            name = card.id if card.family in shared else card.family
            if not card.available:
                missing = ", ".join(card.missing_modules)
                step = card.install_command
                return Finding("family", name, False, False, f"not installed: {missing}", step, 0.0)
            ok, text, seconds = try_in_child(TASK, card.id, *plugins, timeout_s=timeout_s, MUJOCO_GL="disabled")
            known = card.extra in EXTRA_MODULES
            again = card.install_command.replace("pip install", "pip install --force-reinstall")
            step = "" if ok else again if known else "make install"
            return Finding("family", name, ok, card.extra is None, text, step, seconds)

        return run

    return [trial(card) for card in sorted(chosen.values(), key=lambda card: card.id)]


def print_table(findings: list[Finding]) -> None:
    """A table of the findings, and one line that says whether what the base install promises works."""
    table = Table("", "what", "answer", "next step", title="opengato doctor", title_justify="left")
    for finding in findings:
        mark = "[green]ok[/]" if finding.ok else "[red]FAILS[/]" if finding.needed else "[yellow]no[/]"
        step = finding.next_step if finding.needed or not finding.next_step else f"{finding.next_step} (optional)"
        table.add_row(mark, f"{finding.kind} {finding.name}", escape(finding.detail[:160]), escape(step))
    console = Console()
    console.print(table)
    broken = [finding.name for finding in findings if finding.needed and not finding.ok]
    console.print(f"broken: {', '.join(broken)}" if broken else "everything that the base install needs works")
