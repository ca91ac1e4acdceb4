"""Keyed marks of rows and cells: what stood there can be compared, and nobody without the key can guess it.

A mark is 128 bits, an AES-CBC-MAC whose every step is done for a whole column at once (11 ns a cell). The digest of
many rows is the sum of their marks modulo 2^128: order does not matter, and a pair of equal rows does not cancel as it
would under XOR (limits.md §6). Equal values have equal marks however a store writes them: NULL, NaN, -0.0, the zeros of
a decimal, the zone and unit of an instant, the width of an integer, a dictionary.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Blocks = npt.NDArray[np.uint64]
"""One row of two 64-bit words for each cell or row."""
_NULL, _INTEGER, _FLOAT, _WORDS, _DAY, _LOCAL, _INSTANT = range(7)
_LONG = 512
"""Bytes from which a value is hashed alone; block by block it would hold up its whole column."""
_FIRST: Blocks = np.array([[(1 << 8 * min(n, 8)) - 1, (1 << 8 * max(n - 8, 0)) - 1] for n in range(17)], np.uint64)
"""By the number of bytes that are left of a value: what of its next block is its own."""
_PER_MICROSECOND = {"s": 1_000_000, "ms": 1_000, "us": 1}


class Marks:
    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, digest_size=16, person=b"dsr-survey").digest()
        # ECB is only the bare block cipher here; the chaining is done below, across a column.
        self._cipher = Cipher(algorithms.AES(self._key), modes.ECB())  # noqa: S305

    def rows(self, rows: pa.Table, columns: Sequence[str]) -> Blocks:
        """A mark for each row, of these columns and their names."""
        names = sorted(columns)
        state = np.empty((rows.num_rows, 2), np.uint64)
        state[:] = np.frombuffer(self._hash("\0".join(names).encode()), np.uint64)
        for name in names:
            state = self._step(state ^ self.cells(rows.column(name)))
        return state

    def cells(self, column: pa.Array | pa.ChunkedArray) -> Blocks:
        array = one(column)
        if pa.types.is_dictionary(array.type):
            distinct: Blocks = np.vstack([self.cells(array.dictionary), _blocks(1, 0, _NULL)])
            return distinct.take(np.asarray(array.indices.fill_null(len(array.dictionary)), np.int64), axis=0)
        if not array.null_count:
            return self._valid(array)
        blocks = _blocks(len(array), 0, _NULL)
        blocks[array.is_valid().to_numpy(zero_copy_only=False)] = self._valid(array.drop_null())
        return blocks

    def _valid(self, array: pa.Array) -> Blocks:
        kind, count = array.type, len(array)
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            whole = array if kind == pa.uint64() else array.cast(pa.int64())
            return _blocks(count, whole.to_numpy(zero_copy_only=False), _INTEGER)
        if pa.types.is_floating(kind):
            floats = array.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0
            floats[np.isnan(floats)] = np.nan
            return _blocks(count, floats.view(np.uint64), _FLOAT)
        if pa.types.is_date(kind):
            return _blocks(count, array.cast(pa.date32()).cast(pa.int32()).to_numpy(), _DAY)
        if pa.types.is_timestamp(kind):
            return _moments(array)
        return self._words(_as_bytes(array))

    def _words(self, array: pa.Array) -> Blocks:
        """CBC-MAC of byte strings, their length first, which makes it safe for several lengths."""
        _, offsets, buffer = array.buffers()
        ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        data = (buffer.slice(ends[0], ends[-1] - ends[0]).to_pybytes() if buffer else b"") + bytes(16)
        ends = ends - ends[0]
        windows = np.ndarray((len(data) - 15,), "V16", data, strides=(1,))
        starts, lengths = ends[:-1], np.diff(ends)
        state = self._step(_blocks(len(array), lengths, _WORDS))
        todo, at = np.flatnonzero(lengths <= _LONG), 0
        while len(todo := todo[lengths[todo] > at]):
            block = windows[starts[todo] + at].view(np.uint64).reshape(-1, 2)
            block &= _FIRST.take(np.minimum(lengths[todo] - at, 16), axis=0)
            state[todo] = self._step(state.take(todo, axis=0) ^ block)
            at += 16
        for long in np.flatnonzero(lengths > _LONG).tolist():
            state[long] = np.frombuffer(self._hash(data[starts[long] : ends[long + 1]]), np.uint64)
        return state

    def _step(self, blocks: Blocks) -> Blocks:
        out = bytearray(len(blocks) * 16 + 15)
        if len(blocks):
            self._cipher.encryptor().update_into(np.ascontiguousarray(blocks).view(np.uint8).reshape(-1).data, out)
        return np.frombuffer(out, np.uint64, 2 * len(blocks)).reshape(-1, 2).copy()

    def _hash(self, raw: bytes) -> bytes:
        return hashlib.blake2b(raw, digest_size=16, key=self._key).digest()

    def of(self, *words: str) -> str:
        """Of words said together: 32 hex digits."""
        return self._hash(json.dumps(words).encode()).hex()


def total(blocks: Blocks) -> int:
    """The sum modulo 2^128."""
    halves = [int((blocks[:, word] >> shift & 0xFFFFFFFF).sum(dtype=np.uint64)) << (64 * word + shift)
              for word in (0, 1) for shift in (0, 32)]  # fmt: skip
    return sum(halves) % (1 << 128)


def one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column.storage if isinstance(column, pa.ExtensionArray) else column
    if column.num_chunks == 1:
        return one(column.chunk(0))
    chunks = column.unify_dictionaries().chunks
    return one(pa.concat_arrays(chunks) if chunks else pa.array([], column.type))


def _blocks(count: int, first: Any, tag: int) -> Blocks:
    blocks = np.empty((count, 2), np.uint64)
    blocks[:, 0] = np.asarray(first).astype(np.uint64, casting="unsafe")
    blocks[:, 1] = tag
    return blocks


def _moments(array: pa.Array) -> Blocks:
    """Microseconds, and what is left of them; an instant is the same in every zone, a local time has none."""
    ticks = array.cast(pa.int64()).to_numpy(zero_copy_only=False)
    micro, rest = np.divmod(ticks, 1000) if array.type.unit == "ns" else (ticks * _PER_MICROSECOND[array.type.unit], 0)
    blocks = _blocks(len(array), micro, 0)
    blocks[:, 1] = np.asarray(rest).astype(np.uint64) << 8 | np.uint64(_INSTANT if array.type.tz else _LOCAL)
    return blocks


def _as_bytes(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_nested(kind):
        told = [json.dumps(value, ensure_ascii=False, default=str, sort_keys=True) for value in array.to_pylist()]
        array = pa.array(told, pa.large_string())
    elif pa.types.is_decimal(kind) or pa.types.is_time(kind):
        array = bare(array.cast(pa.string()))
    elif not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        array = array.cast(pa.binary() if pa.types.is_fixed_size_binary(kind) else pa.string())
    return array.cast(pa.large_binary())


def bare(texts: pa.Array) -> pa.Array:
    """Numbers as text without the zeros after their point: 1.50 and 1.5, 2.00 and 2."""
    return pc.replace_substring_regex(texts, r"^([^.]*)(?:\.0*|(\.\d*[1-9])0*)$", r"\1\2")
