"""The process of a case as the command line runs it: the steps of collecting and what follows without a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dsr.engine import (
    afterwards,
    collecting,
    ending,
    fulfilling,
    plans,
    replaying,
    reviewing,
    rewriting,
    together,
    withdrawing,
)
from dsr.engine.office import Office
from dsr.rules.lifecycle import State


def collect(office: Office, case_no: str) -> State:
    """Collect; where nothing needs an officer's eyes, go on to the proposal. Takes up a killed run where it stood."""
    state = office.store.case(case_no).state
    if state is not State.REVIEW:
        state = collecting.collect(office, case_no)
    return settle_review(office, case_no) if state is State.REVIEW else state


def collect_together(office: Office, case_nos: Sequence[str]) -> dict[str, State | Exception]:
    """As ``collect``, for several at once: the state that each reached, or what stopped it and no other."""
    ended: dict[str, State | Exception] = dict.fromkeys(case_nos, State.REVIEW)
    reading = {case.case_no for case in office.store.cases() if case.state is State.REVIEW}
    ended |= together.collect_together(office, [case_no for case_no in ended if case_no not in reading])
    for case_no, state in ended.items():
        if state is State.REVIEW:
            try:
                ended[case_no] = settle_review(office, case_no)
            except Exception as error:
                ended[case_no] = error
    return ended


def fulfil_together(office: Office, case_nos: Sequence[str], live: Collection[str]) -> dict[str, State | Exception]:
    """As ``fulfil``, for several: erasures share the rewriting of files, every other case is fulfilled by itself."""
    ended: dict[str, State | Exception] = dict.fromkeys(case_nos, State.FULFILLING)
    erasing = {case.case_no for case in office.store.cases() if plans.is_changing(case)} & ended.keys()
    ended |= rewriting.fulfil_together(office, [no for no in ended if no in erasing], live)
    for case_no in (no for no in case_nos if no not in erasing):
        try:
            ended[case_no] = fulfilling.fulfil(office, case_no)
        except Exception as error:
            ended[case_no] = error
    return ended


def fire_due(office: Office) -> dict[str, State | Exception]:
    """What a day brings by itself: kept cases whose statutory day has come, each alone, cases' own data that end, and
    withdrawals that stand."""
    ended: dict[str, State | Exception] = {}
    for case_no in afterwards.due_cases(office):
        try:
            ended[case_no] = afterwards.fire(office, case_no)
        except Exception as error:
            ended[case_no] = error
    ended |= replaying.forget_journals(office)
    ended |= ending.due(office)
    ended |= dict.fromkeys(withdrawing.lapsed(office), State.CLOSED)
    return ended


def settle_review(office: Office, case_no: str) -> State:
    with office.hold(case_no) as hold:
        ready = reviewing.ready_to_propose(hold)
        state = hold.case.state
    return reviewing.finish_review(office, case_no) if ready else state
