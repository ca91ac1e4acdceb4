# ruff: noqa: S608 - names come from the reviewed inventory and are quoted; values are only ever bound
"""Carries out plans in an SQL database: set-based, one transaction, counted by the store, nothing else touched.

The keys go into a temporary table of the very column types; every statement is one over all of them, however many rows
there are (traps.md T39). What the store counts must be what was found there by the same keys, or nothing is changed.
The account needs SELECT, DELETE and UPDATE on the table, and in PostgreSQL TEMPORARY on the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from connectors.stores.statements import Statement
from dsr.errors import BadInput, CheckFailed, ConnectorRefused
from dsr.plan import Effects, Plan, Receipt

PLACE = "table"
SECONDS = 5.0
"""How long another's lock is waited for."""
_LEADS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_PG_REFERRING = """
SELECT c.conrelid::regclass::text AS child, c.confdeltype AS on_delete, c.confupdtype AS on_update,
       array_agg(a.attname::text ORDER BY x.n) AS its, array_agg(f.attname::text ORDER BY x.n) AS ours
FROM pg_constraint c CROSS JOIN unnest(c.conkey, c.confkey) WITH ORDINALITY AS x(child, own, n)
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = x.child
JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = x.own
WHERE c.contype = 'f' AND c.confrelid = CAST(:t AS regclass) GROUP BY c.oid"""


@dataclass(frozen=True)
class Dialect:
    """What the two databases say differently. ``same``: equal to the letter, by an index where there is one; ``holds``:
    has that value, NULL too, also of a type that knows no equality."""

    begin: tuple[str, ...]
    temporary: str
    same: str
    holds: str


_DIALECTS: Mapping[str, Dialect] = {
    "sqlite": Dialect(
        # The keys in no temporary file; what is deleted overwritten (limits.md §5); the lock taken at the start.
        ("PRAGMA temp_store = MEMORY", "PRAGMA secure_delete = ON", "PRAGMA foreign_keys = ON", "BEGIN IMMEDIATE"),
        "CREATE TEMP TABLE {} AS ", "{0} = {1} AND {0} = {1} COLLATE BINARY", "{0} IS {1} COLLATE BINARY",
    ),
    "postgresql": Dialect(
        ("SET LOCAL lock_timeout = '{seconds}s'",), "CREATE TEMP TABLE {} ON COMMIT DROP AS ", "{0} = {1}",
        "CAST({0} AS text) IS NOT DISTINCT FROM CAST({1} AS text)",
    ),
}  # fmt: skip


def table_of(fetch: Statement, plans: Sequence[Plan]) -> str:
    """The table that is changed: as declared, else the only one that the fetch reads. Raises BadInput."""
    dataset = plans[0].dataset
    leave = 'leave it to its owner (writes = "work_order")'
    if not dataset.table and (len(fetch.tables) != 1 or not fetch.plain):
        raise BadInput(f"{dataset.id}.table", "is not declared, and fetch is no plain SELECT of one table",
                       f"name the table to change, or {leave}")  # fmt: skip
    for name in sorted({name for plan in plans if plan.values for name in plan.values.column_names}):
        if name in dataset.key:
            raise BadInput(f"{dataset.id}.key", f"{name} is to be changed, and records are told apart by it", leave)
        if name.lower() in fetch.renamed:
            raise BadInput(f"{dataset.id}.fetch", f"{name} is not the column of that name, so it cannot be set", leave)
    return dataset.table or next(iter(fetch.tables))


def engine_of(url: URL) -> Engine:
    """A way in of its own that may write; the reading one never can. Search path and options are those of reading."""
    if url.get_backend_name() == "sqlite":
        address = f"file:{quote(url.database or '')}?mode=rw"
        return create_engine(
            "sqlite://", poolclass=NullPool, hide_parameters=True,
            creator=lambda: sqlite3.connect(address, uri=True, timeout=SECONDS, isolation_level=None),
        )
    return create_engine(
        url, poolclass=NullPool, hide_parameters=True, isolation_level="REPEATABLE READ",
        execution_options={"no_parameters": True},  # a percent sign in a name is one
        connect_args={"connect_timeout": 10, "application_name": "dsr-write", "prepare_threshold": None},
    )  # fmt: skip


def write(engine: Engine, table: str, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
    """A receipt per plan; see ``dsr.connector.Writes.write``."""
    said = effects.ended(PLACE)
    if said is None:
        with _transaction(engine) as connection:
            batches = [_Batch(connection, table, number, alike) for number, alike in enumerate(_alike(plans))]
            there = {name: count for batch in batches for name, count in batch.find().items()}
            # Killed between commit and record: what was there at the intent and is gone now, went by our own hand.
            before = (effects.begun(PLACE) or {"there": {}})["there"]
            there = {name: max(count, before.get(name, 0)) for name, count in there.items()}
            said = {"table": table, "planned": {_name(plan): plan.records for plan in plans}, "there": there}
            effects.intend(PLACE, said)
            for batch in batches:
                batch.change()
        _truncate_wal(engine)
        effects.done(PLACE, said)
    changed = [said["there"][_name(plan)] for plan in plans]
    return [Receipt(plan.case_no, plan.dataset.id, plan.records, count, plan.records - count)
            for plan, count in zip(plans, changed, strict=True)]  # fmt: skip


def _name(plan: Plan) -> str:
    return f"{plan.case_no}:{'erase' if plan.values is None else 'set'}"


def _alike(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Plans that do the same to a row, together."""
    groups: dict[tuple[str, ...], list[Plan]] = {}
    for plan in plans:
        groups.setdefault(tuple(plan.values.column_names) if plan.values is not None else (), []).append(plan)
    return list(groups.values())


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    """All or nothing: whatever is not committed when the connection closes is as if it had not been."""
    with engine.connect() as connection:
        for statement in _DIALECTS[engine.dialect.name].begin:
            connection.exec_driver_sql(statement.format(seconds=SECONDS))
        yield connection
        connection.commit()


def _truncate_wal(engine: Engine) -> None:
    """What was overwritten must not stay in the log beside the file; a reader in the way is seen by the survey."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection, suppress(DBAPIError):
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


@dataclass
class _Batch:
    """Plans of one kind in one transaction: their keys ``k``, and the rows ``r`` found by them, as temporary tables."""

    connection: Connection
    table: str
    number: int
    plans: Sequence[Plan]
    joins: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dialect, self.dataset = _DIALECTS[self.connection.dialect.name], self.plans[0].dataset
        self.name, self.keys, self.rows = _quoted(self.table), f"dsr_keys_{self.number}", f"dsr_rows_{self.number}"
        values = self.plans[0].values
        self.columns = values.column_names if values is not None else []
        self.ids = _row_ids(self.connection, self.table)

    # -- looking -----------------------------------------------------------------------------------------------

    def find(self) -> dict[str, int]:
        """Of each plan, how many of its records are there. Raises CheckFailed, or ConnectorRefused for a cascade."""
        self._fill_keys()
        self._find_rows()
        counts = self._run(
            f"SELECT plan, count(*), max(n) FROM (SELECT plan, record, count(*) AS n FROM {self.rows} "
            "GROUP BY plan, record) AS each GROUP BY plan"
        ).fetchall()
        if any(most > 1 for _, _, most in counts):
            raise CheckFailed(f"{self.dataset.id}: the declared key is not unique in {self.table}; nothing was changed")
        self._refuse_cascades()
        present = {plan: count for plan, count, _ in counts}
        return {_name(plan): present.get(at, 0) for at, plan in enumerate(self.plans)}

    def _fill_keys(self) -> None:
        """A temporary table of the live column types, so that '12' finds an integer 12 and 0 stays 0 (traps.md T13).

        Never analysed: PostgreSQL would keep the most common keys in pg_statistic.
        """
        names = [f"{_quoted(c)} AS k{at}" for at, c in enumerate(self.dataset.key)]
        names += [f"{_quoted(c)} AS v{at}" for at, c in enumerate(self.columns)]
        shape = f"SELECT 0 AS plan, 0 AS record, {', '.join(names)} FROM {self.name} WHERE 1 = 0"
        self._run(self.dialect.temporary.format(self.keys) + shape)
        rows = [(at, record, *row) for at, plan in enumerate(self.plans) for record, row in enumerate(_told(plan))]
        if self.connection.dialect.name == "postgresql":
            with self.connection.connection.cursor().copy(f"COPY {self.keys} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        elif rows:
            self.connection.exec_driver_sql(f"INSERT INTO {self.keys} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        # NULL equals nothing: each pattern of NULLs in a key is joined in its own words, and by an index.
        width = len(self.dataset.key)
        patterns = {tuple(part is None for part in row[2 : 2 + width]) for row in rows}
        self.joins = [self._same(nulls) for nulls in sorted(patterns or {(False,) * width})]

    def _same(self, nulls: Sequence[bool]) -> str:
        terms = [self.dialect.same if not null else "{0} IS NULL AND {1} IS NULL" for null in nulls]
        columns = [(f"t.{_quoted(c)}", f"k.k{at}") for at, c in enumerate(self.dataset.key)]
        return " AND ".join(term.format(*pair) for term, pair in zip(terms, columns, strict=True))

    def _find_rows(self) -> None:
        shown = ["k.plan", "k.record", *(f"k.v{at}" for at in range(len(self.columns)))]
        shown += [f"t.{name} AS r{at}" for at, name in enumerate(self.ids)]
        self._run(f"DROP TABLE IF EXISTS {self.rows}")
        self._run(self.dialect.temporary.format(self.rows) + self._joined(", ".join(shown)))

    def _joined(self, shown: str, also: str = "") -> str:
        return " UNION ALL ".join(
            f"SELECT {shown} FROM {self.keys} AS k JOIN {self.name} AS t ON {on}{also}" for on in self.joins
        )

    def _refuse_cascades(self) -> None:
        """A row of another table that would go, or change, with ours was in no plan (traps.md T09)."""
        mine = f"SELECT 1 FROM {self.rows} AS r JOIN {self.name} AS t ON {self._mine()}"
        act, set_here = ("UPDATE" if self.columns else "DELETE"), {name.lower() for name in self.columns}
        for child, rules, pairs in _referring(self.connection, self.table):
            touched = not self.columns or {own.lower() for _, own in pairs} & set_here
            if not touched or rules[act] not in _LEADS.values():
                continue
            link = " AND ".join(f"t.{_quoted(own)} = c.{_quoted(its)}" for its, own in pairs)
            if self._count(f"{mine} JOIN {child} AS c ON {link}"):
                words = f"rows of {child} would change too (ON {act} {rules[act]}): plan those first"
                raise ConnectorRefused(self.dataset.system, self.dataset.name, words)

    # -- changing ----------------------------------------------------------------------------------------------

    def change(self) -> None:
        """Raises CheckFailed where the store's counts are not what was found: a trigger, a rule, two plans at odds."""
        if self.number:
            self._find_rows()  # the batch before may have changed where they stand
        found, before = self._count(f"SELECT DISTINCT {self._found()} FROM {self.rows}"), self._total()
        changed = (self._set() if self.columns else self._delete()).rowcount
        after = self._total()
        as_planned = self._as_planned()
        if (changed, after, as_planned) != (found, before - (0 if self.columns else found), True):
            raise CheckFailed(
                f"{self.dataset.id}: {found} records were there, the store says it changed {changed}, {before} rows "
                f"became {after}{'' if as_planned else ', and not all are as planned'}; nothing was changed"
            )

    def _found(self) -> str:
        return ", ".join(f"r{at}" for at in range(len(self.ids)))

    def _mine(self) -> str:
        return " AND ".join(f"t.{name} = r.r{at}" for at, name in enumerate(self.ids))

    def _delete(self) -> Any:
        mine = f"SELECT {self._found()} FROM {self.rows}"
        return self._run(f"DELETE FROM {self.name} WHERE ({', '.join(self.ids)}) IN ({mine})")

    def _set(self) -> Any:
        sets = ", ".join(f"{_quoted(c)} = r.v{at}" for at, c in enumerate(self.columns))
        return self._run(f"UPDATE {self.name} AS t SET {sets} FROM {self.rows} AS r WHERE {self._mine()}")

    def _as_planned(self) -> bool:
        """Looked for by key again: none is left, or each holds what it was to hold."""
        if not self.columns:
            return not self._count(self._joined("1"))
        holding = [self.dialect.holds.format(f"t.{_quoted(c)}", f"k.v{at}") for at, c in enumerate(self.columns)]
        wanted = self._count(f"SELECT 1 FROM {self.rows}")
        return self._count(self._joined("1", " AND " + " AND ".join(holding))) == wanted

    def _run(self, sql: str) -> Any:
        return self.connection.exec_driver_sql(sql)

    def _count(self, rows: str) -> int:
        return self._number(f"SELECT count(*) FROM ({rows}) AS each")

    def _total(self) -> int:
        return self._number(f"SELECT count(*) FROM {self.name}")

    def _number(self, sql: str) -> int:
        return int(self._run(sql).scalar())


def _told(plan: Plan) -> Iterator[tuple[Any, ...]]:
    tables = [plan.keys.select(list(plan.dataset.key))] + ([plan.values] if plan.values is not None else [])
    return zip(*(column.to_pylist() for table in tables for column in table.columns), strict=True)


def _row_ids(connection: Connection, table: str) -> list[str]:
    """Columns that tell every row from every other, whatever the declared key is worth."""
    if connection.dialect.name == "postgresql":
        return ["tableoid", "ctid"]  # a ctid alone is another row's, too, in another partition
    columns = connection.execute(text("SELECT name, pk FROM pragma_table_info(:t) ORDER BY pk"), {"t": table}).all()
    free = next(name for name in ("rowid", "_rowid_", "oid") if name not in {str(row.name).lower() for row in columns})
    try:
        connection.exec_driver_sql(f"SELECT {free} FROM {_quoted(table)} LIMIT 0")
    except DBAPIError:  # a table WITHOUT ROWID has a primary key that is one
        return [_quoted(row.name) for row in columns if row.pk] or [free]
    return [free]


def _referring(connection: Connection, table: str) -> Iterator[tuple[str, dict[str, str], list[tuple[str, str]]]]:
    """Foreign keys to ours: table, what it does on DELETE and on UPDATE, pairs of its column and ours."""
    if connection.dialect.name == "postgresql":
        for row in connection.execute(text(_PG_REFERRING), {"t": _quoted(table)}):
            rules = {"DELETE": _LEADS.get(row.on_delete, ""), "UPDATE": _LEADS.get(row.on_update, "")}
            yield row.child, rules, list(zip(row.its, row.ours, strict=True))
        return
    named = text("SELECT * FROM pragma_foreign_key_list(:t) ORDER BY id, seq")
    primary = text("SELECT name FROM pragma_table_info(:t) WHERE pk ORDER BY pk")
    for child in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all():
        keys: dict[int, list[Any]] = {}
        for link in connection.execute(named, {"t": child}).mappings():
            if link["table"].lower() == table.lower():
                keys.setdefault(link["id"], []).append(link)
        for rows in keys.values():
            # Without a column named, it is our primary key that is meant.
            meant = connection.execute(primary, {"t": table}).scalars().all() if rows[0]["to"] is None else ()
            pairs = list(zip((one["from"] for one in rows), meant or [one["to"] for one in rows], strict=True))
            yield _quoted(child), {"DELETE": rows[0]["on_delete"], "UPDATE": rows[0]["on_update"]}, pairs


def _quoted(name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
