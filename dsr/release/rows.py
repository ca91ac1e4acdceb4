"""CSV and JSON of a dataset, row by row beside the stored rows: a masked cell holds its mark and nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json

from dsr.inventory import Dataset
from dsr.package import headers, json_type
from dsr.release.finding import Cell, Finding
from dsr.release.judging import Batch, Judged, wrong
from dsr.release.search import Place, Search
from dsr.rules.redaction import MASKING, RECORD_NO

_BLOCK = 1 << 20
"""Bytes; the reader holds up to 32 blocks ahead. No row may be longer."""
_APOSTROPHE = r"^'([=+\-@＝＋－＠\t\r\n])"
"""What keeps a spreadsheet from running a cell (``dsr.package``)."""
_ROWS, _END = b'"rows":[', b"]}\n"


class _Unlike(Exception):
    """The file is not what this dataset's file must be; says what, never a value."""


@dataclass(frozen=True)
class File:
    """A data file of a package; ``source`` ends in .csv or .json by its name."""

    name: str
    source: BinaryIO = field(repr=False)

    @property
    def quoted(self) -> bool:
        return self.name.endswith(".csv")


def check_rows(search: Search, dataset: Dataset, files: Sequence[File], batches: Iterable[Batch]) -> None:
    """What is wrong goes to ``search``; notes, and record numbers made of masked fields, to be searched."""
    read: dict[File, _Rows] = {}
    for file in files:
        tables = _csv(dataset, file) if file.quoted else _json(search, dataset, file)
        read[file] = _Rows(tables)
    before = 0
    for batch in batches:
        count = int((~batch.out).sum())
        for file in list(read):
            with _told_of(search, file, before, read):
                table = read[file].take(count)
                if table.num_rows != count:
                    raise _Unlike(f"{before + table.num_rows} rows, fewer than the case has")
                _compare(search, file, before, table, batch)
        before += count
    for file in list(read):
        with _told_of(search, file, before, read):
            if read[file].take(1).num_rows:
                raise _Unlike(f"more than {before} rows")


@contextmanager
def _told_of(search: Search, file: File, before: int, read: dict[File, _Rows]) -> Iterator[None]:
    """A file that is not what it must be is read no further."""
    try:
        yield
    except _Unlike as error:
        search.found.append(Finding(file.name, str(error), "rows"))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        search.unreadable(file.name, f"after row {before}")
    else:
        return
    del read[file]


class _Rows:
    """Tables of any size, taken in the sizes asked for."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables = tables
        self._held: pa.Table | None = None

    def take(self, count: int) -> pa.Table:
        """So many rows, or as many as are left. The first table says the columns and has none."""
        if self._held is None:
            self._held = next(self._tables)
        parts = []
        while count:
            parts.append(self._held.slice(0, count))
            count -= parts[-1].num_rows
            self._held = self._held.slice(parts[-1].num_rows)
            if count:
                following = next(self._tables, None)
                if following is None:
                    break
                self._held = following
        return pa.concat_tables(parts).combine_chunks() if parts else self._held.slice(0, 0)


def _compare(search: Search, file: File, before: int, table: pa.Table, batch: Batch) -> None:
    where = f"rows {before + 1} to {before + table.num_rows}"
    numbers = batch.numbers.filter(pa.array(~batch.out))
    if not pc.all(pc.equal(_column(table, RECORD_NO), numbers), min_count=0).as_py():
        raise _Unlike(f"{where}: a record of another number")
    if any(one.marks for one in batch.fields if one.name in batch.dataset.key):
        search.text(Place(file.name, "file", f"{where}, {RECORD_NO}"), "\n".join(numbers.to_pylist()), loose=False)
    for one in batch.fields:
        cells = _column(table, one.name)
        bad = wrong(one, cells, ~batch.out)
        if file.quoted and bad.any():
            bad &= wrong(one, pc.replace_substring_regex(cells, _APOSTROPHE, r"\1"), ~batch.out)
        if bad.any():
            search.found.append(_told(file.name, before, one, batch, np.flatnonzero(bad).tolist()))
        for at, text in enumerate(cells.to_pylist() if one.rule.free_text else (), start=before + 1):
            search.note(file.name, f"row {at} {one.name}", text)
    if not _listed(batch, _column(table, MASKING)):
        search.found.append(Finding(file.name, f"{where}, {MASKING}", "cell"))


def _listed(batch: Batch, masking: pa.Array) -> bool:
    """Every masked cell is named with its mark and ground, and nothing stands there but such names."""
    names = "|".join(map(re.escape, batch.dataset.fields))
    entry = rf"(?:{names}):[a-z0-9_]+:(?:[A-Z]+[0-9A-Z+\-]*)?"
    if not pc.all(pc.match_substring_regex(pc.unique(masking), rf"^(?:{entry}(?:;{entry})*)?$"), min_count=0).as_py():
        return False
    for one in batch.fields:
        verdict = one.verdict[~batch.out]
        for number, (mark, ground) in enumerate(one.marks, start=1):
            named = pc.match_substring(masking.filter(pa.array(verdict == number)), f"{one.name}:{mark}:{ground}")
            if not pc.all(named, min_count=0).as_py():
                return False
    return True


def _told(file: str, before: int, one: Judged, batch: Batch, bad: list[int]) -> Finding:
    """One finding for a field of a batch: the first row, and how many more."""
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    cell = Cell(batch.dataset.id, one.name, batch.first + int(np.flatnonzero(~batch.out)[bad[0]]))
    return Finding(file, f"row {before + bad[0] + 1} {one.name}{more}", "cell", cell)


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


# -- the two forms ---------------------------------------------------------------------------------------------------


def _csv(dataset: Dataset, file: File) -> Iterator[pa.Table]:
    names = [RECORD_NO, *dataset.fields, MASKING]
    labels = headers(dataset)
    opened = pa_csv.open_csv(
        pa.PythonFile(file.source, mode="r"),
        read_options=pa_csv.ReadOptions(block_size=_BLOCK, use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types={label: pa.string() for label in labels}),
    )
    with opened:
        if opened.schema.names != labels:
            raise _Unlike("the columns are not those of the dataset")
        yield pa.table([pa.array([], pa.string())] * len(names), names=names)
        for batch in opened:
            yield pa.table(batch.columns, names=names)


def _bare_numbers(dataset: Dataset) -> re.Pattern[bytes]:
    """A number as JSON writes it, of a field that may be one; inside a text its quotes would be escaped."""
    names = [name for name, rule in dataset.fields.items() if json_type(rule) == "integer"]
    return re.compile(rb'(?<!\\)"(%b)":(-?[0-9]+)(?=[,}])' % "|".join(map(re.escape, names or ["\0"])).encode())


def _json(search: Search, dataset: Dataset, file: File) -> Iterator[pa.Table]:
    names = [RECORD_NO, *dataset.fields]
    schema = pa.schema([*((name, pa.string()) for name in names), (MASKING, pa.list_(pa.string()))])
    parse = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    bare = _bare_numbers(dataset)
    head = file.source.readline()
    if not head.rstrip().endswith(_ROWS):
        raise _Unlike("the head is not that of a data file")
    search.text(Place(file.name, "file", "head"), head.decode(), loose=False)
    yield pa.table([pa.array([], pa.string())] * (len(names) + 1), names=[*names, MASKING])
    for block in _objects(file.source):
        lines = bare.sub(rb'"\1":"\2"', block)
        read = pa_json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
        table = pa_json.read_json(io.BytesIO(lines), read, parse).select(schema.names)
        for at, name in enumerate(names):
            table = table.set_column(at, name, pc.fill_null(table.column(name), ""))
        yield table.set_column(len(names), MASKING, pc.binary_join(table.column(MASKING), ";"))


def _objects(source: BinaryIO) -> Iterator[bytes]:
    """The rows, an object a line, in blocks: within JSON a line break is written as an escape."""
    held = b""
    while block := source.read(_BLOCK):
        lines, comma, rest = (held + block).rpartition(b",\n")
        if comma:
            yield lines.replace(b",\n{", b"\n{")
        held = rest
    if not held.endswith(_END):
        raise _Unlike("something beside the rows")
    if last := held.removesuffix(_END).strip():
        yield last


__all__ = ["File", "check_rows"]
