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
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, UniqueConstraint, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, SQLModel

from dsr import migrations
from dsr.case import EVERYTHING, Act, Case
from dsr.database import Database
from dsr.days import Interval
from dsr.errors import BadInput, Conflict, DsrError, as_id
from dsr.log import Event, Tree, TreeHead, canonical, leaf
from dsr.rules.filing import FILE
from dsr.rules.lifecycle import State
from dsr.suppression import ANY_TIME, Entry

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


class TreeRow(SQLModel, table=True):
    """The tree of the log up to the event ``last``, whose number is also its size unless events were lost."""

    __tablename__ = "tree"
    log: str = Field(primary_key=True)  # always TRAIL: one row
    last: int
    size: int
    peaks: bytes


class WorkRow(SQLModel, table=True):
    __tablename__ = "work"
    case_no: str = Field(primary_key=True)
    what: str = Field(primary_key=True)
    who: str
    due: str = Field(index=True)
    reminded: str = ""


class SuppressionRow(SQLModel, table=True):
    """``starts`` and ``ends`` are UTC instants, ``-`` where open; ``token`` is keyed (``dsr.suppression``)."""

    __tablename__ = "suppression"
    token: str = Field(primary_key=True)
    dataset: str = Field(primary_key=True)
    kind: str
    reason: str
    since: str
    starts: str = Field(primary_key=True)
    ends: str
    case_no: str = Field(primary_key=True)
    lifted: str = ""


class StopRow(SQLModel, table=True):
    __tablename__ = "stop"
    system: str = Field(primary_key=True)  # ``*`` for all
    since: str
    officer: str


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


TRAIL = "trail"
OFFICE = "office"
"""Case number under which the office's own acts stand in the log: officers, rounds, stops, lifted entries."""
CASE, EVENT, TREE, WORK, OFFICER, SUPPRESSION, STOP = (
    cast(Any, SQLModel.metadata.tables[name])
    for name in ("case", "event", "tree", "work", "officer", "suppression", "stop")
)
_ITS = EVENT.c.case_no == bindparam("no")
_STEP = (_ITS, EVENT.c.step_key == bindparam("step"), EVENT.c.phase == bindparam("phase"))
_CASE = select(CASE).where(CASE.c.case_no == bindparam("no"))
_HELD = _CASE.where(CASE.c.epoch == bindparam("held"))
_EPOCH = select(CASE.c.epoch).where(CASE.c.case_no == bindparam("no"))
_CHANGE = update(CASE).where(CASE.c.case_no == bindparam("no"), CASE.c.epoch == bindparam("held"))
_RECORDED, _SAID = select(EVENT.c.seq).where(*_STEP), select(EVENT.c.public).where(*_STEP)
_STEPS = select(EVENT.c.step_key, EVENT.c.phase).where(_ITS).order_by(EVENT.c.seq)
_LEDGER = _STEPS.add_columns(EVENT.c.public)
_KEPT = select(TREE)
_SINCE = select(EVENT.c.seq, EVENT.c.leaf).where(EVENT.c.seq > bindparam("last")).order_by(EVENT.c.seq)
_APPEND, _KEEP = insert(EVENT), update(TREE)
"""What every act asks, built once: a third of an act's time went into building and recognising its statements."""


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
    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def connect(cls, url: str) -> Store:
        return cls(Database(url))

    def vacant(self) -> None:
        """Raises BadInput where there is a store already: two homes in one database could not read each other's."""
        if self._database.exists:
            with self._read() as connection:
                found = migrations.revision_of(connection)
            if found:
                raise BadInput("DSR_DATABASE_URL", "the database holds an office already", "name an empty one")

    def create(self) -> None:
        with self._write() as connection:
            migrations.upgrade(connection)

    def upgrade(self) -> tuple[str, str]:
        """From which revision to which. Safe to run twice, and by two processes at once."""
        if not self._database.exists:
            raise _no_store()
        with self._write() as connection:
            found = migrations.revision_of(connection)
            if found in migrations.REVISIONS:
                migrations.upgrade(connection)
        if found not in migrations.REVISIONS:
            raise _newer() if found else _no_store()
        return found, migrations.NEWEST

    def ready(self) -> Store:
        """Itself. Raises DsrError where the tables are not those that this program reads."""
        if not self._database.exists:
            raise _no_store()
        with self._read() as connection:
            found = migrations.revision_of(connection)
        if found == migrations.NEWEST:
            return self
        if found in migrations.REVISIONS:
            raise DsrError("store: its tables are of an older release; stop dsr serve, take a backup, run dsr upgrade")
        raise _newer() if found else _no_store()

    def close(self) -> None:
        self._database.close()

    def _read(self) -> AbstractContextManager[Connection]:
        return self._database.read()

    def _write(self) -> AbstractContextManager[Connection]:
        return self._database.write()

    # -- cases ---------------------------------------------------------------------------------------------

    def next_case_no(self, year: int) -> str:
        with self._read() as connection:
            # Numbers of one shape only: in their order under every collation, and found by the index.
            of_year = CASE.c.case_no.between(f"DSR-{year}-000000", f"DSR-{year}-999999")
            last = connection.execute(select(func.max(CASE.c.case_no)).where(of_year)).scalar()
        return f"DSR-{year}-{int(last.rpartition('-')[2]) + 1 if last else 1:06d}"

    def open_case(self, case: Case, twin: str, act: Act, sealed: bytes, at: datetime, actor: str) -> None:
        """Raises Conflict when another process took the number in the meantime."""
        self.open_cases([(case, twin, act, sealed)], at, actor)

    def open_cases(self, opened: Sequence[tuple[Case, str, Act, bytes]], at: datetime, actor: str) -> None:
        """Case, twin, act, sealed: all cases of one letter, or none of them. Raises Conflict as ``open_case``."""
        numbers = [case.case_no for case, *_ in opened]
        with self._write() as connection:
            taken = connection.execute(select(CASE.c.case_no).where(CASE.c.case_no.in_(numbers))).scalar()
            for case, twin, act, sealed in [] if taken else opened:
                row = _row_of(case, twin, act)
                connection.execute(insert(CASE).values(**row))
                self._append(connection, case.case_no, _sealed_with(act, row), sealed, at, actor)
                _change_work(connection, case.case_no, act)
        if taken:
            raise Conflict(f"{taken}: the number was taken while this case was being opened; run open again")

    def case(self, case_no: str) -> Case:
        with self._read() as connection:
            row = connection.execute(_CASE, {"no": case_no}).mappings().first()
        if row is None:
            raise BadInput("case", f"no case '{as_id(case_no)}'", "see dsr list")
        return _case_of(row)

    def holds(self, case_no: str) -> bool:
        with self._read() as connection:
            return connection.execute(select(CASE.c.case_no).where(CASE.c.case_no == case_no)).scalar() is not None

    def cases(self, states: Collection[State] | None = None) -> list[Case]:
        """By number; ``states``: only those, without reading the others."""
        query = select(CASE).order_by(CASE.c.case_no)
        if states is not None:
            query = query.where(CASE.c.state.in_(sorted(states)))
        with self._read() as connection:
            return [_case_of(row) for row in connection.execute(query).mappings()]

    def twins(self, twin: str) -> list[Case]:
        with self._read() as connection:
            rows = connection.execute(select(CASE).where(CASE.c.twin == twin).order_by(CASE.c.case_no)).mappings()
            return [_case_of(row) for row in rows]

    # -- the lease -------------------------------------------------------------------------------------------

    def take(self, case_no: str) -> Lease:
        """Take the case for this process. Raises Conflict while another live process holds it."""
        mine, busy = this_process(), ""
        with self._write() as connection:
            row = connection.execute(_CASE, {"no": case_no}).mappings().first()
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
        with self._read() as connection:
            epoch = connection.execute(_EPOCH, {"no": lease.case_no}).scalar()
        if epoch != lease.epoch:
            raise Conflict(f"{lease.case_no}: another process took over this case; this one stops")

    def altered(self, case_no: str | None = None) -> list[str]:
        """Cases whose row is not what their last event left: somebody wrote past the log.

        An event of the first release says nothing of the row: such a case is proved from its next event on.
        """
        its = EVENT.alias()
        last = select(func.max(its.c.seq)).where(its.c.case_no == CASE.c.case_no).scalar_subquery()
        query = select(CASE, EVENT.c.public).select_from(CASE.outerjoin(EVENT, EVENT.c.seq == last))
        if case_no is not None:
            query = query.where(CASE.c.case_no == case_no)
        with self._read() as connection:
            rows = list(connection.execute(query).mappings())
        return [row["case_no"] for row in rows if _said_of_row(row) != _row_digest(row)]

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
            held = {"no": lease.case_no, "held": lease.epoch}
            row = connection.execute(_HELD, held).mappings().first()
            if row is not None:
                case = _case_of(row)
                if self._recorded(connection, lease.case_no, act):
                    return case
                case = case.after(act)
                changed = {"state": case.state.value, "facts": canonical(case.facts)}
                self._append(connection, lease.case_no, _sealed_with(act, {**row, **changed}), sealed, at, actor)
                _change_work(connection, lease.case_no, act)
                _suppress(connection, act.suppresses)
                connection.execute(_CHANGE, {**held, **changed, "lease_until": time.time() + LEASE_SECONDS})
                return case
        raise Conflict(f"{lease.case_no}: another process took over this case; this one stops")

    def _recorded(self, connection: Connection, case_no: str, act: Act) -> bool:
        its = {"no": case_no, "step": act.step_key, "phase": act.phase}
        return connection.execute(_RECORDED, its).scalar() is not None

    def _append(self, connection: Connection, case_no: str, act: Act, sealed: bytes, at: datetime, actor: str) -> None:
        tree, last = _tree(connection)
        seq = last + 1
        stamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        line = Event(seq, case_no, act.step_key, act.phase, stamp, actor, canonical(act.public), sealed)
        hashed = leaf(line)
        tree.append(hashed)
        connection.execute(_APPEND, {**vars(line), "leaf": hashed})
        _keep(connection, tree, seq)

    def log_alone(self, case_no: str, act: Act, at: datetime, actor: str) -> None:
        """An event that belongs to no case change (an officer added, the trail checked). Twice is once."""
        with self._write() as connection:
            if not self._recorded(connection, case_no, act):
                self._append(connection, case_no, act, b"", at, actor)

    def said(self, case_no: str, step_key: str, phase: str) -> dict[str, Any] | None:
        """The public part of one step, if it stands in the log."""
        with self._read() as connection:
            public = connection.execute(_SAID, {"no": case_no, "step": step_key, "phase": phase}).scalar()
        return None if public is None else cast(dict[str, Any], json.loads(public))

    def ledger(self, case_no: str) -> dict[tuple[str, str], dict[str, Any]]:
        """``(step_key, phase)`` → public part: what was begun and what ended."""
        with self._read() as connection:
            rows = connection.execute(_LEDGER, {"no": case_no})
            return {(step, phase): cast(dict[str, Any], json.loads(public)) for step, phase, public in rows}

    def steps(self, case_no: str) -> list[tuple[str, str]]:
        """The ledger's keys alone: what was said may be long."""
        with self._read() as connection:
            return [(step, phase) for step, phase in connection.execute(_STEPS, {"no": case_no})]

    def busy_since(self, case_no: str, step_key: str) -> list[str]:
        """Other cases of which anything was recorded since that step of this one."""
        mine = (EVENT.c.case_no == case_no, EVENT.c.step_key == step_key)
        with self._read() as connection:
            seq = connection.execute(select(func.min(EVENT.c.seq)).where(*mine)).scalar()
            query = select(EVENT.c.case_no).where(EVENT.c.seq > (seq or 0), EVENT.c.case_no.not_in((case_no, OFFICE)))
            return sorted(connection.execute(query.distinct()).scalars())

    def events(self, case_no: str | None = None) -> Iterator[tuple[Event, bytes]]:
        """Every event with its stored leaf, in order."""
        query = select(EVENT).order_by(EVENT.c.seq)
        if case_no is not None:
            query = query.where(EVENT.c.case_no == case_no)
        in_parts = {"yield_per": 1000}
        with self._read() as connection, connection.execute(query, execution_options=in_parts) as rows:
            for row in rows.mappings():
                fields = {
                    name: row[name] for name in ("seq", "case_no", "step_key", "phase", "at", "actor_id", "public")
                }
                yield Event(**fields, sealed=bytes(row["sealed"])), bytes(row["leaf"])

    def leaves(self) -> list[bytes]:
        with self._read() as connection:
            return [bytes(found) for found in connection.execute(select(EVENT.c.leaf).order_by(EVENT.c.seq)).scalars()]

    def head(self) -> TreeHead:
        """Of the kept tree: costs the same however long the log is. Raises CheckFailed when it is damaged."""
        with self._read() as connection:
            return _tree(connection)[0].head

    # -- open work -------------------------------------------------------------------------------------------

    def owe(self, works: Sequence[Work]) -> None:
        """Replaces work of the same case and name."""
        with self._write() as connection:
            for work in works:
                _owe(connection, work)

    def work(self, case_no: str | None = None) -> list[Work]:
        """What cases owe to their persons; not when their own data end (``files``)."""
        return self._work(case_no, WORK.c.what.not_like(f"{FILE}%"))

    def files(self, until: date | None = None, case_no: str | None = None) -> list[Work]:
        """What of cases' own data ends, and when; ``until``: what is due by that day."""
        return self._work(case_no, WORK.c.what.like(f"{FILE}%") & (WORK.c.due <= (until or date.max).isoformat()))

    def _work(self, case_no: str | None, which: Any) -> list[Work]:
        query = select(WORK).where(which)
        if case_no is not None:
            query = query.where(WORK.c.case_no == case_no)
        with self._read() as connection:
            found = [_work_of(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda work: (work.due, work.case_no, work.what))  # no database's own order of letters

    # -- what must not come back ---------------------------------------------------------------------------------

    def suppressions(self, tokens: Collection[str] | None = None) -> list[Entry]:
        query = select(SUPPRESSION).order_by(SUPPRESSION.c.since, SUPPRESSION.c.dataset)
        if tokens is not None:
            query = query.where(SUPPRESSION.c.token.in_(sorted(tokens)))
        with self._read() as connection:
            return [_entry_of(row) for row in connection.execute(query).mappings()]

    def lift(self, entries: Sequence[Entry], when: datetime, act: Act, at: datetime, actor: str) -> None:
        """Open entries end there, together with their event."""
        with self._write() as connection:
            for entry in entries:
                which = _same_entry(_entry_row(entry))
                connection.execute(update(SUPPRESSION).where(*which).values(lifted=when.isoformat()))
            if not self._recorded(connection, OFFICE, act):
                self._append(connection, OFFICE, act, b"", at, actor)

    # -- the emergency stop ----------------------------------------------------------------------------------------

    def stops(self) -> dict[str, str]:
        """System, or ``*`` for all → since when nothing new may start there."""
        with self._read() as connection:
            return {row.system: row.since for row in connection.execute(select(STOP))}

    def set_stop(self, system: str, stopped: bool, act: Act, at: datetime, actor: str) -> None:
        """Safe to call twice; each call stands in the log. What is stopped again was so since the first time."""
        with self._write() as connection:
            if not stopped:
                connection.execute(STOP.delete().where(STOP.c.system == system))
            elif connection.execute(select(STOP.c.since).where(STOP.c.system == system)).first() is None:
                connection.execute(insert(STOP).values(system=system, since=at.isoformat(), officer=actor))
            if not self._recorded(connection, OFFICE, act):  # at one instant
                self._append(connection, OFFICE, act, b"", at, actor)

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
        with self._read() as connection:
            return connection.execute(select(OFFICER.c.name).limit(1)).scalar() is not None

    def officer(self, name: str) -> tuple[str, str] | None:
        """Role and secret's hash."""
        with self._read() as connection:
            row = connection.execute(
                select(OFFICER.c.role, OFFICER.c.secret_hash).where(OFFICER.c.name == name)
            ).first()
        return (str(row[0]), str(row[1])) if row else None


def _no_store() -> BadInput:
    fix = "set it to the database this home was made with, or leave it unset for SQLite in the home"
    return BadInput("DSR_DATABASE_URL", "no office's store is there", fix)


def _newer() -> DsrError:
    return DsrError("store: its tables are of a newer release than this program; install that release")


def _tree(connection: Connection) -> tuple[Tree, int]:
    """The tree of the whole log, and the number of its last event: what is kept, and what was appended since.

    Nothing was, unless by a program of an older release; where no tree is kept, everything.
    """
    kept = connection.execute(_KEPT).mappings().first()
    tree, last = (Tree.kept(kept["size"], bytes(kept["peaks"])), int(kept["last"])) if kept else (Tree(), 0)
    for seq, one in connection.execute(_SINCE, {"last": last}):
        tree.append(bytes(one))
        last = int(seq)
    return tree, last


def _keep(connection: Connection, tree: Tree, last: int) -> None:
    values = {"last": last, "size": tree.size, "peaks": tree.peaks}
    if not connection.execute(_KEEP, values).rowcount:
        connection.execute(insert(TREE).values(log=TRAIL, **values))


def _row_digest(row: Any) -> str:
    """Of what a case's row says beside its lease: ids, codes, counts and days."""
    told = "\0".join(str(row[name]) for name in ("case_no", "right", "state", "received_at", "law_version", "facts"))
    return hashlib.sha256(told.encode()).hexdigest()


def _said_of_row(row: Any) -> str | None:
    return json.loads(row["public"]).get("row", _row_digest(row)) if row["public"] else None


def _row_of(case: Case, twin: str, act: Act) -> dict[str, Any]:
    return {
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
    if act.done:
        connection.execute(WORK.delete().where(ended))
    for what, who, due in act.owes:
        _owe(connection, Work(case_no, what, who, due))


def _suppress(connection: Connection, entries: Sequence[Entry]) -> None:
    for entry in entries:
        row = _entry_row(entry)
        connection.execute(SUPPRESSION.delete().where(*_same_entry(row)))
        connection.execute(insert(SUPPRESSION).values(**row))


def _same_entry(row: dict[str, str]) -> list[Any]:
    return [SUPPRESSION.c[name] == row[name] for name in ("token", "dataset", "starts", "case_no")]


def _entry_row(entry: Entry) -> dict[str, str]:
    edges = {name: edge.astimezone(UTC).isoformat() if edge else ANY_TIME
             for name, edge in (("starts", entry.interval.start), ("ends", entry.interval.end))}  # fmt: skip
    return {"token": entry.token, "dataset": entry.dataset, "kind": entry.kind, "reason": entry.reason,
            "since": entry.since.isoformat(), **edges, "case_no": entry.case_no, "lifted": ""}  # fmt: skip


def _entry_of(row: Any) -> Entry:
    starts, ends = (None if row[n] == ANY_TIME else datetime.fromisoformat(row[n]) for n in ("starts", "ends"))
    lifted = datetime.fromisoformat(row["lifted"]) if row["lifted"] else None
    since = datetime.fromisoformat(row["since"])
    return Entry(row["token"], row["dataset"], row["kind"], row["reason"], since, Interval(starts, ends),
                 row["case_no"], lifted)  # fmt: skip


def _work_of(row: Any) -> Work:
    reminded = date.fromisoformat(row["reminded"]) if row["reminded"] else None
    return Work(row["case_no"], row["what"], row["who"], date.fromisoformat(row["due"]), reminded)


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
