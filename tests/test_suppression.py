"""What is stopped and what is not: the interval decides, and a number's later holder never is (RT-4, EN-51)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dsr.case import Act, Case
from dsr.days import TOKYO, Interval, after
from dsr.engine import suppressing
from dsr.errors import BadInput
from dsr.inventory import read_inventory
from dsr.rules.lifecycle import State
from dsr.store import Store
from dsr.suppression import Entry, covering, lifted_by_contract, stopped, token

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
    store.set_stop("lake", True, Act("stop:lake:1"), END, "gijutsu-1")
    store.set_stop("billing", True, Act("stop:billing:later"), END + SECOND, "gijutsu-1")
    assert store.stops() == dict.fromkeys(("billing", "lake"), END.isoformat()), "stopped since the first time"
    store.set_stop("lake", False, Act("lift:lake:1"), END, "gijutsu-1")
    store.set_stop("billing", False, Act("lift:billing:2"), END, "gijutsu-1")
    assert store.stops() == {}
    assert [step for step, _ in store.ledger("office")] == [
        "stop:billing:1", "stop:lake:1", "stop:billing:later", "lift:lake:1", "lift:billing:2",
    ]  # fmt: skip


# -- the days of what goes -----------------------------------------------------------------------------------------


def test_the_days_that_are_stopped_hold_what_goes_and_nothing_that_stays() -> None:
    goes, stays = [START, START + 2 * SECOND, END], [START + SECOND, END - SECOND]
    days = covering(goes, stays, lambda at: after(at, "timestamp", TOKYO))
    assert [any(at in each for each in days) for at in goes] == [True] * 3
    assert [any(at in each for each in days) for at in (*stays, END + SECOND)] == [False] * 3
    assert START - timedelta(days=999) in days[0], "older ones went with them"
    assert covering([], stays, lambda at: at) == []


def test_a_day_that_holds_both_is_not_stopped() -> None:
    midnight = datetime(2025, 12, 1, tzinfo=TOKYO)
    days = covering([midnight, midnight + timedelta(days=1)], [midnight], lambda at: after(at, "date", TOKYO))
    assert [midnight in each for each in days] == [False]
    assert [midnight + timedelta(days=1, hours=23) in each for each in days] == [True]


# -- at the door ---------------------------------------------------------------------------------------------------

CALLS, CONTRACTS, CONSENTS = "call_history.calls", "service_contracts.contracts", "marketing_consents.consents"
HERS, NEIGHBOURS = {"customer_no": "C0001249"}, {"customer_no": "C0001235"}
ERASED = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def check(store: Store, sample: Path) -> Any:
    """Erased on 2026-11-22: calls of one line, and an owner's list and contract, both open; an objection stands."""
    made = [(LINE, "line_no", CALLS, "erased", Interval(START, END)), ("C0001249", "customer_no", CONSENTS, "erased", Interval()),
            ("C0001249", "customer_no", "customer_master.customers", "objected", Interval()),
            ("m0001249", "member_id", "member_accounts.members", "erased", Interval())]  # fmt: skip
    entries = tuple(Entry(token(KEY, kind, value), name, kind, reason, ERASED, days, "DSR-2026-000001")  # type: ignore[arg-type]
                    for value, kind, name, reason, days in made)  # fmt: skip
    store.record(store.take("DSR-2026-000001"), Act("suppress:1", suppresses=entries), b"", END, "officer")
    office = SimpleNamespace(inventory=read_inventory(sample / "inventory.toml"), store=store, now=ERASED,
                             keys=SimpleNamespace(suppression_key=KEY), actor=SimpleNamespace(name="officer"))  # fmt: skip

    def checked(*rows: tuple[str, dict[str, Any], str | None]) -> list[bool]:
        told = [{"dataset": name, "identifiers": numbers, "at": at} for name, numbers, at in rows]
        return [bool(row["stopped"]) for row in suppressing.ingest_check(office, told)]  # type: ignore[arg-type]

    return checked


def test_a_row_is_stopped_however_its_number_is_written(check: Any) -> None:
    at = "2020-01-01T00:00:00+09:00"
    forms = ("092-000-1013", "0920001013", "+81920001013", "+81-92-000-1013", "０９２－０００－１０１３", "(092)000-1013")
    assert check(*((CALLS, {"line_no": form}, at) for form in forms)) == [True] * len(forms)
    assert check((CALLS, {"line_no": "0920001014"}, at), (CALLS, {"line_no": "+81920001001"}, at)) == [False, False]
    members = [("member_accounts.members", {"member_id": form}, None) for form in ("M0001249", "m-0001249", "M0001248")]
    assert check(*members) == [True, True, False]


@pytest.mark.parametrize(("row", "field"), [
    ({"dataset": CALLS, "identifiers": {"foo": LINE}, "at": "2020-01-01T00:00:00Z"}, "rows.1.identifiers.foo"),
    ({"dataset": CALLS, "identifiers": {"mail": "a@b.example"}, "at": "2020-01-01T00:00:00Z"}, "rows.1.identifiers"),
    ({"dataset": CALLS, "identifiers": {}, "at": "2020-01-01T00:00:00Z"}, "rows.1.identifiers"),
    ({"dataset": CALLS, "identifiers": {"line_no": " "}, "at": "2020-01-01T00:00:00Z"}, "rows.1.identifiers.line_no"),
    ({"dataset": CALLS, "identifiers": {"line_no": "-"}, "at": "2020-01-01T00:00:00Z"}, "rows.1.identifiers.line_no"),
    ({"dataset": CALLS, "identifiers": {"line_no": LINE}}, "rows.1.at"),
    ({"dataset": CALLS, "identifiers": {"line_no": LINE}, "at": None}, "rows.1.at"),
    ({"dataset": CALLS, "identifiers": {"line_no": LINE}, "at": "2020-01-01T00:00:00"}, "rows.1.at"),
    ({"dataset": "call_history.nosuch", "identifiers": {"line_no": LINE}, "at": None}, "rows.1.dataset"),
    ("nothing", "rows.1"),
])  # fmt: skip
def test_a_row_that_is_not_understood_is_told_and_not_let_through(check: Any, store: Store, sample: Path, row: Any, field: str) -> None:
    office = SimpleNamespace(inventory=read_inventory(sample / "inventory.toml"), store=store, now=ERASED,
                             keys=SimpleNamespace(suppression_key=KEY))  # fmt: skip
    good = {"dataset": CALLS, "identifiers": {"line_no": LINE}, "at": "2020-01-01T00:00:00Z"}
    with pytest.raises(BadInput) as refused:
        suppressing.ingest_check(office, [good, row])  # type: ignore[arg-type]
    assert refused.value.field == field
    assert "1013" not in str(refused.value) and refused.value.fix


def test_a_new_contract_ends_what_was_erased_from_its_first_day_and_no_objection(check: Any) -> None:
    before, day, later = "2027-01-31T23:59:59+09:00", "2027-02-01T15:00:00+09:00", "2027-02-02T09:00:00+09:00"
    late = [(CONSENTS, HERS, later), ("member_accounts.members", {"member_id": "M0001249"}, later)]
    assert check(*late) == [True, True]
    assert check((CONTRACTS, NEIGHBOURS, day), *late) == [False, True, True]
    old = "2019-06-01T00:00:00+09:00"
    assert check((CONTRACTS, HERS, old), *late) == [False, True, True], "the old one, played again (EN-02)"
    assert check((CONTRACTS, HERS, day), *late) == [False, False, False]
    assert check((CONSENTS, HERS, "2027-02-01T00:00:00+09:00"), (CONSENTS, HERS, before)) == [False, True]
    assert check(("customer_master.customers", HERS, later)) == [True], "an objection ends by her own word"
    assert check((CALLS, {"line_no": LINE}, "2020-01-01T00:00:00+09:00")) == [True]
