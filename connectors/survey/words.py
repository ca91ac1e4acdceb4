"""Every written form of every identifier, folded, and where one stands in a column: one pass for all people at once.

Text and forms are squeezed alike (width, case, old and new kanji, no spaces, no hyphens: names.md §2, §7), so that
one key stands for all the forms of a number or name. Where a key is met, its pattern is held against the cell itself:
it says what may stand between the letters and what may not stand beside them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.survey.marks import bare
from dsr.names.letters import fold, spelled
from dsr.plan import Sought

Places = npt.NDArray[np.int64]
SHORT = 4
"""Characters below which a form is found only where it stands alone, and tells only in a column meant for it; bytes
below which it is found only as the whole of a value."""
SHORT_NUMBER = 8
"""The same for columns of numbers, where amounts and quantities stand too."""
RAW = 6
"""Bytes of a key that is looked for in undecoded bytes; a shorter one stands there by chance."""
PLANT = -1
_BETWEEN = r"\s\-‐-―−ー・･().,=_'’"
_GAP = f"[{_BETWEEN}]*"
_SQUEEZED = re.compile(f"[^\\S\n]|(?!\\s)[{_BETWEEN}]")
_LOWER = bytes(ord(chr(code).lower()) for code in range(128)) + bytes(range(128, 256))
_DROPPED = bytes(code for code in range(128) if code != 10 and (not spelled(chr(code)) or _SQUEEZED.match(chr(code))))
_PHONE = re.compile(r"\+?(?:81|0)0?([1-9][0-9]{8,9})")
_NUMBER = re.compile(r"(?=.*[0-9])[0-9a-z+]+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_HONORED = r"(?=様|さん|さま|殿|氏|\W|\Z)"


def leveled(text: str) -> str:
    """One width, one case, old kanji as new."""
    return fold(spelled(text).casefold())


def squeeze(text: str) -> str:
    """A leveled text without what may stand between; line feeds stay."""
    return _SQUEEZED.sub("", leveled(text))


@dataclass(frozen=True)
class Needle:
    """``case`` is the place of its case among those surveyed together, PLANT for what must be found."""

    case: int
    kind: str
    key: str = field(repr=False)
    body: str = field(repr=False)
    numbers: tuple[int, ...] = field(default=(), repr=False)
    """What is left of it in a column of numbers, which keeps no zeros, hyphens or letters."""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.body)

    def stands_in(self, leveled_cell: str) -> bool:
        return self._pattern.search(leveled_cell) is not None


def needle(case: int, kind: str, text: str, key: str) -> Needle:
    """Of a leveled form and its squeezed key."""
    if phone := _PHONE.fullmatch(key):
        rest = _GAP.join(phone[1])
        body = rf"(?<![0-9])(?:18[46]{_GAP})?(?:(?:\+|00|010)?{_GAP}81{_GAP}0?|0){_GAP}{rest}(?![0-9])"
        return Needle(case, kind, phone[1], body, (int(phone[1]), int("81" + phone[1])))
    if "@" in key:
        return Needle(case, kind, key, rf"(?<![0-9a-z._+-]){re.escape(text)}(?![0-9a-z-])")
    if _NUMBER.fullmatch(key):
        return Needle(case, kind, key, _alone(key), (int(key),) if key.isdecimal() and len(key) < 19 else ())
    return Needle(case, kind, key, _of_words(text, key))


def _alone(key: str) -> str:
    """Not in the midst of a longer number; few digits not beside a hyphen either: 1001 is no part of 092-000-1001."""
    body = _GAP.join(map(re.escape, key))
    if key.isdecimal() and len(key) < 9:
        return rf"(?<![0-9a-z])(?<![0-9a-z][-./:(]){body}(?![-./:(]?[0-9a-z])"
    return rf"(?<![0-9a-z]){body}(?![0-9a-z])"


def _of_words(text: str, key: str) -> str:
    letters = [letter for letter in text if letter == "ー" or not _SQUEEZED.match(letter)]
    body = _GAP.join(map(re.escape, letters))
    if len(key) < SHORT:
        return rf"(?<!\w){body}{_HONORED}"
    before = "(?<![0-9a-z])" if key[0].isascii() and key[0].isalnum() else ""
    after = "(?![0-9a-z])" if key[-1].isascii() and key[-1].isalnum() else ""
    return before + body + after


def _needles(case: int, forms: Mapping[str, Sequence[str]]) -> Iterator[Needle]:
    """The fewest that find all: 高橋花子様 needs none beside 高橋花子."""
    for kind, written in forms.items():
        texts = leveled("\n".join(form.replace("\n", " ") for form in written)).split("\n")
        keys = {_SQUEEZED.sub("", text): text.strip() for text in texts}
        made = {one.key: one for key, text in keys.items() if key for one in [needle(case, kind, text, key)]}
        shortest_first = sorted(made, key=len)
        free = [key for key in shortest_first if not (key[0] + key[-1]).isascii() and len(key) >= SHORT]
        for key in shortest_first:
            if not any(shorter in key for shorter in free if shorter != key):
                yield made[key]


class Needles:
    """What is looked for. ``rough`` gathers the keys that were met in any cell, whether or not their pattern agreed."""

    def __init__(self, sought: Sequence[Sought], plants: Iterable[str] = (), also: Iterable[str] = ()) -> None:
        """``also``: texts of which only ``rough`` is told."""
        found = [one for case, each in enumerate(sought) for one in _needles(case, each.forms)]
        found += [Needle(PLANT, "plant", squeeze(plant), re.escape(leveled(plant))) for plant in plants]
        self.by_key: dict[str, list[Needle]] = defaultdict(list)
        for one in found:
            self.by_key[one.key].append(one)
        for text in also:
            self.by_key.setdefault(squeeze(text), [])
        self.by_key.pop("", None)
        self.rough: set[str] = set()
        self._grams = Grams(key for key in self.by_key if len(key.encode()) >= SHORT)
        self._short = pa.array([key for key in self.by_key if len(key.encode()) < SHORT], pa.string())
        self._numbers: dict[int, list[Needle]] = defaultdict(list)
        for one in found:
            for number in one.numbers:
                self._numbers[number].append(one)

    def within(self, column: pa.Array) -> Iterator[tuple[int, Needle]]:
        """(place, needle) for each distinct value, text or bytes, in which one stands."""
        seen: set[tuple[int, int]] = set()
        for texts, owners in _readings(column):
            for place, one in self._stand(texts):
                owner = place if owners is None else int(owners[place])
                if (owner, id(one)) not in seen:
                    seen.add((owner, id(one)))
                    yield owner, one

    def _stand(self, texts: pa.Array) -> Iterator[tuple[int, Needle]]:
        if len(self._short):
            yield from self._whole(texts)
        plain = pc.string_is_ascii(texts)
        for chosen, ascii_only in ((plain, True), (pc.invert(plain), False)):
            places = np.flatnonzero(chosen.to_numpy(zero_copy_only=False))
            if not len(places):
                continue
            cells = texts if len(places) == len(texts) else texts.take(pa.array(places))
            data = _joined(cells, ascii_only)
            met = list(self._grams.within(data))
            if not met:
                continue
            breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
            for cell, keys in _by_cell(met, breaks).items():
                self.rough |= keys
                level = leveled(cells[cell].as_py())
                for one in (n for key in sorted(keys) for n in self.by_key[key]):
                    if one.stands_in(level):
                        yield int(places[cell]), one

    def _whole(self, texts: pa.Array) -> Iterator[tuple[int, Needle]]:
        """Two letters or digits stand in any text; they are found only as a value of their own."""
        cells = pc.utf8_trim_whitespace(pc.utf8_lower(texts))
        for place in np.flatnonzero(pc.is_in(cells, self._short).to_numpy(zero_copy_only=False)).tolist():
            self.rough.add(key := cells[place].as_py())
            yield from ((place, one) for one in self.by_key[key])

    def numbers(self, column: pa.Array) -> Iterator[tuple[int, Needle]]:
        """As ``within``, of numbers: an identifier that a column of numbers holds has lost its zeros and hyphens."""
        whole = pa.types.is_integer(column.type) and column.type != pa.uint64()
        column = column if whole else bare(column.cast(pa.string()))
        wanted = pa.array(sorted(self._numbers), pa.int64())
        met = pc.is_in(column.cast(pa.int64()) if whole else column, wanted if whole else wanted.cast(pa.string()))
        for place in np.flatnonzero(met.to_numpy(zero_copy_only=False)).tolist():
            for one in self._numbers[int(column[place].as_py())]:
                self.rough.add(one.key)
                yield place, one

    def raw(self, data: bytes, encoding: str) -> set[str]:
        """Keys that stand in undecoded bytes, whatever stands beside them."""
        text = squeeze(data.decode(encoding, "replace")).encode("utf-8", "replace")
        return {key for _, key in self._grams.within(text) if len(key.encode()) >= RAW}


def tells(one: Needle, column: str, number: bool, meant: Mapping[str, frozenset[str]]) -> bool:
    """Whether a hit says whose the record is: a short number may be anything, but in a column meant for its kind."""
    long = len(one.key) >= (SHORT_NUMBER if number else SHORT)
    return long or column.lower() in meant.get(one.kind, frozenset())


# -- how values are read ---------------------------------------------------------------------------------------------


def _readings(column: pa.Array) -> Iterator[tuple[pa.Array, Places | None]]:
    """The texts that values may be: as they stand, percent-decoded, with JSON escapes resolved."""
    for texts, owners in _as_texts(column):
        yield texts, owners
        for mark, read in (("%", _unquoted), ("\\u", _unescaped)):
            places = np.flatnonzero(pc.match_substring(texts, mark).to_numpy(zero_copy_only=False)).tolist()
            if places:
                told = ((place, text) for place in places for text in read(texts[place].as_py()))
                yield _gathered((place if owners is None else int(owners[place]), text) for place, text in told)


def _as_texts(column: pa.Array) -> Iterator[tuple[pa.Array, Places | None]]:
    """Bytes in each encoding; the plain ones, most of any log, at once."""
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        yield column.cast(pa.string()), None
        return
    rest = column.to_pylist()
    with suppress(pa.ArrowInvalid):
        texts = column.cast(pa.string())
        if pc.all(pc.string_is_ascii(texts)).as_py() and not pc.any(pc.match_substring(texts, "\0")).as_py():
            yield texts, None
            return
    yield _gathered((place, text) for place, raw in enumerate(rest) for text in _decoded(raw))


def _gathered(told: Iterable[tuple[int, str]]) -> tuple[pa.Array, Places]:
    pairs = list(told)
    return pa.array([text for _, text in pairs], pa.string()), np.array([place for place, _ in pairs], np.int64)


def _decoded(raw: bytes | None) -> list[str]:
    """cp932 writes 髙 and 﨑 in two ways each and reads both; what one reading garbles another has (names.md §8)."""
    if not raw:
        return []
    if raw.isascii() and b"\0" not in raw:
        return [raw.decode("ascii")]
    return [raw.decode(name, "replace") for name in ("utf-8", "cp932", "utf-16-le", "utf-16-be")]


def _unquoted(text: str) -> list[str]:
    once = unquote_to_bytes(text)
    return _decoded(once) + (_decoded(unquote_to_bytes(once)) if b"%" in once else [])


def _unescaped(text: str) -> list[str]:
    units = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return [units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")]


def _joined(cells: pa.Array, ascii_only: bool) -> bytes:
    """The squeezed cells, a line feed after each and nowhere else."""
    lines = pc.binary_join_element_wise(pc.replace_substring(cells, "\n", " "), "", "\n").cast(pa.large_string())
    _, offsets, buffer = lines.buffers()
    ends = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    data: bytes = buffer.slice(ends[0], ends[-1] - ends[0]).to_pybytes()
    if ascii_only:
        return data.translate(_LOWER, _DROPPED)
    return squeeze(data.decode("utf-8")).encode("utf-8", "replace")


def _by_cell(met: Sequence[tuple[int, str]], breaks: Places) -> dict[int, set[str]]:
    cells: dict[int, set[str]] = defaultdict(set)
    numbers = np.searchsorted(breaks, [at for at, _ in met])
    for cell, (_, key) in zip(numbers.tolist(), met, strict=True):
        cells[cell].add(key)
    return cells


# -- where keys stand ------------------------------------------------------------------------------------------------

_SIZES = (8, SHORT)
_SPREAD, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(44)
_PIECE = 1 << 18


class Grams:
    """Keys by their last 8 or 4 bytes, in which numbers of one series differ. A pass over text costs 10 ns a byte; an
    Aho-Corasick automaton took 70."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._groups: dict[int, dict[int, dict[int, set[bytes]]]] = {}
        for key in (text.encode("utf-8", "replace") for text in keys):
            size = next(size for size in _SIZES if len(key) >= size)
            ends = self._groups.setdefault(size, defaultdict(lambda: defaultdict(set)))
            ends[int.from_bytes(key[-size:], "little")][len(key)].add(key)
        self._tables = {size: _table(ends) for size, ends in self._groups.items()}

    def within(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Each key that stands there, and where it ends."""
        words: Any = np.ndarray((len(data),), "<u8", data + bytes(8), strides=(1,))
        for size, (ends, slots) in self._tables.items():
            group, mask = self._groups[size], np.uint64((1 << 8 * size) - 1)
            for start in range(0, len(data), _PIECE):
                grams = words[start : start + _PIECE] & mask
                maybe = np.flatnonzero(slots[grams * _SPREAD >> _SHIFT])
                sure = maybe[np.isin(grams[maybe], ends)]
                for end, gram in zip((sure + (start + size)).tolist(), grams[sure].tolist(), strict=True):
                    for length, keys in group[gram].items():
                        if end >= length and (word := data[end - length : end]) in keys:
                            yield end - 1, word.decode()


def _table(group: Mapping[int, Any]) -> tuple[Any, npt.NDArray[np.bool_]]:
    ends = np.array(sorted(group), np.uint64)
    slots = np.zeros(1 << 20, np.bool_)
    slots[ends * _SPREAD >> _SHIFT] = True
    return ends, slots
