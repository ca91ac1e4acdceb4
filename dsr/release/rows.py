"""CSV and JSON of a dataset, row by row beside the stored rows: a masked cell holds its mark and nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json

from dsr.inventory import Dataset
from dsr.package import headers
from dsr.release.finding import Cell, Finding
from dsr.release.judging import Batch, Judged, wrong
from dsr.release.search import Place, Search
from dsr.rules.redaction import MASKING, RECORD_NO

_BLOCK = 4 << 20
_LINES = 16_384
_APOSTROPHE = r"^'([=+\-@\t\r])"
"""What keeps a spreadsheet from running a cell (``dsr.package``)."""
_ROWS = b'"rows":['


class _Unlike(Exception):
    """The file is not what this dataset's file must be; says what, never a value."""


def check_csv(search: Search, file: str, dataset: Dataset, source: BinaryIO, batches: Iterable[Batch]) -> int:
    """Rows read. What is wrong goes to ``search``; notes, and record numbers made of masked fields, to be searched."""
    return _check(search, file, _csv(dataset, source), batches, quoted=True)


def check_json(search: Search, file: str, dataset: Dataset, source: BinaryIO, batches: Iterable[Batch]) -> int:
    return _check(search, file, _json(search, file, dataset, source), batches, quoted=False)


def _check(search: Search, file: str, tables: Iterator[pa.Table], batches: Iterable[Batch], quoted: bool) -> int:
    rows = 0
    try:
        read = _Rows(tables)
        for batch in batches:
            keep = ~batch.out
            table = read.take(int(keep.sum()))
            if table.num_rows != int(keep.sum()):
                raise _Unlike(f"{rows + table.num_rows} rows, fewer than the case has")
            _compare(search, file, rows, table, batch, quoted)
            rows += table.num_rows
        if read.take(1).num_rows:
            raise _Unlike(f"more than {rows} rows")
    except _Unlike as error:
        search.found.append(Finding(file, str(error), "rows"))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        search.unreadable(file, f"after row {rows}")
    return rows


class _Rows:
    """Tables of any size, taken row by row in the sizes asked for."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._held = tables, next(tables)

    def take(self, count: int) -> pa.Table:
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


def _compare(search: Search, file: str, before: int, table: pa.Table, batch: Batch, quoted: bool) -> None:
    where = f"rows {before + 1} to {before + table.num_rows}"
    numbers = batch.numbers.filter(pa.array(~batch.out))
    if not pc.all(pc.equal(_column(table, RECORD_NO), numbers), min_count=0).as_py():
        raise _Unlike(f"{where}: a record of another number")
    if any(one.marks for one in batch.fields if one.name in batch.dataset.key):
        search.text(Place(file, "file", f"{where}, {RECORD_NO}"), "\n".join(numbers.to_pylist()), loose=False)
    for one in batch.fields:
        cells = _column(table, one.name)
        bad = wrong(one, cells, ~batch.out)
        if quoted and bad.any():
            bad &= wrong(one, pc.replace_substring_regex(cells, _APOSTROPHE, r"\1"), ~batch.out)
        if bad.any():
            search.found.append(_told(file, before, one, batch, np.flatnonzero(bad)))
        for at, text in enumerate(cells.to_pylist() if one.rule.free_text else (), start=before + 1):
            search.note(file, f"row {at} {one.name}", text)
    if not _listed(batch, _column(table, MASKING)):
        search.found.append(Finding(file, f"{where}, {MASKING}", "cell"))


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


def _told(file: str, before: int, one: Judged, batch: Batch, bad: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Finding:
    """One finding for a field of a batch: the first row, and how many more."""
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    row = batch.first + int(np.flatnonzero(~batch.out)[bad[0]])
    return Finding(file, f"row {before + int(bad[0]) + 1} {one.name}{more}", "cell", Cell(batch.dataset.id, one.name, row))


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


# -- the two forms ---------------------------------------------------------------------------------------------------


def _csv(dataset: Dataset, source: BinaryIO) -> Iterator[pa.Table]:
    names = [RECORD_NO, *dataset.fields, MASKING]
    labels = headers(dataset)
    opened = pa_csv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pa_csv.ReadOptions(block_size=_BLOCK),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(labels, pa.string()), strings_can_be_null=False),
    )
    with opened:
        if opened.schema.names != labels:
            raise _Unlike("the columns are not those of the dataset")
        yield pa.table([pa.array([], pa.string())] * len(names), names=names)
        for batch in opened:
            yield pa.table(batch.columns, names=names)


def _json(search: Search, file: str, dataset: Dataset, source: BinaryIO) -> Iterator[pa.Table]:
    names = [RECORD_NO, *dataset.fields]
    schema = pa.schema([*((name, pa.string()) for name in names), (MASKING, pa.list_(pa.string()))])
    parse = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    lines = iter(source)
    head = next(lines, b"")
    if not head.rstrip().endswith(_ROWS):
        raise _Unlike("the head is not that of a data file")
    search.text(Place(file, "file", "head"), head.decode(), loose=False)
    yield pa.table([pa.array([], pa.string())] * (len(names) + 1), names=[*names, MASKING])
    block: list[bytes] = []
    for line in chain(lines, [b""]):
        if line.startswith(b"{"):
            block.append(line.rstrip(b",\n"))
        if block and (len(block) >= _LINES or not line.startswith(b"{")):
            raw = b"\n".join(block)
            read = pa_json.ReadOptions(use_threads=False, block_size=len(raw) + 1)
            table = pa_json.read_json(io.BytesIO(raw), read, parse).select(schema.names)
            yield table.set_column(len(names), MASKING, pc.binary_join(table.column(MASKING), ";"))
            block = []
        if line.strip() and not line.startswith(b"{") and line.rstrip() != b"]}":
            raise _Unlike("something beside the rows")


__all__ = ["check_csv", "check_json"]
