"""The promise of an erasure: what truth says goes, what truth says stays with its rule and day, and nothing else moves."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.differ import difference, held
from tests.erasing import BOXES, Erasure
from tests.story import Office

PEOPLE = ("fumi", "nozomi", "isamu", "shigeru", "mai", "kaoru", "hanako")
"""Each a different fate: live, ended, owing, long ago, member only, a number given again, a live customer of many."""


def told_of(office: Office, person: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Record nos by dataset that go, and that are changed, by the builder's own knowledge."""
    told = office.truth["people"][person]
    gone = {name: set(numbers) for name, numbers in told["erased"].items() if name != BOXES and numbers}
    changed: dict[str, set[str]] = {}
    for kind in ("deidentified", "use_stopped"):
        for name, numbers in told.get(kind, {}).items():
            changed.setdefault(name, set()).update(numbers)
    return gone, {name: numbers - gone.get(name, set()) for name, numbers in changed.items() if numbers}


@pytest.mark.parametrize("person", PEOPLE)
def test_what_truth_says_goes_and_every_other_row_is_identical(own_office: Office, tmp_path: Path, person: str) -> None:
    before = held(own_office.sample)
    gone, changed = told_of(own_office, person)
    assert all(numbers <= set(before[name]) for name, numbers in gone.items()), "present before"
    erasure = Erasure(own_office, person, tmp_path).approved().carried_out()
    shown = erasure.show()
    assert shown["state"] == "dispatching", (shown["findings"], shown["stale"])
    found = difference(before, held(own_office.sample))
    assert found.gone == gone
    assert found.changed == changed
    assert found.new == {}
    _kept_as_truth_says(own_office, person, shown)
    assert erasure.dispatched() in ("kept", "closed")


def _kept_as_truth_says(office: Office, person: str, shown: Any) -> None:
    rules = {name: sorted(set(records.values()))
             for name, records in office.truth["people"][person]["kept_on_erasure"].items()}  # fmt: skip
    told = {name: sorted({part["rule"] for part in item["parts"] if part["until"]}) for name, item in shown["items"].items()}
    assert {name: found for name, found in told.items() if found} == {n: r for n, r in rules.items() if r}
    days = {name: sorted(set(days.values())) for name, days in office.truth["people"][person]["kept_until"].items() if days}
    told = {name: sorted({part["until"] for part in item["parts"] if part["until"]}) for name, item in shown["items"].items()}
    assert {name: found for name, found in told.items() if found} == days
    assert all(f["verdict"] == "verified" and f["level"] in ("L1", "L2") for f in shown["findings"])
    assert gzip and json
