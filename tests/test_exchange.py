"""Datasets that come in and go out are the same datasets, and damage is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from opengato.agent import Episode
from opengato.agent.text import Vocabulary
from opengato.cli import main
from opengato.errors import OpengatoError
from opengato.training.arrays import open_arrays
from opengato.training.episodes import EpisodeStore, write_episodes
from opengato.training.exchange import ExportConfig, ImportConfig, export, import_
from opengato.training.exchange.lerobot_read import read_lerobot
from opengato.training.verify import VerifyConfig, verify

from . import spaces_zoo as zoo

TASK = "zoo/act"


def episode(rng: np.random.Generator, length: int, observation: spaces.Space, action: spaces.Space) -> Episode:
    seen = [observation.sample() for _ in range(length)]
    done = [action.sample() for _ in range(length)]
    return Episode(seen, done, rng.normal(size=length).astype(np.float32), success=bool(length % 2), seed=length)


def write(
    data_dir: Path, observation: spaces.Space = zoo.OBSERVATION, action: spaces.Space = zoo.ACTION
) -> EpisodeStore:
    zoo.seed(0)
    rng = np.random.default_rng(0)
    made = [episode(rng, length, observation, action) for length in (3, 9, 5)]
    return EpisodeStore(write_episodes(data_dir, TASK, made, observation, action, {"demonstrator": "chance"}))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, str):
        return a == b
    return np.asarray(a).dtype == np.asarray(b).dtype and np.array_equal(a, b)


def check_same(one: EpisodeStore, other: EpisodeStore) -> None:
    assert (other.observation_space, other.action_space) == (one.observation_space, one.action_space)
    assert len(other) == len(one)
    for a, b in zip(one, other, strict=True):
        assert same(a.observations, b.observations)
        assert same(a.actions, b.actions)
        assert np.array_equal(a.rewards, b.rewards)


@pytest.mark.parametrize("action", [zoo.ACTION, zoo.SPEECH], ids=["numbers", "words"])
def test_minari_there_and_back(tmp_path: Path, action: spaces.Space) -> None:
    store = write(tmp_path / "data", action=action)
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "minari", str(tmp_path / "data")))
    check_same(store, EpisodeStore(import_(ImportConfig(str(out), TASK, "minari", str(tmp_path / "other")))))


@pytest.mark.parametrize("action", [zoo.ACTION, zoo.SPEECH], ids=["numbers", "words"])
def test_lerobot_there_and_back(tmp_path: Path, action: spaces.Space) -> None:
    pytest.importorskip("pyarrow")
    store = write(tmp_path / "data", action=action)
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "lerobot", str(tmp_path / "data"), rate_hz=20.0))
    back = EpisodeStore(import_(ImportConfig(str(out), TASK, "lerobot", str(tmp_path / "other"))))
    check_same(store, back)
    assert [a.success for a in back] == [a.success for a in store]


def test_a_robots_own_dataset_becomes_spaces(tmp_path: Path) -> None:
    """As LeRobot writes it: no spaces, bounds of actions from what was recorded, a picture per camera."""
    pytest.importorskip("pyarrow")
    seen = spaces.Dict({"images": spaces.Dict({"front": spaces.Box(0, 255, (32, 48, 3), np.uint8)}),
                        "state": spaces.Box(-np.inf, np.inf, (6,))})  # fmt: skip
    write(tmp_path / "data", seen, spaces.Box(-2, 3, (6,)))
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "lerobot", str(tmp_path / "data"), rate_hz=30.0))
    info = json.loads((out / "meta/info.json").read_text())
    del info["opengato"]
    for name in ("images.front", "state"):
        assert f"observation.{name}" in info["features"] or f"observation.images.{name}" in info["features"]
    (out / "meta/info.json").write_text(json.dumps(info))
    found = read_lerobot(out)
    assert isinstance(found.observation_space, spaces.Dict)
    assert set(found.observation_space) == {"images_images_front", "state"}
    assert found.observation_space["images_images_front"].shape == (32, 48, 3)
    assert isinstance(found.action_space, spaces.Box)
    assert np.all(found.action_space.low >= -2)
    assert np.all(found.action_space.high <= 3 + 1e-5)
    read = list(found.episodes)
    assert [len(each) for each in read] == [3, 9, 5]
    assert read[0].observations[0] in found.observation_space
    assert found.facts["rate_hz"] == 30


def test_pictures_of_a_robots_dataset_come_from_its_videos(tmp_path: Path) -> None:
    """All episodes in one file, one after another, as LeRobot packs them."""
    pytest.importorskip("pyarrow")
    import imageio.v3 as iio
    import pyarrow as pa
    from pyarrow import parquet

    view = spaces.Dict({"front": spaces.Box(0, 255, (32, 48, 3), np.uint8)})
    write(tmp_path / "data", view, spaces.Box(-1, 1, (2,)))
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "lerobot", str(tmp_path / "data"), rate_hz=10.0))
    key, lengths = "observation.images.front", [3, 9, 5]
    info = json.loads((out / "meta/info.json").read_text())
    del info["opengato"]
    info["features"][key] = {"dtype": "video", "shape": [3, 32, 48], "names": ["channels", "height", "width"]}
    info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    (out / "meta/info.json").write_text(json.dumps(info))
    for file in (out / "data").rglob("*.parquet"):
        parquet.write_table(parquet.read_table(file).drop_columns([key]), file)
    video = out / f"videos/{key}/chunk-000/file-000.mp4"
    video.parent.mkdir(parents=True)
    shades = [np.full((32, 48, 3), 40 + 10 * number, np.uint8) for number in range(sum(lengths))]
    iio.imwrite(video, np.stack(shades), plugin="FFMPEG", fps=10, codec="libx264", quality=9, macro_block_size=8)
    (file,) = (out / "meta/episodes").rglob("*.parquet")
    places, starts = parquet.read_table(file), np.cumsum([0, *lengths[:-1]])
    for name, column in {"chunk_index": [0, 0, 0], "file_index": [0, 0, 0], "from_timestamp": starts / 10.0}.items():
        places = places.append_column(f"videos/{key}/{name}", pa.array(column))
    parquet.write_table(places, file)
    read = list(read_lerobot(out).episodes)
    shown = [observation["images_front"] for each in read for observation in each.observations]
    assert [len(each) for each in read] == lengths
    assert all(np.abs(a.astype(int) - b).max() < 8 for a, b in zip(shown, shades, strict=True))


def test_what_cannot_be_exchanged_is_said(tmp_path: Path) -> None:
    store = write(tmp_path / "data")
    with pytest.raises(OpengatoError, match="rate_hz"):
        export(ExportConfig(TASK, str(tmp_path / "out"), "lerobot", str(tmp_path / "data")))
    with pytest.raises(OpengatoError, match="exists"):
        export(ExportConfig(TASK, str(store.path), "minari", str(tmp_path / "data")))
    with pytest.raises(OpengatoError, match="no folder"):
        import_(ImportConfig(str(tmp_path / "nothing"), TASK, "lerobot"))
    old = tmp_path / "old" / "meta"
    old.mkdir(parents=True)
    (old / "info.json").write_text('{"codebase_version": "v2.1"}')
    with pytest.raises(OpengatoError, match=r"version v2\.1"):
        import_(ImportConfig(str(tmp_path / "old"), TASK, "lerobot"))
    assert not (tmp_path / "out").exists()


def damage(store: EpisodeStore, index: int) -> None:
    """Change one number of an episode, as a bad disk would."""
    store.close()
    with h5py.File(store.path / "data" / "main_data.hdf5", "r+") as file:
        file[f"episode_{index}"]["rewards"][0] += 1


def test_damage_is_named_and_skipped_on_request_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, vocabulary = write(tmp_path), Vocabulary.load()
    (row,) = verify(VerifyConfig(data_dir=str(tmp_path)))
    assert (row["task"], row["episodes"], row["damaged"], row["unsigned"]) == (TASK, 3, [], 0)
    damage(store, 1)
    (row,) = verify(VerifyConfig(tasks=["zoo/*"], data_dir=str(tmp_path)))
    assert [entry["episode"] for entry in row["damaged"]] == [1]
    assert main(["data", "verify", f"data_dir={tmp_path}"]) == 2
    assert "episode 1" in capsys.readouterr().out
    with pytest.raises(OpengatoError, match="episode 1"):
        open_arrays(store, TASK, "act", vocabulary)
    assert len(open_arrays(store, TASK, "act", vocabulary, skip_damaged=True)) == 2
    with pytest.raises(OpengatoError, match="no dataset"):
        verify(VerifyConfig(tasks=["other/*"], data_dir=str(tmp_path)))


def test_a_truncated_file_is_found(tmp_path: Path) -> None:
    store = write(tmp_path)
    file = store.path / "data" / "main_data.hdf5"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (row,) = verify(VerifyConfig(data_dir=str(tmp_path)))
    assert row["damaged"]
