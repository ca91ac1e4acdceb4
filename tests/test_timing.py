"""Clock B paused, resumed and extended; fees; the interim answer; another way of disclosure: each with its letter."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from dsr.engine import charging
from dsr.errors import NotAllowed
from flows import home as homes
from tests.story import Office, closing_store
from tests.test_templates import text_of

FEE = """
[company.fees.disclosure]
yen = 300
way = "定額小為替"
"""


def letters(office: Office, case: str, folder: Path) -> dict[str, str]:
    """Name → text of every letter made so far."""
    out = folder / f"letters-{len(list(folder.iterdir()))}"
    office.ok("letters", case, "--out", str(out))
    return {path.name: text_of(path.read_bytes()) for path in out.iterdir()}


def at(office: Office, day: str) -> None:
    office.now = f"{day}T09:00+09:00"


def proved(office: Office, person: str, boxes: bool = False) -> str:
    """``boxes``: somebody has looked into the paper boxes."""
    case = office.open(person)
    office.ok("prove", case, "--file", str(office.sample / f"requests/{person}.proof.json"))
    if boxes:
        answer = office.sample / f"answers/{person}.archives_backups.json"
        office.ok("answer", case, "archives_backups", "--file", str(answer))
    return case


def clocks(office: Office, case: str) -> tuple[str, str | None, str | None, int | None]:
    told = office.ok("show", case)["clocks"]
    return told["presuit"]["ends"], told["sla"]["due"], told["sla"]["paused"], told["sla"]["left"]


def test_our_clock_waits_and_goes_on_and_the_laws_never_does(office: Office, tmp_path: Path) -> None:
    case = proved(office, "akari")  # Sunday 22 November 2026; the 23rd is a holiday
    ends, due, paused, left = clocks(office, case)
    assert (due, paused, left) == ("2026-12-07", None, 10)
    at(office, "2026-11-25")
    office.ok("pause", case, "--reason", "identity")
    assert clocks(office, case) == (ends, None, "identity", 8)
    assert office.run("pause", case, "--reason", "cure")[0] == 1  # one at a time
    assert office.run("extend", case, "--days", "5", "--reason", "x")[0] == 1  # no day could be told
    at(office, "2026-12-01")
    assert clocks(office, case) == (ends, None, "identity", 8)
    office.ok("resume", case)
    assert clocks(office, case) == (ends, "2026-12-11", None, 8)
    assert office.run("resume", case)[0] == 1
    office.ok("extend", case, "--days", "5", "--reason", "記録の量が多く、確認に日数を要するため。")
    assert clocks(office, case) == (ends, "2026-12-18", None, 13)
    assert office.run("extend", case, "--days", "5", "--reason", "x")[0] == 1  # once
    told = letters(office, case, tmp_path)
    assert (
        "本人であることを確認するための書類をお待ちしているため、令和8年11月25日から"
        in told["pause_notice.pause-1.pdf"]
    )
    assert "8営業日" in told["pause_notice.pause-1.pdf"]
    assert all(
        day in told["extension_notice.extension.pdf"]
        for day in ("令和8年12月11日", "令和8年12月18日", "記録の量が多く")
    )
    assert not [work for work in office.ok("show", case)["work"] if work["what"].startswith("post:")]


def test_a_clock_that_lapsed_cannot_be_extended_nor_one_that_has_not_begun_pause(office: Office) -> None:
    case = office.open("akari")
    assert office.run("pause", case, "--reason", "fee")[0] == 1
    office.ok("prove", case, "--file", str(office.sample / "requests/akari.proof.json"))
    assert office.run("extend", case, "--days", "0", "--reason", "x")[0] == 2
    assert office.run("extend", case, "--days", "2", "--reason", " ")[0] == 2
    at(office, "2026-12-08")
    status, _, words = office.run("extend", case, "--days", "5", "--reason", "x")
    assert (status, "interim" in words) == (1, True)


def test_a_fee_is_asked_paid_and_returned_where_nothing_is_held(own_office: Office, tmp_path: Path) -> None:
    office = own_office
    inventory = office.sample / "inventory.toml"
    case = proved(office, "akari", boxes=True)
    assert office.run("fee", case, "--ask")[0] == 2  # none is published
    inventory.write_text(inventory.read_text() + FEE)
    office.ok("fee", case, "--ask")
    assert clocks(office, case)[2] == "fee"
    office.ok("collect", case)
    assert office.run("decide", case, "--as-proposed")[0] == 1  # not paid
    assert office.run("fee", case, "--ask")[0] == 2  # asked once
    assert office.run("fee", case, "--return", "overpaid")[0] == 1
    assert office.run("fee", case, "--paid", "2026-11-23")[0] == 2
    assert office.run("fee", case, "--paid", "tomorrow")[0] == 2
    at(office, "2026-11-26")
    office.ok("fee", case, "--paid", "2026-11-25")
    assert clocks(office, case)[1:3] == ("2026-12-10", None)
    assert office.run("fee", case, "--paid", "2026-11-25")[0] == 1
    office.ok("decide", case, "--as-proposed")
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(tmp_path / "package"))
    assert "300円" in text_of((tmp_path / "package/decision.pdf").read_bytes())
    sent = tmp_path / "sent.json"
    sent.write_text(json.dumps({"channel": "addressee_only_post", "sent_on": "2026-11-26"}))
    assert office.run("dispatch", case, "--file", str(sent))[0] == 1  # nothing is held: the fee goes back first
    office.ok("fee", case, "--return", "not_held")
    assert office.run("fee", case, "--return", "not_held")[0] == 1
    office.ok("dispatch", case, "--file", str(sent))
    told = letters(office, case, tmp_path)
    assert all(word in told["fee_request.fee.pdf"] for word in ("300円", "定額小為替", "第38条", "令和8年12月6日"))
    assert "令和8年11月25日" in told["fee_receipt.fee-paid.pdf"]
    assert "対象となる保有個人データがなかったため" in told["fee_refund.fee-returned.pdf"]

    unpaid = proved(office, "kenta", boxes=True)  # who does not pay after it was asked for is refused on procedure
    office.ok("fee", unpaid, "--ask")
    office.ok("collect", unpaid)
    office.ok("review", unpaid, "--file", str(office.review_of("kenta", tmp_path)))
    decision = tmp_path / "unpaid.json"
    decision.write_text('{"datasets": {}, "procedure": {"ground": "APPI-37-1-FEE", "reason": "未納のため。"}}')
    assert office.run("decide", unpaid, "--file", str(decision))[0] == 1, "there are days left to pay"
    at(office, "2026-12-11")
    office.ok("decide", unpaid, "--file", str(decision))
    office.ok("fulfil", unpaid)
    office.ok("package", unpaid, "--out", str(tmp_path / "unpaid"))
    letter = text_of((tmp_path / "unpaid/decision.pdf").read_bytes())
    assert "手数料の納付が確認できなかったため" in letter and "未納のため。" in letter
    assert sorted(path.name for path in (tmp_path / "unpaid").iterdir()) == ["decision.pdf", "manifest.json"]
    manifest = json.loads((tmp_path / "unpaid/manifest.json").read_text())
    assert (manifest["datasets"], manifest["redactions"]) == ([], {}), "what was found is in none of it"


def test_no_fee_is_asked_for_an_erasure_whatever_is_published(own_office: Office) -> None:
    office = own_office
    inventory = office.sample / "inventory.toml"
    case = str(office.ok("open", str(office.sample / "requests/shigeru.erasure.json"))["case"])
    inventory.write_text(inventory.read_text() + FEE)
    status, _, words = office.run("fee", case, "--ask")
    assert (status, "38" in words, office.ok("show", case)["documents"][1:]) == (1, True, [])
    with closing_store(homes.engine_office(office.home, office.now)) as engine, pytest.raises(NotAllowed):
        charging.ask(engine, case)
    inventory.write_text(inventory.read_text().replace("[company.fees.disclosure]", "[company.fees.erasure]"))
    assert office.run("fee", case, "--ask")[0] == 2  # no such setting can be written


def test_what_was_reached_is_answered_first_and_the_rest_follows(office: Office, tmp_path: Path) -> None:
    case = proved(office, "makoto")
    assert office.run("collect", case)[0] == 3  # the paper box waits for a person
    assert office.run("interim", case, "--by", "2026-11-22")[0] == 2
    open_now = {d["dataset"] for d in office.ok("show", case)["datasets"] if d["status"] == "unreachable"}
    assert open_now
    office.ok("interim", case, "--by", "2026-12-18")
    first = closed_but(office, case, tmp_path, "first")
    assert "一部先行回答" in first
    assert "令和8年12月18日までにあらためてご回答します" in first
    assert office.state(case) == "blocked"
    assert not office.ok("show", case)["outcome"] or office.ok("show", case)["state"] != "closed"
    owed = {work["what"]: work["due"] for work in office.ok("show", case)["work"]}
    assert owed["rest"] == "2026-12-18"
    at(office, "2026-12-01")
    office.ok("answer", case, "archives_backups", "--file", str(office.sample / "answers/makoto.archives_backups.json"))
    office.ok("collect", case)
    second = closed_but(office, case, tmp_path, "second")
    assert "一部先行回答" not in second
    assert "あらためてご回答します" not in second
    assert office.state(case) == "closed"
    assert office.ok("show", case)["work"] == []


def closed_but(office: Office, case: str, folder: Path, name: str) -> str:
    """From the review to the post; the text of the letter."""
    if office.state(case) == "review":
        marks = folder / f"{name}.json"
        marks.write_text(json.dumps({"identity": {}, "notes": {}}))
        office.ok("review", case, "--file", str(marks))
    office.ok("decide", case, "--as-proposed")
    if office.state(case) == "awaiting_approval":
        office.ok("approve", case, officer="shonin-1")
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(folder / name))
    check, sent = folder / f"{name}.check.json", folder / f"{name}.sent.json"
    fine = {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}
    check.write_text(json.dumps({"envelope_check": fine}))
    sent.write_text(json.dumps({"channel": "addressee_only_post", "sent_on": office.now[:10]}))
    office.ok("dispatch", case, "--file", str(check), officer="shonin-1")
    office.ok("dispatch", case, "--file", str(sent))
    return text_of((folder / name / "decision.pdf").read_bytes())


def test_a_way_that_is_hard_falls_back_to_paper_and_paper_to_nothing(office: Office, tmp_path: Path) -> None:
    case = proved(office, "akari", boxes=True)
    assert office.run("method", case, "--chosen", "paper")[0] == 2  # nothing was offered
    assert office.run("method", case, "--hard", "容量が大きいため。", "--ways", "electronic")[0] == 2
    office.ok("method", case, "--hard", "ファイルの容量が大きく、送信できないため。", "--ways", "other")
    told = letters(office, case, tmp_path)["method_change_notice.method.pdf"]
    assert all(
        word in told for word in ("電磁的記録の提供", "容量が大きく", "書面の交付", "令和8年12月6日", "第33条第2項")
    )
    assert office.run("method", case, "--chosen", "electronic")[0] == 2
    office.ok("method", case, "--chosen", "paper")
    assert office.run("method", case, "--hard", "多いため。")[0] == 1  # never from paper
    office.ok("collect", case)
    office.ok("decide", case, "--as-proposed")
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(tmp_path / "package"))
    letter = text_of((tmp_path / "package/decision.pdf").read_bytes())
    assert "書面の交付（ご請求の方法による開示が困難なため" in letter
    assert date.fromisoformat(office.ok("show", case)["clocks"]["sla"]["due"]) == date(2026, 12, 7)
