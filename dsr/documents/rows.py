"""Rows of cells on paper: measured, wrapped, split over pages, with the head repeated and what is struck boxed.

Drawn by hand because ReportLab's own tables take minutes and quadratic time for what an ordinary line's calls are
(pdf.md 4). A row lives only while it is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from sys import maxsize
from typing import NamedTuple

from dsr.documents.content import Align, Cell, Column, Language, Masked, Table, Text, Words, drawn_in
from dsr.documents.kinsoku import break_lines
from dsr.documents.letters import NEWLINE, Glyph, Hand, Place, width
from dsr.documents.sheet import Sheet, drawing
from dsr.documents.structure import COLUMN_HEAD, ENGLISH, ROOT, ROW_HEAD
from dsr.documents.style import (
    CELL,
    FORM,
    GREY,
    INK,
    LEFT,
    MEASURE,
    NAVY,
    NOTICE_CELL,
    PALE,
    RULE,
    STRUCK,
    TABLE_HEAD,
    TABLE_LABEL,
    WAITING,
    WHITE,
    Colour,
    Type,
    gloss,
)
from dsr.documents.wordings import say
from dsr.errors import CheckFailed

PAD = 4.0
ROWS_READ_AT_ONCE = 1_000  # a table of more is several to a screen reader, each with its head (pdf.md 4)
WIDE_LEAST = 60.0
CRAMPED = 110.0  # running text in less than this, over more than six lines, reads better in cards
GLOSS_ROOM = 90.0  # a gloss that asks for more wraps
WIDE_SHARE = 0.3  # a column whose longest value asks for more of the measure than this wraps like running text

# What of a masked cell is a mask: ＊＊＊＊ and ■■■（理由） anywhere in it; or the whole, as with （番号不開示）.
_STRUCK_PART = re.compile("■+（[^（）]*）|■+|＊(?:[＊ 　]*＊)?")
_WHOLE = re.compile("（[^（）]*）|■+（[^（）]*）")


def looks_masked(text: str) -> bool:
    return bool(_STRUCK_PART.search(text) or _WHOLE.fullmatch(text))


@dataclass(frozen=True)
class Look:
    """How a table is ruled. ``label`` shades the first column as a form does."""

    cell: Type
    head: Type
    head_fill: Colour
    rule: Colour
    thick: float
    zebra: Colour | None = None
    grid: bool = False
    label: Type | None = None
    label_fill: Colour | None = None
    pad: float = 2.0
    side: float = PAD


BOOK = Look(CELL, TABLE_HEAD, NAVY, RULE, 0.3, zebra=PALE)
CARD = Look(CELL, TABLE_HEAD, NAVY, RULE, 0.3, label=TABLE_LABEL, label_fill=PALE)
FORM_GRID = Look(NOTICE_CELL, NOTICE_CELL, FORM, INK, 0.6, grid=True, label=NOTICE_CELL, label_fill=FORM, pad=4.5,
                 side=7.0)
LETTER = Look(NOTICE_CELL, NOTICE_CELL, FORM, INK, 0.6, grid=True, pad=3.5, side=5.0)


class Block(NamedTuple):
    """A cell made ready: its letters, the ranges of its lines, and which letters are struck."""

    glyphs: list[Glyph]
    lines: list[tuple[int, int]]
    kind: Type
    align: Align
    struck: tuple[tuple[int, int], ...] = ()
    whole: bool = False
    fill: Colour = STRUCK
    turn: int = maxsize
    """Which letter is the first of the gloss."""


class Plain(NamedTuple):
    """A cell of one line: where its text begins; ``fill`` and its edges where it is a mask."""

    text: str
    x: float
    fill: Colour | None
    left: float
    right: float
    down: float


Voices = tuple[int | None, int | None]
"""The elements that the Japanese and the English of a cell belong to; one and the same where there is no gloss."""


SPLITS = 240
"""Points: a row of this height and more may run over two pages."""


class Ruled:
    """A table being drawn. ``widths`` are points and include the padding; ``place`` names it in errors.

    ``tiers``: on which line of a record each column stands, where they do not fit side by side; values of one line.
    """

    def __init__(self, sheet: Sheet, widths: Sequence[float], aligns: Sequence[Align], look: Look, place: Place,
                 head: Sequence[Text] = (), tiers: Sequence[int] = (), waits: bool = False) -> None:
        """``waits``: nothing is drawn before ``begin``."""
        self.sheet, self.widths, self.aligns, self.look, self.place = sheet, widths, aligns, look, place
        self.tiers = tiers or [0] * len(widths)
        reached, self.spans = [LEFT] * (max(self.tiers, default=0) + 1), list[tuple[float, float]]()
        for across, tier in zip(widths, self.tiers, strict=True):
            self.spans.append((reached[tier] + look.side, reached[tier] + across - look.side))
            reached[tier] += across
        self.left, self.right = LEFT, LEFT + MEASURE if tiers else reached[0]
        self.number, self._since = 0, 0
        self._parent = ROOT if sheet.structure.current is None else sheet.structure.current
        self._head = [self._block(text, i, look.head, (*place, "head"), bool(tiers)) for i, text in enumerate(head)]
        if not waits:
            self.begin()

    def begin(self) -> None:
        """The head, with some lines of the first row below it."""
        self._table = self.sheet.structure.open("Table", self._parent)
        if self._head:
            self.sheet.room(self._height(self._head) + 3 * self.look.cell.leading)
            self._draw_head(read=True)

    def asked(self, cells: Sequence[Cell]) -> float:
        """Points that the head and this row ask for, so that the head never stands alone."""
        row = self._height(self._blocks(cells))
        head = self._height(self._head) if self._head else 0.0
        return head + (row if row < SPLITS else 4 * self.look.cell.leading)

    def _blocks(self, cells: Sequence[Cell]) -> list[Block]:
        look = self.look
        kinds = [look.label or look.cell, *[look.cell] * (len(cells) - 1)]
        beside = not look.grid or look.label is not None
        return [self._block(cell, i, kinds[i], (*self.place, self.number, i), beside or i == len(cells) - 1)
                for i, cell in enumerate(cells)]

    def row(self, cells: Sequence[Cell]) -> None:
        """One row; longer than a page, it goes on under the repeated head."""
        self.number, self._since = self.number + 1, self._since + 1
        look, sheet = self.look, self.sheet
        if not look.grid and not look.label and (plain := self._plain_cells(cells)):
            self._plain_row(plain)
            return
        blocks = self._blocks(cells)
        leading = look.cell.leading
        height = self._height(blocks)
        if height > sheet.left_over and (height < SPLITS or sheet.left_over < 4 * leading):
            self._turn()
        fill = look.zebra if look.zebra and self.number % 2 == 0 else None
        elements = self._voices(
            blocks, self._elements(len(blocks), "TH" if look.label else "TD", ROW_HEAD if look.label else ""))
        done, most = 0, self._most(blocks)
        while done < most:
            if done:
                self._turn(within_row=True)
            fit = max(1, int((sheet.left_over - 2 * look.pad) // leading))
            lines = min(fit, most - done)
            self._band(blocks, [done] * len(blocks), lines, fill, elements)
            done += lines

    def _plain_cells(self, cells: Sequence[Cell]) -> list[Plain] | None:
        """The cells, if all are plain text or a whole mask on one line, as in nearly every row."""
        kind = self.look.cell
        found: list[Plain] = []
        for index, cell in enumerate(cells):
            boxed = isinstance(cell, Masked)
            text = cell.shown if isinstance(cell, Masked) else drawn_in(cell, self.sheet.language)
            if isinstance(text, Words):
                return None
            if boxed and (text[:1] != "（" or not _WHOLE.fullmatch(text)):
                return None
            ems = kind.hand.ems(text, (*self.place, self.number, index))
            left, right = self.spans[index]
            if ems is None or (long := ems * kind.size) > right - left + 1e-6:
                return None
            at = {"left": left, "right": right - long, "center": (left + right - long) / 2}
            fill = None if not isinstance(cell, Masked) else WAITING if cell.mark == "under_review" else STRUCK
            down = self.tiers[index] * kind.leading
            found.append(Plain(text, at["center" if fill else self.aligns[index]], fill, left, right, down))
        return found

    def _plain_row(self, cells: Sequence[Plain]) -> None:
        look, sheet, kind = self.look, self.sheet, self.look.cell
        height = (max(self.tiers) + 1) * kind.leading + 2 * look.pad
        if height > sheet.left_over:
            self._turn()
        elements = self._elements(len(cells), "TD")
        top, page, left, right = sheet.y, sheet.page, self.left, self.right
        base = top - look.pad - kind.rise()
        rule, fill = "{:.3g} {:.3g} {:.3g}".format(*look.rule), look.zebra if self.number % 2 == 0 else None
        behind = page.filling(left, top - height, right - left, height - look.thick, fill) if fill else ""
        behind += f"{look.thick:g} w {rule} RG {left:.2f} {top - height:.2f} m {right:.2f} {top - height:.2f} l S "
        for cell in cells:
            if cell.fill:
                low, up = top - look.pad - cell.down - kind.leading + 0.8, kind.leading - 1.6
                behind += page.filling(cell.left, low, cell.right - cell.left, up, cell.fill)
        run, ink = page.codes.run, dict[Colour | None, Colour]({STRUCK: WHITE})
        page.row(behind, [
            (element, cell.x, base - cell.down, run(cell.text, kind, self.place), ink.get(cell.fill, kind.colour))
            for element, cell in zip(elements, cells, strict=True) if cell.text and element is not None
        ])
        sheet.y -= height

    def _elements(self, cells: int, first: str, attributes: str = "", others: str = "TD") -> list[int | None]:
        """A row and its cells in the reading order."""
        tree = self.sheet.structure
        row = tree.open("TR", self._table)
        return [tree.open(first if i == 0 else others, row, attributes if i == 0 or others == "TH" else "")
                for i in range(cells)]

    def _voices(self, blocks: Sequence[Block], elements: Sequence[int | None]) -> list[Voices]:
        tree = self.sheet.structure
        return [(element, element) if element is None or block.turn == maxsize
                else (tree.open("Span", element), tree.open("Span", element, ENGLISH))
                for block, element in zip(blocks, elements, strict=True)]

    def _draw_head(self, read: bool) -> None:
        """``read``: as the head of its table; else it only repeats for the eye what was read before."""
        count = len(self._head)
        elements = self._elements(count, "TH", COLUMN_HEAD, "TH") if read else [None] * count
        self._band(self._head, [0] * count, self._most(self._head), self.look.head_fill,
                   self._voices(self._head, elements))

    def _turn(self, within_row: bool = False) -> None:
        self.sheet.new_page()
        if self._head:
            fresh = self._since > ROWS_READ_AT_ONCE and not within_row
            if fresh:
                self._table, self._since = self.sheet.structure.open("Table", self._parent), 0
            self._draw_head(read=fresh)

    def _block(self, cell: Cell, index: int, kind: Type, place: Place, beside: bool) -> Block:
        text = cell.shown if isinstance(cell, Masked) else drawn_in(cell, self.sheet.language)
        if isinstance(text, Words):
            return self._glossed(text, index, kind, place, beside)
        glyphs = kind.hand.spell(text, place)
        limit = (self.widths[index] - 2 * self.look.side) / kind.size
        short = NEWLINE not in glyphs and width(glyphs) <= limit
        lines = [(0, len(glyphs))] if short else break_lines(glyphs, limit)
        align = self.aligns[index]
        if not isinstance(cell, Masked):
            return Block(glyphs, lines, kind, align)
        fill = WAITING if cell.mark == "under_review" else STRUCK
        struck = struck_parts(glyphs)
        whole = not struck or (bool(_WHOLE.fullmatch(text)) and len(lines) == 1)
        return Block(glyphs, lines, kind, align, struck, whole, fill)

    def _glossed(self, text: Words, index: int, kind: Type, place: Place, beside: bool) -> Block:
        """The gloss stands beside the Japanese, if both have room on one line and may, else below it."""
        small, measure = gloss(kind), self.widths[index] - 2 * self.look.side
        japanese, english = kind.hand.spell(text.ja, place), small.hand.spell(text.en, (*place, "en"))
        if beside and NEWLINE not in [*japanese, *english]:
            spaced = [*japanese, *kind.hand.spell("　", place)]
            if width(spaced) * kind.size + width(english) * small.size <= measure:
                whole = [*spaced, *english]
                return Block(whole, [(0, len(whole))], kind, self.aligns[index], turn=len(spaced))
        turn = len(japanese)
        below = [(turn + start, turn + end) for start, end in break_lines(english, measure / small.size)]
        lines = [*break_lines(japanese, measure / kind.size), *below]
        return Block([*japanese, *english], lines, kind, self.aligns[index], turn=turn)

    def _most(self, blocks: Iterable[Block]) -> int:
        return max((tier + len(block.lines) for block, tier in zip(blocks, self.tiers, strict=True)), default=1)

    def _height(self, blocks: Sequence[Block]) -> float:
        return self._most(blocks) * self.look.cell.leading + 2 * self.look.pad

    def _band(self, blocks: Sequence[Block], skipped: Sequence[int], lines: int, fill: Colour | None,
              elements: Sequence[Voices]) -> None:
        look, page, sheet = self.look, self.sheet.page, self.sheet
        top, height = sheet.y, lines * look.cell.leading + 2 * look.pad
        if fill:
            page.fill(self.left, top - height, self.right - self.left, height - look.thick, fill)
        elif look.label_fill:
            page.fill(self.left, top - height, self.widths[0], height, look.label_fill)
        for index, block in enumerate(blocks):
            shown = block.lines[skipped[index]:skipped[index] + lines]
            drop = (lines - len(shown)) / 2 * look.cell.leading if look.grid and look.label and index == 0 else 0.0
            for offset, line in enumerate(shown, start=self.tiers[index]):
                self._line(block, line, index, top - look.pad - drop - offset * look.cell.leading, elements[index])
        self._rules(top, height)
        sheet.y -= height

    def _rules(self, top: float, height: float) -> None:
        look, page, left, right = self.look, self.sheet.page, self.left, self.right
        page.line(left, top - height, right, top - height, look.thick, look.rule)
        if look.grid:
            page.line(left, top, right, top, look.thick, look.rule)
            for x in (left, *(end + look.side for _, end in self.spans)):
                page.line(x, top, x, top - height, look.thick, look.rule)

    def _line(self, block: Block, line: tuple[int, int], index: int, top: float, voices: Voices) -> None:
        if line[1] <= block.turn:
            with self.sheet.structure.into(voices[0]):
                self._one_voice(block, line, index, top)
            return
        turn, (left, right) = max(block.turn, line[0]), self.spans[index]
        japanese, english, small = block.glyphs[line[0]:turn], block.glyphs[turn:line[1]], gloss(block.kind)
        end = left + width(japanese) * block.kind.size
        shift = {"left": 0.0, "right": 1.0, "center": 0.5}[block.align] * (right - end - width(english) * small.size)
        base, page = top - block.kind.rise(), self.sheet.page
        for glyphs, x, kind, element in ((japanese, left, block.kind, voices[0]), (english, end, small, voices[1])):
            with self.sheet.structure.into(element):
                page.write(x + shift, base, glyphs, kind)

    def _one_voice(self, block: Block, line: tuple[int, int], index: int, top: float) -> None:
        kind, page = block.kind, self.sheet.page
        glyphs = block.glyphs[line[0]:line[1]]
        left, right = self.spans[index]
        long = width(glyphs) * kind.size
        align: Align = "center" if block.whole else block.align
        x = {"left": left, "right": right - long, "center": (left + right - long) / 2}[align]
        base = top - kind.rise()
        if block.whole:
            page.fill(left, top - kind.leading + 0.8, right - left, kind.leading - 1.6, block.fill)
            self._struck(x, base, glyphs, block)
            return
        if not block.struck:
            page.write(x, base, glyphs, kind)
            return
        for start, end, struck in _pieces(line, block.struck):
            piece = block.glyphs[start:end]
            across = width(piece) * kind.size
            if struck:
                page.fill(x + 0.5, top - kind.leading + 0.8, across - 1.0, kind.leading - 1.6, block.fill)
                self._struck(x, base, piece, block)
            else:
                page.write(x, base, piece, kind)
            x += across

    def _struck(self, x: float, base: float, glyphs: Sequence[Glyph], block: Block) -> None:
        """The mask's own text, in sight: white on the box, its squares in grey. Nothing lies under a box."""
        ink = INK if block.fill is WAITING else WHITE
        squares = next((i for i, glyph in enumerate(glyphs) if glyph.reading != "■"), len(glyphs))
        self.sheet.page.write(x, base, glyphs[:squares], block.kind, GREY)
        self.sheet.page.write(x + width(glyphs[:squares]) * block.kind.size, base, glyphs[squares:], block.kind, ink)


def struck_parts(glyphs: Sequence[Glyph]) -> tuple[tuple[int, int], ...]:
    flat = "".join(glyph.reading[0] for glyph in glyphs)
    if _WHOLE.fullmatch(flat):
        return ((0, len(flat)),)
    return tuple(match.span() for match in _STRUCK_PART.finditer(flat))


def _pieces(line: tuple[int, int], struck: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int, bool]]:
    at = line[0]
    for start, end in struck:
        low, high = max(start, line[0]), min(end, line[1])
        if low < high:
            if at < low:
                yield at, low, False
            yield low, high, True
            at = high
    if at < line[1]:
        yield at, line[1], False


def natural(texts: Iterable[str], hand: Hand, size: float, place: Place) -> float:
    """The width the longest of ``texts`` asks for, in points."""
    longest = 0.0
    for text in texts:
        glyphs = hand.spell(text, place)
        if NEWLINE in glyphs:
            longest = max(longest, *(width(glyphs[a:b]) for a, b in break_lines(glyphs, 1e9)))
        else:
            longest = max(longest, width(glyphs))
    return longest * size


def label_width(text: Text, kind: Type, language: Language, place: Place, room: float | None = 0.0) -> float:
    """In points, without padding. A gloss stands below in its longest word or ``room``; beside, where that is None."""
    drawn = drawn_in(text, language)
    if isinstance(drawn, str):
        return natural([drawn], kind.hand, kind.size, place)
    small = gloss(kind)
    japanese = natural([drawn.ja], kind.hand, kind.size, place)
    english = natural([drawn.en], small.hand, small.size, place)
    if room is None:
        return japanese + kind.size + english
    return max(japanese, min(english, room), natural(drawn.en.split(), small.hand, small.size, place))


def measure_columns(table: Table, language: Language = "ja") -> list[float]:
    """The width each column's longest value asks for, read from every row once; the count is proved on the way."""
    longest, keys = [0.0] * len(table.columns), [column.key for column in table.columns]
    number = 0
    for number, row in enumerate(table.rows(), start=1):
        if len(row) != len(longest):
            raise CheckFailed(f"{table.dataset} row {number}: {len(row)} cells for {len(longest)} columns")
        for index, cell in enumerate(row):
            place = (table.dataset, "row", number, keys[index])
            text = cell.shown if isinstance(cell, Masked) else drawn_in(cell, language)
            if isinstance(text, Words):
                longest[index] = max(longest[index], label_width(text, CELL, language, place, GLOSS_ROOM) / CELL.size)
                continue
            ems = CELL.hand.ems(text, place)
            longest[index] = max(longest[index], width(CELL.hand.spell(text, place)) if ems is None else ems)
    if number != table.count:
        raise CheckFailed(f"{table.dataset}: {table.count} rows were stated, {number} were handed over")
    return [ems * CELL.size + 2 * PAD for ems in longest]


def share(table: Table, content: Sequence[float], language: Language = "ja") -> list[float] | None:
    """Column widths that fill the measure, or ``None`` if the columns cannot stand side by side.

    Narrow columns (identifiers, days, sums) never wrap; their labels may. Wide ones share what is left.
    """
    labels = _labels(table, language)
    wanted = [max(pair) for pair in zip(content, labels, strict=True)]
    if sum(wanted) <= MEASURE:
        return _stretch(table.columns, wanted)
    wide = [c.wide or asked > WIDE_SHARE * MEASURE for c, asked in zip(table.columns, content, strict=True)]
    least = [min(WIDE_LEAST, max(asked, label)) if is_wide else max(asked, min(label, 5 * TABLE_HEAD.size + 2 * PAD))
             for is_wide, asked, label in zip(wide, content, labels, strict=True)]
    spare = MEASURE - sum(least)
    if spare < 0:
        return None
    asks = [max(0.0, asked - low) for asked, low in zip(wanted, least, strict=True)]
    given = [low + spare * ask / sum(asks) for low, ask in zip(least, asks, strict=True)]
    cramped = any(across < CRAMPED and asked > 6 * across for across, asked in zip(given, content, strict=True))
    return None if cramped else given


TIERS = 3


def stack(table: Table, content: Sequence[float], language: Language = "ja") -> tuple[list[float] | None, list[int]]:
    """Widths and tiers of columns that stand on up to three lines, each value on one; ``None`` if they cannot."""
    wanted = [max(pair) for pair in zip(content, _labels(table, language, None), strict=True)]
    tiers, used, tier = list[int](), 0.0, 0
    for across in wanted:
        if used + across > MEASURE:
            tier, used = tier + 1, 0.0
        tiers.append(tier)
        used += across
    return (None, []) if max(wanted) > MEASURE or tier >= TIERS else (wanted, tiers)


def _labels(table: Table, language: Language, room: float | None = 0.0) -> list[float]:
    return [label_width(c.label, TABLE_HEAD, language, (table.dataset, c.key), room) + 2 * PAD for c in table.columns]


def _stretch(columns: Sequence[Column], wanted: Sequence[float]) -> list[float]:
    """Spare width goes to the wide columns, else to all in proportion."""
    spare = MEASURE - sum(wanted)
    chosen = [i for i, column in enumerate(columns) if column.wide] or list(range(len(columns)))
    weight = sum(wanted[i] for i in chosen)
    return [w + (spare * w / weight if i in chosen else 0.0) for i, w in enumerate(wanted)]


SAMPLE = 100


def pages_asked(table: Table, language: Language = "ja") -> float:
    """About how many pages the table fills: laid out for every row, drawn from a hundred spread over it."""
    content, step = measure_columns(table, language), -(-table.count // SAMPLE) or 1
    some = replace(table, rows=lambda: islice(table.rows(), 0, None, step), count=-(-table.count // step))
    with drawing("", "", date.min, lambda page, number, total: None, language=language) as sheet:
        whole = sheet.left_over
        draw_rows(sheet, some, content)
        return (len(sheet.pages) - sheet.left_over / whole) * step


def draw_rows(sheet: Sheet, table: Table, content: Sequence[float] = ()) -> None:
    """The table with every row: side by side where the columns fit, else one card of label and value per record.

    A few records of many fields are cards too: nobody reads a line of headings over a single line of values.
    ``content`` is what its columns ask for, where they were measured before.
    """
    content = content or measure_columns(table, sheet.language)
    if not table.count:
        sheet.paragraph(say("rows"), CELL, (table.dataset,))
        return
    widths, tiers = share(table, content, sheet.language), list[int]()
    if widths is None and table.count > 3:
        widths, tiers = stack(table, content, sheet.language)
    if widths is None or (table.count <= 3 and len(table.columns) > 6):
        _cards(sheet, table)
        return
    ruled = Ruled(sheet, widths, [c.align for c in table.columns], BOOK, (table.dataset, "row"),
                  [c.label for c in table.columns], tiers)
    for row in table.rows():
        ruled.row(row)


def _cards(sheet: Sheet, table: Table) -> None:
    asked = (label_width(c.label, TABLE_LABEL, sheet.language, (table.dataset,), None) for c in table.columns)
    labels = max(asked, default=0.0) + 2 * PAD
    widths = [min(labels, MEASURE / 3), MEASURE - min(labels, MEASURE / 3)]
    for number, row in enumerate(table.rows(), start=1):
        sheet.room(60)
        if table.count > 1:
            sheet.skip(4 if number > 1 else 0)
            sheet.paragraph(f"{number} / {table.count}", TABLE_LABEL, (table.dataset, "row", number))
        sheet.page.line(LEFT, sheet.y, LEFT + MEASURE, sheet.y, 0.8, NAVY)
        ruled = Ruled(sheet, widths, ["left", "left"], CARD, (table.dataset, "row", number))
        for column, cell in zip(table.columns, row, strict=True):
            ruled.row([column.label, cell])
