"""Kills real processes at every point of a rewrite of files and runs them again: a program, for it must fork early.

``python -m tests.killing_files FOLDER SYSTEM EVERY`` prints one JSON document. Points: before and after each line of the
journal is on the disk, each fsync, each rename and each part of a new file. Afterwards every file must have the bytes
of a run that was never killed, every effect must be recorded once, and no temp file may be left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from connectors.stores.gz import Member
from tests.effects import FileEffects
from tests.files_written import carried_out, company, digests, frozen


class Points:
    """Counts the places a child passes, in any of its threads, and kills it at the chosen one."""

    def __init__(self, trace: Path, at: int) -> None:
        self._trace, self._at, self._passed = trace.open("a"), at, 0
        self._one = threading.Lock()

    def __call__(self, name: str) -> None:
        with self._one:
            self._passed += 1
            self._trace.write(name + "\n")
            self._trace.flush()
            if self._passed == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


def arm(point: Points) -> None:
    def around(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def armed(*given: Any, **more: Any) -> Any:
            point(f"before {name}")
            done = call(*given, **more)
            point(f"after {name}")
            return done

        return armed

    os.fsync, os.replace = around("fsync", os.fsync), around("replace", os.replace)
    pq.ParquetWriter.write_table = around("row group", pq.ParquetWriter.write_table)
    Member.close = around("member", Member.close)  # type: ignore[method-assign]


def run(folder: Path, system: str, at: int = 0) -> int:
    """The signal that ended it, 0 for none; its receipts and points go to files in the folder."""
    child = os.fork()
    if child == 0:
        try:
            trace = folder / "points"
            trace.write_text("")
            point = Points(trace, at)
            arm(point)
            receipts = carried_out(folder, system, FileEffects(folder / "effects", point))
            told = [[one.case_no, one.planned, one.changed, one.absent] for one in receipts]
            (folder / "receipts").write_text(json.dumps(told))
        except BaseException as error:
            (folder / "receipts").write_text(json.dumps(repr(error)))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def ended(folder: Path) -> dict[str, Any]:
    told = sorted((place, phase) for phase, place, _ in FileEffects(folder / "effects").lines())
    return {"files": digests(folder), "receipts": json.loads((folder / "receipts").read_text()), "effects": told}


def main(root: Path, system: str, every: int) -> None:
    template = frozen(company(root / "template"), system)
    whole = Path(shutil.copytree(template, root / "whole"))
    run(whole, system)
    expected, points = ended(whole), (whole / "points").read_text().splitlines()
    wrong, tried = {}, 0
    for at in range(1, len(points) + 1, every):
        folder, tried = Path(shutil.copytree(template, root / f"at{at}")), tried + 1
        killed = run(folder, system, at)
        run(folder, system)
        found = ended(folder)
        if killed != signal.SIGKILL or found != expected:
            wrong[f"{at} {points[at - 1]}"] = {name: said for name, said in found.items() if said != expected[name]}
    print(json.dumps({"points": points, "tried": tried, "wrong": wrong, "receipts": expected["receipts"],
                      "effects": expected["effects"]}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
