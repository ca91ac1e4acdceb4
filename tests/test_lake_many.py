"""Many asks in one scan of the lake bring, ask by ask, exactly what each brings alone; with the side index and without."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.stores import lake as lake_store
from connectors.stores.lake import LakeStore
from connectors.stores.lake_index import SideIndex
from connectors.stores.rows import LIMIT
from dsr.connector import Ask
from dsr.days import ALWAYS, TOKYO, Interval
from dsr.errors import ConnectorDrifted, ConnectorMisread
from dsr.identity import Identifier
from tests.connector_fixtures import ask_by, connector_of, keys_of

PLAIN = "SELECT call_id, leg, started_at FROM calls WHERE line_no = :line_no AND started_at >= :from AND started_at < :to"
STATEMENTS = {
    "plain": PLAIN,
    "all_columns": "SELECT * FROM calls WHERE started_at < :to AND :line_no = calls.line_no AND NOT started_at < :from",
    "either_column": "SELECT call_id, leg, started_at FROM calls WHERE (line_no = :line_no OR leg = :line_no) AND started_at < :to",
    "twice": f"{PLAIN} UNION ALL SELECT call_id, leg, started_at FROM calls WHERE leg = :line_no",
    "once_each": f"{PLAIN} UNION SELECT call_id, leg, started_at FROM calls WHERE leg = :line_no",
    "joined": "SELECT a.call_id, a.leg, a.started_at FROM calls a JOIN calls b USING (call_id) WHERE b.line_no = :line_no",
    "inner_query": f"SELECT * FROM ({PLAIN}) WHERE call_id IN (SELECT max(call_id) FROM calls WHERE line_no = :line_no)",
    "first_of_all": f"{PLAIN} ORDER BY call_id, leg, started_at LIMIT 2",
    "numbered": "SELECT call_id, leg, started_at, row_number() OVER (ORDER BY call_id, leg, started_at) AS n FROM calls WHERE line_no = :line_no",
    "of_a_name": "WITH mine AS (SELECT * FROM calls WHERE line_no = :line_no) SELECT call_id, leg, started_at FROM mine",
    "like": "SELECT call_id, leg, started_at FROM calls WHERE line_no LIKE :line_no || '%'",
    "said_back": "SELECT call_id, leg, started_at, :line_no AS asked, :from AS since FROM calls WHERE line_no = :line_no",
}
CALLS = """
[system.call_history]
label = "通話"
store = "lake"
[system.call_history.dataset.calls]
label = "通話"
glob = "lake/calls-*.parquet"
index = true
key = ["call_id", "leg"]
ways = [{by = "line_no", locate = "LOCATE"}, {by = "member_id", locate = "SELECT call_id, leg, started_at FROM calls WHERE leg = :member_id"}]
fetch = "SELECT * FROM calls WHERE (call_id, leg) IN :keys ORDER BY started_at"
at = {column = "started_at", form = "timestamp"}
fields = {call_id = "番号", leg = "区間", line_no = "回線", started_at = "開始"}
"""
NUMBERS = ["092-000-1001", "092-000-1002", "092-000-1", "", "'; --", "０９２"]
NOON = datetime(2026, 4, 1, 12)
Stamps = st.none() | st.integers(0, 9).map(lambda second: NOON + timedelta(seconds=second))
Row = st.tuples(st.integers(0, 30), st.none() | st.sampled_from(["", "a", *NUMBERS[:2]]), st.none() | st.sampled_from(NUMBERS), Stamps)
Edge = st.none() | st.integers(-1, 10).map(lambda second: (NOON + timedelta(seconds=second)).replace(tzinfo=TOKYO))
AskOf = st.builds(
    lambda way, value, edges: Ask(way, Identifier(("line_no", "member_id")[way], value, Interval(*edges), "a.b/1"), {}, Interval(*edges)),
    st.sampled_from([0, 0, 0, 1]), st.sampled_from([*NUMBERS, "nobody"]), st.tuples(Edge, Edge),
)


def written(folder: Path, months: Sequence[Sequence[tuple[Any, ...]]]) -> None:
    """A file per month, row groups of three rows."""
    (folder / "lake").mkdir()
    for number, rows in enumerate(months):
        columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
        types = (("call_id", pa.int64()), ("leg", pa.string()), ("line_no", pa.string()), ("started_at", pa.timestamp("us")))
        table = pa.table({name: pa.array(values, kind) for (name, kind), values in zip(types, columns, strict=True)})
        pq.write_table(table, folder / "lake" / f"calls-{number}.parquet", row_group_size=3)


def brought(connector: LakeStore, asks: Sequence[Ask]) -> list[Counter[str]]:
    """Rows of each ask, of every one that was given."""
    dataset = connector.access.inventory.dataset("call_history.calls")
    found: dict[int, Counter[str]] = {id(ask): Counter() for ask in asks}
    for located in connector.locate(dataset, asks):
        assert 0 < located.rows.num_rows <= LIMIT
        found[id(located.ask)].update(map(str, located.rows.to_pylist()))
    return [found[id(ask)] for ask in asks]


def one_by_one(connector: LakeStore, asks: Sequence[Ask]) -> list[Counter[str]]:
    return [brought(connector, [ask])[0] for ask in asks]


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that brings rows, as DuckDB is asked it."""
    asked: list[str] = []
    real = lake_store._ask

    def counted(connection: Any, sql: str, given: Any) -> Any:
        asked.extend([sql] if not sql.endswith("LIMIT 0") else [])
        return real(connection, sql, given)

    monkeypatch.setattr(lake_store, "_ask", counted)
    yield asked


@pytest.mark.parametrize("name", STATEMENTS)
@settings(max_examples=8, deadline=None)
@given(months=st.lists(st.lists(Row, max_size=12), min_size=1, max_size=3), asks=st.lists(AskOf, min_size=2, max_size=5))
def test_together_is_as_one_by_one(name: str, months: list[list[tuple[Any, ...]]], asks: list[Ask]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        written(folder, months)
        document = CALLS.replace("LOCATE", STATEMENTS[name])
        scanning = connector_of(folder, document)
        index = SideIndex(folder / "index.db", b"i" * 32)
        indexed = connector_of(folder, document, index=index)
        assert isinstance(scanning, LakeStore) and isinstance(indexed, LakeStore)
        indexed.reindex(indexed.access.inventory.dataset("call_history.calls"))
        expected = one_by_one(scanning, asks)
        assert brought(scanning, asks) == expected
        assert brought(indexed, asks) == expected
    finally:
        shutil.rmtree(folder)


def lake_of(folder: Path, locate: str = PLAIN, rows: Sequence[tuple[Any, ...]] = ()) -> LakeStore:
    written(folder, [rows or [(n, "", NUMBERS[n % 2], NOON + timedelta(seconds=n)) for n in range(8)]])
    connector = connector_of(folder, CALLS.replace("LOCATE", locate))
    assert isinstance(connector, LakeStore)
    return connector


def test_a_hundred_asks_of_a_way_are_one_scan(tmp_path: Path, scans: list[str]) -> None:
    lake = lake_of(tmp_path)
    asks = [ask_by("line_no", NUMBERS[0]), *(ask_by("line_no", f"nobody-{n}") for n in range(99))]
    assert [len(found) for found in brought(lake, asks)] == [4] + [0] * 99
    assert len(scans) == 1
    assert [len(found) for found in brought(lake, [*asks[:2], ask_by("member_id", "", way=1)])] == [4, 0, 8]
    assert len(scans) == 3  # a scan for each way


def test_one_number_of_two_tenures_is_two_answers(tmp_path: Path) -> None:
    """The second at which a tenure ends is the next one's; what lies between two is nobody's."""
    lake = lake_of(tmp_path, rows=[(n, "", NUMBERS[0], NOON + timedelta(seconds=n)) for n in range(8)])
    at = NOON.replace(tzinfo=TOKYO)
    edges = [Interval(None, at + timedelta(seconds=2)), Interval(at + timedelta(seconds=3), None), ALWAYS]
    found = brought(lake, [ask_by("line_no", NUMBERS[0], interval) for interval in edges])
    assert [len(one) for one in found] == [2, 5, 8]


def test_two_equal_asks_are_each_answered(tmp_path: Path) -> None:
    """Of two cases: the same line revealed by the same contract."""
    lake = lake_of(tmp_path)
    first, second = ask_by("line_no", NUMBERS[0]), ask_by("line_no", NUMBERS[0])
    assert first == second and [len(one) for one in brought(lake, [first, second])] == [4, 4]


def test_a_list_of_written_forms_is_asked_one_by_one(tmp_path: Path, scans: list[str]) -> None:
    written(tmp_path, [[(n, "", NUMBERS[n % 2], NOON) for n in range(8)]])
    document = CALLS.replace('{by = "line_no", locate = "LOCATE"}', '''{by = "person", locate = "SELECT call_id, leg, started_at
      FROM calls WHERE line_no IN :phone_forms OR leg CONTAINS :name_forms"}'''.replace("\n", " "))
    lake = connector_of(tmp_path, document)
    assert isinstance(lake, LakeStore)
    asks = [Ask(0, None, {"phone_forms": (number,), "name_forms": ("x",)}) for number in (NUMBERS[0], "nobody")]
    assert [len(found) for found in brought(lake, asks)] == [4, 0] and len(scans) == 2


def test_what_cannot_stand_beside_the_asks_is_asked_one_by_one(
    tmp_path: Path, scans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever DuckDB refuses to correlate, now or in another version."""
    lake = lake_of(tmp_path)
    monkeypatch.setattr("connectors.stores.statements.Statement.beside", lambda *_: "SELECT * FROM nowhere")
    asks = [ask_by("line_no", NUMBERS[0]), ask_by("line_no", "nobody")]
    assert [len(found) for found in brought(lake, asks)] == [4, 0] and len(scans) == 2


def test_a_value_that_the_column_cannot_hold_stops_and_is_not_an_empty_answer(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, "SELECT call_id, leg, started_at FROM calls WHERE call_id = :line_no")
    assert [len(found) for found in brought(lake, [ask_by("line_no", "3"), ask_by("line_no", "04")])] == [1, 1]
    with pytest.raises(ConnectorMisread):
        brought(lake, [ask_by("line_no", "3"), ask_by("line_no", "C0001")])


def test_a_statement_that_lacks_what_is_needed_is_drift_also_for_many(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, "SELECT call_id, leg FROM calls WHERE line_no = :line_no")
    with pytest.raises(ConnectorDrifted, match="started_at"):
        brought(lake, [ask_by("line_no", NUMBERS[0]), ask_by("line_no", "nobody")])


@pytest.mark.parametrize(("fetch", "shared"), [
    ("SELECT * FROM calls WHERE (call_id, leg) IN :keys ORDER BY started_at", True),
    ("SELECT *, row_number() OVER (ORDER BY call_id) AS n FROM calls WHERE (call_id, leg) IN :keys", False),
    ("SELECT * FROM calls WHERE (call_id, leg) IN :keys LIMIT 100", False),
    ("SELECT DISTINCT * FROM calls WHERE (call_id, leg) IN :keys", False),
    ("SELECT * FROM calls WHERE (call_id, leg) IN :keys UNION ALL SELECT * FROM calls WHERE (call_id, leg) IN :keys", False),
    ("SELECT * FROM calls WHERE (call_id, leg) IN :keys AND call_id < (SELECT 5)", False),
    ("SELECT * FROM nowhere", False),
])
def test_only_a_fetch_whose_rows_are_each_for_themselves_is_shared(tmp_path: Path, fetch: str, shared: bool) -> None:
    document = CALLS.replace("LOCATE", PLAIN).replace("SELECT * FROM calls WHERE (call_id, leg) IN :keys ORDER BY started_at", fetch)
    lake = connector_of(tmp_path, document)
    assert isinstance(lake, LakeStore)
    assert lake.shares(lake.access.inventory.dataset("call_history.calls")) is shared


def test_keys_of_many_are_fetched_in_one_scan(tmp_path: Path, scans: list[str]) -> None:
    lake = lake_of(tmp_path)
    dataset = lake.access.inventory.dataset("call_history.calls")
    assert sum(batch.num_rows for batch in lake.fetch(dataset, keys_of(call_id=list(range(8)), leg=[""] * 8))) == 8
    assert len(scans) == 1


_THOUSAND = """
import sys
from pathlib import Path
from tests.connector_fixtures import ask_by, connector_of
from tests.test_lake_many import CALLS, PLAIN
connector = connector_of(Path(sys.argv[1]), CALLS.replace("LOCATE", PLAIN))
dataset = connector.access.inventory.dataset("call_history.calls")
asks = [ask_by("line_no", f"092-000-{n:04d}") for n in range(1000)]
rows, tables = 0, 0
for located in connector.locate(dataset, asks):
    rows, tables = rows + located.rows.num_rows, tables + 1
from tests.bench import peak_rss_mb
print(rows, tables, int(peak_rss_mb()))
"""


def test_a_thousand_people_with_three_million_calls_come_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    lines = pa.array([f"092-000-{n:04d}" for n in range(1200)])
    for part in range(6):
        ids = np.arange(part * 600_000, (part + 1) * 600_000)
        table = pa.table({
            "call_id": ids, "leg": pa.repeat("", len(ids)), "line_no": lines.take(pa.array(ids % 1200)),
            "started_at": pa.array(ids * 1_000_000, pa.timestamp("us")),
        })
        pq.write_table(table, tmp_path / "lake" / f"calls-{part}.parquet", row_group_size=120_000)
    done = subprocess.run([sys.executable, "-c", _THOUSAND, str(tmp_path)], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[1])
    rows, tables, peak_mb = map(int, done.stdout.split())
    assert rows == 3_000_000
    assert tables <= 1000 * (1 + 3_000_000 // lake_store.GATHERED)  # gathered: not one table per ask and batch
    assert peak_mb < 500, peak_mb
