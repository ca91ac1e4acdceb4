"""A small lake and logs whose files are rewritten, and what they hold, read by nobody's code but this.

``python -m tests.files_written FOLDER`` carries out the plans of ``plan_of`` there, with its effects in FOLDER.effects.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.build import connect
from dsr.connector import Writes
from dsr.inventory import Dataset, read_inventory
from dsr.plan import LINE, Plan, line_marks
from tests.effects import FileEffects

HERS, KENTAS, GRANDMAS = "092-000-1001", "092-000-1002", "092-000-1003"
CASES = {"DSR-2026-000001": HERS, "DSR-2026-000002": GRANDMAS}
INVENTORY = r"""
[system.call_history]
label = "通話"
store = "lake"
writes = "direct"
[system.call_history.dataset.calls]
label = "通話"
glob = "lake/*.parquet"
index = true
key = ["call_id", "leg"]
by = "line_no"
locate = "SELECT call_id, leg, started_at FROM calls WHERE line_no = :line_no"
fetch = "SELECT * FROM calls WHERE (call_id, leg) IN :keys ORDER BY call_id"
fields = {call_id = "番号", leg = "区間", line_no = "回線", note = "メモ", started_at = "開始", yen = "料金", parts = "内訳"}
[system.web]
label = "閲覧"
store = "logs"
writes = "direct"
glob = "logs/access-*"
line = '(?P<member>\S+) \[(?P<at>[^\]]+)\] "(?P<page>[^"]*)" cookie=(?P<cookie>\S+)'
[system.web.dataset.hits]
label = "閲覧"
key = ["record_no"]
ways = [{by = "member_id", locate = "member"}, {by = "cookie_id", locate = "cookie"}]
fields = {page = "頁", record_no = "記録番号", member = "会員", at = "日時", cookie = "識別子"}
deidentify = {member = "-", cookie = "-"}
"""
START = datetime(2026, 4, 1, tzinfo=UTC)


def calls(first: int, lines: Sequence[str]) -> pa.Table:
    """A row for each line; a leg is told, empty or missing in turn."""
    count = len(lines)
    return pa.table({
        "call_id": pa.array(range(first, first + count), pa.int64()),
        "leg": pa.array(["", None, "0"] * count).slice(0, count),
        "line_no": pa.array(lines),
        "note": pa.array([f"memo of {line}" for line in lines]).dictionary_encode(),
        "started_at": pa.array([START + timedelta(seconds=7 * n) for n in range(count)], pa.timestamp("us", "Asia/Tokyo")),
        "yen": pa.array([Decimal(n) / 100 for n in range(count)], pa.decimal128(9, 2)),
        "parts": pa.array([[n, None, n + 1] for n in range(count)], pa.list_(pa.int32())),
    })  # fmt: skip


def line(member: str, cookie: str, second: int, page: str = "/my/") -> str:
    return f'{member} [2026-05-01T00:00:{second:02}+09:00] "{page}" cookie={cookie}\n'


def company(folder: Path) -> Path:
    """Two months of calls, two days of logs; each holds lines of two who ask, and of one who does not."""
    for name in ("lake", "logs"):
        (folder / name).mkdir(parents=True)
    (folder / "inventory.toml").write_text(INVENTORY, encoding="utf-8")
    for month, first in (("2026-04", 0), ("2026-05", 90)):
        rows = calls(first, [(HERS, KENTAS, KENTAS, GRANDMAS, KENTAS)[n % 5] for n in range(90)])
        pq.write_table(rows, folder / "lake" / f"calls-{month}.parquet", row_group_size=30, compression="zstd")
    for day in ("05-01", "05-02"):
        text = "".join(line(("M1", "M2", "M3", "M2")[n % 4], f"c{n % 4}", n) for n in range(40))
        (folder / "logs" / f"access-{day}.log.gz").write_bytes(gzip.compress(text.encode(), 6, mtime=1_700_000_000))
    return folder


def connector(folder: Path, system: str, **given: Any) -> tuple[Writes, Dataset]:
    inventory = read_inventory(folder / "inventory.toml")
    found = connect(inventory, environment={}, sleep=lambda _seconds: None, **given)[system]
    assert isinstance(found, Writes)
    return found, next(iter(inventory.system[system].dataset.values()))


# -- what the files hold -------------------------------------------------------------------------------------------


def held(folder: Path) -> dict[str, list[Any]]:
    """File → its rows or lines, in order."""
    found: dict[str, list[Any]] = {}
    for path in sorted((folder / "lake").glob("*.parquet")):
        found[path.name] = duckdb.sql(f"SELECT * REPLACE (parts::TEXT AS parts) FROM read_parquet('{path}')").fetchall()
    for path in sorted((folder / "logs").iterdir()):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found[path.name] = raw.splitlines(keepends=True)
    return found


def without(before: Mapping[str, Sequence[Any]], whose: str) -> dict[str, list[Any]]:
    """What is to be left when all that names ``whose`` has gone."""
    return {name: [row for row in rows if whose not in str(row)] for name, rows in before.items()}


def digests(folder: Path) -> dict[str, str]:
    """Every file but the inventory, hidden ones too, by its bytes."""
    files = [path for name in ("lake", "logs") for path in (folder / name).iterdir()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


# -- plans ---------------------------------------------------------------------------------------------------------


def keys_of(folder: Path, dataset: Dataset, line_no: str) -> pa.Table:
    paths = sorted((folder / "lake").glob("*.parquet"))
    tables = [pq.read_table(path, columns=[*dataset.key, "line_no"]) for path in paths]
    rows = pa.concat_tables(tables, promote_options="permissive")
    return rows.filter(pa.compute.equal(rows["line_no"], line_no)).select(list(dataset.key))


def lines_of(store: Any, dataset: Dataset, names: Sequence[str]) -> pa.Table:
    """Keys of these lines with their marks, as whoever fetched them froze them."""
    rows = pa.Table.from_batches(list(store.fetch(dataset, pa.table({"record_no": list(names)}))))
    return rows.select(["record_no"]).append_column(LINE, line_marks(dataset, rows))


def plan_of(folder: Path, system: str, store: Any, dataset: Dataset) -> list[Plan]:
    """Of both cases: in the lake all rows go; of the logs one's lines go, and the other's are put out of knowledge."""
    if system == "call_history":
        return [Plan(case, dataset, keys_of(folder, dataset, whose), "p") for case, whose in CASES.items()]
    plans = []
    for at, case in enumerate(CASES):
        names = [f"access-{day}:{n + 1}" for day in ("05-01", "05-02") for n in range(40) if n % 4 == 2 * at]
        values = pa.table({"member": ["-"] * len(names), "cookie": ["-"] * len(names)}) if at else None
        plans.append(Plan(case, dataset, lines_of(store, dataset, names), "p", values))
    return plans


def frozen(folder: Path, system: str) -> Path:
    """The plans' keys, for a process that will start when some lines are gone already."""
    store, dataset = connector(folder, system)
    for at, plan in enumerate(plan_of(folder, system, store, dataset)):
        for name, table in (("keys", plan.keys), ("values", plan.values)):
            if table is not None:
                pq.write_table(table, folder / f"{system}.{at}.{name}")
    return folder


def carried_out(folder: Path, system: str, effects: FileEffects) -> list[Any]:
    store, dataset = connector(folder, system)
    plans = []
    for at, case in enumerate(CASES):
        values = folder / f"{system}.{at}.values"
        keys = pq.read_table(folder / f"{system}.{at}.keys")
        plans.append(Plan(case, dataset, keys, "p", pq.read_table(values) if values.exists() else None))
    return store.write(plans, effects)


class LineByLine(FileEffects):
    """A line is one write and one fsync, so that a tracer sees what is said when."""

    def _write(self, phase: str, place: str, said: Mapping[str, Any]) -> None:
        with self.path.open("a") as out:
            out.write(json.dumps([phase, place, dict(said)]) + "\n")
            out.flush()
            os.fsync(out.fileno())


def main(argv: Sequence[str]) -> None:
    folder = Path(argv[0])
    receipts = carried_out(folder, argv[1], LineByLine(folder / "effects"))
    print(json.dumps([[one.case_no, one.planned, one.changed, one.absent] for one in receipts]))


if __name__ == "__main__":
    main(sys.argv[1:])
