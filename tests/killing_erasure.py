"""Kills (or stops) an erasure at points around every effect and carries it out again: a program, for it must fork early.

``python -m tests.killing_erasure PLAN.json`` prints one JSON document. The plan's ``root`` holds ``home`` and ``company``;
each trial begins with both as they were, under their own paths, and a ticket system that runs on that company. Afterwards
every record of every store, the log, the case, the vault and the replay journal must be those of a run never killed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.stores import swap
from dsr.journal import Journal
from sample_data import serve as tickets
from tests import killing
from tests.differ import held

Model = dict[str, Any]
OF_A_RUN = re.compile(r"DSR-\d{4}-\d{6}|\d{4}-\d{2}(-\d{2})?|[0-9a-f]{16,}|\b\d+\b")
"""What makes two points of one kind look different: numbers, days, digests."""


class Trial:
    """``command`` on ``root``, again and again from the same beginning."""

    def __init__(self, root: Path, command: list[str]) -> None:
        self.root, self.command = root, command
        self.home, self.company, self._kept = root / "home", root / "company", root.with_suffix(".kept")
        root.rename(self._kept)

    @contextmanager
    def fresh(self) -> Iterator[None]:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._kept, self.root)
        (ready, told), (ended, alive) = os.pipe(), os.pipe()
        if (server := os.fork()) == 0:
            tickets.EVERY = 1_000_000_000  # nobody is told to wait
            os.close(alive)
            tickets.serve(self.company)
            os.write(told, b"!")
            os.read(ended, 1)  # nothing is ever written: it returns when this program has ended, however it did
            os._exit(0)
        os.read(ready, 1)
        try:
            yield
        finally:
            for end in (ready, told, ended, alive):
                os.close(end)
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)

    def run(self, at: int = 0, sign: int = signal.SIGKILL, lease: float | None = None) -> killing.Ran:
        return killing.run(self.home, self.command, at, sign, lease)

    def model(self) -> Model:
        found = killing.model(self.home, self.home / "keys")
        for dataset, records in held(self.company).items():
            found[f"store {dataset}"] = killing._digest(repr(sorted(records.items())).encode())
        for path in sorted((*self.company.glob("lake/**/*"), *self.company.glob("logs/*"))):
            if path.is_file():  # its bytes, its time; and that nothing else lies there
                found[f"file {path.name}"] = [killing._digest(path.read_bytes()), path.stat().st_mtime_ns]
        journal = Journal(self.home / "journal", self.home / "keys" / "journal")
        intents = [(i.dataset, i.digest, i.at, i.keys.num_rows) for i in journal.intents()]
        found["journal"] = sorted([*intent, count] for intent, count in Counter(intents).items())
        return found


def killed(trial: Trial, at: int, expected: Model) -> list[str]:
    ran = trial.run(at)
    if ran.signal != signal.SIGKILL:
        return [f"was not killed but ended with {ran.status}: {ran.said}"]
    again = trial.run()
    # 1: all was done and recorded, and only the word to the officer was missing.
    return killing.differences(trial.model(), expected) if again.status in (0, 1) else [again.said]


def stopped(trial: Trial, at: int, expected: Model) -> list[str]:
    """Asleep past its lease; another takes over, as far as it gets (a sleeper holds the locks it held); awake again it
    records nothing; what is left is done by the next run, and nothing a second time."""
    asleep = trial.run(at, signal.SIGSTOP, killing.SHORT_LEASE)
    if asleep.signal != signal.SIGSTOP:
        return [f"was not stopped but ended with {asleep.status}: {asleep.said}"]
    time.sleep(killing.SHORT_LEASE * 2)
    said = killing._notes(trial.home)[1].rename(trial.home.with_suffix(".asleep"))
    other = trial.run()
    events = _events(trial.model())
    os.kill(asleep.pid, signal.SIGCONT)
    _, status = os.waitpid(asleep.pid, 0)
    wrong = [] if _events(trial.model()) == events else ["the sleeper recorded something"]
    if os.WEXITSTATUS(status) != 1 or "another process" not in said.read_text():
        wrong.append(f"the sleeper was not refused: {os.WEXITSTATUS(status)} {said.read_text()}")
    if other.status != 0:
        trial.run()
    return wrong + killing.differences(trial.model(), expected)


def _events(model: Model) -> Model:
    return {name: said for name, said in model.items() if name.startswith(("event", "object"))}


MODES: dict[str, Callable[[Trial, int, Model], list[str]]] = {"kill": killed, "stop": stopped}


def chosen(points: list[str], within: str, every: bool) -> list[int]:
    """Those whose name matches; but for ``every`` the first of each kind."""
    kinds: dict[str, int] = {}
    for at, name in enumerate(points, 1):
        if re.search(within, name):
            kinds.setdefault(str(at) if every else OF_A_RUN.sub("#", name), at)
    return sorted(kinds.values())


def main() -> None:
    told = json.loads(Path(sys.argv[1]).read_text())
    killing.sql_write.SECONDS, swap.WAITS = 0.2, 1
    trial = Trial(Path(told["root"]), told["command"])
    with trial.fresh():
        killing.ready(trial.home)
        ran, wrong = trial.run(), {}
        assert ran.status == 0, ran.said
        expected = trial.model()
        shutil.copytree(trial.company, trial.root.with_suffix(".whole"))
    tried: dict[str, list[str]] = {}
    for mode, within in told["within"].items():
        for point in chosen(ran.points, within, told["every"]):
            tried.setdefault(mode, []).append(name := ran.points[point - 1])
            with trial.fresh():
                if found := MODES[mode](trial, point, expected):
                    wrong[f"{mode} {point} {name}"] = found
    said = {"tried": tried, "wrong": wrong, "problems": expected["problems of the trail"]}
    print(json.dumps({**said, "journal": expected["journal"]}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
