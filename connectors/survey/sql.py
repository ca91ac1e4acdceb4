"""SQL databases: every table, partition and materialized view of the live schema, whatever the inventory declares.

Foreign tables are another server's, declared as its own system. A dataset's records are sought in its ``table``, else
in the only one that its ``fetch`` names; where that is a view, declare ``table``.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pyarrow.csv as pc_csv
from psycopg import sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from connectors.survey.look import NUMBER, Look, Part, Unread
from connectors.survey.marks import Marks
from connectors.survey.reach import Reach
from dsr.errors import BadInput, ConnectorUnavailable
from dsr.inventory import Dataset
from dsr.plan import Level, Sought

ROWS = 32_768
_MOST_KEYS = 200_000
"""Keys that are looked for in raw bytes; more of them would fill the memory, and L2 is then not claimed."""
_PIECE, _OVERLAP = 1 << 22, 1 << 10
_TABLE = re.compile(r'\b(?:from|join)\s+((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)', re.IGNORECASE)
_OWED = {"who": "dba", "code": "PG_REWRITE",
         "steps": ["vacuum_full", "analyze", "vacuum_full_pg_statistic", "wal_and_archive", "replicas"]}  # fmt: skip
"""What takes PostgreSQL from L1 to L2 (limits.md §5); it locks whole tables, so it is never the engine's."""


class Database:
    def __init__(self, reach: Reach, marks: Marks) -> None:
        self._reach = reach
        self._also: set[str] | None = None

    @cached_property
    def _url(self) -> URL:
        try:
            url = make_url(self._reach.address())
        except (ArgumentError, ValueError):
            url = None
        if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
            raise BadInput(f"system.{self._reach.system.name}.survey_url", "is no database the survey speaks to",
                           "use sqlite or postgresql+psycopg")  # fmt: skip
        return url

    @property
    def _is_file(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def parts(self, sought: Sequence[Sought], before: Mapping[str, Any] | None) -> Iterator[Part | Unread]:
        placed = Placed(self._reach)
        yield from _sqlite(self._file, placed) if self._is_file else _postgres(self._url, placed)

    def memory(self) -> dict[str, Any]:
        return {}

    # -- level -------------------------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        path = Path(self._url.database or "")
        if not path.is_file():
            raise ConnectorUnavailable(self._reach.system.name, None, "the database file is not there")
        return path

    def also(self, sought: Sequence[Sought]) -> Sequence[str]:
        """Text keys of what goes: where kept records hold the person's name, only these tell a stray row."""
        if not self._is_file:
            return ()
        tables = [rows for each in sought for gone in (each.gone, each.gone_before) for rows in gone.values()]
        if sum(rows.num_rows for rows in tables) > _MOST_KEYS:
            return ()
        self._also = {text for rows in tables for column in rows.columns if pa.types.is_string(column.type)
                      for text in column.to_pylist() if text}  # fmt: skip
        return tuple(self._also)

    def rewritten(self, owed: Mapping[str, Any]) -> list[str]:
        """Of the ``owes`` of a level: table and step that was not taken since, as far as the catalogue tells."""
        return [] if self._is_file else _not_rewritten(self._url, owed)

    def level(self, look: Look, before: Mapping[str, Any]) -> tuple[Level, dict[str, Any]]:
        if not self._is_file:
            return "L1", {"owes": {**_OWED, **_files_of(self._url, look.sought_in())}}
        if self._also is None:
            return "L1", {"raw": "too_many_keys"}
        files = sorted(self._file.parent.glob(self._file.name + "*"))
        with closing(_opened(self._file)) as connection:
            encoding = str(connection.execute("PRAGMA encoding").fetchone()[0]).lower()
        strays = len(set().union(*(_strays(path, encoding, look) for path in files)))
        return "L1" if strays else "L2", {"raw_files": len(files), "strays": strays}


def _strays(path: Path, encoding: str, look: Look) -> set[str]:
    """What stands in the bytes of a file (the database, -wal, -journal, -shm, a copy of it) and in no row."""
    found: set[str] = set()
    shifts = (0, 1) if encoding.startswith("utf-16") else (0,)
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(_PIECE):
            data = tail + piece
            for shift in shifts:
                found |= look.needles.raw(data[shift:], encoding)
            tail = data[-_OVERLAP:]
    return found - look.needles.rough


class Placed:
    """Which declared datasets have their records in which table."""

    def __init__(self, reach: Reach) -> None:
        self._here = tuple(reach.datasets().values())
        self._tables: dict[str, list[Dataset]] = {}
        for dataset in self._here:
            named = {_plain(name) for name in ([dataset.table] if dataset.table else _TABLE.findall(dataset.fetch))}
            if len(named) == 1:
                self._tables.setdefault(named.pop(), []).append(dataset)

    def part(self, place: str, names: Sequence[str], columns: Sequence[str], rows: pa.Table) -> Part:
        """``names``: by which statements may name the table."""
        declared = tuple(dataset for name in names for dataset in self._tables.get(name.lower(), ()))
        live = {column.lower() for column in columns}
        copies = () if declared else tuple(d for d in self._here if {key.lower() for key in d.key} <= live)
        return Part(place, rows, declared, copies)


def _plain(name: str) -> str:
    return name.replace('"', "").lower()


# -- SQLite ----------------------------------------------------------------------------------------------------------


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    connection.text_factory = _read_text
    return connection


def _read_text(raw: bytes) -> str | bytes:
    """A text that is none in the database's encoding (cp932 put in as it came) is looked at as bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _sqlite(path: Path, placed: Placed) -> Iterator[Part]:
    with closing(_opened(path)) as connection:
        connection.execute("BEGIN")  # one state for all tables
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in sorted(names, key=lambda name: name.startswith("sqlite_")):  # statistics last: no rows of their own
            cursor = connection.execute(f"SELECT * FROM {_quoted(name)}")  # noqa: S608
            columns = [described[0] for described in cursor.description]
            for rows in _batches(cursor.fetchmany):
                part = placed.part(name, [name], columns, _loose(columns, rows))
                yield Part(name, part.rows, beside=True) if name.startswith("sqlite_") else part


def _batches(fetch: Callable[[int], list[Any]]) -> Iterator[list[Any]]:
    """An empty table is one empty batch: a place that was looked at."""
    rows = fetch(ROWS)
    yield rows
    while rows:
        if rows := fetch(ROWS):
            yield rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _loose(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """SQLite's columns have no type: each becomes three, its texts, its numbers and its bytes."""
    table: dict[str, pa.Array] = {}
    for column, cells in zip(columns, zip(*rows, strict=True) if rows else [()] * len(columns), strict=True):
        table[column] = pa.array([cell if isinstance(cell, str) else None for cell in cells], pa.string())
        numbers = [_number(cell) for cell in cells]
        table[column + NUMBER] = pa.array(numbers, pa.string())
        table[column + "#bytes"] = pa.array([cell if isinstance(cell, bytes) else None for cell in cells], pa.binary())
    return pa.table(table)


def _number(cell: Any) -> str | None:
    return None if isinstance(cell, str | bytes | None) else str(cell) if isinstance(cell, int) else repr(cell + 0.0)


# -- PostgreSQL ------------------------------------------------------------------------------------------------------

_SESSION = (
    "SET TIME ZONE 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'; "
    "SET extra_float_digits = 1; SET row_security = off"
)
"""One text for one value. With row_security off a policy that hides rows is an error, not a smaller table."""
_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind, n.nspname = current_schema(), has_table_privilege(c.oid, 'SELECT'),
       (SELECT min(inhparent) FROM pg_inherits WHERE inhrelid = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_toast%' AND n.nspname NOT LIKE 'pg_temp%' ORDER BY 2, 3
"""
_COLUMNS = """
SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_READ_AS = {"int2": pa.int64(), "int4": pa.int64(), "int8": pa.int64(), "bool": pa.bool_()}
_SPELLED = {"numeric": sql.SQL("trim_scale({})"), "float4": sql.SQL("{} + 0"), "float8": sql.SQL("{} + 0")}
"""How a number is asked for so that 1.50 is 1.5 and -0 is 0."""
Columns = Sequence[tuple[str, str]]


def _connected(url: URL) -> psycopg.Connection[Any]:
    told = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    return psycopg.connect(
        **{**told, "connect_timeout": 10, "application_name": "dsr survey", "client_encoding": "UTF8"}
    )


def _postgres(url: URL, placed: Placed) -> Iterator[Part | Unread]:
    with _connected(url) as connection:
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        connection.execute(_SESSION)
        tables = {row[0]: row[1:] for row in connection.execute(_TABLES).fetchall()}
        for oid, (schema, name, kind, _, readable, _) in tables.items():
            top = _top(tables, oid)
            place = _spoken(tables[top])[0]
            if not readable:
                yield Unread(place, "the survey may not read it: GRANT SELECT to its account")
            elif kind != "p":
                columns = connection.execute(_COLUMNS, (oid,)).fetchall()
                for rows in _copied(connection, sql.Identifier(schema, name), kind, columns) if columns else ():
                    yield placed.part(place, _spoken(tables[top]), [column for column, _ in columns], rows)
        if connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() != (0,):
            yield Unread("pg_largeobject", "large objects are not read")


def _top(tables: Mapping[int, Sequence[Any]], oid: int) -> int:
    """The table whose partition this is, or itself."""
    while tables[oid][5] in tables:
        oid = tables[oid][5]
    return oid


def _spoken(table: Sequence[Any]) -> list[str]:
    schema, name, home = table[0], table[1], table[3]
    return [name, f"{schema}.{name}"] if home else [f"{schema}.{name}"]


# -- the DBA's duty: a rewritten table stands in another file ----------------------------------------------------------

_FILE = """
SELECT pg_relation_filenode(c.oid)::text,
       greatest(s.last_analyze, s.last_autoanalyze) > %s::timestamptz FROM pg_class c
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid WHERE c.oid = to_regclass(%s)
"""
_STATISTIC = "pg_catalog.pg_statistic"


def _files_of(url: URL, places: Collection[str]) -> dict[str, Any]:
    """Each table's file (a number that VACUUM FULL changes), that of the statistics, and the database's own time."""
    with _connected(url) as connection:
        tables = {row[0]: row[1:] for row in connection.execute(_TABLES).fetchall()}
        named = [f'"{schema}"."{name}"' for oid, (schema, name, kind, *_) in tables.items()
                 if kind != "p" and _spoken(tables[_top(tables, oid)])[0] in places]  # fmt: skip
        at = connection.execute("SELECT clock_timestamp()::text").fetchone()
        files = {name: connection.execute(_FILE, (at and at[0], name)).fetchone() for name in (*named, _STATISTIC)}
        return {"files": {name: file[0] for name, file in files.items() if file}, "at": at and at[0]}


def _not_rewritten(url: URL, owed: Mapping[str, Any]) -> list[str]:
    left = []
    with _connected(url) as connection:
        for name, file in owed["files"].items():
            now = connection.execute(_FILE, (owed["at"], name)).fetchone()
            if now is None:  # the table itself is gone
                continue
            left += [f"{name}: VACUUM FULL"] if now[0] == file else []
            left += [f"{name}: ANALYZE"] if name != _STATISTIC and not now[1] else []
    return left


def _copied(
    connection: psycopg.Connection[Any], table: sql.Identifier, kind: str, columns: Columns
) -> Iterator[pa.Table]:
    """As CSV, which tells NULL from '' and is read a column at a time; a message is one row."""
    asked = [_SPELLED.get(type_name, sql.SQL("{}")).format(sql.Identifier(column)) for column, type_name in columns]
    only = sql.SQL("ONLY " if kind == "r" else "")  # what its children hold is read with them
    query = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT csv)").format(sql.SQL(", ").join(asked), only, table)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        rows = iter(copy)

        def fetch(count: int) -> list[bytes]:
            return [bytes(row) for _, row in zip(range(count), rows, strict=False)]

        for lines in _batches(fetch):
            yield _parsed(b"".join(lines), columns)


def _parsed(data: bytes, columns: Columns) -> pa.Table:
    types = {_named(*column): _READ_AS.get(column[1], pa.string()) for column in columns}
    if not data:
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    rows = pc_csv.read_csv(
        pa.BufferReader(data),
        pc_csv.ReadOptions(column_names=list(types), use_threads=False, block_size=len(data) + 1),
        pc_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pc_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True,
                              quoted_strings_can_be_null=False, true_values=["t"], false_values=["f"]),
    )  # fmt: skip
    for at, (column, type_name) in enumerate(columns):
        if type_name == "bytea":
            raw = [text and bytes.fromhex(text[2:]) for text in rows.column(column).to_pylist()]
            rows = rows.set_column(at, column, pa.array(raw, pa.binary()))
    return rows


def _named(column: str, type_name: str) -> str:
    return column + NUMBER if type_name in _SPELLED else column
