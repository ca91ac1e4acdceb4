"""When a case's own data ends: identity copies at close, package and working data after the days to complain, the whole
file three years after the close (law.md ID-7, CL-E, DSR-FILE)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from dsr.rules.lifecycle import State

FILE = "file:"
"""Begins the name of what the engine owes a case's own data; no person is reminded of it."""
WORKING, WHOLE, COPIES = f"{FILE}working", f"{FILE}whole", "copies"
FILE_YEARS = 3
"""DSR-FILE: what we keep about the request itself (law.md §9)."""
ENDS = (State.CLOSED, State.KEPT)
HELD = "held"
"""Fact ``copies`` while copies of what proved the person lie here; afterwards the day on which they went."""

_REQUEST = ("request.json", "proof/", "address.json", "decision/", "holds.json", "dispatch/", "incident/", "documents/",
            "statements/", "survey/planned.")  # fmt: skip
_SWEEPING = ("plan/", "identity/")
_PACKAGE = ("package/", "draft/", "preview/")
_TEXTS = ".texts.json"

SURVIVING_FACTS = frozenset({
    "arrived", "channel", "method", "language", "opened_on", "presuit", "linked_to", "letter", "proved_on", "pauses",
    "extension", "decided_on", "dispatched_on", "sent_on", "issued_on", "outcome", "outcomes", "kept", "fee",
    "working_ended_on", "file_ended_on",
})  # fmt: skip
"""Of a case whose file ended: days, codes and counts."""


def file_until(answered: date) -> date:
    """The last day on which we keep the file of a request that was answered then."""
    return date(answered.year + FILE_YEARS, answered.month, min(answered.day, 28))


def owed(to: State, facts: Mapping[str, Any], ended: date, complaint_days: int) -> tuple[tuple[str, str, date], ...]:
    """What ends with a case that goes to ``to`` on that day: what, who, the day on which it is due."""
    if to not in ENDS:
        return ()
    day = timedelta(days=1)
    copies = ((COPIES, "handler", ended + day),) if facts.get("copies") == HELD else ()
    whole = ((WHOLE, "engine", file_until(ended) + day),) if to is State.CLOSED else ()
    return (*copies, (WORKING, "engine", ended + timedelta(days=complaint_days) + day), *whole)


def goes(name: str, state: State, replayed: bool) -> bool:
    """Whether an object of the vault goes when the days to complain are over.

    Of a kept case only what was printed: the rest is what its later firing is compared with. ``replayed``: a restore
    can still bring its data back, and late rows are swept by its frozen keys.
    """
    if state is State.KEPT:
        return name.startswith(_PACKAGE) or name.endswith(_TEXTS)
    return not name.startswith((*_REQUEST, *_SWEEPING) if replayed else _REQUEST)
