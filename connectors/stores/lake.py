"""A lake of Parquet files, read by DuckDB: one view per dataset over its glob, and no other file can be opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.stores.faults import FILES, Guarded, places_of
from connectors.stores.rows import LIMIT, Exactly, by_nulls, distinct_keys, needed, require_fields
from connectors.stores.statements import Statement, fetching, locating, values_of
from dsr.connector import Ask, Drift, Located, in_tenure
from dsr.errors import BadInput, ConnectorDrifted, ConnectorMisread, ConnectorUnavailable
from dsr.inventory import Dataset

MEMORY = "320MB"
"""Of DuckDB. 1,000,000 calls located, fetched and sorted: see tests/test_connectors_lake.py."""
_KEYS = "dsr_keys"


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

    @contextmanager
    def _open(self, statement: Statement) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(":memory:", config=self._settings()) as connection:
            connection.execute("SET enable_progress_bar = false")  # it writes to standard output
            files = []
            for name in sorted(statement.tables):
                dataset = self._dataset(name, statement)
                paths = [str(path) for path in self.access.files(dataset)]
                listed = _listed(paths)
                view = name.replace('"', '""')
                connection.execute(
                    f'CREATE VIEW "{view}" AS SELECT * FROM read_parquet({listed}, hive_partitioning = false)'  # noqa: S608
                )
                files += paths
            connection.execute(f"SET allowed_paths = {_listed(files)}")
            connection.execute("SET enable_external_access = false")
            yield connection

    def _settings(self) -> dict[str, Any]:
        return {
            "memory_limit": MEMORY,
            "temp_directory": str(self.access.scratch or ""),
            "threads": 2,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }

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

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        for ask in asks:
            statement = locating(dataset, ask.way, "duckdb")
            self._require_whole(dataset)
            with self._open(statement) as connection:
                live = self._columns(connection, statement)
                if missing := needed(dataset) - set(live.names):
                    raise ConnectorDrifted(dataset.system, dataset.name, f"column {min(missing)} is missing")
                at = live.field(dataset.at.column).type if dataset.at else None
                sql, given = statement.render("$", values_of(dataset, ask, at))
                for batch in _batches(_ask(connection, sql, given)):
                    yield Located(ask, in_tenure(dataset, ask, pa.Table.from_batches([batch])))

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        statement = fetching(dataset, "duckdb")
        self._require_whole(dataset)
        wanted = distinct_keys(keys, dataset)
        with self._open(statement) as connection:
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

    # -- drift -------------------------------------------------------------------------------------------------

    def _require_whole(self, dataset: Dataset) -> None:
        """A file without its column, or with one more, would read as NULL or be left out in silence."""
        for place, problem in self._drift_of_files(dataset):
            raise ConnectorDrifted(dataset.system, dataset.name, f"{place} is {problem}")

    def _check(self) -> list[Drift]:
        return [
            Drift(dataset.system, dataset.name, place, problem)
            for dataset in self.access.system.dataset.values()
            for place, problem in places_of(dataset, self._drift)
        ]

    def _drift(self, dataset: Dataset) -> list[tuple[str, str]]:
        statements = {"fetch": fetching(dataset, "duckdb")}
        statements |= {f"ways.{way}": locating(dataset, way, "duckdb") for way in range(len(dataset.ways))}
        places = self._drift_of_files(dataset)
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

    def _drift_of_files(self, dataset: Dataset) -> list[tuple[str, str]]:
        """``column in file``: against the fields, and against what the statements read by name."""
        read = fetching(dataset, "duckdb").columns.union(*(
            locating(dataset, way, "duckdb").columns for way in range(len(dataset.ways))
        ))
        schemas = {path.name: self._schema(dataset, path) for path in self.access.files(dataset)}
        somewhere = set().union(*schemas.values())
        # A field that no file has may be computed by the fetch; whether it is, the probe of the fetch says.
        expected = set(dataset.fields) & somewhere
        known = {field.lower() for field in dataset.fields} | read
        places = []
        for name, live in schemas.items():
            places += [(f"{column} in {name}", "missing") for column in sorted(expected - live)]
            places += [(f"{column} in {name}", "undeclared") for column in sorted(live) if column.lower() not in known]
        return places

    def _schema(self, dataset: Dataset, path: Path) -> set[str]:
        broken = ""
        try:
            return set(pq.read_schema(path).names)
        except pa.ArrowException as error:
            broken = type(error).__name__
        raise ConnectorMisread(dataset.system, dataset.name, f"{path.name} is no whole Parquet file ({broken})")


def _listed(paths: Sequence[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


def _ask(connection: duckdb.DuckDBPyConnection, sql: str, given: Mapping[str, Any]) -> Any:
    """A reader that computes while it is read; nothing is held whole."""
    return connection.sql(sql, params=dict(given)).to_arrow_reader(LIMIT)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(field.name, _plain(field.type)) for field in reader.schema])
    for batch in reader:
        for start in range(0, batch.num_rows, LIMIT):
            yield batch.slice(start, LIMIT).cast(schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    """DuckDB labels instants with this machine's zone and gives ENUM as dictionaries; the same must come anywhere."""
    if isinstance(kind, pa.DictionaryType):
        return kind.value_type
    return pa.timestamp(kind.unit, "UTC") if isinstance(kind, pa.TimestampType) and kind.tz else kind
