"""After an erasure: what was kept goes on its day, what a restore or a late event brings back goes again.

A statutory date erases exactly the set that was frozen, decided and approved then (law.md RT-1); anything else comes to
a person. Original dates stay; what came back is counted as a resurrection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from dsr.case import EVERYTHING, Act, Case
from dsr.connector import Writes
from dsr.engine import erasing, ordering, plans, surveying
from dsr.engine.effects import LogEffects
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, ConnectorError
from dsr.inventory import Dataset, is_value
from dsr.journal import Intent
from dsr.plan import LINE, Plan, line_marks
from dsr.rules import planning
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos
from dsr.store import OFFICE

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


# -- what comes back -----------------------------------------------------------------------------------------------


def replay(office: Office) -> dict[str, Any]:
    """After a restore: every erasure, stop and correction that a backup may have undone is carried out again, with its
    original date."""
    office.may("fulfil")
    number = 1 + sum(step.startswith("replay:") and phase == "intent" for step, phase in office.store.ledger(OFFICE))
    office.store.log_alone(OFFICE, Act(f"replay:{number}", "intent"), office.now, office.actor.name)
    connectors = office.connect(lambda _system: None, nullcontext)
    # Numbers of lines hold for a file as the erasure before had left it.
    first_to_last = sorted(office.journal.intents(), key=lambda intent: datetime.fromisoformat(intent.at))
    told = [_again(office, number, at, intent, connectors) for at, intent in enumerate(first_to_last)]
    back = [entry for entry in told if entry["resurrected"] or entry["state"] != "done"]
    swept = _swept(office)
    public = {"intents": len(told), "resurrected": sum(entry["resurrected"] for entry in told), "came_back": back,
              "swept": swept}  # fmt: skip
    office.store.log_alone(OFFICE, Act(f"replay:{number}", "result", public), office.now, office.actor.name)
    return {"replay": number, **public}


def _swept(office: Office) -> dict[str, dict[str, int]]:
    """Late rows of every case whose journal lives and whose answer is out: what nobody stopped at the door."""
    held = (office.store.case(no) for no in office.journal.cases() if office.store.holds(no))
    answered = [case.case_no for case in held if case.state in (State.CLOSED, State.KEPT)
                and not case.facts.get("file_ended_on")]  # fmt: skip
    found = {case_no: sweep(office, case_no) for case_no in answered}
    return {case_no: rows for case_no, rows in found.items() if rows}


def _again(office: Office, number: int, at: int, intent: Intent, connectors: Mapping[str, Any]) -> dict[str, Any]:
    act = "erase" if intent.values is None else "set"
    entry: dict[str, Any] = {"case": intent.case_no, "dataset": intent.dataset, "act": act, "erased_at": intent.at,
                             "resurrected": 0, "state": "done"}  # fmt: skip
    try:
        dataset = office.inventory.dataset(intent.dataset)
    except BadInput:
        return {**entry, "state": "undeclared"}
    connector, system = connectors.get(dataset.system), office.inventory.system_of(dataset)
    if connector is None or system.store == "manual":  # paper is restored from no backup, and is not asked
        return entry
    direct = system.writes == "direct" and isinstance(connector, Writes)
    try:
        if not direct or act == "set" or LINE in intent.keys.column_names:  # else the store itself finds what is there
            intent = _came_back(connector, dataset, intent)
        if not intent.keys.num_rows:
            return entry
        if not direct:
            return {**entry, "resurrected": intent.keys.num_rows, "state": "ask_the_owner"}
        plan = Plan(intent.case_no, dataset, intent.keys, f"{intent.digest}:replay{number}", intent.values)
        receipts = connector.write([plan], LogEffects(office, f"replay:{number}:{at}", system.name))
    except ConnectorError as error:
        return {**entry, "state": error.reason}
    return {**entry, "resurrected": sum(receipt.changed for receipt in receipts)}


def _came_back(connector: Any, dataset: Dataset, intent: Intent) -> Intent:
    """Of its records those that are there again, or say again what they were not to say."""
    here = _lines_in_place if LINE in intent.keys.column_names else _undone
    stands = pa.array(here(connector, dataset, intent), pa.bool_())
    values, before = (None if table is None else table.filter(stands) for table in (intent.values, intent.before))
    return replace(intent, keys=intent.keys.filter(stands), values=values, before=before)


def _lines_in_place(connector: Any, dataset: Dataset, intent: Intent) -> list[bool]:
    """Of a log's lines those that stand where they stood: in a file that nobody restored, others moved up there."""
    key, found = dataset.key[0], set[tuple[str, str]]()
    for batch in connector.fetch(dataset, intent.keys.select([key])):
        found |= set(zip(batch.column(key).to_pylist(), line_marks(dataset, batch).to_pylist(), strict=True))
    wanted = zip(intent.keys.column(key).to_pylist(), intent.keys.column(LINE).to_pylist(), strict=True)
    return [line in found for line in wanted]


def _undone(connector: Any, dataset: Dataset, intent: Intent) -> list[bool]:
    columns = intent.values.column_names if intent.values is not None else []
    found: dict[str, dict[str, Any]] = {}
    for batch in connector.fetch(dataset, intent.keys.select(list(dataset.key))):
        rows = batch.select(columns).to_pylist() if columns else [{}] * batch.num_rows
        found |= zip(record_nos(batch, dataset.key).to_pylist(), rows, strict=True)
    live = [found.get(number) for number in record_nos(intent.keys, dataset.key).to_pylist()]
    if intent.values is None:
        return [row is not None for row in live]
    wanted = intent.values.to_pylist()
    before = intent.before.to_pylist() if intent.before is not None else [None] * len(wanted)
    return [row is not None and _says_again(row, *told) for row, *told in zip(live, wanted, before, strict=True)]


def _says_again(row: Mapping[str, Any], wanted: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """It is not as it was set; of a correction: it is as it was before, for somebody may have changed it since."""
    undone = [name for name, value in wanted.items() if not _same(row[name], value)]
    return bool(undone) and (before is None or all(_same(row[name], before[name]) for name in undone))


def _same(one: Any, other: Any) -> bool:
    return is_value(one, other if other is None or isinstance(other, (str, int)) else str(other))


def forget_journals(office: Office) -> list[str]:
    """A case's journal dies when the last backup that could bring its data back has expired."""
    ended = []
    for case_no in office.journal.cases():
        days = [office.inventory.system_of(office.inventory.dataset(intent.dataset)).backup_days
                for intent in office.journal.of_case(case_no)]  # fmt: skip
        last = max((datetime.fromisoformat(intent.at) for intent in office.journal.of_case(case_no)), default=None)
        if last and None not in days and last + timedelta(days=max(d or 0 for d in days)) < office.now:
            office.journal.forget(case_no)
            ended.append(case_no)
    return ended


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
            plan = Plan(hold.case_no, one.dataset, late, f"{hold.case.facts['decided_plan']}:sweep")
            hold.once(step, lambda p=[plan], c=connector, s=step: (erasing.write([(hold, s, p)], c)[0], None))  # type: ignore[misc]
            found[one.dataset.id] = late.num_rows
        if found:
            owed = ("incident", "handler", office.today)
            hold.record(Act(f"resurrected:{office.now.isoformat()}", "result", {"rows": found}, owes=(owed,)))
        return found
