"""Every copy of a wrong value: which records a correction changes, which are only annotated or issued anew (APPI 34).

A voucher or book is never changed in silence (EBOOK): its record gets a dated note, or a new one names the old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from dsr.inventory import Dataset, Inventory
from dsr.names.addresses import compare, read_address
from dsr.names.birthdays import birthday
from dsr.names.kana import kana_key
from dsr.names.letters import same_name, spelled
from dsr.names.numbers import e164, mail_key
from dsr.request import Correction
from dsr.rules.sorting import PART, Part, Planned

SAME: Mapping[str, Callable[[str, str], bool]] = {
    "name": same_name,
    "kana": lambda one, other: kana_key(one) == kana_key(other),
    "phone": lambda one, other: e164(one) is not None and e164(one) == e164(other),
    "mail": lambda one, other: mail_key(one) is not None and mail_key(one) == mail_key(other),
    "address": lambda one, other: compare(read_address(one), read_address(other)) == "same",
    "born_on": lambda one, other: birthday(one) is not None and birthday(one) == birthday(other),
}
"""Last segment of a field's kind → whether two spellings are one value; anything else is compared as text."""


def same_value(kind: str, one: str, other: str) -> bool:
    agree = SAME.get(kind.rpartition(".")[2])
    return agree(one, other) if agree else spelled(one).strip() == spelled(other).strip()


def plan(
    inventory: Inventory, correction: Correction, true_value: str, rows: Mapping[str, pa.Table]
) -> dict[str, Planned]:
    """``rows``: dataset id → the person's rows, all declared fields. Datasets without a wrong copy are left out."""
    made = {}
    for dataset_id, table in rows.items():
        dataset = inventory.dataset(dataset_id)
        if planned := _of(dataset, correction, true_value, table):
            made[dataset_id] = planned
    return made


def fields_of(dataset: Dataset, correction: Correction) -> list[str]:
    """Declared fields that hold such a value; key columns are no values to correct."""
    if correction.dataset not in (None, dataset.id):
        return []
    return [name for name, rule in dataset.fields.items() if rule.kind == correction.field and name not in dataset.key]


def _of(dataset: Dataset, correction: Correction, true_value: str, rows: pa.Table) -> Planned | None:
    names = fields_of(dataset, correction)
    columns = {name: rows.column(name).to_pylist() for name in names}
    wrong = {name: [_same(correction, value) for value in values] for name, values in columns.items()}
    hit = [any(wrong[name][at] for name in names) for at in range(rows.num_rows)]
    if not any(hit):
        return None
    found = rows.filter(pa.array(hit, pa.bool_()))
    measure = "annotate" if dataset.voucher else "correct"
    part = Part(measure, found.num_rows, "EBOOK" if dataset.voucher else None, None, None, (), tuple(names))
    keys = found.select(list(dataset.key)).append_column(PART, pa.array([0] * found.num_rows, pa.int32()))
    put = {
        name: [true_value if wrong[name][at] else columns[name][at] for at in range(rows.num_rows) if hit[at]]
        for name in names
    }
    values = None if dataset.voucher else pa.table({n: pa.array(v, rows.schema.field(n).type) for n, v in put.items()})
    outcome = "alternative_measure" if dataset.voucher else "corrected"
    return Planned(dataset.id, outcome, (part,), keys, values)


def _same(correction: Correction, value: object) -> bool:
    return value is not None and same_value(correction.field, str(value), correction.wrong)
