"""Where a Japanese line may break (行頭・行末禁則, 分離禁止); an offending letter goes to the next line (追い出し).

The sets follow JIS X 4051 and JLREQ; ASCII words and numbers are kept whole except at the joints of addresses and URLs.
"""

from __future__ import annotations

from collections.abc import Sequence

from dsr.documents.letters import NEWLINE, Glyph

NOT_FIRST = frozenset(
    "!),.:;?]}%°’”‰′″℃、。，．・：；？！゛゜ヽヾゝゞ々ー―‐–〜～…‥’”）〕］｝〉》」』】〙〗〟｠»｡｣､･ｰﾞﾟ％"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿｧｨｩｪｫｯｬｭｮ"
)
NOT_LAST = frozenset("$([{¥£‘“〈《「『【〔〖〘〝（［｛｢￥＄￡#＃№〒§«｟")
JOINTS = frozenset("/&?=-_,.;:@|+")
UNITS = frozenset("年月日時分秒円件回歳条項号頁")


def may_break(before: str, after: str, joints: bool = True) -> bool:
    """Whether a line may end with ``before`` and the next begin with ``after`` (one letter each, selectors aside).

    ``joints`` also lets a word of ASCII break after the joints of addresses and URLs.
    """
    if before == " ":
        return True
    if after == " " or after in NOT_FIRST or before in NOT_LAST:
        return False
    if before.isascii() and after.isascii():
        return joints and before in JOINTS and after.isalnum() and not (before in "-,.:" and after.isdigit())
    return not (before.isdigit() and after in UNITS) and not (before == "第" and after.isdigit())


def break_lines(glyphs: Sequence[Glyph], limit: float, first: float | None = None) -> list[tuple[int, int]]:
    """Half-open ranges of ``glyphs``, one per line, none dropped but the line breaks in the text itself.

    ``limit`` is the measure in ems, ``first`` that of the first line. One space may hang over the edge. A line with
    no lawful break within it is cut where it is full.
    """
    lines: list[tuple[int, int]] = []
    start, measure = 0, limit if first is None else first
    while True:
        full, end = _fill(glyphs, start, measure)
        if not full:
            lines.append((start, end))
            if end >= len(glyphs):
                return lines
            start = end + 1  # past the line break
        else:
            cut = _retreat(glyphs, start, end)
            lines.append((start, cut))
            start = cut
        measure = limit


def _fill(glyphs: Sequence[Glyph], start: int, measure: float) -> tuple[bool, int]:
    """How far a line reaches, and whether it ended because it was full."""
    used = 0.0
    for index in range(start, len(glyphs)):
        glyph = glyphs[index]
        if glyph is NEWLINE:
            return False, index
        used += glyph.width
        if used > measure + 1e-6 and index > start:
            hangs = glyph.reading == " " and glyphs[index - 1].reading != " "
            if not hangs or index + 1 == len(glyphs) or glyphs[index + 1] is NEWLINE:
                return (False, index + 1) if hangs else (True, index)
            return True, index + 1
    return False, len(glyphs)


def _retreat(glyphs: Sequence[Glyph], start: int, end: int) -> int:
    """The last lawful break at or before ``end``; inside an address or URL only if there is no other."""
    for joints in (False, True):
        for cut in range(end, start, -1):
            if may_break(glyphs[cut - 1].reading[0], glyphs[cut].reading[0], joints):
                return cut
    return end
