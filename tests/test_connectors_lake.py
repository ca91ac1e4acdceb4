"""The lake: the contract over Parquet files by month, and what a file can do to us."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.contract import ConnectorContract, located_keys, record_nos
from connectors.stores.lake import LakeStore
from connectors.stores.statements import fetching
from dsr.connector import Ask, Connector, Drift
from dsr.days import Interval
from dsr.errors import BadInput, ConnectorDrifted, ConnectorError, ConnectorMisread, ConnectorUnavailable
from dsr.inventory import Dataset
from tests.connector_fixtures import ask_by, connector_of, keys_of, rows_of

CALLS = """
[system.call_history]
label = "通話"
store = "lake"
[system.call_history.dataset.calls]
label = "通話"
glob = "lake/calls-*.parquet"
key = ["call_id", "leg"]
by = "line_no"
locate = '''SELECT call_id, leg, started_at FROM calls
  WHERE line_no = :line_no AND started_at >= :from AND started_at < :to'''
fetch = "SELECT * FROM calls WHERE (call_id, leg) IN :keys ORDER BY started_at"
at = {column = "started_at", form = "timestamp"}
fields = {seconds = "秒", call_id = "番号", leg = "区間", line_no = "回線", started_at = "開始"}
"""
LINE, OTHER = "092-000-1001", "092-000-1002"
NOON = datetime(2026, 4, 1, 12)


def month(folder: Path, name: str, rows: Sequence[tuple[int, Any, str]], **more: Sequence[Any]) -> None:
    (folder / "lake").mkdir(exist_ok=True)
    columns: Mapping[str, Any] = {
        "call_id": pa.array([row[0] for row in rows], pa.int64()),
        "leg": pa.array([row[1] for row in rows], pa.string()),
        "line_no": [row[2] for row in rows],
        "started_at": pa.array([NOON + timedelta(seconds=row[0]) for row in rows], pa.timestamp("us")),
        "seconds": pa.array([60] * len(rows), pa.int32()),
        **more,
    }
    table = pa.table({column: values for column, values in columns.items() if values is not None})
    pq.write_table(table, folder / "lake" / f"calls-{name}.parquet")


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    month(tmp_path, "2026-04", [(0, "", LINE), (1, "0", LINE), (2, None, OTHER)])
    month(tmp_path, "2026-05", [(0, None, LINE), (2, "0", OTHER)])
    connector = connector_of(tmp_path, CALLS)
    assert isinstance(connector, LakeStore)
    return connector


@pytest.fixture
def calls(lake: LakeStore) -> Dataset:
    return lake.access.inventory.dataset("call_history.calls")


class TestLake(ConnectorContract):
    @pytest.fixture
    def connector(self, lake: LakeStore) -> Connector:
        return lake

    @pytest.fixture
    def dataset(self, calls: Dataset) -> Dataset:
        return calls

    @pytest.fixture
    def ask(self) -> Ask:
        return ask_by("line_no", LINE)

    @pytest.fixture
    def subject_nos(self) -> set[str]:
        return {"0|", "1|0"}  # '' and NULL share a written number, and are two records

    @pytest.fixture
    def neighbour_nos(self) -> set[str]:
        return {"2|", "2|0"}

    @pytest.fixture
    def unreachable(self, lake: LakeStore, tmp_path: Path) -> Connector:
        (tmp_path / "elsewhere").mkdir()
        return connector_of(tmp_path / "elsewhere", CALLS)

    @pytest.fixture
    def drifted(self, lake: LakeStore, tmp_path: Path) -> Connector:
        folder = tmp_path / "drifted"
        folder.mkdir()
        month(folder, "2026-04", [(0, "", LINE), (1, "0", LINE)])
        month(folder, "2026-05", [(9, "x", OTHER)], memo2=["?"])
        return connector_of(folder, CALLS)

    def test_the_subjects_records_are_located_and_fetched_and_no_neighbours(  # type: ignore[override]
        self, connector: Connector, dataset: Dataset, ask: Ask, subject_nos: set[str], neighbour_nos: set[str]
    ) -> None:
        keys = located_keys(connector, dataset, [ask])
        assert keys.num_rows == 3 and record_nos(keys, dataset) == subject_nos
        fetched = rows_of(connector.fetch(dataset, keys))
        assert sorted((row["call_id"], row["leg"] or "", row["leg"] is None) for row in fetched) == [
            (0, "", False), (0, "", True), (1, "0", False),
        ]
        assert {row["line_no"] for row in fetched} == {LINE}


def test_one_second_outside_is_not_located(lake: LakeStore, calls: Dataset) -> None:
    start = datetime(2026, 4, 1, 3, 0, 1, tzinfo=UTC)  # 12:00:01 in Tokyo
    keys = located_keys(lake, calls, [ask_by("line_no", LINE, Interval(start, start + timedelta(seconds=1)))])
    assert record_nos(keys, calls) == {"1|0"}


@pytest.mark.parametrize("column", ["seconds", "line_no"])
def test_a_file_without_its_column_is_drift_and_never_read_as_null(tmp_path: Path, column: str) -> None:
    month(tmp_path, "2026-04", [(1, "a", LINE)])
    month(tmp_path, "2026-05", [(2, "a", LINE)], **{column: None})  # type: ignore[arg-type]
    connector = connector_of(tmp_path, CALLS)
    assert connector.check() == [Drift("call_history", "calls", f"{column} in calls-2026-05.parquet", "missing")]
    dataset = connector.access.inventory.dataset("call_history.calls")  # type: ignore[attr-defined]
    for act in (lambda: list(connector.locate(dataset, [ask_by("line_no", LINE)])),
                lambda: list(connector.fetch(dataset, keys_of(call_id=[1], leg=["a"])))):
        with pytest.raises(ConnectorDrifted, match="calls-2026-05"):
            act()


def test_a_column_that_no_file_has_is_missing(tmp_path: Path) -> None:
    month(tmp_path, "2026-04", [(1, "a", LINE)], seconds=None)  # type: ignore[arg-type]
    assert Drift("call_history", "calls", "seconds", "missing") in connector_of(tmp_path, CALLS).check()


def test_no_file_is_not_an_empty_one(tmp_path: Path) -> None:
    connector = connector_of(tmp_path, CALLS)
    with pytest.raises(ConnectorUnavailable):
        connector.check()


@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"PAR1" + raw[4:-9]])
def test_a_damaged_file_is_named_and_stops(lake: LakeStore, calls: Dataset, tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "lake" / "calls-2026-05.parquet"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConnectorMisread, match="calls-2026-05"):
        list(lake.locate(calls, [ask_by("line_no", LINE)]))


def test_damaged_pages_stop_too(lake: LakeStore, calls: Dataset, tmp_path: Path) -> None:
    """The footer is whole, the data is not."""
    path = tmp_path / "lake" / "calls-2026-05.parquet"
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + b"\xff" * 200 + raw[204:])
    with pytest.raises(ConnectorError):
        list(lake.fetch(calls, located_keys(lake, calls, [ask_by("line_no", LINE)])))


def test_a_statement_reads_its_datasets_and_no_other_file(lake: LakeStore, tmp_path: Path) -> None:
    for name in ("nothing", '"/etc/hosts"', '"lake/calls-2026-04.parquet"'):
        (tmp_path / "x").mkdir(exist_ok=True)
        document = CALLS.replace("FROM calls WHERE (call_id", f"FROM {name} WHERE (call_id".replace('"', '\\"'))
        connector = connector_of(tmp_path, document)
        assert [d.place for d in connector.check() if "no dataset of this system" in d.problem] == ["fetch"]
        with pytest.raises(BadInput, match="no dataset of this system"):
            list(connector.fetch(connector.access.inventory.dataset("call_history.calls"), pa.table({"call_id": [1], "leg": ["a"]})))  # type: ignore[attr-defined]


def test_the_engine_under_the_lake_can_open_nothing_else(lake: LakeStore, calls: Dataset, tmp_path: Path) -> None:
    """Whatever a statement slips past its reader, DuckDB itself refuses: other files, writing, our variables."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    leaked = pa.table({"a": [1]})
    with lake._open(fetching(calls, "duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchall() == [(5,)]
        for sql in (f"SELECT * FROM read_csv('{tmp_path}/secret.csv')", f"COPY calls TO '{tmp_path}/out.csv'",
                    "SELECT * FROM leaked", "SET enable_external_access = true", "INSTALL httpfs"):
            with pytest.raises(duckdb.Error):
                connection.execute(sql).fetchall()
    assert leaked.num_rows == 1 and not (tmp_path / "out.csv").exists()


def test_a_key_that_came_twice_is_stopped(lake: LakeStore, calls: Dataset, tmp_path: Path) -> None:
    month(tmp_path, "2026-06", [(1, "0", LINE)])
    with pytest.raises(ConnectorMisread, match="not unique"):
        list(lake.fetch(calls, keys_of(call_id=[1], leg=["0"])))


def test_types_do_not_depend_on_this_machines_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = pa.array([datetime(2026, 4, 1, tzinfo=UTC)], pa.timestamp("us", "Asia/Tokyo"))
    month(tmp_path, "2026-04", [(1, "a", LINE)], started_at=stamps)
    connector = connector_of(tmp_path, CALLS)
    dataset = connector.access.inventory.dataset("call_history.calls")  # type: ignore[attr-defined]
    interval = Interval(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC))
    (located,) = connector.locate(dataset, [ask_by("line_no", LINE, interval)])
    assert located.rows.schema.field("started_at").type == pa.timestamp("us", "UTC")
    assert rows_of(connector.fetch(dataset, located.rows))[0]["started_at"] == interval.start


_MILLION = """
import sys
from pathlib import Path
import pyarrow as pa
from connectors.stores.statements import fetching
from tests.connector_fixtures import ask_by, connector_of
from tests.test_connectors_lake import CALLS, LINE
connector = connector_of(Path(sys.argv[1]), CALLS)
dataset = connector.access.inventory.dataset("call_history.calls")
located = connector.locate(dataset, [ask_by("line_no", LINE)])
keys = pa.concat_tables([each.rows.select(["call_id", "leg"]) for each in located])
rows = sum(batch.num_rows for batch in connector.fetch(dataset, keys))
with connector._open(fetching(dataset, "duckdb")) as connection:  # in a process like this one DuckDB shows progress
    assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]
from tests.bench import peak_rss_mb  # not ru_maxrss: an exec keeps the peak of pytest, which may be higher
print(keys.num_rows, rows, int(peak_rss_mb()))
"""


def test_a_million_calls_come_in_bounded_memory(tmp_path: Path) -> None:
    """T36: the whole process, two million rows in the lake, every other one the neighbour's."""
    (tmp_path / "lake").mkdir()
    for part in range(4):
        ids = np.arange(part * 500_000, (part + 1) * 500_000)
        table = pa.table({
            "call_id": ids,
            "leg": pa.array(np.char.add("leg-", (ids % 7).astype(str))),
            "line_no": pa.array(np.where(ids % 2, LINE, OTHER)),
            "started_at": pa.array(ids * 1_000_000, pa.timestamp("us")),
            "seconds": pa.array((ids % 99).astype(np.int32)),
        })
        pq.write_table(table, tmp_path / "lake" / f"calls-{part}.parquet", row_group_size=125_000)
    done = subprocess.run([sys.executable, "-c", _MILLION, str(tmp_path)], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[1])
    located, fetched, peak_mb = map(int, done.stdout.split())
    assert (located, fetched) == (1_000_000, 1_000_000)
    assert peak_mb < 600, peak_mb


def test_a_row_group_larger_than_its_memory_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB would take every row group's bytes at once, one a thread, and could not spill them."""
    (tmp_path / "lake").mkdir()
    count, letters = 300_000, np.random.default_rng(1).bytes(300_000 * 60)  # random: no codec makes it smaller
    table = pa.table({
        "call_id": np.arange(count), "leg": pa.array([letters[at:at + 60].hex() for at in range(0, len(letters), 60)]),
        "line_no": pa.array(np.where(np.arange(count) % 1000, OTHER, LINE)),
        "started_at": pa.array(np.arange(count), pa.timestamp("us")), "seconds": pa.repeat(1, count),
    })
    pq.write_table(table, tmp_path / "lake" / "calls-1.parquet", row_group_size=count // 2)
    monkeypatch.setattr("connectors.stores.lake.MEMORY", "40MB")
    connector = connector_of(tmp_path, CALLS)
    dataset = connector.access.inventory.dataset("call_history.calls")  # type: ignore[attr-defined]
    keys = located_keys(connector, dataset, [ask_by("line_no", LINE)])
    assert len(rows_of(connector.fetch(dataset, keys))) == keys.num_rows == count // 1000
