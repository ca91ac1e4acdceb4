"""Work orders: what the owner of a system, or a partner who holds a copy, is asked to do, and what they answered.

An order is asked, never done: whether the data is gone our own survey decides (traps.md T05). Silence is never success.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsr.case import Act
from dsr.engine import collecting, plans, residue
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, NotAllowed, as_id
from dsr.inventory import Dataset, Partner
from dsr.journal import Intent
from dsr.plan import Plan
from dsr.request import DatasetAnswer, OrderAnswer
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos
from dsr.shapes import shaped


def orders(hold: Hold) -> dict[str, dict[str, Any]]:
    """Order number → to whom, what, how many records, until when, and the counts that were answered."""
    return dict(hold.case.facts.get("orders", {}))


def carried_out(hold: Hold, run: str, dataset: Dataset, work: list[Plan], act: str = "") -> bool:
    """True once the owner answered the order for this dataset; gives the order the first time. What an earlier try did
    is not ordered again, and counts."""
    number, planned = _number(hold, run, dataset.id), sum(plan.records for plan in work)
    known = orders(hold).get(number)
    if known is None and (left := residue.there(hold, [plans.with_old(hold, plan) for plan in work])):
        _give(hold, number, dataset, left, act)
        return False
    if known and known["answered_on"] is None:
        return False
    ordered, done, absent = _said(known) if known else (0, 0, 0)
    said = {"planned": planned, "changed": planned - ordered + done, "absent": absent, "by": "owner"}
    hold.record(Act(f"erase:{run}:{dataset.id}", "result", said))
    return True


def again(hold: Hold, replayed: int, dataset: Dataset, back: Intent) -> None:
    """What a restore brought back in an owner's system, ordered anew."""
    plan = Plan(hold.case_no, dataset, back.keys, back.digest, back.values, back.before)
    _give(hold, f"{hold.case_no}-back{replayed}-{dataset.id}", dataset, [plan], "", journalled=True)


def _said(order: Mapping[str, Any]) -> tuple[int, int, int]:
    """Records ordered, done, and those that the owner did not find."""
    return order["records"], order["done"], max(0, order["records"] - max(order["found"], order["done"]))


def _number(hold: Hold, run: str, name: str) -> str:
    """Stable, so that a resumed run gives no second order."""
    return f"{hold.case_no}-{run}-{name}"


def _give(hold: Hold, number: str, dataset: Dataset, work: list[Plan], act: str, journalled: bool = False) -> None:
    office, system = hold.office, hold.office.inventory.system_of(dataset)
    for plan in work if not (act or journalled) else ():
        plans.journal(hold, plan)  # before anybody may act on it
    for at, plan in enumerate(work):
        collecting.write_table(hold, f"orders/{number}.{at}.keys.arrow", plan.keys)
        for name, table in (("values", plan.values), ("old", plan.old)):
            if table is not None:
                collecting.write_table(hold, f"orders/{number}.{at}.{name}.arrow", table)
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
    """Each holder of a copy of what is changed is instructed once, however often a residue is gone after: order no.,
    minimal identifiers, action, day. ``run``: the first of the tries."""
    office = hold.office
    for partner in instructed(hold):
        number = _number(hold, run, f"partner.{partner.key}")
        if number in orders(hold):
            continue
        due = office.calendar.after(office.today, partner.due_days)
        before = [open_one for open_one, _ in open_orders(hold, partner.key)]  # this one asks for the same, and more
        order = {"to": partner.key, "kind": partner.kind, "dataset": None, "given_on": office.today.isoformat(),
                 "records": len(identifiers(hold, partner)), "due": due.isoformat(), "answered_on": None, "done": None,
                 "kept": [], "acts": [action]}  # fmt: skip
        known = {name: told for name, told in orders(hold).items() if name not in before}
        owed = (f"order:{number}", "handler", due)
        hold.record(Act(f"order:{number}", "result", {"order": order}, facts={"orders": {**known, number: order}},
                        owes=(owed,), done=tuple(f"order:{name}" for name in before)))  # fmt: skip


def still_told(hold: Hold) -> dict[str, dict[str, Any]]:
    """Orders that outlive their plan: a partner that was told was told, whatever is decided in its place."""
    return {number: order for number, order in orders(hold).items() if order["kind"] != "owner"}


def fallen(hold: Hold) -> tuple[str, ...]:
    """What nobody waits for any more once another plan is decided: answers of owners."""
    return tuple(f"order:{number}" for number, order in open_orders(hold) if order["kind"] == "owner")


def must_reach_partners(hold: Hold) -> None:
    """Raises NotAllowed, before anything begins, for a partner to whom nobody could say whose copy it is to change."""
    for partner in instructed(hold):
        if not identifiers(hold, partner):
            known = sorted({i.kind for i in collecting.current(hold).identifiers if i.trusted})
            kinds = ", ".join(partner.identifiers)
            raise NotAllowed(f"{hold.case_no}: {partner.key} holds a copy and is told {kinds}, of which none is known; "
                             f"declare partner.{partner.key}.identifiers with one of "
                             f"{', '.join(known) or 'what collecting reveals'}; nothing was changed")  # fmt: skip


def instructed(hold: Hold) -> list[Partner]:
    """Who holds a copy of what the plan changes."""
    changed = {one.dataset.id for one in plans.frozen(hold)
               if plans.work_of(hold, one) or one.of(frozenset({"provision_order"})).num_rows}  # fmt: skip
    ended = hold.case.right in plans.GIVING_NO_MORE  # a processor is no third party (27(5)(i)): it keeps its copy
    return [partner for partner in hold.office.inventory.partner.values()
            if changed & set(partner.datasets) and not (ended and partner.kind == "processor")]  # fmt: skip


def identifiers(hold: Hold, partner: Partner) -> list[tuple[str, str]]:
    """The least that lets a partner find the person: trusted identifiers of the kinds it may be told."""
    known = collecting.current(hold).identifiers
    return sorted({(i.kind, i.value) for i in known if i.trusted and i.kind in partner.identifiers})


# -- answers -------------------------------------------------------------------------------------------------------


def open_orders(hold: Hold, to: str | None = None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, order in orders(hold).items():
        if order["answered_on"] is None and to in (None, order["to"]):
            yield number, order


def _taken_back(hold: Hold, to: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Answered orders whose answer may be replaced: a partner's, and an owner's until it counts as a result."""
    for number, order in orders(hold).items():
        taken = order["kind"] == "owner" and hold.result(f"erase:{plans.run(hold)}:{order['dataset']}") is not None
        if order["answered_on"] is not None and order["to"] == to and not taken:
            yield number, order


def numbers(hold: Hold, number: str, order: Mapping[str, Any]) -> list[str]:
    """Record nos of an order to an owner."""
    dataset = hold.office.inventory.dataset(order["dataset"])
    tables = [collecting.read_table(hold, f"orders/{number}.{at}.keys.arrow") for at in range(len(order["acts"]))]
    return [no for table in tables for no in record_nos(table, dataset.key).to_pylist()]


def answer(office: Office, case_no: str, to: str, document: object) -> None:
    """What an owner or partner says was done. Counts are recorded as said; the survey looks for itself. A partner who
    found nobody, though we handed the person over, is asked a second time: the order stays open (EN-46)."""
    office.may("answer")
    said = shaped(OrderAnswer, document, "answer")
    if said.done_on > office.today:
        raise BadInput("done_on", "is in the future", "give the day it was done")
    with office.hold(case_no) as hold:
        hold.require(State.FULFILLING, State.VERIFYING, State.RESIDUAL, State.DISPATCHING, State.KEPT, State.CLOSED)
        waiting = dict(_taken_back(hold, to) if said.corrects else open_orders(hold, to))
        if not waiting and said.corrects:
            raise NotAllowed(f"{case_no}: no answer of {as_id(to)} can still be replaced: what was looked at since is "
                             f"looked at again by dsr fulfil {case_no} --live {case_no}")  # fmt: skip
        if not waiting:
            raise NotAllowed(f"{case_no}: no order to {as_id(to)} waits for an answer; see dsr show {case_no}")
        known = orders(hold)
        answered, asked_again = list[str](), False
        for number, order in waiting.items():
            if order["given_on"] > said.done_on.isoformat():
                raise BadInput("done_on", f"is before the order was given ({order['given_on']})", "give the true day")
            told = said.datasets.get(order["dataset"] or to)
            if told is None:
                continue
            _must_fit(hold, number, order, told)
            if order["kind"] != "owner" and not told.found and not order.get("mismatch"):
                known[number], asked_again = {**order, "mismatch": office.today.isoformat()}, True
                continue
            hold.write_json(f"issued/{order['dataset']}.json", told.issued)
            known[number] = {**order, "answered_on": office.today.isoformat(), "done_on": said.done_on.isoformat(),
                             "found": told.found, "done": told.done,
                             "kept": [kept.model_dump(mode="json") for kept in told.kept]}  # fmt: skip
            answered.append(number)
        if not answered and not asked_again:
            names = ", ".join(str(order["dataset"] or to) for order in waiting.values())
            raise BadInput("datasets", "answers none of the open orders", f"use {names}")
        count = 1 + sum(step.startswith(f"answered:{to}:") for step, _ in hold.steps())
        hold.write_json(f"answers/order.{to}.{count}.json", said.model_dump(mode="json"))
        counts = {no: {name: known[no][name] for name in ("done", "found")} for no in answered}
        again = [no for no in waiting if known[no].get("mismatch") and known[no]["answered_on"] is None]
        beside = {"mismatch": again, "corrects": bool(said.corrects)}
        public = {"orders": counts, **{name: value for name, value in beside.items() if value}}
        hold.record(Act(f"answered:{to}:{count}", "result", public, facts={"orders": known},
                        done=tuple(f"order:{number}" for number in answered)))  # fmt: skip


def _must_fit(hold: Hold, number: str, order: Mapping[str, Any], told: DatasetAnswer) -> None:
    """Raises BadInput for an answer that says more, or less, than the order can bear."""
    field = f"datasets.{order['dataset'] or order['to']}"
    if order["kind"] == "owner" and told.found > order["records"]:
        problem = f"is {told.found}, more than the {order['records']} records ordered"
        raise BadInput(f"{field}.found", problem, "count the records of the key file only")
    named = not set(told.issued) - set(numbers(hold, number, order)) if told.issued else True
    if "annotate" in order["acts"] and not (len(told.issued) == told.done and named):
        problem = "does not name a note or new voucher for each record done, and for no other"
        raise BadInput(f"{field}.issued", problem, '{"<record no>": "<number of the note or new voucher>"}')
    if "provision_order" in order["acts"] and told.done < order["records"]:
        problem = f"is fewer than the {order['records']} ordered, and no look of ours would find the rest"
        raise BadInput(f"{field}.done", problem, "answer once each is given to nobody")
    if order.get("mismatch") and not told.found and not told.note.strip():
        problem = "is empty, though we handed the person over and nothing was found a second time"
        raise BadInput(f"{field}.note", problem, "say where it was looked, and why nothing is there (EN-46)")
