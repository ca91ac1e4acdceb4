# ruff: noqa: S608 - names come from the reviewed inventory and are quoted; values are only ever bound
"""Carries out plans in an SQL database: set-based, one transaction, counted by the store, nothing else touched.

The keys go into a temporary table of the very column types; every statement is one over all of them, however many rows
there are (traps.md T39). What the store counts must be what was found there by the same keys, or nothing is changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from connectors.stores.statements import Statement
from dsr.errors import BadInput, CheckFailed, ConnectorRefused
from dsr.inventory import Dataset
from dsr.plan import Effects, Plan, Receipt

KEYS, PLACE = "dsr_keys", "table"
SECONDS = 5
"""How long another's lock is waited for."""
_LEADS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_PG_REFERRING = """
SELECT c.conrelid::regclass::text AS child, c.confdeltype AS rule, array_agg(a.attname ORDER BY x.n) AS child_columns,
       array_agg(f.attname ORDER BY x.n) AS own_columns
FROM pg_constraint c CROSS JOIN unnest(c.conkey, c.confkey) WITH ORDINALITY AS x(child, own, n)
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = x.child
JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = x.own
WHERE c.contype = 'f' AND c.confrelid = CAST(:t AS regclass) GROUP BY c.oid, c.conrelid, c.confdeltype"""


@dataclass(frozen=True)
class Words:
    """What the two databases say differently. ``same`` is equal where NULL equals NULL, and to the letter."""

    same: str
    rows: str


SQLITE = Words("{t} IS {k} AND {t} IS {k} COLLATE BINARY", "rowid")
POSTGRES = Words("{t} = {k}", "ctid")
POSTGRES_NULLS = Words("{t} IS NOT DISTINCT FROM {k}", "ctid")
"""Slower, for nothing joins by it; only where a key has a part that is NULL."""


def table_of(dataset: Dataset, fetch: Statement) -> str:
    """The table that is changed: as declared, else the only one that the fetch reads. Raises BadInput."""
    if dataset.table:
        return dataset.table
    if len(fetch.tables) != 1 or not fetch.plain:
        raise BadInput(f"{dataset.id}.table", "is not declared, and fetch is no plain SELECT of one table",
                       "name the table to change, or leave it to its owner (writes = \"work_order\")")  # fmt: skip
    return next(iter(fetch.tables))


def engine_of(url: URL) -> Engine:
    """A way in of its own that may write; the reading one never can."""
    if url.get_backend_name() == "sqlite":
        return create_engine(
            "sqlite://", poolclass=NullPool, hide_parameters=True,
            creator=lambda: sqlite3.connect(url.database or "", timeout=SECONDS, isolation_level=None),
        )
    return create_engine(
        url, poolclass=NullPool, hide_parameters=True, isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": 10, "application_name": "dsr-write", "prepare_threshold": None,
                      "options": f"-c lock_timeout={SECONDS}s"},
    )  # fmt: skip


def write(engine: Engine, table: str, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
    """A receipt per plan; see ``dsr.connector.Writes.write``."""
    planned = {f"{at}": plan.records for at, plan in enumerate(plans)}
    if (said := effects.ended(PLACE)) is not None:
        return _receipts(plans, said["counts"])
    resumed = effects.begun(PLACE) is not None
    effects.intend(PLACE, {"table": table, "planned": planned})
    with _transaction(engine) as connection:
        present = _carry_out(connection, table, plans)
    _truncate_wal(engine)
    # Killed after the commit and before the record: what is gone now went by our own hand.
    counts = {str(at): [plan.records if resumed else n, 0 if resumed else plan.records - n]
              for at, (plan, n) in enumerate(zip(plans, present, strict=True))}  # fmt: skip
    effects.done(PLACE, {"counts": counts})
    return _receipts(plans, counts)


def _receipts(plans: Sequence[Plan], counts: Mapping[str, Sequence[int]]) -> list[Receipt]:
    told = [counts[str(at)] for at in range(len(plans))]
    return [Receipt(plan.case_no, plan.dataset.id, plan.records, *one) for plan, one in zip(plans, told, strict=True)]


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    """All or nothing; SQLite takes its lock at the start."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            with suppress(DBAPIError):
                connection.exec_driver_sql("ROLLBACK")
            raise


def _truncate_wal(engine: Engine) -> None:
    """What was overwritten must not stay in the log beside the file; a reader in the way is seen by the survey."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection, suppress(DBAPIError):
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _carry_out(connection: Connection, table: str, plans: Sequence[Plan]) -> list[int]:
    """Of each plan how many of its records were there, and are changed now."""
    sqlite, key = connection.dialect.name == "sqlite", list(plans[0].dataset.key)
    nulls = any(column.null_count for plan in plans for column in plan.keys.select(key).columns)
    words, name = SQLITE if sqlite else POSTGRES_NULLS if nulls else POSTGRES, _quoted(table)
    columns = sorted({column for plan in plans if plan.values for column in plan.values.column_names} - set(key))
    _fill_keys(connection, name, key, columns, plans)
    joined = " AND ".join(words.same.format(t=f"t.{_quoted(c)}", k=f"k.{_quoted(c)}") for c in key)
    before = _count(connection, f"SELECT count(*) FROM {name}")
    there = f"SELECT count(*) FROM {KEYS} AS k JOIN {name} AS t ON {joined}"
    present = [_count(connection, f"{there} WHERE k.dsr_no = {at}") for at in range(len(plans))]
    if any(n > plan.records for n, plan in zip(present, plans, strict=True)):
        raise CheckFailed(f"{plans[0].dataset.id}: the declared key is not unique in {table}; nothing was changed")
    mine = f"SELECT t.{words.rows} FROM {KEYS} AS k JOIN {name} AS t ON {joined}"
    distinct = _count(connection, f"SELECT count(*) FROM (SELECT DISTINCT * FROM ({mine}) AS every) AS dsr_rows")
    gone = plans[0].values is None
    if gone:
        _refuse_cascades(connection, table, plans[0].dataset, joined, name)
        changed = connection.exec_driver_sql(f"DELETE FROM {name} WHERE {words.rows} IN ({mine})").rowcount
    else:
        sets = ", ".join(f"{_quoted(c)} = k.{_quoted('v_' + c)}" for c in columns)
        changed = connection.exec_driver_sql(f"UPDATE {name} AS t SET {sets} FROM {KEYS} AS k WHERE {joined}").rowcount
    after = _count(connection, f"SELECT count(*) FROM {name}")
    if changed != distinct or after != before - (distinct if gone else 0):
        raise CheckFailed(f"{plans[0].dataset.id}: {distinct} records were there and the store changed {changed}, "
                          f"{before} rows became {after}; nothing was changed")  # fmt: skip
    connection.exec_driver_sql(f"DROP TABLE {KEYS}")
    return present


def _fill_keys(
    connection: Connection, name: str, key: Sequence[str], columns: Sequence[str], plans: Sequence[Plan]
) -> None:
    """A temporary table of the live column types, so that '12' finds an integer 12 and 0 stays 0 (traps.md T13)."""
    shown = ", ".join([*(_quoted(c) for c in key), *(f"{_quoted(c)} AS {_quoted('v_' + c)}" for c in columns)])
    connection.exec_driver_sql(f"CREATE TEMP TABLE {KEYS} AS SELECT {shown}, 0 AS dsr_no FROM {name} WHERE 1 = 0")
    names = [*key, *(f"v_{c}" for c in columns)]
    binds = ", ".join(f":c{at}" for at in range(len(names)))
    insert = text(f"INSERT INTO {KEYS} ({', '.join(map(_quoted, names))}, dsr_no) VALUES ({binds}, :no)")
    for number, plan in enumerate(plans):
        told = [plan.keys.column(c).to_pylist() for c in key]
        told += [plan.values.column(c).to_pylist() for c in columns] if plan.values is not None else []
        rows = [{"no": number, **{f"c{at}": v for at, v in enumerate(row)}} for row in zip(*told, strict=True)]
        if rows:
            connection.execute(insert, rows)
    connection.exec_driver_sql(f"CREATE INDEX dsr_keys_no ON {KEYS} (dsr_no)")


def _refuse_cascades(connection: Connection, table: str, dataset: Dataset, joined: str, name: str) -> None:
    """A row of another table that would go, or lose its link, with ours was in no plan (traps.md T09)."""
    for child, rule, pairs in _referring(connection, table):
        link = " AND ".join(f"r.{_quoted(c)} = t.{_quoted(own)}" for c, own in pairs)
        query = f"SELECT count(*) FROM {KEYS} AS k JOIN {name} AS t ON {joined} JOIN {child} AS r ON {link}"
        if _count(connection, query):
            words = f"deleting would {rule} rows of {child}: plan those first"
            raise ConnectorRefused(dataset.system, dataset.name, words)


def _referring(connection: Connection, table: str) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Tables whose foreign key to ours acts on deletion: name, rule, pairs of its column and ours."""
    if connection.dialect.name != "sqlite":
        for row in connection.execute(text(_PG_REFERRING), {"t": _quoted(table)}):
            if row.rule in _LEADS:
                yield row.child, _LEADS[row.rule], list(zip(row.child_columns, row.own_columns, strict=True))
        return
    names = [row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for child in names:
        keys: dict[int, list[Any]] = {}
        for link in connection.execute(text("SELECT * FROM pragma_foreign_key_list(:t)"), {"t": child}).mappings():
            if link["table"].lower() == table.lower() and link["on_delete"] in _LEADS.values():
                keys.setdefault(link["id"], []).append(link)
        for links in keys.values():
            yield _quoted(child), links[0]["on_delete"], [(link["from"], link["to"] or link["from"]) for link in links]


def _count(connection: Connection, sql: str) -> int:
    return int(connection.exec_driver_sql(sql).scalar() or 0)


def _quoted(name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
