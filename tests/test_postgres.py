"""The engine's own store on PostgreSQL: a disclosure from letter to dispatch, kills, and a server that dies under it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from dsr import store as stores
from dsr.case import Act
from dsr.errors import Conflict, DsrError
from dsr.log import verify_log
from dsr.store import OFFICER, Store
from flows import home as homes
from tests.connector_fixtures import SECRET, Postgres, postgres_server
from tests.story import Office, oracle
from tests.test_kill import HANDLER, Killer, proved, small  # noqa: F401 - fixtures
from tests.test_store import AT, CASE, open_case


@pytest.fixture
def address(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every command of this test keeps its store there."""
    address = postgres.database()
    monkeypatch.setenv("DSR_DATABASE_URL", address.replace("+psycopg", ""))  # as an office would write it
    return address


def test_a_disclosure_from_letter_to_dispatch(
    address: str, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office.set_up(tmp_path / "home", sample, monkeypatch)
    case, package = office.packaged("hanako", tmp_path)
    assert oracle(office.truth["people"]["hanako"], package, office.ok("show", case)) == []
    check, sent = tmp_path / "check.json", tmp_path / "sent.json"
    check.write_text(
        '{"envelope_check": {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}}'
    )
    sent.write_text('{"channel": "addressee_only_post", "sent_on": "2026-11-22", "tracking_no": "1"}')
    office.ok("dispatch", case, "--file", str(check), officer="shonin-2")
    assert office.ok("dispatch", case, "--file", str(sent))["state"] == "closed"
    assert office.ok("show", case)["work"] == []
    assert [row["case"] for row in office.ok("list")] == [case]
    assert office.ok("list", "--due") == []
    for _ in range(2):
        assert office.ok("trail", "verify")["sound"]
    office.ok("trail", "export", case, "--out", str(tmp_path / "evidence.json"))
    office.ok("watch")
    with closing(Store.connect(address)) as store, store._write() as connection:
        connection.execute(text("UPDATE event SET actor_id = 'nobody' WHERE seq = 3"))
    status, found, _ = office.run("trail", "verify")
    assert (status, [problem["what"] for problem in found["problems"]]) == (1, ["altered"])
    assert not (office.home / "dsr.db").exists()


def test_the_same_request_gives_the_same_lists_on_either_database(
    postgres: Postgres, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No database's own order of letters, form of numbers or bytes reaches what the desk shows."""
    shown = []
    for name, address in (("lite", ""), ("postgres", postgres.database())):
        monkeypatch.setenv("DSR_DATABASE_URL", address)
        office = Office.set_up(tmp_path / name, sample, monkeypatch)
        case, _ = office.open("hanako"), office.open("kenta")
        office.collected("kenta", "DSR-2026-000002")
        one = office.ok("show", case)
        one.pop("documents"), one.pop("trail")  # the slip's word is each home's own
        shown.append((one, office.ok("list"), office.ok("list", "--due"), office.ok("watch")["reminders"]))
    assert shown[0] == shown[1]


# -- kills ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def killer(address: str, small: Office, tmp_path: Path) -> Killer:  # noqa: F811
    return Killer(small, tmp_path / "kill")


def test_collect_killed_and_run_again_gives_the_same_package(killer: Killer, address: str) -> None:
    case = proved(killer.office)
    after = [[HANDLER, "decide", case, "--as-proposed"], [HANDLER, "fulfil", case]]
    wrong = killer(
        "kill", [HANDLER, "collect", case], 37, after=after, package=[HANDLER, "package", case], packages=4, server=address
    )
    assert wrong == []
    assert killer.said["tried"] > 4


def test_opening_killed_becomes_one_case(killer: Killer, address: str) -> None:
    command = [HANDLER, "open", str(killer.office.sample / "requests/hanako.json")]
    assert killer("open", command, 5, server=address) == []


def test_of_two_processes_on_one_case_the_second_is_told(killer: Killer, address: str) -> None:
    case = proved(killer.office)
    assert killer("busy", [HANDLER, "collect", case], 20, within="^within fetched", server=address) == []


def test_who_slept_past_the_lease_is_refused(killer: Killer, address: str) -> None:
    case, points = proved(killer.office), "^after the commit|^within|^before [^t]"
    assert killer("stop", [HANDLER, "collect", case], 45, first=8, within=points, server=address) == []


# -- a server that dies -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def mortal(own_server: Postgres) -> Iterator[Postgres]:
    """A server that a test may stop; up again for the next one, whatever became of this one."""
    yield own_server
    if not (own_server.folder / "data/postmaster.pid").exists():
        own_server.control("start")


@pytest.fixture
def store(mortal: Postgres) -> Iterator[Store]:
    with closing(Store.connect(mortal.database())) as store:
        store.create()
        open_case(store, CASE)
        yield store


def _whole(store: Store, events: int) -> None:
    assert len(store.leaves()) == events
    assert verify_log(store.events(), kept=store.head()) == []


NO_ANSWER = r"^store: the database does not answer; check DSR_DATABASE_URL .* nothing is half-written$"


def test_a_server_that_dies_in_mid_transaction_leaves_nothing_half_written(mortal: Postgres, store: Store) -> None:
    lease = store.take(CASE)
    with pytest.raises(DsrError, match=NO_ANSWER) as told, store._write() as connection:
        store._append(connection, CASE, Act("half"), b"", AT, "officer")
        mortal.control("-m", "immediate", "stop")
        connection.execute(OFFICER.insert().values(name="n", role="handler", secret_hash="h"))
    assert told.value.__suppress_context__  # the driver's words may hold the address
    for act in (lambda: store.record(lease, Act("step"), b"", AT, "o"), lambda: store.case(CASE), store.head, store.ready):
        with pytest.raises(DsrError, match=NO_ANSWER):
            act()
    mortal.control("start")
    _whole(store, 1)  # the same Store, once the server is back
    store.record(lease, Act("step"), b"", AT, "officer")
    _whole(store, 2)


def test_a_server_that_dies_between_commit_and_answer_is_asked_again_and_has_it_once(
    mortal: Postgres, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, commit = store.take(CASE), psycopg.Connection.commit

    def dying(self: psycopg.Connection[object]) -> None:
        commit(self)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "commit", dying)
        with pytest.raises(DsrError, match=NO_ANSWER):
            store.record(lease, Act("step"), b"", AT, "officer")
    store.record(lease, Act("step"), b"", AT, "officer")
    _whole(store, 2)


def test_a_case_whose_opening_was_not_answered_keeps_its_letter(
    mortal: Postgres, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed, then cut off: the case is there, and so is the request it stands on. Asked again, it is one case."""
    monkeypatch.setenv("DSR_DATABASE_URL", mortal.database())
    office = Office.set_up(tmp_path / "home", sample, monkeypatch)
    opened = Store.open_cases

    def cut_off(self: Store, *given: object) -> None:
        opened(self, *given)  # type: ignore[arg-type]
        raise DsrError("store: the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "open_cases", cut_off)
        assert office.run("open", str(sample / "requests/hanako.json"))[0] == 1
    assert office.open("hanako") == "DSR-2026-000001"
    assert [row["case"] for row in office.ok("list")] == ["DSR-2026-000001"]
    assert office.ok("show", "DSR-2026-000001")["documents"][0]["kind"] == "receipt_slip"


def test_without_its_server_every_command_says_so_and_shows_no_password(
    mortal: Postgres, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSR_DATABASE_URL", mortal.database())
    office = Office.set_up(tmp_path / "home", sample, monkeypatch)
    case = office.open("hanako")
    mortal.control("-m", "immediate", "stop")
    inventory = str(sample / "inventory.toml")
    for command in (["list"], ["show", case], ["collect", case], ["watch"], ["trail", "verify"], ["upgrade"],
                    ["open", str(sample / "requests/kenta.json")], ["init", "--inventory", inventory, "--home", str(tmp_path / "new")]):  # fmt: skip
        status, document, said = office.run(*command)
        assert (status, document) == (1, None)
        assert "the database does not answer" in said
        assert "defect" not in said
        assert SECRET not in said
    assert not (tmp_path / "new").exists()  # nothing left that would stop the next init
    mortal.control("start")
    assert office.state(case) == "received"
    assert office.ok("trail", "verify")["sound"]


def test_a_long_step_keeps_its_case_over_an_outage(
    mortal: Postgres, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is restarted while a step works on: the lease is renewed once it is back, and nobody else gets the case."""
    monkeypatch.setenv("DSR_DATABASE_URL", mortal.database())
    told = Office.set_up(tmp_path / "home", sample, monkeypatch)
    case = told.open("hanako")
    monkeypatch.setattr(stores, "LEASE_SECONDS", 3.0)
    with closing(homes.engine_office(told.home, "2026-11-22T09:00+09:00").store) as store:
        office = homes.engine_office(told.home, "2026-11-22T09:00+09:00")
        with office.hold(case) as hold:
            mortal.control("-m", "immediate", "stop")
            time.sleep(1.5)
            mortal.control("start")
            time.sleep(3.0)
            with pytest.raises(Conflict, match="another process is working"):
                store.take(case)
            hold.record(Act("step"))
        office.store.close()
        assert store.take(case).epoch > 0


def test_a_role_that_may_not_make_tables_is_told_so(
    mortal: Postgres, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = mortal.database("CREATE ROLE guest LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    monkeypatch.setenv("DSR_DATABASE_URL", address.replace("postgres:", "guest:"))
    office = Office(tmp_path / "home", sample, monkeypatch)
    status, _, said = office.run("init", "--inventory", str(sample / "inventory.toml"), officer=None)
    assert (status, "does not let this account in, or not write" in said) == (1, True), said


def test_two_homes_do_not_share_a_database(
    address: str, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Office.set_up(tmp_path / "home", sample, monkeypatch)
    other = Office(tmp_path / "other", sample, monkeypatch)
    status, _, said = other.run("init", "--inventory", str(sample / "inventory.toml"), officer=None)
    assert (status, "holds an office already" in said) == (2, True)
    assert not other.home.exists()


def test_threads_of_one_process_wait_for_one_another_not_for_connections(store: Store) -> None:
    """Of one writing process one connection waits at the server, however many threads it has."""
    lease, most, ended = store.take(CASE), [0], threading.Event()
    url = store._database._url

    def look() -> None:
        with create_engine(url, poolclass=NullPool).connect() as connection:
            query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            while not ended.wait(0.01):
                most[0] = max(most[0], int(connection.execute(query).scalar_one()))

    def work(number: int) -> None:
        for at in range(5):
            store.record(lease, Act(f"step:{number}:{at}"), b"", AT, "officer")

    watcher = threading.Thread(target=look)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    watcher.join()
    _whole(store, 1 + 40 * 5)
    assert most[0] == 0
