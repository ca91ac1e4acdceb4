"""Which reports a leak asks for, and by when: L-1 by Rule 7, L-2 for one call record of one person (law.md §13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from dsr import law
from dsr.days import day_of
from dsr.request import IncidentReport

PERSONS = 1_000
"""More than so many are reportable by number alone (Rule 7)."""
FIRST, FULL = "first", "full"


@dataclass(frozen=True)
class Report:
    """``what``: ``appi`` or ``secrecy``, and which of its two reports."""

    what: str
    stage: str
    due: date

    @property
    def name(self) -> str:
        return f"{self.what}_{self.stage}"


def is_leak(said: IncidentReport) -> bool:
    """Unless all of it was recovered unread (GL 3-5-1-2)."""
    return not (said.recovered_on and said.read == "unread")


def reports(said: IncidentReport, secrecy: bool) -> tuple[Report, ...]:
    """Those due, by day. What of secrecy was recovered unread is reported by default: counsel decides [verify]."""
    return tuple(sorted(_reports(said, secrecy), key=lambda report: report.due))


def _reports(said: IncidentReport, secrecy: bool) -> Iterator[Report]:
    known = day_of(said.known_at)
    due = {"appi": is_leak(said) and (bool(said.categories) or said.persons > PERSONS), "secrecy": secrecy}
    for what in (what for what, holds in due.items() if holds):
        row = law.incident_report(what)
        full = row.full_days_malicious if "malicious" in said.categories or said.kind == "theft" else row.full_days
        yield Report(what, FIRST, known + timedelta(days=row.first_days))
        yield Report(what, FULL, known + timedelta(days=full))
