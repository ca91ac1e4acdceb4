"""Holds on named records of a case, and the emergency stop of a system or of all (law.md HOLD; EN-14..16, EN-48)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsr.case import Act
from dsr.engine import collecting, plans
from dsr.engine.effects import ALL
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, NotAllowed, as_id
from dsr.inventory import Dataset
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos
from dsr.shapes import Shape, Words, shaped


class Reason(Shape):
    """An officer's words: sealed, as every free text is."""

    reason: Words


def add(office: Office, case_no: str, record: str, reason: str) -> int:
    """``record``: ``<system>.<dataset>/<record no>``, one that was found for this case; never an account (T14).

    How many are held."""
    office.may("hold")
    dataset_id, slash, number = record.partition("/")
    dataset = office.inventory.dataset(dataset_id)
    if not slash or not number:
        raise BadInput("--record", "names no record", "write <system>.<dataset>/<record no>")
    with office.hold(case_no) as hold:
        if hold.case.state in (State.CLOSED, State.WITHDRAWN):
            fix = "hold the record in the case that would erase it"
            raise BadInput("case", f"{case_no} is {hold.case.state.value}", fix)
        if not _found(hold, dataset, number):
            fix = f"write the number as its system does; before dsr collect {case_no} nothing is found"
            raise BadInput("--record", f"is no record of {dataset_id} that was found for this case", fix)
        told = {"by": office.actor.name, "on": office.today.isoformat(), "reason": _said(reason)}
        return _change(hold, "hold", {**plans.holds(hold), record: told}, dataset_id, reason)


def release(office: Office, case_no: str, record: str, reason: str) -> int:
    """The deferred part resumes by itself, if it is still exactly the approved set (EN-16): so another person lets go
    than the one who holds."""
    office.may("release")
    with office.hold(case_no) as hold:
        known = plans.holds(hold)
        if record not in known:
            raise BadInput("--record", "no such record is held", "write it as it was held")
        if known[record]["by"] == office.actor.name:
            raise NotAllowed("who placed a hold cannot let it go; ask another officer with role approver")
        left = {name: told for name, told in known.items() if name != record}
        return _change(hold, "release", left, record.partition("/")[0], _said(reason))


def _said(reason: str) -> str:
    return shaped(Reason, {"reason": reason}, "--reason").reason


def _found(hold: Hold, dataset: Dataset, number: str) -> bool:
    if dataset.id not in collecting.to_fetch(hold):
        return False
    return number in record_nos(collecting.matched_keys(hold, dataset), dataset.key).to_pylist()


def _change(hold: Hold, what: str, records: Mapping[str, Any], dataset_id: str, reason: str) -> int:
    number = 1 + sum(step.startswith(("hold:", "release:")) for step, _ in hold.steps())
    hold.write_json("holds.json", records)
    hold.record(Act(f"{what}:{number}", "result", {"dataset": dataset_id, "held": len(records)}, reason.encode(),
                    facts={"holds": len(records)}))  # fmt: skip
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
