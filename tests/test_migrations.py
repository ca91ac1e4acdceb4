"""From the first release's tables to today's: the same rows, a log that proves itself, and errors that name the way."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, insert, inspect, select, text
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from dsr import migrations
from dsr.case import Act
from dsr.engine import collecting, fulfilling, releasing
from dsr.engine.office import Hold
from dsr.errors import BadInput, DsrError
from dsr.log import root, verify_log
from dsr.migrations import NEWEST
from dsr.rules import discovery, redaction
from dsr.rules.lifecycle import State
from dsr.store import Store
from tests.connector_fixtures import Postgres
from tests.story import Office

AT = datetime(2026, 11, 22, tzinfo=UTC)
RELEASED: dict[str, Any] = json.loads((Path(__file__).parent / "first_release.json").read_text())
"""A store as release 0.1.0 left it (tests/first_release.py)."""


def first_release(address: str) -> None:
    """That store, in this database."""
    kind = "sqlite" if address.startswith("sqlite") else "postgresql"
    engine = create_engine(address, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in RELEASED[kind]:
            connection.execute(text(statement))
        for table, rows in RELEASED["rows"].items():
            connection.execute(insert(SQLModel.metadata.tables[table]), [_read(row) for row in rows])


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return {name: base64.b64decode(v["base64"]) if isinstance(v, dict) else v for name, v in row.items()}


def rows_of(address: str) -> dict[str, list[tuple[Any, ...]]]:
    with create_engine(address, poolclass=NullPool).connect() as connection:
        tables = {name: SQLModel.metadata.tables[name] for name in RELEASED["rows"]}
        return {
            name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for name, table in tables.items()
        }


def shape_of(address: str) -> dict[str, Any]:
    """All that a database says of its tables but our own revision's."""
    engine = create_engine(address, poolclass=NullPool)
    found, shape = inspect(engine), {}
    for table in sorted(set(found.get_table_names()) - {migrations.VERSION_TABLE}):
        columns = [(c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in found.get_columns(table)]
        unique = [sorted(one["column_names"]) for one in found.get_unique_constraints(table)]
        indexes = sorted((str(i["name"]), i["column_names"], bool(i["unique"])) for i in found.get_indexes(table))
        shape[table] = (columns, found.get_pk_constraint(table)["constrained_columns"], unique, indexes)
    return shape


@pytest.fixture
def older(store_url: str) -> Iterator[Store]:
    first_release(store_url)
    with closing(Store.connect(store_url)) as store:
        yield store


def test_the_program_and_its_revisions_agree() -> None:
    """No branch, no gap, each file named by its number, and the newest is the one that stores are compared with."""
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    walked = list(scripts.walk_revisions())[::-1]
    assert tuple(one.revision for one in walked) == migrations.REVISIONS
    assert [Path(one.path).name[:5] for one in walked] == [f"r{number}" for number in migrations.REVISIONS]


def test_models_and_migrated_tables_agree(store_url: str) -> None:
    with closing(Store.connect(store_url)) as store:
        store.create()
        with store._read() as connection:
            options = {"version_table": migrations.VERSION_TABLE, "compare_server_default": True}
            found = compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata)
    assert found == []


def test_autogenerate_would_find_a_column_too_many(store_url: str) -> None:
    """The neighbour of the test above: it can fail."""
    with closing(Store.connect(store_url)) as store:
        store.create()
        with store._write() as connection:
            connection.execute(text("ALTER TABLE work ADD COLUMN more VARCHAR"))
            context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
            (found,) = compare_metadata(context, SQLModel.metadata)
    assert found[0] == "remove_column"


def test_the_first_revision_is_what_the_first_release_made(store_url: str, postgres: Postgres, tmp_path: Path) -> None:
    """Column by column, key by key, also those that autogenerate does not compare; and so is today's from the models."""
    other = postgres.database() if store_url.startswith("postgresql") else f"sqlite:///{tmp_path / 'other.db'}"
    first_release(store_url)
    with closing(Store.connect(other)) as store, store._write() as connection:
        from alembic import command
        from alembic.config import Config

        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.upgrade(config, migrations.FIRST)
    assert shape_of(other) == shape_of(store_url)
    with closing(Store.connect(other)) as store:
        store.upgrade()
    models = postgres.database() if store_url.startswith("postgresql") else f"sqlite:///{tmp_path / 'models.db'}"
    SQLModel.metadata.create_all(create_engine(models, poolclass=NullPool))
    assert shape_of(other) == shape_of(models)


def test_rows_of_the_first_release_are_the_same_after_the_upgrade_and_its_log_goes_on(older: Store, store_url: str) -> None:
    before = rows_of(store_url)
    assert {name: len(rows) for name, rows in before.items()} == {name: len(r) for name, r in RELEASED["rows"].items()}
    assert older.upgrade() == (migrations.FIRST, migrations.NEWEST)
    assert rows_of(store_url) == before
    assert older.ready().head().root == root(older.leaves())
    assert older.head().size == len(before["event"]) > 200
    assert verify_log(older.events(), kept=older.head()) == []
    assert {case.state for case in older.cases()} == {State.CLOSED, State.AWAITING_DECISION, State.RECEIVED}
    assert older.altered() == []  # the first release did not yet seal a case's row with its event
    lease = older.take("DSR-2026-000002")
    older.record(lease, Act("next"), b"", AT, "officer")
    assert verify_log(older.events(), kept=older.head()) == []
    with older._write() as connection:
        connection.execute(text("UPDATE \"case\" SET state = 'closed' WHERE case_no = 'DSR-2026-000002'"))
    assert older.altered() == older.altered("DSR-2026-000002") == ["DSR-2026-000002"]
    assert older.altered("DSR-2026-000001") == []
    assert older.upgrade() == (migrations.NEWEST, migrations.NEWEST)


def test_a_log_that_had_lost_events_is_upgraded_and_stays_unsound(older: Store) -> None:
    """Nothing is smoothed over, and the office can still work."""
    with older._write() as connection:
        connection.execute(text("DELETE FROM event WHERE seq = 7"))
    older.upgrade()
    older.record(older.take("DSR-2026-000002"), Act("next"), b"", AT, "officer")
    events = [event.seq for event, _ in older.events()]
    assert events[-1] == len(events) + 1
    assert [problem.what for problem in verify_log(older.events(), kept=older.head())] == ["gap"]


def test_a_failing_revision_leaves_the_store_as_it_was(older: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, rows = shape_of(store_url), rows_of(store_url)

    def failing(*_: object) -> None:
        raise OSError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr("dsr.log.Tree.append", failing)
        with pytest.raises(OSError, match="in the middle"):
            older.upgrade()
    assert (shape_of(store_url), rows_of(store_url)) == (shape, rows)
    with older._read() as connection:
        assert migrations.revision_of(connection) == migrations.FIRST
        assert not inspect(connection).has_table(migrations.VERSION_TABLE)
    older.upgrade()


def test_many_processes_upgrade_at_once_and_it_is_done_once(older: Store, store_url: str) -> None:
    program = "import sys; from dsr.store import Store; print(*Store.connect(sys.argv[1]).upgrade())"
    command = [sys.executable, "-c", program, store_url]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate()[0].split() for process in running)
    assert said == [["0001", NEWEST], *[[NEWEST, NEWEST]] * 3]
    assert verify_log(older.ready().events(), kept=older.head()) == []


def test_stores_that_this_program_does_not_read_are_named(older: Store, store_url: str) -> None:
    with pytest.raises(DsrError, match=r"older release.*dsr upgrade"):
        older.ready()
    older.upgrade()
    with older._write() as connection:
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'"))
    for act in (older.ready, older.upgrade):
        with pytest.raises(DsrError, match="newer release than this program"):
            act()
    with pytest.raises(BadInput, match="holds an office already"):
        older.vacant()


def test_a_database_without_a_store_is_not_filled_by_an_upgrade(store_url: str, tmp_path: Path) -> None:
    with closing(Store.connect(store_url)) as store:
        for act in (store.ready, store.upgrade):
            with pytest.raises(BadInput, match="no office's store"):
                act()
        store.vacant()
    assert not list(tmp_path.glob("dsr.db*"))
    assert shape_of(store_url) == {}


def test_prefects_own_revisions_in_the_same_database_are_left_alone(store_url: str) -> None:
    engine = create_engine(store_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('of-prefect')"))
    with closing(Store.connect(store_url)) as store:
        store.create()
        store.ready()
        store.upgrade()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["of-prefect"]


def _back_to_the_first_release(home: Path) -> None:
    with closing(sqlite3.connect(home / "dsr.db")) as base:
        base.executescript(f"DROP TABLE tree; DROP TABLE suppression; DROP TABLE stop; DROP TABLE {migrations.VERSION_TABLE};")


def test_a_home_of_the_first_release_goes_on_where_it_stood(office: Office, tmp_path: Path) -> None:
    """Proved and collected then, decided and packaged now; until the upgrade every command says what to do."""
    case = office.collected("kaoru")
    assert office.ok("trail", "verify")["sound"]
    before = shape_of(f"sqlite:///{office.home / 'dsr.db'}")
    _back_to_the_first_release(office.home)
    for command in (["list"], ["show", case], ["decide", case, "--as-proposed"], ["watch"], ["trail", "verify"]):
        status, _, said = office.run(*command)
        assert (status, "dsr upgrade" in said) == (1, True), said
    assert office.ok("upgrade", officer=None) == {"from": "0001", "to": NEWEST}
    assert office.ok("upgrade", officer=None) == {"from": NEWEST, "to": NEWEST}
    assert shape_of(f"sqlite:///{office.home / 'dsr.db'}") == before
    office.ok("review", case, "--file", str(office.review_of("kaoru", tmp_path)))
    office.ok("decide", case, "--as-proposed")
    if office.state(case) == "awaiting_approval":
        office.ok("approve", case, officer="shonin-1")
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(tmp_path / "package"))
    found = office.ok("trail", "verify")
    assert found["sound"]
    assert found["compared_with_checkpoint"]


def test_what_the_first_release_knew_of_a_subject_is_read() -> None:
    known = discovery.from_json(RELEASED["discovery"])
    assert (len(known.identifiers), len(known.asked), known.wave) == (8, 24, 4)
    assert (known.since, known.contacts, known.declared) == ({}, frozenset(), "")
    assert discovery.from_json(discovery.to_json(known)) == known
    matched = [json.loads(_read(row)["public"]) for row in RELEASED["rows"]["event"] if row["step_key"].startswith("match:")]
    assert matched and not any({"kept", "misread"} & set(public) for public in matched)  # what is not in its log either


def as_the_first_release(patch: pytest.MonkeyPatch) -> None:
    """Discovery and log are written with the words that they had then, what a note said when it was read is not kept,
    and nothing looks at a package."""
    written, act, write = discovery.to_json, collecting.Act, Hold.write_json

    def act_of_then(step: str, phase: Any = "result", public: Any = None, **more: Any) -> Act:
        left = {k: v for k, v in (public or {}).items() if not (step.startswith("match:") and k in ("kept", "misread"))}
        return act(step, phase, left, **more)

    patch.setattr(discovery, "to_json", lambda known: {k: v for k, v in written(known).items() if k in RELEASED["discovery"]})
    patch.setattr(collecting, "Act", act_of_then)
    patch.setattr(Hold, "write_json", lambda hold, name, document: None if name.endswith(".texts.json") else write(
        hold, name, document))  # fmt: skip
    patch.setattr(collecting, "_kept_waves", lambda hold: {
        name: waves for d in hold.office.inventory.datasets() for name in [d.id]
        if (waves := [int(Path(n).stem) for n in hold.vault.names(f"keys/{name}/")])})  # fmt: skip
    patch.setattr(releasing, "release", lambda hold, step, _folder, _digests, facts: hold.record(
        Act(f"written:{step}", to=State.DISPATCHING, facts=facts)).state)  # fmt: skip


def test_a_case_collected_by_the_first_release_is_reviewed_collected_again_and_fulfilled(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        as_the_first_release(patch)
        case, decided = office.collected("kenta"), office.decided("akari", tmp_path)
    assert office.ok("fulfil", decided)["state"] == "dispatching"
    records = {d["dataset"]: d["records"] for d in office.ok("show", case)["datasets"]}
    for again in (False, True):
        if again:
            office.ok("collect", case, "--again")
            office.ok("collect", case)
        assert {d["dataset"]: d["records"] for d in office.ok("show", case)["datasets"]} == records
        assert office.ok("review", case)["notes"]
        office.ok("review", case, "--file", str(office.review_of("kenta", tmp_path)))
        office.ok("preview", case, "--out", str(tmp_path / f"preview-{again}"))
    office.ok("decide", case, "--as-proposed")
    office.ok("approve", case, officer="shonin-1")
    assert office.ok("fulfil", case)["state"] == "dispatching"


def test_what_was_ready_to_leave_before_there_was_a_gate_passes_it_or_goes_back(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clean, it leaves as it would have; with a leak it is not even sent that was taken out, until it is made anew."""
    sent, check = tmp_path / "sent.json", tmp_path / "check.json"
    sent.write_text('{"channel": "addressee_only_post", "sent_on": "2026-11-22", "tracking_no": "1"}')
    check.write_text('{"envelope_check": {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}}')
    with monkeypatch.context() as patch:
        as_the_first_release(patch)
        patch.setattr(fulfilling, "_must_be_released", lambda _hold: None, raising=False)
        clean = office.decided("akari", tmp_path)
        office.ok("fulfil", clean)
        patch.setattr(redaction, "holds", lambda _condition, rows: pa.array([False] * rows.num_rows))
        leaking, _ = office.packaged("hanako", tmp_path)
        office.ok("dispatch", leaking, "--file", str(check), officer="shonin-2")
    assert [office.ok("show", case)["release"] for case in (clean, leaking)] == [None, None]
    office.ok("package", clean, "--out", str(tmp_path / "out"))
    assert office.ok("show", clean)["release"]["passed"]
    status, _, said = office.run("dispatch", leaking, "--file", str(sent))
    assert (status, "nothing may leave" in said, office.state(leaking)) == (1, True, "review")
    # What its notes said when they were read nobody kept: they are read again.
    assert {note["read"] for note in office.ok("review", leaking)["notes"]} == {False}
    office.ok("review", leaking, "--file", str(office.review_of("hanako", tmp_path)))
    assert {note["read"] for note in office.ok("review", leaking)["notes"]} == {True}
    office.ok("decide", leaking, "--as-proposed")
    office.ok("approve", leaking, officer="shonin-1")
    office.ok("fulfil", leaking)
    office.ok("package", leaking, "--out", str(tmp_path / "mended"))
    assert office.run("dispatch", leaking, "--file", str(sent))[0] == 1  # the envelope that was checked held another
    office.ok("dispatch", leaking, "--file", str(check), officer="shonin-2")
    office.ok("dispatch", leaking, "--file", str(sent))


def test_two_processes_upgrade_a_home_at_once(office: Office) -> None:
    office.open("hanako")
    _back_to_the_first_release(office.home)
    command = [sys.executable, "-m", "flows.cli", "upgrade", "--json", "--home", str(office.home)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) for _ in range(2)]
    said = sorted(json.loads(process.communicate()[0])["from"] for process in running)
    assert said == ["0001", NEWEST]
    assert office.ok("trail", "verify")["sound"]


def test_a_folder_that_is_no_home_is_not_upgraded(tmp_path: Path, office: Office) -> None:
    status, _, said = office.run("upgrade", "--home", str(tmp_path / "nowhere"), officer=None)
    assert (status, "is no engine home" in said) == (2, True)
    (office.home / "dsr.db").unlink()
    status, _, said = office.run("upgrade", officer=None)
    assert (status, "no office's store" in said) == (2, True)
    assert not (office.home / "dsr.db").exists()


def test_metadata_is_ours_alone() -> None:
    """Autogenerate compares all of it: a table of somebody else's would be asked for in every office."""
    assert isinstance(SQLModel.metadata, MetaData)
    assert set(SQLModel.metadata.tables) == {"case", "event", "tree", "work", "officer", "suppression", "stop"}
