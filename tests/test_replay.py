"""After a restore: what came back goes, is stopped or is set again by its journal, counted; what moved on is left alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dsr.days import TOKYO
from dsr.engine import replaying
from dsr.engine.office import ENGINE, Office
from dsr.journal import Intent
from dsr.store import Store
from dsr.vault import Keys, Vault
from tests.connector_fixtures import connector_of, inventory_of

NOW = datetime(2026, 12, 10, 9, tzinfo=TOKYO)
INVENTORY = """
[company]
name = "c"
[system.power]
label = "p"
store = "sql"
url = "sqlite:///power.db"
writes = "{writes}"
[system.power.dataset.party]
label = "s"
key = ["no"]
by = "no"
locate = "SELECT no FROM party WHERE no = :no"
fetch = "SELECT no, home, stopped FROM party WHERE no IN :keys ORDER BY no"
[system.power.dataset.party.fields]
no = {{label = "n", kind = "record_no"}}
home = "h"
stopped = "s"
"""
HERS, THEIRS = "P1", "P2"


@dataclass
class Company:
    office: Office
    path: Path

    def says(self, no: str = HERS) -> tuple[Any, ...] | None:
        with closing(sqlite3.connect(self.path)) as base:
            found: tuple[Any, ...] | None = base.execute("SELECT home, stopped FROM party WHERE no = ?", (no,)).fetchone()
            return found

    def change(self, sql: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as base, base:
            base.execute(sql, values)

    def meant(self, values: pa.Table | None = None, before: pa.Table | None = None) -> None:
        keys = pa.table({"no": [HERS]})
        self.office.journal.append(Intent("DSR-2026-000001", "power.party", "d", "2026-11-22T09:00:00+09:00", keys,
                                          values, before))  # fmt: skip

    def replayed(self) -> list[tuple[str, int, str]]:
        told = replaying.replay(self.office)
        assert told["resurrected"] == sum(entry["resurrected"] for entry in told["came_back"])
        return [(entry["act"], entry["resurrected"], entry["state"]) for entry in told["came_back"]]


@pytest.fixture
def company(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Company]:
    document = INVENTORY.format(writes=getattr(request, "param", "direct"))
    with closing(sqlite3.connect(tmp_path / "power.db")) as base:
        base.executescript("CREATE TABLE party (no TEXT PRIMARY KEY, home TEXT, stopped INTEGER);"
                           "INSERT INTO party VALUES ('P1', 'old', 0), ('P2', 'old', 0)")  # fmt: skip
    inventory, keys = inventory_of(tmp_path, document), Keys.create(tmp_path / "keys")
    with closing(Store.connect(f"sqlite:///{tmp_path / 'dsr.db'}")) as store:
        store.create()
        connector = connector_of(tmp_path, document)
        office = Office(tmp_path, store, Vault(tmp_path / "vault", keys), keys, inventory,
                        lambda *_: {"power": connector}, ENGINE, lambda: NOW)  # fmt: skip
        yield Company(office, tmp_path / "power.db")


def one(**columns: Any) -> pa.Table:
    return pa.table({name: [value] for name, value in columns.items()})


ACTS = [
    ("erase", None, None, None),
    ("set", one(stopped=1), None, ("old", 1)),
    ("set", one(home="true"), one(home="old"), ("true", 0)),
    ("set", one(home=None), None, (None, 0)),
]


@pytest.mark.parametrize(("act", "values", "before", "after"), ACTS, ids=["erased", "stopped", "corrected", "emptied"])
def test_what_a_restore_undid_is_done_again_and_counted_once(
    company: Company, act: str, values: pa.Table | None, before: pa.Table | None, after: Any
) -> None:
    company.meant(values, before)
    assert company.says() == ("old", 0) != after
    assert company.replayed() == [(act, 1, "done")]
    assert (company.says(), company.says(THEIRS)) == (after, ("old", 0))
    assert company.replayed() == []


@pytest.mark.parametrize("company", ["work_order"], indirect=True)
@pytest.mark.parametrize(("act", "values", "before", "after"), ACTS, ids=["erased", "stopped", "corrected", "emptied"])
def test_of_an_owners_system_it_is_told_and_not_touched(
    company: Company, act: str, values: pa.Table | None, before: pa.Table | None, after: Any
) -> None:
    company.meant(values, before)
    assert company.replayed() == [(act, 1, "ask_the_owner")]
    assert company.says() == ("old", 0)
    if after is None:
        company.change("DELETE FROM party WHERE no = ?", HERS)
    else:
        company.change("UPDATE party SET home = ?, stopped = ? WHERE no = ?", *after, HERS)
    assert company.replayed() == []


def test_who_moved_again_after_the_correction_is_not_sent_back(company: Company) -> None:
    company.meant(one(home="true"), one(home="old"))
    company.change("UPDATE party SET home = 'newer' WHERE no = ?", HERS)
    assert company.replayed() == []
    assert company.says() == ("newer", 0)
