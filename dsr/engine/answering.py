"""Answers of people: to a search order, to a work order, to the second search of a keeper, of a DBA's duty."""

from __future__ import annotations

from dsr.engine import intake, ordering, surveying
from dsr.engine.office import Office
from dsr.request import SearchAnswer
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def answer(office: Office, case_no: str, to: str, document: object) -> None:
    """By what the case waits for: an open work order first, then a keeper's second search, else the search order."""
    if to.startswith(surveying.DBA):
        surveying.rewritten(office, case_no, to.removeprefix(surveying.DBA), document)
        return
    case = office.store.case(case_no)
    orders = (case.facts.get("orders") or {}).values()
    if any(order["to"] == to and order["answered_on"] is None for order in orders):
        ordering.answer(office, case_no, to, document)
    elif case.state in (State.VERIFYING, State.RESIDUAL):
        office.may("answer")
        found = shaped(SearchAnswer, document, "answer")
        with office.hold(case_no) as hold:
            surveying.search_again(hold, to, found.model_dump(mode="json"))
    else:
        intake.answer_search(office, case_no, to, document)
