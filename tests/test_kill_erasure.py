"""An erasure killed at any instant ends as one never killed: real processes, really killed (limits.md §10).

In CI the first point of each kind around an effect of each kind of store is tried; ``DSR_KILL_ALL=1`` tries all points.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dsr.log import Event, leaf
from sample_data.serve import serve
from tests.differ import difference, held
from tests.erasing import Erasure
from tests.story import Office
from tests.test_erasure import told_of

ALL = bool(os.environ.get("DSR_KILL_ALL"))
HANDLER = "uketsuke-1"
ROOT = Path(__file__).parent.parent
SCOPES = {
    "nana": ["customer_master", "service_contracts", "member_accounts", "cookie_links", "web_logs"],
    "kaoru": ["customer_master", "service_contracts", "fault_records", "call_history"],
}
"""Between them every kind of store is written: a member's table and log lines; calls of a lake, a ticket by HTTP."""
FIVE = r"^before the commit of .*{0}.*@.* intent|^(before|after) the commit of .*{0}.*@.* result"
"""limits.md §10 with the effect itself: before an intent commits, after it and before the effect, after the effect and
before it is recorded, within the record's transaction, after it."""



def planted(path: Path) -> bool:
    """Whether what a survey must find first is in it."""
    if path.suffix == ".parquet":
        return "092-000-9999" in str(pq.read_table(path).to_pydict())
    return b"ca9a47e5ca9a47e5" in (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


Approved = Callable[[str], Erasure]
pytestmark = pytest.mark.timeout(3_600 if ALL else 300)


@pytest.fixture
def approved(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Approved:
    """An approved erasure in ``tmp_path/office``, on a company with few files, so that a run is short."""

    def of(person: str) -> Erasure:
        company = tmp_path / "office" / "company"
        shutil.copytree(sample, company)
        for path in (*company.glob("logs/*"), *company.glob("lake/calls/*")):
            if not re.search(r"2026-10-[23]|2025-1", path.name) and not planted(path):
                path.unlink()
        declared = company / "inventory.toml"
        head, hub, rest = declared.read_text().partition("[system.member_accounts]")
        declared.write_text(head + hub + rest.replace('writes = "direct"\n', "", 1))  # its owner's: the case waits there
        with serve(company):
            office = Office.set_up(tmp_path / "office" / "home", company, monkeypatch)
            scope = {"systems": SCOPES[person], "from": None, "to": None}
            return Erasure(office, person, tmp_path, scope=scope).approved()

    return of


def tried(erasure: Erasure, **within: str) -> dict[str, Any]:
    """``dsr fulfil`` killed and stopped there; what came out otherwise stands under ``wrong``."""
    plan = {"root": str(erasure.office.home.parent), "every": ALL,
            "within": {mode: "" if ALL else points for mode, points in within.items()},
            "command": [HANDLER, "fulfil", erasure.case, "--live", erasure.case]}  # fmt: skip
    secrets = {f"SECRET_{name}": secret for name, secret in erasure.office.secrets.items()}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.killing_erasure", erasure.written("plan", plan)],
        capture_output=True, text=True, env={**os.environ, **secrets}, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = dict(json.loads(ran.stdout))
    assert told["problems"] == []
    assert all(count == 1 for *_, count in told["journal"]), "each intent once"
    return told


def only_hers_went(erasure: Erasure, *datasets: str) -> None:
    """Of the run never killed, with which every other is compared: these lost what truth says, and nothing else."""
    office = erasure.office.home.parent
    found = difference(held(office.with_suffix(".kept") / "company"), held(office.with_suffix(".whole")))
    gone, changed = told_of(erasure.office, erasure.person)
    assert sorted({**found.gone, **found.changed}) == sorted(datasets)
    assert all(numbers <= gone[name] for name, numbers in found.gone.items())
    assert all(numbers <= changed[name] for name, numbers in found.changed.items())
    assert found.new == {}


BASELINE = r"(before|after|within) survey/.*{0}|^before the commit of baseline:.*{0}|^after the commit of baseline:.*{0}"
"""Around the look before: what it saw, what is told to other cases of this store, that it was."""


def test_killed_or_asleep_around_a_statement_a_log_file_the_journal_and_an_order(approved: Approved) -> None:
    """SIGKILL; and SIGSTOP, another takes over, SIGCONT: the sleeper's next record is refused, whatever it still did to
    a store. It sleeps between an intent and its effect, and before that is recorded: who sleeps within a transaction of
    our own store has the store to itself, and nobody takes over."""
    erasure = approved("nana")
    killed = f"{FIVE.format('')}|the effect|within the journal|^within orders|{BASELINE.format('web_logs')}"
    asleep = r"the effect (sql|.gz)|the journal's line|^before the transaction of (baseline:1:web|.*links.*@.* result)"
    told = tried(erasure, kill=killed, stop=asleep)
    assert told["wrong"] == {}
    assert (len(told["tried"]["kill"]) >= 24, len(told["tried"]["stop"]) >= 6) == (True, True), told["tried"]
    only_hers_went(erasure, "web_logs.access", "cookie_links.links")


def test_killed_or_asleep_around_a_lake_file_and_a_request(approved: Approved) -> None:
    erasure = approved("kaoru")
    killed = f"{FIVE.format('(calls|tickets)')}|the effect (.parquet|http)"
    told = tried(erasure, kill=killed, stop=r"the effect http|^before the transaction of .*tickets.*@.* result")
    assert told["wrong"] == {}
    assert (len(told["tried"]["kill"]) >= 13, len(told["tried"]["stop"]) >= 3) == (True, True), told["tried"]
    only_hers_went(erasure, "call_history.calls", "fault_records.tickets", "service_contracts.lines")


def test_killed_or_asleep_around_the_look_after_and_its_papers(approved: Approved) -> None:
    """Its findings, letter, certificate and list are, byte for byte, those of a run never killed, and stand once."""
    erasure = approved("kaoru")
    with serve(erasure.office.sample):
        assert erasure.run()[0] == 0
        assert erasure.owners_do()
    told = tried(
        erasure,
        kill=r"^before the commit of (survey|certificate|gate):.*result|^(within|after) package/certificate"
        r"|^after the commit of (survey|letter:.*result|certificate|gate)",
        stop=r"^before the transaction of (survey|certificate|gate):.*result|^before .*decision.pdf",
    )
    assert told["wrong"] == {}
    assert (len(told["tried"]["kill"]) >= 11, len(told["tried"]["stop"]) >= 4) == (True, True), told["tried"]


# -- the trail of an erasure ---------------------------------------------------------------------------------------

STEP = "erase:1:cookie_links.links"


def _edit(base: sqlite3.Connection) -> None:
    changed = base.execute("""UPDATE event SET public = replace(public, '"changed":1', '"changed":0')
                              WHERE step_key = ? AND phase = 'result'""", (STEP,))  # fmt: skip
    assert changed.rowcount == 1


def _delete(base: sqlite3.Connection) -> None:
    assert base.execute("DELETE FROM event WHERE step_key = ? AND phase = 'intent'", (STEP,)).rowcount == 1


def _reorder(base: sqlite3.Connection) -> None:
    """The intent after its result."""
    one, other = (n for (n,) in base.execute("SELECT seq FROM event WHERE step_key = ? ORDER BY seq", (STEP,)).fetchall())
    for old, new in ((one, -1), (other, one), (-1, other)):
        base.execute("UPDATE event SET seq = ? WHERE seq = ?", (new, old))


def _truncate(base: sqlite3.Connection) -> None:
    """And the kept tree with it, as one would who knows the program."""
    base.execute("DELETE FROM event WHERE seq > (SELECT max(seq) FROM event) - 3")
    base.execute("DELETE FROM tree")


def _fork(base: sqlite3.Connection) -> None:
    """Another history, whole in itself: leaves and tree are those of the new words."""
    _edit(base)
    names = ("seq", "case_no", "step_key", "phase", "at", "actor_id", "public", "sealed")
    [row] = base.execute(f"SELECT {', '.join(names)} FROM event WHERE step_key = ? AND phase = 'result'", (STEP,))
    base.execute("UPDATE event SET leaf = ? WHERE seq = ?", (leaf(Event(*row)), row[0]))
    base.execute("DELETE FROM tree")


ATTACKS: dict[str, tuple[Callable[[sqlite3.Connection], None], str, bool]] = {
    "edit": (_edit, "altered", False),
    "delete": (_delete, "gap", False),
    "reorder": (_reorder, "swapped", False),
    "truncate": (_truncate, "cut", True),
    "fork": (_fork, "fork", True),
}
"""What is done to the store, how it is called, and whether only a head outside of it shows it."""


def test_what_is_done_to_the_trail_of_an_erasure_is_seen(approved: Approved, tmp_path: Path) -> None:
    erasure = approved("nana")
    office, store, old, sound = erasure.office, erasure.office.home / "dsr.db", tmp_path / "old.db", tmp_path / "sound.db"
    shutil.copy(store, old)
    assert erasure.run()[0] == 0
    shutil.copy(store, sound)
    verified = office.ok("trail", "verify")
    head, intents = verified["head"], (office.home / "journal" / f"{erasure.case}.jsonl").read_bytes()
    (office.home / "checkpoint").unlink()  # what the letter shows is all that is left outside the store
    for name, (attack, what, outside) in ATTACKS.items():
        shutil.copy(sound, store)
        with closing(sqlite3.connect(store)) as base, base:
            attack(base)
        status, found, _ = office.run("trail", "verify", "--head", head)
        assert (status, what in [problem["what"] for problem in found["problems"]]) == (1, True), (name, found)
        trail = [problem for problem in office.run("trail", "verify")[1]["problems"] if problem["seq"]]
        assert bool(trail) is not outside, name
        (office.home / "checkpoint").unlink(missing_ok=True)
    shutil.copy(old, store)  # rolled back to before the erasure: the log knows nothing of it
    assert office.run("trail", "verify", "--head", head)[1]["problems"][0]["what"] == "cut"
    assert (office.home / "journal" / f"{erasure.case}.jsonl").read_bytes() == intents
    shutil.copy(sound, store)
    assert office.ok("trail", "verify", "--head", head)["sound"]


def test_log_lines_that_a_restore_brought_back_go_again_and_no_others(approved: Approved, tmp_path: Path) -> None:
    """Where nothing was restored the lines below have moved up, and stand where hers stood."""
    erasure = approved("nana")
    office, logs = erasure.office, erasure.office.sample / "logs"
    shutil.copytree(logs, tmp_path / "backup")
    before = held(office.sample)
    assert erasure.run()[0] == 0
    after = held(office.sample)
    hers = difference(before, after).gone["web_logs.access"]
    assert hers
    told = [office.run("replay", officer="gijutsu-1")[1]]
    shutil.copytree(tmp_path / "backup", logs, dirs_exist_ok=True)
    assert difference(before, held(office.sample)).gone.get("web_logs.access") is None
    told.append(office.run("replay", officer="gijutsu-1")[1])
    counts = [sum(one["resurrected"] for one in found["came_back"] if one["dataset"] == "web_logs.access") for found in told]
    assert counts == [0, len(hers)]
    assert difference(after, held(office.sample)) == difference(after, after)
