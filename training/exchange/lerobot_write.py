"""A dataset of ours as a folder of LeRobot's (`lerobot.py` says how it looks)."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from opengato.agent.spec import Feature, Spec, pick
from opengato.errors import OpengatoError
from opengato.training.episodes import EpisodeStore
from opengato.training.exchange.lerobot import (
    DATA,
    EPISODES,
    FILE_BYTES,
    FILES_A_CHUNK,
    MODES,
    OURS,
    VERSION,
    arrow,
    feature_name,
)
from opengato.training.minari_store import dump_space


def write_lerobot(store: EpisodeStore, folder: Path, instruction: str, rate_hz: float) -> None:
    """Write a dataset into an empty folder.

    Raises:
        OpengatoError: pictures with more than four channels.
    """
    pa, parquet = arrow()
    spec = Spec(store.observation_space, store.action_space)
    features = [(feature_name("observation", f, spec.observation), f) for f in spec.observation]
    features += [(feature_name("action", f, spec.action), f) for f in spec.action]
    for name, feature in features:
        if feature.kind == "image" and feature.shape[2] not in MODES:
            raise OpengatoError(f"{name} has {feature.shape[2]} channels; LeRobot keeps 1 to 4 of them.")
    judged = all(row["success"] is not None for row in store.summaries())
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
        table = _table(pa, episode, number, at, rate_hz, features, judged, statistics)
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
        known = {"seed": episode.seed, "success": episode.success, "info": episode.info}
        places[OURS].append(json.dumps(known, ensure_ascii=False))
        at += len(episode)
    flush()
    (folder / EPISODES).parent.mkdir(parents=True)
    parquet.write_table(pa.table(dict(places)), folder / EPISODES)
    parquet.write_table(_tasks(pa, instruction), folder / "meta/tasks.parquet")
    info = {
        "codebase_version": VERSION, "robot_type": None, "total_episodes": len(store), "total_frames": at,
        "total_tasks": 1, "chunks_size": FILES_A_CHUNK, "data_files_size_in_mb": FILE_BYTES >> 20,
        "video_files_size_in_mb": 200, "fps": int(rate_hz) if float(rate_hz).is_integer() else rate_hz,
        "splits": {"train": f"0:{len(store)}"}, "data_path": DATA, "video_path": None,
        "features": _described(features, judged),
        OURS: {
            "observation_space": dump_space(store.observation_space), "action_space": dump_space(store.action_space),
            "rate_hz": rate_hz, "task": store.metadata.get("task"),
        },
    }  # fmt: skip
    (folder / "meta/info.json").write_text(json.dumps(info, indent=4), encoding="utf-8")
    (folder / "meta/stats.json").write_text(json.dumps(statistics.done(), indent=4), encoding="utf-8")


def _described(features: list[tuple[str, Feature]], judged: bool) -> dict[str, Any]:
    """The features as `info.json` has them."""
    found: dict[str, Any] = {}
    for name, feature in features:
        if feature.kind == "image":
            found[name] = {"dtype": "image", "shape": feature.shape, "names": ["height", "width", "channels"]}
        elif feature.kind == "text":
            found[name] = {"dtype": "string", "shape": (1,), "names": None}
        else:
            found[name] = {"dtype": feature.dtype, "shape": (feature.size,), "names": list(feature.names) or None}
    scalars = {"next.reward": "float32", "next.done": "bool", "timestamp": "float32"}
    scalars |= {"next.success": "bool"} if judged else {}
    scalars |= dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), "int64")
    return found | {name: {"dtype": kind, "shape": (1,), "names": None} for name, kind in scalars.items()}


def _table(
    pa: Any, episode: Any, number: int, at: int, rate_hz: float, features: list[tuple[str, Feature]],
    judged: bool, statistics: Statistics,
) -> Any:  # fmt: skip
    """An episode's rows; whether it was a success stands there only if it is known of every episode (`judged`)."""
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
    if judged:
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
