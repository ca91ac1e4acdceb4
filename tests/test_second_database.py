"""A database the builder did not make, connected by its inventory alone: a power company's own names, forms and keys."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from dsr.days import TOKYO
from tests.story import Office, rows_of

HOUR = 3600
MIDNIGHT = 1774969200  # 2026-04-01T00:00:00+09:00: Hikaru's last half hour begins 30 minutes before, Haruka's first now

INVENTORY = """
[company]
name = "はまかぜ電力株式会社"

[system.power]
label = "電気契約"
store = "sql"
url = "sqlite:///power.db"
not_personal = {tariff = "料金表"}

[system.power.dataset.party]
label = "契約者"
row = 2
key = ["party_id"]
by = "person"
locate = "SELECT party_id, full_nm, full_kana, birth_ymd, tel FROM party WHERE full_kana IN :kana_forms OR tel IN :phone_forms"
fetch = "SELECT * FROM party WHERE party_id IN :keys ORDER BY party_id"
evidence = {name = "full_nm", kana = "full_kana", born_on = "birth_ymd", phone = "tel"}
reveals = [{kind = "party_id", column = "party_id"}]
[system.power.dataset.party.fields]
party_id = {label = "契約者番号", kind = "record_no"}
full_nm = {label = "氏名", kind = "user.name"}
full_kana = {label = "カナ", kind = "user.name.kana"}
birth_ymd = {label = "生年月日", kind = "user.born_on"}
tel = {label = "電話", kind = "user.phone"}

[system.power.dataset.supply]
label = "供給契約"
row = 32
key = ["supply_no", "seq"]
by = "party_id"
locate = "SELECT supply_no, seq, from_ymd, to_ymd FROM supply WHERE party_id = :party_id"
fetch = "SELECT supply_no, seq, from_ymd, to_ymd FROM supply WHERE (supply_no, seq) IN :keys ORDER BY supply_no, seq"
reveals = [{kind = "supply_point_no", column = "supply_no", from = "from_ymd", to = "to_ymd", form = "yyyymmdd", end = "inclusive", open = [99999999]}]
[system.power.dataset.supply.fields]
supply_no = {label = "供給地点特定番号", kind = "supply_point_no"}
seq = {label = "枝番", kind = "value"}
from_ymd = {label = "開始", kind = "day"}
to_ymd = {label = "終了", kind = "day"}

[system.power.dataset.usage]
label = "30分値"
row = 33
key = ["supply_no", "ts"]
by = "supply_point_no"
locate = "SELECT supply_no, ts FROM usage_30min WHERE supply_no = :supply_point_no AND ts >= :from AND ts < :to"
fetch = "SELECT supply_no, ts, kwh FROM usage_30min WHERE (supply_no, ts) IN :keys ORDER BY ts"
at = {column = "ts", form = "epoch", zone = "Asia/Tokyo"}
[system.power.dataset.usage.fields]
supply_no = {label = "供給地点特定番号", kind = "supply_point_no"}
ts = {label = "開始時刻", kind = "value"}
kwh = {label = "使用量", kind = "value"}
"""


@pytest.fixture
def power(tmp_path: Path) -> Path:
    folder = tmp_path / "power"
    folder.mkdir()
    (folder / "inventory.toml").write_text(INVENTORY)
    (folder / "truth.json").write_text("{}")
    officers = [
        {"name": name, "role": role, "secret": "s"}
        for name, role in (("uketsuke-1", "handler"), ("shonin-1", "approver"))
    ]
    (folder / "officers.json").write_text(json.dumps(officers))
    base = sqlite3.connect(folder / "power.db")
    base.executescript("""
        CREATE TABLE party (party_id INTEGER PRIMARY KEY, full_nm TEXT, full_kana TEXT, birth_ymd INTEGER, tel TEXT);
        CREATE TABLE supply (party_id INTEGER, supply_no TEXT, seq INTEGER, from_ymd INTEGER, to_ymd INTEGER);
        CREATE TABLE usage_30min (supply_no TEXT, ts INTEGER, kwh REAL);
        CREATE TABLE tariff (code TEXT, yen INTEGER);
        INSERT INTO party VALUES (0, '清水　遥', 'ｼﾐｽﾞ ﾊﾙｶ', 19900307, '09200002001'), (1, '池田 光', 'ｲｹﾀﾞ ﾋｶﾙ', 19850101, NULL),
                                 (2, '清水 遥', 'ｼﾐｽﾞ ﾊﾙｶ', 19710909, '0920002999');
        INSERT INTO supply VALUES (1, '0300000000000000000001', 0, 20200401, 20260331),
                                  (0, '0300000000000000000001', 1, 20260401, 99999999),
                                  (2, '0300000000000000000002', 0, 20200401, 99999999);
    """)
    for step in range(-4, 4):
        base.execute(
            "INSERT INTO usage_30min VALUES ('0300000000000000000001', ?, ?)",
            (MIDNIGHT + step * 1800, 0.1 * (step + 5)),
        )
        base.execute("INSERT INTO usage_30min VALUES ('0300000000000000000002', ?, 9.9)", (MIDNIGHT + step * 1800,))
    base.commit()
    base.close()
    return folder


def request_of(name: str, kana: str, born_on: str) -> dict[str, object]:
    subject = {"name": name, "kana": kana, "born_on": born_on, "addresses": ["福岡県みなと市1-1"], "identifiers": []}
    return {
        "right": "disclosure",
        "subject": subject,
        "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"},
    }


PROOF = {"method": "post", "documents": [{"type": "drivers_licence", "last_digits": "12", "seen_on": "2026-11-04",
                                           "name": "match", "birth": "match", "address": "match"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kana", "born_on", "party", "supply", "halves"),
    [
        ("清水 遥", "シミズ ハルカ", "1990-03-07", "0", "0300000000000000000001|1", range(4)),
        ("池田 光", "イケダ ヒカル", "1985-01-01", "1", "0300000000000000000001|0", range(-4, 0)),
    ],
)
def test_haruka_and_hikaru_share_a_supply_point_and_no_half_hour(
    power: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, kana: str, born_on: str, party: str, supply: str, halves: range,
) -> None:  # fmt: skip
    """EC-14, key 0, composite keys, epoch seconds, a namesake with another birth date: all from the declaration."""
    office = Office.set_up(tmp_path / "home", power, monkeypatch)
    request, proof = tmp_path / "request.json", tmp_path / "proof.json"
    request.write_text(json.dumps(request_of(name, kana, born_on)))
    proof.write_text(json.dumps(PROOF))
    case = office.ok("open", str(request))["case"]
    office.ok("prove", case, "--file", str(proof))
    assert office.ok("collect", case)["state"] == "awaiting_decision"
    office.ok("decide", case, "--as-proposed")
    office.ok("fulfil", case)
    package = tmp_path / "package"
    office.ok("package", case, "--out", str(package))
    assert set(rows_of(package, "power.party")) == {party}
    assert set(rows_of(package, "power.supply")) == {supply}
    assert set(rows_of(package, "power.usage")) == {
        f"0300000000000000000001|{MIDNIGHT + step * 1800}" for step in halves
    }
    first = f"{datetime.fromtimestamp(MIDNIGHT + halves[0] * 1800, TOKYO):%Y-%m-%d %H:%M:%S}"
    assert next(iter(rows_of(package, "power.usage").values()))["開始時刻"] == first  # the reader is told a day
    (supplied,) = rows_of(package, "power.supply").values()
    assert (supplied["開始"], supplied["終了"]) in {("2020-04-01", "2026-03-31"), ("2026-04-01", "99999999")}


def test_a_new_column_and_a_new_table_stop_the_case_until_declared(
    power: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EN-23: the rest is collected, the case is blocked, and says which."""
    base = sqlite3.connect(power / "power.db")
    base.executescript("ALTER TABLE party ADD COLUMN memo2 TEXT; CREATE TABLE shadow (id INTEGER, note TEXT);")
    base.close()
    office = Office.set_up(tmp_path / "home", power, monkeypatch)
    status, found, _ = office.run("inventory", "check")
    assert status == 1
    assert {problem["place"] for problem in found["problems"]} == {"memo2", "shadow"}
    request, proof = tmp_path / "request.json", tmp_path / "proof.json"
    request.write_text(json.dumps(request_of("清水 遥", "シミズ ハルカ", "1990-03-07")))
    proof.write_text(json.dumps(PROOF))
    case = office.ok("open", str(request))["case"]
    office.ok("prove", case, "--file", str(proof))
    assert office.run("collect", case)[0] == 3
    ended = {d["dataset"]: (d["status"], d["reason"]) for d in office.ok("show", case)["datasets"]}
    assert ended["power.party"] == ("not_asked", "drift")
    assert ended["power.shadow"] == ("not_asked", "drift")
    assert ended["power.supply"] == ("unreachable", "upstream")
