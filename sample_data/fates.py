"""What becomes of each record when its person asks for erasure: the builder's own reckoning, record by record.

The arithmetic is written out by hand for a year that ends on 31 March and shares nothing with the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from sample_data.people import Person

TODAY = date(2026, 11, 22)
BILLED = 92
"""Days after which a call's bill is paid and nobody needs its detail."""


@dataclass(frozen=True)
class Fate:
    """``rule``: a retention rule under which it is kept, up to ``until``, its last kept day; ``refused``: the ground on
    which it stays; ``emptied``: fields that go although the record stays; ``stopped``: no longer used for offers."""

    rule: str = ""
    until: date | None = None
    refused: str = ""
    emptied: tuple[str, ...] = ()
    stopped: bool = False


ERASED = Fate()
NEEDED = Fate(refused="APPI-35-5-NEEDED")
SWITCHED_OFF = Fate(stopped=True)


def lives(person: Person) -> bool:
    return person.until is None or person.until >= TODAY


def _year_end(day: date) -> int:
    """The year in which the fiscal year of ``day`` ends, on 31 March."""
    return day.year + (day.month > 3)


def _kept(rule: str, until: date) -> Fate:
    return Fate(rule, until) if until >= TODAY else ERASED


def with_the_contract(person: Person) -> Fate:
    return NEEDED if lives(person) else ERASED


def document(person: Person, day: date) -> Fate:
    """A voucher: for the tax office seven years from the end of May after the fiscal year."""
    return NEEDED if lives(person) else _kept("TAX59-7Y", date(_year_end(day) + 7, 5, 31))


def order(person: Person, day: date) -> Fate:
    """Of an installation the order stays like a voucher, and the home goes at once."""
    found = document(person, day)
    return replace(found, emptied=("address", "port", "terminal")) if found.rule else found


def bill(person: Person, day: date, owed_since: date | None) -> Fate:
    """Invoice and payment; ``owed_since``: due day of the last unpaid bill (of a contract made before April 2020)."""
    return _claimed(document(person, day), person, owed_since)


def book_entry(person: Person, day: date, owed_since: date | None) -> Fate:
    """A line of the customer ledger: ten years from the closing of the books."""
    found = NEEDED if lives(person) else _kept("CO432-10Y", date(_year_end(day) + 10, 3, 31))
    return _claimed(found, person, owed_since)


def _claimed(found: Fate, person: Person, owed_since: date | None) -> Fate:
    if owed_since is None or lives(person):
        return found
    limit = date(owed_since.year + 10, owed_since.month, owed_since.day)
    return found if found.until and found.until >= limit else _kept("CIV166", limit)


def call(person: Person, day: date) -> Fate:
    return NEEDED if lives(person) and (TODAY - day).days <= BILLED else ERASED


def ticket(person: Person) -> Fate:
    return NEEDED if lives(person) else Fate(emptied=("line_no", "note"))


def consent(person: Person, last_sent_on: date, by_mail: bool) -> Fate:
    """A live customer stays on the list as one who may not be written to; proof of consent stays a month."""
    if lives(person):
        return SWITCHED_OFF
    after = last_sent_on + timedelta(days=1)
    month = date(after.year + after.month // 12, after.month % 12 + 1, after.day) - timedelta(days=1)
    found = _kept("MAIL4", month) if by_mail else ERASED
    return replace(found, stopped=True) if found.rule else found
