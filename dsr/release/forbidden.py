"""The masked values, made ready to be looked for: a million numbers in sorted arrays, words in Aho-Corasick automata.

The *text* is unfolded, not the values: a number is read out of whatever form it stands in (hyphens, width, +81, UTF-16,
hex, base64) and looked up. Forms, encodings and digests of a million numbers would be gigabytes (measured: 55 bytes a
number this way, 7 kB the other). Digests are made only when a package holds one that nobody can account for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ahocorasick  # type: ignore[import-not-found, unused-ignore]
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dsr.names.letters import spelled
from dsr.release.finding import Cell
from dsr.release.readings import ENCODINGS, HYPHENS, digits_of, level, national, plain

SHORTEST = 4
"""Characters of a value that is looked for (documents.md DC-2); shorter ones stand in any text by chance."""
ALONE = 7
"""Latin letters and digits below which a value is found only as a text of its own: 2026 stands in many places."""
LONGEST = 18
"""Digits that fit 64 bits with a leading 1; longer ones are looked for as words."""
WORDS = 5_000
"""Words of one automaton: with their encodings about 40 MB; more words are looked for in turns."""
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


Source = Callable[[], Iterable[Column]]


class Lookup:
    """Sorted keys, and for each the first cell that holds it."""

    def __init__(self) -> None:
        self._keys: list[Keys] = []
        self._owners: list[Owners] = []

    def add(self, keys: Keys, owners: Owners) -> None:
        self._keys.append(keys)
        self._owners.append(owners)
        if sum(map(len, self._keys[1:])) > 1 << 20:
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
        self._fields: dict[tuple[str, str], int] = {}
        self.numbers, self.tails = Lookup(), Lookup()
        self._words = _Words()
        for column in source():
            self._add(column)
        self.numbers.settle()
        self.tails.settle()
        self._words.settle()
        self.lengths = _lengths(self.numbers.keys)

    def __repr__(self) -> str:
        return f"Forbidden({len(self)})"

    def __len__(self) -> int:
        """Distinct values."""
        return len(self.numbers) + len(self._words)

    def cell(self, owner: int) -> Cell:
        dataset, name = list(self._fields)[owner >> _ROW]
        return Cell(dataset, name, owner & ((1 << _ROW) - 1))

    def _add(self, column: Column) -> None:
        number = self._fields.setdefault((column.dataset, column.name), len(self._fields))
        filled = np.flatnonzero(pc.is_valid(column.values).to_numpy(zero_copy_only=False))
        stored = column.values.drop_null()
        coded = stored.dictionary_encode()
        _, first = np.unique(coded.indices.to_numpy(), return_index=True)
        owners = (number << _ROW) + column.first + filled[first].astype(np.int64)
        stored = stored.take(pa.array(first))
        written = pc.replace_substring_regex(pc.utf8_normalize(stored, "NFKC"), HYPHENS, "-")
        digits = digits_of(written)
        length = pc.binary_length(digits)
        is_number = pc.and_(pc.match_substring_regex(written, _NUMBER),
                            pc.and_(pc.greater_equal(length, ALONE), pc.less_equal(length, LONGEST)))  # fmt: skip
        chosen = is_number.to_numpy(zero_copy_only=False)
        self._add_numbers(digits.filter(is_number), owners[chosen])
        self._words.add(stored.filter(pc.invert(is_number)), owners[~chosen])

    def _add_numbers(self, digits: pa.Array, owners: Owners) -> None:
        self.numbers.add(keys_of(digits), owners)
        phones = pc.and_(pc.starts_with(digits, "0"), pc.greater_equal(pc.binary_length(digits), 10))
        tails = pc.utf8_slice_codeunits(digits.filter(phones), -8)
        self.tails.add(keys_of(tails), owners[phones.to_numpy(zero_copy_only=False)])

    def words(self) -> Iterator[Words]:
        yield from self._words.automata()

    def alone(self, text: str) -> int | None:
        """The owner of a short value that is the whole of ``text``."""
        return self._words.short.get(plain(text)) if self._words.short else None

    def digested(self, found: Mapping[bytes, Any]) -> Iterator[tuple[Any, Cell]]:
        """What stands in the package as a bare MD5, SHA-1 or SHA-256 of a masked value, in any of its written forms."""
        makes = [make for make in (_md5, hashlib.sha1, hashlib.sha256) if make().digest_size in map(len, found)]
        for column in self._source() if found else ():
            for text in pc.unique(column.values.drop_null()).to_pylist():
                for digest in (make(form.encode()).digest() for form in _forms(text) for make in makes):
                    if digest in found:
                        row = column.first + pc.index(column.values, text).as_py()
                        yield found[digest], Cell(column.dataset, column.name, row)


@dataclass(frozen=True)
class Words:
    """``automaton`` says owner and length for a word in UTF-8 read as Latin-1, plain and in each encoding."""

    automaton: Any = field(repr=False)
    plains: pa.Array = field(repr=False)
    owners: Owners = field(repr=False)

    def within(self, raw: bytes) -> Iterator[tuple[str, int]]:
        """(the word, its owner) for each that stands in ``raw``, once."""
        for at in {at for _, at in self.automaton.iter(raw.decode("latin-1"))}:
            yield self.plains[at].as_py(), int(self.owners[at])


class _Words:
    """Masked texts that are no numbers."""

    def __init__(self) -> None:
        self.short: dict[str, int] = {}
        self._stored: list[pa.Array] = []
        self._owners: list[Owners] = []
        self._one: Words | None = None

    def add(self, stored: pa.Array, owners: Owners) -> None:
        long = pc.greater_equal(pc.utf8_length(stored), SHORTEST).to_numpy(zero_copy_only=False)
        stored, owners = stored.filter(pa.array(long)), owners[long]
        if len(stored):
            self._stored.append(stored)
            self._owners.append(owners)

    def settle(self) -> None:
        kept, owners = [], []
        for text, owner in zip(_flat(self._stored).to_pylist(), np.concatenate([*self._owners, []]), strict=True):
            word = plain(text)
            if word.isascii() and len(word) < ALONE:
                self.short.setdefault(word, int(owner))
            elif len(word) >= SHORTEST - 1:  # 平野 泉 is four as it is stored
                kept.append(text)
                owners.append(int(owner))
        stored = pa.array(kept, pa.string())
        first = np.unique(stored.dictionary_encode().indices.to_numpy(), return_index=True)[1]
        self._stored, self._owners = [stored.take(pa.array(first))], [np.array(owners, np.int64)[first]]

    def __len__(self) -> int:
        return len(self.short) + len(self._stored[0])

    def automata(self) -> Iterator[Words]:
        stored, owners = self._stored[0], self._owners[0]
        if self._one:
            yield self._one
            return
        for start in range(0, len(stored), WORDS):
            words = _automaton(stored.slice(start, WORDS), owners[start : start + WORDS])
            self._one = words if len(stored) <= WORDS else None
            yield words


def _automaton(stored: pa.Array, owners: Owners) -> Words:
    made = ahocorasick.Automaton()
    plains = [plain(text) for text in stored.to_pylist()]
    for at, (text, word) in enumerate(zip(stored.to_pylist(), plains, strict=True)):
        for form in {text, word}:
            for coded in {form.encode(name, "ignore") for name in ENCODINGS}:
                if len(coded) >= ALONE - 1:
                    made.add_word(coded.decode("latin-1"), at)
    made.make_automaton()
    return Words(made, pa.array(plains, pa.string()), owners)


def keys_of(digits: pa.Array) -> Keys:
    """Digits as a number that keeps its leading zeros: a 1 before them."""
    return np.asarray(pc.binary_join_element_wise("1", digits, "").cast(pa.uint64()))


def _lengths(keys: Keys) -> frozenset[int]:
    """How many digits the numbers have."""
    return frozenset(np.floor(np.log10(keys.astype(np.float64))).astype(int).tolist())


def _flat(parts: list[pa.Array]) -> pa.Array:
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


_WIDE = {ord(c): ord(c) + 0xFEE0 for c in "0123456789-+()"}


def _forms(text: str) -> set[str]:
    """Every form in which somebody may have digested the value."""
    forms = {text, plain(text)} | (set() if text.isascii() else {spelled(text)})
    digits = national(re.sub("[^0-9]", "", level(text)))
    if len(digits) >= ALONE:
        forms |= {digits, digits[-8:], f"+81{digits[1:]}", f"81{digits[1:]}"}
        forms |= {text.translate(_WIDE), digits.translate(_WIDE)}
    return forms


def _md5(raw: bytes = b"") -> Any:
    return hashlib.md5(raw, usedforsecurity=False)


__all__ = ["Column", "Forbidden", "Lookup", "Source", "Words", "keys_of"]
