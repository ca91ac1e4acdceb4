"""Answers of people: to a search order, to a work order, to the second search of a keeper; and the orders as files."""

from __future__ import annotations

from pathlib import Path

from dsr.engine import intake, ordering, surveying
from dsr.engine.office import Office
from dsr.errors import NotAllowed
from dsr.request import SearchAnswer
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def answer(office: Office, case_no: str, to: str, document: object) -> None:
    """By what the case waits for: an open work order first, then a keeper's second search, else the search order."""
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


def write_orders(office: Office, case_no: str, to: str, out: Path) -> list[Path]:
    """The open orders to an owner or partner: what to do, keys, signature, form of the answer."""
    raise NotAllowed(f"{case_no}: {to} {out}")
