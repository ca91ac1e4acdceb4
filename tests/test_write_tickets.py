"""Plans carried out in the sample's ticket system: what counts is what a look shows afterwards, never an answer."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.contract import Told
from connectors.stores import http_write
from connectors.stores.http import HttpStore
from dsr.errors import ConnectorMisread, ConnectorRefused, ConnectorUnavailable
from dsr.plan import Plan
from sample_data.serve import Answer, Server
from tests.connector_fixtures import SECRET, connector_of, keys_of
from tests.effects import FileEffects
from tests.killer import Killer

CASE = "DSR-2026-000001"
INVENTORY = """
[company]
name = "c"
[system.faults]
label = "故障"
store = "http"
url = "file:faults.url"
token = "file:faults.token"
writes = "direct"
[system.faults.dataset.tickets]
label = "故障"
key = ["ticket_no"]
by = "line_no"
locate = "/tickets?line_no={line_no}"
fetch = "/tickets/{ticket_no}"
page = {param = "page", items = "items", next = "next"}
[system.faults.dataset.tickets.fields]
ticket_no = {label = "番号", kind = "record_no"}
line_no = {label = "回線", kind = "user.phone"}
opened_at = "受付"
note = "内容"
parts = "部品"
"""
HERS, LINE, NOTE, MASKED = ["F1", "F3", "F4"], "092-000-1001", "山田様ご在宅", {"line_no": "-", "note": "（消去済）"}
KEYS, VALUES = keys_of(ticket_no=HERS), pa.table({name: [value] * 3 for name, value in MASKED.items()})


class Watched(Server):
    """Keeps every request that it was asked, and tells nobody to wait."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self.asked = list[tuple[str, str, str, bytes]]()

    def answer(self, target: str, authorization: str, method: str = "GET", key: str = "", body: bytes = b"") -> Answer:
        self.asked.append((method, target, key, body))
        self._asked = 0
        return super().answer(target, authorization, method, key, body)

    def changing(self) -> list[tuple[str, str, str, bytes]]:
        return [told for told in self.asked if told[0] != "GET"]


def written_out(folder: Path) -> None:
    made = [{"ticket_no": f"F{n}", "line_no": LINE if f"F{n}" in HERS else "092-000-1002", "opened_at":
             f"2026-04-0{n}T00:00:00+09:00", "note": NOTE if f"F{n}" in HERS else "様子見", "parts": ["ONU"]}
            for n in range(1, 6)]  # fmt: skip
    (folder / "faults").mkdir(exist_ok=True)
    (folder / "faults" / "tickets.json").write_text(json.dumps(made))
    (folder / "faults.token").write_text(SECRET)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Watched]:
    written_out(tmp_path)
    with Watched(tmp_path) as running:
        yield running


@pytest.fixture
def store(server: Watched, tmp_path: Path) -> HttpStore:
    found = connector_of(tmp_path, INVENTORY)
    assert isinstance(found, HttpStore)
    return found


def plan_of(store: HttpStore, keys: pa.Table = KEYS, values: pa.Table | None = None, digest: str = "digest") -> Plan:
    return Plan(CASE, store.access.system.dataset["tickets"], keys, digest, values)


def on_disk(folder: Path) -> dict[str, dict[str, Any]]:
    return {ticket["ticket_no"]: ticket for ticket in json.loads((folder / "faults" / "tickets.json").read_text())}


def without_hers(tickets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {number: ticket for number, ticket in tickets.items() if number not in HERS}


def masked(tickets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {number: {**ticket, **MASKED} if number in HERS else ticket for number, ticket in tickets.items()}


# -- done ----------------------------------------------------------------------------------------------------------


def test_her_tickets_go_and_every_other_is_what_it_was(store: HttpStore, server: Watched, tmp_path: Path) -> None:
    before = on_disk(tmp_path)
    assert set(HERS) < set(before)
    (receipt,) = store.write([plan_of(store)], Told())
    assert (receipt.planned, receipt.changed, receipt.absent) == (3, 3, 0)
    assert on_disk(tmp_path) == without_hers(before)
    assert [told[:2] for told in server.changing()] == [("DELETE", f"/tickets/{number}") for number in HERS]


def test_a_ticket_that_stays_is_struck_and_nothing_else_is_sent(store: HttpStore, server: Watched, tmp_path: Path) -> None:
    """What a column holds already is not sent: a nested field would come back as its text."""
    before = on_disk(tmp_path)
    assert all(before[number][name] != value for number in HERS for name, value in MASKED.items())
    values = VALUES.append_column("parts", pa.array(['["ONU"]', '["ONU"]', '["ONU"]']))
    (receipt,) = store.write([plan_of(store, values=values)], Told())
    assert (receipt.changed, receipt.absent) == (3, 0)
    assert on_disk(tmp_path) == masked(before)
    assert [json.loads(body) for _, _, _, body in server.changing()] == [MASKED] * 3
    (again,) = store.write([plan_of(store, values=values, digest="another")], Told())
    assert again.changed == 3 and len(server.changing()) == 3


def test_each_request_has_its_own_key_which_a_repetition_keeps(store: HttpStore, server: Watched) -> None:
    store.write([plan_of(store)], Told())
    keys = [key for _, _, key, _ in server.changing()]
    told = [CASE, "faults", "faults.tickets", ["F1"], "digest"]
    assert keys[0] == hashlib.sha256(json.dumps(told).encode()).hexdigest()
    assert len(set(keys)) == 3


def test_what_is_gone_is_absent_and_said_so(store: HttpStore, tmp_path: Path) -> None:
    told, keys = FileEffects(tmp_path / "log"), keys_of(ticket_no=["F1", "F9"])
    (receipt,) = store.write([plan_of(store, keys)], told)
    assert (receipt.planned, receipt.changed, receipt.absent) == (2, 1, 1)
    assert store.write([plan_of(store, keys)], told) == [receipt]
    assert [phase for phase, _, _ in told.lines()] == ["intent", "result"]
    assert "F1" not in json.dumps(told.lines())
    (again,) = store.write([plan_of(store, keys)], Told())
    assert (again.changed, again.absent) == (0, 2)


# -- moods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [None, VALUES])
def test_a_server_that_says_done_and_does_nothing_has_changed_nothing(
    store: HttpStore, server: Watched, tmp_path: Path, values: pa.Table | None
) -> None:
    """"planned 3, changed 0": told, never rounded up (traps.md T04, T05)."""
    before, server.fail = on_disk(tmp_path), "lie"
    (receipt,) = store.write([plan_of(store, values=values)], Told())
    assert (receipt.planned, receipt.changed, receipt.absent) == (3, 0, 0)
    assert on_disk(tmp_path) == before
    assert len({key for _, _, key, _ in server.changing()}) == len(server.changing()) == 6
    server.fail = None
    assert store.write([plan_of(store, values=values)], Told())[0].changed == 3


@pytest.mark.parametrize("values", [None, VALUES])
def test_done_and_never_answered_is_looked_at_and_not_done_again(
    store: HttpStore, server: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: pa.Table | None
) -> None:
    """Silence until we give up, or a connection that breaks."""
    monkeypatch.setattr("connectors.stores.http.TIMEOUT", 1.0)
    server.delay = 30 if values is None else 0.05
    before, server.fail = on_disk(tmp_path), "timeout_after"
    (receipt,) = store.write([plan_of(store, values=values)], Told())
    assert (receipt.planned, receipt.changed, receipt.absent) == (3, 3, 0)
    assert on_disk(tmp_path) == (without_hers(before) if values is None else masked(before))
    assert len(server.changing()) == 3


@pytest.mark.parametrize("lasting", [False, True])
def test_a_request_that_was_lost_is_made_again_and_not_for_ever(
    store: HttpStore, server: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    """The same request has the same key; after some turns the system is away, and a later run goes on."""
    before, lost, change = on_disk(tmp_path), list[str](), server._change

    def lose(method: str, path: str, body: bytes) -> Answer:
        if path == "/tickets/F3" and (lasting or not lost):
            lost.append(path)
            raise OSError  # the connection breaks, nothing is done
        return change(method, path, body)

    monkeypatch.setattr(server, "_change", lose)
    monkeypatch.setattr(server._http, "handle_error", lambda *_: None)
    told = FileEffects(tmp_path / "log")
    if lasting:
        with pytest.raises(ConnectorUnavailable) as caught:
            store.write([plan_of(store)], told)
        assert caught.value.__context__ is None and "F3" not in str(caught.value)
        assert len(lost) == http_write.TURNS
        monkeypatch.undo()
    (receipt,) = store.write([plan_of(store)], told)
    assert (receipt.changed, receipt.absent) == (3, 0)
    assert on_disk(tmp_path) == without_hers(before)
    assert len({key for _, path, key, _ in server.changing() if path == "/tickets/F3"}) == 1
    assert [phase for phase, _, _ in told.lines()] == ["intent", "result"]


@pytest.mark.parametrize(("status", "error"), [
    (500, ConnectorUnavailable), (502, ConnectorUnavailable), (403, ConnectorRefused), (405, ConnectorRefused),
    (409, ConnectorRefused), (422, ConnectorMisread), (302, ConnectorMisread),
])
def test_a_status_is_read_for_what_it_means(
    store: HttpStore, server: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    before = on_disk(tmp_path)
    monkeypatch.setattr(server, "_change", lambda *_: (status, {}, {"note": NOTE}))
    with pytest.raises(error) as caught:
        store.write([plan_of(store)], Told())
    assert type(caught.value) is error and str(status) in str(caught.value) and NOTE not in str(caught.value)
    assert on_disk(tmp_path) == before


def test_a_server_that_asks_us_to_wait_is_waited_for(server: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept, told = list[float](), list[str]()
    change = server._change

    def busy(method: str, path: str, body: bytes) -> Answer:
        told.append(path)
        return (429, {"Retry-After": "3"}, {}) if len(told) == 1 else change(method, path, body)

    monkeypatch.setattr(server, "_change", busy)
    monkeypatch.setattr(server, "_told", Forgetful())
    store = connector_of(tmp_path, INVENTORY, sleep=slept.append)
    assert isinstance(store, HttpStore)
    assert store.write([plan_of(store)], Told())[0].changed == 3
    assert slept == [3]


class Forgetful(dict[str, Any]):
    """A server that knows no Idempotency-Key."""

    def __setitem__(self, key: str, value: Any) -> None:
        pass


@pytest.mark.parametrize("part", ["", None, ".", ".."])
def test_a_key_that_would_be_another_path_asks_for_nothing(store: HttpStore, server: Watched, part: str | None) -> None:
    """DELETE /tickets/ may be a wish for all of them (traps.md T13)."""
    with pytest.raises(ConnectorMisread):
        store.write([plan_of(store, keys_of(ticket_no=["F1", part]))], Told())
    assert server.asked == []


POINTS = ("before intent", "within intent", "after intent", "before DELETE", "after DELETE", "before DELETE#2",
          "after DELETE#3", "before result", "within result", "after result")  # fmt: skip


@pytest.mark.parametrize("first", POINTS)
def test_killed_at_any_point_and_run_again_it_ends_the_same(tmp_path: Path, killer: Killer, first: str) -> None:
    (tmp_path / "inventory.toml").write_text(INVENTORY)
    second = POINTS[POINTS.index(first) - 4]
    for number, points in enumerate([(first,), (first, second)]):
        written_out(tmp_path)
        before, log = on_disk(tmp_path), tmp_path / f"log{number}"
        place = f":{http_write.PLACE}:{CASE}:erase"
        told = {"inventory": str(tmp_path / "inventory.toml"), "dataset": "faults.tickets", "log": str(log),
                "keys": {"ticket_no": [*HERS, "F9"]}}  # fmt: skip
        with Watched(tmp_path) as server:
            named = [f"{point}{place}" if point.endswith(("intent", "result")) else point for point in points]
            ended = [killer(**told, at=point) for point in named]
            ended.append(killer(**told, at=""))
            assert ended[0]["signal"] == 9, f"{first} was not passed"
            assert ended[-1] == {"signal": 0, "receipts": [[4, 3, 1]]}, points
            assert [phase for phase, _, _ in FileEffects(log).lines()] == ["intent", "result"]
            assert on_disk(tmp_path) == without_hers(before)
            done = [(path, key) for _, path, key, _ in server.changing()]
            assert len(set(done)) == 3 and len(done) <= 3 + len(points)


# -- the sample's server itself ------------------------------------------------------------------------------------


def ask(server: Server, method: str, path: str, body: Any = None, key: str = "", token: str = SECRET) -> int:
    headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": key} if key else {})}
    sent = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(sent, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_sample_changes_one_ticket_at_a_time_for_who_has_the_token(server: Watched, tmp_path: Path) -> None:
    before = on_disk(tmp_path)
    assert ask(server, "DELETE", "/tickets/F1", token="wrong") == 401
    assert ask(server, "DELETE", "/tickets") == ask(server, "PATCH", "/health/") == 405
    assert ask(server, "DELETE", "/tickets/F9") == ask(server, "PATCH", "/tickets/F9", {"note": ""}) == 404
    for wrong in ({"memo": 1}, {"ticket_no": "F2"}, [], None):
        assert ask(server, "PATCH", "/tickets/F1", wrong) == 422
    assert on_disk(tmp_path) == before
    assert ask(server, "PATCH", "/tickets/F1", {"note": None}, "k") == 200
    assert ask(server, "PATCH", "/tickets/F1", {"note": "neu"}, "k") == 422
    assert on_disk(tmp_path) == {**before, "F1": {**before["F1"], "note": None}}
    assert [ask(server, "DELETE", "/tickets/F1", None, "d") for _ in range(2)] == [204, 204]
    assert ask(server, "DELETE", "/tickets/F1", None, "e") == 404
    with Server(tmp_path) as again:
        assert [ticket["ticket_no"] for ticket in again.tickets] == ["F2", "F3", "F4", "F5"]
