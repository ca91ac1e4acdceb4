"""SQL stores: the contract on SQLite and PostgreSQL, and what each of them does that the other does not."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from connectors.build import connect
from connectors.contract import Held, WritingContract, located_keys, record_nos
from connectors.stores.sql import SqlStore
from dsr.connector import Ask, Connector, Drift
from dsr.days import Interval
from dsr.errors import (
    BadInput,
    ConnectorDrifted,
    ConnectorError,
    ConnectorMisread,
    ConnectorRefused,
    ConnectorUnavailable,
)
from dsr.inventory import Dataset
from tests.connector_fixtures import (  # noqa: F401 - a fixture is used by its name
    SECRET,
    Postgres,
    ask_by,
    connector_of,
    inventory_of,
    keys_of,
    rows_of,
    running_postgres,
)

BILLING = """
[system.billing]
label = "請求"
store = "sql"
url = "{url}"
[system.billing.dataset.invoices]
label = "請求書"
key = ["invoice_no", "part"]
fetch = "SELECT * FROM invoices WHERE (invoice_no, part) IN :keys"
evidence = {{name = "payer"}}
at = {{column = "issued_on", form = "date"}}
[[system.billing.dataset.invoices.ways]]
by = "billing_no"
locate = '''SELECT invoice_no, part, payer, issued_on FROM invoices
  WHERE billing_no = :billing_no AND issued_on >= :from AND issued_on < :to'''
[[system.billing.dataset.invoices.ways]]
by = "person"
locate = '''SELECT invoice_no, part, payer, issued_on FROM invoices
  WHERE payer IN :name_forms OR note CONTAINS :name_forms'''
[system.billing.dataset.invoices.fields]
note = "メモ"
invoice_no = "番号"
part = "枝番"
billing_no = "請求番号"
payer = "請求先"
issued_on = "発行日"
amount = "金額"
"""
TABLE = ("CREATE TABLE invoices (invoice_no integer, part text, billing_no text, payer text, issued_on date, "
         "amount integer, note text)")
ROWS = (
    "INSERT INTO invoices VALUES (0, '', 'B1', '髙橋 花子', '2026-04-01', 100, NULL), "
    "(0, '0', 'B1', '髙橋 花子', '2026-04-30', 200, '50%引き'), "
    "(1, NULL, 'B1', '髙橋 花子', '2026-05-01', NULL, NULL), "
    "(1, '0', 'B2', '隣の人', '2026-04-02', 300, '髙橋 花子様の紹介'), "
    "(2, NULL, 'B2', '隣の人', '2026-04-03', 300, '100円')"
)
SUBJECT, NEIGHBOUR = {"0|", "0|0", "1|"}, {"1|0", "2|"}
Make = Callable[..., str]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """A database with these statements run; its URL."""
    def database(*statements: str) -> str:
        if request.param == "postgresql":
            postgres: Postgres = request.getfixturevalue("postgres")
            return postgres.database(*statements)
        path = tmp_path / f"company-{len(list(tmp_path.iterdir()))}.db"
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return f"sqlite:///{path}"

    return database


class TestSql(WritingContract):
    @pytest.fixture
    def connector(self, make: Make, tmp_path: Path) -> Connector:
        return connector_of(tmp_path, BILLING.format(url=make(TABLE, ROWS)))

    @pytest.fixture
    def dataset(self, connector: SqlStore) -> Dataset:
        return connector.access.inventory.dataset("billing.invoices")

    @pytest.fixture(params=["billing_no", "person"])
    def ask(self, request: pytest.FixtureRequest) -> Ask:
        forms = {"name_forms": ("髙橋 花子", "高橋 花子")}
        return ask_by("billing_no", "B1") if request.param == "billing_no" else Ask(1, None, forms)

    @pytest.fixture
    def subject_nos(self, ask: Ask) -> set[str]:
        return SUBJECT if ask.way == 0 else SUBJECT | {"1|0"}  # a name in a note is evidence too

    @pytest.fixture
    def neighbour_nos(self, ask: Ask) -> set[str]:
        return NEIGHBOUR if ask.way == 0 else NEIGHBOUR - {"1|0"}

    @pytest.fixture
    def unreachable(self, make: Make, tmp_path: Path) -> Connector:
        url = make().replace("company-", "gone-").replace("pg-", "gone-")
        return connector_of(tmp_path, BILLING.format(url=url))

    @pytest.fixture
    def drifted(self, make: Make, tmp_path: Path) -> Connector:
        url = make(TABLE, ROWS, "ALTER TABLE invoices ADD COLUMN memo2 text")
        return connector_of(tmp_path, BILLING.format(url=url))

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return (SECRET,)

    @pytest.fixture
    def held(self, connector: SqlStore) -> Held:
        def rows() -> dict[str, Any]:
            with create_engine(connector.access.address(), poolclass=NullPool).connect() as base:
                found = [tuple(row) for row in base.execute(text("SELECT * FROM invoices"))]
            return {f"{row[0]}|{row[1] or ''}": row for row in found}

        return rows

    @pytest.fixture
    def unknown_keys(self) -> pa.Table:
        """Each but one part is somebody's."""
        return keys_of(invoice_no=[0, 1, 2, 9], part=["1", "", "0", None])

    @pytest.fixture
    def put(self) -> Mapping[str, Any]:
        return {"payer": "■", "amount": 0}


@pytest.fixture
def billing(make: Make, tmp_path: Path) -> SqlStore:
    connector = connector_of(tmp_path, BILLING.format(url=make(TABLE, ROWS)))
    assert isinstance(connector, SqlStore)
    return connector


@pytest.fixture
def invoices(billing: SqlStore) -> Dataset:
    return billing.access.inventory.dataset("billing.invoices")


def test_zero_blank_and_null_are_values_of_a_key(billing: SqlStore, invoices: Dataset) -> None:
    """T13: '' and NULL are two keys, and neither brings the other's row."""
    for no, part, amount in ((0, "", 100), (0, "0", 200), (1, None, None), (1, "0", 300)):
        keys = pa.table({"invoice_no": pa.array([no], pa.int64()), "part": pa.array([part], pa.string())})
        (row,) = rows_of(billing.fetch(invoices, keys))
        assert (row["invoice_no"], row["part"], row["amount"]) == (no, part, amount)


def test_a_vanished_row_is_absent(billing: SqlStore, invoices: Dataset) -> None:
    assert rows_of(billing.fetch(invoices, keys_of(invoice_no=[99], part=["x"]))) == []


@pytest.mark.parametrize(("first", "last", "found"), [
    ("2026-04-01T00:00+09:00", "2026-05-01T00:00+09:00", {"0|", "0|0"}),
    ("2026-04-01T00:00+09:00", "2026-05-01T00:00:01+09:00", {"0|", "0|0", "1|"}),
    ("2026-03-31T15:00+00:00", "2026-04-30T15:00+00:00", {"0|", "0|0"}),
    ("2026-04-02T00:00+09:00", None, {"0|0", "1|"}),
])
def test_days_are_bound_by_their_local_midnight(
    billing: SqlStore, invoices: Dataset, first: str, last: str | None, found: set[str]
) -> None:
    interval = Interval(datetime.fromisoformat(first), datetime.fromisoformat(last) if last else None)
    keys = located_keys(billing, invoices, [ask_by("billing_no", "B1", interval)])
    assert record_nos(keys, invoices) == found


def test_keys_are_asked_for_in_few_statements_and_bounded_batches(make: Make, tmp_path: Path) -> None:
    """12,000 keys: three statements, not 12,000 (T39)."""
    series = ("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 69999) "
              "INSERT INTO invoices SELECT i, 'a', 'B1', NULL, '2026-04-01', i, NULL FROM n")
    connector = connector_of(tmp_path, BILLING.format(url=make(TABLE, series)))
    assert isinstance(connector, SqlStore)
    dataset = connector.access.inventory.dataset("billing.invoices")
    tables = [located.rows for located in connector.locate(dataset, [ask_by("billing_no", "B1")])]
    assert [table.num_rows for table in tables] == [65_536, 4_464]
    asked: list[str] = []
    event.listen(connector._engine, "before_cursor_execute", lambda c, cu, sql, *_: asked.append(sql))
    keys = tables[0].select(["invoice_no", "part"]).slice(0, 12_000)
    batches = list(connector.fetch(dataset, keys))
    assert sum(batch.num_rows for batch in batches) == 12_000
    assert sum("FROM invoices" in sql and "dsr_probe" not in sql for sql in asked) == 3


def test_the_store_is_opened_read_only(make: Make, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Even a SELECT that would change something is refused by the database itself."""
    url = make(TABLE, ROWS)
    connector = connector_of(tmp_path, BILLING.format(url=url))
    assert isinstance(connector, SqlStore)
    with connector._engine.connect() as connection, pytest.raises(Exception, match=r"read-?only") as caught:
        connection.exec_driver_sql("DELETE FROM invoices")
    assert connector._coded(caught.value)[0] is ConnectorRefused


def test_a_fetch_that_brings_more_than_its_keys_is_stopped(make: Make, tmp_path: Path) -> None:
    wide = BILLING.replace("IN :keys", "IN :keys OR billing_no = 'B2'")
    connector = connector_of(tmp_path, wide.format(url=make(TABLE, ROWS)))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    with pytest.raises(ConnectorMisread, match="not asked for"):
        list(connector.fetch(dataset, keys_of(invoice_no=[0], part=["0"])))


def test_a_key_that_is_not_unique_is_stopped(make: Make, tmp_path: Path) -> None:
    connector = connector_of(tmp_path, BILLING.format(url=make(TABLE, ROWS, ROWS)))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    with pytest.raises(ConnectorMisread, match="not unique"):
        list(connector.fetch(dataset, keys_of(invoice_no=[0], part=["0"])))


# -- drift -----------------------------------------------------------------------------------------------------


def drifts(make: Make, folder: Path, *changes: str, document: str = BILLING) -> list[Drift]:
    return connector_of(folder, document.format(url=make(TABLE, ROWS, *changes))).check()


@pytest.mark.parametrize(("change", "found"), [
    ("CREATE TABLE memo2 (x text)", [Drift("billing", None, "memo2", "undeclared")]),
    ("DROP TABLE invoices", [Drift("billing", "invoices", "invoices", "missing")]),
    ("ALTER TABLE invoices ADD COLUMN memo2 text", [Drift("billing", "invoices", "memo2", "undeclared")]),
    ("CREATE VIEW seen AS SELECT * FROM invoices", []),
])
def test_what_nobody_declared_or_is_gone_is_drift(make: Make, tmp_path: Path, change: str, found: list[Drift]) -> None:
    assert drifts(make, tmp_path, change) == found


@pytest.mark.parametrize("column", ["payer", "amount", "issued_on", "part"])
def test_a_renamed_column_is_missing_and_undeclared(make: Make, tmp_path: Path, column: str) -> None:
    found = drifts(make, tmp_path, f"ALTER TABLE invoices RENAME COLUMN {column} TO other")
    assert Drift("billing", "invoices", column, "missing") in found
    assert Drift("billing", "invoices", "other", "undeclared") in found


def test_a_renamed_column_is_missing_also_where_the_statement_quotes_it(make: Make, tmp_path: Path) -> None:
    """SQLite reads a quoted name that is no column as text: every row would carry the column's own name."""
    names = ("note", "invoice_no", "part", "billing_no", "payer", "issued_on", "amount")
    columns = ", ".join(f'\\"{name}\\"' for name in names)
    quoted = BILLING.replace("SELECT * FROM", f"SELECT {columns} FROM")
    assert drifts(make, tmp_path, document=quoted) == []
    found = drifts(make, tmp_path, "ALTER TABLE invoices RENAME COLUMN amount TO other", document=quoted)
    assert Drift("billing", "invoices", "amount", "missing") in found


def test_a_select_of_named_columns_does_not_hide_a_new_one(make: Make, tmp_path: Path) -> None:
    named = BILLING.replace("SELECT * FROM", "SELECT note, invoice_no, part, billing_no, payer, issued_on, amount FROM")
    change = "ALTER TABLE invoices ADD COLUMN memo2 text"
    assert drifts(make, tmp_path, change, document=named) == [Drift("billing", "invoices", "memo2", "undeclared")]
    excused = named.replace('label = "請求"\n', 'label = "請求"\nnot_personal = {{"invoices.memo2" = "版番号"}}\n')
    assert drifts(make, tmp_path, change, document=excused) == []


def test_a_locate_must_give_key_evidence_and_time(make: Make, tmp_path: Path) -> None:
    short = BILLING.replace("SELECT invoice_no, part, payer, issued_on", "SELECT invoice_no, part")
    assert drifts(make, tmp_path, document=short) == [
        Drift("billing", "invoices", "issued_on", "missing"), Drift("billing", "invoices", "payer", "missing"),
    ]
    connector = connector_of(tmp_path, short.format(url=make(TABLE, ROWS)))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    with pytest.raises(ConnectorDrifted) as caught:
        list(connector.locate(dataset, [ask_by("billing_no", "B1")]))
    assert_no_inner_frames(caught.value)


def test_a_view_is_declared_with_the_tables_under_it(make: Make, tmp_path: Path) -> None:
    through = BILLING.replace("FROM invoices", "FROM shown")
    assert drifts(make, tmp_path, "CREATE VIEW shown AS SELECT * FROM invoices", document=through) == []


def test_an_undeclared_table_is_reported_once_by_the_first_system_at_that_address(make: Make, tmp_path: Path) -> None:
    other = BILLING.replace("system.billing", "system.ledger").replace("invoices", "ledger_rows")
    neutral = BILLING.replace("system.billing", "system.grid").replace("invoices", "meters")
    neutral = neutral.replace('"sql"', '"sql"\nnature = "neutral"')
    url = make(TABLE, TABLE.replace("invoices", "ledger_rows"), TABLE.replace("invoices", "meters"),
               "CREATE TABLE plans (x text)", "CREATE TABLE memo2 (x text)")
    excused = other.replace('"sql"', '"sql"\nnot_personal = {{plans = "料金表"}}')
    inventory = inventory_of(tmp_path, (neutral + BILLING + excused).format(url=url))
    connectors = connect(inventory, environment={})
    assert set(connectors) == {"billing", "ledger"}
    assert connectors["billing"].check() == [Drift("billing", None, "memo2", "undeclared")]
    assert connectors["ledger"].check() == []


def assert_no_inner_frames(error: BaseException) -> None:
    """A frame's locals hold the person's number; tools that print them are common."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    assert not [name for name in files if "sqlalchemy" in name or name.endswith("stores/sql.py")]


# -- errors ----------------------------------------------------------------------------------------------------


def test_a_statement_that_does_not_fit_is_drift_and_shows_no_value(make: Make, tmp_path: Path) -> None:
    connector = connector_of(tmp_path, BILLING.format(url=make(TABLE.replace("payer", "payee"))))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    with pytest.raises(ConnectorDrifted) as caught:
        list(connector.locate(dataset, [ask_by("billing_no", "B-77")]))
    assert_no_inner_frames(caught.value)
    assert caught.value.__context__ is None and "B-77" not in str(caught.value)


@pytest.mark.parametrize("url", ["no address", "mysql://u:hush-5f3a@host/db", "postgresql://u:hush-5f3a@host:port/db"])
def test_an_address_that_is_none_is_bad_input_without_its_password(tmp_path: Path, url: str) -> None:
    connector = connector_of(tmp_path, BILLING.format(url=url))
    with pytest.raises(BadInput, match=r"system\.billing\.url") as caught:
        connector.check()
    assert SECRET not in str(caught.value) and caught.value.__context__ is None


def test_text_that_is_not_utf8_is_misread(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.execute(TABLE)
    connection.execute("INSERT INTO invoices VALUES (1, '0', 'B1', CAST(x'8dE282' AS TEXT), '2026-04-01', 1, NULL)")
    connection.commit()
    connection.close()
    connector = connector_of(tmp_path, BILLING.format(url=url))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    with pytest.raises(ConnectorMisread):
        list(connector.locate(dataset, [ask_by("billing_no", "B1")]))


@pytest.mark.parametrize("content", [b"", b"this is no database at all, not one bit" * 30])
def test_a_file_that_is_no_database_is_never_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.db").write_bytes(content)
    connector = connector_of(tmp_path, BILLING.format(url="sqlite:///x.db"))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    with pytest.raises(ConnectorError):
        list(connector.locate(dataset, [ask_by("billing_no", "B1")]))


def test_a_column_of_several_types_comes_as_text(tmp_path: Path) -> None:
    """SQLite stores what it is given; nothing is dropped for being of another type."""
    connection = sqlite3.connect(tmp_path / "c.db")
    connection.execute(TABLE.replace("amount integer", "amount"))
    connection.execute("INSERT INTO invoices VALUES (1, 'a', 'B1', NULL, '2026-04-01', 5, NULL), "
                       "(2, 'b', 'B1', NULL, '2026-04-01', '五', NULL)")
    connection.commit()
    connection.close()
    connector = connector_of(tmp_path, BILLING.format(url="sqlite:///c.db"))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    rows = rows_of(connector.fetch(dataset, keys_of(invoice_no=[1, 2], part=["a", "b"])))
    assert [row["amount"] for row in rows] == ["5", "五"]


# -- PostgreSQL only -------------------------------------------------------------------------------------------


def test_a_refused_log_in_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    connector = connector_of(tmp_path, BILLING.format(url=postgres.url("postgres", "locked")))
    with pytest.raises(ConnectorRefused) as caught:
        connector.check()
    assert SECRET not in str(caught.value)


def test_a_table_without_permission_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database(TABLE, ROWS, "DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk LOGIN")
    connector = connector_of(tmp_path, BILLING.format(url=url.replace("postgres:", "clerk:")))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    with pytest.raises(ConnectorRefused):
        list(connector.locate(dataset, [ask_by("billing_no", "B1")]))


def test_instants_and_numbers_keep_their_value(postgres: Postgres, tmp_path: Path) -> None:
    """timestamptz is compared as an instant to the second, numeric keeps every digit, integer is found by text."""
    document = BILLING.replace('form = "date"', 'form = "timestamp"')
    table = TABLE.replace("issued_on date", "issued_on timestamptz").replace("amount integer", "amount numeric")
    table = table.replace("billing_no text", "billing_no bigint")
    rows = ("INSERT INTO invoices VALUES (1, 'a', 7, NULL, '2026-04-01 00:00:00+09', 10.50, NULL), "
            "(2, 'a', 7, NULL, '2026-03-31 23:59:59+09', 0.10, NULL)")
    connector = connector_of(tmp_path, document.format(url=postgres.database(table, rows)))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    interval = Interval(datetime(2026, 3, 31, 15, tzinfo=UTC), None)
    keys = located_keys(connector, dataset, [ask_by("billing_no", "7", interval)])
    assert record_nos(keys, dataset) == {"1|a"}
    (row,) = rows_of(connector.fetch(dataset, keys))
    assert row["amount"] == "10.50" and row["issued_on"] == interval.start


def test_partitions_and_other_schemas_are_seen_for_what_they_are(postgres: Postgres, tmp_path: Path) -> None:
    parted = TABLE + " PARTITION BY RANGE (issued_on)"
    url = postgres.database(
        parted,
        "CREATE TABLE invoices_2026 PARTITION OF invoices FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        ROWS,
        "CREATE SCHEMA old",
        "CREATE TABLE old.invoices (x text)",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM invoices",
    )
    connector = connector_of(tmp_path, BILLING.format(url=url))
    assert [drift.place for drift in connector.check()] == ["kept", "old.invoices"]


def test_a_server_that_stops_in_between_is_unavailable(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database(TABLE, ROWS)
    connector = connector_of(tmp_path, BILLING.format(url=url))
    dataset = connector.access.inventory.dataset("billing.invoices")  # type: ignore[attr-defined]
    asked = connector.locate(dataset, [ask_by("billing_no", "B1"), ask_by("billing_no", "B2")])
    next(asked)
    postgres.run("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dsr'")
    with pytest.raises(ConnectorUnavailable):
        list(asked)
