"""What an episode on disk must hash to, and whether it still does."""

from __future__ import annotations

import hashlib
from typing import Any

import h5py
import numpy as np

ATTRIBUTE = "sha256"
_PLACE = "id"  # where the episode stands in its file, not what it holds


def checksum(group: h5py.Group) -> str:
    """SHA-256 of all arrays, texts and attributes of an episode's group, hexadecimal; how they are compressed and in
    which order they were written does not count.

    Raises:
        OSError: a chunk cannot be read.
    """
    found: dict[str, h5py.Dataset] = {}

    def note(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node

    group.visititems(note)
    total = hashlib.sha256()
    for name in sorted(found):
        node = found[name]
        column = node[()]
        text = h5py.check_string_dtype(node.dtype) is not None
        total.update(f"\n{name} {'text' if text else node.dtype.str} {node.shape}\n".encode())
        total.update(b"\0".join(column.tolist()) if text else np.ascontiguousarray(column).tobytes())
    for key in sorted(set(group.attrs) - {ATTRIBUTE, _PLACE}):
        total.update(f"\n{key}={group.attrs[key]!s}".encode())
    return total.hexdigest()
