"""Work orders: what the owner of a system, or a partner who holds a copy, is asked to do, and what they answered.

An order is asked, never done: whether the data is gone our own survey decides (traps.md T05). Silence is never success.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsr.case import Act
from dsr.engine import collecting, plans
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, NotAllowed, as_id
from dsr.inventory import Dataset, Partner
from dsr.plan import Plan
from dsr.request import OrderAnswer
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def orders(hold: Hold) -> dict[str, dict[str, Any]]:
    """Order number → to whom, what, how many records, until when, and the counts that were answered."""
    return dict(hold.case.facts.get("orders", {}))


def carried_out(hold: Hold, run: str, dataset: Dataset, work: list[Plan], act: str = "") -> bool:
    """True once the owner answered the order for this dataset; gives the order the first time."""
    number = _number(hold, run, dataset.id)
    known = orders(hold).get(number)
    if known is None:
        _give(hold, number, dataset, work, act)
        return False
    if known["answered_on"] is None:
        return False
    step = f"erase:{run}:{dataset.id}"
    planned = sum(plan.records for plan in work)
    hold.record(Act(step, "result", {"planned": planned, "changed": known["done"], "absent": 0, "by": "owner"}))
    return True


def _number(hold: Hold, run: str, name: str) -> str:
    """Stable, so that a resumed run gives no second order."""
    return f"{hold.case_no}-{run}-{name}"


def _give(hold: Hold, number: str, dataset: Dataset, work: list[Plan], act: str) -> None:
    office, system = hold.office, hold.office.inventory.system_of(dataset)
    for plan in work if not act else ():
        plans.journal(hold, plan)  # before anybody may act on it
    for at, plan in enumerate(work):
        collecting.write_table(hold, f"orders/{number}.{at}.keys.arrow", plan.keys)
        if plan.values is not None:
            collecting.write_table(hold, f"orders/{number}.{at}.values.arrow", plan.values)
    due = office.calendar.after(office.today, system.order_days)
    order = {"to": system.name, "kind": "owner", "dataset": dataset.id, "given_on": office.today.isoformat(),
             "records": sum(plan.records for plan in work), "due": due.isoformat(), "answered_on": None, "done": None,
             "kept": [], "acts": [act or ("erase" if plan.values is None else "set") for plan in work]}  # fmt: skip
    facts = {"orders": {**orders(hold), number: order}}
    owed = (f"order:{number}", "handler", due)
    hold.record(Act(f"order:{number}", "result", {"order": order}, facts=facts, owes=(owed,)))


def waits_for(hold: Hold, run: str, dataset: Dataset) -> str | None:
    """A dataset that this one leads to and whose order is open: the hub still holds the keys (EN-35)."""
    leads = {reveal.kind for reveal in dataset.reveals}
    waiting = (o["dataset"] for _, o in open_orders(hold) if o["kind"] == "owner" and o["dataset"] != dataset.id)
    return next((str(name) for name in waiting if hold.office.inventory.dataset(name).kinds & leads), None)


# -- partners ------------------------------------------------------------------------------------------------------


def to_partners(hold: Hold, run: str, action: str = "erase") -> None:
    """Each holder of a copy of what is changed is instructed once: order no., minimal identifiers, action, day."""
    office = hold.office
    changed = {one.dataset.id for one in plans.frozen(hold) if plans.work_of(hold, one)}
    for partner in office.inventory.partner.values():
        number = _number(hold, run, f"partner.{partner.key}")
        if not changed & set(partner.datasets) or number in orders(hold):
            continue
        due = office.calendar.after(office.today, partner.due_days)
        order = {"to": partner.key, "kind": partner.kind, "dataset": None, "given_on": office.today.isoformat(),
                 "records": len(identifiers(hold, partner)), "due": due.isoformat(), "answered_on": None, "done": None,
                 "kept": [], "acts": [action]}  # fmt: skip
        facts = {"orders": {**orders(hold), number: order}}
        owed = (f"order:{number}", "handler", due)
        hold.record(Act(f"order:{number}", "result", {"order": order}, facts=facts, owes=(owed,)))


def identifiers(hold: Hold, partner: Partner) -> list[tuple[str, str]]:
    """The least that lets a partner find the person: trusted identifiers of the kinds it may be told."""
    known = collecting.current(hold).identifiers
    return sorted({(i.kind, i.value) for i in known if i.trusted and i.kind in partner.identifiers})


# -- answers -------------------------------------------------------------------------------------------------------


def open_orders(hold: Hold, to: str | None = None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, order in orders(hold).items():
        if order["answered_on"] is None and to in (None, order["to"]):
            yield number, order


def answer(office: Office, case_no: str, to: str, document: object) -> None:
    """What an owner or partner says was done. Counts are recorded as said; the survey looks for itself."""
    office.may("answer")
    said = shaped(OrderAnswer, document, "answer")
    if said.done_on > office.today:
        raise BadInput("done_on", "is in the future", "give the day it was done")
    with office.hold(case_no) as hold:
        hold.require(State.FULFILLING, State.VERIFYING, State.RESIDUAL, State.DISPATCHING, State.KEPT)
        waiting = dict(open_orders(hold, to))
        if not waiting:
            raise NotAllowed(f"{case_no}: no order to {as_id(to)} waits for an answer; see dsr show {case_no}")
        known = orders(hold)
        answered = []
        for number, order in waiting.items():
            if order["given_on"] > said.done_on.isoformat():
                raise BadInput("done_on", f"is before the order was given ({order['given_on']})", "give the true day")
            told = said.datasets.get(order["dataset"] or to)
            if told is None:
                continue
            if "annotate" in order["acts"] and len(told.issued) != told.done:
                problem = "does not name a note or new voucher for each record done"
                fix = '{"<record no>": "<number of the note or new voucher>"}'
                raise BadInput(f"datasets.{order['dataset']}.issued", problem, fix)
            hold.write_json(f"issued/{order['dataset']}.json", told.issued)
            known[number] = {**order, "answered_on": office.today.isoformat(), "done_on": said.done_on.isoformat(),
                             "found": told.found, "done": told.done,
                             "kept": [kept.model_dump(mode="json") for kept in told.kept]}  # fmt: skip
            answered.append(number)
        if not answered:
            names = ", ".join(str(order["dataset"] or to) for order in waiting.values())
            raise BadInput("datasets", "answers none of the open orders", f"use {names}")
        count = 1 + sum(step.startswith(f"answered:{to}:") for step, _ in hold.ledger())
        hold.write_json(f"answers/order.{to}.{count}.json", said.model_dump(mode="json"))
        public = {"orders": {no: {"done": known[no]["done"], "found": known[no]["found"]} for no in answered}}
        hold.record(Act(f"answered:{to}:{count}", "result", public, facts={"orders": known},
                        done=tuple(f"order:{number}" for number in answered)))  # fmt: skip
