"""A case's own data ends on its dates, by the morning round; what is owed stays owed until it is done.

What was begun is recorded first, so that nothing half-destroyed is ever used; a round killed in the middle is ended by
the next. Suppression entries, the replay journal and a DBA's duties have their own rules and outlive the file.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal

from dsr import law
from dsr.case import Act, Case
from dsr.days import day_of
from dsr.documents import templates
from dsr.documents.content import Words
from dsr.documents.wordings import say
from dsr.engine import corresponding
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, CheckFailed, NotAllowed
from dsr.request import Proof
from dsr.rules import filing, proofing
from dsr.rules.lifecycle import State
from dsr.store import OFFICE, Work

Disposal = Literal["returned", "destroyed"]
LOOK_AGAIN = timedelta(days=30)
"""After which it is asked again whether a restore can still bring the data of an erasure back."""


# -- what proved the person ----------------------------------------------------------------------------------------


def dispose(office: Office, case_no: str, how: Disposal, on: date) -> None:
    """本人確認書類の返送・廃棄, told by letter (ID-7). Raises NotAllowed where no copies lie here, BadInput."""
    office.may("prove")
    if on > office.today:
        raise BadInput("--copies", "is in the future", "record it when it is done, with the day it was done")
    with office.hold(case_no) as hold:
        if hold.case.facts.get("copies") != filing.HELD:
            raise NotAllowed(f"{case_no}: no copies of identity papers lie here; see dsr show {case_no}")
        if on < day_of(hold.case.received_at):
            raise BadInput("--copies", "is before the request arrived", "give the day it was done")
        day = on.isoformat()
        act = Act("", public={"how": how, "on": day}, facts={"copies": day}, done=(filing.COPIES,))
        values: dict[str, templates.Value] = {"papers": _papers(hold), "how": say(f"copies.{how}"), "done_on": on}
        corresponding.write(hold, "copies", "id_return_slip", values, act=act)


def _papers(hold: Hold) -> list[tuple[Words]]:
    """Of every proof that was shown, by kind."""
    proofs = [Proof.model_validate(hold.read_json(name)) for name in hold.vault.names("proof/")]
    shown = (law.proof_document(one.type) for proof in proofs for one in proofing.shown(proof))
    return [(Words(*label),) for label in dict.fromkeys((one.label, one.label_en) for one in shown)]


# -- by the day ----------------------------------------------------------------------------------------------------


def due(office: Office) -> dict[str, State | Exception]:
    """What ends today, each case alone: the state it is in, or what stopped it and no other."""
    _date_older(office)
    ended: dict[str, State | Exception] = {}
    for work in office.store.files(office.today):
        try:
            ended[work.case_no] = _END[work.what](office, office.store.case(work.case_no))
        except Exception as error:
            ended[work.case_no] = error
    return ended


def _working(office: Office, case: Case) -> State:
    """Package and working data, once the days to complain are over."""
    if _waits(office, case, *filing.ENDS):
        return case.state
    with office.hold(case.case_no) as hold:
        number = 1 + sum(s.startswith(f"{filing.WORKING}:") and p == "result" for s, p in hold.ledger())
        step = f"{filing.WORKING}:{number}"
        today = office.today.isoformat()
        hold.record(Act(step, "intent", facts={"working_ended_on": case.facts.get("working_ended_on") or today}))
        replayed = case.case_no in office.journal.cases()
        gone = [name for name in hold.vault.names() if filing.goes(name, case.state, replayed)]
        for name in gone:
            hold.vault.remove(name)
        later = (filing.WORKING, "engine", office.today + LOOK_AGAIN)
        again = (later,) if replayed and case.state is State.CLOSED else ()
        return hold.record(Act(step, "result", {"objects": len(gone)}, done=(filing.WORKING,), owes=again)).state


def _whole(office: Office, case: Case) -> State:
    """The vault's key and folder, and of the facts all but days, codes and counts; the log stays.

    A statement of dispute was promised to stand as long as its record does: its case keeps the file (EC-23).
    """
    if case.facts.get("statements") or _waits(office, case, State.CLOSED):
        return case.state
    lease = office.store.take(case.case_no)
    try:
        if office.store.altered(case.case_no):
            raise CheckFailed(f"{case.case_no}: its row is not what the log left; run dsr trail verify")
        said, ended_on = {"rehearsal": True} if office.rehearsal else {}, {"file_ended_on": office.today.isoformat()}
        begun = Act(filing.WHOLE, "intent", said, facts=ended_on, only=filing.SURVIVING_FACTS)
        office.store.record(lease, begun, b"", office.now, office.actor.name)
        office.vault.destroy_key(case.case_no)
        left = tuple(w.what for w in office.store.work(case.case_no) if not w.what.startswith("dba:"))
        ended = Act(filing.WHOLE, "result", said, done=(*left, filing.WORKING, filing.WHOLE))
        return office.store.record(lease, ended, b"", office.now, office.actor.name).state
    finally:
        office.store.release(lease)


_END: dict[str, Callable[[Office, Case], State]] = {filing.WORKING: _working, filing.WHOLE: _whole}


def _waits(office: Office, case: Case, *states: State) -> bool:
    """A parcel that came back, or an incident whose reports are owed, keeps everything."""
    open_ = any(work.what.startswith("incident") for work in office.store.work(case.case_no))
    return open_ or case.state not in states


def _date_older(office: Office) -> None:
    """Once: cases that ended under a release that gave their files no day."""
    if office.store.said(OFFICE, "files:dated", "result") is not None:
        return
    dated = {work.case_no for work in office.store.files()}
    days = office.inventory.company.complaint_days
    for case in office.store.cases(filing.ENDS):
        if case.case_no not in dated and not case.facts.get("file_ended_on"):
            answered = date.fromisoformat(case.facts.get("dispatched_on") or day_of(case.received_at).isoformat())
            owed = filing.owed(case.state, case.facts, answered, days)
            office.store.owe([Work(case.case_no, *one) for one in owed])
    office.store.log_alone(OFFICE, Act("files:dated"), office.now, office.actor.name)
