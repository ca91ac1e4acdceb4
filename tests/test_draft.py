"""``dsr inventory draft``: a database nobody declared, from its live schema to a package that holds one person's rows."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.build import connect
from connectors.draft import draft
from connectors.draft.kinds import guess
from dsr.connector import Ask
from dsr.errors import BadInput
from dsr.identity import Identifier
from dsr.inventory import Dataset, Inventory, System, read_inventory
from flows.cli import main
from tests.connector_fixtures import SECRET, Postgres, running_postgres  # noqa: F401 - a fixture is used by its name
from tests.story import Office, datasets_of, marks_of, rows_of

POWER = """
CREATE TABLE 契約者 (契約者番号 VARCHAR(8) PRIMARY KEY, 氏名 VARCHAR(40), フリガナ VARCHAR(40), 生年月日 INTEGER,
    電話番号 VARCHAR(20), 紹介者番号 VARCHAR(8) REFERENCES 契約者 (契約者番号));
CREATE TABLE 契約 (契約者番号 VARCHAR(8) NOT NULL REFERENCES 契約者 (契約者番号), 枝番 INTEGER NOT NULL, 開始日 INTEGER NOT NULL,
    備考 VARCHAR(400), PRIMARY KEY (契約者番号, 枝番));
CREATE TABLE 請求 (契約者番号 VARCHAR(8), 枝番 INTEGER, 年月 VARCHAR(6), 金額 INTEGER, card_no VARCHAR(20), 口座番号 VARCHAR(8),
    請求先名 VARCHAR(40), 領収 INTEGER, FOREIGN KEY (契約者番号, 枝番) REFERENCES 契約 (契約者番号, 枝番));
CREATE TABLE inquiry (no INTEGER NOT NULL, 契約者番号 VARCHAR(8), asked_at INTEGER, contact VARCHAR(40), "order" VARCHAR(200));
CREATE UNIQUE INDEX inquiry_no ON inquiry (no);
CREATE TABLE transfers (id INTEGER PRIMARY KEY, 契約者番号 VARCHAR(8), paid_by VARCHAR(8) REFERENCES 契約者 (契約者番号),
    note_kind VARCHAR(8));
CREATE TABLE fax_log (id INTEGER PRIMARY KEY, fax_no VARCHAR(20), body VARCHAR(400));
CREATE TABLE 料金表 (plan_name VARCHAR(20), yen INTEGER);
INSERT INTO 契約者 VALUES
    ('0', '清水　遥', 'ｼﾐｽﾞ ﾊﾙｶ', 19900307, '09200002001', NULL), ('1', '池田 光', 'ｲｹﾀﾞ ﾋｶﾙ', 19850101, NULL, '0'),
    ('2', '清水 遥', 'ｼﾐｽﾞ ﾊﾙｶ', 19710909, '0920002999', '0');
INSERT INTO 契約 VALUES ('0', 0, 20200401, 'ご家族の池田様より電話があり、折り返しの約束をした。記録のため残す。'),
    ('0', 1, 20210401, NULL), ('1', 0, 20200401, NULL), ('2', 0, 20200401, NULL);
INSERT INTO 請求 VALUES
    ('0', 0, '202604', 0, '4111111111111111', NULL, '清水 遥', 1), ('0', 1, '202604', 2900, NULL, '7900001', '池田 光', 1),
    ('1', 0, '202604', 3100, '4111111111111111', NULL, '池田 光', 1), (NULL, 0, '202604', 1, NULL, NULL, NULL, 0),
    ('2', 0, '202604', 3200, NULL, '7900002', '清水 遥', 1);
INSERT INTO inquiry VALUES
    (0, '0', 1777248000, '092-000-2001', '請求書の送り先を 変えてほしい。四月分から新しい住所あてにお願いしたいとのこと。'),
    (1, '2', 1777248000, '092-000-2999', '料金の見方を 知りたい。前年の同じ月との差がどこに出ているかを聞かれた。'),
    (2, '9', NULL, '092-000-2777', 'だれのものか 分からない問い合わせ。番号は控えてあるが、台帳には見当たらない。');
INSERT INTO transfers VALUES (1, '0', '1', 'a'), (2, '1', '0', 'b'), (3, NULL, '0', 'c');
INSERT INTO fax_log VALUES (1, '092-000-2001', '申込書');
INSERT INTO 料金表 VALUES ('基本', 2900);
"""
OWNS = {  # from the rows above, by hand: what each person's package must hold
    "遥": {"契約者": {"0"}, "契約": {"0|0", "0|1"}, "inquiry": {"0"}, "transfers": {"1"},
          "請求": {"0|0|202604|0|1", "0|1|202604|2900|1"}},
    "光": {"契約者": {"1"}, "契約": {"1|0"}, "transfers": {"2"}, "請求": {"1|0|202604|3100|1"}},
}  # fmt: skip
MASKED = {
    "遥": {"0|0|202604|0|1": {("card_no", "card_tail")},
          "0|1|202604|2900|1": {("口座番号", "account_tail"), ("請求先名", "person_other")}},
    "光": {"1|0|202604|3100|1": {("card_no", "card_tail")}},
}  # fmt: skip
PEOPLE = {"遥": ("清水 遥", "シミズ ハルカ", "1990-03-07"), "光": ("池田 光", "イケダ ヒカル", "1985-01-01")}
PROOF = {"method": "post", "documents": [{"type": "drivers_licence", "last_digits": "12", "seen_on": "2026-11-04",
                                           "name": "match", "birth": "match", "address": "match"}]}  # fmt: skip
OFFICERS = [{"name": n, "role": r, "secret": "s"} for n, r in (("uketsuke-1", "handler"), ("shonin-1", "approver"))]


def request_of(name: str, kana: str, born_on: str | None, phone: str = "", address: str = "") -> dict[str, Any]:
    subject = {"name": name, "kana": kana, "born_on": born_on, "addresses": [address] if address else []}
    subject["identifiers"] = [{"kind": "phone", "value": phone}] if phone else []
    return {"right": "disclosure", "subject": subject, "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"}}


def packaged(office: Office, folder: Path, request: dict[str, Any]) -> Path:
    """From the letter to the package: who is in doubt is somebody else, notes are released as they are."""
    for name, document in (("request", request), ("proof", PROOF)):
        (folder / f"{name}.json").write_text(json.dumps(document))
    case = office.ok("open", str(folder / "request.json"))["case"]
    office.ok("prove", case, "--file", str(folder / "proof.json"))
    if office.ok("collect", case)["state"] == "review":
        notes: dict[str, dict[str, Any]] = {}
        sheets = office.ok("review", case)
        for note in sheets["notes"]:
            notes.setdefault(note["dataset"], {})[note["record"]] = {"strike": [], "release": True}
        (folder / "review.json").write_text(json.dumps({"identity": dict.fromkeys(sheets["identity"], "other"), "notes": notes}))
        office.ok("review", case, "--file", str(folder / "review.json"))
    if office.ok("decide", case, "--as-proposed")["state"] == "awaiting_approval":
        office.ok("approve", case, officer="shonin-1")
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(folder / f"package-{case}"))
    return folder / f"package-{case}"


def held(package: Path, system: System) -> dict[str, set[str]]:
    """Label of the dataset → its record nos."""
    found = {name: set(rows_of(package, name)) for name in datasets_of(package)}
    return {system.dataset[name.partition(".")[2]].label: rows for name, rows in found.items() if rows}


def by_label(system: System) -> dict[str, Dataset]:
    return {dataset.label: dataset for dataset in system.dataset.values()}


def company(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "inventory.toml").write_text(text, encoding="utf-8")
    (folder / "officers.json").write_text(json.dumps(OFFICERS))
    (folder / "truth.json").write_text("{}")
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    def made(script: str) -> str:
        if request.param == "postgresql":
            server: Postgres = request.getfixturevalue("postgres")
            return server.database(*filter(str.strip, script.split(";\n")))
        base = sqlite3.connect(tmp_path / "power.db")
        base.executescript(script.replace("BYTEA", "BLOB"))
        base.close()
        return f"sqlite:///{tmp_path / 'power.db'}"

    return made


def drafted(url: str, folder: Path, **given: Any) -> tuple[str, Inventory, Any]:
    """The draft, read back as anybody would read it, and its only system."""
    text = draft(url, given.get("schema"), folder, {}).text
    folder.mkdir(exist_ok=True)
    (folder / "inventory.toml").write_text(text, encoding="utf-8")
    inventory = read_inventory(folder / "inventory.toml")
    return text, inventory, next(iter(inventory.system.values()))


def test_a_draft_nobody_touched_finds_each_person_their_rows_and_no_neighbours(
    database: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Japanese names, keys 0 and NULL, composite keys and references, a payer, a self-reference, a namesake, orphans."""
    url = database(POWER)
    text, _, system = drafted(url, tmp_path / "draft")
    monkeypatch.setenv(system.url.removeprefix("env:"), url)
    office = Office.set_up(tmp_path / "home", company(tmp_path / "draft", text), monkeypatch)
    assert office.ok("inventory", "check")["problems"] == []
    for key, (name, kana, born_on) in PEOPLE.items():
        package = packaged(office, tmp_path, request_of(name, kana, born_on))
        assert held(package, system) == OWNS[key]
        bills = rows_of(package, f"{system.name}.{by_label(system)['請求'].name}")
        masked = {number: {(field, mark) for field, mark, _ in marks_of(row)} for number, row in bills.items()}
        assert masked == MASKED[key]


def test_what_is_guessed_says_why_and_what_is_not_sure_asks(database: Callable[[str], str], tmp_path: Path) -> None:
    text, _, system = drafted(database(POWER), tmp_path / "draft")
    datasets = by_label(system)
    kinds = {f"{label}.{name}": rule.kind for label, d in datasets.items() for name, rule in d.fields.items()}
    assert kinds["契約者.氏名"] == "user.name" and kinds["契約者.フリガナ"] == "user.name.kana"
    assert kinds["契約者.生年月日"] == "user.born_on" and kinds["契約者.電話番号"] == "user.phone"
    assert kinds["inquiry.contact"] == "user.phone"  # by its values
    assert kinds["inquiry.order"] == "text" and kinds["契約.備考"] == "text"
    bills = datasets["請求"].fields
    assert bills["card_no"].mask[0].shown == "card_last4" and bills["口座番号"].mask[0].shown == "last3"
    assert bills["請求先名"].third_party == "unless_subject"
    assert datasets["契約者"].fields["生年月日"].form == "yyyymmdd"
    assert (datasets["契約"].at.column, datasets["契約"].at.form) == ("開始日", "yyyymmdd")
    assert (datasets["inquiry"].at.column, datasets["inquiry"].at.form) == ("asked_at", "epoch")
    for words in (
        "# 紹介者番号 → 契約者: 自己参照", "# 要確認: paid_by → 契約者: 担当・支払", "# 契約者番号 → 契約者: 要確認: 列名だけから",
        '金額", "領収"]  # 要確認: 主キーも一意索引もない', "# 要確認: 参照が空 1行・孤児（相手のない行）0行",
        "# 要確認: 参照が空 0行・孤児（相手のない行）1行", 'key = ["no"]  # 主キーがなく、一意索引から',
        '"料金表" = "要確認: 個人の列は見当たらない', 'fax_log = "要確認: fax_no: 個人データらしいが',
    ):  # fmt: skip
        assert words in text


def test_no_value_of_any_row_and_no_password_is_in_the_draft(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database(*filter(str.strip, POWER.split(";\n")))
    text = draft(url, None, tmp_path, {}).text
    values = ("清水", "ｼﾐｽﾞ", "池田", "19900307", "09200002001", "092-000-2001", "4111", "7900001", "202604", "基本", "申込書")
    assert [value for value in (*values, SECRET, str(postgres.folder)) if value in text] == []


def test_sakila_as_drafted_on_sqlite_gives_hanako_hers_and_not_what_another_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same schema that docs/connect.md plays on PostgreSQL, untouched by anybody."""
    script = (Path(__file__).parent / "schemas/sakila.sql").read_text().replace("BYTEA", "BLOB")
    base = sqlite3.connect(tmp_path / "sakila.db")
    base.executescript(script)
    base.close()
    before = (tmp_path / "sakila.db").read_bytes()
    text, _, system = drafted(f"sqlite:///{tmp_path / 'sakila.db'}", tmp_path / "draft")
    assert (tmp_path / "sakila.db").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"sakila.db", "draft"}
    monkeypatch.setenv("SAKILA_URL", f"sqlite:///{tmp_path / 'sakila.db'}")
    office = Office.set_up(tmp_path / "home", company(tmp_path / "draft", text), monkeypatch)
    assert office.ok("inventory", "check")["problems"] == []
    hanako = request_of("髙橋 花子", "タカハシ ハナコ", None, "092-000-1001", "福岡県みなと市中央1-2-3")
    assert held(packaged(office, tmp_path, hanako), system) == {
        "customer": {"0"}, "rental": {"0"}, "payment": {"0", "4"}, "address": {"1"},
    }  # fmt: skip
    assert "staff.picture" in system.not_personal and "actor" in system.dataset
    assert system.dataset["staff"].fields["password"].mask[0].shown == "all"


# -- whose row -------------------------------------------------------------------------------------------------

OWNED = {
    "a bill goes to its customer, not to who pays or where it is sent": (
        """CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, tel TEXT, kana TEXT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, bill_to_id INTEGER REFERENCES customers (id),
            ship_to_id INTEGER REFERENCES customers (id), customer_id INTEGER REFERENCES customers (id));""",
        {"customers": "person", "orders": "customers_id"}, ["bill_to_id → customers", "ship_to_id → customers"],
    ),
    "a card is its holder's, and the order paid with it is not": (
        """CREATE TABLE customers (customer_no TEXT PRIMARY KEY, full_name TEXT, tel TEXT);
        CREATE TABLE cards (card_id INTEGER PRIMARY KEY, customer_no TEXT REFERENCES customers, card_no TEXT);
        CREATE TABLE orders (order_no TEXT PRIMARY KEY, card_id INTEGER REFERENCES cards,
            customer_no TEXT REFERENCES customers);""",
        {"customers": "person", "cards": "customer_no", "orders": "customer_no"}, ["card_id → cards"],
    ),
    "a customer is not the shop's row, though the shop has a name and a telephone": (
        """CREATE TABLE shops (shop_id INTEGER PRIMARY KEY, name TEXT, tel TEXT);
        CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, shop_id INTEGER REFERENCES shops, name TEXT, kana TEXT,
            tel TEXT);
        CREATE TABLE visits (visit_id INTEGER PRIMARY KEY, shop_id INTEGER REFERENCES shops,
            customer_id INTEGER REFERENCES customers);""",
        {"shops": "person", "customers": "person", "visits": "customer_id"}, ["shop_id → shops"],
    ),
    "a contact person is the customer's row, a payslip the employee's, a visit the customer's and not who made it": (
        """CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT, kana TEXT, tel TEXT);
        CREATE TABLE employees (employee_id INTEGER PRIMARY KEY, name TEXT, kana TEXT, birth_ymd INTEGER);
        CREATE TABLE contacts (contact_id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, contact_name TEXT,
            tel TEXT);
        CREATE TABLE payslips (payslip_id INTEGER PRIMARY KEY, employee_id INTEGER REFERENCES employees);
        CREATE TABLE visits (visit_id INTEGER PRIMARY KEY, employee_id INTEGER REFERENCES employees,
            customer_id INTEGER REFERENCES customers);""",
        {"customers": "person", "employees": "person", "contacts": "customer_id", "payslips": "employee_id",
         "visits": "customer_id"}, ["employee_id → employees"],
    ),
    "an address by way of a table of links is reached, the address an order was sent to is not": (
        """CREATE TABLE users (user_id INTEGER PRIMARY KEY, full_name TEXT, mail TEXT,
            home_id INTEGER REFERENCES homes);
        CREATE TABLE places (place_id INTEGER PRIMARY KEY, addr TEXT, zip TEXT, city_id INTEGER REFERENCES cities);
        CREATE TABLE cities (city_id INTEGER PRIMARY KEY, city TEXT, within INTEGER REFERENCES cities (city_id));
        CREATE TABLE homes (home_id INTEGER PRIMARY KEY, addr TEXT, city_id INTEGER REFERENCES cities);
        CREATE TABLE user_places (user_id INTEGER REFERENCES users, place_id INTEGER REFERENCES places,
            created_at TEXT, PRIMARY KEY (user_id, place_id));
        CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users,
            ship_place_id INTEGER REFERENCES places (place_id));""",
        {"users": "person", "user_places": "user_id", "places": "place_id", "homes": "home_id",
         "orders": "user_id"},
        ["ship_place_id → places"],
    ),
    "a parcel is its order's customer's and not who delivered it; an address only billed to is nobody's yet": (
        """CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT, kana TEXT, tel TEXT,
            billing_addr_id INTEGER REFERENCES addrs (addr_id));
        CREATE TABLE employees (employee_id INTEGER PRIMARY KEY, name TEXT, kana TEXT, tel TEXT);
        CREATE TABLE addrs (addr_id INTEGER PRIMARY KEY, addr TEXT);
        CREATE TABLE orders (order_id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers);
        CREATE TABLE parcels (parcel_id INTEGER PRIMARY KEY, employee_id INTEGER REFERENCES employees,
            order_id INTEGER REFERENCES orders);""",
        {"customers": "person", "employees": "person", "orders": "customer_id", "parcels": "order_id", "addrs": "person"},
        ["employee_id → employees", "billing_addr_id → addrs"],
    ),
    "two tables of people that each name the other are both drafted": (
        """CREATE TABLE persons (person_id INTEGER PRIMARY KEY, household_id INTEGER, name TEXT, tel TEXT);
        CREATE TABLE household (household_id INTEGER PRIMARY KEY, person_id INTEGER, head_name TEXT, full_name TEXT, tel TEXT);
        """,
        {"persons": "household_id", "household": "person"}, ["person_id → persons"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OWNED)
def test_each_table_gets_one_way_in_and_the_rest_is_asked(tmp_path: Path, case: str) -> None:
    script, ways, asked = OWNED[case]
    base = sqlite3.connect(tmp_path / "shop.db")
    base.executescript(script)
    base.close()
    text, _, system = drafted(f"sqlite:///{tmp_path / 'shop.db'}", tmp_path / "draft")
    assert {name: dataset.ways[0].by for name, dataset in system.dataset.items()} == ways
    assert [words for words in asked if f"# 要確認: {words}" not in text] == []
    for dataset in system.dataset.values():
        assert len(dataset.ways) == 1
    assert draft(f"sqlite:///{tmp_path / 'shop.db'}", None, tmp_path, {}).left == ()


def test_keys_are_compared_as_one_whole_and_whatever_type_they_are_stored_in(
    database: Callable[[str], str], tmp_path: Path
) -> None:
    """a|b with c is not a with b|c; 0 in a column without a type (SQLite's alone) is the 0 that was revealed."""
    url = database("""CREATE TABLE party (party_no TEXT PRIMARY KEY, full_nm TEXT, tel TEXT);
        CREATE TABLE supply (a TEXT, b TEXT, party_no TEXT REFERENCES party (party_no), PRIMARY KEY (a, b));
        CREATE TABLE meters (meter_no INTEGER PRIMARY KEY, a TEXT, b TEXT, FOREIGN KEY (a, b) REFERENCES supply (a, b));
        INSERT INTO party VALUES ('0', 'x', '1'), ('1', 'y', '2');
        INSERT INTO supply VALUES ('a|b', 'c', '0'), ('a', 'b|c', '1'), ('3|a', 'b', '1');
        INSERT INTO meters VALUES (7, 'a|b', 'c'), (8, 'a', 'b|c'), (9, '3|a', 'b'), (10, NULL, 'c');
        """)
    if url.startswith("sqlite"):
        base = sqlite3.connect(url.removeprefix("sqlite:///"))
        base.executescript("CREATE TABLE calls (call_no INTEGER PRIMARY KEY, party_no); INSERT INTO calls VALUES (1, 0), (2, 1)")
        base.close()
    _, inventory, system = drafted(url, tmp_path / "draft")
    (connector,) = connect(inventory, environment={system.url.removeprefix("env:"): url}).values()

    def located(name: str, value: str, column: str) -> list[Any]:
        dataset = system.dataset[name]
        ask = Ask(0, Identifier(dataset.ways[0].by, value), {})
        return [row for found in connector.locate(dataset, [ask]) for row in found.rows[column].to_pylist()]

    assert connector.check() == []
    for party, meters in (("0", [7]), ("1", [8, 9])):
        revealed = located("supply", party, system.dataset["supply"].reveals[0].column)
        assert sorted(no for value in revealed for no in located("meters", value, "meter_no")) == meters
    if url.startswith("sqlite"):
        assert set(located("calls", "0", "call_no")) == {1}  # as text and as a number: the column has no type


def test_a_mail_is_found_however_its_letters_are_written(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "a.db")
    base.executescript("""CREATE TABLE users (user_id INTEGER PRIMARY KEY, full_name TEXT, mail TEXT);
        INSERT INTO users VALUES (0, 'x', 'HANAKO@Mail.Example'), (1, 'y', 'other@mail.example')""")
    base.close()
    url = f"sqlite:///{tmp_path / 'a.db'}"
    _, inventory, system = drafted(url, tmp_path / "draft")
    (connector,) = connect(inventory, environment={"A_URL": url}).values()
    ask = Ask(0, None, {"mail_forms": ("hanako@mail.example",)})
    assert [table.rows["user_id"].to_pylist() for table in connector.locate(system.dataset["users"], [ask])] == [[0]]


@pytest.mark.parametrize(
    ("column", "family", "values", "kind", "form"),
    [
        ("氏名", "text", [], "user.name", None),
        ("氏名カナ", "text", [], "user.name.kana", None),
        ("LastName", "text", ["髙橋"], "user.name.family", None),
        ("last_name_kana", "text", [], "user.name.kana.family", None),
        ("payer_nm", "text", [], "user.name", None),
        ("product_name", "text", ["灯台"], "value", None),
        ("username", "text", ["hanako84"], "value", None),
        ("tel", "text", ["092-000-1001", "09200001001"], "user.phone", None),
        ("phone_type", "text", ["home"], "value", None),
        ("phone", "text", ["home", "office"], "value", None),
        ("c3", "text", ["092-000-1001", None, " ", "(092) 000-1002"], "user.phone", None),
        ("c3", "text", ["0000000001", "0000000002"], "value", None),
        ("c3", "text", ["A@x.example"] * 9 + ["none"], "user.mail", None),
        ("c3", "text", ["a@x.example", "none"], "value", None),
        ("c3", "text", ["4111 1111 1111 1111"], "payment.card_no", None),
        ("c3", "text", ["4111 1111 1111 1112"], "value", None),
        ("c3", "text", ["x", "担当より折り返しの電話を差し上げた。次の月曜に伺う約束をした。"], "text", None),
        ("mail_flag", "text", ["1"], "value", None),
        ("ip_address", "text", ["192.0.2.1"], "value", None),
        ("zip_code", "text", ["810-0000"], "user.postcode", None),
        ("birth_ymd", "number", [19840517, 99999999], "user.born_on", "yyyymmdd"),
        ("birthday", "text", ["1984-05-17"], "user.born_on", None),
        ("birth_place", "text", ["福岡"], "value", None),
        ("c3", "number", [20260401, 99999999, None], "day", "yyyymmdd"),
        ("c3", "number", [20261301], "value", None),
        ("paid_at", "number", [1777248000], "day", "epoch"),
        ("paid", "number", [1777248000], "value", None),
        ("paid_at", "number", [1777248000123], "day", "epoch_ms"),
        ("asked", "text", ["2026-04-27 09:00:00", "2026/04/28"], "day", None),
        ("account_no", "text", ["7900001"], "payment.account_no", None),
        ("memo2", "text", [], "text", None),
    ],
)
def test_kinds_are_guessed_by_name_and_by_the_look_of_values(
    column: str, family: str, values: list[object], kind: str, form: str | None
) -> None:
    found = guess(column, family, values)
    assert (found.kind, found.form) == (kind, form)
    assert not any(str(value) in found.why for value in values if value not in (None, " ", "1", "x"))


@pytest.mark.parametrize(("column", "asked"), [
    ("written_by", True), ("受付担当", True), ("staff_cd", False), ("body_type", False), ("user_agent", False)])  # fmt: skip
def test_a_column_of_staff_is_asked_about(column: str, asked: bool) -> None:
    found = guess(column, "text", ["佐藤"])
    assert (found.kind, "要確認" in found.why) == ("value", asked)


@pytest.mark.parametrize(("street", "whole"), [("福岡県福岡市中央区天神1-1", "福岡県福岡市中央区天神1-1"),
                                               ("天神1-1", "福岡県福岡市中央区天神1-1")])  # fmt: skip
def test_an_address_is_joined_of_its_parts_unless_it_is_whole(street: str, whole: str, tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "a.db")
    base.execute("CREATE TABLE party (id INTEGER PRIMARY KEY, full_nm TEXT, pref TEXT, city TEXT, addr TEXT, bldg TEXT)")
    base.execute("INSERT INTO party VALUES (1, '池田 光', '福岡県', '福岡市中央区', ?, '灯台ビル')", [street])
    base.commit()
    base.close()
    _, _, system = drafted(f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "draft")
    sql = system.dataset["party"].ways[0].locate
    joined = re.search(r"(COALESCE.*?) AS dsr_address", sql)
    base = sqlite3.connect(tmp_path / "a.db")
    told = base.execute(f"SELECT {joined[1]} FROM party").fetchone()[0]
    base.close()
    assert told == f"{whole}灯台ビル"


def test_a_time_column_with_one_day_that_is_none_is_not_taken_for_at(tmp_path: Path) -> None:
    """at must read every value, or the dataset stops: 99999999 is an open end."""
    base = sqlite3.connect(tmp_path / "a.db")
    base.executescript("""
        CREATE TABLE party (party_id INTEGER PRIMARY KEY, full_nm TEXT, tel TEXT);
        CREATE TABLE supply (party_id INTEGER, supply_no TEXT PRIMARY KEY, to_ymd INTEGER);
        CREATE TABLE visit (party_id INTEGER, visit_no TEXT PRIMARY KEY, came INTEGER, went TEXT NOT NULL, updated_at TEXT);
        INSERT INTO supply VALUES (1, 'S1', 20260401), (1, 'S2', 99999999);
        INSERT INTO visit VALUES (1, 'V1', 20260401, '2026-04-02', '2026-04-03');
    """)
    base.close()
    _, _, system = drafted(f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "draft")
    assert system.dataset["supply"].at is None and system.dataset["supply"].fields["to_ymd"].form == "yyyymmdd"
    assert system.dataset["visit"].at.column == "went"


def test_a_table_without_any_key_is_drafted_and_another_person_beside_the_customer_is_struck(tmp_path: Path) -> None:
    """All columns personal: there is no other key than they; the guardian's name is not the customer's."""
    base = sqlite3.connect(tmp_path / "a.db")
    base.executescript("""
        CREATE TABLE bare (full_name TEXT, tel TEXT);
        CREATE TABLE pupils (pupil_no TEXT PRIMARY KEY, full_name TEXT, kana TEXT, guardian_name TEXT, holder_kana TEXT);
        CREATE TABLE logins (tel TEXT PRIMARY KEY, full_name TEXT, password_hash TEXT);
        CREATE TABLE "？" (a INTEGER);
        CREATE TABLE "odd-name" (tel TEXT, full_name TEXT);
        CREATE TABLE odd_name (tel TEXT, full_name TEXT);
    """)
    base.close()
    text, _, system = drafted(f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "draft")
    assert system.dataset["bare"].key == ("full_name", "tel")
    struck = {name for name, rule in system.dataset["pupils"].fields.items() if rule.third_party}
    assert struck == {"guardian_name", "holder_kana"}
    assert 'key = ["tel"]  # 要確認: この列は記録番号としてそのまま出る' in text
    assert system.dataset["logins"].fields["password_hash"].mask and system.dataset["logins"].fields["tel"].kind == "user.phone"
    assert {dataset.label for dataset in system.dataset.values()} == {"bare", "pupils", "logins", "odd-name", "odd_name"}
    assert draft(f"sqlite:///{tmp_path / 'a.db'}", None, tmp_path, {}).left == ()


# -- PostgreSQL's own, and other schemas -----------------------------------------------------------------------

CRM = (
    "CREATE SCHEMA crm",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    'CREATE TABLE crm."Member" ("memberId" uuid PRIMARY KEY, "氏名" text, "birthDate" date, tel text, feels mood, '
    'extra jsonb, tags text[], face bytea, "odd : ""name""" text)',
    "CREATE TABLE crm.birthdays (no int PRIMARY KEY, born_on date)",
    'CREATE TABLE public."order" ("user" uuid REFERENCES crm."Member" ("memberId"), at timestamptz NOT NULL, "select" int, '
    "PRIMARY KEY (at, \"select\")) PARTITION BY RANGE (at)",
    "CREATE TABLE order_2026 PARTITION OF \"order\" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "CREATE TABLE plain (a int, b jsonb)",
    "CREATE VIEW seen AS SELECT tel FROM crm.\"Member\"",
    "COMMENT ON TABLE crm.\"Member\" IS '会員\n\"台帳\"'",
    "COMMENT ON COLUMN crm.\"Member\".tel IS '電話 ''自宅'''",
    "INSERT INTO crm.\"Member\" VALUES ('00000000-0000-0000-0000-000000000000', '清水 遥', '1990-03-07', '092-000-2001', "
    "'good', '{\"a\": 1}', '{x}', '\\x00ff', 'v'), "
    "('00000000-0000-0000-0000-000000000001', '池田 光', '1985-01-01', '092-000-2002', 'bad', NULL, NULL, NULL, NULL)",
    "INSERT INTO \"order\" VALUES ('00000000-0000-0000-0000-000000000000', '2026-04-01 09:00+09', 0), "
    "('00000000-0000-0000-0000-000000000001', '2026-04-02 09:00+09', 0), (NULL, '2026-04-03 09:00+09', 0)",
)  # fmt: skip


def test_schemas_partitions_views_and_odd_names_are_accounted_for_on_postgresql(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.database(*CRM)
    text, _, system = drafted(url, tmp_path / "draft")
    assert set(system.dataset) == {"crm_member", "crm_birthdays", "order"}
    assert set(system.not_personal) == {"plain", "crm.member.face"}
    member = system.dataset["crm_member"]
    assert (member.label, member.fields["tel"].label) == ('会員\n"台帳"', "電話 '自宅'")
    monkeypatch.setenv(system.url.removeprefix("env:"), url)
    office = Office.set_up(tmp_path / "home", company(tmp_path / "draft", text), monkeypatch)
    assert office.ok("inventory", "check")["problems"] == []
    request = request_of("清水 遥", "シミズ ハルカ", "1990-03-07", "092-000-2001")
    package = packaged(office, tmp_path, request)
    assert set(rows_of(package, f"{system.name}.crm_member")) == {"00000000-0000-0000-0000-000000000000"}
    assert set(rows_of(package, f"{system.name}.order")) == {"2026-04-01 09:00:00|0"}


def test_one_schema_alone_leaves_the_others_to_be_named_by_the_check(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database(*CRM)
    made = draft(url, "crm", tmp_path, {})
    assert sorted((drift.place, drift.problem) for drift in made.left) == [
        ("order", "undeclared"), ("plain", "undeclared"),
    ]  # fmt: skip
    assert "2 tables of other schemas left out" in made.text
    with pytest.raises(BadInput, match="--schema: the database has no such schema"):
        draft(url, "nowhere", tmp_path, {})


# -- the command -----------------------------------------------------------------------------------------------


def run(*argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["inventory", "draft", *argv, "--lang", "en"])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def power(tmp_path: Path) -> str:
    base = sqlite3.connect(tmp_path / "power.db")
    base.executescript(POWER)
    base.close()
    return f"sqlite:///{tmp_path / 'power.db'}"


def test_the_draft_goes_to_standard_output_or_to_a_new_file_and_never_over_an_old_one(power: str, tmp_path: Path) -> None:
    status, text, hints = run(power)
    assert status == 0 and "5 datasets, 2 not_personal" in hints and "datasets, " not in text
    assert set(tomllib.loads(text)["system"]["power"]["dataset"]) >= {"inquiry", "transfers"}
    out = tmp_path / "new.toml"
    assert run(power, "--out", str(out)) == (0, f"{out}\n", hints)
    assert out.read_text(encoding="utf-8") == text
    out.write_text("mine")
    status, printed, words = run(power, "--out", str(out))
    assert (status, printed, out.read_text()) == (2, "", "mine") and "never overwrites" in words
    status, printed, _ = run(power, "--json")
    told = json.loads(printed)
    assert status == 0 and told == {"inventory": text, "datasets": 5, "not_personal": 2, "problems": []}


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("mysql://u:hush-5f3a@host/db", 2, "URL: is no database this store speaks to → use sqlite or postgresql"),
        ("oracle+oracledb://host/db", 2, "use sqlite or postgresql"),
        ("nothing at all", 2, "URL: is no database address → write sqlite:///FILE or postgresql"),
        ("env:NO_SUCH_NAME", 2, "URL: the environment has no NO_SUCH_NAME"),
        ("file:nowhere.txt", 2, "URL: cannot read the file nowhere.txt"),
        ("sqlite:////nowhere/at/all.db", 3, "cannot be reached"),
        ("postgresql://u:hush-5f3a@/db?host=/nowhere", 3, "cannot be reached"),
    ],
)
def test_an_address_that_leads_nowhere_says_so_and_keeps_its_password(url: str, status: int, words: str) -> None:
    found, out, err = run(url)
    assert (found, out) == (status, "") and words in err and SECRET not in err


def test_a_database_without_tables_and_one_that_is_none_say_so(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    assert run(f"sqlite:///{tmp_path / 'empty.db'}")[::2] == (
        2, "dsr: URL: the database has no tables → check the address, the schema and the account's rights\n",
    )  # fmt: skip
    (tmp_path / "text.db").write_text("no database at all, though it is long enough to be looked at as one" * 20)
    status, _, words = run(f"sqlite:///{tmp_path / 'text.db'}")
    assert status == 3 and "the file is no database" in words


def test_a_value_that_cannot_be_read_stops_the_draft_and_is_not_quoted(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "old.db")
    base.execute("CREATE TABLE party (party_id INTEGER PRIMARY KEY, full_nm TEXT, tel TEXT)")
    base.execute("INSERT INTO party VALUES (1, CAST(? AS TEXT), '092-000-1001')", ("髙橋".encode("cp932"),))
    base.commit()
    base.close()
    status, out, words = run(f"sqlite:///{tmp_path / 'old.db'}")
    assert (status, out) == (3, "") and "text is not UTF-8" in words and "092" not in words
