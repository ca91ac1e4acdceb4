"""The privacy office at work: a home, its store, vault and inventory, the officer acting and the clock.

Every step records through a ``Hold``: the lease on one case. A step that has a result is not done again; one that has
an intent only is looked at again (architecture.md, Ledger).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dsr import store
from dsr.case import Act, Case
from dsr.connector import Connector, Scratch
from dsr.days import TOKYO
from dsr.errors import CheckFailed, DsrError, NotAllowed
from dsr.inventory import Inventory, System
from dsr.journal import Journal
from dsr.names.person import Person
from dsr.plan import Surveyor
from dsr.request import Request
from dsr.rules import filing, lifecycle, protection
from dsr.rules.clocks import Calendar
from dsr.rules.lifecycle import State
from dsr.store import Lease, Store
from dsr.vault import CaseVault, Keys, Vault

Connect = Callable[[Callable[[str], Any], Scratch], Mapping[str, Connector]]
"""Given how to find a manual system's answer and where a store may spill, the connectors by system; built by flows."""


def _nobody_looks(system: System) -> Surveyor:
    raise NotAllowed(f"{system.name}: nobody is there to survey it; nothing may be erased")


@dataclass(frozen=True)
class Officer:
    name: str
    role: str


ENGINE = Officer("engine", "engine")


@dataclass(frozen=True)
class Office:
    home: Path
    store: Store
    vault: Vault
    keys: Keys = field(repr=False)
    inventory: Inventory
    connect: Connect = field(repr=False)
    actor: Officer
    clock: Callable[[], datetime]
    rehearsal: bool = False
    production: bool = False
    tries: int = 3
    """How often a system that does not answer is asked within one collection."""
    sleep: Callable[[float], None] = field(default=lambda _seconds: None, repr=False)
    survey: Callable[[System], Surveyor] = field(default=_nobody_looks, repr=False)
    """Who looks at a system by another road than its connector; built by flows."""

    dialect: Callable[[System], str] = field(default=lambda system: system.store, repr=False)
    """``sqlite`` or ``postgresql`` for a system of SQL, else its kind of store."""
    journal_at: tuple[Path, Path] | None = None
    """Folders of the replay journal and of its keys; by default in the home."""

    @cached_property
    def journal(self) -> Journal:
        return Journal(*(self.journal_at or (self.home / "journal", self.home / "journal" / "keys")))

    @property
    def now(self) -> datetime:
        return self.clock()

    @property
    def today(self) -> date:
        return self.now.astimezone(TOKYO).date()

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(self.inventory.company.closing_days)

    def may(self, act: str) -> None:
        """Raises NotAllowed, naming the roles that may."""
        if self.actor != ENGINE and not lifecycle.allowed(self.actor.role, act):
            roles = " or ".join(sorted(lifecycle.ROLES[act]))
            raise NotAllowed(f"{act}: not open to the role {self.actor.role}; sign in as {roles}")

    @contextmanager
    def hold(self, case_no: str) -> Iterator[Hold]:
        """The case is this process's until the block ends. Raises Conflict while another process holds it."""
        with self.beating() as kept, self.held(case_no, kept) as hold:
            yield hold

    @contextmanager
    def held(self, case_no: str, kept: set[Lease]) -> Iterator[Hold]:
        """As ``hold``, for one of many cases whose leases one ``beating`` keeps."""
        lease = self.store.take(case_no)
        kept.add(lease)
        try:
            if self.store.altered(case_no):
                raise CheckFailed(f"{case_no}: its row in the store is not what the log left; run dsr trail verify")
            self._must_have_file(case_no)
            vault = self.vault.case(case_no, fence=lambda: self.store.check(lease))
            vault.sweep()
            yield Hold(self, lease, vault)
        finally:
            kept.discard(lease)
            self.store.release(lease)

    def _must_have_file(self, case_no: str) -> None:
        """Raises NotAllowed for a case of which the log alone is left."""
        if ended := self.store.case(case_no).facts.get("file_ended_on"):
            raise NotAllowed(f"{case_no}: its file ended on {ended} and nothing of it can be opened any more; the log "
                             f"keeps its days and counts: dsr show {case_no}")  # fmt: skip

    @contextmanager
    def beating(self) -> Iterator[set[Lease]]:
        """Renews the leases that are put into the set, until the block ends."""
        kept: set[Lease] = set()
        ended = threading.Event()
        beat = threading.Thread(target=self._beat, args=(kept, ended), daemon=True)
        beat.start()
        try:
            yield kept
        finally:
            ended.set()
            beat.join()

    def _beat(self, kept: set[Lease], ended: threading.Event) -> None:
        """A long step keeps its lease; a process that sleeps (SIGSTOP) does not, and finds out when it records."""
        while not ended.wait(store.LEASE_SECONDS / 3):
            for lease in tuple(kept):
                with suppress(DsrError):  # lost: said by the next record. A store that is away may be back next time
                    self.store.keep(lease)


@dataclass(frozen=True)
class Hold:
    """One case in hand: its lease, its sealed folder and how to record."""

    office: Office
    lease: Lease
    vault: CaseVault

    @property
    def case_no(self) -> str:
        return self.lease.case_no

    @property
    def case(self) -> Case:
        return self.office.store.case(self.case_no)

    def ledger(self) -> dict[tuple[str, str], dict[str, Any]]:
        return self.office.store.ledger(self.case_no)

    def steps(self) -> list[tuple[str, str]]:
        return self.office.store.steps(self.case_no)

    def result(self, step_key: str) -> dict[str, Any] | None:
        """The public part, as the step gave it: that it was rehearsed is the log's, and no part of what was found."""
        found = self.office.store.said(self.case_no, step_key, "result")
        own = ("rehearsal", "row")
        return None if found is None else {name: said for name, said in found.items() if name not in own}

    def record(self, act: Act) -> Case:
        public = {**act.public, "rehearsal": True} if self.office.rehearsal else dict(act.public)
        if act.to in filing.ENDS and (case := self.case).state is not act.to:
            days = self.office.inventory.company.complaint_days
            owed = filing.owed(act.to, {**case.facts, **act.facts}, self.office.today, days)
            act = replace(act, owes=(*act.owes, *owed))
        if act.to and (owed := protection.owed(self.case.facts, act.to, self.office.today)):
            act = replace(act, owes=(*act.owes, *owed))  # whatever ends the case, a protective act is lifted with it
        sealed = self.vault.seal(f"{act.step_key}/{act.phase}", act.secret) if act.secret else b""
        return self.office.store.record(
            self.lease, replace(act, public=public), sealed, self.office.now, self.office.actor.name
        )

    def once(
        self,
        step_key: str,
        work: Callable[[], tuple[Mapping[str, Any], Act | None]],
        public: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Do a step that may be run twice: intent, work, result. ``work`` gives the result's public part."""
        done = self.result(step_key)
        if done is not None:
            return done
        self.record(Act(step_key, "intent", public or {}))
        found, act = work()
        self.record(replace(act, step_key=step_key, public=found) if act else Act(step_key, "result", found))
        return found

    def require(self, *states: State) -> Case:
        case = self.case
        if case.state not in states:
            wanted = " or ".join(state.value for state in states)
            raise NotAllowed(
                f"{self.case_no} is in state {case.state.value}; this needs {wanted}. See: dsr show {self.case_no}"
            )
        return case

    def must_be_another(self, act: str) -> None:
        """The second person is another than who decided; an attempt stands in the log (EN-18). Raises NotAllowed."""
        try:
            lifecycle.must_differ(self.case.facts["decided_by"], self.office.actor.name)
        except NotAllowed:
            self.note_denied({"act": act})
            raise

    def note_denied(self, public: Mapping[str, Any]) -> None:
        number = 1 + sum(step.startswith("denied:") for step, _ in self.steps())
        self.record(Act(f"denied:{number}", "result", public))

    def must_be_whole(self) -> None:
        """Raises NotAllowed once package and working data ended."""
        if ended := self.case.facts.get("working_ended_on"):
            raise NotAllowed(f"{self.case_no}: its package and working data were destroyed on {ended}, after the days "
                             "to complain; what is asked for anew is a new request: dsr open")  # fmt: skip

    # -- what is in the sealed folder ----------------------------------------------------------------------

    def read_json(self, name: str) -> Any:
        return json.loads(self.vault.read(name))

    def write_json(self, name: str, value: object) -> None:
        self.vault.write(name, json.dumps(value, ensure_ascii=False, sort_keys=True).encode())

    @cached_property
    def request(self) -> Request:
        return Request.model_validate(self.read_json("request.json"))

    @property
    def method(self) -> str:
        """How the answer is given: as asked for, or as agreed since (M-2)."""
        return str(self.case.facts["method"])

    @cached_property
    def person(self) -> Person:
        return Person.of(self.request)

    @cached_property
    def connectors(self) -> Mapping[str, Connector]:
        from dsr.request import SearchAnswer

        def answer(system: str) -> SearchAnswer | None:
            name = f"answers/{system}.json"
            return SearchAnswer.model_validate(self.read_json(name)) if self.vault.exists(name) else None

        return self.office.connect(answer, self.vault.scratch)


def digest_of(value: object) -> str:
    """SHA-256 of a value of ids and counts, for plans; never of anything personal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


# -- officers' secrets --------------------------------------------------------------------------------------------

_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


def secret_hash(secret: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{hashlib.scrypt(secret.encode(), salt=salt, **_SCRYPT).hex()}"


def secret_matches(secret: str, stored: str) -> bool:
    salt, _, expected = stored.partition(":")
    found = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex()
    return hmac.compare_digest(found, expected)


def sign_in(store: Store, name: str, secret: str) -> Officer:
    """Raises NotAllowed with the same words for an unknown officer and a wrong secret."""
    found = store.officer(name)
    # An unknown name costs the same time as a wrong secret.
    matches = secret_matches(secret, found[1] if found else secret_hash("nobody"))
    if found is None or not matches:
        raise NotAllowed(
            "officer: the name or the secret is wrong; check DSR_OFFICER and DSR_SECRET, or dsr login NAME"
        )
    return Officer(name, found[0])
