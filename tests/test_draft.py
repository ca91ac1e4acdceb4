"""``dsr inventory draft``: a database nobody declared, from its live schema to a package that holds one person's rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.draft import draft
from connectors.draft.kinds import guess
from dsr.errors import BadInput, ConnectorUnavailable
from dsr.inventory import Dataset, Inventory, System, read_inventory
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
    """From the letter to the package, notes released as they are."""
    for name, document in (("request", request), ("proof", PROOF)):
        (folder / f"{name}.json").write_text(json.dumps(document))
    case = office.ok("open", str(folder / "request.json"))["case"]
    office.ok("prove", case, "--file", str(folder / "proof.json"))
    if office.ok("collect", case)["state"] == "review":
        notes: dict[str, dict[str, Any]] = {}
        for note in office.ok("review", case)["notes"]:
            notes.setdefault(note["dataset"], {})[note["record"]] = {"strike": [], "release": True}
        (folder / "review.json").write_text(json.dumps({"identity": {}, "notes": notes}))
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
    assert office.ok("inventory", "check") == {"problems": []}
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
