"""A volume (分冊) of the book: all rows of a part of one long table, printed where paper was chosen (law.md M-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

from dsr.documents.content import Table
from dsr.documents.letter import across
from dsr.documents.rows import draw_rows
from dsr.documents.sheet import Furniture, Page, drawing
from dsr.documents.style import BODY, LEFT, MEASURE, MM, PAPER, PART

TITLE = "保有個人データ開示書　分冊"


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


def draw_volume(volume: Volume, out: BinaryIO) -> int:
    """Writes the volume as a PDF; the number of its pages."""
    title = f"{TITLE} {volume.number}"
    with drawing(title, volume.case_no, volume.issued_on, _furniture(volume, title)) as sheet:
        sheet.paragraph(f"{title} / {volume.total}", PART, ("title",), role="H1")
        last = volume.first + volume.table.count - 1
        told = f"{volume.table.title}　全 {volume.rows:,} 件のうち {volume.first:,} 件目から {last:,} 件目まで"
        sheet.paragraph(told, BODY, ("told",))
        sheet.skip(6)
        draw_rows(sheet, volume.table)
        return sheet.save(out)


def _furniture(volume: Volume, title: str) -> Furniture:
    def draw(page: Page, number: int, total: int) -> None:
        across(page, 13 * MM, volume.company, f"{number} / {total}", "取扱注意（親展）")
        if number > 1:
            top = PAPER[1] - 16 * MM
            across(page, top, title, "", f"受付番号 {volume.case_no}")
            page.line(LEFT, top - 5, LEFT + MEASURE, top - 5)

    return draw
