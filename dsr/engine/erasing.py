"""Carry out an approved plan: suppress, leaves before the hub, directly or by the owner, then look by another road.

Each effect is journalled before it happens; what has a result is not done again. Nothing here decides: a plan that no
longer matches the live stores goes back to a person (edge cases EN-13, EN-14, EN-35).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dsr.case import Act, Case
from dsr.connector import Writes
from dsr.engine import carried, collecting, cooling, ordering, overtaken, plans, residue, suppressing, surveying
from dsr.engine.effects import CaseEffects
from dsr.engine.office import ENGINE, Hold, Office
from dsr.engine.plans import Frozen
from dsr.errors import Conflict, NotAllowed
from dsr.plan import Plan, Receipt
from dsr.rules.lifecycle import State


def fulfil(office: Office, case_no: str, live: str | None) -> State:
    """Every step here, at once; without ``live`` (the case number once more) nothing is changed (EN-34)."""
    must_be_live(office, case_no, live)
    with office.hold(case_no) as hold:
        if begin(hold):
            carry_out(hold)
        return look(hold)


def must_be_live(office: Office, case_no: str, live: str | None) -> None:
    """Raises NotAllowed for what is a dry run."""
    office.may("fulfil")
    if live != case_no and not (office.actor == ENGINE and _said_live(office, case_no)):
        raise NotAllowed(
            f"{case_no} destroys: this was a dry run and changed nothing. See dsr preview {case_no} --out DIR; to "
            f"carry it out give the number once more: dsr fulfil {case_no} --live {case_no}"
        )


def begin(hold: Hold) -> bool:
    """Whether anything is to be carried out now."""
    case = hold.require(State.FULFILLING, State.VERIFYING, State.RESIDUAL)
    _shown_first(hold.office, case)
    _say_live(hold)
    if case.state is State.RESIDUAL and _still_left(hold):
        residue.once_more(hold)
    if hold.case.state is not State.FULFILLING:
        return False
    _cooled_off(hold)
    return True


def look(hold: Hold) -> State:
    return surveying.verify(hold) if hold.case.state is State.VERIFYING else hold.case.state


def _say_live(hold: Hold) -> None:
    hold.record(Act(f"live:{hold.case.facts['decision']}", "result", {"by": hold.office.actor.name}))


def _said_live(office: Office, case_no: str) -> bool:
    """An officer typed the number again for this very decision: from then on the engine may go on by itself."""
    decision = office.store.case(case_no).facts.get("decision")
    return office.store.said(case_no, f"live:{decision}", "result") is not None


def release_live(office: Office, case_no: str, live: str | None) -> None:
    """Before a deployment is told: the officer's word that it is no dry run."""
    office.may("fulfil")
    if plans.is_changing(office.store.case(case_no)) and live == case_no:
        with office.hold(case_no) as hold:
            _shown_first(office, hold.require(State.FULFILLING, State.VERIFYING, State.RESIDUAL))
            _say_live(hold)


SHOWN = ("disclosure", "record_disclosure", "purpose_notice")
"""Rights whose answer the same letter asks for before what it is about is destroyed."""


def _shown_first(office: Office, case: Case) -> None:
    """What the same letter asks to see is delivered before it is erased (EN-50): dispatch recorded, nothing left over,
    and not come back. Raises NotAllowed."""
    if case.right not in ("erasure", "content_deletion"):
        return
    for other in map(office.store.case, case.facts.get("letter", [])):
        if other.right in SHOWN and other.state not in (State.CLOSED, State.WITHDRAWN):  # come back, it is open again
            raise NotAllowed(
                f"{case.case_no}: the same letter asks for {other.right} ({other.case_no}, {other.state}), which is to "
                f"be delivered first: dsr dispatch {other.case_no} --file DISPATCH.json"
            )


def _cooled_off(hold: Hold) -> None:
    """The hours between approval and the first effect are over (EN-33). Raises NotAllowed."""
    approved = hold.case.facts["decisions"][-1]["at"]
    if hold.case.right in plans.GIVING_NO_MORE:  # nothing is destroyed: stopped at once
        return
    ready = datetime.fromisoformat(approved) + timedelta(hours=cooling.hours(hold.office))
    if hold.office.now < ready:
        raise NotAllowed(f"{hold.case_no}: cooling off until {ready.isoformat(timespec='minutes')}; run it then")


def _still_left(hold: Hold) -> bool:
    """A person says go on after a residue: what was left may have gone since."""
    return not residue.looks(hold) or surveying.verify(hold) is State.RESIDUAL


# -- the steps -----------------------------------------------------------------------------------------------------


def carry_out(hold: Hold) -> None:
    """Raises ConnectorError where a system is away: the case stays as it is and goes on from there."""
    prepare(hold)
    conclude(hold, [one.dataset.id for one in plans.frozen(hold) if not done(hold, one)])


ASKED: Mapping[str, str] = {
    **dict.fromkeys(plans.CORRECTING, "correct"), **dict.fromkeys(plans.GIVING_NO_MORE, "provision_stop"),
    "use_stop": "use_stop", "marketing_stop": "use_stop",
}  # fmt: skip
"""Right → what partners are asked to do; any other erases."""


def prepare(hold: Hold) -> None:
    """All that must be so before the first effect. Raises Conflict for a plan that went back to the decision."""
    first = plans.first_run(hold)
    if hold.result(f"matches:{first}") is None:
        _still_matches(hold, first)
    ordering.must_reach_partners(hold)
    if not surveying.baseline(hold, first):
        raise _went_back(hold, "the survey found what no plan names")
    carried.announce(hold, first)
    if hold.case.right in plans.ERASING:
        hold.once(f"kept:{first}", lambda: ({"datasets": plans.keep_known(hold)}, None))
        hold.once(f"suppress:{first}", lambda: suppressing.suppressed(hold))


def conclude(hold: Hold, waiting: Sequence[str]) -> None:
    """``waiting``: datasets that an owner has still to do."""
    name, first = plans.run(hold), plans.first_run(hold)
    ordering.to_partners(hold, first, ASKED.get(hold.case.right, "erase"))
    if not waiting:
        hold.record(Act(f"carried_out:{name}", "result", {}, to=State.VERIFYING))


def _still_matches(hold: Hold, name: str) -> None:
    due = plans.due_parts(hold)
    moved = plans.look_again(hold, due)
    if moved.matches:
        for dataset_id, rows in moved.fresh.items():  # they stay, and are decided upon by themselves (EN-13)
            collecting.write_table(hold, f"fresh/{name}/{dataset_id}.arrow", rows)
        fresh = {dataset_id: rows.num_rows for dataset_id, rows in moved.fresh.items()}
        owed = (("second_sweep", "handler", hold.office.today),) if fresh else ()
        hold.record(Act(f"matches:{name}", "result", {"fresh": fresh}, facts={"fresh": fresh}, owes=owed))
        return
    why = {"held": overtaken.held(hold), "vanished": list(moved.vanished), "changed": list(moved.changed)}
    plans.back(hold, f"stale:{name}", why)
    raise _went_back(hold, "the stores are no longer what the plan was made of")


def _went_back(hold: Hold, what: str) -> Conflict:
    why = hold.case.facts["stale"]
    return Conflict(f"{hold.case_no}: {what} ({overtaken.words(why)}); this run erased nothing, it went back to the "
                    f"decision: {overtaken.anew(hold.case_no, why)}")  # fmt: skip


def step_of(hold: Hold, one: Frozen) -> str:
    return f"erase:{plans.run(hold)}:{one.dataset.id}"


def done(hold: Hold, one: Frozen) -> bool:
    """Whether this dataset's part is carried out; False while its owner, or a leaf of it, is waited for."""
    name, step = plans.run(hold), step_of(hold, one)
    work = plans.work_of(hold, one)
    act = next((act for act in sorted(plans.OWNERS) if one.of(frozenset({act})).num_rows), "")
    if not work and not act:
        return True
    if hold.result(step) is not None:
        return True
    if leaf := ordering.waits_for(hold, name, one.dataset):
        hold.record(Act(f"waits:{name}:{one.dataset.id}", "result", {"for": leaf}))
        return False
    if act:  # a voucher is its owner's to annotate or issue anew, and so is a provision that no column ends
        order = Plan(hold.case_no, one.dataset, one.of(frozenset({act})), act, one.changed(plans.NOTED & {act}))
        return ordering.carried_out(hold, name, one.dataset, [order], act)
    if (connector := writer(hold, one)) is not None:
        begun = {"records": sum(plan.records for plan in work)}
        hold.once(step, lambda: (write([(hold, step, work)], connector)[0], None), begun)
        return True
    return ordering.carried_out(hold, name, one.dataset, work)


def writer(hold: Hold, one: Frozen) -> Writes | None:
    """What writes to the dataset's store for us; None where that is its owner's to do."""
    system = hold.office.inventory.system_of(one.dataset)
    connector = hold.connectors.get(system.name)
    return connector if system.writes == "direct" and isinstance(connector, Writes) else None


def write(asked: Sequence[tuple[Hold, str, Sequence[Plan]]], connector: Writes) -> list[dict[str, Any]]:
    """Of one case or several, each with its step: journal, then the store; erasing and emptying are two acts. The
    receipt's counts are the store's own."""
    told: list[dict[str, Any]] = [{"planned": 0, "changed": 0, "absent": 0, "acts": {}, "by": "direct"} for _ in asked]
    for acting in ("erase", "empty"):
        mine = [(said, hold, step, plan) for said, (hold, step, work) in zip(told, asked, strict=True)
                for plan in work if (plan.values is None) == (acting == "erase")]  # fmt: skip
        if not mine:
            continue
        for _, hold, _, plan in mine:
            plans.journal(hold, plan)
        effects = CaseEffects([(hold, f"{step}:{acting}") for _, hold, step, _ in mine], mine[0][3].dataset.system)
        work = [plan for *_, plan in mine]
        receipts: list[Receipt] = collecting.persist(
            mine[0][1].office, lambda _last, w=work, e=effects: connector.write(w, e)  # type: ignore[misc]
        )
        for (said, *_), receipt in zip(mine, receipts, strict=True):
            for name in ("planned", "changed", "absent"):
                said[name] += getattr(receipt, name)
            said["acts"][acting] = receipt.changed
    return told
