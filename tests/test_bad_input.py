"""Bad input and bad days: the message names the field or system and the fix, nothing moves, and the right input works."""

from __future__ import annotations

import contextlib
import copy
import gzip
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.stores.faults import Guarded
from dsr import store, vault
from sample_data.serve import Server, serve
from tests.story import Office, rows_of

Change = Callable[[dict[str, Any]], object]
STATES = {
    "received": "hanako", "proved": "hiroshi_65", "review": "kenta", "awaiting_decision": "ryoko",
    "awaiting_approval": "kaoru", "fulfilling": "susumu", "dispatching": "rei",
}  # fmt: skip
"""A case of somebody else in each state: the same person twice would be the same request."""
DECIDE = ("decide", "CASE", "--as-proposed")


class Desk(Office):
    """An office whose every refusal is held against what it kept."""

    cases: dict[str, str]
    folder: Path

    @classmethod
    def at_work(cls, folder: Path, sample: Path, patch: pytest.MonkeyPatch) -> Desk:
        desk = cls.set_up(folder / "home", sample, patch)
        assert isinstance(desk, Desk)
        desk.cases, desk.folder = {}, folder
        return desk

    def file(self, name: str, content: object) -> str:
        path = self.folder / name
        data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        path.write_bytes(data)
        return str(path)

    def request(self, person: str, change: Change = lambda _: None) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.sample / f"requests/{person}.json").read_text())
        change(document)
        return document

    def at(self, state: str) -> str:
        """A case in that state, made once."""
        if state not in self.cases:
            self.cases[state] = self._advanced(STATES[state], state)
        assert self.state(self.cases[state]) == state
        return self.cases[state]

    def _advanced(self, person: str, state: str) -> str:
        if state == "received":
            return self.open(person)
        if state == "proved":
            case = self.open(person)
            self.ok("prove", case, "--file", str(self.sample / f"requests/{person}.proof.json"))
            return case
        case = self.collected(person)
        if state == "review":
            return case
        if self.state(case) == "review":
            self.ok("review", case, "--file", str(self.review_of(person, self.folder)))
        for told, argv, officer in (
            ("awaiting_decision", DECIDE, "uketsuke-1"),
            ("awaiting_approval", ("approve", "CASE"), "shonin-1"),
            ("fulfilling", ("fulfil", "CASE"), "uketsuke-1"),
        ):
            if state == told:
                break
            self.ok(*(case if word == "CASE" else word for word in argv), officer=officer)
        return case

    def kept(self) -> tuple[list[Any], dict[str, str]]:
        """All that the office keeps: the rows of its store but the lease, the files of its vault by digest."""
        with contextlib.closing(sqlite3.connect(self.home / "dsr.db")) as base:
            queries = ('SELECT case_no, "right", state, facts FROM "case"', "SELECT * FROM event", "SELECT * FROM work",
                       "SELECT * FROM officer")  # fmt: skip
            rows = [sorted(base.execute(query).fetchall()) for query in queries]
        return rows, digests(self.home / "vault")

    def refused(self, *argv: str, status: int, words: Sequence[str], officer: str | None = "uketsuke-1") -> str:
        """Exit status, each of the words in the message, nobody's value in it, and nothing changed."""
        before = self.kept()
        found, document, errors = self.run(*argv, officer=officer)
        assert (found, document) == (status, None), errors
        for word in words:
            assert word in errors
        assert "defect" not in errors
        assert [value for value in self.values() if value in errors] == []
        assert self.kept() == before
        return errors

    def values(self) -> set[str]:
        found = set[str]()
        for path in self.sample.glob("requests/*.json"):
            subject = json.loads(path.read_text()).get("subject", {})
            found |= {subject.get(name) for name in ("name", "kana", "born_on")} - {None}
            found |= {*subject.get("addresses", []), *(i["value"] for i in subject.get("identifiers", []))}
        return found


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".opening"  # a lock, always empty
    }  # fmt: skip


@pytest.fixture(scope="module")
def desk(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Shared: what is refused leaves no trace, as each refusal asserts."""
    with pytest.MonkeyPatch.context() as patch:
        yield Desk.at_work(tmp_path_factory.mktemp("desk"), sample_of(1), patch)


@pytest.fixture
def own(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Desk, Server]]:
    """A company of one's own to break: a copy of the sample, its ticket system, an office."""
    company = tmp_path / "company"
    shutil.copytree(sample, company)
    with serve(company) as server:
        yield Desk.at_work(tmp_path, company, monkeypatch), server


# -- REQUEST.json ------------------------------------------------------------------------------------------------


def put(path: str, value: object) -> Change:
    """Set one field by its dotted path."""
    def change(document: dict[str, Any]) -> None:
        *folders, name = path.split(".")
        for folder in folders:
            document = document[folder]
        document[name] = value
    return change


def drop(path: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        *folders, name = path.split(".")
        for folder in folders:
            document = document[folder]
        del document[name]
    return change


TO_BEFORE_FROM = {"systems": None, "from": "2026-05-02", "to": "2026-05-01"}
STATED = {"kind": "phone", "value": "092-000-1002"}
WRONG: dict[str, tuple[Change, str, str]] = {
    "an unknown right": (put("right", "banana"), "right", "one of 'purpose_notice', 'disclosure'"),
    "a birth date in the future": (put("subject.born_on", "2026-11-23"), "subject.born_on", "check the year"),
    "a birth date in seconds": (put("subject.born_on", 0), "subject.born_on", "write 2026-11-02"),
    "a birth date in an era": (put("subject.born_on", "昭和61年9月1日"), "subject.born_on", "write 2026-11-02"),
    "a day that does not exist": (put("subject.born_on", "2026-02-30"), "subject.born_on", "YYYY-MM-DD"),
    "to before from": (put("scope", TO_BEFORE_FROM), "'to' is before 'from' in scope", "swap them"),
    "an identifier's to before its from": (
        put("subject.identifiers", [{**STATED, "from": "2026-05-02", "to": "2026-05-01"}]), "identifier", "swap them"),
    "a very long string": (put("subject.name", "高" * 501), "subject.name", "shorten it"),
    "very many addresses": (put("subject.addresses", ["福岡県"] * 10_000), "subject.addresses", "give fewer"),
    "a control character": (put("subject.name", "高橋\x07健太"), "subject.name: character 3", "U+0007) → remove it"),
    "a line break": (put("subject.kana", "タカハシ\nケンタ"), "subject.kana: character 5", "U+000A) → remove it"),
    "a bidi override": (put("subject.addresses", ["福岡県\u202e市"]), "subject.addresses.0", "U+202E) → remove it"),
    "a zero-width space": (put("subject.name", "高橋\u200b健太"), "subject.name", "U+200B) → remove it"),
    "a blank name": (put("subject.name", "\u3000 "), "subject.name", "is blank"),
    "no name": (drop("subject.name"), "subject.name", "give this field"),
    "no right": (drop("right"), "right", "give this field"),
    "no arrival": (drop("received.at"), "received.at", "give this field"),
    "an extra field": (put("subject.phone", "092-000-1002"), "subject.phone", "remove it or correct its spelling"),
    "an extra field that is a person": (put("subject.髙橋 花子", 1), "subject.…", "remove it"),
    "a number for a name": (put("subject.name", 5), "subject.name", "write text in quotes"),
    "a text for a list": (put("subject.addresses", "福岡県みなと市"), "subject.addresses", "write a list"),
    "a list for an object": (put("subject", []), "subject", "start with {"),
    "a word for yes or no": (put("agent", {"kind": "mandated", "name": "代理", "receives_answer": "no"}),
                             "agent.receives_answer", "boolean"),
    "an arrival without zone": (put("received.at", "2026-11-02T10:15:00"), "received.at", "add the zone"),
    "an arrival as a number": (put("received.at", 1_793_000_000), "received.at", "write 2026-11-02"),
    "an arrival in the future": (put("received.at", "2026-11-22T09:00:01+09:00"), "received.at", "the moment"),
    "an arrival before the law": (put("received.at", "1990-01-01T00:00:00+09:00"), "received.at", "check the year"),
    "an arrival before the calendar": (put("received.at", "0001-01-01T00:00:00+09:00"), "received.at", "check the year"),
    "an unknown channel": (put("received.channel", "pigeon"), "received.channel", "one of 'post'"),
    "a system nobody declared": (put("scope.systems", ["biling"]), "scope.systems", "billing"),
    "a scope of nothing": (put("scope.systems", []), "scope.systems", "or null"),
    "a kind that leads nowhere": (put("subject.identifiers", [{"kind": "shoe_size", "value": "26"}]),
                                  "subject.identifiers.0.kind", "customer_no"),
    "a blank identifier": (put("subject.identifiers", [{"kind": "phone", "value": " "}]),
                           "subject.identifiers.0.value", "is blank"),
    "a number that is none": (put("correction", {"yen": float("nan")}), "number", "give a finite number"),
    "an endless number": (put("correction", {"yen": float("inf")}), "number", "give a finite number"),
}  # fmt: skip
PLAIN = b'{"right": "disclosure", "subject": {"name": "x"}, "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"}'
UNREADABLE: dict[str, tuple[bytes, str, str]] = {
    "cut short": (PLAIN, "request: is not JSON at line 1 column", "mend the syntax"),
    "empty": (b"", "request: is not JSON", "mend the syntax"),
    "not an object": (b'["disclosure"]', "request", "start with {"),
    "null": (b"null", "request", "start with {"),
    "nested deeply": (b"[" * 200_000, "request: is nested too deeply", "dsr schema"),
    "a field twice": (PLAIN + b', "right": "erasure"}', "right: stands twice", "keep one"),
    "half a character": (PLAIN + b', "correction": {"x": "\\ud83d"}}', "request: holds half a character", "whole"),
    "too many digits": (PLAIN + b', "correction": {"x": ' + b"9" * 5_000 + b"}}", "request", "write it as text"),
    "beyond the largest number": (PLAIN + b', "correction": {"x": 1e999}}', "number", "finite"),
    "cp932": ('{"right": "開示"}'.encode("cp932"), "request: is not UTF-8", "save the file as UTF-8"),
    "utf-16": ('{"right": "disclosure"}'.encode("utf-16"), "request: is not UTF-8", "save the file as UTF-8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_with_one_thing_wrong_names_the_field_and_the_fix(name: str, desk: Desk) -> None:
    change, field, fix = WRONG[name]
    path = desk.file("wrong.json", desk.request("kenta", change))
    desk.refused("open", path, status=2, words=(field, "→", fix))


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_is_no_request_is_told_how_to_become_one(name: str, desk: Desk) -> None:
    data, field, fix = UNREADABLE[name]
    desk.refused("open", desk.file("unreadable.json", data), status=2, words=(field, "→", fix))


def test_no_file_and_a_folder_are_told_apart(desk: Desk) -> None:
    desk.refused("open", str(desk.folder / "none.json"), status=2, words=("request: no file none.json", "check the path"))
    desk.refused("open", str(desk.folder), status=2, words=("request", "directory", "check the path"))


def test_after_every_refusal_the_right_file_opens_with_the_first_number(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a byte order mark, as Windows editors save it, and with days that mean an open end."""
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    desk.refused("open", desk.file("wrong.json", desk.request("kenta", put("right", "x"))), status=2, words=("right",))
    open_ended = [{**STATED, "from": "0001-01-01", "to": "9999-12-31"}]
    document = desk.request("kenta", put("subject.identifiers", open_ended))
    path = desk.file("bom.json", b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert desk.ok("open", path)["case"] == "DSR-2026-000001"
    desk.ok("prove", "DSR-2026-000001", "--file", str(sample / "requests/kenta.proof.json"))
    assert desk.run("collect", "DSR-2026-000001")[0] == 3  # the paper box waits; everything else understood the days


# -- the later papers ----------------------------------------------------------------------------------------------

LICENCE = {"type": "drivers_licence", "last_digits": "12", "seen_on": "2026-11-04", "name": "match", "birth": "match",
           "address": "match"}  # fmt: skip
CHECK = {"envelope_check": {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}}
SENT = {"channel": "registered_post", "sent_on": "2026-11-22", "tracking_no": "1"}
NOTES = {"fault_records.tickets": {"F0000099": {"strike": [], "release": True}}}


def item(outcome: str, ground: str | None = None, reason: str = "") -> dict[str, Any]:
    return {"datasets": {"billing.invoices": {"outcome": outcome, "ground": ground, "reason": reason}}}


PAPERS: dict[str, tuple[str, str, object, str, str]] = {
    "a proof without documents": ("prove", "received", {"method": "post"}, "documents", "give this field"),
    "a proof by an unknown paper": (
        "prove", "received", {"method": "post", "documents": [{**LICENCE, "type": "library_card"}]}, "library_card", "one of"),
    "a paper seen tomorrow": (
        "prove", "received", {"method": "post", "documents": [{**LICENCE, "seen_on": "2026-11-23"}]},
        "documents.0.seen_on", "the day the document was seen"),
    "a paper number too long to keep": (
        "prove", "received", {"method": "post", "documents": [{**LICENCE, "last_digits": "123456789012"}]},
        "documents.0.last_digits", "dsr schema PROOF"),
    "a proof of an agent nobody named": (
        "prove", "received", {"method": "post", "documents": [LICENCE],
                              "agent": {"documents": [LICENCE], "authority": "mandate"}}, "agent", "leave it null"),
    "a proof cut short": ("prove", "received", b'{"method":', "proof: is not JSON", "mend the syntax"),
    "an answer of tomorrow": (
        "answer", "proved", {"searched_on": "2026-11-23", "datasets": {}}, "searched_on", "the day the search was done"),
    "an answer on an unknown box": (
        "answer", "proved", {"searched_on": "2026-11-09", "datasets": {"attic": []}}, "datasets.attic", "paper_boxes"),
    "a candidate nobody found": (
        "review", "review", {"identity": {"customer_master.customers/C0001299": "same"}}, "identity", "dsr review CASE"),
    "a candidate neither same nor other": (
        "review", "review", {"identity": {"customer_master.customers/C0001299": "maybe"}}, "identity", "'same' or 'other'"),
    "a note of another record": ("review", "review", {"notes": NOTES}, "notes.fault_records.tickets", "dsr review CASE"),
    "a decision on an unknown dataset": (
        "decide", "awaiting_decision", {"datasets": {"billing.invoice": item("full")["datasets"]["billing.invoices"]}},
        "datasets.billing.invoice", "dsr show CASE"),
    "an unknown outcome": ("decide", "awaiting_decision", item("maybe"), "datasets.billing.invoices.outcome", "one of"),
    "an outcome of another right": (
        "decide", "awaiting_decision", item("erased", None, "x"), "datasets.billing.invoices.outcome", "one of existence_neutral, full"),
    "a refusal without ground": (
        "decide", "awaiting_decision", item("refused", None, "x"), "datasets.billing.invoices.ground", "closed list"),
    "a refusal on an unknown ground": (
        "decide", "awaiting_decision", item("refused", "APPI-99", "x"), "APPI-99", "→"),
    "a refusal on a ground of another right": (
        "decide", "awaiting_decision", item("refused", "APPI-34-1-OPINION", "x"), "datasets.billing.invoices.ground", "§5"),
    "a refusal without reason": (
        "decide", "awaiting_decision", item("refused", "APPI-33-2-2"), "datasets.billing.invoices.reason", "say why"),
    "held, and said not to be": (
        "decide", "awaiting_decision", item("not_held", None, "x"), "datasets.billing.invoices.outcome", "refuse with"),
    "masked, and said to be full": (
        "decide", "awaiting_decision",
        {"datasets": {"billing.payments": {"outcome": "full", "reason": "x"}}}, "datasets.billing.payments", "keep partial"),
    "nothing found, and said to be shown": (
        "decide", "awaiting_decision",
        {"datasets": {"member_accounts.members": {"outcome": "full", "reason": "x"}}}, "member_accounts", "not_held"),
    "a single record decided apart": (
        "decide", "awaiting_decision", {"datasets": {}, "records": {"billing.invoices/I1": {"outcome": "full"}}},
        "records", "strike the note"),
    "two acts of dispatch at once": ("dispatch", "dispatching", {**CHECK, **SENT}, "exactly one of", "envelope_check"),
    "no act of dispatch": ("dispatch", "dispatching", {}, "dispatch: give exactly one of", "channel (with sent_on)"),
    "sent, and no day": ("dispatch", "dispatching", {"channel": "counter"}, "sent_on", "the day"),
    "sent tomorrow": ("dispatch", "dispatching", {**SENT, "sent_on": "2026-11-23"}, "sent_on", "the day"),
    "sent by pigeon": ("dispatch", "dispatching", {**SENT, "channel": "pigeon"}, "channel", "one of 'registered_post'"),
    "returned, and no reason": ("dispatch", "dispatching", {"returned_on": "2026-11-22"}, "return_reason is missing", "say why"),
}  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_a_later_paper_with_one_thing_wrong_moves_nothing(name: str, desk: Desk) -> None:
    command, state, content, field, fix = PAPERS[name]
    system = ["archives_backups"] if command == "answer" else []
    case, path = desk.at(state), desk.file("paper.json", content)
    desk.refused(command, case, *system, "--file", path, status=2, words=(field, fix))


@pytest.mark.parametrize(
    ("strike", "words"),
    [
        (["note", 5, 9_999, "APPI-33-2-1-THIRD"], ("span 5..9999 of note is not inside", "offsets count characters")),
        (["note", -1, 3, "APPI-33-2-1-THIRD"], ("span -1..3", "offsets count")),
        (["note", 3, 3, "APPI-33-2-1-THIRD"], ("span 3..3", "offsets count")),
        (["memo", 0, 1, "APPI-33-2-1-THIRD"], ("is not inside the note",)),
        (["note", 0, 1, "APPI-99"], ("APPI-99",)),
        (["note", 0, 1, "APPI-34-1-OPINION"], ("cannot be used against disclosure", "§5")),
        (["note", "one", 2, "APPI-33-2-1-THIRD"], ("strike.0.1", "integer")),
        (["note", 0, 1], ("strike.0.3", "give this field")),
    ],
)
def test_a_span_must_lie_in_the_note_and_rest_on_a_ground(desk: Desk, strike: list[object], words: tuple[str, ...]) -> None:
    case = desk.at("review")
    sheet = desk.ok("review", case)
    note = next(n for n in sheet["notes"] if n["dataset"] == "fault_records.tickets")
    marks = {"notes": {note["dataset"]: {note["record"]: {"strike": [strike]}}}}
    desk.refused("review", case, "--file", desk.file("review.json", marks), status=2, words=words)


def test_a_proof_that_proves_nothing_asks_for_a_cure_and_a_better_one_goes_on(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    case = desk.open("kenta")
    for number, documents in enumerate(([], [{**LICENCE, "birth": "differs"}]), 1):
        path = desk.file("proof.json", {"method": "post", "documents": documents})
        status, told, errors = desk.run("prove", case, "--file", path)
        assert (status, told["state"]) == (1, "awaiting_cure")
        assert all(defect["words"] in errors for defect in told["defects"])
        assert len(told["defects"]) == 1, number
    desk.refused("collect", case, status=1, words=("awaiting_cure", "proved", f"dsr show {case}"))
    assert desk.ok("prove", case, "--file", str(sample / "requests/kenta.proof.json"))["state"] == "proved"


# -- who may -------------------------------------------------------------------------------------------------------

BY_ROLE = {"handler": "uketsuke-2", "approver": "shonin-2", "auditor": "kansa-1", "technician": "gijutsu-1"}
OPEN_TO: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "open": (("open", "REQUEST"), {"handler"}),
    "prove": (("prove", "received", "--file", "PROOF"), {"handler"}),
    "withdraw": (("withdraw", "received"), {"handler"}),
    "answer": (("answer", "proved", "archives_backups", "--file", "ANSWER"), {"handler"}),
    "collect": (("collect", "proved"), {"handler", "technician"}),
    "review (read)": (("review", "review"), {"handler"}),
    "review (mark)": (("review", "review", "--file", "EMPTY"), {"handler"}),
    "preview": (("preview", "awaiting_decision", "--out", "OUT"), {"handler", "approver"}),
    "decide": (("decide", "awaiting_decision", "--as-proposed"), {"handler"}),
    "approve": (("approve", "awaiting_approval"), {"approver"}),
    "fulfil": (("fulfil", "fulfilling"), {"handler", "technician"}),
    "package": (("package", "dispatching", "--out", "OUT"), {"handler"}),
    "envelope check": (("dispatch", "dispatching", "--file", "CHECK"), {"approver"}),
    "dispatch": (("dispatch", "dispatching", "--file", "SENT"), {"handler"}),
    "export": (("trail", "export", "received", "--out", "OUT"), {"handler", "approver", "auditor"}),
    "watch": (("watch",), {"handler", "technician"}),
}
"""Every command that acts or shows a value, and the only roles that may (documents.md "Roles")."""


@pytest.mark.parametrize("name", OPEN_TO)
def test_a_command_is_open_to_its_roles_only(name: str, desk: Desk) -> None:
    argv, roles = OPEN_TO[name]
    files = {
        "REQUEST": str(desk.sample / "requests/kenta.json"), "PROOF": str(desk.sample / "requests/hanako.proof.json"),
        "ANSWER": str(desk.sample / "answers/hiroshi_65.archives_backups.json"), "OUT": str(desk.folder / "out"),
        "EMPTY": desk.file("empty.json", {}), "CHECK": desk.file("check.json", CHECK), "SENT": desk.file("sent.json", SENT),
    }  # fmt: skip
    words = [desk.at(word) if word in STATES and word != name else files.get(word, word) for word in argv[1:]]
    for role in sorted(set(BY_ROLE) - roles):
        expected = (f"not open to the role {role}", "sign in as", *sorted(roles))
        desk.refused(argv[0], *words, status=1, words=expected, officer=BY_ROLE[role])
    assert not (desk.folder / "out").exists()


def test_nobody_is_let_in_without_a_name_and_its_secret(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown name and a wrong secret read the same, so that names cannot be tried out."""
    path = str(desk.sample / "requests/kenta.json")
    desk.refused("open", path, status=1, words=("nobody is signed in", "dsr login", "DSR_OFFICER"), officer=None)
    said = set()
    for officer, secret in (("uketsuke-1", "wrong-8a1"), ("dareka-9", desk.secrets["uketsuke-1"])):
        monkeypatch.setitem(desk.secrets, officer, secret)
        error = desk.refused("open", path, status=1, words=("DSR_SECRET", "dsr login"), officer=officer)
        assert secret not in error
        said.add(error)
        status, told, errors = desk.run("login", officer, officer=officer)
        assert (status, told) == (1, None)
        assert secret not in errors
    assert len(said) == 1
    assert not (desk.home / "session.json").exists()


def test_no_officer_approves_or_checks_what_the_same_officer_decided(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler cannot approve; and one who became an approver in between still cannot."""
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    case = desk.at("awaiting_approval")
    desk.refused("approve", case, status=1, words=("not open to the role handler", "sign in as approver"))

    def promote(name: str) -> None:
        with contextlib.closing(sqlite3.connect(desk.home / "dsr.db")) as base:
            base.execute("UPDATE officer SET role = 'approver' WHERE name = ?", [name])
            base.commit()

    promote("uketsuke-1")
    another = ("the officer who decided", "ask another officer with role approver")
    desk.refused("approve", case, status=1, words=another)
    desk.ok("approve", case, officer="shonin-1")
    desk.ok("fulfil", case, officer="uketsuke-2")
    desk.refused("dispatch", case, "--file", desk.file("check.json", CHECK), status=1, words=another)
    desk.ok("dispatch", case, "--file", desk.file("check.json", CHECK), officer="shonin-1")
    assert desk.ok("dispatch", case, "--file", desk.file("s.json", SENT), officer="uketsuke-2")["state"] == "closed"


def test_officers_are_added_once_and_with_a_role_that_exists(desk: Desk) -> None:
    desk.refused("officer", "add", "shonin-1", "--role", "approver", status=2, words=("name", "choose another"))
    desk.refused("officer", "add", "new-1", "--role", "boss", status=2, words=("--role", "no such role", "handler"))


# -- no such case, no such home --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [("show",), ("collect",), ("review",), DECIDE[:1] + DECIDE[2:], ("fulfil",), ("withdraw",), ("package", "--out", "x"),
     ("preview", "--out", "x"), ("trail", "export", "--out", "x")],
)  # fmt: skip
def test_an_unknown_case_is_named_with_the_list_to_look_in(desk: Desk, argv: tuple[str, ...]) -> None:
    words = [*argv[:2], "DSR-2026-999999", *argv[2:]] if argv[0] == "trail" else [argv[0], "DSR-2026-999999", *argv[1:]]
    desk.refused(*words, status=2, words=("no case 'DSR-2026-999999'", "see dsr list"))
    desk.refused("approve", "DSR-2026-999999", status=2, words=("no case",), officer="shonin-1")


def test_a_command_in_the_wrong_state_says_which_state_it_needs(desk: Desk) -> None:
    proof, sent = str(desk.sample / "requests/kenta.proof.json"), desk.file("sent.json", SENT)
    empty = desk.file("empty.json", {})
    for argv, state, needs in (
        (("collect", "received"), "received", "proved"),
        (("review", "proved", "--file", empty), "proved", "review"),
        (("decide", "review", "--as-proposed"), "review", "awaiting_decision"),
        (("fulfil", "awaiting_decision"), "awaiting_decision", "fulfilling"),
        (("package", "fulfilling", "--out", str(desk.folder / "early")), "fulfilling", "dispatching"),
        (("preview", "review", "--out", str(desk.folder / "early")), "review", "awaiting_decision"),
        (("dispatch", "fulfilling", "--file", sent), "fulfilling", "dispatching"),
        (("prove", "dispatching", "--file", proof), "dispatching", "received"),
        (("answer", "dispatching", "archives_backups", "--file",
          str(desk.sample / "answers/rei.archives_backups.json")), "dispatching", "collecting"),
        (("withdraw", "dispatching"), "dispatching", "closed"),
    ):  # fmt: skip
        words = [argv[0], desk.at(argv[1]), *argv[2:]]
        desk.refused(*words, status=1, words=(desk.at(argv[1]) if argv[0] != "withdraw" else "withdrawn", state, needs))
    desk.refused("approve", desk.at("fulfilling"), status=1, words=("fulfilling", "awaiting_approval"), officer="shonin-1")
    assert not (desk.folder / "early").exists()


def test_a_home_that_is_none_is_told_how_to_become_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.refused("list", "--home", str(desk.folder / "nowhere"), status=2, words=("--home", "dsr init", "DSR_HOME"))
    assert not (desk.folder / "nowhere").exists()
    desk.refused("init", "--inventory", str(desk.sample / "inventory.toml"), status=2, words=("--home", "another folder"))


@pytest.mark.parametrize("now", ["yesterday", "2026-11-22", "2026-11-22T09:00"])
def test_a_clock_that_cannot_be_set_is_told_how(desk: Desk, now: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "now", now)
    desk.refused("list", status=2, words=("--now", "2026-11-22T09:00+09:00"))


def test_a_production_home_has_the_machines_clock_for_ever(desk: Desk, tmp_path: Path) -> None:
    """Also when officers are added; and the keys may lie elsewhere."""
    home, sample = tmp_path / "real", desk.sample
    desk.ok("init", "--home", str(home), "--inventory", str(sample / "inventory.toml"), "--officers",
            str(sample / "officers.json"), "--keys", str(tmp_path / "keys"), "--production")  # fmt: skip
    before = digests(home)
    for argv in (("list",), ("open", str(sample / "requests/kenta.json")), ("officer", "add", "x", "--role", "auditor")):
        status, told, errors = desk.run(*argv, "--home", str(home))
        assert (status, told) == (2, None)
        assert "--now" in errors
        assert "production" in errors
    assert digests(home) == before


# -- systems that fail ----------------------------------------------------------------------------------------------

GZ, LAKE = "access-2026-07-20.log.gz", "calls-2026-08.parquet"


def cut_gz(company: Path, _: Server) -> None:
    path = company / "logs" / GZ
    path.write_bytes(path.read_bytes()[:-20])


def no_gz(company: Path, _: Server) -> None:
    (company / "logs" / GZ).write_bytes("障害のため欠測".encode() * 40)


def strange_line(company: Path, _: Server) -> None:
    path = company / "logs" / GZ
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"kernel: disk 092-000-1002 on fire\n"))


def no_column(company: Path, _: Server) -> None:
    path = company / "lake/calls" / LAKE
    pq.write_table(pq.read_table(path).drop_columns(["started_at"]), path)


def cut_parquet(company: Path, _: Server) -> None:
    path = company / "lake/calls" / LAKE
    path.write_bytes(path.read_bytes()[:-100])


def wrong_token(company: Path, _: Server) -> None:
    (company / "faults.token").write_text("wrong-7c2\n")


def truncating(_: Path, server: Server) -> None:
    server.fail = "truncate"


def down(_: Path, server: Server) -> None:
    server.fail = "down"


def no_database(company: Path, _: Server) -> None:
    (company / "company.db").rename(company / "elsewhere.db")


def no_url(company: Path, _: Server) -> None:
    path = company / "inventory.toml"
    path.write_text(path.read_text().replace('url = "file:faults.url"', 'url = "env:FAULTS_URL_OF_NOBODY"'))


TOO_BAD: dict[str, tuple[Callable[[Path, Server], None], str, str, tuple[str, ...]]] = {
    "a gz cut short": (cut_gz, "web_logs.access", "unreachable misread", (GZ.removesuffix(".gz"), "line")),
    "a gz that is none": (no_gz, "web_logs.access", "unreachable misread", (GZ,)),
    "a line that does not parse": (strange_line, "web_logs.access", "unreachable misread", (GZ, "line 1")),
    "a Parquet file without its column": (no_column, "call_history.calls", "not_asked drift", ("started_at", LAKE)),
    "a Parquet file cut short": (cut_parquet, "call_history.calls", "unreachable misread", (LAKE,)),
    "a wrong token": (wrong_token, "fault_records.tickets", "unreachable refused", ("401",)),
    "half an answer": (truncating, "fault_records.tickets", "unreachable no_answer", ("broke off",)),
    "no answer": (down, "fault_records.tickets", "unreachable no_answer", ("503",)),
    "no url": (no_url, "fault_records.tickets", "unreachable no_answer", ("FAULTS_URL_OF_NOBODY",)),
}


@pytest.mark.parametrize("name", TOO_BAD)
def test_one_system_fails_the_others_are_collected_and_the_case_goes_on_without_asking_them_again(
    name: str, own: tuple[Desk, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, server = own
    harm, dataset, ended, words = TOO_BAD[name]
    monkeypatch.setattr("flows.home.time.sleep", lambda _seconds: None)
    asked: list[str] = []
    for verb in ("_locate", "_fetch"):
        for store_kind in Guarded.__subclasses__():
            count(monkeypatch, store_kind, verb, asked)
    sound = digests(desk.sample)
    harm(desk.sample, server)
    case = desk.at("proved") if dataset != "fault_records.tickets" else desk.open("kenta")
    person = json.loads((desk.sample / "truth.json").read_text())["people"]
    del person, sound, case, ended, words
