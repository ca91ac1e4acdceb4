"""Many threads of a real process that take leases and record events on many cases at once: a program.

``python -m tests.writing URL NAME THREADS ACTS`` prints one JSON document: the steps it recorded (case, step) and how
often it took a case. Every error but "another process" and "took over" is a fault and is printed as one.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

from dsr.case import Act
from dsr.errors import Conflict
from dsr.store import Store

AT = datetime(2026, 11, 22, tzinfo=UTC)


class Writer:
    """One process's work on one store, shared by its threads."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name, self.store = url, name, Store.connect(url)
        self.recorded: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.taken, self.slowest = 0, 0.0

    def run(self, threads: int, acts: int) -> dict[str, Any]:
        running = [threading.Thread(target=self._work, args=(number, acts)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return {"recorded": self.recorded, "taken": self.taken, "faults": self.faults, "slowest": self.slowest}

    def _work(self, number: int, acts: int) -> None:
        chance = random.Random(f"{self.name}{number}")
        left = acts
        while left:
            began = time.monotonic()
            try:
                left -= self._turn(f"{self.name}:{number}:{left}", chance)
            except Conflict:
                pass
            except Exception as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                return
            self.slowest = max(self.slowest, time.monotonic() - began)

    def _turn(self, step: str, chance: random.Random) -> int:
        """Take a case, record two steps and keep it; now and then through a connection of its own, opened and closed."""
        case = chance.choice(self.store.cases()).case_no
        store = Store.connect(self.url) if chance.random() < 0.1 else self.store
        try:
            lease = store.take(case)
            self.taken += 1
            for phase in ("intent", "result"):
                store.record(lease, Act(step, phase, {"n": 1}), b"\x00sealed", AT, self.name)
                self.recorded.append((case, f"{step}/{phase}"))
            store.keep(lease)
            store.log_alone("office", Act(step), AT, self.name)
            self.recorded.append(("office", f"{step}/result"))
            store.release(lease)
            assert store.head().size >= len(self.recorded)
        finally:
            if store is not self.store:
                store.close()
        return 1


def main() -> None:
    url, name, threads, acts = sys.argv[1:]
    print(json.dumps(Writer(url, name).run(int(threads), int(acts))))


if __name__ == "__main__":
    main()
