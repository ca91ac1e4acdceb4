"""What leaves and what comes back: returns, another address, lapses, downloads, packages gone astray, requests taken back."""

from __future__ import annotations

import json
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pyzipper

from dsr.documents.style import said_day
from dsr.errors import BadInput
from dsr.request import Dispatch, IncidentReport
from dsr.rules import deliveries, incidents
from dsr.shapes import shaped
from tests.story import Office
from tests.test_templates import text_of
from tests.test_timing import at, letters

FINE = {"envelope_check": {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}}
SENT = {"channel": "addressee_only_post", "tracking_no": "123-456"}


def paper(folder: Path, document: Any) -> str:
    path = folder / f"paper-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(document, ensure_ascii=False))
    return str(path)


def send(office: Office, case: str, folder: Path, **more: Any) -> str:
    """Taken out, compared by the second officer, and sent today; the text of the letter."""
    out = folder / f"package-{len(list(folder.iterdir()))}"
    office.ok("package", case, "--out", str(out))
    office.ok("dispatch", case, "--file", paper(folder, FINE), officer="shonin-1")
    office.ok("dispatch", case, "--file", paper(folder, {**SENT, "sent_on": office.now[:10], **more}))
    return text_of((out / "decision.pdf").read_bytes())


def answered(office: Office, person: str, folder: Path) -> str:
    case = office.decided(person, folder)
    office.ok("fulfil", case)
    return case


def came_back(reason: str, day: str, seal: str = "intact") -> dict[str, str]:
    return {"returned_on": day, "return_reason": reason, "seal": seal}


def test_sakis_letter_comes_back_and_goes_to_the_address_she_proves(office: Office, tmp_path: Path) -> None:
    """EN-54."""
    case = answered(office, "saki", tmp_path)
    office.ok("package", case, "--out", str(tmp_path / "first"))
    office.ok("dispatch", case, "--file", paper(tmp_path, FINE), officer="shonin-1")
    registered = paper(tmp_path, {"channel": "registered_post", "sent_on": office.now[:10]})
    status, _, words = office.run("dispatch", case, "--file", registered)
    assert (status, "addressee_only_post" in words) == (1, True), "one licence by post proved her, and calls are inside"
    first = send(office, case, tmp_path)
    assert office.state(case) == "closed"
    old = json.loads((office.sample / "requests/saki.json").read_text())["subject"]["addresses"][0]
    assert old in first
    at(office, "2026-11-30")
    office.ok("dispatch", case, "--file", paper(tmp_path, came_back("addressee_unknown", "2026-11-28")))
    assert office.state(case) == "dispatching"
    told = letters(office, case, tmp_path)
    notice = next(text for name, text in told.items() if name.startswith("redelivery_notice"))
    assert "山﨑　咲" in notice or "山﨑 咲" in notice
    assert old not in notice  # nothing is sent again to where it failed
    assert said_day(deliveries.held_until(date(2026, 11, 28))).ja in notice
    status, _, words = office.run("dispatch", case, "--file", paper(tmp_path, FINE), officer="shonin-1")
    assert status == 0
    status, _, words = office.run("dispatch", case, "--file", paper(tmp_path, {**SENT, "sent_on": "2026-11-30"}))
    assert (status, "another one is proved" in words) == (1, True)
    licence = {"type": "drivers_licence", "seen_on": "2026-11-30", "name": "match", "birth": "match", "address": "match"}
    new = "福岡県みなと市松原9-9-9"
    assert office.run("address", case, "--file", paper(tmp_path, {"address": new, "documents": [licence]}))[0] == 2
    record = {**licence, "type": "residence_record"}
    differs = {**record, "address": "differs"}
    assert office.run("address", case, "--file", paper(tmp_path, {"address": new, "documents": [differs]}))[0] == 2
    office.ok("address", case, "--file", paper(tmp_path, {"address": new, "documents": [record]}))
    status, _, words = office.run("dispatch", case, "--file", paper(tmp_path, {**SENT, "sent_on": "2026-11-30"}))
    assert (status, "another officer" in words) == (1, True)  # a new envelope check
    again = send(office, case, tmp_path)
    assert new in again
    assert old not in again
    assert office.state(case) == "closed"
    office.ok("dispatch", case, "--file", paper(tmp_path, {"delivered_on": "2026-11-30"}))
    assert [one.get("reason") for one in office.ok("show", case)["deliveries"]] == ["addressee_unknown", None]


def test_makotos_parcel_lapses_is_resent_once_then_held_and_destroyed(office: Office, tmp_path: Path) -> None:
    """EN-55: unopened, so no leak."""
    case = answered(office, "makoto", tmp_path)
    send(office, case, tmp_path)
    at(office, "2026-12-03")
    office.ok("dispatch", case, "--file", paper(tmp_path, came_back("lapsed", "2026-12-03")))
    assert not [work for work in office.ok("show", case)["work"] if work["what"].startswith("incident")]
    send(office, case, tmp_path)  # on request, with a new check
    at(office, "2026-12-14")
    office.ok("dispatch", case, "--file", paper(tmp_path, came_back("lapsed", "2026-12-14")))
    office.ok("package", case, "--out", str(tmp_path / "third"))
    office.ok("dispatch", case, "--file", paper(tmp_path, FINE), officer="shonin-1")
    assert office.run("dispatch", case, "--file", paper(tmp_path, {**SENT, "sent_on": "2026-12-14"}))[0] == 1
    owed = {work["what"]: work["due"] for work in office.ok("show", case)["work"]}
    assert owed["held_parcel"] == "2027-02-12"
    at(office, "2027-02-12")
    assert office.run("dispatch", case, "--file", paper(tmp_path, {"destroyed_on": "2027-02-12"}))[0] == 2
    at(office, "2027-02-13")
    office.ok("dispatch", case, "--file", paper(tmp_path, {"destroyed_on": "2027-02-13"}))
    assert office.state(case) == "closed"
    told = letters(office, case, tmp_path)
    assert any("令和9年2月13日に廃棄しました" in text for text in told.values())
    assert sum("redelivery_notice" in name for name in told) == 2
    assert office.run("dispatch", case, "--file", paper(tmp_path, came_back("lapsed", "2027-02-13")))[0] == 1


def test_what_is_downloaded_is_sealed_and_its_password_goes_another_way(office: Office, tmp_path: Path) -> None:
    """One ZIP under AES-256: the plain tree, byte for byte, for who has the password, and for nobody else."""
    case, plain, sealed = answered(office, "mai", tmp_path), tmp_path / "plain", tmp_path / "out/mai.zip"
    office.ok("package", case, "--out", str(plain))
    office.ok("dispatch", case, "--file", paper(tmp_path, FINE), officer="shonin-1")
    by = {"channel": "download", "sent_on": office.now[:10], "password_by": "post"}
    status, _, words = office.run("dispatch", case, "--file", paper(tmp_path, by))
    assert (status, "--sealed" in words) == (1, True), "the plain tree is not put up for a download"
    said = office.ok("package", case, "--sealed", str(sealed))
    assert said["files"] == [str(sealed)] and stat.S_IMODE(sealed.stat().st_mode) == 0o600
    with pyzipper.AESZipFile(sealed) as opened:
        assert {entry.wz_aes_strength for entry in opened.infolist()} == {3}, "256 bits"
        for wrong in (b"", said["password"][:-1].encode()):
            with pytest.raises(RuntimeError):
                opened.read(f"{case}/manifest.json", pwd=wrong)
        opened.setpassword(said["password"].encode())
        there = {name.removeprefix(f"{case}/"): opened.read(name) for name in opened.namelist()}
    assert there == {str(path.relative_to(plain)): path.read_bytes() for path in plain.rglob("*") if path.is_file()}
    kept = [path for path in office.home.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if said["password"].encode() in path.read_bytes()]
    status, _, words = office.run("package", case, "--sealed", str(sealed))
    assert (status, "--sealed" in words) == (2, True), "nothing is written over"
    assert list(sealed.parent.iterdir()) == [sealed]
    office.ok("dispatch", case, "--file", paper(tmp_path, by))
    assert office.state(case) == "closed"


def test_a_package_that_reached_somebody_else_is_reported_told_and_sent_again(office: Office, tmp_path: Path) -> None:
    """EC-32: one person's call record is enough for L-2; L-1 by kind and count."""
    case = answered(office, "ryoko", tmp_path)
    known = {"known_at": "2026-11-22T08:00+09:00", "kind": "misdelivery", "persons": 1, "read": "read",
             "cause": "封入時の取り違え", "secondary_harm": "確認されていません。"}  # fmt: skip
    assert office.run("incident", case, "--file", paper(tmp_path, known))[0] == 1  # nothing has left
    send(office, case, tmp_path)
    later = {**known, "known_at": "2026-11-23T09:00+09:00"}
    assert office.run("incident", case, "--file", paper(tmp_path, later))[0] == 2  # to come
    kept = office.ok("incident", case, "--file", paper(tmp_path, known))
    assert {name: told["due"] for name, told in kept["reports"].items()} == {
        "secrecy_first": "2026-11-25", "secrecy_full": "2026-12-22"}  # fmt: skip
    assert office.state(case) == "dispatching"
    notice = next(text for name, text in letters(office, case, tmp_path).items() if name.startswith("incident_notice"))
    assert all(word in notice for word in ("誤って他の方にお送り", "封入時の取り違え", "開封されたことを確認", "第26条第2項"))
    send(office, case, tmp_path)
    assert office.state(case) == "closed"
    owed = {work["what"] for work in office.ok("show", case)["work"]}
    assert {"incident:1:secrecy_first", "incident:1:secrecy_full"} <= owed  # beyond the closing
    assert case in {row["case"] for row in office.ok("list")}
    at(office, "2026-11-26")
    assert case in {row["case"] for row in office.ok("list", "--due")}
    report = {"report": "1:secrecy_first", "reported_on": "2026-11-25", "to": "九州総合通信局"}
    assert office.run("incident", case, "--reported", paper(tmp_path, {**report, "report": "1:appi_first"}))[0] == 2
    assert office.run("incident", case, "--reported", paper(tmp_path, {**report, "reported_on": "2026-11-27"}))[0] == 2
    office.ok("incident", case, "--reported", paper(tmp_path, report))
    office.ok("incident", case, "--reported", paper(tmp_path, {**report, "report": "1:secrecy_full"}), officer="shonin-1")
    assert not [work for work in office.ok("show", case)["work"] if work["what"].startswith("incident")]


INCIDENT = {"known_at": "2026-11-22T08:00+09:00", "kind": "misdelivery", "persons": 1, "read": "unknown", "cause": "x",
            "secondary_harm": "x"}  # fmt: skip


@pytest.mark.parametrize(("said", "secrecy", "due"), [
    ({}, False, []),
    ({}, True, ["secrecy_first", "secrecy_full"]),
    ({"persons": 1000}, False, []),
    ({"persons": 1001}, False, ["appi_first", "appi_full"]),
    ({"categories": ["sensitive"]}, True, ["appi_first", "appi_full", "secrecy_first", "secrecy_full"]),
    ({"persons": 1001, "read": "unread", "recovered_on": "2026-11-22"}, False, []),
    ({"persons": 1001, "read": "unread"}, False, ["appi_first", "appi_full"]),
    ({"read": "unread", "recovered_on": "2026-11-22"}, True, ["secrecy_first", "secrecy_full"]),
])  # fmt: skip
def test_which_reports_a_leak_asks_for(said: dict[str, Any], secrecy: bool, due: list[str]) -> None:
    found = incidents.reports(shaped(IncidentReport, {**INCIDENT, **said}, "incident"), secrecy)
    assert sorted(report.name for report in found) == due


def test_a_malicious_act_has_sixty_days_and_the_secrecy_report_thirty() -> None:
    said = shaped(IncidentReport, {**INCIDENT, "kind": "theft", "categories": ["malicious"]}, "incident")
    assert {report.name: report.due.isoformat() for report in incidents.reports(said, True)} == {
        "appi_first": "2026-11-25", "secrecy_first": "2026-11-25", "secrecy_full": "2026-12-22", "appi_full": "2027-01-21",
    }  # fmt: skip


@pytest.mark.parametrize(("document", "field"), [
    ({"channel": "download", "sent_on": "2026-11-22"}, "dispatch"),
    ({"channel": "counter", "sent_on": "2026-11-22", "password_by": "post"}, "dispatch"),
    ({"returned_on": "2026-11-22", "return_reason": "lapsed"}, "dispatch"),
    ({"delivered_on": "2026-11-22", "destroyed_on": "2026-11-22"}, "dispatch"),
    ({}, "dispatch"),
])  # fmt: skip
def test_an_act_that_is_none_is_told(document: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        shaped(Dispatch, document, "dispatch")
    assert caught.value.field == field


def test_an_intruder_takes_hanakos_request_back_and_she_objects(office: Office, tmp_path: Path) -> None:
    """EN-28: the confirmation goes to her, nothing runs meanwhile, and after three business days it stands."""
    case = office.collected("akari")
    office.ok("withdraw", case)
    assert office.run("decide", case, "--as-proposed")[0] == 1
    assert office.run("collect", case)[0] == 1
    told = letters(office, case, tmp_path)["withdrawal_confirmation.1.pdf"]
    assert "令和8年11月26日" in told  # three business days: the 23rd is a holiday
    assert "行った措置はありません" in told
    at(office, "2026-11-26")
    office.ok("watch")
    assert office.state(case) == "withdrawn"
    office.ok("withdraw", case, "--objected")
    assert office.state(case) == "received"
    office.ok("withdraw", case)
    at(office, "2026-12-02")
    office.ok("watch")
    assert (office.state(case), office.ok("show", case)["outcome"]) == ("closed", "withdrawn")
    assert office.run("withdraw", case, "--objected")[0] == 1
