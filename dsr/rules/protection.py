"""保護措置 before proof: when each is owed to be lifted again (law.md CL-E, EC-33); nothing is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from dsr.rules.lifecycle import State

Act = Literal["suspend_purge", "stop_listing"]
WORK = "protect:"
"""Begins the name of the work that an act is to be lifted; the system follows."""
_ENDED = frozenset({State.WITHDRAWN, State.CLOSED, State.KEPT})
ENDS: Mapping[Act, frozenset[State]] = {
    # What was found is copied by then, and never prolongs the source; what was not proved is let go.
    "suspend_purge": _ENDED | {State.REVIEW, State.AWAITING_DECISION},
    "stop_listing": _ENDED,
}
"""Act → the states of a case that it does not outlive."""


def standing(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """System → its act, of those that were not lifted."""
    return {system: act for system, act in facts.get("protected", {}).items() if act["lifted_on"] is None}


def owed(facts: Mapping[str, Any], to: State | None, today: date) -> tuple[tuple[str, str, date], ...]:
    """Work that arises as the case reaches ``to``: what, who, when."""
    return tuple((f"{WORK}{system}", "handler", min(today, date.fromisoformat(act["until"])))
                 for system, act in standing(facts).items() if to in ENDS[act["act"]])  # fmt: skip
