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
            if not (re.search(r"2026-10(-2|-3|\.)", path.name) or b"ca9a47e5ca9a47e5" in raw or b"092-000-9999" in raw):
                path.unlink()  # but for those with the planted values
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
        capture_output=True, text=True, env={**os.environ, **secrets}, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


AROUND = r"^(before|after) the (effect|journal)|within the journal|^(before|after) the commit of .*@.* intent|"
AROUND += r"^(before|after) the commit of .*@.* result"


def test_an_erasure_killed_around_any_effect_ends_as_one_never_killed(approved: Approved) -> None:
    import time
    t=time.time()
    erasure = approved("nana")
    print(time.time()-t); t=time.time()
    told = tried(erasure, "kill", "member_accounts.members:|(effect (sql|.parquet|.gz))|journal's|access.*@.* (intent|result)|calls:.*@|within package/|commit of suppress")
    print(time.time()-t)
    print(json.dumps(told,indent=1))
    assert told["wrong"] == {}
