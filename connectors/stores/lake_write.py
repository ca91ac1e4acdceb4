"""Rows of a Parquet lake that go or change: one rewrite per file for all cases (limits.md §4, §6).

The files that hold the keys are found by reading the key columns of every file, never by the side index. Each new file
has the old one's row groups (but for empty ones), order, schema and its key-values, codec per column, dictionaries,
statistics, page index, Bloom filters and sort order; statistics and dictionaries are made anew, for a minimum in a
footer is data too. Parquet records no compression level: the codec's default stands. Proved by DuckDB, which did not
write it: a keyed 64-bit hash of every row of both files, in order, and their sum modulo 2^128.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.stores import swap
from connectors.stores.lake import LakeStore, listed, quoted, settings_of
from connectors.stores.lake_files import LakeFile
from connectors.stores.rows import LIMIT
from dsr.errors import BadInput, CheckFailed, ConnectorRefused
from dsr.inventory import Dataset
from dsr.plan import Effects, Plan, Receipt

Rows = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
_WANTED = "dsr_wanted"


@dataclass(frozen=True)
class Touched:
    """Of one file by row number, ascending: rows that go, and rows that get other values with what is set, beside them
    and in the file's types."""

    gone: Rows
    changed: Sequence[tuple[Rows, pa.Table]] = field(default=(), repr=False)

    @property
    def set_rows(self) -> Rows:
        return np.sort(np.concatenate([np.array([], np.int64), *(rows for rows, _ in self.changed)]))


@dataclass(frozen=True)
class Work:
    """Plans of one dataset, with what each is called in the journal. ``keys`` of all: ``k0``, ``k1`` …, the number of
    the ``plan`` and ``at``, their place in it. ``erases``: by plan, whether its records go."""

    plans: Sequence[Plan]
    labels: Sequence[str]
    keys: pa.Table = field(repr=False)
    erases: npt.NDArray[np.bool_]
    digest: str

    @classmethod
    def of(cls, plans: Sequence[Plan]) -> Work:
        """Raises CheckFailed where a record is named twice."""
        key = plans[0].dataset.key
        tables = [
            plan.keys.select(list(key)).rename_columns([f"k{at}" for at in range(len(key))])
            .append_column("plan", pa.array(np.full(plan.records, number, np.int32)))
            .append_column("at", pa.array(np.arange(plan.records, dtype=np.int64)))
            for number, plan in enumerate(plans)
        ]  # fmt: skip
        keys = pa.concat_tables(tables, promote_options="permissive")
        if keys.group_by([f"k{at}" for at in range(len(key))]).aggregate([]).num_rows != keys.num_rows:
            words = "a record stands in two plans or twice in one; nothing was changed"
            raise CheckFailed(f"{plans[0].dataset.id}: {words}")
        erases = np.array([plan.values is None for plan in plans])
        return cls(plans, swap.labels(plans), keys, erases, swap.digest_of(plans))

    @property
    def dataset(self) -> Dataset:
        return self.plans[0].dataset

    def counted(self, hits: pa.Table) -> dict[int, int]:
        """Hits by the number of their plan."""
        return {number: int(count) for number, count in enumerate(np.bincount(hits.column("plan").to_numpy())) if count}

    def gone(self, hits: pa.Table) -> pa.Table:
        """Those of the hits whose records go."""
        return hits.filter(pa.array(self.erases[hits.column("plan").to_numpy()]))

    def sought(self, hits: pa.Table) -> pa.Table:
        """Their keys."""
        at = hits.select(["plan", "at"])
        return self.keys.join(at, ["plan", "at"], join_type="left semi", use_threads=False)


def _in_order(spill: Path | None) -> dict[str, Any]:
    return {**settings_of(spill), "threads": 1, "preserve_insertion_order": True}


class LakeWriter(LakeStore):
    """A lake on this machine's disks. Objects in a bucket have no swap against a pinned version: refused."""

    def write(self, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
        if not plans:
            return []
        return next(self._guard(plans[0].dataset, lambda: iter([self._write(plans, effects)])))

    def _write(self, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
        dataset = plans[0].dataset
        if not self._shelf.here:
            detail = "an object of a bucket cannot be swapped against a pinned version: send its owner a work order"
            raise ConnectorRefused(dataset.system, dataset.name, detail)
        paths = self.access.files(dataset)
        swap.sweep(path.resolve().parent for path in paths)
        places = {str(path): os.path.relpath(path, self.access.inventory.folder) for path in paths}
        done = {path: swap.settled(Path(path).resolve(), place, effects) for path, place in places.items()}
        before = [counts for counts in done.values() if counts is not None]
        files = [file for file in self._require_whole(dataset) if done.get(file.path) is None]
        work = Work.of(plans)
        with self._reading(files) as base:
            found = self._found(base, work, files)
            self._contradicts(work, [hits for _, hits in found], before)
            rewrites = [self._rewrite(base, work, file, places[file.path], hits) for file, hits in found]
            after = swap.carry_out([one for one in rewrites if one], effects, self.access.sleep)
        self._forget(dataset, [path for path in done if done[path] is not None] + [file.path for file, _ in found])
        return swap.receipts(plans, [*before, *after])

    def _forget(self, dataset: Dataset, paths: Sequence[str]) -> None:
        """What the index knew of the old versions; a build reads the new ones."""
        if self.access.index is not None:
            self.access.index.drop(dataset.id, paths)

    # -- finding -----------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self, files: Sequence[LakeFile]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Each use has a cursor of its own, and so each thread. Nothing is read but files in the folders of these."""
        folders = {str(path.parent) + "/" for file in files for path in (Path(file.path), Path(file.path).resolve())}
        with self.access.scratch() as spill, duckdb.connect(":memory:", config=_in_order(spill)) as base:
            base.execute("SET enable_progress_bar = false")
            base.execute(f"SET allowed_directories = {listed(sorted(folders))}")
            base.execute("SET enable_external_access = false")
            yield base

    def _found(self, base: Any, work: Work, files: Sequence[LakeFile]) -> list[tuple[LakeFile, pa.Table]]:
        """Files that hold planned records: ``row`` in the file, ``plan`` and ``at``, its place there; by row."""
        with base.cursor() as cursor:
            self._seek(cursor, work.keys)
            looked = ((file, self._hits(cursor, work.dataset, file.path, file.schema)) for file in files)
            return [(file, hits) for file, hits in looked if hits.num_rows]

    @staticmethod
    def _seek(connection: Any, keys: pa.Table) -> None:
        connection.register("given", keys)
        connection.execute(f"CREATE TEMP TABLE {_WANTED} AS SELECT * FROM given")  # noqa: S608

    def _hits(self, connection: Any, dataset: Dataset, path: str, schema: pa.Schema) -> pa.Table:
        same = " AND ".join(
            f"f.{quoted(_column(dataset, schema, name))} IS NOT DISTINCT FROM k.k{at}"  # NULL is a key like any other
            for at, name in enumerate(dataset.key)
        )
        source = f"read_parquet({listed([path])}, hive_partitioning = false, file_row_number = true)"
        sql = f"SELECT f.file_row_number AS row, k.plan, k.at FROM {source} f JOIN {_WANTED} k ON {same} ORDER BY 1"  # noqa: S608
        return connection.sql(sql).to_arrow_table()

    def _contradicts(self, work: Work, found: Sequence[pa.Table], before: Sequence[swap.Counts]) -> None:
        """More rows than records: some of them are nobody's in this plan, so nothing is changed."""
        rows = Counter({label: sum(one.get(label, 0) for one in before) for label in work.labels})
        for hits in found:
            for number, count in work.counted(hits).items():
                rows[work.labels[number]] += count
        over = [plan for label, plan in zip(work.labels, work.plans, strict=True) if rows[label] > plan.records]
        if over:
            words = "more rows than were planned; the key is not unique, or a file came back: nothing was changed"
            error = CheckFailed(f"{work.dataset.id}: {words}")
            error.cases = frozenset(plan.case_no for plan in over)
            raise error

    # -- rewriting ---------------------------------------------------------------------------------------------

    def _rewrite(self, base: Any, work: Work, file: LakeFile, place: str, hits: pa.Table) -> swap.Rewrite | None:
        """None where all that is to be set stands there already."""
        if any(_hides_words(kind) for kind in file.schema.types):
            detail = f"{file.name} has dictionaries within lists or structs, from which no word can be taken"
            raise ConnectorRefused(work.dataset.system, work.dataset.name, detail)
        touched, counts = self._touched(work, file, hits)
        if not counts:
            return None
        proof = Proof()

        def make(old: Path, new: Path) -> Mapping[str, Any]:
            with base.cursor() as cursor:
                write_anew(old, new, touched, Hashed(cursor, old, proof.secret), proof)
            return {}

        def check(old: Path, new: Path) -> None:
            with base.cursor() as cursor:
                proof.look(Hashed(cursor, old, proof.secret).of_file(new), touched)
                self._seek(cursor, work.sought(work.gone(hits)))
                left = self._hits(cursor, work.dataset, str(new), file.schema).num_rows
            proof.judge(place, file.starts[-1] - len(touched.gone), left, _same_form(old, new))

        return swap.Rewrite(
            work.dataset, Path(file.path).resolve(), place, file.identity,
            {work.labels[number]: count for number, count in counts.items()},
            work.digest, make, check,
        )  # fmt: skip

    def _touched(self, work: Work, file: LakeFile, hits: pa.Table) -> tuple[Touched, dict[int, int]]:
        """And how many rows of each plan. A row in which all that is to be set stands already is not touched."""
        gone, changed = work.gone(hits), []
        counts = work.counted(gone)
        for number in np.flatnonzero(~work.erases).tolist():
            mine = hits.filter(pc.equal(hits.column("plan"), number))
            if mine.num_rows:
                wanted = self._as_stored(work.plans[number], file).take(mine.column("at"))
                rows: Rows = mine.column("row").to_numpy()
                differs = _differing(_present(file, rows, wanted.column_names), wanted)
                changed.append((rows[differs], wanted.filter(pa.array(differs))))
                counts |= {number: int(differs.sum())} if differs.any() else {}
        return Touched(gone.column("row").to_numpy(), changed), counts

    def _as_stored(self, plan: Plan, file: LakeFile) -> pa.Table:
        """What is to be set, by the file's column names and in its types."""
        assert plan.values is not None
        columns: dict[str, Any] = {}
        for name in plan.values.column_names:
            field = file.schema.field(_column(plan.dataset, file.schema, name))
            try:
                columns[field.name] = plan.values.column(name).cast(_plain(field.type))
            except pa.ArrowException:
                columns[field.name] = None
            if columns[field.name] is None or (not field.nullable and columns[field.name].null_count):
                detail = f"column {field.name} cannot hold what is to be set"  # its own words would quote it
                raise ConnectorRefused(plan.dataset.system, plan.dataset.name, detail)
        return pa.table(columns)


# -- the proof -----------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """Rows, the sum of their hashes modulo 2^128 (whatever their order), and a digest of their order."""

    rows: int = 0
    total: int = 0
    order: Any = field(default_factory=hashlib.blake2b)

    def add(self, hashes: Hashes) -> None:
        high, low = hashes >> np.uint64(32), hashes & np.uint64(0xFFFFFFFF)
        self.rows += len(hashes)
        self.total = (self.total + (int(high.sum()) << 32) + int(low.sum())) % (1 << 128)
        self.order.update(hashes.tobytes())


@dataclass
class Proof:
    """limits.md §6 of one file: ``before``, the rows that nobody planned, as they were read; ``after``, as they were
    read back; ``shall`` and ``are``: the rows in which something is set, in order."""

    secret: int = field(default_factory=lambda: secrets.randbits(62), repr=False)
    before: Told = field(default_factory=Told)
    after: Told = field(default_factory=Told)
    shall: list[Hashes] = field(default_factory=list)
    are: list[Hashes] = field(default_factory=list)

    def look(self, hashes: Iterator[Hashes], touched: Touched) -> None:
        changed = touched.set_rows - np.searchsorted(touched.gone, touched.set_rows)
        first = 0
        for part in hashes:
            low, high = np.searchsorted(changed, [first, first + len(part)])
            self.are.append(part[changed[low:high] - first])
            self.after.add(np.delete(part, changed[low:high] - first))
            first += len(part)

    def judge(self, place: str, rows: int, left: int, same_form: bool) -> None:
        are, shall = (np.concatenate([np.array([], np.uint64), *told]) for told in (self.are, self.shall))
        for fails, words in (
            (self.after.rows + len(are) != rows, "it has not the rows it had less the planned ones"),  # A1 = A0 − B0
            (left > 0, "planned rows are still in it"),  # B1 = 0
            (self.after.total != self.before.total, "a row that nobody planned is not what it was"),  # C1 = C0
            (self.after.order.digest() != self.before.order.digest(), "its rows stand in another order"),
            (not np.array_equal(are, shall), "a row is not what it should be set to"),
            (not same_form, "its schema cannot be written as it was"),
        ):
            if fails:
                raise CheckFailed(f"{place}: read back, {words}; the new file was thrown away, nothing was changed")


class Hashed:
    """A keyed hash of each row over all its columns, in the types in which DuckDB reads the file, in order."""

    def __init__(self, connection: Any, file: Path, secret: int) -> None:
        self._connection = connection
        columns = connection.sql(f"DESCRIBE SELECT * FROM {_source(file)}").fetchall()  # noqa: S608
        self._hash = f"hash({secret}, {', '.join(f'{quoted(name)}::{kind}' for name, kind, *_ in columns)})"

    def of_file(self, path: Path) -> Iterator[Hashes]:
        sql = f"SELECT {self._hash} AS h FROM {_source(path)}"  # noqa: S608
        return (np.array(batch.column(0)) for batch in self._connection.sql(sql).to_arrow_reader(LIMIT))

    def of_table(self, rows: pa.Table) -> Hashes:
        self._connection.register("dsr_rows", rows)
        return np.array(self._connection.sql(f"SELECT {self._hash} AS h FROM dsr_rows").to_arrow_table().column(0))  # noqa: S608


# -- keys, columns, rows -------------------------------------------------------------------------------------------


def _column(dataset: Dataset, schema: pa.Schema, name: str) -> str:
    """The file's own column of that name, in whatever case."""
    found = [column for column in schema.names if column.lower() == name.lower()]
    if len(found) != 1:
        fix = "give the fetch a plain column of that name, or let the owner do it by work order"
        raise BadInput(f"{dataset.id}.fields.{name}", "is no column of the files, so they cannot be written", fix)
    return str(found[0])


def _hides_words(kind: pa.DataType) -> bool:
    inner = [kind.field(at).type for at in range(kind.num_fields)] if pa.types.is_nested(kind) else []
    return any(pa.types.is_dictionary(one) or _hides_words(one) for one in inner)


def _source(path: Path) -> str:
    return f"read_parquet({listed([str(path)])}, hive_partitioning = false)"


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _present(file: LakeFile, rows: Rows, columns: Sequence[str]) -> pa.Table:
    """Of these rows these columns, as they are."""
    parts = []
    with pq.ParquetFile(file.path) as opened:
        for group, (first, last) in enumerate(pairwise(file.starts)):
            low, high = np.searchsorted(rows, [first, last])
            if low < high:
                here = opened.read_row_group(group, columns=list(columns), use_threads=False)
                parts.append(here.select(list(columns)).take(pa.array(rows[low:high] - first)))
    return pa.concat_tables(parts)


def _differing(present: pa.Table, wanted: pa.Table) -> npt.NDArray[np.bool_]:
    differs = np.zeros(wanted.num_rows, bool)
    for name in wanted.column_names:
        now, then = (table.column(name).combine_chunks() for table in (present, wanted))
        now = now.cast(_plain(now.type))
        unlike = pc.fill_null(pc.not_equal(now, then), True)
        differs |= pc.and_not(unlike, pc.and_(now.is_null(), then.is_null())).to_numpy(zero_copy_only=False)
    return differs


# -- the new file --------------------------------------------------------------------------------------------------


def write_anew(old: Path, new: Path, touched: Touched, hashed: Hashed, proof: Proof) -> None:
    """Row group by row group; tells the proof what is to be found in ``new``."""
    first, columns = 0, {name for _, values in touched.changed for name in values.column_names}
    with pq.ParquetFile(old) as source:
        form = form_of(source.metadata, source.schema_arrow, columns)
        with pq.ParquetWriter(new, source.schema_arrow, **form) as writer:
            for group in range(source.num_row_groups):
                rows = source.read_row_group(group, use_threads=False)
                gone = _here(touched.gone, first, rows.num_rows)
                others, first = rows.filter(pa.array(~gone)) if gone.any() else rows, first + rows.num_rows
                made, changed = _set(rows, first - rows.num_rows, touched)
                if changed.any():
                    others = rows.filter(pa.array(~(gone | changed)))
                    proof.shall.append(hashed.of_table(made.filter(pa.array(changed))))
                proof.before.add(hashed.of_table(others))
                stays = made.filter(pa.array(~gone)) if changed.any() else others
                if stays.num_rows:
                    writer.write_table(_compact(stays), row_group_size=stays.num_rows)
            if source.metadata.metadata:
                writer.add_key_value_metadata(source.metadata.metadata)


def _here(rows: Rows, first: int, count: int) -> npt.NDArray[np.bool_]:
    """Which of the ``count`` rows from ``first`` on are among ``rows``."""
    low, high = np.searchsorted(rows, [first, first + count])
    here = np.zeros(count, bool)
    here[rows[low:high] - first] = True
    return here


def _set(rows: pa.Table, first: int, touched: Touched) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """The row group with what is set in it, and in which rows that is."""
    changed = np.zeros(rows.num_rows, bool)
    for places, values in touched.changed:
        here = _here(places, first, rows.num_rows)
        changed |= here
        for name in values.column_names if here.any() else ():
            at, kind = rows.schema.get_field_index(name), rows.schema.field(name).type
            new = values.column(name).slice(np.searchsorted(places, first), here.sum()).combine_chunks()
            column = pc.replace_with_mask(rows.column(at).combine_chunks().cast(_plain(kind)), pa.array(here), new)
            column = column.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else column
            rows = rows.set_column(at, rows.schema.field(at), column)
    return rows, changed


def _compact(rows: pa.Table) -> pa.Table:
    """Dictionaries without the words that no row uses any more: they would be written, deleted ones too."""
    for at, part in enumerate(rows.schema):
        if pa.types.is_dictionary(part.type):
            column = rows.column(at).unify_dictionaries().combine_chunks()
            used = pc.unique(column.indices.drop_null()).sort()
            places = pc.index_in(column.indices, used).cast(part.type.index_type)
            column = pa.DictionaryArray.from_arrays(places, column.dictionary.take(used), ordered=part.type.ordered)
            rows = rows.set_column(at, part, column)
    return rows


_ENCODINGS = frozenset({"DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"})


def form_of(metadata: Any, schema: pa.Schema, changed: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """How a file is written, in the words of ``pyarrow.parquet.ParquetWriter``. A column that is ``changed`` is not
    taken for sorted any more."""
    form: dict[str, Any] = {"store_schema": False}  # the old one is among the key-values
    if not metadata.num_row_groups:
        return form
    group = metadata.row_group(0)
    columns = {one.path_in_schema: one for one in map(group.column, range(group.num_columns))}
    plain = {name: _ENCODINGS & set(one.encodings) for name, one in columns.items() if not one.has_dictionary_page}
    old = any(one.physical_type == "INT96" for one in columns.values())
    fine = [kind for kind in schema.types if kind == pa.uint32() or (getattr(kind, "unit", "") == "ns" and not old)]
    form |= {
        "version": "1.0" if metadata.format_version == "1.0" and not fine else "2.6",
        "compression": {name: one.compression.replace("UNCOMPRESSED", "NONE") for name, one in columns.items()},
        "use_dictionary": [name for name, one in columns.items() if one.has_dictionary_page],
        "column_encoding": {name: min(encodings) for name, encodings in plain.items() if encodings} or None,
        "write_statistics": [name for name, one in columns.items() if one.is_stats_set],
        "write_page_index": any(one.has_offset_index for one in columns.values()),
        "use_deprecated_int96_timestamps": old,
        "store_decimal_as_integer": any(
            pa.types.is_decimal(part.type) and columns[part.name].physical_type.startswith("INT") for part in schema
        ),
    }
    blooms = [name for name, one in columns.items() if getattr(one, "bloom_filter_offset", None) is not None]
    if blooms:
        form["bloom_filter_options"] = {name: {"ndv": max(1, group.num_rows), "fpp": 0.05} for name in blooms}
    sorted_by = {metadata.schema.column(one.column_index).path.split(".")[0] for one in group.sorting_columns}
    if sorted_by and not sorted_by & changed:
        form["sorting_columns"] = list(group.sorting_columns)
    return form


def _same_form(old: Path, new: Path) -> bool:
    """Columns with their types, Parquet's and Arrow's, and all key-values; not who created it."""
    with pq.ParquetFile(old) as was, pq.ParquetFile(new) as now:
        return was.metadata.metadata == now.metadata.metadata and _types(was) == _types(now)


def _types(opened: Any) -> list[Any]:
    columns = map(opened.schema.column, range(len(opened.schema)))
    return [opened.schema_arrow, *(
        (one.path, one.physical_type, one.max_definition_level, one.max_repetition_level,
         _USUAL.sub("", str(one.logical_type)).replace("None", ""))
        for one in columns
    )]  # fmt: skip


_USUAL = re.compile(r", is_from_converted_type=.*(?=\))|Int\(bitWidth=(32|64), isSigned=true\)")
"""Words of a logical type that add nothing to the physical one, or only say in which of two ways it is written."""
