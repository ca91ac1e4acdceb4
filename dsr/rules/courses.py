"""By which road each right goes to its answer: what it searches, and by what it is answered (law.md §3): a table.

A right with no rows asks no system anything; one that brings nothing is answered from what was located, and no row of
it enters the vault (ID-2: no more than the answer needs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dsr.inventory import Dataset, Inventory

NOTHING: frozenset[int | str] = frozenset()


@dataclass(frozen=True)
class Course:
    """``rows``: of the record of processing (estate.md) that are searched; None is every dataset in scope."""

    rows: frozenset[int | str] | None = None
    brings: bool = True
    """Whether what is located is fetched."""
    letter: bool = False
    """Answered by one letter; no store is changed."""
    outcome: str = ""
    """Of the case, where it has no dataset that has one (law.md §6)."""
    needs: tuple[str, ...] = ()
    """Of DECISION.json what the officer must give."""
    takes: tuple[str, ...] = ()
    """And what the officer may give."""
    alike: bool = True
    """Whether two of the same person and scope are the same request: what a complaint says is not in REQUEST.json."""
    data: bool = False
    """And beside the letter the rows go out as data."""
    given: bool = False
    """Only what is given to third parties is concerned."""
    opt_out: bool = False
    """And of that only what is given by opt-out."""

    @property
    def asks(self) -> bool:
        """Whether any system is asked anything."""
        return self.rows != NOTHING

    @property
    def shows(self) -> bool:
        """Whether rows are drafted and go out."""
        return self.data or not self.letter


_SEARCH = Course()
COURSES: Mapping[str, Course] = MappingProxyType({
    "purpose_notice": Course(brings=False, letter=True),
    "record_disclosure": Course(frozenset({22}), letter=True, data=True),
    "provision_stop": Course(given=True),
    "optout_provision_stop": Course(given=True, opt_out=True),
    "listing_stop": Course(frozenset({12}), given=True),
    "published_matters": Course(NOTHING, False, True, "full"),
    "foreign_measures": Course(NOTHING, False, True, "full"),
    "complaint": Course(NOTHING, False, True, "full", needs=("answer",), alike=False),
    "self_service": Course(NOTHING, False, True, "redirected"),
    # Not requests under the Act: no proof, no search, straight to the letter that names the right desk.
    "sender_identification": Course(NOTHING, False, True, "misdirected", takes=("desk",), alike=False),
    "other": Course(NOTHING, False, True, "misdirected", takes=("desk", "answer"), alike=False),
})
"""Every other right searches all that is in scope and brings it."""


def of(right: str) -> Course:
    return COURSES.get(right, _SEARCH)


FAILED = "cure_failed"
"""Fact of a case whose cure failed: refused on procedure, whatever its right."""


def by_letter(right: str, facts: Mapping[str, Any]) -> bool:
    """Whether one letter is the whole answer."""
    return of(right).letter or bool(facts.get(FAILED))


def concerns(right: str, inventory: Inventory, dataset: Dataset) -> bool:
    """Whether the right is about this dataset. Statutory records of provision are asked for by themselves (33(5))."""
    course = of(right)
    return (
        (dataset.provision is None if course.rows is None else dataset.row in course.rows)
        and (inventory.is_given(dataset) or not course.given)
        and (dataset.opt_out or not course.opt_out)
    )


def outcome(right: str, inventory: Inventory) -> str:
    """Of a case that has none by dataset; empty where the datasets say it."""
    none_abroad = right == "foreign_measures" and not inventory.abroad
    return "not_held" if none_abroad else of(right).outcome
