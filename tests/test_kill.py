"""A kill at any instant loses nothing and records every step once: real processes, really killed (limits.md §10).

By default a stated part of the points is tried, another kind of point at each step; ``DSR_KILL_ALL=1`` tries all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dsr.vault import Keys, Vault
from tests.story import Office

ALL = bool(os.environ.get("DSR_KILL_ALL"))
SYSTEMS = ("customer_master", "service_contracts", "billing")
"""No notes and no secrecy: the case of Hanako goes from collect to package without a second officer."""
HANDLER, APPROVER = "uketsuke-1", "shonin-1"


@pytest.fixture
def small(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office that declares three systems of the sample, so that a run is short."""
    head, *blocks = (sample / "inventory.toml").read_text().split("\n[system.")
    text = "\n[system.".join([head, *(block for block in blocks if re.split(r"[.\]]", block)[0] in SYSTEMS)])
    (tmp_path / "inventory.toml").write_text(text)
    shutil.copy(sample / "company.db", tmp_path)
    with sqlite3.connect(tmp_path / "company.db") as base:
        tables = base.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        for (name,) in tables:
            if not re.search(rf"\b(FROM|JOIN|INTO|UPDATE) {name}\b", text):
                base.execute(f"DROP TABLE {name}")
    base.close()
    officers = sample / "officers.json"
    office = Office(tmp_path / "home", sample, monkeypatch)
    office.secrets = {officer["name"]: officer["secret"] for officer in json.loads(officers.read_text())}
    office.ok("init", "--inventory", str(tmp_path / "inventory.toml"), "--officers", str(officers), officer=None)
    return office


@dataclass
class Killer:
    """Runs ``tests.killing`` on an office; the office's own process must hold nothing of it open."""

    office: Office
    work: Path
    case: str = "DSR-2026-000001"
    said: dict[str, Any] = field(default_factory=dict)

    def __call__(self, mode: str, command: list[str], every: int = 1, **plan: Any) -> list[Any]:
        """The points at which something else came out, with what. ``every`` counts only when not all are tried."""
        self.work.mkdir(exist_ok=True)
        told = {"home": self.office.home, "work": self.work, "keys": self.office.home / "keys", "mode": mode}
        told |= {"command": command, "after": [], "package": [], "every": 1 if ALL else every, **plan}
        file = self.work / "plan.json"
        file.write_text(json.dumps(told, default=str))
        secrets = {f"SECRET_{name}": secret for name, secret in self.office.secrets.items()}
        ran = subprocess.run(
            [sys.executable, "-m", "tests.killing", str(file)],
            capture_output=True, text=True, env={**os.environ, **secrets}, cwd=Path(__file__).parent.parent, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        self.said = json.loads(ran.stdout)
        assert self.said["tried"] > 0
        return list(self.said["wrong"].items())


@pytest.fixture
def killer(small: Office, tmp_path: Path) -> Killer:
    return Killer(small, tmp_path / "kill")


def proved(office: Office) -> str:
    case = office.open("hanako")
    office.ok("prove", case, "--file", str(office.sample / "requests/hanako.proof.json"))
    return case


def test_collect_killed_at_any_point_and_run_again_gives_the_same_package(killer: Killer) -> None:
    case = proved(killer.office)
    after = [[HANDLER, "decide", case, "--as-proposed"], [HANDLER, "fulfil", case]]
    wrong = killer("kill", [HANDLER, "collect", case], 23, after=after, package=[HANDLER, "package", case], packages=6)
    assert wrong == []
    assert killer.said["points"] > 200


def test_fulfil_killed_at_any_point_and_run_again_gives_the_same_package(killer: Killer) -> None:
    case = proved(killer.office)
    killer.office.ok("collect", case)
    killer.office.ok("decide", case, "--as-proposed")
    wrong = killer("kill", [HANDLER, "fulfil", case], 11, package=[HANDLER, "package", case], packages=3)
    assert wrong == []
    assert killer.said["points"] > 60


def test_what_officers_do_is_recorded_whole_or_not_at_all(killer: Killer) -> None:
    """Killed at an act, the officer does it again: the state, what is owed and the log are as if it had gone through."""
    case, proof = killer.office.open("hanako"), str(killer.office.sample / "requests/hanako.proof.json")
    assert killer("kill", [HANDLER, "prove", case, "--file", proof], 2) == []
    killer.office.ok("prove", case, "--file", proof)
    killer.office.ok("collect", case)
    assert killer("kill", [HANDLER, "decide", case, "--as-proposed"], 2) == []


def test_a_letter_whose_opening_was_killed_becomes_one_case_with_its_slip(killer: Killer) -> None:
    assert killer("open", [HANDLER, "open", str(killer.office.sample / "requests/hanako.json")], 2) == []


def test_a_package_whose_writing_out_was_killed_is_never_half_there(killer: Killer) -> None:
    case = proved(killer.office)
    for command in (["collect", case], ["decide", case, "--as-proposed"], ["fulfil", case]):
        killer.office.ok(*command)
    assert killer("package", [HANDLER, "package", case, "--out", str(killer.work / "out")], 3) == []


def test_who_slept_past_the_lease_is_refused_when_another_took_over(killer: Killer) -> None:
    """SIGSTOP, another process takes the case to its end, SIGCONT: neither a record nor an object of the sleeper's."""
    case = proved(killer.office)
    wrong = killer("stop", [HANDLER, "collect", case], 15, first=8, within="^after the commit|^within|^before [^t]")
    assert wrong == []


def test_a_second_process_is_told_who_has_the_case(killer: Killer) -> None:
    assert killer("busy", [HANDLER, "collect", proved(killer.office)], 9, within="^within fetched") == []


def test_a_vault_write_killed_in_the_middle_leaves_the_old_object_and_is_swept(tmp_path: Path) -> None:
    keys = Keys.create(tmp_path / "keys")
    vault = Vault(tmp_path / "vault", keys).case("DSR-2026-000001", create=True)
    vault.write("draft", b"old")
    program = f"""
import os, signal
from pathlib import Path
from dsr.vault import Keys, Vault
vault = Vault(Path({str(tmp_path / "vault")!r}), Keys.load(Path({str(tmp_path / "keys")!r}))).case("DSR-2026-000001")
with vault.writer("draft") as out:
    out.write(b"new" * 1_000_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    parts = tmp_path / "vault/DSR-2026-000001/parts"
    assert vault.read("draft") == b"old"
    assert len(list(parts.iterdir())) == 1
    assert b"newnew" not in next(parts.iterdir()).read_bytes()
    assert vault.sweep() == 1
    assert list(parts.iterdir()) == []
