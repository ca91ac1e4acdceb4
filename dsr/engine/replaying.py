"""After a restore: what a backup brought back goes again, is stopped or set again, with its original date; counted.

What an owner must mend is ordered anew and owed until a replay finds it gone. A journal that does not open, or that
lacks what the log knows was begun, is told by name and stops nobody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa

from dsr.case import Act
from dsr.connector import Connector, Placed, Writes
from dsr.engine import afterwards, ordering
from dsr.engine.effects import LogEffects
from dsr.engine.office import Office
from dsr.errors import BadInput, ConnectorError, DsrError, Sealed
from dsr.inventory import Dataset, System, is_value
from dsr.journal import Intent
from dsr.plan import LINE, Plan
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos
from dsr.store import OFFICE

BACK = "came_back:"
"""Work that is owed for a dataset while what its owner erased stands there again."""
ENDED = "journal_ended:"
SAID = ("case", "dataset", "act", "erased_at", "resurrected", "state")
BEGUN = re.compile(r"erase:([0-9]+(?:\.[0-9-]+)?)(?:r[0-9]+)?:([^:@]+):(erase|empty)@")
"""An effect of ours, as the log names it: run, dataset, how the store was asked."""


def replay(office: Office) -> dict[str, Any]:
    """Every erasure, stop and correction that a backup may have undone is carried out again, with its original date."""
    office.may("fulfil")
    number = 1 + sum(step.startswith("replay:") and phase == "intent" for step, phase in office.store.steps(OFFICE))
    office.store.log_alone(OFFICE, Act(f"replay:{number}", "intent"), office.now, office.actor.name)
    intents, told = _read(office)
    run = Replay(office, number, office.connect(lambda _system: None, nullcontext))
    told += [*run.records([one for one in intents if LINE not in one.keys.column_names]),
             *run.lines([one for one in intents if LINE in one.keys.column_names])]  # fmt: skip
    for entry in told:
        _owed(office, number, entry)
    swept = _swept(office)
    back = [entry for entry in told if entry["resurrected"] or entry["state"] != "done"]
    public = {"intents": len(intents), "resurrected": sum(entry["resurrected"] for entry in told), "swept": swept,
              "came_back": [{name: entry[name] for name in SAID} for entry in back]}  # fmt: skip
    office.store.log_alone(OFFICE, Act(f"replay:{number}", "result", public), office.now, office.actor.name)
    return {"replay": number, **public}


# -- the journal ---------------------------------------------------------------------------------------------------


def _read(office: Office) -> tuple[list[Intent], list[dict[str, Any]]]:
    """All that opens, first to last; and what does not, or is missing."""
    intents: list[Intent] = []
    problems: list[dict[str, Any]] = []
    for case_no in office.journal.cases():
        try:
            intents += office.journal.of_case(case_no)
        except Sealed:
            problems.append(_entry(case_no, "", "damaged"))
    damaged = {entry["case"] for entry in problems}
    parted = ((one, one.digest.split(":")) for one in intents)
    written = {(one.case_no, one.dataset, parts[0], parts[-1]) for one, parts in parted}
    for begun in _begun(office):
        if begun[0] not in damaged and begun not in written:
            problems.append(_entry(begun[0], begun[1], "missing"))
    done = [one for one in intents if _was_done(office, one)]
    return sorted(done, key=lambda one: datetime.fromisoformat(one.at)), problems


def _was_done(office: Office, intent: Intent) -> bool:
    """Not what the log knows begun or ordered and never ended: that is still its case's to do. What the log knows
    nothing of was done before the log itself was set back."""
    run, name = re.escape(intent.digest.split(":")[0]), re.escape(intent.dataset)
    effect = re.compile(rf"erase:{run}(r[0-9]+)?:{name}(:.*)?|order:{re.escape(intent.case_no)}-{run}(r[0-9]+)?-{name}")
    known = [(step, phase) for step, phase in office.store.steps(intent.case_no) if effect.fullmatch(step)]
    ended = [step for step, phase in known if phase == "result" and step.startswith("erase:")]
    said = [office.store.said(intent.case_no, step, "result") or {} for step in ended]
    if all(one.get("by") == "owner" for one in said):  # who says so and did nothing still owes it to his own order
        found = office.store.case(intent.case_no).facts.get("findings", []) if said else []
        return not known or any(f["dataset"] == intent.dataset and f["verdict"] == "verified" for f in found)
    return True


def _begun(office: Office) -> Iterator[tuple[str, str, str, str]]:
    """Case, dataset, run and act of each effect that the log knows begun, of journals that have not ended."""
    ended = {step.removeprefix(ENDED) for step, _ in office.store.steps(OFFICE) if step.startswith(ENDED)}
    for case in office.store.cases():
        steps = office.store.steps(case.case_no) if case.case_no not in ended else []
        found = dict.fromkeys(BEGUN.match(step) for step, phase in steps if phase == "intent")
        yield from dict.fromkeys((case.case_no, one[2], one[1], one[3]) for one in found if one)


def forget_journals(office: Office) -> dict[str, State | Exception]:
    """A case's journal dies when the last backup that could bring its data back has expired. Case → what hindered."""
    hindered: dict[str, State | Exception] = {}
    for case_no in office.journal.cases():
        try:
            if _expired(office, office.journal.of_case(case_no)):
                office.store.log_alone(OFFICE, Act(f"{ENDED}{case_no}", "result"), office.now, office.actor.name)
                office.journal.forget(case_no)
        except DsrError as error:
            hindered[case_no] = error
    return hindered


def _expired(office: Office, intents: Sequence[Intent]) -> bool:
    systems = [office.inventory.system_of(office.inventory.dataset(intent.dataset)) for intent in intents]
    days = [system.backup_days for system in systems]
    last = max((datetime.fromisoformat(intent.at) for intent in intents), default=None)
    return bool(last and None not in days and last + timedelta(days=max(d or 0 for d in days)) < office.now)


# -- the stores ----------------------------------------------------------------------------------------------------


def _entry(case_no: str, dataset: str, state: str = "done", act: str = "", at: str = "") -> dict[str, Any]:
    return {"case": case_no, "dataset": dataset, "act": act, "erased_at": at, "resurrected": 0, "state": state}


def _of(intent: Intent) -> dict[str, Any]:
    return _entry(intent.case_no, intent.dataset, act="erase" if intent.values is None else "set", at=intent.at)


@dataclass(frozen=True)
class Asked:
    """A dataset and who speaks to its store; ``direct``: we write there ourselves."""

    dataset: Dataset
    system: System
    connector: Connector

    @cached_property
    def direct(self) -> bool:
        return self.system.writes == "direct" and isinstance(self.connector, Writes)


@dataclass(frozen=True)
class Replay:
    """One round over the stores; each of its entries says what became of one intent."""

    office: Office
    number: int
    connectors: Mapping[str, Connector]

    def records(self, intents: Sequence[Intent]) -> Iterator[dict[str, Any]]:
        """By their keys, one intent after the other."""
        for at, intent in enumerate(intents):
            yield next(self._guarded([intent], lambda asked, one=intent, at=at: self._of_keys(asked, one, at)))

    def lines(self, intents: Sequence[Intent]) -> Iterator[dict[str, Any]]:
        """Of logs, by what they say, for numbers hold for one version of a file: all intents of a dataset together."""
        for name in dict.fromkeys(one.dataset for one in intents):
            group = [one for one in intents if one.dataset == name]
            yield from self._guarded(group, lambda asked, group=group: self._of_marks(asked, group))

    def _guarded(self, group: Sequence[Intent], work: Any) -> Iterator[dict[str, Any]]:
        """What hinders one dataset is said of its intents, and the others go on."""
        try:
            dataset = self.office.inventory.dataset(group[0].dataset)
        except BadInput:
            yield from ({**_of(one), "state": "undeclared"} for one in group)
            return
        system, connector = self.office.inventory.system_of(dataset), self.connectors.get(dataset.system)
        if connector is None or system.store == "manual":  # paper is restored from no backup, and is not asked
            yield from map(_of, group)
            return
        try:
            yield from list(work(Asked(dataset, system, connector)))
        except ConnectorError as error:
            yield from ({**_of(one), "state": error.reason} for one in group)
        except DsrError as error:
            yield from ({**_of(one), "state": type(error).__name__} for one in group)

    def _of_keys(self, asked: Asked, intent: Intent, at: int) -> Iterable[dict[str, Any]]:
        if not asked.direct or intent.values is not None:  # else the store itself finds what is there
            stands = pa.array(_undone(asked, intent), pa.bool_())
            intent = _taking(intent, lambda table: table.filter(stands))
        return self._done(asked, [intent], f"{at}")

    def _of_marks(self, asked: Asked, group: Sequence[Intent]) -> Iterable[dict[str, Any]]:
        if not isinstance(asked.connector, Placed):
            return [{**_of(one), "state": "cannot_look"} for one in group]
        return self._done(asked, _in_place(asked.connector, asked.dataset, group), asked.dataset.id)

    def _done(self, asked: Asked, standing: Sequence[Intent], step: str) -> Iterable[dict[str, Any]]:
        """``standing``: of each intent what is there again, in the order in which they are told."""
        there = [one for one in standing if one.keys.num_rows]
        counts = dict.fromkeys(map(id, standing), 0)
        if there and asked.direct:
            plans = [Plan(one.case_no, asked.dataset, one.keys, f"{one.digest}:replay{self.number}", one.values)
                     for one in there]  # fmt: skip
            effects = LogEffects(self.office, f"replay:{self.number}:{step}", asked.system.name)
            receipts = asked.connector.write(plans, effects)  # type: ignore[attr-defined]
            counts |= {id(one): receipt.changed for one, receipt in zip(there, receipts, strict=True)}
        elif there:
            counts |= {id(one): one.keys.num_rows for one in there}
        owner = [] if asked.direct else [id(one) for one in there]
        return [{**_of(one), "resurrected": counts[id(one)], "again": one if id(one) in owner else None,
                 "state": "ask_the_owner" if id(one) in owner else "done"} for one in standing]  # fmt: skip


def _taking(intent: Intent, choose: Any) -> Intent:
    values, before = (None if table is None else choose(table) for table in (intent.values, intent.before))
    return replace(intent, keys=choose(intent.keys), values=values, before=before)


def _in_place(connector: Placed, dataset: Dataset, group: Sequence[Intent]) -> list[Intent]:
    """Of each intent its lines that stand anywhere in their file now, under the numbers that they have now; each line
    once, for the first intent that names it. Lines that do not say when may be written anew: in their place only."""
    key, named = dataset.key[0], dict[tuple[str, str], tuple[int, int, str]]()
    for at, intent in enumerate(group):
        told = zip(intent.keys.column(key).to_pylist(), intent.keys.column(LINE).to_pylist(), strict=True)
        for row, (number, mark) in enumerate(told):
            named.setdefault((_file(number), mark), (at, row, number))
    here: dict[int, list[tuple[str, int]]] = {at: [] for at in range(len(group))}
    for number, mark in connector.marked(dataset, frozenset(mark for _, mark in named)):
        at, row, first = named.get((_file(number), mark), (-1, 0, ""))
        if at >= 0 and (dataset.at is not None or number == first):
            here[at].append((number, row))
    return [_moved(intent, key, here[at]) for at, intent in enumerate(group)]


def _file(number: str) -> str:
    return number.rpartition(":")[0]


def _moved(intent: Intent, key: str, found: Sequence[tuple[str, int]]) -> Intent:
    rows = pa.array([row for _, row in found], pa.int64())
    taken = _taking(intent, lambda table: table.take(rows))
    columns = {key: [number for number, _ in found], LINE: taken.keys.column(LINE)}
    return replace(taken, keys=pa.table(columns, schema=pa.schema([(key, pa.string()), (LINE, pa.string())])))


def _undone(asked: Asked, intent: Intent) -> list[bool]:
    """Of its records those that are there again, or say again what they were not to say."""
    columns = intent.values.column_names if intent.values is not None else []
    found: dict[str, dict[str, Any]] = {}
    for batch in asked.connector.fetch(asked.dataset, intent.keys.select(list(asked.dataset.key))):
        rows = batch.select(columns).to_pylist() if columns else [{}] * batch.num_rows
        found |= zip(record_nos(batch, asked.dataset.key).to_pylist(), rows, strict=True)
    live = [found.get(number) for number in record_nos(intent.keys, asked.dataset.key).to_pylist()]
    if intent.values is None:
        return [row is not None for row in live]
    wanted = intent.values.to_pylist()
    before = intent.before.to_pylist() if intent.before is not None else [None] * len(wanted)
    return [row is not None and _says_again(row, *told) for row, *told in zip(live, wanted, before, strict=True)]


def _says_again(row: Mapping[str, Any], wanted: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """It is not as it was set; of a correction: it is as it was before, for somebody may have changed it since."""
    undone = [name for name, value in wanted.items() if not _same(row[name], value)]
    return bool(undone) and (before is None or all(_same(row[name], before[name]) for name in undone))


def _same(one: Any, other: Any) -> bool:
    return is_value(one, other if other is None or isinstance(other, (str, int)) else str(other))


# -- what is owed --------------------------------------------------------------------------------------------------


def _owed(office: Office, number: int, entry: Mapping[str, Any]) -> None:
    """What stands again in an owner's system is ordered and owed; what is gone by now is owed no more. A case that is
    in another's hand, or of which only the log is left, is told of by this replay and settled by the next."""
    work = f"{BACK}{entry['dataset']}"
    again, owed = entry.get("again"), {one.what for one in office.store.work(entry["case"])}
    if not again and (work not in owed or entry["state"] != "done"):
        return
    try:
        with office.hold(entry["case"]) as hold:
            if again and not any(order["dataset"] == again.dataset for _, order in ordering.open_orders(hold)):
                ordering.again(hold, number, office.inventory.dataset(again.dataset), again)
                due = (work, "handler", office.today)
                said = {"records": again.keys.num_rows}
                hold.record(Act(f"back:{number}:{again.dataset}", "result", said, owes=(due,)))
            elif not again:
                hold.record(Act(f"gone_again:{number}:{entry['dataset']}", "result", done=(work,)))
    except DsrError:
        return


def _swept(office: Office) -> dict[str, dict[str, int]]:
    """Late rows of every case whose journal lives and whose answer is out: what nobody stopped at the door."""
    held = (office.store.case(no) for no in office.journal.cases() if office.store.holds(no))
    answered = [case.case_no for case in held if case.state in (State.CLOSED, State.KEPT)
                and not case.facts.get("file_ended_on")]  # fmt: skip
    found: dict[str, dict[str, int]] = {}
    for case_no in answered:
        with suppress(DsrError):  # busy, or its system is away: the next round sweeps it, and no other waits
            found[case_no] = afterwards.sweep(office, case_no)
    return {case_no: rows for case_no, rows in found.items() if rows}
