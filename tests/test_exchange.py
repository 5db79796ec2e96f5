"""Datasets that come in and go out are the same datasets, and damage is found."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from opengato.agent.text import Vocabulary
from opengato.cli import main
from opengato.errors import OpengatoError
from opengato.training.arrays import open_arrays
from opengato.training.checksum import ATTRIBUTE
from opengato.training.dataset_folder import dataset_path
from opengato.training.episodes import EpisodeStore, Recording, write_episodes
from opengato.training.exchange import ExportConfig, ImportConfig, export, import_
from opengato.training.exchange.lerobot_read import read_lerobot
from opengato.training.verify import VerifyConfig, verify

from . import spaces_zoo as zoo

TASK = "zoo/act"
LENGTHS = (3, 9, 5)


def episode(
    rng: np.random.Generator, length: int, success: bool | None, observation: spaces.Space, action: spaces.Space
) -> Recording:
    seen = [observation.sample() for _ in range(length + 1)]
    done = [action.sample() for _ in range(length)]
    info = {"terminated": success is False, "noise": length / 10, "who": "字"}
    rewards = rng.normal(size=length).astype(np.float32)
    return Recording(seen[:-1], done, rewards, success, length if success else None, info, seen[-1])


def write(
    data_dir: Path,
    observation: spaces.Space = zoo.OBSERVATION,
    action: spaces.Space = zoo.ACTION,
    successes: tuple[bool | None, ...] = (True, False, None),
) -> EpisodeStore:
    zoo.seed(0)
    rng = np.random.default_rng(0)
    made = [episode(rng, *each, observation, action) for each in zip(LENGTHS, successes, strict=True)]
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
        assert (a.success, a.seed, a.info) == (b.success, b.seed, b.info)


@pytest.mark.parametrize("action", [zoo.ACTION, zoo.SPEECH], ids=["numbers", "words"])
def test_minari_there_and_back(tmp_path: Path, action: spaces.Space) -> None:
    store = write(tmp_path / "data", action=action)
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "minari", str(tmp_path / "data")))
    back = EpisodeStore(import_(ImportConfig(str(out), TASK, "minari", str(tmp_path / "other"))))
    check_same(store, back)
    assert checksums(back) == checksums(store), "what was seen after the last action and how it ended are there, too"


def checksums(store: EpisodeStore) -> list[str]:
    with h5py.File(store.path / "data/main_data.hdf5", "r") as file:
        return [file[f"episode_{index}"].attrs[ATTRIBUTE] for index in range(len(store))]


@pytest.mark.parametrize("action", [zoo.ACTION, zoo.SPEECH], ids=["numbers", "words"])
def test_lerobot_there_and_back(tmp_path: Path, action: spaces.Space) -> None:
    pytest.importorskip("pyarrow")
    store = write(tmp_path / "data", action=action)
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "lerobot", str(tmp_path / "data"), rate_hz=20.0))
    back = EpisodeStore(import_(ImportConfig(str(out), TASK, "lerobot", str(tmp_path / "other"))))
    check_same(store, back)


@pytest.mark.parametrize("successes", [(True, False, True), (None, None, None), (True, None, True)])
def test_lerobot_is_told_of_success_where_it_is_known(tmp_path: Path, successes: tuple[bool | None, ...]) -> None:
    pytest.importorskip("pyarrow")
    write(tmp_path / "data", successes=successes)
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "lerobot", str(tmp_path / "data"), rate_hz=8.75))
    info, table = json.loads((out / "meta/info.json").read_text()), rows(out)
    assert set(table) == set(info["features"])
    assert np.diff(table["timestamp"][: LENGTHS[0]]) * info["fps"] == pytest.approx(1)
    if None in successes:
        assert "next.success" not in table
    else:
        assert [bool(table["next.success"][end - 1]) for end in np.cumsum(LENGTHS)] == list(successes)


def rows(folder: Path) -> dict[str, list[Any]]:
    from pyarrow import parquet

    return dict(parquet.read_table(folder / "data/chunk-000/file-000.parquet").to_pydict())


def test_actions_of_a_robot_come_from_their_own_columns(tmp_path: Path) -> None:
    """One is called as the other's folder would be."""
    pytest.importorskip("pyarrow")
    two = spaces.Dict({"x": spaces.Box(-1, 1, (2,)), "y": spaces.Box(2, 3, (2,))})
    write(tmp_path / "data", spaces.Box(-1, 1, (4,)), two)
    out = export(ExportConfig(TASK, str(tmp_path / "out"), "lerobot", str(tmp_path / "data"), rate_hz=30.0))
    rename(out, {"action.y": "action"})
    found = read_lerobot(out)
    assert isinstance(found.action_space, spaces.Dict)
    assert list(found.action_space) == ["x", "action"]
    table, (first, *_) = rows(out), found.episodes
    for key, name in (("x", "action.x"), ("action", "action")):
        np.testing.assert_array_equal([action[key] for action in first.actions], table[name][: LENGTHS[0]])
    rename(out, {"action.x": "action.a.b", "action": "action.a_b"})
    with pytest.raises(OpengatoError, match=r"'action.a.b' and 'action.a_b' would both be the entry 'a_b'"):
        read_lerobot(out)


def rename(folder: Path, names: dict[str, str]) -> None:
    """Give a dataset's features other names, and take from it what says that it is ours."""
    from pyarrow import parquet

    info = json.loads((folder / "meta/info.json").read_text())
    info.pop("opengato", None)
    info["features"] = {names.get(name, name): feature for name, feature in info["features"].items()}
    (folder / "meta/info.json").write_text(json.dumps(info))
    file = folder / "data/chunk-000/file-000.parquet"
    table = parquet.read_table(file)
    parquet.write_table(table.rename_columns([names.get(name, name) for name in table.column_names]), file)


@pytest.mark.parametrize("task", ["", "/", "zoo", "zoo/", "zoo/act@2"])
def test_an_import_becomes_the_dataset_of_a_task(tmp_path: Path, task: str) -> None:
    store = write(tmp_path)
    with pytest.raises(OpengatoError, match="task id"):
        import_(ImportConfig(str(store.path), task, "minari", str(tmp_path / "other")))
    assert not (tmp_path / "other").exists()
    if not task.strip("/"):
        with pytest.raises(OpengatoError, match="has no name"):
            dataset_path(tmp_path, task)


def test_an_import_replaces_a_dataset_on_request_only(tmp_path: Path) -> None:
    store, other = write(tmp_path / "data"), write(tmp_path / "other", successes=(None, None, None))
    config = ImportConfig(str(other.path), TASK, "minari", str(tmp_path / "data"))
    aside = store.path.with_name(f".{store.path.name}.old")
    for interrupted in (False, True):  # or a kill has left it beside its place
        if interrupted:
            store.path.rename(aside)
        with pytest.raises(OpengatoError, match=r"holds a dataset already\. Next: overwrite=true"):
            import_(config)
    assert EpisodeStore.open(tmp_path / "data", TASK)[0].success is True
    import_(dataclasses.replace(config, overwrite=True))
    assert EpisodeStore.open(tmp_path / "data", TASK)[0].success is None


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
    assert [len(each) for each in read] == list(LENGTHS)
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
    key, lengths = "observation.images.front", list(LENGTHS)
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
    for format_ in ("minari", "lerobot"):
        with pytest.raises(OpengatoError, match=r"single steps\. Next: task=zoo/act$"):
            export(ExportConfig(f"{TASK}@2", str(tmp_path / "out"), format_, str(tmp_path / "data")))  # type: ignore[arg-type]
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
