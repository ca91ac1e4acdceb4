"""What is remembered of an erasure: that this person's records of a dataset were erased, and when; what was kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dsr.days import day_of
from dsr.engine.office import Hold
from dsr.inventory import PERSON
from dsr.rules import filing
from dsr.suppression import Entry, token


def person_tokens(hold: Hold) -> Iterator[str]:
    """Of the person as proved: name and day of birth, keyed. Stops no row: its interval is empty."""
    born = hold.request.subject.born_on
    for name in sorted({name.key for name in hold.person.name_keys}) if born else ():
        yield token(hold.office.keys.suppression_key, PERSON, f"{name}|{born}")


def erased_on(hold: Hold, dataset_id: str) -> date | None:
    """The first day on which records of this person in the dataset were erased by an earlier case (EN-11, EN-12)."""
    mine = (e for e in _entries(hold) if e.dataset == dataset_id and e.reason == "erased")
    return min((day_of(entry.since) for entry in mine), default=None)


@dataclass(frozen=True)
class Earlier:
    """An earlier request of this person, of which records were erased or their use stopped. ``file_until``: None once
    its file ended. ``kept``: what waits for
    its day: dataset, rule, until (inclusive), records. ``erased``: whether anything was."""

    decided_on: date
    file_until: date | None
    erased: bool
    kept: tuple[Mapping[str, Any], ...]


def earlier(hold: Hold) -> list[Earlier]:
    """By case number; those whose answer is out. What of it is the office's own alone (a hold) is not told."""
    entries, told = _entries(hold), []
    for case_no in sorted({entry.case_no for entry in entries}):
        facts = hold.office.store.case(case_no).facts if hold.office.store.holds(case_no) else {}
        if "dispatched_on" in facts:
            erased = any(entry.reason == "erased" for entry in entries if entry.case_no == case_no)
            kept = tuple(part for part in facts.get("kept", []) if part["until"])
            gone = facts.get("file_ended_on")
            until = None if gone else filing.file_until(date.fromisoformat(facts["dispatched_on"]))
            told.append(Earlier(date.fromisoformat(facts["decided_on"]), until, erased, kept))
    return told


def kept_before(hold: Hold, dataset_id: str) -> list[tuple[Earlier, Mapping[str, Any]]]:
    """What an earlier request left to wait for its day in a dataset: the numbers that led there may be gone, so that
    no search finds it any more."""
    return [(one, part) for one in earlier(hold) for part in one.kept if part["dataset"] == dataset_id]


def _entries(hold: Hold) -> list[Entry]:
    """Made by earlier cases of this person: who she is, as proved, is known from one, and a number that she states is
    known from the same. Nobody learns of another's erasure."""
    key, store = hold.office.keys.suppression_key, hold.office.store
    told = {token(key, i.kind, i.value) for i in hold.request.identifiers()}
    by_number = {entry.case_no for entry in store.suppressions(told)} - {hold.case_no}
    return [entry for entry in store.suppressions(set(person_tokens(hold))) if entry.case_no in by_number]
