"""Somebody tried to get another's row, an empty answer or an unread note out of it: each attempt that once worked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsr.names.person import Person
from dsr.rules import redaction
from tests.story import Office, rows_of

PROOF = {"method": "post", "documents": [{"type": "drivers_licence", "last_digits": "12", "seen_on": "2026-11-04",
                                           "name": "match", "birth": "match", "address": "match"}]}  # fmt: skip
HEAD = """
[company]
name = "はまかぜ電力株式会社"
[system.power]
label = "電気"
store = "sql"
url = "sqlite:///x.db"
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
"""
PARTY = """
CREATE TABLE party (party_id INTEGER PRIMARY KEY, full_nm TEXT, full_kana TEXT, birth_ymd INTEGER, tel TEXT);
INSERT INTO party VALUES (7, '清水　遥', 'ｼﾐｽﾞ ﾊﾙｶ', 19900307, '0920002001'), (8, '池田 光', 'ｲｹﾀﾞ ﾋｶﾙ', 19850101, '0920002002');
"""
LINES = 'CREATE TABLE line (tel_no TEXT, party_id INTEGER, f, t);'
HANDOVER = 1774969200  # 2026-04-01T00:00:00+09:00


def dataset(name: str, key: list[str], by: str, locate: str, fetch: str, fields: dict[str, str], more: str = "") -> str:
    told = "\n".join(f'{field} = {{label = "{field}", kind = "{kind}"}}' for field, kind in fields.items())
    return (f'[system.power.dataset.{name}]\nlabel = "{name}"\nkey = {json.dumps(key)}\nby = "{by}"\nlocate = "{locate}"\n'
            f'fetch = "{fetch}"\n{more}\n[system.power.dataset.{name}.fields]\n{told}\n')  # fmt: skip


def of_party(name: str, columns: dict[str, str], key: str = "id", more: str = "") -> str:
    """A table that a party number leads to."""
    named = ", ".join(columns)
    return dataset(name, [key], "party_id", f"SELECT * FROM {name} WHERE party_id = :party_id",
                   f"SELECT {named} FROM {name} WHERE {key} IN :keys", columns, more)  # fmt: skip


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Office]:
    def build(inventory: str, sql: str) -> Office:
        (tmp_path / "inventory.toml").write_text(HEAD + inventory)
        (tmp_path / "truth.json").write_text("{}")
        people = [{"name": n, "role": r, "secret": "s"} for n, r in (("uketsuke-1", "handler"), ("shonin-1", "approver"))]
        (tmp_path / "officers.json").write_text(json.dumps(people))
        with sqlite3.connect(tmp_path / "x.db") as base:
            base.executescript(PARTY + sql)
        base.close()
        return Office.set_up(tmp_path / "home", tmp_path, monkeypatch)

    return build


def haruka(**subject: Any) -> dict[str, Any]:
    told = {"name": "清水 遥", "kana": "シミズ ハルカ", "born_on": "1990-03-07", "addresses": ["福岡県みなと市浜町1-1"],
            "identifiers": []} | subject  # fmt: skip
    return {"right": "disclosure", "subject": told, "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"}}


def collected(office: Office, document: dict[str, Any] | None = None) -> str:
    request, proof = office.sample / "r.json", office.sample / "p.json"
    request.write_text(json.dumps(document or haruka(), ensure_ascii=False))
    proof.write_text(json.dumps(PROOF))
    case = str(office.ok("open", str(request))["case"])
    office.ok("prove", case, "--file", str(proof))
    office.run("collect", case)
    return case


def marked(office: Office, case: str, **review: Any) -> Any:
    path = office.sample / "review.json"
    path.write_text(json.dumps({"identity": {}, "notes": {}} | review, ensure_ascii=False))
    return office.ok("review", case, "--file", str(path))


def packaged(office: Office, case: str, name: str = "package") -> Path:
    if office.state(case) == "review":
        marked(office, case)
    office.ok("decide", case, "--as-proposed")
    if office.state(case) == "awaiting_approval":
        office.ok("approve", case, officer="shonin-1")
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(office.sample / name))
    return office.sample / name


def ended(office: Office, case: str) -> dict[str, tuple[str, int, str | None]]:
    return {d["dataset"]: (d["status"], d["records"], d["reason"]) for d in office.ok("show", case)["datasets"]}


Company = Callable[[str, str], Office]
CALLS = dataset("calls", ["id"], "line_no", "SELECT id, ts FROM calls WHERE tel_no = :line_no AND ts >= :from AND ts < :to",
                "SELECT id, tel_no, ts FROM calls WHERE id IN :keys",
                {"id": "record_no", "tel_no": "line_no", "ts": "value"}, 'at = {column = "ts", form = "epoch"}')  # fmt: skip


def lines(reveal: str) -> str:
    more = f'reveals = [{{kind = "line_no", column = "tel_no", from = "f", to = "t", {reveal}}}]'
    columns = {"tel_no": "line_no", "party_id": "record_no", "f": "value", "t": "value"}
    return dataset("line", ["tel_no", "party_id"], "party_id", "SELECT * FROM line WHERE party_id = :party_id",
                   "SELECT * FROM line WHERE (tel_no, party_id) IN :keys", columns, more)  # fmt: skip


# -- whose row ---------------------------------------------------------------------------------------------------------


def test_an_inclusive_end_in_epoch_seconds_is_a_second_and_not_a_day(company: Company) -> None:
    office = company(lines('form = "epoch", end = "inclusive"') + CALLS, LINES + f"""
        INSERT INTO line VALUES ('L1', 7, 1700000000, {HANDOVER - 1}), ('L1', 8, {HANDOVER}, NULL);
        CREATE TABLE calls (id INTEGER PRIMARY KEY, tel_no TEXT, ts INTEGER);
        INSERT INTO calls VALUES (1, 'L1', {HANDOVER - 1}), (2, 'L1', {HANDOVER}), (3, 'L1', {HANDOVER + 3600});""")
    assert set(rows_of(packaged(office, collected(office)), "power.calls")) == {"1"}


INQUIRY = {"id": "record_no", "nm": "user.name", "tel": "user.phone", "b": "user.born_on"}
EVIDENCE = 'evidence = {name = "nm", phone = "tel", born_on = "b"}'


def test_a_number_that_is_given_again_opens_nothing_that_does_not_say_when(company: Company) -> None:
    """The next holder's inquiry and equipment under the same number: an officer is asked, nothing is released."""
    equipment = dataset("equip", ["id"], "line_no", "SELECT id FROM equip WHERE tel = :line_no",
                        "SELECT id, tel FROM equip WHERE id IN :keys", {"id": "record_no", "tel": "line_no"})  # fmt: skip
    inquiry = dataset("inq", ["id"], "line_no", "SELECT * FROM inq WHERE tel = :line_no",
                      "SELECT * FROM inq WHERE id IN :keys", INQUIRY, EVIDENCE)  # fmt: skip
    sql = LINES + """
        INSERT INTO line VALUES ('092-000-7001', 7, 20150401, 20180331);
        CREATE TABLE equip (id INTEGER PRIMARY KEY, tel TEXT); INSERT INTO equip VALUES (1, '092-000-7001');
        CREATE TABLE inq (id INTEGER PRIMARY KEY, nm TEXT, tel TEXT, b TEXT);
        INSERT INTO inq VALUES (1, '池田 光', '092-000-7001', NULL), (2, '清水 遥', '092-000-7001', '1990-03-07'),
                               (3, '池田 光', '092-000-7001', '1985-01-01');"""
    office = company(lines('form = "yyyymmdd"') + equipment + inquiry, sql)
    case = collected(office)
    sheet = office.ok("review", case)["identity"]
    assert set(sheet) == {"power.equip/1", "power.inq/1", "power.inq/2"}  # another's birth date is never hers
    assert ended(office, case)["power.equip"][:2] == ("none_found", 0)
    marked(office, case, identity={**dict.fromkeys(sheet, "other"), "power.inq/2": "same"})
    office.ok("collect", case)
    package = packaged(office, case)
    assert set(rows_of(package, "power.inq")) == {"2"}
    assert rows_of(package, "power.equip") == {}


def test_a_number_that_is_never_given_again_says_so_and_opens(company: Company) -> None:
    equipment = dataset("equip", ["id"], "line_no", "SELECT id FROM equip WHERE tel = :line_no",
                        "SELECT id, tel FROM equip WHERE id IN :keys", {"id": "record_no", "tel": "line_no"})  # fmt: skip
    office = company(lines('form = "yyyymmdd", reused = false') + equipment, LINES + """
        INSERT INTO line VALUES ('K-1', 7, 20150401, 20180331), ('K-2', 8, 20150401, 20180331);
        CREATE TABLE equip (id INTEGER PRIMARY KEY, tel TEXT); INSERT INTO equip VALUES (1, 'K-1'), (2, 'K-2');""")
    assert set(rows_of(packaged(office, collected(office)), "power.equip")) == {"1"}


HOUSE = dataset("inq", ["id"], "person", "SELECT * FROM inq WHERE tel IN :phone_forms",
                "SELECT * FROM inq WHERE id IN :keys", {**INQUIRY, "ad": "user.address"},
                'evidence = {name = "nm", phone = "tel", born_on = "b", address = "ad"}')  # fmt: skip
HOME, PHONE = "福岡県みなと市浜町1-1", "092-000-2001"


def test_who_shares_house_phone_or_birthday_is_not_her_without_her_name(company: Company) -> None:
    office = company(HOUSE, f"""
        CREATE TABLE inq (id INTEGER PRIMARY KEY, nm TEXT, tel TEXT, b TEXT, ad TEXT);
        INSERT INTO inq VALUES (1, '清水 遥', '{PHONE}', '1990-03-07', '{HOME}'), (2, 'SHIMIZU KENJI', '{PHONE}', NULL, '{HOME}'),
            (3, '清水', '{PHONE}', NULL, '{HOME}'), (4, NULL, '{PHONE}', NULL, '{HOME}'), (5, NULL, '{PHONE}', '1990-03-07', '{HOME}');""")
    case = collected(office, haruka(identifiers=[{"kind": "phone", "value": PHONE}]))
    assert set(office.ok("review", case)["identity"]) == {f"power.inq/{n}" for n in (2, 3, 4, 5)}
    assert ended(office, case)["power.inq"][:2] == ("found", 1)


def test_a_mark_taken_back_takes_back_what_it_revealed(company: Company) -> None:
    """Same, collected, then other: neither the twin's row nor what was found through it is in the package."""
    reveals = 'evidence = {name = "nm", phone = "tel", born_on = "b"}\nreveals = [{kind = "inq_no", column = "id"}]'
    inquiry = dataset("inq", ["id"], "person", "SELECT * FROM inq WHERE tel IN :phone_forms",
                      "SELECT * FROM inq WHERE id IN :keys", INQUIRY, reveals)  # fmt: skip
    below = dataset("sub", ["sid"], "inq_no", "SELECT sid FROM sub WHERE inq = :inq_no",
                    "SELECT sid, inq FROM sub WHERE sid IN :keys", {"sid": "record_no", "inq": "value"})  # fmt: skip
    office = company(inquiry + below, f"""
        CREATE TABLE inq (id INTEGER PRIMARY KEY, nm TEXT, tel TEXT, b TEXT); CREATE TABLE sub (sid INTEGER, inq INTEGER);
        INSERT INTO inq VALUES (1, '清水 遥', '{PHONE}', '1990-03-07'), (2, NULL, '{PHONE}', '1990-03-07');
        INSERT INTO sub VALUES (10, 1), (20, 2);""")
    case = collected(office, haruka(identifiers=[{"kind": "phone", "value": PHONE}]))
    assert marked(office, case, identity={"power.inq/2": "same"})["state"] == "collecting"
    office.ok("collect", case)
    assert ended(office, case)["power.sub"][:2] == ("found", 2)
    assert marked(office, case, identity={"power.inq/2": "other"})["state"] == "collecting"
    office.ok("collect", case)
    package = packaged(office, case)
    assert (set(rows_of(package, "power.inq")), set(rows_of(package, "power.sub"))) == ({"1"}, {"10"})


# -- what is shown -----------------------------------------------------------------------------------------------------

FLAGGED = of_party("m", {"id": "record_no", "party_id": "record_no", "d": "code", "n": "user.phone"}).replace(
    'kind = "user.phone"', 'kind = "user.phone", mask = [{when = "d = 2", as = "withheld_number"}, {when = "d = 3", as = "last4"}]')


@pytest.mark.parametrize("written", ["2", "2.0", "'2'", "'2 '", "'02'", "'２'"])
def test_a_mask_holds_however_the_store_writes_its_code(company: Company, written: str) -> None:
    office = company(FLAGGED, f"""CREATE TABLE m (id INTEGER PRIMARY KEY, party_id INTEGER, d, n TEXT);
        INSERT INTO m VALUES (1, 7, {written}, '090-1111-2222'), (2, 7, 'x', '090-3333-4444'), (3, 7, 1, '090-5555-6666');""")
    shown = rows_of(packaged(office, collected(office)), "power.m")
    assert [shown[n]["n"] for n in "123"] == ["（番号不開示）", "090-3333-4444", "090-5555-6666"]


def test_the_last_four_digits_are_the_numbers_own(company: Company) -> None:
    office = company(FLAGGED, """CREATE TABLE m (id INTEGER PRIMARY KEY, party_id INTEGER, d, n TEXT);
        INSERT INTO m VALUES (1, 7, 3, '092-000-1234 内線567'), (2, 7, 3, '09200001234/09200005678'), (3, 7, 3, '092-000-1234');""")
    shown = rows_of(packaged(office, collected(office)), "power.m")
    assert [shown[n]["n"] for n in "123"] == ["092-000-＊＊＊＊", "0920000＊＊＊＊", "092-000-＊＊＊＊"]


def test_a_phone_that_was_merely_stated_is_not_hers_to_see(company: Company) -> None:
    third = of_party("inq", INQUIRY).replace('kind = "user.phone"', 'kind = "user.phone", third_party = "unless_subject"')
    office = company(third, """CREATE TABLE inq (id INTEGER PRIMARY KEY, party_id INTEGER, nm TEXT, tel TEXT, b TEXT);
        INSERT INTO inq VALUES (1, 7, '池田 光', '092-000-2002', NULL), (2, 7, '清水 遥', '092-000-2001', NULL);""")
    stated = [{"kind": "phone", "value": "092-000-2002"}]
    shown = rows_of(packaged(office, collected(office, haruka(identifiers=stated))), "power.inq")
    assert shown["1"]["tel"] == "■■■（第三者に関する情報）"
    assert shown["2"]["tel"] == "092-000-2001"  # hers: it stands in the record that bears her name


def test_a_note_that_changed_after_it_was_read_is_unread(company: Company) -> None:
    evidence = 'evidence = {name = "nm", phone = "tel", born_on = "b"}'
    notes = dataset("inq", ["id"], "person", "SELECT id, nm, tel, b FROM inq WHERE tel IN :phone_forms",
                    "SELECT * FROM inq WHERE id IN :keys", {**INQUIRY, "note": "text"}, evidence)  # fmt: skip
    office = company(notes, f"""CREATE TABLE inq (id INTEGER PRIMARY KEY, nm TEXT, tel TEXT, b TEXT, note TEXT);
        INSERT INTO inq VALUES (1, '清水 遥', '{PHONE}', '1990-03-07', '古い記載'), (2, NULL, '{PHONE}', '1990-03-07', '二つ目');""")
    case = collected(office, haruka(identifiers=[{"kind": "phone", "value": PHONE}]))
    read = {"power.inq": {"1": {"strike": [], "release": True}}}
    assert marked(office, case, identity={"power.inq/2": "same"}, notes=read)["state"] == "collecting"
    with sqlite3.connect(office.sample / "x.db") as base:
        base.execute("UPDATE inq SET note = '新しい記載 池田光 090-9999-9999' WHERE id = 1")
    base.close()
    office.ok("collect", case)
    assert [note["read"] for note in office.ok("review", case)["notes"]] == [False, False]
    assert marked(office, case, notes={"power.inq": {"2": {"strike": []}}})["unread"] == 1
    shown = rows_of(packaged(office, case), "power.inq")
    assert (shown["1"]["note"], shown["2"]["note"]) == ("（確認中）", "二つ目")


def test_a_proposed_span_that_is_left_is_named(company: Company) -> None:
    notes = of_party("inq", {"id": "record_no", "party_id": "record_no", "note": "text"})
    text = "清水様から（090-1234-5678）平野様の件"
    office = company(notes, f"""CREATE TABLE inq (id INTEGER PRIMARY KEY, party_id INTEGER, note TEXT);
        INSERT INTO inq VALUES (1, 7, '{text}');""")
    case = collected(office)
    (note,) = office.ok("review", case)["notes"]
    assert [text[start:end] for _, start, end, _ in note["proposed"]] == ["090-1234-5678", "平野"]  # her own name is none
    first, second = note["proposed"]
    told = marked(office, case, notes={"power.inq": {"1": {"strike": [first]}}})
    assert told["unstruck"] == [{"dataset": "power.inq", "record": "1", "field": "note", "spans": [second[1:3]]}]
    assert marked(office, case, notes={"power.inq": {"1": {"strike": [first, second]}}})["unstruck"] == []


# -- none found is never could not look --------------------------------------------------------------------------------


def test_different_keys_are_different_records_whatever_they_look_like(company: Company) -> None:
    keyed = dataset("k", ["a", "b"], "party_id", "SELECT a, b FROM k WHERE party_id = :party_id",
                    "SELECT a, b, v FROM k WHERE (a, b) IN :keys", {"a": "value", "b": "value", "v": "value"})  # fmt: skip
    office = company(keyed, """CREATE TABLE k (a TEXT, b TEXT, party_id INTEGER, v TEXT);
        INSERT INTO k VALUES ('x|y', 'z', 7, '1'), ('x', 'y|z', 7, '2'), ('n', NULL, 7, '3'), ('n', '', 7, '4'), ('n', 'o', 8, '5');""")
    shown = rows_of(packaged(office, collected(office)), "power.k")
    assert {number: row["v"] for number, row in shown.items()} == {r"x\|y|z": "1", r"x|y\|z": "2", r"n|\N": "3", "n|": "4"}


def test_instants_that_differ_by_less_than_a_second_are_two_records(company: Company, tmp_path: Path) -> None:
    stamps = pa.array([1_767_225_600_100_000, 1_767_225_600_900_000, 1_767_225_600_100_000], pa.timestamp("us"))
    pq.write_table(pa.table({"p": [7, 7, 8], "ts": stamps, "v": ["ONE", "TWO", "OTHER"]}), tmp_path / "c.parquet")
    lake = """[system.lake]\nlabel = "lake"\nstore = "lake"\n[system.lake.dataset.c]\nlabel = "c"\nglob = "c.parquet"
key = ["p", "ts"]\nby = "party_id"\nlocate = "SELECT p, ts FROM c WHERE p = :party_id"
fetch = "SELECT p, ts, v FROM c WHERE (p, ts) IN :keys"\n[system.lake.dataset.c.fields]\np = "p"\nts = "ts"\nv = "v"\n"""
    office = company(lake, "")
    assert {row["v"] for row in rows_of(packaged(office, collected(office)), "lake.c").values()} == {"ONE", "TWO"}


@pytest.mark.parametrize(("sql", "found"), [
    ("CREATE TABLE u (id INTEGER, party_id, v TEXT); INSERT INTO u VALUES (1, 7, 'MINE'), (2, 8, 'OTHER');", ("found", 1, None)),
    ("CREATE TABLE u (id, party_id INTEGER, v TEXT); INSERT INTO u VALUES (1, 7, 'MINE'), ('A2', 7, 'MINE');",
     ("unreachable", 0, "truncated")),
])  # fmt: skip
def test_a_column_without_a_type_hides_no_row(company: Company, sql: str, found: tuple[str, int, str | None]) -> None:
    """Located and not come back is not "none found" either: the case is blocked and says how many."""
    office = company(of_party("u", {"id": "value", "party_id": "record_no", "v": "value"}), sql)
    case = collected(office)
    assert ended(office, case)["power.u"] == found
    if found[0] == "unreachable":
        detail = next(d["detail"] for d in office.ok("show", case)["datasets"] if d["dataset"] == "power.u")
        assert detail == "1 of 2 located records did not come back"


def test_a_number_kept_as_a_float_leads_on(company: Company) -> None:
    office = company(of_party("u", {"id": "value", "party_id": "record_no", "cust": "value"}, more='reveals = [{kind = "cust", column = "cust"}]')
                     + dataset("w", ["id"], "cust", "SELECT id FROM w WHERE cust = :cust", "SELECT id, cust FROM w WHERE id IN :keys",
                               {"id": "value", "cust": "value"}), """
        CREATE TABLE u (id INTEGER, party_id INTEGER, cust REAL); INSERT INTO u VALUES (1, 7, 1234.0);
        CREATE TABLE w (id INTEGER, cust TEXT); INSERT INTO w VALUES (5, '1234'), (6, '12345');""")  # fmt: skip
    assert set(rows_of(packaged(office, collected(office)), "power.w")) == {"5"}


VISITS = of_party("vis", {"id": "value", "party_id": "record_no", "d": "day"}, more='at = {column = "d", form = "text"}').replace(
    "SELECT * FROM vis WHERE party_id = :party_id", "SELECT * FROM vis WHERE party_id = :party_id AND d >= :from AND d < :to")


def test_days_in_other_hands_and_rows_without_a_day_are_found(company: Company) -> None:
    sql = """CREATE TABLE vis (id INTEGER, party_id INTEGER, d TEXT);
        INSERT INTO vis VALUES (1, 7, '2026/05/01'), (2, 7, '2026-06-01 10:00:00'), (3, 7, '2026-11-01'), (4, 7, NULL), (5, 8, '2026/05/01');"""
    office = company(VISITS, sql)
    assert set(rows_of(packaged(office, collected(office), "all"), "power.vis")) == {"1", "2", "3", "4"}
    limited = {**haruka(), "scope": {"systems": None, "from": "2026-04-01", "to": "2026-08-31"}}
    assert set(rows_of(packaged(office, collected(office, limited), "some"), "power.vis")) == {"1", "2"}


def test_a_corrected_statement_is_asked_again(company: Company) -> None:
    tables = of_party("a", {"id": "value", "party_id": "record_no"}) + of_party("b", {"id": "value", "party_id": "record_no"})
    office = company(tables.replace("FROM a WHERE party_id = :party_id", "FROM a WHERE party_id = :party_id AND id > 100", 1), """
        CREATE TABLE a (id INTEGER, party_id INTEGER); INSERT INTO a VALUES (1, 7), (2, 8);""")
    case = collected(office)
    assert ended(office, case)["power.a"][0] == "none_found"
    assert office.state(case) == "blocked"
    (office.sample / "inventory.toml").write_text(HEAD + tables)
    with sqlite3.connect(office.sample / "x.db") as base:
        base.execute("CREATE TABLE b (id INTEGER, party_id INTEGER)")
    base.close()
    assert office.run("collect", case)[0] == 0
    assert ended(office, case)["power.a"] == ("found", 1, None)


@pytest.mark.parametrize(("start", "end", "line"), [
    ("'2020-01-01'", "'9999-12-31'", ("found", 1, None)), ("'0000-00-00'", "NULL", ("unreachable", 0, "misread"))])
def test_an_unreadable_day_silences_its_own_dataset_only(company: Company, start: str, end: str, line: tuple[str, int, str | None]) -> None:
    other = of_party("other", {"id": "value", "party_id": "record_no"})
    office = company(lines('form = "date"') + other, LINES + f"""
        INSERT INTO line VALUES ('L1', 7, {start}, {end}); CREATE TABLE other (id INTEGER, party_id INTEGER); INSERT INTO other VALUES (1, 7);""")
    found = ended(office, collected(office))
    assert (found["power.line"], found["power.other"]) == (line, ("found", 1, None))


def test_values_of_every_type_are_written_out(company: Company) -> None:
    blobs = of_party("m", {"id": "value", "party_id": "record_no", "v": "value"})
    office = company(blobs, """CREATE TABLE m (id INTEGER, party_id INTEGER, v);
        INSERT INTO m VALUES (1, 7, x'00ff'), (2, 8, 'OTHER'); """)
    assert [row["v"] for row in rows_of(packaged(office, collected(office)), "power.m").values()] == ["00ff"]


# -- past the log ------------------------------------------------------------------------------------------------------


def test_a_case_row_changed_past_the_log_is_seen_and_stops(company: Company) -> None:
    office = company("", "")
    case, other = collected(office), collected(office, {**haruka(), "scope": {"systems": ["power"], "from": None, "to": None}})
    with sqlite3.connect(office.home / "dsr.db") as store:
        store.execute('UPDATE "case" SET state = ? WHERE case_no = ?', ("fulfilling", case))
    store.close()
    status, found, _ = office.run("trail", "verify")
    assert (status, [case in p["words"] for p in found["problems"]]) == (1, [True])
    assert "trail verify" in office.run("fulfil", case)[2]
    assert office.run("decide", case, "--as-proposed")[0] == 1
    office.ok("decide", other, "--as-proposed")


def test_found_rows_whose_keys_were_deleted_are_not_none_found(company: Company) -> None:
    office = company(of_party("m", {"id": "value", "party_id": "record_no"}) + of_party("zz", {"id": "value", "party_id": "record_no"}), """
        CREATE TABLE m (id INTEGER, party_id INTEGER); INSERT INTO m VALUES (1, 7);""")
    case = collected(office)
    (gone,) = (office.home / "vault" / case / "objects").glob("keys%2Fpower.m%2F*")
    gone.unlink()
    status, _, errors = office.run("collect", case)
    assert (status, "not in the vault" in errors) == (1, True)
    assert office.run("collect", case, "--again")[0] == 3
    assert ended(office, case)["power.m"] == ("found", 1, None)


def test_a_letter_no_font_has_can_be_mended_at_its_source(company: Company) -> None:
    office = company(of_party("m", {"id": "value", "party_id": "record_no", "v": "value"}), """
        CREATE TABLE m (id INTEGER, party_id INTEGER, v TEXT); INSERT INTO m VALUES (1, 7, 'あ\u0645');""")
    case = collected(office)
    office.ok("decide", case, "--as-proposed")
    status, _, errors = office.run("fulfil", case)
    assert (status, "U+0645" in errors, "--again" in errors) == (1, True, True)
    with sqlite3.connect(office.sample / "x.db") as base:
        base.execute("UPDATE m SET v = 'あ'")
    base.close()
    assert office.ok("collect", case, "--again")["state"] == "awaiting_decision"
    assert [row["v"] for row in rows_of(packaged(office, case), "power.m").values()] == ["あ"]


def test_a_name_no_font_has_is_received_all_the_same(company: Company) -> None:
    office = company("", "")
    case = collected(office, haruka(name="محمد 遥"))
    shown = office.ok("show", case)
    assert (shown["documents"], "acknowledge" in {w["what"] for w in shown["work"]}) == ([], True)


@pytest.mark.parametrize(("text", "spans"), [
    ("お客様より電話。お客さまの声", []), ("同様の申し出。仕様を皆様に", []), ("池田様とお客様", ["池田"]),
    ("来客池田 光様", ["来客池田 光"]), ("健一様", ["健一"]),
])  # fmt: skip
def test_words_that_only_end_in_an_honorific_are_not_proposed(text: str, spans: list[str]) -> None:
    found = redaction.propose_spans(text, [], Person.compiled(names=["髙橋 花子"]))
    assert [text[start:end] for start, end in found] == spans
