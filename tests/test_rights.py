"""Rights that change no store: each told to its end, its letter read, and what must not have happened looked for."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from dsr import law
from dsr.case import Act
from dsr.documents import templates
from dsr.engine import deciding, fulfilling, intake, process, replying
from dsr.engine.desk import letter_gaps
from dsr.errors import BadInput, Conflict
from dsr.inventory import read_inventory
from dsr.rules import courses
from flows import home as homes
from tests.story import Office, closing_store

SENT = {"channel": "addressee_only_post", "sent_on": "2026-11-22", "tracking_no": "1"}


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
            with closing_store(homes.engine_office(self.office.home, self.office.now)) as office, office.hold(case) as h:
                code = deciding.code_of(h)
            self.office.ok("approve", case, "--code", code, officer="shonin-1")

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
    letter = desk.answered(purposes, {"datasets": refused, "given": {"memo": memo}})
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


def test_what_is_found_and_outside_the_answer_is_never_passed_over_in_silence(desk: Desk) -> None:
    case = desk.proved("mai", "purpose_notice", scope={"systems": ["customer_master"], "from": None, "to": None})
    desk.office.ok("collect", case)
    outside = {"outcome": "out_of_scope", "ground": "APPI-2-CORPORATE", "reason": "法人の記録"}
    desk.decided(case, {"datasets": {"customer_master.customers": outside}, "given": {"scope_note": True}})
    desk.office.ok("preview", case, "--out", str(desk.folder / "outside"))
    letter = text_of(desk.folder / "outside" / "decision.pdf")
    assert "不存在通知書" in letter and "お客様情報 対象外" in letter and "／お客様情報" not in letter and "P01" not in letter


def test_every_right_has_a_course_and_every_letter_right_its_letters() -> None:
    assert set(courses.COURSES) <= set(law.RIGHTS)
    assert {right for right, _ in replying.LETTERS} == {right for right in law.RIGHTS if courses.of(right).letter}
    assert {kind for kind, _ in replying.LETTERS.values()} <= set(templates.kinds())
    assert {right for right in law.RIGHTS if not courses.of(right).asks} == {
        "published_matters", "foreign_measures", "complaint", "self_service", "sender_identification", "other"}  # fmt: skip
    assert all(course.outcome in ("", *law.OUTCOMES) for course in courses.COURSES.values())


# -- what needs no search, and what needs no proof ---------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_asked")
def test_what_must_be_published_is_answered_whole_to_anyone(desk: Desk) -> None:
    case, twin = (desk.opened("kenta", "published_matters") for _ in range(2))
    assert desk.office.state(case) == "proved", "nothing is asked of who asks it (ID-2)"
    assert desk.office.state(twin) == "received" and desk.office.ok("show", twin)["linked_to"] == case
    desk.office.ok("collect", case)
    shown = desk.office.ok("show", case)
    assert shown["state"] == "awaiting_decision" and shown["datasets"] == []
    letter = desk.answered(case)
    assert desk.office.state(twin) == "closed", "answered with it"
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
    # The letter passed the gate, and the person's address is where it goes.
    assert desk.office.ok("show", case)["release"] == {"passed": True, "findings": [], "more": 0}
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
    case = desk.opened("kenta", "sender_identification")
    assert desk.office.state(case) == "misdirected"
    assert desk.office.run("fulfil", case)[0] == 1, "a person decides whom to name"
    assert desk.office.run("collect", case)[0] == 1, "and nothing is ever searched for it"
    letter = desk.answered(case)
    assert "他の窓口のご案内" in letter and "発信者情報開示請求受付 (092-000-0120)へお問い合わせください。" in letter
    assert "開示、訂正、利用停止等のご請求" in letter, "what we still answer"
    assert desk.office.ok("show", case)["outcome"] == "misdirected"
    other, folder = desk.opened("kenta", "other"), desk.folder / "other"
    desk.office.ok("preview", other, "--out", str(folder))
    unnamed = text_of(folder / "decision.pdf")
    assert "へお問い合わせください。" not in unnamed and "ご案内する窓口" not in unnamed, "no desk may be named"
    named = desk.answered(other, {"datasets": {}, "desk": "みなと市役所 市民課", "answer": ["住民票の写しの件です。"]})
    assert "みなと市役所 市民課へお問い合わせください。" in named and "住民票の写しの件です。" in named


@pytest.mark.usefixtures("nobody_asked")
def test_each_letter_names_the_law_of_the_day_its_request_arrived(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """EN-45, with a test-only version that begins on 2026-11-02: the day before, and the day."""
    new = law.VERSIONS["appi_2026"].model_copy(update={"valid_from": date(2026, 11, 2), "label": "試験用の法律"})
    monkeypatch.setitem(law.VERSIONS, "appi_2026", new)
    published = law.right("published_matters").model_copy(update={"law_version": "appi_2026", "basis": "試験用の条"})
    monkeypatch.setitem(law._RIGHTS, "published_matters", (law.right("published_matters"), published))
    for day, name, basis in (("2026-11-01", "令和4年4月1日施行", "第32条第1項"), ("2026-11-02", "試験用の法律", "試験用の条")):
        received = {"at": f"{day}T10:15:00+09:00", "channel": "post"}
        case, folder = desk.opened("rei", "published_matters", received=received, former_names=[day]), desk.folder / day
        desk.office.ok("collect", case)
        desk.office.ok("preview", case, "--out", str(folder))
        letter = text_of(folder / "decision.pdf")
        assert name in letter and basis in letter
        assert (basis == "試験用の条") is ("試験用" in letter)


# -- one letter, several parts -----------------------------------------------------------------------------------------

HERE = {"systems": ["customer_master"], "from": None, "to": None}
NAOKI = {"name": "森 直樹", "kana": "モリ ナオキ", "born_on": "1975-01-09", "addresses": ["福岡県みなと市1-1"],
         "identifiers": []}  # fmt: skip
ERASE = {"right": "erasure", "ground": "G-3", "scope": HERE}


def test_naoki_is_shown_his_data_before_they_may_be_erased(desk: Desk) -> None:
    """EN-50: both asked in one letter; one proof for both, a clock, a decision and a letter for each."""
    office = desk.office
    told = office.ok("open", desk.request("akari", "disclosure", subject=NAOKI, scope=HERE, parts=[ERASE]))
    shown, erased = told["letter"]
    assert told["case"] == shown and office.ok("show", erased)["letter"] == [shown, erased]
    assert [office.ok("show", no)["right"] for no in (shown, erased)] == ["disclosure", "erasure"]
    office.ok("prove", shown, "--file", str(office.sample / "requests/akari.proof.json"))
    assert [office.state(no) for no in (shown, erased)] == ["proved", "proved"]
    office.ok("collect", shown, erased)
    for case in (shown, erased):
        desk.decided(case)
    status, _, errors = office.run("fulfil", erased, "--live", erased)
    assert status == 1 and f"{shown}, fulfilling" in errors
    office.ok("fulfil", shown)
    office.ok("package", shown, "--out", str(desk.folder / "naoki"))
    assert office.run("fulfil", erased, "--live", erased)[0] == 1, "made, and not yet delivered"
    assert office.state(erased) == "fulfilling"
    office.ok("dispatch", shown, "--file", desk.paper("naoki.sent", SENT))
    back = {"returned_on": "2026-11-22", "return_reason": "addressee_unknown", "seal": "intact"}
    office.ok("dispatch", shown, "--file", desk.paper("naoki.back", back))
    assert office.run("fulfil", erased, "--live", erased)[0] == 1, "what came back is not delivered"


def test_an_erasure_goes_on_once_what_was_to_be_shown_is_sent(desk: Desk) -> None:
    office, subject = desk.office, {**NAOKI, "name": "森 結衣", "kana": "モリ ユイ", "born_on": "2010-03-03"}
    notice = {"right": "purpose_notice", "scope": HERE}
    erased, shown = office.ok("open", desk.request("akari", "erasure", subject=subject, scope=HERE, ground="G-3",
                                                   parts=[notice]))["letter"]  # fmt: skip
    office.ok("prove", shown, "--file", str(office.sample / "requests/akari.proof.json"))
    office.ok("collect", erased, shown)
    desk.decided(erased)
    assert office.run("fulfil", erased, "--live", erased)[0] == 1
    desk.answered(shown)
    assert office.ok("fulfil", erased, "--live", erased)["state"] == "dispatching"


def test_a_proof_shown_for_one_part_is_judged_for_each_by_what_it_opens(desk: Desk) -> None:
    login = {"type": "registered_login", "last_digits": "", "seen_on": "2026-11-04", "name": "match", "birth": "match",
             "address": "absent"}  # fmt: skip
    weak = desk.paper("weak", {"method": "online", "documents": [login]})
    parts = [{"right": "marketing_stop"}, {"right": "published_matters"}, {"right": "complaint"}]
    shown, stopped, *free = desk.office.ok("open", desk.request("nana", "disclosure", parts=parts))["letter"]
    assert {desk.office.state(no) for no in free} == {"proved"}
    assert desk.office.run("prove", shown, "--file", weak)[0] == 1
    assert [desk.office.state(no) for no in (shown, stopped)] == ["awaiting_cure", "proved"]
    clocks = [desk.office.ok("show", no)["clocks"]["presuit"] for no in (shown, stopped)]
    assert clocks[0]["ends"] == "2026-11-16" and clocks[1] is None
    letters = {no: [d["kind"] for d in desk.office.ok("show", no)["documents"]] for no in (shown, stopped)}
    assert letters == {shown: ["receipt_slip", "defect_notice"], stopped: ["receipt_slip"]}


@pytest.mark.parametrize(("parts", "field"), [
    ([{"right": "use_stop", "ground": "G-3"}, {"right": "erasure"}], "parts.1.ground"),
    ([{"right": "correction"}], "parts.0"),
    ([{"right": "disclosure"}], "parts.0"),
    ([{"right": "marketing_stop", "scope": {"systems": ["nowhere"]}}], "parts.0.scope.systems"),
    ([{"right": "marketing_stop", "subject": {}}], "parts.0.subject"),
])  # fmt: skip
def test_an_error_in_one_part_opens_none(desk: Desk, parts: list[Any], field: str) -> None:
    before = len(desk.office.ok("list")), len(list((desk.office.home / "vault").iterdir()))
    status, _, errors = desk.office.run("open", desk.request("ryo", "disclosure", parts=parts))
    assert status == 2 and field in errors
    assert before == (len(desk.office.ok("list")), len(list((desk.office.home / "vault").iterdir())))


def test_a_store_that_fails_while_a_letter_is_opened_leaves_none_of_it(desk: Desk) -> None:
    document = json.loads(Path(desk.request("ryo", "disclosure", parts=[{"right": "complaint"}])).read_text())
    with closing_store(homes.engine_office(desk.office.home, desk.office.now)) as office:
        free = office.store.next_case_no(2026)
        second = f"DSR-2026-{int(free[-6:]) + 1:06d}"
        intake.open_case(office, {**document, "parts": []})
        taken = office.store.case(free)
        wanted = [(replace(taken, case_no=second), "a", Act("open"), b""), (taken, "b", Act("open"), b"")]
        with pytest.raises(Conflict, match=free):
            office.store.open_cases(wanted, office.now, "uketsuke-1")
        assert office.store.holds(free) and not office.store.holds(second)


@pytest.mark.parametrize("slips", [0, 1])
def test_a_letter_whose_opening_was_cut_off_is_opened_to_its_end_and_not_a_second_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, slips: int
) -> None:
    person, parts = ("saki", "makoto")[slips], [{"right": "marketing_stop"}]
    document = json.loads(Path(desk.request(person, "disclosure", parts=parts)).read_text())
    done, acknowledge = [], intake._acknowledge

    def cut_off(hold: Any) -> None:
        if len(done) == slips:
            raise KeyboardInterrupt
        done.append(hold.case_no)
        acknowledge(hold)

    with closing_store(homes.engine_office(desk.office.home, desk.office.now)) as office:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(intake, "_acknowledge", cut_off)
            intake.open_case(office, document)
        before = [case.case_no for case in office.store.cases()]
        letter = intake.parts_of(intake.open_case(office, document))
        assert [case.case_no for case in office.store.cases()] == before and letter == before[-2:]
        assert all(("receipt", "result") in office.store.ledger(no) for no in letter)
