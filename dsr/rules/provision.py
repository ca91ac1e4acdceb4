"""Statutory records of provision to third parties: which rows are such records, and what each says (law.md §10).

Another row (police, court, trustee, joint use) is none of them, and a cell that such a record need not hold is not
theirs to say: neither is brought into a case at all (R-7). Of a record under Order 11 only that it is there is brought.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dsr import law
from dsr.inventory import Dataset, Provision
from dsr.rules.redaction import RECORD_NO, flat, holds


def due(dataset: Dataset, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows that are records, each with nothing but its own items; of a register, else as they came."""
    told = dataset.provision
    if told is None:
        return rows
    kinds = pa.array([told.kind(value) for value in flat(rows.column(told.column)).to_pylist()], pa.string())
    kept = pc.is_valid(kinds)
    for rule in dataset.withhold_when:
        kept = pc.or_(kept, holds(rule.when, rows))
    blank = {name: pc.invert(pc.is_in(kinds, pa.array(allowed))) for name, allowed in _said_by(told).items()}
    columns = [pc.if_else(blank[name], pa.scalar(None, column.type), column) if name in blank else column
               for name, column in zip(rows.schema.names, map(flat, rows.columns), strict=True)]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema).filter(kept)


def _said_by(told: Provision) -> dict[str, list[str]]:
    """Column → kinds of record that say it."""
    return {name: [kind for kind in law.RECORDS if item in law.record(kind).items]
            for item, names in told.items.items() for name in names}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """One record as it is printed: ``items`` are (column, shown text), in the order of the law's row."""

    record_no: str
    kind: law.Record
    items: tuple[tuple[str, str], ...] = field(repr=False)


def said(dataset: Dataset, row: Mapping[str, str]) -> Said:
    """A drafted row of a register."""
    told = dataset.provision
    assert told is not None
    shown = {dataset.fields[told.column].codes.get(value, value): value for value in told.kinds}
    kind = law.record(told.kinds[shown[row[told.column]]])
    columns = (name for item in kind.items for of, names in told.items.items() if of == item for name in names)
    return Said(row[RECORD_NO], kind, tuple((name, row[name]) for name in columns if row[name]))
