"""The side index of a lake: it spares work and never a row, holds nothing readable, and forgets a person whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.stores import lake_index
from connectors.stores.lake import LakeStore
from connectors.stores.lake_index import SideIndex
from dsr.errors import BadInput, ConnectorMisread, ConnectorUnavailable, DsrError
from dsr.inventory import Dataset
from flows.home import side_index
from tests.connector_fixtures import ask_by, connector_of
from tests.story import Office, rows_of
from tests.test_lake_many import CALLS, NOON, PLAIN

PEOPLE = [f"092-000-{n:04d}" for n in range(40)]
RARE, OTHER = "092-555-0001", "092-555-0002"
"""Each in two row groups of twenty; everybody else all over."""
KEY = b"i" * 32


def month(folder: Path, name: str, rare: Sequence[str] = (), **more: Any) -> None:
    """Twenty row groups of ten calls; the rare callers have one call each, in the third."""
    (folder / "lake").mkdir(exist_ok=True)
    numbers = [PEOPLE[n % 40] for n in range(200)]
    numbers[20 : 20 + len(rare)] = rare
    number = int(name)
    columns = {
        "call_id": pa.array(range(number * 1000, number * 1000 + 200), pa.int64()), "leg": [""] * 200,
        "line_no": numbers, "started_at": pa.array([NOON + timedelta(hours=number)] * 200, pa.timestamp("us")), **more,
    }
    pq.write_table(pa.table(columns), folder / "lake" / f"calls-{name}.parquet", row_group_size=10)


class Lake:
    """A lake of two months, its index, and what is found with it and without."""

    def __init__(self, folder: Path, document: str = CALLS.replace("LOCATE", PLAIN), key: bytes = KEY) -> None:
        self.folder, self.path = folder, folder / "index.db"
        self.index = SideIndex(self.path, key)
        self.store, self.plain = self._of(document, self.index), self._of(document, None)

    def _of(self, document: str, index: SideIndex | None) -> LakeStore:
        made = connector_of(self.folder, document, index=index)
        assert isinstance(made, LakeStore)
        return made

    @property
    def calls(self) -> Dataset:
        return self.store.access.inventory.dataset("call_history.calls")

    def build(self) -> tuple[int, int, int]:
        built = self.store.reindex(self.calls)
        return built.read, built.known, built.gone

    def ids(self, *numbers: str, store: LakeStore | None = None) -> list[int]:
        located = (store or self.store).locate(self.calls, [ask_by("line_no", number) for number in numbers])
        return sorted(number for one in located for number in one.rows.column("call_id").to_pylist())

    def groups(self, number: str) -> dict[str, tuple[int, ...] | None]:
        """By file, the row groups that are read for a number; None: the whole file."""
        pieces = self.store._pieces(self.calls, 0, [ask_by("line_no", number)], self.store._shelf.files(self.calls))
        return {piece.file.name: piece.groups for piece in pieces}

    def agrees(self) -> bool:
        """Nobody loses a row to the index, asked alone or together."""
        everybody = [*PEOPLE, RARE, OTHER, "nobody"]
        return self.ids(*everybody) == self.ids(*everybody, store=self.plain) and all(
            self.ids(number) == self.ids(number, store=self.plain) for number in (RARE, OTHER, PEOPLE[0], "nobody")
        )

    def run(self, sql: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as base, base:
            return base.execute(sql, values).fetchall()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    month(tmp_path, "1", [RARE, OTHER])
    month(tmp_path, "2", [RARE])
    made = Lake(tmp_path)
    assert made.build() == (2, 0, 0)
    return made


WHOLE = {"calls-1.parquet": None, "calls-2.parquet": None}


def test_only_the_row_groups_named_are_read(lake: Lake) -> None:
    assert lake.groups(RARE) == {"calls-1.parquet": (2,), "calls-2.parquet": (2,)}
    assert lake.groups(OTHER) == {"calls-1.parquet": (2,)}
    assert lake.groups("nobody") == {"calls-1.parquet": (0,)}  # something is always asked: a wrong statement must speak
    assert lake.groups(PEOPLE[0]) == {"calls-1.parquet": (0, 4, 8, 12, 16), "calls-2.parquet": (0, 4, 8, 12, 16)}
    assert lake.ids(RARE) == [1020, 2020] and lake.agrees()


def test_a_row_outside_what_is_named_would_not_be_seen(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the tests below would prove nothing."""
    monkeypatch.setattr(SideIndex, "named", lambda self, about, values, files: {file.path: (0,) for file in files})
    assert lake.ids(RARE) == [] and not lake.agrees()


def test_many_people_who_stand_everywhere_are_scanned_for(lake: Lake) -> None:
    asks = [ask_by("line_no", number) for number in PEOPLE]
    pieces = lake.store._pieces(lake.calls, 0, asks, lake.store._shelf.files(lake.calls))
    assert [piece.groups for piece in pieces] == [None, None]


def test_what_is_known_is_not_read_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SideIndex, "_entries", lambda *_: pytest.fail("read a file that it knew"))
    assert lake.build() == (0, 2, 0)


def test_a_new_file_is_scanned_until_the_next_build(lake: Lake) -> None:
    month(lake.folder, "3", [RARE])
    assert lake.groups(RARE) == {"calls-1.parquet": (2,), "calls-2.parquet": (2,), "calls-3.parquet": None}
    assert lake.ids(RARE) == [1020, 2020, 3020] and lake.agrees()
    assert lake.build() == (1, 2, 0)
    assert lake.groups(RARE)["calls-3.parquet"] == (2,)


def test_a_changed_file_is_scanned_until_the_next_build(lake: Lake) -> None:
    """Also one that kept its size and its time."""
    path = lake.folder / "lake" / "calls-1.parquet"
    before = path.stat()
    month(lake.folder, "1", [PEOPLE[7], RARE])  # the rare call has moved by one row; everything else is as before
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert lake.groups(RARE)["calls-1.parquet"] is None
    assert lake.ids(RARE) == [1021, 2020] and lake.agrees()
    assert lake.build() == (1, 1, 0) and lake.groups(RARE)["calls-1.parquet"] == (2,) and lake.agrees()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_whose_size_time_and_footer_are_as_before_is_scanned_too(lake: Lake, in_place: bool) -> None:
    """A person moves between row groups whose least and greatest number stay: nothing but the identity tells."""
    mover = "092-300-0008"

    def moved_to(group: int) -> tuple[int, str]:
        numbers = ["092-000-0000", *[f"092-300-{n:04d}" for n in range(8)], "092-999-9999"] * 20
        numbers[4::10] = ["092-300-0009"] * 20
        numbers[group * 10 + 4] = mover
        month(lake.folder, "3", line_no=numbers)
        file = lake.store._shelf.files(lake.calls)[2]
        return file.size, file.footer

    path, other = lake.folder / "lake" / "calls-3.parquet", lake.folder / "another"
    was, before = moved_to(3), path.stat()
    lake.build()
    assert lake.groups(mover)["calls-3.parquet"] == (3,) and 3034 in lake.ids(mover)
    if not in_place:
        path.rename(other)
    assert moved_to(7) == was
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert lake.groups(mover)["calls-3.parquet"] is None
    assert 3074 in lake.ids(mover) and 3034 not in lake.ids(mover) and lake.agrees()
    assert lake.build() == (1, 2, 0) and lake.groups(mover)["calls-3.parquet"] == (7,) and lake.agrees()


def test_a_file_touched_only_is_scanned_too(lake: Lake) -> None:
    os.utime(lake.folder / "lake" / "calls-1.parquet")
    assert lake.groups(RARE)["calls-1.parquet"] is None and lake.agrees()


def test_a_vanished_file_is_forgotten(lake: Lake) -> None:
    (lake.folder / "lake" / "calls-2.parquet").unlink()
    assert lake.ids(RARE) == [1020] and lake.agrees()
    assert lake.build() == (0, 1, 1)
    assert lake.run("SELECT count(DISTINCT path) FROM part") == [(1,)]


def test_a_file_replaced_while_it_is_read_is_asked_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    files = lake.store._shelf.files(lake.calls)
    monkeypatch.setattr(lake.store._shelf, "files", lambda dataset: files)
    month(lake.folder, "1", [PEOPLE[7]] * 9 + [RARE])
    with pytest.raises((ConnectorUnavailable, ConnectorMisread)):
        lake.ids(RARE)


# -- torn, wrong and changed --------------------------------------------------------------------------------------


def _flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"", "garbage": lambda raw: b"no database" * 999, "half": lambda raw: raw[: len(raw) // 2],
    "zeroes": lambda raw: bytes(len(raw)), "head": lambda raw: _flipped(raw, 20),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_as_no_index_and_is_made_anew(lake: Lake, name: str) -> None:
    lake.path.write_bytes(DAMAGE[name](lake.path.read_bytes()))
    assert lake.agrees()
    assert lake.build()[0] in (0, 1, 2)
    assert lake.agrees() and lake.groups(RARE) == {"calls-1.parquet": (2,), "calls-2.parquet": (2,)}


def test_no_single_changed_byte_costs_a_row(lake: Lake) -> None:
    raw = lake.path.read_bytes()
    for at in range(0, len(raw), 223):
        lake.path.write_bytes(_flipped(raw, at))
        assert lake.ids(RARE) == [1020, 2020], at
        assert lake.ids(OTHER) == [1021], at


CHANGES = {
    "a bucket is gone": "DELETE FROM bucket WHERE id = (SELECT min(id) FROM bucket)",
    "all are gone": "DELETE FROM bucket",
    "a bucket is empty": "UPDATE bucket SET body = x''",
    "a bucket is no blob": "UPDATE bucket SET body = 7",
    "a bucket is another's": "UPDATE bucket SET body = (SELECT body FROM bucket ORDER BY id DESC LIMIT 1)",
    "it tells of more buckets": "UPDATE part SET bits = bits + 1",
    "it tells of none": "UPDATE part SET bits = -1",
    "it tells of very many": "UPDATE part SET bits = 99",
    "two files are swapped": "UPDATE part SET path = CASE path WHEN (SELECT min(path) FROM part) THEN 'x' ELSE (SELECT min(path) FROM part) END",
    "it is another kind's": "UPDATE part SET kind = CASE kind WHEN 'line_no' THEN 'x' ELSE 'line_no' END",
    "the table is gone": "DROP TABLE bucket",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_index_costs_no_row(lake: Lake, name: str) -> None:
    lake.run(CHANGES[name])
    assert lake.agrees()


def test_a_version_that_was_written_over_costs_no_row(lake: Lake) -> None:
    """Somebody who can write the file, but has no key, calls the old version today's."""
    month(lake.folder, "1", [*PEOPLE[:10], RARE])
    files = lake.store._shelf.files(lake.calls)
    about = lake.store._indexed(lake.calls, 0, files)
    assert about
    version = lake_index._version(about, files[0])
    lake.run("UPDATE part SET version = ? WHERE kind = 'line_no' AND path LIKE '%calls-1.parquet'", version)
    assert lake.groups(RARE)["calls-1.parquet"] is None and lake.agrees()


def test_the_wrong_key_opens_nothing_and_costs_no_row(lake: Lake) -> None:
    other = Lake(lake.folder, key=b"x" * 32)
    assert other.groups(RARE) == WHOLE and other.agrees()
    assert other.build() == (2, 0, 0) and other.groups(RARE)["calls-1.parquet"] == (2,)


def test_an_index_that_is_being_built_is_not_waited_for_and_costs_no_row(lake: Lake) -> None:
    with closing(sqlite3.connect(lake.path, isolation_level=None)) as base:
        base.execute("BEGIN EXCLUSIVE")
        base.execute("DELETE FROM bucket")
        assert lake.groups(RARE) == WHOLE
        base.execute("ROLLBACK")
    assert lake.groups(RARE)["calls-1.parquet"] == (2,)


def test_a_build_that_breaks_off_leaves_whole_parts_only(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    month(lake.folder, "1", [RARE, OTHER])
    month(lake.folder, "2", [RARE])
    monkeypatch.setattr(lake_index, "PER_BUCKET", 8)
    real, sealed = SideIndex._seal, 0

    def full(self: SideIndex, *given: Any) -> bytes:
        nonlocal sealed
        sealed += 1
        if sealed > 40:
            raise sqlite3.OperationalError("database or disk is full")
        return real(self, *given)

    monkeypatch.setattr(SideIndex, "_seal", full)
    with pytest.raises(DsrError, match="index: cannot be written"):
        lake.build()
    assert lake.groups(RARE) == {"calls-1.parquet": (2,), "calls-2.parquet": None} and lake.agrees()
    monkeypatch.setattr(SideIndex, "_seal", real)
    lake.build()
    assert lake.groups(RARE)["calls-2.parquet"] == (2,) and lake.agrees()


# -- what it may hold, and forgetting -------------------------------------------------------------------------------


def test_no_number_is_readable_in_it_nor_where_it_stands(lake: Lake) -> None:
    raw = lake.path.read_bytes()
    for number in (RARE, OTHER, *PEOPLE[:3]):
        for written in (number, number.replace("-", "")):
            assert not any(written.encode(code) in raw for code in ("utf-8", "utf-16-le", "utf-16-be"))
        mark = lake.index._marks("line_no", [number])
        assert not any(mark.astype(kind).tobytes() in raw for kind in ("<u8", ">u8"))
    assert sorted({tuple(row) for row in lake.run("SELECT dataset, kind FROM part")}) == [
        ("call_history.calls", "line_no"), ("call_history.calls", "member_id")]
    assert lake.path.stat().st_mode & 0o077 == 0 and KEY.hex() not in repr(lake.store.access)


def test_a_forgotten_person_is_in_no_bucket_and_nobody_loses_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_index, "PER_BUCKET", 8)
    month(tmp_path, "1", [RARE, OTHER])
    month(tmp_path, "2", [RARE])
    lake = Lake(tmp_path)
    lake.build()
    before = {body for (body,) in lake.run("SELECT body FROM bucket")}
    assert lake.index.forget("line_no", RARE) == 2 and lake.index.forget("line_no", RARE) == 0
    gone = before - {body for (body,) in lake.run("SELECT body FROM bucket")}
    assert len(gone) == 2 and not any(body in lake.path.read_bytes() for body in gone)  # overwritten, not only unlinked
    # The number may be a stranger's by now: whoever asks for it is answered by a scan.
    assert lake.groups(RARE) == WHOLE and lake.ids(RARE) == [1020, 2020] and lake.agrees()
    assert lake.groups(PEOPLE[0])["calls-1.parquet"] == (0, 4, 8, 12, 16)  # a neighbour's bucket is as it was


def test_after_the_files_were_rewritten_the_person_is_nowhere(lake: Lake) -> None:
    month(lake.folder, "1", [PEOPLE[1], OTHER])
    month(lake.folder, "2", [PEOPLE[1]])
    assert lake.index.forget("line_no", RARE) == 2
    lake.build()
    assert lake.groups(RARE) == {"calls-1.parquet": (0,)} and lake.ids(RARE) == []
    assert lake.groups(OTHER) == {"calls-1.parquet": (2,)} and lake.agrees()


def test_forgetting_without_an_index_is_nothing(tmp_path: Path) -> None:
    assert SideIndex(tmp_path / "index.db", KEY).forget("line_no", RARE) == 0
    assert not (tmp_path / "index.db").exists()


# -- what can be indexed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.uint64(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_numbers_and_texts_of_every_sort(tmp_path: Path, kind: pa.DataType) -> None:
    month(tmp_path, "1", line_no=pa.array([str(n % 50) for n in range(200)]).cast(pa.int64() if pa.types.is_integer(kind) else pa.string()).cast(kind))
    lake = Lake(tmp_path)
    lake.build()
    assert lake.groups("7") == {"calls-1.parquet": (0, 5, 10, 15)}
    assert lake.ids("7") == lake.ids("7", store=lake.plain) == [1007, 1057, 1107, 1157]
    for written in ("07", " 7", "7.0", "+7"):  # what DuckDB takes for 7 or does not, it takes so with an index too
        assert lake.ids(written) == lake.ids(written, store=lake.plain)


def test_a_column_of_another_sort_is_not_indexed(tmp_path: Path) -> None:
    month(tmp_path, "1", line_no=pa.array([float(n % 50) for n in range(200)]))
    document = CALLS.replace("LOCATE", PLAIN).replace("leg = :member_id", "call_id + 0 = :member_id")
    lake = Lake(tmp_path, document)
    with pytest.raises(BadInput, match="nothing that an index could be built of"):
        lake.build()
    assert lake.ids("7") == lake.ids("7", store=lake.plain) == [1007, 1057, 1107, 1157]


def test_files_that_differ_in_a_type_are_scanned(lake: Lake) -> None:
    """DuckDB reads them as the first one's, an index would not."""
    month(lake.folder, "3", [RARE], call_id=pa.array(range(3000, 3200), pa.int32()))
    assert set(lake.groups(RARE).values()) == {None} and lake.agrees()


def test_null_is_nobodys_number(tmp_path: Path) -> None:
    month(tmp_path, "1", line_no=pa.array([None if n % 3 else RARE for n in range(200)], pa.string()))
    lake = Lake(tmp_path)
    lake.build()
    assert len(lake.ids(RARE)) == 67 and lake.ids("") == []


# -- the home, by command -------------------------------------------------------------------------------------------


@pytest.fixture
def indexed(office: Office) -> Office:
    assert office.ok("index", "build")["call_history.calls"]["read"] == len(list((office.sample / "lake/calls").iterdir()))
    return office


def test_a_package_is_the_same_with_the_index_and_without_its_key(indexed: Office, tmp_path: Path) -> None:
    key = indexed.home / "keys" / "index.key"
    assert key.stat().st_mode & 0o077 == 0
    _, package = indexed.packaged("kaoru", tmp_path)
    other = Office.set_up(tmp_path / "other", indexed.sample, indexed.patch)
    _, again = other.packaged("kaoru", tmp_path / "again") if (tmp_path / "again").mkdir() is None else ("", Path())
    assert rows_of(package, "call_history.calls") and not side_index(other.home, other.home / "keys")
    assert {path.name: path.read_bytes() for path in (package / "data").iterdir()} == {
        path.name: path.read_bytes() for path in (again / "data").iterdir()}


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.chmod(0o644), lambda path: path.write_text("k")])
def test_without_its_key_there_is_no_index_and_the_next_build_makes_another(
    indexed: Office, spoil: Callable[[Path], Any]
) -> None:
    keys = indexed.home / "keys"
    old = (keys / "index.key").read_text()
    spoil(keys / "index.key")
    assert side_index(indexed.home, keys) is None
    assert indexed.ok("index", "build", "call_history.calls")["call_history.calls"]["read"] > 0
    assert side_index(indexed.home, keys) is not None and (keys / "index.key").read_text() != old


def test_building_is_logged_by_counts_and_open_to_who_collects(indexed: Office) -> None:
    assert indexed.run("index", "build", officer="shonin-1")[0] == 1
    assert indexed.run("index", "build", "billing.invoices")[0] == 2
    assert indexed.run("index", "build", "nothing")[0] == 2
    assert indexed.ok("trail", "verify")["sound"]
    with closing(sqlite3.connect(indexed.home / "dsr.db")) as base:
        told = base.execute("SELECT public FROM event WHERE step_key LIKE 'index:%'").fetchall()
    assert len(told) == 1 and '"gone":0' in told[0][0] and "092" not in told[0][0]


def test_what_no_longer_wants_an_index_leaves_it(indexed: Office, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(indexed.sample, folder)
    declared = folder / "inventory.toml"
    declared.write_text(declared.read_text().replace("index = true", "index = false"))
    settings = indexed.home / "settings.json"
    settings.write_text(settings.read_text().replace(str(indexed.sample / "inventory.toml"), str(declared)))
    assert indexed.ok("index", "build") == {}
    with closing(sqlite3.connect(indexed.home / "index.db")) as base:
        assert base.execute("SELECT (SELECT count(*) FROM part), (SELECT count(*) FROM bucket)").fetchone() == (0, 0)
