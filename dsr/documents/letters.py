"""Which glyph draws a character, and what it reads as when the page is searched or copied.

ReportLab draws a missing glyph as an empty box without a word, reads 𠮷 back as another character, and knows no
variation selectors (measured: pdf.md 1.3). So every text goes through a ``Hand``: a stack of fonts that spells it as
glyphs, one by one, and refuses what none of them has. What could not be seen on paper (controls, bidirectional marks,
zero-width characters, tabs) is spelled as a printed note such as ［U+202E］.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from fontTools.ttLib import TTFont as FontTables
from reportlab import rl_config
from reportlab.pdfbase.ttfonts import SUBSETN, TTFont

from dsr.errors import DsrError

rl_config.useA85 = 0  # ASCII85 in Python costs 15 % of the time and 25 % of the size (pdf.md 4)

FONTS = Path(__file__).parent / "fonts"
FILES = {
    "gothic": "biz-udpgothic/BIZUDPGothic_400Regular.ttf",
    "gothic_bold": "biz-udpgothic/BIZUDPGothic_700Bold.ttf",
    "fixed": "biz-udgothic/BIZUDGothic_400Regular.ttf",
    "mincho": "biz-udpmincho/BIZUDPMincho_400Regular.ttf",
    "sans": "noto-sans-jp/NotoSansJP_400Regular.ttf",
    "serif": "noto-serif-jp/NotoSerifJP_400Regular.ttf",
    "korean": "noto-sans-kr/NotoSansKR_400Regular.ttf",  # what foreign residents' names and web forms hold
    "chinese": "noto-sans-sc/NotoSansSC_400Regular.ttf",
    "symbols": "noto-sans-symbols-2/NotoSansSymbols2_400Regular.ttf",
    "emoji": "noto-emoji/NotoEmoji_400Regular.ttf",
}
REST = ("korean", "chinese", "symbols", "emoji")
# ReportLab's font parser keeps a file position and its fonts are shared by documents: one document is drawn at a time.
PRESS = threading.RLock()

Place = tuple[str | int, ...]


class UndrawableLetter(DsrError):
    """No vendored font has the character: names code point and place, never the text around it."""

    def __init__(self, code_point: int, place: Place) -> None:
        self.code_point, self.place = code_point, place
        where = " ".join(str(part) for part in place)
        fix = "correct it in its system and run dsr collect CASE --again, strike it (a note), or add a font that has it"
        super().__init__(f"{where}: no font has U+{code_point:04X} → {fix}")


class Face(TTFont):  # type: ignore[misc]
    """One vendored font, which may also draw glyphs that have no code point of their own under a private one."""

    def __init__(self, key: str) -> None:
        self.path = FONTS / FILES[key]
        super().__init__(f"dsr-{key}", str(self.path), asciiReadable=True)
        self._readings: dict[int, str] = {}
        self._private: dict[tuple[str, int], int] = {}

    def glyph_of(self, char: str) -> int | None:
        glyph: int | None = self.face.charToGlyph.get(ord(char))
        return glyph or None  # glyph 0 is the empty box

    @cached_property
    def _variants(self) -> dict[tuple[int, int], str | None]:
        with FontTables(self.path, lazy=True) as tables:
            return {
                (base, selector): name
                for table in tables["cmap"].tables if table.format == 14
                for selector, pairs in table.uvsDict.items()
                for base, name in pairs
            }

    def variant_of(self, base: str, selector: str) -> int | None:
        """The glyph of a variation sequence (cmap format 14), ``None`` where the font does not know it."""
        key = (ord(base), ord(selector))
        if key not in self._variants:
            return None
        name = self._variants[key]
        if name is None:  # the sequence's glyph is the plain one
            return self.glyph_of(base)
        with FontTables(self.path, lazy=True) as tables:
            return int(tables.getGlyphID(name))

    def bind(self, reading: str, glyph: int) -> str:
        """A private character that draws ``glyph`` and reads as ``reading``."""
        code = self._private.get((reading, glyph))
        if code is None:
            # Plane 15: the fonts use plane 0's private area themselves. The number itself is not written in the PDF.
            code = self._private[(reading, glyph)] = 0xF0000 + len(self._private)
            self._readings[code] = reading
            self.face.charToGlyph[code] = glyph
            advance = self.face.hmetrics[glyph][0]
            self.face.charWidths[code] = self.face._pdfScale(advance)
        return chr(code)

    def addObjects(self, doc: Any) -> None:
        """ReportLab's own map from codes to text is broken beyond U+FFFF; replace it after it was made."""
        subsets = [list(subset) for subset in self.state[doc].subsets]
        super().addObjects(doc)
        for number, subset in enumerate(subsets):
            name = (SUBSETN(number) + b"+" + self.face.name + self.face.subfontNameX).decode("ascii")
            doc.idToObject["toUnicodeCMap:" + name].content = self._reading_map(subset)

    def _reading_map(self, subset: Iterable[int]) -> str:
        pairs = [
            f"<{index:02X}> <{self._readings.get(code, chr(code)).encode('utf-16-be').hex().upper()}>"
            for index, code in enumerate(subset) if code in self.face.charToGlyph
        ]
        blocks = [pairs[at:at + 100] for at in range(0, len(pairs), 100)]  # the CMap limit
        return "\n".join([
            "/CIDInit /ProcSet findresource begin", "12 dict begin", "begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def", "/CMapType 2 def",
            "1 begincodespacerange", "<00> <FF>", "endcodespacerange",
            *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
            "endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end",
        ])


@cache
def face(key: str) -> Face:
    return Face(key)


class Glyph(NamedTuple):
    """One drawn unit. ``width`` is in ems; ``note`` is true for what we print in place of something unseen."""

    reading: str
    face: Face | None
    char: str
    width: float
    note: bool = False


NEWLINE = Glyph("\n", None, "", 0.0)

_SELECTOR = "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
_COMBINING = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a]"
_CLUSTER = re.compile(f"\r\n|[^\r\n]{_SELECTOR}|[^\r\n]{_COMBINING}+|.", re.DOTALL)
_ODD = re.compile(f"{_SELECTOR}|{_COMBINING}|[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u1680"
                  "\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")
_UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Zs"}
_SEEN_SPACES = {" ", "\u3000"}


class Hand:
    """A way of writing: the first font of ``stack`` that has a character draws it."""

    def __init__(self, *stack: str) -> None:
        self.stack = stack
        self._known: dict[str, Glyph] = {}

    def spell(self, text: str, place: Place) -> list[Glyph]:
        """The text as glyphs, character by character; raises UndrawableLetter."""
        known = self._known
        if _ODD.search(text):
            return [glyph for cluster in _CLUSTER.findall(text) for glyph in self._cluster(cluster, place)]
        try:
            return [known[char] for char in text]
        except KeyError:
            return [known.get(char) or self._plain(char, place) for char in text]

    def ems(self, text: str, place: Place) -> float | None:
        """The width of plain text on one line; ``None`` where a letter needs more than a look (see ``spell``)."""
        if _ODD.search(text):
            return None
        known = self._known
        try:
            return sum([known[char].width for char in text])
        except KeyError:
            return sum([(known.get(char) or self._plain(char, place)).width for char in text])

    def _plain(self, char: str, place: Place) -> Glyph:
        for key in self.stack:
            font = face(key)
            if font.glyph_of(char) is not None:
                self._known[char] = Glyph(char, font, char, font.face.getCharWidth(ord(char)) / 1000)
                return self._known[char]
        raise UndrawableLetter(ord(char), place)

    def _cluster(self, cluster: str, place: Place) -> list[Glyph]:
        first, rest = cluster[0], cluster[1:]
        if first in "\r\n":
            return [NEWLINE]
        if _ODD.fullmatch(first) or not rest:
            return [glyph for char in cluster for glyph in self._single(char, place)]
        if re.fullmatch(_SELECTOR, rest):
            return self._variant(first, rest, place)
        whole = unicodedata.normalize("NFC", cluster)  # か + U+3099: drawn as が, read as it is stored
        if len(whole) > 1:
            return [glyph for char in cluster for glyph in self._single(char, place)]
        drawn = self._plain(whole, place)
        return [self._bound(cluster, drawn)]

    def _single(self, char: str, place: Place) -> list[Glyph]:
        if char == "\xa0":  # ReportLab would turn it into an ordinary space
            return [self._bound(char, self._plain(" ", place))]
        unseen = unicodedata.category(char) in _UNSEEN and char not in _SEEN_SPACES
        if unseen or re.fullmatch(_SELECTOR, char):
            return self.note("［TAB］" if char == "\t" else f"［U+{ord(char):04X}］", place)
        return [self._plain(char, place)]

    def _variant(self, base: str, selector: str, place: Place) -> list[Glyph]:
        for key in self.stack:
            font = face(key)
            glyph = font.variant_of(base, selector)
            if glyph is not None:
                return [self._private(base + selector, font, glyph)]
        if selector in "\ufe0e\ufe0f":  # in text or in colours: no other form of the letter
            return [self._bound(base + selector, self._plain(base, place))]
        # The plain form instead, and said so: the reader may hold another form of the letter to be the right one.
        return [self._bound(base + selector, self._plain(base, place)), *self.note("［異体字］", place)]

    def _bound(self, reading: str, drawn: Glyph) -> Glyph:
        assert drawn.face is not None
        glyph = drawn.face.glyph_of(drawn.char)
        assert glyph is not None
        return self._private(reading, drawn.face, glyph)

    @staticmethod
    def _private(reading: str, font: Face, glyph: int) -> Glyph:
        char = font.bind(reading, glyph)
        return Glyph(reading, font, char, font.face.getCharWidth(ord(char)) / 1000)

    def note(self, text: str, place: Place) -> list[Glyph]:
        return [self._plain(char, place)._replace(note=True) for char in text]


# "fixed" knows the sequences whose glyph is the plain one (辻 + U+E0101), which the proportional gothic lacks.
GOTHIC = Hand("gothic", "fixed", "sans", "serif", *REST)
BOLD = Hand("gothic_bold", "fixed", "sans", "serif", *REST)
FIXED = Hand("fixed", "sans", "serif", *REST)
MINCHO = Hand("mincho", "serif", "fixed", "sans", *REST)


def width(glyphs: Iterable[Glyph]) -> float:
    """In ems."""
    return sum(glyph.width for glyph in glyphs)
