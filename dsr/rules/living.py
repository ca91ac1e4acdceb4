"""Which of a person's records a live contract still needs, and which an open claim (estate.md §5, PX-4 and PX-5).

What lives spreads along the numbers that living records give: a contract that has not ended, its lines, their calls.
Only the person's own records are looked at. A source that could not be read may hold a live contract: what hangs on
it lives, and a bill whose payments could not be read is unpaid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dsr.days import Form, day_of, instants, read_instant
from dsr.inventory import Dataset, Inventory
from dsr.rules.redaction import flat, holds, record_nos

Mask = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]
NO_DAY = np.datetime64("NaT", "D")
LAST_YEAR = 9900
"""A later year is one of the ways in which systems write that there is no end."""


@dataclass(frozen=True)
class Living:
    """By dataset id, a value per row. ``needed``: by a live contract; ``claimed``: by an open claim, among them those
    that are the claim itself (``open``)."""

    needed: Mapping[str, Mask] = field(default_factory=dict)
    claimed: Mapping[str, Mask] = field(default_factory=dict)
    open: Mapping[str, Mask] = field(default_factory=dict)


def living(
    inventory: Inventory, rows: Mapping[str, pa.Table], statuses: Mapping[str, Mapping[str, Any]], today: date
) -> Living:
    """``rows``: the person's records as fetched; ``statuses``: how each dataset's search ended."""
    datasets = [dataset for dataset in inventory.datasets() if dataset.id in rows]
    numbers = {(d.id, column): _numbers(rows[d.id], column) for d in datasets for column in _number_columns(d)}

    def known(dataset_id: str) -> bool:
        return dataset_id in rows or statuses.get(dataset_id, {}).get("status") == "none_found"

    contracts = {d.id: _of_contracts(d, rows[d.id], today) for d in datasets}
    for dataset in datasets:
        if not all(map(known, _sources(inventory, dataset))):
            contracts[dataset.id] = np.ones(rows[dataset.id].num_rows, np.bool_)
    claims = {d.id: _open(d, rows, known) for d in datasets}
    needed = _spread(datasets, contracts, numbers)
    late = {d.id: needed[d.id] & _recent(d, rows[d.id], today) for d in datasets}
    return Living(late, _spread(datasets, claims, numbers), claims)


def context(inventory: Inventory, wanted: frozenset[str]) -> frozenset[str]:
    """The datasets, in scope or not, whose records tell what of ``wanted`` lives: to be fetched with them."""
    known: set[str] = set()
    waiting = set(wanted)
    while waiting:
        known |= waiting
        asked = [inventory.dataset(name) for name in waiting]
        bills = {d.alive.unless_in[0] for d in asked if d.alive and d.alive.unless_in}
        waiting = bills.union(*(_sources(inventory, d) for d in asked)) - known
    return frozenset(known)


def _number_columns(dataset: Dataset) -> frozenset[str]:
    return frozenset([*dataset.alive.by, *dataset.alive.gives]) if dataset.alive else frozenset()


def _numbers(table: pa.Table, column: str) -> pa.Array:
    return record_nos(table, (column,))


def _sources(inventory: Inventory, dataset: Dataset) -> Iterator[str]:
    """Datasets whose records can make this one's live; one that only hands a number back is none."""
    for kind in set(dataset.alive.by.values()) if dataset.alive else ():
        for other in inventory.datasets():
            alive = other.alive
            if alive and kind in alive.gives.values() and kind not in alive.by.values():
                yield other.id


def _of_contracts(dataset: Dataset, table: pa.Table, today: date) -> Mask:
    """What lives by itself: its condition holds, its last day is not over; all of it where nobody declared how."""
    alive, none = dataset.alive, np.zeros(table.num_rows, np.bool_)
    if alive is None:
        return ~none
    by_word = mask_of(holds(alive.when, table)) if alive.when else none
    if alive.until is None:
        return by_word
    last = days_of(table.column(alive.until), alive.form, alive.tz)
    return by_word | np.isnat(last) | (last >= np.datetime64(today))


def _recent(dataset: Dataset, table: pa.Table, today: date) -> Mask:
    """Happened no more than ``alive.days`` ago, or nobody knows when."""
    if dataset.at is None or dataset.alive is None or dataset.alive.days is None:
        return np.ones(table.num_rows, np.bool_)
    day = days_of(table.column(dataset.at.column), dataset.at.form, dataset.at.tz)
    return np.isnat(day) | (day >= np.datetime64(today) - np.timedelta64(dataset.alive.days, "D"))


def _open(dataset: Dataset, rows: Mapping[str, pa.Table], known: Callable[[str], bool]) -> Mask:
    table = rows[dataset.id]
    if dataset.alive is None or dataset.alive.unless_in is None:
        return np.zeros(table.num_rows, np.bool_)
    settled, column = dataset.alive.unless_in
    if not known(settled) or settled not in rows:
        return np.ones(table.num_rows, np.bool_)
    return ~mask_of(pc.is_in(_numbers(table, dataset.key[0]), _numbers(rows[settled], column)))


def _spread(
    datasets: Sequence[Dataset], seeds: Mapping[str, Mask], numbers: Mapping[tuple[str, str], pa.Array]
) -> dict[str, Mask]:
    """The seeds and all that they reach, number by number, until nothing new lives."""
    found = {name: mask.copy() for name, mask in seeds.items()}
    given: dict[str, set[str]] = {}
    grown = True
    while grown:
        grown = False
        for dataset in datasets:
            if dataset.alive is None:
                continue
            mask = found[dataset.id]
            for column, kind in dataset.alive.by.items():
                if given.get(kind):
                    mask |= mask_of(pc.is_in(numbers[dataset.id, column], pa.array(sorted(given[kind]), pa.string())))
            for column, kind in dataset.alive.gives.items():
                told = set(pc.unique(numbers[dataset.id, column].filter(pa.array(mask))).to_pylist()) - {NULL}
                grown |= bool(told - given.get(kind, set()))
                given.setdefault(kind, set()).update(told)
    return found


NULL = "\\N"
"""How ``record_nos`` writes a number that is not there: it leads nowhere."""


def mask_of(column: pa.Array | pa.ChunkedArray) -> Mask:
    """A boolean column; NULL is False."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), np.bool_)


def days_of(column: pa.ChunkedArray | pa.Array, form: Form, zone: ZoneInfo) -> Days:
    """A stored column as days in ``zone``; NaT for NULL, for what is no day (99999999) and for days without end."""
    array = flat(column)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        local = pc.local_timestamp(pc.cast(instants(array, form, zone), pa.timestamp("us", str(zone))))
        days: Days = np.asarray(local.to_numpy(zero_copy_only=False)).astype("datetime64[D]")
        days[days > np.datetime64(f"{LAST_YEAR}-12-31")] = NO_DAY
        return days
    coded = array.dictionary_encode()
    words = [_day(value, form, zone) for value in coded.dictionary.to_pylist()]
    places = coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    found: Days = np.array([*words, None], "datetime64[D]")[places]
    return found


def _day(value: Any, form: Form, zone: ZoneInfo) -> date | None:
    try:
        read = read_instant(value, form, zone)
        day = day_of(read, zone) if read else None
    except (ValueError, OverflowError):
        return None
    return day if day and day.year <= LAST_YEAR else None
