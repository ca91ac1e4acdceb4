"""An erasure killed at any instant ends as one never killed: real processes, really killed (limits.md §10).

In CI the first point of each kind around an effect of each kind of store is tried; ``DSR_KILL_ALL=1`` tries all points.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sample_data.serve import serve
from tests.differ import difference, held
from tests.erasing import Erasure
from tests.story import Office

ALL = bool(os.environ.get("DSR_KILL_ALL"))
HANDLER = "uketsuke-1"
ROOT = Path(__file__).parent.parent
SCOPES = {
    "nana": ["customer_master", "service_contracts", "member_accounts", "cookie_links", "web_logs", "call_history"],
    "kaoru": ["customer_master", "service_contracts", "fault_records"],
}
"""Between them every kind of store is written: a member's tables, calls and log lines; a ticket that is struck."""

Approved = Callable[[str], Erasure]


@pytest.fixture
def approved(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Approved:
    """An approved erasure in ``tmp_path/office``, on a company with few files, so that a run is short."""

    def of(person: str) -> Erasure:
        company = tmp_path / "office" / "company"
        shutil.copytree(sample, company)
        for path in (*company.glob("logs/*"), *company.glob("lake/calls/*")):
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            if not (re.search(r"2026-10(-2|-3)|2025-10", path.name) or b"ca9a47e5ca9a47e5" in raw or b"092-000-9999" in raw):
                path.unlink()  # but for those with the planted values
        declared = company / "inventory.toml"
        head, hub, rest = declared.read_text().partition("[system.member_accounts]")
        declared.write_text(head + hub + rest.replace('writes = "direct"\n', "", 1))  # its owner's: the case waits there
        with serve(company):
            office = Office.set_up(tmp_path / "office" / "home", company, monkeypatch)
            scope = {"systems": SCOPES[person], "from": None, "to": None}
            return Erasure(office, person, tmp_path, scope=scope).approved()

    return of


def tried(erasure: Erasure, mode: str, within: str, every: bool = False) -> dict[str, Any]:
    plan = {"root": str(erasure.office.home.parent), "mode": mode, "within": "" if ALL else within, "every": ALL or every,
            "command": [HANDLER, "fulfil", erasure.case, "--live", erasure.case]}  # fmt: skip
    file = Path(erasure.written("plan", plan))
    secrets = {f"SECRET_{name}": secret for name, secret in erasure.office.secrets.items()}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.killing_erasure", str(file)],
        stdout=subprocess.PIPE, stderr=None if os.environ.get("WHO") else subprocess.PIPE, text=True, env={**os.environ, **secrets}, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


FIVE = r"^before the commit of .*@.* intent|^(before|after) the effect|^(before|after) the commit of .*@.* result"
"""limits.md §10: before an intent commits, after it and before the effect, after the effect and before it is recorded,
within the record's transaction, after it."""


def test_carrying_out_killed_around_any_effect_ends_as_one_never_killed(approved: Approved) -> None:
    told = tried(approved(os.environ.get("WHO","nana")), os.environ.get("MODE","kill"), os.environ.get("WITHIN") or f"{FIVE}|the journal's|^within orders")
    print(json.dumps(told,indent=1))
    assert told["wrong"] == {}
