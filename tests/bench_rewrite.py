"""Erasing people from a lake of 30,000,000 calls, against DuckDB's bare rewrite of the same files.

Bare: for each file that holds one of them ``COPY (SELECT * … WHERE line_no NOT IN …) TO`` a new one, in order, with the
same codec, row groups, threads and memory, and fsynced. Ours finds the rows by their keys, writes each file anew, reads
it back, proves it, swaps it and keeps a journal; each person is a case of its own. The survey looks at every cell of every
file before and after: what no bare rewrite does, told as a ratio to it all the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Found = dict[str, Any]
PEOPLE = (1, 100, 1_000)
ENOUGH = 0.7
"""Of the bare rewrite's speed (limits.md §7)."""


def rewrite_bare(lake: str, copy: str, lines: Sequence[str]) -> Found:
    import duckdb

    from connectors.stores.lake import MEMORY
    from tests.bench import spending
    from tests.bench_find import GROUP

    Path(copy).mkdir()
    base = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 2})
    base.execute("SET enable_progress_bar = false")
    base.register("people", pa.table({"line_no": list(lines)}))
    base.execute("CREATE TABLE gone AS SELECT * FROM people")
    with spending() as found:
        rows = 0
        for path in sorted(Path(lake, "calls").glob("*.parquet")):
            here = f"read_parquet('{path}') WHERE line_no"
            if not base.sql(f"SELECT 1 FROM {here} IN (SELECT line_no FROM gone) LIMIT 1").fetchall():
                continue
            new = Path(copy, path.name)
            base.execute(f"COPY (SELECT * FROM {here} NOT IN (SELECT line_no FROM gone)) TO '{new}' "
                         f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP})")  # fmt: skip
            with new.open("rb") as written:
                os.fsync(written.fileno())
            rows += pq.read_metadata(path).num_rows - pq.read_metadata(new).num_rows
    shutil.rmtree(copy)
    return {**found, "found": rows}


def rewrite_engine(lake: str, copy: str, lines: Sequence[str]) -> Found:
    """Keys are located, and a copy of the lake is made, before the clock."""
    from connectors.build import connect
    from connectors.survey import surveyor
    from dsr.connector import Ask, Writes
    from dsr.identity import Identifier
    from dsr.inventory import read_inventory
    from dsr.plan import Plan, Sought
    from tests.bench import spending
    from tests.files_written import LineByLine

    class Journal(LineByLine):
        """Knows what it wrote: reading it all again for each question would be most of what is measured."""

        told: ClassVar[list[tuple[str, str, Any]]] = []

        def lines(self) -> list[tuple[str, str, Any]]:
            return self.told

        def _write(self, phase: str, place: str, said: Any) -> None:
            super()._write(phase, place, said)
            self.told.append((phase, place, dict(said)))

    shutil.copytree(lake, copy)
    store = connect(read_inventory(Path(copy, "inventory.toml")))["call_history"]
    assert isinstance(store, Writes)
    dataset = store.access.inventory.dataset("call_history.calls")  # type: ignore[attr-defined]
    asks = [Ask(0, Identifier("line_no", one)) for one in lines]
    number = {id(ask): at for at, ask in enumerate(asks)}
    keys: dict[int, list[pa.Table]] = {}
    for located in store.locate(dataset, asks):
        keys.setdefault(number[id(located.ask)], []).append(located.rows.select(["call_id"]))
    plans = [Plan(f"DSR-2026-{at:06}", dataset, pa.concat_tables(tables), "p") for at, tables in sorted(keys.items())]
    inventory = store.access.inventory  # type: ignore[attr-defined]
    survey = surveyor(inventory, inventory.system["call_history"], {}, b"k" * 32)
    sought = [Sought(plan.case_no, {dataset.id: plan.keys}, {}, {}, {"line_no": (line,)}, frozenset({"line_no"}))
              for plan, line in zip(plans, lines, strict=True)]  # fmt: skip
    with spending() as looked:
        before = survey.before(sought)
    with spending() as found:
        receipts = store.write(plans, Journal(Path(copy, "effects")))
    assert all(one.changed == one.planned for one in receipts)
    with spending() as again:
        findings = survey.after(sought, before)
    assert [(f.verdict, f.level) for f in findings] == [("verified", "L2")], findings
    left = sum(
        int(pc.sum(pc.is_in(pq.read_table(path, columns=["line_no"])["line_no"], pa.array(lines))).as_py() or 0)
        for path in Path(copy, "calls").glob("*.parquet")
    )
    assert left == 0, left
    shutil.rmtree(copy)
    looks = {spent: looked[spent] + again[spent] for spent in ("seconds", "cpu")}
    return {**found, "found": sum(one.changed for one in receipts), "looks": {**looks, "peak_mb": again["peak_mb"]}}


JOBS: Mapping[str, Callable[..., Found]] = {job.__name__: job for job in (rewrite_bare, rewrite_engine)}


def bench_rewrite(root: Path, calls: int) -> Iterator[Found]:
    from tests.bench import job
    from tests.bench_find import people, write_lake

    lake = root / "find-lake"
    if not lake.exists():
        write_lake(lake, calls)
    for count in PEOPLE:
        given = {"lake": str(lake), "copy": str(root / "rewrite"), "lines": people(calls, count)}
        job(rewrite_bare, **given)  # the files into the page cache
        bare = job(rewrite_bare, **given)
        yield {"what": f"erase {count}: bare DuckDB rewrite", "rows": calls, **bare}
        found = job(rewrite_engine, **given)
        assert found["found"] == bare["found"], (found, bare)
        told = {"ratio": found["seconds"] / bare["seconds"],
                "of_bare": max(bare[spent] / found[spent] for spent in ("seconds", "cpu"))}  # fmt: skip
        looks = found.pop("looks")
        yield {"what": f"erase {count}: rewrite, proof and swap", "rows": calls, **found, **told}
        yield {"what": f"erase {count}: both looks of the survey", "rows": calls, **looks, "found": found["found"],
               "ratio": looks["seconds"] / bare["seconds"]}  # fmt: skip


def too_slow(results: Sequence[Found]) -> list[str]:
    """What rewrites at less than ``ENOUGH`` of the bare speed, by the clock and by CPU-seconds."""
    return [f"{one['what']}: {one['of_bare']:.0%} of the bare rewrite" for one in results
            if one.get("of_bare", 1) < ENOUGH and one["what"].startswith("erase ")]  # fmt: skip
