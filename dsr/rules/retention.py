"""Until which day a record must stay: the rules of law.md §9 as a table, days in and days out.

The last kept day is inclusive: what is kept until 2034-05-31 may be erased on 2034-06-01. A rule that blocks nothing,
such as the longest time for call records, has no day.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from dsr import law
from dsr.inventory import Company

OLD_CLAIMS = date(2020, 4, 1)
"""Contracts made before keep the old periods of limitation (平29法44 附則10(4))."""
TEN_YEARS = date(2018, 4, 1)
"""A loss of a fiscal year begun on or after this day is carried, and its vouchers kept, for ten years and not nine."""


@dataclass(frozen=True)
class Kept:
    """``rule`` may be another than was asked: a loss year's vouchers are kept under its own. ``until`` is inclusive."""

    rule: str
    until: date


@dataclass(frozen=True)
class Start:
    """``day`` dates the record; ``contracted``: the day of the contract a claim rests on, None where nobody knows."""

    day: date
    contracted: date | None = None


def _end(first: date, years: int = 0, months: int = 0) -> date:
    """Last day of a period of which ``first`` is the first day (Civ 143(2)): the day before the corresponding one.

    Where the last month has no corresponding day, its own last day.
    """
    month = first.month - 1 + months
    year, month = first.year + years + month // 12, month % 12 + 1
    if first.day > monthrange(year, month)[1]:
        return date(year, month, monthrange(year, month)[1])
    return date(year, month, first.day) - timedelta(days=1)


def _after(day: date, years: int = 0, months: int = 0) -> date:
    """As ``_end``, of a period whose starting day is not counted (Civ 140)."""
    return _end(day + timedelta(days=1), years, months)


def year_end(day: date, company: Company) -> date:
    """Last day of the fiscal year of ``day``. A year that ends in February ends on its last day."""
    month, last = map(int, company.fiscal_year_end.split("-"))
    ends = (date(year, month, monthrange(year, 2)[1] if month == 2 else last) for year in (day.year, day.year + 1))
    return next(end for end in ends if day <= end)


def _from_the_return(end: date, company: Company, years: int) -> date:
    return _after(_after(end, months=company.return_months), years)


def _tax(rule: str, start: Start, company: Company) -> Kept:
    end = year_end(start.day, company)
    begun = next((first for first in company.loss_years if year_end(first, company) == end), None)
    if begun is None:
        return Kept(rule, _from_the_return(end, company, 7))
    years = 10 if begun >= TEN_YEARS else 9
    return Kept(f"TAX26-3-{years}Y", _from_the_return(end, company, years))


def _books(rule: str, start: Start, company: Company) -> Kept | None:
    """Closed on the fiscal year's last day. What we hold of a person are subsidiary books: a setting [verify]."""
    return Kept(rule, _after(year_end(start.day, company), 10)) if company.subsidiary_books == "keep" else None


def _claim(rule: str, start: Start, company: Company) -> Kept:
    """From the due day: five years under the new law, ten under the old one or where nobody knows which."""
    new = start.contracted is not None and start.contracted >= OLD_CLAIMS
    return Kept(rule, _after(start.day, 5 if new else 10))


Reckoning = Callable[[str, Start, Company], Kept | None]


def _after_day(years: int = 0, months: int = 0) -> Reckoning:
    return lambda rule, start, company: Kept(rule, _after(start.day, years, months))


def _from_day(years: int) -> Reckoning:
    """起算して: the starting day is the first day."""
    return lambda rule, start, company: Kept(rule, _end(start.day, years))


def _from_return(years: int) -> Reckoning:
    return lambda rule, start, company: Kept(rule, _from_the_return(year_end(start.day, company), company, years))


def _nothing(rule: str, start: Start, company: Company) -> None:
    return None


RULES: Mapping[str, Reckoning] = {
    "TAX59-7Y": _tax,
    "TAX26-3-10Y": _from_return(10),
    "TAX26-3-9Y": _from_return(9),
    "EBOOK": _tax,  # the history of a voucher goes with the voucher
    "CO432-10Y": _books,
    "CTAX-7Y": _from_return(7),
    "CIV166": _claim,
    "MOB4-3Y": _after_day(3),
    "AML6-7Y": _after_day(7),
    "AML7-7Y": _after_day(7),
    "REC-1Y": _from_day(1),
    "REC-3YB": _from_day(3),
    "REC-3Y": _after_day(3),
    "SPEC12-REC": _after_day(3),
    "MAIL4": _after_day(months=1),
    "CDR-MAX": _nothing,
    "CONN-MAX": _nothing,
}


def last_kept(rule: str, day: date, company: Company, contracted: date | None = None) -> Kept | None:
    """The last day on which ``rule`` keeps what ``day`` dates; None where it keeps nothing.

    ``day``: of the document, of the entry, of the contract's end, of the last provision or sending, the due day of a
    claim. Raises BadInput for a rule that the law does not name.
    """
    law.retention(rule)
    return RULES[rule](rule, Start(day, contracted), company)
