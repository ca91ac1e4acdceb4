"""``make bench``: the engine against a named plain way of the same work, on this machine, in the same run.

Every measured piece runs in a process of its own (``--job``) and says what it spent; what it brought is compared with
what the plain way brought before a ratio is printed. Building stores, opening and proving cases are outside the clock.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import dsr  # noqa: F401 - first: it says how pyarrow takes memory
from sample_data import serve as tickets
from sample_data.build import build
from tests import bench_erase, bench_find, bench_pdf, bench_rewrite, bench_write
from tests.bench_stores import CALL_LINE, CALL_SINCE, COUNTS, PERSON_NO, add_calls, customer_request, fill_postgres

NOW = "2026-11-22T09:00+09:00"
HANAKO_LINE, HANAKO_MEMBER, HANAKO_COOKIE = "092-000-1001", "M0001234", "a07be2f9d3315c68"
SIX = ("customer_master", "billing", "call_history", "fault_records", "web_logs")
ROWS = sum(COUNTS.values())
PROOF = {"method": "post", "documents": [{"type": "drivers_licence", "last_digits": "12", "seen_on": "2026-11-04",
                                           "name": "match", "birth": "match", "address": "match"}]}  # fmt: skip
LAKE = "lake: collect + redact + CSV"
LIMIT_MB = 600
"""For a line of 1,000,000 calls, all the way to the package written out (issue 2)."""
MB = 1 << 20
Found = dict[str, Any]


# -- what a process and everything it started spent ----------------------------------------------------------------


def _family(root: int) -> list[tuple[int, list[str]]]:
    """Live processes under ``root`` with the fields of their stat that follow the name."""
    stats: dict[int, list[str]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            stats[int(entry.parent.name)] = entry.read_text().rpartition(")")[2].split()
    found = [root]
    for pid in found:
        found += [child for child, stat in stats.items() if int(stat[1]) == pid]
    return [(pid, stats[pid]) for pid in found if pid in stats]


def cpu_seconds(root: int) -> float:
    """User and system time of the family, of those that ended too."""
    ticks = sum(int(word) for _, stat in _family(root) for word in stat[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(root: int) -> float:
    """PSS of the family: what two processes share counts once."""
    total = 0
    for pid, _ in _family(root):
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total / 1024


def peak_rss_mb() -> float:
    """Of this process; ``ru_maxrss`` begins at the parent's peak, which an exec keeps."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def spending(sampled: bool = False) -> Iterator[Found]:
    """Seconds, CPU-seconds and peak memory of this process, ``sampled``: and of all it starts, looked at every 0.3 s."""
    found: Found = {}
    ended, peak, me = threading.Event(), [0.0], os.getpid()

    def look() -> None:
        while not ended.wait(0.3):
            peak[0] = max(peak[0], memory_mb(me))

    watcher = threading.Thread(target=look, daemon=True)
    cpu, began = cpu_seconds(me), time.perf_counter()
    if sampled:
        watcher.start()
    try:
        yield found
    finally:
        found["seconds"] = time.perf_counter() - began
        found["cpu"] = cpu_seconds(me) - cpu
        ended.set()
        if sampled:
            watcher.join()
        found["peak_mb"] = max(peak[0], memory_mb(me)) if sampled else peak_rss_mb()


@dataclass
class Steps:
    """Seconds by name of a step."""

    spent: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent.setdefault(name, []).append(time.perf_counter() - began)

    def medians(self) -> dict[str, float]:
        return {name: statistics.median(spent) for name, spent in self.spent.items()}


# -- the office: cases opened before the clock, and a case's way from collect to the package written out --------------


class Desk:
    """One home seen by its officers."""

    def __init__(self, home: Path) -> None:
        from dsr.engine.office import Officer
        from flows.home import office

        self.home = home
        self.handler = office(home, NOW, Officer("uketsuke-1", "handler"))
        self.approver = office(home, NOW, Officer("shonin-1", "approver"))

    def open(self, requests: Sequence[Mapping[str, Any]]) -> list[str]:
        from dsr.engine import intake

        numbers = []
        for request in requests:
            case = intake.open_case(self.handler, request)
            intake.prove(self.handler, case.case_no, PROOF)
            numbers.append(case.case_no)
        return numbers

    def judge(self, case: str, steps: Steps) -> None:
        """What people do between the two halves: read the notes (all that is proposed is struck), decide, approve."""
        from dsr.engine import deciding, reviewing
        from dsr.rules.lifecycle import State

        with steps("review"):
            if self.handler.store.case(case).state is State.REVIEW:
                reviewing.take_review(self.handler, case, _read(reviewing.worksheets(self.handler, case)))
        with steps("decide"):
            if deciding.decide(self.handler, case, None) is State.AWAITING_APPROVAL:
                deciding.approve(self.approver, case)

    def package(self, case: str) -> Path:
        from dsr.engine import fulfilling

        out = self.home / "out" / case
        fulfilling.write_out(self.handler, case, out)
        return out

    def run(self, case: str, steps: Steps) -> Path:
        from dsr.engine import fulfilling, process

        with steps("collect"):
            process.collect(self.handler, case)
        self.judge(case, steps)
        with steps("fulfil"):
            fulfilling.fulfil(self.handler, case)
        with steps("package"):
            return self.package(case)


def _read(sheets: Mapping[str, Any]) -> Found:
    notes: dict[str, dict[str, Any]] = {}
    for note in sheets["notes"]:
        spans = note["proposed"]
        marks = notes.setdefault(note["dataset"], {}).setdefault(note["record"], {"strike": []})
        marks["strike"] += spans
    return {"identity": {}, "notes": notes}


def rows_of(package: Path) -> int:
    """Rows in a package's CSV files."""
    return sum(max(0, _lines(path) - 1) for path in (package / "data").glob("*.csv"))


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(partial(file.read, MB), b""))


def _exactly(package: Path, rows: int) -> None:
    if (found := rows_of(package)) != rows:
        sys.exit(f"bench: {found} rows in a package that should hold {rows}")


# -- jobs: each in a process of its own ----------------------------------------------------------------------------


def lake_engine(home: str, case: str, rows: int) -> Found:
    """Collect, redact and CSV; then what a package has besides: JSON, book, letter, manifest, written out."""
    from dsr.engine import assembling, fulfilling, process
    from dsr.package import Digested, read_batches, write_csv

    desk, steps = Desk(Path(home)), Steps()
    with spending() as found:
        with steps("collect"):
            process.collecting.collect(desk.handler, case)
        with steps("redact"):
            process.settle_review(desk.handler, case)
        desk.judge(case, steps)
        with steps("csv"), desk.handler.hold(case) as hold:
            dataset = hold.office.inventory.dataset("call_history.calls")
            with hold.vault.reader(f"draft/{dataset.id}.arrow") as source, hold.vault.writer("bench.csv") as out:
                write_csv(dataset, read_batches(source), Digested(out))
            hold.vault.remove("bench.csv")
    with spending() as whole:
        with steps("fulfil"):
            fulfilling.fulfil(desk.handler, case)
        with steps("package"):
            package = desk.package(case)
    _exactly(package, rows)
    assert assembling.FOLDER
    return {**found, "peak_mb": whole["peak_mb"], "rest_seconds": whole["seconds"], "steps": steps.medians()}


def lake_plain(lake: str, out: str) -> Found:
    """pandas.read_parquet of all files, filter by line and tenure, to_csv."""
    import pandas as pd

    with spending() as found:
        frame = pd.read_parquet(lake)
        mine = frame[(frame["line_no"] == CALL_LINE) & (frame["started_at"] >= pd.Timestamp(CALL_SINCE))]
        mine.to_csv(out, index=False)
    return {**found, "rows": len(mine)}


def case_alone(home: str, cases: Sequence[str]) -> Found:
    """One after the other in one process; the first, which meets cold imports, is told apart."""
    desk, steps, each = Desk(Path(home)), Steps(), []
    began = time.perf_counter()
    _exactly(desk.run(cases[0], Steps()), ROWS)
    first = time.perf_counter() - began
    with spending() as found:
        for case in cases[1:]:
            began = time.perf_counter()
            package = desk.run(case, steps)
            each.append(time.perf_counter() - began)
            _exactly(package, ROWS)
    many = len(each)
    return {"seconds": statistics.median(each), "slowest": max(each), "first": first, "cpu": found["cpu"] / many,
            "peak_mb": found["peak_mb"], "cases": many, "steps": steps.medians()}  # fmt: skip


_desk: list[Desk] = []


def _settle_in(home: str) -> None:
    import dsr.engine.fulfilling
    import dsr.engine.process  # noqa: F401 - imported before the clock

    _desk.append(Desk(Path(home)))


def _one(case: str) -> float:
    began = time.perf_counter()
    _exactly(_desk[0].run(case, Steps()), ROWS)
    return time.perf_counter() - began


def case_at_once(home: str, cases: Sequence[str], workers: int) -> Found:
    """All handed to a pool of ``workers`` processes."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _settle_in, (home,)) as pool:
        list(pool.map(time.sleep, [1.0] * workers))  # every worker there
        with spending(sampled=True) as found:
            each = list(pool.map(_one, cases))
    return {**found, "median_case": statistics.median(each), "cases": len(cases)}


def case_deployed(home: str, alone: Sequence[str], at_once: Sequence[str]) -> Found:
    """Through ``dsr serve``; its own processes, Prefect's server included, are in the figures."""
    from flows.deployments import START_SECONDS, served_at

    folder = Path(home)
    secrets = {one["name"]: one["secret"] for one in json.loads((folder / "officers.json").read_text())}
    os.environ |= {"DSR_OFFICER": "uketsuke-1", "DSR_SECRET": secrets["uketsuke-1"]}
    command = [sys.executable, "-m", "flows.cli", "serve", "--home", home, "--port", "0"]
    with subprocess.Popen(command, env={**os.environ, "DSR_NOW": NOW}, stderr=subprocess.DEVNULL) as served:
        try:
            last = time.monotonic() + START_SECONDS
            while served_at(folder) is None and time.monotonic() < last and served.poll() is None:
                time.sleep(0.2)
            desk, each = Desk(folder), []
            with spending(sampled=True) as one:
                for case in alone:
                    began = time.perf_counter()
                    _through(desk, [case])
                    each.append(time.perf_counter() - began)
            with spending(sampled=True) as many:
                _through(desk, at_once)
        finally:
            served.terminate()
    for case in (*alone, *at_once):
        _exactly(folder / "out" / case, ROWS)
    single = {"seconds": statistics.median(each), "slowest": max(each), "cpu": one["cpu"] / len(alone),
              "peak_mb": one["peak_mb"], "cases": len(alone)}  # fmt: skip
    return {"alone": single, "at_once": {**many, "cases": len(at_once)}}


def _through(desk: Desk, cases: Sequence[str]) -> None:
    """Hand all over; as soon as a run ended, do what people do and hand over the next; until all packages are out."""
    import httpx

    from flows.deployments import hand_over, served_at

    waiting = {hand_over(desk.home, "collect", case): ("collect", case) for case in cases}
    api = served_at(desk.home) or sys.exit("bench: dsr serve has gone")
    with httpx.Client(base_url=f"{api}/", trust_env=False, timeout=60) as client:
        while waiting:
            time.sleep(0.5)
            asked = {"flow_runs": {"id": {"any_": list(waiting)}}}
            for run in client.post("flow_runs/filter", json=asked).raise_for_status().json():
                if run["state_type"] in ("FAILED", "CRASHED", "CANCELLED"):
                    sys.exit(f"bench: a run ended {run['state_type']}: {run['name']}")
                if run["state_type"] == "COMPLETED":
                    deployment, case = waiting.pop(run["id"])
                    if deployment == "collect":
                        desk.judge(case, Steps())
                        waiting[hand_over(desk.home, "fulfil", case)] = ("fulfil", case)
                    else:
                        desk.package(case)


def case_plain_sample(sample: str, times: int) -> Found:
    return _plain(partial(_sample_by_hand, Path(sample)), times)


def case_plain_postgres(url: str, times: int) -> Found:
    return _plain(partial(_postgres_by_hand, url), times)


def _plain(by_hand: Callable[[Path], int], times: int) -> Found:
    """Six reads with pandas and six to_csv for the same person, by somebody who knows every key beforehand."""
    each = []
    with tempfile.TemporaryDirectory() as folder:
        rows = by_hand(Path(folder))
        with spending() as found:
            for _ in range(times):
                began = time.perf_counter()
                by_hand(Path(folder))
                each.append(time.perf_counter() - began)
    if rows != ROWS:
        sys.exit(f"bench: the plain way found {rows} rows, not {ROWS}")
    return {"seconds": statistics.median(each), "cpu": found["cpu"] / times, "peak_mb": found["peak_mb"], "rows": rows}


def _sample_by_hand(sample: Path, out: Path) -> int:
    import gzip
    import re

    import httpx
    import pandas as pd

    base = sqlite3.connect(sample / "company.db")
    frames = {
        name: pd.read_sql(f"SELECT * FROM {name} WHERE {column} = ?", base, params=(value,))
        for name, column, value in (
            ("customers", "customer_no", "C0001234"),
            ("invoices", "billing_no", "B0001234"),
            ("payments", "billing_no", "B0001234"),
        )
    }
    base.close()
    calls = pd.read_parquet(sample / "lake" / "calls")
    frames["calls"] = calls[calls["line_no"] == HANAKO_LINE]
    headers = {"Authorization": f"Bearer {(sample / 'faults.token').read_text().strip()}"}
    url = (sample / "faults.url").read_text().strip()
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        listed = client.get("/tickets", params={"line_no": HANAKO_LINE}).json()["items"]
        frames["tickets"] = pd.DataFrame(client.get(f"/tickets/{one['ticket_no']}").json() for one in listed)
    line = re.compile(r'^(\S+) - (\S+) \[([^\]]+)\] "(\S+) (\S+) [^"]*" (\d+) (\d+) "([^"]*)" "([^"]*)" cookie=(\S+)$')
    hits = []
    for path in sorted((sample / "logs").glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            hits += [found.groups() for text in lines if (found := line.match(text))]
    web = pd.DataFrame(hits)
    frames["web"] = web[(web[1] == HANAKO_MEMBER) | ((web[1] == "-") & (web[9] == HANAKO_COOKIE))]
    for name, frame in frames.items():
        frame.to_csv(out / f"{name}.csv", index=False)
    return sum(map(len, frames.values()))


def _postgres_by_hand(url: str, out: Path) -> int:
    import pandas as pd
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    rows = 0
    with create_engine(url, poolclass=NullPool).connect() as connection:
        for name, column in (("customers", "customer_no"), ("invoices", "customer_no"), ("payments", "customer_no"),
                             ("calls", "line_no"), ("faults", "line_no"), ("web", "member_id")):  # fmt: skip
            query = text(f"SELECT * FROM {name} WHERE {column} = :value")
            frame = pd.read_sql(query, connection, params={"value": PERSON_NO[column]})
            frame.to_csv(out / f"{name}.csv", index=False)
            rows += len(frame)
    return rows


JOBS: Mapping[str, Callable[..., Found]] = {
    job.__name__: job
    for job in (lake_engine, lake_plain, case_alone, case_at_once, case_deployed, case_plain_sample,
                case_plain_postgres, *bench_find.JOBS.values(), *bench_pdf.JOBS, *bench_rewrite.JOBS.values(),
                *bench_write.JOBS.values(), *bench_erase.JOBS.values())
}  # fmt: skip


def job(work: Callable[..., Found], **given: Any) -> Found:
    gc.collect()
    command = [sys.executable, "-m", "tests.bench", "--job", work.__name__, json.dumps(given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=Path(__file__).parents[1])
    if done.returncode:
        sys.exit(f"bench: {work.__name__} ended with {done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


# -- the scenarios -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    calls: int = 1_000_000
    background: int = 2_000_000
    people: int = 500
    alone: int = 7
    deployed: int = 3
    at_once: int = 50
    find: int = 30_000_000
    find_cases: int = 100
    pdf: tuple[int, ...] = (1_000, 10_000, 100_000)
    erase: int = 5_000


SMALL = Size(50_000, 100_000, 60, 3, 1, 4, find=300_000, find_cases=5, pdf=(1_000,))


def home_of(home: Path, company: Path, requests: Sequence[Mapping[str, Any]]) -> list[str]:
    from flows.home import init

    init(home, company / "inventory.toml", company / "officers.json", None, False)
    (home / "officers.json").write_bytes((company / "officers.json").read_bytes())
    return Desk(home).open(requests)


def bench_lake(root: Path, size: Size) -> Iterator[Found]:
    company, home = root / "lake-company", root / "lake-home"
    build(company, people=60, calls=size.background, whole=False)
    added = add_calls(company / "lake" / "calls", size.calls)
    request = json.loads((company / "requests/susumu.json").read_text())
    request["scope"] = {"systems": ["call_history"], "from": None, "to": None}
    (case,) = home_of(home, company, [request])
    lake = str(company / "lake" / "calls")
    job(lake_plain, lake=lake, out=str(root / "warm.csv"))  # the files into the page cache
    plain = job(lake_plain, lake=lake, out=str(root / "plain.csv"))
    engine = job(lake_engine, home=str(home), case=case, rows=plain["rows"])
    told = f"{plain['rows']:,} of {added['rows']:,} calls of the line, among {size.background:,} others"
    yield {"what": "lake: pandas.read_parquet + filter + to_csv", "note": told, "rows": plain["rows"], **plain}
    yield {"what": LAKE, "rows": plain["rows"], **engine,
           "ratio": engine["seconds"] / plain["seconds"]}  # fmt: skip


@contextmanager
def sample_company(root: Path, _size: Size) -> Iterator[tuple[Path, Callable[[int], Found], Callable[[], Found]]]:
    """Hanako, who has exactly the 427 rows. Requests differ in a first day long before everything: none is a twin."""
    company = root / "sample"
    build(company, people=200, whole=False)
    with sqlite3.connect(company / "company.db") as base:
        base.execute("DELETE FROM ledger")  # the books came later than the 427 rows that all figures are of
    base.close()
    tickets.EVERY = 1 << 60  # its habit of asking to come back in a second would be most of what is measured
    told = json.loads((company / "requests/hanako.json").read_text())

    def request(number: int) -> Found:
        return {**told, "scope": {"systems": list(SIX), "from": f"20{number // 28:02d}-01-{number % 28 + 1:02d}",
                                  "to": None}}  # fmt: skip

    with tickets.serve(company):
        yield company, request, lambda: job(case_plain_sample, sample=str(company), times=7)


@contextmanager
def postgres_company(root: Path, size: Size) -> Iterator[tuple[Path, Callable[[int], Found], Callable[[], Found]]]:
    """Every customer has 427 rows in six tables; each case is another customer's."""
    from tests.connector_fixtures import postgres_server

    company = root / "postgres"
    company.mkdir()
    with postgres_server() as server:
        url = fill_postgres(server, company, size.people)
        yield company, customer_request, lambda: job(case_plain_postgres, url=url, times=7)


def bench_case(root: Path, size: Size, name: str, parts: Sequence[str]) -> Iterator[Found]:
    opened = {"sample": sample_company, "postgres": postgres_company}[name](root, size)
    workers = 2 * (os.cpu_count() or 1)
    with opened as (company, request, by_hand):
        plain = by_hand()
        yield {"what": f"{name}: plain, six reads + to_csv", **plain}

        def beside(what: str, found: Found, cases: int = 1) -> Found:
            return {"what": f"{name}: {what}", "rows": ROWS, **found,
                    "ratio": found["seconds"] / cases / plain["seconds"]}  # fmt: skip

        if "direct" in parts:
            home = root / f"{name}-direct"
            cases = home_of(home, company, [request(n) for n in range(1, size.alone + size.at_once + 2)])
            alone, many = cases[: size.alone + 1], cases[size.alone + 1 :]
            yield beside("direct, alone", job(case_alone, home=str(home), cases=alone))
            found = job(case_at_once, home=str(home), cases=many, workers=workers)
            yield beside(f"direct, {len(many)} at once, {workers} processes", found, len(many))
        if "deployed" in parts:
            home = root / f"{name}-deployed"
            cases = home_of(home, company, [request(n) for n in range(1, size.deployed + size.at_once + 1)])
            alone, many = cases[: size.deployed], cases[size.deployed :]
            found = job(case_deployed, home=str(home), alone=alone, at_once=many)
            yield beside("deployed, alone", found["alone"])
            yield beside(f"deployed, {len(many)} at once", found["at_once"], len(many))


# -- telling -------------------------------------------------------------------------------------------------------


def line_of(found: Found) -> str:
    rows = int(found.get("rows", 0)) * int(found.get("cases", 1) if "at once" in found["what"] else 1)
    ratio = f"{found['ratio']:8.1f}" if "ratio" in found else f"{'1':>8}"
    return (f"{found['what']:<48}{found['seconds']:>9.2f}{rows / found['seconds']:>11,.0f}{found['cpu']:>9.2f}"
            f"{found['peak_mb']:>8.0f}{ratio}")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("lake", "find", "rewrite", "pdf", "write", "erase", "case-direct", "case-deployed"))
    parser.add_argument("--small", action="store_true", help="a smoke check of a minute; its figures mean nothing")
    parser.add_argument("--out", type=Path, help="folder for bench.json")
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.job:
        print(json.dumps(JOBS[given.job[0]](**json.loads(given.job[1]))))
        return 0
    out, size = given.out or Path(tempfile.mkdtemp(prefix="bench-")), SMALL if given.small else Size()
    out.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0], "size": vars(size)}
    print(f"{machine['cores']} cores, load {machine['load']:.1f}, Python {machine['python']}; seconds: median case, or all at once")
    print(f"{'':<48}{'seconds':>9}{'rows/s':>11}{'CPU-s':>9}{'MB':>8}{'× plain':>8}")
    parts = [part for part in ("direct", "deployed") if given.only in (None, f"case-{part}")]
    results = []
    with tempfile.TemporaryDirectory(prefix="bench-stores-") as folder:
        root = Path(folder)
        runs = [bench_lake(root, size)] if given.only in (None, "lake") else []
        if given.only in (None, "find"):
            runs += [bench_find.bench_find(root, size.find), bench_find.bench_cases(root, size.find // 10, size.find_cases)]
        if given.only in (None, "rewrite"):
            runs.append(bench_rewrite.bench_rewrite(root, size.find))
        if given.only in (None, "pdf"):
            runs.append(bench_pdf.bench_pdf(job, size.pdf))
        if given.only in (None, "write"):
            runs.append(bench_write.bench_write(job, root / "write", size.erase))
        if given.only in (None, "erase"):
            runs.append(bench_erase.bench_erase(job, root, size.people, size.alone, size.at_once))
        runs += [bench_case(root, size, name, parts) for name in ("sample", "postgres") if parts]
        for run in runs:
            for found in run:
                results.append(found)
                print(line_of(found), flush=True)
    (out / "bench.json").write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")
    print(out / "bench.json")
    heavy = [found["what"] for found in results if found["what"] == LAKE and found["peak_mb"] >= LIMIT_MB]
    if heavy:
        print(f"bench: {heavy[0]}: more than {LIMIT_MB} MB", file=sys.stderr)
    slow = [] if given.small else bench_find.too_slow(results) + bench_rewrite.too_slow(results)
    for words in slow:
        print(f"bench: {words}", file=sys.stderr)
    return 1 if heavy or slow else 0


if __name__ == "__main__":
    sys.exit(main())
