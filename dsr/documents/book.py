"""The disclosure book (開示書): a cover with contents, parts by theme, what was searched, and what is not shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from dsr.documents.content import Book, Chapter, Column, Masked, Redaction, Searched, Table
from dsr.documents.letter import across, witness
from dsr.documents.letters import Place, width
from dsr.documents.rows import FORM_GRID, Ruled, draw_rows, looks_masked
from dsr.documents.sheet import Furniture, Page, Sheet, drawing
from dsr.documents.structure import ENGLISH, pdf_text
from dsr.documents.style import (
    BODY,
    COVER,
    GLOSS,
    LEFT,
    MEASURE,
    MM,
    NAVY,
    PAPER,
    PART,
    RULE,
    SECTION,
    SMALL,
    both_days,
)

GLOSSES = {
    "01": "How to read this book", "02": "Contracts", "03": "Bills and payments", "04": "Use of the services",
    "05": "Faults and equipment", "06": "Inquiries", "07": "Directory and telegrams", "08": "Records of identification",
    "09": "Member site", "10": "Cookies and advertising", "11": "Consents and notices", "12": "Sources",
    "13": "Purposes of use", "14": "Recipients", "15": "Retention", "16": "What is not shown, and what was not found",
}
GUIDE, WITHHELD = "01", "16"
TITLES = {GUIDE: "ご案内", WITHHELD: "不開示・不存在"}
GUIDE_LINES = (
    "この開示書は、当社が保有するお客さまの個人データを、テーマごとの部に分けて載せたものです。決定の内容と理由は、別にお送りする決定通知書をご覧ください。",
    "各表の右上にある英字の名前は、同じ内容の電子ファイル（data フォルダーの CSV と JSON）の名前です。"
    "「記録番号」は、表の一行とファイルの一行を照らし合わせるための番号です。",
    "日時は、特に断りのない限り日本標準時です。金額の単位は円で、△は負の数です。"
    "表の日付は和暦で、R は令和、H は平成、S は昭和を表します（電子ファイルでは西暦です）。"
    "日付として読み取れないものは、保存されている形のまま載せています。",
    "黒い枠は、お見せしていない箇所です。枠の中の文字が理由の区分を示します。枠の幅は、元の文字数を表しません。",
    "灰色の［U+202E］や［TAB］のような表示は、記録に含まれていた、紙の上では見えない文字を示します。"
    "［異体字］は、直前の漢字を標準の字形で代えて印刷したことを示します。",
)
LEGEND = (Column("shown", "表示"), Column("meaning", "意味", wide=True))
SEARCHED = (Column("system", "システム"), Column("dataset", "データ"), Column("status", "結果", wide=True),
            Column("count", "件数", "right"), Column("detail", "備考", wide=True))
REDACTED = (Column("mark", "理由の区分"), Column("citation", "根拠", wide=True), Column("count", "箇所数", "right"))
STATUSES = {
    "found": "記録が見つかり、この開示書に載せました。",
    "none_found": "調べましたが、記録はありませんでした。",
    "withheld": "記録の全部又は一部をお見せしていません。理由は決定通知書に記載しています。",
    "not_ours": "当社が開示等を行う権限を持たないデータです。",
    "not_asked": "備考に記した理由により、調べていません。",
    "unreachable": "確認が完了していません。「記録がない」という意味ではありません。",
}


def draw_book(book: Book, out: BinaryIO) -> int:
    """Writes the book as a PDF; the number of pages.

    Raises UndrawableLetter (no font has a character) and CheckFailed (a table's rows are not as many as stated)
    before anything is written. Memory grows with pages (about 50 KB each), not with rows held.
    """
    with drawing(book.title, book.case_no, book.issued_on, _furniture(book)) as sheet:
        contents = _cover(sheet, book)
        for chapter in _parts(book):
            _part(sheet, book, chapter, contents)
        witness(sheet, book.head)
        contents.fill()
        return sheet.save(out)


def _parts(book: Book) -> list[Chapter]:
    """The engine's chapters, with 01 first and 16 last even where it brought none."""
    parts = {chapter.no: chapter for chapter in book.chapters}
    first = parts.pop(GUIDE, Chapter(GUIDE, TITLES[GUIDE]))
    last = parts.pop(WITHHELD, Chapter(WITHHELD, TITLES[WITHHELD]))
    return [first, *parts.values(), last]


def _furniture(book: Book) -> Furniture:
    def draw(page: Page, number: int, total: int) -> None:
        across(page, 13 * MM, book.party.name, f"{number} / {total}", "取扱注意（親展）")
        if number > 1:
            top = PAPER[1] - 16 * MM
            across(page, top, book.title, "", f"受付番号 {book.case_no}")
            page.line(LEFT, top - 5, LEFT + MEASURE, top - 5)

    return draw


@dataclass
class Contents:
    """The table of contents: its room is kept on the cover, its page numbers are written at the end."""

    sheet: Sheet
    page: Page
    tops: dict[str, tuple[float, int]]
    titles: dict[str, str]
    found: dict[str, tuple[Page, float]]

    def fill(self) -> None:
        for no, (top, link) in self.tops.items():
            with self.sheet.structure.into(link):
                self._entry(no, top)

    def _entry(self, no: str, top: float) -> None:
        base, (target, to_y) = top - BODY.rise(), self.found[no]
        label = SECTION.hand.spell(no, ("contents",))
        title = BODY.hand.spell(self.titles[no], ("contents", no))
        number = BODY.hand.spell(str(target.number + 1), ("contents",))
        end = LEFT + MEASURE - width(number) * BODY.size
        self.page.write(LEFT, base, label, SECTION)
        self.page.write(LEFT + 26, base, title, BODY)
        self.page.write(end, base, number, BODY)
        start = LEFT + 32 + width(title) * BODY.size
        self.page.operators.append("[0.6 2.4] 0 d")
        self.page.line(start, base + 2.5, end - 6, base + 2.5, 0.6, RULE)
        self.page.operators.append("[] 0 d")
        area = (LEFT, top - BODY.leading, LEFT + MEASURE, top)
        self.page.link(area, target, to_y, f"{no} {self.titles[no]}（{target.number + 1}ページ）")


def _cover(sheet: Sheet, book: Book) -> Contents:
    sheet.skip(14)
    sheet.paragraph(book.title, COVER, ("title",), "center", role="H1")
    if book.language == "en":
        sheet.paragraph("Disclosure of Retained Personal Data", GLOSS, ("title",), "center", attributes=ENGLISH)
    sheet.page.line(LEFT, sheet.y - 6, LEFT + MEASURE, sheet.y - 6, 1.2, NAVY)
    sheet.skip(20)
    ruled = Ruled(sheet, [92.0, MEASURE - 92.0], ["left", "left"], FORM_GRID, ("cover",))
    to, party = book.recipient, book.party
    for label, text in (
        ("受付番号", book.case_no),
        ("発行日", both_days(book.issued_on)),
        ("交付を受ける方", f"{to.name}　{to.honorific}"),
        ("発行者", "\n".join((party.name, party.address, party.representative))),
        ("問い合わせ先", party.desk),
    ):
        ruled.row([label, text])
    sheet.skip(22)
    return _contents(sheet, book)


def _contents(sheet: Sheet, book: Book) -> Contents:
    sheet.paragraph("目次　Contents" if book.language == "en" else "目次", SECTION, ("contents",), role="H2")
    sheet.skip(4)
    tops: dict[str, tuple[float, int]] = {}
    parts, tree = _parts(book), sheet.structure
    pitch = min(22.0, (sheet.left_over - 4) / len(parts))
    with tree.within("TOC") as toc:
        for chapter in parts:
            entry = tree.open("Reference", tree.open("TOCI", toc))
            tops[chapter.no] = sheet.y, tree.open("Link", entry)
            sheet.skip(pitch)
    titles = {chapter.no: chapter.title for chapter in parts}
    contents = Contents(sheet, sheet.page, tops, titles, {})
    sheet.new_page()
    return contents


def _part(sheet: Sheet, book: Book, chapter: Chapter, contents: Contents) -> None:
    sheet.room(190)
    with sheet.structure.within("Sect"):
        _part_head(sheet, book, chapter, contents)
        if chapter.no == GUIDE:
            _guide(sheet, book)
        if chapter.intro:
            sheet.paragraph(chapter.intro, BODY, ("part", chapter.no), "justify")
            sheet.skip(4)
        for table in chapter.tables:
            _table(sheet, table)
        _bullets(sheet, chapter.lines, ("part", chapter.no, "line"))
        if chapter.no == WITHHELD:
            _searched(sheet, book)
            _redactions(sheet, book)
    sheet.skip(24)


def _part_head(sheet: Sheet, book: Book, chapter: Chapter, contents: Contents) -> None:
    contents.found[chapter.no] = sheet.page, sheet.y + 6
    sheet.page.outline(f"part-{chapter.no}", f"{chapter.no} {chapter.title}", sheet.y + 6)
    sheet.paragraph(f"{chapter.no}　{chapter.title}", PART, ("part", chapter.no, "title"), role="H2")
    if book.language == "en" and chapter.no in GLOSSES:
        sheet.paragraph(GLOSSES[chapter.no], GLOSS, ("part", chapter.no), attributes=ENGLISH)
    sheet.page.line(LEFT, sheet.y - 2, LEFT + MEASURE, sheet.y - 2, 1.2, NAVY)
    sheet.skip(10)


def _section(sheet: Sheet, book: Book, title: str, english: str) -> None:
    sheet.skip(8)
    sheet.paragraph(f"{title}　{english}" if book.language == "en" else title, SECTION, (title,), keep=60, role="H3")
    sheet.skip(2)


def _bullets(sheet: Sheet, lines: Sequence[str], place: Place) -> None:
    if not lines:
        return
    hang = width(BODY.hand.spell("・", place)) * BODY.size
    with sheet.structure.within("L"):
        for number, text in enumerate(lines):
            with sheet.structure.within("LI"):
                sheet.paragraph(f"・{text}", BODY, (*place, number), "justify", hang=hang, role="LBody")


def _guide(sheet: Sheet, book: Book) -> None:
    _bullets(sheet, GUIDE_LINES, ("guide",))
    if book.holdings:
        _section(sheet, book, "どこに何件あるか", "What is held where")
        _chart(sheet, book.holdings)
    if book.legend:
        _section(sheet, book, "記号と表示", "Marks")
        rows = [[Masked(shown, "legend", "") if looks_masked(shown) else shown, meaning]
                for shown, meaning in book.legend]
        draw_rows(sheet, Table("", "legend", LEGEND, lambda: rows, len(rows)))
    sheet.skip(8)


BAR, LABELLED = 13.0, 150.0


def _chart(sheet: Sheet, holdings: Sequence[tuple[str, int]]) -> None:
    """Bars of the rows shown in each part; the numbers stand beside them, and in words for whoever cannot see it."""
    height, most = BAR * len(holdings) + 6, max(count for _, count in holdings)
    sheet.room(height + 8)
    top, left, across = sheet.y - 2, LEFT + LABELLED, MEASURE - LABELLED - 50
    words = "、".join(f"{label} {count:,}件" for label, count in holdings)
    box = f"/A<</O/Layout/Placement/Block/BBox[{LEFT:.1f} {top - height:.1f} {LEFT + MEASURE:.1f} {top:.1f}]>>"
    with sheet.structure.within("Figure", f"/Alt {pdf_text(f'部ごとの件数の横棒グラフ。{words}')}{box}"):
        for number, (label, count) in enumerate(holdings):
            base = top - BAR * number - BAR + 3.5
            sheet.page.write(LEFT, base, SMALL.hand.spell(label, ("chart", label)), SMALL)
            long = max(1.0, across * count / most)
            sheet.page.fill(left, base - 1.5, long, BAR - 4, NAVY)
            sheet.page.write(left + long + 5, base, SMALL.hand.spell(f"{count:,}件", ("chart", label)), SMALL)
    sheet.skip(height + 6)


def _table(sheet: Sheet, table: Table) -> None:
    sheet.skip(6)
    sheet.room(90)
    top, page = sheet.y, sheet.page
    source = SMALL.hand.spell(f"{table.dataset}　{table.count:,}件", (table.dataset,))
    sheet.paragraph(table.title, SECTION, (table.dataset, "title"), measure=MEASURE - width(source) * SMALL.size - 8,
                    role="H3")
    with sheet.structure.within("P"):
        page.write(LEFT + MEASURE - width(source) * SMALL.size, top - SECTION.rise(), source, GLOSS)
    if table.note:
        sheet.paragraph(table.note, SMALL, (table.dataset, "note"), "justify")
    sheet.skip(2)
    draw_rows(sheet, table)
    sheet.skip(8)


def _searched(sheet: Sheet, book: Book) -> None:
    """Every dataset that was or was not looked into, each with one outward result (documents.md §3)."""
    _section(sheet, book, "調べたシステムと結果", "What was searched")
    labels = {line.status: line.status_label for line in book.searched}
    counts = Counter(line.status for line in book.searched)
    total = "、".join(f"{labels[status]} {counts[status]}" for status in labels)
    lead = f"{len(book.searched)} のデータについて、結果は次のとおりです（{total}）。"
    sheet.paragraph(lead, BODY, ("searched",), "justify")
    sheet.skip(4)
    rows = [_searched_row(line) for line in book.searched]
    draw_rows(sheet, Table("", "searched", SEARCHED, lambda: rows, len(rows)))
    sheet.skip(8)
    for status in labels:
        if status in STATUSES:
            sheet.paragraph(f"{labels[status]}：{STATUSES[status]}", SMALL, ("searched", status), hang=SMALL.size)


def _searched_row(line: Searched) -> list[str]:
    count = "―" if line.count is None else f"{line.count:,}"
    return [line.system, line.dataset, line.status_label, count, line.detail or "―"]


def _redactions(sheet: Sheet, book: Book) -> None:
    _section(sheet, book, "お見せしていない箇所（理由別）", "What is not shown, by reason")
    if not book.redactions:
        sheet.paragraph("見つかった記録のうち、お見せしていない箇所はありません。", BODY, ("redactions",))
        return
    rows = [_redaction_row(line) for line in book.redactions]
    rows.append(["合計", "", f"{sum(line.count for line in book.redactions):,}"])
    draw_rows(sheet, Table("", "redactions", REDACTED, lambda: rows, len(rows)))


def _redaction_row(line: Redaction) -> list[str]:
    return [line.mark_label, line.citation, f"{line.count:,}"]
