"""What is printed is what was handed over: every letter of it, nothing else, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import page
import pikepdf
import pikepdf.pdfa
import pypdfium2  # type: ignore[import-untyped]
import pytest
from pdfminer.high_level import extract_text
from pdfminer.layout import LAParams

from dsr.documents import content as c
from dsr.documents.archival import PROFILES
from dsr.documents.book import draw_book
from dsr.documents.kinsoku import NOT_FIRST, NOT_LAST, break_lines
from dsr.documents.letter import draw_letter, draw_slip
from dsr.documents.letters import FIXED, FONTS, GOTHIC, MINCHO, UndrawableLetter, face, width
from dsr.documents.packing import packed
from dsr.documents.rows import draw_rows, pages_asked
from dsr.documents.sheet import drawing
from dsr.documents.style import era_day
from dsr.errors import CheckFailed

TSUJI = "辻\U000e0100"  # in the fonts with a glyph of its own
ODD_TSUJI = "辻\U000e01ef"  # in no font
NAME = f"髙﨑 𠮷子{TSUJI}"
DAY = date(2026, 11, 22)
PARTY = c.Party("みらい通信株式会社", "東京都千代田区丸の内", "代表取締役 佐藤 一郎", "開示窓口 0120-000-000", "相談室",
                "推進センター")
RECIPIENT = c.Recipient(NAME, "〒160-0022\n東京都新宿区新宿九丁目99番99号")
HEAD = c.Head("1284:3q2+7wX0l9sB1v5mEwQ0o2QJ8bX6kqk0s1YF2f7h1Yw=")
SHA = hashlib.sha256(b"book").hexdigest()


def table(*rows: tuple[c.Cell, ...], labels: tuple[str, ...] = ("記録番号", "内容"), **more: object) -> c.Table:
    columns = tuple(c.Column(f"k{i}", label) for i, label in enumerate(labels))
    given: dict[str, object] = {"title": "表", "dataset": "billing.invoices", "columns": columns, "rows": lambda: rows,
                                "count": len(rows)}
    return c.Table(**{**given, **more})  # type: ignore[arg-type]


def book(*tables: c.Table, **more: object) -> c.Book:
    searched = tuple(
        c.Searched("系", f"データ{i}", status, label, count, "備考")
        for i, (status, label, count) in enumerate([
            ("found", "該当あり", 12), ("none_found", "該当なし", 0), ("withheld", "不開示", None),
            ("not_ours", "権限なし", None), ("not_asked", "調査せず", None), ("unreachable", "確認未了", None)])
    )
    redactions = (c.Redaction("第三者に関する情報", "法第33条第2項第1号", 3), c.Redaction("口座番号", "取扱い", 4))
    legend = (("（番号不開示）", "通知されなかった番号です。"), ("―", "記録がないことを示します。"))
    chapters = (c.Chapter("03", "ご請求・お支払い", "請求の記録です。", tables),)
    made = c.Book("D2026-0012", DAY, PARTY, RECIPIENT, chapters, searched, redactions, legend, head=HEAD)
    return replace(made, **more)  # type: ignore[arg-type]


LETTER = c.Letter(
    "disclosure_decision", "保有個人データ開示決定通知書", "D2026-0012", DAY, PARTY, RECIPIENT, NAME,
    "個人情報保護法第33条",
    (c.Item("請求書", "一部開示", "12件", "法第33条第2項第1号", "第三者の権利利益を害するおそれがあるため。"),),
    (c.FileLine("disclosure.pdf", SHA, 411234),), ("次のとおり決定しましたので通知します。",),
    ("窓口に申し出ることができます。",), HEAD, facts=(c.Fact("手数料", "300円"),))
SLIP = c.Slip("D2026-0012", DAY, PARTY, RECIPIENT, date(2026, 11, 2), "郵送", "開示", "すべて", "書面",
              date(2026, 11, 16), "開示窓口", ("本人確認書類",), "さくら-48", head=HEAD)


def drawn(paper: c.Book | c.Letter | c.Slip) -> bytes:
    out = io.BytesIO()
    {c.Book: draw_book, c.Letter: draw_letter, c.Slip: draw_slip}[type(paper)](paper, out)  # type: ignore[operator]
    return out.getvalue()


def pages(pdf: bytes) -> list[str]:
    """The text of each page as PDFium reads it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()


def miner(pdf: bytes) -> str:
    return extract_text(io.BytesIO(pdf), laparams=LAParams(boxes_flow=None))


def both(pdf: bytes) -> tuple[str, str]:
    return miner(pdf), "".join(pages(pdf))


@pytest.mark.parametrize("paper", [LETTER, SLIP, book(table(("1", NAME)))], ids=["letter", "slip", "book"])
def test_rare_letters_of_a_name_are_found_by_two_readers(paper: c.Book | c.Letter | c.Slip) -> None:
    """髙 and 﨑 are not replaced by 高 and 崎, 𠮷 is U+20BB7 and 辻 keeps its selector."""
    for text in both(drawn(paper)):
        assert NAME in text


def test_a_variation_sequence_is_drawn_with_its_own_glyph() -> None:
    for hand in (MINCHO, GOTHIC, FIXED):
        (plain,), (variant,) = hand.spell("辻", ()), hand.spell(TSUJI, ())
        assert plain.face is not None and variant.face is not None
        assert variant.reading == TSUJI
        assert variant.face.glyph_of(variant.char) not in (None, plain.face.glyph_of("辻"))
        (default,) = hand.spell("辻\U000e0101", ())  # the plain form, by name
        assert default.reading == "辻\U000e0101"


def test_a_sequence_that_no_font_has_is_drawn_plain_and_says_so() -> None:
    for text in both(drawn(book(table(("1", ODD_TSUJI))))):
        assert f"{ODD_TSUJI}［異体字］" in text


def test_a_combining_mark_is_drawn_composed_and_read_as_stored() -> None:
    (glyph,) = GOTHIC.spell("か\u3099", ())
    assert glyph.reading == "か\u3099" and glyph.width == pytest.approx(width(GOTHIC.spell("が", ())))


@pytest.mark.parametrize("text", ["김철수", "刘强", "😀 ☑ ★", "☎\ufe0f"])
def test_names_and_signs_of_the_world_that_japan_holds_are_drawn(text: str) -> None:
    assert text.replace("\ufe0f", "") in "".join(pages(drawn(book(table(("1", text)))))).replace("\ufe0f", "")


@pytest.mark.parametrize("letter", ["م", "ก", "\ue000", "\ud800"])
def test_a_letter_no_font_has_is_refused_by_code_point_and_place_and_nothing_is_written(letter: str) -> None:
    out = io.BytesIO()
    with pytest.raises(UndrawableLetter) as refused:
        draw_book(book(table(("1", "秘密の文"), ("2", f"秘密の文{letter}"))), out)
    assert str(refused.value).startswith("billing.invoices row 2 k1: ")
    assert f"U+{ord(letter):04X}" in str(refused.value)
    assert letter not in str(refused.value) and "秘密" not in repr(refused.value)
    assert out.getvalue() == b""


def test_an_empty_box_is_no_glyph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(face("gothic").face.charToGlyph, 0xE123, 0)
    with pytest.raises(UndrawableLetter):
        GOTHIC.spell("\ue123", ("here",))


TRAPS = ["佐藤\u3000一郎", "\u3000先頭全角空白", "a&b=1&session=x", "a<b> c", "A&amp;B", "x  y   z", "AT&T", "<script>",
         "1 < 2", "&lt;b&gt;", "%PDF (a\\b) Tj", "ｱｲｳﾞ", "①㋿㍿〜－", "=1+1"]


@pytest.mark.parametrize("trap", TRAPS)
def test_data_survives_as_it_is(trap: str) -> None:
    """What ReportLab's own paragraphs change in silence (pdf.md 1.4) comes out letter by letter."""
    assert trap in miner(drawn(book(table(("1", trap)))))


@pytest.mark.parametrize(("stored", "shown"), [
    ("a\tb", "a［TAB］b"), ("ctrl\x07x", "ctrl［U+0007］x"), ("\u202e逆", "［U+202E］逆"),
    ("ゼロ\u200b幅", "ゼロ［U+200B］幅"),
    ("BOM\ufeff", "BOM［U+FEFF］"), ("a\u2028b", "a［U+2028］b"), ("\U000e0100x", "［U+E0100］x"),
    ("\u00ady", "［U+00AD］y"), ("\U000e0041z", "［U+E0041］z"), ("a\u2003b", "a［U+2003］b"),
])
def test_what_cannot_be_seen_is_printed_as_a_note(stored: str, shown: str) -> None:
    for text in both(drawn(book(table(("1", stored))))):
        assert shown in text
        assert not set(stored) & set(text) & set("\x07\u202e\u200b\u2028")


def test_every_letter_has_a_place_in_the_line_breaks() -> None:
    """A line break in the data is a line break on paper, a no-break space reads as one."""
    glyphs = GOTHIC.spell("一\r\n二\n\n三\r四\xa0五", ())
    lines = ["".join(g.reading for g in glyphs[a:b]) for a, b in break_lines(glyphs, 99)]
    assert lines == ["一", "二", "", "三", "四\xa0五"]


LAW = (
    "個人情報の保護に関する法律（平成15年法律第57号。以下「法」という。）第33条第2項の規定に基づき、ウェブサイト"
    "（https://www.mirai.example/privacy?a=1&b=2）に掲載した手続に従い、通話明細 1,234,567件のうち「番号非通知」の着信…"
    "を除き、開示します！料金は¥12,345、サービス々々、ショートメッセージ。Communications  Corporation"
)


@pytest.mark.parametrize("limit", [*range(6, 40), 6.3, 11.7, 23.5])
def test_no_line_begins_or_ends_against_the_rule_and_nothing_is_lost(limit: float) -> None:
    glyphs = GOTHIC.spell(LAW, ())
    lines = [glyphs[a:b] for a, b in break_lines(glyphs, limit)]
    assert [g for line in lines for g in line] == glyphs
    assert all(width(line) <= limit + width(GOTHIC.spell(" ", ())) + 1e-6 for line in lines)
    if limit >= 11:  # narrower than its longest unbreakable word, a line is cut where it is full
        assert not [line for line in lines[1:] if line[0].reading in NOT_FIRST]
        assert not [line for line in lines[:-1] if line[-1].reading in NOT_LAST]


def test_a_masked_cell_prints_what_is_shown_and_neither_mark_nor_ground() -> None:
    cells = [
        c.Masked("092-000-＊＊＊＊", "last4", "GROUND-A"), c.Masked("（番号不開示）", "withheld_number", "GROUND-B"),
        c.Masked("隣の■■■（第三者に関する情報）さま", "person_other", "GROUND-C"),
        c.Masked("（確認中）", "under_review", "GROUND-D"),
    ]
    pdf = drawn(book(table(*((str(i), cell) for i, cell in enumerate(cells)))))
    for text in both(pdf):
        assert all(cell.shown in text for cell in cells)
        assert not re.search("GROUND|last4|withheld_number|person_other", text)
    assert b"GROUND" not in pdf


def test_the_box_of_a_whole_mask_is_as_wide_for_short_as_for_long() -> None:
    """Its width is the column's, so that it says nothing about what was there."""
    with drawing("t", "D1", DAY, lambda *_: None) as sheet:
        rows: list[tuple[c.Cell, ...]] = [("1", c.Masked("（番号不開示）", "m", "g")),
                                          ("2", c.Masked("■■■（不開示・1号）", "m", "g")), ("3", "090-0000-0000")]
        draw_rows(sheet, table(*rows))
        boxes = [line.partition("0.13 0.13 0.13 rg ")[2] for line in sheet.page.operators if "0.13 0.13 0.13 rg" in line]
    assert len(boxes) == 2 and len({box.split()[2] for box in boxes}) == 1


@pytest.mark.parametrize("paper", [LETTER, SLIP, book(table(("1", NAME)))], ids=["letter", "slip", "book"])
def test_same_content_gives_the_same_bytes(paper: c.Book | c.Letter | c.Slip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was drawn before, whatever the clock and the environment say."""
    first = drawn(paper)
    drawn(book(table(("1", "別の文書の文字：鬱蒼" + ODD_TSUJI))))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    time.sleep(0.01)
    assert drawn(paper) == first


def test_one_document_is_at_the_press_at_a_time() -> None:
    """ReportLab's fonts are shared and keep a reading position: a second document waits, and both come out right."""
    waiting, later = book(table(("1", "祇園"))), io.BytesIO()
    other = threading.Thread(target=draw_book, args=(waiting, later))

    def rows() -> Iterator[tuple[c.Cell, ...]]:
        if other.ident is None:
            other.start()
            other.join(0.3)
        assert other.is_alive()
        yield "1", "葛飾"

    first = drawn(book(table(rows=rows, count=1)))
    other.join()
    assert first == drawn(book(table(("1", "葛飾")))) and later.getvalue() == drawn(waiting)


@pytest.mark.parametrize("paper", [LETTER, SLIP, book(table(("1", NAME)))], ids=["letter", "slip", "book"])
def test_fonts_are_embedded_and_the_metadata_name_nobody(paper: c.Book | c.Letter | c.Slip) -> None:
    pdf = drawn(paper)
    with pikepdf.open(io.BytesIO(pdf)) as read:
        fonts = [found for found in read.objects if isinstance(found, pikepdf.Dictionary) and found.get("/Type") == "/Font"]
        assert fonts and all("/ToUnicode" in font and "/FontFile2" in font.FontDescriptor for font in fonts)
        assert not [font for font in fonts if "Helvetica" in str(font.BaseFont)]
        assert read.Root.Lang == "ja-JP"
    document = pypdfium2.PdfDocument(pdf)
    told = document.get_metadata_dict()
    document.close()
    title = getattr(paper, "title", "受付票")
    assert told["Title"] == f"{title} D2026-0012"
    assert told["CreationDate"].startswith("D:20261122")
    assert not told["Author"] and not told["Subject"] and not told["Keywords"]


PAPERS = {
    "letter": LETTER, "slip": SLIP, "book": book(table(("1", NAME), ("2", c.Masked("（番号不開示）", "m", "g")))),
    "english": book(table(("1", "a")), language="en"), "empty": book(),
    "long": book(table(*[(str(n), f"内容{n}") for n in range(2_300)])),
}  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_every_paper_is_accessible_and_fit_for_the_archive(name: str) -> None:
    """PDF/A-3a and PDF/UA-1 (machine-checkable part), and nothing for qpdf to complain of."""
    pdf = drawn(PAPERS[name])
    for profile in PROFILES:
        report = page.validate_pdf_bytes(pdf, profile=profile, limits=page.SafetyLimits.unlimited())
        assert [(failure.rule_id, failure.message) for failure in report.failures] == []
    with pikepdf.open(io.BytesIO(pdf)) as read:
        assert read.check_pdf_syntax() == []


def test_the_check_of_standards_sees_what_is_not_standard() -> None:
    with pikepdf.open(io.BytesIO(drawn(LETTER))) as read:
        del read.Root.MarkInfo, read.Root.Metadata
        out = io.BytesIO()
        read.save(out)
    for profile in PROFILES:
        assert not page.validate_pdf_bytes(out.getvalue(), profile=profile).is_compliant


def test_a_core_build_passes_the_second_validator(tmp_path: Path) -> None:
    """pikepdf's allow-list knows neither level A nor UA: the same file under level B alone."""
    path = tmp_path / "core.pdf"
    with pikepdf.open(io.BytesIO(drawn(PAPERS["book"]))) as read:
        xmp = read.Root.Metadata.read_bytes().decode()
        ours = r"<pdfaExtension:schemas>.*</pdfaExtension:schemas>|<pdfuaid:part>1</pdfuaid:part>"
        xmp = re.sub(rf'{ours}|xmlns:(pdfa[ESP]\w+|pdfuaid)="[^"]*"', "", xmp, flags=re.DOTALL)
        read.Root.Metadata.write(xmp.replace("<pdfaid:conformance>A<", "<pdfaid:conformance>B<").encode())
        read.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    assert pikepdf.pdfa.validate_written(path, "3b").findings == []


def reading_order(pdf: bytes) -> list[str]:
    """Elements as a screen reader meets them: role, and the text of each."""
    read = pikepdf.open(io.BytesIO(pdf))
    told = pieces_of(read)
    found: list[str] = []

    def walk(element: pikepdf.Object, depth: int) -> None:
        kids = list(element.get("/K", []))
        text = "".join(told.get((element.Pg.objgen[0], int(kid)), "") for kid in kids if isinstance(kid, int))
        text += "".join(told.get((kid.Pg.objgen[0], int(kid.MCID)), "") for kid in kids
                        if isinstance(kid, pikepdf.Dictionary) and kid.get("/Type") == "/MCR")  # fmt: skip
        found.append(f"{' ' * depth}{str(element.S)[1:]} {text}".rstrip())
        for kid in kids:
            if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
                walk(kid, depth + 1)

    walk(read.Root.StructTreeRoot.K[0], 0)
    return found


def pieces_of(read: pikepdf.Pdf) -> dict[tuple[int, int], str]:
    """(page's object number, mark) → the text drawn there, by the fonts' own maps."""
    told: dict[tuple[int, int], str] = {}
    for sheet in read.pages:
        maps = {name: {int(code, 16): bytes.fromhex(to).decode("utf-16-be") for code, to in
                       re.findall(r"<([0-9A-F]{2})> <([0-9A-F]{4,})>", font.ToUnicode.read_bytes().decode())}
                for name, font in sheet.Resources.Font.items()}  # fmt: skip
        mark, font = None, ""
        for operands, operator in pikepdf.parse_content_stream(sheet):
            if str(operator) == "BDC":
                mark = int(operands[1].MCID)
            elif str(operator) in ("BMC", "EMC"):
                mark = None
            elif str(operator) == "Tf":
                font = str(operands[0])
            elif str(operator) == "Tj" and mark is not None:
                text = "".join(maps[font][code] for code in bytes(operands[0]))
                told[sheet.objgen[0], mark] = told.get((sheet.objgen[0], mark), "") + text
    return told


def test_a_book_is_read_in_order() -> None:
    rows = [("1", NAME), ("2", c.Masked("（番号不開示）", "m", "g"))]
    found = reading_order(drawn(book(table(*rows), title="開示書")))
    assert found[:3] == ["Document", " H1 開示書", " Table"]
    toc = found.index(" TOC")
    assert found[toc + 1 : toc + 4] == ["  TOCI", "   Reference", "    Link 01ご案内2"]
    start = found.index("  H3 表")
    assert found[start : start + 11] == [
        "  H3 表", "  P billing.invoices　2件", "  Table", "   TR", "    TH 記録番号", "    TH 内容", "   TR", "    TD 1",
        f"    TD {NAME}", "   TR", "    TD 2",
    ]  # fmt: skip
    assert found[start + 11] == "    TD （番号不開示）"
    assert [line for line in found if line.startswith("  H2")] == [
        "  H2 01　ご案内", "  H2 03　ご請求・お支払い", "  H2 16　不開示・不存在"]


def test_a_long_table_is_read_as_several_each_with_its_head() -> None:
    found = reading_order(drawn(PAPERS["long"]))
    start = found.index("  H3 表")
    end = next(i for i in range(start, len(found)) if found[i].startswith("  H2 16"))
    tables = "\n".join(found[start:end]).split("  Table\n")[1:]
    assert len(tables) > 2 and all(part.startswith("   TR\n    TH 記録番号") for part in tables)
    assert all(part.count("   TR") <= 1_050 for part in tables)
    assert sum(part.count("\n   TR") + part.startswith("   TR") for part in tables) == 2_300 + len(tables)


def test_contents_and_outline_lead_to_the_parts_and_pages_are_numbered() -> None:
    with pikepdf.open(io.BytesIO(drawn(PAPERS["long"]))) as read:
        links = [note for sheet in read.pages for note in sheet.get("/Annots", [])]
        numbers = {sheet.objgen: number for number, sheet in enumerate(read.pages, start=1)}
        told = [(str(link.Contents), numbers[link.Dest[0].objgen]) for link in links]
        assert [words.endswith(f"（{number}ページ）") for words, number in told] == [True] * 3
        with read.open_outline() as outline:
            assert [item.title[:2] for item in outline.root] == ["01", "03", "16"]
        assert list(read.Root.PageLabels.Nums)[1].S == "/D"


def test_no_compressed_stream_ends_in_a_lines_end() -> None:
    """Validators take such a stream for one of a wrong length; over these one in a hundred would, left alone."""
    written = drawn(PAPERS["long"])
    bodies = re.findall(rb"stream\n(.*?)\nendstream", written, re.DOTALL)
    assert len(bodies) > 80
    assert not [body for body in bodies if b"<?xpacket" not in body and body[-1:] in (b"\n", b"\r")]
    assert packed(b"x" * 37, b" ")[0][-1:] not in (b"\n", b"\r")
    for padding in (b" ", b"\1"):  # of text, and of a font
        ends = {packed(bytes([n]), padding)[0][-1] for n in range(256)}
        assert not ends & {10, 13} and len(ends) > 200


def test_the_vendored_fonts_are_the_ones_recorded() -> None:
    recorded = {line[66:]: line[:64] for line in (FONTS / "SHA256SUMS").read_text().splitlines()}
    here = {str(p.relative_to(FONTS)): p for p in FONTS.rglob("*") if p.suffix in (".ttf", ".txt")}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in here.items()} == recorded
    assert all((path.parent / "OFL.txt").exists() for path in here.values())


def test_the_book_goes_from_cover_to_what_was_not_shown() -> None:
    text = pages(drawn(book(table(("INV-1", "x")))))
    cover, whole = text[0], "".join(text[1:])
    assert "D2026-0012" in cover and "令和8年11月22日（2026-11-22）" in cover and "目次" in cover
    order = ["ご案内", "ご請求・お支払い", "INV-1", "不開示・不存在", "調べたシステムと結果",
             "お見せしていない箇所（理由別）", HEAD.text]
    places = [whole.index(part) for part in order]
    assert places == sorted(places)
    for label in ("該当あり", "該当なし", "不開示", "権限なし", "調査せず", "確認未了"):
        assert label in whole
    assert "「記録がない」という意味ではありません" in whole
    assert re.search(r"合計\s+7\b", whole)
    assert all(f"{n} / {len(text)}" in page for n, page in enumerate(text, start=1))


def test_the_contents_name_the_page_a_part_is_on() -> None:
    text = pages(drawn(book(table(*((str(i), "行") for i in range(90))))))
    listed = dict(re.findall(r"(?m)^(\d\d)\s*(?:ご案内|ご請求・お支払い|不開示・不存在)\s*(\d+)\s*$", text[0]))
    assert set(listed) == {"01", "03", "16"}
    for part, number in listed.items():
        assert re.search(rf"(?m)^{part}\u3000", text[int(number) - 1]) or re.search(rf"{part}\s", text[int(number) - 1])


def test_three_thousand_rows_are_quick_and_all_there_under_a_repeated_head() -> None:
    def rows() -> Iterator[tuple[c.Cell, ...]]:
        for i in range(3000):
            number: c.Cell = c.Masked("（番号不開示）", "m", "g") if i % 5 else "090-1"
            yield f"CD{i:06}", f"2026-04-01 09:{i % 60:02}", number, "新宿局"

    labels = ("記録番号", "日時", "相手方", "基地局")
    started = time.process_time()
    pdf = drawn(book(table(labels=labels, rows=rows, count=3000)))
    spent = time.process_time() - started
    text = pages(pdf)
    assert sorted(re.findall(r"CD\d{6}", "".join(text))) == [f"CD{i:06}" for i in range(3000)]
    assert all("相手方" in page for page in text if "CD0" in page)
    assert spent < 10


def test_a_row_taller_than_a_page_goes_on_and_loses_nothing() -> None:
    note = "".join(f"〈{i}〉という記載。" for i in range(700))
    columns = (c.Column("no", "記録番号"), c.Column("note", "内容", wide=True))
    text = pages(drawn(book(table(("T-1", note), ("T-2", "終わり"), columns=columns))))
    assert [int(n) for n in re.findall(r"〈(\d+)〉", "".join(text))] == list(range(700))
    assert sum("記録番号" in page and "〉" in page for page in text) >= 2
    assert "終わり" in "".join(text)


def test_identifiers_and_days_do_not_wrap_beside_running_text() -> None:
    columns = (c.Column("no", "記録番号"), c.Column("at", "受付日時"), c.Column("t", "内容", wide=True),
               c.Column("u", "URL", wide=True))
    row = ("TT-90377-000123", "2026-02-14 21:40:00", "電波の調査を手配した。" * 12, "https://my.example/a/b?c=d" * 4)
    text = miner(drawn(book(table(row, row, row, row, columns=columns))))
    assert text.count(row[0]) == 4 and text.count(row[1]) == 4


def test_columns_that_cannot_stand_side_by_side_become_cards() -> None:
    labels = tuple(f"とても長い項目名{i}" for i in range(30))
    text = miner(drawn(book(table(*(tuple(f"値-{r}-{i}" for i in range(30)) for r in range(5)), labels=labels))))
    assert all(f"値-{r}-{i}\n" in text for r in range(5) for i in range(30))
    assert text.count("とても長い項目名29") == 5 and "5 / 5" in text


def test_running_text_that_would_stand_in_a_thin_column_becomes_cards() -> None:
    columns = (*(c.Column(f"k{i}", f"項目{i}") for i in range(4)), c.Column("t", "内容", wide=True))
    row = (*(f"{i}-{'0' * 19}" for i in range(4)), "電波の調査を手配した。" * 30)
    text = miner(drawn(book(table(row, row, row, row, columns=columns))))
    assert text.count("項目3") == 4 and "4 / 4" in text


@pytest.mark.parametrize(("columns", "long"), [(4, 1), (18, 3), (18, 12), (2, 90)])
def test_a_table_s_pages_are_told_before_it_is_drawn(columns: int, long: int) -> None:
    """Side by side, stacked, as cards and as notes: rows alone say nothing of pages."""
    rows = [tuple(f"{r}の値" + "みなと" * (long if i else 1) for i in range(columns)) for r in range(150)]
    made = table(*rows, columns=tuple(c.Column(f"k{i}", f"項目{i}", wide=long == 90) for i in range(columns)))
    alone = len(pages(drawn(book(made)))) - len(pages(drawn(book())))
    assert alone == pytest.approx(pages_asked(made), rel=0.05, abs=1.5)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_table_that_hands_over_other_than_it_states_is_refused(count: int) -> None:
    with pytest.raises(CheckFailed, match=r"billing\.invoices: .* were stated"):
        drawn(book(table(("1", "a"), ("2", "b"), count=count)))


def test_what_a_part_says_beside_its_tables_opens_no_page_alone() -> None:
    for count in range(20, 60):
        made = table(*((str(i), "行") for i in range(count)))
        said = c.Chapter("02", "ご契約", "", (made,), ("利用者登録：該当なし",))
        text = pages(drawn(replace(book(), chapters=(said,))))
        assert "ご契約" in next(page for page in text if "該当なし" in page).split("該当なし")[0], count


def test_a_table_of_no_rows_says_so() -> None:
    assert "0 件です" in miner(drawn(book(table())))


def test_the_letter_carries_reasons_digests_and_the_witness() -> None:
    text = pages(drawn(LETTER))
    whole = "".join(text)
    order = ["令和8年11月22日", NAME, "代表取締役", "保有個人データ開示決定通知書", "次のとおり決定", "記\r", "300円",
             "一部開示", SHA, "窓口に申し出る", "推進センター", "以上", HEAD.text]
    places = [whole.index(part) for part in order]
    assert places == sorted(places)
    assert "法第33条第2項第1号" in whole and "411,234" in whole
    assert all(f"{n} / {len(text)}" in page for n, page in enumerate(text, start=1))


def test_the_slip_says_what_was_understood_and_is_one_page() -> None:
    (text,) = pages(drawn(SLIP))
    for part in ("受付票", "令和8年11月2日（2026-11-02）", "郵送", "本人確認書類", "令和8年11月16日", "さくら-48"):
        assert part in text


def test_english_adds_glosses_and_takes_no_japanese_away() -> None:
    for paper, gloss, heading in (
        (replace(LETTER, language="en"), "Notice of Decision on Disclosure", "保有個人データ開示決定通知書"),
        (replace(SLIP, language="en"), "Check word", "確認の合言葉"),
        (book(table(("1", "x")), language="en"), "Bills and payments", "ご請求・お支払い"),
    ):
        text = miner(drawn(paper))
        assert gloss in text and heading in text


def test_nothing_said_of_a_value_shows_a_person() -> None:
    for value in (RECIPIENT, LETTER, SLIP, book(table(("1", NAME))), c.Chapter("02", "t", lines=(NAME,))):
        assert NAME not in repr(value)


@pytest.mark.parametrize(("day", "words"), [
    (date(2019, 4, 30), "平成31年4月30日"), (date(2019, 5, 1), "令和元年5月1日"), (date(1989, 1, 7), "昭和64年1月7日"),
    (date(1989, 1, 8), "平成元年1月8日"), (date(1926, 12, 24), "大正15年12月24日"),
    (date(1912, 7, 29), "明治45年7月29日"), (date(1873, 1, 1), "明治6年1月1日"), (date(1872, 12, 31), "1872年12月31日"),
])
def test_an_era_begins_on_its_day(day: date, words: str) -> None:
    assert era_day(day) == words
