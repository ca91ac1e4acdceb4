"""How each dataset ends: exactly one of six statuses, with a coded reason where one is due (documents.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dsr.inventory import PERSON, Dataset, Inventory
from dsr.rules.discovery import ASKABLE, Discovery, in_scope

OPEN = frozenset({("unreachable", None), ("not_asked", "drift"), ("not_asked", "paused")})


@dataclass(frozen=True)
class Status:
    """``status``: found · none_found · withheld · not_ours · not_asked · unreachable; ``reason`` is a coded word."""

    status: str
    records: int = 0
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Blocks closing: somebody must look again."""
        return self.status == "unreachable" or (self.status, self.reason) in OPEN


def is_open(ended: Mapping[str, Any]) -> bool:
    """Of a dataset as a case's facts hold it: somebody must look again."""
    return Status(ended["status"], ended["records"], ended["reason"]).open


def statuses(
    inventory: Inventory,
    known: Discovery,
    counts: Mapping[str, int],
    drifted: Mapping[str, str],
    wanted: frozenset[str],
) -> dict[str, Status]:
    """Status of every declared dataset; ``drifted`` and ``counts`` by dataset id, ``wanted`` the datasets in scope."""
    hubs_down = {
        kind: True
        for d in inventory.datasets()
        if d.id in known.down or d.id in drifted
        for kind in _revealed(inventory, d)
    }
    result = {}
    for dataset in inventory.datasets():
        result[dataset.id] = _status(inventory, dataset, known, counts, drifted, wanted, hubs_down)
    for place in sorted(set(drifted) - set(result)):
        result[place] = Status("not_asked", 0, "drift")  # a table that nobody declared
    return result


def _revealed(inventory: Inventory, dataset: Dataset) -> set[str]:
    """Kinds that this dataset leads to, at once or through others."""
    kinds = {reveal.kind for reveal in dataset.reveals}
    while True:
        more = {r.kind for d in inventory.datasets() if d.kinds & kinds for r in d.reveals} - kinds
        if not more:
            return kinds
        kinds |= more


def _status(
    inventory: Inventory,
    dataset: Dataset,
    known: Discovery,
    counts: Mapping[str, int],
    drifted: Mapping[str, str],
    wanted: frozenset[str],
    hubs_down: Mapping[str, bool],
) -> Status:
    nature = inventory.system_of(dataset).nature
    found = counts.get(dataset.id, 0)
    table: tuple[tuple[bool, Status], ...] = (
        (nature == "excluded", Status("not_asked", 0, "out_of_scope")),
        (nature not in ASKABLE, Status("not_ours")),
        (dataset.id not in wanted, Status("not_asked", 0, "scope_limited")),
        (dataset.id in drifted, Status("not_asked", 0, "drift")),
        (dataset.id in known.down, Status("unreachable", 0, known.down.get(dataset.id))),
        (found > 0, Status("found", found)),
        (any(kind in hubs_down for kind in dataset.kinds), Status("unreachable", 0, "upstream")),
        (_only_the_person_knows(inventory, dataset, known), Status("not_asked", 0, "no_identifier")),
        (not any(asked == dataset.id for asked, _ in known.asked), Status("none_found", 0, "no_identifier")),
    )
    return next((status for holds, status in table if holds), Status("none_found"))


def _only_the_person_knows(inventory: Inventory, dataset: Dataset, known: Discovery) -> bool:
    """No dataset reveals what leads here, and the person stated none: a cookie id, a caller's number."""
    if PERSON in dataset.kinds or any(i.kind in dataset.kinds for i in known.identifiers):
        return False
    return not any(reveal.kind in dataset.kinds for other in inventory.datasets() for reveal in other.reveals)


def of_system(datasets: list[Status]) -> str:
    """A system's is its worst open one, else found, else the first of withheld, not_ours, none_found, not_asked."""
    order = ("unreachable", "not_asked", "found", "withheld", "not_ours", "none_found")
    open_ones = [status.status for status in datasets if status.open]
    if open_ones:
        return min(open_ones, key=order.index)
    settled = {status.status for status in datasets}
    return next(word for word in ("found", "withheld", "not_ours", "none_found", "not_asked") if word in settled)


__all__ = ["Status", "in_scope", "is_open", "of_system", "statuses"]
