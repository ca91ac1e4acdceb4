"""Cases, their log, open work and officers in a relational store: few tables, no subject's personal column in any.

SQLite by default, PostgreSQL by URL. A case changes only together with its event, in one transaction that also
checks the caller's epoch, so that a process which lost its lease can write nothing more.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, UniqueConstraint, event, func, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Field, SQLModel, create_engine

from dsr.case import EVERYTHING, Act, Case
from dsr.errors import BadInput, Conflict, DsrError, as_id
from dsr.log import Event, TreeHead, canonical, leaf, root
from dsr.rules.lifecycle import State

LEASE_SECONDS = 60.0


class CaseRow(SQLModel, table=True):
    __tablename__ = "case"
    case_no: str = Field(primary_key=True)
    right: str
    state: str = Field(index=True)
    received_at: str
    law_version: str
    twin: str = Field(index=True)  # keyed digest of who asks for what: finds the same request twice
    facts: str = "{}"
    epoch: int = 0
    holder: str = ""
    lease_until: float = 0.0


class EventRow(SQLModel, table=True):
    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("case_no", "step_key", "phase"),)
    seq: int = Field(primary_key=True)
    case_no: str = Field(index=True)
    step_key: str
    phase: str
    at: str
    actor_id: str
    public: str
    sealed: bytes
    leaf: bytes


class WorkRow(SQLModel, table=True):
    __tablename__ = "work"
    case_no: str = Field(primary_key=True)
    what: str = Field(primary_key=True)
    who: str
    due: str = Field(index=True)
    reminded: str = ""


class OfficerRow(SQLModel, table=True):
    __tablename__ = "officer"
    name: str = Field(primary_key=True)
    role: str
    secret_hash: str


@dataclass(frozen=True)
class Work:
    """Something a person or the engine owes a case by a day; ``who`` is a role."""

    case_no: str
    what: str
    who: str
    due: date
    reminded: date | None = None


@dataclass(frozen=True)
class Lease:
    """The right to write to one case until somebody else's epoch is higher."""

    case_no: str
    epoch: int


def _tables() -> tuple[Any, Any, Any, Any]:
    tables = SQLModel.metadata.tables
    return tables["case"], tables["event"], tables["work"], tables["officer"]


CASE, EVENT, WORK, OFFICER = _tables()


def this_process() -> str:
    """Names a process so that its death can be noticed: host, pid and the process's own start."""
    try:
        started = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        started = "0"
    return f"{socket.gethostname()}:{os.getpid()}:{started}"


def _dead(holder: str) -> bool:
    """True only when the holder surely is gone: same host, and no such process or a younger one of that number."""
    host, _, rest = holder.rpartition(":")
    host, _, pid = host.rpartition(":")
    if host != socket.gethostname() or not Path("/proc").is_dir():
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] != rest
    except OSError:
        return True


class Store:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = engine.execution_options(reads_only=True)

    @classmethod
    def connect(cls, url: str) -> Store:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql" and parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        sqlite = parsed.get_backend_name() == "sqlite"
        engine = create_engine(parsed, connect_args={"timeout": 30} if sqlite else {})
        if sqlite:
            event.listen(engine, "connect", _sqlite_settings)
            event.listen(engine, "begin", _begin_immediate)
        return cls(engine)

    def create(self) -> None:
        SQLModel.metadata.create_all(self._engine, tables=list(_tables()))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One writer at a time, so that ``seq`` has no gap and a tree head means one thing."""
        try:
            with self._engine.begin() as connection:
                if self._engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(44500)"))
                yield connection
            return
        except OperationalError as error:
            full = "full" in str(error.orig)
        raise DsrError(
            "store: the disk is full; free space and run the command again; nothing is half-written"
            if full
            else "store: the database does not answer; check DSR_DATABASE_URL or the home's disk"
        )

    # -- cases ---------------------------------------------------------------------------------------------

    def next_case_no(self, year: int) -> str:
        with self._reads.connect() as connection:
            last = connection.execute(
                select(func.max(CASE.c.case_no)).where(CASE.c.case_no.like(f"DSR-{year}-%"))
            ).scalar()
        return f"DSR-{year}-{int(last.rpartition('-')[2]) + 1 if last else 1:06d}"

    def open_case(self, case: Case, twin: str, act: Act, sealed: bytes, at: datetime, actor: str) -> None:
        """Raises Conflict when another process took the number in the meantime."""
        row = {
            "case_no": case.case_no,
            "right": case.right,
            "state": case.state.value,
            "twin": twin,
            "received_at": case.received_at.isoformat(),
            "law_version": case.law_version,
            "facts": canonical({**case.facts, **act.facts}),
            "epoch": 0,
            "holder": "",
            "lease_until": 0.0,
        }
        taken = False
        with self._write() as connection:
            if connection.execute(select(CASE.c.case_no).where(CASE.c.case_no == case.case_no)).scalar():
                taken = True
            else:
                connection.execute(insert(CASE).values(**row))
                self._append(connection, case.case_no, _sealed_with(act, row), sealed, at, actor)
                _change_work(connection, case.case_no, act)
        if taken:
            raise Conflict(f"{case.case_no}: the number was taken while this case was being opened; run open again")

    def case(self, case_no: str) -> Case:
        with self._reads.connect() as connection:
            row = connection.execute(select(CASE).where(CASE.c.case_no == case_no)).mappings().first()
        if row is None:
            raise BadInput("case", f"no case '{as_id(case_no)}'", "see dsr list")
        return _case_of(row)

    def cases(self) -> list[Case]:
        with self._reads.connect() as connection:
            return [_case_of(row) for row in connection.execute(select(CASE).order_by(CASE.c.case_no)).mappings()]

    def twins(self, twin: str) -> list[Case]:
        with self._reads.connect() as connection:
            rows = connection.execute(select(CASE).where(CASE.c.twin == twin).order_by(CASE.c.case_no)).mappings()
            return [_case_of(row) for row in rows]

    # -- the lease -------------------------------------------------------------------------------------------

    def take(self, case_no: str) -> Lease:
        """Take the case for this process. Raises Conflict while another live process holds it."""
        mine, busy = this_process(), ""
        with self._write() as connection:
            row = connection.execute(select(CASE).where(CASE.c.case_no == case_no)).mappings().first()
            if row is None:
                raise BadInput("case", f"no case '{as_id(case_no)}'", "see dsr list")
            if row["holder"] and row["lease_until"] > time.time() and not _dead(row["holder"]):
                busy = row["holder"]
            else:
                connection.execute(
                    update(CASE)
                    .where(CASE.c.case_no == case_no)
                    .values(epoch=row["epoch"] + 1, holder=mine, lease_until=time.time() + LEASE_SECONDS)
                )
        if busy:
            raise Conflict(
                f"{case_no}: another process is working on this case (pid {busy.split(':')[-2]}); wait until it ends"
            )
        return Lease(case_no, int(row["epoch"]) + 1)

    def keep(self, lease: Lease) -> None:
        """Renew. Raises Conflict once somebody else took the case."""
        with self._write() as connection:
            kept = connection.execute(
                update(CASE)
                .where(CASE.c.case_no == lease.case_no, CASE.c.epoch == lease.epoch)
                .values(lease_until=time.time() + LEASE_SECONDS)
            ).rowcount
        if not kept:
            raise Conflict(f"{lease.case_no}: another process took over this case; this one stops")

    def check(self, lease: Lease) -> None:
        """Raises Conflict once somebody else took the case."""
        with self._reads.connect() as connection:
            epoch = connection.execute(select(CASE.c.epoch).where(CASE.c.case_no == lease.case_no)).scalar()
        if epoch != lease.epoch:
            raise Conflict(f"{lease.case_no}: another process took over this case; this one stops")

    def altered(self, case_no: str | None = None) -> list[str]:
        """Cases whose row is not what their last event left: somebody wrote past the log."""
        last = select(func.max(EVENT.c.seq).label("seq")).group_by(EVENT.c.case_no).subquery()
        said = select(EVENT.c.case_no, EVENT.c.public).join(last, EVENT.c.seq == last.c.seq).subquery()
        query = select(CASE, said.c.public).outerjoin(said, said.c.case_no == CASE.c.case_no)
        if case_no is not None:
            query = query.where(CASE.c.case_no == case_no)
        with self._reads.connect() as connection:
            rows = list(connection.execute(query).mappings())
        return [row["case_no"] for row in rows if json.loads(row["public"] or "{}").get("row") != _row_digest(row)]

    def release(self, lease: Lease) -> None:
        with self._write() as connection:
            connection.execute(
                update(CASE)
                .where(CASE.c.case_no == lease.case_no, CASE.c.epoch == lease.epoch)
                .values(holder="", lease_until=0.0)
            )

    # -- the log ---------------------------------------------------------------------------------------------

    def record(self, lease: Lease, act: Act, sealed: bytes, at: datetime, actor: str) -> Case:
        """Append the act and change the case, together or not at all. A second time the same step is a no-op."""
        with self._write() as connection:
            row = (
                connection.execute(select(CASE).where(CASE.c.case_no == lease.case_no, CASE.c.epoch == lease.epoch))
                .mappings()
                .first()
            )
            if row is not None:
                case = _case_of(row)
                if self._recorded(connection, lease.case_no, act):
                    return case
                case = case.after(act)
                changed = {"state": case.state.value, "facts": canonical(case.facts)}
                self._append(connection, lease.case_no, _sealed_with(act, {**row, **changed}), sealed, at, actor)
                _change_work(connection, lease.case_no, act)
                connection.execute(
                    update(CASE)
                    .where(CASE.c.case_no == lease.case_no, CASE.c.epoch == lease.epoch)
                    .values(**changed, lease_until=time.time() + LEASE_SECONDS)
                )
                return case
        raise Conflict(f"{lease.case_no}: another process took over this case; this one stops")

    def _recorded(self, connection: Connection, case_no: str, act: Act) -> bool:
        found = connection.execute(
            select(EVENT.c.seq).where(
                EVENT.c.case_no == case_no, EVENT.c.step_key == act.step_key, EVENT.c.phase == act.phase
            )
        ).scalar()
        return found is not None

    def _append(self, connection: Connection, case_no: str, act: Act, sealed: bytes, at: datetime, actor: str) -> None:
        seq = int(connection.execute(select(func.coalesce(func.max(EVENT.c.seq), 0))).scalar_one()) + 1
        stamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        line = Event(seq, case_no, act.step_key, act.phase, stamp, actor, canonical(act.public), sealed)
        connection.execute(
            insert(EVENT).values(
                seq=seq,
                case_no=case_no,
                step_key=act.step_key,
                phase=act.phase,
                at=stamp,
                actor_id=actor,
                public=line.public,
                sealed=sealed,
                leaf=leaf(line),
            )
        )

    def log_alone(self, case_no: str, act: Act, at: datetime, actor: str) -> None:
        """An event that belongs to no case change (an officer added, the trail checked). Twice is once."""
        with self._write() as connection:
            if not self._recorded(connection, case_no, act):
                self._append(connection, case_no, act, b"", at, actor)

    def said(self, case_no: str, step_key: str, phase: str) -> dict[str, Any] | None:
        """The public part of one step, if it stands in the log."""
        one = (EVENT.c.case_no == case_no, EVENT.c.step_key == step_key, EVENT.c.phase == phase)
        with self._reads.connect() as connection:
            public = connection.execute(select(EVENT.c.public).where(*one)).scalar()
        return None if public is None else cast(dict[str, Any], json.loads(public))

    def ledger(self, case_no: str) -> dict[tuple[str, str], dict[str, Any]]:
        """``(step_key, phase)`` → public part: what was begun and what ended."""
        with self._reads.connect() as connection:
            rows = connection.execute(
                select(EVENT.c.step_key, EVENT.c.phase, EVENT.c.public)
                .where(EVENT.c.case_no == case_no)
                .order_by(EVENT.c.seq)
            )
            return {(step, phase): cast(dict[str, Any], json.loads(public)) for step, phase, public in rows}

    def events(self, case_no: str | None = None) -> Iterator[tuple[Event, bytes]]:
        """Every event with its stored leaf, in order."""
        query = select(EVENT).order_by(EVENT.c.seq)
        if case_no is not None:
            query = query.where(EVENT.c.case_no == case_no)
        with self._reads.connect() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query).mappings():
                fields = {
                    name: row[name] for name in ("seq", "case_no", "step_key", "phase", "at", "actor_id", "public")
                }
                yield Event(**fields, sealed=bytes(row["sealed"])), bytes(row["leaf"])

    def leaves(self) -> list[bytes]:
        with self._reads.connect() as connection:
            return [bytes(found) for found in connection.execute(select(EVENT.c.leaf).order_by(EVENT.c.seq)).scalars()]

    def head(self) -> TreeHead:
        leaves = self.leaves()
        return TreeHead(len(leaves), root(leaves))

    # -- open work -------------------------------------------------------------------------------------------

    def owe(self, works: Sequence[Work]) -> None:
        """Replaces work of the same case and name."""
        with self._write() as connection:
            for work in works:
                _owe(connection, work)

    def work(self, case_no: str | None = None) -> list[Work]:
        query = select(WORK).order_by(WORK.c.due, WORK.c.case_no, WORK.c.what)
        if case_no is not None:
            query = query.where(WORK.c.case_no == case_no)
        with self._reads.connect() as connection:
            return [
                Work(
                    row["case_no"],
                    row["what"],
                    row["who"],
                    date.fromisoformat(row["due"]),
                    date.fromisoformat(row["reminded"]) if row["reminded"] else None,
                )
                for row in connection.execute(query).mappings()
            ]

    # -- officers --------------------------------------------------------------------------------------------

    def add_officer(self, name: str, role: str, secret_hash: str) -> None:
        exists = False
        try:
            with self._write() as connection:
                connection.execute(insert(OFFICER).values(name=name, role=role, secret_hash=secret_hash))
        except IntegrityError:
            exists = True
        if exists:
            raise BadInput("name", "there is such an officer already", "choose another name")

    def has_officers(self) -> bool:
        with self._reads.connect() as connection:
            return connection.execute(select(OFFICER.c.name).limit(1)).scalar() is not None

    def officer(self, name: str) -> tuple[str, str] | None:
        """Role and secret's hash."""
        with self._reads.connect() as connection:
            row = connection.execute(
                select(OFFICER.c.role, OFFICER.c.secret_hash).where(OFFICER.c.name == name)
            ).first()
        return (str(row[0]), str(row[1])) if row else None


def _row_digest(row: Any) -> str:
    """Of what a case's row says beside its lease: ids, codes, counts and days."""
    told = "\0".join(str(row[name]) for name in ("case_no", "right", "state", "received_at", "law_version", "facts"))
    return hashlib.sha256(told.encode()).hexdigest()


def _sealed_with(act: Act, row: Any) -> Act:
    """The act, with what it leaves of the case: the tree then proves the row too."""
    return replace(act, public={**act.public, "row": _row_digest(row)})


def _owe(connection: Connection, work: Work) -> None:
    connection.execute(WORK.delete().where(WORK.c.case_no == work.case_no, WORK.c.what == work.what))
    reminded = work.reminded.isoformat() if work.reminded else ""
    connection.execute(
        insert(WORK).values(
            case_no=work.case_no, what=work.what, who=work.who, due=work.due.isoformat(), reminded=reminded
        )
    )


def _change_work(connection: Connection, case_no: str, act: Act) -> None:
    ended = WORK.c.case_no == case_no
    if act.done != EVERYTHING:
        ended &= WORK.c.what.in_(act.done)
    connection.execute(WORK.delete().where(ended))
    for what, who, due in act.owes:
        _owe(connection, Work(case_no, what, who, due))


def _case_of(row: Any) -> Case:
    return Case(
        row["case_no"],
        row["right"],
        State(row["state"]),
        datetime.fromisoformat(row["received_at"]),
        row["law_version"],
        int(row["epoch"]),
        json.loads(row["facts"]),
    )


def _sqlite_settings(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads before it writes would otherwise fail at once with "database is locked".
    reads = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
