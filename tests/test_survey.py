"""The independent look: what it finds after deletions by plain SQL, pyarrow and file writes, and what it will not say."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from connectors.survey import http as survey_http
from connectors.survey import others, surveyor
from connectors.survey.marks import Marks, total
from dsr.errors import CheckFailed, ConnectorMisread, ConnectorRefused, ConnectorUnavailable
from dsr.inventory import Inventory
from dsr.plan import Finding, Sought
from sample_data.serve import Server
from tests.connector_fixtures import Postgres, inventory_of
from tests.s3_server import S3, running_s3  # noqa: F401 - a fixture

KEY = bytes(range(32))
CASE = "DSR-2026-000001"
HANAKO = {
    "customer_no": ["C0001234"], "name": ["髙橋 花子"], "kana": ["タカハシ ハナコ"], "mail": ["hanako.t@example.jp"],
    "phone": ["092-000-1001"], "line_no": ["092-000-1001"], "cookie_id": ["a07be2f9d3315c68"], "member_id": ["M0001234"],
}
LASTING = frozenset({"customer_no", "member_id"})


def sought(
    gone: Mapping[str, Any], emptied: Mapping[str, Any] | None = None, kept: Mapping[str, Any] | None = None,
    forms: Mapping[str, Sequence[str]] = HANAKO, case: str = CASE, lasting: frozenset[str] = LASTING,
) -> Sought:
    groups = [{name: pa.table(columns) for name, columns in (group or {}).items()} for group in (gone, emptied, kept)]
    return Sought(case, *groups, forms, lasting)


class Looking:
    """One survey of the only system of an inventory, before and after."""

    def __init__(self, inventory: Inventory, *wanted: Sought, environment: Mapping[str, str] | None = None) -> None:
        (system,) = inventory.system.values()
        self.survey = surveyor(inventory, system, environment or {}, KEY)
        self.wanted = wanted
        self.before: Mapping[str, Any] = {}

    def first(self) -> Looking:
        self.before = json.loads(json.dumps(self.survey.before(self.wanted)))
        return self

    def after(self) -> dict[str, Finding]:
        found = self.survey.after(self.wanted, self.before)
        json.dumps([finding.said for finding in found])
        assert found, "no finding is no proof"
        return {finding.dataset: finding for finding in found}

    def verdicts(self) -> dict[str, str]:
        return {name: finding.verdict for name, finding in self.after().items()}


# -- SQL -------------------------------------------------------------------------------------------------------------

CRM = """
[system.crm]
label = "顧客"
store = "sql"
url = "env:CRM_URL"
{canary}
[system.crm.dataset.customers]
label = "お客様"
key = ["customer_no"]
by = "customer_no"
locate = "SELECT customer_no FROM customers WHERE customer_no = :customer_no"
fetch = "SELECT * FROM customers WHERE customer_no IN :keys"
fields = {{customer_no = "番号", name = "名", phone = "電話", mail = "メール"}}
[system.crm.dataset.invoices]
label = "請求"
key = ["invoice_no", "part"]
by = "customer_no"
locate = "SELECT invoice_no, part FROM invoices WHERE customer_no = :customer_no"
fetch = "SELECT * FROM invoices WHERE (invoice_no, part) IN :keys"
fields = {{invoice_no = "番号", part = "枝番", customer_no = "顧客", payer = "宛名", amount = "額"}}
"""
CUSTOMERS = [
    ("C0001234", "髙橋 花子", "092-000-1001", "hanako.t@example.jp"),
    ("C0001235", "高橋 健太", "092-000-1002", "kenta@example.jp"),
    ("C0001236", "佐藤 浩", "092-000-1003", "hiroshi@example.jp"),
]
INVOICES = [
    ("I2026-0001", 0, "C0001234", "髙橋 花子", 5_480), ("I2026-0001", 1, "C0001234", "髙橋 花子", 1_200),
    ("I2026-0002", 0, "C0001235", "高橋 健太", 4_980), ("I2026-0003", 0, "C0001236", None, 12_345),
]
GONE = {
    "crm.customers": {"customer_no": ["C0001234"]},
    "crm.invoices": {"invoice_no": ["I2026-0001", "I2026-0001"], "part": [0, 1]},
}
DELETE = ("DELETE FROM customers WHERE customer_no = 'C0001234'", "DELETE FROM invoices WHERE customer_no = 'C0001234'")


class Company:
    """A small database of either kind, changed by plain SQL."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.engine: Engine = create_engine(url, poolclass=NullPool)
        self.sqlite = url.startswith("sqlite")
        self.run(
            "CREATE TABLE customers (customer_no varchar PRIMARY KEY, name varchar, phone varchar, mail varchar)",
            "CREATE TABLE invoices (invoice_no varchar, part bigint, customer_no varchar, payer varchar, amount bigint)",
            "CREATE TABLE change_log (at varchar, detail varchar)",
        )
        self.put("customers", CUSTOMERS)
        self.put("invoices", INVOICES)

    def put(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        places = ", ".join(f":v{n}" for n in range(len(rows[0])))
        with self.engine.begin() as connection:
            for row in rows:
                connection.execute(text(f"INSERT INTO {table} VALUES ({places})"), {f"v{n}": v for n, v in enumerate(row)})

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            if self.sqlite:
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, table: str) -> set[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return {tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")}

    def looking(self, *wanted: Sought, canary: str = "", document: str = CRM) -> Looking:
        inventory = inventory_of(self.folder, document.format(canary=canary))
        return Looking(inventory, *(wanted or (sought(GONE),)), environment={"CRM_URL": self.url})


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def grown(postgres: Postgres, database: str, tmp_path: Path) -> Company:
    """On PostgreSQL, its database as new."""
    name = str(make_url(database).database)
    postgres.run(name, "DROP SCHEMA IF EXISTS far CASCADE", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    postgres.run(name, "GRANT USAGE ON SCHEMA public TO locked")
    return Company(tmp_path, database)


@pytest.fixture(params=["sqlite", "postgresql"])
def company(request: pytest.FixtureRequest, tmp_path: Path) -> Company:
    if request.param == "sqlite":
        return Company(tmp_path, f"sqlite:///{tmp_path / 'crm.db'}")
    made: Company = request.getfixturevalue("grown")
    return made


@pytest.fixture
def lite(tmp_path: Path) -> Company:
    return Company(tmp_path, f"sqlite:///{tmp_path / 'crm.db'}")


def test_a_complete_deletion_is_verified_with_the_level_that_the_store_allows(company: Company) -> None:
    look = company.looking().first()
    neighbours = {table: {row for row in company.rows(table) if "C0001234" not in row} for table in ("customers", "invoices")}
    company.run(*DELETE)
    assert ["planned", CASE, "invoices", "customer_no", 2] in look.before["hits"]
    found = look.after()
    assert {name: finding.verdict for name, finding in found.items()} == dict.fromkeys(GONE, "verified")
    assert {finding.level for finding in found.values()} == {"L2" if company.sqlite else "L1"}
    assert {table: company.rows(table) for table in neighbours} == neighbours
    if not company.sqlite:
        owed = found["crm.customers"].said["steps"][-1]["owes"]
        assert owed["code"] == "PG_REWRITE" and owed["who"] == "dba" and any("customers" in table for table in owed["files"])


def test_nothing_deleted_is_residual_in_every_dataset_with_what_is_left(company: Company) -> None:
    found = company.looking().first().after()
    assert {name: finding.verdict for name, finding in found.items()} == dict.fromkeys(GONE, "residual")
    assert found["crm.invoices"].said["cases"][CASE] == {"gone": 2, "left": 2, "emptied": 0, "not_emptied": 0}
    assert all(finding.level is None for finding in found.values())


def test_a_deleter_that_took_the_wrong_table_is_found_out_in_both(company: Company) -> None:
    company.run("CREATE TABLE customers_2019 (customer_no varchar, name varchar)")
    company.put("customers_2019", [("C0009999", "平野 泉"), ("C0009998", "林 恵")])
    look = company.looking().first()
    company.run("DELETE FROM customers_2019", DELETE[1])
    assert look.verdicts() == {
        "crm.customers": "residual", "crm.invoices": "verified", "crm.customers_2019": "indeterminate",
    }


def test_when_only_the_hub_is_gone_the_leaves_are_residual(company: Company) -> None:
    look = company.looking().first()
    company.run(DELETE[0])
    assert look.verdicts() == {"crm.customers": "verified", "crm.invoices": "residual"}


def test_half_of_the_rows_left_is_residual_and_counted(company: Company) -> None:
    look = company.looking().first()
    company.run(DELETE[0], "DELETE FROM invoices WHERE invoice_no = 'I2026-0001' AND part = 1")
    found = look.after()
    assert found["crm.invoices"].verdict == "residual"
    assert found["crm.invoices"].said["cases"][CASE]["left"] == 1


@pytest.mark.parametrize("written", [
    "C0001234", "Ｃ０００１２３４", "c0001234", "C000-1234", '{"customer":"\\u0043\\u0030\\u0030\\u0030\\u0031\\u0032\\u0033\\u0034"}',
    "customer=C0001234&x=1", "C%30001234", "お客様C0001234様より",
])  # fmt: skip
def test_a_copy_in_a_table_that_nobody_declared_is_found_in_any_spelling(company: Company, written: str) -> None:
    look = company.looking().first()
    company.run(*DELETE)
    company.put("change_log", [("2026-11-02", written)])
    assert look.verdicts()["crm.change_log"] == "residual"


@pytest.mark.parametrize("written", ["C00012345", "XC0001234", "C0001235", "12-C0001-234X"])
def test_another_number_that_only_looks_like_it_is_no_residue(company: Company, written: str) -> None:
    company.put("change_log", [("2026-11-02", written)])
    look = company.looking().first()
    company.run(*DELETE)
    assert look.verdicts() == dict.fromkeys(GONE, "verified")


def test_a_copy_that_was_there_before_stops_the_engine_before_anything_is_erased(company: Company) -> None:
    company.put("change_log", [("2026-11-02", "C0001234 moved"), ("2026-11-03", "C0001235 moved")])
    look = company.looking().first()
    assert look.before["unplanned"] == {"change_log": 1}
    company.run(*DELETE)
    assert look.verdicts() == {**dict.fromkeys(GONE, "verified"), "crm.change_log": "residual"}


def test_a_record_with_a_planned_key_in_an_undeclared_table_is_a_copy_though_its_number_may_be_anothers(company: Company) -> None:
    company.run("CREATE TABLE backup_customers (customer_no varchar, phone varchar)")
    company.put("backup_customers", [("C0001234", "092-000-1001"), ("C0001235", "092-000-1001")])
    look = company.looking(sought(GONE, forms={"phone": HANAKO["phone"]}, lasting=frozenset())).first()
    assert look.before["unplanned"] == {"backup_customers": 1}


@pytest.mark.parametrize("harm", [
    "UPDATE customers SET mail = 'kentb@example.jp' WHERE customer_no = 'C0001235'",
    "UPDATE invoices SET amount = amount + 1 WHERE customer_no = 'C0001235'",
    "UPDATE invoices SET payer = '' WHERE customer_no = 'C0001236'",
    "DELETE FROM invoices WHERE customer_no = 'C0001236'",
    "UPDATE change_log SET detail = 'b' WHERE detail = 'a'",
])
def test_a_neighbours_row_that_changed_by_one_byte_is_never_verified(company: Company, harm: str) -> None:
    company.put("change_log", [("2026-11-02", "a")])
    look = company.looking().first()
    company.run(*DELETE)
    assert look.verdicts() == dict.fromkeys(GONE, "verified")
    company.run(harm)
    table = harm.split()[1] if harm.startswith("UPDATE") else harm.split()[2]
    assert look.verdicts()[f"crm.{table}"] == "indeterminate"


@pytest.mark.parametrize("most", [others.MOST, 0])
def test_rows_that_came_meanwhile_are_told_and_harm_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """A company goes on working: up to a size rows are known one by one, beyond it a table is only what it was."""
    monkeypatch.setattr(others, "MOST", most)
    look = company.looking().first()
    came = [("I2026-0009", 0, "C0001236", "x", 1), ("I2026-0010", 0, "C0001236", "x", 1)]
    company.run(*DELETE)
    company.put("invoices", came)
    found = look.after()["crm.invoices"]
    if not most:
        assert (found.verdict, found.others_only, found.said["why"]) == ("indeterminate", True, ["counts", "digest"])
        return
    step = next(step for step in found.said["steps"] if step["step"] == 4)
    assert (found.verdict, step["came"], step["lost"]) == ("verified", len(came), 0)
    company.run("DELETE FROM invoices WHERE customer_no = 'C0001236'")
    company.put("invoices", came)
    found = look.after()["crm.invoices"]
    step = next(step for step in found.said["steps"] if step["step"] == 4)
    assert (found.verdict, step["lost"] > 0, step["came"]) == ("indeterminate", True, len(came)) and found.others_only


def test_what_another_case_of_ours_erased_meanwhile_is_no_harm(company: Company) -> None:
    """Two people's erasures in one store at a time: neither's look takes the other's for damage."""
    other = Sought("DSR-2026-000008", {"crm.customers": pa.table({"customer_no": ["C0001235"]})}, {}, {}, {})
    mine, theirs = company.looking().first(), company.looking(other).first()
    company.run(*DELETE, "DELETE FROM customers WHERE customer_no = 'C0001235'")
    assert mine.verdicts()["crm.customers"] == "indeterminate"
    ours = lambda: [theirs.before["planned"]]  # noqa: E731
    found = {one.dataset: one for one in mine.survey.after(mine.wanted, mine.before, ours)}
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(GONE, "verified")
    company.run("DELETE FROM customers WHERE customer_no = 'C0001236'")
    found = {one.dataset: one for one in mine.survey.after(mine.wanted, mine.before, ours)}
    assert found["crm.customers"].verdict == "indeterminate", "one more than ours"


def test_right_counts_with_wrong_rows_are_not_verified(company: Company) -> None:
    look = company.looking().first()
    company.run(*DELETE, "DELETE FROM invoices WHERE customer_no = 'C0001236'")
    company.put("invoices", [("I2026-0004", 0, "C0001236", None, 12_345)])
    step = next(step for step in look.after()["crm.invoices"].said["steps"] if step["step"] == 4)
    assert (step["A1"], step["B1"]) == (step["A0"] - step["B0"], 0) and step["C1"] == step["C0"]
    assert look.after()["crm.invoices"].said["why"] == ["digest"]


def test_two_cells_that_changed_places_between_neighbours_are_not_verified(company: Company) -> None:
    look = company.looking().first()
    company.run(*DELETE, "UPDATE customers SET phone = CASE customer_no WHEN 'C0001235' THEN '092-000-1003' ELSE '092-000-1002' END")
    assert look.verdicts()["crm.customers"] == "indeterminate"


def test_what_a_kept_record_lawfully_holds_is_printed_as_still_held(company: Company) -> None:
    kept = {"crm.invoices": GONE["crm.invoices"]}
    look = company.looking(sought({"crm.customers": GONE["crm.customers"]}, kept=kept)).first()
    assert look.before["unplanned"] == {}
    company.run(DELETE[0])
    assert look.verdicts() == {"crm.customers": "verified"}
    held = [hit for hit in look.before["hits"] if hit[0] == "held"]
    assert [CASE, "invoices", "customer_no", 2] in [hit[1:] for hit in held]
    company.run(DELETE[1])
    assert look.verdicts()["crm.invoices"] == "indeterminate", "a kept record that vanished is no success"


EMPTIED = {"crm.invoices": {**GONE["crm.invoices"], "payer": ["髙橋 花子", "髙橋 花子"]}}


@pytest.mark.parametrize(("act", "verdict", "why"), [
    ("UPDATE invoices SET payer = NULL WHERE customer_no = 'C0001234'", "verified", []),
    ("UPDATE invoices SET payer = '' WHERE customer_no = 'C0001234'", "verified", []),
    ("UPDATE invoices SET payer = NULL WHERE customer_no = 'C0001234' AND part = 0", "residual", ["hit", "not_emptied"]),
    ("UPDATE invoices SET payer = 'ﾀｶﾊｼ ﾊﾅｺ' WHERE customer_no = 'C0001234'", "residual", ["hit"]),
    ("UPDATE invoices SET payer = '高橋花子' WHERE customer_no = 'C0001234'", "residual", ["hit"]),
    ("UPDATE invoices SET payer = NULL, amount = 0 WHERE customer_no = 'C0001234'", "indeterminate", ["digest"]),
    ("UPDATE invoices SET payer = NULL", "verified", []),
    ("DELETE FROM invoices WHERE customer_no = 'C0001234'", "indeterminate", ["counts", "digest", "vanished"]),
])
def test_emptied_fields_no_longer_hold_the_person_and_the_rest_of_the_record_stays(
    company: Company, act: str, verdict: str, why: list[str]
) -> None:
    look = company.looking(sought({}, EMPTIED, {"crm.invoices": GONE["crm.invoices"]})).first()
    company.run(act)
    found = look.after()["crm.invoices"]
    if act == "UPDATE invoices SET payer = NULL":  # the neighbours' too
        verdict, why = "indeterminate", ["digest"]
    assert (found.verdict, found.said["why"]) == (verdict, why)


@pytest.mark.parametrize(("back", "dataset"), [
    (f"INSERT INTO customers VALUES {CUSTOMERS[0]}", "crm.customers"),
    ("UPDATE invoices SET payer = '髙橋 花子' WHERE customer_no = 'C0001234' AND part = 1", "crm.invoices"),
])
def test_what_an_overtaken_plan_did_need_not_be_found_before_and_must_not_come_back(
    lite: Company, back: str, dataset: str
) -> None:
    lite.run(DELETE[0], "UPDATE invoices SET payer = NULL WHERE customer_no = 'C0001234'")
    earlier = sought({"crm.customers": GONE["crm.customers"]}, EMPTIED)
    kept = sought({}, kept={"crm.invoices": GONE["crm.invoices"]})
    look = lite.looking(replace(kept, gone_before=earlier.gone, emptied_before=earlier.emptied)).first()
    assert look.verdicts() == dict.fromkeys(GONE, "verified")
    assert {f.said["cases"][CASE]["before"] - f.said["cases"][CASE]["back"] for f in look.after().values()} == {1, 2}
    neighbours = lite.rows("customers")
    lite.run(back)
    found = look.after()
    assert {name: f.verdict for name, f in found.items()} == {**dict.fromkeys(GONE, "verified"), dataset: "residual"}
    assert (found[dataset].said["cases"][CASE]["back"], "back" in found[dataset].said["why"]) == (1, True)
    assert neighbours <= lite.rows("customers")


def test_an_emptied_record_that_nobody_keeps_must_hold_nothing_of_the_person(company: Company) -> None:
    look = company.looking(sought({}, EMPTIED, {"crm.customers": GONE["crm.customers"]}, lasting=frozenset())).first()
    assert look.before["unplanned"] == {}
    company.run("UPDATE invoices SET payer = NULL WHERE customer_no = 'C0001234'")
    assert look.after()["crm.invoices"].said["why"] == ["hit"]
    company.run("UPDATE invoices SET customer_no = '' WHERE customer_no = 'C0001234'")
    assert look.after()["crm.invoices"].said["why"] == ["digest"]


def test_a_number_that_somebody_else_has_now_is_a_bystander_and_stays(company: Company) -> None:
    company.put("customers", [("C0007777", "進 齋藤", "０９２－０００－１００１", None)])
    look = company.looking().first()
    company.run(*DELETE)
    found = look.after()["crm.customers"]
    step = next(step for step in found.said["steps"] if step["step"] == 3)
    # a phone is also the line_no
    assert (found.verdict, step["bystanders"], step["bystanders_before"]) == ("verified", 2, 2)
    company.put("change_log", [("2026-11-03", "call 092(000)1001")])
    assert look.after()["crm.change_log"].said["why"] == ["grown"]


def test_a_short_number_tells_only_in_a_column_meant_for_it(lite: Company) -> None:
    lite.run("CREATE TABLE stock (item varchar, quantity bigint)", "CREATE TABLE visits (customer_no bigint, page varchar)")
    lite.put("stock", [("router", 7), ("cable", 7)])
    lite.put("visits", [(8, "/")])
    look = lite.looking(sought(GONE, forms={"customer_no": ["7"]})).first()
    assert look.before["unplanned"] == {}
    lite.put("visits", [(7, "/")])
    lite.run(*DELETE)
    assert look.verdicts()["crm.visits"] == "residual" and "crm.stock" not in look.verdicts()


def test_a_planned_record_that_is_not_there_before_stops_everything(company: Company) -> None:
    company.run("DELETE FROM invoices WHERE part = 1")
    with pytest.raises(CheckFailed, match=r"crm\.invoices: the survey found 1 of 2 planned records"):
        company.looking().first()
    with pytest.raises(CheckFailed, match=r"crm\.invoices: the survey found 1 of 2"):
        company.looking(sought({}, EMPTIED)).first()


CANARY = 'canary = ["カナリア-7f3a55", "canary.7f3a55@example.jp"]'


def test_a_look_that_cannot_find_its_planted_values_says_nothing(company: Company) -> None:
    with pytest.raises(CheckFailed, match="found 0 of 2 planted"):
        company.looking(canary=CANARY).first()
    company.put("customers", [("C0009999", "カナリア-7f3a55", None, "canary.7f3a55@example.jp")])
    look = company.looking(canary=CANARY).first()
    company.run(*DELETE)
    assert look.verdicts() == dict.fromkeys(GONE, "verified")
    company.run("UPDATE customers SET mail = NULL WHERE customer_no = 'C0009999'")
    found = look.after()["crm.invoices"]
    assert (found.verdict, found.said["why"], found.said["steps"][0]) == (
        "indeterminate", ["plant_missing"], {"step": 1, "route": "full_scan", "places": 3, "sought": 2, "found": 1})


def test_without_declared_plants_cells_that_stay_are_remembered_and_found_again(company: Company) -> None:
    look = company.looking().first()
    assert {plant[0] for plant in look.before["plants"]} == {"customers", "invoices"}
    company.run("DELETE FROM customers", "DELETE FROM invoices")
    found = look.after()
    assert {finding.verdict for finding in found.values()} == {"indeterminate"}
    assert "plant_missing" in found["crm.invoices"].said["why"]


def test_a_search_that_finds_nothing_any_more_does_not_vouch_for_a_store(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = company.looking().first()
    company.run(*DELETE)
    monkeypatch.setattr("connectors.survey.words.Grams.within", lambda grams, data: iter(()))
    assert {finding.said["why"][0] for finding in look.after().values()} == {"plant_missing"}


def test_a_record_that_goes_for_one_person_and_is_emptied_for_another_goes(company: Company) -> None:
    part = {name: cells[:1] for name, cells in EMPTIED["crm.invoices"].items()}
    look = company.looking(sought(GONE), sought({}, {"crm.invoices": part}, case="DSR-2026-000002")).first()
    company.run(*DELETE)
    found = look.after()
    assert found["crm.customers"].verdict == "verified"
    assert found["crm.invoices"].said["why"] == ["vanished"], "what the second case was promised stays a question"


def test_where_nothing_stays_beside_what_goes_another_table_vouches(company: Company) -> None:
    company.run("DELETE FROM customers WHERE customer_no <> 'C0001234'", "DELETE FROM invoices WHERE customer_no <> 'C0001234'")
    company.put("change_log", [("2026-11-02", "C0001235 moved")])
    look = company.looking().first()
    company.run(*DELETE)
    assert look.verdicts() == dict.fromkeys(GONE, "verified")
    company.run("UPDATE change_log SET at = '', detail = ''")
    assert look.after()["crm.invoices"].said["why"] == ["plant_missing"]


def test_a_store_that_holds_nothing_but_what_goes_has_no_plant_and_is_never_verified(company: Company) -> None:
    company.run("DELETE FROM customers WHERE customer_no <> 'C0001234'", "DELETE FROM invoices WHERE customer_no <> 'C0001234'")
    look = company.looking().first()
    company.run(*DELETE)
    assert {name: finding.said["why"] for name, finding in look.after().items()} == {name: ["no_plant"] for name in GONE}


def test_an_empty_twin_of_the_store_is_not_taken_for_it(lite: Company) -> None:
    look = lite.looking().first()
    (lite.folder / "crm.db").unlink()
    with pytest.raises(ConnectorUnavailable):
        look.after()
    sqlite3.connect(lite.folder / "crm.db").close()
    assert {finding.verdict for finding in look.after().values()} == {"indeterminate"}


def test_another_plan_or_another_key_is_not_verified(company: Company) -> None:
    look = company.looking().first()
    company.run(*DELETE)
    other = company.looking(sought({"crm.customers": GONE["crm.customers"]}))
    other.before = look.before
    assert other.after()["crm.customers"].said["why"] == ["other_plan"]
    (system,) = (inventory := inventory_of(company.folder, CRM.format(canary=""))).system.values()
    stranger = surveyor(inventory, system, {"CRM_URL": company.url}, b"another key")
    assert {finding.verdict for finding in stranger.after(look.wanted, look.before)} == {"indeterminate"}


def test_what_is_remembered_holds_no_personal_value_and_no_bare_hash(company: Company) -> None:
    look = company.looking().first()
    told = json.dumps(look.before, ensure_ascii=False)
    for row in [*CUSTOMERS, *INVOICES]:
        for value in (str(cell) for cell in row if isinstance(cell, str)):
            assert value not in told
            assert not any(hashlib.new(name, value.encode()).hexdigest()[:16] in told for name in ("md5", "sha1", "sha256"))
    assert "customers" in told


def test_many_cases_are_looked_at_at_once_and_told_apart(company: Company) -> None:
    hiroshi = sought({"crm.customers": {"customer_no": ["C0001236"]}}, case="DSR-2026-000002",
                     forms={"customer_no": ["C0001236"]}, kept={"crm.invoices": {"invoice_no": ["I2026-0003"], "part": [0]}})
    look = company.looking(sought(GONE), hiroshi).first()
    company.run(*DELETE)
    found = look.after()
    assert {name: finding.verdict for name, finding in found.items()} == {"crm.customers": "residual", "crm.invoices": "verified"}
    assert {case: told["left"] for case, told in found["crm.customers"].said["cases"].items()} == {CASE: 0, "DSR-2026-000002": 1}
    company.run("DELETE FROM customers WHERE customer_no = 'C0001236'")
    assert set(look.verdicts().values()) == {"verified"}


@pytest.mark.parametrize("raw", [
    "髙橋 花子".encode(), b"\xee\xe0\x8b\xb4\x89\xd4\x8eq", b"\xfb\xfc\x8b\xb4\x89\xd4\x8eq",
    "高橋花子".encode("utf-16-le"), "髙橋花子".encode("utf-16-be"), b"\x00\x01no C0001234\xff",
])  # fmt: skip
def test_bytes_are_read_in_every_encoding(company: Company, raw: bytes) -> None:
    company.run(f"CREATE TABLE scans (page bigint, image {'blob' if company.sqlite else 'bytea'})")
    company.put("scans", [(1, b"\x89PNG nothing"), (2, b"\xff\xd8 C0001235")])
    look = company.looking(sought(GONE, lasting=LASTING | {"name"})).first()
    company.run(*DELETE)
    assert look.verdicts() == dict.fromkeys(GONE, "verified")
    company.put("scans", [(3, raw)])
    assert look.verdicts()["crm.scans"] == "residual"


def test_cp932_text_in_a_text_column_of_sqlite_is_found(lite: Company) -> None:
    look = lite.looking(sought(GONE, forms={"name": ["山﨑 明美"]}, lasting=frozenset({"name"}))).first()
    lite.run(*DELETE)
    for raw in (b"\x8eR\xed\x95\x96\xbe\x94\xfc", b"\x8eR\xfa\xb1\x96\xbe\x94\xfc"):  # 﨑 in both its forms
        lite.run(f"INSERT INTO change_log VALUES ('x', CAST(X'{raw.hex()}' AS TEXT))")
        assert look.verdicts()["crm.change_log"] == "residual"
        lite.run("DELETE FROM change_log")
    assert look.verdicts() == dict.fromkeys(GONE, "verified")


def test_the_survey_changes_nothing(lite: Company) -> None:
    before = (lite.folder / "crm.db").read_bytes()
    lite.looking().first().after()
    assert (lite.folder / "crm.db").read_bytes() == before


def test_sqlite_is_l1_where_rows_were_deleted_and_their_bytes_stay(lite: Company) -> None:
    look = lite.looking().first()
    with lite.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete = OFF")
        for statement in DELETE:
            connection.exec_driver_sql(statement)
    assert b"C0001234" in (lite.folder / "crm.db").read_bytes()
    assert {(finding.verdict, finding.level) for finding in look.after().values()} == {("verified", "L1")}
    with lite.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM")
    assert {(finding.verdict, finding.level) for finding in look.after().values()} == {("verified", "L2")}


def test_sqlite_is_l1_while_its_log_or_a_copy_beside_it_holds_the_bytes(lite: Company) -> None:
    with sqlite3.connect(lite.folder / "crm.db") as holder:
        holder.execute("PRAGMA journal_mode = WAL")
        holder.execute("UPDATE customers SET name = '高橋 花子' WHERE customer_no = 'C0001234'")
        holder.commit()
        look = lite.looking().first()
        lite.run(*DELETE)
        assert b"C0001234" in (lite.folder / "crm.db-wal").read_bytes()
        assert {(finding.verdict, finding.level) for finding in look.after().values()} == {("verified", "L1")}
        holder.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert {finding.level for finding in look.after().values()} == {"L2"}
        (lite.folder / "crm.db.bak").write_bytes(b"..I2026-0001..")
        assert {finding.level for finding in look.after().values()} == {"L1"}
    holder.close()


def test_the_key_of_a_stray_row_tells_where_kept_records_hold_the_name(lite: Company) -> None:
    kept = {"crm.customers": GONE["crm.customers"]}
    look = lite.looking(sought({"crm.invoices": GONE["crm.invoices"]}, kept=kept)).first()
    with lite.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete = OFF")
        connection.exec_driver_sql(DELETE[1])
    assert (look.after()["crm.invoices"].verdict, look.after()["crm.invoices"].level) == ("verified", "L1")


def test_a_utf16_database_is_scanned_as_such(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "crm.db") as connection:
        connection.execute("PRAGMA encoding = 'UTF-16le'")
        connection.execute("CREATE TABLE first (x)")
    connection.close()
    company = Company(tmp_path, f"sqlite:///{tmp_path / 'crm.db'}")
    look = company.looking().first()
    with company.engine.begin() as plain:
        plain.exec_driver_sql("PRAGMA secure_delete = OFF")
        for statement in DELETE:
            plain.exec_driver_sql(statement)
    assert {(finding.verdict, finding.level) for finding in look.after().values()} == {("verified", "L1")}


@pytest.mark.parametrize(("made", "filled"), [
    ("CREATE MATERIALIZED VIEW held AS SELECT 'C0001234'::text AS x WHERE false", "DROP MATERIALIZED VIEW held; CREATE MATERIALIZED VIEW held AS SELECT 'C0001234'::text AS x"),
    ("CREATE TABLE held (x jsonb)", """INSERT INTO held VALUES ('{"a": [{"no": "C0001234"}]}')"""),
    ("CREATE TABLE held (x text[])", "INSERT INTO held VALUES (ARRAY['a', 'C0001234'])"),
    ("CREATE SCHEMA far; CREATE TABLE far.held (x text)", "INSERT INTO far.held VALUES ('C0001234')"),
    ('CREATE TABLE "held" ("a,\n""b" text, y text)', """INSERT INTO held VALUES ('C000\n1234', E'q"\n,')"""),
    ("CREATE TABLE held (x text) PARTITION BY LIST (x); CREATE TABLE held_1 PARTITION OF held DEFAULT", "INSERT INTO held VALUES ('C0001234')"),
    ("CREATE TABLE held (x text); CREATE TABLE child () INHERITS (held)", "INSERT INTO child VALUES ('C0001234')"),
])
def test_postgresql_is_read_by_its_own_catalog(grown: Company, made: str, filled: str) -> None:
    grown.run(*made.split("; "))
    look = grown.looking().first()
    grown.run(*DELETE)
    assert look.verdicts() == dict.fromkeys(GONE, "verified")
    grown.run(*filled.split("; "))
    assert look.verdicts()["crm.far.held" if "far" in made else "crm.held"] == "residual"


TYPED = """
[system.crm]
label = "顧客"
store = "sql"
url = "env:CRM_URL"
[system.crm.dataset.offers]
label = "案内"
key = ["at"]
by = "customer_no"
locate = "SELECT at FROM offers WHERE customer_no = :customer_no"
fetch = "SELECT * FROM offers WHERE at IN :keys"
fields = {{at = "時", price = "額", rate = "率", active = "有効", image = "図"}}
"""
NOON = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(("column", "old", "other"), [
    ("price", Decimal("12.50"), "0"), ("rate", 1.0, "0.5"), ("active", True, "false"), ("image", b"C0001234", "''"),
])  # fmt: skip
def test_values_are_compared_however_postgresql_and_a_driver_write_them(grown: Company, column: str, old: Any, other: str) -> None:
    grown.run(
        "CREATE TABLE offers (at timestamptz, price numeric(9, 2), rate float8, active bool, image bytea)",
        "INSERT INTO offers VALUES ('2026-05-01 21:30:00+09', 12.50, 1, true, 'C0001234'), ('2026-05-02 00:00:00+09', 1.50, '-0', NULL, '')",
    )
    wanted = sought({}, {"crm.offers": {"at": [NOON], column: [old]}}, {"crm.offers": {"at": [NOON]}}, {"member_id": ["M0007777"]})
    look = grown.looking(wanted, document=TYPED).first()
    assert look.after()["crm.offers"].said["cases"][CASE]["not_emptied"] == 1
    grown.run(f"UPDATE offers SET {column} = {other} WHERE at = '{NOON.isoformat()}'")
    assert look.verdicts() == {"crm.offers": "verified"}
    grown.run("ALTER TABLE offers ALTER price TYPE numeric(12, 4)", "UPDATE offers SET rate = 0 WHERE rate = '-0'")
    assert look.verdicts() == {"crm.offers": "verified"}, "the same values, written otherwise"
    grown.run("UPDATE offers SET image = NULL WHERE image = ''")
    assert look.verdicts() == {"crm.offers": "indeterminate"}


def test_a_partitioned_table_is_one_place(grown: Company) -> None:
    company = grown
    company.run(
        "ALTER TABLE invoices RENAME TO old_invoices",
        "CREATE TABLE invoices (LIKE old_invoices) PARTITION BY LIST (part)",
        "CREATE TABLE invoices_0 PARTITION OF invoices FOR VALUES IN (0)",
        "CREATE TABLE invoices_1 PARTITION OF invoices FOR VALUES IN (1)",
        "INSERT INTO invoices SELECT * FROM old_invoices", "DROP TABLE old_invoices",
    )
    look = company.looking().first()
    company.run(DELETE[0], "DELETE FROM invoices_0 WHERE customer_no = 'C0001234'")
    assert look.verdicts()["crm.invoices"] == "residual"
    company.run(DELETE[1])
    assert look.verdicts() == dict.fromkeys(GONE, "verified")


def test_a_table_or_row_that_the_survey_may_not_read_stops_it(postgres: Postgres, grown: Company) -> None:
    company = grown
    name = str(make_url(company.url).database)
    company.run(f"GRANT CONNECT ON DATABASE {name} TO locked", "GRANT SELECT ON customers, invoices TO locked")
    owner, company.url = company.url, postgres.url(name, "locked", "other")
    with pytest.raises(ConnectorMisread, match="change_log: the survey may not read it: GRANT SELECT"):
        company.looking().first()
    company.run("GRANT SELECT ON change_log TO locked")
    look = company.looking().first()
    company.run(*DELETE, "ALTER TABLE customers ENABLE ROW LEVEL SECURITY", "CREATE POLICY few ON customers USING (false)")
    with pytest.raises(ConnectorRefused):
        look.after()
    company.run("ALTER TABLE customers DISABLE ROW LEVEL SECURITY", "REVOKE SELECT ON change_log FROM locked")
    assert {finding.verdict for finding in look.after().values()} == {"indeterminate"}
    assert owner != company.url


def test_the_survey_goes_in_by_its_own_address(lite: Company) -> None:
    document = CRM.replace('url = "env:CRM_URL"', 'url = "sqlite:///nowhere.db"\nsurvey_url = "env:CRM_URL"')
    look = lite.looking(document=document).first()
    lite.run(*DELETE)
    assert look.verdicts() == dict.fromkeys(GONE, "verified")
    with pytest.raises(ConnectorUnavailable, match="no survey_url"):
        Looking(inventory_of(lite.folder, document.format(canary="")), sought(GONE)).first()


def test_systems_at_one_address_are_one_store(lite: Company) -> None:
    other = """
[system.claims]
label = "請求"
store = "sql"
url = "env:CRM_URL"
[system.claims.dataset.entries]
label = "記録"
key = ["at"]
by = "customer_no"
locate = "SELECT at FROM change_log WHERE detail = :customer_no"
fetch = "SELECT * FROM change_log WHERE at IN :keys"
fields = {at = "時", detail = "内容"}
"""
    lite.put("change_log", [("2026-11-02", "C0001234"), ("2026-11-03", "C0001235")])
    inventory = inventory_of(lite.folder, CRM.format(canary="") + other)
    wanted = [sought(GONE, kept={"claims.entries": {"at": ["2026-11-02"]}})]
    survey = surveyor(inventory, inventory.system["crm"], {"CRM_URL": lite.url}, KEY)
    before = survey.before(wanted)
    assert before["unplanned"] == {}
    lite.run(*DELETE)
    assert {finding.dataset: finding.verdict for finding in survey.after(wanted, before)} == dict.fromkeys(GONE, "verified")
    lite.put("customers", CUSTOMERS[:1])
    lite.put("invoices", INVOICES[:2])
    wanted = [sought({**GONE, "claims.entries": {"at": ["2026-11-03"]}}, forms={"customer_no": ["C0001234"]},
                     kept={"claims.entries": {"at": ["2026-11-02"]}})]
    before = survey.before(wanted)
    lite.run(*DELETE)
    told = {finding.dataset: finding for finding in survey.after(wanted, before)}
    assert (told["claims.entries"].verdict, told["claims.entries"].said["why"]) == ("residual", ["left"])


def test_a_table_that_went_with_everybody_in_it_is_not_verified(company: Company) -> None:
    look = company.looking().first()
    company.run(DELETE[0], "DROP TABLE invoices")
    found = [finding for finding in look.survey.after(look.wanted, look.before) if finding.dataset == "crm.invoices"]
    assert {finding.verdict for finding in found} == {"indeterminate"} and "no_such_place" in found[0].said["why"]


def test_a_database_whose_pages_are_damaged_is_indeterminate_and_says_how(lite: Company) -> None:
    look = lite.looking().first()
    raw = bytearray((lite.folder / "crm.db").read_bytes())
    raw[4096:] = bytes(b"\xff" * (len(raw) - 4096))
    (lite.folder / "crm.db").write_bytes(raw)
    assert look.after()["crm.invoices"].said == {"why": ["unread"], "words": "cannot be read whole (DatabaseError)"}


def test_a_dataset_that_is_not_here_is_told_and_never_dropped(lite: Company) -> None:
    look = lite.looking(sought({**GONE, "far.away": {"no": ["1"]}})).first()
    lite.run(*DELETE)
    assert look.verdicts() == {**dict.fromkeys(GONE, "verified"), "far.away": "indeterminate"}
    assert look.after()["far.away"].said["why"] == ["no_such_place"]


def test_a_dataset_without_a_table_of_its_own_is_never_verified(lite: Company) -> None:
    document = CRM.replace("SELECT * FROM invoices WHERE", "SELECT i.* FROM invoices i JOIN customers c ON true WHERE")
    wanted = sought({"crm.invoices": GONE["crm.invoices"]})
    with pytest.raises(CheckFailed, match="0 of 2"):
        lite.looking(wanted, document=document).first()
    declared = document.replace('key = ["invoice_no", "part"]', 'key = ["invoice_no", "part"]\ntable = "invoices"')
    look = lite.looking(wanted, document=declared).first()
    lite.run(DELETE[1])
    assert look.verdicts()["crm.invoices"] == "verified"


@pytest.mark.parametrize(("store", "why"), [("manual", "a_person_must_look"), ("mainframe", "no_survey_for_this_store")])
def test_a_store_that_nobody_can_look_into_is_indeterminate_dataset_by_dataset(tmp_path: Path, store: str, why: str) -> None:
    look = Looking(inventory_of(tmp_path, CRM.replace('"sql"', f'"{store}"').format(canary="")), sought(GONE)).first()
    assert {name: (finding.verdict, finding.said["why"]) for name, finding in look.after().items()} == dict.fromkeys(
        GONE, ("indeterminate", [why]))
    assert not look.before.get("unplanned")


def test_an_unreachable_database_is_unavailable_and_its_words_hold_nothing(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://hanako:hush@/x?host={tmp_path}"
    look = Looking(inventory_of(tmp_path, CRM.format(canary="")), sought(GONE), environment={"CRM_URL": url})
    with pytest.raises(ConnectorUnavailable) as raised:
        look.first()
    assert "hush" not in str(raised.value) and raised.value.__context__ is None


# -- the lake --------------------------------------------------------------------------------------------------------

LAKE = """
[system.lake]
label = "通話"
store = "lake"
[system.lake.dataset.calls]
label = "通話"
glob = "calls/calls-*.parquet"
key = ["call_id"]
by = "line_no"
locate = "SELECT call_id FROM calls WHERE line_no = :line_no"
fetch = "SELECT * FROM calls WHERE call_id IN :keys"
fields = {call_id = "番号", line_no = "回線", other_no = "相手", at = "日時"}
"""
OTHERS = ["092-000-1002", "092-000-1003", "080-0100-0001"]
CALLS_GONE = {"lake.calls": {"call_id": pa.array([1, 5, 9, 11], pa.int64())}}


def call_rows(first: int) -> pa.Table:
    numbers = list(range(first, first + 10))
    lines = ["092-000-1001" if n % 4 == 1 or n == 11 else OTHERS[n % 3] for n in numbers]
    return pa.table({
        "call_id": pa.array(numbers, pa.int64()), "line_no": lines, "other_no": [OTHERS[n % 2] for n in numbers],
        "at": pa.array([1_780_000_000_000_000 + n for n in numbers], pa.timestamp("us")),
        "raw": pa.array([b"%016d" % n for n in numbers], pa.binary(16)), "parts": [{"n": [str(n)]} for n in numbers],
        "flag": [n % 2 == 0 for n in numbers],
        "on": pa.array(numbers, pa.date32()), "ratio": [n / 7 for n in numbers], "none": pa.nulls(10),
    })


class Lake:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "calls"
        self.folder.mkdir()
        self.files = [self.folder / f"calls-2026-0{month}.parquet" for month in (5, 6)]
        for number, path in enumerate(self.files):
            pq.write_table(call_rows(10 * number), path)
        self.wanted = [sought(CALLS_GONE)]
        gone = set(CALLS_GONE["lake.calls"]["call_id"].to_pylist())
        self.gone = gone | {n for n in range(20) if (n % 4 == 1)}
        self.wanted = [sought({"lake.calls": {"call_id": pa.array(sorted(self.gone), pa.int64())}})]
        self.looking = Looking(inventory_of(folder, LAKE), *self.wanted)

    def erase(self, but: frozenset[int] = frozenset()) -> None:
        """By pyarrow, file by file."""
        for path in self.files:
            rows = pq.read_table(path)
            stays = pc.invert(pc.is_in(rows["call_id"], pa.array(sorted(self.gone - but), pa.int64())))
            pq.write_table(rows.filter(stays), path)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_a_lake_rewritten_without_the_person_is_verified_to_the_bytes(lake: Lake) -> None:
    look = lake.looking.first()
    kept = {path: set(pq.read_table(path)["call_id"].to_pylist()) - lake.gone for path in lake.files}
    lake.erase()
    found = look.after()
    assert (found["lake.calls"].verdict, found["lake.calls"].level) == ("verified", "L2") and len(found) == 1
    assert {path: set(pq.read_table(path)["call_id"].to_pylist()) for path in lake.files} == kept


def test_other_codecs_types_and_files_of_the_same_rows_are_the_same(lake: Lake) -> None:
    look = lake.looking.first()
    lake.erase()
    rows = pa.concat_tables([pq.read_table(path) for path in reversed(lake.files)])
    for path in lake.files:
        path.unlink()
    rows = rows.set_column(1, "line_no", rows["line_no"].cast(pa.large_string())).set_column(3, "at", rows["at"].cast(pa.timestamp("ns")))
    pq.write_table(rows.select(rows.column_names[::-1]), lake.files[0], compression="zstd", row_group_size=3)
    assert look.verdicts() == {"lake.calls": "verified"}


@pytest.mark.parametrize("but", [frozenset({5}), frozenset({1, 5, 9, 13, 17, 11})])
def test_calls_left_in_the_lake_are_residual(lake: Lake, but: frozenset[int]) -> None:
    look = lake.looking.first()
    lake.erase(but)
    assert look.after()["lake.calls"].said["cases"][CASE]["left"] == len(but)
    assert look.verdicts() == {"lake.calls": "residual"}


def changed(rows: pa.Table, column: str, value: Any) -> pa.Table:
    at = rows.column_names.index(column)
    cells = rows[column].to_pylist()
    cells[0] = value
    return rows.set_column(at, column, pa.array(cells, rows[column].type))


@pytest.mark.parametrize("harm", [
    lambda rows: changed(rows, "other_no", "092-000-1009"), lambda rows: rows.slice(1),
    lambda rows: changed(rows, "line_no", None),
    lambda rows: rows.drop_columns(["at"]), lambda rows: changed(rows, "raw", b"x" * 16), lambda rows: rows.append_column("memo", pa.nulls(rows.num_rows, pa.string())),
])
def test_neighbours_calls_must_be_the_same(lake: Lake, harm: Callable[[pa.Table], pa.Table]) -> None:
    look = lake.looking.first()
    lake.erase()
    assert look.verdicts() == {"lake.calls": "verified"}
    pq.write_table(harm(pq.read_table(lake.files[0])), lake.files[0])
    assert look.verdicts() == {"lake.calls": "indeterminate"}


def test_a_file_that_came_is_no_harm_though_rows_are_too_many_to_know_each(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(others, "MOST", 0)
    look = lake.looking.first()
    lake.erase()
    new = lake.files[0].with_name("calls-9999-12.parquet")
    rows = pq.read_table(lake.files[0])
    pq.write_table(rows, new)
    assert look.verdicts() == {"lake.calls": "verified"}
    pq.write_table(rows.slice(1), lake.files[0])
    assert look.verdicts() == {"lake.calls": "indeterminate"}


@pytest.mark.parametrize("column", [
    pa.array([["x", "C0001234"]]), pa.array([{"a": {"b": "C0001234"}}]), pa.array([b"...C0001234....."], pa.binary(16)),
    pa.array(["C0001234"], pa.string_view()), pa.array(["C0001234"]).dictionary_encode(), pa.array([b"C0001234"], pa.large_binary()),
])  # fmt: skip
def test_every_kind_of_column_is_searched(lake: Lake, column: pa.Array) -> None:
    look = lake.looking.first()
    lake.erase()
    pq.write_table(pa.table({"x": column}), lake.folder / "beside.parquet")
    assert look.verdicts() == {"lake.calls": "verified", "lake.beside.parquet": "residual"}


@pytest.mark.parametrize("name", ["calls-2026-05.parquet.bak", ".dsr-7f3a.tmp", "old/2026.parquet", "calls.orig"])
def test_a_copy_left_beside_the_files_is_residual(lake: Lake, name: str) -> None:
    look = lake.looking.first()
    (lake.folder / name).parent.mkdir(exist_ok=True)
    (lake.folder / name).write_bytes(lake.files[0].read_bytes())
    lake.erase()
    found = look.after()
    (place,) = set(found) - {"lake.calls"}
    assert found[place].verdict == "residual" and found["lake.calls"].verdict == "verified"


def test_a_copy_that_was_there_before_is_unplanned(lake: Lake) -> None:
    (lake.folder / "copy.old").write_bytes(lake.files[0].read_bytes())
    assert list(lake.looking.first().before["unplanned"]) == ["copy.old"]


@pytest.mark.parametrize("made", [
    lambda raw: gzip.compress(b"no,line\n1,x\n") + gzip.compress(b"2,C0001234\n"), lambda raw: b"customer\tC0001234\n",
    lambda raw: "番号\tC0001234\r\n".encode("utf-16"), lambda raw: "お客様Ｃ０００１２３４\n".encode("cp932"),
])  # fmt: skip
def test_text_left_beside_the_files_is_decoded_and_searched(lake: Lake, made: Callable[[bytes], bytes]) -> None:
    look = lake.looking.first()
    lake.erase()
    (lake.folder / "export.bin").write_bytes(made(b""))
    assert look.verdicts() == {"lake.calls": "verified", "lake.export.bin": "residual"}


@pytest.mark.parametrize("raw", [b"PK\x03\x04 packed", b"PAR1 torn in the middle", b"\x1f\x8b\x08\x00torn"])
def test_a_file_that_cannot_be_decoded_makes_the_whole_indeterminate(lake: Lake, raw: bytes) -> None:
    look = lake.looking.first()
    lake.erase()
    (lake.folder / ".dsr-1.tmp").write_bytes(raw)
    assert look.after()["lake.calls"].said["why"] == ["unread"]
    with pytest.raises(ConnectorMisread, match=r"\.dsr-1\.tmp: cannot be decoded"):
        lake.looking.first()


def test_a_second_name_of_a_file_keeps_the_bytes_and_the_level_says_so(lake: Lake, tmp_path: Path) -> None:
    os.link(lake.files[0], tmp_path / "snapshot")
    look = lake.looking.first()
    rows = pq.read_table(lake.files[0])
    lake.files[0].unlink()
    pq.write_table(rows, lake.files[0])
    lake.erase()
    assert lake.files[0].stat().st_nlink == 1
    found = look.after()["lake.calls"]
    assert (found.verdict, found.level, found.said["steps"][-1]["linked_before"]) == ("verified", "L1", 1)


def test_footers_are_searched_for_what_no_row_holds(lake: Lake) -> None:
    look = lake.looking.first()
    lake.erase()
    rows = pq.read_table(lake.files[0])
    pq.write_table(rows.replace_schema_metadata({"asked for by": "092-000-1001"}), lake.files[0])
    assert look.verdicts() == {"lake.calls": "residual"}
    pq.write_table(rows, lake.files[0])
    assert look.verdicts() == {"lake.calls": "verified"}
    raw = lake.files[0].read_bytes()
    footer = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    stale = raw[:footer] + raw[footer:].replace(b"080-0100-0001", b"092-000-1001 ")  # a minimum that outlived its row
    assert stale != raw and len(stale) == len(raw)
    lake.files[0].write_bytes(stale)
    assert look.verdicts() == {"lake.calls": "residual"}


def test_a_footer_that_says_what_the_rows_hold_is_no_news(lake: Lake) -> None:
    rows = pq.read_table(lake.files[0])
    pq.write_table(rows.filter(pc.equal(rows["line_no"], "092-000-1001")), lake.files[0])
    lake.gone = {1, 5, 9, 11, 13, 17}
    wanted = sought({"lake.calls": {"call_id": pa.array(sorted(lake.gone), pa.int64())}}, lasting=frozenset({"phone"}))
    look = Looking(inventory_of(lake.folder.parent, LAKE), wanted).first()
    assert look.before["unplanned"] == {}
    lake.erase()
    assert look.verdicts() == {"lake.calls": "verified"}


def test_what_the_rows_of_one_file_hold_excuses_no_other_files_footer(lake: Lake) -> None:
    kept = {"lake.calls": {"call_id": pa.array([1, 5, 9], pa.int64())}}
    gone = {"lake.calls": {"call_id": pa.array([11, 13, 17], pa.int64())}}
    look = Looking(inventory_of(lake.folder.parent, LAKE), sought(gone, kept=kept)).first()
    lake.gone = {11, 13, 17}
    lake.erase()
    assert look.verdicts() == {"lake.calls": "verified"}
    rows = pq.read_table(lake.files[1])
    pq.write_table(rows.replace_schema_metadata({"asked for by": "092-000-1001"}), lake.files[1])
    assert look.verdicts() == {"lake.calls": "residual"}


def test_a_name_that_holds_the_number_is_found_and_never_told(lake: Lake) -> None:
    look = lake.looking.first()
    lake.erase()
    (lake.folder / "export-C0001234.csv").write_bytes(b"nothing\n")
    found = look.after()
    (place,) = set(found) - {"lake.calls"}
    assert found[place].verdict == "residual" and "1234" not in place


def test_the_line_of_a_person_who_left_may_be_anothers(lake: Lake) -> None:
    """Kaoru's calls go, those of Susumu, who has the number now, stay (EN-44)."""
    kaoru = sought({"lake.calls": {"call_id": pa.array([1, 5, 9], pa.int64())}})
    look = Looking(inventory_of(lake.folder.parent, LAKE), kaoru).first()
    lake.gone = {1, 5, 9}
    lake.erase()
    found = look.after()["lake.calls"]
    assert found.verdict == "verified"
    assert next(step for step in found.said["steps"] if step["step"] == 3)["bystanders"] == 6  # 11, 13, 17: line and phone


def test_an_empty_folder_is_unavailable(lake: Lake) -> None:
    look = lake.looking.first()
    for path in lake.files:
        path.unlink()
    with pytest.raises(ConnectorUnavailable):
        look.after()


def test_a_lake_in_a_bucket_is_logically_verified_and_no_further(s3: S3, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    document = LAKE.replace('store = "lake"', f'store = "lake"\nurl = "s3://lake/{tmp_path.name}"').replace("calls/calls-", "calls-")
    s3.put(lake.folder, tmp_path.name)
    look = Looking(inventory_of(tmp_path, document), *lake.wanted, environment=s3.environment).first()
    lake.erase(frozenset({5}))
    s3.put(lake.folder, tmp_path.name)
    assert look.verdicts() == {"lake.calls": "residual"}
    lake.erase()
    s3.put(lake.folder, tmp_path.name)
    assert [(finding.verdict, finding.level) for finding in look.after().values()] == [("verified", "L1")]
    with s3.denying(), pytest.raises((ConnectorUnavailable, ConnectorRefused)):
        look.after()


# -- logs ------------------------------------------------------------------------------------------------------------

LOGS = """
[system.web]
label = "閲覧"
store = "logs"
[system.web.dataset.access]
label = "閲覧"
glob = "logs/access-*.log.gz"
line = '^(?P<ip>\\S+) (?P<member_id>\\S+) "(?P<page>[^"]*)" cookie=(?P<cookie_id>\\S+)$'
key = ["record_no"]
ways = [{by = "member_id", locate = "member_id"}, {by = "cookie_id", locate = "cookie_id"}]
fields = {record_no = "番号", ip = "IP", member_id = "会員", page = "頁", cookie_id = "クッキー"}
"""
OURS = '203.0.113.{n} M0001234 "GET /{n}" cookie=a07be2f9d3315c68'
THEIRS = '203.0.113.{n} M0009999 "GET /{n}" cookie=e4410b7dc8f2965a'


class Logs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "logs").mkdir()
        self.path = folder / "logs" / "access-2026-05-01.log.gz"
        self.lines = [(OURS if n in (2, 3, 6) else THEIRS).format(n=n) for n in range(1, 9)]
        self.write(self.lines)
        (folder / "logs" / "access-2026-05-02.log.gz").write_bytes(gzip.compress((THEIRS.format(n=1) + "\n").encode()))
        self.numbers = ["access-2026-05-01:2", "access-2026-05-01:3", "access-2026-05-01:6"]

    def write(self, lines: Sequence[str | bytes], members: int = 1) -> None:
        raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
        cut = -(-len(raw) // members)
        pieces = [b"".join(line + b"\n" for line in raw[at : at + cut]) for at in range(0, len(raw), cut)]
        self.path.write_bytes(b"".join(map(gzip.compress, pieces)))

    def looking(self, *wanted: Sought) -> Looking:
        gone = sought({"web.access": {"record_no": self.numbers}})
        return Looking(inventory_of(self.folder, LOGS), *(wanted or (gone,)))

    def without(self, *numbers: int) -> list[str]:
        return [line for number, line in enumerate(self.lines, 1) if number not in numbers]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


@pytest.mark.parametrize("members", [1, 3])
def test_log_lines_removed_are_verified_though_all_numbers_after_them_changed(logs: Logs, members: int) -> None:
    logs.write(logs.lines, members)
    look = logs.looking().first()
    logs.write(logs.without(2, 3, 6), members)
    assert [(f.dataset, f.verdict, f.level) for f in look.after().values()] == [("web.access", "verified", "L2")]


@pytest.mark.parametrize(("left", "verdict", "count"), [
    ((), "residual", 3), ((2, 3), "residual", 1), ((6,), "residual", 2), ((1, 2, 3, 6), "indeterminate", 0),
    ((1, 2, 3), "residual", 1), ((2, 3, 6, 8), "indeterminate", 0),
])  # fmt: skip
def test_wrong_or_too_few_lines_removed(logs: Logs, left: tuple[int, ...], verdict: str, count: int) -> None:
    look = logs.looking().first()
    logs.write(logs.without(*left))
    found = look.after()["web.access"]
    assert (found.verdict, found.said["cases"][CASE]["left"]) == (verdict, count)


def test_a_neighbours_line_changed_by_one_byte_is_not_verified(logs: Logs) -> None:
    look = logs.looking().first()
    logs.write([line.replace("/8", "/9") for line in logs.without(2, 3, 6)])
    assert look.after()["web.access"].said["why"] == ["digest"]


def test_a_line_hidden_in_a_later_gz_member_is_found(logs: Logs) -> None:
    look = logs.looking().first()
    logs.write(logs.without(2, 3, 6))
    with logs.path.open("ab") as file:
        file.write(gzip.compress((logs.lines[1] + "\n").encode()))
    assert look.verdicts() == {"web.access": "residual"}


@pytest.mark.parametrize("name", ["access-2026-05-01.log.gz.bak", ".dsr-swap", "access.log.1"])
def test_a_rotated_or_temporary_copy_is_residual_though_cookies_may_be_anothers(logs: Logs, name: str) -> None:
    no_member = {"cookie_id": HANAKO["cookie_id"]}
    look = logs.looking(sought({"web.access": {"record_no": logs.numbers}}, forms=no_member)).first()
    (logs.path.parent / name).write_bytes(logs.path.read_bytes())
    logs.write(logs.without(2, 3, 6))
    found = look.after()
    (place,) = set(found) - {"web.access"}
    assert (found["web.access"].verdict, found[place].verdict) == ("verified", "residual")
    assert list(logs.looking().survey.before([sought({"web.access": {"record_no": ["access-2026-05-01:1"]}},
                                                     forms={"cookie_id": ["e4410b7dc8f2965a"]})])["unplanned"]) == [place.removeprefix("web.")]


EMPTIED_LINES = {"web.access": {"record_no": ["access-2026-05-01:3", "access-2026-05-01:6"],
                                "member_id": ["M0001234"] * 2, "cookie_id": ["a07be2f9d3315c68"] * 2}}


@pytest.mark.parametrize(("third", "verdict"), [
    ('203.0.113.3 - "GET /3" cookie=-', "verified"),
    ('203.0.113.3 - "GET /4" cookie=-', "indeterminate"),
    ('203.0.113.3 M0001234 "GET /3" cookie=-', "residual"),
    ('203.0.113.3 - "GET /3" cookie=a07be2f9d3315c68', "residual"),
    ('203.0.113.3 Ｍ０００１２３４ "GET /3" cookie=-', "residual"),
    ("removed", "indeterminate"),
])  # fmt: skip
def test_identifiers_struck_from_lines_that_stay_while_others_are_removed(logs: Logs, third: str, verdict: str) -> None:
    look = logs.looking(sought({"web.access": {"record_no": ["access-2026-05-01:2"]}}, EMPTIED_LINES)).first()
    lines = logs.lines.copy()
    lines[2], lines[5] = third, '203.0.113.6 - "GET /6" cookie=-'
    del lines[1]
    logs.write(lines)
    assert look.verdicts() == {"web.access": verdict}


@pytest.mark.parametrize("page", [
    b"/?q=%E9%AB%99%E6%A9%8B%E8%8A%B1%E5%AD%90", b"/?q=%25E9%25AB%2599%25E6%25A9%258B%25E8%258A%25B1%25E5%25AD%2590",
    b"/?q=%EE%E0%8B%B4%89%D4%8Eq", b"/?n=\xee\xe0\x8b\xb4\x89\xd4\x8eq", b"/?n=\xfb\xfc\x8b\xb4\x89\xd4\x8eq",
    "/?n=高橋　花子".encode(),
])  # fmt: skip
def test_names_in_urls_are_found_in_every_form(logs: Logs, page: bytes) -> None:
    wanted = sought({"web.access": {"record_no": logs.numbers}}, lasting=frozenset({"name"}))
    look = logs.looking(wanted).first()
    stays: list[str | bytes] = [*logs.without(2, 3, 6)]
    logs.write(stays)
    assert look.verdicts() == {"web.access": "verified"}
    logs.write([*stays, b'203.0.113.9 - "GET ' + page + b'" cookie=-'])
    assert look.verdicts() == {"web.access": "residual"}


def test_a_torn_log_is_indeterminate_and_names_the_file(logs: Logs) -> None:
    look = logs.looking().first()
    logs.write(logs.without(2, 3, 6))
    for raw in (logs.path.read_bytes()[:-12], b""):
        logs.path.write_bytes(raw)
        assert "unread" in look.after()["web.access"].said["why"]
        with pytest.raises(ConnectorMisread, match=r"access-2026-05-01\.log\.gz"):
            logs.looking().first()


# -- HTTP ------------------------------------------------------------------------------------------------------------

FAULTS = """
[system.faults]
label = "故障"
store = "http"
url = "file:faults.url"
token = "file:faults.token"
{canary}
[system.faults.dataset.tickets]
label = "故障"
key = ["ticket_no"]
by = "line_no"
locate = "/tickets?line_no={{line_no}}&from={{from}}&to={{to}}"
fetch = "/tickets/{{ticket_no}}"
page = {{param = "page", items = "items", next = "next"{all}}}
at = {{column = "opened_at", form = "iso"}}
fields = {{ticket_no = "番号", line_no = "回線", opened_at = "受付", note = "内容"}}
"""
TICKETS = {"faults.tickets": {"ticket_no": ["F0000001", "F0000003"]}}


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    (tmp_path / "faults").mkdir()
    lines = ["092-000-1001", "092-000-1002", "092-000-1001", *["092-000-1003"] * 18]
    tickets = [{"ticket_no": f"F{n:07d}", "line_no": line, "opened_at": f"2026-05-{1 + n % 28:02d}T00:00:00+09:00", "note": f"n{n}"}
               for n, line in enumerate(lines, 1)]
    (tmp_path / "faults" / "tickets.json").write_text(json.dumps(tickets))
    (tmp_path / "faults.token").write_text("hush")
    monkeypatch.setattr(survey_http.time, "sleep", lambda seconds: None)
    with Server(tmp_path) as server:
        yield server


def tickets_looking(folder: Path, lists: str = ', all = "/tickets"', canary: str = "", **more: Any) -> Looking:
    wanted = sought(TICKETS, forms={"line_no": ["092-000-1001"]}, **more)
    return Looking(inventory_of(folder, FAULTS.format(all=lists, canary=canary)), wanted)


def remove(server: Server, *numbers: str) -> None:
    server.tickets[:] = [ticket for ticket in server.tickets if ticket["ticket_no"] not in numbers]


def test_tickets_deleted_by_the_api_are_verified_and_half_of_them_are_not(faults: Server, tmp_path: Path) -> None:
    look = tickets_looking(tmp_path).first()
    assert look.before["places"]["tickets"][:3] == [21, 2, 19]
    remove(faults, "F0000001")
    assert look.verdicts() == {"faults.tickets": "residual"}
    remove(faults, "F0000003")
    assert [(finding.verdict, finding.level) for finding in look.after().values()] == [("verified", "L1")]
    faults.tickets[0]["note"] = "changed"
    assert look.verdicts() == {"faults.tickets": "indeterminate"}


def test_a_ticket_that_cannot_be_had_but_is_listed_is_still_there(faults: Server, tmp_path: Path) -> None:
    look = tickets_looking(tmp_path).first()
    answer = faults.answer

    def lying(target: str, *told: Any) -> Any:
        return (404, {}, {}) if target in ("/tickets/F0000001", "/tickets/F0000003") else answer(target, *told)

    faults.answer = lying  # type: ignore[method-assign]
    assert look.after()["faults.tickets"].said["cases"][CASE]["left"] == 2
    faults.answer = lambda target, *told: (404, {}, {})  # type: ignore[method-assign]
    with pytest.raises(ConnectorMisread):
        look.survey.before(look.wanted)
    assert look.verdicts() == {"faults.tickets": "indeterminate"}


def test_without_a_list_of_all_only_a_planted_record_can_vouch(faults: Server, tmp_path: Path) -> None:
    look = tickets_looking(tmp_path, lists="").first()
    remove(faults, "F0000001", "F0000003")
    assert look.after()["faults.tickets"].said["why"] == ["no_plant"]
    faults.tickets += [{"ticket_no": no, "line_no": line, "opened_at": "2026-05-01T00:00:00+09:00", "note": ""}
                       for no, line in (("F0000001", "092-000-1001"), ("F0000003", "092-000-1001"), ("F0", "092-000-0009"))]
    look = tickets_looking(tmp_path, lists="", canary='canary = ["092-000-0009"]').first()
    remove(faults, "F0000001", "F0000003")
    found = look.after()["faults.tickets"]
    assert (found.verdict, found.said["steps"][-1]) == ("verified", {"step": 5, "lists_all": False})


def test_a_ticket_server_that_is_down_refuses_or_breaks_off(faults: Server, tmp_path: Path) -> None:
    look = tickets_looking(tmp_path).first()
    remove(faults, "F0000001", "F0000003")
    faults.fail = "down"
    with pytest.raises(ConnectorUnavailable):
        look.after()
    faults.fail = "truncate"
    with pytest.raises(ConnectorUnavailable):
        look.after()
    faults.fail, faults.token = None, "other"
    with pytest.raises(ConnectorRefused):
        look.after()


# -- marks -----------------------------------------------------------------------------------------------------------


def test_a_pair_of_equal_rows_does_not_cancel_and_order_does_not_matter() -> None:
    marks = Marks(KEY)
    rows = pa.table({"a": ["x", "x", "y"], "b": [1, 1, None]})
    digest = total(marks.rows(rows, ["a", "b"]))
    assert digest == total(marks.rows(rows.take([2, 0, 1]), ["b", "a"]))
    assert digest != total(marks.rows(rows.slice(2), ["a", "b"]))
    assert digest != total(Marks(b"another").rows(rows, ["a", "b"]))
    assert digest != total(marks.rows(rows.rename_columns(["a", "c"]), ["a", "c"]))


@pytest.mark.parametrize(("one", "other", "same"), [
    (pa.array([-0.0, float("nan"), None]), pa.array([0.0, -float("nan"), None]), True),
    (pa.array(["1.50"]).cast(pa.decimal128(9, 2)), pa.array(["1.5"]).cast(pa.decimal128(9, 4)), True),
    (pa.array([1_000], pa.timestamp("us", "UTC")), pa.array([1_000_000], pa.timestamp("ns", "Asia/Tokyo")), True),
    (pa.array([1_000], pa.timestamp("us", "UTC")), pa.array([1_000], pa.timestamp("us")), False),
    (pa.array([1, None], pa.int8()), pa.array([1, None], pa.int64()), True),
    (pa.array(["a", None]), pa.array(["a", None]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.large_string())), True),
    (pa.array(["a" * 600]), pa.array(["a" * 599 + "b"]), False), (pa.array(["a" * 16]), pa.array(["a" * 16 + "\0"]), False),
    (pa.array([""]), pa.array([None], pa.string()), False), (pa.array(["1"]), pa.array([1]), False),
    (pa.array([["a"]]), pa.array([["a"]], pa.large_list(pa.string())), True),
])  # fmt: skip
def test_one_value_has_one_mark_however_it_is_written(one: pa.Array, other: pa.Array, same: bool) -> None:
    marks = Marks(KEY)
    assert (marks.cells(one).tolist() == marks.cells(other).tolist()) is same
