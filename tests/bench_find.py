"""Finding people in a lake of 30,000,000 calls, against DuckDB's bare scan and against pandas, with the index and without.

Bare: DuckDB alone, the same threads and memory, reads the key column and the same columns of the same people's rows.
pandas: ``read_parquet`` file by file (all of it at once would want some 4 GB), ``isin``, ``concat``.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Found = dict[str, Any]
EACH = 30
"""Calls of a line; 1,000,000 lines in the whole lake. A line's calls lie all over the thirteen months."""
GROUP = 125_000
PEOPLE = (1, 100, 1_000)
STORIES = ("hanako", "kenta", "kaoru", "susumu", "ryoko")
ENOUGH = 0.7
"""Of the bare scan's speed (limits.md §7)."""
KEY = b"benchmark index key of 32 bytes!"
LOCATED = "call_id, started_at"
INVENTORY = """
[system.call_history]
label = "通話・通信履歴"
store = "lake"
[system.call_history.dataset.calls]
label = "通話履歴"
glob = "calls/calls-*.parquet"
index = true
key = ["call_id"]
by = "line_no"
locate = "SELECT call_id, started_at FROM calls WHERE line_no = :line_no AND started_at >= :from AND started_at < :to"
fetch = "SELECT * FROM calls WHERE call_id IN :keys ORDER BY call_id"
at = {column = "started_at", form = "timestamp", zone = "Asia/Tokyo"}
fields = {call_id = "1", line_no = "2", counterpart_no = "3", direction = "4", shown = "5", level = "6", started_at = "7", duration_s = "8", charge_yen = "9"}
"""


def line(number: int) -> str:
    return f"092-{number // 10_000:03d}-{number % 10_000:04d}"


def people(calls: int, count: int) -> list[str]:
    return [line(int(n)) for n in np.random.default_rng(count).choice(calls // EACH, min(count, calls // EACH), False)]


def write_lake(folder: Path, calls: int) -> None:
    """Thirteen months, sorted by time; each call is a line's drawn at random."""
    from tests.bench_stores import _calls

    (folder / "calls").mkdir(parents=True)
    (folder / "inventory.toml").write_text(INVENTORY, encoding="utf-8")
    rng, first = np.random.default_rng(3), 1_000_000_000
    lines = pa.array([line(n) for n in range(calls // EACH)])
    months = [str(np.datetime64("2025-10") + n) for n in range(13)]
    for month in months:
        count = calls // 13 + (calls % 13 if month == months[-1] else 0)
        table = _calls(month, count, first, rng)
        numbers = lines.take(pa.array(rng.integers(0, len(lines), count)))
        table = table.set_column(1, "line_no", numbers)
        pq.write_table(table, folder / "calls" / f"calls-{month}.parquet", compression="zstd", row_group_size=GROUP)
        first += count


# -- jobs ----------------------------------------------------------------------------------------------------------


def _best(work: Callable[[], int], times: int = 5) -> Found:
    """Once to warm up, then the best of several: what else the machine does is not ours."""
    from tests.bench import spending

    rows = work()
    seconds, cpu = [], []
    with spending() as whole:
        for _ in range(times):
            began, spent = time.perf_counter(), time.process_time()
            work()
            seconds.append(time.perf_counter() - began)
            cpu.append(time.process_time() - spent)
    return {"seconds": min(seconds), "median": statistics.median(seconds), "cpu": min(cpu), "peak_mb": whole["peak_mb"],
            "found": rows}  # fmt: skip


def find_bare(lake: str, lines: Sequence[str], columns: str) -> Found:
    import duckdb

    from connectors.stores.lake import MEMORY

    base = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 2, "preserve_insertion_order": False})
    base.execute("SET enable_progress_bar = false")
    base.register("people", pa.table({"line_no": list(lines)}))
    who = f"= '{lines[0]}'" if len(lines) == 1 else "IN (SELECT line_no FROM people)"
    sql = f"SELECT {columns} FROM read_parquet('{lake}/calls/*.parquet') WHERE line_no {who}"
    return _best(lambda: sum(batch.num_rows for batch in base.sql(sql).to_arrow_reader(65_536)))


def _store(lake: str, indexed: bool) -> Any:
    from connectors.build import connect
    from connectors.stores.lake_index import SideIndex
    from dsr.inventory import read_inventory

    index = SideIndex(Path(lake) / "index.db", KEY) if indexed else None
    return connect(read_inventory(Path(lake) / "inventory.toml"), index=index)["call_history"]


def find_engine(lake: str, lines: Sequence[str], indexed: bool, rows: bool) -> Found:
    """``locate`` of all of them, and with ``rows`` the ``fetch`` of what is theirs."""
    from dsr.connector import Ask
    from dsr.identity import Identifier

    store = _store(lake, indexed)
    dataset = store.access.inventory.dataset("call_history.calls")
    asks = [Ask(0, Identifier("line_no", one)) for one in lines]

    def work() -> int:
        tables = [located.rows for located in store.locate(dataset, asks)]
        if rows:
            return sum(batch.num_rows for batch in store.fetch(dataset, pa.concat_tables(tables)))
        return sum(table.num_rows for table in tables)

    return _best(work)


def find_pandas(lake: str, lines: Sequence[str]) -> Found:
    import pandas as pd

    def work() -> int:
        wanted = set(lines)
        months = (pd.read_parquet(path) for path in sorted(Path(lake, "calls").glob("*.parquet")))
        return len(pd.concat([month[month["line_no"].isin(wanted)] for month in months]))

    return _best(work, 1)


def build_index(lake: str) -> Found:
    from tests.bench import spending

    store = _store(lake, True)
    with spending() as found:
        store.reindex(store.access.inventory.dataset("call_history.calls"))
    return {**found, "bytes": (Path(lake) / "index.db").stat().st_size}


def cases_find(home: str, cases: Sequence[str], together: bool) -> Found:
    """Collecting the cases to their end, one after the other or at once."""
    from dsr.engine import collecting
    from dsr.engine.together import collect_together
    from dsr.rules.lifecycle import State
    from tests.bench import Desk, spending

    office = Desk(Path(home)).handler
    with spending() as found:
        if together:
            ended = list(collect_together(office, cases).values())
        else:
            ended = [collecting.collect(office, case) for case in cases]
    records = sum(office.store.case(case).facts["datasets"]["call_history.calls"]["records"] for case in cases)
    assert set(ended) == {State.REVIEW}, ended
    return {**found, "found": records}


JOBS: Mapping[str, Callable[..., Found]] = {
    job.__name__: job for job in (find_bare, find_engine, find_pandas, build_index, cases_find)
}


# -- the scenario --------------------------------------------------------------------------------------------------


def bench_find(root: Path, calls: int) -> Iterator[Found]:
    from tests.bench import job

    lake = root / "find-lake"
    write_lake(lake, calls)
    size = sum(path.stat().st_size for path in (lake / "calls").iterdir())
    at = {"lake": str(lake)}
    built = job(build_index, **at)
    yield {"what": f"index: built, {built['bytes'] / calls:.1f} B for a row of {size / calls:.1f} B", "rows": calls, **built}
    for count in PEOPLE:
        given = {**at, "lines": people(calls, count)}
        for words, columns, rows in (("keys", LOCATED, False), ("rows", "*", True)):
            bare = job(find_bare, columns=columns, **given)
            yield {"what": f"find {count}, {words}: bare DuckDB", "rows": calls, **bare}
            for indexed in (False, True):
                found = job(find_engine, indexed=indexed, rows=rows, **given)
                assert found["found"] == bare["found"], (found, bare)
                named = "locate" + (" + fetch" if rows else "") + (", index" if indexed else "")
                told = {"ratio": found["seconds"] / bare["seconds"],
                        "of_bare": max(bare[spent] / found[spent] for spent in ("seconds", "cpu"))}  # fmt: skip
                yield {"what": f"find {count}, {words}: {named}", "rows": calls, **found, **told}
        plain = job(find_pandas, **given)
        assert plain["found"] == bare["found"], (plain, bare)
        yield {"what": f"find {count}, rows: pandas, file by file", "rows": calls, **plain, "ratio": plain["seconds"] / bare["seconds"]}


def bench_cases(root: Path, calls: int, requests: int) -> Iterator[Found]:
    """The people of the sample's stories, each a few times with another first day, among ``calls`` calls of strangers."""
    from sample_data.build import build
    from tests.bench import home_of, job

    company = root / "find-company"
    build(company, people=200, calls=calls, whole=False)
    asked = []
    for n in range(requests):
        request: Found = json.loads((company / f"requests/{STORIES[n % len(STORIES)]}.json").read_text())
        request["scope"] = {"systems": ["call_history"], "from": f"{1900 + n // len(STORIES)}-01-01", "to": None}
        asked.append(request)
    found = {}
    for together in (False, True):
        home = root / f"find-home-{together}"
        found[together] = job(cases_find, home=str(home), cases=home_of(home, company, asked), together=together)
    assert found[True]["found"] == found[False]["found"]
    yield {"what": f"{requests} cases: collect, one by one", "rows": calls, **found[False]}
    yield {"what": f"{requests} cases: collect, at once", "rows": calls, **found[True],
           "ratio": found[True]["seconds"] / found[False]["seconds"]}  # fmt: skip


def too_slow(results: Sequence[Found]) -> list[str]:
    """What finds at less than ``ENOUGH`` of the bare scan's speed, by the clock and by CPU-seconds."""
    return [f"{one['what']}: {one['of_bare']:.0%} of the bare scan" for one in results
            if one.get("of_bare", 1) < ENOUGH and ", keys:" in one["what"]]  # fmt: skip
