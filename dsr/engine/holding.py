"""Holds on named records of a case, and the emergency stop of a system or of all (law.md HOLD; EN-14..16, EN-48)."""

from __future__ import annotations

from typing import Any

from dsr.case import Act
from dsr.engine import plans
from dsr.engine.effects import ALL
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, as_id
from dsr.rules.lifecycle import State


def add(office: Office, case_no: str, record: str) -> int:
    """``record``: ``<system>.<dataset>/<record no>``. Names one record, never an account (T14). How many are held."""
    office.may("hold")
    dataset_id, slash, number = record.partition("/")
    office.inventory.dataset(dataset_id)
    if not slash or not number:
        raise BadInput("--record", "names no record", "write <system>.<dataset>/<record no>")
    with office.hold(case_no) as hold:
        if hold.case.state in (State.CLOSED, State.WITHDRAWN):
            fix = "hold the record in the case that would erase it"
            raise BadInput("case", f"{case_no} is {hold.case.state.value}", fix)
        return _change(hold, "hold", plans.held(hold) | {record}, dataset_id)


def release(office: Office, case_no: str, record: str) -> int:
    """The deferred part resumes by itself, if it is still exactly the approved set (EN-16)."""
    office.may("hold")
    with office.hold(case_no) as hold:
        known = plans.held(hold)
        if record not in known:
            raise BadInput("--record", "no such record is held", "write it as it was held")
        return _change(hold, "release", known - {record}, record.partition("/")[0])


def _change(hold: Hold, what: str, records: frozenset[str], dataset_id: str) -> int:
    number = 1 + sum(step.startswith(("hold:", "release:")) for step, _ in hold.ledger())
    hold.write_json("holds.json", sorted(records))
    facts: dict[str, Any] = {"holds": len(records)}
    hold.record(Act(f"{what}:{number}", "result", {"dataset": dataset_id, "held": len(records)}, facts=facts))
    return len(records)


def stop(office: Office, system: str | None, lift: bool) -> dict[str, str]:
    """Nothing new starts there; a running step ends cleanly, and clocks go on. What is stopped then."""
    office.may("stop")
    name = system or ALL
    if name != ALL and name not in office.inventory.system:
        known = ", ".join(office.inventory.system)
        raise BadInput("system", f"no system '{as_id(name)}' in the inventory", f"use {known}")
    act = Act(f"{'lift' if lift else 'stop'}:{name}:{office.now.isoformat()}", "result", {"system": name})
    office.store.set_stop(name, not lift, act, office.now, office.actor.name)
    return office.store.stops()
