"""What one file holds, decoded: rows and footer of Parquet; lines of a log, plain or packed, numbered as they were."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.survey.look import NUMBER, Part, key_texts
from connectors.survey.marks import Marks
from dsr.inventory import Dataset
from dsr.plan import Sought

PARQUET = b"PAR1"
ROWS = 131_072
_CHUNK, _LONGEST = 1 << 22, 1 << 24
_UNPACKED: Mapping[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),  # every member of it
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_CLOSED = (b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!", b"\x04\x22\x4d\x18")
"""First bytes of what nothing here unpacks: zip, zstd, 7z, rar, lz4."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Undecoded(Exception):
    """A file whose bytes say nothing to us."""


BROKEN = (Undecoded, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, UnicodeError, pa.ArrowException)


@dataclass(frozen=True)
class Member:
    filesystem: Any
    path: str
    name: str

    def opened(self) -> Any:
        return self.filesystem.open_input_file(self.path)

    def begins(self, size: int = 4) -> bytes:
        with self.opened() as file:
            head: bytes = file.read(size)
        return head

    @property
    def record(self) -> str:
        """The name that stands in record numbers."""
        return Path(self.name.removesuffix(".gz")).stem


# -- Parquet ---------------------------------------------------------------------------------------------------------


def parquet(
    member: Member, place: str, datasets: tuple[Dataset, ...], maybe_copies: Sequence[Dataset]
) -> Iterator[Part]:
    schema = pq.read_schema(member.opened())
    live = {name.lower() for name in schema.names}
    copies = tuple(dataset for dataset in maybe_copies if {key.lower() for key in dataset.key} <= live)
    texts = [column.name for column in schema if pa.types.is_string(column.type)]
    yield Part(place, schema.empty_table(), datasets, copies)
    with pq.ParquetFile(member.opened(), read_dictionary=texts) as file:
        for batch in file.iter_batches(ROWS):
            yield Part(place, pa.Table.from_batches([batch]), datasets, copies)


def about(member: Member, place: str) -> Part:
    """A file's name, and all that a Parquet footer says beside the rows: it outlives them where nobody rewrote it."""
    texts: list[str | None] = [member.name]
    numbers: list[str | None] = [None]
    if member.begins() == PARQUET:
        told = pq.read_metadata(member.opened())
        texts += _metadata(told.metadata)
        arrow = told.schema.to_arrow_schema()
        texts += [text for column in arrow for text in _metadata(column.metadata)]
        bounds = [bound for group in range(told.num_row_groups) for bound in _bounds(told.row_group(group))]
        texts += [bound if isinstance(bound, str) else None for bound in bounds]
        numbers = [*[None] * (len(texts) - len(bounds)), *(str(b) if isinstance(b, int) else None for b in bounds)]
    return Part(place, pa.table({"about": pa.array(texts, pa.string()),
                                 "about" + NUMBER: pa.array(numbers, pa.string())}), beside=True)  # fmt: skip


def _metadata(told: Mapping[bytes, bytes] | None) -> list[str]:
    return [raw.decode("utf-8", "replace") for pair in (told or {}).items() for raw in pair]


def _bounds(group: Any) -> Iterator[Any]:
    for at in range(group.num_columns):
        statistics = group.column(at).statistics
        if statistics is not None and statistics.has_min_max:
            for bound in (statistics.min, statistics.max):
                yield bound.decode("utf-8", "replace") if isinstance(bound, bytes) else bound


# -- lines -----------------------------------------------------------------------------------------------------------


def lines(member: Member) -> Iterator[pa.Array]:
    """Some at a time, in their order and without their line feeds.

    Raises one of BROKEN where the file breaks off, or is packed in a way that is not known here.
    """
    head = member.begins(6)
    if head.startswith(_CLOSED) or (not head and member.name.endswith(".gz")):
        raise Undecoded
    with member.opened() as plain:
        opening = next((opening for magic, opening in _UNPACKED.items() if head.startswith(magic)), None)
        stream: Any = opening(plain) if opening else plain
        if head.startswith(_UTF16):
            stream = io.TextIOWrapper(stream, "utf-16", "replace", newline="")
        tail = b""
        while piece := stream.read(_CHUNK):
            whole, feed, rest = (tail + _as_utf8(piece)).rpartition(b"\n")
            tail = rest
            if feed:
                yield pa.array(whole.split(b"\n"), pa.binary())
            elif len(tail) > _LONGEST:
                raise Undecoded
        if tail:
            yield pa.array([tail], pa.binary())


def _as_utf8(piece: str | bytes) -> bytes:
    return piece.encode("utf-8", "replace") if isinstance(piece, str) else piece


class Numbering:
    """The record numbers of log lines, as they were when the plan was frozen."""

    def __init__(
        self, marks: Marks, datasets: Mapping[str, Dataset], sought: Sequence[Sought], before: Mapping[str, Any] | None
    ) -> None:
        self.marks, self.first = marks, before is None
        self.named: dict[str, dict[str, set[int]]] = {"gone": defaultdict(set), "emptied": defaultdict(set),
                                                      "kept": defaultdict(set)}  # fmt: skip
        self.gone: dict[str, list[str]] = {}
        self.emptied_columns: dict[str, list[str]] = {}
        for dataset in datasets.values():
            gone: set[str] = set()
            for group, told in self.named.items():
                for rows in (rows for each in sought if (rows := getattr(each, group).get(dataset.id)) is not None):
                    texts = key_texts(dataset, rows).to_pylist()
                    for name, _, number in (text.rpartition(":") for text in texts):
                        told[name].add(int(number) if number.isdecimal() else 0)
                    gone |= set(texts) if group == "gone" else set()
                    if group == "emptied":
                        columns = [name for name in rows.column_names if name not in dataset.key]
                        self.emptied_columns.setdefault(dataset.id, []).extend(columns)
            self.gone[dataset.id] = sorted(gone)
        self.known = {name: _unpacked(packed) for name, packed in (before or {}).get("lines", {}).items()}
        self.seen: dict[str, int] = {}

    def of(self, member: Member, dataset: Dataset) -> Numbered:
        return Numbered(self, member.record, dataset)

    def memory(self) -> dict[str, Any]:
        """Marks of the lines that are to go, in the order of their record numbers."""
        packed = {name: "".join(f"{self.seen.get(key, 0):016x}" for key in keys) for name, keys in self.gone.items()}
        return {"lines": packed}

    def recognised(self, dataset: str, raw: pa.Array) -> npt.NDArray[np.int64]:
        """For each line its place among those that should be gone, -1 for none."""
        known = self.known.get(dataset, np.zeros(0, np.uint64))
        told = pc.index_in(pa.array(self.marks.cells(raw)[:, 0]), pa.array(known, pa.uint64()))
        return np.asarray(told.fill_null(-1), np.int64)

    def copies(self, raw: pa.Array) -> dict[str, pa.Array]:
        """Keys of the lines of an undeclared file that are copies of such lines."""
        if self.first:
            self.known = {name: np.array([self.seen.get(key, 0) for key in keys], np.uint64)
                          for name, keys in self.gone.items()}  # fmt: skip
        keys = {}
        for name in self.known:
            places = self.recognised(name, raw)
            if (places >= 0).any():
                told = [self.gone[name][place] if place >= 0 else None for place in places.tolist()]
                keys[name] = pa.array(told, pa.string())
        return keys


def _unpacked(packed: str) -> npt.NDArray[np.uint64]:
    return np.array([int(packed[at : at + 16], 16) for at in range(0, len(packed), 16)], np.uint64)


class Numbered:
    """The lines of one file as parts: most of them whole, those that are to be emptied field by field."""

    def __init__(self, numbering: Numbering, record: str, dataset: Dataset) -> None:
        self._numbering, self._record, self._dataset = numbering, record, dataset
        self._gone, self._emptied = (np.array(sorted(numbering.named[group].get(record, ())), np.int64)
                                     for group in ("gone", "emptied"))  # fmt: skip
        self._skips = self._gone - np.arange(len(self._gone))
        """The k-th line that stays was line k + (how many of these are ≤ k)."""
        self._wanted = any(told.get(record) for told in numbering.named.values())
        self._passed = 0

    def parts(self, raw: pa.Array, pattern: re.Pattern[str], encoding: str) -> Iterator[Part]:
        numbers, places = self._numbers(raw)
        if not self._wanted and not (places >= 0).any():
            yield Part(self._dataset.name, pa.table({"line": raw}), (self._dataset,))
            return
        texts = pc.binary_join_element_wise(self._record, pa.array(numbers).cast(pa.string()), ":").to_pylist()
        for row in np.flatnonzero(places >= 0).tolist():
            texts[row] = self._numbering.gone[self._dataset.id][places[row]]
        keys, emptied = pa.array(texts, pa.string()), np.isin(numbers, self._emptied) & (places < 0)
        for chosen, made in ((~emptied, self._whole), (emptied, self._by_field)):
            if chosen.any():
                picked = pa.array(chosen)
                rows = made(raw.filter(picked), pattern, encoding)
                yield Part(self._dataset.name, rows, (self._dataset,), keys={self._dataset.id: keys.filter(picked)})

    def _numbers(self, raw: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Each line's number when the plan was frozen; its place among the lines that should be gone, -1 for none."""
        if self._numbering.first:
            numbers = np.arange(1, len(raw) + 1, dtype=np.int64) + self._passed
            self._passed += len(raw)
            self._remember(raw, numbers)
            return numbers, np.full(len(raw), -1, np.int64)
        places = self._numbering.recognised(self._dataset.id, raw)
        stays = self._passed + np.cumsum(places < 0)
        self._passed = int(stays[-1])
        return stays + np.searchsorted(self._skips, stays, side="right"), places

    def _remember(self, raw: pa.Array, numbers: npt.NDArray[np.int64]) -> None:
        rows = np.flatnonzero(np.isin(numbers, self._gone))
        marks = self._numbering.marks.cells(raw.take(pa.array(rows)))[:, 0].tolist()
        for number, mark in zip(numbers[rows].tolist(), marks, strict=True):
            self._numbering.seen[f"{self._record}:{number}"] = mark

    @staticmethod
    def _whole(raw: pa.Array, pattern: re.Pattern[str], encoding: str) -> pa.Table:
        return pa.table({"line": raw})

    def _by_field(self, raw: pa.Array, pattern: re.Pattern[str], encoding: str) -> pa.Table:
        """The fields that are emptied, and ``rest``: the line with nothing in their places."""
        columns = sorted(set(self._numbering.emptied_columns.get(self._dataset.id, ())) & set(pattern.groupindex))
        rows: dict[str, list[str | None]] = {"rest": [], **{name: [] for name in columns}}
        for line in raw.to_pylist():
            text = line.decode(encoding, "backslashreplace").rstrip("\r")
            found = pattern.fullmatch(text)
            for name in columns:
                rows[name].append(found[name] if found else None)
            spans = sorted((found.span(name) for name in columns), reverse=True) if found else []
            for first, last in spans:
                text = text[: max(first, 0)] + "\0" + text[max(last, 0) :]
            rows["rest"].append(text)
        return pa.table({name: pa.array(told, pa.string()) for name, told in rows.items()})
