"""Kills (or stops) real processes at every point of a command and runs it again: a program, for it must fork early.

``python -m tests.killing PLAN.json`` prints one JSON document. A *point* is a place around an effect: before a
transaction of the store, inside it before the commit, after it; before an object of the vault is written, when it is
written and not yet named, when it is named. Each is named by the transaction or object it belongs to. After the second
run the log, the case, the open work and every object of the vault as plain text must be those of a run never killed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from connectors.stores import sql_write
from dsr import store as stores
from dsr.case import Act
from dsr.documents.letters import face
from dsr.engine import office as offices
from dsr.engine.office import Office
from dsr.journal import Intent, Journal
from dsr.log import Event, Tree, verify_log
from dsr.store import Store
from dsr.vault import CaseVault, Keys, Vault
from flows import cli
from flows import home as homes

NOW = "2026-11-22T09:00+09:00"
SHORT_LEASE = 0.05


def in_the_home(home: Path) -> str:
    return f"sqlite:///{home / 'dsr.db'}"


database_of: Callable[[Path], str] = in_the_home
"""The store of a home; of PostgreSQL each home has a database of its own."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server, by the address of the database that the office under test was made with."""

    url: str

    def of(self, home: Path) -> str:
        return self.url.replace(f"/{self._name}?", f"/kill_{home.name}?")

    @property
    def _name(self) -> str:
        return self.url.partition("@/")[2].partition("?")[0]

    def copy(self, home: Path) -> None:
        maintenance = create_engine(self.url.replace(f"/{self._name}?", "/postgres?"), poolclass=NullPool)
        with maintenance.connect().execution_options(isolation_level="AUTOCOMMIT") as base:
            base.execute(text(f"DROP DATABASE IF EXISTS kill_{home.name} WITH (FORCE)"))
            base.execute(text(f"CREATE DATABASE kill_{home.name} TEMPLATE {self._name}"))


@dataclass(frozen=True)
class Ran:
    """How a child ended: the ``signal`` or its exit ``status``; what it said; which points it had passed."""

    pid: int
    signal: int
    status: int
    said: str
    points: list[str]


class Points:
    """Counts the places a child passes, in a file that outlives it, and sends it ``sign`` at the chosen one."""

    def __init__(self, trace: Path, at: int, sign: int) -> None:
        self._trace, self._at, self._sign, self._passed = trace.open("a"), at, sign, 0

    @property
    def next_is_last(self) -> bool:
        return self._passed + 1 == self._at and self._sign == signal.SIGKILL

    def __call__(self, name: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # the beat that keeps the lease
        self._passed += 1
        self._trace.write(name + "\n")
        self._trace.flush()
        if self._passed == self._at:
            os.kill(os.getpid(), self._sign)


def arm(point: Callable[[str], None], lease: float | None) -> None:
    """Puts a point around each transaction of the store and each object of the vault, in this process; and around what
    a writer does to a company's stores, and what is said of it in the replay journal."""
    write, writer, record = Store._write, CaseVault.writer, Store.record
    acting = [""]
    if lease:
        stores.LEASE_SECONDS = lease
        Office._beat = lambda *_: None  # type: ignore[method-assign]  # it sleeps with its process

    def recording(self: Store, held: Any, act: Act, *told: Any) -> Any:
        acting[0] = f" of {act.step_key} {act.phase}"
        try:
            return record(self, held, act, *told)
        finally:
            acting[0] = ""

    @contextmanager
    def writing(self: Store) -> Iterator[Any]:
        said = acting[0]
        point(f"before the transaction{said}")
        with write(self) as connection:
            yield connection
            point(f"before the commit{said}")
        point(f"after the commit{said}")

    @contextmanager
    def sealing(self: CaseVault, name: str) -> Iterator[Any]:
        point(f"before {name}")
        with writer(self, name) as out:
            yield out
            point(f"within {name}")
        point(f"after {name}")

    Store._write, Store.record, CaseVault.writer = writing, recording, sealing  # type: ignore[method-assign,assignment]
    _arm_writers(point)
    _arm_journal(point)


def _arm_writers(point: Callable[[str], None]) -> None:
    """The instant at which a store is another: the commit of its database, the rename of a file, a request."""
    transaction, replace, request = sql_write._transaction, os.replace, httpx.Client.request

    @contextmanager
    def changing(engine: Any) -> Iterator[Any]:
        with transaction(engine) as connection:
            yield connection
            point("before the effect sql")
        point("after the effect sql")

    def replacing(old: Any, new: Any, **how: Any) -> None:
        swaps = Path(new).suffix in (".parquet", ".gz", ".log")
        if swaps:
            point(f"before the effect {Path(new).suffix} {Path(new).name}")
        replace(old, new, **how)
        if swaps:
            point(f"after the effect {Path(new).suffix} {Path(new).name}")

    def asking(self: httpx.Client, method: str, *given: Any, **named: Any) -> httpx.Response:
        if method == "GET":
            return request(self, method, *given, **named)
        point("before the effect http")
        answer = request(self, method, *given, **named)
        point("after the effect http")
        return answer

    sql_write._transaction, os.replace = changing, replacing  # type: ignore[assignment]
    httpx.Client.request = asking  # type: ignore[method-assign]


def _arm_journal(point: Callable[[str], None]) -> None:
    """Around an append, and when half of a line, or of a key, is written."""
    append, write = Journal.append, Journal._write

    def appending(self: Journal, intent: Intent) -> None:
        point(f"before the journal {intent.dataset}")
        append(self, intent)
        point(f"after the journal {intent.dataset}")

    def writing(self: Journal, path: Path, data: bytes) -> None:
        kind = "key" if len(data) == 32 else "line"
        if point.next_is_last:  # type: ignore[attr-defined]
            write(self, path, data[: len(data) // 2])
        point(f"within the journal's {kind}")
        write(self, path, data)

    Journal.append, Journal._write = appending, writing  # type: ignore[method-assign]


def ready(home: Path) -> None:
    """Before the first fork: what is slow, pure and the same in every child of an office."""
    secrets = offices.secret_matches = functools.cache(offices.secret_matches)
    with create_engine(database_of(home), poolclass=NullPool).connect() as base:
        for name, stored in base.exec_driver_sql("SELECT name, secret_hash FROM officer"):
            if secret := os.environ.get(f"SECRET_{name}"):
                secrets(secret, stored)
    inventories = homes.read_inventory = functools.cache(homes.read_inventory)
    inventories(Path(homes.settings_of(home)["inventory"]))
    parser = cli._parser = functools.cache(cli._parser)
    parser()
    for hand in ("gothic", "gothic_bold", "fixed", "mincho"):
        face(hand)


def start(home: Path, argv: list[str], at: int = 0, sign: int = signal.SIGKILL, lease: float | None = None) -> int:
    """A real process running ``dsr`` on ``home``; its words and points go to files beside it."""
    trace, said = _notes(home)
    trace.write_text("")
    child = os.fork()
    if child == 0:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ["DSR_DATABASE_URL"] = database_of(home)
        os.environ.update(DSR_HOME=str(home), DSR_OFFICER=argv[0], DSR_SECRET=os.environ[f"SECRET_{argv[0]}"])
        try:
            arm(Points(trace, at, sign), lease)
            status = cli.main([*argv[1:], "--now", NOW, "--json"])
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(locals().get("status", 99))
    return child


def _notes(home: Path) -> tuple[Path, Path]:
    return home.with_suffix(".points"), home.with_suffix(".said")


def wait(home: Path, pid: int) -> Ran:
    """Until it ends or is stopped."""
    trace, said = _notes(home)
    _, status = os.waitpid(pid, os.WUNTRACED)
    sign = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
    ended = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    return Ran(pid, sign, ended, said.read_text(), trace.read_text().splitlines())


def run(home: Path, argv: list[str], at: int = 0, sign: int = signal.SIGKILL, lease: float | None = None) -> Ran:
    return wait(home, start(home, argv, at, sign, lease))


# -- what a home holds --------------------------------------------------------------------------------------------


def model(home: Path, keys: Path) -> dict[str, Any]:
    """Everything that counts, by name; equal models give equal packages. Values stand as digests."""
    held: dict[str, Any] = {}
    with create_engine(database_of(home), poolclass=NullPool).connect() as base:
        events = base.exec_driver_sql(
            'SELECT seq, case_no, step_key, phase, at, actor_id, public, sealed, leaf FROM "event" ORDER BY seq'
        ).fetchall()
        for seq, case, step, phase, *rest in events:
            key = f"event {case} {step} {phase}"
            held[key] = "twice" if key in held else _digest(repr((seq, rest)).encode())
        cases = 'SELECT case_no, "right", state, received_at, law_version, facts FROM "case"'
        for case_no, *rest in base.exec_driver_sql(cases):
            held[f"case {case_no}"] = _digest(repr(rest).encode())
        for case_no, what, *rest in base.exec_driver_sql("SELECT case_no, what, who, due FROM work"):
            held[f"work {case_no} {what}"] = rest
        holders = base.exec_driver_sql("SELECT count(*) FROM \"case\" WHERE holder != ''").scalar()
        kept = base.exec_driver_sql("SELECT last, size, peaks FROM tree").one()
    read = [(Event(*line[:8]), line[8]) for line in events]
    tree = Tree.kept(kept[1], bytes(kept[2]))
    held["problems of the trail"] = [f"{p.what} at {p.seq}" for p in verify_log(iter(read), kept=tree.head)]
    held["the kept tree ends with the log"] = kept[0] == max((line[0] for line in events), default=0)
    held["cases left held"] = holders
    for folder in sorted(home.glob("vault/DSR-*")):
        vault = Vault(home / "vault", Keys.load(keys)).case(folder.name)
        held |= {f"object {folder.name} {name}": _digest(vault.read(name)) for name in vault.names()}
        held[f"in the clear {folder.name}"] = len(list((folder / "scratch").glob("*")))
    return held


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def package(home: Path, argv: list[str], out: Path) -> str:
    """Digest of every byte of the package."""
    shutil.rmtree(out, ignore_errors=True)
    ran = run(home, [*argv, "--out", str(out)])
    assert ran.status == 0, ran.said
    return digest_of(out)


def digest_of(out: Path) -> str:
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return _digest(b"".join(f"{p.relative_to(out)} {_digest(p.read_bytes())}\n".encode() for p in files))


# -- the plan -----------------------------------------------------------------------------------------------------


@dataclass
class Plan:
    """``command`` is killed at the points whose name matches ``within``: from the ``first`` on, at every ``every``-th.
    Of ``packages`` runs one is taken on through ``after`` to the package."""

    home: Path
    work: Path
    keys: Path
    mode: str
    command: list[str]
    after: list[list[str]]
    package: list[str]
    every: int = 1
    first: int = 1
    within: str = ""
    packages: int = 1
    server: Server | None = None

    def fresh(self, name: str) -> Path:
        home = self.work / name
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.home, home)
        if self.server:
            self.server.copy(home)
        return home

    @property
    def out(self) -> Path:
        return self.work / "out"

    def finish(self, home: Path) -> str:
        for argv in self.after:
            ran = run(home, argv)
            assert ran.status == 0, ran.said
        return package(home, self.package, self.out) if self.package else ""

    def chosen(self, points: list[str]) -> list[int]:
        return [at for at, name in enumerate(points, 1) if re.search(self.within, name)][self.first - 1 :: self.every]


def killed(plan: Plan, at: int, home: Path, expected: dict[str, Any]) -> list[str]:
    ran = run(home, plan.command, at)
    if ran.signal != signal.SIGKILL:
        return [f"was not killed but ended with {ran.status}"]
    again = run(home, plan.command)
    # 1: what was asked is recorded already, so that the case is in its next state.
    return differences(model(home, plan.keys), expected) if again.status in (0, 1) else [again.said]


def stopped(plan: Plan, at: int, home: Path, expected: dict[str, Any]) -> list[str]:
    """Asleep past its lease; another does the work to the end; whatever the sleeper then does must be refused."""
    asleep = run(home, plan.command, at, signal.SIGSTOP, SHORT_LEASE)
    if asleep.signal != signal.SIGSTOP:
        return [f"was not stopped but ended with {asleep.status}"]
    time.sleep(SHORT_LEASE * 2)
    said = _notes(home)[1].rename(home.with_suffix(".asleep"))
    other = run(home, plan.command)
    before = model(home, plan.keys)
    os.kill(asleep.pid, signal.SIGCONT)
    _, status = os.waitpid(asleep.pid, 0)
    wrong = differences(before, expected) + differences(model(home, plan.keys), before)
    if other.status != 0:
        wrong.append(f"the second was refused: {other.said}")
    if os.WEXITSTATUS(status) != 1 or "another process took over" not in said.read_text():
        wrong.append(f"the sleeper was not refused: {os.WEXITSTATUS(status)} {said.read_text()}")
    return wrong


def busy(plan: Plan, at: int, home: Path, expected: dict[str, Any]) -> list[str]:
    """Asleep within its lease: a second process is told who has the case, and changes nothing."""
    asleep = run(home, plan.command, at, signal.SIGSTOP)
    said = _notes(home)[1].rename(home.with_suffix(".asleep"))
    before = model(home, plan.keys)
    other = run(home, plan.command)
    wrong = differences(model(home, plan.keys), before)
    os.kill(asleep.pid, signal.SIGCONT)
    _, status = os.waitpid(asleep.pid, 0)
    if other.status != 1 or f"another process is working on this case (pid {asleep.pid})" not in other.said:
        wrong.append(f"the second was not refused: {other.status} {other.said}")
    if os.WEXITSTATUS(status) != 0:
        wrong.append(f"the first did not end well: {said.read_text()}")
    return wrong + differences(model(home, plan.keys), expected)


def opened(plan: Plan, at: int, home: Path, expected: dict[str, Any]) -> list[str]:
    """Whoever is not answered opens again: one case for the letter, whole; if there are two, they are linked."""
    run(home, plan.command, at)
    again = run(home, plan.command)
    found = model(home, plan.keys)
    cases = [name for name in found if name.startswith("case DSR")]
    # The slip's word comes from the case's own key, so it is another in every home.
    same = {name for name in expected if name.startswith("work") or name.endswith("request.json")}
    wrong = [] if again.status == 0 else [again.said]
    wrong += [name for name in same if found.get(name) != expected[name]]
    wrong += [f"lacks {name}" for name in expected if name not in found] + found["problems of the trail"]
    if len(cases) > 1 and f'"linked_to": "{cases[0].removeprefix("case ")}"' not in again.said:
        wrong.append("two cases for one letter, not linked")
    return wrong


def taken(plan: Plan, at: int, home: Path, expected: dict[str, Any]) -> list[str]:
    """A package that is out is whole, also before anybody tried again; what was half-written goes."""
    run(home, plan.command, at)
    wrong = [] if not plan.out.exists() or digest_of(plan.out) == expected["out"] else ["half a package"]
    again = run(home, plan.command)
    if again.status == 2:  # it is there already
        assert "not an empty folder" in again.said
        shutil.rmtree(plan.out)
        again = run(home, plan.command)
    wrong += [] if again.status == 0 and digest_of(plan.out) == expected["out"] else [again.said]
    wrong += [path.name for path in plan.work.glob(".*.part")]
    left = differences({**model(home, plan.keys), "out": expected["out"]}, expected)
    return wrong + [name for name in left if " taken:2 " not in name]  # taken a second time, and so recorded


MODES = {"kill": killed, "stop": stopped, "busy": busy, "open": opened, "package": taken}


def main() -> None:
    global database_of
    told = json.loads(Path(sys.argv[1]).read_text())
    if told.get("server"):
        told["server"] = Server(told["server"])
        database_of = told["server"].of
    plan = Plan(**{**told, **{name: Path(told[name]) for name in ("home", "work", "keys")}})
    whole = plan.fresh("whole")
    ready(whole)
    ran = run(whole, plan.command)
    assert ran.status == 0, ran.said
    expected, wrong, tried = model(whole, plan.keys), {}, 0
    if plan.mode == "package":
        expected["out"] = digest_of(plan.out)
    digest = plan.finish(whole)
    for at in plan.chosen(ran.points):
        home, tried = plan.fresh("again"), tried + 1
        found = MODES[plan.mode](plan, at, home, expected)
        if not found and tried % plan.packages == 0 and plan.finish(home) != digest:
            found = ["other bytes"]
        if found:
            wrong[f"{at} {ran.points[at - 1]}"] = found
    print(json.dumps({"points": len(ran.points), "tried": tried, "wrong": wrong}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
