"""The one aggregate that changes state: a case, and the acts that move it.

A ``Case`` is frozen. An ``Act`` is one line of the log plus what it changes in the case; ``Case.after`` is the only
place where a case becomes another case, and the store commits both in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from dsr.rules import lifecycle
from dsr.rules.lifecycle import State
from dsr.suppression import Entry

Phase = Literal["intent", "result"]


@dataclass(frozen=True)
class Act:
    """``public`` holds ids, counts and codes only; ``secret`` is sealed under the case's key before it is stored.

    ``owes`` (what, who, due) and ``done`` (what) change the case's open work in the same transaction: a kill between
    an event and what it makes somebody owe would lose a day that nobody is reminded of.
    """

    step_key: str
    phase: Phase = "result"
    public: Mapping[str, Any] = field(default_factory=dict)
    secret: bytes = field(default=b"", repr=False)
    to: State | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    owes: tuple[tuple[str, str, date], ...] = ()
    done: tuple[str, ...] = ()
    suppresses: tuple[Entry, ...] = field(default=(), repr=False)
    only: frozenset[str] | None = None
    """Facts that stay, where the others end with the case's file."""


EVERYTHING = ("*",)
"""``Act.done`` of an act after which the case owes nothing more."""


@dataclass(frozen=True)
class Case:
    """``facts`` is what the desk lists and shows: ids, counts, codes, days, officers; nothing of the subject."""

    case_no: str
    right: str
    state: State
    received_at: datetime
    law_version: str
    epoch: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    def after(self, act: Act) -> Case:
        """The case once ``act`` is recorded. Raises NotAllowed for a move that the state table does not hold."""
        state = lifecycle.move(self.state, act.to) if act.to and act.to != self.state else self.state
        facts = {**self.facts, **act.facts}
        if act.only is not None:
            facts = {name: said for name, said in facts.items() if name in act.only}
        return replace(self, state=state, facts=facts)

    @property
    def withdrawn(self) -> bool:
        """Taken back, whether or not the days to object are over."""
        return self.outcome == "withdrawn"

    @property
    def outcome(self) -> str | None:
        outcome = self.facts.get("outcome")
        return str(outcome) if outcome else None
