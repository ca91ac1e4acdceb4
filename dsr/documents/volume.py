"""A volume (分冊) of the book: all rows of a part of one long table, printed where paper was chosen (law.md M-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

from dsr.documents.content import Language, Table, Words
from dsr.documents.letter import across
from dsr.documents.rows import draw_rows
from dsr.documents.sheet import Furniture, Page, drawing
from dsr.documents.style import BODY, LEFT, MEASURE, MM, PAPER, PART
from dsr.documents.wordings import beside, say


@dataclass(frozen=True)
class Volume:
    """``number`` of ``total`` volumes of this case; ``first`` is the number of its first row in the whole table."""

    case_no: str
    issued_on: date
    company: str
    number: int
    total: int
    first: int
    rows: int
    table: Table
    language: Language = "ja"


def draw_volume(volume: Volume, out: BinaryIO) -> int:
    """Writes the volume as a PDF; the number of its pages."""
    title, lang = say("title.volume", number=volume.number), volume.language
    with drawing(title, volume.case_no, volume.issued_on, _furniture(volume, title), language=lang) as sheet:
        numbered = say("title.volume", number=f"{volume.number} / {volume.total}")
        sheet.paragraph(numbered, PART, ("title",), role="H1")
        last = volume.first + volume.table.count - 1
        told = say("volume_lead", label=volume.table.title, rows=volume.rows, first=volume.first, last=last)
        sheet.paragraph(told, BODY, ("told",))
        sheet.skip(6)
        draw_rows(sheet, volume.table)
        return sheet.save(out)


def _furniture(volume: Volume, title: Words) -> Furniture:
    secret, case = (beside(say(key), volume.language) for key in ("confidential", "case"))

    def draw(page: Page, number: int, total: int) -> None:
        across(page, 13 * MM, volume.company, f"{number} / {total}", secret)
        if number > 1:
            top = PAPER[1] - 16 * MM
            across(page, top, title.ja, "", f"{case} {volume.case_no}")
            page.line(LEFT, top - 5, LEFT + MEASURE, top - 5)

    return draw
