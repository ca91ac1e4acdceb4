"""Plans carried out in files: exactly these rows and lines, everybody else's to the byte, at any instant of a kill."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
import resource
import shutil
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.contract import located_keys
from connectors.stores import gz, lake_write, logs_write, swap
from connectors.stores.lake_index import SideIndex
from dsr.connector import Writes
from dsr.errors import BadInput, CheckFailed, ConnectorMisread, ConnectorRefused, ConnectorUnavailable, NotAllowed
from dsr.inventory import Dataset
from dsr.plan import LINE, Plan, Receipt, line_marks
from tests.connector_fixtures import ask_by
from tests.effects import FileEffects
from tests.files_written import (
    CASES,
    GRANDMAS,
    HERS,
    INVENTORY,
    KENTAS,
    LineByLine,
    calls,
    carried_out,
    company,
    connector,
    digests,
    frozen,
    held,
    keys_of,
    line,
    lines_of,
    plan_of,
    without,
)

ALL = bool(os.environ.get("DSR_KILL_ALL"))
APRIL, MAY = "calls-2026-04.parquet", "calls-2026-05.parquet"
DAY1, DAY2 = "access-05-01.log.gz", "access-05-02.log.gz"
SYSTEMS = ("call_history", "web")
ONE, TWO = CASES
START = "import runpy, sys; from tests import mutation; mutation.install(); sys.argv.pop(0); runpy.run_module(sys.argv[0], None, '__main__', True)"
"""A program of ours in a process of its own, with the mutant that is tried, if one is."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return company(tmp_path / "company")


@pytest.fixture
def effects(tmp_path: Path) -> FileEffects:
    return FileEffects(tmp_path / "effects")


def erasing(folder: Path, line_no: str = HERS, case: str = ONE) -> tuple[Writes, Plan]:
    store, dataset = connector(folder, "call_history")
    return store, Plan(case, dataset, keys_of(folder, dataset, line_no), "p")


def lined(folder: Path, names: Sequence[str], values: pa.Table | None = None, case: str = ONE) -> tuple[Any, Plan]:
    store, dataset = connector(folder, "web")
    return store, Plan(case, dataset, lines_of(store, dataset, names), "p", values)


def planned(folder: Path, system: str) -> tuple[Writes, list[Plan]]:
    store, dataset = connector(folder, system)
    return store, plan_of(folder, system, store, dataset)


def temps(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


class Once:
    """Does something at one point of the journal, the first time it is reached."""

    def __init__(self, at: str, act: Callable[[], object]) -> None:
        self._at, self._act = at, act

    def __call__(self, point: str) -> None:
        if point == self._at:
            self._at = ""
            self._act()


# -- the lake ------------------------------------------------------------------------------------------------------


def test_her_rows_go_and_every_other_row_stays_in_its_place(folder: Path, effects: FileEffects) -> None:
    """Legs '' and NULL and '0' beside one call number are three keys."""
    before = held(folder)
    store, plan = erasing(folder)
    assert plan.records == 36 and any(HERS in str(row) for row in before[APRIL])
    assert store.write([plan], effects) == [Receipt(ONE, plan.dataset.id, 36, 36, 0)]
    assert held(folder) == without(before, HERS)
    assert any(KENTAS in str(row) for row in held(folder)[MAY]) and not temps(folder)


def test_two_cases_in_one_file_are_one_rewrite_and_two_receipts(folder: Path, effects: FileEffects) -> None:
    before = held(folder)
    store, plans = planned(folder, "call_history")
    assert [(r.case_no, r.changed, r.absent) for r in store.write(plans, effects)] == [(ONE, 36, 0), (TWO, 36, 0)]
    assert held(folder) == without(without(before, HERS), GRANDMAS)
    told = [(place, said["records"]) for phase, place, said in effects.lines() if phase == "intent" and ":" not in place]
    assert told == [(f"lake/{name}", {ONE: 18, TWO: 18}) for name in (APRIL, MAY)]


def test_a_second_erasure_finds_them_absent_and_touches_no_file(folder: Path, tmp_path: Path, effects: FileEffects) -> None:
    store, plan = erasing(folder)
    store.write([plan], effects)
    after = digests(folder)
    again = FileEffects(tmp_path / "again")
    assert store.write([plan], again) == [Receipt(ONE, plan.dataset.id, 36, 0, 36)]
    assert digests(folder) == after and again.lines() == []


def test_a_step_that_has_its_results_is_not_done_again(folder: Path, effects: FileEffects) -> None:
    store, plan = erasing(folder)
    first, lines = store.write([plan], effects), effects.lines()
    assert store.write([plan], effects) == first == [Receipt(ONE, plan.dataset.id, 36, 36, 0)]
    assert effects.lines() == lines


def test_a_file_of_which_every_row_goes_is_there_and_empty(folder: Path, effects: FileEffects) -> None:
    pq.write_table(calls(500, [HERS] * 5), folder / "lake" / "calls-2026-06.parquet")
    store, plan = erasing(folder)
    store.write([plan], effects)
    assert pq.read_table(folder / "lake" / "calls-2026-06.parquet").schema.names == calls(0, []).schema.names
    assert held(folder)["calls-2026-06.parquet"] == []
    assert store.check() == []
    assert located_keys(store, plan.dataset, [ask_by("line_no", HERS)]).num_rows == 0
    assert located_keys(store, plan.dataset, [ask_by("line_no", KENTAS)]).num_rows == 108


def test_no_minimum_dictionary_or_page_keeps_what_was_deleted(folder: Path, effects: FileEffects) -> None:
    """Uncompressed, so that the bytes themselves can be searched; a category is a word in a dictionary."""
    path = folder / "lake" / APRIL
    rows = calls(0, [HERS, KENTAS, KENTAS, KENTAS])
    pq.write_table(rows, path, compression="none", write_page_index=True)
    needle = HERS.encode()
    assert path.read_bytes().count(needle) > 4 and pq.read_metadata(path).row_group(0).column(2).statistics.min == HERS
    assert f"memo of {HERS}".encode() in path.read_bytes()
    store, plan = erasing(folder)
    store.write([plan], effects)
    assert needle not in path.read_bytes() and KENTAS.encode() in path.read_bytes()
    assert pq.read_metadata(path).row_group(0).column(2).statistics.min == KENTAS


FORM: dict[str, Any] = {
    "compression": {"call_id": "snappy", "leg": "none", "line_no": "gzip", "note": "zstd", "started_at": "lz4",
                    "yen": "brotli", "parts.list.element": "zstd"},
    "use_dictionary": ["leg", "line_no"],
    "write_statistics": ["line_no", "call_id"],
    "store_decimal_as_integer": True,
    "write_page_index": True,
    "sorting_columns": [pq.SortingColumn(0)],
    "bloom_filter_options": {"line_no": {"ndv": 30, "fpp": 0.05}},
}  # fmt: skip


def _form(path: Path) -> Any:
    """All that a footer says but counts, sizes, offsets and statistics' values."""
    told = pq.read_metadata(path)
    groups = [told.row_group(group) for group in range(told.num_row_groups)]
    columns = [
        (one.path_in_schema, one.compression, one.has_dictionary_page, one.is_stats_set, one.has_offset_index,
         one.has_column_index, one.bloom_filter_offset is not None, one.physical_type, tuple(one.encodings))
        for group in groups for one in map(group.column, range(group.num_columns))
    ]  # fmt: skip
    sorted_by = [group.sorting_columns for group in groups]
    return told.metadata, told.schema.to_arrow_schema(), told.format_version, columns, sorted_by


@pytest.mark.parametrize("form", [
    FORM,
    {**FORM, "write_page_index": False, "use_dictionary": False, "bloom_filter_options": None, "sorting_columns": None,
     "column_encoding": {"call_id": "DELTA_BINARY_PACKED", "leg": "DELTA_BYTE_ARRAY"}, "store_decimal_as_integer": False},
    {"version": "1.0", "store_schema": False, "use_deprecated_int96_timestamps": True, "compression": "zstd"},
], ids=["rich", "encoded", "old"])  # fmt: skip
def test_a_new_file_has_the_form_of_the_old_one(folder: Path, effects: FileEffects, form: dict[str, Any]) -> None:
    path = folder / "lake" / APRIL
    rows = calls(0, [(HERS, KENTAS)[n % 3 > 0] for n in range(90)])
    rows = rows.replace_schema_metadata({"pandas": '{"index_columns": []}', "made by": "the billing team"})
    with pq.ParquetWriter(path, rows.schema, **form) as writer:
        for first, last in ((0, 31), (31, 32), (32, 90)):
            writer.write_table(rows.slice(first, last - first))
    before, form_before = held(folder), _form(path)
    store, plan = erasing(folder)
    store.write([plan], effects)
    assert _form(path) == form_before and held(folder) == without(before, HERS)
    told = pq.read_metadata(path)
    assert [told.row_group(group).num_rows for group in range(told.num_row_groups)] == [20, 1, 39]


def test_a_file_that_duckdb_wrote_can_be_rewritten(folder: Path, effects: FileEffects) -> None:
    path = folder / "lake" / APRIL
    store, dataset = connector(folder, "call_history")
    duckdb.sql(f"COPY (SELECT * FROM read_parquet('{path}')) TO '{path}.new' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    Path(f"{path}.new").replace(path)
    before, form = held(folder), _form(path)
    store.write([Plan(ONE, dataset, keys_of(folder, dataset, HERS), "p")], effects)
    assert held(folder) == without(before, HERS)
    assert _form(path)[1] == form[1] and [c[:2] for c in _form(path)[3]] == [c[:2] for c in form[3]]


TYPES = """SELECT range AS id, range % 3 < 1 AS hers, range * 2.5::DOUBLE AS d, 'k' || range AS s, (range % 3)::VARCHAR AS g,
  [range, NULL] AS l, {'x': range, 'y': [{'z': 'q'}]} AS st, uuid() AS u, TIMESTAMP '2020-01-01 01:02:03.123456' AS t, 'nan'::FLOAT AS f,
  TIMESTAMPTZ '2020-01-01' AS tz, TIMESTAMP_NS '2020-01-01 00:00:00.123456789' AS ns, DATE '2020-01-01' AS dt, TIME '10:00' AS ti,
  1.5::DECIMAL(9, 2) AS de, 1.5::DECIMAL(30, 2) AS wide, true AS bo, 5::UTINYINT AS ut, 5::UINTEGER AS ui, -5::TINYINT AS i,
  '\\xAA'::BLOB AS bl, 3::UBIGINT AS ub, NULL::INT AS nothing, MAP {'a': 1} AS m FROM range(6000)"""
MANY = """
[system.many]
label = "m"
store = "lake"
[system.many.dataset.rows]
label = "r"
glob = "many.parquet"
key = ["id"]
by = "id"
locate = "SELECT id FROM rows WHERE id = :id"
fetch = "SELECT * FROM rows WHERE id IN :keys"
fields = {FIELDS}
"""


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_type_comes_through_as_it_was(tmp_path: Path, effects: FileEffects, version: str) -> None:
    """DuckDB writes it, pyarrow writes it anew, DuckDB reads both."""
    path = tmp_path / "many.parquet"
    duckdb.sql(f"COPY ({TYPES}) TO '{path}' (FORMAT parquet, PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048, CODEC zstd)")
    names = duckdb.sql(f"FROM '{path}' LIMIT 0").columns
    (tmp_path / "inventory.toml").write_text(MANY.replace("FIELDS", ", ".join(f'{name} = "x"' for name in names)))
    before, types = duckdb.sql(f"FROM '{path}'").fetchall(), duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall()
    store, dataset = connector(tmp_path, "many")
    hers = pa.table({"id": [row[0] for row in before if row[1]]})
    assert store.write([Plan(ONE, dataset, hers, "p")], effects)[0].changed == 2_000
    left = [row for row in before if not row[1]]
    assert repr(duckdb.sql(f"FROM '{path}'").fetchall()) == repr(left) and len(left) == 4_000
    assert [row[:2] for row in duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall()] == [row[:2] for row in types]
    assert pq.read_metadata(path).num_row_groups == 3


def test_a_type_that_would_be_lost_keeps_its_file(tmp_path: Path, effects: FileEffects) -> None:
    """pyarrow knows no INTERVAL and would write twelve bytes."""
    path = tmp_path / "many.parquet"
    duckdb.sql(f"COPY (SELECT range AS id, INTERVAL 1 DAY AS i FROM range(9)) TO '{path}' (FORMAT parquet)")
    (tmp_path / "inventory.toml").write_text(MANY.replace("FIELDS", 'id = "x", i = "y"'))
    store, dataset = connector(tmp_path, "many")
    before = path.read_bytes()
    with pytest.raises((CheckFailed, ConnectorMisread)):
        store.write([Plan(ONE, dataset, pa.table({"id": [1]}), "p")], effects)
    assert path.read_bytes() == before


def test_mode_owner_and_attributes_stay_and_the_time_moves_on_by_a_second(folder: Path, effects: FileEffects) -> None:
    path = folder / "lake" / APRIL
    path.chmod(0o640)
    os.utime(path, ns=(5, 1_600_000_000_000_000_007))
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    os.setxattr(path, "user.owner", b"billing")
    was = path.stat()
    store, plan = erasing(folder)
    store.write([plan], effects)
    now = path.stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (was.st_mode, was.st_uid, was.st_gid)
    assert now.st_mtime_ns == 1_600_000_001_000_000_007 and now.st_ino != was.st_ino
    assert os.getxattr(path, "user.owner") == b"billing"
    (said,) = [said for phase, place, said in effects.lines() if (phase, place) == ("intent", f"lake/{APRIL}:swap")]
    assert (said["mode"], said["mtime_ns"], said["size"]) == ("640", now.st_mtime_ns, now.st_size)


def test_what_is_set_is_set_in_these_rows_only(folder: Path, effects: FileEffects) -> None:
    """NULL empties; a category takes a new word; a decimal and an instant keep their kind."""
    before = held(folder)
    store, plan = erasing(folder)
    values = pa.table({
        "LINE_NO": ["-"] * 36, "note": [None] * 18 + ["訂正"] * 18, "yen": ["1.50"] * 36,
    })  # fmt: skip
    assert store.write([replace(plan, values=values)], effects)[0].changed == 36
    after = held(folder)
    seen = 0
    for name in (APRIL, MAY):
        for was, now in zip(before[name], after[name], strict=True):
            if was[2] != HERS:
                assert now == was
                continue
            assert now[2] == "-" and now[3] == (None if seen < 18 else "訂正") and str(now[5]) == "1.50"
            assert (now[0], now[1], now[4], now[6]) == (was[0], was[1], was[4], was[6])
            seen += 1
    assert seen == 36


def test_one_goes_and_one_is_set_in_the_same_file(folder: Path, effects: FileEffects) -> None:
    before = held(folder)
    store, (one, two) = planned(folder, "call_history")
    emptied = replace(two, values=pa.table({"note": pa.nulls(36, pa.string())}))
    changed = replace(one, values=pa.table({"note": ["x"] * 36}), case_no="DSR-2026-000003")
    receipts = store.write([emptied, changed], effects)
    assert [r.changed for r in receipts] == [36, 36]
    for name in (APRIL, MAY):
        told = {row[2]: row[3] for row in held(folder)[name]}
        assert told == {HERS: "x", GRANDMAS: None, KENTAS: f"memo of {KENTAS}"}
        assert [row[:3] + row[4:] for row in held(folder)[name]] == [row[:3] + row[4:] for row in before[name]]
    store.write([replace(one, case_no="DSR-2026-000004")], effects=FileEffects(effects.path.with_name("more")))
    assert {row[2] for row in held(folder)[MAY]} == {GRANDMAS, KENTAS}


def test_what_stands_there_already_is_not_set_again(folder: Path, tmp_path: Path, effects: FileEffects) -> None:
    store, plan = erasing(folder)
    setting = replace(plan, values=pa.table({"line_no": ["-"] * 36, "note": pa.nulls(36, pa.string())}))
    store.write([setting], effects)
    after = digests(folder)
    assert store.write([setting], FileEffects(tmp_path / "again")) == [Receipt(ONE, plan.dataset.id, 36, 0, 36)]
    assert digests(folder) == after


def test_a_column_that_is_changed_is_not_called_sorted_any_more(folder: Path, effects: FileEffects) -> None:
    path = folder / "lake" / APRIL
    rows = calls(0, [HERS, KENTAS])
    pq.write_table(rows, path, sorting_columns=[pq.SortingColumn(2)])
    store, plan = erasing(folder)
    store.write([replace(plan, values=pa.table({"line_no": ["999"] * plan.records}))], effects)
    assert pq.read_metadata(path).row_group(0).sorting_columns == ()


@pytest.mark.parametrize(("values", "error"), [
    ({"call_id": ["x9x"] * 36}, ConnectorRefused),
    ({"yen": [12345678.9] * 36}, ConnectorRefused),
    ({"who": ["-"] * 36}, BadInput),
])  # fmt: skip
def test_what_a_column_cannot_hold_is_refused_before_anything_begins(
    folder: Path, effects: FileEffects, values: dict[str, Any], error: type[Exception]
) -> None:
    before = digests(folder)
    store, plan = erasing(folder)
    with pytest.raises(error) as caught:
        store.write([replace(plan, values=pa.table(values))], effects)
    assert "x9x" not in str(caught.value) and caught.value.__cause__ is None
    assert digests(folder) == before and effects.lines() == []


def test_nothing_is_changed_where_a_key_is_not_unique(folder: Path, effects: FileEffects) -> None:
    twin = pq.read_table(folder / "lake" / APRIL).slice(0, 1)
    twin = twin.set_column(2, "line_no", pa.array([KENTAS]))
    pq.write_table(twin, folder / "lake" / "calls-2026-07.parquet")
    before = digests(folder)
    store, plan = erasing(folder)
    plan = replace(plan, keys=plan.keys.slice(0, 18))
    with pytest.raises(CheckFailed, match="more rows than were planned"):
        store.write([plan], effects)
    assert digests(folder) == before and effects.lines() == []


def test_one_record_in_two_plans_is_refused(folder: Path, effects: FileEffects) -> None:
    before = digests(folder)
    store, plan = erasing(folder)
    with pytest.raises(CheckFailed, match="two plans"):
        store.write([plan, replace(plan, case_no=TWO, keys=plan.keys.slice(3, 1))], effects)
    with pytest.raises(CheckFailed, match="twice"):
        store.write([replace(plan, keys=pa.concat_tables([plan.keys, plan.keys.slice(0, 1)]))], effects)
    assert digests(folder) == before and effects.lines() == []


def test_two_plans_of_one_case_have_a_receipt_each(folder: Path, effects: FileEffects) -> None:
    store, plan = erasing(folder)
    some, rest = replace(plan, keys=plan.keys.slice(0, 5)), replace(plan, keys=plan.keys.slice(5))
    assert [r.changed for r in store.write([some, rest], effects)] == [5, 31]
    assert [r.changed for r in store.write([some, rest], effects)] == [5, 31]
    assert store.write([], effects) == []


def test_words_within_lists_cannot_be_taken_out_so_the_file_is_refused(folder: Path, effects: FileEffects) -> None:
    path = folder / "lake" / APRIL
    rows = pq.read_table(path)
    words = pa.array([["a"]] * rows.num_rows, pa.list_(pa.dictionary(pa.int32(), pa.string())))
    pq.write_table(rows.set_column(6, "parts", words), path)
    store, plan = erasing(folder)
    with pytest.raises(ConnectorRefused, match="dictionaries within lists"):
        store.write([plan], effects)
    assert effects.lines() == []


def test_a_bucket_is_refused_in_words(folder: Path, effects: FileEffects) -> None:
    (folder / "inventory.toml").write_text(INVENTORY.replace('store = "lake"', 'store = "lake"\nurl = "s3://bucket/x"'))
    store, plan = erasing(folder)
    with pytest.raises(ConnectorRefused, match="work order"):
        store.write([plan], effects)
    assert effects.lines() == []


def test_the_index_forgets_the_files_that_were_rewritten(folder: Path, effects: FileEffects, tmp_path: Path) -> None:
    """Also those of a run that did not live to say so; a build knows them anew."""
    june = folder / "lake" / "calls-2026-06.parquet"
    pq.write_table(calls(900, [KENTAS] * 9), june)
    index = SideIndex(tmp_path / "index.db", b"k" * 32)
    store, dataset = connector(folder, "call_history", index=index)
    plan = Plan(ONE, dataset, keys_of(folder, dataset, HERS), "p")
    assert isinstance(store, lake_write.LakeWriter)
    store.reindex(dataset)

    def known() -> set[str]:
        with index._reading() as base:
            return {Path(path).name for (path,) in base.execute("SELECT path FROM part")}

    assert known() == {APRIL, MAY, june.name}
    store.write([plan], effects)
    assert known() == {june.name}
    assert (store.reindex(dataset).read, known()) == (2, {APRIL, MAY, june.name})
    store.write([plan], effects)
    assert known() == {june.name}
    assert located_keys(store, dataset, [ask_by("line_no", HERS)]).num_rows == 0
    assert located_keys(store, dataset, [ask_by("line_no", KENTAS)]).num_rows == 117


# -- who lies to us: each step of the proof is seen to fail ----------------------------------------------------------


def _swapped(rows: pa.Table) -> pa.Table:
    return rows.take(pa.array([1, 0, *range(2, rows.num_rows)]))


def _altered(rows: pa.Table) -> pa.Table:
    first = pa.array(["092-000-9999", *rows.column("line_no").to_pylist()[1:]])
    return rows.set_column(2, rows.schema.field(2), first)


@pytest.mark.parametrize(("lie", "words"), [
    (lambda rows: rows.slice(1), "not the rows"),
    (lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]), "not the rows"),
    (_swapped, "another order"),
    (_altered, "not what it was"),
])  # fmt: skip
def test_a_file_that_is_not_what_it_should_be_is_thrown_away(
    folder: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch, lie: Callable[[pa.Table], pa.Table], words: str
) -> None:
    before, compact = digests(folder), lake_write._compact
    monkeypatch.setattr(lake_write, "_compact", lambda rows: compact(lie(rows)))
    store, plan = erasing(folder)
    with pytest.raises(CheckFailed, match=words):
        store.write([plan], effects)
    assert digests(folder) == before and not temps(folder)
    assert {phase for phase, _, _ in effects.lines()} == {"intent"}
    monkeypatch.undo()
    assert store.write([plan], effects)[0].changed == 36
    assert digests(folder) != before


def test_the_wrong_rows_taken_out_are_noticed(
    folder: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, here = digests(folder), lake_write._here
    monkeypatch.setattr(lake_write, "_here", lambda rows, first, count: np.roll(here(rows, first, count), 1))
    store, plan = erasing(folder)
    with pytest.raises(CheckFailed, match="still in it"):
        store.write([plan], effects)
    assert digests(folder) == before


def test_a_value_set_wrongly_is_noticed(folder: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch) -> None:
    before, compact = digests(folder), lake_write._compact
    wrong = {"-": "+"}
    monkeypatch.setattr(lake_write, "_compact", lambda rows: compact(rows.set_column(
        2, rows.schema.field(2), pa.array([wrong.get(word, word) for word in rows.column(2).to_pylist()]))))  # fmt: skip
    store, plan = erasing(folder)
    with pytest.raises(CheckFailed, match="should be set"):
        store.write([replace(plan, values=pa.table({"line_no": ["-"] * 36}))], effects)
    assert digests(folder) == before


def test_a_schema_that_cannot_be_written_as_it_was_is_refused(
    folder: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, form = digests(folder), lake_write.form_of
    monkeypatch.setattr(lake_write, "form_of", lambda *given: {**form(*given), "use_deprecated_int96_timestamps": True})
    store, plan = erasing(folder)
    with pytest.raises(CheckFailed, match="schema"):
        store.write([plan], effects)
    assert digests(folder) == before


def test_a_rewrite_without_any_change_is_an_error(
    folder: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hit in which nothing was removed (traps.md T07), in a store that counts as if it were."""
    before = digests(folder)
    store, plan = lined(folder, ["access-05-01:1"])
    monkeypatch.setattr(logs_write, "_pack", lambda old, new, proof: shutil.copyfile(old, new) and {})
    monkeypatch.setattr(logs_write.Proof, "judge", lambda *given: None)
    with pytest.raises(CheckFailed, match="without any change"):
        store.write([plan], effects)
    assert digests(folder) == before and not temps(folder)


# -- bad luck, alike for lake and logs -------------------------------------------------------------------------------


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def first(folder: Path, system: str) -> Path:
    return folder / ("lake" if system == "call_history" else "logs") / (APRIL if system == "call_history" else DAY1)


def swap_of(first: Path) -> str:
    return f"{first.parent.name}/{first.name}:swap"


def test_killed_at_any_point_it_ends_alike_and_records_each_effect_once(tmp_path: Path, system: str) -> None:
    command = [sys.executable, "-c", START, "tests.killing_files", str(tmp_path), system, "1" if ALL else "11"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["wrong"] == {} and told["tried"] > 4 and len(told["points"]) > 40
    assert [row[1:] for row in told["receipts"]] == ([[36, 36, 0]] if system == "call_history" else [[20, 20, 0]]) * 2
    assert len(told["effects"]) == 8 == len({tuple(one) for one in told["effects"]})


TRACED = "openat,rename,renameat,renameat2,fsync,fdatasync,write,pwrite64,writev,unlink"


def _calls_made(folder: Path, system: str) -> list[tuple[str, str]]:
    """(call, the file it is about), as the kernel saw them."""
    trace = folder / "trace"
    program = [sys.executable, "-c", START, "tests.files_written", str(folder), system]
    command = ["strace", "-f", "-y", "-s", "400", "-e", f"trace={TRACED}", "-o", str(trace), *program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    found = []
    for text in trace.read_text(errors="replace").splitlines():
        call = re.search(r"(\w+)\((?:AT_FDCWD[^,]*, )?(.*)", text)
        if call and str(folder) in text:
            word, rest = call.groups()
            names = re.findall(re.escape(str(folder)) + r"([^>\", ]*)", rest)
            if word.startswith("rename"):
                found += [("from", names[0]), ("rename", names[-1])]
            elif word in ("write", "pwrite64", "writev"):
                line = re.search(r'\[\\"(intent|result)\\", \\"([^\\]*)', rest)
                found.append((line[1], "/" + line[2]) if line else ("write", names[0]))
            elif word in ("fsync", "fdatasync"):
                found.append(("fsync", names[0]))
    return found


def _calls_recorded(folder: Path, system: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The same by a shim over the functions of ``os``, for a machine that lets nobody trace."""
    found: list[tuple[str, str]] = []
    fsync, replacing, say = os.fsync, os.replace, LineByLine._write

    def synced(number: int) -> None:
        path = str(Path(f"/proc/self/fd/{number}").readlink()).removeprefix(str(folder))
        found.extend([("write", path)] if ".dsr-" in path and ("write", path) not in found else [])
        found.append(("fsync", path))
        fsync(number)

    def replaced(old: Path, new: Path) -> None:
        found.extend((word, str(path).removeprefix(str(folder))) for word, path in (("from", old), ("rename", new)))
        replacing(old, new)

    def written(self: LineByLine, phase: str, place: str, said: Any) -> None:
        found.append((phase, f"/{place}"))
        say(self, phase, place, said)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(LineByLine, "_write", written)
    carried_out(folder, system, LineByLine(folder / "effects"))
    return found


def test_the_order_of_system_calls_survives_a_power_cut(
    folder: Path, system: str, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """intent on the disk < temp written < fsynced < intent of the swap < rename < folder fsynced < results."""
    frozen(folder, system)
    may_trace = shutil.which("strace") and not subprocess.run(["strace", "-o", os.devnull, "true"], check=False).returncode
    made = _calls_made(folder, system) if may_trace else _calls_recorded(folder, system, monkeypatch)
    place = f"/{first.parent.name}/{first.name}"

    def at(call: str, name: str, last: bool = False) -> int:
        places = [n for n, (word, path) in enumerate(made) if word == call and re.fullmatch(name, path)]
        assert places, (call, name, made)
        return places[-1] if last else places[0]

    intent, meant = at("intent", re.escape(place)), at("intent", re.escape(place) + ":swap")
    renamed, result = at("rename", re.escape(place)), at("result", re.escape(place) + ":swap")
    (mine,) = {path for word, path in made[renamed - 1 : renamed] if word == "from"}
    assert re.fullmatch(rf"/{first.parent.name}/\.dsr-[0-9a-f]{{16}}\.part", mine)
    synced = [n for n, one in enumerate(made) if one == ("fsync", mine)]
    assert intent < made.index(("fsync", "/effects"), intent) < made.index(("write", mine))
    assert at("write", re.escape(mine), last=True) < synced[0] < meant < synced[-1] < renamed
    assert renamed < made.index(("fsync", f"/{first.parent.name}"), renamed) < result < at("result", re.escape(place))
    assert ("fsync", "/effects") in made[meant:renamed]


def test_a_file_that_changes_while_it_is_rewritten_is_left_alone_and_done_anew(
    folder: Path, system: str, first: Path, effects: FileEffects
) -> None:
    """Its owner put another version in its place: that one stays, and the next try rewrites it."""
    store, plans = planned(folder, system)
    theirs = first.with_name("theirs")
    _one_more(first, theirs)
    effects.at = Once(f"after intent:{swap_of(first)}", lambda: theirs.replace(first))
    with pytest.raises(ConnectorUnavailable, match="changed while it was rewritten"):
        store.write(plans, effects)
    assert not temps(folder) and {said.get("discarded") for p, place, said in effects.lines() if p == "result"} == {True}
    before = held(folder)
    first_plans = plan_of(folder, system, store, plans[0].dataset)
    assert [r.changed for r in store.write(plans, effects)] == [p.records for p in first_plans]
    assert len(held(folder)[first.name]) == len(before[first.name]) - (36 if system == "call_history" else 10)
    assert "the neighbour" in str(held(folder)[first.name])


def _one_more(old: Path, new: Path) -> None:
    """A copy with one more record of a neighbour's at its end."""
    if old.suffix == ".parquet":
        rows = pq.read_table(old)
        more = calls(7_000, [KENTAS]).set_column(3, "note", pa.array(["the neighbour's"]).dictionary_encode())
        pq.write_table(pa.concat_tables([rows, more]).unify_dictionaries(), new)
    else:
        new.write_bytes(old.read_bytes() + gzip.compress(line("M2", "c1", 59, "/the neighbour's").encode()))


@pytest.mark.parametrize("hide", ["nothing", "mtime", "ctime"])
def test_a_byte_changed_in_place_is_seen_whatever_its_times_say(
    folder: Path, system: str, first: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch, hide: str
) -> None:
    """A file system may tell ctime in ticks: then the digest alone sees it."""
    store, plans = planned(folder, system)
    was = first.stat()

    def change() -> None:
        with first.open("r+b") as file:
            file.seek(was.st_size // 2)
            byte = file.read(1)
            file.seek(was.st_size // 2)
            file.write(bytes([byte[0] ^ 1]))
        if hide == "mtime":
            os.utime(first, ns=(was.st_atime_ns, was.st_mtime_ns))
        if hide == "ctime":
            monkeypatch.setattr(swap, "identity", lambda _stat: "as it was")

    effects.at = Once(f"after intent:{swap_of(first)}", change)
    with pytest.raises(ConnectorUnavailable, match="changed while it was rewritten"):
        store.write(plans, effects)
    assert first.stat().st_ino == was.st_ino and not temps(folder)


def test_a_file_that_changed_before_it_was_begun_is_not_begun(
    folder: Path, system: str, first: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, plans = planned(folder, system)
    carry_out = swap.carry_out

    def late(rewrites: Sequence[swap.Rewrite], *given: Any) -> Any:
        os.utime(first)
        return carry_out(rewrites, *given)

    monkeypatch.setattr(swap, "carry_out", late)
    with pytest.raises(ConnectorUnavailable, match="changed while it was rewritten"):
        store.write(plans, effects)
    assert effects.lines() == []


def test_a_file_that_is_gone_when_it_is_to_be_replaced_stays_gone(
    folder: Path, system: str, first: Path, effects: FileEffects
) -> None:
    store, plans = planned(folder, system)
    effects.at = Once(f"after intent:{swap_of(first)}", first.unlink)
    with pytest.raises(ConnectorUnavailable, match="changed while it was rewritten"):
        store.write(plans, effects)
    assert not first.exists() and not temps(folder)


def test_a_file_that_somebody_writes_is_not_replaced(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    """What they add to a file that has no name any more would be lost."""
    store, plans = planned(folder, system)
    before = digests(folder)
    with first.open("ab"), pytest.raises(ConnectorUnavailable, match="open for writing"):
        store.write(plans, effects)
    assert effects.lines() == []
    opened: list[Any] = []
    effects.at = Once(f"after intent:{swap_of(first)}", lambda: opened.append(first.open("ab")))
    with pytest.raises(ConnectorUnavailable, match="open for writing"):
        store.write(plans, effects)
    assert digests(folder) == before and not temps(folder)
    opened[0].close()
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))


def test_who_opens_the_file_to_write_during_the_swap_ends_nobody(
    folder: Path, system: str, first: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells us with a signal, and lets them in when the swap is over."""
    store, plans = planned(folder, system)
    replacing, opening = os.replace, [sys.executable, "-c", f"open({str(first)!r}, 'ab').close()"]
    writers: list[subprocess.Popen[bytes]] = []

    def replaced(old: Path, new: Path) -> None:
        if not writers and ".dsr-" in str(old):
            writers.append(subprocess.Popen(opening))
            with pytest.raises(subprocess.TimeoutExpired):
                writers[0].wait(0.5)
        replacing(old, new)

    monkeypatch.setattr(os, "replace", replaced)
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))
    assert writers[0].wait(20) == 0


def test_a_second_name_of_a_file_is_refused(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    store, plans = planned(folder, system)
    before = digests(folder)
    os.link(first, folder / "second")
    with pytest.raises(ConnectorRefused, match="second name"):
        store.write(plans, effects)
    assert digests(folder) == before and effects.lines() == []


def test_behind_a_link_the_file_itself_is_rewritten(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    (folder / "real").mkdir()
    real = folder / "real" / "file"
    first.rename(real)
    first.symlink_to(real)
    before = real.read_bytes()
    store, plans = planned(folder, system)
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))
    assert first.is_symlink() and real.read_bytes() != before and not temps(folder)


def test_of_two_processes_one_waits_and_then_says_so(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    store, plans = planned(folder, system)
    before = digests(folder)
    with first.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ConnectorUnavailable, match="another process"):
            store.write(plans, effects)
        assert digests(folder) == before and effects.lines() == []
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))


def test_a_lock_that_is_given_up_meanwhile_is_waited_for(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    store, plans = planned(folder, system)
    other = first.open("rb")
    fcntl.flock(other, fcntl.LOCK_EX)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        other.close()

    store = type(store)(replace(store.access, sleep=sleep))  # type: ignore[attr-defined, call-arg]
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))
    assert waited == [0.25]


def test_a_full_disk_leaves_the_old_file_and_no_temp_file(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    """A limit on the size of a file stands for the end of the disk: the kernel's refusal comes in mid-write."""
    if system == "call_history":
        big = pa.concat_tables([pq.read_table(first), calls(9_000, [KENTAS] * 30_000).cast(pq.read_schema(first))])
        pq.write_table(big.unify_dictionaries(), first, compression="none")
    else:
        noise = "".join(line("M2", os.urandom(30).hex(), 7) for _ in range(3_000))
        first.write_bytes(first.read_bytes() + gzip.compress(noise.encode()))
    store, plans = planned(folder, system)
    before, limits = digests(folder), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, limits[1]))
    try:
        with pytest.raises(ConnectorUnavailable, match="no room"):
            store.write(plans, effects)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert digests(folder) == before and not temps(folder)
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_is_no_success(
    folder: Path, system: str, first: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store, plans = planned(folder, system)
    before, working = digests(folder), getattr(os, call)

    def broken(*given: Any) -> Any:
        told = str(Path(f"/proc/self/fd/{given[0]}").readlink()) if call == "fsync" else str(given[0])
        if ".dsr-" in told:
            raise OSError(5, "Input/output error")
        return working(*given)

    monkeypatch.setattr(os, call, broken)
    with pytest.raises(ConnectorUnavailable):
        store.write(plans, effects)
    assert digests(folder) == before and not temps(folder)
    assert {phase for phase, _, _ in effects.lines()} == {"intent"}
    monkeypatch.undo()
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))
    assert len({place for _, place, _ in effects.lines()}) * 2 == len(effects.lines())


def test_stopped_in_the_middle_it_leaves_everything_and_goes_on_later(
    folder: Path, system: str, first: Path, effects: FileEffects
) -> None:
    store, plans = planned(folder, system)
    before = digests(folder)

    def stop() -> None:
        raise NotAllowed("web: stopped")

    effects.at = Once(f"before intent:{swap_of(first)}", stop)
    with pytest.raises(NotAllowed):
        store.write(plans, effects)
    assert digests(folder) == before and not temps(folder)
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))
    assert len({place for _, place, _ in effects.lines()}) * 2 == len(effects.lines())


def test_temp_files_of_the_dead_are_swept_and_of_nobody_else(
    folder: Path, system: str, first: Path, effects: FileEffects
) -> None:
    dead, living, other = (first.with_name(name) for name in (
        ".dsr-00112233445566aa.part", ".dsr-00112233445566bb.part", ".dsr-notes"))  # fmt: skip
    for path in (dead, living, other):
        path.write_text("personal")
    store, plans = planned(folder, system)
    with living.open("rb") as held_by:
        fcntl.flock(held_by, fcntl.LOCK_EX)
        store.write(plans, effects)
        assert not dead.exists() and living.exists() and other.exists()
    assert swap.sweep([first.parent]) == 1 and not living.exists() and other.exists()


def test_a_temp_file_is_for_its_owner_only(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    store, plans = planned(folder, system)
    first.chmod(0o644)
    seen: list[int] = []
    effects.at = Once(f"before intent:{swap_of(first)}", lambda: seen.extend(
        stat.S_IMODE(path.stat().st_mode) for path in first.parent.glob(".dsr-*")))  # fmt: skip
    store.write(plans, effects)
    assert set(seen) == {0o600} and stat.S_IMODE(first.stat().st_mode) == 0o644


# -- after a kill ----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends a run as a kill would: nobody catches it."""


def _killed_at(point: str, store: Writes, plans: Sequence[Plan], effects: FileEffects) -> None:
    def die() -> None:
        raise Killed

    effects.at = Once(point, die)
    with pytest.raises(Killed):
        store.write(plans, effects)


def test_a_third_version_after_a_kill_in_the_swap_stops_and_asks(
    folder: Path, system: str, first: Path, effects: FileEffects
) -> None:
    store, plans = planned(folder, system)
    _killed_at(f"after intent:{swap_of(first)}", store, plans, effects)
    theirs = first.with_name("theirs")
    _one_more(first, theirs)
    theirs.replace(first)
    before, told = digests(folder), effects.lines()
    for _ in range(2):
        with pytest.raises(CheckFailed, match="neither the file that was to be rewritten nor what it was to become"):
            store.write(plans, effects)
    assert digests(folder) == before and effects.lines() == told
    first.unlink()
    with pytest.raises(CheckFailed):
        swap.settled(first, swap_of(first).removesuffix(":swap"), effects)


def test_a_file_that_only_had_a_temp_file_may_change_after_a_kill(
    folder: Path, system: str, first: Path, effects: FileEffects
) -> None:
    """Nothing of ours had touched it: the first intent is closed as discarded, and the new version is begun anew."""
    store, plans = planned(folder, system)
    place = swap_of(first).removesuffix(":swap")
    _killed_at(f"before intent:{swap_of(first)}", store, plans, effects)
    theirs = first.with_name("theirs")
    _one_more(first, theirs)
    theirs.replace(first)
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))
    told = [(phase, said.get("discarded", False)) for phase, name, said in effects.lines() if name == place]
    assert told == [("intent", False), ("result", True), ("intent", False), ("result", False)]
    assert "the neighbour" in str(held(folder)[first.name])


def test_only_touched_after_a_kill_it_is_another_version(folder: Path, system: str, first: Path, effects: FileEffects) -> None:
    store, plans = planned(folder, system)
    _killed_at(f"before intent:{swap_of(first)}", store, plans, effects)
    os.utime(first, ns=(7, 7))
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))
    assert first.stat().st_mtime_ns == 7 + swap.LATER


def test_what_was_swapped_before_the_kill_is_recorded_with_the_counts_of_the_intent(
    folder: Path, system: str, first: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the folder is fsynced before it is said: the kill may have come between rename and fsync."""
    store, plans = planned(folder, system)
    _killed_at(f"before result:{swap_of(first)}", store, plans, effects)
    swapped, synced = first.stat().st_ino, []
    monkeypatch.setattr(swap, "_synced", synced.append)
    place = swap_of(first).removesuffix(":swap")
    count = 18 if system == "call_history" else 10
    assert swap.settled(first, place, effects) == {ONE: count, TWO: count}
    assert synced == [first.parent] and first.stat().st_ino == swapped
    assert [phase for phase, name, _ in effects.lines() if name.startswith(place)] == ["intent"] * 2 + ["result"] * 2
    monkeypatch.undo()
    assert all(receipt.changed == receipt.planned for receipt in store.write(plans, effects))


# -- logs ------------------------------------------------------------------------------------------------------------


def test_her_lines_go_and_every_other_line_keeps_its_bytes(folder: Path, effects: FileEffects) -> None:
    before = held(folder)
    store, plan = lined(folder, [f"access-05-01:{n}" for n in range(1, 41, 4)])
    assert all(b"M1 " in row for row in before[DAY1][::4])
    assert store.write([plan], effects) == [Receipt(ONE, "web.hits", 10, 10, 0)]
    assert held(folder) == {**before, DAY1: without(before, "M1 ")[DAY1]} and len(held(folder)[DAY1]) == 30


def test_where_the_line_stays_its_number_and_every_other_word_stay(folder: Path, effects: FileEffects) -> None:
    before = held(folder)
    names = [f"access-05-01:{n}" for n in range(1, 41, 4)]
    store, plan = lined(folder, names, pa.table({"member": ["-"] * 10, "cookie": ["-"] * 10}))
    unmarked = replace(plan, keys=plan.keys.select(["record_no"]))
    assert store.write([unmarked], effects) == [Receipt(ONE, "web.hits", 10, 10, 0)]
    expected = [row.replace(b"M1 ", b"- ").replace(b"cookie=c0", b"cookie=-") if n % 4 == 0 else row
                for n, row in enumerate(before[DAY1])]  # fmt: skip
    assert held(folder) == {**before, DAY1: expected}
    assert store.check() == [] and located_keys(store, plan.dataset, [ask_by("member_id", "M1")]).num_rows == 10


def test_another_line_at_the_planned_place_is_never_taken_for_it(folder: Path, tmp_path: Path, effects: FileEffects) -> None:
    """Another case's lines have gone from the same file since: this plan must be made anew."""
    store, first = lined(folder, [f"access-05-01:{n}" for n in range(1, 41, 4)])
    _, second = lined(folder, ["access-05-01:3", "access-05-02:3"], case=TWO)
    store.write([first], effects)
    before = digests(folder)
    setting = replace(second, values=pa.table({"member": ["-"] * 2}))
    for plan in (second, setting):
        with pytest.raises(CheckFailed, match="vanished or shifted"):
            store.write([plan], FileEffects(tmp_path / "second"))
    assert digests(folder) == before and not (tmp_path / "second").exists()
    again = lined(folder, ["access-05-01:2", "access-05-02:3"], case=TWO)[1]
    lines = held(folder)
    assert store.write([again], FileEffects(tmp_path / "second"))[0].changed == 2
    assert held(folder) == {**lines, DAY1: lines[DAY1][:1] + lines[DAY1][2:], DAY2: lines[DAY2][:2] + lines[DAY2][3:]}


def test_a_hit_list_that_is_stale_is_an_error_and_no_success(folder: Path, effects: FileEffects) -> None:
    before = digests(folder)
    store, plan = lined(folder, ["access-05-01:40"])
    beyond = replace(plan, keys=plan.keys.set_column(0, "record_no", pa.array(["access-05-01:41"])))
    with pytest.raises(CheckFailed, match="vanished or shifted"):
        store.write([beyond], effects)
    assert digests(folder) == before and effects.lines() == []
    gone = replace(plan, keys=plan.keys.set_column(0, "record_no", pa.array(["access-04-30:1"])))
    assert store.write([gone], effects) == [Receipt(ONE, "web.hits", 1, 0, 1)]  # the whole file has run out of its days


def test_no_line_is_removed_without_its_mark(folder: Path, effects: FileEffects) -> None:
    store, plan = lined(folder, ["access-05-01:1"])
    with pytest.raises(ConnectorRefused, match="still the line that was fetched"):
        store.write([replace(plan, keys=plan.keys.select(["record_no"]))], effects)
    for keys in (pa.concat_tables([plan.keys, plan.keys]), plan.keys.set_column(0, "record_no", pa.array(["access-05-01"]))):
        with pytest.raises(CheckFailed, match="stands in two plans or twice"):
            store.write([replace(plan, keys=keys)], effects)
    assert effects.lines() == []


def test_what_is_replaced_already_is_not_replaced_again(folder: Path, tmp_path: Path, effects: FileEffects) -> None:
    store, plan = lined(folder, ["access-05-01:1"], pa.table({"member": ["-"], "cookie": ["-"]}))
    store.write([plan], effects)
    after = digests(folder)
    assert store.write([plan], FileEffects(tmp_path / "again")) == [Receipt(ONE, "web.hits", 1, 0, 1)]
    assert digests(folder) == after


@pytest.mark.parametrize("values", [
    {"member": [None]}, {"member": ["two words"]}, {"page": ['a"b']}, {"page": ["a\nb"]}, {"cookie": ["c\n"]},
])  # fmt: skip
def test_a_line_that_could_not_be_read_afterwards_is_not_written(
    folder: Path, effects: FileEffects, values: dict[str, Any]
) -> None:
    before = digests(folder)
    store, plan = lined(folder, ["access-05-01:1"], pa.table(values))
    with pytest.raises(BadInput, match="declared form"):
        store.write([plan], effects)
    with pytest.raises(BadInput, match="no part of a line"):
        store.write([replace(plan, values=pa.table({"record_no": ["x"]}))], effects)
    assert digests(folder) == before and effects.lines() == []


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_bytes_line_ends_and_a_missing_last_one_stay(folder: Path, effects: FileEffects, encoding: str) -> None:
    """cp932 has two codes for some letters (∵, Ⅰ): what was read is not what would be written."""
    twice = b"\x87\x9a\xee\xef" if encoding == "cp932" else "∵ⅰ".encode()
    path = folder / "logs" / "access-05-03.log"
    rows = [line("M1", "c0", 1, "/表/髙橋"), line("M2", "c1", 2), line("M1", "c0", 3), line("M2", "髙", 4)]
    raw = b"".join(row.rstrip("\n").encode(encoding) + (b"\r\n", b"\n")[n % 2] for n, row in enumerate(rows))
    raw = raw.removesuffix(b"\n").replace(b"/my/", b"/" + twice)
    path.write_bytes(raw)
    (folder / "inventory.toml").write_text(INVENTORY.replace('glob = "logs/access-*"', f'glob = "logs/access-*"\nencoding = "{encoding}"'))
    store, plan = lined(folder, ["access-05-03:1"], pa.table({"member": ["匿名"]}))
    other = lined(folder, ["access-05-03:3"], case=TWO)[1]
    assert [r.changed for r in store.write([plan, other], effects)] == [1, 1]
    one, two, _three, four = raw.splitlines(keepends=True)
    assert path.read_bytes() == one.replace(b"M1", "匿名".encode(encoding)) + two + four
    assert not four.endswith(b"\n") and twice in two


def header(name: bytes = b"", extra: bytes = b"", comment: bytes = b"", summed: bool = False, hint: int = 0) -> bytes:
    flags = (8 if name else 0) | (4 if extra else 0) | (16 if comment else 0) | (2 if summed else 0)
    head = b"\x1f\x8b\x08" + bytes([flags]) + (1_650_000_000).to_bytes(4, "little") + bytes([hint, 3])
    head += (len(extra).to_bytes(2, "little") + extra if extra else b"") + (name + b"\0" if name else b"")
    head += comment + b"\0" if comment else b""
    return head + ((zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") if summed else b"")


def member(data: bytes, head: bytes) -> bytes:
    body = zlib.compressobj(6, zlib.DEFLATED, -15)
    return head + body.compress(data) + body.flush() + struct.pack("<II", zlib.crc32(data), len(data))


def test_members_keep_their_headers_and_begin_with_the_lines_they_began_with(folder: Path, effects: FileEffects) -> None:
    """One begins in the middle of a line, one is empty, and zeros fill up the last block."""
    path = folder / "logs" / "access-05-03.log.gz"
    rows = [line(("M1", "M2")[n % 2], f"c{n}", n).encode() for n in range(8)]
    text = b"".join(rows)
    heads = [header(b"access.log", hint=2), header(), header(b"x", comment=b"rotated", summed=True, hint=4), header(b"end")]
    cut = len(b"".join(rows[:3])) + 9
    path.write_bytes(member(b"".join(rows[:3]), heads[0]) + member(text[len(b"".join(rows[:3])) : cut], heads[1])
                     + member(text[cut:], heads[2]) + member(b"", heads[3]) + b"\0" * 512)  # fmt: skip
    store, plan = lined(folder, [f"access-05-03:{n}" for n in (1, 3, 5, 7)])
    store.write([plan], effects)
    assert gzip.decompress(path.read_bytes()) == b"".join(rows[1::2])
    told = list(gz.parts_of(path))
    assert [head for head, _ in told if head] == heads
    parts: dict[bytes, bytes] = {}
    for head, data in told:
        parts[head or list(parts)[-1]] = parts.get(head or list(parts)[-1], b"") + data
    assert list(parts.values()) == [rows[1], rows[3], rows[5] + rows[7], b""]
    (said,) = [said for phase, place, said in effects.lines() if phase == "intent" and place.endswith("05-03.log.gz:swap")]
    assert said["gz"] == {"members": 4, "time": 1_650_000_000, "level": 9}
    assert path.read_bytes()[8] == 2


def test_a_header_with_fields_of_its_own_is_refused(folder: Path, effects: FileEffects) -> None:
    """They may tell where the next block begins (BGZF)."""
    path = folder / "logs" / "access-05-03.log.gz"
    path.write_bytes(member(line("M1", "c1", 1).encode(), header(extra=b"BC\x02\0\x1b\0")))
    before = digests(folder)
    store, plan = lined(folder, ["access-05-03:1"])
    with pytest.raises(ConnectorRefused, match="gz header"):
        store.write([plan], effects)
    assert digests(folder) == before and not temps(folder)


@pytest.mark.parametrize("harm", [
    lambda raw: raw[:-9], lambda raw: raw[:-4], lambda raw: raw + b"\x1f\x8b", lambda raw: raw + b"rest",
    lambda raw: raw[:-6] + bytes([raw[-6] ^ 1]) + raw[-5:],
], ids=["cut off", "in its sum", "second begun", "rest", "sum wrong"])  # fmt: skip
def test_a_damaged_gz_is_misread_and_nothing_begins(
    folder: Path, effects: FileEffects, harm: Callable[[bytes], bytes]
) -> None:
    path = folder / "logs" / DAY1
    store, plan = lined(folder, ["access-05-01:1", "access-05-02:1"])
    path.write_bytes(harm(path.read_bytes()))
    before = digests(folder)
    with pytest.raises(ConnectorMisread, match=DAY1):
        store.write([plan], effects)
    assert digests(folder) == before and effects.lines() == []
    with pytest.raises((EOFError, zlib.error)):
        list(gz.parts_of(path))


@pytest.mark.parametrize(("lie", "words"), [
    (lambda lines: lines[:-1], "not the lines"),
    (lambda lines: [*lines, lines[0]], "not the lines"),
    (lambda lines: lines[::-1], "another order"),
    (lambda lines: [lines[0].replace(b"M2", b"M9"), *lines[1:]], "is not what it was"),
    (lambda lines: [line("M1", "c0", 0).encode(), *lines[1:]], "still in it"),
])  # fmt: skip
def test_lines_that_are_not_what_they_should_be_are_thrown_away(
    folder: Path, effects: FileEffects, monkeypatch: pytest.MonkeyPatch, lie: Callable[[list[bytes]], list[bytes]], words: str
) -> None:
    before, pack = digests(folder), logs_write._pack

    def lying(old: Path, new: Path, proof: logs_write.Proof) -> Any:
        told = pack(old, new, proof)
        new.write_bytes(gzip.compress(b"".join(lie(gzip.decompress(new.read_bytes()).splitlines(keepends=True)))))
        return told

    monkeypatch.setattr(logs_write, "_pack", lying)
    store, plan = lined(folder, ["access-05-01:1"])
    with pytest.raises(CheckFailed, match=words):
        store.write([plan], effects)
    assert digests(folder) == before and not temps(folder)


def test_the_mark_of_a_line_is_over_all_its_fields_but_the_number() -> None:
    rows = pa.table({"record_no": ["a:1", "a:2", "a:3"], "page": ["x", "x", "x"], "member": ["M1", "M1", "M2"]})
    dataset = Dataset.model_validate({"system": "web", "name": "hits", "label": "l", "key": ["record_no"], "by": "m",
                                      "locate": "member", "fields": {"record_no": "n", "page": "p", "member": "m"}})  # fmt: skip
    one, same, other = line_marks(dataset, rows).to_pylist()
    assert one == same != other and len(one) == 64 and LINE not in rows.column_names


def test_the_whole_of_the_sample_is_asked_to_forget_one_person(sample: Path, tmp_path: Path) -> None:
    """184 days of logs and the lake of the sample company: hers go, everybody else's stay to the byte."""
    from connectors.build import connect
    from dsr.inventory import read_inventory
    from tests.differ import difference
    from tests.differ import held as sample_holds

    copy = Path(shutil.copytree(sample, tmp_path / "sample"))
    truth = json.loads((copy / "truth.json").read_text())["people"]["hanako"]["owns"]
    before = sample_holds(copy)
    inventory = read_inventory(copy / "inventory.toml")
    stores = connect(inventory, environment={})
    for name, key in (("call_history.calls", pa.int64()), ("web_logs.access", pa.string())):
        dataset, store = inventory.dataset(name), stores[name.partition(".")[0]]
        assert isinstance(store, Writes)
        keys = pa.table({dataset.key[0]: pa.array(truth[name]).cast(key)})
        values = pa.table({c: ["-"] * len(keys) for c in ("member_id", "cookie_id")}) if name.startswith("web") else None
        receipts = store.write([Plan(ONE, dataset, keys, "p", values)], FileEffects(tmp_path / name))
        assert receipts == [Receipt(ONE, name, len(keys), len(keys), 0)]
    found = difference(before, sample_holds(copy))
    assert found.gone == {"call_history.calls": set(truth["call_history.calls"])} and found.new == {}
    assert found.changed == {"web_logs.access": set(truth["web_logs.access"])}
