"""Whom to ask what next: identity goes in waves, from what is known to what a matched record reveals (architecture.md).

A stated identifier only finds evidence. An identifier is trusted, and opens a dataset that holds no evidence of its
own (calls, logs), only when a record matched to the subject revealed it, and only inside the days it held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dsr.connector import Ask
from dsr.days import ALWAYS, Interval
from dsr.identity import STATED, Identifier
from dsr.inventory import PERSON, Dataset, Inventory
from dsr.request import Scope

EVERY = "*"
ASKABLE = ("own", "joint")
"""Natures of which we hold the power; any other system is never touched (law.md SC-6, T-12, U-2)."""


@dataclass(frozen=True)
class Candidate:
    """A row in the review band: what it shows, for an officer's eyes only, and why it is neither yes nor no."""

    evidence: Mapping[str, str | None] = field(repr=False)
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def only_mentioned(self) -> bool:
        """Named in somebody else's record: its own columns do not say, or speak against it, that it is the person's."""
        return "mention" in self.weak and (bool(self.against) or not self.strong)


@dataclass(frozen=True)
class Discovery:
    """What is known so far. ``asked`` holds (dataset, ask id) that were answered; ``down`` what is silent now."""

    identifiers: tuple[Identifier, ...] = ()
    asked: frozenset[tuple[str, str]] = frozenset()
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    """Rows of datasets with evidence that matched by some way: no longer anybody's question."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """An officer's word on a candidate: same or other."""
    down: Mapping[str, str] = field(default_factory=dict)
    wave: int = 0
    since: Mapping[str, int] = field(default_factory=dict)
    """Dataset id, or EVERY: what its waves up to this one brought counts no more; it is asked anew."""
    contacts: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    """(phone or mail, as stored) of matched records that bear the subject's own name."""
    declared: str = ""
    """Digest of the declarations by which all this was asked."""

    def counts(self, dataset_id: str, wave: int) -> bool:
        return wave > max(self.since.get(EVERY, 0), self.since.get(dataset_id, 0))

    @property
    def undecided(self) -> tuple[str, ...]:
        return tuple(name for name in self.doubtful if name not in self.marks)

    @property
    def doubtful(self) -> Mapping[str, Candidate]:
        return {name: candidate for name, candidate in self.candidates.items() if name not in self.settled}

    def members(self) -> frozenset[str]:
        return frozenset(known.value for known in self.identifiers if known.kind == "member_id" and known.trusted)


def restarted(known: Discovery, stated: tuple[Identifier, ...]) -> Discovery:
    """From the beginning, with the officers' marks: what a withdrawn mark or an old statement revealed is forgotten."""
    return Discovery(stated, marks=known.marks, wave=known.wave, since={EVERY: known.wave})


def asked_anew(known: Discovery, dataset_id: str) -> Discovery:
    """One dataset from the beginning: what was located there did not come back whole."""
    asked = frozenset(pair for pair in known.asked if pair[0] != dataset_id)
    return replace(known, asked=asked, since={**known.since, dataset_id: known.wave})


def opens(dataset: Dataset, ask: Ask, reused: frozenset[str]) -> bool:
    """Whether the identifier alone makes the located rows the subject's.

    Not where its number may have been another's before or after, and the rows do not say when they happened (T-8).
    """
    if ask.identifier is None or not ask.identifier.trusted:
        return False
    return dataset.at is not None or ask.interval == ALWAYS or ask.identifier.kind not in reused


def reused_kinds(inventory: Inventory) -> frozenset[str]:
    """Kinds of number that somebody reveals with days, and does not say are never given to another."""
    reveals = (reveal for dataset in inventory.datasets() for reveal in dataset.reveals)
    return frozenset(r.kind for r in reveals if r.reused and (r.start is not None or r.to is not None))


def ask_id(ask: Ask) -> str:
    """The same question has the same id in every run of a case."""
    if ask.identifier is None:
        return f"{ask.way}:{PERSON}"
    known = ask.identifier
    edges = "/".join(edge.isoformat() if edge else "" for edge in (ask.interval.start, ask.interval.end))
    how = "trusted" if known.trusted else "stated"
    return f"{ask.way}:{how}:{known.kind}:{known.value}:{edges}"


def leading(inventory: Inventory, wanted: Iterable[str]) -> frozenset[str]:
    """Datasets to ask in order to reach the wanted ones: they and whatever reveals the identifiers that lead there."""
    reached = set(wanted)
    while True:
        kinds = {kind for dataset in inventory.datasets() if dataset.id in reached for kind in dataset.kinds}
        more = {d.id for d in inventory.datasets() if d.id not in reached and any(r.kind in kinds for r in d.reveals)}
        if not more:
            return frozenset(reached)
        reached |= more


def in_scope(inventory: Inventory, scope: Scope) -> frozenset[str]:
    return frozenset(d.id for d in inventory.datasets() if scope.systems is None or d.system in scope.systems)


def asks_for(dataset: Dataset, known: Discovery, forms: Mapping[str, tuple[str, ...]], scope: Interval) -> list[Ask]:
    """Every question to this dataset not yet answered. The scope bounds only rows that reveal nothing further."""
    asks = []
    for number, way in enumerate(dataset.ways):
        if way.by == PERSON:
            asks.append(Ask(number, None, forms))
            continue
        for identifier in known.identifiers:
            if identifier.kind != way.by or not (identifier.trusted or dataset.evidence):
                continue
            wanted = identifier.interval
            if dataset.at and not dataset.reveals:
                wanted = wanted.meet(scope)
            if not wanted.empty:
                asks.append(Ask(number, identifier, {}, wanted))
    return [ask for ask in asks if (dataset.id, ask_id(ask)) not in known.asked]


def learn(known: Discovery, revealed: Iterable[Identifier]) -> Discovery:
    """Add identifiers; one already known as trusted for at least that interval teaches nothing."""
    identifiers = list(known.identifiers)
    for new in revealed:
        if new.interval.empty or any(_covers(old, new) for old in identifiers):
            continue
        identifiers.append(new)
    return replace(known, identifiers=tuple(identifiers))


def _covers(old: Identifier, new: Identifier) -> bool:
    return (
        (old.kind, old.value) == (new.kind, new.value)
        and old.trusted
        and new.interval.meet(old.interval) == new.interval
    )


# -- as JSON, for the vault ------------------------------------------------------------------------------------


def _instant(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def to_json(known: Discovery) -> dict[str, Any]:
    return {
        "identifiers": [
            [i.kind, i.value, _instant(i.interval.start), _instant(i.interval.end), i.revealed_by]
            for i in known.identifiers
        ],
        "asked": sorted(list(pair) for pair in known.asked),
        "candidates": {
            name: [dict(c.evidence), list(c.strong), list(c.weak), list(c.against)]
            for name, c in known.candidates.items()
        },
        "settled": sorted(known.settled),
        "marks": dict(known.marks),
        "down": dict(known.down),
        "wave": known.wave,
        "since": dict(known.since),
        "contacts": sorted(list(pair) for pair in known.contacts),
        "declared": known.declared,
    }


def from_json(document: Mapping[str, Any]) -> Discovery:
    """Also as the first release wrote it: nothing was asked anew then, nobody's contacts or declarations were kept."""

    def edge(value: str | None) -> datetime | None:
        return datetime.fromisoformat(value) if value else None

    return Discovery(
        tuple(Identifier(k, v, Interval(edge(a), edge(b)), by) for k, v, a, b, by in document["identifiers"]),
        frozenset((dataset, ask) for dataset, ask in document["asked"]),
        {name: Candidate(e, tuple(s), tuple(w), tuple(a)) for name, (e, s, w, a) in document["candidates"].items()},
        frozenset(document["settled"]),
        document["marks"],
        document["down"],
        document["wave"],
        document.get("since", {}),
        frozenset((word, value) for word, value in document.get("contacts", ())),
        document.get("declared", ""),
    )


__all__ = [
    "ASKABLE",
    "STATED",
    "Candidate",
    "Discovery",
    "ask_id",
    "asks_for",
    "from_json",
    "in_scope",
    "leading",
    "learn",
    "to_json",
]
