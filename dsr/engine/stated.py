"""Statements of dispute (申立書): received where a correction was declined, and printed beside the record from then on.

A statement is kept with its record: each later disclosure to the same person that shows the record prints it beside it,
and once the record is gone nothing does. It lies in the sealed folder of the case that declined, which is kept that
long, beyond the years of DSR-FILE; of the record it names dataset and record no. alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from dsr.case import Act
from dsr.days import Interval
from dsr.documents.style import said_day
from dsr.documents.wordings import say
from dsr.engine import collecting, plans, remembering
from dsr.engine.fetched import fetched
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, NotAllowed
from dsr.inventory import PERSON, Dataset, FieldRule
from dsr.request import Statement
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos
from dsr.shapes import shaped
from dsr.suppression import Entry, token

COLUMN = "_statement"
KIND = "statement"
TO = "statement"
"""``dsr answer CASE statement``: whom the answer is of."""


def receive(office: Office, case_no: str, document: object) -> None:
    """Of the person whose correction was declined, about every record that it was declined of. Raises BadInput, or
    NotAllowed where nothing was declined or no later request could be told to be the same person's."""
    office.may("answer")
    said = shaped(Statement, document, "statement")
    if said.received_on > office.today:
        raise BadInput("received_on", "is in the future", "give the day on which it arrived")
    with office.hold(case_no) as hold:
        case, records = hold.require(State.DISPATCHING, State.CLOSED), _declined(hold)
        if not records:
            raise NotAllowed(f"{case_no}: no correction was declined; a statement of dispute is about what was")
        if not any(remembering.person_tokens(hold)):
            raise NotAllowed(f"{case_no}: the request gives no day of birth, so no later one can be told to be of the "
                             "same person; keep the statement beside the record by hand")  # fmt: skip
        number = 1 + case.facts.get("statements", 0)
        hold.write_json(f"statements/{number:03}.json", {**said.model_dump(mode="json"), "records": records})
        public = {"received_on": said.received_on.isoformat(), "records": {name: len(n) for name, n in records.items()}}
        hold.record(Act(f"statement:{number}", "result", public, facts={"statements": number},
                        suppresses=tuple(_entries(hold, records))))  # fmt: skip


def _declined(hold: Hold) -> dict[str, list[str]]:
    """Dataset → record nos."""
    if hold.case.right not in plans.CORRECTING:
        return {}
    items = hold.case.facts.get("items", {})
    declined = {name for name, item in items.items() if item["outcome"] == "correction_declined"}
    return {one.dataset.id: plans.numbers(one.dataset, one.keys)[0]
            for one in plans.frozen(hold) if one.dataset.id in declined}  # fmt: skip


def _entries(hold: Hold, records: Mapping[str, object]) -> Iterator[Entry]:
    """By which the person's later requests find it. They stop no row: their interval is empty."""
    now, key = hold.office.now, hold.office.keys.suppression_key
    known = {(i.kind, token(key, i.kind, i.value)) for i in collecting.current(hold).identifiers if i.trusted}
    known |= {(PERSON, whom) for whom in remembering.person_tokens(hold)}
    for dataset in records:
        for kind, marked in known:
            yield Entry(marked, dataset, kind, "stated", now, Interval(now, now), hold.case_no)


# -- beside the record ---------------------------------------------------------------------------------------------


def freeze(hold: Hold, dataset: Dataset) -> None:
    """What stands beside this dataset's records in this case, fixed with its draft."""
    known = remembering.statements(hold, collecting.current(hold), dataset.id)
    batches = fetched(hold, dataset) if known else ()
    here = {number for batch in batches for number in record_nos(batch, dataset.key).to_pylist()}
    told = {number: "\n".join(say("statement_of", day=said_day(day), text=text).ja for day, text in some)
            for number, some in known.items() if number in here}  # fmt: skip
    if told or hold.vault.exists(_name(dataset)):
        hold.write_json(_name(dataset), told)


def frozen(hold: Hold, dataset: Dataset) -> dict[str, str]:
    """Record no. → what is printed beside it."""
    return dict(hold.read_json(_name(dataset))) if hold.vault.exists(_name(dataset)) else {}


def _name(dataset: Dataset) -> str:
    return f"draft/{dataset.id}.statements.json"


def beside(hold: Hold, dataset: Dataset) -> Dataset:
    """The dataset with a last column for them, where one of its records has any."""
    if not frozen(hold, dataset):
        return dataset
    said = say("statement")
    rule = FieldRule(label=said.ja, label_en=said.en, kind=KIND)
    return dataset.model_copy(update={"fields": {**dataset.fields, COLUMN: rule}})


def with_column(dataset: Dataset, batch: pa.RecordBatch, told: Mapping[str, str]) -> pa.RecordBatch:
    """Rows as they were fetched, with what stands beside each."""
    if not told:
        return batch
    texts = [told.get(number) for number in record_nos(batch, dataset.key).to_pylist()]
    return batch.append_column(COLUMN, pa.array(texts, pa.string()))
