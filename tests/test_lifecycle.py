"""The state table, the roles, and the second person."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsr.errors import BadInput, NotAllowed
from dsr.rules import clocks, lifecycle
from dsr.rules.lifecycle import MOVES, State, alarm, allowed, move, must_differ, needs_second_person, owner, roles_for

HOUSE = {  # architecture.md, "States of a case"
    "received": "proved awaiting_cure misdirected withdrawn",
    "proved": "collecting",
    "collecting": "review blocked",
    "blocked": "collecting",
    "review": "awaiting_decision collecting",
    "awaiting_decision": "awaiting_approval fulfilling review",
    "awaiting_approval": "fulfilling review",
    "fulfilling": "dispatching verifying awaiting_decision",
    "verifying": "dispatching residual",
    "dispatching": "closed kept",
}


def test_the_table_holds_every_move_of_the_architecture():
    for state, words in HOUSE.items():
        assert {State(word) for word in words.split()} <= MOVES[State(state)], state


@given(st.lists(st.sampled_from(State), max_size=40))
def test_no_walk_leaves_the_table(wishes: list[State]):
    """A refused wish leaves the case where it is; every accepted one is a row of the table."""
    here = State.RECEIVED
    for wish in wishes:
        try:
            there = move(here, wish)
        except NotAllowed:
            assert wish not in MOVES[here]
            continue
        assert there in MOVES[here] and there is State(there)
        here = there


@pytest.mark.parametrize("state", State)
def test_every_state_has_an_exit_or_is_final_an_owner_and_an_alarm(state: State):
    if state is State.CLOSED:
        again = frozenset({State.DISPATCHING})  # what came back, or went astray, and nothing else
        assert (MOVES[state], owner(state), alarm(state)) == (again, "–", "")
    else:
        assert MOVES[state] and state not in MOVES[state]
        assert owner(state) in ("handler", "engine", "approver")
        assert alarm(state) in (*clocks.TARGETS, "kept_until")


def reachable(start: State) -> set[State]:
    seen, queue = {start}, [start]
    while queue:
        more = MOVES[queue.pop()] - seen
        seen |= more
        queue += more
    return seen


def test_every_state_is_reached_from_received_and_reaches_closed():
    assert reachable(State.RECEIVED) == set(State)
    assert all(State.CLOSED in reachable(state) for state in State)


def test_a_blocked_case_is_read_before_it_is_decided_and_an_interim_answer_leads_back_to_it():
    with pytest.raises(NotAllowed, match="from blocked to awaiting_decision"):
        move(State.BLOCKED, State.AWAITING_DECISION)
    assert move(move(State.BLOCKED, State.COLLECTING), State.REVIEW) is State.REVIEW
    assert move(move(State.BLOCKED, State.REVIEW), State.AWAITING_DECISION) is State.AWAITING_DECISION
    assert move(State.DISPATCHING, State.BLOCKED) is State.BLOCKED


def test_a_refused_move_names_both_states_and_what_can_be_done():
    with pytest.raises(NotAllowed, match=r"received to dispatching; .*awaiting_cure.*proved"):
        move(State.RECEIVED, State.DISPATCHING)
    with pytest.raises(NotAllowed, match="final; open a new case"):
        move(State.CLOSED, State.REVIEW)


def test_nothing_is_fulfilled_without_a_decision():
    assert {state for state in State if State.FULFILLING in MOVES[state]} == {
        State.AWAITING_DECISION, State.AWAITING_APPROVAL, State.RESIDUAL, State.KEPT}


@pytest.mark.parametrize("state", [
    State.RECEIVED, State.AWAITING_CURE, State.PROVED, State.COLLECTING, State.BLOCKED, State.REVIEW,
    State.AWAITING_DECISION, State.AWAITING_APPROVAL])
def test_a_request_can_be_taken_back_until_an_effect_has_begun(state: State):
    assert move(state, State.WITHDRAWN, destructive=True) is State.WITHDRAWN
    with pytest.raises(NotAllowed, match="effect has begun"):
        move(state, State.WITHDRAWN, effect_begun=True)


def test_a_disclosure_can_be_taken_back_until_dispatching_and_an_erasure_until_fulfilling():
    assert move(State.FULFILLING, State.WITHDRAWN) is State.WITHDRAWN
    with pytest.raises(NotAllowed, match=r"effect has begun; .*dispatching") as told:
        move(State.FULFILLING, State.WITHDRAWN, destructive=True)
    assert "go to awaiting_decision, collecting, dispatching, verifying" in str(told.value)
    for state in (State.DISPATCHING, State.VERIFYING, State.KEPT, State.CLOSED):
        with pytest.raises(NotAllowed):
            move(state, State.WITHDRAWN)


@pytest.mark.parametrize(("act", "roles"), [
    ("open", "handler"), ("prove", "handler"), ("collect", "handler technician"), ("review", "handler"),
    ("decide", "handler"), ("approve", "approver"), ("fulfil", "handler technician"), ("package", "handler"),
    ("dispatch", "handler"), ("envelope_check", "approver"), ("withdraw", "handler"), ("answer", "handler"),
    ("hold", "handler approver"), ("release", "approver"), ("stop", "handler approver technician"),
    ("verify", "handler approver auditor technician"), ("export", "handler approver auditor"),
    ("watch", "handler technician"), ("preview", "handler approver"),
])
def test_each_act_is_open_to_exactly_these_roles(act: str, roles: str):
    assert roles_for(act) == tuple(roles.split())
    assert [allowed(role, act) for role in roles.split()] == [True] * len(roles.split())


def test_nobody_both_decides_and_approves_by_role():
    for role in ("handler", "approver", "auditor", "technician"):
        assert not (allowed(role, "decide") and allowed(role, "approve"))
    changing = set(lifecycle.ROLES) - {"verify", "export"}
    assert not [act for act in changing if allowed("auditor", act)], "an auditor changes nothing"
    seeing = ("preview", "review", "package", "answer", "export")
    assert not [act for act in seeing if allowed("technician", act)], "a technician sees no value"


@pytest.mark.parametrize(("role", "act", "field"), [("clerk", "open", "role"), ("handler", "opne", "act")])
def test_a_misspelt_role_or_act_is_bad_input(role: str, act: str, field: str):
    with pytest.raises(BadInput, match=re.escape(field)):
        allowed(role, act)


def test_an_officer_cannot_approve_his_own_decision():
    must_differ("sato", "suzuki")
    with pytest.raises(NotAllowed, match="another officer"):
        must_differ("sato", "sato")


@pytest.mark.parametrize(("right", "flags", "reasons"), [
    ("disclosure", {}, ()),
    ("disclosure", {"secrecy": True}, ("secrecy",)),
    ("disclosure", {"review_band": True, "secrecy": True}, ("review_band", "secrecy")),
    ("disclosure", {"neutral": True}, ("existence_neutral",)),
    ("disclosure", {"co_contractors": True}, ("co_contractors",)),
    ("disclosure", {"agent": True}, ("agent",)),
    ("erasure", {}, ("destruction",)),
    ("content_deletion", {}, ("destruction",)),
    ("use_stop", {}, ()),
    ("use_stop", {"destruction": True}, ("destruction",)),
])
def test_a_second_person_is_needed_where_documents_say(right: str, flags: dict[str, bool], reasons: tuple[str, ...]):
    assert needs_second_person(right, **flags) == reasons


def test_no_reason_ever_tells_that_somebody_is_protected():
    flags = ("secrecy", "review_band", "neutral", "co_contractors", "agent", "destruction")
    every = needs_second_person("erasure", **dict.fromkeys(flags, True))
    assert len(every) == len(flags)
    assert not [reason for reason in every if "protect" in reason or "flag" in reason]


def test_an_unknown_right_is_bad_input():
    with pytest.raises(BadInput, match="portability"):
        needs_second_person("portability")
