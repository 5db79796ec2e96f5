"""A sweep plays every combination in jobs of its own, by Hydra's launchers, and gathers what evaluations found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opengato.cli import main
from opengato.evaluation.results import read_results
from opengato.sweep import LAUNCHERS

TASKS = ("control/cartpole-balance", "gridworld/go-to-obj-s4")


@pytest.mark.parametrize("launcher", ["cores", pytest.param("machine", marks=pytest.mark.slow)])
def test_a_sweep_of_evaluations(tmp_path: Path, launcher: str) -> None:
    pytest.importorskip({"launch": "joblib", "slurm": "submitit"}[LAUNCHERS[launcher]])
    words = ["agent=random", "episodes=2", "max_steps=5", "seed=0,3", f"data_dir={tmp_path / 'data'}"]
    swept = ",".join(f"[{task}]" for task in TASKS)
    done = subprocess.run(
        [sys.executable, "-m", "opengato", "sweep", "evaluate", f"tasks={swept}", *words, f"out={tmp_path / 'out'}",
         f"launcher={launcher}"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = read_results(tmp_path / "out")
    assert sorted((row["task"], row["episodes"][0]["seed"] % 10) for row in rows) == sorted(
        (task, seed) for task in TASKS for seed in (0, 3)
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["paint"], "legal: collect, evaluate"),
        (["evaluate", "launcher=rocket"], "legal: cores"),
        ([], "nothing"),
    ],
)
def test_what_no_sweep_can_do_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *words]) == 2
    assert told.lower() in capsys.readouterr().err.lower()
