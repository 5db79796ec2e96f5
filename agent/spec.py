"""What a body senses and does: Gymnasium spaces flattened into features.

A feature is one leaf of the observation or action space. Numbers are handled as float32 rows: `values` of an
observation and `actions` of an action, features in lexicographic order of their paths, each flattened row-major
(Gato, section 2.1). Pictures and texts keep their own arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from opengato.errors import ObservationError, SpaceError

Kind = Literal["continuous", "discrete", "text", "image"]
MAX_CLASSES = 1024
PATCH = 16


@dataclass(frozen=True)
class Feature:
    """One leaf of a space.

    Args:
        path: keys and indices from the root, joined with dots.
        kind: how it becomes tokens.
        shape: of the leaf; () for a scalar.
        low, high: continuous bounds per flattened element (±inf allowed); for discrete elements the first value and
            the last.
        dtype: the leaf's own dtype, which decoding restores.
        max_length: of a text, in characters.
        names, unit, frame: what spaces lack: a name per element, the physical unit, the frame of reference.
    """

    path: str
    kind: Kind
    shape: tuple[int, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    dtype: str = "float32"
    max_length: int = 0
    names: tuple[str, ...] = ()
    unit: str = ""
    frame: str = ""

    @cached_property
    def size(self) -> int:
        """Number of flattened elements; 0 for texts and pictures."""
        return int(np.prod(self.shape, dtype=int)) if self.kind in ("continuous", "discrete") else 0

    @property
    def bounded(self) -> bool:
        """Whether every element has finite bounds."""
        return bool(np.all(np.isfinite(self.low)) and np.all(np.isfinite(self.high)))


class Spec:
    """Observation and action features of an embodiment.

    Args:
        observation_space, action_space: any nesting of Box, Discrete, MultiDiscrete, MultiBinary, Text, Dict and Tuple.

    Raises:
        SpaceError: a leaf cannot become tokens, a key holds a dot, an action is a picture or mixes text with numbers.
    """

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        self.observation_space = observation_space
        self.action_space = action_space
        self.observation = tuple(sorted(_leaves(observation_space, ""), key=lambda feature: feature.path))
        self.action = tuple(sorted(_leaves(action_space, ""), key=lambda feature: feature.path))
        if not self.observation:
            raise SpaceError("the observation space is empty. Next: give the agent at least one entry to see.")
        if any(feature.kind == "image" for feature in self.action):
            raise SpaceError(
                "an action cannot be a picture. Next: use Box, Discrete, MultiDiscrete, MultiBinary or Text."
            )
        if any(feature.kind == "text" for feature in self.action) and len(self.action) > 1:
            raise SpaceError("a text action stands alone. Next: register texts and numbers as two tasks.")
        if not self.action:
            raise SpaceError("the action space is empty. Next: give the agent something to do.")

    @classmethod
    def from_env(cls, env: Any) -> Spec:
        """The spec of a Gymnasium environment."""
        return cls(env.observation_space, env.action_space)

    @cached_property
    def images(self) -> tuple[Feature, ...]:
        return tuple(feature for feature in self.observation if feature.kind == "image")

    @cached_property
    def texts(self) -> tuple[Feature, ...]:
        return tuple(feature for feature in self.observation if feature.kind == "text")

    @cached_property
    def values(self) -> tuple[Feature, ...]:
        """Numeric observation features, in the order of the `values` row."""
        return tuple(feature for feature in self.observation if feature.size)

    @property
    def text_action(self) -> bool:
        """Whether acting means writing."""
        return self.action[0].kind == "text"

    @cached_property
    def num_values(self) -> int:
        return sum(feature.size for feature in self.values)

    @cached_property
    def num_actions(self) -> int:
        """Action tokens a timestep; 0 where acting means writing."""
        return sum(feature.size for feature in self.action)

    @cached_property
    def signature(self) -> str:
        """Names the embodiment: tasks with equal paths, kinds, shapes and class counts share it. Hexadecimal, 16
        digits."""
        facts = [
            [
                f.path,
                f.kind,
                list(f.shape),
                [h - w for h, w in zip(f.high, f.low, strict=True)] if f.kind == "discrete" else 0,
            ]
            for part in (self.observation, self.action)
            for f in part
        ]
        return hashlib.sha256(json.dumps([len(self.observation), facts]).encode()).hexdigest()[:16]

    def describe(self) -> dict[str, Any]:
        """JSON form, kept in an agent's folder."""

        def rows(features: Sequence[Feature]) -> list[dict[str, Any]]:
            return [
                {"path": f.path, "kind": f.kind, "shape": list(f.shape), "unit": f.unit, "frame": f.frame}
                for f in features
            ]

        return {"signature": self.signature, "observation": rows(self.observation), "action": rows(self.action)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and (self.observation, self.action) == (other.observation, other.action)

    def __hash__(self) -> int:
        return hash((self.observation, self.action))


def _leaves(space: spaces.Space[Any], path: str) -> Iterator[Feature]:
    """Every leaf of a space. Raises SpaceError with the path of the first that cannot become tokens."""
    where = path or "(root)"
    if isinstance(space, spaces.Dict):
        for key, entry in space.spaces.items():
            if "." in str(key):  # `pick` would look for an entry within an entry
                raise SpaceError(
                    f"entry {where!r} has the key {key!r}, but dots join the keys of a path. "
                    f"Next: rename it, e.g. {str(key).replace('.', '_')!r}."
                )
            yield from _leaves(entry, f"{path}.{key}" if path else str(key))
    elif isinstance(space, spaces.Tuple):
        for index, entry in enumerate(space.spaces):
            yield from _leaves(entry, f"{path}.{index}" if path else str(index))
    elif isinstance(space, spaces.Text):
        yield Feature(path, "text", (), dtype="str", max_length=space.max_length)
    elif isinstance(space, spaces.Box):
        yield _box(space, path, where)
    elif isinstance(space, spaces.Discrete):
        _check_classes(int(space.n), where)
        start = int(space.start)
        yield Feature(path, "discrete", (), (start,), (start + int(space.n) - 1,), str(space.dtype))
    elif isinstance(space, spaces.MultiDiscrete):
        count, first = np.asarray(space.nvec).ravel(), np.asarray(space.start).ravel()
        _check_classes(int(count.max()), where)
        last = first + count - 1
        yield Feature(
            path, "discrete", space.shape, tuple(map(float, first)), tuple(map(float, last)), str(space.dtype)
        )
    elif isinstance(space, spaces.MultiBinary):
        size = int(np.prod(space.shape))
        yield Feature(path, "discrete", space.shape, (0.0,) * size, (1.0,) * size, str(space.dtype))
    else:
        raise SpaceError(
            f"entry {where!r} is a {type(space).__name__}, which has no tokens. Legal: Box, Discrete, MultiDiscrete, "
            "MultiBinary, Text, Dict, Tuple. Next: wrap the environment so that this entry becomes one of them."
        )


def _box(space: spaces.Box, path: str, where: str) -> Feature:
    if space.dtype == np.uint8 and len(space.shape) == 3:
        if space.shape[2] > 12:
            raise SpaceError(
                f"entry {where!r} is a picture with {space.shape[2]} channels; legal: 1 to 12 "
                "(height × width × channel). "
                "Next: give it as another dtype to have it read as numbers, or drop channels."
            )
        return Feature(path, "image", space.shape, dtype="uint8")
    if np.prod(space.shape) == 0:
        raise SpaceError(f"entry {where!r} is a Box with no elements. Next: drop it.")
    low, high = np.asarray(space.low, np.float64).ravel(), np.asarray(space.high, np.float64).ravel()
    return Feature(path, "continuous", space.shape, tuple(low.tolist()), tuple(high.tolist()), str(space.dtype))


def _check_classes(count: int, where: str) -> None:
    if count > MAX_CLASSES:
        raise SpaceError(
            f"entry {where!r} has {count} classes; legal: up to {MAX_CLASSES}. "
            "Next: split it into digits (MultiDiscrete) or give it as a Box."
        )


def pick(tree: Any, path: str) -> Any:
    """The leaf of a nested observation at a feature's path. Raises ObservationError when it is not there."""
    for key in path.split(".") if path else []:
        try:
            tree = tree[int(key)] if isinstance(tree, (tuple, list)) else tree[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ObservationError(f"feature {path!r} is missing. Next: give every entry of the spec.") from None
    return tree


def numbers(tree: Any, features: Sequence[Feature], out: np.ndarray) -> None:
    """Write the numeric features of one observation or action into a float32 row, discrete values counted from zero.

    Raises:
        ObservationError: an entry is missing, has another shape, is not finite or (discrete) out of range.
    """
    at = 0
    for feature in features:
        if not feature.size:
            continue
        leaf = np.asarray(pick(tree, feature.path))
        if leaf.size != feature.size:
            raise ObservationError(f"feature {feature.path!r} has shape {leaf.shape}; the spec says {feature.shape}.")
        row = leaf.reshape(-1).astype(np.float32)
        if not np.all(np.isfinite(row)):
            bad = int(np.flatnonzero(~np.isfinite(row))[0])
            raise ObservationError(
                f"feature {feature.path!r} holds {row[bad]} at element {bad}; values must be finite. "
                "Next: find where the environment or sensor makes it."
            )
        if feature.kind == "discrete":
            low, high = np.asarray(feature.low, np.float32), np.asarray(feature.high, np.float32)
            if np.any(row < low) or np.any(row > high):
                raise ObservationError(
                    f"feature {feature.path!r} holds {row.astype(int).tolist()[:8]}; "
                    f"legal: {low.min():.0f} to {high.max():.0f}."
                )
            row = row - low
        out[at : at + feature.size] = row
        at += feature.size


def build(space: spaces.Space[Any], leaves: dict[str, Any], path: str = "") -> Any:
    """Put leaves back into the nesting of a space, with the space's own dtypes and starts."""
    if isinstance(space, spaces.Dict):
        return {key: build(entry, leaves, f"{path}.{key}" if path else str(key)) for key, entry in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(
            build(entry, leaves, f"{path}.{index}" if path else str(index)) for index, entry in enumerate(space.spaces)
        )
    leaf = leaves[path]
    if isinstance(space, spaces.Text):
        return leaf
    if isinstance(space, spaces.Discrete):
        return space.dtype.type(round(float(np.asarray(leaf).reshape(())))) + space.start
    if isinstance(space, spaces.MultiDiscrete):
        return (np.rint(np.asarray(leaf)).reshape(space.shape) + space.start).astype(space.dtype)
    if isinstance(space, spaces.MultiBinary):
        return np.rint(np.asarray(leaf)).reshape(space.shape).astype(space.dtype)
    assert isinstance(space, spaces.Box)
    value = np.asarray(leaf, np.float64).reshape(space.shape)
    if np.issubdtype(space.dtype, np.integer):
        value = np.rint(value)
    return np.clip(value, space.low, space.high).astype(space.dtype)
