"""Collect: ask wave by wave who the subject is in each system, then fetch what is theirs, and nothing else.

``collect`` is the plain loop; the Prefect flow calls the same steps with parallel tasks. Each step may run twice.
A wave's questions follow from what earlier waves taught, so a run that was killed asks the same questions again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsr.case import Act
from dsr.connector import Ask, Connector, Located, happened, in_tenure
from dsr.days import ALWAYS, Form, Interval, day_of, read_instant, within
from dsr.engine import remembering
from dsr.engine.office import Hold, Office
from dsr.errors import (
    BadInput,
    ConnectorDrifted,
    ConnectorError,
    ConnectorMisread,
    ConnectorTruncated,
    ConnectorUnavailable,
    NotAllowed,
)
from dsr.identity import Identifier
from dsr.inventory import Dataset, Reveal
from dsr.names.person import written_forms
from dsr.rules import courses, discovery, matching, provision, scope
from dsr.rules.courses import Course
from dsr.rules.discovery import Candidate, Discovery
from dsr.rules.lifecycle import State
from dsr.rules.matching import Answer
from dsr.rules.redaction import record_nos
from dsr.rules.scope import Status
from dsr.suppression import token

T = TypeVar("T")
AT, START, END = "_at", "_start", "_end"
UTC = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Wave:
    """What is asked next: questions by dataset id. Only its number and dataset ids may leave the process."""

    number: int
    asks: Mapping[str, Sequence[Ask]]


def collect(office: Office, case_no: str) -> State:
    """Run every step here, at once. Returns the state reached: review, awaiting_decision or blocked."""
    with office.hold(case_no) as hold:
        begin(hold)
        check(hold)
        while wave := next_wave(hold):
            for dataset_id in wave.asks:
                persist(office, partial(locate, hold, wave, dataset_id))
            match(hold, wave)
        for dataset_id in to_fetch(hold):
            persist(office, partial(fetch, hold, dataset_id))
        return settle(hold)


def persist(office: Office, step: Callable[[bool], T]) -> T:
    """Ask a system that does not answer a few times; the last time its silence is recorded instead of raised."""
    for number in range(1, office.tries):
        try:
            return step(False)
        except ConnectorUnavailable as error:
            office.sleep(min(error.retry_after or 0.2 * 2**number, 30.0))
    return step(True)


# -- begin -----------------------------------------------------------------------------------------------------


def attempt(hold: Hold) -> int:
    """How often this case has been collected to an end, plus one."""
    return 1 + sum(1 for step, phase in hold.steps() if step.startswith("collect:") and phase == "result")


def begin(hold: Hold) -> None:
    """Only a proved case is searched: before proof nothing is asked, copied or counted (CL-E)."""
    hold.require(State.PROVED, State.COLLECTING, State.BLOCKED)
    _must_be_proved(hold)
    hold.office.may("collect")
    number = attempt(hold)
    if (f"collect:{number}", "intent") not in hold.steps():
        keep(hold, _taken_up(hold))
    public = {"inventory": hold.office.inventory.digest[:16]}
    hold.record(Act(f"collect:{number}", "intent", public, to=State.COLLECTING))


def _taken_up(hold: Hold) -> Discovery:
    """What was silent last time is asked again; all is, where the declarations changed that decide whose rows are."""
    known, declared = current(hold), hold.office.inventory.declaration
    if known.declared not in ("", declared):
        known = discovery.restarted(known, hold.request.identifiers())
    return replace(known, down={}, declared=declared)


def _must_be_proved(hold: Hold) -> None:
    """By whatever road it got here: one refused on procedure was not. Raises NotAllowed."""
    if "proved_on" not in hold.case.facts:
        raise NotAllowed(f"{hold.case_no}: nobody was proved, so nothing is searched; see dsr show {hold.case_no}")


def collect_again(office: Office, case_no: str) -> None:
    """Everything is to be asked anew: a source was mended after the rows had been read. Marks of officers stand."""
    office.may("collect")
    with office.hold(case_no) as hold:
        hold.require(State.COLLECTING, State.BLOCKED, State.REVIEW, State.AWAITING_DECISION, State.AWAITING_APPROVAL,
                     State.FULFILLING)  # fmt: skip
        _must_be_proved(hold)
        keep(hold, discovery.restarted(current(hold), hold.request.identifiers()))
        again = 1 + sum(step.startswith("again:") for step, _ in hold.steps())
        hold.record(Act(f"again:{again}", "result", {}, to=State.COLLECTING, facts={"stale": None}))


def _version(hold: Hold) -> int:
    """How often what is known has changed. An act keeps the next version first; its event makes it current."""
    changes = (("match:", "result"), ("review:", "result"), ("again:", "result"), ("collect:", "intent"),
               ("collect:", "result"))  # fmt: skip
    own = [(step, phase) for step, phase in hold.steps() if not _RETRIED.match(step)]
    return sum(step.startswith(kind) and phase == when for step, phase in own for kind, when in changes)


_RETRIED = re.compile(r"again:.+:")
"""How another try at a residue was once named: it changes nothing of what is known."""


def current(hold: Hold) -> Discovery:
    name = f"identity/{_version(hold)}.json"
    return (
        discovery.from_json(hold.read_json(name)) if hold.vault.exists(name) else Discovery(hold.request.identifiers())
    )


def keep(hold: Hold, known: Discovery) -> None:
    """Must be followed by the event that it belongs to; a run killed in between does both again."""
    hold.write_json(f"identity/{_version(hold) + 1}.json", discovery.to_json(known))


# -- check -----------------------------------------------------------------------------------------------------


def check(hold: Hold, look: Callable[[str, Connector], Mapping[str, Any]] | None = None) -> None:
    """Live schemas against the declaration; what drifted is not asked, and says so. ``look`` may know it already."""
    if not _course(hold).asks:
        return
    look = look or (lambda _system, connector: drifts(connector))
    for system, connector in hold.connectors.items():
        hold.once(f"check:{attempt(hold)}:{system}", lambda s=system, c=connector: (look(s, c), None))  # type: ignore[misc]


def drifts(connector: Connector) -> Mapping[str, Any]:
    try:
        return {"drift": [[drift.system, drift.dataset, drift.place, drift.problem] for drift in connector.check()]}
    except ConnectorDrifted as error:
        return {"drift": [[error.system, error.dataset, "", "undeclared"]]}
    except (ConnectorError, BadInput) as error:
        return {"drift": [], "unchecked": _silence(error)["reason"]}  # asking it will say so again, per dataset


def drifted(hold: Hold) -> dict[str, str]:
    """Dataset id, or ``<system>.<place>`` for what nobody declared → what is wrong, of this attempt."""
    number, result = attempt(hold), {}
    for (step, phase), public in hold.ledger().items():
        if phase == "result" and step.startswith(f"check:{number}:"):
            for system, dataset, place, problem in public["drift"]:
                result[f"{system}.{dataset or place}"] = f"{place}: {problem}"
    return result


# -- locate, wave by wave ----------------------------------------------------------------------------------------


def _course(hold: Hold) -> Course:
    return courses.of(hold.case.right)


def wanted(hold: Hold) -> frozenset[str]:
    """Datasets in scope that the right is about."""
    return discovery.in_scope(hold.office.inventory, hold.request.scope) - _beside(hold)


def _beside(hold: Hold) -> frozenset[str]:
    """Datasets that the right is not about: they stand on no list of the case."""
    inventory, right = hold.office.inventory, hold.case.right
    return frozenset(d.id for d in inventory.datasets() if not courses.concerns(right, inventory, d))


def askable(hold: Hold) -> list[Dataset]:
    """Datasets that may be asked: our own power over them, leading to what is wanted, not drifted."""
    inventory, wrong = hold.office.inventory, drifted(hold)
    needed = discovery.leading(inventory, wanted(hold))
    return [
        d
        for d in inventory.datasets()
        if d.id in needed and inventory.system_of(d).nature in discovery.ASKABLE and d.id not in wrong
    ]


def next_wave(hold: Hold) -> Wave | None:
    known, forms = current(hold), written_forms(hold.person)
    asks = {}
    for dataset in askable(hold):
        if dataset.id not in known.down:
            questions = discovery.asks_for(dataset, known, forms, hold.request.scope.interval)
            if questions:
                asks[dataset.id] = questions
    return Wave(known.wave + 1, asks) if asks else None


def _located_name(wave: Wave, dataset_id: str) -> str:
    return f"located/{wave.number}/{dataset_id}.arrow"


def locate_step(wave: Wave, dataset_id: str) -> Act:
    """The step before it is done."""
    return Act(f"locate:{wave.number}:{dataset_id}", "intent", {"asks": len(wave.asks[dataset_id])})


def locate(
    hold: Hold, wave: Wave, dataset_id: str, last: bool = True, answers: Iterable[Located] | None = None
) -> Mapping[str, Any]:
    """Ask one dataset. Raises ConnectorUnavailable unless ``last``: then its silence is the recorded result.

    ``answers`` are what it said already, when several cases asked together; raising what it raised.
    """
    dataset = hold.office.inventory.dataset(dataset_id)
    asks, step = wave.asks[dataset_id], locate_step(wave, dataset_id)

    def work() -> tuple[Mapping[str, Any], None]:
        try:
            rows = _write_located(hold, wave, dataset, asks, answers)
        except (ConnectorError, BadInput) as error:
            if isinstance(error, ConnectorUnavailable) and not last:
                raise
            return _silence(error), None
        return {"answer": "answered", "rows": rows, "asks": len(asks)}, None

    return hold.once(step.step_key, work, step.public)


def _silence(error: ConnectorError | BadInput) -> dict[str, Any]:
    """``detail`` names a file, a place or a field, so that somebody knows what to mend.

    A wrong declaration (BadInput) silences its own dataset, as a refusal would, and no other.
    """
    reason, detail = (error.reason, error.detail) if isinstance(error, ConnectorError) else ("refused", str(error))
    return {"answer": "unreachable", "reason": reason, "detail": detail[:200]}


def _write_located(
    hold: Hold, wave: Wave, dataset: Dataset, asks: Sequence[Ask], answers: Iterable[Located] | None
) -> int:
    """Each located table as one IPC stream after the other, the ask's number in the schema's metadata."""
    rows = 0
    with hold.vault.writer(_located_name(wave, dataset.id)) as out:
        for located in hold.connectors[dataset.system].locate(dataset, asks) if answers is None else answers:
            table = located.rows.replace_schema_metadata({"ask": str(list(asks).index(located.ask))})
            with pa.ipc.new_stream(out, table.schema) as stream:
                stream.write_table(table)
            rows += table.num_rows
    return rows


def _read_located(hold: Hold, wave: Wave, dataset_id: str) -> Iterator[tuple[int, pa.Table]]:
    with hold.vault.reader(_located_name(wave, dataset_id)) as source:
        while True:
            try:
                with pa.ipc.open_stream(source) as stream:
                    yield int(stream.schema.metadata[b"ask"]), stream.read_all()
            except pa.ArrowInvalid:  # nothing after the last table
                return


# -- match -----------------------------------------------------------------------------------------------------


def match(hold: Hold, wave: Wave) -> None:
    """Judge what was located and learn what matched rows reveal. The wave counts once this is recorded."""
    known, ledger = current(hold), hold.ledger()
    kept: dict[str, int] = {}
    misread: dict[str, str] = {}
    for dataset_id, asks in wave.asks.items():
        said = ledger[f"locate:{wave.number}:{dataset_id}", "result"]
        if said["answer"] != "answered":
            known = replace(known, down={**known.down, dataset_id: said["reason"]})
            continue
        dataset = hold.office.inventory.dataset(dataset_id)
        try:
            known, kept[dataset_id] = _judge_dataset(hold, wave, dataset, asks, known)
        except ConnectorMisread as error:  # one unreadable day silences its own dataset
            misread[dataset_id] = error.detail
            known = replace(known, down={**known.down, dataset_id: error.reason})
    for dataset_id, rows in _recalled(hold, misread):
        name = f"keys/{dataset_id}/{wave.number}.arrow"
        located = [read_table(hold, name)] if kept.get(dataset_id) else []
        write_table(hold, name, pa.concat_tables([*located, rows], promote_options="permissive"))
        kept[dataset_id] = kept.get(dataset_id, 0) + rows.num_rows
    known = replace(known, wave=wave.number)
    keep(hold, known)
    public = {"identifiers": len(known.identifiers), "candidates": len(known.doubtful), "kept": kept,
              "misread": misread}  # fmt: skip
    hold.record(Act(f"match:{wave.number}", "result", public))


def _recalled(hold: Hold, misread: dict[str, str]) -> Iterator[tuple[str, pa.Table]]:
    """Of what earlier erasures of this person left to stand, the records that still do; of paper a person is asked."""
    asked = {d.id: d for d in askable(hold) if hold.office.inventory.system_of(d).store != "manual"}
    for dataset_id, rows in remembering.kept_keys(hold):
        if (dataset := asked.get(dataset_id)) is None:
            continue
        try:
            batches = list(hold.connectors[dataset.system].fetch(dataset, rows.select(list(dataset.key))))
        except ConnectorError as error:
            misread[dataset_id] = error.detail
            continue
        there = remembering.marks_of(dataset, batches, json.loads(rows.schema.metadata[b"columns"]))
        numbers, marks = record_nos(rows, dataset.key).to_pylist(), rows.column(remembering.MARK).to_pylist()
        same = [there.get(number) == mark for number, mark in zip(numbers, marks, strict=True)]
        rows = rows.filter(pa.array(same, pa.bool_())).drop_columns(remembering.MARK).replace_schema_metadata(None)
        if rows.num_rows:
            yield dataset_id, rows


def _judge_dataset(
    hold: Hold, wave: Wave, dataset: Dataset, asks: Sequence[Ask], known: Discovery
) -> tuple[Discovery, int]:
    """What is known then, and how many rows were kept."""
    kept: list[pa.Table] = []
    for number, table in _read_located(hold, wave, dataset.id):
        ask = asks[number]
        table = _ours_by_time_and_session(dataset, ask, table, known)
        judged = _judge_rows(hold, dataset, ask, table, known)
        known = replace(known, candidates={**known.candidates, **judged.candidates},
                        settled=known.settled | judged.settled, contacts=known.contacts | judged.contacts)  # fmt: skip
        known = discovery.learn(known, _hers_alone(hold, dataset, _revealed(dataset, ask, judged.matched)))
        if judged.matched.num_rows:
            kept.append(_keys(dataset, ask, judged.matched))
    rows = pa.concat_tables(kept, promote_options="permissive") if kept else None
    if rows is not None:
        write_table(hold, f"keys/{dataset.id}/{wave.number}.arrow", rows)
    known = replace(known, asked=known.asked | {(dataset.id, discovery.ask_id(ask)) for ask in asks})
    return known, rows.num_rows if rows is not None else 0


def ours(hold: Hold, dataset: Dataset, ask: Ask, table: pa.Table, known: Discovery) -> pa.Table:
    """The located rows that are the subject's, judged as they were in the collection, with what was learnt there."""
    return _judge_rows(hold, dataset, ask, _ours_by_time_and_session(dataset, ask, table, known), known).matched


def forms_of(hold: Hold) -> dict[str, tuple[str, ...]]:
    return written_forms(hold.person)


def _ours_by_time_and_session(dataset: Dataset, ask: Ask, table: pa.Table, known: Discovery) -> pa.Table:
    """Tenure again on every row (T-8), and never another member's session (K-3): neither shown nor counted."""
    table = in_tenure(dataset, ask, table)
    if dataset.member:
        mine = pa.array([*known.members(), "", "-"], pa.string())
        member = pc.fill_null(table.column(dataset.member).cast(pa.string()), "")
        table = table.filter(pc.is_in(member, mine))
    return table


@dataclass(frozen=True)
class Judged:
    """Matched rows; candidates for an officer; rows no longer in question; phones and mails of rows in her name."""

    matched: pa.Table = field(repr=False)
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    contacts: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)


def _judge_rows(hold: Hold, dataset: Dataset, ask: Ask, table: pa.Table, known: Discovery) -> Judged:
    """Without evidence a trusted identifier decides for all; where its number is reused and time untold, an officer."""
    opens = discovery.opens(dataset, ask, discovery.reused_kinds(hold.office.inventory))
    trusted = ask.identifier is not None and ask.identifier.trusted
    if not dataset.evidence and (opens or not trusted):
        return Judged(table if opens else table.slice(0, 0))
    names = record_nos(table, dataset.key).to_pylist()
    columns = {word: table.column(column).to_pylist() for word, column in dataset.evidence.items()}
    arrived, area = day_of(hold.case.received_at), hold.office.inventory.company.area_code
    kept: list[bool] = []
    candidates: dict[str, Candidate] = {}
    contacts: set[tuple[str, str]] = set()
    for row, record_no in enumerate(names):
        evidence = {word: values[row] for word, values in columns.items()}
        judged = matching.judge(
            hold.person, evidence, trusted=opens, stated=ask.identifier is not None, at=arrived, area_code=area
        )
        answer = judged.answer
        if trusted and not opens and answer is Answer.NO and not judged.another:
            answer = Answer.REVIEW  # her own number led here, and the row does not say when: an officer looks
        name = f"{dataset.id}/{record_no}"
        kept.append(answer is Answer.MATCH or (answer is Answer.REVIEW and known.marks.get(name) == "same"))
        if answer is Answer.REVIEW:
            shown = {word: None if value is None else str(value) for word, value in evidence.items()}
            candidates[name] = Candidate(shown, judged.strong, judged.weak, judged.against)
        if kept[-1] and "name" in judged.strong:
            contacts |= {(w, str(evidence[w])) for w in ("phone", "mail") if evidence.get(w)}
    matched = table.filter(pa.array(kept, pa.bool_()))
    settled = {f"{dataset.id}/{n}" for n in record_nos(matched, dataset.key).to_pylist()}
    return Judged(matched, candidates, frozenset(settled), frozenset(contacts))


def _revealed(dataset: Dataset, ask: Ask, matched: pa.Table) -> Iterator[Identifier]:
    if not dataset.reveals or not matched.num_rows:
        return
    names = record_nos(matched, dataset.key).to_pylist()
    frame = ask.identifier.interval if ask.identifier and ask.identifier.trusted else ALWAYS
    for row, values in enumerate(matched.to_pylist()):
        for reveal in dataset.reveals:
            value = values[reveal.column]
            if value is None or value == "" or (reveal.when and not reveal.when.holds(values)):
                continue
            yield Identifier(
                reveal.kind, _as_number(value), _held(dataset, reveal, values).meet(frame), f"{dataset.id}/{names[row]}"
            )


def _hers_alone(hold: Hold, dataset: Dataset, revealed: Iterator[Identifier]) -> Iterator[Identifier]:
    """What a record reveals on a condition (one member to a browser) it reveals no more once another bearer's record
    was erased: the store now counts one, and what the browser did was never hers alone (K-3)."""
    conditional = {reveal.kind for reveal in dataset.reveals if reveal.when}
    mine = remembering.cases_of(hold) if conditional else frozenset()
    for one in revealed:
        marked = token(hold.office.keys.suppression_key, one.kind, one.value)
        bearers = hold.office.store.suppressions({marked}) if one.kind in conditional else []
        if all(entry.case_no in mine for entry in bearers):
            yield one


def _as_number(value: Any) -> str:
    """A number that a store keeps as 1234.0 is written 1234 elsewhere."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _held(dataset: Dataset, reveal: Reveal, values: Mapping[str, Any]) -> Interval:
    """The instants in which the revealed identifier was the subject's; an inclusive last day ends at its midnight."""
    try:
        start = read_instant(values[reveal.start], reveal.form, reveal.tz) if reveal.start else None
        ends = values[reveal.to] if reveal.to else None
        if ends in reveal.open or str(ends) in {str(word) for word in reveal.open}:
            ends = None
        end = read_instant(ends, reveal.form, reveal.tz)
    except ValueError:
        problem = f"reveals {reveal.kind}: not of the form {reveal.form}"
    else:
        if end is None or end.year >= 9999:  # 9999-12-31 is no day on which anything ended
            return Interval(start, None)
        return Interval(start, _after(end, ends, reveal.form, reveal.tz) if reveal.end == "inclusive" else end)
    raise ConnectorMisread(dataset.system, dataset.name, problem)


def _after(end: datetime, written: object, form: Form, zone: ZoneInfo) -> datetime:
    """What follows an inclusive end: the midnight after a day, the next second (of ``epoch_ms``: the next one) of an
    instant. Ten digits of an epoch are no day."""
    day = form in ("date", "yyyymmdd") or (isinstance(written, date) and not isinstance(written, datetime))
    if day or (form in ("text", "timestamp", "iso") and len(str(written).strip()) <= 10):
        local = end.astimezone(zone)
        return datetime.combine(local.date() + timedelta(days=1), local.time(), zone)
    return end + (timedelta(milliseconds=1) if form == "epoch_ms" else timedelta(seconds=1))


def _keys(dataset: Dataset, ask: Ask, matched: pa.Table) -> pa.Table:
    """What is frozen of a matched row: its key, when it happened, and the interval that made it ours."""
    count = matched.num_rows
    edges = [pa.repeat(pa.scalar(edge, UTC), count) for edge in (ask.interval.start, ask.interval.end)]
    columns = {name: matched.column(name) for name in dataset.key}
    return pa.table({**columns, AT: happened(dataset, matched), START: edges[0], END: edges[1]})


def write_table(hold: Hold, name: str, table: pa.Table) -> None:
    with hold.vault.writer(name) as out, pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)


def read_table(hold: Hold, name: str) -> pa.Table:
    with hold.vault.reader(name) as source, pa.ipc.open_stream(source) as stream:
        return stream.read_all()


# -- fetch -----------------------------------------------------------------------------------------------------


def _kept_waves(hold: Hold) -> dict[str, list[int]]:
    """Dataset id → the waves whose rows count. From the log: a file that is gone must not read like none found."""
    known, found = current(hold), dict[str, list[int]]()
    for (step, phase), said in hold.ledger().items():
        if step.startswith("match:") and phase == "result":
            wave = int(step.partition(":")[2])
            kept = said["kept"] if "kept" in said else _written_keys(hold, wave)
            for name, rows in kept.items():
                if rows and known.counts(name, wave):
                    found.setdefault(name, []).append(wave)
    return found


def _written_keys(hold: Hold, wave: int) -> dict[str, int]:
    """The same of the first release, whose log did not say it: what stands in the vault."""
    return {name.split("/")[1]: 1 for name in hold.vault.names("keys/") if name.endswith(f"/{wave}.arrow")}


def to_fetch(hold: Hold) -> list[str]:
    """Datasets in scope with matched keys that were not fetched yet with exactly these keys."""
    return _located(hold) if _course(hold).brings else []


def _located(hold: Hold) -> list[str]:
    kept, mine = _kept_waves(hold), wanted(hold)
    return [d.id for d in hold.office.inventory.datasets() if d.id in kept and d.id in mine]


def matched_keys(hold: Hold, dataset: Dataset) -> pa.Table:
    """Distinct keys of all waves that count, inside the request's scope."""
    tables = [read_table(hold, f"keys/{dataset.id}/{wave}.arrow") for wave in _kept_waves(hold)[dataset.id]]
    keys = pa.concat_tables(tables, promote_options="permissive")
    limit = hold.request.scope.interval
    if dataset.at and limit != ALWAYS:
        keys = keys.filter(within(keys.column(AT).combine_chunks(), limit))
    # A code is given when its name first appears, so the first rows of all names come in order.
    codes = record_nos(keys, dataset.key).dictionary_encode().indices
    first = np.unique(codes.to_numpy(), return_index=True)[1]
    return keys if len(first) == keys.num_rows else keys.take(pa.array(first))


def fetch_step(hold: Hold, dataset: Dataset, keys: pa.Table) -> Act:
    """The step before it is done. Named by what is fetched: the same keys never twice, others always."""
    since = max(current(hold).since.get(name, 0) for name in (discovery.EVERY, dataset.id))
    step = f"fetch:{dataset.id}:{hold.vault.commit('keys', _digest(record_nos(keys, dataset.key)))[:16]}"
    step += f":{since}" if since else ""
    done = hold.result(step)
    if done is not None and done["answer"] != "answered":
        step += f":{attempt(hold)}"  # silence last time does not count as an answer now
    return Act(step, "intent", {"keys": keys.num_rows})


def fetch(
    hold: Hold, dataset_id: str, last: bool = True, brought: Iterable[pa.RecordBatch] | None = None
) -> Mapping[str, Any]:
    """Bring the matched rows into the vault. What comes back must be ours by key and by time, or everything stops.

    ``brought`` are this case's rows, when several cases fetched together; raising what that raised.
    """
    dataset = hold.office.inventory.dataset(dataset_id)
    keys = matched_keys(hold, dataset)
    step = fetch_step(hold, dataset, keys)

    def work() -> tuple[Mapping[str, Any], None]:
        try:
            records, undue = _fetch_rows(hold, dataset, keys, brought)
            return {"answer": "answered", "records": records, "keys": keys.num_rows - undue}, None
        except (ConnectorError, BadInput) as error:
            if isinstance(error, ConnectorUnavailable) and not last:
                raise
            return _silence(error), None

    found = hold.once(step.step_key, work, step.public)
    hold.write_json(f"fetched/{dataset_id}.json", dict(found))
    return found


def _digest(names: pa.Array) -> str:
    """In whatever order a store's threads brought them."""
    digest, names = hashlib.sha256(), names.take(pc.sort_indices(names))
    for start in range(0, len(names), 65_536):
        digest.update("\n".join(names.slice(start, 65_536).to_pylist()).encode() + b"\n")
    return digest.hexdigest()


def _fetch_rows(
    hold: Hold, dataset: Dataset, keys: pa.Table, brought: Iterable[pa.RecordBatch] | None
) -> tuple[int, int]:
    """Rows brought, and rows that are no record which is due."""
    if not keys.num_rows:
        return 0, 0
    edges = keys.select([START, END]).group_by([START, END]).aggregate([]).to_pylist()
    frames = [Interval(edge[START], edge[END]) for edge in edges]
    rows, undue, stream = 0, 0, None
    with hold.vault.writer(f"fetched/{dataset.id}.arrow") as out:
        asked = hold.connectors[dataset.system].fetch
        for batch in asked(dataset, keys.select(list(dataset.key))) if brought is None else brought:
            _refuse_strangers(dataset, batch, frames)
            stream = stream or pa.ipc.new_stream(out, batch.schema)
            stream.write_batch(mine := provision.due(dataset, batch))
            rows, undue = rows + mine.num_rows, undue + batch.num_rows - mine.num_rows
        if stream:
            stream.close()
    return rows, undue


def _refuse_strangers(dataset: Dataset, batch: pa.RecordBatch, frames: Iterable[Interval]) -> None:
    """A fetched row outside every interval of its keys is another person's: nothing of this dataset is kept."""
    if dataset.at is None or ALWAYS in (frames := list(frames)) or dataset.at.column not in batch.schema.names:
        return
    stamps = happened(dataset, batch)
    inside = pa.array([False] * batch.num_rows, pa.bool_())
    for frame in frames:
        inside = pc.or_(inside, within(stamps, frame))
    if not pc.all(inside).as_py():
        raise ConnectorMisread(
            dataset.system, dataset.name, "a fetched row lies outside the tenure its key was located in"
        )


# -- settle ----------------------------------------------------------------------------------------------------


def counts(hold: Hold) -> tuple[dict[str, int], dict[str, str]]:
    """Rows fetched, and what could not be fetched whole, by dataset; rows located where the right brings none."""
    found: dict[str, int] = {}
    failed: dict[str, str] = {}
    if not _course(hold).brings:
        dataset = hold.office.inventory.dataset
        located = {name: matched_keys(hold, dataset(name)).num_rows for name in _located(hold)}
        return {name: rows for name, rows in located.items() if rows}, failed
    for dataset_id in to_fetch(hold):
        said = hold.read_json(f"fetched/{dataset_id}.json")
        if said["answer"] != "answered":
            failed[dataset_id] = str(said["reason"])
        elif said["records"] < said["keys"]:  # located, and did not come back: gone meanwhile, or not to be had by key
            failed[dataset_id] = ConnectorTruncated.reason
        else:
            found[dataset_id] = int(said["records"])
    return found, failed


def settle(hold: Hold) -> State:
    """Status of every dataset; open ones block the case, which says why and goes on later without asking the others."""
    inventory, known = hold.office.inventory, current(hold)
    found, failed = counts(hold)
    known = replace(known, down={**known.down, **failed})
    for dataset_id, reason in failed.items():
        known = discovery.asked_anew(known, dataset_id) if reason == ConnectorTruncated.reason else known
    keep(hold, known)
    ended = scope.statuses(inventory, known, found, drifted(hold), wanted(hold)) if _course(hold).asks else {}
    ended = {name: status for name, status in ended.items() if name not in _beside(hold)}
    blocked = any(status.open for status in ended.values())
    to = State.BLOCKED if blocked else State.REVIEW
    number = attempt(hold)
    details = {**_details(hold), **drifted(hold)}
    datasets = {name: _stated(status, details.get(name)) for name, status in ended.items()}
    hold.record(
        Act(
            f"collect:{number}",
            "result",
            {"datasets": datasets, "candidates": len(known.undecided)},
            to=to,
            facts={"datasets": datasets, "candidates": len(known.undecided)},
            owes=tuple(_owed(hold, {name.split(".")[0] for name, status in ended.items() if status.open})),
            done=("resume", *(f"search_order:{name}" for name in inventory.system), *(() if blocked else ("search",))),
        )
    )
    return to


def _details(hold: Hold) -> dict[str, str]:
    """Dataset id → the latest words about its silence."""
    words: dict[str, str] = {}
    for (step, phase), said in hold.ledger().items():
        kind, *rest = step.split(":")
        if kind == "match" and phase == "result":
            words |= said.get("misread", {})  # of the first release: none
        elif said.get("answer"):
            name = rest[1 if kind == "locate" else 0]
            short = said.get("keys", 0) - said.get("records", 0) if said["answer"] == "answered" else 0
            missing = f"{short} of {said.get('keys')} located records did not come back"
            words[name] = missing if kind == "fetch" and short else said.get("detail", "")
    return words


def _stated(status: Status, detail: str | None) -> dict[str, Any]:
    said = {"detail": detail} if status.open and detail else {}
    return {"status": status.status, "records": status.records, "reason": status.reason, **said}


def _owed(hold: Hold, open_systems: set[str]) -> Iterator[tuple[str, str, date]]:
    """Search orders to people, each with the day it was first given, and the blocked rest."""
    office, given = hold.office, {work.what: work.due for work in hold.office.store.work(hold.case_no)}
    for system in office.inventory.system.values():
        order = f"search_order:{system.name}"
        waits = system.store == "manual" and system.name in open_systems
        if waits and not hold.vault.exists(f"answers/{system.name}.json"):
            yield order, "handler", given.get(order) or office.calendar.after(office.today, system.due_days)
    if open_systems:
        yield "resume", "engine", office.today
