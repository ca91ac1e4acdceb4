"""The release gate in the office: a package that leaks is stopped, says where, and stays in the vault until mended."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dsr.documents.content import Book
from dsr.engine import papers, reviewing
from dsr.rules import redaction
from tests.story import Office, rows_of

CALLS = "call_history.calls"
CALLER = "withheld_number"


@pytest.fixture
def decided(office: Office, tmp_path: Path) -> str:
    """Hanako's case, decided and approved, nothing made yet."""
    return office.decided("hanako", tmp_path)


def leak_one_cell(redact: Callable[..., redaction.Redacted]) -> Callable[..., redaction.Redacted]:
    """The first caller's number stands in its cell, which is listed as masked all the same."""

    def leaking(dataset: Any, batch: pa.RecordBatch, *rest: Any) -> redaction.Redacted:
        found = redact(dataset, batch, *rest)
        if dataset.id != CALLS:
            return found
        masked = pc.match_substring(found.rows.column("_masking"), CALLER)
        first = pc.index(masked, True).as_py()
        cells = found.rows.column("counterpart_no").to_pylist()
        cells[first] = batch.column("counterpart_no")[first].as_py()
        at = found.rows.schema.get_field_index("counterpart_no")
        return replace(found, rows=found.rows.set_column(at, "counterpart_no", pa.array(cells)))

    return leaking


def nothing_went(office: Office, case: str, folder: Path) -> None:
    out = folder / "leaked"
    assert office.run("package", case, "--out", str(out))[0] == 1
    sent = folder / "sent.json"
    sent.write_text('{"channel": "addressee_only_post", "sent_on": "2026-11-22", "tracking_no": "1"}')
    assert office.run("dispatch", case, "--file", str(sent))[0] == 1
    assert not out.exists()


def made_anew(office: Office, case: str, review: Path) -> None:
    """Read again, decided again."""
    assert office.ok("review", case, "--file", str(review))["state"] == "awaiting_decision"
    office.ok("decide", case, "--as-proposed")
    if office.state(case) == "awaiting_approval":
        office.ok("approve", case, officer="shonin-1")


def test_a_redaction_that_leaks_one_cell_is_stopped_until_it_is_mended(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(reviewing, "redact", leak_one_cell(redaction.redact))
        case = office.decided("hanako", tmp_path)
    for _ in range(2):  # a second run looks again, and stops again
        status, _, errors = office.run("fulfil", case)
        assert status == 1
        assert re.search(rf"{case}: nothing may leave: disclosure\.pdf, page \d+: .*\({CALLS}\.counterpart_no row ", errors)
        shown = office.ok("show", case)
        assert shown["state"] == "fulfilling" and not shown["release"]["passed"]
        nothing_went(office, case, tmp_path)
    told = {f["file"]: f["place"] for f in shown["release"]["findings"] if f["kind"] == "cell"}
    assert set(told) == {f"data/{CALLS}.csv", f"data/{CALLS}.json"}
    assert all(re.fullmatch(r"row \d+ counterpart_no", place) for place in told.values())
    assert {"what": "release", "who": "handler", "due": "2026-11-22"} in shown["work"]
    neighbour, package = office.packaged("kenta", tmp_path)
    assert office.ok("show", neighbour)["release"]["passed"] and package.exists()
    again = tmp_path / "again.json"
    again.write_text("{}")
    made_anew(office, case, again)
    assert office.ok("fulfil", case)["state"] == "dispatching"
    shown = office.ok("show", case)
    assert shown["release"] == {"passed": True, "findings": [], "more": 0}
    assert not [work for work in shown["work"] if work["what"] == "release"]
    office.ok("package", case, "--out", str(tmp_path / "mended"))
    marks = {row["相手先番号"] for row in rows_of(tmp_path / "mended", CALLS).values() if CALLER in row["マスキング"]}
    assert marks == {"（番号不開示）"}
    assert office.ok("trail", "verify")["sound"]


def test_a_redaction_that_forgets_a_mask_and_does_not_list_it_is_stopped(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(redaction, "holds", lambda _condition, rows: pa.array([False] * rows.num_rows))
        case = office.decided("hanako", tmp_path)
    status, _, errors = office.run("fulfil", case)
    assert (status, "nothing may leave" in errors) == (1, True)
    assert f"data/{CALLS}.csv" in {f["file"] for f in office.ok("show", case)["release"]["findings"]}
    nothing_went(office, case, tmp_path)


def leak_in_the_book(office: Office, patch: pytest.MonkeyPatch, words: Callable[[str], str]) -> str:
    """A caller's number, shown nowhere, in a line of the book."""
    told, draw = office.truth["people"]["hanako"], papers.book
    import pyarrow.parquet as pq

    calls = pa.concat_tables([pq.read_table(path) for path in sorted((office.sample / "lake/calls").glob("*.parquet"))])
    mine = [row for row in calls.to_pylist() if str(row["call_id"]) in told["owns"][CALLS]]
    shown = {row["counterpart_no"] for row in mine if row["direction"] == 1 and row["level"] == "full"}
    number = next(row["counterpart_no"] for row in mine if row["direction"] == 2 and row["counterpart_no"] not in shown)

    def book(*given: Any) -> Book:
        made = draw(*given)
        chapters = [*made.chapters]
        chapters[-1] = replace(chapters[-1], lines=(*chapters[-1].lines, words(number)))
        return replace(made, chapters=tuple(chapters))

    patch.setattr(papers, "book", book)
    return str(number)


@pytest.mark.parametrize("words", [str, lambda n: f"着信 +81-{n[1:]}", lambda n: n.replace("-", "")])
def test_a_masked_number_in_the_book_stops_the_case_and_the_page_is_named(
    words: Callable[[str], str], office: Office, decided: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = leak_in_the_book(office, monkeypatch, words)
    status, _, errors = office.run("fulfil", decided)
    assert status == 1
    (found,) = [f for f in office.ok("show", decided)["release"]["findings"] if f["kind"] == "page"]
    assert found["file"] == "disclosure.pdf" and found["place"].startswith("page ")
    assert found["cell"].startswith(f"{CALLS}.counterpart_no row ")
    for said in (errors, json.dumps(office.ok("show", decided))):
        assert number not in said and number[-9:] not in said


def test_another_person_who_was_found_beside_the_subject_may_stand_nowhere(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inquiry that the officer held to be somebody else's; that caller's name is printed."""
    case, candidate = office.collected("izumi"), next(iter(office.truth["people"]["izumi"]["identity"]))
    with contextlib.closing(sqlite3.connect(office.sample / "company.db")) as base:
        asked = "SELECT caller_name FROM inquiries WHERE inquiry_no = ?"
        ((caller,),) = base.execute(asked, (candidate.split("/")[1],))
    review = tmp_path / "review.json"
    review.write_text(json.dumps({"identity": {candidate: "other"}, "notes": {}}))
    made_anew(office, case, review)
    draw = papers.book

    def book(*given: Any) -> Book:
        made = draw(*given)
        return replace(made, chapters=(*made.chapters[:-1], replace(made.chapters[-1], intro=f"{caller}様")))

    with monkeypatch.context() as patch:
        patch.setattr(papers, "book", book)
        status, _, errors = office.run("fulfil", case)
    assert status == 1 and "disclosure.pdf, page " in errors and caller not in errors
    assert "inquiry_records.inquiries.name row 0" in errors
    review.write_text("{}")
    made_anew(office, case, review)
    assert office.ok("fulfil", case)["state"] == "dispatching"


def test_a_preview_passes_the_same_gate(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = office.collected("hanako")
    office.ok("review", case, "--file", str(office.review_of("hanako", tmp_path)))
    events = office.ok("show", case)["trail"]["events"]
    with monkeypatch.context() as patch:
        leak_in_the_book(office, patch, str)
        status, _, errors = office.run("preview", case, "--out", str(tmp_path / "seen"))
    assert status == 1 and "disclosure.pdf, page " in errors
    assert not (tmp_path / "seen").exists()
    office.ok("preview", case, "--out", str(tmp_path / "seen"))
    assert (tmp_path / "seen/disclosure.pdf").exists()
    assert office.ok("show", case)["trail"]["events"] == events  # nothing of it is recorded


def test_what_of_a_refused_dataset_stands_in_the_letter_is_stopped(office: Office, tmp_path: Path) -> None:
    """The officer's own words quote an invoice that is not shown."""
    case = office.collected("hanako")
    office.ok("review", case, "--file", str(office.review_of("hanako", tmp_path)))
    invoice = office.truth["people"]["hanako"]["owns"]["billing.invoices"][0]
    decision = tmp_path / "decision.json"
    for reason, state in ((f"請求書 {invoice} のため", "fulfilling"), ("調査中のため", "dispatching")):
        refused = {"outcome": "refused", "ground": "APPI-33-2-2", "reason": reason}
        payments = {"outcome": "refused", "ground": "APPI-33-2-2", "reason": reason}
        decision.write_text(json.dumps({"datasets": {"billing.invoices": refused, "billing.payments": payments}}))
        office.ok("decide", case, "--file", str(decision))
        office.ok("approve", case, officer="shonin-1")
        status, _, errors = office.run("fulfil", case)
        assert office.state(case) == state, errors
        assert (status, "decision.pdf, page " in errors) == ((1, True) if state == "fulfilling" else (0, False))
        if status:
            decision.write_text("{}")
            office.ok("review", case, "--file", str(decision))


def test_a_reader_who_overlooked_a_masked_number_in_a_note_is_told_and_can_strike_it(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller whom the calls do not name stands in a note that was released. Payers of whom nothing but a word of the
    papers themselves is known stop nothing."""
    own_words = ["保有個人データ開示書", "みなと通信電力株式会社", "DSR-2026-000001", "2026-11-22", "counterpart_no", "Contents"]
    number = leak_in_the_book(office, monkeypatch, str)
    monkeypatch.undo()
    fetched = reviewing.fetched

    def noted(hold: Any, dataset: Any) -> Iterator[pa.RecordBatch]:
        for batch in fetched(hold, dataset):
            if dataset.id == "inquiry_records.inquiries":
                at = batch.schema.get_field_index("answer")
                answers = [f"{text or ''}{number}へ折り返し" for text in batch.column("answer").to_pylist()]
                batch = batch.set_column(at, "answer", pa.array(answers))
            if dataset.id == "billing.invoices":
                at = batch.schema.get_field_index("payer_name")
                payers = [own_words[row % len(own_words)] for row in range(batch.num_rows)]
                batch = batch.set_column(at, "payer_name", pa.array(payers))
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(reviewing, "fetched", noted)
        office_ = Office(office.home, office.sample, patch, office.truth, office.secrets)
        case = office_.decided("hanako", tmp_path)
        status, _, errors = office_.run("fulfil", case)
        assert status == 1
        found = office_.ok("show", case)["release"]["findings"]
        assert {f["place"].split()[-1] for f in found if f["kind"] == "file"} == {"answer"}
        assert {f["cell"].split()[0] for f in found} == {f"{CALLS}.counterpart_no"}
        assert number not in errors + json.dumps(found)
