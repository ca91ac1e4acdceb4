"""Plans carried out through the sample's ticket API: what was seen afterwards is what is said, whatever it answered."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import connectors.stores.http as http
from connectors.build import connect
from connectors.stores.http import HttpStore
from connectors.stores.http_write import idempotency_key
from dsr.errors import ConnectorRefused, ConnectorUnavailable, NotAllowed
from dsr.inventory import read_inventory
from dsr.plan import Plan
from sample_data.serve import Server, serve
from tests.connector_fixtures import keys_of
from tests.effects import FileEffects

STRUCK = pa.table({"line_no": ["-", "-"], "note": ["（消去済）", "（消去済）"]})


@pytest.fixture
def company(sample: Path, tmp_path: Path) -> Path:
    out = tmp_path / "company"
    shutil.copytree(sample, out, ignore=shutil.ignore_patterns("lake", "logs"))
    return out


@pytest.fixture
def server(company: Path) -> Iterator[Server]:
    with serve(company) as running:
        running.delay = 1.0
        yield running


@pytest.fixture
def store(company: Path, server: Server) -> HttpStore:
    found = connect(read_inventory(company / "inventory.toml"), sleep=lambda _s: None)["fault_records"]
    assert isinstance(found, HttpStore)
    return found


def held(company: Path) -> dict[str, dict[str, Any]]:
    return {t["ticket_no"]: t for t in json.loads((company / "faults/tickets.json").read_text())}


def plan(store: HttpStore, company: Path, values: pa.Table | None = None, case: str = "DSR-2026-000001") -> Plan:
    """Hanako's two tickets, by her line."""
    hers = sorted(no for no, ticket in held(company).items() if ticket["line_no"] == "092-000-1001")
    assert len(hers) == 2
    return Plan(case, store.access.system.dataset["tickets"], keys_of(ticket_no=hers), "digest", values)


def test_deleted_and_every_other_ticket_as_it_was(store: HttpStore, company: Path, tmp_path: Path) -> None:
    mine, before = plan(store, company), held(company)
    hers = set(mine.keys.column(0).to_pylist())
    assert hers <= set(before)
    [receipt] = store.write([mine], FileEffects(tmp_path / "log"))
    assert (receipt.planned, receipt.changed, receipt.absent) == (2, 2, 0)
    assert held(company) == {no: ticket for no, ticket in before.items() if no not in hers}
    [again] = store.write([mine], FileEffects(tmp_path / "another"))
    assert (again.changed, again.absent) == (0, 2)


def test_struck_and_kept(store: HttpStore, company: Path, tmp_path: Path) -> None:
    mine, before = plan(store, company, STRUCK), held(company)
    hers = set(mine.keys.column(0).to_pylist())
    [receipt] = store.write([mine], FileEffects(tmp_path / "log"))
    assert receipt.changed == 2
    after = held(company)
    assert {no: t for no, t in after.items() if no not in hers} == {no: t for no, t in before.items() if no not in hers}
    assert [after[no] for no in hers] == [{**before[no], "line_no": "-", "note": "（消去済）"} for no in hers]


def test_a_server_that_says_yes_and_does_nothing_is_not_believed(
    store: HttpStore, server: Server, company: Path, tmp_path: Path
) -> None:
    server.fail, before = "lie", held(company)
    [receipt] = store.write([plan(store, company)], FileEffects(tmp_path / "log"))
    assert (receipt.planned, receipt.changed, receipt.absent) == (2, 0, 0)
    assert held(company) == before


def test_done_and_never_answered_counts_once(
    store: HttpStore, server: Server, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    server.fail = "timeout_after"
    [receipt] = store.write([plan(store, company)], FileEffects(tmp_path / "log"))
    assert (receipt.changed, receipt.absent) == (2, 0)


def test_a_server_that_is_down_changes_nothing_and_is_gone_on_with(
    store: HttpStore, server: Server, company: Path, tmp_path: Path
) -> None:
    server.fail, before, effects = "down", held(company), FileEffects(tmp_path / "log")
    with pytest.raises(ConnectorUnavailable):
        store.write([plan(store, company)], effects)
    assert held(company) == before
    server.fail = None
    [receipt] = store.write([plan(store, company)], effects)
    assert receipt.changed == 2
    assert [phase for phase, _, _ in effects.lines()] == ["intent", "result"]


def test_refused_is_said(store: HttpStore, company: Path, tmp_path: Path) -> None:
    (company / "faults.token").write_text("wrong\n")
    with pytest.raises(ConnectorRefused):
        store.write([plan(store, company)], FileEffects(tmp_path / "log"))


def test_stopped_before_the_intent_nothing_is_asked(store: HttpStore, company: Path, tmp_path: Path) -> None:
    class Stopped(FileEffects):
        def intend(self, place: str, said: Any) -> None:
            raise NotAllowed("stopped")

    before = held(company)
    with pytest.raises(NotAllowed):
        store.write([plan(store, company)], Stopped(tmp_path / "log"))
    assert held(company) == before


@pytest.mark.parametrize("point", ["before intent", "after intent", "between", "before result", "after result"])
def test_killed_and_run_again_it_ends_the_same(store: HttpStore, company: Path, tmp_path: Path, point: str) -> None:
    mine, before = plan(store, company), held(company)
    if (child := os.fork()) == 0:
        def die(passed: str) -> None:
            if passed.startswith(point):
                os.kill(os.getpid(), signal.SIGKILL)

        if point == "between":
            asked = http.http_write._asked

            def once(*told: Any) -> bool:
                asked(*told)
                os.kill(os.getpid(), signal.SIGKILL)
                return True

            http.http_write._asked = once
        store.write([mine], FileEffects(tmp_path / "log", die))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    effects = FileEffects(tmp_path / "log")
    [receipt] = store.write([mine], effects)
    assert (receipt.planned, receipt.changed, receipt.absent) == (2, 2, 0)
    assert [phase for phase, _, _ in effects.lines()] == ["intent", "result"]
    hers = set(mine.keys.column(0).to_pylist())
    assert held(company) == {no: ticket for no, ticket in before.items() if no not in hers}


def test_a_key_names_the_effect_and_nobody_else(store: HttpStore, company: Path) -> None:
    mine = plan(store, company)
    others = [plan(store, company, STRUCK), plan(store, company, case="DSR-2026-000002")]
    told = {idempotency_key(one, number) for one in (mine, *others) for number in ("F1", "F2")}
    assert len(told) == 6
    assert idempotency_key(mine, "F1") == idempotency_key(plan(store, company), "F1")
