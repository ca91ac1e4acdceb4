"""Before and beside proof: what is refused on procedure, what is protected unseen, what is decided apart or not known."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dsr.documents.style import short_era
from dsr.work_order import verify_order
from flows import home as homes
from tests.story import NOW, Office, closing_store, rows_of
from tests.test_rights import Desk, text_of
from tests.test_timing import at

PAPER = {"type": "drivers_licence", "seen_on": "2026-11-22", "name": "match", "birth": "match", "address": "match"}
WEAK = {"method": "online", "documents": [{**PAPER, "type": "registered_login", "birth": "absent", "address": "absent"}]}




@pytest.fixture(scope="module")
def shared(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("proving")
    with pytest.MonkeyPatch.context() as patch:
        yield Desk(Office.set_up(folder / "home", sample_of(1), patch), folder)


@pytest.fixture
def desk(shared: Desk) -> Desk:
    shared.office.now = NOW
    return shared


@pytest.fixture
def nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connector is even made."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a system was to be asked")

    monkeypatch.setattr(homes, "connect", refuse)


# -- a cure that fails ---------------------------------------------------------------------------------------------


def refused(ground: str, **more: Any) -> dict[str, Any]:
    return {"datasets": {}, "procedure": {"ground": ground, "reason": "期限までに書類が届きませんでした。"}, **more}


def unproved(desk: Desk, person: str, right: str, proof: dict[str, Any], **changes: Any) -> str:
    case = desk.opened(person, right, **changes)
    assert desk.office.run("prove", case, "--file", desk.paper(f"{case}.proof", proof))[0] == 1
    assert desk.office.state(case) == "awaiting_cure"
    return case


def told_off(desk: Desk, case: str, document: dict[str, Any]) -> tuple[int, str]:
    status, _, errors = desk.office.run("decide", case, "--file", desk.paper(f"{case}.decision", document))
    return status, errors


def sent_out(desk: Desk, case: str) -> tuple[str, dict[str, Any]]:
    """Made, taken out and sent: the letter and the manifest."""
    office, out = desk.office, desk.folder / case
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(out))
    assert sorted(path.name for path in out.iterdir()) == ["decision.pdf", "manifest.json"]
    sent = {"channel": "registered_post", "sent_on": office.now[:10]}
    office.ok("dispatch", case, "--file", desk.paper(f"{case}.sent", sent))
    return text_of(out / "decision.pdf"), json.loads((out / "manifest.json").read_text())


@pytest.mark.usefixtures("nobody_asked")
def test_a_cure_that_fails_is_refused_by_a_letter_that_says_nothing_of_any_data(desk: Desk) -> None:
    """An erasure, so that nothing of the road of plans is taken; and nothing was looked at on any road."""
    office = desk.office
    case = unproved(desk, "hanako", "erasure", WEAK, ground="G-3")
    told = refused("APPI-37-1-ID")
    assert ((said := told_off(desk, case, told))[0], "until 2026-12-06" in said[1]) == (1, True)
    at(office, "2026-12-07")
    for ground, field in (("APPI-37-1-AGENT", "what the person was told"), ("APPI-33-2-2", "no ground of procedure"),
                          ("APPI-37-1-FEE", "cannot be used against erasure"), ("APPI-37-2-UNSPEC", "given.help_given")):
        status, errors = told_off(desk, case, refused(ground))
        assert status == 2 and field in errors, errors
    assert told_off(desk, case, {**told, "datasets": {"billing.invoices": {"outcome": "erased"}}})[0] == 2
    assert office.ok("decide", case, "--file", desk.paper("no", told))["state"] == "fulfilling"
    for command in (["collect", case], ["collect", case, "--again"]):
        assert office.run(*command)[0] == 1, "nobody was proved"
    assert office.state(case) == "fulfilling"
    letter, manifest = sent_out(desk, case)
    shown = office.ok("show", case)
    assert (shown["state"], shown["outcome"], shown["datasets"]) == ("closed", "procedure_refused", [])
    assert manifest["datasets"] == [] and [work["what"] for work in shown["work"] if "post:" not in work["what"]] == []
    for words in ("お受けできない旨の通知書", "第37条第1項", "本人であることの確認ができなかった", "期限までに書類が届きませんでした。",
                  "令和8年11月22日", "いつでもお受けします", "保有しているかどうかについてお知らせするものではありません"):  # fmt: skip
        assert words in letter, words
    names = [name for name in (office.home / "vault" / case).rglob("*") if "fetched" in str(name)]
    assert not names


@pytest.mark.usefixtures("nobody_asked")
def test_takumi_without_authority_is_asked_once_and_then_refused(desk: Desk) -> None:
    """EC-06: authority is read on the day of asking; the letter goes to nobody before that day is over."""
    agent = {"kind": "statutory", "name": "佐藤 匠", "relation": "父"}
    subject = {"name": "佐藤 葵", "born_on": "2017-02-02", "addresses": ["福岡県みなと市1-2"], "identifiers": []}
    register = {"method": "post", "documents": [],
                "agent": {"documents": [PAPER, {**PAPER, "type": "family_register"}], "authority": "family_register",
                          "shows_authority": False}}  # fmt: skip
    case = unproved(desk, "hanako", "disclosure", register, agent=agent, subject=subject)
    assert desk.office.ok("show", case)["defects"] == ["agent_without_authority"]
    assert told_off(desk, case, {"datasets": {}})[0] == 1, "there is no proposal to decide on"
    at(desk.office, "2026-12-07")
    assert told_off(desk, case, refused("APPI-37-1-ID"))[0] == 2, "who he is was proved"
    desk.office.ok("decide", case, "--file", desk.paper("agent", refused("APPI-37-1-AGENT")))
    letter, _ = sent_out(desk, case)
    assert "代理権の確認ができなかった" in letter and desk.office.ok("show", case)["outcome"] == "procedure_refused"


@pytest.mark.usefixtures("nobody_asked")
def test_what_one_letter_asked_to_be_cured_each_part_may_be_refused_for(desk: Desk) -> None:
    first, second = desk.office.ok("open", desk.request("saki", "disclosure", parts=[{"right": "purpose_notice"}]))["letter"]
    assert desk.office.run("prove", first, "--file", desk.paper("weak", WEAK))[0] == 1
    assert [desk.office.state(no) for no in (first, second)] == ["awaiting_cure", "awaiting_cure"]
    at(desk.office, "2026-12-07")
    unspecified = refused("APPI-37-2-UNSPEC", given={"help_given": "契約番号の調べ方を電話でご案内"})
    assert desk.office.ok("decide", second, "--file", desk.paper("unspec", unspecified))["state"] == "fulfilling"
    letter, _ = sent_out(desk, second)
    assert "第37条第2項" in letter and "契約番号の調べ方" not in letter, "what was done is for the file"
    desk.office.ok("prove", first, "--file", str(desk.office.sample / "requests/saki.proof.json"))
    assert desk.office.state(first) == "proved", "the other is cured all the same, late as it is"


# -- protected before proof ----------------------------------------------------------------------------------------

LINE = {"kind": "line_no", "value": "092-000-1001"}


def protected(desk: Desk, case: str, *more: str, system: str = "call_history") -> tuple[int, str]:
    out = str(desk.folder / f"order-{len(list(desk.folder.iterdir()))}")
    status, _, errors = desk.office.run("protect", case, system, "--out", out, *more)
    return status, errors if status else out


def waiting(desk: Desk, case: str) -> dict[str, str]:
    return {work["what"]: work["due"] for work in desk.office.ok("show", case)["work"]}


@pytest.mark.usefixtures("nobody_asked")
def test_a_purge_is_suspended_before_proof_and_nobody_looks(desk: Desk) -> None:
    """EN-52, CL-E: of the line stated, by a signed order; lifted on its day, or when the case ends."""
    office, subject = desk.office, json.loads((desk.office.sample / "requests/hanako.json").read_text())["subject"]
    case = desk.opened("hanako", "disclosure", subject={**subject, "identifiers": [LINE]},
                       scope={"systems": ["call_history"], "from": None, "to": None})  # fmt: skip
    hold = ["--measure", "suspend_purge", "--until", "2026-12-10", "--reason", "本人確認の間に満了するため"]
    for wrong, system, words in (
        (["--measure", "suspend_purge", "--until", "2026-11-22", "--reason", "x"], "call_history", "--until"),
        ([*hold[:4], "--reason", " "], "call_history", "reason: is blank"), (hold, "interconnect", "no system of ours"),
        (hold, "inquiry_records", "no number in the letter"), (hold, "nowhere", "no system of ours"),
    ):  # fmt: skip
        status, errors = protected(desk, case, *wrong, system=system)
        assert (status, words in errors) == (2, True), errors
    assert protected(desk, case, "--lift")[0] == 1, "nothing is protected yet"
    before = set((office.home / "vault" / case).rglob("*"))
    _, out = protected(desk, case, *hold)
    files = {path.suffix: path for path in Path(out).iterdir() if path.suffix != ".pem"}
    signed = verify_order(files[".json"].read_bytes(), files[".sig"].read_bytes(), public_key(desk), files[".csv"].read_bytes())
    assert (signed["measure"], signed["system"], signed["due"]) == ("suspend_purge", "call_history", "2026-12-10")
    paper = text_of(files[".pdf"])
    assert LINE["value"] in files[".csv"].read_text() and LINE["value"] not in paper
    assert "消去の一時停止" in paper and "件数の確認は行わないでください" in paper
    named = (subject["name"], *subject["addresses"], "満了するため")
    said = "".join(files[kind].read_text() for kind in (".csv", ".json")) + paper
    assert not [word for word in named if word in said], "whose number it is, and why, is in none of them"
    assert set((office.home / "vault" / case).rglob("*")) == before, "nothing came into the vault"
    assert waiting(desk, case)["protect:call_history"] == "2026-12-10"
    assert protected(desk, case, *hold)[0] == 1, "once"
    office.ok("prove", case, "--file", desk.paper("p", {"method": "counter", "documents": [PAPER]}))
    assert office.ok("show", case)["protected"]["call_history"]["lifted_on"] is None
    office.ok("withdraw", case)
    assert waiting(desk, case)["protect:call_history"] == "2026-11-22", "with the case it ends, at once"
    _, out = protected(desk, case, "--lift")
    (order,) = Path(out).glob("*.order.json")
    assert json.loads(order.read_text())["measure"] == "resume_purge"
    assert "protect:call_history" not in waiting(desk, case)
    trail = desk.folder / "protect.trail.json"
    office.ok("trail", "export", case, "--out", str(trail), officer="kansa-1")
    assert "満了" not in trail.read_text() and LINE["value"] not in trail.read_text()


@pytest.mark.usefixtures("nobody_asked")
def test_a_listing_is_stopped_at_once_and_nothing_is_disclosed(desk: Desk) -> None:
    """EC-33: proof afterwards; where it fails the stop is owed to be undone, beyond the closing of the case."""
    case = unproved(desk, "akari", "disclosure", WEAK, subject={"name": "堀 純", "identifiers": [{"kind": "contract_no", "value": "K0009"}]})
    stop = ["--measure", "stop_listing", "--until", "2027-01-31", "--reason", "つきまとい"]
    assert protected(desk, case, *stop, system="service_contracts")[0] == 0
    at(desk.office, "2026-12-07")
    desk.office.ok("decide", case, "--file", desk.paper("jun", refused("APPI-37-1-ID")))
    assert waiting(desk, case)["protect:service_contracts"] == "2027-01-31", "while the letter is made it stands"
    _, manifest = sent_out(desk, case)
    assert manifest["datasets"] == [] and desk.office.state(case) == "closed"
    assert waiting(desk, case)["protect:service_contracts"] == "2026-12-07"
    due = {row["case"] for row in desk.office.ok("list", "--due")}
    assert case in due, "a closed case does not hide it"
    assert protected(desk, case, "--lift", system="service_contracts")[0] == 0
    assert "protect:service_contracts" not in waiting(desk, case)


def public_key(desk: Desk) -> bytes:
    with closing_store(homes.engine_office(desk.office.home, desk.office.now)) as office:
        return office.keys.public_key


# -- decided apart, outside, or not to be known ----------------------------------------------------------------------

SCOPE = {"systems": ["customer_master", "billing", "inquiry_records", "service_contracts"], "from": None, "to": None}
INVOICES, PAYMENTS, INQUIRIES = "billing.invoices", "billing.payments", "inquiry_records.inquiries"
NEUTRAL = {"outcome": "existence_neutral", "ground": "APPI-16-4-R5-4", "reason": "捜査関係"}


def proposed(desk: Desk, person: str, **changes: Any) -> str:
    """Searched and read, as far as there is anything to read; awaiting a decision."""
    case = desk.proved(person, "disclosure", scope=SCOPE, **changes)
    desk.office.ok("collect", case)
    notes = {name: {no: {"strike": [], "release": True} for no in found} for name, found in notes_of(desk, case).items()}
    desk.office.ok("review", case, "--file", desk.paper(f"{case}.review", {"identity": {}, "notes": notes}))
    assert desk.office.state(case) == "awaiting_decision"
    return case


def notes_of(desk: Desk, case: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for note in desk.office.ok("review", case)["notes"]:
        found.setdefault(note["dataset"], set()).add(note["record"])
    return found


def package(desk: Desk, case: str, decision: dict[str, Any], name: str) -> Path:
    desk.decided(case, decision)
    desk.office.ok("fulfil", case)
    desk.office.ok("package", case, "--out", str(desk.folder / name))
    return desk.folder / name


def entry(out: Path, dataset: str) -> dict[str, Any]:
    told = json.loads((out / "manifest.json").read_text())["datasets"]
    return dict(next(one for one in told if one["dataset"] == dataset))


def test_a_single_record_is_withheld_apart_and_every_count_agrees(desk: Desk) -> None:
    """DC-4: one payment in no CSV, JSON or book; its neighbours are there, unchanged."""
    case = proposed(desk, "hanako")
    whole, _ = desk.folder / "whole", desk.office.ok("preview", case, "--out", str(desk.folder / "whole"))
    before = rows_of(whole, PAYMENTS)
    number = sorted(before)[3]
    apart = {"outcome": "refused", "ground": "APPI-33-2-1-THIRD", "reason": "同居の方の利用が分かる請求のため。"}
    one = {"datasets": {}, "records": {f"{PAYMENTS}/{number}": apart}}
    wrong: list[tuple[dict[str, Any], str]] = [
        (one, "given.whose_interest"),
        ({**one, "given": {"whose_interests": True}}, "given.whose_interests"),
        ({"datasets": {}, "records": {f"{PAYMENTS}/none": apart}, "given": {"whose_interest": "x"}}, "is no record"),
        ({"datasets": {}, "records": {f"nowhere/{number}": apart}}, "is of no dataset"),
        ({"datasets": {}, "records": {f"{PAYMENTS}/{number}": {**apart, "ground": "APPI-37-1-ID"}}}, "no ground of refused"),
        ({"datasets": {}, "records": {f"{PAYMENTS}/{number}": {**apart, "ground": "APPI-16-4-R5-1"}}}, "never printed"),
        ({"datasets": {}, "records": {f"{PAYMENTS}/{number}": {**apart, "outcome": "erased"}}}, "no outcome of one record"),
        ({"datasets": {}, "records": {f"{PAYMENTS}/{no}": apart for no in before}, "given": {"whose_interest": "x"}},
         "leave nothing"),
    ]  # fmt: skip
    for document, words in wrong:
        status, errors = told_off(desk, case, document)
        assert (status, words in errors) == (2, True), errors
        assert desk.office.state(case) == "awaiting_decision"
    out = package(desk, case, {**one, "given": {"whose_interest": "同居人"}}, "apart")
    after = rows_of(out, PAYMENTS)
    assert number in before and number not in after
    assert after == {no: row for no, row in before.items() if no != number}, "bystanders are unchanged"
    told = entry(out, PAYMENTS)
    assert (told["records"], told["shown"], told["withheld_rows"]) == (len(before), len(after), {apart["ground"]: 1})
    book, letter = text_of(out / "disclosure.pdf"), text_of(out / "decision.pdf")
    paid = next(value for value in before[number].values() if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} .*", value))
    printed = f"{short_era(date.fromisoformat(paid[:10]))} {paid[11:]}"
    for told_by, where in ((paid, lambda at: (at / "data" / f"{PAYMENTS}.json").read_text()),
                           (printed, lambda at: text_of(at / "disclosure.pdf"))):  # fmt: skip
        assert told_by in where(whole) and told_by not in where(out)
    assert "第33条第2項第1号" in letter and "同居の方の利用が分かる請求のため。" in letter and "同居人" not in letter + book
    trail = desk.folder / "apart.trail.json"
    desk.office.ok("trail", "export", case, "--out", str(trail), officer="kansa-1")
    assert f"{PAYMENTS}/{number}" not in trail.read_text() and "同居" not in trail.read_text(), "which record, and why, is sealed"


def test_what_is_found_and_not_ours_or_no_personal_data_is_told_alike_everywhere(desk: Desk) -> None:
    case = proposed(desk, "kenta")
    outside = {"outcome": "out_of_scope", "ground": "APPI-2-CORPORATE", "reason": "法人の請求です。"}
    elsewhere = {"outcome": "redirected", "ground": "APPI-16-4-AUTH", "reason": "移管済み"}
    for document, words in (
        ({INVOICES: {**outside, "ground": "APPI-16-4-AUTH"}}, "no ground of out_of_scope"),
        ({INVOICES: {**outside, "ground": None}}, "needs a ground"),
        ({INVOICES: outside}, "given.scope_note"),
        ({INVOICES: elsewhere}, "given.desk"),
        ({INVOICES: {"outcome": "not_asked", "reason": "x"}}, "records were found"),
    ):
        status, errors = told_off(desk, case, {"datasets": document})
        assert (status, words in errors) == (2, True), errors
    found = {d["dataset"]: d for d in desk.office.ok("show", case)["datasets"]}
    contracts = "service_contracts.contracts"
    assert found[INVOICES]["status"] == found[contracts]["status"] == "found"
    out = package(desk, case, {"datasets": {INVOICES: outside, contracts: elsewhere},
                               "given": {"scope_note": "登記で確認", "desk": "あずま通信 お客様相談室"}}, "outside")  # fmt: skip
    letter, book = text_of(out / "decision.pdf"), text_of(out / "disclosure.pdf")
    assert (entry(out, INVOICES)["status"], entry(out, contracts)["status"]) == ("withheld", "not_ours")
    assert "shown" not in entry(out, INVOICES) and entry(out, contracts)["records"] == 0
    assert not list((out / "data").glob(f"{INVOICES}.*")) and not list((out / "data").glob(f"{contracts}.*"))
    assert list((out / "data").glob("customer_master.customers.*")), "what is ours goes out"
    assert "対象外" in letter and "他の窓口をご案内" in letter and "登記で確認" not in letter + book
    assert "法人その他の団体に関する情報" in letter
    assert "あずま通信 お客様相談室へお問い合わせください" in letter and "あずま通信 お客様相談室" in book
    assert all(f"data/{name}" not in (out / "README.txt").read_text() for name in (INVOICES, contracts))


def test_papers_of_two_who_differ_in_what_must_not_be_known_do_not_differ(
    own_office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EC-26, EN-59, DC-5, DC-9: one company holds rows that must not be known, the other never had them."""
    holds = Desk(own_office, tmp_path / "holds")
    holds.folder.mkdir()
    case, preview = proposed(holds, "hanako"), holds.folder / "before"
    holds.office.ok("preview", case, "--out", str(preview))
    with sqlite3.connect(own_office.sample / "company.db") as company:
        (customer,) = company.execute("SELECT customer_no FROM customers WHERE name LIKE '%花子%' LIMIT 1").fetchone()
        payment = sorted(rows_of(preview, PAYMENTS))[2]
        inquiries = company.execute("SELECT count(*) FROM inquiries WHERE customer_no = ?", [customer]).fetchone()[0]
    assert inquiries
    secret = {"datasets": {INQUIRIES: NEUTRAL}, "records": {f"{PAYMENTS}/{payment}": NEUTRAL}}
    printed = {"datasets": {INQUIRIES: {**NEUTRAL, "ground": "APPI-33-2-2"}}}
    assert told_off(holds, case, printed)[0] == 2, "a ground that is printed would say that something is there"
    holds.office.ok("decide", case, "--file", holds.paper("secret", secret))
    shown = holds.office.ok("show", case)
    assert (shown["state"], "existence_neutral" in shown["second_person"]) == ("awaiting_approval", True)
    holds.office.ok("approve", case, officer="shonin-1")
    holds.office.ok("fulfil", case)
    holds.office.ok("package", case, "--out", str(holds.folder / "out"))

    with sqlite3.connect(own_office.sample / "company.db") as company:
        company.execute("DELETE FROM inquiries WHERE customer_no = ?", [customer])
        company.execute("DELETE FROM payments WHERE payment_no = ?", [payment])
    (tmp_path / "bare").mkdir()
    bare = Desk(Office.set_up(tmp_path / "other", own_office.sample, monkeypatch), tmp_path / "bare")
    other = bare.proved("hanako", "disclosure", scope=SCOPE)
    bare.office.ok("collect", other)
    out = package(bare, other, {"datasets": {}}, "out")
    assert other == case and plain_of(out) == plain_of(holds.folder / "out")
    assert entry(out, INQUIRIES)["status"] == "none_found" and INQUIRIES not in "".join(files_of(out))
    for word in ("存否", "R5", "捜査"):
        assert word not in json.dumps(plain_of(holds.folder / "out"), ensure_ascii=False), word


def files_of(out: Path) -> list[str]:
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


def plain_of(out: Path) -> dict[str, Any]:
    """Every file: data as it is, papers as text, without tree head, digests and the sizes of papers that hold them."""

    def bare(text: str) -> str:
        text = re.sub(r"[0-9]+:[A-Za-z0-9+/]{43}=|[0-9a-f]{64}|[0-9a-f]{16,}", "…", text)
        return re.sub(r"(?<=disclosure\.pdf)\s*[0-9,]+|\"size\": ?[0-9]+|\s", "", text)

    read = {".pdf": lambda path: bare(text_of(path)), ".csv": Path.read_text, ".json": lambda path: bare(path.read_text())}
    return {name: read.get((out / name).suffix, Path.read_text)(out / name) for name in files_of(out)}
