"""Messages: msgpack, arrays as maps of dtype, shape and bytes, as openpi's servers and clients write them.

Nothing that is received is ever run: what is no number, text, list, map or array of numbers is refused.
"""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np

KINDS = "biuf"  # of arrays: booleans, integers, floats
DEEPEST = 16


class MessageError(ValueError):
    """Bytes that are no message."""


def pack(message: Any) -> bytes:
    """A message as bytes; numpy arrays and scalars may stand anywhere in it.

    Raises:
        MessageError: something in it is no number, text, list, map or array of numbers.
    """
    try:
        return bytes(msgpack.packb(message, default=_encode))
    except (TypeError, ValueError, OverflowError) as error:
        raise MessageError(f"this cannot be sent: {error}") from error


def unpack(data: bytes) -> Any:
    """The message of bytes; arrays are read-only.

    Raises:
        MessageError: they are none.
    """
    try:
        message = msgpack.unpackb(data, object_hook=_decode, strict_map_key=True)
        _check(message, 0)
        return message
    except MessageError:
        raise
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise MessageError(f"no message that makes sense ({type(error).__name__})") from None


def _encode(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in KINDS:
        if isinstance(value, np.generic):
            return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    raise TypeError(f"{type(value).__name__} {value!r:.60}; legal: numbers, texts, lists, maps, arrays of numbers")


def _decode(found: dict[Any, Any]) -> Any:
    if b"__ndarray__" in found:
        dtype, shape = _dtype(found[b"dtype"]), [int(size) for size in found[b"shape"]]
        if len(shape) > DEEPEST or any(size < 0 for size in shape):
            raise MessageError(f"an array of shape {shape!r:.60}")
        return np.frombuffer(found[b"data"], dtype).reshape(shape)
    if b"__npgeneric__" in found:
        return _dtype(found[b"dtype"]).type(found[b"data"])
    return found


def _dtype(name: Any) -> np.dtype[Any]:
    dtype = np.dtype(str(name))
    if dtype.kind not in KINDS:
        raise MessageError(f"an array of {name!r:.20}; legal: booleans, integers and floats")
    return dtype


def _check(value: Any, depth: int) -> None:
    """Refuse what is nested deeper than any body's senses."""
    if depth > DEEPEST:
        raise MessageError(f"nested deeper than {DEEPEST}")
    if isinstance(value, (list, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            _check(entry, depth + 1)
