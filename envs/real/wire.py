"""Messages over a socket: a JSON head and raw arrays. Nothing that is received is ever run."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

import numpy as np

from opengato.errors import OpengatoError

LONGEST = 32 << 20  # bytes
_HEAD = struct.Struct("<II")  # lengths of the JSON and of the arrays


def send(channel: socket.socket, facts: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> None:
    """Send one message."""
    arrays = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    plan = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    head = json.dumps({**facts, "arrays": plan}).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    channel.sendall(_HEAD.pack(len(head), len(body)) + head + body)


def receive(channel: socket.socket) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Wait for one message.

    Raises:
        ConnectionError: the other side is gone.
        OpengatoError: no such message.
    """
    sizes = _HEAD.unpack(_exactly(channel, _HEAD.size))
    if sum(sizes) > LONGEST:
        raise OpengatoError(f"a message of {sum(sizes)} bytes; legal: up to {LONGEST}.")
    head, body = _exactly(channel, sizes[0]), _exactly(channel, sizes[1])
    try:
        facts, arrays, at = dict(json.loads(head)), {}, 0
        for name, kind, shape in facts.pop("arrays"):
            dtype = np.dtype(kind)
            if dtype.hasobject:
                raise ValueError("objects are not sent")
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            arrays[str(name)] = np.frombuffer(body[at : at + size], dtype).reshape(shape)
            at += size
    except (ValueError, KeyError, TypeError) as error:
        raise OpengatoError(f"a message that makes no sense ({error}).") from error
    return facts, arrays


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts, missing = [], size
    while missing:
        part = channel.recv(min(missing, 1 << 20))
        if not part:
            raise ConnectionError("the other side closed the connection")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
