"""Episodes of a folder of LeRobot's (`lerobot.py` says how it looks)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from PIL import Image

from opengato.agent.spec import Feature, Spec, build
from opengato.errors import OpengatoError
from opengato.training.episodes import Recording
from opengato.training.exchange.found import Found
from opengato.training.exchange.lerobot import DATA, MODES, OURS, VIDEO, arrow, feature_name
from opengato.training.exchange.video import Frames
from opengato.training.minari_store import load_space

Columns = dict[str, list[Any]]
Names = dict[tuple[str, str], str]  # of LeRobot's features, by part ("observation", "action") and path in our spaces


def read_lerobot(folder: Path) -> Found:
    """Open a dataset.

    Raises:
        OpengatoError: another version, a file that is missing or damaged, or a feature that has no place in a space.
    """
    pa, parquet = arrow()
    info = _json(folder / "meta/info.json")
    version = str(info.get("codebase_version"))
    if not version.startswith("v3"):
        raise OpengatoError(
            f"{str(folder)!r} is of version {version}; legal: v3.0. Next: convert it with LeRobot's own script."
        )
    ours = info.get(OURS)
    if ours:
        observation, action = load_space(ours["observation_space"]), load_space(ours["action_space"])
        names = _our_names(Spec(observation, action))
    else:
        stats_file = folder / "meta/stats.json"
        observation, action, names = _spaces(info["features"], _json(stats_file) if stats_file.is_file() else {})
    try:
        tasks = parquet.read_table(folder / "meta/tasks.parquet").to_pydict()
        files = sorted((folder / "meta/episodes").rglob("*.parquet"))
        places = pa.concat_tables([parquet.read_table(file) for file in files], promote_options="default")
    except (OSError, pa.ArrowException) as error:
        raise OpengatoError(f"{str(folder)!r} is damaged ({error}).") from error
    words = [text for name, column in tasks.items() if name != "task_index" for text in column]
    facts = {"rate_hz": (ours or {}).get("rate_hz", info.get("fps")), "instructions": words}
    reader = _Reader(folder, info, observation, action, names)
    return Found(observation, action, reader.episodes(places.to_pylist()), facts)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise OpengatoError(
            f"{str(path)!r} cannot be read ({error}). Next: give the folder that holds meta/."
        ) from error


def _our_names(spec: Spec) -> Names:
    parts = (("observation", spec.observation), ("action", spec.action))
    return {(part, f.path): feature_name(part, f, among) for part, among in parts for f in among}


def _spaces(features: dict[str, Any], statistics: dict[str, Any]) -> tuple[spaces.Space, spaces.Space, Names]:
    """Spaces of a robot's dataset, and which feature is which entry of them. Actions are bounded by what was recorded,
    since nothing else bounds them."""
    seen: dict[str, spaces.Space] = {}
    done: dict[str, spaces.Space] = {}
    names: Names = {}
    for name, feature in features.items():
        part = name.partition(".")[0]
        if part not in ("observation", "action") or name == "observation":
            continue
        key = _key(name, f"{part}.")
        if (part, key) in names:
            raise OpengatoError(
                f"features {names[part, key]!r} and {name!r} would both be the entry {key!r}. Next: rename one of them."
            )
        names[part, key] = name
        (seen if part == "observation" else done)[key] = _space(
            name, feature, statistics.get(name, {}) if part == "action" else {}
        )
    if not seen or not done:
        raise OpengatoError("the dataset has no 'observation.…' or no 'action' among its features.")
    if list(done) == ["action"]:
        names["action", ""] = names["action", "action"]
        return _ordered(seen), done["action"], names
    return _ordered(seen), _ordered(done), names


def _ordered(parts: dict[str, spaces.Space]) -> spaces.Dict:
    """A Dict in the order of the features; Gymnasium would sort a plain dict's keys."""
    return spaces.Dict(list(parts.items()))


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
        self, folder: Path, info: dict[str, Any], observation: spaces.Space, action: spaces.Space, names: Names
    ) -> None:
        self.folder, self.info, self.names = folder, info, names
        self.observation, self.action, self.spec = observation, action, Spec(observation, action)
        self._data: tuple[Path, Any] | None = None
        self._frames: dict[str, Frames] = {}

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
        rewards = np.asarray(columns.get("next.reward", [0.0] * length), np.float32).reshape(length)
        if place.get(OURS):
            return Recording(seen, done, rewards, **json.loads(place[OURS]))
        success = bool(np.any(columns["next.success"])) if "next.success" in columns else None
        words = place.get("tasks") or []
        info = {"instruction": words[0] if words else "", "terminated": bool(success)}
        return Recording(seen, done, rewards, success, None, info)

    def _rows(self, place: dict[str, Any], number: int) -> Columns:
        """The columns of an episode's timesteps."""
        pa, parquet = arrow()
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
