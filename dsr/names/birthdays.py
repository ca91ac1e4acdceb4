"""Written days as dates: western and era forms, defaults that mean unknown, typing errors (names.md 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache

import jaconv

from dsr.names.letters import given, spelled
from dsr.names.numbers import KANJI_NUMERAL, arabic

ERAS = (  # name, letter, first day
    ("明治", "M", date(1868, 10, 23)),
    ("大正", "T", date(1912, 7, 30)),
    ("昭和", "S", date(1926, 12, 25)),
    ("平成", "H", date(1989, 1, 8)),
    ("令和", "R", date(2019, 5, 1)),
)
DEFAULTS = frozenset({(1900, 1, 1), (1900, 1, 0), (9999, 12, 31), (0, 0, 0), (1, 1, 1), (1899, 12, 30), (1753, 1, 1)})
"""What systems store for "not known"."""

_TAIL = r"(?:[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?|月)?|年)?"
_WESTERN = re.compile(r"(\d{4})" + _TAIL)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_ERA = re.compile(r"(明治|大正|昭和|平成|令和|[MTSHR])\.?(元|\d{1,2})" + _TAIL)
_ERA_COMPACT = re.compile(r"([MTSHR])\.?(\d{2})(\d{2})(\d{2})")
_SHORT = re.compile(r"(\d{2})[-/.]?(\d{2})[-/.]?(\d{2})")
_NUMERAL = re.compile(f"[{KANJI_NUMERAL}]+(?=[年月日])")
_TIME = re.compile(r"(?<=\d)(?:T|\s+)\d{1,2}:\d{2}.*$|(?<=\d{8})\.0$")


@dataclass(frozen=True)
class WrittenDay:
    """``month`` and ``day`` are None where not written; ``marked``: the era had not begun or was over by then."""

    year: int = field(repr=False)
    month: int | None = field(default=None, repr=False)
    day: int | None = field(default=None, repr=False)
    marked: bool = False

    @property
    def date(self) -> date | None:
        return date(self.year, self.month, self.day) if self.month and self.day else None


def _whole(year: int, month: str | None, day: str | None, marked: bool = False) -> WrittenDay | None:
    m, d = int(month or 0), int(day or 0)
    if (year, m, d) in DEFAULTS or not 1868 <= year <= 2200:
        return None
    try:
        date(year, m or 1, d or 1)
    except ValueError:
        return None
    return WrittenDay(year, m or None, (d or None) if m else None, marked)


def _of_era(era: str, written_year: str, month: str | None, day: str | None) -> WrittenDay | None:
    at = next(index for index, (name, letter, _) in enumerate(ERAS) if era in (name, letter))
    start = ERAS[at][2]
    read = _whole(start.year + (1 if written_year == "元" else int(written_year)) - 1, month, day)
    if read is None:
        return None
    written = tuple(part for part in (read.year, read.month, read.day) if part)
    end = ERAS[at + 1][2] if at + 1 < len(ERAS) else date.max
    before = written < start.timetuple()[: len(written)]
    # A whole day must lie before the next era's first; a bare year or month may share it (昭和64 = 平成元).
    after = written > end.timetuple()[: len(written)] or written == end.timetuple()[:3]
    return WrittenDay(read.year, read.month, read.day, marked=before or after)


def read_day(value: object) -> WrittenDay | None:
    """None for NULL, blanks, defaults, days that no calendar has, and forms that leave the century open."""
    if isinstance(value, datetime | date):
        return _whole(value.year, str(value.month), str(value.day))
    return _read(given(value))


@lru_cache(16384)
def _read(text: str) -> WrittenDay | None:
    plain = re.sub(r"\s+", "", _TIME.sub("", spelled(text).strip())).upper()
    plain = _NUMERAL.sub(lambda numeral: arabic(numeral[0]), plain)
    for pattern, reader in ((_ERA, _of_era), (_ERA_COMPACT, _of_era), (_COMPACT, None), (_WESTERN, None)):
        if found := pattern.fullmatch(plain):
            groups = found.groups()
            return reader(*groups) if reader else _whole(int(groups[0]), groups[1], groups[2])
    return None


def birthday(value: object) -> date | None:
    """The date of any written form, None for unknown, default or impossible."""
    read = read_day(value)
    return read.date if read else None


def two_digit_days(value: object) -> frozenset[date]:
    """What 590517, 59.5.17 or 3590517 may mean: nothing but a person or the column's owner can say."""
    plain = re.sub(r"\s+", "", spelled(given(value)))
    coded = re.fullmatch(r"[1-5](\d{6})", plain)
    found = _SHORT.fullmatch(coded[1] if coded else plain)
    if not found:
        return frozenset()
    short, month, day = found.groups()
    years = [1900 + int(short), 2000 + int(short)] if not coded else []
    years += [first.year + int(short) - 1 for _, _, first in ERAS]
    reads = (_whole(year, month, day) for year in years)
    return frozenset(read.date for read in reads if read and read.date)


def is_typing_error(one: date, other: date) -> bool:
    """One wrong digit, or day and month swapped."""
    wrong = sum(a != b for a, b in zip(f"{one:%Y%m%d}", f"{other:%Y%m%d}", strict=True))
    return wrong == 1 or (one.year == other.year and (one.month, one.day) == (other.day, other.month))


def day_forms(day: date) -> tuple[str, ...]:
    """Every way a store may write this day; in a year that two eras share, under both names."""
    y, m, d = f"{day.year:04d}", day.month, day.day
    forms = [f"{y}{s}{m:02d}{s}{d:02d}" for s in ("-", "/", ".", "")] + [f"{y}{s}{m}{s}{d}" for s in ("/", "-", ".")]
    forms += [f"{y}年{m}月{d}日", f"{y}年{m:02d}月{d:02d}日", *(f"{y}-{m:02d}-{d:02d}{gap}00:00:00" for gap in " T")]
    for at, (name, letter, first) in enumerate(ERAS):
        end = ERAS[at + 1][2].year if at + 1 < len(ERAS) else 9999
        if not first.year <= day.year <= end:
            continue
        n = day.year - first.year + 1
        for year in dict.fromkeys((str(n), f"{n:02d}", "元" if n == 1 else str(n))):
            forms += [f"{name}{year}年{m}月{d}日", f"{name}{year}年{m:02d}月{d:02d}日"]
            for s in "./-":
                forms += [f"{letter}{year}{s}{m}{s}{d}", f"{letter}{year}{s}{m:02d}{s}{d:02d}"]
        forms.append(f"{letter}{n:02d}{m:02d}{d:02d}")
    wide = [str(jaconv.h2z(form, kana=False, digit=True, ascii=True)) for form in forms if "年" in form or "/" in form]
    return tuple(dict.fromkeys(forms + wide))
