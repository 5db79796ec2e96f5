"""Training on a store that does not fit into the memory it may take.

    python -m opengato.benchmarks.store 3

writes random pictures of so many GiB, and trains on them twice, with their pages not in memory at first: with all the
memory of the machine, and with a tenth of the store's size, for what the training itself works with included. The limit
is a control group's (Linux, as root).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from gymnasium import spaces

from opengato.agent import Agent
from opengato.agent.config import preset
from opengato.agent.episode import Episode
from opengato.errors import OpengatoError
from opengato.training.arrays import open_arrays
from opengato.training.episodes import EpisodeStore, write_episodes
from opengato.training.mixture import MixtureConfig
from opengato.training.trainer import Trainer, TrainerConfig

TASK = "bench/pictures"
SIDE, STEPS, DONE = 64, 250, 6
SHARE = 10  # of the store's size to what may be in memory
GROUPS = Path("/sys/fs/cgroup/memory")  # version 1
WARM, UPDATES = 5, 40


def episodes(size: int) -> Iterator[Episode]:
    """Random pictures of this many bytes in all."""
    rng = np.random.default_rng(0)
    for _ in range(max(1, size // (STEPS * SIDE * SIDE * 3))):
        pictures = rng.integers(0, 256, (STEPS, SIDE, SIDE, 3), np.uint8)
        actions = rng.uniform(-1, 1, (STEPS, DONE)).astype(np.float32)
        yield Episode(list(pictures), list(actions), np.zeros(STEPS, np.float32))


def train(folder: str, limit: int) -> dict[str, Any]:
    """Train on the store of a folder, from here on in so many bytes of memory (0: as many as there are)."""
    agent = Agent.new(preset("nano"))
    if limit:
        group = GROUPS / f"opengato-{os.getpid()}"
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    arrays = open_arrays(EpisodeStore.open(folder, TASK), TASK, "look", agent.vocabulary)
    mixture = MixtureConfig(rows=4, demonstration_prompts=0, instruction_prompts=0)
    trainer = Trainer(agent, [arrays], TrainerConfig(workers=0, mixture=mixture))
    drawn, taken = [], []
    for step in range(WARM + UPDATES):
        began = time.perf_counter()
        batch = trainer.mixture.batch(step)
        drawn.append(time.perf_counter() - began)
        trainer.update(batch)
        taken.append(time.perf_counter() - began)
    found = {"update_s": median(taken[WARM:]), "drawing_s": median(drawn[WARM:])}
    if limit:
        found["most_gib"] = int((group / "memory.max_usage_in_bytes").read_text()) / 2**30
        (GROUPS / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()
    return found


def main(gib: float) -> dict[str, Any]:
    """Both runs, and how they compare."""
    if not os.access(GROUPS / "cgroup.procs", os.W_OK):
        raise OpengatoError(f"a limit on memory needs {GROUPS} and the right to write there; nothing was measured.")
    size = int(gib * 2**30)
    with tempfile.TemporaryDirectory() as folder:
        space = spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)
        write_episodes(folder, TASK, episodes(size), space, spaces.Box(-1, 1, (DONE,)), {})
        store = EpisodeStore.open(folder, TASK)
        open_arrays(store, TASK, "look", Agent.new(preset("nano")).vocabulary)
        found: dict[str, Any] = {"store_gib": gib}
        for name, limit in (("all", 0), ("tenth", size // SHARE)):
            _forget(Path(folder))
            command = [sys.executable, "-m", "opengato.benchmarks.store", folder, str(limit)]
            found[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    found["ratio"] = found["tenth"]["update_s"] / found["all"]["update_s"]
    return found


def _forget(folder: Path) -> None:
    """Have the system drop what it keeps of these files in memory."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


if __name__ == "__main__":
    words = sys.argv[1:]
    print(json.dumps(train(words[0], int(words[1])) if len(words) == 2 else main(float(words[0]))))
