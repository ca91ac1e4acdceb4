"""The store's database, SQLite or PostgreSQL: one writer at a time, and every failure said in words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlmodel import create_engine

from dsr.errors import BadInput, DsrError

PATIENCE = 60.0
"""Seconds a writer waits for its turn. A process that sleeps in mid-transaction loses it to PostgreSQL after half."""
POLL_MS = 20
"""SQLite's own waiting grows to 100 ms a try, so that under load some writer always came too late: with 96 threads in
6 processes one waited 9 s for its turn, and 0.3 s since threads queue and processes ask every few milliseconds."""
DRIVERS: Mapping[str, str] = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}

_ALONE = text(
    "SELECT set_config('lock_timeout', :wait, true), set_config('idle_in_transaction_session_timeout', :sleep, true),"
    " pg_advisory_xact_lock(44500)"
)
FAILURES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100"), "the disk is full; free space and run the command again"),
    (("SQLITE_BUSY", "55P03"),
     f"another process keeps it to itself, for {PATIENCE:.0f} s now; look what it does, then run again"),
    (("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "42501"),
     "the database does not let this account in, or not write; check its rights, then run again"),
    (("SQLITE_CORRUPT", "SQLITE_NOTADB", "XX001", "XX002"), "the database is damaged; restore it from a backup"),
    (("SQLITE_ERROR", "42"), "its tables are not those of an office; give the office a database of its own"),
    (("",), "the database does not answer; check DSR_DATABASE_URL or the home's disk, then run the command again"),
)  # fmt: skip
"""How the code of a failure begins (SQLite's name, PostgreSQL's SQLSTATE) and what a person can do."""


class Database:
    def __init__(self, url: str) -> None:
        """Raises BadInput for an address that is none, without repeating it: it may hold a password."""
        self._url = _parsed(url)
        self._engine = create_engine(self._url, pool_pre_ping=self.is_postgresql)
        self._reads = self._engine.execution_options(reads_only=True)
        self._turn = Lock()
        if not self.is_postgresql:
            event.listen(self._engine, "connect", _sqlite_settings)
            event.listen(self._engine, "begin", _sqlite_begin)

    @property
    def is_postgresql(self) -> bool:
        return self._url.get_backend_name() == "postgresql"

    @property
    def exists(self) -> bool:
        """False where SQLite would make an empty file of it."""
        return self.is_postgresql or Path(self._url.database or "").is_file()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _said(), self._reads.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One writer at a time, so that ``seq`` has no gap and a tree head means one thing. All or nothing."""
        with _said(), self._turn, self._engine.begin() as connection:
            if self.is_postgresql:
                connection.execute(_ALONE, {"wait": f"{PATIENCE * 1000:.0f}ms", "sleep": f"{PATIENCE * 500:.0f}ms"})
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError, ValueError):
        driver = ""
    if not driver:
        fix = "write postgresql://user@host/database, or leave it unset for SQLite in the home"
        raise BadInput("DSR_DATABASE_URL", "is no address of a database the office can use", fix)
    parsed = parsed.set(drivername=driver)
    if driver == DRIVERS["postgresql"]:
        # Without these a server whose machine is gone would be waited for until the system's own two hours are over.
        patient = {"connect_timeout": "10", "tcp_user_timeout": "30000", "keepalives_idle": "30"}
        parsed = parsed.set(query={**patient, **parsed.query})
    return parsed


@contextmanager
def _said() -> Iterator[None]:
    """The driver's own words stay here: they may quote a row, or the address with its password."""
    try:
        yield
        return
    except IntegrityError:
        raise
    except DBAPIError as error:
        code = str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or "")
    except NoConnection:
        code = "SQLITE_BUSY"
    words = next(words for begins, words in FAILURES if code.startswith(begins))
    raise DsrError(f"store: {words}; nothing is half-written") from None  # a with-block would chain the driver's


def _sqlite_settings(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    wait = f"busy_timeout={PATIENCE * 1000:.0f}"
    for pragma in (wait, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    """A transaction that reads before it writes would fail at once with "database is locked": writers say so first."""
    if connection.get_execution_options().get("reads_only", False):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout={POLL_MS}")
    last = time.monotonic() + PATIENCE
    try:
        while not _is_mine(connection, last):
            pass
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE * 1000:.0f}")


def _is_mine(connection: Connection, last: float) -> bool:
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        busy = str(getattr(error.orig, "sqlite_errorname", "")).startswith("SQLITE_BUSY")
        if not busy or time.monotonic() > last:
            raise
        return False
    return True
