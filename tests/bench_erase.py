"""Cases of 427 rows erased, surveyed and certified on PostgreSQL, alone and many at once.

Beside them: six DELETEs in one transaction by somebody who knows every key, looks nowhere else and proves nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench_stores import COUNTS, customer_request, fill_postgres

if TYPE_CHECKING:
    from tests.bench import Desk, Steps

Found = dict[str, Any]
ROWS = sum(COUNTS.values())
KEYS = {"web": ("member_id", "M{:07d}"), "faults": ("line_no", "092-100-{:04d}"), "calls": ("line_no", "092-100-{:04d}"),
        "payments": ("customer_no", "C{:07d}"), "invoices": ("customer_no", "C{:07d}"),
        "customers": ("customer_no", "C{:07d}")}  # fmt: skip
"""Leaves before the hub."""


def erase(desk: Desk, case: str, steps: Steps) -> None:
    """Planned, decided, approved by its code, deleted, looked for before and after, certified."""
    from dsr.engine import deciding, erasing, process
    from dsr.rules.lifecycle import State

    with steps("collect"):
        process.collect(desk.handler, case)
    with steps("decide"):
        deciding.decide(desk.handler, case, None)
        with desk.approver.hold(case) as hold:
            code = deciding.code_of(hold)
        deciding.approve(desk.approver, case, code)
    with steps("erase"):
        ended = erasing.fulfil(desk.handler, case, case)
    facts = desk.handler.store.case(case).facts
    gone = sum(found["records"] for found in facts["datasets"].values())
    verdicts = {found["verdict"] for found in facts["findings"]}
    if (ended, gone, verdicts) != (State.DISPATCHING, ROWS, {"verified"}):
        sys.exit(f"bench: an erasure of {gone} rows ended as {ended}, {verdicts}: {[(f['dataset'], f['said'].get('why'), f['said'].get('steps')) for f in facts['findings']]}")


def erased_plain(url: str, numbers: Sequence[int]) -> Found:
    from sqlalchemy import create_engine, text

    from tests.bench import spending

    each = []
    with spending() as found, create_engine(url).connect() as connection:
        for number in numbers:
            began = time.perf_counter()
            rows = sum(connection.execute(text(f"DELETE FROM {table} WHERE {column} = :value"),
                                          {"value": key.format(number)}).rowcount
                       for table, (column, key) in KEYS.items())  # fmt: skip
            connection.commit()
            each.append(time.perf_counter() - began)
            assert rows == ROWS, rows
    return {**found, "seconds": statistics.median(each), "cpu": found["cpu"] / len(each), "rows": ROWS}


def erased_alone(home: str, cases: Sequence[str]) -> Found:
    """One after the other in one process; the first, which meets cold imports, is outside the clock."""
    from tests.bench import Desk, Steps, spending

    desk, steps, each = Desk(Path(home)), Steps(), []
    erase(desk, cases[0], Steps())
    with spending() as found:
        for case in cases[1:]:
            began = time.perf_counter()
            erase(desk, case, steps)
            each.append(time.perf_counter() - began)
    return {**found, "seconds": statistics.median(each), "cpu": found["cpu"] / len(each), "steps": steps.medians()}


_desk: list[Desk] = []


def _settle_in(home: str) -> None:
    import dsr.engine.erasing
    import dsr.engine.process  # noqa: F401 - imported before the clock
    from tests.bench import Desk

    _desk.append(Desk(Path(home)))


def _one(case: str) -> None:
    from tests.bench import Steps

    erase(_desk[0], case, Steps())


def erased_at_once(home: str, cases: Sequence[str], workers: int) -> Found:
    """All handed to a pool of ``workers`` processes."""
    from tests.bench import spending

    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _settle_in, (home,)) as pool:
        list(pool.map(time.sleep, [1.0] * workers))  # every worker there
        with spending(sampled=True) as found:
            list(pool.map(_one, cases))
    return {**found, "cases": len(cases)}


JOBS: Mapping[str, Callable[..., Found]] = {job.__name__: job for job in (erased_plain, erased_alone, erased_at_once)}


def bench_erase(job: Any, root: Path, people: int, alone: int, at_once: int) -> Iterator[Found]:
    from tests.bench import home_of
    from tests.connector_fixtures import postgres_server

    company = root / "erased"
    company.mkdir()
    with postgres_server() as server:
        url = fill_postgres(server, company, people)
        plain = job(erased_plain, url=url, numbers=list(range(people - alone, people)))
        yield {"what": "erase 427 rows: plain, six DELETEs", **plain}
        home, last = root / "erased-home", alone + 1 + at_once
        cases = home_of(home, company, [customer_request(n, "erasure") for n in range(1, last + 1)])
        found = job(erased_alone, home=str(home), cases=cases[: alone + 1])
        yield {"what": "erase 427 rows: surveyed, certified, alone", "rows": ROWS, **found,
               "ratio": found["seconds"] / plain["seconds"]}  # fmt: skip
        workers = 2 * (os.cpu_count() or 1)
        found = job(erased_at_once, home=str(home), cases=cases[alone + 1 :], workers=workers)
        yield {"what": f"erase 427 rows: {at_once} at once", "rows": ROWS, **found,
               "ratio": found["seconds"] / at_once / plain["seconds"]}  # fmt: skip
