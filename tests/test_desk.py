"""The morning desk: both clocks by law.md §8, the slip, what is due, reminders without names, two languages."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pdfminer.high_level import extract_text

from dsr.vault import Keys, Vault
from flows.cli import main
from tests.markers import Markers, values_of
from tests.story import Office

VECTORS = """
2026-04-01 2026-04-03 2026-04-06 2026-04-08 2026-04-15 2026-04-15 2026-04-16
2026-04-28 2026-05-01 2026-05-07 2026-05-11 2026-05-18 2026-05-12 2026-05-13
2026-08-10 2026-08-13 2026-08-14 2026-08-18 2026-08-25 2026-08-24 2026-08-25
2026-09-17 2026-09-24 2026-09-25 2026-09-29 2026-10-06 2026-10-01 2026-10-02
2026-12-25 2027-01-04 2027-01-05 2027-01-07 2027-01-15 2027-01-08 2027-01-09
2026-12-28 2027-01-05 2027-01-06 2027-01-08 2027-01-18 2027-01-11 2027-01-12
2028-02-29 2028-03-02 2028-03-03 2028-03-07 2028-03-14 2028-03-14 2028-03-15
""".strip().splitlines()
"""Arrival, +2 BD, +3 BD, +5 BD, +10 BD, A ends, suit from: law.md §8 as printed."""
PAPER = {"type": "residence_record", "seen_on": "", "name": "match", "birth": "match", "address": "match"}


def at(office: Office, day: str, clock: str = "09:00") -> None:
    office.now = f"{day}T{clock}+09:00"


def later(day: str, n: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=n)).isoformat()


def opened(office: Office, person: str, arrived: str, **changes: Any) -> str:
    """A case of that person's letter, arrived then."""
    document = json.loads((office.sample / f"requests/{person}.json").read_text()) | changes
    document["received"] = {"at": arrived, "channel": "post"}
    path = office.home.parent / f"{person}.json"
    path.write_text(json.dumps(document, ensure_ascii=False))
    return str(office.ok("open", str(path))["case"])


def prove(office: Office, case: str, day: str) -> None:
    path = office.home.parent / "proof.json"
    papers = [{**PAPER, "seen_on": day}, {**PAPER, "type": "drivers_licence", "seen_on": day}]
    path.write_text(json.dumps({"method": "post", "documents": papers}))
    office.ok("prove", case, "--file", str(path))


def work(office: Office, case: str) -> dict[str, str]:
    return {owed["what"]: owed["due"] for owed in office.ok("show", case)["work"]}


def said(office: Office, *argv: str) -> tuple[int, str, str]:
    """As an officer reads it at a terminal: without --json."""
    out, err = io.StringIO(), io.StringIO()
    with office.patch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        for name, value in (("DSR_HOME", str(office.home)), ("DSR_OFFICER", "uketsuke-1"),
                            ("DSR_SECRET", office.secrets["uketsuke-1"])):  # fmt: skip
            patch.setenv(name, value)
        status = main([*argv, "--now", office.now])
    return status, out.getvalue(), err.getvalue()


def nobody_in(office: Office, person: str, *texts: object) -> bool:
    markers = Markers(values_of(office.sample, person))
    return not any(markers.within(json.dumps(text, ensure_ascii=False).encode()) for text in texts)


# -- the clocks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector[:10])
def test_both_clocks_stand_in_list_and_show_as_the_law_counts_them(vector: str, office: Office) -> None:
    """Opened and proved on the day of arrival, at its last minute; looked at on the last day, and one instant after."""
    arrival, _, three, five, ten, ends, suit = vector.split()
    at(office, arrival, "23:59")
    case = opened(office, "saki", f"{arrival}T00:00:00+09:00")
    clocks = office.ok("show", case)["clocks"]
    assert clocks["presuit"] == {"ends": ends, "suit_from": suit, "left": 14}
    assert clocks["sla"] == {"due": None, "paused": None, "left": None}  # it waits for a complete request
    assert work(office, case) == {
        "id_check": three, "decision": later(arrival, 12), "dispatch": later(arrival, 13),
        "interim_answer": later(arrival, 13),
    }  # fmt: skip
    prove(office, case, arrival)
    assert office.ok("show", case)["clocks"]["sla"] == {"due": ten, "paused": None, "left": 10}
    assert work(office, case)["search"] == five
    assert "id_check" not in work(office, case)
    at(office, ends, "23:59")
    (row,) = office.ok("list")
    assert row["clocks"]["presuit"] == {"ends": ends, "suit_from": suit, "left": 0}
    at(office, suit, "00:00")
    assert office.ok("show", case)["clocks"]["presuit"]["left"] == -1


def test_a_defective_request_starts_clock_a_and_a_cure_does_not_stop_it(office: Office) -> None:
    """CL-A2: unproved, it counts; only our own clock waits for the cure."""
    at(office, "2026-04-01")
    case = opened(office, "saki", "2026-04-01T08:00:00+09:00")
    path = office.home.parent / "nothing.json"
    path.write_text('{"method": "post", "documents": []}')
    assert office.run("prove", case, "--file", str(path))[0] == 1
    at(office, "2026-04-10")
    clocks = office.ok("show", case)["clocks"]
    assert (clocks["presuit"]["left"], clocks["sla"]["due"]) == (5, None)
    prove(office, case, "2026-04-10")
    clocks = office.ok("show", case)["clocks"]
    assert (clocks["presuit"]["ends"], clocks["sla"]["due"]) == ("2026-04-15", "2026-04-24")


def test_the_day_of_arrival_is_the_day_in_tokyo(office: Office) -> None:
    at(office, "2026-04-02")
    for person, instant, ends in (
        ("saki", "2026-03-31T14:59:59+00:00", "2026-04-14"),
        ("rei", "2026-03-31T15:00:00+00:00", "2026-04-15"),
        ("nana", "2026-04-01T23:59:59-09:00", "2026-04-16"),
    ):
        if instant.endswith("-09:00"):
            at(office, "2026-04-03")
        case = opened(office, person, instant)
        assert office.ok("show", case)["clocks"]["presuit"]["ends"] == ends


@pytest.mark.parametrize(("right", "counts"), [("published_matters", False), ("purpose_notice", False), ("erasure", True)])
def test_clock_a_runs_for_the_rights_of_article_39_only(office: Office, right: str, counts: bool) -> None:
    case = opened(office, "saki", "2026-11-20T10:00:00+09:00", right=right, ground="G-3" if counts else None)
    assert (office.ok("show", case)["clocks"]["presuit"] is not None) is counts


# -- the slip --------------------------------------------------------------------------------------------------------


def slip_text(office: Office, case: str) -> str:
    vault = Vault(office.home / "vault", Keys.load(office.home / "keys")).case(case)
    return "".join(extract_text(io.BytesIO(vault.read("documents/receipt.pdf"))).split())


def test_the_slip_is_made_when_the_case_is_opened_and_names_no_day_of_clock_a(office: Office) -> None:
    case = opened(office, "saki", "2026-11-20T10:00:00+09:00")
    shown = office.ok("show", case)
    (slip,) = shown["documents"]
    assert (slip["kind"], slip["pages"], len(slip["sha256"])) == ("receipt_slip", 1, 64)
    text = slip_text(office, case)
    for words in (case, "2026-11-20", "開示", "郵送", "山﨑咲", "個人情報開示等受付窓口"):
        assert words in text
    for day in (shown["clocks"]["presuit"]["ends"], shown["clocks"]["presuit"]["suit_from"]):
        _, month, number = day.split("-")
        assert not re.search(rf"{day}|{int(month)}月{int(number)}日", text)
    assert "acknowledge" not in work(office, case)


def test_the_slip_can_be_taken_out_and_posted_before_anything_is_searched(office: Office, tmp_path: Path) -> None:
    case = opened(office, "saki", "2026-11-20T10:00:00+09:00")
    (slip,) = office.ok("show", case)["documents"]
    (path,) = office.ok("letters", case, "--out", str(tmp_path / "post"))["files"]
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == slip["sha256"]
    assert office.run("letters", case, "--out", str(tmp_path / "post"))[0] == 2  # never over what lies there
    assert office.run("letters", case, "--out", str(tmp_path / "x"), officer="kansa-1")[0] == 1


# -- what is due -----------------------------------------------------------------------------------------------------


def test_the_list_of_what_is_due_holds_what_is_due_and_the_most_urgent_first(office: Office) -> None:
    at(office, "2026-11-04")
    early = opened(office, "saki", "2026-11-02T10:00:00+09:00")
    late = opened(office, "rei", "2026-11-04T08:00:00+09:00")
    assert office.ok("list", "--due") == []
    assert said(office, "list", "--due")[:2] == (0, "対象の案件はありません。\n")
    at(office, "2026-11-06")  # 3 November is a holiday: early's third business day is the 6th
    assert [(r["case"], r["due"]) for r in office.ok("list", "--due")] == [
        (early, [{"what": "id_check", "who": "handler", "due": "2026-11-06"}])]  # fmt: skip
    at(office, "2026-11-09")
    assert [row["case"] for row in office.ok("list", "--due")] == [early, late]
    assert [row["case"] for row in office.ok("list")] == [early, late]
    for case in (early, late):
        prove(office, case, "2026-11-09")
    assert office.ok("list", "--due") == []
    at(office, "2026-11-13")  # three days before clock A of the first ends, although nothing is due
    assert [(row["case"], row["clocks"]["presuit"]["left"]) for row in office.ok("list", "--due")] == [(early, 3)]
    at(office, "2026-11-20")
    assert [d["what"] for d in office.ok("list", "--due")[0]["due"]] == ["decision", "dispatch", "interim_answer", "search"]


def test_the_morning_round_reminds_once_a_day_and_of_nobody_by_name(office: Office) -> None:
    at(office, "2026-11-04")
    case = opened(office, "hanako", "2026-11-02T10:00:00+09:00")
    first = office.ok("watch")
    assert (first["reminders"], first["resume"]) == ([], [])
    at(office, "2026-11-09", "08:00")
    told = office.ok("watch", officer="gijutsu-1")
    assert told["reminders"] == [
        {"case": case, "what": "id_check", "who": "handler", "due": "2026-11-06", "overdue_days": 3}]  # fmt: skip
    at(office, "2026-11-09", "17:00")
    assert office.ok("watch")["reminders"] == []
    at(office, "2026-11-10", "08:00")
    again = office.ok("watch")
    assert [(r["what"], r["overdue_days"]) for r in again["reminders"]] == [("id_check", 4)]
    at(office, "2026-11-11")
    spoken = said(office, "watch")
    assert f"{case}  id_check → handler  2026-11-06" in spoken[1]
    assert nobody_in(office, "hanako", told, again, spoken, office.ok("list"), office.ok("show", case), said(office, "list"))
    assert re.search(r"tree head \S+", spoken[1])


def test_a_paper_box_that_nobody_opened_is_overdue_and_answered_the_case_goes_on(office: Office) -> None:
    """The rest is collected; the order has its own day, five business days on; the box alone is waited for."""
    at(office, "2026-11-04")
    case = opened(office, "hanako", "2026-11-02T10:00:00+09:00")
    prove(office, case, "2026-11-04")
    status, told, _ = office.run("collect", case)
    assert (status, told["state"]) == (3, "blocked")
    ended = {d["dataset"]: (d["status"], d["reason"]) for d in office.ok("show", case)["datasets"]}
    assert ended["archives_backups.paper_boxes"] == ("unreachable", "no_answer")
    assert ended["call_history.calls"] == ("found", None)
    assert office.ok("show", case)["systems"]["archives_backups"] == "unreachable"
    order = "search_order:archives_backups"
    assert work(office, case)[order] == "2026-11-11"
    at(office, "2026-11-12")
    assert order in [d["what"] for row in office.ok("list", "--due") for d in row["due"]]
    status, told, errors = office.run("watch")  # it looks again, and the box still waits
    assert status == 3
    reminder = next(r for r in told["reminders"] if r["what"] == order)
    assert reminder == {"case": case, "what": order, "who": "handler", "due": "2026-11-11", "overdue_days": 1}
    assert nobody_in(office, "hanako", told, errors)
    assert work(office, case)[order] == "2026-11-11"  # asked again, it is not younger
    office.ok("answer", case, "archives_backups", "--file", str(office.sample / "answers/hanako.archives_backups.json"))
    assert order not in work(office, case)
    at(office, "2026-11-13")
    assert case in office.ok("watch")["resume"]
    assert office.state(case) == "review"
    assert office.ok("show", case)["systems"]["archives_backups"] == "found"


def test_a_withdrawn_case_falls_silent(office: Office) -> None:
    at(office, "2026-11-04")
    case = opened(office, "hanako", "2026-11-02T10:00:00+09:00")
    prove(office, case, "2026-11-04")
    assert office.run("collect", case)[0] == 3
    assert office.ok("withdraw", case)["state"] == "withdrawn"
    assert set(work(office, case)) == {"post:withdrawal_confirmation.1.pdf"}
    office.ok("letters", case, "--out", str(office.home / "posted"))
    assert (office.ok("show", case)["outcome"], office.ok("list")[0]["state"]) == ("withdrawn", "withdrawn")
    at(office, "2026-11-30")
    found = office.ok("watch")
    assert (found["reminders"], found["resume"]) == ([], [])
    assert (office.ok("list", "--due"), set(work(office, case))) == ([], {"copies"})
    office.ok("dispose", case, "--copies", "2026-11-30")
    assert set(work(office, case)) <= {"post:id_return_slip.copies.pdf"}
    assert (office.ok("show", case)["outcome"], office.ok("list")[0]["state"]) == ("withdrawn", "closed")


# -- words and statuses ----------------------------------------------------------------------------------------------


def test_each_language_says_what_comes_next(office: Office) -> None:
    path = str(office.sample / "requests/saki.json")
    japanese = said(office, "open", path, "--lang", "ja")
    assert japanese[0] == 0
    assert "受け付けました。次は本人確認です: dsr prove DSR-2026-000001" in japanese[1]
    english = said(office, "open", str(office.sample / "requests/rei.json"), "--lang", "en")
    assert "Opened. Next, the requester's identity: dsr prove DSR-2026-000002" in english[1]
    assert said(office, "list", "--due", "--lang", "en")[0] == 0
    for language, headline in (("ja", "入力に誤りがあります: "), ("en", "")):
        status, out, errors = said(office, "show", "DSR-2026-000009", "--lang", language)
        assert (status, out) == (2, "")
        assert errors == f"dsr: {headline}case: no case 'DSR-2026-000009' → see dsr list\n"


def test_the_machines_language_is_taken_and_japanese_where_it_says_nothing(office: Office) -> None:
    for variables, headline in (
        ({"LANG": "en_US.UTF-8"}, False), ({"LANG": "ja_JP.UTF-8"}, True), ({"LANG": "C.UTF-8"}, True), ({}, True),
        ({"LC_ALL": "en_GB.UTF-8", "LANG": "ja_JP.UTF-8"}, False),
    ):  # fmt: skip
        with office.patch.context() as patch:
            for name in ("LC_ALL", "LANG"):
                patch.delenv(name, raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            assert ("入力に誤り" in said(office, "show", "DSR-2026-000009")[2]) is headline, variables


def test_json_is_one_document_and_nothing_else_whatever_the_language(office: Office) -> None:
    office.open("saki")
    assert office.ok("list", "--lang", "en") == office.ok("list", "--lang", "ja")


def test_the_exit_status_says_what_became_of_it(office: Office) -> None:
    """0 done, also when nothing is held; 1 not so; 2 wrong usage or bad input; 3 not reached."""
    assert office.run("list")[0] == 0
    case = office.collected("akari")  # a stranger: nothing held is an answer
    assert office.run("approve", case)[0] == 1
    for wrong in (("show",), ("no-such-command",), ("decide", case), ("collect", case, "--nonsense"), ("trail",)):
        with contextlib.redirect_stderr(io.StringIO()):
            assert office.run(*wrong)[0] == 2
    waiting = office.open("rei")
    office.ok("prove", waiting, "--file", str(office.sample / "requests/rei.proof.json"))
    assert office.run("collect", waiting)[0] == 3
    assert office.run("trail", "verify", "--head", "1:" + "0" * 64)[0] in (1, 2)


# -- in words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "nothing", "all_in", "everything"), [
    ("ja", "停止中のシステムはありません。", "1行とも取り込めます。", "全システム"),
    ("en", "nothing is stopped", "all 1 rows may be taken in", "everything"),
])
def test_nothing_stopped_is_said_and_not_dashed(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    lang: str, nothing: str, all_in: str, everything: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("DSR_HOME", str(office.home))
    monkeypatch.setenv("DSR_OFFICER", "gijutsu-1")
    monkeypatch.setenv("DSR_SECRET", office.secrets["gijutsu-1"])
    row = {"dataset": "marketing_consents.consents", "identifiers": {"customer_no": "C0001235"}, "at": None}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))

    def said(*argv: str) -> str:
        assert main([*argv, "--lang", lang, "--now", office.now]) == 0
        return capsys.readouterr().out.strip()

    assert said("ingest-check", "--file", str(tmp_path / "rows.jsonl")) == all_in
    assert said("stop").startswith(everything)
    assert said("stop", "--lift") == nothing
