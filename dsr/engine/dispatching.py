"""What leaves and what comes back: envelope check, sending, receipt, return, another address, destruction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from dsr import law
from dsr.case import Act, Case
from dsr.documents import templates
from dsr.documents.content import Recipient
from dsr.documents.wordings import say
from dsr.engine import (
    afterwards,
    charging,
    closing_papers,
    corresponding,
    fulfilling,
    guarding,
    papers,
    plans,
    replaying,
)
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, NotAllowed
from dsr.request import AddressProof, Dispatch
from dsr.rules import courses, deliveries, proofing, protection
from dsr.rules.lifecycle import State
from dsr.shapes import shaped

OUTLIVES = ("incident:", "dba:", "order:", replaying.BACK, protection.WORK)
"""Beginnings of work that is owed beyond the closing of its case."""
ANSWERED = (State.CLOSED, State.KEPT, State.REVIEW, State.BLOCKED)
"""Where a case may be while its package is under way."""


def dispatch(office: Office, case_no: str, document: object) -> State:
    """One act of DISPATCH.json. Secrecy never leaves unchecked (EC-32b). Raises BadInput, NotAllowed."""
    act = shaped(Dispatch, document, "dispatch")
    office.may("envelope_check" if act.envelope_check else "dispatch")
    for field in ("sent_on", "returned_on", "delivered_on", "destroyed_on"):
        day = getattr(act, field)
        if day and day > office.today:
            raise BadInput(field, "is in the future", "record it when it is done, with the day it was done")
    with office.hold(case_no) as hold:
        number = sum(1 for step, _ in hold.steps() if step.startswith("dispatch:")) + 1
        return _what(act)(hold, act, f"dispatch:{number}")


def _what(act: Dispatch) -> Callable[[Hold, Dispatch, str], State]:
    done = {
        "envelope_check": _check_envelope, "channel": _send, "delivered_on": _arrived, "returned_on": _came_back,
        "destroyed_on": _destroyed,
    }  # fmt: skip
    return next(do for field, do in done.items() if getattr(act, field) is not None)


def past(hold: Hold) -> list[dict[str, Any]]:
    """Every delivery so far, the last one last."""
    return list(hold.case.facts.get("deliveries", []))


def ended(hold: Hold) -> tuple[str, ...]:
    """Work that is done once the answer is out."""
    return tuple(work.what for work in hold.office.store.work(hold.case_no) if not work.what.startswith(OUTLIVES))


# -- out -----------------------------------------------------------------------------------------------------------


def _check_envelope(hold: Hold, act: Dispatch, step: str) -> State:
    case, check = hold.require(State.DISPATCHING), act.envelope_check
    hold.must_be_another("envelope_check")
    passed = bool(check and check.passed)
    facts = {"envelope_checked_by": hold.office.actor.name if passed else None}
    hold.record(Act(step, "result", {"envelope_check": "passed" if passed else "mismatch"}, facts=facts))
    if not passed:
        raise NotAllowed(
            f"{hold.case_no}: person and envelope do not agree; nothing may leave. Seal anew and check again"
        )
    return case.state


def _send(hold: Hold, act: Dispatch, step: str) -> State:
    case = hold.require(State.DISPATCHING)
    _not_before("sent_on", act.sent_on, case.facts.get("issued_on"), "the package was issued")
    _may_leave(hold, case, act)
    _by_a_way_that_reaches(hold, case, act.channel)
    assert act.sent_on is not None
    hold.write_json(f"dispatch/{step.removeprefix('dispatch:')}.json", act.model_dump(mode="json"))
    unread = sum(papers.unread(hold).values())
    public = {"channel": act.channel, "sent_on": act.sent_on.isoformat(), "unread": unread,
              "expires_on": act.expires_on.isoformat() if act.expires_on else None,
              "password_by": act.password_by}  # fmt: skip
    sent = {"channel": act.channel, "sent_on": public["sent_on"], "addressed": case.facts.get("addressed", 0)}
    to, ending = _ends(hold, unread)
    if to is State.CLOSED:
        _close_twins(hold.office, hold.case_no)  # before: a case that is closed is not dispatched a second time
    facts = {"dispatched_on": hold.office.today.isoformat(), "envelope_checked_by": None,
             "sent_on": public["sent_on"], "deliveries": [*past(hold), sent], **ending.facts}  # fmt: skip
    hold.record(Act(step, "result", public, to=to, facts=facts, owes=ending.owes, done=ending.done))
    return to


def _ends(hold: Hold, unread: int) -> tuple[State, Act]:
    """Notes unread today, and systems not reached, follow in a second delivery: until then nothing closes (EN-53)."""
    if plans.changes(hold):
        to, ending = afterwards.ends(hold)
        done = ending.done if to is not State.CLOSED else ended(hold)
        return to, Act("", facts=ending.facts, owes=ending.owes, done=done)
    if unread or papers.open_datasets(hold):
        return State.BLOCKED if papers.open_datasets(hold) else State.REVIEW, Act("", done=("held_parcel",))
    return State.CLOSED, Act("", done=ended(hold))


def _may_leave(hold: Hold, case: Case, act: Dispatch) -> None:
    if why := deliveries.barred(past(hold), case.facts.get("addressed", 0)):
        raise NotAllowed(f"{hold.case_no}: {why}; see dsr show {hold.case_no}")
    if case.facts.get("secrecy") and not case.facts.get("envelope_checked_by"):
        raise NotAllowed(
            f"{hold.case_no} holds data under secrecy of communications: another officer must compare person and "
            "envelope first (dsr dispatch with envelope_check, role approver)"
        )
    owed = (work.what.partition(replaying.BACK) for work in hold.office.store.work(hold.case_no))
    if back := sorted(name for _, came, name in owed if came):
        raise NotAllowed(f"{hold.case_no}: what was erased stands again in {', '.join(back)}: its owner's order first, "
                         "then dsr replay")  # fmt: skip
    if charging.must_be_returned(hold):
        first = f"dsr fee {hold.case_no} --return not_held"
        raise NotAllowed(f"{hold.case_no}: nothing is held, so the fee goes back first: {first}")
    fulfilling.must_be_released(hold)
    how = "sealed" if act.channel == "download" else "taken"
    if not _left_the_vault(hold, how):
        first = f"dsr package {hold.case_no} {'--sealed FILE.zip' if how == 'sealed' else '--out DIR'}"
        raise NotAllowed(f"{hold.case_no}: this package never left the vault; run {first} first")


def _by_a_way_that_reaches(hold: Hold, case: Case, channel: str | None) -> None:
    """The person and nobody else (ID-4, ID-8). Raises NotAllowed."""
    weak = case.facts.get("strength", proofing.HISTORY) < proofing.HISTORY
    if weak and case.facts.get("secrecy") and channel not in ("addressee_only_post", "counter"):
        raise NotAllowed(f"{case.case_no} holds data under secrecy of communications and one factor proved who asks: "
                         "send it by addressee_only_post, or hand it over at the counter")  # fmt: skip
    if guarding.for_her_alone(hold) and not (case.facts.get("addressed") and channel == "addressee_only_post"):
        raise NotAllowed(f"{case.case_no}: it goes to the person alone (AG-7): dsr address {case.case_no} --file "
                         "ADDRESS.json with what she herself shows, then by addressee_only_post")  # fmt: skip
    unproved = case.facts.get("no_address") and not case.facts.get(courses.FAILED)
    if unproved and not case.facts.get("addressed") and channel not in ("counter", "download"):
        raise NotAllowed(f"{case.case_no}: no paper proved the address: dsr address {case.case_no} --file ADDRESS.json")


def _not_before(field: str, day: date | None, first: str | None, what: str) -> None:
    """Nothing was sent before it was issued, nor came back before it was sent."""
    if day and first and day.isoformat() < first:
        raise BadInput(field, f"is before {what} ({first})", "give the day it was done")


def _left_the_vault(hold: Hold, how: str) -> bool:
    """Since it was last made, sealed or taken out plainly: what never left cannot have been sent."""
    done = [step.partition(":")[0] for step, phase in hold.steps() if phase == "result"]
    made = max((at for at, step in enumerate(done) if step == "manifest"), default=0)
    return how in done[made:]


def _close_twins(office: Office, case_no: str) -> None:
    """The same request, linked at its arrival, is answered by the same package (EN-05)."""
    for twin in office.store.cases({State.RECEIVED}):
        if twin.facts.get("linked_to") == case_no:
            with office.hold(twin.case_no) as hold:
                act = Act("answered_with", "result", {"case": case_no}, to=State.CLOSED,
                          facts={"outcome": "duplicate"}, done=ended(hold))  # fmt: skip
                hold.record(act)


# -- and back ------------------------------------------------------------------------------------------------------


def _under_way(hold: Hold) -> dict[str, Any]:
    hold.require(*ANSWERED)
    last = deliveries.out(past(hold))
    if last is None:
        raise NotAllowed(f"{hold.case_no}: nothing is under way; see dsr show {hold.case_no}")
    return dict(last)


def _arrived(hold: Hold, act: Dispatch, step: str) -> State:
    last, day = _under_way(hold), act.delivered_on
    _not_before("delivered_on", day, last["sent_on"], "it was sent")
    assert day is not None
    told = {**last, "delivered_on": day.isoformat()}
    facts = {"deliveries": [*past(hold)[:-1], told]}
    return hold.record(Act(step, "result", {"delivered_on": day.isoformat()}, facts=facts)).state


def _came_back(hold: Hold, act: Dispatch, step: str) -> State:
    """再送のご案内: an answered case is sent again from dispatching; what was opened on its way is an incident."""
    last, day = _under_way(hold), act.returned_on
    _not_before("returned_on", day, last["sent_on"], "it was sent")
    assert day is not None
    until = deliveries.held_until(day)
    told = {**last, "returned_on": day.isoformat(), "reason": act.return_reason, "seal": act.seal}
    public = {"returned_on": day.isoformat(), "reason": act.return_reason, "seal": act.seal}
    broken = (("incident:opened", "handler", hold.office.today),) if act.seal == "broken" else ()
    waits = () if hold.case.state in (State.REVIEW, State.BLOCKED) else (("held_parcel", "handler", until),)
    reached = State.DISPATCHING if waits else hold.case.state
    facts = {"deliveries": [*past(hold)[:-1], told], "envelope_checked_by": None}
    changed = Act("", public=public, to=reached, facts=facts, owes=(*broken, *waits))
    values: dict[str, templates.Value] = {
        "what": say(f"channel_of.{last['channel']}"), "returned_on": day, "held_until": until,
        "reason": say(f"return.{act.return_reason}"), "seal": say(f"seal.{act.seal}"),
        "todo": say(f"return.{act.return_reason}.todo"),
    }  # fmt: skip
    # To an address that failed nothing is sent again: she is reached by another proved way (EN-54).
    home = papers.recipient(hold)
    to = Recipient(home.name, "") if act.return_reason == "addressee_unknown" else home
    hold.record(Act(step, "intent", public))
    corresponding.write(hold, step, "redelivery_notice", values, to=to, act=changed)
    hold.record(Act(step, "result", public))
    return reached


def _destroyed(hold: Hold, act: Dispatch, step: str) -> State:
    """What came back was held to its day and nobody asked for it."""
    hold.require(State.DISPATCHING)
    back = [one for one in past(hold) if one.get("returned_on")]
    if not back or deliveries.out(past(hold)):
        raise NotAllowed(f"{hold.case_no}: no parcel is held; see dsr show {hold.case_no}")
    until = deliveries.held_until(date.fromisoformat(back[-1]["returned_on"]))
    assert act.destroyed_on is not None
    if act.destroyed_on <= until:
        raise BadInput("destroyed_on", f"is not after the day until which it is held ({until})", "keep it until then")
    to, ending = _ends(hold, 0)
    changed = Act("", public={"destroyed_on": act.destroyed_on.isoformat()}, to=to, facts=ending.facts,
                  owes=ending.owes, done=ending.done)  # fmt: skip
    values: dict[str, templates.Value] = {"returned_on": date.fromisoformat(back[-1]["returned_on"]),
                                          "held_until": until, "destroyed_on": act.destroyed_on}  # fmt: skip
    corresponding.write(hold, step, "held_parcel_destroyed", values, act=changed)
    hold.record(Act(step, "result", changed.public))
    return to


def move_to(office: Office, case_no: str, document: object) -> State:
    """A new address, proved: everything that carries one is made anew, and checked anew (ID-8, DC-7)."""
    office.may("dispatch")
    said = shaped(AddressProof, document, "address")
    proving = [one for one in said.documents if law.proof_document(one.type).proves_address]
    if not any((one.name, one.address) == ("match", "match") for one in proving):
        fix = "a residence record, family register supplement or JPKI signature that shows name and new address"
        raise BadInput("documents", "prove no address", fix)
    for number, one in enumerate(said.documents):
        if one.seen_on > office.today or not proofing.counts(one):
            raise BadInput(f"documents.{number}.seen_on", "is a day on which it does not count", "check the day")
    with office.hold(case_no) as hold:
        case = hold.require(State.DISPATCHING)
        hold.must_be_whole()
        again = case.facts.get("addressed", 0) + 1
        hold.write_json(papers.ADDRESS, {"address": said.address, "documents": [d.type for d in said.documents]})
        facts: Mapping[str, Any] = {"addressed": again, "envelope_checked_by": None, "release": None}
        hold.record(Act(f"address:{again}", "result", {"documents": [d.type for d in said.documents]}, facts=facts))
        if plans.changes(hold):
            return closing_papers.finish(hold, plans.run(hold))
        fulfilling.cite(hold)
        return fulfilling.finish(hold)
