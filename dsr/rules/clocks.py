"""When something is due: the two-week pre-suit clock, our own clock in business days, and the targets of law.md §8.

Days are Asia/Tokyo days, whole. Where a function takes a moment, an aware instant or a day will do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, get_args

import jpholiday

from dsr import law
from dsr.days import day_of
from dsr.errors import BadInput, NotAllowed

PauseReason = Literal["cure", "identity", "fee"]
DAY = timedelta(days=1)


@lru_cache(maxsize=4096)
def _is_holiday(day: date) -> bool:
    """祝日法 3条: the holidays, their substitutes, and a day between two of them."""
    return bool(jpholiday.is_holiday(day))


def _day(moment: date) -> date:
    return day_of(moment) if isinstance(moment, datetime) else moment


@dataclass(frozen=True)
class Calendar:
    """Business days of the company (CL-D). ``closing_days`` as ``MM-DD``, every year."""

    closing_days: tuple[str, ...] = ("12-29", "12-30", "12-31", "01-01", "01-02", "01-03")

    def __post_init__(self) -> None:
        for written in self.closing_days:
            try:
                if not re.fullmatch(r"[0-9]{2}-[0-9]{2}", written):
                    raise ValueError
                date.fromisoformat(f"2024-{written}")
            except ValueError:
                problem = f"{written[:20]!r} is no day of the year"
                raise BadInput("closing_days", problem, "write MM-DD, such as 12-29") from None

    def is_business_day(self, day: date) -> bool:
        return day.weekday() < 5 and f"{day:%m-%d}" not in self.closing_days and not _is_holiday(day)

    def after(self, day: date, n: int) -> date:
        """The n-th business day after ``day``, which itself never counts; ``n`` = 0 gives ``day``."""
        while n > 0:
            day += DAY
            n -= self.is_business_day(day)
        return day


@dataclass(frozen=True)
class Presuit:
    """Clock A (APPI 39). Starts on arrival, whatever is defective; never pauses, never rolls over a holiday (CL-A).

    A refusal in any form, received by the person on ``opened_at_once_on``, opens the way to court at once (GL 3-8-9).
    """

    arrived: date
    opened_at_once_on: date | None = None

    @property
    def ends(self) -> date:
        """Civ 140, 143: the first day is not counted; two weeks end on the day before the corresponding day."""
        return self.arrived + 14 * DAY

    @property
    def suit_from(self) -> date:
        return min(self.ends + DAY, self.opened_at_once_on or date.max)

    def left(self, now: date) -> int:
        """Calendar days to the end; 0 on the last day, negative after it."""
        return (self.ends - _day(now)).days


def presuit_of(right: str, received_at: datetime, opened_at_once_on: date | None = None) -> Presuit | None:
    """Clock A of a request; None for the types that Art. 39 does not name."""
    return Presuit(day_of(received_at), opened_at_once_on) if law.right(right).presuit else None


@dataclass(frozen=True)
class Pause:
    """Business days after ``start`` up to and including ``end`` do not count; an open pause has no ``end``."""

    reason: PauseReason
    start: date
    end: date | None = None

    def __post_init__(self) -> None:
        if self.reason not in get_args(PauseReason):
            raise BadInput("pause.reason", "is not a named reason", f"one of {', '.join(get_args(PauseReason))}")
        if self.end and self.end < self.start:
            raise BadInput("pause.to", "is before the pause began", "give the day the answer arrived")

    def __contains__(self, day: date) -> bool:
        return self.start < day <= (self.end or date.max)


@dataclass(frozen=True)
class Extension:
    days: int
    on: date


@dataclass(frozen=True)
class Sla:
    """Clock B (CL-B): ``days`` business days after the request was formally complete; it pauses, and extends once."""

    calendar: Calendar
    complete_on: date | None = None
    days: int = 10
    pauses: tuple[Pause, ...] = ()
    extension: Extension | None = None

    def __post_init__(self) -> None:
        if self.days < 1 or (self.extension and self.extension.days < 1):
            raise BadInput("sla.days", "is less than one business day", "give a positive number")
        if self.extension:
            due = self._walk(self.days)
            if self.complete_on is None or (due and self.extension.on > due):
                raise NotAllowed("an extension needs a clock that runs and has not lapsed; send an interim answer")

    @property
    def limit(self) -> int:
        return self.days + (self.extension.days if self.extension else 0)

    @property
    def paused(self) -> PauseReason | None:
        """The reason, while it pauses."""
        return next((pause.reason for pause in self.pauses if pause.end is None), None)

    @property
    def due(self) -> date | None:
        """The last day; None before it starts, and while it pauses unless the day was reached before the pause."""
        return self._walk(self.limit)

    def _counts(self, day: date) -> bool:
        return self.calendar.is_business_day(day) and not any(day in pause for pause in self.pauses)

    def _walk(self, days: int) -> date | None:
        if self.complete_on is None:
            return None
        open_from = next((pause.start for pause in self.pauses if pause.end is None), date.max)
        day = self.complete_on
        while days:
            day += DAY
            if day > open_from:
                return None
            days -= self._counts(day)
        return day

    def left(self, now: date) -> int | None:
        """Business days left; 0 on the due day, negative after it; stands still while paused, None before it starts."""
        if self.complete_on is None:
            return None
        passed = (_day(now) - self.complete_on).days
        return self.limit - sum(self._counts(self.complete_on + n * DAY) for n in range(1, passed + 1))

    def started(self, on: date) -> Sla:
        if self.complete_on:
            raise NotAllowed("the clock already runs; it starts once, when the request is formally complete")
        return replace(self, complete_on=_day(on))

    def pause(self, reason: PauseReason, on: date) -> Sla:
        if self.complete_on is None or self.paused:
            raise NotAllowed("the clock cannot pause: it has not started, or pauses already; end that pause first")
        return replace(self, pauses=(*self.pauses, Pause(reason, _day(on))))

    def resume(self, on: date) -> Sla:
        if not self.paused:
            raise NotAllowed("the clock does not pause, so it cannot resume")
        return replace(self, pauses=(*self.pauses[:-1], replace(self.pauses[-1], end=_day(on))))

    def extended(self, days: int, on: date) -> Sla:
        """Once, and before the clock lapses (CL-B); a letter must say so."""
        if self.extension:
            raise NotAllowed("the clock was extended before, and only once is possible; send an interim answer")
        return replace(self, extension=Extension(days, _day(on)))


def sla_of(calendar: Calendar, facts: Mapping[str, Any]) -> Sla:
    """Clock B as a case's facts hold it: ``proved_on``, ``pauses`` ([reason, start, end or null]), ``extension``
    ([business days, on])."""
    proved, extension = facts.get("proved_on"), facts.get("extension")
    return Sla(
        calendar,
        date.fromisoformat(proved) if proved else None,
        pauses=tuple(Pause(reason, date.fromisoformat(start), date.fromisoformat(end) if end else None)
                     for reason, start, end in facts.get("pauses", ())),
        extension=Extension(extension[0], date.fromisoformat(extension[1])) if extension else None,
    )  # fmt: skip


def kept_of(sla: Sla) -> dict[str, Any]:
    """The same as facts."""
    return {
        "pauses": [[p.reason, p.start.isoformat(), p.end.isoformat() if p.end else None] for p in sla.pauses],
        "extension": [sla.extension.days, sla.extension.on.isoformat()] if sla.extension else None,
    }


@dataclass(frozen=True)
class Target:
    """``who`` owns the work: a role, or the engine."""

    what: str
    due: date
    who: str = "handler"


_FROM_ARRIVAL = {"acknowledge": 2, "id_check": 3}
_OF_CLOCK_A = {"decision": 12, "dispatch": 13, "interim_answer": 13}
TARGETS = (*_FROM_ARRIVAL, "marketing_stop", "search", *_OF_CLOCK_A)


def targets(
    arrived: date, complete_on: date | None, calendar: Calendar, right: str = "disclosure"
) -> tuple[Target, ...]:
    """The targets of CL-C, by day. ``search`` waits for proof: before it nothing is looked at (CL-E).

    Decision, dispatch and the interim answer keep to calendar days, for clock A does not wait for a business day
    either; request types without clock A keep the same pace.
    """
    made = [Target(what, calendar.after(arrived, n)) for what, n in _FROM_ARRIVAL.items()]
    if right == "marketing_stop":
        made.append(Target("marketing_stop", calendar.after(arrived, 3)))
    if complete_on:
        made.append(Target("search", calendar.after(complete_on, 5), "engine"))
    made += [Target(what, arrived + n * DAY) for what, n in _OF_CLOCK_A.items()]
    return tuple(sorted(made, key=lambda target: (target.due, TARGETS.index(target.what))))


def standing(presuit: Presuit | None, sla: Sla, now: date) -> dict[str, Any]:
    """``clocks`` of ``dsr list`` and ``dsr show``: days as ISO text, ``presuit`` null where Art. 39 does not apply."""
    return {
        "presuit": presuit and {
            "ends": presuit.ends.isoformat(),
            "suit_from": presuit.suit_from.isoformat(),
            "left": presuit.left(now),
        },
        "sla": {"due": sla.due.isoformat() if sla.due else None, "paused": sla.paused, "left": sla.left(now)},
    }
