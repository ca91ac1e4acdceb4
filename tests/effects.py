"""Effects in a file that outlives a kill: what a writer said, in order, for tests of writers alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class FileEffects:
    """``at``: called with the name of each point around an event: ``before intent:PLACE``, ``within …`` (written, not
    yet named: the transaction before its commit), ``after …``; so for ``result``."""

    path: Path
    at: Callable[[str], None] = field(default=lambda _point: None)

    def lines(self) -> list[tuple[str, str, Any]]:
        """(phase, place, said)"""
        return [tuple(json.loads(line)) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def _last(self, place: str, phase: str) -> tuple[int, Any]:
        told = [(number, said) for number, (p, name, said) in enumerate(self.lines()) if (p, name) == (phase, place)]
        return told[-1] if told else (-1, None)

    def begun(self, place: str) -> Mapping[str, Any] | None:
        number, said = self._last(place, "intent")
        found: Mapping[str, Any] | None = said if number > self._last(place, "result")[0] else None
        return found

    def ended(self, place: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._last(place, "result")[1]
        return found

    def intend(self, place: str, said: Mapping[str, Any]) -> None:
        if self.begun(place) != dict(said):
            self._write("intent", place, said)

    def done(self, place: str, said: Mapping[str, Any]) -> None:
        self._write("result", place, said)

    def _write(self, phase: str, place: str, said: Mapping[str, Any]) -> None:
        self.at(f"before {phase}:{place}")
        before = self.path.read_text() if self.path.exists() else ""
        beside = self.path.with_suffix(".new")
        with beside.open("w") as out:
            out.write(before + json.dumps([phase, place, dict(said)]) + "\n")
            out.flush()
            os.fsync(out.fileno())
        self.at(f"within {phase}:{place}")
        beside.replace(self.path)
        self.at(f"after {phase}:{place}")
