"""Kills real processes at every record of a run and resumes them: run as a program, for it must fork before any thread starts.

``python -m tests.killing HOME WORK STEP CASE EVERY`` prints one JSON document: records of a whole run, the digest of
the package it makes, and the points at which a killed and resumed run made anything else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

NOW = "2026-11-22T09:00+09:00"


def run_in_child(home: Path, argv: list[str], kill_at: int = 0, inside: bool = False) -> tuple[int, int]:
    """(signal or exit status, records written). ``inside``: in the transaction, before its commit; else after it."""
    count = home / "records"
    child = os.fork()
    if child == 0:
        from flows.cli import main

        os.environ["DSR_HOME"] = str(home)
        _arm(kill_at, inside, count)
        sys.stdout = sys.stderr = Path(os.devnull).open("w")
        os._exit(main([*argv, "--now", NOW, "--json"]))
    _, status = os.waitpid(child, 0)
    written = int(count.read_text()) if count.exists() else 0
    count.unlink(missing_ok=True)
    return (os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), written


def _arm(kill_at: int, inside: bool, count: Path) -> None:
    from dsr.store import Store

    append, record, made = Store._append, Store.record, [0]

    def counted(self, connection, *rest):  # type: ignore[no-untyped-def]
        append(self, connection, *rest)
        made[0] += 1
        if inside and made[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def recorded(self, *rest):  # type: ignore[no-untyped-def]
        before = made[0]
        case = record(self, *rest)
        count.write_text(str(made[0]))
        if not inside and before < kill_at <= made[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return case

    Store._append, Store.record = counted, recorded  # type: ignore[method-assign]


def digest(home: Path, case: str, out: Path) -> str:
    """Of every byte of the package."""
    shutil.rmtree(out, ignore_errors=True)
    assert run_in_child(home, ["package", case, "--out", str(out)])[0] == 0
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(p.relative_to(out)).encode() + p.read_bytes() for p in files)).hexdigest()


def to_the_end(home: Path, case: str, step: str) -> None:
    """Whatever follows the step, without a kill."""
    steps = {"collect": ["collect", "decide", "fulfil"], "fulfil": ["fulfil"]}[step]
    for name in steps:
        more = ["--as-proposed"] if name == "decide" else []
        assert run_in_child(home, [name, case, *more])[0] == 0, name


def main() -> None:
    home, work, step, case, every = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
    whole = work / "whole"
    shutil.copytree(home, whole)
    status, records = run_in_child(whole, [step, case])
    assert status == 0, status
    if step == "collect":
        for name in ("decide", "fulfil"):
            assert run_in_child(whole, [name, case, *(["--as-proposed"] if name == "decide" else [])])[0] == 0
    expected, wrong = digest(whole, case, work / "out"), []
    for point in range(1, records + 1, every):
        for inside in (True, False):
            again = work / "again"
            shutil.rmtree(again, ignore_errors=True)
            shutil.copytree(home, again)
            killed, _ = run_in_child(again, [step, case], point, inside)
            if killed == signal.SIGKILL and (inside or point < records):
                to_the_end(again, case, step)
            elif killed == signal.SIGKILL:  # killed after its very last record: nothing is left to do
                for name in ("decide", "fulfil") if step == "collect" else ():
                    run_in_child(again, [name, case, *(["--as-proposed"] if name == "decide" else [])])
            else:
                wrong.append([point, inside, "was not killed"])
                continue
            if digest(again, case, work / "out") != expected:
                wrong.append([point, inside, "other bytes"])
    print(json.dumps({"records": records, "digest": expected, "wrong": wrong}))


if __name__ == "__main__":
    main()
