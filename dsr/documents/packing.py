"""Writes PDF objects as one file: a single revision, whatever is no stream packed into compressed object streams.

pikepdf's own writer would do but for two things. A compressed stream that happens to end in a line's end is taken by
validators for one of a wrong length (pdf.md 2.3); here none does. And the hundred thousand small objects of a long
table's reading order go straight to the file; loaded first, they took ten seconds and a gigabyte.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from itertools import islice
from typing import BinaryIO

TOGETHER = 200
_ENDS = (b"\n", b"\r")


def packed(data: bytes, padding: bytes) -> tuple[bytes, int]:
    """Deflated so that it does not end in a line's end, and the length of what was deflated.

    The last byte is that of the sum of the data, so ``padding``, which must mean nothing there, is added to them.
    Zeros would change nothing.
    """
    while True:
        made = zlib.compress(data, 6)
        if made[-1:] not in _ENDS:
            return made, len(data)
        data += padding


class File:
    """``next_number``: the first object number that is free for the object streams themselves."""

    def __init__(self, out: BinaryIO, next_number: int) -> None:
        self._out, self._at, self._digest, self._next = out, 0, hashlib.sha256(), next_number
        self._places: dict[int, tuple[int, int, int]] = {0: (0, 0, 65_535)}  # as a cross-reference stream says them
        self._put(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self._at += len(data)

    def stream(self, number: int, told: bytes, data: bytes) -> None:
        """``told`` is its dictionary without the length; ``data`` is encoded as that says."""
        self._places[number] = (1, self._at, 0)
        head = b"%b/Length %d>>" % (told.rstrip().removesuffix(b">>"), len(data))
        self._put(b"%d 0 obj\n%b\nstream\n%b\nendstream\nendobj\n" % (number, head, data))

    def plain(self, bodies: Iterable[tuple[int, bytes]]) -> None:
        """Objects that are no streams, by number."""
        some = iter(bodies)
        while together := list(islice(some, TOGETHER)):
            index, at = [], 0
            for place, (number, body) in enumerate(together):
                self._places[number] = (2, self._next, place)
                index.append(b"%d %d" % (number, at))
                at += len(body) + 1
            head = b" ".join(index) + b"\n"
            data, _ = packed(head + b"\n".join(body for _, body in together), b" ")
            told = b"<</Type/ObjStm/N %d/First %d/Filter/FlateDecode>>" % (len(together), len(head))
            self.stream(self._next, told, data)
            self._next += 1

    def end(self, root: int, information: int) -> None:
        """The cross-reference stream. The file's identity is the digest of all that was written before it."""
        here = self._next
        self._places[here] = (1, self._at, 0)
        identity = self._digest.hexdigest()[:32].upper().encode()
        table, free = bytearray(), (0, 0, 65_535)
        for number in range(here + 1):
            kind, where, place = self._places.get(number, free)
            table += bytes([kind]) + where.to_bytes(5, "big") + place.to_bytes(2, "big")
        data, length = packed(bytes(table), bytes([0]) + bytes(5) + b"\xff\xff")  # one more number that nobody uses
        told = (b"<</Type/XRef/Size %d/W[1 5 2]/Root %d 0 R/Info %d 0 R/ID[<%b><%b>]/Filter/FlateDecode>>"
                % (length // 8, root, information, identity, identity))  # fmt: skip
        start = self._at
        self.stream(here, told, data)
        self._put(b"startxref\n%d\n%%%%EOF\n" % start)
