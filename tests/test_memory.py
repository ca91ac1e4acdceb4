"""One line's million calls, each to another number, are collected by the engine in bounded memory: from disk and S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from sample_data.build import build
from tests.bench import home_of
from tests.bench_stores import CALL_LINE
from tests.s3_server import BUCKET, S3, running_s3  # noqa: F401 - a fixture

CALLS, BOUND_MB = 1_000_000, 600
OTHER = "092-000-9998"

COLLECT = """
import json, sys
from pathlib import Path
from tests.bench import Desk, peak_rss_mb  # not ru_maxrss: an exec keeps the peak of pytest
from dsr.engine import collecting
from dsr.engine.fetched import fetched
home, case = sys.argv[1:]
desk = Desk(Path(home)).handler
state = collecting.collect(desk, case)
peak, lines, numbers = int(peak_rss_mb()), set(), 0
with desk.hold(case) as hold:
    for batch in fetched(hold, desk.inventory.dataset("call_history.calls")):
        lines |= set(batch.column("line_no").to_pylist())
        numbers += len(batch.column("counterpart_no").unique())
print(json.dumps([state, sorted(lines), numbers, peak]))
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every other call is a neighbour's, in no order at all, in row groups as large as pyarrow makes them."""
    out = tmp_path_factory.mktemp("million")
    build(out, people=2, calls=100, whole=False)
    month = out / "lake/calls/calls-2026-05.parquet"
    schema = pq.read_schema(month)
    with duckdb.connect() as connection:
        rows = connection.sql(f"""
            SELECT 5000000000 + n AS call_id, if(n % 2 = 0, '{CALL_LINE}', '{OTHER}') AS line_no,
              format('080-{{:04d}}-{{:04d}}', n // 10000, n % 10000) AS counterpart_no, 1 + n % 2 AS direction,
              n % 2 AS shown, 'full' AS level, TIMESTAMP '2026-05-01' + to_seconds(n % 2000000) AS started_at,
              n % 1800 AS duration_s, n % 90 AS charge_yen
            FROM range({2 * CALLS}) r(n) ORDER BY hash(n)""").to_arrow_table()
    pq.write_table(rows.select(schema.names).cast(schema), month)
    return out


def collected(company: Path, home: Path, environment: dict[str, str]) -> None:
    request = json.loads((company / "requests/susumu.json").read_text())
    (case,) = home_of(home, company, [{**request, "scope": {"systems": ["call_history"], "from": None, "to": None}}])
    command = [sys.executable, "-c", COLLECT, str(home), case]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1],
                          env={**os.environ, **environment})  # fmt: skip
    state, lines, numbers, peak_mb = json.loads(done.stdout.splitlines()[-1])
    assert (state, lines) == ("review", [CALL_LINE])
    assert CALLS <= numbers < CALLS + 100  # and the sample's own few of other months
    assert peak_mb < BOUND_MB, peak_mb


def test_a_million_calls_to_a_million_numbers_are_collected_from_disk(company: Path, tmp_path: Path) -> None:
    collected(company, tmp_path / "home", {})


def test_a_million_calls_to_a_million_numbers_are_collected_from_s3(company: Path, tmp_path: Path, s3: S3) -> None:
    s3.put(company / "lake", "million")
    inventory = company / "inventory.toml"
    before, mark, after = inventory.read_text().partition("[system.call_history]\n")
    told = after.replace('writes = "direct"', 'url = "env:MILLION"', 1).replace('glob = "lake/calls/', 'glob = "calls/', 1)
    inventory.write_text(before + mark + told)
    collected(company, tmp_path / "home", {**s3.environment, "MILLION": f"s3://{BUCKET}/million"})
