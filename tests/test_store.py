"""The store keeps cases, their log, open work and officers; nothing of a subject, and nothing by halves."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlmodel import SQLModel

from dsr import database
from dsr.case import Act, Case
from dsr.errors import BadInput, CheckFailed, Conflict, DsrError, NotAllowed
from dsr.log import Tree, root, verify_log
from dsr.rules.lifecycle import State
from dsr.store import EVENT, OFFICER, TREE, Lease, Store, this_process
from tests.connector_fixtures import Postgres

AT = datetime(2026, 11, 22, tzinfo=UTC)
CASE = "DSR-2026-000001"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(Store.connect(store_url)) as store:
        store.create()
        open_case(store, CASE)
        yield store


def open_case(store: Store, case_no: str) -> None:
    case = Case(case_no, "disclosure", State.RECEIVED, AT, "appi_r3")
    store.open_case(case, "twin", Act("open"), b"", AT, "officer")


def test_no_column_of_the_store_can_hold_what_is_the_subjects() -> None:
    """The whole schema, column by column: whoever adds one must think of it here."""
    columns = {f"{table.name}.{column.name}" for table in SQLModel.metadata.tables.values() for column in table.columns}  # fmt: skip
    assert columns == {
        "case.case_no", "case.right", "case.state", "case.received_at", "case.law_version", "case.twin", "case.facts",
        "case.epoch", "case.holder", "case.lease_until",
        "event.seq", "event.case_no", "event.step_key", "event.phase", "event.at", "event.actor_id", "event.public",
        "event.sealed", "event.leaf",
        "tree.log", "tree.last", "tree.size", "tree.peaks",
        "work.case_no", "work.what", "work.who", "work.due", "work.reminded",
        "suppression.token", "suppression.dataset", "suppression.kind", "suppression.reason", "suppression.since",
        "suppression.starts", "suppression.ends", "suppression.case_no", "suppression.lifted",
        "stop.system", "stop.since", "stop.officer",
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


def test_only_the_states_asked_for_are_listed(store: Store) -> None:
    other = CASE[:-1] + "2"
    open_case(store, other)
    store.record(store.take(other), Act("prove:1", to=State.PROVED), b"", AT, "officer")
    assert [case.case_no for case in store.cases()] == [CASE, other]
    assert [case.case_no for case in store.cases({State.PROVED, State.CLOSED})] == [other]
    assert store.cases({State.CLOSED}) == []


def test_numbers_go_on_within_their_year(store: Store) -> None:
    open_case(store, "DSR-2025-000041")
    assert [store.next_case_no(year) for year in (2024, 2025, 2026)] == [
        "DSR-2024-000001", "DSR-2025-000042", "DSR-2026-000002"]  # fmt: skip


def test_a_name_that_is_taken_is_bad_input_and_the_officer_stays(store: Store) -> None:
    store.add_officer("髙橋", "handler", "hash")
    with pytest.raises(BadInput, match="such an officer"):
        store.add_officer("髙橋", "approver", "other")
    assert store.officer("髙橋") == ("handler", "hash")


# -- the kept tree --------------------------------------------------------------------------------------------------


def _fill(store: Store, size: int) -> None:
    """A log of that size, by the shortest way."""
    leaves = [random.Random(seq).randbytes(32) for seq in range(1, size + 1)]
    tree = Tree(leaves)
    with store._write() as connection:
        for table in (EVENT, TREE):
            connection.execute(table.delete())
        connection.execute(insert(EVENT), [
            {"seq": seq, "case_no": f"c{seq}", "step_key": "s", "phase": "result", "at": "", "actor_id": "", "public": "{}",
             "sealed": b"", "leaf": one} for seq, one in enumerate(leaves, 1)])  # fmt: skip
        connection.execute(insert(TREE).values(log="trail", last=size, size=size, peaks=tree.peaks))


def _work_of_sqlite(path: Path, act: Act) -> int:
    """Steps of SQLite's machine that a head and an act cost: no clock that others make late."""
    store, steps = Store.connect(f"sqlite:///{path}"), [0]

    def count() -> None:
        steps[0] += 1

    with closing(store):
        with store._write() as connection:
            raw = connection.connection.dbapi_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.set_progress_handler(count, 1)
        store.head()
        store.altered(CASE)
        store.next_case_no(2026)
        store.log_alone("office", act, AT, "officer")
        raw.set_progress_handler(None, 1)
    return steps[0]


def test_a_head_and_an_act_cost_the_same_in_a_log_a_hundred_times_longer(tmp_path: Path) -> None:
    path = tmp_path / "dsr.db"
    with closing(Store.connect(f"sqlite:///{path}")) as store:
        store.create()
        open_case(store, CASE)
        _fill(store, 300)
        short = _work_of_sqlite(path, Act("short"))
        _fill(store, 30_000)
        long = _work_of_sqlite(path, Act("long"))
        assert short > 50
        assert long < short * 1.5
        assert store.head().root == root(store.leaves())
        assert store.head().size == 30_001


def test_what_an_older_program_appends_is_in_the_head_and_in_the_next_act(store: Store) -> None:
    """It knows of no kept tree: the row stays behind, the log does not."""
    with store._read() as connection:
        before = connection.execute(TREE.select()).mappings().one()
    for step in ("one", "two"):
        store.log_alone("office", Act(step), AT, "officer")
    with store._write() as connection:
        connection.execute(TREE.update().values(**before))
    assert store.head().root == root(store.leaves())
    store.log_alone("office", Act("three"), AT, "officer")
    assert [event.seq for event, _ in store.events()] == [1, 2, 3, 4]
    assert verify_log(store.events(), kept=store.head()) == []


def test_an_emptied_tree_is_made_anew_from_the_events(store: Store) -> None:
    head = store.head()
    with store._write() as connection:
        connection.execute(TREE.delete())
    assert store.head() == head
    store.log_alone("office", Act("next"), AT, "officer")
    with store._read() as connection:
        kept = connection.execute(TREE.select()).mappings().one()
    assert (kept["last"], kept["size"], bytes(kept["peaks"])) == (2, 2, root(store.leaves()))


def test_a_kept_tree_that_is_not_the_logs_is_found(store: Store) -> None:
    for step in "abc":
        store.log_alone("office", Act(step), AT, "officer")
    whole = store.head()
    with store._write() as connection:  # a row of the log rewritten, its leaf with it, the kept tree forgotten
        connection.execute(EVENT.update().where(EVENT.c.seq == 2).values(leaf=b"\x00" * 32))
    (problem,) = [one for one in verify_log(store.events(), kept=store.head()) if one.what == "tree"]
    assert problem.level == "error"
    assert store.head() == whole
    with store._write() as connection:
        connection.execute(EVENT.delete().where(EVENT.c.seq == 4))
    (problem,) = [one for one in verify_log(store.events(), kept=store.head()) if one.what == "tree"]
    assert "of 4 events" in problem.words
    assert "the 3 in the log" in problem.words
    store.log_alone("office", Act("after"), AT, "officer")  # and what is written next does not fill the place
    assert [event.seq for event, _ in store.events()] == [1, 2, 3, 5]


def test_a_damaged_tree_is_named_and_nothing_is_written_on_it(store: Store) -> None:
    with store._write() as connection:
        connection.execute(TREE.update().values(peaks=b"short"))
    for act in (store.head, lambda: store.log_alone("office", Act("x"), AT, "officer")):
        with pytest.raises(CheckFailed, match="kept tree is damaged"):
            act()
    assert len(store.leaves()) == 1


# -- many at once ---------------------------------------------------------------------------------------------------

PROCESSES, THREADS, ACTS = 4, 10, 4


def test_many_threads_of_many_processes_lose_nothing_and_are_never_refused(store_url: str, store: Store) -> None:
    for number in range(2, 21):
        open_case(store, f"DSR-2026-{number:06d}")
    command = [sys.executable, "-m", "tests.writing", store_url]
    running = [
        subprocess.Popen([*command, f"p{number}", str(THREADS), str(ACTS)], stdout=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    told = [json.loads(process.communicate()[0]) for process in running]
    assert [fault for one in told for fault in one["faults"]] == []
    recorded = [tuple(step) for one in told for step in one["recorded"]]
    assert len(recorded) == len(set(recorded)) == PROCESSES * THREADS * ACTS * 3
    events = list(store.events())
    assert [event.seq for event, _ in events] == list(range(1, len(events) + 1))
    written = {(event.case_no, f"{event.step_key}/{event.phase}") for event, _ in events if event.step_key != "open"}
    assert written == set(recorded)
    assert verify_log(events, kept=store.head()) == []
    assert sum(case.epoch for case in store.cases()) == sum(one["taken"] for one in told)


def _busy(store: Store, begun: threading.Event, end: threading.Event) -> None:
    with store._write() as connection:
        begun.set()
        while not end.wait(0.05):
            connection.execute(text("SELECT 1"))


def test_who_keeps_the_store_to_himself_is_waited_for_and_then_told_of(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.5)
    begun, end = threading.Event(), threading.Event()
    with closing(Store.connect(store_url)) as other:
        thread = threading.Thread(target=_busy, args=(other, begun, end))
        thread.start()
        begun.wait()
        with pytest.raises(DsrError, match="another process keeps it to itself"):
            store.log_alone("office", Act("step"), AT, "officer")
        assert store.head().size == 1  # who reads does not wait
        end.set()
        thread.join()
    store.log_alone("office", Act("step"), AT, "officer")
    assert store.head().size == 2


def test_a_process_asleep_in_mid_transaction_loses_it_and_its_writes(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends it, or everybody would wait for one that was stopped."""
    monkeypatch.setattr(database, "PATIENCE", 1.0)
    address = postgres.database()
    with closing(Store.connect(address)) as store, closing(Store.connect(address)) as sleeper:
        store.create()
        with pytest.raises(DsrError, match="nothing is half-written"), sleeper._write() as connection:
            connection.execute(OFFICER.insert().values(name="n", role="handler", secret_hash="h"))
            store.log_alone("office", Act("step"), AT, "officer")
            connection.execute(OFFICER.insert().values(name="m", role="handler", secret_hash="h"))
        assert store.officer("n") is None
        assert store.head().size == 1
        sleeper.add_officer("n", "handler", "h")  # its next act is as any


# -- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["", "nonsense", "mysql://root:hush@localhost/x", "postgresql://u:hush@h:port/x", "://"])
def test_an_address_that_is_none_is_bad_input_and_not_repeated(address: str) -> None:
    with pytest.raises(BadInput, match="DSR_DATABASE_URL") as told:
        Store.connect(address)
    assert "hush" not in str(told.value)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "dsr.db"
    path.write_bytes(b"no database" * 1000)
    with closing(Store.connect(f"sqlite:///{path}")) as store, pytest.raises(DsrError, match="damaged; restore it"):
        store.ready()


def test_a_database_of_somebody_elses_tables_is_not_taken_for_an_office(store_url: str) -> None:
    with closing(Store.connect(store_url)) as store:
        with store._write() as connection:
            connection.execute(text("CREATE TABLE event (theirs INTEGER)"))
        with pytest.raises(BadInput, match="no office's store"):
            store.ready()
        with pytest.raises(DsrError, match="not those of an office; give the office a database of its own"):
            store.create()
        with store._read() as connection:
            assert connection.execute(text("SELECT count(*) FROM event")).scalar() == 0
