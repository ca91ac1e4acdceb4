"""The yearly report on requests as charts: a bar for every number, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import BinaryIO

from dsr.documents.book import chart
from dsr.documents.content import Party, Text, listed, words
from dsr.documents.letter import across
from dsr.documents.sheet import Page, drawing
from dsr.documents.style import BODY, MM, PART, SECTION, said_day
from dsr.documents.wordings import say


def draw_yearly(party: Party, year: int, on: date, sections: Sequence[tuple[str, Sequence[tuple[Text, float]]]],
                out: BinaryIO) -> int:  # fmt: skip
    """Writes the charts as a PDF; the number of its pages. An empty section is left out."""
    title = say("yearly", year=year)

    def below(page: Page, number: int, total: int) -> None:
        across(page, 13 * MM, words(party.name).ja, f"{number} / {total}", title.ja)

    with drawing(title, "", on, below) as sheet:
        sheet.paragraph(title, PART, ("title",), role="H1")
        sheet.paragraph(say("yearly_lead", year=year, day=said_day(on)), BODY, ("lead",))
        for section, bars in sections:
            if bars:
                sheet.skip(10)
                sheet.room(120)
                sheet.paragraph(say(f"yearly.{section}"), SECTION, (section,), role="H2")
                counts = listed([say("yearly_bar", part=label, n=f"{n:,g}") for label, n in bars])
                chart(sheet, [(label, n, f"{n:,g}") for label, n in bars], say("yearly_chart", counts=counts))
        return sheet.save(out)
