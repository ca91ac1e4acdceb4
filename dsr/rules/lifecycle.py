"""The states of a case, who acts in each, what may follow, and which officer may do which act: tables.

Architecture.md "States of a case" and documents.md "Roles" are the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, get_args

from dsr import law
from dsr.errors import BadInput, NotAllowed

Role = Literal["handler", "approver", "auditor", "technician"]
Owner = Literal["handler", "engine", "approver", "–"]


class State(StrEnum):
    RECEIVED = "received"
    AWAITING_CURE = "awaiting_cure"
    PROVED = "proved"
    MISDIRECTED = "misdirected"
    WITHDRAWN = "withdrawn"
    COLLECTING = "collecting"
    BLOCKED = "blocked"
    REVIEW = "review"
    AWAITING_DECISION = "awaiting_decision"
    AWAITING_APPROVAL = "awaiting_approval"
    FULFILLING = "fulfilling"
    VERIFYING = "verifying"
    RESIDUAL = "residual"
    DISPATCHING = "dispatching"
    KEPT = "kept"
    CLOSED = "closed"


@dataclass(frozen=True)
class StateRow:
    """``alarm``: the target of ``dsr.rules.clocks.TARGETS``, or ``kept_until``, on whose day the owner is reminded."""

    owner: Owner
    alarm: str
    to: frozenset[State]


def _state(owner: Owner, alarm: str, to: str) -> StateRow:
    return StateRow(owner, alarm, frozenset(State(word) for word in to.split()))


TABLE: Mapping[State, StateRow] = MappingProxyType({
    # Closed at once: the same request, answered with its twin (DUPLICATE).
    State.RECEIVED: _state("handler", "id_check", "proved awaiting_cure misdirected withdrawn closed"),
    # A cure that fails is itself decided: procedure_refused, with a letter.
    State.AWAITING_CURE: _state("handler", "decision", "received proved awaiting_decision misdirected withdrawn"),
    State.PROVED: _state("engine", "search", "collecting withdrawn"),
    State.MISDIRECTED: _state("handler", "dispatch", "dispatching closed"),
    # Three business days to object to a withdrawal that was not the person's (edge case EN-28).
    State.WITHDRAWN: _state("handler", "dispatch", "received closed"),
    State.COLLECTING: _state("engine", "search", "review blocked withdrawn"),
    # To review: what was reached is answered first, the rest follows (一部先行回答).
    State.BLOCKED: _state("handler", "interim_answer", "collecting review withdrawn"),
    # Back to collecting: an officer marked a candidate as the same person, and discovery goes on from there; or a
    # source was mended after it had been read (dsr collect --again).
    State.REVIEW: _state("handler", "decision", "awaiting_decision collecting withdrawn"),
    State.AWAITING_DECISION: _state("handler", "decision", "awaiting_approval fulfilling review collecting withdrawn"),
    State.AWAITING_APPROVAL: _state("approver", "decision", "fulfilling review collecting withdrawn"),
    State.FULFILLING: _state("engine", "dispatch", "dispatching verifying awaiting_decision collecting withdrawn"),
    State.VERIFYING: _state("engine", "dispatch", "dispatching residual"),
    State.RESIDUAL: _state("handler", "dispatch", "fulfilling verifying awaiting_decision"),
    # Back to review: notes unread on the day of dispatch follow in a second delivery (documents.md §5); blocked: so do
    # the systems that an interim answer could not wait for.
    State.DISPATCHING: _state("handler", "dispatch", "closed kept review blocked"),
    # To dispatching: what came back, or reached somebody else, is sent again; nothing else opens a closed case.
    State.KEPT: _state("engine", "kept_until", "fulfilling awaiting_decision dispatching"),
    State.CLOSED: _state("–", "", "dispatching"),
})
MOVES: Mapping[State, frozenset[State]] = MappingProxyType({state: row.to for state, row in TABLE.items()})


def owner(state: State) -> Owner:
    return TABLE[state].owner


def alarm(state: State) -> str:
    return TABLE[state].alarm


def move(state: State, to: State, *, destructive: bool = False, effect_begun: bool = False) -> State:
    """``to``, if the table allows it. Raises NotAllowed naming both states and what can be done instead.

    A withdrawal is possible until an effect has begun: for a ``destructive`` plan the effect begins with fulfilling,
    for a disclosure with dispatching; ``effect_begun`` says that one did, in whatever state the case is now.
    """
    late = to == State.WITHDRAWN and (effect_begun or (destructive and state == State.FULFILLING))
    if to in MOVES[state] and not late:
        return to
    left = sorted(MOVES[state] - ({State.WITHDRAWN} if late else set()))
    instead = "it is final; open a new case" if state is State.CLOSED else f"from here it can go to {', '.join(left)}"
    why = ", for its effect has begun" if late else ""
    raise NotAllowed(f"a case cannot go from {state} to {to}{why}; {instead}")


_EVERYONE = frozenset(get_args(Role))
ROLES: Mapping[str, frozenset[Role]] = MappingProxyType({
    "open": frozenset({"handler"}),
    "prove": frozenset({"handler"}),
    "protect": frozenset({"handler"}),
    "collect": frozenset({"handler", "technician"}),  # a technician runs it and sees no value
    "index": frozenset({"handler", "technician"}),
    "review": frozenset({"handler"}),
    "decide": frozenset({"handler"}),
    "approve": frozenset({"approver"}),
    "preview": frozenset({"handler", "approver"}),
    "fulfil": frozenset({"handler", "technician"}),
    "package": frozenset({"handler"}),
    "dispatch": frozenset({"handler"}),
    "envelope_check": frozenset({"approver"}),
    "withdraw": frozenset({"handler"}),
    "incident": frozenset({"handler", "approver"}),
    "answer": frozenset({"handler"}),
    "clock": frozenset({"handler"}),  # pause, resume, extend, the interim answer, the change of method
    "fee": frozenset({"handler"}),
    "hold": frozenset({"handler", "approver"}),
    "release": frozenset({"approver"}),  # what follows is an erasure: another person than who placed the hold
    "stop": frozenset({"handler", "approver", "technician"}),
    "watch": frozenset({"handler", "technician"}),
    "add_officer": frozenset({"technician"}),
    "verify": _EVERYONE,
    "export": frozenset({"handler", "approver", "auditor"}),
})


def allowed(role: str, act: str) -> bool:
    """Raises BadInput for a role or an act that does not exist: a typing error must not read as a refusal."""
    if role not in _EVERYONE:
        raise BadInput("role", "is unknown", f"one of {', '.join(get_args(Role))}")
    if act not in ROLES:
        raise BadInput("act", "is unknown", f"one of {', '.join(ROLES)}")
    return role in ROLES[act]


def roles_for(act: str) -> tuple[Role, ...]:
    """The roles to which an act is open, in the order of documents.md."""
    return tuple(role for role in get_args(Role) if allowed(role, act))


def must_differ(decider: str, approver: str) -> None:
    """The second person is another person (四つの目). Raises NotAllowed."""
    if decider == approver:
        raise NotAllowed("the officer who decided cannot also approve or check; ask another officer with role approver")


def needs_second_person(
    right: str,
    *,
    secrecy: bool = False,
    review_band: bool = False,
    neutral: bool = False,
    co_contractors: bool = False,
    agent: bool = False,
    destruction: bool = False,
) -> tuple[str, ...]:
    """Why another officer must approve, as codes; empty when nobody need.

    There is no reason "protected": every pair of co-contractors, and every answer that an agent asked for, is approved
    alike, so that a flag shows nowhere (AG-7).
    Raises BadInput for an unknown right.
    """
    destroys = law.right(right).id in ("erasure", "content_deletion") or destruction
    reasons = {
        "destruction": destroys,
        "existence_neutral": neutral,
        "co_contractors": co_contractors,
        "agent": agent,
        "review_band": review_band,
        "secrecy": secrecy,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)
