"""SQL databases: SQLite and PostgreSQL, opened read-only, asked by the inventory's own SELECTs and nothing else."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg
import pyarrow as pa
from sqlalchemy import Connection, CursorResult, Engine, bindparam, create_engine, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType

from connectors.stores import sql_write
from connectors.stores.access import Access
from connectors.stores.catalog import Catalog, read_catalog
from connectors.stores.faults import Guarded, places_of
from connectors.stores.rows import LIMIT, Columns, Exactly, by_nulls, distinct_keys, needed, require_fields
from connectors.stores.statements import Statement, fetching, locating, values_of
from dsr.connector import Ask, Drift, Located, in_tenure
from dsr.errors import (
    BadInput,
    ConnectorDrifted,
    ConnectorError,
    ConnectorMisread,
    ConnectorRefused,
    ConnectorUnavailable,
)
from dsr.inventory import Dataset
from dsr.plan import Effects, Plan, Receipt

T = TypeVar("T")
KEYS_AT_ONCE = 5_000
_BINDS_AT_ONCE = 30_000  # SQLite takes 32,766 parameters in a statement
_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgres"}
_PG_TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(), 17: pa.binary(), 20: pa.int64(), 21: pa.int64(), 23: pa.int64(), 700: pa.float64(),
    701: pa.float64(), 1082: pa.date32(), 1114: pa.timestamp("us"), 1184: pa.timestamp("us", "UTC"),
}
_SQLITE_TYPES = (("INT", pa.int64()), ("REAL", pa.float64()), ("FLOA", pa.float64()), ("DOUB", pa.float64()))
_PG_CODES: tuple[tuple[str, type[ConnectorError], str], ...] = (
    ("28", ConnectorRefused, "log-in refused"),
    ("3D", ConnectorRefused, "no such database"),
    ("42501", ConnectorRefused, "no permission"),
    ("42", ConnectorDrifted, "the statement does not fit the live schema"),
    ("22", ConnectorMisread, "a value cannot be read"),
    ("23", ConnectorRefused, "a constraint of the database stands in the way"),
    ("25006", ConnectorRefused, "the statement would change data"),
    ("P0001", ConnectorRefused, "a trigger of the database stands in the way"),
)
"""By the beginning of SQLSTATE, first match wins; anything else of PostgreSQL is no answer."""
_SQLITE_CODES: dict[str, tuple[type[ConnectorError], str]] = {
    "SQLITE_ERROR": (ConnectorDrifted, "the statement does not fit the live schema"),
    "SQLITE_CORRUPT": (ConnectorMisread, "the file is damaged"),
    "SQLITE_NOTADB": (ConnectorMisread, "the file is no database"),
    "SQLITE_AUTH": (ConnectorRefused, "no permission"),
    "SQLITE_PERM": (ConnectorRefused, "no permission"),
    "SQLITE_CONSTRAINT": (ConnectorRefused, "a constraint of the database stands in the way"),
    "SQLITE_READONLY": (ConnectorRefused, "the statement would change data"),
}
_NO_LOGIN = ("authentication failed", "no pg_hba.conf entry", "does not exist", "password", "認証")
"""libpq gives no SQLSTATE for a refused log-in; its words are looked at and never repeated."""


def database_url(written: str, field: str) -> URL:
    """Raises BadInput, naming ``field``, unless ``written`` is the address of a database this store speaks to."""
    try:
        url = make_url(written)
    except (exc.ArgumentError, ValueError):
        raise BadInput(field, "is no database address", "write sqlite:///FILE or postgresql+psycopg://…") from None
    if url.get_backend_name() not in _DIALECTS:
        raise BadInput(field, "is no database this store speaks to", "use sqlite or postgresql+psycopg")
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url


@dataclass(frozen=True)
class Live:
    """A statement's columns as they are now. ``spelled``: PostgreSQL's names of their types; SQLite has none."""

    names: tuple[str, ...]
    types: Mapping[str, pa.DataType]
    spelled: Mapping[str, str]


class SqlStore(Guarded):
    """NUMERIC comes as text: no digit is lost. In SQLite compare ``at`` as a bare column: an expression has no type."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._read: dict[tuple[str, int], Statement] = {}

    @cached_property
    def _engine(self) -> Engine:
        url = database_url(self.access.address(), f"system.{self.access.system.name}.url")
        if url.get_backend_name() == "sqlite":
            address = f"file:{quote(url.database or '')}?mode=ro"
            return create_engine(
                "sqlite://", poolclass=NullPool, hide_parameters=True,
                creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False),
            )
        return create_engine(
            url, poolclass=NullPool, hide_parameters=True, isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
            connect_args={"connect_timeout": 10, "application_name": "dsr", "prepare_threshold": None},
        )

    def look(self, reading: Callable[[Connection], T]) -> T:
        """What ``reading`` makes of one read-only connection; its faults are told like every other's."""

        def read() -> Iterator[T]:
            with self._engine.connect() as connection:
                yield reading(connection)

        return next(self._guard(None, read))

    @property
    def _dialect(self) -> str:
        return _DIALECTS[self._engine.dialect.name]

    def _run(self, connection: Connection, sql: str, given: Mapping[str, Any]) -> CursorResult[Any]:
        # NullType: PostgreSQL then infers what a bind is from the column it meets, so '12' finds an integer 12.
        binds = [bindparam(name, value, type_=NullType()) for name, value in given.items()]
        streaming = connection.execution_options(stream_results=True, max_row_buffer=LIMIT)
        return streaming.execute(text(sql).bindparams(*binds))

    def _statement(self, dataset: Dataset, way: int = -1) -> Statement:
        if (dataset.id, way) not in self._read:
            read = fetching(dataset, self._dialect) if way < 0 else locating(dataset, way, self._dialect)
            self._read[dataset.id, way] = read
        return self._read[dataset.id, way]

    def _live(self, connection: Connection, statement: Statement) -> Live:
        """A statement run for nobody; asked anew in every call, for a schema may change while we live."""
        sql, given = statement.render(":", {})
        with self._run(connection, f"SELECT * FROM ({sql}\n) AS dsr_probe LIMIT 0", given) as result:  # noqa: S608
            described: Sequence[Any] = (result.cursor.description if result.cursor else None) or ()
        names = [column[0] for column in described]
        if len(set(names)) != len(names):
            raise BadInput(statement.place, "gives two columns of one name", "name them apart with AS")
        if self._dialect == "sqlite":
            return Live(tuple(names), self._affinities(connection, statement), {})
        query = text("SELECT format_type(code, NULL) FROM unnest(CAST(:codes AS oid[])) AS code")
        spelled = connection.execute(query, {"codes": [column[1] for column in described]}).scalars()
        types = {column[0]: _PG_TYPES.get(column[1], pa.string()) for column in described}
        return Live(tuple(names), types, dict(zip(names, spelled, strict=True)))

    @staticmethod
    def _affinities(connection: Connection, statement: Statement) -> dict[str, pa.DataType]:
        hints: dict[str, pa.DataType] = {}
        for table in sorted(statement.tables):
            columns = connection.execute(text("SELECT name, type FROM pragma_table_info(:t)"), {"t": table})
            for name, declared in columns:
                hints.setdefault(name, next((t for word, t in _SQLITE_TYPES if word in declared.upper()), pa.string()))
        return hints

    # -- asking ------------------------------------------------------------------------------------------------

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        seen: dict[int, Live] = {}
        with self._engine.connect() as connection:
            for ask in asks:
                statement = self._statement(dataset, ask.way)
                live = seen.setdefault(ask.way, seen.get(ask.way) or self._live(connection, statement))
                if missing := needed(dataset) - set(live.names):
                    raise ConnectorDrifted(dataset.system, dataset.name, f"column {min(missing)} is missing")
                at = live.types.get(dataset.at.column) if dataset.at and live.spelled else None
                columns = Columns(dataset, live.names, live.types)
                for values in self._as_stored(connection, statement, values_of(dataset, ask, at), ask):
                    sql, given = statement.render(":", values)
                    with self._run(connection, sql, given) as result:
                        for rows in result.partitions(LIMIT):
                            table = pa.Table.from_batches([columns.batch(rows)])
                            yield Located(ask, in_tenure(dataset, ask, table))

    def _as_stored(
        self, connection: Connection, statement: Statement, values: dict[str, Any], ask: Ask
    ) -> Iterator[dict[str, Any]]:
        """As text, and as a number too where SQLite would compare the two as different (a column without a type)."""
        yield values
        number = ask.identifier.value if ask.identifier else ""
        if self._dialect == "sqlite" and re.fullmatch(r"0|-?[1-9][0-9]{0,17}", number):
            tables = sorted(statement.tables)
            query = text("SELECT name FROM pragma_table_info(:t) WHERE type = '' OR upper(type) LIKE '%BLOB%'")
            untyped = {name.lower() for t in tables for name in connection.execute(query, {"t": t}).scalars()}
            if untyped & statement.columns:
                yield {**values, **{word: int(number) for word, value in values.items() if value == number}}

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        wanted, statement = distinct_keys(keys, dataset), self._statement(dataset)
        size = min(KEYS_AT_ONCE, _BINDS_AT_ONCE // len(dataset.key))
        with self._engine.connect() as connection:
            live = self._live(connection, statement)
            require_fields(dataset, live.names)
            columns = Columns(dataset, live.names, live.types)
            for nulls, group in by_nulls(wanted):
                for start in range(0, group.num_rows, size):
                    chunk = group.slice(start, size)
                    exactly = Exactly(dataset, chunk)
                    sql, given = _keyed(statement, live, nulls, chunk)
                    with self._run(connection, sql, given) as result:
                        for rows in result.partitions(LIMIT):
                            yield exactly.admit(columns.batch(rows)).select(list(dataset.fields))

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
        dataset = plans[0].dataset

        def carry_out() -> Iterator[list[Receipt]]:
            table = sql_write.table_of(self._statement(dataset), plans)
            engine = sql_write.engine_of(database_url(self.access.address(), f"system.{dataset.system}.url"))
            yield sql_write.write(engine, table, plans, effects)

        return next(self._guard(dataset, carry_out))

    # -- drift -------------------------------------------------------------------------------------------------

    def _check(self) -> list[Drift]:
        with self._engine.connect() as connection:
            catalog = read_catalog(connection, self._dialect)
        spoken, excused = self._spoken(catalog), self._excused()
        drifts = [
            Drift(dataset.system, dataset.name, place, problem)
            for dataset in self.access.system.dataset.values()
            for place, problem in places_of(dataset, lambda d: self._drift(d, catalog, spoken, excused))
        ]
        if self.access.speaks_for_address():
            strange = set(catalog.tables) - set(catalog.views) - catalog.partitions - set(spoken) - excused
            drifts += [Drift(self.access.system.name, None, table, "undeclared") for table in sorted(strange)]
        return drifts

    def _excused(self) -> frozenset[str]:
        return frozenset(name.lower() for system in self.access.housemates() for name in system.not_personal)

    def _spoken(self, catalog: Catalog) -> dict[str, set[str]]:
        """Tables that any dataset at this address speaks of → the columns that are accounted for there."""
        spoken: dict[str, set[str]] = {}
        for system in self.access.housemates():
            for dataset in system.dataset.values():
                for statement in self._statements(dataset, strict=False):
                    for table in catalog.under(statement.tables):
                        spoken.setdefault(table, set()).update({f.lower() for f in dataset.fields}, statement.columns)
        return spoken

    def _statements(self, dataset: Dataset, strict: bool = True) -> Iterator[Statement]:
        for way in range(-1, len(dataset.ways)):
            try:
                yield self._statement(dataset, way)
            except BadInput:
                if strict:
                    raise

    def _drift(
        self, dataset: Dataset, catalog: Catalog, spoken: Mapping[str, set[str]], excused: frozenset[str]
    ) -> Iterator[tuple[str, str]]:
        named = frozenset(catalog.name(table) for s in self._statements(dataset) for table in s.tables)
        if gone := named - set(catalog.tables):
            yield from ((table, "missing") for table in sorted(gone))
            return
        for statement in self._statements(dataset):
            is_fetch = statement is self._statement(dataset)
            yield from self._drift_of(dataset, statement, set(dataset.fields) if is_fetch else needed(dataset), catalog)
            if is_fetch:
                brought = self._probed(statement) or set()
                yield from ((name, "undeclared") for name in sorted(brought - set(dataset.fields)))
        # A SELECT of named columns would hide a new one, so the tables themselves are looked at too.
        for table in sorted(named - excused):
            for column in catalog.tables[table]:
                if column.lower() not in spoken.get(table, ()) and f"{table}.{column}".lower() not in excused:
                    yield column, "undeclared"

    def _drift_of(
        self, dataset: Dataset, statement: Statement, wanted: set[str], catalog: Catalog
    ) -> Iterator[tuple[str, str]]:
        names = self._probed(statement)
        there = {column.lower() for column in catalog.columns(statement.tables)}
        # SQLite takes a quoted name that is no column for a text literal, so a probe alone would not notice.
        lost: set[str] = set(statement.columns - there) if self._dialect == "sqlite" else set()
        if names is None:
            lost |= {name for name in wanted if name.lower() not in there}
            lost = lost or {statement.place.removeprefix(f"{dataset.id}.")}
        else:
            lost |= wanted - names
        yield from ((name, "missing") for name in sorted(lost))

    def _probed(self, statement: Statement) -> set[str] | None:
        """Columns that a statement gives; None where the live schema does not take it."""
        try:
            with self._engine.connect() as connection:
                return set(self._live(connection, statement).names)
        except exc.DBAPIError as error:
            if self._coded(error)[0] is not ConnectorDrifted:
                raise
        return None

    # -- errors ------------------------------------------------------------------------------------------------

    def _coded(self, error: Exception) -> tuple[type[ConnectorError], str]:
        driver = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(driver, sqlite3.Error):
            # Without a code it was Python that could not decode the text it was given.
            name = "_".join(getattr(driver, "sqlite_errorname", "").split("_")[:2])
            default = (ConnectorUnavailable, "cannot be reached") if name else (ConnectorMisread, "text is not UTF-8")
            return _SQLITE_CODES.get(name, default)
        if isinstance(driver, psycopg.Error) and driver.sqlstate:
            fitting = ((coded, words) for code, coded, words in _PG_CODES if driver.sqlstate.startswith(code))
            return next(fitting, (ConnectorUnavailable, "did not answer"))
        if isinstance(driver, psycopg.OperationalError):
            refused = any(words in str(driver) for words in _NO_LOGIN)
            return (ConnectorRefused, "log-in refused") if refused else (ConnectorUnavailable, "cannot be reached")
        return super()._coded(error)


def _keyed(
    statement: Statement, live: Live, nulls: tuple[bool, ...], chunk: pa.Table
) -> tuple[str, dict[str, Any]]:
    present = [name for name, null in zip(chunk.column_names, nulls, strict=True) if not null]
    columns = [chunk.column(name).to_pylist() for name in present]
    keys: dict[str, Any] = {}
    if live.spelled:
        # A list of row tuples is compared one by one (26 s for 12,000 of 70,000 rows); a set is joined (0.1 s).
        arrays = [f"CAST(:k{n} AS {live.spelled[name]}[])" for n, name in enumerate(present)]
        inner = f"SELECT * FROM unnest({', '.join(arrays)})"  # noqa: S608
        keys = {f"k{n}": values for n, values in enumerate(columns)}
    else:
        rows = ["(" + ", ".join(f":k{n}_{row}" for n in range(len(columns))) + ")" for row in range(chunk.num_rows)]
        inner = "VALUES " + ", ".join(rows)
        keys = {f"k{n}_{row}": value for n, values in enumerate(columns) for row, value in enumerate(values)}
    sql, given = statement.render(":", {}, nulls, inner)
    return sql, {**given, **(keys if present else {})}
