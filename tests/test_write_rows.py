"""Plans carried out in real SQL databases: exactly these rows, counted by the store, in one transaction, once."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from connectors.stores.sql import SqlStore
from connectors.stores.sql_write import engine_of, write
from dsr.connector import Writes
from dsr.errors import BadInput, CheckFailed, ConnectorError, ConnectorRefused
from dsr.inventory import read_inventory
from dsr.plan import Plan
from tests.connector_fixtures import Postgres, connector_of, keys_of
from tests.effects import FileEffects

SCHEMA = (
    "CREATE TABLE supply (no TEXT, seq INTEGER, name TEXT, paid NUMERIC(10,2), made TIMESTAMP)",
    "INSERT INTO supply VALUES ('A', 0, 'hers', 1.50, '2026-01-01'), ('A', 1, 'hers', 2.00, '2026-01-02'), "
    "('', 0, 'hers', 0, NULL), (NULL, 7, 'hers', 3, NULL), ('0', 0, 'hers', 4, NULL), ('a', 0, 'the neighbour''s', 5, NULL), "
    "('A', 2, 'the neighbour''s', 6, '2026-01-03'), (NULL, 8, 'the neighbour''s', 7, NULL), ('A ', 0, 'the neighbour''s', 8, NULL)",
    "CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO other VALUES (1, 'hers'), (2, 'the neighbour''s')",
)
HERS = keys_of(no=["A", "A", "", None, "0"], seq=[0, 1, 0, 7, 0])
INVENTORY = """
[company]
name = "c"
[system.power]
label = "p"
store = "sql"
url = "{url}"
writes = "direct"
[system.power.dataset.supply]
label = "s"
key = ["no", "seq"]
by = "no"
locate = "SELECT no, seq FROM supply WHERE no = :no"
fetch = "SELECT no, seq, name FROM supply WHERE (no, seq) IN :keys ORDER BY no, seq"
[system.power.dataset.supply.fields]
no = {{label = "n", kind = "record_no"}}
seq = "s"
name = {{label = "n", kind = "user.name"}}
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        return postgres.database(*SCHEMA)
    with closing(sqlite3.connect(tmp_path / "power.db")) as base:
        base.executescript(";".join(SCHEMA))
    return f"sqlite:///{tmp_path / 'power.db'}"


def connector(url: str, folder: Path, document: str = INVENTORY) -> SqlStore:
    found = connector_of(folder, document.format(url=url))
    assert isinstance(found, SqlStore)
    assert isinstance(found, Writes)
    return found


def plan_of(store: SqlStore, keys: pa.Table = HERS, values: pa.Table | None = None, case: str = "DSR-2026-000001") -> Plan:
    return Plan(case, store.access.system.dataset["supply"], keys, "digest", values)


def held(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, by a way of its own."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return {t: sorted((tuple(r) for r in connection.execute(text(f"SELECT * FROM {t}"))), key=repr)
                for t in ("supply", "other")}  # fmt: skip


def of_neighbours(rows: dict[str, list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    return [row for row in rows["supply"] if row[2] != "hers"] + rows["other"]


def test_exactly_these_rows_go_and_every_other_is_what_it_was(url: str, tmp_path: Path) -> None:
    store, before = connector(url, tmp_path), held(url)
    assert sum(row[2] == "hers" for row in before["supply"]) == HERS.num_rows
    [receipt] = store.write([plan_of(store)], FileEffects(tmp_path / "log"))
    after = held(url)
    assert (receipt.planned, receipt.changed, receipt.absent) == (5, 5, 0)
    assert [row for row in after["supply"] if row[2] == "hers"] == []
    assert of_neighbours(after) == of_neighbours(before)


def test_a_second_time_answers_with_the_first_and_a_new_order_finds_them_absent(url: str, tmp_path: Path) -> None:
    store, effects = connector(url, tmp_path), FileEffects(tmp_path / "log")
    first = store.write([plan_of(store)], effects)
    assert store.write([plan_of(store)], effects) == first
    assert [phase for phase, _, _ in effects.lines()] == ["intent", "result"]
    [again] = store.write([plan_of(store)], FileEffects(tmp_path / "another"))
    assert (again.changed, again.absent) == (0, 5)


def test_values_are_set_and_nothing_beside_them(url: str, tmp_path: Path) -> None:
    store, before = connector(url, tmp_path), held(url)
    [receipt] = store.write(
        [plan_of(store, values=pa.table({"name": ["■", None, "", "x", "y"]}))], FileEffects(tmp_path / "log")
    )
    after = held(url)
    assert receipt.changed == 5
    names = {(row[0], row[1]): row[2] for row in after["supply"]}
    assert [names[key] for key in [("A", 0), ("A", 1), ("", 0), (None, 7), ("0", 0)]] == ["■", None, "", "x", "y"]
    assert [row[:2] + row[3:] for row in after["supply"]] != []
    assert sorted(repr(r[:2] + r[3:]) for r in after["supply"]) == sorted(repr(r[:2] + r[3:]) for r in before["supply"])
    assert of_neighbours(before) == [row for row in [*after["supply"], *after["other"]] if row in of_neighbours(before)]


def test_two_cases_in_one_transaction_have_each_their_receipt(url: str, tmp_path: Path) -> None:
    store = connector(url, tmp_path)
    plans = [plan_of(store), plan_of(store, keys_of(no=["a", "never"], seq=[0, 9]), case="DSR-2026-000002")]
    one, other = store.write(plans, FileEffects(tmp_path / "log"))
    assert (one.case_no, one.changed, one.absent) == ("DSR-2026-000001", 5, 0)
    assert (other.case_no, other.changed, other.absent) == ("DSR-2026-000002", 1, 1)
    assert ("A", 2) in {row[:2] for row in held(url)["supply"]}


def test_a_key_that_is_not_unique_changes_nothing(url: str, tmp_path: Path) -> None:
    with create_engine(url, poolclass=NullPool).begin() as base:
        base.execute(text("INSERT INTO supply VALUES ('A', 0, 'the neighbour''s', 9, NULL)"))
    store, before = connector(url, tmp_path), held(url)
    with pytest.raises(CheckFailed, match="not unique"):
        store.write([plan_of(store)], FileEffects(tmp_path / "log"))
    assert held(url) == before


def test_a_store_that_changes_something_else_than_it_was_told_changes_nothing(url: str, tmp_path: Path) -> None:
    """A trigger that keeps a row back, and one that brings one back."""
    swallow = {
        "sqlite": ("CREATE TRIGGER hoard BEFORE DELETE ON supply WHEN OLD.seq = 1 BEGIN SELECT RAISE(IGNORE); END",),
        "postgresql": (
            "CREATE FUNCTION hoard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.seq = 1 THEN RETURN NULL; END IF; "
            "RETURN OLD; END $$",
            "CREATE TRIGGER hoard BEFORE DELETE ON supply FOR EACH ROW EXECUTE FUNCTION hoard()",
        ),
    }
    with create_engine(url, poolclass=NullPool).begin() as base:
        for statement in swallow["sqlite" if url.startswith("sqlite") else "postgresql"]:
            base.exec_driver_sql(statement)
    store, before = connector(url, tmp_path), held(url)
    with pytest.raises(CheckFailed, match="nothing was changed"):
        store.write([plan_of(store)], FileEffects(tmp_path / "log"))
    assert held(url) == before


@pytest.mark.parametrize("rule", ["CASCADE", "SET NULL"])
def test_rows_of_another_table_never_go_along(url: str, tmp_path: Path, rule: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as base:
        base.exec_driver_sql("CREATE UNIQUE INDEX u ON supply (no, seq)")
        base.exec_driver_sql(
            f"CREATE TABLE meter (id INTEGER, no TEXT, seq INTEGER, FOREIGN KEY (no, seq) REFERENCES supply (no, seq) "
            f"ON DELETE {rule})"
        )
        base.exec_driver_sql("INSERT INTO meter VALUES (1, 'A', 1), (2, 'A', 2)")
    store, before = connector(url, tmp_path), held(url)
    with pytest.raises(ConnectorRefused, match="meter"):
        store.write([plan_of(store)], FileEffects(tmp_path / "log"))
    assert held(url) == before
    free = plan_of(store, keys_of(no=["A"], seq=[0]))
    assert store.write([free], FileEffects(tmp_path / "free"))[0].changed == 1


def test_a_fetch_of_two_tables_needs_its_table_named(url: str, tmp_path: Path) -> None:
    joined = INVENTORY.replace("FROM supply WHERE (no, seq) IN", "FROM supply JOIN other ON true WHERE (no, seq) IN")
    store = connector(url, tmp_path, joined)
    with pytest.raises(BadInput, match=r"power\.supply\.table"):
        store.write([plan_of(store)], FileEffects(tmp_path / "log"))


POINTS = ("before intent:table", "after intent:table", "before result:table", "after result:table", "in the transaction")


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_and_run_again_it_ends_the_same(url: str, tmp_path: Path, point: str) -> None:
    """SIGKILL in a process of its own; inside the transaction, too."""
    store, before = connector(url, tmp_path), held(url)

    def die(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    if (child := os.fork()) == 0:
        if point == "in the transaction":
            def deadly(*_: Any) -> None:
                die(point)
            event.listen(create_engine("sqlite://").__class__, "commit", deadly)
            import connectors.stores.sql_write as module
            counted = module._count
            calls = iter(range(99))
            module._count = lambda c, s: die(point) if next(calls) == 3 else counted(c, s)  # type: ignore[assignment, return-value]
        store.write([plan_of(store)], FileEffects(tmp_path / "log", die))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    effects = FileEffects(tmp_path / "log")
    [receipt] = store.write([plan_of(store)], effects)
    assert (receipt.planned, receipt.changed, receipt.absent) == (5, 5, 0)
    assert [phase for phase, _, _ in effects.lines()] == ["intent", "result"]
    after = held(url)
    assert [row for row in after["supply"] if row[2] == "hers"] == []
    assert of_neighbours(after) == of_neighbours(before)


def test_a_connection_that_dies_in_mid_transaction_changes_nothing_and_a_retry_completes(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("sqlite"):
        pytest.importorskip("sqlite3")
    import connectors.stores.sql_write as module

    store, before, counted, calls = connector(url, tmp_path), held(url), module._count, iter(range(99))

    def dying(connection: Any, sql: str) -> int:
        if next(calls) == 3:
            if url.startswith("sqlite"):
                connection.connection.driver_connection.close()
            else:
                other = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
                with other.connect() as killer:
                    killer.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dsr-write'"))
        return counted(connection, sql)

    monkeypatch.setattr(module, "_count", dying)
    with pytest.raises(ConnectorError):
        store.write([plan_of(store)], FileEffects(tmp_path / "log"))
    assert held(url) == before
    [receipt] = store.write([plan_of(store)], FileEffects(tmp_path / "log"))
    assert receipt.changed == 5
    assert of_neighbours(held(url)) == of_neighbours(before)


def test_statements_do_not_grow_with_rows(tmp_path: Path) -> None:
    """5,000 rows in as many statements as five (traps.md T39)."""
    counts = {}
    for size in (5, 5_000):
        path = tmp_path / f"{size}.db"
        with closing(sqlite3.connect(path)) as base:
            base.execute("CREATE TABLE supply (no TEXT, seq INTEGER, name TEXT)")
            base.executemany("INSERT INTO supply VALUES ('A', ?, 'hers')", ((n,) for n in range(size)))
            base.execute("INSERT INTO supply VALUES ('B', 0, 'the neighbour''s')")
            base.commit()
        (tmp_path / "inventory.toml").write_text(INVENTORY.format(url=f"sqlite:///{path}"))
        dataset = read_inventory(tmp_path / "inventory.toml").dataset("power.supply")
        from sqlalchemy.engine import make_url

        engine, seen = engine_of(make_url(f"sqlite:///{path}")), list[str]()
        event.listen(engine, "before_cursor_execute", lambda *a, s=seen: s.append(a[2]))
        plan = Plan("DSR-2026-000001", dataset, keys_of(no=["A"] * size, seq=list(range(size))), "digest")
        assert write(engine, "supply", [plan], FileEffects(tmp_path / f"log{size}"))[0].changed == size
        with closing(sqlite3.connect(path)) as base:
            assert base.execute("SELECT * FROM supply").fetchall() == [("B", 0, "the neighbour's")]
        counts[size] = len(seen)
    assert counts[5] == counts[5_000]


Anything = Callable[..., Any]
