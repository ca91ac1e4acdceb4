"""After an erasure: what was kept goes on its day, what lands late all the same is swept.

A statutory date erases exactly the set that was frozen, decided and approved then (law.md RT-1); anything else comes to
a person. What a restore brings back: ``dsr.engine.replaying``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from dsr.case import EVERYTHING, Act, Case
from dsr.connector import Writes
from dsr.engine import erasing, ordering, plans, surveying
from dsr.engine.office import Hold, Office
from dsr.plan import Plan
from dsr.rules import planning
from dsr.rules.lifecycle import State

DAY = timedelta(days=1)


# -- what is kept until a day --------------------------------------------------------------------------------------


def kept(case: Case) -> list[dict[str, Any]]:
    """Parts that wait for a day: dataset, part, rule, until (inclusive), records."""
    return list(case.facts.get("kept", []))


def ends(hold: Hold) -> tuple[State, Act]:
    """Where a dispatched erasing case goes: it waits for days or partners, or is closed."""
    waits = [_kept(name, at, part) for name, item in hold.case.facts["items"].items()
             for at, part in enumerate(item["parts"]) if _waits(part) and not _gone(hold.case, name, at)]  # fmt: skip
    partners = [number for number, _ in ordering.open_orders(hold)]
    if not waits and not partners:
        duties = surveying.duties(hold.case.facts.get("findings", []))  # a DBA's is owed beyond the answer
        return State.CLOSED, Act("", facts={"kept": []}, done=EVERYTHING, owes=duties)
    first = min((date.fromisoformat(part["until"]) for part in waits if part["until"]), default=None)
    owed = ((("scheduled_erasure", "engine", first + DAY),) if first else ())
    facts = {"kept": waits, "kept_until": first.isoformat() if first else None, "fired": None, "fired_parts": None}
    done = ("dispatch", "decision", "release", "interim_answer")
    return State.KEPT, Act("", facts=facts, owes=owed, done=done)


def _waits(part: Mapping[str, Any]) -> bool:
    return bool(part["until"]) or part["rule"] == planning.HOLD


def _due(case: Case, part: Mapping[str, Any], today: date) -> bool:
    """Its day is over, or nothing of the case is held any more (EN-16)."""
    if part["rule"] == planning.HOLD:
        return not case.facts.get("holds")
    return bool(part["until"]) and str(part["until"]) < today.isoformat()


def _kept(name: str, at: int, part: Mapping[str, Any]) -> dict[str, Any]:
    return {"dataset": name, "part": at, "rule": part["rule"], "until": part["until"], "records": part["records"]}


def _gone(case: Case, name: str, at: int) -> bool:
    return at in case.facts.get("gone", {}).get(name, [])


def due_cases(office: Office) -> list[str]:
    """Kept cases whose day has come."""
    cases = office.store.cases({State.KEPT})
    return [case.case_no for case in cases
            if any(_due(case, part, office.today) for part in kept(case)) or _all_answered(case)]  # fmt: skip


def _all_answered(case: Case) -> bool:
    """Kept open for a partner's answer alone, which came: a letter follows (law.md P-3)."""
    orders = case.facts.get("orders", {}).values()
    return not kept(case) and all(order["answered_on"] for order in orders)


def fire(office: Office, case_no: str) -> State:
    """The day has come: exactly the frozen set, under the approval given then, or a person is asked (EN-57)."""
    with office.hold(case_no) as hold:
        case = hold.require(State.KEPT)
        due: dict[str, list[int]] = {}
        for part in kept(case):
            if _due(case, part, office.today):
                due.setdefault(part["dataset"], []).append(part["part"])
        if not due and not _all_answered(case):
            return case.state
        held = _held_now(hold, due)
        moved = plans.look_again(hold, {name: frozenset(parts) for name, parts in due.items()})
        day = office.today.isoformat()
        if held or not moved.matches:
            why = {"held": held, "vanished": list(moved.vanished), "changed": list(moved.changed)}
            owed = (("decision", "handler", office.today),)
            hold.record(Act(f"not_fired:{day}", "result", why, to=State.AWAITING_DECISION,
                            facts={"stale": why, "items": {}, "working_ended_on": None}, owes=owed))  # fmt: skip
            return State.AWAITING_DECISION
        facts = {"fired": day, "fired_parts": due, "tries": 1, "working_ended_on": None}
        hold.record(Act(f"fired:{day}", "result", {"parts": due}, to=State.FULFILLING, facts=facts,
                        done=("scheduled_erasure",)))  # fmt: skip
    return erasing.fulfil(office, case_no, case_no)


def _held_now(hold: Hold, due: Mapping[str, Sequence[int]]) -> list[str]:
    """Datasets of which a record that is due was put on hold meanwhile."""
    named = plans.held(hold)
    found = []
    for one in plans.frozen(hold):
        numbers, parts = plans.numbers(one.dataset, one.keys)
        mine = {f"{one.dataset.id}/{n}" for n, part in zip(numbers, parts, strict=True)
                if part in due.get(one.dataset.id, ())}  # fmt: skip
        if mine & named:
            found.append(one.dataset.id)
    return found


# -- what arrives late ---------------------------------------------------------------------------------------------


def sweep(office: Office, case_no: str) -> dict[str, int]:
    """What landed all the same: rows of the erased datasets, inside the suppressed days, that came since. They go."""
    with office.hold(case_no) as hold:
        hold.require(State.CLOSED, State.KEPT)
        found: dict[str, int] = {}
        for one in plans.frozen(hold):
            if not one.of(frozenset({"erase"})).num_rows:
                continue
            late = plans.new_rows(hold, one, hold.office.store.suppressions())
            system = office.inventory.system_of(one.dataset)
            connector = hold.connectors.get(system.name)
            if late is None or not isinstance(connector, Writes) or system.writes != "direct":
                continue
            step = f"sweep:{office.now.isoformat()}:{one.dataset.id}"
            plan = Plan(hold.case_no, one.dataset, late, f"{hold.case.facts['decided_plan']}:{step}")
            hold.once(step, lambda p=[plan], c=connector, s=step: (erasing.write([(hold, s, p)], c)[0], None))  # type: ignore[misc]
            found[one.dataset.id] = late.num_rows
        if found:
            owed = ("incident", "handler", office.today)
            hold.record(Act(f"resurrected:{office.now.isoformat()}", "result", {"rows": found}, owes=(owed,)))
        return found
