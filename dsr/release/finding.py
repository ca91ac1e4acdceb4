"""What a release gate found: file, place, kind of leak and the masked cell; never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, order=True)
class Cell:
    """A masked cell: ``row`` counts the rows of the dataset as they were fetched, from 1; 0 where there is no row."""

    dataset: str
    field: str
    row: int

    def __str__(self) -> str:
        return f"{self.dataset}.{self.field} row {self.row}"


KINDS: Mapping[str, str] = MappingProxyType({
    "page": "text on a page, seen or not, holds a masked value",
    "string": "a string, name, outline, destination or annotation holds a masked value",
    "stream": "a stream or bytes between the objects hold a masked value",
    "attachment": "an attached file holds a masked value",
    "file": "a data file holds a masked value outside the rows",
    "digest": "a bare digest of a masked value; who tries every number finds it",
    "letters": "a font keeps letters that no page uses; a value was measured with it",
    "cell": "a masked cell holds more than its mark, or a cell holds what is not its own",
    "rows": "the rows are not the rows of the case",
    "my_number": "a free text holds what reads as a My Number; strike it in the review",
    "unreadable": "cannot be opened or decoded, so nobody knows what it says",
    "standard": "a rule of a standard is broken",
})
"""Kind → what it means, for a person."""


@dataclass(frozen=True, order=True)
class Finding:
    """``place``: page, object and key, row and field, or rule. ``cell``: whose value it is, where that is known."""

    file: str
    place: str
    kind: str
    cell: Cell | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is no kind of finding")

    def __str__(self) -> str:
        whose = f" ({self.cell})" if self.cell else ""
        return f"{self.file}, {self.place}: {KINDS[self.kind]}{whose}"


__all__ = ["KINDS", "Cell", "Finding"]
