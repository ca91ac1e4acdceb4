"""A disclosure and an erasure, from letter to package, on the sample company: ``make demo``, ``make serve``."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsr.errors import BadInput, DsrError
from flows.cli import main as dsr
from flows.deployments import START_SECONDS, free_port, served_at, wait_for

PERSON, ERASED = "hanako", "mai"
PORT = 4200


@dataclass
class Demo:
    """The folder of a rehearsal: ``company`` (the sample), ``home`` (the engine's), ``package`` (what is sent)."""

    root: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def company(self) -> Path:
        return self.root / "company"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def truth(self) -> dict[str, Any]:
        return dict(json.loads((self.company / "truth.json").read_text())["people"][PERSON])

    def now(self) -> str:
        return (self.company / "as_of").read_text().strip()

    def run(self, *command: str, officer: str | None = None, home: bool = True) -> Any:
        """One command of ``dsr``, printed with its time. Raises DsrError when it does not succeed."""
        if officer:
            accounts = {a["name"]: a["secret"] for a in json.loads((self.company / "officers.json").read_text())}
            os.environ |= {"DSR_OFFICER": officer, "DSR_SECRET": accounts[officer]}
        since, said = time.monotonic(), io.StringIO()
        more = ["--home", str(self.home), "--now", self.now()] if home else []
        with contextlib.redirect_stdout(said):
            status = dsr([*command, *more, "--json"])
        self.tell(f"$ dsr {' '.join(command)}" + (f"   ({officer})" if officer else ""), since)
        if status:
            raise DsrError(f"demo: dsr {command[0]} ended with status {status}")
        return json.loads(said.getvalue())

    def remote(self, *command: str, officer: str) -> None:
        handed, since = self.run(*command, "--remote", officer=officer), time.monotonic()
        ended = wait_for(self.home, handed["flow_run"])
        self.tell(f"  Prefect: {command[0]}-{handed['case']}  {ended}", since)
        if ended != "COMPLETED":
            raise DsrError(f"demo: the flow run ended {ended}; look at it in Prefect (make serve)")

    def tell(self, words: str, since: float) -> None:
        print(f"{time.monotonic() - since:6.1f} s  {words}", flush=True)


# -- what must run beside it ---------------------------------------------------------------------------------------


@contextmanager
def _serving(demo: Demo) -> Iterator[subprocess.Popen[bytes]]:
    """``dsr serve`` on the demo's home; ended, with all of Prefect, when the block ends."""
    try:
        port = free_port(PORT)
    except BadInput:
        port = free_port(0)
    command = [sys.executable, "-m", "flows.cli", "serve", "--home", str(demo.home), "--port", str(port)]
    serving = subprocess.Popen(
        command, env={**os.environ, "DSR_NOW": demo.now()}, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield serving
    finally:
        serving.terminate()
        serving.wait(60)


def _await_served(demo: Demo, serving: subprocess.Popen[bytes]) -> None:
    since = time.monotonic()
    while served_at(demo.home) is None:
        if serving.poll() is not None or time.monotonic() > since + 2 * START_SECONDS:
            raise DsrError(f"demo: Prefect did not start; see server.log and runner.log in {demo.home / 'prefect'}")
        time.sleep(0.2)
    demo.tell("  Prefect: server, UI and four deployments are up", since)


# -- the story -----------------------------------------------------------------------------------------------------


def _prepare(demo: Demo) -> None:
    if served_at(demo.home):
        raise DsrError("demo: its home is being served (make serve); stop that one first")
    if demo.root.exists():
        if any(demo.root.iterdir()) and not (demo.company / "truth.json").exists():
            raise BadInput("--out", "is a folder with something else in it", "name a new one")
        shutil.rmtree(demo.root)
    demo.run("sample", "build", "--out", str(demo.company), home=False)
    demo.run("init", "--inventory", str(demo.company / "inventory.toml"), "--officers", f"{demo.company}/officers.json")


def _intake(demo: Demo, person: str = PERSON, right: str = "") -> str:
    requests = demo.company / "requests"
    case = str(demo.run("open", f"{requests}/{person}{right}.json", officer="uketsuke-1")["case"])
    demo.run("prove", case, "--file", f"{requests}/{person}.proof.json", officer="uketsuke-1")
    box = f"{demo.company}/answers/{person}.archives_backups.json"
    demo.run("answer", case, "archives_backups", "--file", box, officer="uketsuke-1")
    return case


def _answer(demo: Demo, case: str) -> None:
    demo.remote("collect", case, officer="uketsuke-1")
    marks = demo.root / "review.json"
    marks.write_text(json.dumps({"identity": {}, "notes": demo.truth()["spans"]}, ensure_ascii=False))
    print("          an officer reads the notes; here the marks are made from the sample's truth.json")
    demo.run("review", case, "--file", str(marks), officer="uketsuke-1")
    decided = demo.run("decide", case, "--as-proposed", officer="uketsuke-1")
    if decided["state"] == "awaiting_approval":
        demo.run("approve", case, officer="shonin-1")
    demo.remote("fulfil", case, officer="uketsuke-1")
    demo.run("package", case, "--out", f"{demo.root}/package", officer="uketsuke-1")
    demo.run("trail", "verify", officer="kansa-1")


def _erase(demo: Demo) -> None:
    """Mai leaves the member site and keeps her electricity (EC-34)."""
    case = _intake(demo, ERASED, ".erasure")
    demo.remote("collect", case, officer="uketsuke-1")
    demo.run("decide", case, "--as-proposed", officer="uketsuke-1")
    demo.run("preview", case, "--out", f"{demo.root}/plan", officer="shonin-1")
    code = json.loads((demo.root / "plan" / "plan.json").read_text())["code"]
    demo.run("approve", case, "--code", code, officer="shonin-1")
    demo.remote("fulfil", case, "--live", case, officer="uketsuke-1")
    demo.run("package", case, "--out", f"{demo.root}/erased", officer="uketsuke-1")
    shown = demo.run("show", case, officer="uketsuke-1")
    found = {entry["dataset"]: f"{entry['verdict']} {entry['level']}" for entry in shown["findings"]}
    print(f"\n{case}  {shown['state']}  {shown['outcome']}  {found}")
    for name in ("decision.pdf", "certificate.pdf"):
        print(f"  {demo.root / 'erased' / name}")


def _report(demo: Demo, case: str) -> None:
    shown = demo.run("show", case, officer="uketsuke-1")
    found = {entry["dataset"]: entry["records"] for entry in shown["datasets"] if entry["records"]}
    told = {name: len(rows) for name, rows in demo.truth()["owns"].items() if rows}
    print(f"\n{case}  {shown['state']}  {shown['outcome']}  ({time.monotonic() - demo.began:.0f} s in all)")
    print(f"{sum(found.values())} records in {len(found)} datasets; the sample's own count: {sum(told.values())}")
    if found != told:
        raise DsrError("demo: the counts differ from what the sample's builder knows")
    for name in ("decision.pdf", "disclosure.pdf", "data/", "manifest.json"):
        print(f"  {demo.root / 'package' / name}")


def play(demo: Demo, keep: bool) -> None:
    """``keep``: go on serving until Ctrl-C; a demo that was played before is not played again."""
    from sample_data.serve import serve

    fresh = not (keep and (demo.home / "settings.json").exists())
    if fresh:
        _prepare(demo)
    with serve(demo.company), _serving(demo) as serving:
        case = _intake(demo) if fresh else ""
        _await_served(demo, serving)
        if fresh:
            _answer(demo, case)
            _report(demo, case)
            _erase(demo)
        if keep:
            print(f"\n  {str(served_at(demo.home)).removesuffix('/api')}   Ctrl-C ends it", flush=True)
            serving.wait()
    if not keep:
        print("\nLook on: make serve  (Prefect's page at http://127.0.0.1:4200, until Ctrl-C)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.demo", description=__doc__)
    parser.add_argument("--out", default="demo", help="folder of the rehearsal")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        play(Demo(Path(arguments.out).resolve()), arguments.keep)
    except KeyboardInterrupt:
        return 0
    except DsrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
