"""Bad input and bad days: the message names the field or system and the fix, nothing moves, and the right input works."""

from __future__ import annotations

import contextlib
import errno
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
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy.exc import OperationalError

from connectors.stores.faults import Guarded
from dsr import database, vault
from dsr.errors import DsrError
from sample_data.serve import Server, serve
from tests.story import Office, oracle

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
        patch.setattr("flows.home.time.sleep", lambda _seconds: None)  # a silent system is asked again at once
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
        with contextlib.closing(sqlite3.connect(self.home / "dsr.db")) as base:
            found = base.execute('SELECT state FROM "case" WHERE case_no = ?', [self.cases[state]]).fetchone()
        assert found == (state,)
        return self.cases[state]

    def _advanced(self, person: str, state: str) -> str:
        if state == "received":
            return self.open(person)
        if state == "proved":
            case = self.open(person)
            self.ok("prove", case, "--file", str(self.sample / f"requests/{person}.proof.json"))
            return case
        case = self.collected(person)
        return self.onward(case, person, state)

    def onward(self, case: str, person: str, state: str) -> str:
        """A collected case, to that state."""
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

    def values(self) -> frozenset[str]:
        return stated_by_anybody(self.sample)


@cache
def stated_by_anybody(sample: Path) -> frozenset[str]:
    found = set[str]()
    for path in sample.glob("requests/*.json"):
        subject = json.loads(path.read_text()).get("subject", {})
        found |= {subject.get(name) for name in ("name", "kana", "born_on")} - {None}
        found |= {*subject.get("addresses", []), *(i["value"] for i in subject.get("identifiers", []))}
    return frozenset(found - {""})  # a cookie has no reading


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


def both(*changes: Change) -> Change:
    def change(document: dict[str, Any]) -> None:
        for each in changes:
            each(document)
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
    "a list for an object": (put("subject", []), "subject", 'write {"name": …, "kana": …'),
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
    **{f"{ground} of {right}": (both(put("right", right), put("ground", ground)), "ground", fix) for right, ground, fix in (
        ("erasure", "G-77", "one of G-1, G-3, G-4, G-5"), ("use_stop", "G-99", "one of G-1, G-3"),
        ("use_stop", None, "the letter shows: G-1, G-3"), ("erasure", "G-2", "one of G-1, G-3"),
        ("provision_stop", "G-1", "one of G-2, G-3"), ("disclosure", "G-3", "write null"),
        ("content_deletion", "G-3", "one of UNTRUE, or null"))},
    "a number that is none": (put("correction", {"yen": float("nan")}), "number", "give a finite number"),
    "an endless number": (put("correction", {"yen": float("inf")}), "number", "give a finite number"),
}  # fmt: skip
PLAIN = b'{"right": "disclosure", "subject": {"name": "x"}, "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"}'
UNREADABLE: dict[str, tuple[bytes, str, str]] = {
    "cut short": (PLAIN, "request: is not JSON at line 1 column", "mend the syntax"),
    "empty": (b"", "request: is not JSON", "mend the syntax"),
    "not an object": (b'["disclosure"]', "request", 'write {"right": …'),
    "null": (b"null", "request", 'write {"right": …'),
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
SENT = {"channel": "addressee_only_post", "sent_on": "2026-11-22", "tracking_no": "1"}
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
        "decide", "awaiting_decision", item("refused", "APPI-34-1-OPINION", "x"), "datasets.billing.invoices.ground", "grounds.toml"),
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
        "decide", "awaiting_decision", {"datasets": {}, "records": {"billing.invoices/I1": {"outcome": "refused", "reason": "x"}}},
        "records", "grounds.toml"),
    "a word for what was investigated": (
        "decide", "awaiting_decision", {"datasets": {}, "investigated": "yes"}, "investigated", 'write {"how": …, "result": …'),
    "two acts of dispatch at once": ("dispatch", "dispatching", {**CHECK, **SENT}, "exactly one of", "envelope_check"),
    "no act of dispatch": ("dispatch", "dispatching", {}, "dispatch: give exactly one of", "channel (with sent_on)"),
    "sent, and no day": ("dispatch", "dispatching", {"channel": "counter"}, "sent_on", "the day"),
    "sent tomorrow": ("dispatch", "dispatching", {**SENT, "sent_on": "2026-11-23"}, "sent_on", "the day"),
    "sent by pigeon": ("dispatch", "dispatching", {**SENT, "channel": "pigeon"}, "channel", "one of 'registered_post'"),
    "returned, and no reason": ("dispatch", "dispatching", {"returned_on": "2026-11-22"}, "return_reason is missing", "say why"),
    "returned, opened or not": ("dispatch", "dispatching", {"returned_on": "2026-11-22", "return_reason": "lapsed"},
                                "seal is missing", "unopened"),
}  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_a_later_paper_with_one_thing_wrong_moves_nothing(name: str, desk: Desk) -> None:
    command, state, content, field, fix = PAPERS[name]
    system = ["archives_backups"] if command == "answer" else []
    case, path = desk.at(state), desk.file("paper.json", content)
    desk.refused(command, case, *system, "--file", path, status=2, words=(field, fix))


def test_an_answer_of_nobody_declared_names_the_system_and_not_the_paper(desk: Desk) -> None:
    done = desk.file("done.json", {"done_on": "2026-11-22", "done_by": "所管課", "datasets": {}})
    words = ("system: no system or partner 'nosuch'", "billing", "azuma")
    desk.refused("answer", desk.at("proved"), "nosuch", "--file", done, status=2, words=words)


@pytest.mark.parametrize("name", ["DONE", "done.json", "ORDER_ANSWER", "ORDERANSWER", "ROWS", "rows.jsonl", "SEARCHANSWER"])
def test_a_shape_is_shown_by_the_name_of_its_file_and_as_errors_name_it(desk: Desk, name: str) -> None:
    assert desk.ok("schema", name)["properties"]


@pytest.mark.parametrize(
    ("strike", "words"),
    [
        (["note", 5, 9_999, "APPI-33-2-1-THIRD"], ("span 5..9999 of note is not inside", "offsets count characters")),
        (["note", -1, 3, "APPI-33-2-1-THIRD"], ("span -1..3", "offsets count")),
        (["note", 3, 3, "APPI-33-2-1-THIRD"], ("span 3..3", "offsets count")),
        (["memo", 0, 1, "APPI-33-2-1-THIRD"], ("is not inside the note",)),
        (["note", 0, 1, "APPI-99"], ("APPI-99",)),
        (["note", 0, 1, "APPI-34-1-OPINION"], ("cannot be used against disclosure", "grounds.toml")),
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
    "dispose": (("dispose", "received", "--copies", "2026-11-20"), {"handler"}),
    "statistics": (("statistics", "--year", "2026", "--out", "OUT"), {"handler", "approver", "auditor"}),
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
    denied(desk, "approve", case, words=another)
    desk.ok("approve", case, officer="shonin-1")
    desk.ok("fulfil", case, officer="uketsuke-2")
    denied(desk, "dispatch", case, "--file", desk.file("check.json", CHECK), words=another)
    desk.ok("dispatch", case, "--file", desk.file("check.json", CHECK), officer="shonin-1")
    never = ("never left the vault", f"dsr package {case} --out DIR")
    desk.refused("dispatch", case, "--file", desk.file("s.json", SENT), status=1, words=never, officer="uketsuke-2")
    desk.ok("package", case, "--out", str(tmp_path / "out"), officer="uketsuke-2")
    assert desk.ok("dispatch", case, "--file", desk.file("s.json", SENT), officer="uketsuke-2")["state"] == "closed"
    desk.ok("trail", "export", case, "--out", str(tmp_path / "trail.json"))
    trail = (tmp_path / "trail.json").read_text()
    assert all(f"denied:{n}" in trail for n in (1, 2)) and "denied:3" not in trail, "each attempt is in the log (EN-18)"


def denied(desk: Desk, *argv: str, words: Sequence[str]) -> None:
    """Refused, nothing moved, and the attempt is in the log."""
    (cases, events, *rest), vault = desk.kept()
    status, document, errors = desk.run(*argv, officer="uketsuke-1")
    assert (status, document) == (1, None) and all(word in errors for word in words)
    (cases_then, events_then, *rest_then), vault_then = desk.kept()
    assert (cases, rest, vault) == (cases_then, rest_then, vault_then) and len(events_then) == len(events) + 1


def test_officers_are_added_once_and_with_a_role_that_exists(desk: Desk) -> None:
    for role in ("uketsuke-1", "shonin-1", "kansa-1", None):  # nobody makes their own second person
        words = ("technician",) if role else ("signed in",)
        desk.refused("officer", "add", "new-1", "--role", "approver", status=1, words=words, officer=role)
    add = {"status": 2, "officer": "gijutsu-1"}
    desk.refused("officer", "add", "shonin-1", "--role", "approver", words=("name", "choose another"), **add)
    desk.refused("officer", "add", "new-1", "--role", "boss", words=("--role", "no such role", "handler"), **add)


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


# -- the envelope ----------------------------------------------------------------------------------------------------


def test_secrecy_data_leaves_only_after_a_second_officer_compared_person_and_envelope(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EC-32b: a mismatch is written down, nothing leaves; sealed anew and compared again, it does."""
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    case, sent = desk.at("dispatching"), desk.file("sent.json", SENT)
    desk.ok("package", case, "--out", str(tmp_path / "out"))
    unchecked = (case, "secrecy of communications", "envelope_check", "role approver")
    desk.refused("dispatch", case, "--file", sent, status=1, words=unchecked)
    for part, found in (("person", "mismatch"), ("address", "mismatch"), ("case_no", "mismatch"), ("seal", "broken")):
        path = desk.file("check.json", {"envelope_check": {**CHECK["envelope_check"], part: found}})
        status, told, errors = desk.run("dispatch", case, "--file", path, officer="shonin-2")
        assert (status, told) == (1, None)
        assert "Seal anew and check again" in errors
        desk.refused("dispatch", case, "--file", sent, status=1, words=unchecked)
    bundle = tmp_path / "trail.json"
    desk.ok("trail", "export", case, "--out", str(bundle))
    assert bundle.read_text().count("mismatch") == 4
    desk.ok("dispatch", case, "--file", desk.file("check.json", CHECK), officer="shonin-2")
    assert desk.ok("dispatch", case, "--file", sent)["state"] == "closed"
    desk.refused("dispatch", case, "--file", sent, status=1, words=("closed", "dispatching"))
    back = {"returned_on": "2026-11-22", "return_reason": "addressee_unknown", "seal": "intact"}
    assert desk.ok("dispatch", case, "--file", desk.file("back.json", back))["state"] == "dispatching"


# -- systems that fail -----------------------------------------------------------------------------------------------

GZ, MONTH = "access-2026-07-20.log.gz", "calls-2026-08.parquet"
Harm = Callable[[Path, Server], object]


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def without_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["started_at"]), path)


def added_line(data: bytes) -> bytes:
    return gzip.compress(gzip.decompress(data) + "障害 092-000-1002 高橋 健太\n".encode())


FAILING: dict[str, dict[str, tuple[Harm, str, tuple[str, ...]]]] = {
    "a gz cut short, a column gone, a wrong token": {
        "web_logs.access": (lambda c, _: rewritten(c / "logs" / GZ, lambda d: d[:-20]), "unreachable misread", (GZ,)),
        "call_history.calls": (
            lambda c, _: without_column(c / "lake/calls" / MONTH), "not_asked drift", ("started_at", "missing")),
        "fault_records.tickets": (
            lambda c, _: (c / "faults.token").write_text("wrong-7c2"), "unreachable refused", ("401",)),
    },
    "a line that does not parse, a Parquet file cut short, half an answer": {
        "web_logs.access": (lambda c, _: rewritten(c / "logs" / GZ, added_line), "unreachable misread", (GZ, "line ")),
        "call_history.calls": (
            lambda c, _: rewritten(c / "lake/calls" / MONTH, lambda d: d[:-100]), "unreachable misread", (MONTH,)),
        "fault_records.tickets": (
            lambda _, server: setattr(server, "fail", "truncate"), "unreachable no_answer", ("broke off",)),
    },
    "a gz that is none, a Parquet file that is none, no answer": {
        "web_logs.access": (lambda c, _: rewritten(c / "logs" / GZ, lambda _: b"gone" * 9), "unreachable misread", (GZ,)),
        "call_history.calls": (
            lambda c, _: rewritten(c / "lake/calls" / MONTH, lambda _: b""), "unreachable misread", (MONTH,)),
        "fault_records.tickets": (lambda _, server: setattr(server, "fail", "down"), "unreachable no_answer", ("503",)),
    },
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Datasets as they are asked for the subject, in order."""
    found: list[str] = []

    def counted(plain: Callable[..., Any]) -> Callable[..., Any]:
        def ask(self: Guarded, dataset: Any, what: Any) -> Any:
            found.append(dataset.id)
            return plain(self, dataset, what)
        return ask

    for verb in ("locate", "fetch"):
        monkeypatch.setattr(Guarded, verb, counted(getattr(Guarded, verb)))
    return found


def proved(desk: Desk, person: str) -> str:
    case = desk.open(person)
    desk.ok("prove", case, "--file", str(desk.sample / f"requests/{person}.proof.json"))
    desk.ok("answer", case, "archives_backups", "--file", str(desk.sample / f"answers/{person}.archives_backups.json"))
    return case


def blocked(desk: Desk, case: str) -> dict[str, Any]:
    """What ``show`` says of a case that could not be collected whole; it cannot be decided either."""
    status, told, _ = desk.run("collect", case)
    assert (status, told["state"]) == (3, "blocked")
    desk.refused("decide", case, "--as-proposed", status=1, words=("blocked", "awaiting_decision", f"dsr show {case}"))
    return {d["dataset"]: d for d in desk.ok("show", case)["datasets"]}


@pytest.mark.parametrize("name", FAILING)
def test_what_fails_is_named_the_others_are_collected_and_not_asked_again(
    name: str, own: tuple[Desk, Server], sample: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, server = own
    case, address = proved(desk, "kenta"), server.url
    told = desk.truth["people"]["kenta"]
    for harm, _, _ in FAILING[name].values():
        harm(desk.sample, server)
    shown = blocked(desk, case)
    for dataset, (_, word, places) in FAILING[name].items():
        assert f"{shown[dataset]['status']} {shown[dataset]['reason']}" == word
        assert all(place in shown[dataset]["detail"] for place in places), shown[dataset]["detail"]
        assert not any(value in shown[dataset]["detail"] for value in desk.values())
    others = set(shown) - set(FAILING[name])
    assert {d: shown[d]["status"] for d in others} == {d: told["status"][d] for d in others}
    if server.fail == "down":
        assert asked.count("fault_records.tickets") == 3  # asked again before it is given up
    shutil.copytree(sample, desk.sample, dirs_exist_ok=True)
    (desk.sample / "faults.url").write_text(address)
    server.fail = None
    asked.clear()
    assert desk.ok("collect", case)["state"] == "review"
    assert set(asked) == set(FAILING[name])
    found = {d["dataset"]: d["records"] for d in desk.ok("show", case)["datasets"] if d["status"] == "found"}
    assert found == {dataset: len(numbers) for dataset, numbers in told["owns"].items()}


def test_what_leads_to_the_others_is_down_and_they_say_so(own: tuple[Desk, Server]) -> None:
    """T18: the calls were never asked, because nobody could say which line is hers; they do not read "none found"."""
    desk, _ = own
    case = proved(desk, "kenta")
    (desk.sample / "company.db").rename(desk.sample / "away.db")
    shown = blocked(desk, case)
    assert (shown["customer_master.customers"]["status"], shown["customer_master.customers"]["reason"]) == ("unreachable", "no_answer")
    assert {shown[d]["reason"] for d in ("call_history.calls", "fault_records.tickets", "web_logs.access")} == {"upstream"}
    (desk.sample / "away.db").rename(desk.sample / "company.db")
    assert desk.ok("collect", case)["state"] == "review"


# -- the inventory ---------------------------------------------------------------------------------------------------


def inventory(desk: Desk, old: str, new: str) -> Path:
    path = desk.sample / "inventory.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('label = "請求・お支払い"', 'lable = "請求・お支払い"', ("system.billing.l", "→")),
        ('store = "http"', 'stroe = "http"', ("system.fault_records.stroe", "correct its spelling")),
        ('key = ["invoice_no"]', 'key = ["invoice_id"]', ("system.billing.dataset.invoices", "'invoice_id'", "declare it")),
        ("[system.billing]", "[system.billing", ("is not TOML", "mend the syntax")),
        ('mask = "last3"', 'mask = "last_three"', ("system.billing.dataset.payments.fields.account_no.mask", "one of 'last3'")),
    ],
)
def test_an_inventory_with_a_typing_error_makes_no_home(
    sample: Path, tmp_path: Path, desk: Desk, old: str, new: str, words: tuple[str, ...]
) -> None:
    text = (sample / "inventory.toml").read_text()
    assert old in text
    path, home = tmp_path / "inventory.toml", tmp_path / "new"
    path.write_text(text.replace(old, new, 1))
    desk.refused("init", "--home", str(home), "--inventory", str(path), status=2, words=words)
    assert not home.exists()


def test_a_statement_that_is_not_one_select_is_never_run(own: tuple[Desk, Server]) -> None:
    desk, _ = own
    case, before = proved(desk, "kenta"), digests(desk.sample)
    fine = (desk.sample / "inventory.toml").read_text()
    for bad in (
        "DELETE FROM installations WHERE contract_no = :contract_no",
        "SELECT installation_no FROM installations WHERE contract_no = :contract_no; DROP TABLE customers",
        "UPDATE installations SET port = 'x' WHERE contract_no = :contract_no RETURNING installation_no",
    ):
        inventory(desk, "SELECT installation_no FROM installations WHERE contract_no = :contract_no", bad)
        status, told, _ = desk.run("inventory", "check")
        wrong = [(p["dataset"], p["place"]) for p in told["problems"] if "is not one SELECT" in p["problem"]]
        assert (status, wrong) == (1, [("installations", "ways.0.locate")])
        shown = blocked(desk, case)
        assert shown["premises_lines.installations"]["status"] == "not_asked"
        assert "ways.0.locate: is not one SELECT" in shown["premises_lines.installations"]["detail"]
        assert shown["customer_master.customers"]["status"] == "found"  # one wrong statement stops no other dataset
        (desk.sample / "inventory.toml").write_text(fine)
    assert digests(desk.sample) == before
    assert desk.ok("collect", case)["state"] == "review"


def test_a_missing_environment_variable_is_named_by_the_check_and_by_the_case(
    own: tuple[Desk, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, server = own
    inventory(desk, 'url = "file:faults.url"', 'url = "env:FAULTS_URL"')
    monkeypatch.delenv("FAULTS_URL", raising=False)
    status, told, _ = desk.run("inventory", "check")
    assert status == 3
    assert [(p["system"], "FAULTS_URL" in p["problem"]) for p in told["problems"]] == [("fault_records", True)]
    case = proved(desk, "kenta")
    assert "FAULTS_URL" in blocked(desk, case)["fault_records.tickets"]["detail"]
    monkeypatch.setenv("FAULTS_URL", server.url)
    assert desk.ok("collect", case)["state"] == "review"


# -- twice ------------------------------------------------------------------------------------------------------------


def test_the_same_request_twice_is_linked_and_executed_once(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    """EN-05: by post and by web; each keeps its own clock A; both are answered by one package."""
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    first = desk.open("kaoru")
    later = desk.request("kaoru", put("received", {"at": "2026-11-05T09:00:00+09:00", "channel": "web"}))
    second = desk.ok("open", desk.file("again.json", later))
    assert second["linked_to"] == first
    proof = str(sample / "requests/kaoru.proof.json")
    desk.refused("prove", second["case"], "--file", proof, status=2, words=(second["case"], first, "work on that case"))
    desk.refused("collect", second["case"], status=1, words=("received", "proved"))
    ends = {row["case"]: row["clocks"]["presuit"]["ends"] for row in desk.ok("list")}
    assert ends == {first: "2026-11-16", second["case"]: "2026-11-19"}
    desk.onward(desk.collected("kaoru", first), "kaoru", "dispatching")
    once = len(asked)
    desk.ok("package", first, "--out", str(tmp_path / "out"))
    desk.ok("dispatch", first, "--file", desk.file("check.json", CHECK), officer="shonin-2")
    desk.ok("dispatch", first, "--file", desk.file("sent.json", SENT))
    assert {desk.state(first), desk.state(second["case"])} == {"closed"}
    assert desk.ok("show", second["case"])["outcome"] == "duplicate"
    assert len(asked) == once
    third = desk.ok("open", desk.file("new.json", later))
    assert third["linked_to"] is None


def test_after_a_withdrawal_the_request_runs_anew_and_a_linked_one_goes_its_own_way(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    first = desk.open("hiroshi_65")
    linked = desk.open("hiroshi_65")
    assert desk.ok("withdraw", first)["state"] == "withdrawn"
    desk.refused("collect", first, status=1, words=("withdrawn",))
    assert desk.ok("withdraw", first)["state"] == "withdrawn"  # said twice, done once
    now, desk.now = desk.now, "2026-12-10T09:00+09:00"
    desk.ok("watch")
    assert desk.state(first) == "closed"
    desk.now = now
    assert desk.state(desk.collected("hiroshi_65", linked)) == "review"


def test_a_strangers_request_in_her_name_cannot_draw_hers_to_itself(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T26: same name, birth date and numbers, another address or an agent who receives: her own request runs alone."""
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    elsewhere = desk.request("hiroshi_65", put("subject.addresses", ["福岡県みなと市北町9-9-9"]))
    agent = {"kind": "mandated", "name": "代理 太郎", "receives_answer": True, "address": "福岡県みなと市北町9-9-9"}
    taken = desk.request("hiroshi_65", put("agent", agent))
    opened = [desk.ok("open", desk.file("r.json", document)) for document in (elsewhere, taken)]
    opened.append(desk.ok("open", str(sample / "requests/hiroshi_65.json")))
    assert [case["linked_to"] for case in opened] == [None, None, None]


# -- the disk is full, somebody else is at it -------------------------------------------------------------------------


def test_a_full_disk_under_the_vault_stops_each_step_and_nothing_is_lost(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writing step is stopped at its first and fourth object, then run again."""
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    left = [0]
    plain = vault._create

    def filling(path: Path) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return plain(path)

    monkeypatch.setattr(vault, "_create", filling)
    files = desk.sample / "requests"

    def step(*argv: str) -> Any:
        for at in (1, 4):
            before = desk.ok("show", argv[1])["state"] if argv[0] != "open" else ""
            left[0] = at
            status, told, errors = desk.run(*argv)
            if status == 0:
                left[0] = 0
                return told
            assert (status, told) == (1, None)
            assert "disk full while writing" in errors
            assert "free space, run again" in errors
            assert not any(value in errors for value in desk.values())
            if before:
                assert desk.state(argv[1]) in {before, "collecting"}
            assert not list(desk.home.glob("vault/*/parts/*"))
        left[0] = 0
        return desk.ok(*argv)

    case = step("open", str(files / "kenta.json"))["case"]
    assert case == "DSR-2026-000001"
    step("prove", case, "--file", str(files / "kenta.proof.json"))
    step("answer", case, "archives_backups", "--file", str(sample / "answers/kenta.archives_backups.json"))
    step("collect", case)
    step("review", case, "--file", str(desk.review_of("kenta", tmp_path)))
    desk.ok("decide", case, "--as-proposed")
    desk.ok("approve", case, officer="shonin-1")
    step("fulfil", case)
    desk.ok("package", case, "--out", str(tmp_path / "out"))
    assert oracle(desk.truth["people"]["kenta"], tmp_path / "out", desk.ok("show", case)) == []
    assert desk.ok("trail", "verify")["sound"]


def test_a_full_disk_under_the_store_opens_no_half_case(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own "database or disk is full": no page may be added."""
    desk = Desk.at_work(tmp_path, sample, monkeypatch)
    plain = database._sqlite_settings

    def tight(connection: Any, record: object) -> None:
        plain(connection, record)
        connection.execute("PRAGMA max_page_count=1")

    people = ("hanako", "kenta", "kaoru", "susumu", "ryoko", "nana", "yutaka", "ryo", "rei", "saki")
    refused = []
    with monkeypatch.context() as patch:
        patch.setattr(database, "_sqlite_settings", tight)
        for person in people:
            status, told, errors = desk.run("open", str(sample / f"requests/{person}.json"))
            if status:
                refused.append(person)
                assert (status, told) == (1, None)
                assert "the disk is full; free space and run the command again" in errors
            cases = {row["case"] for row in desk.ok("list")}
            assert {path.parts[-3] for path in desk.home.glob("vault/*/objects/request.json")} == cases
    assert refused
    for person in refused:
        desk.ok("open", str(sample / f"requests/{person}.json"))
    rows = desk.ok("list")
    assert len(rows) == len(people)
    assert {row["linked_to"] for row in rows} == {None}
    assert desk.ok("trail", "verify")["sound"]


def test_a_disk_with_no_room_for_a_byte_is_said_to_be_full() -> None:
    """SQLite cannot even make the file by which readers and writers meet, and on a full tmpfs calls that this."""
    said = sqlite3.OperationalError("disk I/O error")
    said.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    with pytest.raises(DsrError, match="the disk is full"), database._said():
        raise OperationalError("PRAGMA journal_mode=WAL", None, said)


def test_a_full_disk_under_the_folder_leaves_no_preview(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    case, out = desk.at("awaiting_decision"), desk.folder / "preview"
    plain = os.fsync

    def full(handle: int) -> None:
        if ".preview.part" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        desk.refused("preview", case, "--out", str(out), status=1, words=("--out", "No space left", "nothing is half-written"))
    assert [path for path in desk.folder.iterdir() if "preview" in path.name] == []
    assert desk.ok("preview", case, "--out", str(out))["files"]
    desk.refused("preview", case, "--out", str(out), status=2, words=("--out", "not an empty folder", "new folder"))


HOLDER = """
import sys, time
from dsr.store import Store
store = Store.connect(sys.argv[1])
store.take(sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_leaves_the_case_alone_until_the_first_has_ended(desk: Desk) -> None:
    case = desk.at("proved")
    command = [sys.executable, "-c", HOLDER, f"sqlite:///{desk.home / 'dsr.db'}", case]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        for argv in (("collect", case), ("withdraw", case)):
            desk.refused(*argv, status=1, words=(case, f"pid {other.pid}", "wait until it ends"))
        assert desk.state(case) == "proved"
        other.send_signal(signal.SIGKILL)
    assert desk.run("collect", case)[0] == 3  # taken over at once; only the paper box waits
