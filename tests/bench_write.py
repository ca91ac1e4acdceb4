"""Erasing 5,000 of 300,000 rows by plan, against one ``DELETE`` with the same keys, in SQLite and in PostgreSQL.

Both commit; the plan also journals its intent and its result on the disk, counts all rows before and after, looks for
its keys three times and, in SQLite, overwrites what it deletes (so does the plain DELETE here) and empties the log.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Found = dict[str, Any]
ALL, TURNS = 300_000, 5
INVENTORY = """
[company]
name = "c"
[system.call_history]
label = "通話・通信履歴"
store = "sql"
url = "URL"
writes = "direct"
[system.call_history.dataset.calls]
label = "通話履歴"
key = ["call_id"]
by = "line_no"
locate = "SELECT call_id FROM calls WHERE line_no = :line_no"
fetch = "SELECT call_id, line_no, seconds, note FROM calls WHERE call_id IN :keys"
fields = {call_id = "1", line_no = "2", seconds = "3", note = "4"}
"""
MADE = ("CREATE TABLE calls (call_id INTEGER PRIMARY KEY, line_no TEXT, seconds INTEGER, note TEXT)",
        "INSERT INTO calls SELECT n, '092-' || n % 1000, n % 900, 'a note of some length about call ' || n FROM {numbers}",
        "CREATE INDEX calls_line ON calls (line_no)")  # fmt: skip
NUMBERS = {
    "sqlite": f"(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {ALL - 1}) SELECT n FROM s)",
    "postgresql": f"generate_series(0, {ALL - 1}) AS n",
}


def draw(rows: int) -> list[list[int]]:
    """For each turn other rows, from all over the table."""
    drawn = np.random.default_rng(7).choice(ALL, rows * TURNS * 2, False)
    return [[int(n) for n in part] for part in np.split(drawn, TURNS * 2)]


def _best(url: str, turns: Sequence[Sequence[int]], work: Any) -> Found:
    from tests.bench import cpu_seconds, peak_rss_mb

    best: Found = {"seconds": 1e9}
    for keys in turns:
        before, cpu, began = _count(url), cpu_seconds(os.getpid()), time.perf_counter()
        work(keys)
        seconds = time.perf_counter() - began
        if seconds < best["seconds"]:
            best = {"seconds": seconds, "cpu": cpu_seconds(os.getpid()) - cpu, "rows": len(keys)}
        assert before - _count(url) == len(keys)
    return {**best, "peak_mb": peak_rss_mb()}


def _count(url: str) -> int:
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    with create_engine(url, poolclass=NullPool).connect() as base:
        return int(base.execute(text("SELECT count(*) FROM calls")).scalar() or 0)


def erase_plain(url: str, rows: int) -> Found:
    """Somebody who knows the keys and trusts the answer."""

    def in_sqlite(keys: Sequence[int]) -> None:
        base = sqlite3.connect(url.removeprefix("sqlite:///"))
        base.execute("PRAGMA secure_delete = ON")
        base.execute(f"DELETE FROM calls WHERE call_id IN ({', '.join('?' * len(keys))})", keys)
        base.commit()
        base.close()

    def in_postgres(keys: Sequence[int]) -> None:
        import psycopg

        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as base:
            base.execute("DELETE FROM calls WHERE call_id = ANY(%s)", (list(keys),))

    return _best(url, draw(rows)[:TURNS], in_sqlite if url.startswith("sqlite") else in_postgres)


def erase_planned(folder: str, url: str, rows: int) -> Found:
    from connectors.build import connect
    from dsr.connector import Writes
    from dsr.inventory import read_inventory
    from dsr.plan import Plan
    from tests.effects import FileEffects

    (Path(folder) / "inventory.toml").write_text(INVENTORY.replace("URL", url), encoding="utf-8")
    inventory = read_inventory(Path(folder) / "inventory.toml")
    store, dataset = connect(inventory)["call_history"], inventory.dataset("call_history.calls")
    assert isinstance(store, Writes)

    def work(keys: Sequence[int]) -> None:
        plan = Plan("DSR-2026-000001", dataset, pa.table({"call_id": keys}), "digest")
        (receipt,) = store.write([plan], FileEffects(Path(folder) / f"log.{keys[0]}"))
        assert receipt.changed == len(keys)

    return _best(url, draw(rows)[TURNS:], work)


JOBS = {work.__name__: work for work in (erase_plain, erase_planned)}


def bench_write(job: Any, root: Path, rows: int) -> Iterator[Found]:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    from tests.connector_fixtures import postgres_server

    root.mkdir()
    with postgres_server() as server:
        for name, url in (("sqlite", f"sqlite:///{root / 'calls.db'}"), ("postgresql", server.database())):
            with create_engine(url, poolclass=NullPool, execution_options={"no_parameters": True}).begin() as base:
                for statement in MADE:
                    base.exec_driver_sql(statement.format(numbers=NUMBERS[name]))
            plain = job(erase_plain, url=url, rows=rows)
            (root / name).mkdir()
            planned = job(erase_planned, folder=str(root / name), url=url, rows=rows)
            yield {"what": f"{name}: one DELETE with {rows:,} keys", **plain}
            yield {"what": f"{name}: a plan of {rows:,} records", **planned,
                   "ratio": planned["seconds"] / plain["seconds"]}  # fmt: skip
