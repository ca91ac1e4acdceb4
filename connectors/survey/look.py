"""One look at a store for all cases at once: what is planned, what stands elsewhere, and a digest of all the rest."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.survey.marks import Blocks, Marks, one
from connectors.survey.others import Others
from connectors.survey.words import PLANT, Needle, Needles, squeeze, tells
from dsr.inventory import Dataset
from dsr.plan import Sought

NUMBER = "#number"
"""Ending of a column that holds numbers as text, beside the column of its name."""
PLANTS = 9
_OF_A_PLACE = 3
PLANT_LENGTH = 6
_TRIED = 20
"""Rows of a part in which a plant is looked for."""
Where = Literal["planned", "held", "elsewhere", "bystander"]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Some rows of one place, a table or the files of one dataset. ``datasets`` are those whose records they are.

    ``copies``: datasets whose key columns stand in a place that nobody declared: a row there may be a copy. ``keys``:
    key texts by dataset id, where they are no columns. ``beside``: no rows of their own, but a footer or a file's name;
    what the parts of the same file before it held is no news there. ``file``: a mark of the file it comes from.
    """

    place: str
    rows: pa.Table = field(repr=False)
    datasets: tuple[Dataset, ...] = ()
    copies: tuple[Dataset, ...] = ()
    keys: Mapping[str, pa.Array] = field(default_factory=dict, repr=False)
    beside: bool = False
    file: str = ""

    def texts(self, column: str) -> pa.Array | None:
        """A declared column as text; None where the rows have none of that name."""
        names = {name.lower(): name for name in self.rows.column_names}
        found = [names[name] for name in (column.lower(), column.lower() + NUMBER) if name in names]
        return pc.coalesce(*(as_text(self.rows.column(name)) for name in found)) if found else None

    def key(self, dataset: Dataset) -> pa.Array | None:
        if dataset.id in self.keys:
            return self.keys[dataset.id]
        texts = [self.texts(column) for column in dataset.key]
        return None if any(column is None for column in texts) else together(texts)


@dataclass(frozen=True)
class Unread:
    """A place that could not be read whole: nothing can be said of its store."""

    place: str
    why: str


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One text for one value, however two drivers bring it."""
    array = one(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz and "UTC"))
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        array = pa.array([raw and raw.decode("utf-8", "backslashreplace") for raw in array.to_pylist()], pa.string())
    texts = array.cast(pa.string())
    if pa.types.is_integer(array.type):
        return texts
    moments = pc.replace_substring_regex(texts, _MOMENT, r"\1 \2\3")
    return pc.replace_substring_regex(moments, _ZEROS, r"\1\2")


_MOMENT = r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.0*|(\.\d*[1-9])0*)?(?:Z|\+00(?::?00)?)?$"
_ZEROS = r"^(-?\d+)(?:\.0*|(\.\d*[1-9])0*)$"


def together(columns: Sequence[pa.Array]) -> pa.Array:
    """Key texts: the parts with a mark between them, NULL a part of its own."""
    filled = [pc.fill_null(column, "\0") for column in columns]
    return pc.binary_join_element_wise(*filled, "\x1f") if len(filled) > 1 else filled[0]


def key_texts(dataset: Dataset, rows: pa.Table) -> pa.Array:
    return together([as_text(rows.column(name)) for name in dataset.key])


class Frozen:
    """Keys of one dataset, of every case, each once; ``rows`` counts what was met.

    They are looked up by 64 bits of their marks: to build a hash table of 430,000 texts for every part took 0.1 s.
    """

    def __init__(self, dataset: Dataset, marks: Marks, tables: Mapping[int, pa.Table]) -> None:
        texts = [key_texts(dataset, rows) for rows in tables.values()]
        coded = pa.concat_arrays([*texts, pa.array([], pa.string())]).dictionary_encode()
        self.keys, places = coded.dictionary, coded.indices.to_numpy()
        ends = np.cumsum([len(told) for told in texts]).tolist()
        self.of = {case: np.unique(each) for case, each in zip(tables, np.split(places, ends), strict=False)}
        self.rows = np.zeros(len(self.keys), np.int64)
        self._marks, marked = marks, marks.cells(self.keys)[:, 0]
        self._order = np.argsort(marked)
        self._sorted = marked[self._order]

    def among(self, texts: pa.Array) -> npt.NDArray[np.int64]:
        """The place of each text among the keys, -1 for none."""
        if not len(self.keys):
            return np.full(len(texts), -1, np.int64)
        marked = self._marks.cells(texts)[:, 0]
        near = np.minimum(np.searchsorted(self._sorted, marked), len(self.keys) - 1)
        return np.where(self._sorted[near] == marked, self._order[near], -1)

    def met(self, texts: pa.Array) -> npt.NDArray[np.int64]:
        """As ``among``, and counted."""
        places = self.among(texts)
        self.rows += np.bincount(places[places >= 0], minlength=len(self.keys))
        return places

    def found(self, case: int) -> int:
        return int(np.count_nonzero(self.rows[self.of[case]])) if case in self.of else 0

    def sought(self, case: int) -> int:
        return len(self.of.get(case, ()))


class Emptied(Frozen):
    """Keys of records that are emptied, with what stood there; ``full``: of those an old value still stands there."""

    def __init__(self, dataset: Dataset, marks: Marks, tables: Mapping[int, pa.Table]) -> None:
        super().__init__(dataset, marks, tables)
        self.old: dict[int, dict[str, str | None]] = defaultdict(dict)
        for rows in tables.values():
            places = self.among(key_texts(dataset, rows)).tolist()
            for column in (name for name in rows.column_names if name not in dataset.key):
                for place, text in zip(places, as_text(rows.column(column)).to_pylist(), strict=True):
                    self.old[place][column.lower()] = text
        self.full = np.zeros(len(self.keys), np.bool_)

    def take(self, part: Part, key: pa.Array, emptied: dict[int, set[str]]) -> None:
        places = self.met(key)
        met = np.flatnonzero(places >= 0).tolist()
        columns = {name for row in met for name in self.old[int(places[row])]}
        now = {name: part.texts(name) for name in columns}
        for row in met:
            for name, old in self.old[int(places[row])].items():
                emptied[row].add(name)
                texts = now[name]
                if texts is None or (old is not None and texts[row].as_py() == old):
                    self.full[places[row]] = True

    def still_full(self, case: int) -> int:
        return int(np.count_nonzero(self.full[self.of[case]])) if case in self.of else 0


class Targets:
    """Of one dataset: what is to go, what is to be emptied and of which old values, what stays of each person."""

    def __init__(self, dataset: Dataset, marks: Marks, sought: Sequence[Sought]) -> None:
        def tables(name: str) -> dict[int, pa.Table]:
            held = {case: getattr(each, name).get(dataset.id) for case, each in enumerate(sought)}
            return {case: rows for case, rows in held.items() if rows is not None}

        self.gone, self.gone_before = (Frozen(dataset, marks, tables(name)) for name in ("gone", "gone_before"))
        self.emptied, self.emptied_before = (Emptied(dataset, marks, tables(name))
                                             for name in ("emptied", "emptied_before"))  # fmt: skip
        self.still = Frozen(dataset, marks, tables("still"))
        kept = tables("kept").items()
        self.kept = {(case, text) for case, rows in kept for text in key_texts(dataset, rows).to_pylist()}

    def __bool__(self) -> bool:
        return self.changes or bool(len(self.still.keys))

    @property
    def changes(self) -> bool:
        return any(len(group.keys) for group in (self.gone, self.emptied, self.gone_before, self.emptied_before))

    def back(self, case: int) -> int:
        """Records that an overtaken plan took or emptied, and that are as they were."""
        return self.gone_before.found(case) + self.emptied_before.still_full(case)


@dataclass
class Tally:
    """Of one place: A (all rows), B (planned to go) and C (all others) of limits.md §6, and the digest of C."""

    rows: int = 0
    gone: int = 0
    others: Others = field(default_factory=Others)
    datasets: set[str] = field(default_factory=set)

    def told(self) -> list[Any]:
        return [self.rows, self.gone, self.rows - self.gone, f"{self.others.digest:032x}"]


@dataclass
class _Fates:
    """What is planned for each row of a part."""

    gone: Mask
    copied: Mask
    emptied: dict[int, set[str]]
    keys: dict[str, pa.Array]


class Look:
    def __init__(
        self, datasets: Mapping[str, Dataset], marks: Marks, sought: Sequence[Sought], canary: Sequence[str],
        meant: Mapping[str, frozenset[str]], before: Mapping[str, Any] | None, also: Sequence[str] = (),
    ) -> None:
        """``before``: what the look before told, whose plants are to be found; None for that look itself."""
        self.marks, self.cases, self._meant, self._first = marks, sought, meant, before is None
        self.targets = {name: Targets(dataset, marks, sought) for name, dataset in datasets.items()}
        self.needles = Needles(sought, canary, also)
        self.places: dict[str, Tally] = {}
        self.hits: Counter[tuple[Where, int, str, str]] = Counter()
        self.unread: list[Unread] = []
        self.canary = {squeeze(text) for text in canary}
        self.plants: list[list[str]] = [list(plant) for plant in (before or {}).get("plants", ())]
        self.recognised: set[str] = set()
        self._since: set[Needle] = set()
        self.still: dict[str, list[str]] = defaultdict(list)
        self._notes = {name: [each.notes[name] for each in sought if name in each.notes] for name in datasets}
        self.noted: dict[str, set[str]] = defaultdict(set)

    def take(self, part: Part | Unread) -> None:
        if isinstance(part, Unread):
            self.unread.append(part)
            return
        fates = self._fates(part)
        if not part.beside:
            self._count(part, fates)
            self._look_for_notes(part)
        self._search(part, fates)
        if part.beside:
            self._since.clear()

    # -- what is planned ---------------------------------------------------------------------------------------

    def _fates(self, part: Part) -> _Fates:
        count = part.rows.num_rows
        fates = _Fates(np.zeros(count, np.bool_), np.zeros(count, np.bool_), defaultdict(set), {})
        for dataset in part.datasets:
            targets = self.targets[dataset.id]
            if (targets or targets.kept) and (key := part.key(dataset)) is not None:
                fates.keys[dataset.id] = key
                self._planned(part, targets, key, fates)
        for dataset in part.copies:
            key = part.key(dataset)
            if key is not None:
                targets = self.targets[dataset.id]
                fates.copied |= (targets.gone.among(key) >= 0) | (targets.gone_before.among(key) >= 0)
        return fates

    @staticmethod
    def _planned(part: Part, targets: Targets, key: pa.Array, fates: _Fates) -> None:
        for gone in (targets.gone, targets.gone_before):
            fates.gone |= gone.met(key) >= 0
        for emptied in (targets.emptied, targets.emptied_before):
            emptied.take(part, key, fates.emptied)

    # -- all others --------------------------------------------------------------------------------------------

    def _count(self, part: Part, fates: _Fates) -> None:
        tally = self.places.setdefault(part.place, Tally())
        tally.datasets |= {dataset.id for dataset in part.datasets}
        tally.rows += part.rows.num_rows
        tally.gone += int(fates.gone.sum())
        whole = ~fates.gone
        whole[list(fates.emptied)] = False
        marked = self.marks.rows(part.rows, part.rows.column_names)
        tally.others.take(part.file, marked[whole])
        for name, key in fates.keys.items():
            met = np.flatnonzero(self.targets[name].still.met(key) >= 0)
            self.still[name] += [f"{first:016x}{second:016x}" for first, second in marked[met].tolist()]
        if self._first and not whole.all():
            tally.others.plan(marked[~whole])
        for marked in self._left_of_emptied(part, fates):
            tally.others.take(part.file, marked)
        if not self.canary:
            self._plant(part, whole)

    def _look_for_notes(self, part: Part) -> None:
        """A note, or a new voucher, counts where a cell of its record names the old one."""
        here = {dataset.id: dataset for dataset in part.datasets}
        for name, told in self._notes.items():
            for where, wanted in told:
                key = part.key(here[where]) if where in here else None
                if key is None:
                    continue
                numbers = pc.replace_substring(key, "\x1f", "|")
                for row in np.flatnonzero(pc.is_in(numbers, pa.array(list(wanted))).to_numpy(False)).tolist():
                    number, cells = numbers[row].as_py(), part.rows.slice(row, 1).to_pylist()[0]
                    said = " ".join(str(cell) for column, cell in cells.items() if column not in here[where].key)
                    named = (rf"(?<![\w-]){re.escape(old)}(?![\w-])" for old in wanted[number].split("|"))
                    if all(re.search(old, said) for old in named):
                        self.noted[name].add(number)

    def vouchers(self, name: str, before: Sequence[str]) -> dict[str, int | None]:
        """How many stood, do not as they stood, and have no note that was seen; None: nobody said where notes are."""
        wanted = [number for _, told in self._notes[name] for number in told]
        changed = (Counter(before) - Counter(self.still[name])).total()
        missing = len(set(wanted) - self.noted[name]) if self._notes[name] else None
        return {"vouchers": len(before), "overwritten": changed, "not_noted": missing}

    def _left_of_emptied(self, part: Part, fates: _Fates) -> Iterator[Blocks]:
        """Of emptied rows the columns that are not emptied."""
        alike: dict[frozenset[str], list[int]] = defaultdict(list)
        for row, emptied in fates.emptied.items():
            if not fates.gone[row]:
                alike[frozenset(emptied)].append(row)
        for emptied_columns, rows in alike.items():
            left = [name for name in part.rows.column_names if name.split("#")[0].lower() not in emptied_columns]
            yield self.marks.rows(part.rows.take(rows), left)

    # -- planted values ----------------------------------------------------------------------------------------

    def _plant(self, part: Part, stays: Mask) -> None:
        """The first time, remember marks of cells that stay; later recognise them, and find them as all is found."""
        if not self._first:
            for place, name, mark in self.plants:
                if place == part.place and name in part.rows.column_names and mark not in self.recognised:
                    self._recognise(one(part.rows.column(name)), mark)
            return
        if part.place in {place for place, _, _ in self.plants}:
            return
        free = np.flatnonzero(stays)  # from all over, last first: neighbours in a table are often erased together
        tried = free[np.linspace(len(free) - 1, 0, min(_TRIED, len(free))).astype(int)].tolist()
        found = (plant for row in tried if (plant := self._plant_of(part, row)))
        self.plants += itertools.islice(found, _OF_A_PLACE)

    def _plant_of(self, part: Part, row: int) -> list[str] | None:
        for name in part.rows.column_names:
            cell = one(part.rows.column(name).slice(row, 1))
            if _found_again(cell, cell):
                first, second = self.marks.cells(cell)[0].tolist()
                return [part.place, name, f"{first:016x}{second:016x}"]
        return None

    def _recognise(self, column: pa.Array, mark: str) -> None:
        wanted = np.array([int(mark[:16], 16), int(mark[16:], 16)], np.uint64)
        for row in np.flatnonzero((self.marks.cells(column) == wanted).all(axis=1)).tolist()[:1]:
            if _found_again(column.slice(row, 1), column):
                self.recognised.add(mark)

    # -- every written form ------------------------------------------------------------------------------------

    def _search(self, part: Part, fates: _Fates) -> None:
        for name in part.rows.column_names:
            column = one(part.rows.column(name))
            number = name.endswith(NUMBER) or _is_number(column.type)
            base = name.split("#")[0]
            for rows, needle in self._standing(column, number):
                planned = fates.gone[rows]
                if planned.any():
                    self.hits["planned", needle.case, part.place, needle.kind] += int(planned.sum())
                for row in rows[~planned].tolist():
                    self._hit(part, fates, row, base, needle, number)
                if not part.beside:
                    self._since.add(needle)

    def _standing(self, column: pa.Array, number: bool) -> Iterator[tuple[npt.NDArray[np.int64], Needle]]:
        """A needle, and the rows in which it stands."""
        if number:
            yield from ((np.array([row]), needle) for row, needle in self.needles.numbers(column))
            return
        coded = _distinct(column)
        if coded is None:
            return
        found = list(self.needles.within(coded.dictionary))
        if not found:
            return
        places = coded.indices.fill_null(-1).to_numpy()
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        for value, needle in found:
            first, last = np.searchsorted(ordered, [value, value + 1])
            yield order[first:last], needle

    def _hit(self, part: Part, fates: _Fates, row: int, column: str, needle: Needle, number: bool) -> None:
        if needle.case == PLANT:
            self.recognised.add(needle.key)
            return
        where = self._where(part, fates, row, column, needle, number)
        if where is not None:
            self.hits[where, needle.case, part.place, needle.kind] += 1

    def _where(
        self, part: Part, fates: _Fates, row: int, column: str, needle: Needle, number: bool
    ) -> Where | None:
        if part.beside:
            return None if needle in self._since else "elsewhere" if tells(needle, column, number, {}) else "bystander"
        if column.lower() in fates.emptied.get(row, ()):
            return "planned"
        if self._is_kept(fates, row, needle.case):
            return "held"
        if row in fates.emptied:
            return "planned"
        lasting = needle.kind in self.cases[needle.case].lasting or bool(fates.copied[row])
        return "elsewhere" if lasting and tells(needle, column, number, self._meant) else "bystander"

    def _is_kept(self, fates: _Fates, row: int, case: int) -> bool:
        return any((case, key[row].as_py()) in self.targets[name].kept for name, key in fates.keys.items())

    # -- told --------------------------------------------------------------------------------------------------

    def planned(self) -> dict[str, str]:
        """By place, marks of the rows that are to go or to be emptied."""
        return {place: told for place, tally in sorted(self.places.items()) if (told := tally.others.planned())}

    def told(self) -> dict[str, Any]:
        """Places, counts and keyed digests: JSON without a value in clear."""
        hits = [[where, self.cases[case].case_no, place, kind, count]
                for (where, case, place, kind), count in sorted(self.hits.items())]  # fmt: skip
        return {
            "places": {place: tally.told() for place, tally in sorted(self.places.items())},
            "others": {place: tally.others.told() for place, tally in sorted(self.places.items())},
            "still": {name: sorted(marks) for name, marks in self.still.items() if marks},
            "hits": hits, "unplanned": self.unplanned(), "plants": self._chosen(),
        }

    def unplanned(self) -> dict[str, int]:
        """By place, what stands where nobody planned anything."""
        places: Counter[str] = Counter()
        for (where, _, place, _), count in self.hits.items():
            if where == "elsewhere":
                places[place] += count
        return dict(sorted(places.items()))

    def _chosen(self) -> list[list[str]]:
        """A few, where something is sought; elsewhere only if nothing stays there."""
        wanted = {name for name, targets in self.targets.items() if targets}
        near = [plant for plant in self.plants if self.places[plant[0]].datasets & wanted]
        return (near or self.plants)[:PLANTS]

    def sought_in(self) -> set[str]:
        """Places whose records something was planned for."""
        wanted = {name for name, targets in self.targets.items() if targets}
        return {place for place, tally in self.places.items() if tally.datasets & wanted}

    def planted(self) -> tuple[int, int]:
        """How many values must be found, and how many were.

        Of chance rows one is enough: the others may have been somebody's to erase meanwhile.
        """
        wanted = len(self.canary) or min(1, len(self.plants))
        return wanted, len(self.recognised)


def _found_again(cell: pa.Array, column: pa.Array) -> bool:
    """Whether the search for all forms finds this cell's text in its column."""
    text = as_text(cell)[0].as_py() if _is_text(cell.type) else None
    coded = _distinct(column)
    if text is None or coded is None or len(text.strip()) < PLANT_LENGTH:
        return False
    return any(Needles([], [text]).within(coded.dictionary))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def _is_number(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))


def _distinct(column: pa.Array) -> pa.DictionaryArray | None:
    """A column's values as texts or bytes; None for kinds in which no identifier is written."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column if _is_text(kind) else _distinct(column.dictionary_decode())
    if pa.types.is_nested(kind) or pa.types.is_date(kind):
        column = pa.array([value if value is None else str(value) for value in column.to_pylist()], pa.string())
    elif pa.types.is_temporal(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return None
    elif not _is_text(kind):
        column = column.cast(pa.binary() if pa.types.is_fixed_size_binary(kind) else pa.string())
    return column.dictionary_encode()
