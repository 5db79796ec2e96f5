"""Messages between robots and servers: they come back as they were, and bytes from anywhere do no harm."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

msgpack = pytest.importorskip("msgpack")
pytest.importorskip("websockets")
from opengato.client import MessageError, pack, unpack  # noqa: E402
from opengato.client.packing import DEEPEST  # noqa: E402

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8) | st.floats(width=64)
MESSAGES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(MESSAGES)
def test_messages_come_back_as_they_were(message: Any) -> None:
    np.testing.assert_equal(unpack(pack(message)), message)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64", "float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_arrays_come_back_as_they_were(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    back = unpack(pack({"a": [array, np.dtype(dtype).type(1)]}))["a"]
    assert back[0].dtype == array.dtype
    np.testing.assert_array_equal(back[0], array)
    assert back[0].shape == shape
    assert back[1] == 1


def test_arrays_are_written_as_openpi_writes_them() -> None:
    array = np.asarray([[1, 2]], np.float32)
    plain = msgpack.unpackb(pack(array))
    assert plain == {b"__ndarray__": True, b"data": array.tobytes(), b"dtype": "<f4", b"shape": [1, 2]}


@pytest.mark.parametrize(
    "message",
    [object(), np.asarray(["text"]), np.asarray([None]), {"a": {1, 2}}, 2**70],
    ids=["object", "texts", "objects", "set", "huge"],
)
def test_what_is_no_message_is_not_sent(message: Any) -> None:
    with pytest.raises(MessageError):
        pack(message)


def test_nesting_has_an_end() -> None:
    deep: Any = 0
    for _ in range(DEEPEST + 1):
        deep = [deep]
    with pytest.raises(MessageError, match="deeper"):
        unpack(pack(deep))


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    with contextlib.suppress(MessageError):
        unpack(data)


@pytest.mark.parametrize("dtype", ["O", "U4", "V8", "M8[s]", "nonsense", 7])
def test_arrays_of_anything_but_numbers_are_refused(dtype: Any) -> None:
    bad = msgpack.packb({b"__ndarray__": True, b"data": b"12345678", b"dtype": dtype, b"shape": [1]})
    with pytest.raises(MessageError):
        unpack(bad)


def test_the_client_needs_neither_torch_nor_simulators() -> None:
    found: set[str] = set()
    for path in (Path(__file__).parent.parent / "client").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").split(".")[0])
    own = {"__future__", "collections", "contextlib", "time", "typing", "urllib"}
    assert found - own == {"msgpack", "numpy", "websockets"}
