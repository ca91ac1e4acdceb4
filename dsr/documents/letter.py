"""Letters in the form of a Japanese official notice (通知書), and the acknowledgement (受付票)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from dsr.documents.content import FileLine, Head, Item, Language, Letter, Party, Recipient, Section, Slip
from dsr.documents.letters import width
from dsr.documents.rows import FORM_GRID, LETTER, Look, Ruled
from dsr.documents.sheet import Furniture, Page, Sheet, drawing
from dsr.documents.structure import ENGLISH
from dsr.documents.style import (
    DIGEST,
    FORM,
    FURNITURE,
    GLOSS,
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
    era_day,
)

TOP = 20 * MM
CONTACT = 60.0  # a row of the last table: it and 以上 stand on one page, none holds 以上 alone
FILES = Look(DIGEST, DIGEST, FORM, INK, 0.4, grid=True, pad=2.5)


class Setting(NamedTuple):
    """How a section is set: its table, its heading, the note and the gap below it, in points."""

    look: Look
    title: Type
    note: Type
    gap: float


LARGE = Setting(LETTER, NOTICE, NOTICE_SMALL, 12)
SMALL_TABLE = Look(NOTICE_TINY, NOTICE_TINY, FORM, INK, 0.4, grid=True, pad=1.8, side=4)
SMALL = Setting(SMALL_TABLE, NOTICE_CELL, NOTICE_TINY, 6)
LABEL = {"ja": 96.0, "en": 158.0}
SLIP_LEAD = (
    "次のとおりご請求を受け付けました。この受付票は、ご請求の内容を当社がどのように理解したかをお知らせするものです。"
    "違うところがありましたら、問い合わせ先までお知らせください。"
)
SLIP_WORD = (
    "合言葉は、お電話の際に、お客さまと当社の双方を確かめるために使います。"
    "当社からの電話でも、担当者に合言葉をお尋ねください。"
)
FILES_NOTE = "大きさはバイト数です。SHA-256 は、ファイルが当社の作成したものと同じであることを確かめるための値です。"
WORDS = {
    "case": ("受付番号", "Case number"),
    "subject": ("本人", "Data subject"),
    "law": ("根拠法令", "Law applied"),
    "desk": ("問い合わせ先", "Contact"),
    "complaint": ("苦情の申出先", "Complaints"),
    "accredited": ("認定個人情報保護団体", "Accredited body"),
    "items": ("決定の内容", "Decision by item"),
    "files": ("お渡しするファイル", "Files handed over"),
    "received": ("受付日", "Received on"),
    "channel": ("受付方法", "Channel"),
    "right": ("ご請求の種類", "Right exercised"),
    "scope": ("ご請求の範囲", "Scope"),
    "method": ("回答の方法", "Method"),
    "missing": ("不足しているもの", "Missing"),
    "fee": ("手数料", "Fee"),
    "target": ("回答の予定日", "Target date"),
    "word": ("確認の合言葉", "Check word"),
}


def word(key: str, language: Language) -> str:
    """A heading, with its English gloss beside it where English was asked for."""
    japanese, english = WORDS[key]
    return f"{japanese}　{english}" if language == "en" else japanese


def draw_letter(letter: Letter, out: BinaryIO) -> int:
    """Writes the letter as a PDF; the number of pages. Raises UndrawableLetter before anything is written."""
    with drawing(letter.title, letter.case_no, letter.issued_on, foot(letter.party, letter.case_no), TOP) as sheet:
        _opening(sheet, letter)
        draw_title(sheet, letter.title, letter.kind, letter.language)
        for number, text in enumerate(letter.paragraphs):
            sheet.paragraph(text, NOTICE, ("paragraphs", number), "justify", first=NOTICE.size)
        sheet.skip(4)
        if letter.paragraphs:
            sheet.paragraph("記", NOTICE, ("記",), "center", keep=60)
            sheet.skip(4)
        draw_grid(sheet, _facts(letter), letter.language)
        _items(sheet, letter.items, letter.language)
        _files(sheet, letter.files, letter.language)
        for section in letter.sections:
            draw_section(sheet, section, letter.language, SMALL if section.small else LARGE)
        _closing(sheet, letter.closing)
        contacts = [row for row in _contacts(letter.party, letter.language) if row[1]]
        sheet.room(CONTACT * len(contacts))
        if contacts:
            draw_grid(sheet, contacts, letter.language)
        _end(sheet, letter.head)
        return sheet.save(out)


def draw_slip(slip: Slip, out: BinaryIO) -> int:
    """Writes the acknowledgement as a PDF; the number of pages."""
    title = "受付票"
    with drawing(title, slip.case_no, slip.issued_on, foot(slip.party, slip.case_no), TOP) as sheet:
        _opening(sheet, slip)
        draw_title(sheet, title, "receipt_slip", slip.language)
        sheet.paragraph(SLIP_LEAD, NOTICE, ("lead",), "justify", first=NOTICE.size)
        sheet.skip(8)
        draw_grid(sheet, _slip_facts(slip), slip.language)
        if slip.word:
            _closing(sheet, (SLIP_WORD,))
        _end(sheet, slip.head)
        return sheet.save(out)


def foot(party: Party, case_no: str) -> Furniture:
    """Who, which page of how many, which case: on every page."""

    def draw(page: Page, number: int, total: int) -> None:
        across(page, 13 * MM, party.name, f"{number} / {total}", f"受付番号 {case_no}")

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
    number = paper.number if isinstance(paper, Letter) and paper.number else f"受付番号　{paper.case_no}"
    for line, place in ((number, "number"), (era_day(paper.issued_on), "issued_on")):
        sheet.paragraph(line, NOTICE_CELL, (place,), "right", x=LEFT + WINDOW, measure=MEASURE - WINDOW)
    beside, sheet.y = sheet.y, top
    addressee(sheet, paper.recipient)
    sheet.y = min(sheet.y, beside, top - 30 * MM)
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


TITLES = {
    "disclosure_decision": "Notice of Decision on Disclosure",
    "nondisclosure_notice": "Notice of Non-disclosure",
    "absence_notice": "Notice: No Retained Personal Data",
    "redirect_notice": "Notice: Where to Ask",
    "receipt_slip": "Acknowledgement of Receipt",
    "extension_notice": "Notice of Extension",
    "pause_notice": "Notice of Pause",
    "defect_notice": "Request for Completion",
    "interim_answer": "Interim Answer",
    "withdrawal_confirmation": "Confirmation of Withdrawal",
    "use_stop_notice": "Notice of Stop of Use, Erasure and Other Measures",
    "scheduled_erasure_done": "Notice of Completion of Scheduled Erasure",
    "erasure_certificate": "Certificate of Erasure",
    "correction_notice": "Notice of Correction",
    "correction_refusal": "Notice: Correction Not Made",
}


def draw_title(sheet: Sheet, title: str, kind: str, language: Language) -> None:
    page, top = sheet.page, sheet.y
    page.outline("title", title, top)
    sheet.paragraph(title, NOTICE_TITLE, ("title",), "center", role="H1")
    if language == "en" and kind in TITLES:
        sheet.paragraph(TITLES[kind], GLOSS, ("title",), "center", attributes=ENGLISH)
    sheet.skip(12)


def _facts(letter: Letter) -> list[tuple[str, str]]:
    rows = [(word("case", letter.language), letter.case_no), (word("subject", letter.language), letter.subject_name)]
    rows += [(fact.label, fact.text) for fact in letter.facts]
    return [*rows, (word("law", letter.language), letter.law_line)]


def _contacts(party: Party, language: Language) -> list[tuple[str, str]]:
    rows = (("desk", party.desk), ("complaint", party.complaint_desk), ("accredited", party.accredited_body))
    return [(word(key, language), text) for key, text in rows]


def _slip_facts(slip: Slip) -> list[tuple[str, str]]:
    rows = [
        ("case", slip.case_no),
        ("received", both_days(slip.received_on)),
        ("channel", slip.channel),
        ("right", slip.right_label),
        ("scope", slip.scope_text),
        ("method", slip.method_label),
        ("missing", "\n".join(f"・{item}" for item in slip.missing) or "ありません。"),
        ("fee", slip.fee_text),
        ("target", both_days(slip.target_date) if slip.target_date else "あらためてお知らせします。"),
        ("desk", slip.contact),
        ("word", slip.word),
    ]
    return [(word(key, slip.language), text) for key, text in rows]


def draw_grid(sheet: Sheet, rows: Iterable[tuple[str, str]], language: Language, look: Look = FORM_GRID,
              gap: float = 12) -> None:
    """The form: shaded labels at the left. A row without text is left out."""
    ruled = Ruled(sheet, [LABEL[language], MEASURE - LABEL[language]], ["left", "left"], look, ("grid",))
    for label, text in rows:
        if text:
            ruled.row([label, text])
    sheet.skip(gap)


def _heading(sheet: Sheet, key: str, language: Language) -> None:
    sheet.paragraph(word(key, language), NOTICE, (key,), keep=50, role="H2")


def _items(sheet: Sheet, items: tuple[Item, ...], language: Language) -> None:
    if not items:
        return
    _heading(sheet, "items", language)
    widths = [24.0, 112.0, 68.0, 50.0]
    ruled = Ruled(sheet, [*widths, MEASURE - sum(widths)], ["right", "left", "left", "right", "left"], LETTER,
                  ("items",), ["", "項目", "決定", "件数", "根拠と理由"])
    for number, item in enumerate(items, start=1):
        why = "\n".join(part for part in (item.citation, item.reason) if part) or "―"
        ruled.row([str(number), item.label, item.outcome_label, item.count_text or "―", why])
    sheet.skip(12)


def draw_section(sheet: Sheet, section: Section, language: Language, setting: Setting = LARGE) -> None:
    """A table under its heading, with English glosses where they were asked for."""
    if not section.rows:
        return
    title = f"{section.title}　{section.gloss}" if language == "en" and section.gloss else section.title
    sheet.paragraph(title, setting.title, (section.key,), keep=50, role="H2")
    heads = [f"{c.label}\n{c.gloss}" if language == "en" and c.gloss else c.label for c in section.columns]
    shares = [column.share for column in section.columns]
    rest = (1 - sum(shares)) / max(1, shares.count(0.0))
    ruled = Ruled(sheet, [MEASURE * (share or rest) for share in shares], [c.align for c in section.columns],
                  setting.look, (section.key,), heads)
    for row in section.rows:
        ruled.row(row)
    if section.note:
        sheet.skip(2)
        sheet.paragraph(section.note, setting.note, (section.key, "note"))
    sheet.skip(setting.gap)


def _files(sheet: Sheet, files: tuple[FileLine, ...], language: Language) -> None:
    """Each digest whole on one line of fixed pitch, so that it can be searched for and compared."""
    if not files:
        return
    _heading(sheet, "files", language)
    digest = 64 * DIGEST.size / 2 + 2 * FILES.side + 1
    sizes = 58.0
    ruled = Ruled(sheet, [MEASURE - digest - sizes, sizes, digest], ["left", "right", "left"], FILES, ("files",),
                  ["ファイル", "大きさ", "SHA-256"])
    for file in files:
        ruled.row([file.path, f"{file.size:,}", file.sha256])
    sheet.skip(2)
    sheet.paragraph(FILES_NOTE, NOTICE_SMALL, ("files",))
    sheet.skip(10)


def _closing(sheet: Sheet, lines: tuple[str, ...]) -> None:
    for number, text in enumerate(lines):
        sheet.paragraph(text, NOTICE_SMALL, ("closing", number), "justify", first=NOTICE_SMALL.size)
    sheet.skip(10)


def _end(sheet: Sheet, head: Head | None) -> None:
    sheet.paragraph("以上", NOTICE, ("以上",), "right")
    witness(sheet, head)


def witness(sheet: Sheet, head: Head | None) -> None:
    """The log's tree head at issue, in small print: whoever keeps the paper can prove the log later."""
    if head:
        sheet.skip(8)
        sheet.paragraph(f"記録簿の先頭（発行時）　{head.text}", WITNESS, ("head",))
