"""Blank forms (様式) that a company publishes and sends on request (documents.md §2)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import BinaryIO

from dsr.documents.content import Language, Party, Text, Words
from dsr.documents.letter import draw_grid, draw_title, foot
from dsr.documents.parts import lines
from dsr.documents.rows import FORM_GRID
from dsr.documents.sheet import drawing
from dsr.documents.style import MM, NOTICE_CELL
from dsr.documents.templates import Said
from dsr.documents.wordings import say
from dsr.shapes import Shape, shaped

BLANK = "　"


class Block(Shape):
    """``rows``: what is asked in both languages, and the lines left for it, or what stands there to be ticked."""

    title: Said
    rows: tuple[tuple[str, str, int | tuple[str, ...]], ...]

    def grid(self) -> Iterator[tuple[Text, Text]]:
        for ja, en, room in self.rows:
            yield Words(ja, en), lines(*([BLANK] * room if isinstance(room, int) else room))


class Form(Shape):
    title: Said
    opening: tuple[Said, ...]
    closing: tuple[Said, ...]
    blocks: tuple[Block, ...]


@cache
def forms() -> Mapping[str, Form]:
    told = tomllib.loads((files(__package__) / "forms.toml").read_text("utf-8"))
    return {name: shaped(Form, document, f"forms.{name}") for name, document in told.items()}


def draw_form(name: str, party: Party, published_on: date, language: Language, out: BinaryIO) -> int:
    """The number of its pages. ``language`` en: everything with its gloss."""
    form = forms()[name]
    with drawing(form.title.words, "", published_on, foot(party, "", language), 15 * MM, language) as sheet:
        draw_title(sheet, form.title.words, name)
        sheet.paragraph(say("to_company", company=party.name), NOTICE_CELL, ("to",))
        sheet.skip(6)
        for said in form.opening:
            sheet.paragraph(said.words, NOTICE_CELL, ("opening",), "justify", first=NOTICE_CELL.size)
        sheet.skip(6)
        for at, block in enumerate(form.blocks):
            sheet.paragraph(block.title.words, NOTICE_CELL, ("block", str(at)), keep=60, role="H2")
            draw_grid(sheet, block.grid(), FORM_GRID, 8)
        for said in form.closing:
            sheet.paragraph(said.words, NOTICE_CELL, ("closing",), "justify", first=NOTICE_CELL.size)
        sheet.paragraph(say("send_to", desk=party.desk), NOTICE_CELL, ("send",))
        return sheet.save(out)
