"""What a year of requests comes to, for the yearly report: counts by kind, and how long the answers took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

OPEN = "open"
"""In place of an outcome while there is none."""


@dataclass(frozen=True)
class Counted:
    """One case, without anything of its person. ``presuit_ends``: None where Art. 39 does not apply; ``answered``:
    the day the first answer went out; ``over``: nothing is waited for any more."""

    right: str
    channel: str
    arrived: date
    outcome: str | None
    answered: date | None
    presuit_ends: date | None
    over: bool
    extended: bool
    grounds: tuple[str, ...]
    incidents: int

    @property
    def days(self) -> int | None:
        return (self.answered - self.arrived).days if self.answered else None

    def clock_a(self, today: date) -> str | None:
        """``kept``, ``breached`` or ``running``; None where it does not run or nobody waits for an answer."""
        if self.presuit_ends is None or (self.answered is None and self.over):
            return None
        late = (self.answered or today) > self.presuit_ends
        return "breached" if late else "kept" if self.answered else "running"


def counts(cases: Sequence[Counted], today: date) -> dict[str, dict[str, float]]:
    """Section → code → number; the most frequent first, months in their order."""
    took = [case.days for case in cases if case.days is not None]
    clock = Counter(found for case in cases if (found := case.clock_a(today)))
    by = {
        "right": Counter(case.right for case in cases),
        "outcome": Counter(case.outcome or OPEN for case in cases),
        "channel": Counter(case.channel for case in cases),
        "ground": Counter(ground for case in cases for ground in case.grounds),
    }
    told: dict[str, dict[str, float]] = {
        "total": {"received": len(cases), "answered": len(took), "extended": sum(case.extended for case in cases),
                  "incidents": sum(case.incidents for case in cases)},
        **{name: dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))) for name, found in by.items()},
        "month": dict(sorted(Counter(case.arrived.isoformat()[:7] for case in cases).items())),
        "days": {"median": median(took), "max": max(took)} if took else {},
        "clock_a": {name: clock[name] for name in ("kept", "breached", "running") if clock[name]},
    }  # fmt: skip
    return told
