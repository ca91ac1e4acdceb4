"""What is remembered of an erasure: that this person's records of a dataset were erased, and when; nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from dsr.days import day_of
from dsr.engine.office import Hold
from dsr.inventory import PERSON
from dsr.suppression import Entry, token


def person_tokens(hold: Hold) -> Iterator[str]:
    """Of the person as proved: name and day of birth, keyed. Stops no row: its interval is empty."""
    born = hold.request.subject.born_on
    for name in sorted({name.key for name in hold.person.name_keys}) if born else ():
        yield token(hold.office.keys.suppression_key, PERSON, f"{name}|{born}")


def erased_on(hold: Hold, dataset_id: str) -> date | None:
    """The first day on which this person's records of the dataset were erased by an earlier case (EN-11, EN-12).

    Both who she is, as proved, and a number she states must be known from then: nobody learns of another's erasure.
    """
    key, store = hold.office.keys.suppression_key, hold.office.store
    told = {token(key, i.kind, i.value) for i in hold.request.identifiers()}
    by_person = _erasures(store.suppressions(set(person_tokens(hold))), dataset_id, hold.case_no)
    by_number = {e.case_no for e in store.suppressions(told) if e.case_no != hold.case_no and e.reason == "erased"}
    days = [day for case_no, day in by_person if case_no in by_number]
    return min(days, default=None)


def _erasures(entries: Sequence[Entry], dataset_id: str, but: str) -> list[tuple[str, date]]:
    return [(e.case_no, day_of(e.since)) for e in entries
            if e.dataset == dataset_id and e.reason == "erased" and e.case_no != but]  # fmt: skip
