"""Prefect decides when: the same events as the plain loop, silence asked again, and nothing personal ever leaves."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

import flows.home
from dsr.days import TOKYO
from dsr.errors import BadInput, Conflict, ConnectorMisread, ConnectorRefused, ConnectorUnavailable, DsrError
from flows import boundary, deployments
from flows.boundary import CaseNo, Redaction, StepFailed, guarded
from tests.markers import Markers
from tests.story import NOW, Office
from tests.test_release_office import leak_in_the_book

# Prefect leaves its connections to its own server to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
PLANTED = ["植込 検査郎", "PLANTED-7731-ABCD"]
SETTINGS = Path(boundary.__file__).with_name("prefect_logging.yml")


def personal(office: Office, person: str = "hanako") -> list[str]:
    """The values by which the subject is known."""
    subject = json.loads((office.sample / f"requests/{person}.json").read_text())["subject"]
    stated = [identifier["value"] for identifier in subject["identifiers"]]
    return [subject["name"], subject["kana"], subject["born_on"], *subject["addresses"], *stated]


def poisoned(values: Sequence[str]) -> Exception:
    """An exception that carries values everywhere an exception can."""
    error = ValueError(*values)
    error.add_note(" ".join(values))
    error.__cause__, error.__context__ = KeyError(values[0]), LookupError(values[-1])
    error.row = values  # type: ignore[attr-defined]
    return error


# -- the boundary, without Prefect -----------------------------------------------------------------------------------


def _raised(error: Exception, later: bool) -> StepFailed:
    @guarded
    def now() -> None:
        raise error

    @guarded
    async def afterwards() -> None:
        raise error

    with pytest.raises(StepFailed) as caught:
        asyncio.run(afterwards()) if later else now()  # type: ignore[func-returns-value]
    return caught.value


@pytest.mark.parametrize("later", [False, True])
def test_a_failure_leaves_as_a_type_name_with_nothing_hanging_on_it(later: bool) -> None:
    failed = _raised(poisoned(PLANTED), later)
    assert (str(failed), failed.args, failed.__cause__, failed.__context__) == ("ValueError", ("ValueError",), None, None)
    told = "".join(traceback.format_exception(failed)) + repr(vars(failed))
    assert not [value for value in PLANTED if value in told]


@pytest.mark.parametrize("later", [False, True])
def test_of_a_system_its_name_and_the_coded_reason_may_be_told(later: bool) -> None:
    assert str(_raised(ConnectorMisread("billing", "invoices", PLANTED[0]), later)) == "ConnectorMisread: billing.invoices: misread"
    silent = _raised(ConnectorUnavailable("billing", None, PLANTED[0]), later)
    assert (silent.words, silent.again) == ("ConnectorUnavailable: billing: no_answer", True)
    assert not _raised(BadInput("subject.name", PLANTED[0]), later).again


def test_only_a_case_number_is_a_parameter() -> None:
    number: TypeAdapter[str] = TypeAdapter(CaseNo)
    assert number.validate_python("DSR-2026-000001") == "DSR-2026-000001"
    for wrong in ("", "DSR-2026-1", "dsr-2026-000001", "DSR-2026-000001 花子", "DSR-2026-000001\n", "DSR-２０２６-000001"):
        with pytest.raises(ValidationError):
            number.validate_python(wrong)


def test_every_handler_of_the_logging_settings_redacts() -> None:
    handlers = yaml.safe_load(re.sub(r"\$\{\w+\}", "INFO", SETTINGS.read_text()))["handlers"]
    assert set(handlers) == {"console", "api", "worker_api"}
    assert all(handler["filters"] == ["redaction"] for handler in handlers.values())


@pytest.mark.parametrize("name", ["prefect.flow_runs", "sqlalchemy.engine"])
def test_tracebacks_and_foreign_words_are_dropped_from_logs(name: str) -> None:
    try:
        raise poisoned(PLANTED)
    except ValueError:
        record = logging.LogRecord(name, logging.ERROR, __file__, 1, f"row {PLANTED[0]}", None, sys.exc_info(), sinfo=PLANTED[1])
    assert Redaction().filter(record)
    told = logging.Formatter().format(record) + record.getMessage()
    assert not [value for value in PLANTED if value in told]
    assert name in told or "withheld" in told


# -- Prefect's own server ------------------------------------------------------------------------------------------------


class Prefect:
    """A Prefect server for tests and the flows on it."""

    def __init__(self, home: Path, database: Path) -> None:
        self.home, self.database = home, database

    def run(self, flow: str, *case: str) -> str:
        from flows.collect import collect
        from flows.fulfil import fulfil
        from flows.watch import trail_check, watch

        named: Mapping[str, Callable[..., Any]] = {"collect": collect, "fulfil": fulfil, "watch": watch, "trail": trail_check}
        return str(asyncio.run(named[flow](*case)))


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        for name, value in {
            "PREFECT_HOME": str(home), "PREFECT_LOGGING_SETTINGS_PATH": str(SETTINGS), "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "INFO", "DSR_RETRY_SECONDS": "0",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=90):
            yield Prefect(home, Path(str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value()).partition("///")[2]))
    _let_go()


def _let_go() -> None:
    """What Prefect left open is closed here, where it is expected, and not in a later test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for left in [thing for thing in gc.get_objects() if isinstance(thing, socket.socket)]:
            if left.fileno() != -1 and left.family == socket.AF_INET and not left.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                left.close()
        gc.collect()


@pytest.fixture
def engine(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """The office whose home the flows find in their environment."""
    monkeypatch.setenv("DSR_HOME", str(office.home))
    monkeypatch.setenv("DSR_NOW", office.now)
    return office


def proved(office: Office, person: str) -> str:
    case = office.open(person)
    office.ok("prove", case, "--file", str(office.sample / f"requests/{person}.proof.json"))
    office.ok("answer", case, "archives_backups", "--file", str(office.sample / f"answers/{person}.archives_backups.json"))
    return case


def decided(office: Office, case: str, folder: Path) -> None:
    office.ok("review", case, "--file", str(office.review_of("hanako", folder)))
    office.ok("decide", case, "--as-proposed")
    office.ok("approve", case, officer="shonin-1")


def events(office: Office, case: str) -> set[tuple[str, str]]:
    """Steps and phases; what a fetch is named by is keyed with the case's own key."""
    store = flows.home.engine_office(office.home).store
    try:
        return {(re.sub(r"^(fetch:[^:]+):[0-9a-f]+", r"\1", step), phase) for step, phase in store.ledger(case)}
    finally:
        store.close()


def test_the_flows_leave_the_same_events_as_the_plain_loop(
    prefect: Prefect, engine: Office, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Office.set_up(tmp_path / "plain", sample, monkeypatch)
    one, other = proved(plain, "hanako"), proved(engine, "hanako")
    plain.ok("collect", one)
    assert prefect.run("collect", other) == "review"
    assert events(plain, one) == events(engine, other)
    decided(plain, one, tmp_path)
    decided(engine, other, tmp_path)
    plain.ok("fulfil", one)
    assert prefect.run("fulfil", other) == "dispatching"
    assert events(plain, one) == events(engine, other)
    assert any(step.startswith("data:") for step, _ in events(engine, other))


def test_a_right_that_needs_no_search_runs_through_the_same_flows_and_asks_nobody(
    prefect: Prefect, engine: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.home, "connect", lambda *_, **__: pytest.fail("a system was to be asked"))
    asked = json.loads((engine.sample / "requests/kenta.json").read_text()) | {"right": "published_matters"}
    path = tmp_path / "asked.json"
    path.write_text(json.dumps(asked))
    one, other = (str(engine.ok("open", str(path))["case"]) for _ in range(2))
    assert prefect.run("collect", one) == "awaiting_decision"
    engine.ok("decide", one, "--as-proposed")
    assert prefect.run("fulfil", one) == "dispatching"
    assert engine.ok("show", other)["linked_to"] == one
    steps = {step.split(":")[0] for step, _ in events(engine, one)}
    assert {"collect", "propose", "decide", "issue", "letter", "manifest", "gate"} <= steps
    assert not {"check", "locate", "match", "fetch", "redact", "data", "book"} & steps


def test_a_package_that_the_gate_stops_fails_the_run_and_tells_nothing_of_the_value(
    prefect: Prefect, engine: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = proved(engine, "hanako")
    engine.ok("collect", case)
    decided(engine, case, tmp_path)
    with monkeypatch.context() as patch:
        number = leak_in_the_book(engine, patch, str)
        with pytest.raises(StepFailed, match="CheckFailed"):
            prefect.run("fulfil", case)
    shown = engine.ok("show", case)
    assert shown["state"] == "fulfilling" and shown["release"]["findings"][0]["kind"] == "page"
    assert number.encode() not in prefect.database.read_bytes()


def test_a_blocked_case_names_whom_it_waits_for(office: Office) -> None:
    case = office.open("kenta")
    office.ok("prove", case, "--file", str(office.sample / "requests/kenta.proof.json"))
    status, _, errors = office.run("collect", case)
    system = next(work["what"] for work in office.ok("show", case)["work"] if work["what"].startswith("search_order:"))[13:]
    assert status == 3 and f"dsr order {case} {system} → dsr answer {case} {system}" in errors


# -- a system that does not answer ----------------------------------------------------------------------------------------


class Moody:
    """A system before which an error stands a number of times."""

    def __init__(self, inner: Any, error: Exception, times: int) -> None:
        self._inner, self._error, self.left, self.asked = inner, error, times, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def locate(self, *rest: Any) -> Any:
        self.asked += 1
        if self.left > 0:
            self.left -= 1
            raise self._error
        return self._inner.locate(*rest)


def _moody(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int) -> list[Moody]:
    made: list[Moody] = []
    connect = flows.home.connect

    def connecting(*rest: Any, **more: Any) -> dict[str, Any]:
        built: dict[str, Any] = dict(connect(*rest, **more))
        made.append(Moody(built["premises_lines"], error, times))
        return built | {"premises_lines": made[-1]}

    monkeypatch.setattr(flows.home, "connect", connecting)
    return made


def _status(office: Office, case: str) -> tuple[str, str | None]:
    (found,) = [d for d in office.ok("show", case)["datasets"] if d["system"] == "premises_lines"]
    return found["status"], found["reason"]


def test_a_system_that_answers_the_third_time_is_searched(
    prefect: Prefect, engine: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = proved(engine, "hanako")
    made = _moody(monkeypatch, ConnectorUnavailable("premises_lines", None, "down", retry_after=0.01), 2)
    assert prefect.run("collect", case) == "review"
    assert (_status(engine, case), made[0].asked) == (("found", None), 3)


def test_what_stays_silent_blocks_the_case_until_the_watch_takes_it_up(
    prefect: Prefect, engine: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sunday 22 November and the holiday after it record only that they are closed."""
    case = proved(engine, "hanako")
    with monkeypatch.context() as patch:
        made = _moody(patch, ConnectorUnavailable("premises_lines", None, "down"), 99)
        assert prefect.run("collect", case) == "blocked"
        assert (_status(engine, case), made[0].asked) == (("unreachable", "no_answer"), 3)
    for day, said, state in (("22", "closed", "blocked"), ("23", "closed", "blocked"), ("24", "watched", "review")):
        monkeypatch.setenv("DSR_NOW", f"2026-11-{day}T10:00+09:00")
        assert (prefect.run("watch"), engine.state(case)) == (said, state)
    assert {step for step, _ in events(engine, "office")} >= {"rest:2026-11-22", "rest:2026-11-23", "watch:2026-11-24"}


def test_a_system_that_refuses_is_not_asked_again(
    prefect: Prefect, engine: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = proved(engine, "hanako")
    made = _moody(monkeypatch, ConnectorRefused("premises_lines", None, "no"), 99)
    assert prefect.run("collect", case) == "blocked"
    assert (_status(engine, case), made[0].asked) == (("unreachable", "refused"), 1)


def test_the_watch_leaves_a_case_in_another_hand_alone(
    prefect: Prefect, engine: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dsr.engine import collecting

    case = proved(engine, "hanako")
    _moody(monkeypatch, ConnectorUnavailable("premises_lines", None, "down"), 99)
    assert prefect.run("collect", case) == "blocked"
    monkeypatch.setenv("DSR_NOW", "2026-11-24T10:00+09:00")
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "begin", _raising(Conflict("held")))
        assert prefect.run("watch") == "watched"
        patch.setattr(collecting, "begin", _raising(OSError("disk")))
        with pytest.raises(StepFailed, match=r"^OSError$"):
            prefect.run("watch")


def test_a_log_that_does_not_prove_itself_fails_the_trail_check(prefect: Prefect, engine: Office) -> None:
    engine.open("hanako")
    assert re.match(r"\d+:", prefect.run("trail"))
    with sqlite3.connect(engine.home / "dsr.db") as store:
        store.execute("UPDATE event SET actor_id = 'nobody' WHERE seq = 1")
    with pytest.raises(StepFailed, match=r"^trail not sound: altered at 1$"):
        prefect.run("trail")


# -- nothing personal -------------------------------------------------------------------------------------------------


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_rest: Any, **_more: Any) -> Any:
        logging.getLogger("connectors").error("%s", error.args, exc_info=error)
        raise error

    return fail


def contents(database: Path, out: Path) -> None:
    """Every value of every row, whole: in the file itself long ones lie in pieces on several pages."""
    with sqlite3.connect(database) as rows, out.open("wb") as said:
        for (table,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in rows.execute(f'SELECT * FROM "{table}"'):
                said.writelines((v if isinstance(v, bytes) else str(v).encode()) + b"\n" for v in row)


def leaked(database: Path, home: Path, folder: Path, values: Sequence[str]) -> list[str]:
    """Where values stand in Prefect's database, beside it, or in its home."""
    contents(database, folder / "rows")
    marked = Markers({str(number): value for number, value in enumerate(values)})
    return marked.search(folder) + marked.search(database.parent) + marked.search(home)


STEPS = {
    "collect": ("collecting.begin", "collecting.check", "collecting.next_wave", "collecting.locate", "collecting.match",
                "collecting.to_fetch", "collecting.fetch", "collecting.settle", "process.settle_review"),
    "fulfil": ("fulfilling.begin", "fulfilling.to_write", "fulfilling.write_data", "fulfilling.finish"),
    "watch": ("desk.watch",),
    "trail": ("desk.verify_trail",),
}  # fmt: skip


def test_prefect_holds_nothing_personal_when_every_step_has_failed_once(
    prefect: Prefect, engine: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search is shown to see: an unguarded flow fails with planted values last, and those are found."""
    case, values = proved(engine, "hanako"), personal(engine)
    monkeypatch.setenv("DSR_NOW", "2026-11-24T10:00+09:00")
    for flow, steps in STEPS.items():
        for step in steps:
            with monkeypatch.context() as patch:
                patch.setattr(f"dsr.engine.{step}", _raising(poisoned(values)))
                with pytest.raises(StepFailed, match=r"^ValueError$"):
                    prefect.run(flow, *([case] if flow in ("collect", "fulfil") else []))
        if flow == "collect":
            assert prefect.run("collect", case) == "review"
            decided(engine, case, tmp_path)
    assert prefect.run("fulfil", case) == "dispatching"
    _plant()
    found = _until_found(prefect, tmp_path)
    assert {hit.partition(":")[0] for hit in found} >= {"rows"}, "a planted value must be found"
    assert leaked(prefect.database, prefect.home, _made(tmp_path / "all"), values) == []


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _plant() -> None:
    from prefect import flow

    @flow(name="unguarded")
    async def unguarded() -> None:
        raise poisoned(PLANTED)

    with pytest.raises(ValueError, match=PLANTED[1]):
        asyncio.run(unguarded())


def _until_found(prefect: Prefect, folder: Path) -> list[str]:
    """Events and logs arrive late; what was planted last is there last."""
    for _ in range(40):
        found = leaked(prefect.database, prefect.home, _made(folder / "planted"), PLANTED)
        if {hit.rpartition(" ")[2] for hit in found} == {"0", "1"}:
            return found
        time.sleep(0.25)
    return found


# -- all of it together: dsr serve ----------------------------------------------------------------------------------------

SITE = """
import os, sys
from pathlib import Path

def watching(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        address = args[0] if event == "socket.getaddrinfo" else args[1]
        host = address[0] if isinstance(address, tuple) else address
        if host not in ("127.0.0.1", "localhost", "::1", None) and not str(host).startswith("/"):
            with Path(os.environ["OUTBOUND"]).open("a") as out:
                out.write(f"{event} {host}\\n")

sys.addaudithook(watching)
if "PREFECT__FLOW_RUN_ID" in os.environ and Path(os.environ["POISON"]).exists():
    from dsr.engine import collecting
    def fail(*rest):
        raise ValueError(Path(os.environ["POISON"]).read_text())
    collecting.locate = fail
"""


class Served:
    """``dsr serve`` as an office runs it: a process of its own."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.home, self.folder = office.home, folder
        self.poison, self.outbound = folder / "poison", folder / "outbound"
        (folder / "site").mkdir()
        (folder / "site/sitecustomize.py").write_text(SITE)
        environment = os.environ | {
            "PYTHONPATH": str(folder / "site"), "POISON": str(self.poison), "OUTBOUND": str(self.outbound),
            "DSR_NOW": NOW, "DSR_RETRY_SECONDS": "0",
        }  # fmt: skip
        self._prove_that_calls_outside_are_seen(environment)
        command = [sys.executable, "-m", "flows.cli", "serve", "--home", str(office.home), "--port", "0"]
        self.process = subprocess.Popen(command, env=environment, stderr=(folder / "said").open("wb"))

    def _prove_that_calls_outside_are_seen(self, environment: dict[str, str]) -> None:
        calling = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))"
        subprocess.run([sys.executable, "-c", calling], env=environment, check=False, stderr=subprocess.DEVNULL)
        assert self.outbound.read_text() == "socket.sendto 192.0.2.1\n"
        self.outbound.unlink()

    def __enter__(self) -> Served:
        last = time.monotonic() + 120
        while (api := deployments.served_at(self.home)) is None:
            assert self.process.poll() is None and time.monotonic() < last, (self.folder / "said").read_text()
            time.sleep(0.2)
        self.api = api
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def post(self, path: str, **document: Any) -> httpx.Response:
        return httpx.post(f"{self.api}/{path}", json=document, trust_env=False, timeout=30)


def _left_running(home: Path) -> list[str]:
    """Processes whose environment names this home."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"PREFECT_HOME={home}/prefect".encode() in (place / "environ").read_bytes():
                found.append((place / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_a_served_home_runs_cases_on_schedule_and_by_hand_and_keeps_nothing_personal(
    engine: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, values = proved(engine, "hanako"), personal(engine)
    monkeypatch.setenv("DSR_OFFICER", "uketsuke-1")
    monkeypatch.setenv("DSR_SECRET", engine.secrets["uketsuke-1"])
    with pytest.raises(DsrError, match="nothing is served for this home"):
        deployments.hand_over(engine.home, "collect", case)
    with Served(engine, tmp_path) as served:
        _fails_then_goes_on(served, case, values)
        _refuses_what_is_no_case_number(served, values)
        assert engine.state(case) == "review"
        assert _scheduled(served), "the schedule writes its next runs"
        with pytest.raises(DsrError, match="knows no such run"):
            deployments.wait_for(engine.home, "00000000-0000-0000-0000-000000000000")
        with pytest.raises(Conflict, match="is served already"):
            deployments.serve(engine.home, 0)
        assert served.post("artifacts/", key="planted", type="markdown", data=PLANTED[0], description=PLANTED[1]).is_success
    assert (served.process.returncode, deployments.served_at(engine.home), _left_running(engine.home)) == (0, None, [])
    prefect = engine.home / "prefect"
    assert {path.stat().st_mode & 0o077 for path in (prefect, engine.home / "prefect.key")} == {0}
    assert leaked(prefect / "prefect.db", prefect, _made(tmp_path / "rows"), PLANTED), "what is planted is found"
    assert leaked(prefect / "prefect.db", prefect, _made(tmp_path / "rows"), values) == []
    assert not served.outbound.exists(), served.outbound.read_text()


def _fails_then_goes_on(served: Served, case: str, values: Sequence[str]) -> None:
    """A run that failed is followed by another; one that waits or runs is not doubled."""
    served.poison.write_text("\n".join(values))
    first = deployments.hand_over(served.home, "collect", case)
    assert deployments.hand_over(served.home, "collect", case) == first
    assert deployments.wait_for(served.home, first, 90) == "FAILED"
    state = httpx.get(f"{served.api}/flow_runs/{first}", trust_env=False).json()["state"]
    assert state["message"].endswith("StepFailed: ValueError"), state["message"]
    served.poison.unlink()
    second = deployments.hand_over(served.home, "collect", case)
    assert second != first
    assert deployments.wait_for(served.home, second, 90) == "COMPLETED"


def _refuses_what_is_no_case_number(served: Served, values: Sequence[str]) -> None:
    found = httpx.get(f"{served.api}/deployments/name/{quote('検索・収集')}/collect", trust_env=False).json()
    form = found["parameter_openapi_schema"]["properties"]["case_no"]
    assert (form["title"], found["tags"]) == ("案件番号", ["dsr", "collect"])
    answer = served.post(f"deployments/{found['id']}/create_flow_run", parameters={"case_no": values[0]})
    assert answer.status_code == 409


def _scheduled(served: Served) -> bool:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "limit": 5}
    for _ in range(100):
        if served.post("flow_runs/filter", **wanted).json():
            return True
        time.sleep(0.2)
    return False


def test_a_taken_port_is_named(engine: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"127.0.0.1:{port}: .* → stop what uses it"):
            deployments.serve(engine.home, port)


def test_only_an_officer_who_may_collect_hands_a_case_over(engine: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    case = proved(engine, "hanako")
    monkeypatch.setenv("DSR_OFFICER", "kansa-1")
    monkeypatch.setenv("DSR_SECRET", engine.secrets["kansa-1"])
    with pytest.raises(DsrError, match="not open to the role auditor"):
        deployments.hand_over(engine.home, "collect", case)


def test_the_rehearsal_clock_reaches_the_flows(engine: Office) -> None:
    with boundary.working_office() as office:
        assert office.now.astimezone(TOKYO).isoformat() == "2026-11-22T09:00:00+09:00"
        assert office.rehearsal
