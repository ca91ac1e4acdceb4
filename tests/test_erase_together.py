"""Many erasures at once: a file of several cases is rewritten once, each has its own receipt, and nobody spoils another."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.stores import swap
from connectors.stores.lake_write import LakeWriter
from connectors.stores.logs_write import LogWriter
from dsr.plan import Effects, Plan, Receipt
from tests.differ import difference, held
from tests.erasing import Erasure
from tests.story import Office
from tests.test_erasure import told_of

CALLS, LINES = "call_history.calls", "web_logs.access"


def test_two_erasures_share_the_rewrites_and_a_third_that_is_in_trouble_stops_neither(
    own_office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EN-32. Killed half way they go on together; Mai's log moved up since her plan was made; John's is a dry run."""
    passes: list[tuple[str, int]] = []
    for kind in (LakeWriter, LogWriter):
        def counted(self: Any, plans: Sequence[Plan], effects: Effects, write: Any = kind.write) -> list[Receipt]:
            passes.append((plans[0].dataset.id, len(plans)))
            return list(write(self, plans, effects))

        monkeypatch.setattr(kind, "write", counted)
    one, other, moved = (Erasure(own_office, person, tmp_path).approved() for person in ("kenta", "yutaka", "mai"))
    dry = Erasure(own_office, "john", tmp_path)
    truth = {name: own_office.truth["people"][name]["erased"] for name in ("kenta", "yutaka", "mai")}
    files = {name: {number.rpartition(":")[0] for number in told[LINES]} for name, told in truth.items()}
    assert files["kenta"] & files["yutaka"], "one archive file of both"
    before = held(own_office.sample)
    theirs = files["kenta"] | files["yutaka"]
    name = next(name for name, _, at in (number.rpartition(":") for number in sorted(truth["mai"][LINES]))
                if name not in theirs and at != "1" and f"{name}:{int(at) + 1}" in before[LINES])  # fmt: skip
    hers = own_office.sample / "logs" / f"{name}.log.gz"
    hers.write_bytes(gzip.compress(gzip.decompress(hers.read_bytes()).partition(b"\n")[2]))
    before = held(own_office.sample)  # with the line that is gone
    shutil.copytree(own_office.sample / "logs", tmp_path / "backup")
    assert all(set(told[CALLS]) <= set(before[CALLS]) for told in (truth["kenta"], truth["yutaka"])), "present before"

    cases = [one.case, other.case, moved.case, dry.case]
    live = [word for case in cases[:3] for word in ("--live", case)]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(swap.Draft, "_keep", _killed_at(3, swap.Draft._keep))
        own_office.run("fulfil", *cases, *live)
    status, told, said = own_office.run("fulfil", *cases, *live)
    assert status == 1 and "shifted" in said and f"{dry.case} destroys: this was a dry run" in said
    assert [(row["case"], row["state"]) for row in told] == list(zip(cases, ("dispatching",) * 2 + (None,) * 2, strict=True))
    assert passes == [(CALLS, 2), (CALLS, 2), (LINES, 3), (LINES, 2), (LINES, 1)], "hers alone, for her own words"
    assert moved.state == "fulfilling"
    after = held(own_office.sample)
    for erasure in (one, other):
        for name in (CALLS, LINES):
            planned = len(truth[erasure.person][name])
            receipt = _results(own_office, erasure.case)[f"erase:1:{name}"]
            assert (receipt["planned"], receipt["changed"], receipt["absent"]) == (planned, planned, 0)
        told = _results(own_office, erasure.case)
        assert not any(case in json.dumps(told) for case in cases if case != erasure.case), "none of another's trail"
    both = [told_of(own_office, person) for person in ("kenta", "yutaka")]
    found, direct = difference(before, after), (CALLS, LINES)
    assert {n: found.gone.get(n) for n in direct} == {n: both[0][0][n] | both[1][0][n] for n in direct}, "absent after"
    assert found.new == {} and not set(found.changed) & set(direct), "everyone else's to the byte"
    assert all(f["verdict"] == "verified" for erasure in (one, other) for f in erasure.show()["findings"])
    restored_logs_are_put_right_again(own_office, tmp_path / "backup", [one.case, other.case], truth)


def restored_logs_are_put_right_again(office: Office, backup: Path, cases: list[str], truth: Any) -> None:
    """Lines of both in one file, and one moved down by a line that came above: by what they say, and nobody else's."""
    after, both = held(office.sample), set(truth["kenta"][LINES]) | set(truth["yutaka"][LINES])
    shutil.copytree(backup, office.sample / "logs", dirs_exist_ok=True)
    back = held(office.sample)[LINES]
    assert both <= set(back), "there again"
    yutakas = {back[number] for number in truth["yutaka"][LINES]}
    journal = office.home / f"journal/{cases[0]}.jsonl"
    sound = journal.read_bytes()
    journal.write_bytes(sound[:-40] + b"x" * 39 + b"\n")
    told = office.run("replay", officer="gijutsu-1")[1]
    assert [(row["case"], row["state"]) for row in told["came_back"] if row["state"] != "done"] == [(cases[0], "damaged")]
    journal.write_bytes(b"\n".join(line for line in sound.split(b"\n") if LINES.encode() not in line))
    told = office.run("replay", officer="gijutsu-1")[1]
    assert ("missing", LINES) in [(row["state"], row["dataset"]) for row in told["came_back"]], "the log knows better"
    assert not yutakas & set(held(office.sample)[LINES].values()), "the others went on"
    journal.write_bytes(sound)
    office.run("replay", officer="gijutsu-1")
    assert difference(after, held(office.sample)) == difference(after, after)
    assert office.ok("replay", officer="gijutsu-1")["came_back"] == []


def _killed_at(count: int, keep: Any) -> Any:
    """Between the intent of the swap of a third file and the swap."""
    calls = iter(range(1, count + 1))

    def keep_or_die(*given: Any) -> None:
        if next(calls) == count:
            raise KeyboardInterrupt
        keep(*given)

    return keep_or_die


def _results(office: Office, case: str) -> dict[str, Any]:
    out = office.home / f"{case}.json"
    out.unlink(missing_ok=True)
    office.ok("trail", "export", case, "--out", str(out))
    events = json.loads(out.read_text())["events"]
    return {e["step_key"]: json.loads(e["public"]) for e in events if e["case_no"] == case and e["phase"] == "result"}
