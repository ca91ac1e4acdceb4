"""The sample's HTTP system on loopback: fault tickets behind a token, in pages, with the moods of a real server."""

from __future__ import annotations

import hmac
import json
import os
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE_SIZE = 20
EVERY = 7
"""Each seventh request is told to come back in a second, so that no client forgets how."""
FAULTS = ("down", "truncate", "slow", "lie", "timeout_after")

Ticket = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]
NOBODY: Answer = 404, {}, {"error": "no such ticket"}


class Server:
    """Serving until ``stop()``; ``url`` also stands in ``faults.url`` beside the inventory.

    ``fail``: None, or ``down`` (503 always), ``truncate`` (half of a body, then silence), ``slow`` (every answer
    waits ``delay`` seconds); of changes, ``lie`` (says 200 and does nothing) and ``timeout_after`` (does it, and never
    answers). The environment's SAMPLE_FAIL sets it at the start. What changes is in faults/tickets.json at once.
    """

    def __init__(self, out: Path, port: int = 0) -> None:
        self._file = out / "faults" / "tickets.json"
        self.tickets: list[Ticket] = json.loads(self._file.read_text(encoding="utf-8"))
        self.token = (out / "faults.token").read_text(encoding="utf-8").strip()
        self.fail: str | None = os.environ.get("SAMPLE_FAIL") or None
        self.delay = 30.0
        self.stopping = threading.Event()
        self._asked = 0
        self._told: dict[str, tuple[tuple[str, str, bytes], Answer]] = {}
        """By Idempotency-Key: what was asked, and the answer, which is given again."""
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        (out / "faults.url").write_text(self.url + "\n", encoding="utf-8")

    def answer(self, target: str, authorization: str, method: str = "GET", key: str = "", body: bytes = b"") -> Answer:
        """Status, headers and JSON body. DELETE and PATCH change one ticket, once for each Idempotency-Key."""
        path, query = (
            urlsplit(target).path,
            {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()},
        )
        if self.fail == "down":
            return 503, {}, {"error": "down"}
        if path == "/health":
            return 200, {}, {"status": "ok"}
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode()):
            return 401, {"WWW-Authenticate": "Bearer"}, {"error": "token"}
        with self._lock:
            self._asked += 1
            if self._asked % EVERY == 0:
                return 429, {"Retry-After": "1"}, {"error": "too many requests"}
        if method != "GET":
            with self._lock:
                return self._once((method, path, body), key)
        if path == "/tickets":
            return _listed(self.tickets, query)
        found = self._found(path)
        return (200, {}, found) if found else NOBODY

    def _found(self, path: str) -> Ticket | None:
        return next((ticket for ticket in self.tickets if path == f"/tickets/{ticket['ticket_no']}"), None)

    def _once(self, asked: tuple[str, str, bytes], key: str) -> Answer:
        if self.fail == "lie":
            return 200, {}, {"status": "done"}
        before, answer = self._told.get(key, (asked, None))
        if before != asked:
            return 422, {}, {"error": "another request had this Idempotency-Key"}
        if answer is None:
            answer = self._change(*asked)
            if key:
                self._told[key] = asked, answer
        return answer

    def _change(self, method: str, path: str, body: bytes) -> Answer:
        found = self._found(path)
        if found is None:
            return NOBODY if path.startswith("/tickets/") else (405, {}, {"error": "one ticket at a time"})
        if method == "DELETE":
            self._keep([ticket for ticket in self.tickets if ticket is not found])
            return 204, {}, None
        try:
            changes = json.loads(body)
        except ValueError:
            changes = None
        if not isinstance(changes, dict) or set(changes) - set(found) or "ticket_no" in changes:
            return 422, {}, {"error": "a JSON object of fields of a ticket"}
        changed = {**found, **changes}
        self._keep([changed if ticket is found else ticket for ticket in self.tickets])
        return 200, {}, changed

    def _keep(self, tickets: list[Ticket]) -> None:
        beside = self._file.with_suffix(".new")
        lines = ",\n".join(json.dumps(ticket, ensure_ascii=False) for ticket in tickets)
        beside.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        beside.replace(self._file)
        self.tickets = tickets

    def serve_forever(self) -> None:
        """Block until ``stop()`` or Ctrl-C."""
        try:
            self.stopping.wait()
        except KeyboardInterrupt:
            self.stop()

    def stop(self) -> None:
        """Idempotent; answers that are waiting are let go at once."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(out: Path, port: int = 0) -> Server:
    """Start the HTTP systems of a built sample; port 0 takes any free one."""
    return Server(Path(out), port)


def _listed(tickets: list[Ticket], query: dict[str, str]) -> Answer:
    """Tickets of a line opened in [from, to), a page at a time; what a list shows is less than what a ticket holds."""
    try:
        low, high = (_edge(query.get(name)) for name in ("from", "to"))
        page = int(query.get("page", "1"))
    except ValueError:
        return 400, {}, {"error": "from, to: ISO 8601 with offset; page: a number"}
    found = [
        ticket
        for ticket in tickets
        if query.get("line_no") in (None, ticket["line_no"])
        and (low is None or datetime.fromisoformat(ticket["opened_at"]) >= low)
        and (high is None or datetime.fromisoformat(ticket["opened_at"]) < high)
    ]
    first = (page - 1) * PAGE_SIZE
    shown = [
        {name: ticket[name] for name in ("ticket_no", "line_no", "opened_at")}
        for ticket in found[first : first + PAGE_SIZE]
    ]
    return 200, {}, {"items": shown, "next": page + 1 if first + PAGE_SIZE < len(found) else None, "total": len(found)}


def _edge(text: str | None) -> datetime | None:
    """A plus sign that was not encoded arrives as a space."""
    if not text:
        return None
    edge = datetime.fromisoformat(text.replace(" ", "+"))
    if edge.tzinfo is None:
        raise ValueError
    return edge


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if server.fail == "slow":
                server.stopping.wait(server.delay)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token, key = (self.headers.get(name, "") for name in ("Authorization", "Idempotency-Key"))
            status, headers, document = server.answer(self.path, token, self.command, key, sent)
            if server.fail == "timeout_after" and self.command != "GET" and status < 400:
                server.stopping.wait(server.delay)
                self.close_connection = True
                return
            body = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
            self.send_response(status)
            for name, value in {
                **headers,
                "Content-Type": "application/json; charset=utf-8",
                "Content-Length": str(len(body)),
            }.items():
                self.send_header(name, value)
            cut = server.fail == "truncate" and status == 200
            self.close_connection = self.close_connection or cut
            try:
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if cut else body)
            except OSError:
                self.close_connection = True  # the client gave up waiting

        do_DELETE = do_PATCH = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: a path holds a line number."""

    return Handler
