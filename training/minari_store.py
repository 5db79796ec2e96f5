"""How an episode lies on disk: Minari's HDF5 layout, written column by column.

Minari reads what is written here (`minari.load_dataset` with MINARI_DATASETS_PATH set to the data folder), but it
does not do the writing: its writer keeps pictures as lossy JPEG, or as raw bytes in chunks that cut through every
frame, while the agent must be trained on exactly the pixels that it will see. Here pictures are compressed without
loss, a few whole frames a chunk.

Two things that Minari cannot hold are bent to fit: a "/" or "%" in a Dict key is percent-encoded (HDF5 takes a slash
for a folder), and an episode without a final observation has its last one written twice: Minari wants T + 1 of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from gymnasium import spaces

from opengato.agent.episode import Episode
from opengato.errors import ObservationError, OpengatoError, SpaceError

from .checksum import ATTRIBUTE, checksum

CHUNK_BYTES = 1 << 18  # a chunk of 256 KiB is where gzip stops gaining and a read of one episode is still quick
COMPRESS_FROM = 1 << 13  # below 8 KiB the bookkeeping of a chunked column costs more than it saves
_ARRAY_SPACES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


def quote_key(key: str, path: str = "") -> str:
    """A Dict key as an HDF5 name.

    Raises:
        SpaceError: the key is not a string, or is empty.
    """
    if not isinstance(key, str) or not key:
        raise SpaceError(f"{path or 'space'}: the key {key!r} cannot be stored. Next: name it with a non-empty string.")
    quoted = key.replace("%", "%25").replace("/", "%2F")
    return quoted.replace(".", "%2E") if set(key) == {"."} else quoted


def unquote_key(name: str) -> str:
    """The Dict key of an HDF5 name."""
    return name.replace("%2E", ".").replace("%2F", "/").replace("%25", "%")


def storable_space(space: spaces.Space, path: str = "space") -> spaces.Space:
    """The same space with keys that HDF5 can hold, in the same order.

    Raises:
        SpaceError: an entry is of a kind that episodes cannot hold; names its path.
    """
    if isinstance(space, spaces.Dict):
        # items, not a plain dict: Gymnasium would sort a plain dict's keys
        return spaces.Dict([(quote_key(k, path), storable_space(s, f"{path}.{k}")) for k, s in space.items()])
    if isinstance(space, spaces.Tuple):
        return spaces.Tuple([storable_space(s, f"{path}[{i}]") for i, s in enumerate(space)])
    if not isinstance(space, (*_ARRAY_SPACES, spaces.Text)):
        kind = type(space).__name__
        raise SpaceError(
            f"{path}: a space of type {kind} cannot be stored. Legal: Box, Discrete, MultiDiscrete, MultiBinary, Text, "
            "Dict, Tuple. Next: wrap the environment so that this entry is one of them."
        )
    return space


def dump_space(space: spaces.Space) -> str:
    """A space as the JSON text that Minari keeps in `metadata.json`."""
    from minari.serialization import serialize_space

    return str(serialize_space(storable_space(space)))


def load_space(text: str) -> spaces.Space:
    """The space of `dump_space`'s text, keys as they were and in their order."""
    return _load_space(json.loads(text))


def _load_space(entry: dict[str, Any]) -> spaces.Space:
    from minari.serialization import deserialize_space

    if entry["type"] == "Dict":
        return spaces.Dict([(unquote_key(k), _load_space(s)) for k, s in entry["subspaces"].items()])
    if entry["type"] == "Tuple":
        return spaces.Tuple([_load_space(s) for s in entry["subspaces"]])
    return deserialize_space(entry)


# ---- writing ---------------------------------------------------------------------------------------------------------


def write_group(
    group: h5py.Group,
    episode: Episode,
    observation_space: spaces.Space,
    action_space: spaces.Space,
) -> None:
    """Write one episode into an empty HDF5 group.

    `episode.final_observation`, where the episode has one (see `Recording`), becomes observation T + 1.

    Raises:
        OpengatoError: the episode is empty or its parts differ in length.
        ObservationError: an observation or action does not fit its space, or is not finite; names the entry.
    """
    steps = len(episode.actions)
    if steps == 0 or len(episode.observations) != steps or len(episode.rewards) != steps:
        raise OpengatoError(
            f"an episode must have as many observations and rewards as actions, and at least one; got "
            f"{len(episode.observations)}, {len(episode.rewards)} and {steps}."
        )
    final = getattr(episode, "final_observation", None)
    observations = [*episode.observations, episode.observations[-1] if final is None else final]
    _write_column(group, "observations", observation_space, observations, "observation")
    _write_column(group, "actions", action_space, episode.actions, "action")
    group["rewards"] = np.asarray(episode.rewards, np.float32)
    terminated = bool(episode.info.get("terminated", False))
    for key, last in (("terminations", terminated), ("truncations", not terminated)):
        flags = np.zeros(steps, bool)
        flags[-1] = last
        group[key] = flags
    group.create_group("infos")  # Minari's own `repr` of an episode fails without it
    _write_attributes(group, episode, steps, final is not None)
    group.attrs[ATTRIBUTE] = checksum(group)


def _write_attributes(group: h5py.Group, episode: Episode, steps: int, has_final: bool) -> None:
    group.attrs["total_steps"] = steps
    group.attrs["total_return"] = episode.total_return
    group.attrs["has_final_observation"] = has_final
    if episode.seed is not None:
        group.attrs["seed"] = int(episode.seed)
    if episode.success is not None:
        group.attrs["success"] = bool(episode.success)
    group.attrs["info"] = json.dumps(episode.info, ensure_ascii=False)


def _write_column(group: h5py.Group, name: str, space: spaces.Space, values: Sequence[Any], path: str) -> None:
    if isinstance(space, spaces.Dict):
        keys = list(space.keys())
        for value in values:
            if not hasattr(value, "keys") or len(value) != len(keys) or any(key not in value for key in keys):
                got = sorted(map(str, value)) if hasattr(value, "keys") else type(value).__name__
                raise ObservationError(f"{path}: expected a dict with the keys {keys}, got {got}.")
        inner = group.create_group(name)
        for key in keys:
            _write_column(inner, quote_key(key, path), space[key], [value[key] for value in values], f"{path}.{key}")
    elif isinstance(space, spaces.Tuple):
        if any(not isinstance(value, (tuple, list)) or len(value) != len(space) for value in values):
            raise ObservationError(f"{path}: expected tuples of {len(space)} entries.")
        inner = group.create_group(name)
        for i, part in enumerate(space):
            _write_column(inner, f"_index_{i}", part, [value[i] for value in values], f"{path}[{i}]")
    elif isinstance(space, spaces.Text):
        _write_text(group, name, values, path)
    else:
        _write_array(group, name, stack(space, values, path))


def _write_text(group: h5py.Group, name: str, values: Sequence[Any], path: str) -> None:
    for value in values:
        if not isinstance(value, str):
            raise ObservationError(f"{path}: expected a string, got {type(value).__name__}.")
        if "\0" in value or not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value):
            raise ObservationError(
                f"{path}: {value!r} holds a NUL or a lone surrogate, which HDF5 cannot store as text."
            )
    group.create_dataset(name, data=list(values), dtype=h5py.string_dtype("utf-8"))


def _write_array(group: h5py.Group, name: str, column: np.ndarray) -> None:
    if column.nbytes < COMPRESS_FROM:
        group.create_dataset(name, data=column)
        return
    rows = min(len(column), max(1, CHUNK_BYTES * len(column) // column.nbytes))
    # Byte-wise shuffling helps numbers of several bytes and does nothing for pictures.
    group.create_dataset(
        name,
        data=column,
        chunks=(rows, *column.shape[1:]),
        compression="gzip",
        compression_opts=1,
        shuffle=column.dtype.itemsize > 1,
    )


def stack(space: spaces.Space, values: Sequence[Any], path: str) -> np.ndarray:
    """Values of one array-like entry as one array [len(values), *shape] of the space's dtype.

    Raises:
        ObservationError: a value has another shape, is not finite as float32, or would change when cast.
    """
    dtype = np.dtype(np.int64) if isinstance(space, spaces.Discrete) else np.dtype(space.dtype)
    shape = tuple(space.shape or ())
    arrays = [np.asarray(value) for value in values]
    wrong = next((array.shape for array in arrays if array.shape != shape), None)
    if wrong is not None:
        raise ObservationError(f"{path}: expected shape {shape}, got {wrong}.")
    column = np.stack(arrays)
    if column.dtype.kind not in "biuf":
        raise ObservationError(f"{path}: expected numbers, got {column.dtype}.")
    if column.dtype.kind == "f":
        _check_finite(column, path)
    cast = column.astype(dtype, copy=False)
    if dtype.kind in "biu" and cast.dtype != column.dtype and not np.array_equal(cast, column):
        raise ObservationError(f"{path}: values of {column.dtype} do not fit into {dtype}.")
    return cast


def _check_finite(column: np.ndarray, path: str) -> None:
    """Refuse what no agent can learn: its numbers are float32."""
    with np.errstate(over="ignore"):
        wrong = np.argwhere(~np.isfinite(column.astype(np.float32, copy=False)))
    if len(wrong):
        value = column[tuple(wrong[0])]
        raise ObservationError(
            f"{path}: {'NaN' if np.isnan(value) else value} at step {wrong[0][0]}; legal: finite float32 numbers. "
            "Next: find where it comes from."
        )


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_group(group: h5py.Group, observation_space: spaces.Space, action_space: spaces.Space) -> Episode:
    """The episode of an HDF5 group. Arrays are freshly read, and no two steps share an element."""
    attributes = dict(group.attrs)
    steps = int(attributes["total_steps"])
    return Episode(
        observations=_read_column(group["observations"], observation_space, steps),
        actions=_read_column(group["actions"], action_space, steps),
        rewards=np.asarray(group["rewards"][:steps], np.float32),
        **read_attributes(attributes),
    )


def read_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """`success`, `seed` and `info` of an episode by the attributes of its group."""
    return {
        "success": bool(attributes["success"]) if "success" in attributes else None,
        "seed": int(attributes["seed"]) if "seed" in attributes else None,
        "info": json.loads(attributes.get("info", "{}")),
    }


def _read_column(node: Any, space: spaces.Space, steps: int) -> list[Any]:
    if isinstance(space, spaces.Dict):
        keys = list(space.keys())
        if not keys:
            return [{} for _ in range(steps)]
        columns = [_read_column(node[quote_key(key)], space[key], steps) for key in keys]
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(space, spaces.Tuple):
        if not len(space):
            return [() for _ in range(steps)]
        columns = [_read_column(node[f"_index_{i}"], part, steps) for i, part in enumerate(space)]
        return list(zip(*columns, strict=True))
    if isinstance(space, spaces.Text):
        return [text.decode("utf-8") for text in node[:steps]]
    column = node[:steps]
    # A 0-d Box gives arrays, as its environment does; a Discrete gives numpy integers, which is what it samples.
    return [np.asarray(value) for value in column] if isinstance(space, spaces.Box) else list(column)
