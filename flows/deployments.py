"""Everything on one machine: ``dsr serve`` runs Prefect's server and the four deployments; a case is handed to them.

The process that serves is a plain supervisor without Prefect in it: of Prefect's own processes some do not end when
told to (measured), so each runs in a session of its own and is ended by force when it does not go by itself.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import httpx

from dsr.errors import BadInput, Conflict, DsrError
from flows import home as homes

HOST = "127.0.0.1"
NAMES: Mapping[str, str] = {
    "collect": "検索・収集",
    "fulfil": "書類の作成",
    "watch": "期限の見回り",
    "trail-check": "記録の検証",
}
"""Deployment → flow."""
REGISTERED = "registered"
"""In Prefect's folder: the runner has told the server of the deployments."""
START_SECONDS, STOP_SECONDS = 90.0, 10.0
ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
ATTEMPTS = {"collect": "collect:", "fulfil": "issue:"}
"""Deployment → the steps whose results count its attempts in the ledger."""


# -- serving -----------------------------------------------------------------------------------------------------


def serve(home: Path, port: int) -> int:
    """Server, UI and deployments until SIGINT or SIGTERM; port 0 takes a free one. Raises DsrError with the cure."""
    home = home.resolve()
    homes.clock_of(os.environ.get("DSR_NOW") or None, bool(homes.settings_of(home)["production"]))
    if served_at(home):
        raise Conflict(f"--home: is served already at {served_at(home)}; stop that one first, or use it")
    port = free_port(port)
    environment = settings(home, port)
    with _stopping() as stop, _child(home, "server", _server(port), environment) as server:
        _until(lambda: _healthy(environment["PREFECT_API_URL"]), "server", home, server, stop)
        registered = home / "prefect" / REGISTERED
        registered.unlink(missing_ok=True)
        with _child(home, "runner", [sys.executable, "-m", "flows.deployments"], environment) as runner:
            _until(registered.exists, "runner", home, runner, stop)
            _announce(home, environment["PREFECT_API_URL"])
            try:
                while not stop.asked and server.poll() is None and runner.poll() is None:
                    time.sleep(0.2)
            finally:
                _address(home).unlink(missing_ok=True)
    if not stop.asked:
        raise DsrError(f"serve: Prefect ended by itself; see server.log and runner.log in {home / 'prefect'}")
    return 0


def _server(port: int) -> list[str]:
    return [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]


def settings(home: Path, port: int) -> dict[str, str]:
    """The environment of Prefect's processes: private to this home, silent to the outside, storing no results."""
    passed = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("PREFECT_") or name in passed) and name not in ("DSR_OFFICER", "DSR_SECRET")
    }
    return inherited | {
        "DSR_HOME": str(home),
        "DO_NOT_TRACK": "1",
        "NO_PROXY": f"{HOST},localhost",
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).with_name("prefect_logging.yml")),
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ENCRYPTION_KEY": _encryption_key(home),
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # V2 calls an analytics host on every page
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }


def _encryption_key(home: Path) -> str:
    """Kept beside Prefect's folder, not in it: by default Prefect would keep it in the database it encrypts."""
    kept = home / "prefect.key"
    if not kept.exists():
        part = home / ".prefect.key.part"
        part.touch(mode=0o600)
        part.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        part.replace(kept)
    return kept.read_text().strip()


def free_port(port: int) -> int:
    """``port``, or for 0 any that is free. Raises BadInput when something else listens there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
            return int(trial.getsockname()[1])
        except OSError as error:
            problem = error.strerror or "cannot be used"
    raise BadInput("--port", f"{HOST}:{port}: {problem}", "stop what uses it, or give another: dsr serve --port 4201")


@dataclass
class _Stop:
    asked: bool = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


@contextmanager
def _stopping() -> Iterator[_Stop]:
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _child(
    home: Path, name: str, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own session, ended with everything it started. What it says is in ``<home>/prefect``."""
    folder = home / "prefect"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / f"{name}.log").open("wb") as said:
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            umask=0o077,
        )
    try:
        yield child
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask, wait, then take the whole session down, flow runs that outlive their runner included."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            time.sleep(0.5)
        except ProcessLookupError:
            break
    child.wait()


def _until(ready: Callable[[], bool], name: str, home: Path, child: subprocess.Popen[bytes], stop: _Stop) -> None:
    last = time.monotonic() + START_SECONDS
    while not stop.asked and not ready():
        if child.poll() is not None or time.monotonic() > last:
            raise DsrError(f"serve: Prefect's {name} did not start; see {home / 'prefect' / name}.log")
        time.sleep(0.25)


def _announce(home: Path, api: str) -> None:
    part = _address(home).with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(api + "\n")
    part.replace(_address(home))
    sys.stderr.write(f"dsr serve: {api.removesuffix('/api')}  (Ctrl-C / SIGTERM)\n")
    sys.stderr.flush()


def run_deployments() -> None:
    """The runner's process: register the deployments and run what is asked of them, until SIGINT."""
    from prefect import Flow
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.collect import collect
    from flows.fulfil import fulfil
    from flows.watch import trail_check, watch

    # A shell that starts us in the background leaves SIGINT ignored; asyncio ends cleanly on it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    schedules = {  # holidays and the company's closing days are known inside the flow
        "watch": Cron("0 9-18 * * 1-5", timezone="Asia/Tokyo"),
        "trail-check": Cron("30 8 * * *", timezone="Asia/Tokyo"),
    }
    runner = Runner(name="dsr", limit=max(2, min(4, 2 * (os.cpu_count() or 1))), pause_on_shutdown=True)
    flows: list[Flow[..., Any]] = [collect, fulfil, watch, trail_check]
    for name, flow in zip(NAMES, flows, strict=True):
        runner.add_deployment(
            RunnerDeployment.from_flow(
                flow,
                name,
                description=flow.description,
                tags=["dsr", name],
                schedule=schedules.get(name),
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
        )
    (Path(os.environ["PREFECT_HOME"]) / REGISTERED).touch()
    try:
        asyncio.run(runner.start())
    except KeyboardInterrupt:
        return


# -- handing over ------------------------------------------------------------------------------------------------


def _address(home: Path) -> Path:
    return home / "prefect" / "api_url"


def _login() -> dict[str, str]:
    written = os.environ.get("PREFECT_API_AUTH_STRING")
    return {"Authorization": f"Basic {base64.b64encode(written.encode()).decode()}"} if written else {}


def served_at(home: Path) -> str | None:
    """The API of this home, if something answers there."""
    if not _address(home).exists():
        return None
    api = _address(home).read_text().strip()
    return api if _healthy(api) else None


def _healthy(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


class Patient(httpx.HTTPTransport):
    """Asks again on 503: on SQLite, Prefect says so whenever two of its writers meet. What is asked is idempotent."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for wait in (0.5, 1, 2, 4, 8, 16):
            answer = super().handle_request(request)
            if answer.status_code != 503:
                return answer
            answer.close()
            time.sleep(wait)
        return super().handle_request(request)


@contextmanager
def _client(home: Path) -> Iterator[httpx.Client]:
    api = served_at(home)
    if api is None:
        raise DsrError(f"--remote: nothing is served for this home; start it first: dsr serve --home {home}")
    try:
        with httpx.Client(
            base_url=f"{api}/", headers=_login(), transport=Patient(trust_env=False), trust_env=False, timeout=60
        ) as client:
            yield client
        return
    except httpx.HTTPError as error:
        problem = type(error).__name__
    raise DsrError(
        f"--remote: Prefect stopped answering ({problem}); see whether dsr serve still runs, then do it again"
    )


def hand_over(home: Path, deployment: str, case_no: str) -> str:
    """Have the deployment run for a case; gives the flow run's id. The officer needs the right to do it himself.

    The same attempt handed over twice is one run; once that run has ended, the next is another.
    """
    office = homes.office(home)
    try:
        office.may(deployment)
        case_no = office.store.case(case_no).case_no
        steps = office.store.ledger(case_no)
    finally:
        office.store.close()
    attempt = sum(1 for step, phase in steps if step.startswith(ATTEMPTS[deployment]) and phase == "result")
    with _client(home) as client:
        for again in range(1000):
            run = _create(client, deployment, case_no, f"{case_no}:{deployment}:{attempt}.{again}")
            if run["state_type"] not in ENDED:
                return str(run["id"])
    raise DsrError(f"{case_no}: handed over a thousand times without success; see the runs in Prefect")


def _create(client: httpx.Client, deployment: str, case_no: str, key: str) -> dict[str, Any]:
    found = client.get(f"deployments/name/{quote(NAMES[deployment], safe='')}/{deployment}")
    made = found
    if found.status_code == 200:
        asked = {
            "state": {"type": "SCHEDULED"},
            "name": f"{deployment}-{case_no}",
            "parameters": {"case_no": case_no},
            "tags": ["dsr", deployment],
            "idempotency_key": key,
        }
        made = client.post(f"deployments/{found.json()['id']}/create_flow_run", json=asked)
    if made.status_code not in (200, 201):
        raise DsrError(f"--remote: Prefect answered {made.status_code} to {deployment}; is dsr serve of this version?")
    return dict(made.json())


def wait_for(home: Path, run: str, seconds: float = 600.0) -> str:
    """The end of a flow run: its state's type, COMPLETED when all went well. Raises DsrError when it takes longer."""
    last = time.monotonic() + seconds
    with _client(home) as client:
        while time.monotonic() < last:
            found = client.get(f"flow_runs/{run}")
            if found.status_code != 200:
                raise DsrError(f"flow run {run}: Prefect knows no such run")
            if (state := found.json()["state_type"]) in ENDED:
                return str(state)
            time.sleep(0.3)
    raise DsrError(f"flow run {run}: not ended after {seconds:.0f} s; look at it in Prefect")


if __name__ == "__main__":
    run_deployments()
