"""What is remembered of a person's earlier cases: what was erased, and when; what was kept; what she disputes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsr.days import day_of
from dsr.engine.office import Hold
from dsr.errors import Sealed
from dsr.inventory import PERSON, Dataset
from dsr.rules import filing
from dsr.rules.discovery import Discovery
from dsr.rules.planning import PART
from dsr.rules.redaction import record_nos
from dsr.suppression import Entry, token


def person_tokens(hold: Hold) -> Iterator[str]:
    """Of the person as proved: name and day of birth, keyed. Stops no row: its interval is empty."""
    born = hold.request.subject.born_on
    for name in sorted({name.key for name in hold.person.name_keys}) if born else ():
        yield token(hold.office.keys.suppression_key, PERSON, f"{name}|{born}")


def cases_of(hold: Hold) -> frozenset[str]:
    """This case, and those that erased or stopped data of this person as proved."""
    entries = hold.office.store.suppressions(set(person_tokens(hold)))
    return frozenset({hold.case_no, *(entry.case_no for entry in entries)})


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


STAYS = "kept/"
"""Of an erasing case, in its vault: by dataset the keys of what stays, with their part, moment and tenure."""


MARK = "_mark"


def marks_of(dataset: Dataset, batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> dict[str, str]:
    """Record no. → digest of what these columns say."""
    marks: dict[str, str] = {}
    for batch in batches:
        rows = batch.select([name for name in columns if name in batch.schema.names]).to_pylist()
        said = [hashlib.sha256(json.dumps(row, default=str, sort_keys=True).encode()).hexdigest() for row in rows]
        marks |= zip(record_nos(batch, dataset.key).to_pylist(), said, strict=True)
    return marks


def kept_keys(hold: Hold) -> Iterator[tuple[str, pa.Table]]:
    """Dataset id and keys of what earlier erasures of this person left to stand: a search finds no more what only an
    erased record led to, and it is hers all the same (EN-12)."""
    for case_no in sorted({entry.case_no for entry in _entries(hold)}):
        vault, gone = hold.office.vault.case(case_no), hold.office.store.case(case_no).facts.get("gone", {})
        with suppress(Sealed):  # its file ended
            for name in vault.names(STAYS):
                dataset_id = name.removeprefix(STAYS).removesuffix(".arrow")
                with vault.reader(name) as source, pa.ipc.open_stream(source) as stream:
                    rows = stream.read_all()
                went = pa.array(gone.get(dataset_id, ()), rows.schema.field(PART).type)
                yield dataset_id, rows.filter(pc.invert(pc.is_in(rows.column(PART), went))).drop_columns(PART)


def _entries(hold: Hold) -> list[Entry]:
    """Made by earlier cases of this person: who she is, as proved, is known from one, and a number that she states is
    known from the same. Nobody learns of another's erasure."""
    key = hold.office.keys.suppression_key
    told = {token(key, i.kind, i.value) for i in hold.request.identifiers()}
    return [entry for entry in _of_person(hold, told) if entry.reason != "stated"]


def _of_person(hold: Hold, numbers: Collection[str]) -> list[Entry]:
    """Of other cases, known by who she is and by one of these numbers, keyed."""
    store = hold.office.store
    by_number = {entry.case_no for entry in store.suppressions(numbers)} - {hold.case_no}
    return [entry for entry in store.suppressions(set(person_tokens(hold))) if entry.case_no in by_number]


def statements(hold: Hold, known: Discovery, dataset_id: str) -> dict[str, list[tuple[date, str]]]:
    """Record no. → day of receipt and text of what this person sent about it when its correction was declined.

    Hers are those of cases that share who she is, as proved, and a number that a matched record revealed here.
    """
    key = hold.office.keys.suppression_key
    numbers = {token(key, i.kind, i.value) for i in known.identifiers if i.trusted}
    hers = {e.case_no for e in _of_person(hold, numbers) if (e.reason, e.dataset) == ("stated", dataset_id)}
    found: dict[str, list[tuple[date, str]]] = {}
    for case_no in sorted(hers):
        for said in _received(hold, case_no):
            for number in said["records"].get(dataset_id, ()):
                told = date.fromisoformat(said["received_on"]), "\n".join(said["text"])
                found.setdefault(number, []).append(told)
    return found


def _received(hold: Hold, case_no: str) -> list[Any]:
    """None once the file of that case was ended with its key."""
    try:
        vault = hold.office.vault.case(case_no)
        return [json.loads(vault.read(name)) for name in vault.names("statements/")]
    except Sealed:
        return []
