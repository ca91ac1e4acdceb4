"""The members of a gz file: where each begins, and how it is written anew under the header that it had (RFC 1952)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

CHUNK = 1 << 16
_EXTRA, _NAME, _COMMENT, _SUM = 4, 8, 16, 2
LEVELS = {2: 9, 4: 1}
"""Hint in the header → level; what is neither best nor fastest is 6."""


class Extra(Exception):
    """Fields of a gz header that tell of the bytes after it."""


class Member:
    """One that is written: its header as it was, then what is given to it."""

    def __init__(self, out: IO[bytes], header: bytes) -> None:
        self._out, self._size, self._sum = out, 0, 0
        self._waiting = bytearray()
        self.time, self.level = int.from_bytes(header[4:8], "little"), LEVELS.get(header[8], 6)
        self._body = zlib.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS)
        out.write(header)

    def write(self, line: bytes) -> None:
        self._waiting += line
        if len(self._waiting) >= CHUNK:
            self._pass_on()

    def _pass_on(self) -> None:
        self._size, self._sum = self._size + len(self._waiting), zlib.crc32(self._waiting, self._sum)
        self._out.write(self._body.compress(self._waiting))
        self._waiting.clear()

    def close(self) -> None:
        self._pass_on()
        self._out.write(self._body.flush() + struct.pack("<II", self._sum, self._size & 0xFFFFFFFF))


def lines_of(parts: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[list[bytes], bytes]]:
    """Each line with the headers of the members that begin before it; a member's first line is the first that begins
    in it. The last may be no line, but headers with nothing after them."""
    headers: list[bytes] = []
    later: list[bytes] = []
    rest = b""
    for header, data in parts:
        if header:
            (later if rest else headers).append(header)
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield headers, line + b"\n"
            headers, later = later, []
    if rest:
        yield headers, rest
        headers = []
    yield [*headers, *later], b""


def parts_of(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """What the members of a gz file hold, in pieces; beside the first of each its header."""
    with path.open("rb") as file:
        rest = file.read(2 * CHUNK)
        while rest:
            header, decoder = rest[: _header(rest)], zlib.decompressobj(zlib.MAX_WBITS | 16)
            while not decoder.eof:
                data = decoder.decompress(rest, 1 << 20)
                rest = decoder.unconsumed_tail or (b"" if decoder.eof else file.read(CHUNK))
                if not (data or rest or decoder.eof):
                    raise EOFError
                yield header, data
                header = b""
            rest = (decoder.unused_data + file.read(CHUNK)).lstrip(b"\0")


def _header(raw: bytes) -> int:
    """How long it is (RFC 1952)."""
    if raw[:3] != b"\x1f\x8b\x08":
        raise zlib.error
    if raw[3] & _EXTRA:
        raise Extra
    end = 10
    for flag in (_NAME, _COMMENT):
        end = raw.find(b"\0", end) + 1 if raw[3] & flag else end
    return end + (2 if raw[3] & _SUM else 0)
