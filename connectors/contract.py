"""The promises every connector keeps, as a test suite to inherit.

A connector's own test class gives the fixtures of its store and gets the tests::

    class TestBilling(ConnectorContract):
        @pytest.fixture
        def connector(self) -> Connector: ...

All records of the store are made up for the test: ``subject_nos`` and ``neighbour_nos`` together are the dataset.
A store that writes inherits ``WritingContract``, and gives three fixtures more.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pytest

from dsr.connector import Ask, Connector, Shared, Writes
from dsr.errors import ConnectorDrifted, ConnectorError, ConnectorUnavailable, NotAllowed
from dsr.inventory import Dataset
from dsr.plan import Plan

LIMIT = 65_536
STRANGER = "00-nobody-00"


class ConnectorContract:
    """Fixtures to give: connector, dataset, ask, subject_nos, neighbour_nos, unreachable, drifted, secrets."""

    @pytest.fixture
    def connector(self) -> Connector:
        raise NotImplementedError("the connector on a store with the subject's and the neighbour's records")

    @pytest.fixture
    def dataset(self) -> Dataset:
        raise NotImplementedError("a declared dataset of that store")

    @pytest.fixture
    def ask(self) -> Ask:
        raise NotImplementedError("a question that finds all the subject's records and no other")

    @pytest.fixture
    def subject_nos(self) -> set[str]:
        raise NotImplementedError("the subject's record nos., at least two: key columns joined by |")

    @pytest.fixture
    def neighbour_nos(self) -> set[str]:
        raise NotImplementedError("all other record nos. of the dataset, at least one")

    @pytest.fixture
    def unreachable(self) -> Connector:
        raise NotImplementedError("the same connector, its store switched off")

    @pytest.fixture
    def drifted(self) -> Connector:
        raise NotImplementedError("the same connector, its store with one column more than declared")

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """Words that stand in the address or token and must never be shown."""
        return ()

    @pytest.fixture
    def stranger(self, ask: Ask) -> Ask:
        """The same question about somebody of whom the store holds nothing."""
        forms = dict.fromkeys(ask.forms, (STRANGER,))
        known = ask.identifier and replace(ask.identifier, value=STRANGER)
        return replace(ask, identifier=known, forms=forms)

    def test_the_declaration_fits_the_store(self, connector: Connector) -> None:
        assert connector.check() == []

    def test_the_subjects_records_are_located_and_fetched_and_no_neighbours(
        self, connector: Connector, dataset: Dataset, ask: Ask, subject_nos: set[str], neighbour_nos: set[str]
    ) -> None:
        keys = located_keys(connector, dataset, [ask])
        assert record_nos(keys, dataset) == subject_nos
        assert subject_nos and neighbour_nos and not subject_nos & neighbour_nos
        fetched = pa.Table.from_batches(list(connector.fetch(dataset, keys)))
        assert record_nos(fetched, dataset) == subject_nos
        assert fetched.num_rows == len(subject_nos)
        assert fetched.schema.names == list(dataset.fields)

    def test_fetch_brings_exactly_the_keys(self, connector: Connector, dataset: Dataset, ask: Ask) -> None:
        """One key of several, also when it is given twice, brings one record; no key brings none."""
        keys = located_keys(connector, dataset, [ask])
        one = keys.slice(1, 1)
        brought = list(connector.fetch(dataset, pa.concat_tables([one, one])))
        assert sum(batch.num_rows for batch in brought) == 1
        assert record_nos(pa.Table.from_batches(brought), dataset) == record_nos(one, dataset)
        assert sum(batch.num_rows for batch in connector.fetch(dataset, keys.slice(0, 0))) == 0

    def test_a_stranger_has_nothing(self, connector: Connector, dataset: Dataset, stranger: Ask) -> None:
        assert located_keys(connector, dataset, [stranger]).num_rows == 0

    def test_many_questions_are_each_answered(
        self, connector: Connector, dataset: Dataset, ask: Ask, stranger: Ask, subject_nos: set[str]
    ) -> None:
        found = {id(located.ask) for located in connector.locate(dataset, [stranger, ask]) if located.rows.num_rows}
        assert found == {id(ask)}
        assert record_nos(located_keys(connector, dataset, [stranger, ask]), dataset) == subject_nos

    def test_who_shares_keeps_cases_apart(self, connector: Connector, dataset: Dataset, ask: Ask) -> None:
        """Equal asks of two cases are both answered in full; a key among others brings what it brings alone."""
        if not (isinstance(connector, Shared) and connector.shares(dataset)):
            return
        alone = located_keys(connector, dataset, [ask])
        both = [ask, replace(ask)]
        for one in both:
            tables = [located.rows for located in connector.locate(dataset, both) if located.ask is one]
            assert sum(table.num_rows for table in tables) == alone.num_rows
        rows = [batch.to_pylist() for batch in connector.fetch(dataset, alone)]
        for place in range(alone.num_rows):
            (row,) = [row for batch in connector.fetch(dataset, alone.slice(place, 1)) for row in batch.to_pylist()]
            assert [row] == [each for batch in rows for each in batch if each == row]

    def test_two_runs_give_the_same(self, connector: Connector, dataset: Dataset, ask: Ask) -> None:
        runs = []
        for _ in range(2):
            keys = located_keys(connector, dataset, [ask])
            fetched = pa.Table.from_batches(list(connector.fetch(dataset, keys)))
            runs.append((keys, fetched.sort_by([(name, "ascending") for name in dataset.key])))
        assert runs[0][1].equals(runs[1][1])
        assert record_nos(runs[0][0], dataset) == record_nos(runs[1][0], dataset)

    def test_tables_and_batches_are_bounded_and_of_one_schema(
        self, connector: Connector, dataset: Dataset, ask: Ask
    ) -> None:
        assert all(located.rows.num_rows <= LIMIT for located in connector.locate(dataset, [ask]))
        batches = list(connector.fetch(dataset, located_keys(connector, dataset, [ask])))
        assert all(0 < batch.num_rows <= LIMIT for batch in batches)
        assert len({str(batch.schema) for batch in batches}) == 1

    def test_unreachable_is_not_empty(
        self, connector: Connector, unreachable: Connector, dataset: Dataset, ask: Ask
    ) -> None:
        keys = located_keys(connector, dataset, [ask])
        for act in (lambda: list(unreachable.locate(dataset, [ask])), lambda: list(unreachable.fetch(dataset, keys))):
            with pytest.raises(ConnectorUnavailable) as caught:
                act()
            assert caught.value.system == dataset.system

    def test_an_undeclared_column_is_drift(self, drifted: Connector, dataset: Dataset) -> None:
        found = [drift for drift in drifted.check() if drift.dataset == dataset.name]
        assert found and all(drift.problem == "undeclared" for drift in found)

    def test_a_record_with_an_undeclared_column_is_never_fetched(
        self, connector: Connector, drifted: Connector, dataset: Dataset, ask: Ask
    ) -> None:
        keys = located_keys(connector, dataset, [ask])
        with pytest.raises(ConnectorDrifted):
            list(drifted.fetch(dataset, keys))

    def test_nothing_secret_or_personal_shows(
        self, connector: Connector, unreachable: Connector, dataset: Dataset, ask: Ask, secrets: Sequence[str]
    ) -> None:
        """In no repr, and in no error: neither its words nor the foreign error it came from."""
        personal = [form for forms in ask.forms.values() for form in forms]
        personal += [ask.identifier.value] if ask.identifier else []
        shown = [repr(connector), str(connector), repr(unreachable)]
        with pytest.raises(ConnectorError) as caught:
            list(unreachable.locate(dataset, [ask]))
        assert caught.value.__cause__ is None and caught.value.__context__ is None
        shown += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
        for text in shown:
            assert not [word for word in (*secrets, *personal) if word in text]


@dataclass
class Told:
    """Effects in memory: what was said, and how often. ``stopped``: nothing new starts."""

    stopped: bool = False
    intents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def begun(self, place: str) -> Mapping[str, Any] | None:
        return None if place in self.results else self.intents.get(place)

    def ended(self, place: str) -> Mapping[str, Any] | None:
        return self.results.get(place)

    def intend(self, place: str, said: Mapping[str, Any]) -> None:
        if self.stopped:
            raise NotAllowed("stopped")
        self.intents[place] = said
        self.said.append(f"intent {place}")

    def done(self, place: str, said: Mapping[str, Any]) -> None:
        assert place in self.intents, "a result without an intent before it"
        self.results[place] = said
        self.said.append(f"result {place}")


Held = Callable[[], Mapping[str, Any]]


class WritingContract(ConnectorContract):
    """Fixtures to give besides: held, unknown_keys, put."""

    @pytest.fixture
    def held(self) -> Held:
        raise NotImplementedError("gives all that the dataset holds now, read by another way: record no. → every byte")

    @pytest.fixture
    def unknown_keys(self) -> pa.Table:
        raise NotImplementedError("keys of which the store has no record")

    @pytest.fixture
    def put(self) -> Mapping[str, Any]:
        raise NotImplementedError("column → a value that no record holds; no key column")

    def test_exactly_the_subjects_records_go_and_once(
        self, connector: Connector, dataset: Dataset, ask: Ask, subject_nos: set[str], held: Held
    ) -> None:
        assert isinstance(connector, Writes)
        plan, before, told = plan_of(connector, dataset, ask), held(), Told()
        assert subject_nos < set(before)
        (receipt,) = connector.write([plan], told)
        assert (receipt.planned, receipt.changed, receipt.absent) == (len(subject_nos), len(subject_nos), 0)
        others = {number: content for number, content in before.items() if number not in subject_nos}
        assert held() == others
        once = list(told.said)
        assert connector.write([plan], told) == [receipt] and told.said == once
        (again,) = connector.write([plan], Told())
        assert (again.changed, again.absent) == (0, len(subject_nos))
        assert held() == others

    def test_values_are_set_in_the_subjects_records_alone(
        self, connector: Connector, dataset: Dataset, ask: Ask, subject_nos: set[str], held: Held,
        put: Mapping[str, Any],
    ) -> None:  # fmt: skip
        assert isinstance(connector, Writes)
        plan, before = plan_of(connector, dataset, ask, put), held()
        rows = fetched(connector, dataset, plan.keys)
        (receipt,) = connector.write([plan], Told())
        assert (receipt.planned, receipt.changed, receipt.absent) == (len(subject_nos), len(subject_nos), 0)
        assert all(row[name] != value for row in rows for name, value in put.items())
        assert fetched(connector, dataset, plan.keys) == [{**row, **put} for row in rows]
        after = held()
        assert set(after) == set(before)
        assert {number for number in after if after[number] != before[number]} == subject_nos

    def test_two_cases_have_each_their_receipt(
        self, connector: Connector, dataset: Dataset, ask: Ask, subject_nos: set[str], unknown_keys: pa.Table
    ) -> None:
        assert isinstance(connector, Writes)
        plan = plan_of(connector, dataset, ask)
        other = Plan("DSR-2026-000002", dataset, unknown_keys, "digest")
        one, two = connector.write([plan, other], Told())
        assert (one.case_no, one.changed, one.absent) == (plan.case_no, len(subject_nos), 0)
        assert (two.case_no, two.changed, two.absent) == (other.case_no, 0, unknown_keys.num_rows)

    def test_what_is_stopped_or_away_changes_nothing(
        self, connector: Connector, unreachable: Connector, dataset: Dataset, ask: Ask, held: Held,
        secrets: Sequence[str],
    ) -> None:  # fmt: skip
        assert isinstance(connector, Writes) and isinstance(unreachable, Writes)
        plan, before = plan_of(connector, dataset, ask), held()
        with pytest.raises(NotAllowed):
            connector.write([plan], Told(stopped=True))
        with pytest.raises(ConnectorUnavailable) as caught:
            unreachable.write([plan], Told())
        assert caught.value.__cause__ is None and caught.value.__context__ is None
        shown = "".join(traceback.format_exception(caught.value)) + repr(connector)
        personal = [form for forms in ask.forms.values() for form in forms]
        personal += [ask.identifier.value] if ask.identifier else []
        assert not [word for word in (*secrets, *personal) if word in shown]
        assert held() == before


def plan_of(connector: Connector, dataset: Dataset, ask: Ask, put: Mapping[str, Any] | None = None) -> Plan:
    """All that is located; to go, or to hold ``put``."""
    keys = located_keys(connector, dataset, [ask])
    values = pa.table({name: [value] * keys.num_rows for name, value in put.items()}) if put else None
    return Plan("DSR-2026-000001", dataset, keys, "digest", values)


def fetched(connector: Connector, dataset: Dataset, keys: pa.Table) -> list[dict[str, Any]]:
    rows = [row for batch in connector.fetch(dataset, keys) for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: repr([row[name] for name in dataset.key]))


def located_keys(connector: Connector, dataset: Dataset, asks: Sequence[Ask]) -> pa.Table:
    """The key columns of all that is located; empty text columns when nothing is."""
    tables = [located.rows.select(list(dataset.key)) for located in connector.locate(dataset, asks)]
    nothing = pa.table({name: pa.array([], pa.string()) for name in dataset.key})
    return pa.concat_tables(tables) if tables else nothing


def record_nos(rows: pa.Table, dataset: Dataset) -> set[str]:
    keys = rows.select(list(dataset.key)).to_pylist()
    return {"|".join("" if part is None else str(part) for part in key.values()) for key in keys}

