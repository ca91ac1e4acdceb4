"""The side index of a lake: in which row groups of which file version an identifier stands. Finding people is its only
use: whoever must prove that nothing is left reads the files themselves (limits.md §2, §3).

Nothing in it can be read without the key: an identifier is a keyed hash, and the hashes lie in sealed buckets that are
bound to the file version they tell of. What is missing, stale, torn or changed is simply not known, and that file is
scanned: the index can spare work and never a row. It is personal data all the same: ``forget`` drops the buckets in
which a person could stand; those are scanned until the next build, so that a number's other holder loses nothing.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.stores.lake_files import LakeFile
from dsr.errors import DsrError

PER_BUCKET = 512
"""Entries in a bucket, about: what is read, opened and, by ``forget``, lost at once."""
SPARED = 0.5
"""Of a file more of whose row groups are wanted nothing is named: a scan takes 5 ms for each of 125,000 rows, picking
one out 8 ms."""
_NONCE, _BITS = 12, 32
_TABLES = """
CREATE TABLE IF NOT EXISTS part (
  id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, kind TEXT NOT NULL, path TEXT NOT NULL, version TEXT NOT NULL,
  bits INTEGER NOT NULL, UNIQUE (dataset, kind, path));
CREATE TABLE IF NOT EXISTS bucket (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""
Marks = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Indexed:
    """What is looked up: identifiers of one kind in one column of one dataset, text or whole numbers."""

    dataset: str
    kind: str
    column: str
    numbers: bool = False

    def written(self, value: str) -> str | None:
        """As the column's values are marked; None where the store may take it for a value written otherwise."""
        if not self.numbers:
            return value
        return str(int(value)) if re.fullmatch(r"-?[0-9]{1,19}", value) else None


@dataclass(frozen=True)
class Indexing:
    """Files read for the index, those it knew already, and those that are gone."""

    read: int
    known: int
    gone: int


def indexed(dataset: str, kind: str, column: Any) -> Indexed | None:
    """None for a column whose equality is not that of its text."""
    inner = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(inner) or pa.types.is_large_string(inner)
    return Indexed(dataset, kind, column.name, not text) if text or pa.types.is_integer(inner) else None


class SideIndex:
    """The index of an engine home, in one SQLite file; every build of a file's part is one transaction."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._marking, self._sealing = (hmac.digest(key, b"dsr/1 index " + use, "sha256") for use in (b"mark", b"seal"))

    def __repr__(self) -> str:
        return "SideIndex()"

    # -- asking --------------------------------------------------------------------------------------------------

    def named(self, about: Indexed, values: Iterable[str], files: Sequence[LakeFile]) -> dict[str, tuple[int, ...]]:
        """Path → the row groups that may hold one of the values. A file that is not in it is to be scanned."""
        words = [about.written(value) for value in values]
        if None in words:
            return {}
        marks = self._marks(about.kind, [word for word in words if word is not None])
        found: dict[str, tuple[int, ...]] = {}
        try:
            with self._reading() as base:
                for file in files:
                    groups = self._groups(base, about, marks, file)
                    if groups is not None:
                        found[file.path] = groups
        except (sqlite3.Error, OSError):
            return {}
        return found

    def _groups(self, base: sqlite3.Connection, about: Indexed, marks: Marks, file: LakeFile) -> tuple[int, ...] | None:
        place = (about.dataset, about.kind, file.path)
        part = base.execute(f"SELECT id, version, bits {_PART_OF}", place).fetchone()
        if part is None or part[1] != _version(about, file) or not 0 <= part[2] <= _BITS:
            return None
        groups: set[int] = set()
        for number, wanted in _by_bucket(marks, part[2]):
            row = base.execute("SELECT body FROM bucket WHERE id = ?", (_id(part[0], number),)).fetchone()
            try:
                groups |= _unpacked(self._unseal(row[0], about, file, part[2], number), _short(wanted, part[2]), file)
            except (InvalidTag, ValueError, TypeError):  # TypeError: there is no such bucket any more
                return None
            if len(groups) > SPARED * file.groups:
                return None
        return tuple(sorted(groups))

    # -- building ------------------------------------------------------------------------------------------------

    def build(self, dataset: str, abouts: Sequence[Indexed], files: Sequence[LakeFile], filesystem: Any) -> Indexing:
        """Read the files that are new, changed or no longer whole in it; forget those that are gone."""
        read: set[str] = set()
        with self._writing() as base:
            gone = self._drop_others(base, dataset, {(about.kind, file.path) for about in abouts for file in files})
            for about in abouts:
                for file in files:
                    if not self._whole(base, about, file):
                        self._write(base, about, file, self._entries(about, file, filesystem))
                        read.add(file.path)
        return Indexing(len(read), len(files) - len(read), gone)

    def forget(self, kind: str, value: str) -> int:
        """Drop every bucket in which the identifier could stand, of all datasets; how many. Safe to call twice.

        To be called when the person's rows are gone; a build afterwards knows the files anew.
        """
        dropped = 0
        if not self._path.exists():
            return 0
        with self._writing() as base, _transaction(base):
            parts = base.execute("SELECT id, version, bits FROM part WHERE kind = ?", (kind,)).fetchall()
            for part, written, bits in parts:
                word = Indexed("", kind, "", bool(json.loads(written)["numbers"])).written(value)
                for number, _ in _by_bucket(self._marks(kind, [word] if word is not None else []), bits):
                    dropped += base.execute("DELETE FROM bucket WHERE id = ?", (_id(part, number),)).rowcount
        return dropped

    def drop(self, dataset: str, paths: Iterable[str]) -> None:
        """Forget these files, which were rewritten: they are scanned until the next build."""
        if not self._path.exists():
            return
        with self._writing() as base, _transaction(base):
            for path in paths:
                known = base.execute("SELECT id FROM part WHERE (dataset, path) = (?, ?)", (dataset, path)).fetchall()
                for (part,) in known:
                    _drop(base, part)

    def keep(self, datasets: Iterable[str]) -> int:
        """Drop what it knows of any other dataset; of how many file versions."""
        kept = set(datasets)
        with self._writing() as base, _transaction(base):
            gone = [part for part, of in base.execute("SELECT id, dataset FROM part").fetchall() if of not in kept]
            for part in gone:
                _drop(base, part)
        return len(gone)

    def _drop_others(self, base: sqlite3.Connection, dataset: str, kept: set[tuple[str, str]]) -> int:
        known = base.execute("SELECT id, kind, path FROM part WHERE dataset = ?", (dataset,)).fetchall()
        gone = {part: path for part, kind, path in known if (kind, path) not in kept}
        with _transaction(base):
            for part in gone:
                _drop(base, part)
        return len(set(gone.values()))

    def _whole(self, base: sqlite3.Connection, about: Indexed, file: LakeFile) -> bool:
        """Whether every bucket is there and opens."""
        place = (about.dataset, about.kind, file.path)
        part = base.execute(f"SELECT id, version, bits {_PART_OF}", place).fetchone()
        if part is None or part[1] != _version(about, file):
            return False
        count = 0
        try:
            for name, body in base.execute(f"SELECT id, body {_OF_PART}", _span(part[0])):
                self._unseal(body, about, file, part[2], name - _id(part[0], 0))
                count += 1
        except (InvalidTag, ValueError, TypeError):
            return False
        return bool(count == 1 << part[2])

    def _entries(self, about: Indexed, file: LakeFile, filesystem: Any) -> tuple[Marks, npt.NDArray[np.uint32]]:
        """Every mark with every row group it stands in, by mark; 12 bytes for each, of one file at a time."""
        marks, groups = [np.array([], np.uint64)], [np.array([], np.uint32)]
        with pq.ParquetFile(file.path, filesystem=filesystem) as opened:
            for group in range(file.groups):
                column = opened.read_row_group(group, columns=[about.column]).column(0)
                words = pc.unique(column.drop_null()).cast(pa.string()).to_pylist()
                marks.append(np.unique(self._marks(about.kind, words)))
                groups.append(np.full(len(marks[-1]), group, np.uint32))
        both, where = np.concatenate(marks), np.concatenate(groups)
        order = np.argsort(both, kind="stable")
        return both[order], where[order]

    def _write(
        self, base: sqlite3.Connection, about: Indexed, file: LakeFile, entries: tuple[Marks, npt.NDArray[np.uint32]]
    ) -> None:
        marks, groups = entries
        bits = max(0, (len(marks) // PER_BUCKET).bit_length())
        place = (about.dataset, about.kind, file.path)
        with _transaction(base):
            for (old,) in base.execute(f"SELECT id {_PART_OF}", place).fetchall():
                _drop(base, old)
            part = base.execute(
                "INSERT INTO part (dataset, kind, path, version, bits) VALUES (?, ?, ?, ?, ?)",
                (*place, _version(about, file), bits),
            ).lastrowid
            edges = np.searchsorted(_numbers(marks, bits), np.arange((1 << bits) + 1))
            for number, (low, high) in enumerate(pairwise(edges)):
                body = _packed(_short(marks[low:high], bits), groups[low:high], file)
                sealed = self._seal(body, about, file, bits, number)
                base.execute("INSERT INTO bucket VALUES (?, ?)", (_id(part, number), sealed))

    # -- marks and seals -----------------------------------------------------------------------------------------

    def _marks(self, kind: str, words: Sequence[str]) -> Marks:
        """The first 64 bits of each HMAC. Two words of one mark make a row group too many, never one too few."""
        key, head = self._marking, kind.encode() + b"\0"
        marks = b"".join(hmac.digest(key, head + word.encode(), "sha256")[:8] for word in words)
        return np.frombuffer(marks, ">u8").astype(np.uint64)

    def _seal(self, body: bytes, about: Indexed, file: LakeFile, bits: int, number: int) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(self._sealing).encrypt(nonce, body, _bound(about, file, bits, number))

    def _unseal(self, sealed: bytes, about: Indexed, file: LakeFile, bits: int, number: int) -> bytes:
        return AESGCM(self._sealing).decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(about, file, bits, number))

    # -- the SQLite file -----------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the index, whatever is built meanwhile."""
        address = f"file:{quote(str(self._path))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=1)) as base:
            base.execute("BEGIN")
            yield base

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A file that is no index any more is made anew: what it said can be built again."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._made()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise _cannot(error) from None
            self._path.unlink()
            self._made()
        try:
            with closing(self._connected()) as base:
                yield base
        except sqlite3.Error as error:
            raise _cannot(error) from None

    def _made(self) -> None:
        self._path.touch(mode=0o600)
        with closing(self._connected()) as base:
            base.executescript(_TABLES)
            if base.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError

    def _connected(self) -> sqlite3.Connection:
        base = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        base.execute("PRAGMA secure_delete = ON")
        return base


def _cannot(error: sqlite3.Error) -> DsrError:
    return DsrError(f"index: cannot be written ({type(error).__name__}): free space, wait for another build, run again")


@contextmanager
def _transaction(base: sqlite3.Connection) -> Iterator[None]:
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
        base.execute("COMMIT")
    except BaseException:
        base.execute("ROLLBACK")
        raise


def _drop(base: sqlite3.Connection, part: int) -> None:
    base.execute(f"DELETE {_OF_PART}", _span(part))
    base.execute("DELETE FROM part WHERE id = ?", (part,))


_PART_OF = "FROM part WHERE (dataset, kind, path) = (?, ?, ?)"
_OF_PART = "FROM bucket WHERE id BETWEEN ? AND ?"


def _id(part: int | None, number: int) -> int:
    return ((part or 0) << _BITS) + number


def _span(part: int) -> tuple[int, int]:
    return _id(part, 0), _id(part + 1, 0) - 1


def _version(about: Indexed, file: LakeFile) -> str:
    """The version of a file of which a part tells, and how its values are written."""
    told = {"column": about.column, "numbers": about.numbers}
    return json.dumps({**told, "size": file.size, "changed": file.changed, "footer": file.footer}, sort_keys=True)


def _bound(about: Indexed, file: LakeFile, bits: int, number: int) -> bytes:
    return json.dumps([asdict(about), file.path, _version(about, file), bits, number]).encode()


def _numbers(marks: Marks, bits: int) -> Marks:
    return marks >> np.uint64(64 - bits) if bits else np.zeros_like(marks)


def _by_bucket(marks: Marks, bits: int) -> Iterator[tuple[int, Marks]]:
    by: dict[int, list[np.uint64]] = defaultdict(list)
    for mark, number in zip(marks, _numbers(marks, bits), strict=True):
        by[int(number)].append(mark)
    for number, wanted in by.items():
        yield number, np.array(wanted, np.uint64)


def _short(marks: Marks, bits: int) -> npt.NDArray[np.uint32]:
    """What a bucket keeps of its marks: the 32 bits that follow those which all of them share."""
    return ((marks << np.uint64(bits)) >> np.uint64(32)).astype("<u4")


def _width(file: LakeFile) -> str:
    return "<u2" if file.groups < 1 << 16 else "<u4"


def _packed(marks: npt.NDArray[np.uint32], groups: npt.NDArray[np.uint32], file: LakeFile) -> bytes:
    """How many distinct marks; they; how many groups each is in; the groups."""
    distinct, counts = np.unique(marks, return_counts=True)
    parts = (np.array([len(distinct)], "<u4"), distinct, counts.astype(_width(file)), groups.astype(_width(file)))
    return b"".join(part.tobytes() for part in parts)


def _unpacked(body: bytes, wanted: npt.NDArray[np.uint32], file: LakeFile) -> set[int]:
    """The groups of the wanted marks."""
    count, width = int(np.frombuffer(body, "<u4", 1)[0]), np.dtype(_width(file))
    marks, counts = np.frombuffer(body, "<u4", count, 4), np.frombuffer(body, width, count, 4 + 4 * count)
    groups = np.frombuffer(body, width, -1, 4 + 4 * count + width.itemsize * count)
    return set(groups[np.repeat(np.isin(marks, wanted), counts)].tolist())
