"""Plans carried out in real SQL databases: exactly these rows, counted by the store, in one transaction, once.

The promises that every writing store keeps are in ``connectors.contract``; here is what SQL can do to them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from connectors.contract import Told
from connectors.stores import sql_write
from connectors.stores.sql import SqlStore
from connectors.stores.sql_write import table_of
from connectors.stores.statements import fetching
from dsr.connector import Writes
from dsr.errors import BadInput, CheckFailed, ConnectorDrifted, ConnectorError, ConnectorRefused, ConnectorUnavailable
from dsr.inventory import read_inventory
from dsr.plan import Plan
from tests.connector_fixtures import Postgres, connector_of, keys_of
from tests.effects import FileEffects
from tests.killer import Killer

ALL = bool(os.environ.get("DSR_KILL_ALL"))
CASE, OTHER = "DSR-2026-000001", "DSR-2026-000002"
SCHEMA = (
    "CREATE TABLE supply (no TEXT, seq INTEGER, name TEXT, paid NUMERIC(10,2), made TIMESTAMP)",
    "INSERT INTO supply VALUES ('A', 0, 'hers', 1.50, '2026-01-01'), ('A', 1, 'hers', 2.00, '2026-01-02'), "
    "('', 0, 'hers', 0, NULL), (NULL, 7, 'hers', 3, NULL), ('0', 0, 'hers', 4, NULL), (NULL, NULL, 'hers', 5, NULL)",
    "INSERT INTO supply VALUES ('a', 0, 'theirs', 55, NULL), ('A', 2, 'theirs', 6, '2026-01-03'), "
    "(NULL, 8, 'theirs', 7, NULL), ('A ', 0, 'theirs', 8, NULL), ('0', NULL, 'theirs', 9, NULL), ('', 1, NULL, 10, NULL)",
    "CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO other VALUES (1, 'hers'), (2, 'theirs')",
)
HERS = keys_of(no=["A", "A", "", None, "0", None], seq=["0", "1", "0", "7", "0", None])
"""Text against an integer column: 0 and '' are values, only NULL is none (traps.md T13)."""
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
fetch = "SELECT no, seq, name, paid FROM supply WHERE (no, seq) IN :keys ORDER BY no, seq"
[system.power.dataset.supply.fields]
no = {{label = "n", kind = "record_no"}}
seq = "s"
name = {{label = "n", kind = "user.name"}}
paid = "p"
"""
Dump = dict[str, list[str]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        return postgres.database(*SCHEMA)
    with closing(sqlite3.connect(tmp_path / "power.db")) as base:
        base.executescript(";".join(SCHEMA))
    return f"sqlite:///{tmp_path / 'power.db'}"


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    return postgres.database(*SCHEMA)


def run(url: str, *statements: str) -> None:
    with create_engine(url, poolclass=NullPool, execution_options={"no_parameters": True}).begin() as base:
        for statement in statements:
            base.exec_driver_sql(statement)


def connector(url: str, folder: Path, document: str = INVENTORY) -> SqlStore:
    found = connector_of(folder, document.format(url=url))
    assert isinstance(found, SqlStore)
    assert isinstance(found, Writes)
    return found


def plan_of(store: SqlStore, keys: pa.Table = HERS, values: pa.Table | None = None, case: str = CASE) -> Plan:
    return Plan(case, store.access.system.dataset["supply"], keys, "digest", values)


def dump(url: str) -> Dump:
    """Every byte of every row of every table, sorted, by a way of its own."""
    with create_engine(url, poolclass=NullPool).connect() as base:
        if url.startswith("sqlite"):
            names = base.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
            return {name: sorted(_quoted(base, name)) for name in names}
        tables = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        found: Dump = {}
        for name in base.exec_driver_sql(tables).scalars().all():
            with base.connection.driver_connection.cursor().copy(f"COPY {name} TO STDOUT") as copy:  # type: ignore[union-attr]
                found[name] = sorted(b"".join(copy).decode().splitlines())
        return found


def _quoted(base: Connection, table: str) -> list[str]:
    columns = base.execute(text("SELECT name FROM pragma_table_info(:t)"), {"t": table}).scalars().all()
    shown = " || '|' || ".join(f'quote("{column}")' for column in columns)
    return list(base.exec_driver_sql(f'SELECT {shown} FROM "{table}"').scalars())


def without_hers(rows: Dump, table: str = "supply") -> Dump:
    return {**rows, table: [row for row in rows[table] if "hers" not in row]}


# -- exactly these -------------------------------------------------------------------------------------------------


def test_exactly_these_rows_go_and_every_other_is_what_it_was(url: str, tmp_path: Path) -> None:
    store, before = connector(url, tmp_path), dump(url)
    assert sum("hers" in row for row in before["supply"]) == HERS.num_rows
    (receipt,) = store.write([plan_of(store)], Told())
    assert (receipt.planned, receipt.changed, receipt.absent) == (6, 6, 0)
    assert dump(url) == without_hers(before)


def test_values_are_set_and_nothing_beside_them(url: str, tmp_path: Path) -> None:
    store, before = connector(url, tmp_path), dump(url)
    names = ["■", None, "", "x\\N\t'\n", "%s :b", "y"]
    paid = ["1.50", "2.00", "0", "3", None, "7.25"]
    (receipt,) = store.write([plan_of(store, values=pa.table({"name": names, "paid": paid}))], Told())
    after = dump(url)
    assert receipt.changed == 6
    assert without_hers(after) == {**after, "supply": after["supply"]}
    told = "SELECT name, CAST(paid AS text) FROM supply WHERE name IS NULL OR name <> 'theirs'"
    with create_engine(url, poolclass=NullPool).connect() as base:
        found = {(name, amount and float(amount)) for name, amount in base.exec_driver_sql(told)}
    wanted = {(name, amount and float(amount)) for name, amount in zip(names, paid, strict=True)}
    assert found == wanted | {(None, 10.0)}
    assert [row for row in after["supply"] if "theirs" in row] == [row for row in before["supply"] if "theirs" in row]
    assert after["other"] == before["other"]


@pytest.mark.parametrize("value", ['{"home": "b"}', None])
def test_a_column_of_a_type_without_equality_is_set_and_read_again(
    postgres_url: str, tmp_path: Path, value: str | None
) -> None:
    """PostgreSQL's json: what the writer counts afterwards it compares as text."""
    run(postgres_url, "ALTER TABLE supply ADD note json", """UPDATE supply SET note = '{"home": "a"}'""")
    before, document = dump(postgres_url)["supply"], INVENTORY.replace("name, paid FROM", "name, paid, note FROM")
    store = connector(postgres_url, tmp_path, document + 'note = "n"\n')
    hers = keys_of(no=["A"], seq=["0"])
    [receipt] = store.write([plan_of(store, hers, pa.table({"note": pa.array([value], pa.string())}))], Told())
    after = dump(postgres_url)["supply"]
    [gone], [new] = set(before) - set(after), set(after) - set(before)
    assert (receipt.changed, len(after)) == (1, len(before))
    assert (gone.rpartition("\t")[0], new.rpartition("\t")[2]) == (new.rpartition("\t")[0], value or "\\N")


def test_the_receipt_of_a_second_time_is_the_first_and_a_new_order_finds_them_absent(url: str, tmp_path: Path) -> None:
    store, told = connector(url, tmp_path), FileEffects(tmp_path / "log")
    keys = keys_of(no=["A", "never"], seq=[0, 0])
    (first,) = store.write([plan_of(store, keys)], told)
    assert (first.changed, first.absent) == (1, 1)
    after = dump(url)
    assert store.write([plan_of(store, keys)], told) == [first]
    assert [phase for phase, _, _ in told.lines()] == ["intent", "result"]
    (again,) = store.write([plan_of(store, keys)], Told())
    assert (again.planned, again.changed, again.absent) == (2, 0, 2)
    assert dump(url) == after


def test_what_is_said_of_an_effect_holds_no_key(url: str, tmp_path: Path) -> None:
    store, told = connector(url, tmp_path), Told()
    store.write([plan_of(store, keys_of(no=["A"], seq=[0]))], told)
    assert told.intents == told.results == {
        "table": {"table": "supply", "planned": {f"{CASE}:erase": 1}, "there": {f"{CASE}:erase": 1}}
    }


# -- several cases -------------------------------------------------------------------------------------------------


def test_two_cases_in_one_transaction_each_row_once(url: str, tmp_path: Path) -> None:
    store, before = connector(url, tmp_path), dump(url)
    shared = keys_of(no=["A", "never"], seq=[0, 9])
    one, two = store.write([plan_of(store), plan_of(store, shared, case=OTHER)], Told())
    assert (one.case_no, one.changed, one.absent) == (CASE, 6, 0)
    assert (two.case_no, two.changed, two.absent) == (OTHER, 1, 1)
    assert dump(url) == without_hers(before)


def test_one_case_masks_and_another_erases_in_one_call(url: str, tmp_path: Path) -> None:
    store, before = connector(url, tmp_path), dump(url)
    both, hers = keys_of(no=["A", "A"], seq=[0, 1]), keys_of(no=["A"], seq=[0])
    plans = [plan_of(store, hers, case=OTHER), plan_of(store, both, pa.table({"name": ["■", "■"]}))]
    assert [receipt.changed for receipt in store.write(plans, Told())] == [1, 2]
    after = dump(url)
    assert [row for row in after["supply"] if "■" in row] and len(after["supply"]) == len(before["supply"]) - 1
    assert set(before["supply"]) >= {row for row in after["supply"] if "■" not in row}


def test_two_cases_at_odds_over_one_record_change_nothing(url: str, tmp_path: Path) -> None:
    """Each struck its own words from the same note: the later would bring the earlier's back."""
    store, before, key = connector(url, tmp_path), dump(url), keys_of(no=["A"], seq=[0])
    plans = [plan_of(store, key, pa.table({"name": [word]}), case) for case, word in ((CASE, "■x"), (OTHER, "x■"))]
    with pytest.raises(CheckFailed, match="nothing was changed"):
        store.write(plans, Told())
    assert dump(url) == before


# -- what the store does otherwise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", [0, 3])
def test_a_key_that_is_not_unique_changes_nothing(url: str, tmp_path: Path, absent: int) -> None:
    """Also where records that are gone would make the count come out even."""
    run(url, "INSERT INTO supply VALUES ('A', 0, 'theirs', 9, NULL)")
    store, before = connector(url, tmp_path), dump(url)
    keys = keys_of(no=["A", *["never"] * absent], seq=[0, *range(absent)])
    told = Told()
    with pytest.raises(CheckFailed, match="not unique"):
        store.write([plan_of(store, keys)], told)
    assert dump(url) == before and not told.said


TRIGGERS = {
    "swallows a delete": ("BEFORE DELETE", "SELECT RAISE(IGNORE)", "RETURN NULL"),
    "brings one back": ("AFTER DELETE", "INSERT INTO supply VALUES (OLD.no, OLD.seq, OLD.name, 0, NULL)",
                        "INSERT INTO supply VALUES (OLD.no, OLD.seq, OLD.name, 0, NULL); RETURN OLD"),
    "takes the neighbour's too": ("AFTER DELETE", "DELETE FROM supply WHERE seq = 8",
                                  "DELETE FROM supply WHERE seq = 8; RETURN OLD"),
    "does it, and says it did not": ("BEFORE DELETE", "DELETE FROM supply WHERE no = 'A' AND seq = 1; SELECT RAISE(IGNORE)",
                                     "IF pg_trigger_depth() = 1 THEN DELETE FROM supply WHERE no = 'A' AND seq = 1; "
                                     "RETURN NULL; END IF; RETURN OLD"),
    "swallows an update": ("BEFORE UPDATE", "SELECT RAISE(IGNORE)", "RETURN NULL"),
    "puts the old value back": ("AFTER UPDATE", "UPDATE supply SET name = OLD.name WHERE no = OLD.no AND seq = OLD.seq",
                                "IF pg_trigger_depth() = 1 THEN UPDATE supply SET name = OLD.name WHERE no = OLD.no AND "
                                "seq = OLD.seq; END IF; RETURN NEW"),
    "says no": ("BEFORE DELETE", "SELECT RAISE(ABORT, 'hers A 1')", "RAISE EXCEPTION 'hers A 1'"),
}  # fmt: skip


@pytest.mark.parametrize("what", TRIGGERS)
def test_a_trigger_that_makes_something_else_of_it_changes_nothing(url: str, tmp_path: Path, what: str) -> None:
    when, sqlite, postgres = TRIGGERS[what]
    if url.startswith("sqlite"):
        run(url, f"CREATE TRIGGER odd {when} ON supply WHEN OLD.seq = 1 BEGIN {sqlite}; END")
    else:
        body = f"BEGIN IF OLD.seq = 1 THEN {postgres}; END IF; RETURN COALESCE(NEW, OLD); END"
        run(url, f"CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
            f"CREATE TRIGGER odd {when} ON supply FOR EACH ROW EXECUTE FUNCTION odd()")
    store, before = connector(url, tmp_path), dump(url)
    values = pa.table({"name": ["■"] * 6}) if "UPDATE" in when else None
    with pytest.raises(ConnectorRefused if what == "says no" else CheckFailed) as caught:
        store.write([plan_of(store, values=values)], Told())
    assert "hers" not in str(caught.value)
    assert dump(url) == before
    free = keys_of(no=["A"], seq=[0])
    assert store.write([plan_of(store, free)], Told())[0].changed == 1


RULES = ("DELETE CASCADE", "DELETE SET NULL", "DELETE SET DEFAULT", "UPDATE CASCADE", "UPDATE SET NULL", "DELETE NO ACTION")


@pytest.mark.parametrize("rule", RULES)
def test_rows_of_another_table_never_go_along(url: str, tmp_path: Path, rule: str) -> None:
    run(url, "CREATE UNIQUE INDEX u ON supply (paid)",
        f"CREATE TABLE meter (id INTEGER, paid NUMERIC(10,2), FOREIGN KEY (paid) REFERENCES supply (paid) ON {rule})",
        "INSERT INTO meter VALUES (1, 2.00), (2, 6)")
    store, before = connector(url, tmp_path), dump(url)
    values = pa.table({"paid": ["101", "102", "103", "104", "105", "106"]}) if rule.startswith("UPDATE") else None
    with pytest.raises(ConnectorRefused, match="constraint" if rule == "DELETE NO ACTION" else r"meter.*ON"):
        store.write([plan_of(store, values=values)], Told())
    assert dump(url) == before
    free = plan_of(store, keys_of(no=["A"], seq=[0]), values.slice(0, 1) if values else None)
    assert store.write([free], Told())[0].changed == 1
    assert dump(url)["meter"] == before["meter"]
    if values:  # a column that nothing refers to may be set in any row
        assert store.write([plan_of(store, values=pa.table({"name": ["■"] * 6}))], Told())[0].changed == 6


def test_a_foreign_key_may_leave_unsaid_what_it_refers_to(url: str, tmp_path: Path) -> None:
    run(url, "CREATE TABLE meter (no INTEGER REFERENCES other ON DELETE CASCADE)", "INSERT INTO meter VALUES (1)")
    document = (INVENTORY.replace('"no", "seq"', '"id"').replace("SELECT no, seq FROM supply WHERE no", "SELECT id FROM other WHERE id")
                .replace("no, seq, name, paid FROM supply WHERE (no, seq) IN :keys ORDER BY no, seq", "id, name FROM other WHERE id IN :keys")
                .replace("no = {{", "id = {{").replace('seq = "s"\n', "").replace('paid = "p"\n', ""))  # fmt: skip
    store, before = connector(url, tmp_path, document), dump(url)
    with pytest.raises(ConnectorRefused, match="meter"):
        store.write([plan_of(store, keys_of(id=["1"]))], Told())
    assert dump(url) == before
    assert store.write([plan_of(store, keys_of(id=["2"]))], Told())[0].changed == 1


# -- which table, which rows ---------------------------------------------------------------------------------------


def test_a_fetch_of_two_tables_needs_its_table_named(url: str, tmp_path: Path) -> None:
    joined = INVENTORY.replace("FROM supply WHERE (no, seq) IN", "FROM supply JOIN other ON id = 1 WHERE (no, seq) IN")
    store = connector(url, tmp_path, joined)
    with pytest.raises(BadInput, match=r"power\.supply\.table"):
        store.write([plan_of(store)], Told())
    store = connector(url, tmp_path, joined.replace("by = ", 'table = "supply"\nby = '))
    assert store.write([plan_of(store)], Told())[0].changed == 6


@pytest.mark.parametrize(("name", "fetch", "field"), [
    ("name", "SELECT no, seq, upper(name) AS name, paid FROM", "fetch"), ("seq", "SELECT no, seq, name, paid FROM", "key"),
])
def test_only_a_column_of_the_table_and_none_of_its_key_is_set(
    url: str, tmp_path: Path, name: str, fetch: str, field: str
) -> None:
    store = connector(url, tmp_path, INVENTORY.replace("SELECT no, seq, name, paid FROM", fetch))
    before = dump(url)
    with pytest.raises(BadInput) as caught:
        store.write([plan_of(store, values=pa.table({name: ["1"] * 6}))], Told())
    assert caught.value.field == f"power.supply.{field}"
    assert dump(url) == before


def test_every_dataset_of_the_sample_that_we_write_has_its_table() -> None:
    inventory = read_inventory(Path(__file__).parent.parent / "sample_data" / "inventory.toml")
    mine = [d for s in inventory.system.values() if s.writes == "direct" and s.store == "sql" for d in s.dataset.values()]
    assert len(mine) > 5
    for dataset in mine:
        values = pa.table({name: ["■"] for name in (*dataset.deidentify, *dataset.use_stop)}) if dataset.deidentify else None
        plan = Plan(CASE, dataset, keys_of(**{name: ["1"] for name in dataset.key}), "digest", values)
        assert table_of(fetching(dataset, "sqlite"), [plan]) in dataset.fetch


@pytest.mark.parametrize(("more", "end"), [
    ("rowid TEXT DEFAULT 'same'", ""), ("code TEXT DEFAULT 'x' COLLATE NOCASE, PRIMARY KEY (code, paid)", "WITHOUT ROWID"),
])
def test_sqlite_rows_are_told_apart_without_rowid_and_with_a_column_of_that_name(
    tmp_path: Path, more: str, end: str
) -> None:
    """The declared key is unique to the letter, and the table knows its rows by something else."""
    path = tmp_path / "power.db"
    with closing(sqlite3.connect(path)) as base:
        base.executescript(f"CREATE TABLE supply (no TEXT COLLATE NOCASE, seq INTEGER, name TEXT, paid NUMERIC, {more}) {end};"
                           "INSERT INTO supply (no, seq, name, paid) VALUES ('A', 0, 'theirs', 1), ('A', 1, 'hers', 2), "
                           "('a', 1, 'theirs', 3), ('A', 3, 'hers', 4)")  # fmt: skip
    url, keys = f"sqlite:///{path}", keys_of(no=["A", "A"], seq=[1, 3])
    store, before = connector(url, tmp_path), dump(url)
    assert store.write([plan_of(store, keys, pa.table({"name": ["hers ■", "hers ■"]}))], Told())[0].changed == 2
    assert without_hers(dump(url)) == without_hers(before) and sum("■" in row for row in dump(url)["supply"]) == 2
    assert store.write([plan_of(store, keys)], Told())[0].changed == 2
    assert dump(url) == without_hers(before)


def test_a_partition_has_rows_at_the_same_place_as_another(postgres_url: str, tmp_path: Path) -> None:
    run(postgres_url, "DROP TABLE supply", "CREATE TABLE supply (no TEXT, seq INTEGER, name TEXT, paid NUMERIC, made DATE) PARTITION BY LIST (no)",
        *(f"CREATE TABLE supply_{no} PARTITION OF supply FOR VALUES IN ('{no}')" for no in "ab"),
        "INSERT INTO supply VALUES ('a', 1, 'hers', 1, NULL), ('b', 1, 'theirs', 1, NULL), ('b', 2, 'hers', 1, NULL)")  # fmt: skip
    store, before = connector(postgres_url, tmp_path), dump(postgres_url)
    keys = keys_of(no=["a", "b"], seq=[1, 2])
    assert store.write([plan_of(store, keys, pa.table({"name": ["hers ■", "hers ■"]}))], Told())[0].changed == 2
    assert without_hers(dump(postgres_url), "supply_b") == {**without_hers(before, "supply_b"), "supply_a": ["a\t1\thers ■\t1\t\\N"]}
    assert store.write([plan_of(store, keys)], Told())[0].changed == 2
    assert dump(postgres_url) == {**without_hers(before, "supply_b"), "supply_a": []}


def test_odd_names_and_the_search_path_of_the_address_are_kept(postgres_url: str, tmp_path: Path) -> None:
    run(postgres_url, "CREATE SCHEMA mine", 'CREATE TABLE mine."Supply 100%" (no TEXT, seq BIGINT, name TEXT, paid INT, "税率%" TEXT)',
        """INSERT INTO mine."Supply 100%" VALUES ('A', 1, 'hers', 1, 'x'), ('A', 2, 'theirs', 1, 'x')""")  # fmt: skip
    document = INVENTORY.replace("FROM supply WHERE", r'FROM \"Supply 100%\" WHERE').replace("by = ", 'table = "Supply 100%"\nby = ')
    document = document.replace("no, seq, name, paid FROM", r"no, seq, name, paid, \"税率%\" FROM").replace('paid = "p"', 'paid = "p"\n"税率%" = "z"')
    url = f"{postgres_url}&options=-csearch_path%3Dmine"
    store, key = connector(url, tmp_path, document), keys_of(no=["A"], seq=[1])
    (row,) = [row for batch in store.fetch(store.access.system.dataset["supply"], key) for row in batch.to_pylist()]
    assert row["税率%"] == "x"
    assert store.write([plan_of(store, key, pa.table({"税率%": ["y"]}))], Told())[0].changed == 1
    assert store.write([plan_of(store, key)], Told())[0].changed == 1
    with create_engine(url, poolclass=NullPool).connect() as base:
        assert base.execute(text('SELECT * FROM "Supply 100%"')).all() == [("A", 2, "theirs", 1, "x")]


# -- bad luck ------------------------------------------------------------------------------------------------------

POINTS = (
    "before intent:table", "within intent:table", "after intent:table", "before DELETE", "after DELETE",
    "before the commit", "before result:table", "within result:table", "after result:table",
)  # fmt: skip
ONE_ABSENT = {"no": ["A", "A", "", None, "0", None, "never"], "seq": ["0", "1", "0", "7", "0", None, "0"]}


@pytest.mark.parametrize("second", ["", *POINTS])
def test_killed_at_any_point_and_at_any_other_when_run_again_it_ends_the_same(
    url: str, tmp_path: Path, killer: Killer, second: str
) -> None:
    """SIGKILL in a process of its own. Of the pairs a part is tried, another for each; ``DSR_KILL_ALL=1`` tries all."""
    connector(url, tmp_path)
    at = POINTS.index(second) if second else 0
    before, firsts = dump(url), POINTS if second == "" or ALL else (POINTS[at - len(POINTS) // 2],)
    for number, first in enumerate(firsts):
        run(url, "DELETE FROM supply", *(statement for statement in SCHEMA if statement.startswith("INSERT INTO supply")))
        assert dump(url) == before
        told = {"inventory": str(tmp_path / "inventory.toml"), "dataset": "power.supply", "keys": ONE_ABSENT}
        log = tmp_path / f"log{number}"
        ended = [killer(**told, log=str(log), at=point) for point in (first, second, "")]
        assert ended[0]["signal"] == 9, f"{first} was not passed"
        assert ended[-1] == {"signal": 0, "receipts": [[7, 6, 1]]}, (first, second)
        assert [phase for phase, _, _ in FileEffects(log).lines()] == ["intent", "result"], (first, second)
        assert dump(url) == without_hers(before), (first, second)


@contextmanager
def listening(name: str, heard: Callable[..., Any]) -> Iterator[None]:
    event.listen(Engine, name, heard)
    try:
        yield
    finally:
        event.remove(Engine, name, heard)


@pytest.mark.parametrize("after", ["CREATE", "DELETE"])
def test_a_connection_that_dies_in_mid_transaction_changes_nothing_and_a_retry_completes(
    url: str, tmp_path: Path, after: str
) -> None:
    store, before, told = connector(url, tmp_path), dump(url), FileEffects(tmp_path / "log")

    def die(base: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(after) and "dsr_" in statement and url.startswith("sqlite"):
            base.connection.driver_connection.close()  # type: ignore[union-attr]
        elif statement.startswith(after) and "dsr_" in statement:
            run(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dsr-write'")

    with listening("after_cursor_execute", die), pytest.raises(ConnectorError) as caught:
        store.write([plan_of(store)], told)
    assert url.startswith("sqlite") or type(caught.value) is ConnectorUnavailable
    assert dump(url) == before
    (receipt,) = store.write([plan_of(store)], told)
    assert (receipt.changed, receipt.absent) == (6, 0)
    assert [phase for phase, _, _ in told.lines()] == ["intent", "result"]
    assert dump(url) == without_hers(before)


def test_another_who_holds_the_rows_is_waited_for_and_not_for_ever(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_write, "SECONDS", 0.2)
    store, before, told = connector(url, tmp_path), dump(url), Told()
    with create_engine(url, poolclass=NullPool).connect() as other:
        other.exec_driver_sql("UPDATE supply SET paid = 99 WHERE seq = 1")
        with pytest.raises(ConnectorUnavailable):
            store.write([plan_of(store)], told)
    assert dump(url) == before
    assert not told.said or not url.startswith("sqlite")  # SQLite's lock is taken before anything is said
    assert store.write([plan_of(store)], Told())[0].changed == 6


def test_a_row_that_changes_under_us_changes_nothing(postgres_url: str, tmp_path: Path) -> None:
    """What was looked at is no longer what would go: asked again later."""
    store, before = connector(postgres_url, tmp_path), dump(postgres_url)

    def meddle(_base: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE"):
            run(postgres_url, "UPDATE supply SET name = 'theirs now' WHERE no = 'A' AND seq = 1")

    with listening("before_cursor_execute", meddle), pytest.raises(ConnectorUnavailable):
        store.write([plan_of(store)], Told())
    after = dump(postgres_url)
    assert len(after["supply"]) == len(before["supply"]) and after["other"] == before["other"]


def test_who_may_only_read_is_refused_without_a_value(postgres: Postgres, postgres_url: str, tmp_path: Path) -> None:
    run(postgres_url, "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN", "GRANT SELECT ON supply TO reader")
    before = dump(postgres_url)
    store = connector(postgres_url.replace("postgres:", "reader:"), tmp_path)
    with pytest.raises(ConnectorRefused, match="no permission") as caught:
        store.write([plan_of(store)], Told())
    assert "hers" not in repr(caught.value) and caught.value.__context__ is None
    assert dump(postgres_url) == before
    run(postgres_url, "DROP OWNED BY reader", "DROP ROLE reader")


def test_a_value_that_does_not_fit_is_said_without_it(postgres_url: str, tmp_path: Path) -> None:
    store, before = connector(postgres_url, tmp_path), dump(postgres_url)
    with pytest.raises(ConnectorError) as caught:
        store.write([plan_of(store, keys_of(no=["A"], seq=["hers"]))], Told())
    assert caught.value.reason == "misread" and "hers" not in str(caught.value)
    assert dump(postgres_url) == before


def test_a_database_or_table_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    store = connector(f"sqlite:///{tmp_path / 'gone.db'}", tmp_path)
    with pytest.raises(ConnectorUnavailable):
        store.write([plan_of(store)], Told())
    assert not (tmp_path / "gone.db").exists()
    sqlite3.connect(tmp_path / "gone.db").close()
    (tmp_path / "gone.db").touch()
    with pytest.raises(ConnectorDrifted):
        store.write([plan_of(store)], Told())


# -- how far it is gone, and how fast ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_in_sqlite_the_bytes_are_overwritten_in_the_file_and_in_the_log_beside_it(tmp_path: Path, mode: str) -> None:
    """Level L2 (limits.md §5); somebody else has the database open meanwhile."""
    secret, path = "hers-7f3a91", tmp_path / "power.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute(f"PRAGMA journal_mode = {mode}")
        base.executescript(";".join(SCHEMA).replace("'hers', 3", f"'{secret}', 3"))

        def raw() -> bytes:
            return b"".join(file.read_bytes() for file in sorted(tmp_path.glob("power.db*")))

        assert secret.encode() in raw() and len(list(tmp_path.glob("power.db*"))) == (3 if mode == "WAL" else 1)
        store, said = connector(f"sqlite:///{path}", tmp_path), list[str]()
        with listening("before_cursor_execute", lambda *told: said.append(told[2])):
            assert store.write([plan_of(store)], Told())[0].changed == 6
        assert "PRAGMA secure_delete = ON" in said  # where SQLite was not built so
        assert secret.encode() not in raw()
        assert b"theirs" in raw()


def test_statements_do_not_grow_with_rows(url: str, tmp_path: Path) -> None:
    """5,000 rows in as many statements as five (traps.md T39)."""
    counts = {}
    for size in (5, 5_000):
        kind = "generate_series(0, :n)" if not url.startswith("sqlite") else None
        run(url, "DELETE FROM supply", "INSERT INTO supply VALUES ('B', 0, 'theirs', 1, NULL)")
        with create_engine(url, poolclass=NullPool).begin() as base:
            numbers = f"{kind} AS n" if kind else "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < :n) SELECT n FROM s)"
            base.execute(text(f"INSERT INTO supply SELECT 'A', n, 'hers', 1, NULL FROM {numbers}"), {"n": size - 1})
        before, seen = dump(url), list[bool]()
        store = connector(url, tmp_path)
        with listening("before_cursor_execute", lambda *told, seen=seen: seen.append(told[5])):  # type: ignore[misc]
            keys = keys_of(no=["A"] * size, seq=list(range(size)))
            assert store.write([plan_of(store, keys)], Told())[0].changed == size
        assert sum("hers" in row for row in before["supply"]) == size
        assert dump(url) == without_hers(before)
        counts[size] = len(seen)
        assert sum(seen) == (1 if url.startswith("sqlite") else 0)  # rows one by one only into SQLite's own memory
    assert counts[5] == counts[5_000]


def test_the_reading_way_in_stays_read_only(url: str, tmp_path: Path) -> None:
    store = connector(url, tmp_path)
    assert store.write([plan_of(store, keys_of(no=["A"], seq=[0]))], Told())[0].changed == 1
    rows = [row for batch in store.fetch(store.access.system.dataset["supply"], keys_of(no=["A", "A"], seq=[0, 1])) for row in batch.to_pylist()]
    assert [row["seq"] for row in rows] == [1]
    with pytest.raises(ConnectorRefused):
        store.look(lambda base: base.exec_driver_sql("DELETE FROM supply"))
