"""The morning round: who else hears of what is late, notification that holds no value and fails alone."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dsr.errors import BadInput
from dsr.inventory import Inventory
from dsr.shapes import shaped
from flows import notifying
from tests.story import Office
from tests.test_desk import at, nobody_in, opened, said

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's own import


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what apprise posts to a loopback address."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keeping)
        self.told: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_address[1]}/"


class _Keeping(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        running = threading.Thread(target=server.serve_forever)
        running.start()
        yield server
        server.shutdown()
        running.join()


def test_what_is_late_goes_to_another_role_and_out_without_a_value(
    own_office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three business days late an approver hears of it; a dead receiver stops nothing, and is said."""
    office, inventory = own_office, own_office.sample / "inventory.toml"
    inventory.write_text(
        inventory.read_text() + '\n[notify]\nhandler = ["env:NOTIFY"]\napprover = ["file:notify.txt"]\n'
    )
    (office.sample / "notify.txt").write_text(receiver.url)
    monkeypatch.setenv("NOTIFY", receiver.url)
    at(office, "2026-11-04")
    case = opened(office, "saki", "2026-11-02T10:00:00+09:00")
    at(office, "2026-11-10")  # proof was due on Friday the 6th
    told = office.ok("watch")
    assert ([r["what"] for r in told["reminders"]], told["escalated"]) == (["id_check"], [])
    assert told["notified"] == {"handler": "sent"}
    assert [post["message"] for post in receiver.told] == [f"{case}  id_check → handler  2026-11-06 +4"]
    at(office, "2026-11-11")
    told = office.ok("watch")
    (late,) = told["escalated"]
    assert (late["what"], late["who"]) == ("id_check", "approver")
    assert told["notified"] == {"handler": "sent", "approver": "sent"}
    at(office, "2026-11-13")  # Friday: clock A's days 12 and 13 are no business days
    told = office.ok("watch")
    assert {r["what"]: r["overdue_days"] for r in told["reminders"]} == {
        "id_check": 7, "decision": 0, "dispatch": 0, "interim_answer": 0}  # fmt: skip
    assert len(receiver.told) == 5
    assert nobody_in(office, "saki", receiver.told, told)
    monkeypatch.setenv("NOTIFY", "json://127.0.0.1:9/hush")
    (office.sample / "notify.txt").unlink()
    at(office, "2026-11-17")
    told = office.ok("watch")
    assert (bool(told["reminders"]), len(receiver.told)) == (True, 5)
    assert told["notified"]["handler"] == notifying.FAILED
    assert told["notified"]["approver"].startswith(f"{notifying.FAILED}: notify.approver.0: cannot read")
    at(office, "2026-11-18")
    spoken = said(office, "watch")
    assert f"notify handler: {notifying.FAILED}\n" in spoken[1]
    assert "hush" not in "".join(spoken[1:])


def test_a_reminder_that_could_hold_a_value_is_never_sent(own_office: Office, receiver: Receiver) -> None:
    """Whatever its author thought: only numbers, codes and days go out."""
    from flows import home as homes
    from tests.story import closing_store

    office, inventory = own_office, own_office.sample / "inventory.toml"
    inventory.write_text(inventory.read_text() + '\n[notify]\nhandler = ["file:notify.txt"]\n')
    (office.sample / "notify.txt").write_text(receiver.url)
    fine = {"case": "DSR-2026-000001", "what": "decision", "who": "handler", "due": "2026-11-20", "overdue_days": 0}
    with closing_store(homes.engine_office(office.home, office.now)) as engine:
        for wrong in ({"what": "search 山﨑"}, {"what": "a b"}, {"to": "hanako@example.jp"}, {"case": "090-0000-0000"}):
            found = {"day": "2026-11-20", "reminders": [fine, {**fine, **wrong}], "escalated": []}
            assert notifying.notify(engine, found)["handler"].startswith(notifying.FAILED), wrong
        assert receiver.told == []
        assert notifying.notify(engine, {"day": "2026-11-20", "reminders": [fine], "escalated": []}) == {
            "handler": "sent"
        }
    assert len(receiver.told) == 1


@pytest.mark.parametrize("written", ["json://user:secret@host/", "mailto://x"])
def test_an_address_never_stands_in_the_inventory_itself(written: str) -> None:
    with pytest.raises(BadInput) as caught:
        shaped(Inventory, {"system": {}, "notify": {"handler": [written]}}, "inventory")
    assert caught.value.field.startswith("inventory.notify.handler") or "notify.handler" in caught.value.field
    assert "secret" not in str(caught.value)
