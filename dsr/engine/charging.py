"""The fee of a request: asked, paid, waived or returned; only of the rights that Art. 38 names (F-1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal

from dsr import law
from dsr.case import Act
from dsr.documents.content import Text, Words
from dsr.documents.wordings import say
from dsr.engine import corresponding, timing
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, NotAllowed
from dsr.inventory import Fee
from dsr.rules import clocks

Refund = Literal["not_held", "overpaid", "withdrawn"]


def fee_of(office: Office, right: str) -> Fee | None:
    """As published; None where nothing is asked. Of other rights than Art. 38 names no setting can make one."""
    return office.inventory.company.fees.get(right) if law.right(right).may_charge else None  # type: ignore[call-overload]


def ask(office: Office, case_no: str, count: int = 1) -> None:
    """手数料のご案内; our own clock waits from then on. Raises NotAllowed where none may be asked."""
    office.may("fee")
    with office.hold(case_no) as hold:
        timing.must_run(hold)
        right, fee = law.right(hold.case.right), fee_of(office, hold.case.right)
        if not right.may_charge:
            raise NotAllowed(f"no fee can be asked for {right.id} (Act on the Protection of Personal Information, 38)")
        if fee is None:
            fix = f"publish one and write [company.fees.{right.id}], or go on without"
            raise BadInput("company.fees", f"holds no fee for {right.id}", fix)
        if count < 1 or hold.case.facts.get("fee"):
            raise BadInput("--count", "is less than one, or a fee was asked for before", "see dsr show CASE")
        due = office.today + timedelta(days=fee.days)
        kept = {"yen": fee.yen * count, "asked_on": office.today.isoformat(), "due": due.isoformat()}
        cited = Words(law.cited("fee"), law.in_english(law.cited("fee")))
        values = {"amount": yen(fee.yen * count), "per": fee.per, "way": fee.way, "due": due, "basis": cited,
                  "refund": say("refund.if_absent") if fee.refund_when_absent else ""}  # fmt: skip
        runs = timing.sla(hold).due is not None
        facts = {"fee": kept, **(clocks.kept_of(timing.paused(hold, "fee")) if runs else {})}
        act = Act("", public={"yen": kept["yen"]}, facts=facts, owes=(("fee", "handler", due),))
        corresponding.write(hold, "fee", "fee_request", values, act=act)


def paid(office: Office, case_no: str, on: date) -> None:
    """領収: the clock goes on. Raises BadInput for a day before it was asked, or to come."""
    office.may("fee")
    with office.hold(case_no) as hold:
        fee = _open(hold)
        if not date.fromisoformat(fee["asked_on"]) <= on <= office.today:
            raise BadInput("--paid", "is before the fee was asked for, or in the future", "give the day it came in")
        values = {"amount": yen(fee["yen"]), "paid_on": on}
        corresponding.write(hold, "fee-paid", "fee_receipt", values, act=_settled(hold, {"paid_on": on.isoformat()}))


def waive(office: Office, case_no: str) -> None:
    """免除."""
    office.may("fee")
    with office.hold(case_no) as hold:
        _open(hold)
        act = _settled(hold, {"waived_on": office.today.isoformat()})
        hold.record(Act("fee-waived", "result", facts=act.facts, done=act.done))


def give_back(office: Office, case_no: str, reason: Refund) -> None:
    """返還, of what was paid and not returned yet."""
    office.may("fee")
    with office.hold(case_no) as hold:
        fee = hold.case.facts.get("fee") or {}
        if not fee.get("paid_on") or fee.get("returned_on"):
            raise NotAllowed(f"{case_no}: no fee was paid, or it was returned already; see dsr show {case_no}")
        values: dict[str, Any] = {"amount": yen(fee["yen"]), "paid_on": date.fromisoformat(fee["paid_on"]),
                                  "reason": say(f"refund.{reason}"), "returned_on": office.today}  # fmt: skip
        facts = {"fee": {**fee, "returned_on": office.today.isoformat()}}
        act = Act("", public={"reason": reason}, facts=facts, done=("refund",))
        corresponding.write(hold, "fee-returned", "fee_refund", values, act=act)


def _open(hold: Hold) -> Mapping[str, Any]:
    fee: Mapping[str, Any] = hold.case.facts.get("fee") or {}
    if not is_owed(hold):
        raise NotAllowed(f"{hold.case_no}: no fee is awaited; see dsr show {hold.case_no}")
    return fee


def _settled(hold: Hold, how: Mapping[str, str]) -> Act:
    waits = timing.sla(hold)
    clock = clocks.kept_of(waits.resume(hold.office.today)) if waits.paused == "fee" else {}
    return Act("", facts={"fee": {**hold.case.facts["fee"], **how}, **clock}, done=("fee",))


def is_owed(hold: Hold) -> bool:
    fee = hold.case.facts.get("fee") or {}
    return bool(fee) and not (fee.get("paid_on") or fee.get("waived_on"))


def must_be_returned(hold: Hold) -> bool:
    """Paid, as published returned where nothing is held, and not returned yet."""
    fee, published = hold.case.facts.get("fee") or {}, fee_of(hold.office, hold.case.right)
    back = bool(fee.get("paid_on")) and not fee.get("returned_on") and published and published.refund_when_absent
    return bool(back) and hold.case.facts.get("decision_outcome") == "not_held"


def yen(amount: int) -> Text:
    return Words(f"{amount:,}円", f"{amount:,} yen")
