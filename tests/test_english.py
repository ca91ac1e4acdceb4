"""EC-35 (john): asked in English, answered in Japanese with an English gloss; whoever did not ask gets not a letter of it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter

import page
import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest

from dsr import law
from dsr.documents import content as c
from dsr.documents.archival import PROFILES
from dsr.documents.book import draw_book
from dsr.documents.content import Words
from dsr.documents.volume import Volume, draw_volume
from dsr.documents.wordings import WORDINGS, say
from dsr.inventory import read_inventory
from tests.story import Office, rows_of
from tests.test_documents import DAY, LETTER, SLIP, book, drawn, pieces_of, table

TWO_WORDS = re.compile(r"[A-Za-z]{3,} [a-z]{3,}")


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "".join(one.get_textpage().get_text_range() for one in document)
    finally:
        document.close()


def voices(pdf: bytes) -> list[tuple[str, str, str]]:
    """In reading order: the role of the nearest element that is no Span, its language, its text."""
    found: list[tuple[str, str, str]] = []
    with pikepdf.open(io.BytesIO(pdf)) as read:
        told = pieces_of(read)

        def walk(element: pikepdf.Object, role: str, language: str) -> None:
            role = role if element.S == "/Span" else str(element.S)[1:]
            language = str(element.get("/Lang", language))
            for kid in element.get("/K", []):
                if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
                    walk(kid, role, language)
                elif isinstance(kid, int) or kid.get("/Type") == "/MCR":
                    sheet, mark = (element.Pg, kid) if isinstance(kid, int) else (kid.Pg, kid.MCID)
                    found.append((role, language, told.get((sheet.objgen[0], int(mark)), "")))

        walk(read.Root.StructTreeRoot.K[0], "", str(read.Root.Lang))
    return found


def check_voices(pdf: bytes) -> list[tuple[str, str, str]]:
    """English is marked as such wherever it stands, and Japanese is not."""
    found = voices(pdf)
    assert [one for one in found if one[1] == "ja-JP" and TWO_WORDS.search(one[2])] == []
    assert [one for one in found if one[1] == "en-US" and not re.search("[A-Za-z0-9]", one[2])] == []
    return found


@pytest.fixture(scope="module")
def johns(sample_of: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Path]]:
    """John's package, his acknowledgement, and the sample they come from."""
    folder = tmp_path_factory.mktemp("john")
    with pytest.MonkeyPatch.context() as patch:
        office = Office.set_up(folder / "home", sample_of(1), patch)  # type: ignore[operator]
        case, package = office.packaged("john", folder)
        office.ok("letters", case, "--out", str(folder / "letters"))
        yield package, folder / "letters/receipt.pdf", office.sample


def test_john_asked_in_english_and_each_of_his_papers_says_everything_twice(
    johns: tuple[Path, Path, Path]
) -> None:
    package, slip, sample = johns
    papers = {path.name: path.read_bytes() for path in (package / "decision.pdf", package / "disclosure.pdf", slip)}
    for name, pdf in papers.items():
        for profile in PROFILES:
            report = page.validate_pdf_bytes(pdf, profile=profile, limits=page.SafetyLimits.unlimited())
            assert [failure.rule_id for failure in report.failures] == [], (name, profile)
        found = check_voices(pdf)
        heads = [i for i, (role, language, _) in enumerate(found) if role in ("H1", "H2", "TH") and language == "ja-JP"]
        lone = {found[i][2] for i in heads if found[i + 1][1] != "en-US"}
        assert lone <= {"", "SHA-256"}, name
    assert len(pypdfium2.PdfDocument(papers["receipt.pdf"])) == 1
    decision, disclosure = (" ".join(text_of(papers[name]).split()) for name in ("decision.pdf", "disclosure.pdf"))
    for ja, en in (
        ("保有個人データ開示決定通知書（一部開示）", "Notice of Decision on Disclosure of Retained Personal Data (disclosed in part)"),
        ("令和8年11月22日", "22 November 2026"), ("当該データについて当社は", "We have no authority over this data."),
        ("個人情報の保護に関する法律第16条第4項", "Act on the Protection of Personal Information, Article 16(4)"),
        ("個人情報開示等受付窓口", "Personal Information Desk"), ("一部開示", "disclosed in part"), ("John Smith 様", "Data subject"),
    ):  # fmt: skip
        assert ja in decision and en in decision, en
    for ja, en in (
        ("ご契約", "Contracts"), ("カード番号の一部", "part of a card number"), ("該当なし", "none found"),
        ("安全のため、カード番号は", "For safety only the last four digits"), ("料金の計算および請求", "Reckoning and billing of charges"),
        ("法人税法施行規則第59条", "Corporation tax: vouchers and books"), ("ご本人（お申込み）", "you (application)"),
        ("黒い枠は、", "A black box is a part that is not shown"), ("取扱注意（親展）", "Confidential"),
    ):  # fmt: skip
        assert ja in disclosure and en in disclosure, en
    inventory = read_inventory(sample / "inventory.toml")
    for dataset in (inventory.dataset(path.stem) for path in (package / "data").glob("*.csv")):
        for declared in (dataset, *dataset.fields.values()):
            assert declared.label.replace(" ", "") in disclosure.replace(" ", "")
            assert declared.label_en.replace(" ", "") in disclosure.replace(" ", ""), (dataset.id, declared.label)
    readme = (package / "README.txt").read_bytes().decode("utf-8-sig")
    assert "はじめにお読みください" in readme and "Please read this first" in readme and "\n" not in readme.replace("\r\n", "")


def test_what_johns_records_say_is_the_same_in_either_language(johns: tuple[Path, Path, Path]) -> None:
    package, _, sample = johns
    told = json.loads((sample / "truth.json").read_text())["people"]["john"]
    assert {name: sorted(rows_of(package, name)) for name in told["owns"]} == {
        name: sorted(numbers) for name, numbers in told["owns"].items()}  # fmt: skip
    assert next(iter(rows_of(package, "billing.payments").values()))["お支払方法"] == "クレジットカード"
    disclosure = text_of((package / "disclosure.pdf").read_bytes())
    assert "クレジットカード" in disclosure and "ジョン・スミス" in disclosure


def test_who_asked_in_japanese_gets_the_same_bytes_whatever_english_is_declared(office: Office, tmp_path: Path) -> None:
    case = office.collected("saki")
    inventory = office.sample / "inventory.toml"
    declared, told = inventory.read_text(encoding="utf-8"), {}
    without = re.sub(r'(, |^)label_en = "[^"]*"', "", declared, flags=re.MULTILINE)
    without = re.sub(r'^\[english\]\n(".*\n)+', "", without, flags=re.MULTILINE)
    assert "label_en =" in declared and "label_en =" not in without and "[english]" not in without
    try:
        for name, text in (("with", declared), ("without", without)):
            inventory.write_text(text, encoding="utf-8")
            office.ok("preview", case, "--out", str(tmp_path / name))
            told[name] = {path.relative_to(tmp_path / name): path.read_bytes()
                          for path in (tmp_path / name).rglob("*") if path.is_file()}  # fmt: skip
            assert read_inventory(inventory).declaration == read_inventory(inventory).declaration
            told[f"{name} declaration"] = {Path(): read_inventory(inventory).declaration.encode()}
    finally:
        inventory.write_text(declared, encoding="utf-8")
    assert told["with"] == told["without"] and told["with declaration"] == told["without declaration"]
    for name in ("decision.pdf", "disclosure.pdf"):
        pdf = told["with"][Path(name)]
        assert {language for _, language, _ in voices(pdf)} == {"ja-JP"}
        assert not TWO_WORDS.search(text_of(pdf))


@pytest.mark.parametrize(("language", "spans"), [("ja", False), ("en", True)])
def test_only_a_paper_with_glosses_has_spans(language: str, spans: bool) -> None:
    pdf = drawn(book(table(("1",), columns=(c.Column("k0", Words("番号", "Number")),)), language=language))
    with pikepdf.open(io.BytesIO(pdf)) as read:
        assert any(o.get("/S") == "/Span" for o in read.objects if isinstance(o, pikepdf.Dictionary)) is spans


# -- the table of wordings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", WORDINGS)
def test_every_wording_has_a_gloss_with_the_same_fields(key: str) -> None:
    told = WORDINGS[key]
    fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (told.ja, told.en)]
    assert told.ja and told.en and not re.search("[ぁ-ん]", told.en)
    assert fields[0] == fields[1] or key in ("head", "counted")


def test_what_has_no_english_gets_no_gloss_that_repeats_it() -> None:
    assert say("ended", label="表", result=c.listed(["甲", "乙"])) == Words("表：甲、乙")
    assert say("ended", label=Words("表", "table"), result="甲") == Words("表：甲", "table: 甲")
    assert say("monthly", label="表") == Words("表（月別）", "表, by month")


def citations() -> list[str]:
    grounds = [row.citation for rows in law._GROUNDS.values() for row in rows if row.citation]
    return sorted({*grounds, *(law.right(r).basis for r in law.RIGHTS)})


@pytest.mark.parametrize("citation", citations())
def test_every_citation_has_an_english_gloss_with_the_same_numbers(citation: str) -> None:
    english = law.in_english(citation)
    assert english.isascii() and re.findall(r"第(\d+)条", citation) == re.findall(r"Article (\d+)", english)
    assert not re.search(r" ,|\( |  |^,", english)


def test_a_citation_is_glossed_down_to_its_item() -> None:
    joined = law.ground("APPI-33-2-3+TBA-4-1").citation
    assert law.in_english(joined) == ("Act on the Protection of Personal Information, Article 33(2)(iii) and "
                                      "Telecommunications Business Act, Article 4(1)")  # fmt: skip
    assert law.in_english("未知の法律第1条") == ""


# -- on paper ----------------------------------------------------------------------------------------------------------

LONG = Words("長い見出し", "a gloss of many words that cannot stand on one line of a narrow column and has to go on below")


def test_a_gloss_is_read_after_what_it_glosses_and_marked_as_english() -> None:
    columns = (c.Column("a", Words("番号", "Number")), c.Column("b", Words("内容", "Content"), wide=True))
    cells = [("1", Words("分類", "kind")), ("2", "値"), *((str(n), LONG) for n in range(3, 60))]
    pdf = drawn(book(table(*cells, columns=columns), title=Words("開示書", "Book"), language="en"))  # type: ignore[arg-type]
    found = check_voices(pdf)
    assert found[:2] == [("H1", "ja-JP", "開示書"), ("H1", "en-US", "Book")]
    start = found.index(("TH", "ja-JP", "番号"))
    assert found[start : start + 8] == [
        ("TH", "ja-JP", "番号"), ("TH", "en-US", "Number"), ("TH", "ja-JP", "内容"), ("TH", "en-US", "Content"),
        ("TD", "ja-JP", "1"), ("TD", "ja-JP", "分類　"), ("TD", "en-US", "kind"), ("TD", "ja-JP", "2"),
    ]  # fmt: skip
    assert "".join(text for _, language, text in found if language == "en-US").count("goes on below") == 0
    assert text_of(pdf).replace("\r\n", " ").count("has to go on below") == 57


@pytest.mark.parametrize("count", [2, 40])
def test_glosses_of_many_columns_stand_in_tiers_or_cards_and_none_is_lost(count: int) -> None:
    columns = tuple(c.Column(f"k{i}", Words(f"項目{i}", f"Item number {i}")) for i in range(14))
    rows = [tuple(f"{r:03}-{i:02}" for i in range(14)) for r in range(count)]
    pdf = drawn(book(table(*rows, columns=columns), language="en"))
    text = " ".join(text_of(pdf).split())
    assert all(value in text for row in rows for value in row)
    assert all(f"Item number {i}" in text for i in range(14))
    check_voices(pdf)
    assert page.is_pdf_compliant_bytes(pdf, profile="ua1")


def test_volume_slip_and_letter_have_their_glosses_too() -> None:
    volume = Volume("D1", DAY, "会社", 1, 2, 1, 9, table(("1", "a"), title=Words("通話", "Calls")), "en")
    out = io.BytesIO()
    draw_volume(volume, out)
    for pdf, said in ((out.getvalue(), "Calls: records 1 to 1 of 9"), (drawn(replace(SLIP, language="en")), "Check word"),
                      (drawn(replace(LETTER, language="en")), "Particulars")):  # fmt: skip
        assert said in " ".join(text_of(pdf).split())
        check_voices(pdf)
        assert [page.is_pdf_compliant_bytes(pdf, profile=profile) for profile in PROFILES] == [True, True]


def test_an_unread_note_is_promised_in_both_languages(office: Office, tmp_path: Path) -> None:
    request = json.loads((office.sample / "requests/kenta.json").read_text())
    request["answer"]["language"] = "en"
    path = tmp_path / "kenta.json"
    path.write_text(json.dumps(request, ensure_ascii=False))
    case = office.collected("kenta", office.ok("open", str(path))["case"])
    unread = tmp_path / "unread.json"
    unread.write_text('{"identity": {}, "notes": {}}')
    office.ok("review", case, "--file", str(unread))
    office.ok("preview", case, "--out", str(tmp_path / "out"))
    text = " ".join(text_of((tmp_path / "out/decision.pdf").read_bytes()).split())
    assert "notes in Inquiries are being read. They will follow by 6 December 2026." in text
    assert "ご相談記録のうち" in text and "令和8年12月6日までにあらためてお送りします。" in text.replace(" ", "")
    assert "（確認中）" in text_of((tmp_path / "out/disclosure.pdf").read_bytes())


def test_a_book_drawn_without_english_anywhere_reads_as_before() -> None:
    """A plain text is never glossed, also where English was asked for."""
    out = io.BytesIO()
    draw_book(book(table(("1", "値"), title="表"), language="en"), out)
    found = check_voices(out.getvalue())
    assert ("H3", "ja-JP", "表") in found and ("TD", "ja-JP", "値") in found
