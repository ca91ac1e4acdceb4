"""Every copy of a wrong value: which records a correction changes, which are only annotated or issued anew (APPI 34).

A voucher or book is never changed in silence (EBOOK): its record gets a dated note, or a new one names the old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from dsr.errors import BadInput
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
"""Last segment of a field's kind → whether two spellings are one value, beside the same text."""


def same_value(kind: str, one: str, other: str) -> bool:
    """An address too coarse to be told from others is still the one that the person copied from our paper."""
    agree, text = SAME.get(kind.rpartition(".")[2]), spelled(one).strip()
    if agree and (not text or agree(one, other)):
        return bool(text)
    return text == spelled(other).strip()


def plan(
    inventory: Inventory, correction: Correction, true_value: str, rows: Mapping[str, pa.Table]
) -> dict[str, Planned]:
    """``rows``: dataset id → the person's rows, all declared fields. Datasets without a wrong copy are left out.

    Of the fields only those with a wrong copy are set. Raises BadInput where a column cannot hold the true value.
    """
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
    marked = {name: _wrong(correction, rows.column(name)) for name in fields_of(dataset, correction)}
    wrong = {name: pa.array(marks, pa.bool_()) for name, marks in marked.items() if any(marks)}
    if not wrong:
        return None
    hit = reduce(pc.or_, wrong.values())
    found = rows.filter(hit)
    keys = found.select(list(dataset.key)).append_column(PART, pa.array([0] * found.num_rows, pa.int32()))
    if dataset.voucher:  # the values are what the note says, never what is written into the record
        part = Part("annotate", found.num_rows, "EBOOK", fields=tuple(wrong))
        texts = {name: rows.column(name).cast(pa.string()) for name in wrong}
        noted = {name: pc.if_else(mask, true_value, texts[name]) for name, mask in wrong.items()}
        return Planned(dataset.id, "alternative_measure", (part,), keys, pa.table(noted).filter(hit))
    values = {
        name: _mended(rows.column(name), mask, true_value, f"{dataset.id}.{name}") for name, mask in wrong.items()
    }
    part = Part("correct", found.num_rows, fields=tuple(wrong))
    return Planned(dataset.id, "corrected", (part,), keys, pa.table(values).filter(hit))


def _mended(column: pa.ChunkedArray, wrong: pa.Array, true_value: str, place: str) -> pa.ChunkedArray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    try:
        return pc.if_else(wrong, pa.scalar(true_value).cast(kind), column.cast(kind))
    except pa.ArrowException:  # its words quote the value
        fix = "give the value as the store writes it, in investigated.value"
    raise BadInput("correction.right", f"{place} holds {kind} and cannot hold it", fix)


def _wrong(correction: Correction, column: pa.ChunkedArray) -> list[bool]:
    return [_same(correction, value) for value in column.to_pylist()]


def _same(correction: Correction, value: object) -> bool:
    return value is not None and same_value(correction.field, str(value), correction.wrong)
