"""What a request for erasure or a stop would do to each record: the purpose test and retention, record by record.

The steps stand in STEPS in their order (estate.md §5); the first that takes a record decides it. Values and a day in,
a plan out: nothing is looked up, and the same records give the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsr import law
from dsr.errors import BadInput, CheckFailed, as_id
from dsr.inventory import Dataset, Inventory
from dsr.names.person import Person
from dsr.rules.cover import claims_end, covered
from dsr.rules.discovery import ASKABLE
from dsr.rules.living import NO_DAY, Living, Mask, living
from dsr.rules.redaction import record_nos
from dsr.rules.sorting import PART, Changes, Part, Planned, Sorting
from dsr.rules.striking import Words, struck

__all__ = ["HOLD", "PART", "Part", "Planned", "commitment", "needed_columns", "order_of", "plan"]
HOLD = "HOLD"

Weights = tuple[str | None, str | None]
NOTHING: Weights = (None, None)
WEIGHS: Mapping[str, Weights] = {
    "G-1": NOTHING,
    "G-2": NOTHING,
    "G-3": ("APPI-35-5-NEEDED", "APPI-35-5-NOHARM+W-O"),
    "G-4": NOTHING,
    "G-5": ("APPI-35-5-NOHARM+W-U", "APPI-35-5-NOHARM+W-O"),
}
"""Ground claimed → ground on which a live contract and an open claim stand against it (law.md §4). Against a violation
or a leak nothing of ours weighs: only statute and holds keep."""


# -- the plan ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Case:
    """What all datasets are planned by."""

    inventory: Inventory
    weighs: Weights
    today: date
    holds: frozenset[str]
    mentioned: Mapping[str, frozenset[str]]
    words: Words = field(repr=False)
    living: Living = field(repr=False)
    claim_until: np.datetime64


def plan(
    inventory: Inventory,
    right: str,
    ground: str | None,
    rows: Mapping[str, pa.Table],
    statuses: Mapping[str, Mapping[str, Any]],
    today: date,
    holds: frozenset[str],
    matched_by_mention: Mapping[str, frozenset[str]],
    person: Person,
) -> dict[str, Planned]:
    """Of every dataset with status ``found``, in the order of the inventory.

    ``rows``: the fetched records, at least ``needed_columns``; those of a dataset outside the scope only tell what
    lives. ``holds``: ``<dataset>/<record no>``; ``matched_by_mention``: record nos by dataset id. A stop plans only
    datasets that declare how offers are switched off. ``ground`` None is G-3. Raises CheckFailed for a dataset without
    purposes (PX-1), BadInput for a right that is no plan's and for an unknown ground.
    """
    if right not in STEPS_OF:
        raise BadInput("right", f"{as_id(right)} erases and stops nothing", f"one of {', '.join(STEPS_OF)}")
    weighs = WEIGHS[law.claim(ground or "G-3").id] if right == "erasure" else NOTHING
    alive = living(inventory, rows, statuses, today)
    until = claims_end(inventory, rows, alive)
    case = _Case(inventory, weighs, today, holds, matched_by_mention, Words.of(person), alive, until)
    found = [d for d in inventory.datasets() if statuses.get(d.id, {}).get("status") == "found" and d.id in rows]
    stops = STEPS_OF[right] is STOP
    ours = [d for d in found if inventory.system_of(d).nature in ASKABLE and (d.use_stop or not stops)]
    for dataset in ours:
        if not dataset.purposes:
            raise CheckFailed(f"{dataset.id}: no purpose is declared, so nothing can be decided; add purposes to it")
    return {dataset.id: _planned(case, dataset, rows[dataset.id], STEPS_OF[right]) for dataset in ours}


def _planned(case: _Case, dataset: Dataset, table: pa.Table, steps: Sequence[Step]) -> Planned:
    sorting = Sorting(dataset, table)
    for step in steps:
        for mask, part, changes in step(case, sorting):
            sorting.take(mask, part, changes)
    return sorting.planned()


# -- the steps -----------------------------------------------------------------------------------------------------

Taken = Iterator[tuple[Mask, Part, Changes]]
Step = Callable[[_Case, Sorting], Taken]


def _held(case: _Case, sorting: Sorting) -> Taken:
    """The records named, and no other (EN-15)."""
    prefix = f"{sorting.dataset.id}/"
    names = frozenset(name.removeprefix(prefix) for name in case.holds if name.startswith(prefix))
    yield sorting.numbered(names), Part("keep", rule=HOLD), {}


def _mentioned(case: _Case, sorting: Sorting) -> Taken:
    """Somebody else's record that speaks of the person: it stays, their words are struck (EN-10)."""
    yield from _own_words(case, sorting, sorting.numbered(case.mentioned.get(sorting.dataset.id, frozenset())))


def _needed(case: _Case, sorting: Sorting) -> Taken:
    """PX-2, PX-4: a live contract needs it; offers are switched off all the same."""
    dataset, against = sorting.dataset, case.weighs[0]
    kinds = case.inventory.purpose_kinds
    core = tuple(purpose for purpose in dataset.purposes if kinds.get(purpose, "core") == "core")
    if against and (core or dataset.use_stop):
        ground = against if core else None
        measure = "use_stop" if dataset.use_stop else "refuse"
        yield case.living.needed[dataset.id], Part(measure, ground=ground, purposes=core), dataset.use_stop


def _kept(case: _Case, sorting: Sorting) -> Taken:
    """PX-5, PX-7: an open claim or a statute keeps it, or some of its fields, until a day."""
    dataset = sorting.dataset
    claimed = case.living.claimed[dataset.id] & (case.weighs[1] is not None)
    claims = np.where(claimed, case.claim_until, NO_DAY)
    for group in covered(dataset, sorting.table, case.inventory.company, case.today, claims):
        measure = "deidentify" if group.fields else "use_stop" if dataset.use_stop else "keep"
        ground = case.weighs[1] if group.claim else None
        changes = {**{name: dataset.deidentify.get(name) for name in group.fields}, **dataset.use_stop}
        yield group.mask, Part(measure, rule=group.rule, until=group.until, ground=ground, fields=group.fields), changes


def _shared(case: _Case, sorting: Sorting) -> Taken:
    """A record of two owners stays; the person's own fields and words go from it (EN-04)."""
    if sorting.dataset.owners == "shared":
        yield from _own_words(case, sorting, sorting.left)


def _gone(case: _Case, sorting: Sorting) -> Taken:
    """PX-8: nothing is left that needs it. It goes whole, or what identifies goes (GE-3)."""
    stays = sorting.dataset.deidentify
    yield sorting.left, Part("deidentify", fields=tuple(stays)) if stays else Part("erase"), stays


def _given_no_more(case: _Case, sorting: Sorting) -> Taken:
    """As a stop of use. Where the record cannot say so, its owner is told; the purposes are for who declines."""
    dataset = sorting.dataset
    measure = "provision_stop" if dataset.provision_stop else "provision_order"
    yield sorting.left, Part(measure, purposes=dataset.purposes), dataset.provision_stop


def _switched_off(case: _Case, sorting: Sorting) -> Taken:
    """A stop of use is no destruction: neither holds nor statutes stand against it (GE-4)."""
    yield sorting.left, Part("use_stop"), sorting.dataset.use_stop


STEPS: Sequence[Step] = (_held, _mentioned, _needed, _kept, _shared, _gone)
STOP: Sequence[Step] = (_switched_off,)
GIVE_NO_MORE: Sequence[Step] = (_given_no_more,)
STEPS_OF: Mapping[str, Sequence[Step]] = {
    "erasure": STEPS,
    "content_deletion": STEPS,  # what is untrue goes whatever it is for: nothing weighs (APPI 34)
    "use_stop": STOP,
    "marketing_stop": STOP,
    "provision_stop": GIVE_NO_MORE,
    "optout_provision_stop": GIVE_NO_MORE,
    "listing_stop": GIVE_NO_MORE,
}


def _own_words(case: _Case, sorting: Sorting, mask: Mask) -> Taken:
    mask = mask & sorting.left
    if mask.any():
        changes = struck(case.words, sorting.dataset, sorting.table.filter(pa.array(mask)))
        part = Part("deidentify" if changes else "keep", fields=tuple(changes), shared=True)
        yield mask, part, {name: sorting.spread(name, mask, values) for name, values in changes.items()}


# -- around the plan -----------------------------------------------------------------------------------------------


def needed_columns(inventory: Inventory, dataset: Dataset) -> tuple[str, ...]:
    """Columns of the fetched rows that planning reads, in declared order; the key always."""
    names = {*dataset.key, *dataset.deidentify, *dataset.use_stop, *dataset.provision_stop, *dataset.planned_by()}
    whole = any(keep.fields for keep in dataset.keep) or dataset.owners == "shared" or "mention" in dataset.evidence
    if dataset.alive and dataset.alive.days is not None and dataset.at:
        names.add(dataset.at.column)
    for other in inventory.datasets():
        if other.alive and other.alive.unless_in and other.alive.unless_in[0] == dataset.id:
            names.add(other.alive.unless_in[1])
    return tuple(name for name in dataset.fields if whole or name in names)


def order_of(inventory: Inventory) -> list[str]:
    """Ids of the datasets of our own systems, leaves before hubs: what leads to others goes after them (EN-35)."""
    waiting = [d for d in inventory.datasets() if inventory.system_of(d).nature in ASKABLE]
    order: list[str] = []
    while waiting:
        free = [d for d in waiting if not any(_leads_to(d, other) for other in waiting if other is not d)]
        nxt = free or waiting[-1:]  # a ring of datasets that lead to each other opens at its last
        order += [d.id for d in nxt]
        waiting = [d for d in waiting if d not in nxt]
    return order


def _leads_to(hub: Dataset, leaf: Dataset) -> bool:
    return any(reveal.kind in leaf.kinds for reveal in hub.reveals)


def commitment(planned: Planned, dataset: Dataset) -> list[str]:
    """What an approval is bound to, a line per record, sorted: record no., measure, rule, last kept day, fields.

    The lines name records: to be keyed before they are stored anywhere (EN-13).
    """
    told = [f"{p.measure} {p.rule or '-'} {p.until or '-'} {','.join(p.fields) or '-'}" for p in planned.parts]
    numbers = record_nos(planned.keys, dataset.key)
    words = pa.array(told, pa.string()).take(planned.keys.column(PART).combine_chunks())
    return sorted(pc.binary_join_element_wise(numbers, words, " ").to_pylist())
