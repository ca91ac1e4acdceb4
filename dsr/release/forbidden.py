"""The masked values, made ready to be looked for, a million at a time, in sorted arrays.

The *text* is unfolded, not the values: a number is read out of whatever form it stands in (hyphens, width, +81, UTF-16,
hex, base64) and looked up. All forms, encodings and digests of a million numbers in one Aho-Corasick automaton would be
gigabytes (32 bytes a node; about 60 forms of 10 to 64 bytes a number); this way a value costs 32 bytes. Digests are
made only when a package holds one that nobody can account for.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dsr.names.letters import spelled, without_honorific
from dsr.release.finding import Cell
from dsr.release.readings import HYPHENS, digits_of, level, national, plain, squeezed, unspaced

SHORTEST = 4
"""Characters of a value that is looked for (documents.md DC-2); shorter ones stand in any text by chance."""
ALONE = 7
"""Latin letters and digits below which a value is found only as a text of its own: 2026 stands in many places."""
LONGEST = 18
"""Digits that fit 64 bits with a leading 1; of longer numbers the last, for those of one series begin alike."""
FIRST, CUT = 6, 32
"""Bytes of a word by which it is looked for, and by which it is known: who sees so many has seen it. But many streets
and usual phrases begin alike: of a longer word only as much is held to be shown lawfully as is."""
_NUMBER = rf"^[0-9+() \-]{{{ALONE},40}}$"
_ROW = 40

Owners = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Column:
    """Stored text of one field, in the order of the rows from ``first``; null where the cell is not masked."""

    dataset: str
    name: str
    first: int
    values: pa.Array = field(repr=False)
    unread: bool = False
    """Hidden because nobody judged the note, not because somebody masked it. Comes after all that is masked."""


Source = Callable[[], Iterable[Column]]


class Lookup:
    """Sorted keys, and for each the first cell that holds it."""

    def __init__(self) -> None:
        self._keys: list[Keys] = []
        self._owners: list[Owners] = []

    def add(self, keys: Keys, owners: Owners) -> None:
        self._keys.append(keys)
        self._owners.append(owners)
        if sum(map(len, self._keys[1:])) > max(1 << 18, len(self._keys[0])):
            self.settle()

    def settle(self) -> None:
        if self._keys:
            keys, first = np.unique(np.concatenate(self._keys), return_index=True)
            self._keys, self._owners = [keys], [np.concatenate(self._owners)[first]]

    def __len__(self) -> int:
        return len(self._keys[0]) if self._keys else 0

    @property
    def keys(self) -> Keys:
        return self._keys[0] if self._keys else np.zeros(0, np.uint64)

    def find(self, keys: Keys) -> Owners:
        """The owner of each key; -1 where it is not forbidden."""
        if not len(self):
            return np.full(len(keys), -1, np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self) - 1)
        return np.where(self.keys[at] == keys, self._owners[0][at], -1)


class Forbidden:
    """``source`` is read once to build, and again when digests must be made; it must say the same both times."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._fields: dict[tuple[str, str, bool], int] = {}
        self.numbers, self.tails = Lookup(), Lookup()
        self.words = Words()
        for column in source():
            self._add(column)
        self.numbers.settle()
        self.tails.settle()
        self.words.settle()
        self.lengths = _lengths(self.numbers.keys)

    def __repr__(self) -> str:
        return f"Forbidden({len(self)})"

    def __len__(self) -> int:
        """Distinct values; a word whose stored form is not its plain one counts for two."""
        return len(self.numbers) + len(self.words)

    def cell(self, owner: int) -> Cell:
        dataset, name, _ = list(self._fields)[owner >> _ROW]
        return Cell(dataset, name, owner & ((1 << _ROW) - 1))

    def is_unread(self, owner: int) -> bool:
        return owner >= 0 and list(self._fields)[owner >> _ROW][2]

    def _add(self, column: Column) -> None:
        if column.values.null_count == len(column.values):
            return
        number = self._fields.setdefault((column.dataset, column.name, column.unread), len(self._fields))
        filled = np.flatnonzero(pc.is_valid(column.values).to_numpy(zero_copy_only=False))
        stored = column.values.drop_null()
        coded = stored.dictionary_encode()
        _, first = np.unique(coded.indices.to_numpy(), return_index=True)
        owners = (number << _ROW) + column.first + filled[first].astype(np.int64)
        stored = stored.take(pa.array(first))
        written = pc.replace_substring_regex(pc.utf8_normalize(stored, "NFKC"), HYPHENS, "-")
        digits = digits_of(written)
        is_number = pc.and_(pc.match_substring_regex(written, _NUMBER),
                            pc.greater_equal(pc.binary_length(digits), ALONE))  # fmt: skip
        chosen = is_number.to_numpy(zero_copy_only=False)
        self._add_numbers(digits.filter(is_number), owners[chosen])
        self.words.add(stored.filter(pc.invert(is_number)), owners[~chosen], column.unread)

    def _add_numbers(self, digits: pa.Array, owners: Owners) -> None:
        self.numbers.add(keys_of(pc.utf8_slice_codeunits(digits, -LONGEST)), owners)
        phones = pc.and_(pc.starts_with(digits, "0"), pc.greater_equal(pc.binary_length(digits), 10))
        tails = pc.utf8_slice_codeunits(digits.filter(phones), -8)
        self.tails.add(keys_of(tails), owners[phones.to_numpy(zero_copy_only=False)])

    def alone(self, text: str) -> int | None:
        """The owner of a short value that is the whole of ``text``."""
        return self.words.short.get(plain(text)) if self.words.short else None

    def digested(self, found: Mapping[bytes, Any]) -> Iterator[tuple[Any, Cell]]:
        """What stands in the package as a bare MD5, SHA-1 or SHA-256 of a masked value, in any of its written forms."""
        makes = [make for make in (_md5, hashlib.sha1, hashlib.sha256) if make().digest_size in map(len, found)]
        for column in self._source() if found else ():
            for text in pc.unique(column.values.drop_null()).to_pylist():
                for digest in (make(form.encode()).digest() for form in _forms(text) for make in makes):
                    if digest in found:
                        row = column.first + pc.index(column.values, text).as_py()
                        yield found[digest], Cell(column.dataset, column.name, row)


class _Alike:
    """Words that begin alike, each with its owner."""

    def __init__(self) -> None:
        self.owners: dict[bytes, int] = {}

    @cached_property
    def _sorted(self) -> list[bytes]:
        return sorted(self.owners)

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(word) for word in self.owners})

    def standing(self, raw: bytes, place: int) -> Iterator[tuple[bytes, int]]:
        """Each that stands there whole, and as much as does of the one of which most does."""
        found = {part: self.owners[part] for size in self._lengths
                 if (part := raw[place : place + size]) in self.owners}  # fmt: skip
        following = raw[place : place + self._lengths[-1]]
        at = bisect_left(self._sorted, following)
        near = self._sorted[max(at - 1, 0) : at + 1]
        furthest = max(near, key=lambda word: _alike(word, following))
        yield from ({furthest[: _alike(furthest, following)]: self.owners[furthest]} | found).items()


def _alike(word: bytes, other: bytes) -> int:
    """How many first bytes are the same."""
    unlike = (at for at, (one, two) in enumerate(zip(word, other, strict=False)) if one != two)
    return next(unlike, min(len(word), len(other)))


class Words:
    """Masked texts that are no numbers, by the first bytes of their plain form and a hash of up to CUT of them."""

    def __init__(self) -> None:
        self.short: dict[str, int] = {}
        self._long: dict[tuple[int, bool], _Alike] = {}
        self._whole = Lookup()
        self._first: Keys = np.zeros(0, np.uint64)
        self._begins = np.zeros(0, np.bool_)
        self._sizes: set[int] = set()

    def __len__(self) -> int:
        return len(self.short) + len(self._whole)

    def add(self, stored: pa.Array, owners: Owners, unread: bool = False) -> None:
        hashes, holders, firsts = [], [], []
        for text, owner in zip(stored.to_pylist(), owners.tolist(), strict=True):
            word = plain(text)
            if len(text) < SHORTEST or len(word) < SHORTEST - 1:  # 平野 泉 is four as it is stored
                continue
            if word.isascii() and len(word) < ALONE:
                self.short.setdefault(word, owner)
                continue
            for form in {word, squeezed(text), plain(without_honorific(level(text)))}:
                whole = form.encode("utf-8", "replace")
                coded = whole[:CUT]
                if len(coded) == CUT:
                    self._long.setdefault((hash(coded), unread), _Alike()).owners.setdefault(whole, owner)
                self._sizes.add(len(coded))
                firsts.append(int.from_bytes(coded[:FIRST], "little"))
                hashes.append(hash(coded))
                holders.append(owner)
        self._whole.add(np.array(hashes, np.int64).view(np.uint64), np.array(holders, np.int64))
        self._first = np.union1d(self._first, np.array(firsts, np.uint64))

    def settle(self) -> None:
        self._whole.settle()
        if len(self._first):
            self._begins = np.zeros(1 << 24, np.bool_)
            self._begins[(self._first & np.uint64(0xFFFFFF)).astype(np.int64)] = True

    def within(self, raw: bytes) -> Iterator[tuple[int, str, int]]:
        """(place, the word or how much of it stands there, owner) of each in ``raw``, which is squeezed UTF-8."""
        if not len(self._first) or len(raw) < FIRST:
            return
        at = self._begun(np.frombuffer(raw + bytes(FIRST), np.uint8))
        places = [(place, size) for place in at.tolist() for size in self._sizes]
        hashes = np.array([hash(raw[place : place + size]) for place, size in places], np.int64).view(np.uint64)
        owners = self._whole.find(hashes)
        for found in np.flatnonzero(owners >= 0).tolist():
            place, size = places[found]
            if size < CUT:
                yield place, raw[place : place + size].decode("utf-8", "ignore"), int(owners[found])
            else:
                for unread in (False, True):
                    alike = self._long.get((hash(raw[place : place + size]), unread))
                    for word, owner in alike.standing(raw, place) if alike else ():
                        yield place, word.decode("utf-8", "ignore"), owner

    def _begun(self, octets: npt.NDArray[np.uint8]) -> Owners:
        """Where the first bytes of a word stand: by three of them, which is quick and lets little through; by all."""
        wide = octets.astype(np.uint32)
        at = np.flatnonzero(self._begins[wide[:-2] | wide[1:-1] << 8 | wide[2:] << 16])
        at = at[at < len(octets) - FIRST]
        keys = np.zeros(len(at), np.uint64)
        for number in range(FIRST):
            keys |= octets[at + number].astype(np.uint64) << np.uint64(8 * number)
        found = np.minimum(np.searchsorted(self._first, keys), len(self._first) - 1)
        begun: Owners = at[self._first[found] == keys]
        return begun


def keys_of(digits: pa.Array) -> Keys:
    """Digits as a number that keeps its leading zeros: a 1 before them."""
    return np.asarray(pc.binary_join_element_wise("1", digits, "").cast(pa.uint64()))


def _lengths(keys: Keys) -> frozenset[int]:
    """How many digits the numbers have."""
    return frozenset(np.floor(np.log10(keys.astype(np.float64))).astype(int).tolist())


_WIDE = {ord(c): ord(c) + 0xFEE0 for c in "0123456789-+()"}


def _forms(text: str) -> set[str]:
    """Every form in which somebody may have digested the value."""
    forms = {text, unspaced(level(text)), plain(text)} | (set() if text.isascii() else {spelled(text)})
    digits = national(re.sub("[^0-9]", "", level(text)))
    if len(digits) >= ALONE:
        forms |= {digits, digits[-8:], f"+81{digits[1:]}", f"81{digits[1:]}"}
        forms |= {text.translate(_WIDE), digits.translate(_WIDE)}
    return forms


def _md5(raw: bytes = b"") -> Any:
    return hashlib.md5(raw, usedforsecurity=False)


__all__ = ["Column", "Forbidden", "Lookup", "Source", "Words", "keys_of"]
