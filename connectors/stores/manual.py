"""A person answers: a paper box, a closed archive. The search order is asked once; its answer is data like any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from connectors.stores.faults import Guarded
from connectors.stores.rows import LIMIT, Columns, Exactly, chunks, distinct_keys
from dsr.connector import Ask, Drift, Located
from dsr.errors import ConnectorMisread, ConnectorUnavailable
from dsr.inventory import Dataset
from dsr.request import SearchAnswer

WAITING = "search order waiting for an officer's answer"


class ManualStore(Guarded):
    """The answer is to this case's person: every record found, whatever the question. Silence is never "none"."""

    def _check(self) -> list[Drift]:
        """There is no live schema; a recorded answer is held against the declaration."""
        answer = self.access.answers(self.access.system.name)
        if answer is not None:
            for dataset in self.access.system.dataset.values():
                self._rows(dataset, answer)
        return []

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        batches = self._batches(dataset)
        for batch in batches if asks else ():
            yield Located(asks[0], pa.Table.from_batches([batch]))

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        exactly = Exactly(dataset, distinct_keys(keys, dataset))
        for batch in self._batches(dataset):
            found = exactly.only(batch)
            if found.num_rows:
                yield exactly.admit(found)

    def _batches(self, dataset: Dataset) -> Iterator[pa.RecordBatch]:
        answer = self.access.answers(dataset.system)
        if answer is None:
            raise ConnectorUnavailable(dataset.system, dataset.name, WAITING)
        columns = Columns(dataset, list(dataset.fields))
        for rows in chunks(self._rows(dataset, answer), LIMIT):
            yield columns.batch([[row[name] for name in dataset.fields] for row in rows])

    def _rows(self, dataset: Dataset, answer: SearchAnswer) -> Sequence[dict[str, Any]]:
        known = {name for each in self.access.system.dataset.values() for name in (each.id, each.name)}
        if strange := set(answer.datasets) - known:
            raise ConnectorMisread(dataset.system, None, f"the answer names {len(strange)} undeclared datasets")
        rows = answer.datasets.get(dataset.id, answer.datasets.get(dataset.name))
        if rows is None:
            raise ConnectorUnavailable(dataset.system, dataset.name, f"{WAITING} on this dataset")
        for number, row in enumerate(rows, 1):
            if missing := set(dataset.fields) - set(row):
                detail = f"row {number} of the answer lacks {min(missing)}"
                raise ConnectorMisread(dataset.system, dataset.name, detail)
            if set(row) - set(dataset.fields):
                detail = f"row {number} of the answer has an undeclared field"
                raise ConnectorMisread(dataset.system, dataset.name, detail)
        return rows
