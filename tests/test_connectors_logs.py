"""Access logs: every line counts, and a line that cannot be read is named by its place and never by its content."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import ConnectorContract, located_keys, record_nos
from connectors.stores.logs import LogStore
from dsr.connector import Ask, Connector, Drift
from dsr.days import Interval
from dsr.errors import BadInput, ConnectorMisread, ConnectorUnavailable
from dsr.inventory import Dataset
from tests.connector_fixtures import ask_by, connector_of, keys_of, rows_of

ACCESS = r"""
[system.web]
label = "閲覧"
store = "logs"
glob = "logs/access-*"
line = '(?P<member>\S+) \[(?P<at>[^\]]+)\] "(?P<page>[^"]*)" cookie=(?P<cookie>\S+)'
[system.web.dataset.hits]
label = "閲覧"
key = ["record_no"]
ways = [{by = "member_id", locate = "member"}, {by = "cookie_id", locate = "cookie"}]
at = {column = "at", form = "iso"}
fields = {page = "頁", record_no = "記録番号", member = "会員", at = "日時", cookie = "識別子"}
"""


def line(member: str, cookie: str, second: int = 0, page: str = "/my/") -> str:
    return f'{member} [2026-05-01T00:00:{second:02}+09:00] "{page}" cookie={cookie}\n'


DAY1 = [line("M1", "c1"), line("M2", "c2", 1), line("-", "c1", 2), line("M2", "c1", 3, "/M1/c2")]
DAY2 = [line("M1", "c1", 9, "/検索?q=髙橋")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "access-05-01.log.gz").write_bytes(gzip.compress("".join(DAY1).encode()))
    (tmp_path / "logs" / "access-05-02.log").write_text("".join(DAY2).rstrip("\n"), encoding="utf-8", newline="\r\n")
    return tmp_path


@pytest.fixture
def web(folder: Path) -> LogStore:
    connector = connector_of(folder, ACCESS)
    assert isinstance(connector, LogStore)
    return connector


@pytest.fixture
def hits(web: LogStore) -> Dataset:
    return web.access.inventory.dataset("web.hits")


class TestLogs(ConnectorContract):
    @pytest.fixture
    def connector(self, web: LogStore) -> Connector:
        return web

    @pytest.fixture
    def dataset(self, hits: Dataset) -> Dataset:
        return hits

    @pytest.fixture
    def ask(self) -> Ask:
        return ask_by("member_id", "M1")

    @pytest.fixture
    def subject_nos(self) -> set[str]:
        return {"access-05-01:1", "access-05-02:1"}

    @pytest.fixture
    def neighbour_nos(self) -> set[str]:
        return {"access-05-01:2", "access-05-01:3", "access-05-01:4"}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> Connector:
        (tmp_path / "elsewhere").mkdir()
        return connector_of(tmp_path / "elsewhere", ACCESS)

    @pytest.fixture
    def drifted(self, folder: Path) -> Connector:
        """The form of a log line is declared, so one more column is one more group."""
        return connector_of(folder, ACCESS.replace(r"cookie=(?P<cookie>\S+)", r"cookie=(?P<cookie>\S)(?P<memo2>\S*)"))


def test_one_pass_answers_many_questions_each_its_own(web: LogStore, hits: Dataset) -> None:
    asks = [ask_by("member_id", "M1"), ask_by("cookie_id", "c1", way=1), ask_by("member_id", "M9")]
    found = {asks.index(each.ask): each.rows.column("record_no").to_pylist() for each in web.locate(hits, asks)}
    assert found == {
        0: ["access-05-01:1", "access-05-02:1"],
        1: ["access-05-01:1", "access-05-01:3", "access-05-01:4", "access-05-02:1"],
    }


def test_rows_outside_the_interval_do_not_leave(web: LogStore, hits: Dataset) -> None:
    start = datetime(2026, 4, 30, 15, 0, 2, tzinfo=UTC)
    keys = located_keys(web, hits, [ask_by("cookie_id", "c1", Interval(start, start.replace(second=3)), way=1)])
    assert record_nos(keys, hits) == {"access-05-01:3"}


def test_only_the_declared_part_of_a_line_is_searched(web: LogStore, hits: Dataset) -> None:
    """M2's page names M1; that is no record of M1."""
    assert "access-05-01:4" not in record_nos(located_keys(web, hits, [ask_by("member_id", "M1")]), hits)


def test_a_value_is_found_whole(web: LogStore, hits: Dataset) -> None:
    assert located_keys(web, hits, [ask_by("member_id", "M")]).num_rows == 0
    assert located_keys(web, hits, [ask_by("member_id", ".*")]).num_rows == 0
    assert located_keys(web, hits, [ask_by("member_id", "")]).num_rows == 0


BROKEN = [
    ("cut gz", lambda raw: raw[:-12], "line 4"),
    ("damaged gz", lambda raw: raw[:30] + b"\0\0\0" + raw[33:], "line"),
    ("no gz at all", lambda raw: b"M1 plain text", "line 1"),
    ("undecodable", lambda raw: gzip.compress(gzip.decompress(raw).replace(b"/M1/c2", b"/\x8d\x82")), "line 4"),
    ("another form", lambda raw: gzip.compress(gzip.decompress(raw).replace(b"M2 [", b"M2 (", 1)), "line 2"),
    ("blank line", lambda raw: gzip.compress(gzip.decompress(raw).replace(b"c2\n", b"c2\n\n", 1)), "line 3"),
    ("end of a DOS file", lambda raw: gzip.compress(gzip.decompress(raw) + b"\x1a"), "line 5"),
]


@pytest.mark.parametrize(("damage", "place"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_line_that_cannot_be_read_stops_everybody(
    web: LogStore, hits: Dataset, folder: Path, damage: Callable[[bytes], bytes], place: str
) -> None:
    """EN-22. Also for a person of whom the file holds nothing: the broken line could be theirs."""
    path = folder / "logs" / "access-05-01.log.gz"
    path.write_bytes(damage(path.read_bytes()))
    for value in ("M1", "M-nobody"):
        with pytest.raises(ConnectorMisread, match=rf"access-05-01\.log\.gz {place}") as caught:
            list(web.locate(hits, [ask_by("member_id", value)]))
        assert "M2" not in str(caught.value) and caught.value.__context__ is None


def test_a_file_that_changed_is_read_whole_again(web: LogStore, hits: Dataset, folder: Path) -> None:
    assert located_keys(web, hits, [ask_by("member_id", "M1")]).num_rows == 2
    assert located_keys(web, hits, [ask_by("member_id", "M1")]).num_rows == 2  # now by bytes first
    with (folder / "logs" / "access-05-02.log").open("a", encoding="utf-8") as log:
        log.write("\nbroken")
    with pytest.raises(ConnectorMisread, match="line 2"):
        located_keys(web, hits, [ask_by("member_id", "M1")])


def test_the_declared_encoding_decides(folder: Path) -> None:
    (folder / "logs" / "access-05-03.log").write_bytes(line("M3", "c3", 1, "髙﨑①").encode("cp932"))
    connector = connector_of(folder, ACCESS.replace("access-*", "access-05-03.log").replace(
        'store = "logs"', 'store = "logs"\nencoding = "cp932"'))
    dataset = connector.access.inventory.dataset("web.hits")  # type: ignore[attr-defined]
    (row,) = rows_of(connector.fetch(dataset, located_keys(connector, dataset, [ask_by("member_id", "M3")])))
    assert row["page"] == "髙﨑①" and row["record_no"] == "access-05-03:1"


def test_two_files_may_not_share_record_numbers(web: LogStore, hits: Dataset, folder: Path) -> None:
    (folder / "logs" / "access-05-01.txt").write_text(DAY1[0])
    with pytest.raises(ConnectorMisread, match="share record numbers"):
        web.check()


def test_a_vanished_file_or_line_is_absent(web: LogStore, hits: Dataset) -> None:
    keys = keys_of(record_no=["access-05-01:99", "access-01-01:1", "nonsense", "access-05-01:2"])
    assert [row["record_no"] for row in rows_of(web.fetch(hits, keys))] == ["access-05-01:2"]


def test_fields_and_groups_must_agree(folder: Path) -> None:
    document = ACCESS.replace('cookie = "識別子"', 'other = "?"')
    assert connector_of(folder, document).check() == [
        Drift("web", "hits", "cookie", "undeclared"), Drift("web", "hits", "other", "missing"),
    ]


@pytest.mark.parametrize(("old", "new"), [
    (r"(?P<member>\S+)", r"(?P<member>\S+"),
    ('key = ["record_no"]', 'key = ["cookie"]'),
    ('locate = "member"', 'locate = "m"'),
    ('by = "member_id"', 'by = "person"'),
    ('store = "logs"', 'store = "logs"\nencoding = "no-such"'),
])
def test_a_declaration_that_cannot_work_is_bad_input(folder: Path, old: str, new: str) -> None:
    with pytest.raises(BadInput, match=r"web\.hits"):
        connector_of(folder, ACCESS.replace(old, new)).check()


def test_no_file_is_not_an_empty_log(folder: Path) -> None:
    with pytest.raises(ConnectorUnavailable):
        connector_of(folder, ACCESS.replace("access-*", "other-*")).check()


def test_an_empty_gz_is_damaged_and_an_empty_log_is_empty(folder: Path) -> None:
    """gzip itself takes no bytes for no lines; a file that broke off at once must not read as none found."""
    connector = connector_of(folder, ACCESS)
    dataset = connector.access.inventory.dataset("web.hits")  # type: ignore[attr-defined]
    before = sum(located.rows.num_rows for located in connector.locate(dataset, [ask_by("member_id", "M1")]))
    (folder / "logs" / "access-2026-09.log").write_bytes(b"")
    connector = connector_of(folder, ACCESS)
    assert sum(located.rows.num_rows for located in connector.locate(dataset, [ask_by("member_id", "M1")])) == before > 0
    (folder / "logs" / "access-2026-10.log.gz").write_bytes(b"")
    with pytest.raises(ConnectorMisread, match="damaged or cut off"):
        list(connector_of(folder, ACCESS).locate(dataset, [ask_by("member_id", "M1")]))
