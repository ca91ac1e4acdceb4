"""The lake in an object store: the contract over a real S3 server, and what a store can do to us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import duckdb
import pytest

from connectors.contract import ConnectorContract, located_keys, record_nos
from connectors.stores.lake import LakeStore
from connectors.stores.lake_index import SideIndex
from connectors.stores.statements import fetching
from dsr.connector import Ask, Connector
from dsr.errors import BadInput, ConnectorMisread, ConnectorRefused, ConnectorUnavailable
from dsr.inventory import Dataset
from tests import test_connectors_lake as disk
from tests.connector_fixtures import ask_by, connector_of, rows_of
from tests.s3_server import BUCKET, S3, SECRET, running_s3  # noqa: F401 - a fixture
from tests.test_connectors_lake import CALLS, LINE, OTHER, month

NUMBERS = count()
IN_BUCKET = CALLS.replace('store = "lake"', 'store = "lake"\nurl = "env:LAKE_URL"').replace("lake/calls", "calls")


@dataclass
class Bucket:
    """A prefix of its own, filled by the same months as the lake on disk."""

    s3: S3
    folder: Path
    prefix: str = field(default_factory=lambda: f"test-{next(NUMBERS)}")

    def connector(self, document: str = IN_BUCKET, **given: object) -> LakeStore:
        address = {"LAKE_URL": f"s3://{BUCKET}/{self.prefix}"}
        made = connector_of(self.folder, document, environment={**self.s3.environment, **address}, **given)
        assert isinstance(made, LakeStore)
        return made

    def filled(self) -> Bucket:
        self.s3.put(self.folder / "lake", self.prefix)
        return self


@pytest.fixture
def bucket(s3: S3, tmp_path: Path) -> Bucket:
    month(tmp_path, "2026-04", [(0, "", LINE), (1, "0", LINE), (2, None, OTHER)])
    month(tmp_path, "2026-05", [(0, None, LINE), (2, "0", OTHER)])
    return Bucket(s3, tmp_path).filled()


@pytest.fixture
def calls(bucket: Bucket) -> Dataset:
    return bucket.connector().access.inventory.dataset("call_history.calls")


class TestBucket(ConnectorContract):
    @pytest.fixture
    def connector(self, bucket: Bucket) -> Connector:
        return bucket.connector()

    @pytest.fixture
    def dataset(self, calls: Dataset) -> Dataset:
        return calls

    @pytest.fixture
    def ask(self) -> Ask:
        return ask_by("line_no", LINE)

    @pytest.fixture
    def subject_nos(self) -> set[str]:
        return {"0|", "1|0"}

    @pytest.fixture
    def neighbour_nos(self) -> set[str]:
        return {"2|", "2|0"}

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return (SECRET,)

    @pytest.fixture
    def unreachable(self, bucket: Bucket) -> Connector:
        environment = {**bucket.s3.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "LAKE_URL": f"s3://{BUCKET}/x"}
        return connector_of(bucket.folder, IN_BUCKET, environment=environment)

    @pytest.fixture
    def drifted(self, bucket: Bucket, tmp_path: Path) -> Connector:
        folder = tmp_path / "drifted"
        folder.mkdir()
        month(folder, "2026-04", [(0, "", LINE), (1, "0", LINE)])
        month(folder, "2026-05", [(9, "x", OTHER)], memo2=["?"])
        return Bucket(bucket.s3, folder).filled().connector()

    test_the_subjects_records_are_located_and_fetched_and_no_neighbours = (  # type: ignore[assignment]
        disk.TestLake.test_the_subjects_records_are_located_and_fetched_and_no_neighbours
    )


def both(connector: LakeStore, calls: Dataset) -> list[object]:
    keys = located_keys(connector, calls, [ask_by("line_no", LINE), ask_by("line_no", OTHER)])
    return [lambda: list(connector.locate(calls, [ask_by("line_no", LINE)])), lambda: list(connector.fetch(calls, keys))]


def test_a_denied_bucket_is_refused_and_names_no_key(bucket: Bucket, calls: Dataset) -> None:
    connector = bucket.connector()
    acts = [connector.check, *both(connector, calls)]
    with bucket.s3.denying():
        for act in acts:
            with pytest.raises(ConnectorRefused) as caught:
                act()  # type: ignore[operator]
            assert BUCKET not in str(caught.value).removeprefix("call_history") and SECRET not in str(caught.value)
    assert located_keys(connector, calls, [ask_by("line_no", LINE)]).num_rows == 3


def test_a_bucket_that_is_not_there_and_an_empty_prefix_are_unreachable(bucket: Bucket, calls: Dataset) -> None:
    for address in ("s3://elsewhere/calls", f"s3://{BUCKET}/nothing"):
        environment = {**bucket.s3.environment, "LAKE_URL": address}
        with pytest.raises(ConnectorUnavailable):
            list(connector_of(bucket.folder, IN_BUCKET, environment=environment).locate(calls, [ask_by("line_no", LINE)]))


def test_an_object_that_vanishes_after_it_was_listed_is_unreachable_and_never_empty(
    bucket: Bucket, calls: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = bucket.connector()
    keys = located_keys(connector, calls, [ask_by("line_no", OTHER)])
    listed = connector._shelf.files(calls)
    monkeypatch.setattr(connector._shelf, "files", lambda dataset: listed)
    bucket.s3.remove(f"{bucket.prefix}/calls-2026-05.parquet")
    for act in (lambda: list(connector.locate(calls, [ask_by("line_no", OTHER)])), lambda: list(connector.fetch(calls, keys))):
        with pytest.raises(ConnectorUnavailable):
            act()


def test_an_object_that_was_replaced_while_it_was_read_is_asked_again(
    bucket: Bucket, calls: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = bucket.connector()
    listed = connector._shelf.files(calls)
    monkeypatch.setattr(connector._shelf, "files", lambda dataset: listed)
    month(bucket.folder, "2026-05", [(0, None, LINE), (2, "0", OTHER), (3, "0", LINE)])
    bucket.filled()
    with pytest.raises((ConnectorUnavailable, ConnectorMisread)):
        list(connector.locate(calls, [ask_by("line_no", LINE)]))


def test_an_object_written_anew_within_the_second_is_another_version(bucket: Bucket, calls: Dataset) -> None:
    """Its time is told in seconds, and its size and its footer may stay: its ETag tells."""
    connector = bucket.connector()
    before = connector._shelf.files(calls)
    assert connector._shelf.unchanged(before)
    path = bucket.folder / "lake" / "calls-2026-05.parquet"
    raw = bytearray(path.read_bytes())
    raw[8] ^= 1
    path.write_bytes(raw)
    bucket.filled()
    after = connector._shelf.files(calls)
    assert not connector._shelf.unchanged(before) and connector._shelf.unchanged(after)
    assert [(file.size, file.footer) for file in before] == [(file.size, file.footer) for file in after]
    assert [a.identity == b.identity for a, b in zip(before, after, strict=True)] == [True, False]


def test_a_damaged_object_is_named(bucket: Bucket, calls: Dataset) -> None:
    path = bucket.folder / "lake" / "calls-2026-05.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    bucket.filled()
    with pytest.raises(ConnectorMisread, match="calls-2026-05"):
        list(bucket.connector().locate(calls, [ask_by("line_no", LINE)]))


def test_damaged_pages_stop_too(bucket: Bucket, calls: Dataset) -> None:
    path = bucket.folder / "lake" / "calls-2026-05.parquet"
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + b"\xff" * 200 + raw[204:])
    bucket.filled()
    with pytest.raises((ConnectorMisread, ConnectorUnavailable)):
        list(bucket.connector().locate(calls, [ask_by("line_no", LINE)]))


def test_it_answers_as_the_same_files_on_disk_do(bucket: Bucket, calls: Dataset) -> None:
    """One ask and several, whole scans and those that an index narrows."""
    on_disk = connector_of(bucket.folder, CALLS)
    index = SideIndex(bucket.folder / "index.db", b"i" * 32)
    indexed = bucket.connector(IN_BUCKET.replace('key = ["call_id"', 'index = true\nkey = ["call_id"'), index=index)
    indexed.reindex(indexed.access.inventory.dataset("call_history.calls"))
    several = [ask_by("line_no", LINE), ask_by("line_no", OTHER), ask_by("line_no", "nobody")]

    def answers(connector: Connector) -> list[object]:
        dataset = connector.access.inventory.dataset("call_history.calls")  # type: ignore[attr-defined]
        found = []
        for asks in (several[:1], several, several[2:]):
            rows = [(one.ask.identifier, *row.values()) for one in connector.locate(dataset, asks) for row in one.rows.to_pylist()]
            found.append(sorted(rows, key=str))
        keys = located_keys(connector, dataset, several)
        return [*found, sorted(map(str, rows_of(connector.fetch(dataset, keys))))]

    assert answers(bucket.connector()) == answers(on_disk) == answers(indexed)


@pytest.mark.parametrize("address", ["http://lake/calls", "s3:///calls", "s3://lake/calls?verify=no", "lake/calls",
                                     "s3://lake/calls?scheme=ftp", "s3://[lake/calls",
                                     "s3://minato-reader:a/b@lake/calls", "s3://minato-reader:12/b@lake/calls"])
def test_an_address_that_is_no_bucket_is_named_and_not_repeated(bucket: Bucket, calls: Dataset, address: str) -> None:
    connector = connector_of(bucket.folder, IN_BUCKET, environment={"LAKE_URL": address})
    with pytest.raises(BadInput, match=r"system\.call_history\.url") as caught:
        list(connector.locate(calls, [ask_by("line_no", LINE)]))
    assert address not in str(caught.value)


def test_credentials_may_stand_in_the_address_of_a_file(bucket: Bucket, calls: Dataset) -> None:
    host = bucket.s3.endpoint.removeprefix("http://")
    address = f"s3://minato%2Freader:{SECRET}@{BUCKET}/{bucket.prefix}?endpoint_override={host}&scheme=http&region=ap-northeast-1"
    (bucket.folder / "lake.url").write_text(address)
    connector = connector_of(bucket.folder, IN_BUCKET.replace("env:LAKE_URL", "file:lake.url"))
    assert record_nos(located_keys(connector, calls, [ask_by("line_no", LINE)]), calls) == {"0|", "1|0"}
    assert SECRET not in repr(connector) + repr(connector.access)  # type: ignore[attr-defined]


def test_only_what_fits_the_glob_is_read(bucket: Bucket, calls: Dataset) -> None:
    month(bucket.folder, "2026-06", [(7, "0", LINE)])
    whole = (bucket.folder / "lake" / "calls-2026-06.parquet").read_bytes()
    for name in ("other-2026.parquet", "deeper/calls-2026-07.parquet", ".calls-2026-08.parquet", "calls-2026-09.parquet.tmp"):
        with bucket.s3.filesystem.open_output_stream(f"{BUCKET}/{bucket.prefix}/{name}") as out:
            out.write(whole)
    assert "7|0" not in record_nos(located_keys(bucket.connector(), calls, [ask_by("line_no", LINE)]), calls)
    deep = bucket.connector(IN_BUCKET.replace("calls-*.parquet", "**/calls-*.parquet"))
    anywhere = deep.access.inventory.dataset("call_history.calls")
    assert "7|0" in record_nos(located_keys(deep, anywhere, [ask_by("line_no", LINE)]), calls)


def test_duckdb_opens_nothing_and_loads_no_extension(bucket: Bucket, calls: Dataset) -> None:
    with bucket.connector()._open(fetching(calls, "duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchall() == [(5,)]
        for sql in (f"SELECT * FROM read_parquet('s3://{BUCKET}/{bucket.prefix}/*')", "INSTALL httpfs", "LOAD httpfs",
                    f"SELECT * FROM read_parquet('{bucket.folder}/lake/*')"):
            with pytest.raises(duckdb.Error):
                connection.execute(sql).fetchall()
