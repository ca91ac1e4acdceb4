"""A lake of Parquet files, read by DuckDB: one table per dataset over its glob, and no other file can be opened.

Many questions of one way are one scan: the declared SELECT stands beside a table of what is asked, which DuckDB makes
one hash join (1,000 people among 30,000,000 calls: tests/bench.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.stores.access import Access
from connectors.stores.faults import FILES, Guarded, places_of
from connectors.stores.lake_files import Feed, LakeFile, Piece, Shelf, bucket_words
from connectors.stores.lake_index import Indexed, Indexing, indexed
from connectors.stores.rows import LIMIT, Exactly, by_nulls, distinct_keys, needed, require_fields
from connectors.stores.statements import Statement, fetching, locating, values_of
from dsr.connector import Ask, Drift, Located, in_tenure
from dsr.errors import BadInput, ConnectorDrifted, ConnectorError, ConnectorMisread, ConnectorUnavailable
from dsr.inventory import Dataset

MEMORY = "160MB"
"""Of DuckDB; what a sort or a join needs beyond it is spilt. At 320 MB a process that fetched 1,000,000 calls grew to
657 MB, at 160 to 510 in half a second more (make bench)."""
GATHERED = 8 * LIMIT
"""Rows of a shared scan that wait to be handed out ask by ask: few large tables, bounded memory."""
FEW = 10_000
"""Values by which rows of objects are sifted before DuckDB sees them."""
_KEYS, _ASKS, _NO, _ROWS, _ROW = "dsr_keys", "dsr_asks", "dsr_no", "dsr_rows", "file_row_number"
Only = tuple[str, pa.Array]


class LakeStore(Guarded):
    """``fetch`` may sort as it likes; a sort that does not fit in ``MEMORY`` needs a scratch folder to spill into."""

    faults = (
        (duckdb.OutOfMemoryException, ConnectorUnavailable, "did not fit in memory"),
        (duckdb.IOException, ConnectorUnavailable, "a file cannot be read"),
        (duckdb.CatalogException, ConnectorDrifted, "the statement does not fit the files"),
        (duckdb.BinderException, ConnectorDrifted, "the statement does not fit the files"),
        (duckdb.Error, ConnectorMisread, "a file or value cannot be read"),
        (pa.ArrowException, ConnectorMisread, "a file or value cannot be read"),
        *FILES,
    )

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._shelf = Shelf(access)

    def shares(self, dataset: Dataset) -> bool:
        """Questions are always kept apart; keys only where no row of the fetch depends on another."""
        with suppress(BadInput):
            return fetching(dataset, "duckdb").plain
        return False

    def _coded(self, error: Exception) -> tuple[type[ConnectorError], str]:
        told = bucket_words(error) if isinstance(error, OSError) else None
        return told or super()._coded(error)

    # -- what DuckDB sees --------------------------------------------------------------------------------------

    @contextmanager
    def _open(
        self, statement: Statement, shown: Mapping[str, Sequence[Piece]] | None = None, only: Only | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """``shown``: of a table only these pieces. ``only``: values outside which no row of the one table is needed."""
        feeds: list[Feed] = []
        with self.access.scratch() as folder, duckdb.connect(":memory:", config=settings_of(folder)) as connection:
            connection.execute("SET enable_progress_bar = false")  # it writes to standard output
            connection.execute("SET disable_parquet_prefetching = true")  # of a row group a thread, never to be spilt
            paths: set[str] = set()
            for name in sorted(statement.tables):
                pieces = (shown or {}).get(name) or self._whole(name, statement)
                if self._shelf.here:
                    paths |= {piece.file.path for piece in pieces}
                    connection.execute(f"CREATE VIEW {quoted(name)} AS {_reading(pieces)}")
                else:
                    feeds.append(self._feed(statement, pieces, only))
                    connection.register(name, feeds[-1])
            connection.execute(f"SET allowed_paths = {listed(sorted(paths))}")
            connection.execute("SET enable_external_access = false")
            try:
                yield connection
            except duckdb.Error:
                for feed in feeds:
                    if feed.failure:
                        raise feed.failure from None
                raise

    def _whole(self, name: str, statement: Statement) -> list[Piece]:
        return [Piece(file) for file in self._shelf.files(self._dataset(name, statement))]

    def _feed(self, statement: Statement, pieces: Sequence[Piece], only: Only | None) -> Feed:
        """Its filter is pyarrow's, which knows no cast: only for a column of the very type of the values, and for few,
        as each batch makes a table of them."""
        schema = pieces[0].file.schema
        wanted = None
        if only and statement.plain and len(only[1]) <= FEW:
            column = next((field for field in schema if field.name.lower() == only[0].lower()), None)
            wanted = pc.field(column.name).isin(only[1]) if column and column.type == only[1].type else None
        return Feed(self._shelf, pieces, [name for name in schema.names if statement.speaks_of(name)], wanted)

    def _dataset(self, name: str, statement: Statement) -> Dataset:
        for dataset in self.access.system.dataset.values():
            if dataset.name.lower() == name:
                return dataset
        raise BadInput(statement.place, f"reads {name}, which is no dataset of this system", "name the dataset itself")

    @staticmethod
    def _columns(connection: duckdb.DuckDBPyConnection, statement: Statement) -> pa.Schema:
        sql, given = statement.render("$", {})
        probe: pa.Schema = _ask(connection, f"SELECT * FROM ({sql}\n) AS dsr_probe LIMIT 0", given).schema  # noqa: S608
        return probe

    # -- locate ------------------------------------------------------------------------------------------------

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        files = self._require_whole(dataset) if asks else []
        ways: dict[int, list[Ask]] = {}
        for ask in asks:
            ways.setdefault(ask.way, []).append(ask)
        for way, several in ways.items():
            yield from self._by_way(dataset, way, several, files)

    def _by_way(self, dataset: Dataset, way: int, asks: Sequence[Ask], files: Sequence[LakeFile]) -> Iterator[Located]:
        statement = locating(dataset, way, "duckdb")
        pieces = self._pieces(dataset, way, asks, files)
        column = statement.equal.get(dataset.ways[way].by)
        values = pa.array(sorted({ask.identifier.value for ask in asks if ask.identifier}), pa.string())
        with self._open(statement, {dataset.name.lower(): pieces}, (column, values) if column else None) as connection:
            live = self._columns(connection, statement)
            if missing := needed(dataset) - set(live.names):
                raise ConnectorDrifted(dataset.system, dataset.name, f"column {min(missing)} is missing")
            at = live.field(dataset.at.column).type if dataset.at else None
            given = [values_of(dataset, ask, at) for ask in asks]
            together = self._beside(connection, statement, given, live) if len(asks) > 1 else None
            if together:
                for ask, rows in _handed_out(asks, _batches(_ask(connection, together, {}))):
                    yield from _told(dataset, ask, rows)
            for ask, values in zip(asks, given, strict=True) if not together else ():
                sql, bound = statement.render("$", values)
                for batch in _batches(_ask(connection, sql, bound)):
                    yield from _told(dataset, ask, pa.Table.from_batches([batch]))
        self._still(dataset, files, self._shelf.here and all(piece.groups is None for piece in pieces))

    def _still(self, dataset: Dataset, files: Sequence[LakeFile], opened_once: bool) -> None:
        """Whoever replaces a file leaves the old one to who has it open; not so where it is opened again and again."""
        if not opened_once and not self._shelf.unchanged(files):
            raise ConnectorUnavailable(dataset.system, dataset.name, "a file changed while it was read")

    @staticmethod
    def _beside(
        connection: duckdb.DuckDBPyConnection, statement: Statement, given: Sequence[Mapping[str, Any]], live: pa.Schema
    ) -> str | None:
        """The statement beside a table of what is asked, the ask's number first; None where it cannot stand there, or
        would not give the very columns that it gives alone."""
        text = statement.beside(_ASKS)
        if text is None:
            return None
        binds = {word: [values.get(word) for values in given] for word in sorted(statement.binds)}
        binds |= {f"open_{side}": [side in values.get("open", ()) for values in given] for side in ("from", "to")}
        connection.register(_ASKS, pa.table({_NO: pa.array(range(len(given)), pa.int32()), **binds}))
        sql = f"SELECT {_ASKS}.{_NO}, {_ROWS}.* FROM {_ASKS}, LATERAL ({text}\n) AS {_ROWS}"  # noqa: S608
        with suppress(duckdb.Error):
            shown = _ask(connection, f"SELECT * FROM ({sql}) AS dsr_probe LIMIT 0", {}).schema  # noqa: S608
            if list(shown)[1:] == list(live):
                return sql
        return None

    # -- the side index ----------------------------------------------------------------------------------------

    def _indexed(self, dataset: Dataset, way: int, files: Sequence[LakeFile]) -> Indexed | None:
        """What the way looks up, where an index can know it: one column equal to the identifier, alike in all files."""
        statement = locating(dataset, way, "duckdb")
        word = statement.equal.get(dataset.ways[way].by, "").lower()
        schema = files[0].schema
        column = next((field for field in schema if field.name.lower() == word), None)
        alike = all(file.schema == schema for file in files) and _ROW not in (name.lower() for name in schema.names)
        if not (dataset.index and column and alike and statement.tables == {dataset.name.lower()}):
            return None
        return indexed(dataset.id, dataset.ways[way].by, column)

    def _pieces(self, dataset: Dataset, way: int, asks: Sequence[Ask], files: Sequence[LakeFile]) -> list[Piece]:
        """Without an index, or where it would not spare much, everything."""
        whole = [Piece(file) for file in files]
        index = self.access.index
        about = self._indexed(dataset, way, files) if index and dataset.index else None
        if index is None or about is None:
            return whole
        named = index.named(about, {ask.identifier.value for ask in asks if ask.identifier}, files)
        pieces = [Piece(file, named.get(file.path)) for file in files if named.get(file.path) != ()]
        return pieces or [Piece(files[0], tuple(range(files[0].groups))[:1])]  # something must still be asked

    def reindex(self, dataset: Dataset) -> Indexing:
        """Bring the index up to the files as they are. Raises BadInput where there is nothing to index by."""
        return next(self._guard(dataset, lambda: iter([self._reindex(dataset)])))

    def _reindex(self, dataset: Dataset) -> Indexing:
        index, files = self.access.index, self._require_whole(dataset)
        abouts = [about for way in range(len(dataset.ways)) if (about := self._indexed(dataset, way, files))]
        if index is None or not abouts:
            fix = "set index = true on a dataset whose locate is one plain SELECT with column = :kind"
            raise BadInput(f"{dataset.id}.index", "has nothing that an index could be built of", fix)
        return index.build(dataset.id, abouts, files, self._shelf.filesystem)

    # -- fetch -------------------------------------------------------------------------------------------------

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        statement = fetching(dataset, "duckdb")
        files = self._require_whole(dataset)
        pieces = [Piece(file) for file in files]
        wanted = distinct_keys(keys, dataset)
        first = wanted.column(0).combine_chunks()
        only = None if first.null_count else (dataset.key[0], first)
        with self._open(statement, {dataset.name.lower(): pieces}, only) as connection:
            if not self._shelf.here:  # of a stream it knows no size, and would hold the lake to look for the keys in it
                connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
            live = self._columns(connection, statement)
            require_fields(dataset, live.names)
            wanted = wanted.cast(pa.schema([(name, live.field(name).type) for name in dataset.key]))
            for nulls, group in by_nulls(wanted):
                exactly = Exactly(dataset, group)
                connection.register(_KEYS, group.rename_columns([f"k{n}" for n in range(len(nulls))]))
                present = ", ".join(f"k{n}" for n, null in enumerate(nulls) if not null)
                sql, given = statement.render("$", {}, nulls, f"SELECT {present} FROM {_KEYS}")  # noqa: S608
                for batch in _batches(_ask(connection, sql, given)):
                    yield exactly.admit(batch).select(list(dataset.fields))
                connection.unregister(_KEYS)
        self._still(dataset, files, self._shelf.here)

    # -- drift -------------------------------------------------------------------------------------------------

    def _require_whole(self, dataset: Dataset) -> list[LakeFile]:
        """The files. One without its column, or with one more, would read as NULL or be left out in silence."""
        files = self._shelf.files(dataset)
        for place, problem in self._drift_of_files(dataset, files):
            raise ConnectorDrifted(dataset.system, dataset.name, f"{place} is {problem}")
        return files

    def _check(self) -> list[Drift]:
        return [
            Drift(dataset.system, dataset.name, place, problem)
            for dataset in self.access.system.dataset.values()
            for place, problem in places_of(dataset, self._drift)
        ]

    def _drift(self, dataset: Dataset) -> list[tuple[str, str]]:
        statements = {"fetch": fetching(dataset, "duckdb")}
        statements |= {f"ways.{way}": locating(dataset, way, "duckdb") for way in range(len(dataset.ways))}
        places = self._drift_of_files(dataset, self._shelf.files(dataset))
        if places:
            return places
        for name, statement in statements.items():
            wanted = set(dataset.fields) if name == "fetch" else needed(dataset)
            with self._open(statement) as connection:
                try:
                    live = set(self._columns(connection, statement).names)
                except duckdb.ParserException:
                    places.append((name, "is not SQL to DuckDB → quote column names that are its own words, as \"at\""))
                    continue
                except duckdb.Error:
                    places.append((name, "cannot be read"))
                    continue
            places += [(column, "missing") for column in sorted(wanted - live)]
            places += [(column, "undeclared") for column in sorted(live - wanted) if name == "fetch"]
        return places

    def _drift_of_files(self, dataset: Dataset, files: Sequence[LakeFile]) -> list[tuple[str, str]]:
        """``column in file``: against the fields, and against what the statements read by name."""
        read = fetching(dataset, "duckdb").columns.union(*(
            locating(dataset, way, "duckdb").columns for way in range(len(dataset.ways))
        ))
        schemas = {file.name: set(file.schema.names) for file in files}
        somewhere = set().union(*schemas.values())
        # A field that no file has may be computed by the fetch; whether it is, the probe of the fetch says.
        expected = set(dataset.fields) & somewhere
        known = {field.lower() for field in dataset.fields} | read
        places = []
        for name, live in schemas.items():
            places += [(f"{column} in {name}", "missing") for column in sorted(expected - live)]
            places += [(f"{column} in {name}", "undeclared") for column in sorted(live) if column.lower() not in known]
        return places


def settings_of(spill: Path | None) -> dict[str, Any]:
    return {
        "memory_limit": MEMORY,
        "temp_directory": str(spill or ""),
        "threads": 2,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def listed(paths: Sequence[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


def _reading(pieces: Sequence[Piece]) -> str:
    """All whole files as one; of the others the row groups named, which DuckDB finds by the numbers of their rows."""
    whole = [piece.file.path for piece in pieces if piece.groups is None]
    parts = [f"SELECT * FROM read_parquet({listed(whole)}, hive_partitioning = false)"] if whole else []  # noqa: S608
    for piece in pieces:
        if piece.groups is not None:
            edges = ((piece.file.starts[group], piece.file.starts[group + 1] - 1) for group in piece.groups)
            rows = " OR ".join(f"{_ROW} BETWEEN {first} AND {last}" for first, last in edges) or "false"
            source = f"read_parquet({listed([piece.file.path])}, hive_partitioning = false, {_ROW} = true)"
            parts.append(f"SELECT * EXCLUDE ({_ROW}) FROM {source} WHERE {rows}")  # noqa: S608
    return " UNION ALL ".join(parts)


def _ask(connection: duckdb.DuckDBPyConnection, sql: str, given: Mapping[str, Any]) -> Any:
    """A reader that computes while it is read; nothing is held whole."""
    return connection.sql(sql, params=dict(given)).to_arrow_reader(LIMIT)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(field.name, _plain(field.type)) for field in reader.schema])
    for batch in reader:
        for start in range(0, batch.num_rows, LIMIT):
            yield batch.slice(start, LIMIT).cast(schema)


def _told(dataset: Dataset, ask: Ask, rows: pa.Table) -> Iterator[Located]:
    kept = in_tenure(dataset, ask, rows)
    if kept.num_rows:
        yield Located(ask, kept)


def _handed_out(asks: Sequence[Ask], batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Ask, pa.Table]]:
    """Rows whose first column is their ask's number, as tables of each ask."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= GATHERED:
            yield from _by_ask(asks, pa.Table.from_batches(held))
            held = []
    if held:
        yield from _by_ask(asks, pa.Table.from_batches(held))


def _by_ask(asks: Sequence[Ask], rows: pa.Table) -> Iterator[tuple[Ask, pa.Table]]:
    numbers = rows.column(0).to_numpy()
    order = np.argsort(numbers, kind="stable")
    rows = rows.drop_columns([rows.column_names[0]]).take(pa.array(order))
    found, starts = np.unique(numbers[order], return_index=True)
    for number, start, end in zip(found, starts, [*starts[1:], len(numbers)], strict=True):
        for at in range(start, end, LIMIT):
            yield asks[number], rows.slice(at, min(LIMIT, end - at))


def _plain(kind: pa.DataType) -> pa.DataType:
    """DuckDB labels instants with this machine's zone and gives ENUM as dictionaries; the same must come anywhere."""
    if isinstance(kind, pa.DictionaryType):
        return kind.value_type
    return pa.timestamp(kind.unit, "UTC") if isinstance(kind, pa.TimestampType) and kind.tz else kind
