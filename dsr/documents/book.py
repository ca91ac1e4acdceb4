"""The disclosure book (開示書): a cover with contents, parts by theme, what was searched, and what is not shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from dsr.documents.content import (
    Book,
    Chapter,
    Column,
    Masked,
    Redaction,
    Searched,
    Table,
    Text,
    Words,
    after,
    drawn_in,
    listed,
    words,
)
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
    gloss,
)
from dsr.documents.wordings import WORDINGS, beside, part, say

GUIDE, WITHHELD = "01", "16"
GUIDANCE = ("guide.book", "guide.files", "guide.days", "guide.boxes", "guide.unseen")
LEGEND = (Column("shown", say("shown")), Column("meaning", say("meaning"), wide=True))
SEARCHED = (Column("system", say("system")), Column("dataset", say("dataset")),
            Column("status", say("result"), wide=True), Column("count", say("count"), "right"),
            Column("detail", say("remark"), wide=True))  # fmt: skip
REDACTED = (Column("mark", say("mark")), Column("citation", say("citation"), wide=True),
            Column("count", say("places"), "right"))  # fmt: skip


COVER_LABEL = {"ja": 92.0, "en": 132.0}


def draw_book(book: Book, out: BinaryIO) -> int:
    """Writes the book as a PDF; the number of pages.

    Raises UndrawableLetter (no font has a character) and CheckFailed (a table's rows are not as many as stated)
    before anything is written. Memory grows with pages (about 50 KB each), not with rows held.
    """
    with drawing(book.title, book.case_no, book.issued_on, _furniture(book), language=book.language) as sheet:
        contents = _cover(sheet, book)
        for chapter in _parts(book):
            _part(sheet, book, chapter, contents)
        witness(sheet, book.head)
        contents.fill()
        return sheet.save(out)


def _parts(book: Book) -> list[Chapter]:
    """The engine's chapters, with 01 first and 16 last even where it brought none."""
    parts = {chapter.no: chapter for chapter in book.chapters}
    first, last = (parts.pop(no, Chapter(no, part(no))) for no in (GUIDE, WITHHELD))
    return [first, *parts.values(), last]


def _furniture(book: Book) -> Furniture:
    secret, case = (beside(say(key), book.language) for key in ("confidential", "case"))

    def draw(page: Page, number: int, total: int) -> None:
        across(page, 13 * MM, words(book.party.name).ja, f"{number} / {total}", secret)
        if number > 1:
            top = PAPER[1] - 16 * MM
            across(page, top, beside(book.title, book.language), "", f"{case} {book.case_no}")
            page.line(LEFT, top - 5, LEFT + MEASURE, top - 5)

    return draw


@dataclass
class Contents:
    """The table of contents: its room is kept on the cover, its page numbers are written at the end."""

    sheet: Sheet
    page: Page
    tops: dict[str, tuple[float, int]]
    titles: dict[str, Text]
    found: dict[str, tuple[Page, float]]

    def fill(self) -> None:
        for no, (top, link) in self.tops.items():
            with self.sheet.structure.into(link):
                self._entry(no, top)

    def _entry(self, no: str, top: float) -> None:
        base, (target, to_y), line = top - BODY.rise(), self.found[no], self.sheet.line
        number = str(target.number + 1)
        end = LEFT + MEASURE - width(BODY.hand.spell(number, ("contents",))) * BODY.size
        line(no, LEFT, base, SECTION, ("contents",), self.page)
        start = 6 + line(self.titles[no], LEFT + 26, base, BODY, ("contents", no), self.page)
        line(number, end, base, BODY, ("contents",), self.page)
        self.page.operators.append("[0.6 2.4] 0 d")
        self.page.line(start, base + 2.5, end - 6, base + 2.5, 0.6, RULE)
        self.page.operators.append("[] 0 d")
        area = (LEFT, top - BODY.leading, LEFT + MEASURE, top)
        told = say("page", part=f"{no} {words(self.titles[no]).ja}", number=number)
        self.page.link(area, target, to_y, told.ja)


def _cover(sheet: Sheet, book: Book) -> Contents:
    sheet.skip(14)
    sheet.paragraph(book.title, COVER, ("title",), "center", role="H1")
    sheet.page.line(LEFT, sheet.y - 6, LEFT + MEASURE, sheet.y - 6, 1.2, NAVY)
    sheet.skip(20)
    shaded = COVER_LABEL[book.language]
    ruled = Ruled(sheet, [shaded, MEASURE - shaded], ["left", "left"], FORM_GRID, ("cover",))
    to, party = book.recipient, book.party
    for label, text in (
        ("case", book.case_no),
        ("issued_on", both_days(book.issued_on)),
        ("recipient", f"{to.name}　{to.honorific}"),
        ("issuer", listed((party.name, party.address, party.representative), "\n", "\n")),
        ("desk", party.desk),
    ):
        ruled.row([say(label), text])
    sheet.skip(22)
    return _contents(sheet, book)


def _contents(sheet: Sheet, book: Book) -> Contents:
    sheet.paragraph(say("contents"), SECTION, ("contents",), role="H2")
    sheet.skip(4)
    tops: dict[str, tuple[float, int]] = {}
    parts, tree = _parts(book), sheet.structure
    pitch = min(22.0, (sheet.left_over - 4) / len(parts))
    with tree.within("TOC") as toc:
        for chapter in parts:
            entry = tree.open("Reference", tree.open("TOCI", toc))
            tops[chapter.no] = sheet.y, tree.open("Link", entry)
            sheet.skip(pitch)
    titles = {chapter.no: _title(chapter) for chapter in parts}
    contents = Contents(sheet, sheet.page, tops, titles, {})
    sheet.new_page()
    return contents


def _title(chapter: Chapter) -> Text:
    """The part's own title, with the gloss that its number has."""
    return Words(words(chapter.title).ja, part(chapter.no).en)


def _part(sheet: Sheet, book: Book, chapter: Chapter, contents: Contents) -> None:
    sheet.room(190)
    with sheet.structure.within("Sect"):
        _part_head(sheet, book, chapter, contents)
        if chapter.no == GUIDE:
            _guide(sheet, book)
        if chapter.intro:
            sheet.paragraph(chapter.intro, BODY, ("part", chapter.no), "justify")
            sheet.skip(4)
        _bullets(sheet, chapter.lines, ("part", chapter.no, "line"))  # first: alone they would open a page
        for table in chapter.tables:
            _table(sheet, table)
        if chapter.no == WITHHELD:
            _searched(sheet, book)
            _redactions(sheet, book)
    sheet.skip(24)


def _part_head(sheet: Sheet, book: Book, chapter: Chapter, contents: Contents) -> None:
    contents.found[chapter.no] = sheet.page, sheet.y + 6
    told = beside(_title(chapter), book.language)
    sheet.page.outline(f"part-{chapter.no}", f"{chapter.no} {told}", sheet.y + 6)
    heading = after(f"{chapter.no}　", _title(chapter))
    sheet.paragraph(heading, PART, ("part", chapter.no, "title"), role="H2")
    sheet.page.line(LEFT, sheet.y - 2, LEFT + MEASURE, sheet.y - 2, 1.2, NAVY)
    sheet.skip(10)


def _section(sheet: Sheet, key: str) -> None:
    sheet.skip(8)
    sheet.paragraph(say(key), SECTION, (key,), keep=60, role="H3")
    sheet.skip(2)


def _bullets(sheet: Sheet, lines: Sequence[Text], place: Place) -> None:
    if not lines:
        return
    hang = width(BODY.hand.spell("・", place)) * BODY.size
    with sheet.structure.within("L"):
        for number, text in enumerate(lines):
            with sheet.structure.within("LI"):
                sheet.paragraph(after("・", text), BODY, (*place, number), "justify", hang=hang, role="LBody")


def _guide(sheet: Sheet, book: Book) -> None:
    _bullets(sheet, [say(key) for key in GUIDANCE], ("guide",))
    if book.holdings:
        _section(sheet, "held")
        told = say("chart", counts=listed([say("bar", part=label, n=n) for label, n in book.holdings]))
        chart(sheet, [(label, n, say("counted", n=f"{n:,}").ja) for label, n in book.holdings], told)
    if book.legend:
        _section(sheet, "marks")
        rows = [[Masked(shown, "legend", "") if looks_masked(shown) else shown, meaning]
                for shown, meaning in book.legend]
        draw_rows(sheet, Table("", "legend", LEGEND, lambda: rows, len(rows)))
    sheet.skip(8)


BAR, LABELLED = {"ja": 13.0, "en": 22.0}, 150.0


def chart(sheet: Sheet, bars: Sequence[tuple[Text, float, str]], told: Text) -> None:
    """Bars of how many of each there are; the numbers stand beside them, and in words for whoever cannot see it."""
    bar = BAR[sheet.language]
    height, most = bar * len(bars) + 6, max(count for _, count, _ in bars) or 1
    sheet.room(height + 8)
    spelled = [SMALL.hand.spell(words(label).ja, ("chart", words(label).ja)) for label, _, _ in bars]
    labelled = max(LABELLED, 6 + max(width(glyphs) * SMALL.size for glyphs in spelled))
    top, left, across, small = sheet.y - 2, LEFT + labelled, MEASURE - labelled - 50, gloss(SMALL)
    box = f"/A<</O/Layout/Placement/Block/BBox[{LEFT:.1f} {top - height:.1f} {LEFT + MEASURE:.1f} {top:.1f}]>>"
    with sheet.structure.within("Figure", f"/Alt {pdf_text(beside(told, sheet.language))}{box}"):
        for number, (label, count, said) in enumerate(bars):
            base, place = top - bar * number - BAR["ja"] + 3.5, ("chart", words(label).ja)
            sheet.page.write(LEFT, base, spelled[number], SMALL)
            long = max(1.0, across * count / most) if count else 0.0
            sheet.page.fill(left, base - 1.5, long, BAR["ja"] - 4, NAVY)
            sheet.page.write(left + long + 5, base, SMALL.hand.spell(said, place), SMALL)
            if not isinstance(drawn := drawn_in(label, sheet.language), str):
                with sheet.structure.within("Span", ENGLISH):
                    sheet.page.write(LEFT, base - small.leading + 2, small.hand.spell(drawn.en, place), small)
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
    _section(sheet, "searched")
    labels = {line.status: line.status_label for line in book.searched}
    counts = Counter(line.status for line in book.searched)
    total = listed([say("tally", part=labels[status], n=counts[status]) for status in labels])
    sheet.paragraph(say("searched_lead", n=len(book.searched), total=total), BODY, ("searched",), "justify")
    sheet.skip(4)
    rows = [_searched_row(line) for line in book.searched]
    draw_rows(sheet, Table("", "searched", SEARCHED, lambda: rows, len(rows)))
    sheet.skip(8)
    for status in labels:
        if f"status.{status}" in WORDINGS:
            told = say("ended", label=labels[status], result=say(f"status.{status}"))
            sheet.paragraph(told, SMALL, ("searched", status), hang=SMALL.size)


def _searched_row(line: Searched) -> list[Text]:
    count = "―" if line.count is None else f"{line.count:,}"
    return [line.system, line.dataset, line.status_label, count, line.detail or "―"]


def _redactions(sheet: Sheet, book: Book) -> None:
    _section(sheet, "redactions")
    if not book.redactions:
        sheet.paragraph(say("nothing_masked"), BODY, ("redactions",))
        return
    rows = [_redaction_row(line) for line in book.redactions]
    rows.append([say("total"), "", f"{sum(line.count for line in book.redactions):,}"])
    draw_rows(sheet, Table("", "redactions", REDACTED, lambda: rows, len(rows)))


def _redaction_row(line: Redaction) -> list[Text]:
    return [line.mark_label, line.citation, f"{line.count:,}"]
