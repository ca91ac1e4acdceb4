"""Whole days outside, half-open instants inside, and every form in which a store writes both."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsr.days import (
    ALWAYS,
    TOKYO,
    Form,
    Interval,
    bound,
    day_of,
    instants,
    read_instant,
    whole_days,
    within,
    write_instant,
)

SECONDS = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=TOKYO)
)
CLOCKS = [form for form in get_args(Form) if form not in ("date", "yyyymmdd")]


@pytest.mark.parametrize("form", CLOCKS)
@given(at=SECONDS)
def test_what_is_written_is_read_back_as_the_same_instant(form: Form, at: datetime) -> None:
    assert read_instant(write_instant(at, form, TOKYO), form, TOKYO) == at


@given(first=st.dates(date(1950, 1, 1), date(2100, 1, 1)), length=st.integers(0, 400))
def test_inclusive_days_hold_their_last_second_and_not_the_next(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    tenure = whole_days(first, last)
    end = datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=TOKYO)
    assert end in tenure and end + timedelta(seconds=1) not in tenure
    assert day_of(end) == last
    assert datetime(first.year, first.month, first.day, tzinfo=TOKYO) in tenure
    assert datetime(first.year, first.month, first.day, tzinfo=TOKYO) - timedelta(seconds=1) not in tenure


@given(a=SECONDS, b=SECONDS, c=SECONDS, d=SECONDS, at=SECONDS)
def test_a_meeting_holds_exactly_what_both_hold(
    a: datetime, b: datetime, c: datetime, d: datetime, at: datetime
) -> None:
    one, other = Interval(a, b), Interval(c, d)
    assert (at in one.meet(other)) == (at in one and at in other)


def test_a_column_is_read_as_its_values_are() -> None:
    forms: dict[Form, list[object]] = {
        "clf": ["01/Apr/2026:00:00:00 +0900", None], "yyyymmdd": [20260401, None], "iso": ["2026-03-31T15:00:00Z", None],
        "epoch": [1774969200, None], "text": ["2026/04/01", None],
    }  # fmt: skip
    for form, values in forms.items():
        read = instants(pa.array(values), form, TOKYO).to_pylist()
        assert read == [datetime(2026, 3, 31, 15, tzinfo=UTC), None], form
    assert instants(pa.array([datetime(2026, 4, 1)]), "timestamp", TOKYO).to_pylist() == [
        datetime(2026, 3, 31, 15, tzinfo=UTC)
    ]
    assert instants(pa.chunked_array([], pa.string()), "text", TOKYO).to_pylist() == []


def test_a_row_without_a_time_belongs_only_to_an_identifier_without_days() -> None:
    stamps = pa.array([None, datetime(2026, 4, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert within(stamps, ALWAYS).to_pylist() == [True, True]
    assert within(stamps, Interval(datetime(2020, 1, 1, tzinfo=UTC))).to_pylist() == [False, True]


@pytest.mark.parametrize(("value", "form"), [("2026-13-01", "date"), ("20261301", "yyyymmdd"), ("1/Foo/2026:00:00:00 +0900", "clf"),
                                               ("yesterday", "text"), ("2026040", "yyyymmdd")])  # fmt: skip
def test_what_cannot_be_read_is_refused_without_repeating_it(value: str, form: Form) -> None:
    with pytest.raises(ValueError) as refused:
        read_instant(value, form, TOKYO)
    assert value not in str(refused.value)


def test_a_bound_is_never_narrower_than_its_interval() -> None:
    half = Interval(datetime(2026, 4, 1, 12, 30, tzinfo=TOKYO), datetime(2026, 4, 2, 12, 30, tzinfo=TOKYO))
    assert bound(half, "date", TOKYO) == ("2026-04-01", "2026-04-03")
    low, high = bound(ALWAYS, "timestamp", TOKYO)
    assert low < "0002" and high > "9999"
