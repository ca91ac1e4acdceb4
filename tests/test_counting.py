"""The yearly report's numbers: each case counted once, days and clock A as the law counts them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsr.rules.counting import Counted, counts

TODAY = date(2026, 12, 31)
ARRIVED = date(2026, 4, 1)


def case(answered: int | None = 5, **changes: Any) -> Counted:
    """``answered``: days after arrival."""
    day = None if answered is None else ARRIVED + timedelta(days=answered)
    plain: dict[str, Any] = {
        "right": "disclosure", "channel": "post", "arrived": ARRIVED, "outcome": "full", "answered": day,
        "presuit_ends": ARRIVED + timedelta(days=14), "over": day is not None, "extended": False, "grounds": (),
        "incidents": 0}  # fmt: skip
    return Counted(**{**plain, **changes})


@pytest.mark.parametrize(("one", "clock"), [
    (case(14), "kept"),
    (case(15), "breached"),
    (case(None), "breached"),  # nobody answered, and the two weeks are long over
    (case(None, presuit_ends=TODAY), "running"),
    (case(None, over=True, outcome="withdrawn"), None),
    (case(20, presuit_ends=None), None),
])  # fmt: skip
def test_clock_a_is_kept_until_its_last_day(one: Counted, clock: str | None) -> None:
    assert one.clock_a(TODAY) == clock


def test_each_is_counted_by_what_it_is() -> None:
    told = counts([
        case(3), case(4, channel="web", outcome="refused", grounds=("APPI-33-2-2",), extended=True),
        case(9, arrived=date(2026, 3, 31), right="erasure", outcome="erased", incidents=2), case(None, outcome=None),
    ], TODAY)  # fmt: skip
    assert told["total"] == {"received": 4, "answered": 3, "extended": 1, "incidents": 2}
    assert told["right"] == {"disclosure": 3, "erasure": 1}
    assert told["outcome"] == {"erased": 1, "full": 1, "open": 1, "refused": 1}
    assert told["channel"] == {"post": 3, "web": 1}
    assert told["month"] == {"2026-03": 1, "2026-04": 3}
    assert told["ground"] == {"APPI-33-2-2": 1}
    assert told["days"] == {"median": 4, "max": 10}


def test_a_year_without_requests_is_told_too() -> None:
    told = counts([], TODAY)
    assert (told["total"]["received"], told["days"], told["right"]) == (0, {}, {})


@given(st.lists(st.builds(case, st.one_of(st.none(), st.integers(0, 400)), channel=st.sampled_from(["post", "web"]))))
def test_no_case_is_lost_or_counted_twice(cases: list[Counted]) -> None:
    told = counts(cases, TODAY)
    for section in ("right", "outcome", "channel", "month"):
        assert sum(told[section].values()) == len(cases)
    assert sum(told["clock_a"].values()) == len(cases)
