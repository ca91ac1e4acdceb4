"""Small hand-made stores for the connectors' tests, and a real PostgreSQL that lives as long as the test run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from connectors.build import connect
from dsr.connector import Ask, Connector
from dsr.days import ALWAYS, Interval
from dsr.identity import Identifier
from dsr.inventory import Inventory, read_inventory

SECRET = "hush-5f3a"


def inventory_of(folder: Path, document: str) -> Inventory:
    (folder / "inventory.toml").write_text(document, encoding="utf-8")
    return read_inventory(folder / "inventory.toml")


def connector_of(folder: Path, document: str, **given: Any) -> Connector:
    """The only system's connector."""
    given = {"environment": {}, "sleep": lambda seconds: None, **given}
    (connector,) = connect(inventory_of(folder, document), **given).values()
    return connector


def ask_by(kind: str, value: str, interval: Interval = ALWAYS, way: int = 0) -> Ask:
    return Ask(way, Identifier(kind, value), {}, interval)


def keys_of(**columns: Sequence[Any]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def rows_of(batches: Iterator[pa.RecordBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]


@dataclass
class Postgres:
    """A server on a socket of its own, under an unprivileged user. ``database()`` gives the URL of a fresh one."""

    folder: Path
    control: Callable[..., None] = field(repr=False)
    """pg_ctl with these words: a test that needs a server to die has one of its own."""
    numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str, user: str = "postgres", password: str = SECRET) -> str:
        return f"postgresql+psycopg://{user}:{password}@/{database}?host={self.folder}"

    def database(self, *statements: str) -> str:
        name = f"company_{next(self.numbers)}"
        self.run("postgres", f"CREATE DATABASE {name}")
        self.run(name, *statements)
        return self.url(name)

    def run(self, database: str, *statements: str) -> None:
        engine = create_engine(self.url(database), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement.replace(":", "\\:")))


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        pytest.fail("no PostgreSQL server on this machine: install the package postgresql (initdb, pg_ctl)")
    return found[-1].parent if found else Path(on_path or "").resolve().parent


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """The machine's own PostgreSQL, in a temporary folder, until the block ends."""
    binaries, folder = _binaries(), Path(tempfile.mkdtemp(prefix="pg-"))
    as_nobody: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_nobody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]

    def run(program: str, *words: str) -> None:
        command = [*as_nobody, str(binaries / program), "-D", str(folder / "data"), *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        if done.returncode:
            pytest.fail(f"{program} failed: {done.stderr[-500:]}{done.stdout[-500:]}")

    run("initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C")
    rules = folder / "data" / "pg_hba.conf"
    rules.write_text("local all locked scram-sha-256\n" + rules.read_text())
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c full_page_writes=off"

    def control(*words: str) -> None:
        run("pg_ctl", "-w", *(("-l", str(folder / "log"), "-o", options) if "start" in words else ()), *words)

    control("start")
    try:
        server = Postgres(folder, control)
        server.run("postgres", "CREATE ROLE locked LOGIN PASSWORD 'other'")
        yield server
    finally:
        control("-m", "fast", "stop")
        with suppress(OSError):
            shutil.rmtree(folder)


@pytest.fixture(scope="session", name="postgres")
def running_postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server
