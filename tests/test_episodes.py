"""The episode store: every kind of space, Minari's eye on it, and crashes in the middle."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from opengato.agent.episode import Episode
from opengato.errors import ObservationError, OpengatoError, SpaceError
from opengato.training.episodes import EpisodeStore, Recording, write_episodes

OBSERVATION = spaces.Dict(
    OrderedDict(
        [
            ("z/front", spaces.Box(0, 255, (40, 37, 3), np.uint8)),
            (
                "a",
                spaces.Dict({"b.c": spaces.Tuple([spaces.Discrete(5, start=-2), spaces.Text(9, charset="äß字😀 ")])}),
            ),
            ("bits", spaces.MultiBinary((2, 3))),
            ("whole", spaces.Box(-5, 9, (2,), np.int32)),
            ("scalar", spaces.Box(-np.inf, np.inf, (), np.float64)),
            ("nothing", spaces.Box(-1, 1, (0,), np.float32)),
            ("100%", spaces.Box(np.float32([-1, 0]), np.float32([0.5, 7]))),
        ]
    )
)
ACTION = spaces.Tuple([spaces.MultiDiscrete([3, 4]), spaces.Text(6), spaces.Box(-1, 1, (2,), np.float32)])


def make_episode(seed: int, steps: int = 30, final: bool = True) -> Recording:
    OBSERVATION.seed(seed)
    ACTION.seed(seed)
    return Recording(
        observations=[OBSERVATION.sample() for _ in range(steps)],
        actions=[ACTION.sample() for _ in range(steps)],
        rewards=np.arange(steps, dtype=np.float32) / 7,
        success=[True, False, None][seed % 3],
        seed=seed,
        info={"terminated": seed % 2 == 0, "who": "字"},
        final_observation=OBSERVATION.sample() if final else None,
    )


def write(data_dir: Path, episodes: Any, task: str = "lab/task", **kwargs: Any) -> Path:
    return write_episodes(data_dir, task, episodes, OBSERVATION, ACTION, {"origin": "test"}, **kwargs)


def assert_same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        for key in ours:
            assert_same(ours[key], theirs[key])
    elif isinstance(ours, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    elif isinstance(ours, str):
        assert ours == theirs
    else:
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype
        np.testing.assert_array_equal(ours, theirs)


def test_every_space_comes_back_as_it_was(tmp_path: Path) -> None:
    episodes = [make_episode(seed) for seed in range(3)]
    path = write(tmp_path, episodes)
    store = EpisodeStore.open(tmp_path, "lab/task")
    assert store.path == path
    assert len(store) == 3
    assert store.metadata["origin"] == "test"
    assert store.metadata["total_steps"] == 90
    assert (store.observation_space, store.action_space) == (OBSERVATION, ACTION)
    assert list(store.observation_space) == list(OBSERVATION), "the order of features is a layout's order"
    for episode, kept in zip(episodes, store, strict=True):
        assert_same(kept.observations, episode.observations)
        assert_same(kept.actions, episode.actions)
        assert_same(kept.rewards, episode.rewards)
        assert (kept.success, kept.seed, kept.info) == (episode.success, episode.seed, episode.info)
        assert all(OBSERVATION.contains(observation) for observation in kept.observations)
    assert [summary["seed"] for summary in store.summaries()] == [0, 1, 2]
    assert_same(store[-1].actions, episodes[2].actions)
    with pytest.raises(IndexError):
        store[3]


def test_steps_of_a_read_episode_share_no_element(tmp_path: Path) -> None:
    write(tmp_path, [make_episode(0)])
    kept = EpisodeStore.open(tmp_path, "lab/task")[0]
    before = kept.observations[1]["z/front"].copy()
    kept.observations[0]["z/front"][:] = 0
    np.testing.assert_array_equal(kept.observations[1]["z/front"], before)


def test_minari_loads_it_without_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import minari

    episodes = [make_episode(0), make_episode(1, final=False)]
    write(tmp_path, episodes, task="lab/my.task")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert list(minari.list_local_datasets()) == ["lab/my_task/demonstrator-v0"]
    dataset = minari.load_dataset("lab/my_task/demonstrator-v0")
    assert dataset.total_steps == 60
    first, second = dataset
    assert "id=0" in repr(first)
    assert list(first.terminations[-2:]) == [False, True]
    assert list(second.truncations[-2:]) == [False, True]
    images = first.observations["z%2Ffront"]
    assert images.shape == (31, 40, 37, 3), "T + 1 observations"
    np.testing.assert_array_equal(images[-1], episodes[0].final_observation["z/front"])
    np.testing.assert_array_equal(images[:-1], [observation["z/front"] for observation in episodes[0].observations])
    assert first.observations["a"]["b.c"][1][:30] == [o["a"]["b.c"][1] for o in episodes[0].observations]
    np.testing.assert_array_equal(second.observations["scalar"][-1], second.observations["scalar"][-2])
    for action, kept in zip(episodes[0].actions, zip(*first.actions, strict=True), strict=True):
        assert dataset.action_space.contains(kept)
        assert_same(kept, action)


def test_append_keeps_what_is_there(tmp_path: Path) -> None:
    episodes = [make_episode(seed) for seed in range(3)]
    write(tmp_path, episodes[:2])
    write(tmp_path, episodes[2:], append=True)
    store = EpisodeStore.open(tmp_path, "lab/task")
    assert [episode.seed for episode in store] == [0, 1, 2]
    with pytest.raises(OpengatoError, match="its action_space is another"):
        write_episodes(tmp_path, "lab/task", episodes, OBSERVATION, spaces.Discrete(3), {}, append=True)
    write(tmp_path, episodes[:1])
    assert len(EpisodeStore.open(tmp_path, "lab/task")) == 1, "without append it is replaced"


def test_a_failure_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, [make_episode(0)])

    def episodes() -> Iterator[Episode]:
        yield make_episode(1)
        raise RuntimeError("power cut")

    for append in (False, True):
        with pytest.raises(RuntimeError, match="power cut"):
            write(tmp_path, episodes(), append=append)
    assert [episode.seed for episode in EpisodeStore.open(tmp_path, "lab/task")] == [0]
    assert [path.name for path in (tmp_path / "lab/task").iterdir()] == ["demonstrator-v0"]
    with pytest.raises(OpengatoError, match="no episodes"):
        write(tmp_path, [])
    assert len(EpisodeStore.open(tmp_path, "lab/task")) == 1


def test_a_kill_in_the_middle_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    code = f"""
import os, numpy as np
from gymnasium import spaces
from opengato.agent.episode import Episode
from opengato.training.episodes import write_episodes
def episodes():
    yield Episode([np.zeros(1, np.float32)], [0], np.zeros(1, np.float32))
    os._exit(9)
write_episodes({str(tmp_path)!r}, "lab/task", episodes(), spaces.Box(-1, 1, (1,)), spaces.Discrete(2), {{}})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parent.parent).returncode == 9
    with pytest.raises(OpengatoError, match=r"Next: opengato collect tasks=\[lab/task\]"):
        EpisodeStore.open(tmp_path, "lab/task")


def test_a_kill_between_the_two_renames_is_mended(tmp_path: Path) -> None:
    path = write(tmp_path, [make_episode(0)])
    path.rename(path.parent / f".{path.name}.old")
    assert len(EpisodeStore.open(tmp_path, "lab/task")) == 1


def test_absent_and_damaged_datasets_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OpengatoError, match=r"opengato collect tasks=\[lab/task\] data_dir="):
        EpisodeStore.open(tmp_path, "lab/task")
    path = write(tmp_path, [make_episode(0)])
    data = path / "data" / "main_data.hdf5"
    data.write_bytes(data.read_bytes()[:5000])
    with pytest.raises(OpengatoError, match="is damaged"):
        EpisodeStore.open(tmp_path, "lab/task")[0]
    (path / "data" / "metadata.json").write_text('{"total_')
    with pytest.raises(OpengatoError, match="is damaged"):
        EpisodeStore.open(tmp_path, "lab/task")


@pytest.mark.parametrize("ahead", ["", "x", "0", "1", "65", "²"])
def test_actions_ahead_are_a_number(tmp_path: Path, ahead: str) -> None:
    write(tmp_path, [make_episode(0)])
    with pytest.raises(OpengatoError, match=rf"'lab/task@{ahead}'.*a number from 2 to 64"):
        EpisodeStore.open(tmp_path, f"lab/task@{ahead}")


def test_two_tasks_never_share_a_folder(tmp_path: Path) -> None:
    write(tmp_path, [make_episode(0)], task="lab/a.b")
    with pytest.raises(OpengatoError, match=r"holds episodes of 'lab/a.b'"):
        write(tmp_path, [make_episode(0)], task="lab/a_b")
    with pytest.raises(OpengatoError, match=r"holds episodes of 'lab/a.b'"):
        EpisodeStore.open(tmp_path, "lab/a_b")
    assert not list(tmp_path.glob("**/.*")), "nothing unfinished is left"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scalar", np.float64(np.nan), r"observation\.scalar: NaN at step 1"),
        ("scalar", np.float64(-np.inf), r"observation\.scalar: -inf at step 1"),
        ("scalar", np.float64(1e300), r"observation\.scalar: 1e\+300 at step 1; legal: finite float32"),
        ("100%", np.zeros(3, np.float32), r"observation\.100%: expected shape \(2,\), got \(3,\)"),
        ("whole", np.array([0.5, 1.0]), r"observation\.whole: values of float64 do not fit into int32"),
        ("a", {"b.c": (0, 7)}, r"observation\.a\.b\.c\[1\]: expected a string, got int"),
        ("a", {}, r"observation\.a: expected a dict with the keys \['b\.c'\]"),
        ("a", {"b.c": (0, "a\0b")}, r"holds a NUL"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, key: str, value: Any, message: str) -> None:
    episode = make_episode(0, steps=3)
    episode.observations[1] = {**episode.observations[1], key: value}
    with pytest.raises(ObservationError, match=message):
        write(tmp_path, [episode])
    assert not (tmp_path / "lab/task/demonstrator-v0").exists()


def test_unequal_lengths_and_odd_spaces_are_refused(tmp_path: Path) -> None:
    episode = make_episode(0)
    episode.observations.pop()
    with pytest.raises(OpengatoError, match="29, 30 and 30"):
        write(tmp_path, [episode])
    graph = spaces.Dict({"a": spaces.Tuple([spaces.Sequence(spaces.Discrete(2))])})
    with pytest.raises(SpaceError, match=r"observation\.a\[0\]: a space of type Sequence"):
        write_episodes(tmp_path, "lab/task", [episode], graph, ACTION, {})


def test_a_store_can_be_handed_to_another_process(tmp_path: Path) -> None:
    write(tmp_path, [make_episode(0)])
    store = EpisodeStore.open(tmp_path, "lab/task")
    expected = store[0]
    copied = pickle.loads(pickle.dumps(store))
    assert_same(copied[0].observations, expected.observations)
    store.close()
    assert_same(store[0].actions, expected.actions)
