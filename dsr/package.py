"""The machine-readable half of a package: CSV, JSON and manifest, in one pass and bounded memory (public_face.md)."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv

from dsr.inventory import Dataset, FieldRule
from dsr.rules.redaction import MASKING, RECORD_NO

SCHEMA_VERSION = 1
RECORD_NO_LABEL, MASKING_LABEL = "記録番号", "マスキング"
_LINES = 8_192
_FORMULA = r"(?s)^[=+\-@＝＋－＠\t\r\n].+"
_NUMBER = r"^[+-]?[0-9][0-9,]*(\.[0-9]+)?$"


class Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


@dataclass
class Digested:
    """Counts and digests what passes through to ``sink``."""

    sink: Sink
    size: int = 0

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        data = bytes(data)
        self._digest.update(data)
        self.size += len(data)
        self.sink.write(data)
        return len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    # what pyarrow asks of a file
    closed = False
    mode = "wb"

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def headers(dataset: Dataset) -> list[str]:
    """Japanese labels; a source label that is taken already gets a suffix."""
    taken, labels = {RECORD_NO_LABEL, MASKING_LABEL}, []
    for rule in dataset.fields.values():
        label, number = rule.label, 2
        while label in taken:
            label, number = f"{rule.label}({number})", number + 1
        taken.add(label)
        labels.append(label)
    return [RECORD_NO_LABEL, *labels, MASKING_LABEL]


def write_csv(dataset: Dataset, batches: Iterable[pa.RecordBatch], out: Sink) -> None:
    """UTF-8 with BOM; a cell that a spreadsheet would run as a formula is quoted as text with an apostrophe."""
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(headers(dataset))
    out.write("\ufeff".encode() + line.getvalue().encode())
    options = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")
    for batch in batches:
        safe = pa.table([_harmless(column) for column in batch.columns], names=batch.schema.names)
        buffer = pa.BufferOutputStream()
        pa_csv.write_csv(safe, buffer, options)
        out.write(buffer.getvalue().to_pybytes())


def _harmless(column: pa.Array) -> pa.Array:
    runs = pc.and_(pc.match_substring_regex(column, _FORMULA), pc.invert(pc.match_substring_regex(column, _NUMBER)))
    if not pc.any(pc.fill_null(runs, False)).as_py():
        return column
    return pc.if_else(runs, pc.binary_join_element_wise("'", column, ""), column)


def write_json(
    dataset: Dataset, label: str, types: Mapping[str, str], batches: Iterable[pa.RecordBatch], out: Sink
) -> None:
    """The same rows: ``_record_no``, the fields by their keys, ``_masking`` as a list; ``types`` says what they are,
    ``zone`` where a datetime without an offset is meant."""
    columns = {name: rule.label for name, rule in dataset.fields.items()}
    numbers = frozenset(name for name, kind in types.items() if kind == "integer")
    head = {"schema_version": SCHEMA_VERSION, "dataset": dataset.id, "label": label, "columns": columns, "types": types,
            "zone": "Asia/Tokyo"}  # fmt: skip
    out.write(orjson.dumps(head)[:-1] + b',"rows":[')
    separator = b"\n"
    for batch in batches:
        for start in range(0, batch.num_rows, _LINES):
            out.write(separator + _json_lines(batch.slice(start, _LINES), numbers))
            separator = b",\n"
    out.write(b"\n]}\n")


def json_type(rule: FieldRule) -> str:
    """What a value is meant to be where it is not masked."""
    return TYPES.get(rule.kind.split(".")[0], "date" if rule.kind == "user.born_on" else "text")


TYPES = {"amount": "integer", "duration": "integer", "count": "integer", "number": "integer", "day": "date",
         "instant": "datetime"}  # fmt: skip
_INTEGER = r"^-?(0|[1-9][0-9]{0,14})$"  # what every reader of JSON keeps exact
_DATE, _TIME = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"
_WRITTEN = {"integer": _INTEGER, "date": rf"^{_DATE}$", "datetime": rf"^{_DATE}[T ]{_TIME}$"}


def types_of(dataset: Dataset, batches: Iterable[pa.RecordBatch]) -> dict[str, str]:
    """Of each field what it is meant to be, and text where a value neither masked nor empty is not (S59.5.17)."""
    types = {name: json_type(rule) for name, rule in dataset.fields.items()}
    for batch in batches:
        for name, kind in types.items():
            if kind != "text" and not _all_are(kind, batch.column(name), batch.column(MASKING), name):
                types[name] = "text"
    return types


def _all_are(kind: str, column: pa.Array, masking: pa.Array, name: str) -> bool:
    fits = pc.or_(pc.equal(column, ""), pc.match_substring_regex(column, _WRITTEN[kind]))
    masked = pc.match_substring_regex(masking, f"(^|;){re.escape(name)}:")
    return bool(pc.all(pc.or_(fits, masked), min_count=0).as_py())


def _json_lines(rows: pa.RecordBatch, numbers: frozenset[str]) -> bytes:
    """An object a line, joined column by column: a row made a dict first took five times as long and 350 MB."""
    parts: list[Any] = []
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        lead = f"{',' if parts else '{'}{orjson.dumps(name).decode()}:"
        text = _escaped(column)
        if name == MASKING:
            listed = pc.binary_join_element_wise('"', pc.replace_substring(text, ";", '","'), '"', "")
            text = pc.if_else(pc.equal(text, ""), "", listed)
            parts += [f"{lead}[", text, "]"]
        elif name in numbers:
            quoted = pc.binary_join_element_wise('"', text, '"', "")
            empty = pc.if_else(pc.equal(text, ""), "null", quoted)
            parts += [lead, pc.if_else(pc.match_substring_regex(text, _INTEGER), text, empty)]
        else:
            parts += [f'{lead}"', text, '"']
    lines = pc.binary_join_element_wise(*parts, "}", "")
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), ",\n")
    return bytes(whole[0].as_buffer().to_pybytes())


def _escaped(column: pa.Array) -> pa.Array:
    """Text as it stands between the quotes of JSON."""
    if not pc.any(pc.match_substring_regex(column, r'["\\\x00-\x1f]')).as_py():
        return column
    return pa.array([orjson.dumps(text)[1:-1].decode() for text in column.to_pylist()], pa.string())


def manifest(
    case_no: str,
    law_version: str,
    generator: str,
    files: Sequence[Mapping[str, Any]],
    datasets: Sequence[Mapping[str, Any]],
    redactions: Mapping[str, int],
    head: str,
) -> bytes:
    """No values: names, digests, outward statuses and counts."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "case": case_no,
        "law_version": law_version,
        "generator": generator,
        "files": list(files),
        "datasets": list(datasets),
        "redactions": dict(sorted(redactions.items())),
        "tree_head": head,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def read_batches(source: BinaryIO) -> Iterator[pa.RecordBatch]:
    with pa.ipc.open_stream(source) as stream:
        yield from stream


__all__ = [
    "MASKING", "RECORD_NO", "Digested", "headers", "json_type", "manifest", "read_batches", "types_of", "write_csv",
    "write_json",
]
