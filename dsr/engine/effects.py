"""How a connector's effects reach the log: the intent before it happens, the result after; both on the disk."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from dsr.case import Act
from dsr.engine.office import Hold, Office
from dsr.errors import NotAllowed
from dsr.store import OFFICE

ALL = "*"


class CaseEffects:
    """Of one act on one system, for one case or several whose records one rewrite changes (EN-32): each with its step.

    An effect that began anew on another version of a file gets a new number: what was said first is never rewritten. A
    case's events count its own records, as if it had been alone, and alone it can go on from them.
    """

    def __init__(self, acts: Sequence[tuple[Hold, str]], system: str) -> None:
        self._acts, self._system, self._office = acts, system, acts[0][0].office

    def _said(self, place: str, phase: str) -> tuple[int, Mapping[str, Any] | None]:
        """The newest number of the effect with this phase, and what was said; of whichever cases have it."""
        best: tuple[int, Mapping[str, Any] | None] = (0, None)
        number = 1
        while self._of_all(place, number, "intent"):
            if told := self._of_all(place, number, phase):
                best = (number, _joined(told))
            number += 1
        return best

    def _of_all(self, place: str, number: int, phase: str) -> list[Mapping[str, Any]]:
        found = (self._office.store.said(hold.case_no, _key(step, place, number), phase) for hold, step in self._acts)
        return [_read(said["said"]) for said in found if said is not None]

    def begun(self, place: str) -> Mapping[str, Any] | None:
        number, said = self._said(place, "intent")
        if number <= self._said(place, "result")[0]:
            return None
        file, swap, _ = place.rpartition(":swap")
        return None if swap and self._never_swapped(file, place, number) else said

    def _never_swapped(self, file: str, place: str, number: int) -> bool:
        """Killed before it replaced the file: since then another case began from the very version we had found."""
        store, old = self._office.store, (self._said(file, "intent")[1] or {}).get("sha256")
        for hold, step in self._acts:
            key = _key(step, place, number)
            ours = [e.seq for e, _ in store.events(hold.case_no) if e.step_key == key]
            for other in store.busy_since(hold.case_no, key) if ours and old else ():
                later = (e for e, _ in store.events(other) if e.seq > ours[0] and e.phase == "intent")
                theirs = (e for e in later if re.sub(r"#\d+$", "", e.step_key).partition("@")[2] == file)
                if any(_read(json.loads(e.public)["said"]).get("sha256") == old for e in theirs):
                    return True
        return False

    def ended(self, place: str) -> Mapping[str, Any] | None:
        number, said = self._said(place, "result")
        if said is not None:  # a kill between two cases' events: the rest of them is recorded now
            self._record(place, number, "result", said)
        return said

    def intend(self, place: str, said: Mapping[str, Any]) -> None:
        running(self._office, self._system)
        number, before = self._said(place, "intent")
        number = number if number and before == dict(said) else number + 1
        self._record(place, number, "intent", said)

    def done(self, place: str, said: Mapping[str, Any]) -> None:
        self._record(place, max(1, self._said(place, "intent")[0]), "result", said)

    def _record(self, place: str, number: int, phase: Any, said: Mapping[str, Any]) -> None:
        for hold, step in self._acts:
            hold.record(Act(_key(step, place, number), phase, {"said": _written(_own(hold.case_no, said))}))


def _key(step: str, place: str, number: int) -> str:
    return f"{step}@{place}" + (f"#{number}" if number > 1 else "")


def _own(case_no: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the counts of other cases, which are none of this one's trail."""
    if "records" not in said:
        return said
    mine = {label: n for label, n in said["records"].items() if label.partition("#")[0] == case_no}
    return {**said, "records": mine}


def _joined(told: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    records = {label: n for said in told for label, n in said.get("records", {}).items()}
    return {**told[0], **({"records": records} if "records" in told[0] else {})}


def _written(said: Mapping[str, Any]) -> str:
    """As text: nanoseconds of a file are no number of canonical JSON (RFC 8785)."""
    return json.dumps(dict(said), sort_keys=True)


def _read(written: str) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], json.loads(written))


class LogEffects:
    """Of an act that belongs to no case in hand (a replay): told to the office's own log."""

    def __init__(self, office: Office, step: str, system: str) -> None:
        self._office, self._step, self._system = office, step, system

    def _said(self, place: str, phase: str) -> Mapping[str, Any] | None:
        said = self._office.store.said(OFFICE, f"{self._step}@{place}", phase)
        return None if said is None else _read(said["said"])

    def begun(self, place: str) -> Mapping[str, Any] | None:
        return self._said(place, "intent") if self._said(place, "result") is None else None

    def ended(self, place: str) -> Mapping[str, Any] | None:
        return self._said(place, "result")

    def intend(self, place: str, said: Mapping[str, Any]) -> None:
        running(self._office, self._system)
        self._record(place, "intent", said)

    def done(self, place: str, said: Mapping[str, Any]) -> None:
        self._record(place, "result", said)

    def _record(self, place: str, phase: Any, said: Mapping[str, Any]) -> None:
        act = Act(f"{self._step}@{place}", phase, {"said": _written(said)})
        self._office.store.log_alone(OFFICE, act, self._office.now, self._office.actor.name)


def running(office: Office, system: str) -> None:
    """Raises NotAllowed once the system, or everything, was stopped (EN-48)."""
    stops = office.store.stops()
    if ALL in stops or system in stops:
        raise NotAllowed(f"{system}: stopped; nothing new starts until dsr stop --lift {system}")
