"""What is stopped and what is not: the interval decides, and a number's later holder never is (RT-4, EN-51)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dsr.case import Act, Case
from dsr.days import Interval
from dsr.rules.lifecycle import State
from dsr.store import Store
from dsr.suppression import Entry, lifted_by_contract, stopped, token

KEY = b"k" * 32
START, END = datetime(2019, 6, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LINE = "092-000-1013"


def entry(interval: Interval, reason: str = "erased", lifted: datetime | None = None) -> Entry:
    return Entry(token(KEY, "line_no", LINE), "call_history.calls", "line_no", reason,  # type: ignore[arg-type]
                 END, interval, "DSR-2026-000001", lifted)  # fmt: skip


@pytest.mark.parametrize(
    ("at", "stops"),
    [(START - SECOND, False), (START, True), (END - SECOND, True), (END, False), (None, False)],
    ids=["before", "first", "last", "the next holder's first", "untold"],
)
def test_only_rows_of_the_interval_are_stopped(at: datetime | None, stops: bool) -> None:
    assert (stopped([entry(Interval(START, END))], at) is not None) is stops


def test_an_open_entry_stops_the_undated_too_until_a_new_contract() -> None:
    open_one = entry(Interval(START, None))
    assert stopped([open_one], None)
    assert stopped([open_one], END)
    assert lifted_by_contract([open_one]) == [open_one]
    lifted = entry(Interval(START, None), lifted=END)
    assert stopped([lifted], END - SECOND)
    assert stopped([lifted], END) is None
    assert stopped([lifted], None) is None


def test_an_objection_is_not_lifted_by_a_contract_nor_a_closed_tenure_again() -> None:
    assert lifted_by_contract([entry(Interval(None, None), "objected"), entry(Interval(START, END))]) == []


def test_a_token_is_found_by_nobody_without_the_key() -> None:
    """Japanese numbers are enumerable in minutes; kinds of one value differ (T30)."""
    mine = token(KEY, "line_no", LINE)
    assert mine == token(KEY, "line_no", LINE)
    assert len({mine, token(b"x" * 32, "line_no", LINE), token(KEY, "phone", LINE), token(KEY, "line_n", "o" + LINE)}) == 4


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.connect(f"sqlite:///{tmp_path / 'dsr.db'}")) as store:
        store.create()
        case = Case("DSR-2026-000001", "erasure", State.RECEIVED, END, "appi_r3")
        store.open_case(case, "twin", Act("open"), b"", END, "officer")
        yield store


def test_entries_come_with_their_event_and_once(store: Store) -> None:
    lease = store.take("DSR-2026-000001")
    both = (entry(Interval(START, END)), entry(Interval(END, None)))
    for _ in range(2):
        store.record(lease, Act("suppress:1", suppresses=both), b"", END, "officer")
    assert store.suppressions() == list(both)
    assert store.suppressions({both[0].token}) == list(both)
    assert store.suppressions({"another"}) == []
    store.lift([both[1]], END + SECOND, Act("lift:1"), END, "engine")
    assert {e.interval: e.lifted for e in store.suppressions()} == {
        both[0].interval: None, both[1].interval: END + SECOND,
    }  # fmt: skip


def test_a_stop_stands_until_it_is_lifted_and_both_are_in_the_log(store: Store) -> None:
    store.set_stop("billing", True, Act("stop:billing:1"), END, "gijutsu-1")
    assert set(store.stops()) == {"billing"}
    store.set_stop("billing", False, Act("lift:billing:2"), END, "gijutsu-1")
    assert store.stops() == {}
    assert [step for step, _ in store.ledger("office")] == ["stop:billing:1", "lift:billing:2"]
