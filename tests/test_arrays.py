"""Memory-mapped arrays of a dataset: what they are called, when they are built, and when they go."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from opengato.agent.text import Vocabulary
from opengato.errors import OpengatoError
from opengato.training.arrays import open_arrays
from opengato.training.checksum import ATTRIBUTE
from opengato.training.episodes import EpisodeStore, Recording, write_episodes

TASK = "lab/look"
SEEN = spaces.Dict(
    {
        "cam/front": spaces.Box(0, 255, (8, 8, 3), np.uint8),
        "say/what%": spaces.Text(9),
        "arm": spaces.Box(-np.inf, np.inf, (2,)),
    }
)
DONE = spaces.Box(-1, 1, (2,))
VOCABULARY = Vocabulary.load()


def write(data_dir: Path) -> EpisodeStore:
    SEEN.seed(0)
    DONE.seed(0)
    made = [
        Recording([SEEN.sample() for _ in range(4)], [DONE.sample() for _ in range(4)], np.zeros(4, np.float32))
        for _ in range(3)
    ]
    return EpisodeStore(write_episodes(data_dir, TASK, made, SEEN, DONE, {}))


def built(store: EpisodeStore) -> set[str]:
    return {folder.name for folder in store.arrays.iterdir()}


def spoil(store: EpisodeStore) -> None:
    """Give an episode what older versions stored: an infinite number, and no checksum."""
    with h5py.File(store.path / "data/main_data.hdf5", "r+") as file:
        file["episode_1/observations/arm"][2, 0] = np.inf
        del file["episode_1"].attrs[ATTRIBUTE]


def test_slashes_in_keys_are_no_folders(tmp_path: Path) -> None:
    store = write(tmp_path)
    arrays = open_arrays(store, TASK, "look", VOCABULARY)
    seen = [observation for episode in store for observation in episode.observations]
    np.testing.assert_array_equal(arrays.steps.images["cam/front"], [each["cam/front"] for each in seen])
    texts = [VOCABULARY.decode(ids) for ids in arrays.steps.texts["say/what%"][:]]
    assert texts == [each["say/what%"] for each in seen]


def test_what_cannot_be_learnt_is_named_and_skipped_on_request_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = write(tmp_path)
    spoil(store)
    with pytest.raises(OpengatoError, match=r"episode 1 of .*lab/look.*'arm' holds inf.*Next.*skip_damaged=true"):
        open_arrays(store, TASK, "look", VOCABULARY)
    assert built(store) == set(), "nothing half done is left"
    assert len(open_arrays(store, TASK, "look", VOCABULARY, skip_damaged=True)) == 2
    assert "left out: episode 1 of" in capsys.readouterr().err


def test_what_a_killed_process_of_the_same_number_left_is_not_in_the_way(tmp_path: Path) -> None:
    store = write(tmp_path)
    open_arrays(store, TASK, "look", VOCABULARY)
    (name,) = built(store)
    left = store.arrays / f"{name}.{os.getpid()}.part"
    (store.arrays / name).rename(left)
    (left / "arrays.json").unlink()
    assert len(open_arrays(store, TASK, "look", VOCABULARY)) == 3
    assert built(store) == {name}


def test_arrays_go_with_their_version_of_the_dataset(tmp_path: Path) -> None:
    store = write(tmp_path)
    open_arrays(store, TASK, "look", VOCABULARY)
    open_arrays(store, TASK, "look", VOCABULARY, skip_damaged=True)
    both = built(store)
    assert len(both) == 2, "another run may be using the first"
    file = store.path / "data/main_data.hdf5"
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1_000_000_000))
    open_arrays(store, TASK, "look", VOCABULARY)
    assert len(built(store)) == 1
    assert not built(store) & both
