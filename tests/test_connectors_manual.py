"""A person's answer is held to the declaration like any store, and no answer is not "none"."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import ConnectorContract
from dsr.connector import Ask, Connector
from dsr.errors import ConnectorError, ConnectorMisread, ConnectorUnavailable
from dsr.inventory import Dataset
from dsr.request import SearchAnswer
from tests.connector_fixtures import ask_by, connector_of, inventory_of

BOXES = """
[system.archive]
label = "保管庫"
store = "manual"
[system.archive.dataset.boxes]
label = "書類箱"
key = ["box", "item"]
ways = [{by = "customer_no", locate = "目録を引く"}, {by = "person", locate = "目録を引く"}]
evidence = {name = "name"}
fields = {box = "箱", item = "番", name = "名", kept_on = "日"}
"""
ROWS: list[dict[str, Any]] = [
    {"name": "髙橋 花子", "box": "B1", "item": 0, "kept_on": None},
    {"name": "髙橋 花子", "box": "B1", "item": 1, "kept_on": "2020-01-01"},
    {"name": "隣の人", "box": "B2", "item": 0, "kept_on": None},
]


def answered(folder: Path, rows: list[dict[str, Any]] | None, dataset: str = "boxes") -> Connector:
    answer = None if rows is None else SearchAnswer(searched_on=date(2026, 11, 4), datasets={dataset: tuple(rows)})
    return connector_of(folder, BOXES, answers=lambda system: answer if system == "archive" else None)


@pytest.fixture
def boxes(tmp_path: Path) -> Dataset:
    return inventory_of(tmp_path, BOXES).dataset("archive.boxes")


class TestManual(ConnectorContract):
    @pytest.fixture
    def connector(self, tmp_path: Path) -> Connector:
        return answered(tmp_path, ROWS)

    @pytest.fixture
    def dataset(self, boxes: Dataset) -> Dataset:
        return boxes

    @pytest.fixture
    def ask(self) -> Ask:
        return ask_by("customer_no", "C-0001")

    @pytest.fixture
    def subject_nos(self) -> set[str]:
        return {"B1|0", "B1|1", "B2|0"}  # what the officer found; whose it is, matching says

    @pytest.fixture
    def neighbour_nos(self) -> set[str]:
        return {"in a box that the officer did not take out"}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> Connector:
        return answered(tmp_path, None)

    @pytest.fixture
    def drifted(self, tmp_path: Path) -> Connector:
        return answered(tmp_path, [{**row, "memo2": "?"} for row in ROWS])

    def test_a_stranger_has_nothing(self, tmp_path: Path, dataset: Dataset, ask: Ask) -> None:  # type: ignore[override]
        """The answer is to one case; a stranger's case has another one."""
        assert list(answered(tmp_path, []).locate(dataset, [ask])) == []

    def test_many_questions_are_each_answered(self, connector: Connector, dataset: Dataset, ask: Ask) -> None:  # type: ignore[override]
        """One answer to all ways of asking: its records come once."""
        other = ask_by("customer_no", "C-0002")
        assert sum(located.rows.num_rows for located in connector.locate(dataset, [ask, other])) == 3

    def test_an_undeclared_column_is_drift(self, drifted: Connector, dataset: Dataset) -> None:
        with pytest.raises(ConnectorError, match="row 1"):
            drifted.check()

    def test_a_record_with_an_undeclared_column_is_never_fetched(  # type: ignore[override]
        self, drifted: Connector, dataset: Dataset, ask: Ask
    ) -> None:
        with pytest.raises(ConnectorMisread, match="row 1") as caught:
            list(drifted.locate(dataset, [ask]))
        assert "memo2" not in str(caught.value) and "花子" not in str(caught.value)


def test_waiting_is_unreachable_and_says_for_what(tmp_path: Path, boxes: Dataset) -> None:
    connector = answered(tmp_path, None)
    assert connector.check() == []
    with pytest.raises(ConnectorUnavailable, match="search order waiting for an officer's answer"):
        list(connector.locate(boxes, [ask_by("customer_no", "C1")]))


def test_an_answer_that_leaves_a_dataset_out_is_no_answer_on_it(tmp_path: Path, boxes: Dataset) -> None:
    answer = SearchAnswer(searched_on=date(2026, 11, 4), datasets={})
    connector = connector_of(tmp_path, BOXES, answers=lambda system: answer)
    with pytest.raises(ConnectorUnavailable):
        list(connector.locate(boxes, [ask_by("customer_no", "C1")]))


def test_an_answer_about_something_else_is_misread(tmp_path: Path, boxes: Dataset) -> None:
    with pytest.raises(ConnectorMisread):
        list(answered(tmp_path, [], "cellar").locate(boxes, [ask_by("customer_no", "C1")]))


def test_a_dataset_may_be_named_with_its_system(tmp_path: Path, boxes: Dataset) -> None:
    connector = answered(tmp_path, ROWS, "archive.boxes")
    assert sum(located.rows.num_rows for located in connector.locate(boxes, [ask_by("customer_no", "C1")])) == 3


@pytest.mark.parametrize("rows", [[{"box": "B1", "item": 0}], [{**ROWS[0]}, {}]])
def test_a_field_left_out_is_misread(tmp_path: Path, boxes: Dataset, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(ConnectorMisread, match="lacks"):
        list(answered(tmp_path, rows).locate(boxes, [ask_by("customer_no", "C1")]))


def test_the_same_record_twice_is_stopped(tmp_path: Path, boxes: Dataset) -> None:
    connector = answered(tmp_path, [ROWS[0], ROWS[0]])
    (located,) = connector.locate(boxes, [ask_by("customer_no", "C1")])
    with pytest.raises(ConnectorMisread, match="not unique"):
        list(connector.fetch(boxes, located.rows))


