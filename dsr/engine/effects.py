"""How a connector's effects reach the log: the intent before it happens, the result after; both on the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from dsr.case import Act
from dsr.engine.office import Hold, Office
from dsr.errors import NotAllowed
from dsr.store import OFFICE

ALL = "*"


class CaseEffects:
    """Of one act on one system, for one case or several whose records one rewrite changes (EN-32).

    An effect that began anew on another version of a file gets a new number: what was said first is never rewritten.
    """

    def __init__(self, holds: Sequence[Hold], step: str, system: str) -> None:
        self._holds, self._step, self._system = holds, step, system

    def _said(self, place: str, phase: str) -> tuple[int, Mapping[str, Any] | None]:
        """The newest number of the effect with this phase, and what was said; of whichever case has it."""
        best: tuple[int, Mapping[str, Any] | None] = (0, None)
        for hold in self._holds:
            number = 1
            while self._of(hold, place, number, "intent") is not None:
                said = self._of(hold, place, number, phase)
                best = (number, said) if said is not None and number > best[0] else best
                number += 1
        return best

    def _key(self, place: str, number: int) -> str:
        return f"{self._step}@{place}" + (f"#{number}" if number > 1 else "")

    def _of(self, hold: Hold, place: str, number: int, phase: str) -> Mapping[str, Any] | None:
        said = hold.office.store.said(hold.case_no, self._key(place, number), phase)
        return None if said is None else _read(said["said"])

    def begun(self, place: str) -> Mapping[str, Any] | None:
        number, said = self._said(place, "intent")
        return said if number > self._said(place, "result")[0] else None

    def ended(self, place: str) -> Mapping[str, Any] | None:
        number, said = self._said(place, "result")
        if said is not None:  # a kill between two cases' events: the rest of them is recorded now
            self._record(place, number, "result", said)
        return said

    def intend(self, place: str, said: Mapping[str, Any]) -> None:
        running(self._holds[0].office, self._system)
        number, before = self._said(place, "intent")
        number = number if number and before == dict(said) else number + 1
        self._record(place, number, "intent", said)

    def done(self, place: str, said: Mapping[str, Any]) -> None:
        self._record(place, max(1, self._said(place, "intent")[0]), "result", said)

    def _record(self, place: str, number: int, phase: Any, said: Mapping[str, Any]) -> None:
        for hold in self._holds:
            hold.record(Act(self._key(place, number), phase, {"said": _written(said)}))


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
