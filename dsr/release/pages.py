"""The text of pages, read from their operators by their own fonts' maps, exactly; and which letters were used.

The second reader beside PDFium: it sees what is under a box, white, outside the page, in a hidden layer or in a form
that is never drawn, in the order of the operators, so that a value broken over lines of a cell is one again.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import pikepdf
from fontTools.agl import toUnicode
from fontTools.ttLib import TTFont, TTLibError

from dsr.errors import CheckFailed

_SHOWS = ("Tj", "TJ", "'", '"')
_OPERATORS = " ".join(("q", "Q", "gs", "ET", "Tf", *_SHOWS, "Do", "BMC", "BDC", "EMC", "DP", "EI"))
_SECTION = re.compile(rb"begin(codespacerange|bfchar|bfrange)(.*?)end\1", re.DOTALL)
_TOKEN = re.compile(rb"<([0-9A-Fa-f\s]*)>|(\[)|(\])")
DEEPEST = 20

Id = tuple[int, int]


class Unreadable(CheckFailed):
    """``what`` cannot be decoded."""


class Drawn(NamedTuple):
    """Text of one BT … ET; ``strings`` are those of marked content; ``beside``: a running head and other artifacts."""

    text: str
    strings: tuple[pikepdf.String, ...] = ()
    beside: bool = False


@dataclass
class Lettering:
    """One font as a reader: codes to text."""

    font: pikepdf.Object
    used: set[int] = field(default_factory=set)

    @cached_property
    def wide(self) -> bool:
        return self.font.get("/Subtype") == "/Type0"

    @cached_property
    def readings(self) -> dict[int, str]:
        """Code → text, as its map to Unicode says, else as its encoding says."""
        if "/ToUnicode" in self.font:
            try:
                return _to_unicode(self.font.ToUnicode.read_bytes())
            except (ValueError, StopIteration, IndexError, pikepdf.PdfError):
                raise Unreadable("a map to Unicode that is none") from None
        if self.wide or self.font.get("/Subtype") == "/Type3":
            raise Unreadable("a font without a map to Unicode")
        return _encoding(self.font.get("/Encoding"))

    def read(self, raw: bytes) -> str:
        """Raises Unreadable for a code that the font does not map."""
        if self.wide and self.font.get("/Encoding") not in ("/Identity-H", "/Identity-V"):
            raise Unreadable("a font whose codes are not two bytes each")
        codes = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)] if self.wide else list(raw)
        self.used.update(codes)
        try:
            return "".join([self.readings[code] for code in codes])
        except KeyError:
            raise Unreadable("a letter that its font does not map to Unicode") from None

    def unused(self) -> bool:
        """Whether it keeps a letter beyond ASCII that nothing uses: ReportLab puts all of ASCII into a first subset."""
        left = {code for code, text in self.readings.items() if code not in self.used and not text.isascii()}
        return bool(left) or bool(_outlines(self.font) - self._reached())

    def _reached(self) -> set[str]:
        """Names of glyphs that used codes draw, ASCII's, and the parts they are made of."""
        program = _program(self.font)
        if program is None:
            return set()
        kept = self.used | {code for code, text in self.readings.items() if text.isascii()}
        reached = {".notdef"} | {name for code in kept if (name := _glyph(program, code, self.wide))}
        glyphs = program["glyf"]
        for name in [name for name in reached if _data(program, name)[:2] == b"\xff\xff"]:  # made of others
            reached |= set(glyphs[name].getComponentNames(glyphs))
        return reached


def _to_unicode(raw: bytes) -> dict[int, str]:
    found: dict[int, str] = {}
    for kind, body in _SECTION.findall(raw):
        if kind == b"bfchar":
            codes = [bytes.fromhex(token[0].decode()) for token in _TOKEN.findall(body)]
            pairs = zip(codes[::2], codes[1::2], strict=True)
            found |= {int.from_bytes(code, "big"): _utf16(text) for code, text in pairs}
        elif kind == b"bfrange":
            found |= _ranges(_TOKEN.findall(body))
    return found


def _ranges(tokens: list[tuple[bytes, bytes, bytes]]) -> dict[int, str]:
    found: dict[int, str] = {}
    rest = iter(tokens)
    for low in rest:
        first, last = (int(token[0], 16) for token in (low, next(rest)))
        start = next(rest)
        if start[1]:  # [ one text for each code ]
            found |= {code: _utf16(bytes.fromhex(next(rest)[0].decode())) for code in range(first, last + 1)}
            next(rest)
        else:
            raw = bytes.fromhex(start[0].decode())
            found |= {first + n: _utf16(raw[:-1] + bytes([(raw[-1] + n) & 255])) for n in range(last - first + 1)}
    return found


def _utf16(raw: bytes) -> str:
    return raw.decode("utf-16-be", "replace")


def _encoding(encoding: Any) -> dict[int, str]:
    """A simple font without a map: what is near enough to every Latin encoding, and its own differences."""
    found = {code: bytes([code]).decode("cp1252", "replace") for code in range(256)}
    at = 0
    for entry in encoding.get("/Differences", []) if isinstance(encoding, pikepdf.Dictionary) else []:
        if isinstance(entry, int):
            at = entry
        else:
            found[at] = toUnicode(str(entry)[1:]) or "\ufffd"
            at += 1
    return found


# -- the font's own glyphs ---------------------------------------------------------------------------------------


def _descriptor(font: pikepdf.Object) -> Any:
    inner = font.DescendantFonts[0] if "/DescendantFonts" in font else font
    return inner.get("/FontDescriptor", {})


def _program(font: pikepdf.Object) -> Any:
    """The embedded TrueType program. ``None``: none is embedded. Raises Unreadable for any other."""
    descriptor = _descriptor(font)
    if any(key in descriptor for key in ("/FontFile", "/FontFile3")):
        raise Unreadable("a font whose letters cannot be compared with the pages: not TrueType")
    if "/FontFile2" not in descriptor:
        return None
    try:
        return TTFont(io.BytesIO(descriptor.FontFile2.read_bytes()), lazy=True)
    except (TTLibError, pikepdf.PdfError):
        raise Unreadable("a font that does not open") from None


def _glyph(program: Any, code: int, wide: bool) -> str | None:
    if wide:
        return str(program.getGlyphName(code)) if code < program["maxp"].numGlyphs else None
    return next((table.cmap[code] for table in program["cmap"].tables if code in table.cmap), None)


def _outlines(font: pikepdf.Object) -> set[str]:
    program = _program(font)
    if program is None:
        return set()
    return {name for name in program.getGlyphOrder() if _data(program, name)}


def _data(program: Any, name: str) -> bytes:
    """The outline as stored; most need not be taken apart."""
    return bytes(getattr(program["glyf"].glyphs[name], "data", b"\xff\xff"))


# -- operators -----------------------------------------------------------------------------------------------------


class Reader:
    """Reads content streams of one document; each form is read once, where it is met first."""

    def __init__(self) -> None:
        self.fonts: dict[Id, Lettering] = {}
        self._read: set[Id] = set()

    def page(self, page: pikepdf.Object) -> Iterator[Drawn]:
        """Text in the order of the operators. Raises Unreadable for what cannot be read."""
        yield from self._content(page, pikepdf.Page(page).resources, 0)

    def form(self, form: pikepdf.Object, above: Any = None, depth: int = 0) -> Iterator[Drawn]:
        """Form, pattern or appearance of an annotation. Without resources of its own it uses those ``above``."""
        if form.objgen in self._read:
            return
        self._read.add(form.objgen)
        if depth > DEEPEST:
            raise Unreadable("forms within forms without end")
        yield from self._content(form, form.get("/Resources", above), depth)

    def _content(self, content: pikepdf.Object, resources: Any, depth: int) -> Iterator[Drawn]:
        parts: list[str] = []
        fonts: list[Lettering | None] = [None]
        marks: list[str] = []
        for operands, operator in _instructions(content):
            name = str(operator)
            if name in _SHOWS:
                parts.append(_shown(fonts[-1], operands[-1]))
            elif name == "ET":
                yield Drawn("".join(parts), beside="/Artifact" in marks)
                parts = []
            elif name in ("Tf", "gs"):
                fonts[-1] = self._font(resources, name, operands[0]) or fonts[-1]
            elif name in ("q", "Q"):
                fonts = [*fonts, fonts[-1]] if name == "q" else fonts[:-1] or [None]
            elif name in ("BMC", "BDC", "EMC"):
                marks = marks[:-1] if name == "EMC" else [*marks, str(operands[0])]
            if name in ("BDC", "DP"):
                yield Drawn("", tuple(_strings(operands[1])))
            elif name == "Do":
                yield from self._drawn(_resource(resources, "/XObject", operands[0]), resources, depth)
            elif name == "EI":
                raise Unreadable("a picture")
        yield Drawn("".join(parts))

    def _font(self, resources: Any, operator: str, name: Any) -> Lettering | None:
        if operator == "Tf":
            font = _resource(resources, "/Font", name)
            if font is None:
                raise Unreadable("text in a font that is not there")
        else:
            state = _resource(resources, "/ExtGState", name)
            if state is None or "/Font" not in state:
                return None
            font = state.Font[0]
        key = font.objgen if font.is_indirect else (-1 - len(self.fonts), 0)
        return self.fonts.setdefault(key, Lettering(font))

    def _drawn(self, thing: Any, resources: Any, depth: int) -> Iterator[Drawn]:
        if thing is not None and thing.get("/Subtype") == "/Form":
            yield from self.form(thing, resources, depth + 1)


def _resource(resources: Any, kind: str, name: Any) -> Any:
    try:
        return resources[kind][str(name)]
    except (KeyError, TypeError, ValueError):
        return None


def _shown(font: Lettering | None, operand: Any) -> str:
    if font is None:
        raise Unreadable("text without a font")
    pieces = operand if isinstance(operand, pikepdf.Array) else [operand]
    return "".join([font.read(bytes(piece)) for piece in pieces if isinstance(piece, pikepdf.String)])


def _instructions(content: pikepdf.Object) -> Any:
    try:
        return pikepdf.parse_content_stream(content, _OPERATORS)
    except (pikepdf.PdfError, TypeError, ValueError):
        raise Unreadable("operators that cannot be read") from None


def _strings(thing: Any) -> Iterator[pikepdf.String]:
    if isinstance(thing, pikepdf.String):
        yield thing
    elif isinstance(thing, pikepdf.Dictionary):
        for value in thing.values():
            yield from _strings(value)
    elif isinstance(thing, pikepdf.Array):
        for value in thing:
            yield from _strings(value)


__all__ = ["Drawn", "Lettering", "Reader", "Unreadable"]
