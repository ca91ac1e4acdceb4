"""The HTTP store against a tiny ticket server: pages, moods, refusals, and half an answer."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pyarrow as pa
import pytest

from connectors.contract import Held, WritingContract, located_keys, record_nos
from connectors.stores.http import PATIENCE, HttpStore
from dsr.connector import Ask, Connector, Drift
from dsr.errors import (
    BadInput,
    ConnectorDrifted,
    ConnectorError,
    ConnectorMisread,
    ConnectorRefused,
    ConnectorTruncated,
    ConnectorUnavailable,
)
from dsr.inventory import Dataset
from tests.connector_fixtures import SECRET, ask_by, connector_of, keys_of, rows_of

TICKETS = """
[system.faults]
label = "故障"
store = "http"
url = "env:FAULTS_URL"
token = "env:FAULTS_TOKEN"
[system.faults.dataset.tickets]
label = "故障"
key = ["ticket_no"]
by = "line_no"
locate = "/tickets?line_no={line_no}&from={from}&to={to}"
fetch = "/tickets/{key}"
page = {param = "page", items = "items", next = "next", sample = "/tickets?line_no=092-000-1001"}
at = {column = "opened_at", form = "iso"}
fields = {note = "内容", ticket_no = "番号", line_no = "回線", opened_at = "受付", parts = "部品"}
"""
LINE, OTHER = "092-000-1001", "092-000-1002"
Answer = tuple[int, dict[str, str], Any]


class Server:
    """Two tickets a page. ``mood`` may answer instead of the server: it sees the number of the request and its path."""

    def __init__(self) -> None:
        self.tickets = [
            {"ticket_no": no, "line_no": line, "opened_at": f"2026-04-0{day}T00:00:00+09:00", "note": None,
             "parts": ["ONU"]}
            for day, (no, line) in enumerate([("0", LINE), ("a/b ?", LINE), ("F3", OTHER), ("F4", LINE)], 1)
        ]
        self.mood: Callable[[int, str], Answer | None] = lambda number, path: None
        self.asked: list[str] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that gave up
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, path: str, authorization: str, method: str, body: bytes) -> Answer:
        self.asked.append(path)
        if (told := self.mood(len(self.asked), path)) is not None:
            return told
        if authorization != f"Bearer {SECRET}":
            return 401, {}, {}
        target, query = urlsplit(path), parse_qs(urlsplit(path).query)
        if target.path == "/tickets":
            found = [t for t in self.tickets if t["line_no"] in query["line_no"]]
            page = int(query.get("page", ["0"])[0])
            more = page + 1 if len(found) > 2 * page + 2 else None
            return 200, {}, {"items": found[2 * page : 2 * page + 2], "next": more, "total": len(found)}
        named = [t for t in self.tickets if t["ticket_no"] == unquote(target.path.removeprefix("/tickets/"))]
        if named and method == "DELETE":
            self.tickets.remove(named[0])
        if named and method == "PATCH":
            named[0].update(json.loads(body))
        return (200, {}, named[0]) if named else (404, {}, {})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                token = self.headers.get("Authorization", "")
                status, headers, body = server.answer(self.path, token, self.command, sent)
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(raw)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_DELETE = do_PATCH = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def faults(server: Server, tmp_path: Path, slept: list[float]) -> HttpStore:
    environment = {"FAULTS_URL": server.url, "FAULTS_TOKEN": SECRET}
    connector = connector_of(tmp_path, TICKETS, environment=environment, sleep=slept.append)
    assert isinstance(connector, HttpStore)
    return connector


@pytest.fixture
def tickets(faults: HttpStore) -> Dataset:
    return faults.access.inventory.dataset("faults.tickets")


ASK = ask_by("line_no", LINE)


class TestHttp(WritingContract):
    @pytest.fixture
    def connector(self, faults: HttpStore) -> Connector:
        return faults

    @pytest.fixture
    def dataset(self, tickets: Dataset) -> Dataset:
        return tickets

    @pytest.fixture
    def ask(self) -> Ask:
        return ASK

    @pytest.fixture
    def subject_nos(self) -> set[str]:
        return {"0", "a/b ?", "F4"}

    @pytest.fixture
    def neighbour_nos(self) -> set[str]:
        return {"F3"}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> Connector:
        environment = {"FAULTS_URL": "http://127.0.0.1:1", "FAULTS_TOKEN": SECRET}
        return connector_of(tmp_path, TICKETS, environment=environment)

    @pytest.fixture
    def drifted(self, tmp_path: Path) -> Iterator[Connector]:
        other = Server()
        for ticket in other.tickets:
            ticket["memo2"] = "?"
        yield connector_of(tmp_path, TICKETS, environment={"FAULTS_URL": other.url, "FAULTS_TOKEN": SECRET})
        other.http.shutdown()
        other.http.server_close()

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return (SECRET,)

    @pytest.fixture
    def held(self, server: Server) -> Held:
        return lambda: {ticket["ticket_no"]: json.dumps(ticket) for ticket in server.tickets}

    @pytest.fixture
    def unknown_keys(self) -> pa.Table:
        return keys_of(ticket_no=["00", "a"])

    @pytest.fixture
    def put(self) -> Mapping[str, Any]:
        return {"line_no": "-", "note": "（消去済）"}


def locate(faults: HttpStore, tickets: Dataset) -> set[str]:
    return record_nos(located_keys(faults, tickets, [ASK]), tickets)


def test_values_are_quoted_and_edges_written_as_the_column_stores_them(
    faults: HttpStore, tickets: Dataset, server: Server
) -> None:
    list(faults.locate(tickets, [ask_by("line_no", "a&b=c/..")]))
    assert server.asked[0].startswith("/tickets?line_no=a%26b%3Dc%2F..&from=0001-01-02T")
    list(faults.fetch(tickets, keys_of(ticket_no=["a/b ?"])))
    assert server.asked[-1] == "/tickets/a%2Fb%20%3F"


def test_nested_values_come_as_json_and_null_stays_null(faults: HttpStore, tickets: Dataset) -> None:
    (row,) = rows_of(faults.fetch(tickets, keys_of(ticket_no=["0"])))
    assert row["parts"] == '["ONU"]' and row["note"] is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_us_to_wait_is_waited_for(
    faults: HttpStore, tickets: Dataset, server: Server, slept: list[float], status: int
) -> None:
    server.mood = lambda number, path: (status, {"Retry-After": "3"}, {}) if number in (1, 3) else None
    assert locate(faults, tickets) == {"0", "a/b ?", "F4"}
    assert slept == [3, 3]


@pytest.mark.parametrize("told", ["5", "0", "Wed, 21 Oct 2065 07:28:00 GMT", "soon", "-1", "nan"])
def test_waiting_ends(faults: HttpStore, tickets: Dataset, server: Server, slept: list[float], told: str) -> None:
    server.mood = lambda number, path: (429, {"Retry-After": told}, {})
    with pytest.raises(ConnectorUnavailable) as caught:
        locate(faults, tickets)
    assert sum(slept) <= PATIENCE and caught.value.retry_after


@pytest.mark.parametrize(("status", "error"), [
    (401, ConnectorRefused), (403, ConnectorRefused), (500, ConnectorUnavailable), (503, ConnectorUnavailable),
    (302, ConnectorMisread), (400, ConnectorMisread), (404, ConnectorMisread),
])
def test_a_status_is_read_for_what_it_means(
    faults: HttpStore, tickets: Dataset, server: Server, status: int, error: type[ConnectorError]
) -> None:
    server.mood = lambda number, path: (status, {"Location": "/elsewhere"}, {"line": LINE})
    with pytest.raises(error) as caught:
        locate(faults, tickets)
    assert type(caught.value) is error and LINE not in str(caught.value)


def test_a_wrong_token_is_refused(server: Server, tmp_path: Path) -> None:
    connector = connector_of(tmp_path, TICKETS, environment={"FAULTS_URL": server.url, "FAULTS_TOKEN": "wrong-token"})
    with pytest.raises(ConnectorRefused) as caught:
        connector.check()
    assert "wrong-token" not in str(caught.value)


@pytest.mark.parametrize("second", [
    (500, {}, {}), (200, {}, b"{"), (200, {}, {"items": None}), (200, {"Content-Length": "9999"}, b"{}"), (404, {}, {}),
    (429, {"Retry-After": "99"}, {}),
])
def test_a_page_that_fails_in_the_middle_makes_no_answer(
    faults: HttpStore, tickets: Dataset, server: Server, second: Answer
) -> None:
    """EN-24: never "found 2"."""
    server.mood = lambda number, path: second if "page=1" in path else None
    with pytest.raises(ConnectorTruncated) as caught:
        list(faults.locate(tickets, [ASK]))
    assert caught.value.reason == "truncated" and caught.value.__context__ is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1, 2", b"\xff\xfe", b'{"items": {}}', b'{"items": [1]}', b"7"])
def test_what_is_no_list_of_records_is_misread(
    faults: HttpStore, tickets: Dataset, server: Server, body: bytes
) -> None:
    server.mood = lambda number, path: (200, {}, body)
    with pytest.raises(ConnectorMisread):
        locate(faults, tickets)


@pytest.mark.parametrize("total", [4, 2])
def test_a_total_that_disagrees_is_truncated(faults: HttpStore, tickets: Dataset, server: Server, total: int) -> None:
    body = {"items": server.tickets[:1], "next": None, "total": total}
    server.mood = lambda number, path: (200, {}, body)
    with pytest.raises(ConnectorTruncated):
        locate(faults, tickets)


def test_pages_in_a_circle_end(faults: HttpStore, tickets: Dataset, server: Server) -> None:
    server.mood = lambda number, path: (200, {}, {"items": [], "next": 1})
    with pytest.raises(ConnectorMisread, match="circle"):
        locate(faults, tickets)


def test_the_token_goes_to_no_other_address(server: Server, tmp_path: Path) -> None:
    document = TICKETS.replace('param = "page", ', "")
    connector = connector_of(tmp_path, document, environment={"FAULTS_URL": server.url, "FAULTS_TOKEN": SECRET})
    dataset = connector.access.inventory.dataset("faults.tickets")  # type: ignore[attr-defined]
    body = {"items": [], "next": "http://127.0.0.1:9/tickets?cursor=2"}
    server.mood = lambda number, path: (200, {}, body)
    with pytest.raises(ConnectorRefused, match="another address"):
        list(connector.locate(dataset, [ASK]))
    body["next"] = "/tickets?cursor=2"
    server.mood = lambda number, path: (200, {}, {"items": []} if "cursor" in path else body)
    assert list(connector.locate(dataset, [ASK])) == []


def test_another_record_than_asked_for_is_stopped(faults: HttpStore, tickets: Dataset, server: Server) -> None:
    server.mood = lambda number, path: (200, {}, server.tickets[2])
    with pytest.raises(ConnectorMisread, match="another record"):
        list(faults.fetch(tickets, keys_of(ticket_no=["0"])))


def test_a_vanished_record_is_absent(faults: HttpStore, tickets: Dataset) -> None:
    assert rows_of(faults.fetch(tickets, keys_of(ticket_no=["gone", "0"])))[0]["ticket_no"] == "0"


def test_a_list_may_show_less_than_a_record_but_not_less_than_is_judged_by(
    faults: HttpStore, tickets: Dataset, server: Server
) -> None:
    full = server.tickets[0]
    short = {name: full[name] for name in ("ticket_no", "opened_at")}
    server.mood = lambda number, path: (200, {}, {"items": [short]}) if "?" in path else None
    assert locate(faults, tickets) == {"0"}
    assert faults.check() == []
    del short["opened_at"]
    assert faults.check() == [Drift("faults", "tickets", "opened_at", "missing")]
    with pytest.raises(ConnectorDrifted):
        locate(faults, tickets)


@pytest.mark.parametrize(("old", "new"), [
    ("line_no={line_no}&", ""),
    ("{from}", "{page}"),
    ("/tickets/{key}", "/tickets"),
    ('by = "line_no"', 'by = "person"'),
    ('at = {column = "opened_at", form = "iso"}', ""),
])
def test_a_path_that_would_bring_everybody_is_bad_input(server: Server, tmp_path: Path, old: str, new: str) -> None:
    document = TICKETS.replace(old, new)
    connector = connector_of(tmp_path, document, environment={"FAULTS_URL": server.url, "FAULTS_TOKEN": SECRET})
    with pytest.raises(BadInput):
        connector.check()
    assert server.asked == []


def test_a_slow_server_is_unavailable(
    faults: HttpStore, tickets: Dataset, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    server.mood = lambda number, path: (200, {}, {}) if released.wait(5) else None
    monkeypatch.setattr("connectors.stores.http.TIMEOUT", 0.05)
    with pytest.raises(ConnectorUnavailable, match="in time"):
        locate(faults, tickets)
    released.set()


def test_no_proxy_of_the_environment_hears_of_a_person(
    faults: HttpStore, tickets: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert len(locate(faults, tickets)) == 3


def test_no_log_holds_a_persons_number(
    faults: HttpStore, tickets: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    """httpx writes every URL at INFO; a company that logs everything must still not log this."""
    with caplog.at_level(logging.DEBUG):
        locate(faults, tickets)
        httpx.Client().close()
    assert LINE not in caplog.text
