"""The store keeps cases, their log, open work and officers; nothing of a subject, and nothing by halves."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from dsr.case import Act, Case
from dsr.errors import BadInput, Conflict, NotAllowed
from dsr.log import verify_log
from dsr.rules.lifecycle import State
from dsr.store import Lease, Store, this_process

AT = datetime(2026, 11, 22, tzinfo=UTC)
CASE = "DSR-2026-000001"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.connect(f"sqlite:///{tmp_path / 'dsr.db'}")
    store.create()
    store.open_case(Case(CASE, "disclosure", State.RECEIVED, AT, "appi_r3"), "twin", Act("open"), b"", AT, "officer")
    yield store
    store.close()


def test_no_column_of_the_store_can_hold_what_is_the_subjects() -> None:
    """The whole schema, column by column: whoever adds one must think of it here."""
    columns = {f"{table.name}.{column.name}" for table in SQLModel.metadata.tables.values() for column in table.columns
               if table.name in ("case", "event", "work", "officer")}  # fmt: skip
    assert columns == {
        "case.case_no", "case.right", "case.state", "case.received_at", "case.law_version", "case.twin", "case.facts",
        "case.epoch", "case.holder", "case.lease_until",
        "event.seq", "event.case_no", "event.step_key", "event.phase", "event.at", "event.actor_id", "event.public",
        "event.sealed", "event.leaf",
        "work.case_no", "work.what", "work.who", "work.due", "work.reminded",
        "officer.name", "officer.role", "officer.secret_hash",
    }  # fmt: skip


def test_the_case_and_its_event_change_together_or_not_at_all(store: Store) -> None:
    lease = store.take(CASE)
    with pytest.raises(NotAllowed):
        store.record(lease, Act("leap", to=State.DISPATCHING), b"", AT, "officer")
    assert store.case(CASE).state is State.RECEIVED
    assert ("leap", "result") not in store.ledger(CASE)
    store.record(lease, Act("prove:1", to=State.PROVED), b"", AT, "officer")
    assert store.case(CASE).state is State.PROVED
    assert ("prove:1", "result") in store.ledger(CASE)


def test_a_step_recorded_twice_is_recorded_once(store: Store) -> None:
    lease = store.take(CASE)
    for _ in range(2):
        store.record(lease, Act("step", facts={"n": 1}), b"", AT, "officer")
    assert len(list(store.events(CASE))) == 2


def test_a_live_process_keeps_its_case_from_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.take(CASE)
    with pytest.raises(Conflict, match="another process"):
        store.take(CASE)


def test_a_dead_process_holds_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    host, _, started = this_process().split(":")
    os.waitpid(child, 0)
    monkeypatch.setattr("dsr.store.this_process", lambda: f"{host}:{child}:{started}")
    store.take(CASE)
    monkeypatch.undo()
    assert store.take(CASE).epoch == 2


def test_the_sleeper_that_lost_its_lease_writes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP past the lease, somebody else takes over, SIGCONT: the epoch refuses the sleeper."""
    monkeypatch.setattr("dsr.store.LEASE_SECONDS", -1.0)
    sleeper = store.take(CASE)
    awake = store.take(CASE)
    for act in (lambda: store.record(sleeper, Act("late"), b"", AT, "officer"), lambda: store.keep(sleeper)):
        with pytest.raises(Conflict):
            act()
    store.record(awake, Act("step"), b"", AT, "officer")
    assert {step for step, _ in store.ledger(CASE)} == {"open", "step"}


def test_parallel_steps_of_a_case_leave_a_log_without_gap(store: Store) -> None:
    lease = store.take(CASE)
    threads = [
        threading.Thread(target=lambda n=n: store.record(lease, Act(f"step:{n}"), b"", AT, "officer"))
        for n in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = list(store.events())
    assert [event.seq for event, _ in events] == list(range(1, 26))
    assert verify_log(events, heads=[store.head()]) == []


def test_an_unknown_case_is_named_as_bad_input(store: Store) -> None:
    with pytest.raises(BadInput, match="no case"):
        store.case("DSR-2026-999999")
    with pytest.raises(BadInput):
        store.take("DSR-2026-999999")
    with pytest.raises(Conflict):
        store.record(Lease(CASE, 99), Act("x"), b"", AT, "officer")
