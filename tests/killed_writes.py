"""Carries out plans in children that kill themselves at a named point: a program, for it must fork early.

``python -m tests.killed_writes`` reads one JSON line per run (``inventory``, ``dataset``, ``environment``, ``keys``,
``values``, ``log``, ``at``) and answers with one: the ``signal`` that ended the child, or its receipts' counts.

Points: those of ``tests.effects``; ``before DELETE``, ``after DELETE`` (UPDATE, PATCH too) around a statement or a
request, ``#2`` for the second one; ``before the commit`` of the company's database.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from sqlalchemy import Engine, event

from connectors.build import connect
from dsr.connector import Writes
from dsr.inventory import read_inventory
from dsr.plan import Plan
from tests.effects import FileEffects

CHANGING = ("DELETE", "UPDATE", "PATCH")


class Death:
    """Counts the points that are passed, and is there at the chosen one."""

    def __init__(self, at: str) -> None:
        self._at, self._passed = at, Counter[str]()

    def __call__(self, point: str) -> None:
        self._passed[point] += 1
        if self._at in (f"{point}#{self._passed[point]}", point):
            os.kill(os.getpid(), signal.SIGKILL)


def arm(death: Death) -> None:
    """Puts points around statements, requests and commits, in this process."""

    def pass_by(side: str, verb: str) -> None:
        if verb in CHANGING:
            death(f"{side} {verb}")

    event.listen(Engine, "before_cursor_execute", lambda *told: pass_by("before", told[2].split()[0]))
    event.listen(Engine, "after_cursor_execute", lambda *told: pass_by("after", told[2].split()[0]))
    event.listen(Engine, "commit", lambda _connection: death("before the commit"))
    request = httpx.Client.request

    def asking(self: httpx.Client, method: str, *given: Any, **named: Any) -> httpx.Response:
        pass_by("before", method)
        answer = request(self, method, *given, **named)
        pass_by("after", method)
        return answer

    httpx.Client.request = asking  # type: ignore[method-assign,assignment]


def run(told: dict[str, Any]) -> list[tuple[int, int, int]]:
    death = Death(told["at"])
    arm(death)
    inventory = read_inventory(Path(told["inventory"]))
    dataset = inventory.dataset(told["dataset"])
    connector = connect(inventory, environment=told["environment"])[dataset.system]
    assert isinstance(connector, Writes)
    values = pa.table(told["values"]) if told["values"] else None
    plan = Plan("DSR-2026-000001", dataset, pa.table(told["keys"]), "digest", values)
    receipts = connector.write([plan], FileEffects(Path(told["log"]), death))
    return [(one.planned, one.changed, one.absent) for one in receipts]


def main() -> None:
    for line in sys.stdin:
        told = json.loads(line)
        answer = Path(told["log"] + ".answer")
        if (child := os.fork()) == 0:
            try:
                answer.write_text(json.dumps(run(told)))
            finally:
                os._exit(0)
        status = os.waitpid(child, 0)[1]
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        print(json.dumps({"signal": killed, "receipts": None if killed else json.loads(answer.read_text())}), flush=True)


if __name__ == "__main__":
    main()
