"""Texts and bytes of one package against the forbidden values: what stands there, where, and whether it may.

A value is no leak where the package shows it lawfully: the rules of the inventory show it in another cell (a number
masked as incoming and shown as outgoing), or it stands in the person's own letter. Nor is a number that only arises
from two cells side by side, each of which is shown.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ahocorasick  # type: ignore[import-not-found, unused-ignore]
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsr.release.finding import KINDS, Finding
from dsr.release.forbidden import LONGEST, Forbidden, Owners, keys_of
from dsr.release.readings import (
    coded,
    digests,
    digits_of,
    level,
    national,
    numbers_in,
    plain,
    runs,
    squeezed,
    text_of,
    texts_in,
    unescaped,
)

DEEPEST = 3
"""Base64 of hex of base64."""
_BUFFER, _CANDIDATES = 1 << 20, 1 << 16
_SLICE, _OVERLAP = 1 << 20, 512
_LOOSE = re.compile(r"\+?[0-9](?:[\s\-().+/_・·の局番]{0,3}[0-9]){6,}")
_STRICT = re.compile(r"(?<![0-9])(?<![0-9]\.)\+?[0-9](?:[\-()]{0,2}[0-9]){6,}(?![0-9]*\.[0-9])")
_PIECE = re.compile("[0-9]+")
_CELLS = re.compile(r"""0(?<![0-9,.]0)[0-9]{1,4}(?:["\s]{0,2}[,;\t]["\s]{0,2}[0-9]{1,4}){2}(?![0-9.])""")
"""A telephone number in three cells."""
_TAIL = re.compile(r"(?<![0-9A-Za-z_.+\-])([0-9]{4})-?([0-9]{4})(?![0-9A-Za-z_.\-])")
_STAMP = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d")
_MOMENT = re.compile(r"[MTSHR]\d{1,2}(?:\.\d\d){1,2}|\d\d:\d\d(?::\d\d)?")
"""A day or an hour as a book prints it."""
_MY_NUMBER = re.compile(
    r"(?:(?<![\w+\-.])|(?<=個人番号)|(?<=個人番号は)|(?<=マイナンバ-)|(?<=マイナンバ-は))"
    r"([0-9]{4})([ \-]?)([0-9]{4})\2([0-9]{4})(?![0-9A-Za-z\-.])"
)
_ABROAD = ("81", "0081", "01081")
NOBODY = -1
EXPLAINED = 6
"""Digits of a cell that explains a number which arose beside it."""


@dataclass(frozen=True)
class Seen:
    """Texts that a package shows lawfully. ``released``: notes as an officer left them, who may have overlooked in them
    what is masked elsewhere; what is hidden only because nobody read another note may stand there."""

    values: pa.Array = field(repr=False)
    released: bool = False


Shown = Callable[[], Iterable[Seen]]


@dataclass(frozen=True)
class Place:
    file: str
    kind: str
    words: str


@dataclass(frozen=True)
class Hit:
    """``form``: digits or plain text of the value; ``tokens``: the words it was joined from, where it was."""

    place: Place
    owner: int
    form: str = field(repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Number:
    """Where in a text a candidate stands."""

    place: Place
    text: str = field(repr=False)
    start: int
    end: int
    digits: str = field(repr=False)

    @property
    def form(self) -> str:
        """Without the 0 that a spreadsheet drops: with it or without, it is the same number that is shown."""
        return self.digits.removeprefix("0") if len(self.digits) > EXPLAINED + 3 else self.digits

    @property
    def tokens(self) -> tuple[str, ...]:
        before = re.search(r"\S*$", self.text[max(0, self.start - 80) : self.start])
        after = re.match(r"\S*", self.text[self.end : self.end + 80])
        assert before and after
        return tuple((before[0] + self.text[self.start : self.end] + after[0]).split())


class Search:
    """``known``: digests that may stand in the package, those of its own files and the log's head."""

    def __init__(self, forbidden: Forbidden, known: Collection[bytes] = ()) -> None:
        self._forbidden, self._known = forbidden, set(known)
        self._most = 40 if LONGEST in forbidden.lengths else max([*forbidden.lengths, 8]) + 4
        self._least = min(forbidden.lengths, default=0) - 1
        self._numbers: list[_Number] = []
        self._tails: list[_Number] = []
        self._texts: list[bytes] = []
        self._starts: list[int] = [0]
        self._places: list[Place] = []
        self._runs: set[str] = set()
        self._hits: set[Hit] = set()
        self._digests: dict[bytes, Hit] = {}
        self.found: list[Finding] = []
        """What needs no value to be wrong: what cannot be read, letters left in a font, …"""

    def account_for(self, digest: bytes) -> None:
        """A digest whose origin is known: a PDF's own identifier."""
        self._known.add(digest)

    # -- taking in ------------------------------------------------------------------------------------------------

    def text(self, place: Place, text: str, *, loose: bool = True, depth: int = 0) -> None:
        """``loose``: a text for people, in which a number may be broken by spaces, dots and line ends."""
        for reading in (text, *unescaped(text)):
            levelled = level(reading)
            self._take_numbers(place, levelled, loose)
            self._take_words(place, squeezed(levelled))
            self.alone(place, reading)
            for run in runs(levelled) - self._runs:
                self._take_run(place, run, depth)

    def _take_run(self, place: Place, run: str, depth: int) -> None:
        """What may be coded, once: the same names stand in a PDF a thousand times."""
        self._runs.add(run)
        for digest in digests(run):
            if digest not in self._known:
                where = Place(place.file, "digest", place.words)
                self._digests.setdefault(digest, Hit(where, NOBODY, plain(run)))
        for raw in coded(run) if depth < DEEPEST else ():
            self.octets(place, raw, depth + 1)

    def alone(self, place: Place, text: str) -> None:
        """Whether the whole of ``text`` is a value too short to be looked for inside others."""
        if (owner := self._forbidden.alone(text)) is not None:
            self._hits.add(Hit(place, owner, plain(text)))

    def note(self, file: str, words: str, text: str) -> None:
        """A cell of free text: also what reads as a My Number, of which only a person can say whether it is one."""
        self.text(Place(file, "file", words), text)
        for number in my_numbers(level(text)):
            self._hits.add(Hit(Place(file, "my_number", words), NOBODY, number))

    def octets(self, place: Place, raw: bytes, depth: int = 0) -> None:
        """Bytes: as a text where they are one, and as they stand in any case."""
        text = text_of(raw)
        for start in range(0, len(text or ""), _SLICE):
            self.text(place, (text or "")[start : start + _SLICE + _OVERLAP], loose=False, depth=depth)
        if text is None:
            for reading in texts_in(raw):
                self._take_words(place, squeezed(reading))
                for number in numbers_in(reading):
                    self._take_numbers(place, number, False)

    def unreadable(self, file: str, words: str) -> None:
        self.found.append(Finding(file, words, "unreadable"))

    def _take_words(self, place: Place, text: str) -> None:
        coded = text.encode("utf-8", "replace")
        self._texts.append(coded)
        self._places.append(place)
        self._starts.append(self._starts[-1] + len(coded) + 1)
        if self._starts[-1] > _BUFFER or len(self._numbers) > _CANDIDATES:
            self._look()

    def _take_numbers(self, place: Place, text: str, loose: bool) -> None:
        for areas in (_LOOSE if loose else _STRICT, _CELLS):
            for area in areas.finditer(text):
                self._numbers += self._candidates(place, text, area.start(), area[0])
        # A length or an offset of a PDF may have eight digits; a text for people says what it counts.
        for found in _TAIL.finditer(text) if place.kind != "stream" else ():
            self._tails.append(_Number(place, text, *found.span(), found[1] + found[2]))

    def _candidates(self, place: Place, text: str, start: int, area: str) -> Iterator[_Number]:
        """What the pieces of digits read as when those side by side are joined."""
        lengths, pieces = self._forbidden.lengths, [found.span() for found in _PIECE.finditer(area)]
        for number, (begin, end) in enumerate(pieces):
            joined = area[begin:end]
            if len(joined) > 11 and not _STAMP.fullmatch(joined):
                yield from self._inside(place, text, start + begin, joined)
            for following in range(number, len(pieces)):
                if following > number:
                    end = pieces[following][1]
                    joined += area[pieces[following][0] : end]
                if len(joined) > self._most:
                    break
                if len(joined) < self._least:
                    continue
                for digits in _as_stored(joined, following == number):
                    if len(digits) in lengths:
                        yield _Number(place, text, start + begin, start + end, digits)

    def _inside(self, place: Place, text: str, start: int, run: str) -> Iterator[_Number]:
        """A telephone number inside a longer run of digits."""
        for at, digit in enumerate(run):
            for length in (10, 11) if digit == "0" else ():
                if length in self._forbidden.lengths and at + length <= len(run) != length:
                    yield _Number(place, text, start + at, start + at + length, run[at : at + length])

    # -- looking --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        for lookup, candidates in ((self._forbidden.numbers, self._numbers), (self._forbidden.tails, self._tails)):
            if candidates and len(lookup):
                owners: Owners = lookup.find(keys_of(pa.array([one.digits for one in candidates])))
                for at in np.flatnonzero(owners >= 0).tolist():
                    one, owner = candidates[at], int(owners[at])
                    self._hits.add(Hit(one.place, owner, one.form, one.tokens))
        for at, form, owner in self._forbidden.words.within(b"\n".join(self._texts)):
            self._hits.add(Hit(self._places[bisect_right(self._starts, at) - 1], owner, form))
        self._numbers, self._tails, self._texts, self._places, self._starts = [], [], [], [], [0]
        if len(self._runs) > _CANDIDATES:
            self._runs.clear()

    def findings(self, shown: Shown) -> list[Finding]:
        """All that is wrong, when everything was taken in. ``shown``: what the package shows lawfully."""
        self._look()
        left = _not_shown([*self._hits, *self._digests.values()], shown, self._forbidden.is_unread)
        found = [*self.found, *(self._told(hit) for hit in left if hit.place.kind != "digest")]
        unknown = {digest: hit.place for digest, hit in self._digests.items() if hit in left}
        for place, cell in self._forbidden.digested(unknown):
            found.append(Finding(place.file, place.words, place.kind, cell))
        return sorted(set(found), key=lambda one: ([*KINDS].index(one.kind), str(one)))

    def _told(self, hit: Hit) -> Finding:
        cell = self._forbidden.cell(hit.owner) if hit.owner != NOBODY else None
        return Finding(hit.place.file, hit.place.words, hit.place.kind, cell)


def _as_stored(joined: str, bare: bool) -> set[str]:
    """Digits that may have been stored for those that stand in a text: the last of many, from abroad, and without the
    first 0 as a spreadsheet keeps them. ``bare``: no sign breaks them, so that a spreadsheet may have written these."""
    found = {joined[-LONGEST:]}
    if joined.startswith(_ABROAD):
        found.add(national(joined)[-LONGEST:])
    if 9 <= len(joined) <= 11:
        found |= {one[1:] for one in found if one.startswith("0")} | ({f"0{one}" for one in found} if bare else set())
    return found


def my_numbers(text: str) -> list[str]:
    """Twelve digits, alone or so named, also in fours, with the check digit of a My Number (Ordinance 2014-85, art. 5).

    One in ten of all numbers of twelve digits has it: what the package shows lawfully elsewhere is none.
    """
    found = ["".join(match.group(1, 3, 4)) for match in _MY_NUMBER.finditer(text)]
    return [number for number in found if number[-1] == _check_digit(number[:-1]) and number.strip("0")]


def _check_digit(eleven: str) -> str:
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(eleven), start=1))
    return str(0 if total % 11 <= 1 else 11 - total % 11)


# -- what may stand there --------------------------------------------------------------------------------------------


def _not_shown(hits: Sequence[Hit], shown: Shown, is_unread: Callable[[int], bool]) -> set[Hit]:
    if not hits:
        return set()
    lawful = _Lawful(hits)
    for seen in shown():
        lawful.take(seen)
    return {hit for hit in hits if not lawful.explains(hit, is_unread(hit.owner))}


class _Lawful:
    """Which of the forms that were found are shown lawfully somewhere, and which cells stand beside each other."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        forms = {hit.form for hit in hits}
        self._words, self._digits = _of(forms), _of(filter(str.isdigit, forms))
        told = {_bare(token) for hit in hits if len(hit.tokens) > 1 for token in hit.tokens}
        self._tokens = pa.array(sorted(told - {""}), pa.string())
        self._forms: set[str] = set()
        self._released: set[str] = set()
        self._cells: set[str] = set()

    def take(self, seen: Seen) -> None:
        distinct = pc.unique(seen.values.drop_null())
        bare = pc.unique(digits_of(pc.utf8_normalize(distinct, "NFKC")))
        forms = _met(self._digits, "\n".join(bare.to_pylist()))
        forms |= _met(self._words, plain("\ue000".join(distinct.to_pylist())))
        if seen.released:
            self._released |= forms
            return
        self._cells |= set(bare.filter(pc.is_in(bare, self._tokens)).to_pylist())
        self._forms |= forms

    def explains(self, hit: Hit, unread: bool) -> bool:
        if hit.form in self._forms or (unread and hit.form in self._released):
            return True
        said = [_bare(token) for token in hit.tokens if not _MOMENT.fullmatch(token)]
        is_long = len(said) < len(hit.tokens) or max(map(len, said), default=0) >= EXPLAINED
        return len(hit.tokens) > 1 and set(said) <= self._cells and is_long


def _bare(token: str) -> str:
    return re.sub("[^0-9]", "", token)


def _of(forms: Iterable[str]) -> Any:
    made = ahocorasick.Automaton()
    for form in forms:
        made.add_word(form.encode().decode("latin-1"), form)
    made.make_automaton()
    return made


def _met(automaton: Any, text: str) -> set[str]:
    return {form for _, form in automaton.iter(text.encode().decode("latin-1"))} if len(automaton) else set()


__all__ = ["Place", "Search", "Seen", "Shown"]
