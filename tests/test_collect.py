"""Collecting demonstrations: what is recorded, what is kept, and that neither workers nor kills change it."""

from __future__ import annotations

import dataclasses
import os
import random
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
from gymnasium import spaces

from opengato.errors import ObservationError, OpengatoError
from opengato.tasks import registry
from opengato.training.collect import CollectConfig, collect
from opengato.training.demonstrations import ActionNoise, fit_action, run_episode
from opengato.training.episodes import EpisodeStore
from opengato.training.selection import Selection

PLUGIN = Path(__file__).with_name("odd_tasks.py")
ROOT = PLUGIN.parent.parent

pytestmark = pytest.mark.usefixtures("fresh_registry")


@pytest.fixture
def odd(fresh_registry: None) -> ModuleType:
    """The plugin's module."""
    registry.load_plugins([PLUGIN])
    return sys.modules["opengato_plugin_odd_tasks"]


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


# ---- one episode -----------------------------------------------------------------------------------------------------


def test_an_episode_records_copies_of_what_was_seen(odd: ModuleType) -> None:
    episode = run_episode(odd.Odd(), odd.Follow(), seed=3)
    assert len(episode) == 10
    images = np.stack([observation["camera/front"] for observation in episode.observations])
    assert len(np.unique(images[:, 0, 0], axis=0)) > 5, "the body draws into one buffer"
    assert episode.seed == 3
    assert episode.success is not None
    assert episode.info == {"terminated": False, "truncated": True, "noise": 0.0}
    assert episode.final_observation["count"] == 10


def test_noise_disturbs_what_is_done_and_not_what_is_recorded(odd: ModuleType) -> None:
    env = odd.Odd(length=60)
    done: list[Any] = []
    step = env.step
    env.step = lambda action: (done.append(action), step(action))[1]
    seed = next(seed for seed in range(9) if run_episode(env, odd.Follow(), seed).success)
    done.clear()
    episode = run_episode(env, odd.Follow(), seed, noise=0.4)
    for action, observation in zip(episode.actions, episode.observations, strict=True):
        np.testing.assert_array_equal(action["x"], observation["target"])
        assert action["choice"] == 1 + observation["count"][0] % 4
    assert np.mean([not np.allclose(a["x"], d["x"]) for a, d in zip(episode.actions, done, strict=True)]) > 0.9
    assert 0.05 < np.mean([a["choice"] != d["choice"] for a, d in zip(episode.actions, done, strict=True)]) < 0.6
    assert {d["say"] for d in done} == {"ab"}, "words are never disturbed"
    assert episode.total_return < 60, "rewards are those of what was done"
    again = run_episode(odd.Odd(length=60), odd.Follow(), seed, noise=0.4)
    np.testing.assert_array_equal(again.rewards, episode.rewards)


def test_a_detour_follows_another_goal_and_records_the_right_one(odd: ModuleType) -> None:
    env = odd.Odd(length=200)
    done: list[Any] = []
    step = env.step
    env.step = lambda action: (done.append(action), step(action))[1]
    shown = odd.Follow()
    with pytest.raises(OpengatoError, match="Follow knows no other goal of its body"):
        run_episode(env, shown, 1, detours=0.4)
    shown.astray = lambda rng: SimpleNamespace(act=lambda seen: {**shown.act(seen), "x": (-seen["target"]).tolist()})
    done.clear()
    episode = run_episode(env, shown, 1, detours=0.4)
    for action, observation in zip(episode.actions, episode.observations, strict=True):
        np.testing.assert_array_equal(action["x"], observation["target"])
    aside = [not np.allclose(a["x"], d["x"]) for a, d in zip(episode.actions, done, strict=True)]
    assert 0.2 < np.mean(aside) < 0.6
    starts = np.flatnonzero(np.diff([False, *aside]) & np.array(aside))
    assert len(starts) < 20, "a detour lasts"


def test_an_episode_can_be_cut(odd: ModuleType) -> None:
    episode = run_episode(odd.Odd(), odd.Follow(), seed=0, max_steps=4)
    assert len(episode) == 4
    assert episode.info["truncated"]
    assert episode.final_observation["count"] == 4


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (3,), np.float32),
        spaces.Box(np.float32([-2, 0]), np.float32([1, np.inf])),
        spaces.Box(-3, 9, (2, 2), np.int16),
        spaces.Box(-1, 1, (), np.float64),
        spaces.Discrete(5, start=-2),
        spaces.MultiDiscrete([3, 4]),
        spaces.MultiBinary(4),
        spaces.Text(5),
        spaces.Tuple([spaces.Dict({"a": spaces.Discrete(3)}), spaces.Box(-1, 1, (1,), np.float32)]),
    ],
    ids=str,
)
def test_disturbed_and_fitted_actions_are_inside_every_space(space: spaces.Space) -> None:
    space.seed(0)
    disturb = ActionNoise(space, 1.0, np.random.default_rng(0))
    for _ in range(50):
        action = space.sample()
        assert space.contains(fit_action(space, action))
        assert space.contains(disturb(action))


def test_noise_has_the_strength_that_was_asked_for() -> None:
    disturb = ActionNoise(spaces.Box(-4, 4, (2,), np.float64), 0.1, np.random.default_rng(0))
    pushes = np.array([disturb(np.zeros(2)) for _ in range(5000)])
    assert pushes.std() == pytest.approx(0.4, rel=0.1)
    assert np.corrcoef(pushes[1:, 0], pushes[:-1, 0])[0, 1] == pytest.approx(0.5, abs=0.1)
    disturb = ActionNoise(spaces.Discrete(1000), 0.3, np.random.default_rng(0))
    assert np.mean([disturb(0) != 0 for _ in range(5000)]) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("space", "action", "message"),
    [
        (spaces.Box(-1, 1, (2,)), [0.0, 1.01], r"action: .* is outside Box"),
        (spaces.Box(-1, 1, (2,)), [0.0, np.nan], "action: NaN"),
        (spaces.Box(-1, 1, (2,)), 0.0, r"action: expected shape \(2,\), got \(\)"),
        (spaces.Discrete(3), 3, "is outside Discrete"),
        (spaces.Discrete(3), 1.5, "do not fit into int64"),
        (spaces.Discrete(3), None, "expected numbers"),
        (spaces.Text(3), 5, "is outside Text"),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"b": 1}, r"expected a dict with the keys \['a'\]"),
        (spaces.Tuple([spaces.Discrete(2)]), 1, "expected a tuple of 1"),
    ],
)
def test_illegal_actions_are_named(space: spaces.Space, action: Any, message: str) -> None:
    with pytest.raises(ObservationError, match=message):
        fit_action(space, action)


def test_a_rounding_error_is_clipped() -> None:
    action = fit_action(spaces.Box(-1, 1, (2,)), np.array([1.00001, -0.5]))
    assert action.dtype == np.float32
    np.testing.assert_array_equal(action, np.float32([1, -0.5]))


# ---- what is kept ----------------------------------------------------------------------------------------------------


def outcome(seed: int, dice: int) -> dict[str, Any]:
    rng = random.Random(seed * 1000 + dice)
    if rng.random() < 0.1:
        return {"failed": "bad luck"}
    return {"return": rng.choice([1.0, 8.0, 10.0]), "success": None, "noise": rng.choice([0.0, 0.5])}


@pytest.mark.parametrize("dice", range(20))
@pytest.mark.parametrize("workers", [2, 7])
def test_neither_workers_nor_order_nor_a_kill_change_the_selection(dice: int, workers: int) -> None:
    def run(count: int, known: list[int]) -> Selection:
        rng, running = random.Random(dice), []
        selection = Selection(goal=12, seed=5, keep=0.8, by_success=False)
        for seed in known:
            selection.add(seed, outcome(seed, dice))
        while not selection.done:
            while len(running) < count and (seed := selection.next_seed()) is not None:
                running.append(seed)
            seed = running.pop(rng.randrange(len(running)))
            selection.add(seed, outcome(seed, dice))
        return selection

    serial = run(1, [])
    leftover = [seed for seed in range(5, 25) if random.Random(seed + dice).random() < 0.5]
    for other in (run(workers, []), run(workers, leftover)):
        assert other.kept_seeds() == serial.kept_seeds()
        assert (other.end_seed, other.attempted, other.failed) == (serial.end_seed, serial.attempted, serial.failed)
        assert other.thresholds == serial.thresholds


def test_the_rule_is_80_per_cent_of_the_mean_of_like_episodes() -> None:
    selection = Selection(goal=6, seed=0, keep=0.8, by_success=False)
    for seed, (value, noise) in enumerate([(-10, 0), (-10, 0), (-10, 0), (4, 0.3), (5, 0.3), (6, 0.3)]):
        selection.add(seed, {"return": value, "success": None, "noise": noise})
    assert selection.thresholds == [-12.0, 4.0]
    assert selection.good({"return": -11.9, "success": None, "noise": 0})
    assert not selection.good({"return": -11.9, "success": None, "noise": 0.3})
    assert selection.good({"return": -11.9, "success": True, "noise": 0.3})


# ---- collecting ------------------------------------------------------------------------------------------------------


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
