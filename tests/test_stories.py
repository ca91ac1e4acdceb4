"""Each person's story and the promise it stands for (edge cases by name), through the command line to the package."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pdfminer.high_level import extract_text
from pypdf import PdfReader
from pypdf.generic import StreamObject

from connectors.stores.faults import Guarded
from sample_data.lake import ANONYMOUS, DISPLAYED
from tests.markers import Markers, _rows, spellings, values_of
from tests.story import Office, datasets_of, marks_of, oracle, rows_of

CALLS, WEB, LINKS, TICKETS = "call_history.calls", "web_logs.access", "cookie_links.links", "fault_records.tickets"
NOTES, USERS, CUSTOMERS = "inquiry_records.inquiries", "service_contracts.users", "customer_master.customers"
SHARED = "092-000-1013"
CHECK = {"envelope_check": {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}}
SENT = {"channel": "addressee_only_post", "sent_on": "2026-11-22", "tracking_no": "1"}


@dataclass
class Told:
    """An office in which each person's story is told once, and what is known of the stores."""

    office: Office
    folder: Path
    cases: dict[str, str] = field(default_factory=dict)

    def package(self, person: str) -> Path:
        if person not in self.cases:
            self.cases[person], _ = self.office.packaged(person, self.folder)
        return self.folder / f"package-{person}"

    def show(self, person: str) -> Any:
        self.package(person)
        return self.office.ok("show", self.cases[person])

    def truth(self, person: str) -> Any:
        return self.office.truth["people"][person]

    def request(self, person: str, **changes: Any) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.office.sample / f"requests/{person}.json").read_text())
        document["subject"] |= changes.pop("subject", {})
        return document | changes

    def asks(self, name: str, document: Mapping[str, Any], keeper: str = "akari") -> str:
        """A case of that request, proved and collected; ``keeper``: whose answer comes from the paper box."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document, ensure_ascii=False))
        case = str(self.office.ok("open", str(path))["case"])
        self.office.ok("prove", case, "--file", str(self.office.sample / f"requests/{keeper}.proof.json"))
        box = self.office.sample / f"answers/{keeper}.archives_backups.json"
        self.office.ok("answer", case, "archives_backups", "--file", str(box))
        self.office.ok("collect", case)
        return case

    def answered(self, case: str, review: Mapping[str, Any] | None = None) -> Path:
        """Reviewed, decided and packaged."""
        if self.office.state(case) == "review":
            path = self.folder / f"{case}.review.json"
            path.write_text(json.dumps(review or {}, ensure_ascii=False))
            self.office.ok("review", case, "--file", str(path))
        self.office.ok("decide", case, "--as-proposed")
        if self.office.state(case) == "awaiting_approval":
            self.office.ok("approve", case, officer="shonin-1")
        self.office.ok("fulfil", case)
        out = self.folder / f"package-{case}"
        self.office.ok("package", case, "--out", str(out))
        return out


@pytest.fixture(scope="module")
def told(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("stories")
    with pytest.MonkeyPatch.context() as patch:
        yield Told(Office.set_up(folder / "home", sample_of(1), patch), folder)


@cache
def company(sample: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Dataset → record no. → the row as the store holds it."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for dataset, row in _rows(sample):
        found.setdefault(dataset, {})["|".join(str(row[key]) for key in row["_key"])] = row
    return found


def stored(sample: Path, dataset: str) -> dict[str, dict[str, Any]]:
    return company(sample)[dataset]


values = cache(values_of)


# -- reading everything that is in a package -----------------------------------------------------------------------------


def opened_up(package: Path, folder: Path) -> Path:
    """The package's files, and beside them what its PDFs hold: text, metadata, every stream taken apart."""
    folder.mkdir(exist_ok=True)
    for path in package.rglob("*"):
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
        if path.suffix == ".pdf":
            text = extract_text(path)
            (folder / f"{path.stem}.text").write_text(text)
            (folder / f"{path.stem}.joined").write_text("".join(text.split()))
            (folder / f"{path.stem}.objects").write_bytes(b"\n".join(pdf_objects(path)))
    return folder


def pdf_objects(path: Path) -> Iterator[bytes]:
    with PdfReader(path) as reader:
        yield repr(dict(reader.metadata or {})).encode()
        yield repr(reader.xmp_metadata and reader.xmp_metadata.rdf_root.toxml()).encode()
        for number in range(1, len(reader.xref[0]) + 1):
            found = reader.get_object(number)
            yield repr(found).encode()
            if isinstance(found, StreamObject):
                yield found.get_data()


def hidden(told: Told, person: str) -> dict[str, str]:
    """Every value that is masked or struck somewhere, but for those that another cell of theirs lawfully shows."""
    known = told.truth(person)
    masked: dict[str, str] = {}
    shown: list[str] = []
    for dataset, numbers in known["owns"].items():
        if dataset.startswith("archives"):
            continue
        rows = stored(told.office.sample, dataset)
        for number in numbers:
            marks = known["masked"].get(dataset, {}).get(number, {})
            struck = known["spans"].get(dataset, {}).get(number, {}).get("strike", [])
            for name, value in rows[number].items():
                if value is None or name == "_key":
                    continue
                text = str(value)
                if name in marks:
                    masked[f"{dataset} {number} {name}"] = text
                    continue
                for at, (field_name, start, end, _) in enumerate(sorted(struck, reverse=True)):
                    if field_name == name:
                        masked[f"{dataset} {number} {name} {at}"] = text[start:end]
                        text = text[:start] + text[end:]
                shown.append(text)
    return {place: value for place, value in masked.items() if not any(value in text for text in shown)}


@pytest.mark.parametrize(("person", "least"), [("ryoko", 10), ("hanako", 100), ("izumi", 5)])
def test_what_is_masked_is_nowhere_in_the_package(told: Told, tmp_path: Path, person: str, least: int) -> None:
    """DC-2: not in a text, a string, a stream or the metadata of letter and book, nor in CSV, JSON and manifest."""
    masked = hidden(told, person)
    assert len(set(masked.values())) >= least
    everything = opened_up(told.package(person), tmp_path / "open")
    assert Markers(masked).search(everything) == []


def test_the_search_for_masked_values_finds_what_is_there(told: Told, tmp_path: Path) -> None:
    """In the text of both PDFs, in CSV, JSON and the metadata: else the test above would prove nothing."""
    everything = opened_up(told.package("ryoko"), tmp_path / "open")
    case = told.cases["ryoko"]
    hits = {hit.split(":")[0] for hit in Markers({"number": DISPLAYED}).search(everything)}
    assert {"disclosure.text", "call_history.calls.csv", "call_history.calls.json"} <= hits
    hits = {hit.split(":")[0] for hit in Markers({"name": "渡邉 涼子"}).search(everything)}
    assert {"decision.joined", "disclosure.joined"} <= hits
    hits = {hit.split(":")[0] for hit in Markers({"case": case}).search(everything)}
    assert {"decision.objects", "manifest.json"} <= hits


# -- one number, two people (EC-13) --------------------------------------------------------------------------------------


def test_kaoru_and_susumu_share_a_number_and_no_second(told: Told) -> None:
    """The last second of one tenure and the first of the other; the gap between them is nobody's and not counted."""
    calls = {
        (row["started_at"], row["line_no"]): number
        for number, row in stored(told.office.sample, CALLS).items() if row["line_no"] == SHARED
    }  # fmt: skip
    at = {moment: calls[datetime.fromisoformat(moment), SHARED] for moment in (
        "2025-11-30T23:59:59", "2025-12-01T00:00:00", "2026-01-31T23:59:59", "2026-02-01T00:00:00")}  # fmt: skip
    kaoru, susumu = (set(rows_of(told.package(person), CALLS)) for person in ("kaoru", "susumu"))
    assert at["2025-11-30T23:59:59"] in kaoru
    assert at["2026-02-01T00:00:00"] in susumu
    assert not kaoru & susumu
    gap = {number for (moment, _), number in calls.items() if datetime(2025, 12, 1) <= moment < datetime(2026, 2, 1)}
    assert {at["2025-12-01T00:00:00"], at["2026-01-31T23:59:59"]} <= gap
    assert kaoru | susumu == set(calls.values()) - gap
    for person, mine in (("kaoru", kaoru), ("susumu", susumu)):
        entry = next(d for d in told.show(person)["datasets"] if d["dataset"] == CALLS)
        assert entry["records"] == len(mine)
        manifest = json.loads((told.package(person) / "manifest.json").read_text())
        assert next(d for d in manifest["datasets"] if d["dataset"] == CALLS)["records"] == len(mine)


def test_nothing_of_the_gap_or_the_other_holder_is_in_either_book(told: Told, tmp_path: Path) -> None:
    for person in ("kaoru", "susumu"):
        mine = set(told.truth(person)["owns"][CALLS])
        others = {n: n for n, row in stored(told.office.sample, CALLS).items() if row["line_no"] == SHARED and n not in mine}
        mine = set(told.truth(person)["owns"][TICKETS])
        others |= {n: n for n, row in stored(told.office.sample, TICKETS).items() if row["line_no"] == SHARED and n not in mine}
        assert len(others) > 30
        assert Markers(others).search(opened_up(told.package(person), tmp_path / person)) == []


def test_susumu_gets_no_more_by_naming_an_earlier_time(told: Told) -> None:
    """He states the number from 2025-10-01 on and asks for 2025-10-01..2026-06-30: his tenure decides."""
    scope = {"systems": ["call_history"], "from": "2025-10-01", "to": "2026-06-30"}
    stated = [{"kind": "line_no", "value": SHARED, "from": "2025-10-01", "to": "2026-06-30"},
              {"kind": "customer_no", "value": "C0001239"}]  # fmt: skip
    document = told.request("susumu", scope=scope, subject={"identifiers": stated})
    package = told.answered(told.asks("susumu-early", document, "susumu"))
    rows = stored(told.office.sample, CALLS)
    expected = {n for n in told.truth("susumu")["owns"][CALLS] if rows[n]["started_at"] < datetime(2026, 7, 1)}
    assert set(rows_of(package, CALLS)) == expected
    assert min(rows[n]["started_at"] for n in expected) == datetime(2026, 2, 1)


# -- user and subscriber (EC-03), callers (EC-01, EC-02) -------------------------------------------------------------------


def test_kazuo_uses_a_company_line_and_gets_his_own_user_record_only(told: Told, tmp_path: Path) -> None:
    package = told.package("kazuo")
    assert {name: set(rows_of(package, name)) for name in datasets_of(package)} == {USERS: {"U0000001"}}
    assert next(d for d in told.show("kazuo")["datasets"] if d["dataset"] == CALLS)["status"] == "none_found"
    foreign: dict[str, str] = {}
    for dataset, row in ((name, row) for name, rows in company(told.office.sample).items() for row in rows.values()):
        if "092-000-1006" in row.values() or {"B0001206", "C0001206"} & {str(value) for value in row.values()}:
            secret = ("call_id", "counterpart_no", "ticket_no", "invoice_no", "account_no", "card_no", "billing_no", "note")
            foreign |= {f"{dataset} {name} {value}": str(value) for name, value in row.items() if name in secret and value}
    assert len(foreign) > 20
    assert Markers(foreign).search(opened_up(package, tmp_path / "open")) == []


def test_ryoko_sees_whom_she_called_and_not_who_called_her(told: Told, tmp_path: Path) -> None:
    """The same number stands in her outgoing rows and is masked in her incoming ones; 184 is never shown at all."""
    shown, known = rows_of(told.package("ryoko"), CALLS), stored(told.office.sample, CALLS)
    incoming = {n: row for n, row in shown.items() if known[n]["direction"] == 2}
    outgoing = {n: row for n, row in shown.items() if known[n]["direction"] == 1}
    withheld = ("counterpart_no", "withheld_number", "APPI-33-2-3+TBA-4-1")
    assert all(marks_of(row) == {withheld} for row in incoming.values())
    assert all(marks_of(row) == set() for row in outgoing.values())
    for number, row in incoming.items():
        assert row["開始日時"]
        assert row["通話時間 (秒)"] == str(known[number]["duration_s"])
        value = known[number]["counterpart_no"]
        assert not any(form in cell for form in spellings(value) for cell in row.values())
    counterparts = [known[n]["counterpart_no"] for n in incoming]
    assert (counterparts.count(ANONYMOUS), counterparts.count(DISPLAYED)) == (3, 2)
    assert {row["相手先番号"] for n, row in outgoing.items() if DISPLAYED in known[n]["counterpart_no"]} == {
        DISPLAYED, "184" + DISPLAYED}  # fmt: skip
    manifest = json.loads((told.package("ryoko") / "manifest.json").read_text())
    assert manifest["redactions"]["withheld_number:APPI-33-2-3+TBA-4-1"] == len(incoming)
    book = (opened_up(told.package("ryoko"), tmp_path / "open") / "disclosure.joined").read_text()
    assert book.count("（番号不開示）") >= len(incoming)
    assert f"{len(incoming)}" in book.rpartition("不開示・不存在")[2]


def test_ryoko_reads_displayed_numbers_where_her_company_chose_so(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EC-02, ``incoming_number = delivered_only`` (T-3): one line of the inventory; 184 stays what it was, and no name appears."""
    company = tmp_path / "company"
    company.mkdir()
    for entry in sample.iterdir():
        (company / entry.name).symlink_to(entry)
    (company / "inventory.toml").unlink()
    declared = (sample / "inventory.toml").read_text()
    delivered = declared.replace('{when = "direction = 2", as', '{when = "direction = 2 and shown = 0", as')
    assert delivered != declared
    (company / "inventory.toml").write_text(delivered)
    office = Office.set_up(tmp_path / "home", company, monkeypatch)
    _, package = office.data_of("ryoko", tmp_path)
    known = stored(sample, CALLS)
    incoming = {n: row for n, row in rows_of(package, CALLS).items() if known[n]["direction"] == 2}
    shown = {row["相手先番号"] for n, row in incoming.items() if known[n]["shown"]}
    assert DISPLAYED in shown and {bool(known[n]["shown"]) for n in incoming} == {True, False}
    for number, row in incoming.items():
        assert bool(marks_of(row)) is not bool(known[number]["shown"])
        assert known[number]["shown"] or known[number]["counterpart_no"] not in row.values()


# -- browsers (EC-15, EC-16) -----------------------------------------------------------------------------------------------


def test_nana_and_yutaka_share_a_browser_and_read_nothing_of_each_other(told: Told, tmp_path: Path) -> None:
    """Only authenticated sessions and her own link; lines without a login could be either's and are nobody's."""
    known = stored(told.office.sample, WEB)
    for person, other in (("nana", "yutaka"), ("yutaka", "nana")):
        (member,) = told.truth(person)["owns"]["member_accounts.members"]
        rows = rows_of(told.package(person), WEB)
        assert {row["会員番号"] for row in rows.values()} == {member}
        assert set(rows) == {n for n, row in known.items() if row["member_id"] == member}
        assert len(rows_of(told.package(person), LINKS)) == 1
        own = set(values(told.office.sample, person).values())
        theirs = {n: v for n, v in values(told.office.sample, other).items() if v not in own and v not in ("アベ", "阿部")}
        theirs = {n: v for n, v in theirs.items() if ".ip" not in n}  # a documentation range that many share
        assert len(theirs) > 50
        assert Markers(theirs).search(opened_up(told.package(person), tmp_path / person)) == []


def test_ryo_gets_what_his_browser_did_before_he_logged_in_and_not_his_guests_line(told: Told) -> None:
    """EC-16: asked for May; the cookie was linked on 1 June, so from its first sight it is his."""
    document = told.request("ryo", scope={"systems": ["web_logs", "cookie_links"], "from": "2026-05-01", "to": "2026-05-31"})
    package = told.answered(told.asks("ryo-may", document, "ryo"))
    rows, known = rows_of(package, WEB), stored(told.office.sample, WEB)
    may = {n for n in told.truth("ryo")["owns"][WEB] if known[n]["at"] < "2026-06"}
    assert set(rows) == may
    assert len(may) > 10
    assert {row["会員番号"] for row in rows.values()} == {"-"}  # each one visibly without a login
    (link,) = rows_of(package, LINKS).values()
    assert link["紐づけ日時"].startswith("2026-06-01")
    assert link["最初の閲覧"].startswith("2026-05-03")
    whole = rows_of(told.package("ryo"), WEB)
    guests = {n for n, row in known.items() if row["member_id"] == "M0001299"}
    cookie = {row["cookie_id"] for n, row in known.items() if n in may}
    assert any(known[n]["cookie_id"] in cookie for n in guests)
    assert not guests & set(whole)


# -- the same name ----------------------------------------------------------------------------------------------------------


def test_hiroshi_of_1965_and_hiroshi_of_1990_never_meet(told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """EN-17: of the other nothing is fetched, and his call without customer no. is hers or his only by an officer."""
    fetched: dict[str, set[str]] = {}
    plain = Guarded.fetch

    def fetch(self: Guarded, dataset: Any, keys: pa.Table) -> Any:
        fetched.setdefault(dataset.id, set()).update(str(v) for v in keys.column(dataset.key[0]).to_pylist())
        return plain(self, dataset, keys)

    monkeypatch.setattr(Guarded, "fetch", fetch)
    for person, other in (("hiroshi_65", "hiroshi_90"), ("hiroshi_90", "hiroshi_65")):
        fetched.clear()
        package = told.package(person)
        owns = told.truth(other)["owns"]
        for dataset, keys in fetched.items():
            assert not keys & {number.split("|")[0] for number in owns.get(dataset, [])}
        assert oracle(told.truth(person), package, told.show(person)) == []
        born = {"hiroshi_65": ("1965-02-03", "1990-11-30"), "hiroshi_90": ("1990-11-30", "1965-02-03")}[person]
        everything = opened_up(package, tmp_path / person)
        assert Markers({"own": born[0]}).search(everything)
        assert Markers({"other": born[1]}).search(everything) == []


def test_an_officer_says_other_and_the_row_stays_out(told: Told) -> None:
    case = told.asks("hiroshi-again", told.request("hiroshi_65", former_names=["佐藤 弘"]), "hiroshi_65")
    sheet = told.office.ok("review", case)
    (candidate,) = sheet["identity"]
    told.office.run("decide", case, "--as-proposed")
    assert told.office.state(case) == "review"  # undecided, it goes nowhere
    package = told.answered(case, {"identity": {candidate: "other"}})
    dataset, _, number = candidate.partition("/")
    assert number not in rows_of(package, dataset)
    assert set(rows_of(package, CUSTOMERS)) == {"C0001236"}


def hers(told: Told) -> dict[str, str]:
    """What is Hanako's and not written in the attacker's own letter or record."""
    common = {v for person in ("kenta", "akari") for v in values(told.office.sample, person).values()}
    keep = values(told.office.sample, "hanako")
    return {n: v for n, v in keep.items() if v not in common and ".ip" not in n and v not in ("髙橋", "高橋", "タカハシ", "ﾀｶﾊｼ")}


def stolen(told: Told) -> list[dict[str, str]]:
    """Everything of Hanako's that a housemate could have read on an envelope or a screen."""
    cookie = next(n for n in told.truth("hanako")["owns"][LINKS]).split("|")[0]
    found = {
        "phone": "092-000-1001", "line_no": "092-000-1001", "customer_no": "C0001234", "mail": "hanako@mail.example",
        "member_id": "M0001234", "contract_no": "K0001234", "billing_no": "B0001234", "cookie_id": cookie,
    }  # fmt: skip
    assert set(found.values()) <= set(values(told.office.sample, "hanako").values())
    return [{"kind": kind, "value": value} for kind, value in found.items()]


def test_kenta_states_hanakos_numbers_and_gets_his_own_records_only(told: Told, tmp_path: Path) -> None:
    """He lives at her address and bears her name. A stated number finds evidence and opens nothing."""
    own = told.request("kenta")["subject"]["identifiers"]
    document = told.request("kenta", subject={"identifiers": [*own, *stolen(told)]})
    case = told.asks("kenta-attacks", document, "kenta")
    notes = told.truth("kenta")["spans"]
    package = told.answered(case, {"identity": {}, "notes": notes})
    assert oracle(told.truth("kenta"), package, told.office.ok("show", case)) == []
    stated = {entry["value"] for entry in stolen(told)}
    secret = {n: v for n, v in hers(told).items() if v not in stated}
    assert len(secret) > 200
    assert Markers(secret).search(opened_up(package, tmp_path / "open")) == []


def test_a_stranger_states_all_of_hers_without_a_birth_date_and_an_officer_must_look(told: Told, tmp_path: Path) -> None:
    """Phone and address agree, the name does not: nothing leaves before an officer said whose it is; then nothing at all."""
    subject = {"identifiers": stolen(told), "addresses": told.request("hanako")["subject"]["addresses"], "born_on": None}
    case = told.asks("akari-attacks", told.request("akari", subject=subject))
    sheet = told.office.ok("review", case)
    assert all("name_differs" in found["against"] for found in sheet["identity"].values())
    status, _, _ = told.office.run("decide", case, "--as-proposed")
    assert status == (1 if sheet["identity"] else 0)
    package = told.answered(case, {"identity": dict.fromkeys(sheet["identity"], "other")})
    assert told.office.ok("show", case)["outcome"] == "not_held"
    stated = {*(entry["value"] for entry in stolen(told)), *subject["addresses"]}
    secret = {n: v for n, v in hers(told).items() if v not in stated and not n.startswith("letter.addresses")}
    assert list(datasets_of(package)) == []
    assert Markers({n: v for n, v in secret.items() if "address" not in n}).search(opened_up(package, tmp_path / "open")) == []


@pytest.mark.parametrize(("born_on", "customers"), [("1952-11-28", False), ("1984-05-18", True)])
def test_the_right_name_with_a_wrong_birth_date_is_another_person(told: Told, born_on: str, customers: bool) -> None:
    """Another day is a contradiction; a day that looks mistyped is for an officer, and nobody's until then."""
    case = told.asks(f"hanako-{born_on}", told.request("hanako", subject={"born_on": born_on}))
    sheet = told.office.ok("review", case)
    assert (f"{CUSTOMERS}/C0001234" in sheet["identity"]) is customers
    assert sheet["notes"] == []  # nothing was fetched
    package = told.answered(case, {"identity": dict.fromkeys(sheet["identity"], "other")})
    assert list(datasets_of(package)) == []
    assert told.office.ok("show", case)["outcome"] == "not_held"


# -- scope, statuses, the stores ---------------------------------------------------------------------------------------------


def test_only_the_bills_were_asked_for_and_the_case_closes(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leads there is asked and not fetched; the rest is not_asked scope_limited, which is final."""
    fetched = set[str]()
    plain = Guarded.fetch

    def fetch(self: Guarded, dataset: Any, keys: pa.Table) -> Any:
        fetched.add(dataset.id)
        return plain(self, dataset, keys)

    monkeypatch.setattr(Guarded, "fetch", fetch)
    path = told.folder / "bills.json"
    path.write_text(json.dumps(told.request("rei", scope={"systems": ["billing"], "from": "2026-08-01", "to": "2026-09-30"})))
    case = told.office.ok("open", str(path))["case"]
    told.office.ok("prove", case, "--file", str(told.office.sample / "requests/rei.proof.json"))
    assert told.office.ok("collect", case)["state"] == "awaiting_decision"  # the paper box is not asked, and not waited for
    assert fetched == {"billing.invoices", "billing.payments", "billing.ledger"}
    ended = {d["dataset"]: (d["status"], d["reason"]) for d in told.office.ok("show", case)["datasets"]}
    assert ended["billing.invoices"] == ("found", None)
    assert ended[CALLS] == ended[CUSTOMERS] == ended["archives_backups.paper_boxes"] == ("not_asked", "scope_limited")
    package = told.answered(case)
    assert {row["発行日"] for row in rows_of(package, "billing.invoices").values()} == {"2026-08-05", "2026-09-05"}
    sent = told.folder / "sent.json"
    sent.write_text(json.dumps(SENT))
    assert told.office.ok("dispatch", case, "--file", str(sent))["state"] == "closed"  # no secrecy inside, no second person


def test_each_system_is_told_in_the_book_with_its_own_status(told: Told, tmp_path: Path) -> None:
    """T19: found, none found, not ours and not asked read differently, and every declared dataset is there."""
    everything = opened_up(told.package("kazuo"), tmp_path / "open")
    book = (everything / "disclosure.joined").read_text()
    manifest = json.loads((everything / "manifest.json").read_text())
    assert {d["dataset"]: d["status"] for d in manifest["datasets"]} == told.truth("kazuo")["status"]
    assert all("".join(d["label"].split()) in book for d in manifest["datasets"])
    for words in ("ご契約の電気通信事業者の窓口", "お申込み先(業務を委託した会社)の窓口"):
        assert words in (everything / "decision.joined").read_text()


def test_akari_is_unknown_and_leaves_nothing_but_her_case(told: Told) -> None:
    """EN-08: hubs say none found; what only an identifier could open says that none leads there."""
    ended = {d["dataset"]: (d["status"], d["reason"]) for d in told.show("akari")["datasets"]}
    assert ended[CUSTOMERS] == ("none_found", None)
    assert ended[CALLS] == ended[WEB] == ("none_found", "no_identifier")
    assert told.show("akari")["outcome"] == "not_held"


def test_a_disclosure_writes_to_no_store(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of the company has its bytes and its time of change after Hanako's whole story; nobody's row moved."""
    sample = told.office.sample

    def state() -> dict[str, tuple[str, int]]:
        files = (path for path in sorted(sample.rglob("*")) if path.is_file())
        return {str(p): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files}

    before = state()
    office = Office.set_up(tmp_path / "home", sample, monkeypatch)
    office.packaged("saki", tmp_path)
    office.ok("inventory", "check")
    assert state() == before
    with closing(sqlite3.connect(sample / "company.db")) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert pq.read_table(sample / "lake/calls").num_rows > 4_000
