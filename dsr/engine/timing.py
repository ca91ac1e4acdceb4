"""Clock B of a case: paused for a named reason, resumed, extended once; each told to the person by letter (CL-B)."""

from __future__ import annotations

from datetime import date

from dsr.case import Act
from dsr.documents import templates
from dsr.documents.wordings import say
from dsr.engine import corresponding, plans, process
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, NotAllowed
from dsr.rules import clocks, scope
from dsr.rules.clocks import PauseReason, Sla
from dsr.rules.lifecycle import State
from dsr.shapes import Shape, Words, shaped

ENDED = frozenset({State.CLOSED, State.WITHDRAWN, State.MISDIRECTED, State.KEPT})


class Reason(Shape):
    """An officer's words that the person reads."""

    reason: Words


def sla(hold: Hold) -> Sla:
    return clocks.sla_of(hold.office.calendar, hold.case.facts)


def must_run(hold: Hold) -> None:
    """Raises NotAllowed for a case that is answered."""
    if hold.case.state in ENDED:
        raise NotAllowed(f"{hold.case_no} is {hold.case.state.value}: its clock stands; see dsr show {hold.case_no}")


def pause(office: Office, case_no: str, reason: PauseReason) -> None:
    """中断: our own clock waits for the person; clock A never does. Raises NotAllowed where it does not run."""
    office.may("clock")
    with office.hold(case_no) as hold:
        must_run(hold)
        changed = paused(hold, reason)
        key = f"pause:{len(changed.pauses)}"
        values: dict[str, templates.Value] = {
            "reason": say(f"pause.{reason}"), "since": office.today, "todo": say(f"pause.{reason}.todo"),
                  "left": say("business_days", n=changed.left(office.today) or 0)}  # fmt: skip
        act = Act("", public={"reason": reason}, facts=clocks.kept_of(changed))
        corresponding.write(hold, key, "pause_notice", values, act=act)


def paused(hold: Hold, reason: PauseReason) -> Sla:
    return sla(hold).pause(reason, hold.office.today)


def resume(office: Office, case_no: str) -> None:
    """What was waited for has come."""
    office.may("clock")
    with office.hold(case_no) as hold:
        must_run(hold)
        changed = sla(hold).resume(office.today)
        hold.record(Act(f"resume:{len(changed.pauses)}", "result", facts=clocks.kept_of(changed)))


def extend(office: Office, case_no: str, days: int, reason: str) -> None:
    """延長: once, before the clock lapses, with a letter that gives the new day. Raises NotAllowed, BadInput."""
    office.may("clock")
    said = shaped(Reason, {"reason": reason}, "--reason").reason
    with office.hold(case_no) as hold:
        must_run(hold)
        if days < 1:
            raise BadInput("--days", "is less than one business day", "give a positive number")
        before = sla(hold)
        changed = before.extended(days, office.today)
        if before.due is None or changed.due is None:
            raise NotAllowed(f"{case_no}: its clock pauses, so no day can be told; dsr resume {case_no} first")
        values: dict[str, templates.Value] = {
            "reason": said, "before": before.due, "new_date": changed.due, "todo": say("extension.todo"),
        }  # fmt: skip
        act = Act("", public={"days": days}, facts=clocks.kept_of(changed), secret=said.encode())
        corresponding.write(hold, "extension", "extension_notice", values, act=act)


def interim(office: Office, case_no: str, by: date) -> State:
    """一部先行回答: what was reached is answered now, the rest by the day given; the case goes on from there (EN-06).

    Raises NotAllowed where nothing was reached yet, or where data are to be changed: a part of a plan is no plan.
    """
    office.may("clock")
    if by <= office.today:
        raise BadInput("--by", "is not after today", "give the day by which the rest will be answered")
    with office.hold(case_no) as hold:
        case = hold.require(State.BLOCKED)
        left = [name for name, ended in case.facts["datasets"].items() if scope.is_open(ended)]
        if plans.changes(hold) or len(left) == len(case.facts["datasets"]):
            raise NotAllowed(f"{case_no}: there is nothing to answer apart yet; see dsr show {case_no}")
        number = 1 + sum(step.startswith("interim:") for step, _ in hold.steps())
        facts = {"rest_by": by.isoformat()}
        hold.record(Act(f"interim:{number}", "result", {"open": left}, to=State.REVIEW, facts=facts,
                        owes=(("rest", "handler", by),), done=("interim_answer",)))  # fmt: skip
    return process.settle_review(office, case_no)
