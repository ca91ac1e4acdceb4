"""How long statute and claims keep each record of a dataset, and which of its fields (law.md §9; PX-5, PX-7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dsr.inventory import Company, Dataset, Inventory, Keep
from dsr.rules.living import LAST_YEAR, NO_DAY, Days, Living, Mask, days_of, mask_of
from dsr.rules.redaction import holds
from dsr.rules.retention import last_kept

Places = npt.NDArray[np.int64]
CLAIM = "CIV166"
FOREVER = date(9999, 12, 31)
"""Kept, and nobody can say until when: the record bears no day that the rule could start from."""


@dataclass(frozen=True)
class Covered:
    """Records under the same rules; ``rule`` is the one that keeps them longest, to ``until`` (None: nobody can say).

    ``fields``: those that no rule covers and that go at once; empty where the record is kept whole.
    """

    mask: Mask = field(repr=False)
    rule: str
    until: date | None
    fields: tuple[str, ...]
    claim: bool


def covered(dataset: Dataset, table: pa.Table, company: Company, today: date, claims: Days) -> Iterator[Covered]:
    """``claims``: until when an open claim keeps each record, NaT where none does. What nothing keeps is in no group.

    Where rules agree in the day, the first declared one is named.
    """
    names: list[str] = []
    rule, bits = np.zeros(table.num_rows, np.int64), np.zeros(table.num_rows, np.int64)
    until = np.full(table.num_rows, NO_DAY)
    for at, keep in enumerate(dataset.keep):
        for name, last in _last_days(keep, table, company, claims):
            names += [name] if name not in names else []
            covers = last >= np.datetime64(today)
            longer = covers & (np.isnat(until) | (last > until))
            until[longer], rule[longer] = last[longer], names.index(name)
            bits[covers] |= 1 << at
    for mask, day, one, of in _same(until, rule, bits):
        keeps = [keep for at, keep in enumerate(dataset.keep) if of >> at & 1]
        claim = any(keep.rule == CLAIM for keep in keeps)
        yield Covered(mask, names[one], None if day == FOREVER else day, _uncovered(dataset, keeps), claim)


def _same(
    until: Days, rule: npt.NDArray[np.int64], bits: npt.NDArray[np.int64]
) -> Iterator[tuple[Mask, date, int, int]]:
    """Groups of equal day, rule and bits, in the order of these; records without a bit are in none."""
    kept = np.flatnonzero(bits)
    found, first, group = np.unique(
        np.stack([until.astype(np.int64), rule, bits])[:, kept], axis=1, return_index=True, return_inverse=True
    )
    for at, place in enumerate(kept[first]):
        mask = np.zeros(len(bits), np.bool_)
        mask[kept[group.reshape(-1) == at]] = True
        yield mask, date.fromisoformat(str(until[place])), int(found[1, at]), int(found[2, at])


def _last_days(keep: Keep, table: pa.Table, company: Company, claims: Days) -> Iterator[tuple[str, Days]]:
    """Last kept day per record under each rule that ``keep`` comes to (a loss year has its own); NaT where not kept."""
    concerned = mask_of(holds(keep.when, table)) if keep.when else np.ones(table.num_rows, np.bool_)
    if keep.rule == CLAIM:
        yield CLAIM, np.where(concerned, claims, NO_DAY)
        return
    days, places = np.unique(days_of(table.column(keep.start), keep.form, keep.tz), return_inverse=True)
    kept = [_last_kept(keep.rule, day, company) for day in days.tolist()]
    for name in dict.fromkeys(one[0] for one in kept if one):
        last = np.array([one[1] if one and one[0] == name else None for one in kept], "datetime64[D]")
        yield name, np.where(concerned, last[places], NO_DAY)


def _last_kept(
    rule: str, day: date | None, company: Company, contracted: date | None = None
) -> tuple[str, date] | None:
    """Without a day to start from a rule that would keep keeps on: nobody can say that it has ended."""
    kept = last_kept(rule, day or date(LAST_YEAR, 1, 1), company, contracted)
    return (kept.rule, kept.until if day else FOREVER) if kept else None


def claims_end(inventory: Inventory, rows: Mapping[str, pa.Table], alive: Living) -> np.datetime64:
    """When the last of the person's open claims is barred: all that belongs to a claim waits for it."""
    ends = []
    for dataset in (d for d in inventory.datasets() if d.id in alive.open and alive.open[d.id].any()):
        table = rows[dataset.id].filter(pa.array(alive.open[dataset.id]))
        for keep in (keep for keep in dataset.keep if keep.rule == CLAIM):
            due, signed = (_days(table, column, keep) for column in (keep.start, keep.contracted))
            pairs = set(zip(due.tolist(), signed.tolist(), strict=True))
            ends += [kept[1] for pair in pairs if (kept := _last_kept(CLAIM, pair[0], inventory.company, pair[1]))]
    return np.datetime64(max(ends, default=FOREVER))


def _days(table: pa.Table, column: str | None, keep: Keep) -> Days:
    return days_of(table.column(column), keep.form, keep.tz) if column else np.full(table.num_rows, NO_DAY)


def _uncovered(dataset: Dataset, keeps: Sequence[Keep]) -> tuple[str, ...]:
    """Fields that none of these rules covers; a voucher is never changed, so it is kept whole (EBOOK).

    Where two rules keep different fields, all of them stay until the last rule ends.
    """
    if dataset.voucher or not all(keep.fields for keep in keeps):
        return ()
    kept = {name for keep in keeps for name in keep.fields} | set(dataset.key)
    return tuple(name for name in dataset.fields if name not in kept)
