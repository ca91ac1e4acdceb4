"""Pages filled from top to bottom, kept as drawing operators until the number of pages is known.

Everything on paper goes through ``Page.write``, ``Page.fill`` and ``Page.line``: text is raw, there is no mark-up to
escape and nothing is collapsed or dropped (pdf.md 1.4). Same content, same bytes: dates come from the content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date
from typing import Any, BinaryIO, Literal

from reportlab.lib.utils import TimeStamp
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from dsr.documents.archival import archive
from dsr.documents.content import Language, Text, drawn_in, words
from dsr.documents.kinsoku import break_lines
from dsr.documents.letters import PRESS, Face, Glyph, Place, face, width
from dsr.documents.structure import ENGLISH, Jump, Structure
from dsr.documents.style import BOTTOM, GREY, LEFT, MEASURE, MUTE, PAPER, RULE, TOP, Colour, Type, gloss

NOTHING = -1
Furniture = Callable[["Page", int, int], None]
Adjust = Literal["left", "right", "center", "justify"]


class Codes:
    """How each letter is written inside one document: the font's name there, and the escaped byte."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._known: dict[tuple[Face, str], tuple[str, str]] = {}
        self._plain: dict[tuple[int, str], tuple[str, str]] = {}

    def of(self, font: Face, char: str) -> tuple[str, str]:
        code = self._known.get((font, char))
        if code is None:
            ((subset, raw),) = font.splitString(char, self._document)
            escaped = "".join(chr(b) if 32 <= b < 127 and b not in b"()\\" else f"\\{b:03o}" for b in raw)
            code = self._known[(font, char)] = (font.getSubsetInternalName(subset, self._document), escaped)
        return code


    def run(self, text: str, kind: Type, place: Place) -> str:
        """Operators that show plain text (``Hand.ems`` is not None), whatever font was set before."""
        plain, hand, last = self._plain, id(kind.hand), ""
        parts: list[str] = []
        pending: list[str] = []
        for char in text:
            name, code = plain.get((hand, char)) or self._spelled(char, kind, place)
            if name != last:
                if pending:
                    parts.append(f"({''.join(pending)}) Tj ")
                parts.append(f"{name} {kind.size:g} Tf ")
                pending, last = [], name
            pending.append(code)
        parts.append(f"({''.join(pending)}) Tj")
        return "".join(parts)

    def _spelled(self, char: str, kind: Type, place: Place) -> tuple[str, str]:
        (glyph,) = kind.hand.spell(char, place)
        assert glyph.face is not None
        found = self._plain[id(kind.hand), char] = self.of(glyph.face, glyph.char)
        return found


class Page:
    """One page's operators. Points, origin at the lower left. What is written belongs to the structure's current
    element; what is filled and ruled is an artifact, but in a figure."""

    def __init__(self, codes: Codes, structure: Structure, number: int) -> None:
        self.codes, self.structure, self.number = codes, structure, number
        self.operators: list[str] = []
        self.acts: list[Callable[[Any], object]] = []  # bookmarks: ReportLab ties them to the current page
        self._mark: int | None = NOTHING
        self._fill: Colour | None = None
        self._font: tuple[str, float] | None = None

    def _colour(self, colour: Colour) -> str:
        if colour == self._fill:
            return ""
        self._fill = colour
        return "{:.3g} {:.3g} {:.3g} rg ".format(*colour)

    def _into(self, element: int | None) -> str:
        """Operators that end the marked content before and begin that of ``element``, where they differ."""
        if element == self._mark:
            return ""
        ended, self._mark = "" if self._mark == NOTHING else "EMC ", element
        if element is None:
            return f"{ended}/Artifact BMC "
        mark = self.structure.mark(self.number, element)
        return f"{ended}/{self.structure.role(element)} <</MCID {mark}>> BDC "

    def _beside(self) -> str:
        element = self.structure.current
        return self._into(element if element is not None and self.structure.role(element) == "Figure" else None)

    def close(self) -> None:
        """Ends what is open, once everything is on the page."""
        if self._mark != NOTHING:
            self.operators.append("EMC")
            self._mark = NOTHING

    def write(self, x: float, base: float, glyphs: Sequence[Glyph], kind: Type, colour: Colour | None = None,
              spacing: float = 0.0) -> None:
        """Letters on one base line; notes (what stands for something unseen) in grey."""
        if not glyphs:
            return
        parts = [f"{self._into(self.structure.current)}BT 1 0 0 1 {x:.2f} {base:.2f} Tm "]
        if spacing:
            parts.append(f"{spacing:.3f} Tc ")
        ink, pending, of = colour or kind.colour, "", self.codes.of
        for glyph in glyphs:
            assert glyph.face is not None
            name, code = of(glyph.face, glyph.char)
            change = self._colour(GREY if colour else MUTE) if glyph.note else self._colour(ink)
            if (name, kind.size) != self._font:
                self._font = (name, kind.size)
                change += f"{name} {kind.size:g} Tf "
            if change:
                parts.append(f"({pending}) Tj {change}" if pending else change)
                pending = code
            else:
                pending += code
        parts.append(f"({pending}) Tj{' 0 Tc' if spacing else ''} ET")
        self.operators.append("".join(parts))

    def fill(self, x: float, y: float, across: float, up: float, colour: Colour) -> None:
        self.operators.append(self._beside() + self.filling(x, y, across, up, colour))

    def filling(self, x: float, y: float, across: float, up: float, colour: Colour) -> str:
        return f"{self._colour(colour)}{x:.2f} {y:.2f} {across:.2f} {up:.2f} re f "

    def line(self, x: float, y: float, x2: float, y2: float, thick: float = 0.5, colour: Colour = RULE) -> None:
        ink = "{:.3g} {:.3g} {:.3g}".format(*colour)
        self.operators.append(f"{self._beside()}{thick:g} w {ink} RG {x:.2f} {y:.2f} m {x2:.2f} {y2:.2f} l S")

    def row(self, behind: str, cells: Iterable[tuple[int, float, float, str, Colour]]) -> None:
        """A whole row of one line: ``behind`` it fills and rules, then cells of (element, x, base, run, ink)."""
        parts = [self._into(None), behind]
        mark, role, number = self.structure.mark, self.structure.role, self.number
        for element, x, base, run, ink in cells:
            begun = f" EMC /{role(element)} <</MCID {mark(number, element)}>> BDC {self._colour(ink)}"
            parts.append(f"{begun}BT 1 0 0 1 {x:.2f} {base:.2f} Tm {run} ET")
        parts.append(" EMC")
        self.operators.append("".join(parts))
        self._mark, self._font = NOTHING, None

    def outline(self, key: str, title: str, y: float) -> None:
        """An entry in the reader's outline, and the place named ``key`` it leads to."""
        self.acts.append(lambda canvas: canvas.bookmarkHorizontal(key, 0, y))
        self.acts.append(lambda canvas: canvas.addOutlineEntry(title, key))

    def link(self, area: tuple[float, float, float, float], to: Page, to_y: float, words: str) -> None:
        """The current element, which must be a Link, leads there."""
        element = self.structure.current
        assert element is not None
        self.structure.jumps.append(Jump(element, self.number, area, to.number, to_y, words))


class Sheet:
    """Pages of one document and the place reached on the last; ``y`` is the top of what comes next."""

    def __init__(self, title: Text, case_no: str, issued_on: date, furniture: Furniture, top: float = TOP,
                 language: Language = "ja") -> None:
        self._title, self._issued_on, self.language = f"{words(title).ja} {case_no}", issued_on, language
        self.structure = Structure()
        self._canvas = _canvas(self._title, issued_on)
        self._codes = Codes(self._canvas._doc)
        self._furniture = furniture
        self._top = top
        self.pages: list[Page] = []
        self.y = 0.0
        self.new_page()

    @property
    def page(self) -> Page:
        return self.pages[-1]

    @property
    def left_over(self) -> float:
        return self.y - BOTTOM

    def new_page(self) -> None:
        self.pages.append(Page(self._codes, self.structure, len(self.pages)))
        self.y = PAPER[1] - self._top

    def room(self, height: float) -> None:
        """Turns the page unless ``height`` points are left on it."""
        if self.left_over < height and self.y < PAPER[1] - self._top:
            self.new_page()

    def skip(self, height: float) -> None:
        self.y -= height

    def paragraph(self, text: Text, kind: Type, place: Place, adjust: Adjust = "left", *, x: float = LEFT,
                  measure: float = MEASURE, first: float = 0.0, hang: float = 0.0, keep: float = 0.0,
                  role: str = "P") -> None:
        """``first`` indents the first line, ``hang`` all others; ``keep`` is kept free below the first line.

        It is one element of ``role`` in the reading order, whatever pages it runs over; a gloss stands below.
        """
        drawn = drawn_in(text, self.language)
        with self.structure.within(role):
            if isinstance(drawn, str):
                self._flow(drawn, kind, place, adjust, x, measure, first, hang, keep)
                return
            small = gloss(kind)
            with self.structure.within("Span"):
                self._flow(drawn.ja, kind, place, adjust, x, measure, first, hang, keep + small.leading)
            with self.structure.within("Span", ENGLISH):
                ragged = "left" if adjust == "justify" else adjust
                self._flow(drawn.en, small, (*place, "en"), ragged, x + hang, measure - hang, 0, 0, 0)
            self.skip(3)

    def _flow(self, text: str, kind: Type, place: Place, adjust: Adjust, x: float, measure: float, first: float,
              hang: float, keep: float) -> None:
        glyphs = kind.hand.spell(text, place)
        lines = break_lines(glyphs, (measure - hang) / kind.size, (measure - first) / kind.size)
        for number, (start, end) in enumerate(lines):
            self.room(kind.leading + (keep if number == 0 else 0))
            indent = hang if number else first
            soft = number + 1 < len(lines) and lines[number + 1][0] == end
            self._set(glyphs[start:end], kind, adjust, x + indent, measure - indent, soft)
            self.y -= kind.leading

    def line(self, text: Text, x: float, base: float, kind: Type, place: Place, page: Page | None = None) -> float:
        """One line in the current element, a gloss beside it; where it ends."""
        drawn = drawn_in(text, self.language)
        pieces = [(drawn, kind, "")] if isinstance(drawn, str) else [
            (f"{drawn.ja}　", kind, ""), (drawn.en, gloss(kind), ENGLISH)]  # fmt: skip
        for said, voice, attributes in pieces:
            glyphs = voice.hand.spell(said, place)
            # An element's own content would be read after its children: beside a gloss all are children.
            with self.structure.within("Span", attributes) if self.language == "en" else nullcontext():
                (page or self.page).write(x, base, glyphs, voice)
            x += width(glyphs) * voice.size
        return x

    def _set(self, glyphs: Sequence[Glyph], kind: Type, adjust: Adjust, x: float, measure: float, soft: bool) -> None:
        spare = measure - width(glyphs) * kind.size
        spacing = 0.0
        if adjust == "right":
            x += spare
        elif adjust == "center":
            x += spare / 2
        elif adjust == "justify" and soft and len(glyphs) > 1 and 0 < spare / (len(glyphs) - 1) < kind.size / 4:
            spacing = spare / (len(glyphs) - 1)
        self.page.write(x, self.y - kind.rise(), glyphs, kind, spacing=spacing)

    def save(self, out: BinaryIO) -> int:
        """Writes the document; the number of its pages."""
        for number, page in enumerate(self.pages, start=1):
            with self.structure.into(None):
                self._furniture(page, number, len(self.pages))
            page.close()
            self._canvas._code.append("\n".join(page.operators))
            for act in page.acts:
                act(self._canvas)
            self._canvas.showPage()
            page.operators.clear()
        drawn = bytes(self._canvas.getpdfdata())
        archive(drawn, self.structure, self._title, self._issued_on, "ja-JP", out)
        return len(self.pages)


def _canvas(title: str, issued_on: date) -> Any:
    first = face("gothic")
    pdfmetrics.registerFont(first)  # a first font is asked for by name; never Helvetica, which would not be embedded
    canvas = Canvas("", pagesize=PAPER, pageCompression=0, invariant=1, initialFontName=first.fontName,
                    pdfVersion=(1, 7))
    canvas.setTitle(title)
    stamp = TimeStamp(1)
    stamp.YMDhms, stamp.dhh, stamp.dmm = (issued_on.year, issued_on.month, issued_on.day, 0, 0, 0), 9, 0
    canvas._doc._timeStamp = stamp
    return canvas


@contextmanager
def drawing(title: Text, case_no: str, issued_on: date, furniture: Furniture, top: float = TOP,
            language: Language = "ja") -> Iterator[Sheet]:
    """A sheet to draw on, alone at the press. ``language``: English has glosses drawn where there are any."""
    with PRESS:
        yield Sheet(title, case_no, issued_on, furniture, top, language)
