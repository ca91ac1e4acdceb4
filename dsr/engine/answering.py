"""Answers of people: to a search or work order, of a second search, of a DBA's duty, of why other rows changed; and the
statement of somebody whose correction was declined."""

from __future__ import annotations

from dsr.engine import intake, ordering, stated, surveying
from dsr.engine.office import Office
from dsr.errors import BadInput, as_id
from dsr.request import SearchAnswer
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def answer(office: Office, case_no: str, to: str, document: object) -> None:
    """By what the case waits for: an open work order first, then a keeper's second search, else the search order."""
    for begins, take in ((surveying.DBA, surveying.rewritten), (surveying.OTHERS, surveying.explain)):
        if to.startswith(begins):
            take(office, case_no, to.removeprefix(begins), document)
            return
    office.may("answer")
    known = (*office.inventory.system, *office.inventory.partner)
    if to == stated.TO and to not in known:
        stated.receive(office, case_no, document)
        return
    if to not in known:
        raise BadInput("system", f"no system or partner '{as_id(to)}' in the inventory", f"use {', '.join(known)}")
    case = office.store.case(case_no)
    orders = (case.facts.get("orders") or {}).values()
    corrects = isinstance(document, dict) and bool(document.get("corrects"))
    if any(order["to"] == to and (corrects or order["answered_on"] is None) for order in orders):
        ordering.answer(office, case_no, to, document)
    elif case.state in (State.VERIFYING, State.RESIDUAL):
        found = shaped(SearchAnswer, document, "answer")
        with office.hold(case_no) as hold:
            surveying.search_again(hold, to, found.model_dump(mode="json"))
    else:
        intake.answer_search(office, case_no, to, document)
