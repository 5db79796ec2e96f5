"""Collecting demonstrations: what is recorded, what is kept, and that neither workers nor kills change it."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from opengato.errors import EpisodeRefused, OpengatoError
from opengato.tasks import registry
from opengato.tasks.card import EXTRA_MODULES
from opengato.training.collect import CollectConfig, collect
from opengato.training.collection import Collection
from opengato.training.episodes import EpisodeStore
from opengato.training.staging import SIMULATORS, Staging

PLUGIN = Path(__file__).with_name("odd_tasks.py")
ROOT = PLUGIN.parent.parent

pytestmark = pytest.mark.usefixtures("fresh_registry")


def config(data_dir: Path, task: str, **settings: Any) -> CollectConfig:
    settings = {"episodes": 6, "workers": 1, **settings}
    return CollectConfig(tasks=[task], data_dir=str(data_dir), plugins=[str(PLUGIN)], **settings)


def content(data_dir: Path, task: str) -> dict[str, Any]:
    """Everything in a dataset's file, by its path."""
    found: dict[str, Any] = {}
    with h5py.File(EpisodeStore.open(data_dir, task).path / "data/main_data.hdf5", "r") as file:

        def take(name: str, node: Any) -> None:
            found[name] = (node[()].tolist() if isinstance(node, h5py.Dataset) else None, sorted(node.attrs.items()))

        file.visititems(take)
    return found


def nothing_left(data_dir: Path) -> bool:
    return not list(data_dir.glob("**/.*"))


def test_collecting_stores_good_episodes_with_their_origin(tmp_path: Path) -> None:
    (summary,) = collect(config(tmp_path, "odd/follow", noise=0.2))
    store = EpisodeStore.open(tmp_path, "odd/follow")
    assert summary["episodes"] == len(store) == 6
    assert all(episode.success for episode in store)
    assert summary["attempted"] > 6, "one of five fails"
    assert summary["success_rate"] == pytest.approx(6 / summary["attempted"])
    seeds = [episode.seed for episode in store]
    assert seeds == sorted(seeds)
    assert {episode.info["noise"] for episode in store} == {0.0, 0.2}
    metadata = store.metadata
    assert metadata["settings"]["noise"] == 0.2
    assert metadata["versions"]["numpy"] == np.__version__
    assert {"opengato", "commit", "command", "created", "demonstrator", "kept_share"} <= set(metadata)
    assert nothing_left(tmp_path)


def test_processes_give_the_same_dataset_as_this_process(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("three", 3)):
        (summary,) = collect(config(tmp_path / name, "odd/flaky", noise=0.3, workers=workers, episodes=12))
        assert summary["failed"] > 0
        assert summary["thresholds"][0] > 1
    assert content(tmp_path / "one", "odd/flaky") == content(tmp_path / "three", "odd/flaky")


def test_a_crash_costs_one_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ODD_MAY_CRASH", "1")
    collect(config(tmp_path, "odd/flaky", workers=2, episodes=8))
    assert len(EpisodeStore.open(tmp_path, "odd/flaky")) == 8
    assert "dropped: the process ended with code 3" in capsys.readouterr().err


def test_a_simulator_that_dies_costs_one_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ODD_MAY_DIE", "1")
    (summary,) = collect(config(tmp_path, "odd/flaky", episodes=8))
    assert (summary["episodes"], summary["failed"]) == (8, summary["attempted"] - 8)
    assert capsys.readouterr().err.count("dropped: the simulator died") == summary["failed"] > 0


def test_a_person_throws_episodes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(self: Any, observation: Any) -> Any:
        if len(shown) < 9:
            shown.append(1)
            raise EpisodeRefused("the person threw it away")
        return follow(self, observation)

    shown: list[int] = []
    follow = odd.Follow.act
    monkeypatch.setattr(odd.Follow, "act", act)
    (summary,) = collect(config(tmp_path, "odd/follow", episodes=2))
    assert (summary["episodes"], summary["failed"]) == (2, 0)
    assert capsys.readouterr().err.count("dropped: the person threw it away") == 9


def test_an_episode_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_SLOW", "60")
    with pytest.raises(OpengatoError, match=r"6 of 6 episodes failed, the last with: took more than 0.2 s"):
        collect(config(tmp_path, "odd/follow", workers=6, timeout_s=0.2))


def test_a_second_call_does_nothing_and_a_larger_one_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("ODD_LOG", str(log))
    collect(config(tmp_path / "grown", "odd/follow", episodes=3))
    first = log.read_text()
    (summary,) = collect(config(tmp_path / "grown", "odd/follow", episodes=3))
    assert summary["skipped"]
    assert log.read_text() == first
    (summary,) = collect(config(tmp_path / "grown", "odd/follow", episodes=6))
    ran = [int(seed) for seed in log.read_text().split()]
    assert ran == list(range(len(ran))), "no seed is run twice"
    collect(config(tmp_path / "whole", "odd/follow", episodes=6))
    assert content(tmp_path / "grown", "odd/follow") == content(tmp_path / "whole", "odd/follow")
    assert EpisodeStore.open(tmp_path / "whole", "odd/follow").metadata["attempted"] == summary["attempted"]


def test_other_settings_do_not_write_over(tmp_path: Path) -> None:
    collect(config(tmp_path, "odd/follow", episodes=2))
    other = config(tmp_path, "odd/follow", episodes=2, seed=100)
    with pytest.raises(OpengatoError, match=r"other settings \(seed=0, not 100\).*overwrite=true"):
        collect(other)
    collect(dataclasses.replace(other, overwrite=True))
    assert EpisodeStore.open(tmp_path, "odd/follow")[0].seed >= 100


def test_a_kill_between_two_renames_does_not_open_the_way(tmp_path: Path) -> None:
    collect(config(tmp_path, "odd/follow", episodes=2))
    path = EpisodeStore.open(tmp_path, "odd/follow").path
    path.rename(path.with_name(f".{path.name}.old"))
    with pytest.raises(OpengatoError, match="other settings"):
        collect(config(tmp_path, "odd/follow", episodes=2, seed=100))
    assert EpisodeStore.open(tmp_path, "odd/follow")[0].seed < 100


def test_staged_episodes_go_when_they_are_in_the_dataset_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Staging, "remove", lambda self: None)
        collect(config(tmp_path, "odd/follow", episodes=2))
    assert not nothing_left(tmp_path)
    (summary,) = collect(config(tmp_path, "odd/follow", episodes=2))
    assert summary["skipped"]
    assert nothing_left(tmp_path)
    with monkeypatch.context() as killed:
        killed.setattr(Collection, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collect(config(tmp_path, "odd/follow", episodes=4))
    collect(config(tmp_path, "odd/follow", episodes=2))
    assert list(tmp_path.glob("**/.staging-*/episode_*.h5")), "a larger collection goes on with them"


def test_a_collection_that_keeps_nothing_ends_so_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: ModuleType
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("ODD_LOG", str(log))
    step = odd.Odd.step
    monkeypatch.setattr(odd.Odd, "step", lambda self, action: (*step(self, action)[:4], {"success": False}))
    for _ in range(2):
        with pytest.raises(OpengatoError, match="only 0 of 21 episodes succeeded; 1 were wanted. Next"):
            collect(config(tmp_path, "odd/follow", episodes=1))
    assert len(log.read_text().split()) == 21


def test_patterns_that_leave_nothing_to_collect_are_an_error(tmp_path: Path, odd: ModuleType) -> None:
    for patterns in (["odd/alon*"], ["odd/alon*", "manipulation/*"]):
        with pytest.raises(OpengatoError, match=r"none of the \d+ tasks of .*no demonstrator.*Next"):
            collect(CollectConfig(tasks=patterns, data_dir=str(tmp_path)))
    some = CollectConfig(tasks=["odd/alon*", "odd/retur*"], episodes=1, data_dir=str(tmp_path), workers=1)
    assert [row["task"] for row in collect(some)] == ["odd/return"]


def test_every_simulator_of_an_extra_is_recorded() -> None:
    for extra, modules in EXTRA_MODULES.items():
        assert any(name == modules[0] or name.startswith(f"{modules[0]}.") for name in SIMULATORS), extra


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        ("odd/alone", {}, "has no demonstrator"),
        ("odd/broken", {}, r"6 of 6 episodes failed.*action\.x.*is outside"),
        ("odd/helpless", {}, "^task 'odd/helpless': the policy's file is missing"),
        ("odd/absent", {}, "RuntimeError: no simulator here"),
        ("odd/nowhere", {}, "unknown task"),
        ("odd/follow", {"episodes": 0}, "episodes=0 is illegal"),
        ("odd/follow", {"noise": 2.0}, "noise=2.0 is illegal"),
    ],
)
def test_what_cannot_work_says_why(tmp_path: Path, task: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OpengatoError, match=message):
        collect(config(tmp_path, task, **settings))
    assert not list(tmp_path.glob("**/demonstrator-v0"))


def test_a_task_that_workers_cannot_see_is_explained(tmp_path: Path, odd: ModuleType) -> None:
    card = registry.get("odd/follow")
    unseen = CollectConfig(tasks=[card.id], episodes=4, data_dir=str(tmp_path), workers=2)
    with pytest.raises(OpengatoError, match=r"unknown task 'odd/follow'.* or plugins"):
        collect(unseen, [card])


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: signal.Signals
) -> None:
    log = tmp_path / "log"
    settings = {"tasks": ["odd/follow"], "episodes": 20, "data_dir": str(tmp_path / "cut"), "plugins": [str(PLUGIN)]}
    # A shell that runs the tests in the background has them ignore SIGINT, and children inherit that.
    code = f"""
import signal
from opengato.training.collect import CollectConfig, collect
signal.signal(signal.SIGINT, signal.default_int_handler)
collect(CollectConfig(workers=2, **{settings}))
"""
    environment = {**os.environ, "ODD_LOG": str(log), "ODD_SLOW": "0.005"}
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    staging = tmp_path / "cut/odd/follow/.staging-demonstrator-v0"
    deadline = time.monotonic() + 60
    while len(list(staging.glob("episode_*.json"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(stop)
    assert child.wait(timeout=20) != 0
    finished = {int(path.stem.split("_")[1]) for path in staging.glob("episode_*.json")}
    assert len(finished) >= 4
    with pytest.raises(OpengatoError, match="no episodes"):
        EpisodeStore.open(tmp_path / "cut", "odd/follow")
    time.sleep(0.2)
    begun = log.read_text()
    time.sleep(0.5)
    assert log.read_text() == begun, "no worker lives on"

    monkeypatch.setenv("ODD_LOG", str(tmp_path / "log2"))
    collect(config(tmp_path / "cut", "odd/follow", episodes=20))
    assert finished.isdisjoint(int(seed) for seed in (tmp_path / "log2").read_text().split())
    collect(config(tmp_path / "whole", "odd/follow", episodes=20))
    assert content(tmp_path / "cut", "odd/follow") == content(tmp_path / "whole", "odd/follow")
    assert nothing_left(tmp_path / "cut")


def test_workers_do_not_import_torch() -> None:
    code = "import sys, opengato.training.staging; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_dataset_larger_than_allowed_is_refused_early_and_goes_on_when_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("opengato.training.collection.ANNOUNCED", 0)
    with pytest.raises(OpengatoError, match=r"6 episodes would take about .* GB, more than .*max_gb allows.*Next"):
        collect(config(tmp_path, "odd/follow", max_gb=1e-7))
    (summary,) = collect(config(tmp_path, "odd/follow"))
    assert summary["episodes"] == 6
    told = capsys.readouterr().err
    assert "GB for 6 episodes" in told
    assert "going on after" in told, "what was recorded before is not recorded again"
    size = (EpisodeStore.open(tmp_path, "odd/follow").path / "data/main_data.hdf5").stat().st_size
    with pytest.raises(OpengatoError, match=r"12 episodes would take about .*max_gb allows"):
        collect(config(tmp_path, "odd/follow", episodes=12, max_gb=1.5 * size / 1e9))


def test_the_disk_must_hold_a_dataset_beside_what_it_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three of six episodes three are still to be staged, then all are copied, and those that are there too."""
    room = 7.5

    def usage(folder: Path) -> SimpleNamespace:
        staged = [path.stat().st_size for path in folder.glob("*.h5")]
        return SimpleNamespace(free=room * sum(staged) / len(staged))

    monkeypatch.setattr("opengato.training.collection.shutil.disk_usage", usage)
    with pytest.raises(OpengatoError, match=r"6 episodes would take about .*are free"):
        collect(config(tmp_path, "odd/follow"))
    room = 9.5
    assert collect(config(tmp_path, "odd/follow"))[0]["episodes"] == 6
    with pytest.raises(OpengatoError, match=r"12 episodes would take about .*are free"):
        collect(config(tmp_path, "odd/follow", episodes=12))
