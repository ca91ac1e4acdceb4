"""The process of a case as the command line runs it: the steps of collecting and what follows without a person."""

from __future__ import annotations

from dsr.engine import collecting, reviewing
from dsr.engine.office import Office
from dsr.rules.lifecycle import State


def collect(office: Office, case_no: str) -> State:
    """Collect; where nothing needs an officer's eyes, go on to the proposal. Takes up a killed run where it stood."""
    state = office.store.case(case_no).state
    if state is not State.REVIEW:
        state = collecting.collect(office, case_no)
    return settle_review(office, case_no) if state is State.REVIEW else state


def settle_review(office: Office, case_no: str) -> State:
    with office.hold(case_no) as hold:
        ready = reviewing.ready_to_propose(hold)
        state = hold.case.state
    return reviewing.finish_review(office, case_no) if ready else state
