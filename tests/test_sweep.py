"""A sweep plays every combination in jobs of its own, by Hydra's launchers, and gathers what evaluations found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opengato.cli import main
from opengato.evaluation.results import add_results, read_results
from opengato.sweep import LAUNCHERS, gather

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


@pytest.mark.slow
def test_what_a_job_refuses_is_said_as_without_a_sweep(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    done = subprocess.run(
        [sys.executable, "-m", "opengato", "sweep", "evaluate", "tasks=[control/cheeta-run]", "agent=random"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "control/cheetah-run" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["paint"], "legal: collect, evaluate"),
        (["evaluate", "launcher=rocket"], "legal: cores"),
        ([], "nothing"),
        (["evaluate", "episodes=1,abc"], "episodes=abc is a str"),
        (["evaluate", "tasks=[a/b],[c/d]", "robustness"], "'robustness' is no setting"),
        (["evaluate", "episodes=1,["], "next: opengato sweep --help"),
        (["train", "preset=generalist,nope"], "unknown preset 'nope'"),
    ],
)
def test_what_no_sweep_can_do_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *words]) == 2
    assert told.lower() in capsys.readouterr().err.lower()


def test_only_the_jobs_of_this_sweep_are_gathered_in_their_order(tmp_path: Path) -> None:
    for number in range(12):  # the last of them by an earlier sweep
        clip = {"path": "videos/a.mp4", "poster": "videos/a.jpg"}
        row = {"agent": "random", "task": "a/same", "n": number, "videos": [clip]}
        add_results(tmp_path / f"job-{number}", [row, {**row, "task": f"a/{number}", "videos": []}])
    gather(tmp_path, 11)
    rows = {row["task"]: row for row in read_results(tmp_path)}
    assert set(rows) == {"a/same", *(f"a/{number}" for number in range(11))}
    assert rows["a/same"]["n"] == 10, "the tenth came after the ninth"
    assert rows["a/same"]["videos"][0]["path"] == "job-10/videos/a.mp4"
