"""The records of one dataset sorted into parts of one fate each, and the new values of those that stay changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsr.errors import CheckFailed
from dsr.inventory import Dataset
from dsr.rules.living import Mask, mask_of
from dsr.rules.redaction import flat, record_nos

PART = "_part"
"""Column of ``Planned.keys``; a key of the store's own may well be called part."""
SEVERITY = ("kept_until", "stop_declined", "alternative_measure", "deidentified", "use_stopped",
            "provision_stopped", "erased")  # fmt: skip
"""Outcomes of law.md §6, the worst first."""


@dataclass(frozen=True)
class Part:
    """One group of records of a dataset with one fate.

    ``measure``: erase · deidentify · use_stop · provision_stop · provision_order (the same, where only the owner can) ·
    keep · refuse. ``rule``: what keeps the records, or what deidentify and
    use_stop leave of them, to ``until``, the last kept day (inclusive; None: nobody can say). ``ground``: of a refusal,
    or of a claim for which they are kept; ``purposes``: live ones behind it. ``fields``: those that deidentify empties.
    A ``keep`` with neither rule nor ground: nothing is left to change. ``shared``: not the person's alone, so it stays
    and only their own words go.
    """

    measure: str
    records: int = 0
    rule: str | None = None
    until: date | None = None
    ground: str | None = None
    purposes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    shared: bool = False


@dataclass(frozen=True)
class Planned:
    """``keys``: the key columns, then ``PART`` (int32, index into ``parts``), a row per record in the order given.

    ``outcome``: of law.md §6, the worst of the parts. ``values``: for the records of parts of ``CHANGES``,
    in the order of ``keys``, the columns to set (NULL empties); a column not to be set in a row holds its value.
    """

    dataset: str
    outcome: str
    parts: tuple[Part, ...]
    keys: pa.Table = field(repr=False)
    values: pa.Table | None = field(default=None, repr=False)


CHANGES = frozenset({"deidentify", "use_stop", "provision_stop"})
"""Measures that set columns of records that stay."""
DONE = {"erase": "erased", "deidentify": "deidentified", "use_stop": "use_stopped",
        "provision_stop": "provision_stopped", "provision_order": "provision_stopped"}  # fmt: skip
Changes = Mapping[str, Any]
"""Column → a constant, or a column as long as the table."""


class Sorting:
    """The records of one dataset, taken into parts by one step after the other; a record taken stays taken."""

    def __init__(self, dataset: Dataset, table: pa.Table) -> None:
        self.dataset, self.table = dataset, table
        self.part = np.full(table.num_rows, -1, np.int32)
        self.parts: list[Part] = []
        self.columns: dict[str, pa.Array] = {}

    @property
    def left(self) -> Mask:
        return self.part < 0

    def none(self) -> Mask:
        return np.zeros(self.table.num_rows, np.bool_)

    def numbered(self, names: frozenset[str]) -> Mask:
        """Records of these numbers; nobody's number is built where none is asked for."""
        if not names:
            return self.none()
        return mask_of(pc.is_in(record_nos(self.table, self.dataset.key), pa.array(sorted(names), pa.string())))

    def spread(self, name: str, mask: Mask, values: pa.Array) -> pa.Array:
        """The whole column, with ``values`` in the records of ``mask``."""
        column = _plain(self.table.column(name))
        return pc.replace_with_mask(column, pa.array(mask), values.cast(column.type))

    def take(self, mask: Mask, part: Part, changes: Changes) -> None:
        """Records of ``mask`` that no earlier step took. Where all ``changes`` are made already, they only stay."""
        mask = mask & self.left
        moved = self._set(mask, changes) if changes else mask
        stays = replace(part, measure="keep", fields=())
        for hit, told in ((mask & moved, part), (mask & ~moved, stays)):
            if hit.any():
                self.part[hit] = len(self.parts)
                self.parts.append(replace(told, records=int(hit.sum())))

    def _set(self, mask: Mask, changes: Changes) -> Mask:
        """Write the changes into the columns; which records hold something else than before."""
        moved = self.none()
        for name, value in changes.items():
            before = self.columns.get(name, _plain(self.table.column(name)))
            new = self._new(name, before, value)
            before = before.cast(new.type) if pa.types.is_null(before.type) else before
            moved |= mask & ~mask_of(_same(before, new))
            self.columns[name] = pc.if_else(pa.array(mask), new, before)
        return moved

    def _new(self, name: str, before: pa.Array, value: Any) -> pa.Array:
        if isinstance(value, pa.Array):
            return value
        try:
            kind = before.type if value is None or not pa.types.is_null(before.type) else pa.scalar(value).type
            return pa.repeat(pa.scalar(value).cast(kind), len(before))
        except pa.ArrowException:  # its words quote the value
            problem = f"{self.dataset.id}.{name}: cannot hold what the inventory puts in its place; declare another"
        raise CheckFailed(problem)

    def planned(self) -> Planned:
        changing = np.array([part.measure in CHANGES for part in self.parts], np.bool_)
        rows = pa.array(changing[self.part] if len(self.parts) else self.none())
        values = pa.table(self.columns).filter(rows) if changing.any() else None
        keys = self.table.select(list(self.dataset.key)).append_column(PART, pa.array(self.part))
        outcomes = (_outcome(part, self.dataset) for part in self.parts)
        worst = min(outcomes, key=SEVERITY.index, default="erased")
        return Planned(self.dataset.id, worst, tuple(self.parts), keys, values)


def _plain(column: Any) -> pa.Array:
    column = flat(column)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _same(one: pa.Array, other: pa.Array) -> pa.Array:
    """Equal, or both empty."""
    if pa.types.is_null(one.type):
        return pc.is_null(other)
    return pc.or_(pc.fill_null(pc.equal(one, other), False), pc.and_(pc.is_null(one), pc.is_null(other)))


def _outcome(part: Part, dataset: Dataset) -> str:
    if part.ground:
        return "stop_declined"
    if part.rule:
        return "kept_until"
    whole = part.shared or not (dataset.use_stop or dataset.deidentify)
    stays = "alternative_measure" if whole else "use_stopped" if dataset.use_stop else "deidentified"
    return DONE.get(part.measure, stays)
