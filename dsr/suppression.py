"""What was erased or objected to and must not come back: keyed entries with an interval (law.md RT-4, edge case EN-51).

An entry stops rows of one dataset that bear one identifier and happened inside its interval; a number's later holder is
never stopped. It holds no identifier, only a keyed token: trying every number finds nothing without the key (T30).
"""

from __future__ import annotations

import hmac
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dsr.days import Interval
from dsr.names.numbers import normal_form

Reason = Literal["erased", "objected", "stated"]
"""``stated``: stops nothing; by it later requests of the person find her statement of dispute."""
ANY_TIME = "-"


@dataclass(frozen=True)
class Entry:
    """``since``: when it was made. ``lifted``: from when on a new contract ended it; None while it holds."""

    token: str
    dataset: str
    kind: str
    reason: Reason
    since: datetime
    interval: Interval
    case_no: str
    lifted: datetime | None = None

    def stops(self, at: datetime | None) -> bool:
        """Whether a row that happened ``at`` is stopped; one that does not say when is, while the interval is open."""
        if at is None:
            return self.interval.end is None and self.lifted is None
        return at in self.interval.meet(Interval(None, self.lifted))


def token(key: bytes, kind: str, value: str) -> str:
    """Of one identifier, however ``value`` is written (names.md 7)."""
    return hmac.digest(key, f"{len(kind)}:{kind}{normal_form(kind, value)}".encode(), "sha256").hex()


def covering(
    goes: Sequence[datetime], stays: Sequence[datetime], after: Callable[[datetime], datetime]
) -> list[Interval]:
    """The days that hold what goes and nothing that stays: each ends behind the last that goes.

    ``goes`` and ``stays``: when records happened, sorted. ``after``: the first instant behind what a moment stands for.
    """
    found: list[Interval] = []
    start: datetime | None = None
    for edge in (*stays, None):
        first = bisect_left(goes, start) if start else 0
        last = bisect_left(goes, edge) if edge else len(goes)
        if first < last:
            end = after(goes[last - 1])
            found.append(Interval(start, min(end, edge) if edge else end))
        start = after(edge) if edge else None
    return found


def stopped(entries: Iterable[Entry], at: datetime | None) -> Entry | None:
    """The first entry that stops a row, given those of its dataset and identifiers."""
    return next((entry for entry in entries if entry.stops(at)), None)


def lifted_by_contract(entries: Sequence[Entry]) -> list[Entry]:
    """What a new contract of the person ends: open entries of erasure. An objection ends by her own word only."""
    return [e for e in entries if e.reason == "erased" and e.interval.end is None and e.lifted is None]
