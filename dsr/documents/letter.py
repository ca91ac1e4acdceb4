"""Letters in the form of a Japanese official notice (通知書), and the acknowledgement (受付票)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from dsr.documents.content import (
    FileLine,
    Head,
    Item,
    Language,
    Letter,
    Party,
    Recipient,
    Section,
    Slip,
    Text,
    Words,
    after,
    listed,
    words,
)
from dsr.documents.letters import width
from dsr.documents.rows import FORM_GRID, LETTER, Look, Ruled
from dsr.documents.sheet import Furniture, Page, Sheet, drawing
from dsr.documents.style import (
    DIGEST,
    FORM,
    FURNITURE,
    INK,
    LEFT,
    MEASURE,
    MM,
    NOTICE,
    NOTICE_CELL,
    NOTICE_NAME,
    NOTICE_SMALL,
    NOTICE_TINY,
    NOTICE_TITLE,
    WITNESS,
    Type,
    both_days,
    said_day,
)
from dsr.documents.wordings import WORDINGS, beside, say

TOP = 20 * MM
CONTACT = 60.0  # a row of the last table: it and 以上 stand on one page, none holds 以上 alone
END = 48.0  # 以上 and the log's head, which go with the last sentence where no table follows it
FILES = Look(DIGEST, DIGEST, FORM, INK, 0.4, grid=True, pad=2.5)
SMALL_TABLE = Look(NOTICE_TINY, NOTICE_TINY, FORM, INK, 0.4, grid=True, pad=1.8, side=4)


class Setting(NamedTuple):
    """How a section is set: its table, its heading, the note and the gap below it, in points."""

    look: Look
    title: Type
    note: Type
    gap: float


LARGE = Setting(LETTER, NOTICE, NOTICE_SMALL, 12)
SMALL = Setting(SMALL_TABLE, NOTICE_CELL, NOTICE_TINY, 6)
LABEL = {"ja": 96.0, "en": 158.0}


def draw_letter(letter: Letter, out: BinaryIO) -> int:
    """Writes the letter as a PDF; the number of pages. Raises UndrawableLetter before anything is written."""
    below = foot(letter.party, letter.case_no, letter.language)
    with drawing(letter.title, letter.case_no, letter.issued_on, below, TOP, letter.language) as sheet:
        _opening(sheet, letter)
        draw_title(sheet, letter.title, letter.kind)
        for number, text in enumerate(letter.paragraphs):
            sheet.paragraph(text, NOTICE, ("paragraphs", number), "justify", first=NOTICE.size)
        sheet.skip(4)
        if letter.paragraphs:
            sheet.paragraph(say("particulars"), NOTICE, ("記",), "center", keep=60)
            sheet.skip(4)
        draw_grid(sheet, _facts(letter))
        _items(sheet, letter.items)
        _files(sheet, letter.files)
        for section in letter.sections:
            draw_section(sheet, section, SMALL if section.small else LARGE)
        contacts = [row for row in _contacts(letter.party) if row[1]]
        _closing(sheet, letter.closing, 0 if contacts else END)
        sheet.room(CONTACT * len(contacts))
        if contacts:
            draw_grid(sheet, contacts)
        _end(sheet, letter.head)
        return sheet.save(out)


def draw_slip(slip: Slip, out: BinaryIO) -> int:
    """Writes the acknowledgement as a PDF; the number of pages."""
    title, below = say("receipt_slip"), foot(slip.party, slip.case_no, slip.language)
    with drawing(title, slip.case_no, slip.issued_on, below, TOP, slip.language) as sheet:
        _opening(sheet, slip)
        draw_title(sheet, title, "receipt_slip")
        sheet.paragraph(say("slip_lead"), NOTICE, ("lead",), "justify", first=NOTICE.size)
        sheet.skip(8)
        draw_grid(sheet, _slip_facts(slip))
        if slip.word:
            _closing(sheet, (say("slip_word"),))
        _end(sheet, slip.head)
        return sheet.save(out)


def foot(party: Party, case_no: str, language: Language) -> Furniture:
    """Who, which page of how many, which case: on every page."""

    def draw(page: Page, number: int, total: int) -> None:
        case = f"{beside(say('case'), language)} {case_no}"
        across(page, 13 * MM, words(party.name).ja, f"{number} / {total}", case)

    return draw


def across(page: Page, base: float, left: str, middle: str, right: str) -> None:
    """Three short texts at the left, in the middle and at the right of the measure."""
    for text, share in ((left, 0.0), (middle, 0.5), (right, 1.0)):
        glyphs = FURNITURE.hand.spell(text, ("furniture",))
        page.write(LEFT + share * (MEASURE - width(glyphs) * FURNITURE.size), base, glyphs, FURNITURE)


WINDOW = MEASURE * 0.58
"""The addressee's block: folded in three, it shows in the window of a 長形3号 envelope (20 to 105 mm from the left)."""


def _opening(sheet: Sheet, paper: Letter | Slip) -> None:
    """Addressee at the upper left, number and day beside it at the right, sender below them."""
    top = sheet.y
    own = paper.number if isinstance(paper, Letter) else ""
    number = own or say("case_above", case_no=paper.case_no)
    for line, place in ((number, "number"), (said_day(paper.issued_on), "issued_on")):
        sheet.paragraph(line, NOTICE_CELL, (place,), "right", x=LEFT + WINDOW, measure=MEASURE - WINDOW)
    beside, sheet.y = sheet.y, top
    addressee(sheet, paper.recipient)
    # What goes into no envelope with a window needs no room for one.
    sheet.y = min(sheet.y, beside, top - (30 if paper.recipient.address else 10) * MM)
    for line in (paper.party.name, paper.party.representative):
        sheet.paragraph(line, NOTICE, ("party",), "right")
    sheet.paragraph(paper.party.address, NOTICE_SMALL, ("party", "address"), "right")
    sheet.skip(24)


def addressee(sheet: Sheet, recipient: Recipient) -> None:
    if recipient.address:
        sheet.paragraph(recipient.address, NOTICE_CELL, ("recipient", "address"), measure=WINDOW)
        sheet.skip(2)
    name = f"{recipient.name}　{recipient.honorific}"
    sheet.paragraph(name, NOTICE_NAME, ("recipient", "name"), measure=WINDOW)


def draw_title(sheet: Sheet, title: Text, kind: str) -> None:
    """A title without a gloss of its own has that of its kind."""
    page, top = sheet.page, sheet.y
    told = title if isinstance(title, Words) else Words(title, WORDINGS[kind].en if kind in WORDINGS else "")
    page.outline("title", beside(told, sheet.language), top)
    sheet.paragraph(told, NOTICE_TITLE, ("title",), "center", role="H1")
    sheet.skip(12)


Rows = list[tuple[Text, Text]]


def _facts(letter: Letter) -> Rows:
    rows: Rows = [(say("case"), letter.case_no), (say("subject"), letter.subject_name)]
    rows += [(fact.label, fact.text) for fact in letter.facts]
    return [*rows, (say("law"), letter.law_line)]


def _contacts(party: Party) -> Rows:
    rows = (("desk", party.desk), ("complaint", party.complaint_desk), ("accredited", party.accredited_body))
    return [(say(key), text) for key, text in rows]


def _slip_facts(slip: Slip) -> Rows:
    missing = listed([after("・", item) for item in slip.missing], "\n", "\n")
    rows: tuple[tuple[str, Text], ...] = (
        ("case", slip.case_no),
        ("received", both_days(slip.received_on)),
        ("channel", slip.channel),
        ("right", slip.right_label),
        ("scope", slip.scope_text),
        ("method", slip.method_label),
        ("missing", missing or say("nothing_missing")),
        ("fee", slip.fee_text),
        ("target", both_days(slip.target_date) if slip.target_date else say("told_later")),
        ("desk", slip.contact),
        ("word", slip.word),
    )
    return [(say(key), text) for key, text in rows]


def draw_grid(sheet: Sheet, rows: Iterable[tuple[Text, Text]], look: Look = FORM_GRID, gap: float = 12) -> None:
    """The form: shaded labels at the left. A row without text is left out."""
    shaded = LABEL[sheet.language]
    ruled = Ruled(sheet, [shaded, MEASURE - shaded], ["left", "left"], look, ("grid",))
    for label, text in rows:
        if text:
            ruled.row([label, text])
    sheet.skip(gap)


def draw_section(sheet: Sheet, section: Section, setting: Setting = LARGE) -> None:
    """A table under its heading; without rows it is not drawn."""
    if not section.rows:
        return
    shares = [column.share for column in section.columns]
    rest = (1 - sum(shares)) / max(1, shares.count(0.0))
    ruled = Ruled(sheet, [MEASURE * (share or rest) for share in shares], [c.align for c in section.columns],
                  setting.look, (section.key,), [c.label for c in section.columns], waits=True)
    keep = max(6 * setting.look.cell.leading, ruled.asked(section.rows[0]))
    sheet.paragraph(section.title, setting.title, (section.key,), keep=keep, role="H2")
    ruled.begin()
    for row in section.rows:
        ruled.row(row)
    if section.note:
        sheet.skip(2)
        sheet.paragraph(section.note, setting.note, (section.key, "note"))
    sheet.skip(setting.gap)


def _heading(sheet: Sheet, key: str) -> None:
    sheet.paragraph(say(key), NOTICE, (key,), keep=50, role="H2")


def _items(sheet: Sheet, items: tuple[Item, ...]) -> None:
    if not items:
        return
    _heading(sheet, "items")
    widths = [24.0, 112.0, 68.0, 50.0]
    ruled = Ruled(sheet, [*widths, MEASURE - sum(widths)], ["right", "left", "left", "right", "left"], LETTER,
                  ("items",), ["", *(say(key) for key in ("item", "outcome", "count", "why"))])
    for number, item in enumerate(items, start=1):
        why = listed([part for part in (item.citation, item.reason) if part], "\n", "\n")
        ruled.row([str(number), item.label, item.outcome_label, item.count_text or "―", why or "―"])
    sheet.skip(12)


def _files(sheet: Sheet, files: tuple[FileLine, ...]) -> None:
    """Each digest whole on one line of fixed pitch, so that it can be searched for and compared."""
    if not files:
        return
    _heading(sheet, "files")
    digest = 64 * DIGEST.size / 2 + 2 * FILES.side + 1
    sizes = 58.0
    ruled = Ruled(sheet, [MEASURE - digest - sizes, sizes, digest], ["left", "right", "left"], FILES, ("files",),
                  [say("file"), say("size"), "SHA-256"])
    for file in files:
        ruled.row([file.path, f"{file.size:,}", file.sha256])
    sheet.skip(2)
    sheet.paragraph(say("files_note"), NOTICE_SMALL, ("files",))
    sheet.skip(10)


def _closing(sheet: Sheet, lines: tuple[Text, ...], keep: float = 0) -> None:
    """``keep``: below the last line."""
    for number, text in enumerate(lines):
        free = keep if text is lines[-1] else 0
        sheet.paragraph(text, NOTICE_SMALL, ("closing", number), "justify", first=NOTICE_SMALL.size, keep=free)
    sheet.skip(10)


def _end(sheet: Sheet, head: Head | None) -> None:
    sheet.paragraph(say("end"), NOTICE, ("以上",), "right")
    witness(sheet, head)


def witness(sheet: Sheet, head: Head | None) -> None:
    """The log's tree head at issue, in small print: whoever keeps the paper can prove the log later."""
    if head:
        sheet.skip(8)
        sheet.paragraph(say("head", head=head.text), WITNESS, ("head",))
