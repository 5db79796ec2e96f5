"""LeRobot's dataset folders, version 3.

    meta/info.json                       features, rate, where files lie
    meta/stats.json                      minimum, maximum, mean and standard deviation of every feature
    meta/tasks.parquet                   tasks in words, by number
    meta/episodes/chunk-000/file-000.parquet   per episode its length and where its rows (and video frames) lie
    data/chunk-000/file-000.parquet      one row per timestep
    videos/KEY/chunk-000/file-000.mp4    read here, never written: pictures go into the rows, without loss

Spaces that LeRobot has no words for (nested keys, bounds, numbers of classes) are kept in `info.json` under `opengato`,
so that what was written here comes back as it was, but for what was seen after the last action.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from PIL import Image

from opengato.agent.spec import Feature, Spec, build, pick
from opengato.errors import MissingExtraError, OpengatoError
from opengato.training.episodes import EpisodeStore, Recording
from opengato.training.exchange.found import Found
from opengato.training.exchange.video import Frames
from opengato.training.minari_store import dump_space, load_space

VERSION = "v3.0"
FILE_BYTES = 100 << 20  # LeRobot's own limit of a data file
FILES_A_CHUNK = 1000
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # of PNG, by number of channels
Columns = dict[str, list[Any]]


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("LeRobot's format", "lerobot", ["pyarrow"]) from None
    return pyarrow, pyarrow.parquet


# ---- writing ---------------------------------------------------------------------------------------------------------


def write_lerobot(store: EpisodeStore, folder: Path, instruction: str, rate_hz: float) -> None:
    """Write a dataset into an empty folder.

    Raises:
        OpengatoError: pictures with more than four channels.
    """
    pa, parquet = _arrow()
    spec = Spec(store.observation_space, store.action_space)
    features = [(_name("observation", f, spec.observation), f) for f in spec.observation]
    features += [(_name("action", f, spec.action), f) for f in spec.action]
    for name, feature in features:
        if feature.kind == "image" and feature.shape[2] not in MODES:
            raise OpengatoError(f"{name} has {feature.shape[2]} channels; LeRobot keeps 1 to 4 of them.")
    statistics, at, files, size = Statistics(), 0, 0, 0
    rows: list[Any] = []
    places: dict[str, list[Any]] = defaultdict(list)

    def flush() -> None:
        nonlocal rows, files, size
        path = folder / DATA.format(chunk_index=files // FILES_A_CHUNK, file_index=files % FILES_A_CHUNK)
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.concat_tables(rows), path)
        rows, files, size = [], files + 1, 0

    for number in range(len(store)):
        episode = store[number]
        table = _table(pa, episode, number, at, rate_hz, features, statistics)
        if rows and size + table.nbytes > FILE_BYTES:
            flush()
        rows.append(table)
        size += table.nbytes
        places["episode_index"].append(number)
        places["tasks"].append([instruction])
        places["length"].append(len(episode))
        places["data/chunk_index"].append(files // FILES_A_CHUNK)
        places["data/file_index"].append(files % FILES_A_CHUNK)
        places["dataset_from_index"].append(at)
        places["dataset_to_index"].append(at + len(episode))
        places["meta/episodes/chunk_index"].append(0)
        places["meta/episodes/file_index"].append(0)
        at += len(episode)
    flush()
    (folder / EPISODES).parent.mkdir(parents=True)
    parquet.write_table(pa.table(dict(places)), folder / EPISODES)
    parquet.write_table(_tasks(pa, instruction), folder / "meta/tasks.parquet")
    info = {
        "codebase_version": VERSION, "robot_type": None, "total_episodes": len(store), "total_frames": at,
        "total_tasks": 1, "chunks_size": FILES_A_CHUNK, "data_files_size_in_mb": FILE_BYTES >> 20,
        "video_files_size_in_mb": 200, "fps": round(rate_hz) if rate_hz >= 1 else rate_hz,
        "splits": {"train": f"0:{len(store)}"}, "data_path": DATA, "video_path": None,
        "features": _described(features),
        "opengato": {
            "observation_space": dump_space(store.observation_space), "action_space": dump_space(store.action_space),
            "rate_hz": rate_hz, "task": store.metadata.get("task"),
        },
    }  # fmt: skip
    (folder / "meta/info.json").write_text(json.dumps(info, indent=4), encoding="utf-8")
    (folder / "meta/stats.json").write_text(json.dumps(statistics.done(), indent=4), encoding="utf-8")


def _name(part: str, feature: Feature, among: tuple[Feature, ...]) -> str:
    """LeRobot's name of a feature: "action" where there is one, "observation.images.…" for pictures."""
    if part == "action":
        return "action" if len(among) == 1 else f"action.{feature.path}"
    if feature.kind == "image":
        return f"observation.images.{feature.path or 'camera'}"
    return f"observation.{feature.path or 'state'}"


def _described(features: list[tuple[str, Feature]]) -> dict[str, Any]:
    """The features as `info.json` has them."""
    found: dict[str, Any] = {}
    for name, feature in features:
        if feature.kind == "image":
            found[name] = {"dtype": "image", "shape": feature.shape, "names": ["height", "width", "channels"]}
        elif feature.kind == "text":
            found[name] = {"dtype": "string", "shape": (1,), "names": None}
        else:
            found[name] = {"dtype": feature.dtype, "shape": (feature.size,), "names": list(feature.names) or None}
    scalars = {"next.reward": "float32", "next.done": "bool", "next.success": "bool", "timestamp": "float32"}
    scalars |= dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), "int64")
    return found | {name: {"dtype": kind, "shape": (1,), "names": None} for name, kind in scalars.items()}


def _table(
    pa: Any, episode: Any, number: int, at: int, rate_hz: float, features: list[tuple[str, Feature]],
    statistics: Statistics,
) -> Any:  # fmt: skip
    """An episode's rows."""
    length = len(episode)
    frame = np.arange(length)
    columns: dict[str, Any] = {}
    for name, feature in features:
        tree = episode.actions if name.startswith("action") else episode.observations
        leaves = [pick(value, feature.path) for value in tree]
        if feature.kind == "image":
            statistics.add(name, np.stack(leaves), picture=True)
            cells = [{"bytes": _png(leaf), "path": None} for leaf in leaves]
            columns[name] = pa.array(cells, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
        elif feature.kind == "text":
            columns[name] = pa.array(leaves, pa.string())
        else:
            values = np.stack([np.asarray(leaf).reshape(-1) for leaf in leaves]).astype(feature.dtype)
            statistics.add(name, values)
            flat = pa.array(values.reshape(-1))
            one = feature.size == 1
            columns[name] = flat if one else pa.FixedSizeListArray.from_arrays(flat, feature.size)
    done = frame == length - 1
    columns["next.reward"] = pa.array(np.asarray(episode.rewards, np.float32))
    columns["next.done"] = pa.array(done)
    columns["next.success"] = pa.array(done & bool(episode.success))
    columns["timestamp"] = pa.array((frame / rate_hz).astype(np.float32))
    for name, values in (("frame_index", frame), ("episode_index", np.full(length, number)), ("index", at + frame)):
        columns[name] = pa.array(values.astype(np.int64))
    columns["task_index"] = pa.array(np.zeros(length, np.int64))
    return pa.table(columns)


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    mode = MODES[picture.shape[2]]
    Image.fromarray(picture[..., 0] if mode == "L" else picture, mode).save(buffer, "PNG")
    return buffer.getvalue()


def _tasks(pa: Any, instruction: str) -> Any:
    """The table of tasks; pandas, with which LeRobot reads it, is told that the words are its index."""
    table = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([instruction], pa.string())})
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    notes = {
        "index_columns": ["task"], "column_indexes": [], "pandas_version": "2.0.0",
        "columns": [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
            for name, (kind, numpy) in kinds.items()
        ],
    }  # fmt: skip
    return table.replace_schema_metadata({"pandas": json.dumps(notes)})


class Statistics:
    """Minimum, maximum, mean and standard deviation of features, episode by episode."""

    def __init__(self) -> None:
        self._parts: dict[str, list[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]] = defaultdict(list)
        self._pictures: set[str] = set()

    def add(self, name: str, values: np.ndarray, picture: bool = False) -> None:
        """Take in values [n, size]; or pictures uint8 [n, height, width, channels], counted per channel in [0, 1]."""
        if picture:
            self._pictures.add(name)
            values = values.reshape(-1, values.shape[-1]).astype(np.float64) / 255
        values = values.astype(np.float64)
        square = np.square(values).sum(0)
        self._parts[name].append((len(values), values.min(0), values.max(0), values.sum(0), square))

    def done(self) -> dict[str, dict[str, Any]]:
        """As `stats.json` has them."""
        found = {}
        for name, parts in self._parts.items():
            counts, lows, highs, sums, squares = (np.stack(column) for column in zip(*parts, strict=True))
            count = counts.sum()
            mean = sums.sum(0) / count
            spread = np.sqrt(np.maximum(squares.sum(0) / count - mean**2, 0))
            facts = {"min": lows.min(0), "max": highs.max(0), "mean": mean, "std": spread}
            shape = (-1, 1, 1) if name in self._pictures else (-1,)
            found[name] = {key: value.reshape(shape).tolist() for key, value in facts.items()} | {"count": [int(count)]}
        return found


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_lerobot(folder: Path) -> Found:
    """Open a dataset.

    Raises:
        OpengatoError: another version, a file that is missing or damaged, or a feature that has no place in a space.
    """
    pa, parquet = _arrow()
    info = _json(folder / "meta/info.json")
    version = str(info.get("codebase_version"))
    if not version.startswith("v3"):
        raise OpengatoError(
            f"{str(folder)!r} is of version {version}; legal: v3.0. Next: convert it with LeRobot's own script."
        )
    ours = info.get("opengato")
    if ours:
        observation, action = load_space(ours["observation_space"]), load_space(ours["action_space"])
    else:
        stats_file = folder / "meta/stats.json"
        observation, action = _spaces(info["features"], _json(stats_file) if stats_file.is_file() else {})
    try:
        tasks = parquet.read_table(folder / "meta/tasks.parquet").to_pydict()
        files = sorted((folder / "meta/episodes").rglob("*.parquet"))
        places = pa.concat_tables([parquet.read_table(file) for file in files], promote_options="default")
    except (OSError, pa.ArrowException) as error:
        raise OpengatoError(f"{str(folder)!r} is damaged ({error}).") from error
    words = [text for name, column in tasks.items() if name != "task_index" for text in column]
    facts = {"rate_hz": (ours or {}).get("rate_hz", info.get("fps")), "instructions": words}
    reader = _Reader(folder, info, observation, action, bool(ours))
    return Found(observation, action, reader.episodes(places.to_pylist()), facts)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise OpengatoError(
            f"{str(path)!r} cannot be read ({error}). Next: give the folder that holds meta/."
        ) from error


def _spaces(features: dict[str, Any], statistics: dict[str, Any]) -> tuple[spaces.Space, spaces.Space]:
    """Spaces of a robot's dataset: actions are bounded by what was recorded, since nothing else bounds them."""
    seen: list[tuple[str, spaces.Space]] = []
    done: list[tuple[str, spaces.Space]] = []
    for name, feature in features.items():
        if name.startswith("observation."):
            seen.append((_key(name, "observation."), _space(name, feature, {})))
        elif name == "action" or name.startswith("action."):
            done.append((_key(name, "action."), _space(name, feature, statistics.get(name, {}))))
    if not seen or not done:
        raise OpengatoError("the dataset has no 'observation.…' or no 'action' among its features.")
    return spaces.Dict(seen), done[0][1] if [key for key, _ in done] == ["action"] else spaces.Dict(done)


def _key(name: str, prefix: str) -> str:
    """A feature's name without its prefix; dots would be read as nesting."""
    return name.removeprefix(prefix).replace(".", "_")


def _space(name: str, feature: dict[str, Any], statistics: dict[str, Any]) -> spaces.Space:
    kind, shape = feature["dtype"], tuple(feature["shape"])
    if kind in ("image", "video"):
        first = str((feature.get("names") or [""])[0])
        if first.startswith("c") or shape[0] in MODES:
            shape = (*shape[1:], shape[0])
        return spaces.Box(0, 255, shape, np.uint8)
    if kind == "string":
        return spaces.Text(1000)
    if not kind.startswith(("float", "int", "uint", "bool")):
        raise OpengatoError(f"feature {name!r} is of type {kind}, which has no place in a space.")
    low, high = (
        np.asarray(statistics.get(key, limit), np.float32) for key, limit in (("min", -np.inf), ("max", np.inf))
    )
    flat = np.broadcast_to(low.reshape(-1) if low.size > 1 else low.reshape(()), shape)
    top = np.broadcast_to(high.reshape(-1) if high.size > 1 else high.reshape(()), shape)
    return spaces.Box(flat.astype(np.float32), np.maximum(top, flat + 1e-6).astype(np.float32))


class _Reader:
    """Reads episodes in their order; keeps the last data file and the open videos."""

    def __init__(
        self, folder: Path, info: dict[str, Any], observation: spaces.Space, action: spaces.Space, ours: bool
    ) -> None:
        self.folder, self.info = folder, info
        self.observation, self.action, self.spec = observation, action, Spec(observation, action)
        self.names = {}
        for part, features in (("observation", self.spec.observation), ("action", self.spec.action)):
            for feature in features:
                self.names[part, feature.path] = _name(part, feature, features) if ours else self._theirs(part, feature)
        self._data: tuple[Path, Any] | None = None
        self._frames: dict[str, Frames] = {}

    def _theirs(self, part: str, feature: Feature) -> str:
        for name in self.info["features"]:
            if name == part or (name.startswith(f"{part}.") and _key(name, f"{part}.") == feature.path):
                return str(name)
        raise OpengatoError(f"feature {feature.path!r} of the {part} is missing.")

    def episodes(self, places: list[dict[str, Any]]) -> Iterator[Recording]:
        """All of them, by number."""
        for place in sorted(places, key=lambda row: int(row["episode_index"])):
            yield self._episode(place)

    def _episode(self, place: dict[str, Any]) -> Recording:
        number, length = int(place["episode_index"]), int(place["length"])
        columns = self._rows(place, number)
        if len(columns["episode_index"]) != length:
            rows = len(columns["episode_index"])
            raise OpengatoError(f"episode {number} of {str(self.folder)!r} has {rows} rows; its entry says {length}.")
        seen = self._values("observation", self.observation, columns, place, length)
        done = self._values("action", self.action, columns, place, length)
        success = bool(np.any(columns["next.success"])) if "next.success" in columns else None
        rewards = np.asarray(columns.get("next.reward", [0.0] * length), np.float32).reshape(length)
        words = place.get("tasks") or []
        return Recording(
            seen, done, rewards, success, None, {"instruction": words[0] if words else "", "terminated": bool(success)}
        )

    def _rows(self, place: dict[str, Any], number: int) -> Columns:
        """The columns of an episode's timesteps."""
        pa, parquet = _arrow()
        name = self.info.get("data_path") or DATA
        path = self.folder / name.format(
            chunk_index=int(place["data/chunk_index"]), file_index=int(place["data/file_index"])
        )
        try:
            if self._data is None or self._data[0] != path:
                self._data = (path, parquet.read_table(path))
            table = self._data[1]
            at = np.flatnonzero(np.asarray(table["episode_index"]) == number)
            found: Columns = (table.slice(int(at[0]), len(at)) if len(at) else table.slice(0, 0)).to_pydict()
        except (OSError, pa.ArrowException) as error:
            raise OpengatoError(f"episode {number}: {str(path)!r} cannot be read ({error}).") from error
        return found

    def _values(
        self, part: str, space: spaces.Space, columns: Columns, place: dict[str, Any], length: int
    ) -> list[Any]:
        """Observations or actions of an episode."""
        leaves: dict[str, list[Any]] = {}
        for feature in getattr(self.spec, part):
            name = self.names[part, feature.path]
            if self.info["features"].get(name, {}).get("dtype") == "video":
                leaves[feature.path] = self._video(name, place, length)
            elif feature.kind == "image":
                leaves[feature.path] = [_picture(self.folder, cell, feature) for cell in columns[name]]
            elif feature.kind == "discrete":
                low = np.asarray(feature.low)
                leaves[feature.path] = [np.asarray(value).reshape(-1) - low for value in columns[name]]
            else:
                leaves[feature.path] = columns[name]
        return [build(space, {path: column[step] for path, column in leaves.items()}) for step in range(length)]

    def _video(self, name: str, place: dict[str, Any], length: int) -> list[np.ndarray]:
        """Pictures of an episode from the video that holds it."""
        numbers = [int(place[f"videos/{name}/{key}"]) for key in ("chunk_index", "file_index")]
        where = (self.info.get("video_path") or VIDEO).format(
            video_key=name, chunk_index=numbers[0], file_index=numbers[1]
        )
        path = self.folder / where
        if name not in self._frames or self._frames[name].path != path:
            self._frames[name] = Frames(path)
        first = round(float(place.get(f"videos/{name}/from_timestamp", 0.0)) * float(self.info["fps"]))
        return self._frames[name].read(first, length)


def _picture(folder: Path, cell: dict[str, Any], feature: Feature) -> np.ndarray:
    data = cell["bytes"] if cell.get("bytes") else (folder / str(cell["path"])).read_bytes()
    picture = np.asarray(Image.open(io.BytesIO(data)).convert(MODES[feature.shape[2]]))
    return picture.reshape(feature.shape)
