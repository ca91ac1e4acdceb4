"""Paper, type and colour of every document: the sober look of a Japanese public office (A4, binding at the left)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from dsr.documents.content import Words
from dsr.documents.letters import BOLD, FIXED, GOTHIC, MINCHO, Hand

MM = 72 / 25.4
PAPER = (210 * MM, 297 * MM)
LEFT, RIGHT, TOP, BOTTOM = 25 * MM, 20 * MM, 26 * MM, 22 * MM
MEASURE = PAPER[0] - LEFT - RIGHT

Colour = tuple[float, float, float]
INK: Colour = (0.1, 0.1, 0.1)
NAVY: Colour = (0.086, 0.196, 0.361)
MUTE: Colour = (0.29, 0.333, 0.408)
RULE: Colour = (0.62, 0.67, 0.74)
PALE: Colour = (0.955, 0.965, 0.98)
FORM: Colour = (0.953, 0.953, 0.941)
STRUCK: Colour = (0.13, 0.13, 0.13)
WAITING: Colour = (0.88, 0.89, 0.91)
GREY: Colour = (0.6, 0.6, 0.6)
WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Type:
    """``size`` and ``leading`` in points."""

    hand: Hand
    size: float
    leading: float
    colour: Colour = INK

    def rise(self) -> float:
        """From the top of a line to its base line: the body of a kanji (0.76 of the size) in the middle."""
        return (self.leading + 0.76 * self.size) / 2


BODY = Type(GOTHIC, 10, 17)
SMALL = Type(GOTHIC, 8.5, 13.5)
GLOSS = Type(GOTHIC, 8.5, 13, MUTE)
FURNITURE = Type(GOTHIC, 8, 10, MUTE)
PART = Type(BOLD, 15, 24, NAVY)
SECTION = Type(BOLD, 11, 17, NAVY)
TABLE_HEAD = Type(BOLD, 8, 11, WHITE)
TABLE_LABEL = Type(BOLD, 8, 11.5, NAVY)
CELL = Type(FIXED, 8, 11.5)
COVER = Type(BOLD, 20, 32, NAVY)

NOTICE = Type(MINCHO, 10.5, 18.5)
NOTICE_TITLE = Type(MINCHO, 17, 27)
NOTICE_NAME = Type(MINCHO, 13, 22)
NOTICE_CELL = Type(MINCHO, 9.5, 14.5)
NOTICE_SMALL = Type(MINCHO, 9, 14)
NOTICE_TINY = Type(MINCHO, 8, 10)
DIGEST = Type(FIXED, 7, 10)
WITNESS = Type(FIXED, 6.5, 9, MUTE)


@cache
def gloss(kind: Type) -> Type:
    """What stands in English below or beside ``kind``: smaller, and quieter where that is dark."""
    size = min(8.5, max(6.5, 0.85 * kind.size))
    colour = kind.colour if kind.colour == WHITE else MUTE
    return Type(MINCHO if kind.hand is MINCHO else GOTHIC, size, min(kind.leading, 1.5 * size), colour)


ERAS = (
    (date(2019, 5, 1), "令和"),
    (date(1989, 1, 8), "平成"),
    (date(1926, 12, 25), "昭和"),
    (date(1912, 7, 30), "大正"),
    (date(1873, 1, 1), "明治"),  # the Gregorian calendar begins in 明治6年
)


LETTERS = {"令和": "R", "平成": "H", "昭和": "S", "大正": "T", "明治": "M"}


def _era(day: date) -> tuple[str, int] | None:
    """The era and its year, from 1; ``None`` before 1873."""
    for first, name in ERAS:
        if day >= first:
            return name, day.year - (1868 if name == "明治" else first.year) + 1
    return None


def era_day(day: date) -> str:
    """令和8年11月22日; the first year of an era is 元年. Days before 1873 keep the western year."""
    return f"{era_month(day)}{day.day}日"


def era_month(day: date) -> str:
    """令和8年11月"""
    found = _era(day)
    if not found:
        return f"{day.year}年{day.month}月"
    name, year = found
    return f"{name}{'元' if year == 1 else year}年{day.month}月"


def short_era(day: date) -> str | None:
    """R8.11.22, for the columns of a table."""
    found = _era(day)
    return f"{LETTERS[found[0]]}{found[1]}.{day.month:02d}.{day.day:02d}" if found else None


MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip


def said_day(day: date) -> Words:
    """令和8年11月22日, 22 November 2026"""
    return Words(era_day(day), f"{day.day} {MONTHS[day.month - 1]} {day.year}")


def said_month(day: date) -> Words:
    return Words(era_month(day), f"{MONTHS[day.month - 1]} {day.year}")


def both_days(day: date) -> Words:
    """令和8年11月22日（2026-11-22）"""
    said = said_day(day)
    return Words(f"{said.ja}（{day.isoformat()}）", said.en)
