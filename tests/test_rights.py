"""Rights that change no store: each told to its end, its letter read, and what must not have happened looked for."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from dsr.engine import deciding, fulfilling, intake, process
from dsr.engine.desk import letter_gaps
from dsr.errors import BadInput
from dsr.inventory import read_inventory
from flows import home as homes
from tests.story import Office, closing_store

SENT = {"channel": "registered_post", "sent_on": "2026-11-22", "tracking_no": "1"}


def text_of(pdf: Path) -> str:
    read = pypdfium2.PdfDocument(io.BytesIO(pdf.read_bytes()))
    return "".join(page.get_textpage().get_text_range() for page in read).replace("\r\n", "")


@dataclass
class Desk:
    """An office on the sample company, and a folder for its papers."""

    office: Office
    folder: Path

    def paper(self, name: str, document: Any) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document, ensure_ascii=False))
        return str(path)

    def request(self, person: str, right: str, **changes: Any) -> str:
        document = json.loads((self.office.sample / f"requests/{person}.json").read_text())
        return self.paper(f"{person}.{right}", document | {"right": right} | changes)

    def opened(self, person: str, right: str, **changes: Any) -> str:
        return str(self.office.ok("open", self.request(person, right, **changes))["case"])

    def proved(self, person: str, right: str, **changes: Any) -> str:
        case = self.opened(person, right, **changes)
        self.office.ok("prove", case, "--file", str(self.office.sample / f"requests/{person}.proof.json"))
        return case

    def searched(self, person: str, right: str) -> str:
        case = self.proved(person, right)
        box = self.office.sample / f"answers/{person}.archives_backups.json"
        self.office.ok("answer", case, "archives_backups", "--file", str(box))
        self.office.ok("collect", case)
        return case

    def decided(self, case: str, decision: Any = None) -> None:
        how = ["--file", self.paper(f"{case}.decision", decision)] if decision else ["--as-proposed"]
        if self.office.ok("decide", case, *how)["state"] == "awaiting_approval":
            self.office.ok("approve", case, officer="shonin-1")

    def answered(self, case: str, decision: Any = None) -> str:
        """Decided, made, taken out and sent; the text of the letter."""
        self.decided(case, decision)
        self.office.ok("fulfil", case)
        out = self.folder / case
        self.office.ok("package", case, "--out", str(out))
        assert sorted(path.name for path in out.iterdir()) == ["decision.pdf", "manifest.json"]
        self.office.ok("dispatch", case, "--file", self.paper(f"{case}.sent", SENT))
        assert self.office.state(case) == "closed"
        return text_of(out / "decision.pdf")


@pytest.fixture(scope="module")
def desk(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("rights")
    with pytest.MonkeyPatch.context() as patch:
        yield Desk(Office.set_up(folder / "home", sample_of(1), patch), folder)


@pytest.fixture
def nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connector is even made."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a system was to be asked")

    monkeypatch.setattr(homes, "connect", refuse)


# -- purpose_notice: searched, nothing brought -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def purposes(desk: Desk) -> str:
    """Hanako's case, searched and waiting for a decision."""
    case = desk.searched("hanako", "purpose_notice")
    if desk.office.state(case) == "review":
        told = desk.office.truth["people"]["hanako"].get("identity", {})
        desk.office.ok("review", case, "--file", desk.paper("identity", {"identity": told}))
    return case


def test_of_hanakos_data_it_is_known_that_they_are_held_and_no_row_is_brought(desk: Desk, purposes: str) -> None:
    shown, own = desk.office.ok("show", purposes), desk.office.truth["people"]["hanako"]["owns"]
    assert {d["dataset"]: d["records"] for d in shown["datasets"] if d["status"] == "found"} == {
        name: len(records) for name, records in own.items()}  # fmt: skip
    assert shown["clocks"]["presuit"] is None, "a 求め is none of Art. 39"
    with closing_store(homes.engine_office(desk.office.home, desk.office.now)) as office:
        names = office.vault.case(purposes).names("")
    assert any(name.startswith("keys/") for name in names)
    assert not [name for name in names if name.startswith(("fetched/", "draft/"))]


def test_a_purpose_is_refused_by_its_ground_alone_and_the_memo_stays_in_the_file(desk: Desk, purposes: str) -> None:
    memo, ends = "捜査関係事項照会の対応に支障", "datasets.inquiry_records.inquiries.ground"
    for ground in (None, "APPI-33-2-2", "APPI-35-5-NEEDED"):
        item = {"outcome": "refused", "ground": ground, "reason": memo}
        wrong = desk.paper("wrong", {"datasets": {"inquiry_records.inquiries": item}})
        status, _, errors = desk.office.run("decide", purposes, "--file", wrong)
        assert status == 2 and ends in errors
    refused = {name: {"outcome": "refused", "ground": ground, "reason": memo} for name, ground in (
        ("inquiry_records.inquiries", "APPI-32-2-2-C"), ("customer_master.customers", "APPI-32-2-1"))}  # fmt: skip
    letter = desk.answered(purposes, {"datasets": refused})
    assert "利用目的通知書" in letter and "第32条第2項第2号（第21条第4項第3号）" in letter
    assert "国の機関又は地方公共団体の事務の遂行に支障" in letter and memo not in letter
    assert "APPI-" not in letter and "第39条" not in letter
    told, _, untold = letter.partition("利用目的を通知しないもの")
    assert "ご相談記録" not in told and "お客様情報" not in told
    assert "P07　サービスのご紹介" in untold.partition("お客様情報")[2], "what is published is named with its number"
    for said in ("通話・通信履歴／通話履歴", "P22　サービス改善のための分析", "なぎさ解析（ウェブ閲覧の分析の委託先）"):
        assert said in told
    for value in ("C0001234", "092-000-1001", "1984"):
        assert value not in letter, "purposes are told, not data"
    shown = desk.office.ok("show", purposes)
    assert shown["outcome"] == "partial" and [d["kind"] for d in shown["documents"]][-1] == "purpose_answer"


def test_of_akari_nothing_is_held_and_a_wholly_refused_notice_is_a_letter_of_its_own(desk: Desk) -> None:
    case = desk.searched("akari", "purpose_notice")
    letter = desk.answered(case)
    assert "不存在通知書" in letter and "利用目的の通知の対象となる保有個人データはありませんでした。" in letter
    assert "該当なし" in letter and "P01" not in letter
    assert desk.office.ok("show", case)["outcome"] == "not_held"
    other = desk.proved("kenta", "purpose_notice", scope={"systems": ["customer_master"], "from": None, "to": None})
    desk.office.ok("collect", other)
    items = desk.office.ok("show", other)["proposal"]
    refused = {"outcome": "refused", "ground": "APPI-32-2-1", "reason": "公表のとおり"}
    letter = desk.answered(other, {"datasets": {name: refused for name, i in items.items() if i["outcome"] == "full"}})
    assert "利用目的を通知しない旨の通知書" in letter and "第32条第2項第1号" in letter
    assert desk.office.ok("show", other)["outcome"] == "refused"


# -- what needs no search, and what needs no proof ---------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_asked")
def test_what_must_be_published_is_answered_whole_to_anyone(desk: Desk) -> None:
    case = desk.opened("kenta", "published_matters")
    assert desk.office.state(case) == "proved", "nothing is asked of who asks it (ID-2)"
    desk.office.ok("collect", case)
    shown = desk.office.ok("show", case)
    assert shown["state"] == "awaiting_decision" and shown["datasets"] == []
    letter = desk.answered(case)
    company = read_inventory(desk.office.sample / "inventory.toml").company
    for told in (company.name, company.address, company.representative, company.procedure, company.security_measures,
                 company.complaint_desk, company.accredited_body, "P29", "0円"):  # fmt: skip
        assert told.replace(" ", "") in letter.replace(" ", ""), told
    assert desk.office.ok("show", case)["outcome"] == "full"


def test_a_company_that_does_not_say_what_must_be_published_is_told_so(desk: Desk) -> None:
    inventory = desk.folder / "home" / ".." / "lacking.toml"
    whole = (desk.office.sample / "inventory.toml").read_text()
    inventory.write_text("\n".join(line for line in whole.split("\n") if not line.startswith("security_measures")))
    with closing_store(homes.engine_office(desk.office.home, desk.office.now)) as office:
        lacking = replace(office, inventory=read_inventory(inventory))
        assert letter_gaps(office) == [] and letter_gaps(lacking) == ["security_measures"]
        case = intake.open_case(lacking, json.loads(Path(desk.request("hanako", "published_matters")).read_text())).case_no
        process.collect(lacking, case)
        deciding.decide(lacking, case, None)
        with pytest.raises(BadInput, match=r"company\.security_measures"):
            fulfilling.fulfil(lacking, case)
        assert lacking.store.case(case).state == "fulfilling"


@pytest.mark.usefixtures("nobody_asked")
def test_recipients_abroad_are_named_with_their_measures_or_that_there_are_none(desk: Desk) -> None:
    case = desk.proved("kenta", "foreign_measures")
    desk.office.ok("collect", case)
    letter = desk.answered(case)
    assert "シンガポール共和国" in letter and "年1回、取扱いの状況" in letter and "あずま通信" not in letter
    with closing_store(homes.engine_office(desk.office.home, desk.office.now)) as office:
        at_home = office.inventory.model_copy(update={"partner": {"azuma": office.inventory.partner["azuma"]}})
        home = replace(office, inventory=at_home)
        other = desk.proved("hanako", "foreign_measures")
        process.collect(home, other)
        deciding.decide(home, other, None)
        fulfilling.fulfil(home, other)
        assert home.store.case(other).outcome == "not_held"
        fulfilling.write_out(home, other, desk.folder / "none-abroad")
    assert "提供すべき情報はありません" in text_of(desk.folder / "none-abroad" / "decision.pdf")


@pytest.mark.usefixtures("nobody_asked")
def test_a_complaint_is_answered_in_an_officers_words_and_never_by_the_engines(desk: Desk) -> None:
    case = desk.opened("jin", "complaint")
    again = desk.opened("jin", "complaint")
    assert desk.office.ok("show", again)["linked_to"] is None, "another complaint may be about something else"
    desk.office.ok("collect", case)
    for wrong in (["--as-proposed"], ["--file", desk.paper("bare", {"datasets": {}})]):
        status, _, errors = desk.office.run("decide", case, *wrong)
        assert status == 2 and "answer" in errors
    words = ["請求額を確認しました。", "検針値に誤りはありませんでしたが、説明が足りず申し訳ありません。"]
    letter = desk.answered(case, {"datasets": {}, "answer": words})
    assert "苦情へのご回答" in letter and all(word in letter for word in words)
    trail = desk.folder / "complaint.trail.json"
    desk.office.ok("trail", "export", case, "--out", str(trail), officer="kansa-1")
    assert not any(word in trail.read_text() for word in words), "an officer's words are sealed"
    status, _, errors = desk.office.run("decide", desk.proved("kenta", "self_service"), "--as-proposed")
    assert status == 1, errors


@pytest.mark.usefixtures("nobody_asked")
def test_mai_is_told_where_she_does_it_herself(desk: Desk) -> None:
    case = desk.proved("mai", "self_service")
    desk.office.ok("collect", case)
    status, _, errors = desk.office.run("decide", case, "--file", desk.paper("no", {"datasets": {}, "answer": ["x"]}))
    assert status == 2 and "has no place" in errors
    letter = desk.answered(case)
    assert "みなとマイページ" in letter and "会員サイトでのお手続のご案内" in letter
    assert desk.office.ok("show", case)["outcome"] == "redirected"


@pytest.mark.usefixtures("nobody_asked")
def test_a_letter_that_is_no_request_is_recorded_and_sent_to_the_right_desk(desk: Desk) -> None:
    case = desk.opened("shun", "sender_identification")
    assert desk.office.state(case) == "misdirected"
    assert desk.office.run("fulfil", case)[0] == 1, "a person decides whom to name"
    assert desk.office.run("collect", case)[0] == 1, "and nothing is ever searched for it"
    letter = desk.answered(case)
    assert "他の窓口のご案内" in letter and "発信者情報開示請求受付 (092-000-0120)へお問い合わせください。" in letter
    assert "開示、訂正、利用停止等のご請求" in letter, "what we still answer"
    other = desk.opened("shun", "other")
    letter = desk.answered(other)
    assert "へお問い合わせください。" not in letter and "ご案内する窓口" not in letter, "no desk may be named"
    named = desk.answered(desk.opened("shun", "other"), {"datasets": {}, "desk": "みなと市役所 市民課"})
    assert "みなと市役所 市民課へお問い合わせください。" in named
    assert {desk.office.ok("show", no)["outcome"] for no in (case, other)} == {"misdirected"}
