"""What must not come back: the entries that an erasure leaves, and rows held against them at the door (law.md RT-4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dsr.case import Act
from dsr.days import ALWAYS, Interval, after, day_of, whole_days
from dsr.engine import collecting, plans, remembering
from dsr.engine.fetched import fetched
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, as_id
from dsr.inventory import PERSON, Dataset, Inventory
from dsr.names.numbers import normal_form
from dsr.request import IDENTIFIER_KINDS, IngestRow
from dsr.rules import discovery, planning
from dsr.rules.redaction import record_nos
from dsr.shapes import shaped
from dsr.store import OFFICE
from dsr.suppression import Entry, Reason, covering, lifted_by_contract, stopped, token

LIVES = frozenset(weights[0] for weights in planning.WEIGHS.values()) - {None}
"""Grounds that say that a contract of the person lives."""


# -- what an erasure leaves ----------------------------------------------------------------------------------------


def suppressed(hold: Hold) -> tuple[Mapping[str, Any], Act]:
    entries = tuple(_entries(hold))
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.dataset] = counts.get(entry.dataset, 0) + 1
    return {"entries": counts}, Act("", suppresses=entries, facts={"suppressed_on": hold.office.today.isoformat()})


def _entries(hold: Hold) -> Iterator[Entry]:
    """Of each dataset that is erased or objected to, by each identifier that leads there, in the days of what goes; and
    by who she is, so that a later answer can name the day (EN-11, EN-12)."""
    now, erases = hold.office.now, False
    for one in plans.frozen(hold):
        gone = _gone(hold, one)
        if not gone:
            continue
        measures = {one.parts[at]["measure"] for at in gone}
        erases = erases or bool(measures - {"use_stop"})
        reason: Reason = "objected" if measures == {"use_stop"} and plans.due_parts(hold) is None else "erased"
        for whom in remembering.person_tokens(hold):
            yield Entry(whom, one.dataset.id, PERSON, reason, now, Interval(now, now), hold.case_no)
        days = [Interval()] if reason == "objected" else _days(hold, one, gone)  # an objection: until her own word
        yield from _of_numbers(hold, one.dataset, reason, days)
        yield from _borne(hold, one.dataset, reason)
    for dataset in _searched_in_vain(hold) if erases else ():
        yield from _of_numbers(hold, dataset, "erased", [Interval(None, hold.office.now if _lives(hold) else None)])


def _searched_in_vain(hold: Hold) -> Iterator[Dataset]:
    """What held nothing of her when she was erased: a late row of it is stopped too, unless a living contract of hers
    may bring it."""
    for name, ended in hold.case.facts["datasets"].items():
        dataset = hold.office.inventory.dataset(name)
        if ended["status"] == "none_found" and not (_lives(hold) and _core(hold.office.inventory, dataset)):
            yield dataset


def _lives(hold: Hold) -> bool:
    """A ground of the plan says that a contract of the person lives."""
    return any(part["ground"] in LIVES for item in hold.case.facts["items"].values() for part in item["parts"])


def _borne(hold: Hold, dataset: Dataset, reason: Reason) -> Iterator[Entry]:
    """Values that the dataset reveals on a condition (a browser of one member): that this person bore them too stays
    known once the record is gone, and stops no row."""
    now, key = hold.office.now, hold.office.keys.suppression_key
    columns = {reveal.column: reveal.kind for reveal in dataset.reveals if reveal.when}
    borne = {(kind, str(value)) for batch in fetched(hold, dataset) for column, kind in columns.items()
             if column in batch.schema.names for value in batch.column(column).to_pylist() if value}  # fmt: skip
    for kind, value in sorted(borne):
        yield Entry(token(key, kind, value), dataset.id, kind, reason, now, Interval(now, now), hold.case_no)


def _of_numbers(hold: Hold, dataset: Dataset, reason: Reason, days: Sequence[Interval]) -> Iterator[Entry]:
    now, key, reused = hold.office.now, hold.office.keys.suppression_key, discovery.reused_kinds(hold.office.inventory)
    made: dict[tuple[str, datetime | None], Entry] = {}
    for identifier in collecting.current(hold).identifiers:
        if not identifier.trusted or identifier.kind not in dataset.kinds:
            continue
        marked = token(key, identifier.kind, identifier.value)
        # Beside rows that do not say when, only a number that may be another's by now is bound to its days.
        bound = dataset.at is not None or identifier.kind in reused
        held = [each for each in map((identifier.interval if bound else ALWAYS).meet, days) if not each.empty]
        for each in held or [Interval(now, now)]:  # stops no row, and is known all the same
            entry = Entry(marked, dataset.id, identifier.kind, reason, now, each, hold.case_no)
            made[marked, each.start] = _longer(made.get((marked, each.start)), entry)
    yield from made.values()


def _gone(hold: Hold, one: plans.Frozen) -> frozenset[int]:
    """Parts that go in this carrying out."""
    due = plans.due_of(hold, one)
    return frozenset(at for at, part in enumerate(one.parts) if part["measure"] in plans.ACTS) if due is None else due


def _longer(known: Entry | None, new: Entry) -> Entry:
    """A number known by two records, from the same day on, is stopped for as long as either says."""
    if known is None or (known.interval.end and (not new.interval.end or new.interval.end > known.interval.end)):
        return new
    return known


def _days(hold: Hold, one: plans.Frozen, gone: frozenset[int]) -> list[Interval]:
    """No day of a record that stays: what a contract, a rule or a hold still needs may arrive again."""
    stays = _stays(hold, one, gone)
    lives = _lives(hold)
    until = hold.office.now if lives else None  # who goes on as a customer goes on with new data
    if one.dataset.at is None:
        # Beside a record that a living contract needs nobody can tell which of the two a row is.
        return [] if lives and stays else [Interval(None, until)]
    form, zone = one.dataset.at.form, one.dataset.at.tz
    goes, keeps = _moments(hold, one, gone)
    days = covering(goes, keeps, lambda at: after(at, form, zone))
    if stays or (lives and _core(hold.office.inventory, one.dataset)):
        return days
    # Nobody needs this dataset: what comes late is stopped too.
    behind = after(max(keeps), form, zone) if keeps else None
    return [*(each for each in days if behind and each.start != behind), Interval(behind, until)]


def _stays(hold: Hold, one: plans.Frozen, gone: frozenset[int]) -> bool:
    went = set(hold.case.facts.get("gone", {}).get(one.dataset.id, []))
    went |= {at for at, part in enumerate(one.parts) if part["measure"] == "erase"}
    return any(at not in gone | went for at in range(len(one.parts)))


def _core(inventory: Inventory, dataset: Dataset) -> bool:
    return any(inventory.purpose_kinds.get(purpose, "core") == "core" for purpose in dataset.purposes)


def _moments(hold: Hold, one: plans.Frozen, gone: frozenset[int]) -> tuple[list[datetime], list[datetime]]:
    """When the records happened that go, and those that do not go now."""
    matched = collecting.matched_keys(hold, one.dataset)
    stamps = matched.column(collecting.AT).to_pylist()
    when = dict(zip(record_nos(matched, one.dataset.key).to_pylist(), stamps, strict=True))
    goes, keeps = set[datetime](), set[datetime]()
    for number, part in zip(*plans.numbers(one.dataset, one.keys), strict=True):
        if at := when.get(number):
            (goes if part in gone else keeps).add(at)
    return sorted(goes), sorted(keeps)


# -- at the door ---------------------------------------------------------------------------------------------------


def ingest_check(office: Office, rows: Sequence[object]) -> list[dict[str, Any]]:
    """Which of these rows must not be taken in: ``{"dataset", "identifiers": {kind: value}, "at"}`` each.

    Answers with the row's place, never its values. A new contract of the person ends open entries of erasure (RT-4).
    Raises BadInput for a row that could pass only because it was not understood.
    """
    key = office.keys.suppression_key
    read = [_read(office.inventory, place, row) for place, row in enumerate(rows)]
    told = []
    for place, (dataset, row) in enumerate(read):
        tokens = {token(key, kind, value) for kind, value in row.identifiers.items()}
        if row.at and _is_contract(dataset):
            _lift(office, dataset, tokens, row.at)
        entries = [entry for entry in office.store.suppressions(tokens) if entry.dataset == dataset.id]
        entry = stopped(entries, row.at)
        why = {"since": entry.since.isoformat(), "case": entry.case_no, "reason": entry.reason} if entry else {}
        told.append({"row": place, "stopped": entry is not None, **why})
    return told


def _read(inventory: Inventory, place: int, document: object) -> tuple[Dataset, IngestRow]:
    try:
        row = shaped(IngestRow, document, "")
        dataset = inventory.dataset(row.dataset)
        _understood(inventory, dataset, row)
        return dataset, row
    except BadInput as error:
        wrong = error
    where = f"rows.{place}.{wrong.field}".rstrip(".")
    raise BadInput(where, wrong.problem, wrong.fix)


def _understood(inventory: Inventory, dataset: Dataset, row: IngestRow) -> None:
    leads = dataset.kinds - {PERSON}
    known = {*IDENTIFIER_KINDS, *(kind for d in inventory.datasets() for kind in (*d.kinds, *_revealed(d)))} - {PERSON}
    for kind in row.identifiers:
        if kind not in known:
            fix = f"use {_any_of(leads or known)}"
            raise BadInput(f"identifiers.{as_id(kind)}", "is a kind that no dataset knows", fix)
        if not normal_form(kind, row.identifiers[kind]):
            raise BadInput(f"identifiers.{kind}", "says nothing", "write the number, or leave the entry out")
    if leads and not leads & set(row.identifiers):
        raise BadInput("identifiers", f"holds nothing that leads to {dataset.id}", f"give its {_any_of(leads)}")
    if row.at is None and dataset.at is not None:
        raise BadInput("at", "is missing, and rows of this dataset say when they happened",
                       "write the instant of the row, as 2026-11-22T09:00+09:00")  # fmt: skip


def _revealed(dataset: Dataset) -> set[str]:
    return {reveal.kind for reveal in dataset.reveals}


def _any_of(kinds: frozenset[str] | set[str]) -> str:
    return " or ".join(sorted(kinds))


def _is_contract(dataset: Dataset) -> bool:
    """Lives by its own word or day, and makes others live: a line or a bill only hands on what its contract gave."""
    alive = dataset.alive
    if alive is None or not (alive.when or alive.until):
        return False
    return not set(alive.gives.values()) <= set(alive.by.values())


def _lift(office: Office, dataset: Dataset, tokens: set[str], at: datetime) -> None:
    """Of every open entry of the person. One that began before she was erased is an old one, played again (EN-02)."""
    open_ones = [e for e in lifted_by_contract(office.store.suppressions(tokens))
                 if e.kind in dataset.kinds and at in e.interval and day_of(at) >= day_of(e.since)]  # fmt: skip
    if not open_ones:
        return
    hers = {entry.case_no for entry in open_ones}
    ending = [entry for entry in lifted_by_contract(office.store.suppressions()) if entry.case_no in hers]
    first_day = whole_days(day_of(at), None).start
    assert first_day is not None
    number = 1 + sum(step.startswith("lift:") for step, _ in office.store.ledger(OFFICE))
    act = Act(f"lift:{number}", "result", {"entries": len(ending), "cases": sorted(hers)})
    office.store.lift(ending, first_day, act, office.now, office.actor.name)
