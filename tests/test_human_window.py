"""A person's demonstrations through a real window: an X server that shows nothing, and keys that come through it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from opengato.training.episodes import EpisodeStore

pytest.importorskip("pygame")
needs = [program for program in ("Xvfb", "xdotool") if shutil.which(program) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(needs), reason=f"{', '.join(needs)} missing: apt-get install xvfb xdotool"),
]
TASK = "arm/lift-red"
WAIT_S = 120.0


@pytest.fixture
def display() -> Iterator[str]:
    """A display of its own; gives its name."""
    ours, theirs = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[theirs], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    with os.fdopen(ours) as told:
        number = told.readline().strip()
    try:
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


def until(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for something; fails where the process ends before or it takes too long."""
    began = time.monotonic()
    while not true():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() - began < WAIT_S, log.read_text()
        time.sleep(0.1)


def test_a_person_drives_the_arm_with_keys_in_a_window(display: str, tmp_path: Path) -> None:
    """The first episode is thrown away by a key; two more are driven to the right, the gripper shut."""
    environment = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11"}

    def tool(*words: str) -> str:
        done = subprocess.run(["xdotool", *words], env=environment, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    words = ["demonstrator=human", "episodes=2", "keep=0", "max_steps=40", f"data_dir={tmp_path}"]
    log = tmp_path / "log"
    with log.open("w") as told:
        person = subprocess.Popen(
            [sys.executable, "-m", "opengato", "collect", f"tasks=[{TASK}]", *words], env=environment, stderr=told
        )
    try:
        windows: list[str] = []  # searched for by class: without a window manager names are not found

        def shown() -> bool:
            found = tool("search", "--class", "").split()
            windows[:] = [each for each in found if "escape: enough" in tool("getwindowname", each)]
            return bool(windows)

        until(shown, person, log)
        (window,) = windows
        assert "space: last" in tool("getwindowname", window)
        tool("windowfocus", "--sync", window)
        tool("keydown", "Left")
        time.sleep(0.5)
        tool("keyup", "Left")
        tool("key", "BackSpace")
        tool("keydown", "Right")
        time.sleep(0.5)
        tool("key", "space")
        person.wait(WAIT_S)
    finally:
        person.kill()
        person.wait()
    first, second = (np.asarray(episode.actions) for episode in EpisodeStore.open(tmp_path, TASK))
    assert (len(first), len(second)) == (40, 40)
    assert (first[:, 0] == 1).mean() > 0.5, "the right arrow was held from the start on, or nearly"
    assert not (first[:, 0] == -1).any(), "what was thrown away is gone"
    assert (second[:, 0] == 1).all()
    assert (first[0, -1], first[-1, -1], second[0, -1]) == (1, -1, 1), (
        "space shut the gripper for the rest of an episode"
    )
