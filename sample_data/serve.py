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


class Server:
    """Serving until ``stop()``; ``url`` also stands in ``faults.url`` beside the inventory.

    ``fail``: None, or ``down`` (503 always), ``truncate`` (half of a body, then silence), ``slow`` (every answer
    waits ``delay`` seconds), ``lie`` (a change is answered and not done), ``timeout_after`` (done, and not
    answered). The environment's SAMPLE_FAIL sets it at the start.
    """

    def __init__(self, out: Path, port: int = 0) -> None:
        self.tickets: list[Ticket] = json.loads((out / "faults" / "tickets.json").read_text(encoding="utf-8"))
        self.token = (out / "faults.token").read_text(encoding="utf-8").strip()
        self.fail: str | None = os.environ.get("SAMPLE_FAIL") or None
        self.delay = 30.0
        self.stopping = threading.Event()
        self._place = out / "faults" / "tickets.json"
        self._done: set[str] = set()
        self._asked = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        (out / "faults.url").write_text(self.url + "\n", encoding="utf-8")

    def answer(self, target: str, authorization: str) -> Answer:
        """Status, headers and JSON body of one GET."""
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
        if path == "/tickets":
            return _listed(self.tickets, query)
        found = [ticket for ticket in self.tickets if path == f"/tickets/{ticket['ticket_no']}"]
        return (200, {}, found[0]) if found else (404, {}, {"error": "no such ticket"})

    def change(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        """DELETE or PATCH of one ticket. An idempotency key that was seen before changes nothing again."""
        status, told, document = self.answer(target, headers.get("Authorization", ""))
        if status != 200:
            return status, told, document
        with self._lock:
            ticket_no, key = target.rpartition("/")[2], headers.get("Idempotency-Key", "")
            if self.fail != "lie" and key not in self._done:
                self._done.add(key)
                kept = []
                for ticket in self.tickets:
                    if ticket["ticket_no"] != ticket_no:
                        kept.append(ticket)
                    elif method == "PATCH":
                        kept.append({**ticket, **json.loads(body)})
                self.tickets = kept
                self._keep()
        if self.fail == "timeout_after":
            self.stopping.wait(self.delay)
        return (204, {}, None) if method == "DELETE" else (200, {}, {"ticket_no": ticket_no})

    def _keep(self) -> None:
        """On the disk, whole or not at all: what the server holds is what the file says."""
        part = self._place.with_suffix(".part")
        lines = ",\n".join(json.dumps(ticket, ensure_ascii=False) for ticket in self.tickets)
        part.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        part.replace(self._place)

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
            self._say(*server.answer(self.path, self.headers.get("Authorization", "")))

        def do_DELETE(self) -> None:
            self._say(*server.change("DELETE", self.path, self.headers, b""))

        def do_PATCH(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._say(*server.change("PATCH", self.path, self.headers, body))

        def _say(self, status: int, headers: dict[str, str], document: Any) -> None:
            body = b"" if status == 204 else json.dumps(document, ensure_ascii=False).encode()
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

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: a path holds a line number."""

    return Handler
