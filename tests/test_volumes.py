"""Paper chosen: every row is printed, in volumes; otherwise a long table is its months and its CSV."""

from __future__ import annotations

import json
import re
from pathlib import Path

import page
import pypdfium2  # type: ignore[import-untyped]
import pytest

from dsr.documents.archival import PROFILES
from dsr.engine import papers, volumes
from tests.story import Office, rows_of


def text_of(path: Path) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        return "".join(one.get_textpage().get_text_range() for one in document)
    finally:
        document.close()


@pytest.fixture
def small_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "BOOK_PAGES", 5)
    monkeypatch.setattr(volumes, "PAGES", 3)


def packaged(office: Office, method: str, tmp_path: Path) -> tuple[str, Path]:
    document = json.loads((office.sample / "requests/hanako.json").read_text())
    document["answer"]["method"] = method
    path = tmp_path / f"{method}.json"
    path.write_text(json.dumps(document, ensure_ascii=False))
    case = office.collected("hanako", office.ok("open", str(path))["case"])
    if office.state(case) == "review":
        office.ok("review", case, "--file", str(office.review_of("hanako", tmp_path)))
    office.ok("decide", case, "--as-proposed")
    office.ok("approve", case, officer="shonin-1")
    office.ok("fulfil", case)
    out = tmp_path / method
    office.ok("package", case, "--out", str(out))
    return case, out


def test_on_paper_every_row_is_printed_in_volumes(office: Office, tmp_path: Path, small_book: None) -> None:
    """EC-29. Drawn by processes of their own; the letter and the manifest list each with its digest."""
    case, package = packaged(office, "paper", tmp_path)
    calls = list(rows_of(package, "call_history.calls"))
    printed = sorted(package.glob("disclosure-*.pdf"))
    assert len(printed) > 2 and all(len(pypdfium2.PdfDocument(path)) <= 4 for path in printed)
    found = [number for path in printed for number in re.findall(r"\b1\d{9}\b", text_of(path))]
    assert found == calls
    for path in printed:
        told = path.read_bytes()
        assert [page.is_pdf_compliant_bytes(told, profile=profile) for profile in PROFILES] == [True, True]
    listed = {file["path"] for file in json.loads((package / "manifest.json").read_text())["files"]}
    assert {path.name for path in printed} | {"README.txt"} <= listed
    assert "分冊" in text_of(package / "disclosure.pdf")
    assert f"{len(printed)} 冊" in (package / "README.txt").read_text(encoding="utf-8-sig")
    assert {d["kind"] for d in office.ok("show", case)["documents"]} >= {"disclosure_volume", "disclosure_book"}


def test_electronically_a_long_table_is_its_months_and_its_csv(office: Office, tmp_path: Path, small_book: None) -> None:
    _, package = packaged(office, "electronic", tmp_path)
    calls = rows_of(package, "call_history.calls")
    assert not list(package.glob("disclosure-*.pdf"))
    book = text_of(package / "disclosure.pdf")
    assert not [number for number in calls if number in book]
    assert "data/call_history.calls.csv" in book
    total = sum(int(row["料金 (円)"]) for row in calls.values())
    months = re.findall(r"令和\d+年\d+月 (\d+) ([\d,]+) ([\d,]+)", book.replace("\r\n", " "))
    assert sum(int(count) for count, _, _ in months) == len(calls)
    assert sum(int(yen.replace(",", "")) for _, _, yen in months) == total


def test_the_readme_is_for_somebody_who_never_saw_a_csv(office: Office, tmp_path: Path) -> None:
    _, package = office.packaged("saki", tmp_path)
    raw = (package / "README.txt").read_bytes()
    text = raw.decode("utf-8-sig")
    assert raw.startswith(b"\xef\xbb\xbf") and "\n" not in text.replace("\r\n", "")
    for path in package.rglob("*"):
        if path.is_file() and path.name != "README.txt":
            assert path.name in text or "data フォルダー" in text
    assert "山﨑" not in text


def test_json_has_types_and_says_them(office: Office, tmp_path: Path) -> None:
    _, package = office.packaged("hanako", tmp_path)
    document = json.loads((package / "data/billing.payments.json").read_text())
    assert (document["types"]["amount_yen"], document["types"]["paid_at"], document["types"]["account_no"]) == (
        "integer", "datetime", "text")
    rows = rows_of(package, "billing.payments")
    assert rows and [row["amount_yen"] for row in document["rows"]] == [int(row["入金額 (円)"]) for row in rows.values()]
    assert all(isinstance(row["account_no"], str) for row in document["rows"])
    calls = json.loads((package / "data/call_history.calls.json").read_text())
    masked = [row for row in calls["rows"] if any(entry.startswith("counterpart_no:") for entry in row["_masking"])]
    assert masked and all(isinstance(row["counterpart_no"], str) for row in masked)
