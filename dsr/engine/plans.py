"""The plan of an erasing case: made from the rows as fetched, sealed with its frozen keys, made again to compare.

Records that a plan names are fixed by their keys at the cut-off; what is decided, approved and carried out is exactly
that (edge cases EN-13, EN-57). In the log a plan is counts, codes and a digest over keyed record numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsr.case import Act, Case
from dsr.connector import happened
from dsr.engine import collecting, remembering
from dsr.engine.fetched import fetched, found_datasets, proposing_step, stage
from dsr.engine.office import Hold, digest_of
from dsr.inventory import Dataset
from dsr.journal import Intent
from dsr.plan import LINE, Measure, Plan, line_marks
from dsr.rules import correcting, courses, discovery, lifecycle, planning, proposing
from dsr.rules.lifecycle import State
from dsr.rules.planning import PART, Planned
from dsr.rules.redaction import record_nos
from dsr.suppression import Entry, stopped

ERASING = frozenset({"erasure", "content_deletion", "use_stop", "marketing_stop"})
CORRECTING = frozenset({"correction", "addition"})
GIVING_NO_MORE = frozenset({"provision_stop", "optout_provision_stop", "listing_stop"})
CHANGING = ERASING | CORRECTING | GIVING_NO_MORE
"""Rights whose way through the house is a plan, carried out and surveyed."""
SETS = frozenset({"deidentify", "use_stop", "provision_stop", "correct"})
NOTED = frozenset({"annotate"})
OWNERS = NOTED | {"provision_order"}
"""Measures that only the owner can take, whatever else we may write."""
ACTS = SETS | OWNERS | {"erase"}
"""Measures that change a store, or what is done with it."""
FRESH: Mapping[str, Any] = {"findings": [], "fired": None, "fired_parts": None, "tries": 1, "stale": None, "gone": {}}
"""Facts of a plan that nothing was done of yet; its orders: ``ordering.still_told``."""


def changes(hold: Hold) -> bool:
    return is_changing(hold.case)


def is_changing(case: Case) -> bool:
    return case.right in CHANGING and not case.facts.get(courses.FAILED)


# -- made ----------------------------------------------------------------------------------------------------------


def propose(hold: Hold) -> State:
    """The plan as the rules see it today; deciding is a person's. What is planned is frozen from here on."""
    made = planned(hold, {d.id: _rows(hold, d) for d in found_datasets(hold)})
    here = stage(hold)
    for plan in made.values():
        seal(hold, here, plan)
    case, inventory = hold.case, hold.office.inventory
    items = {**_others(hold, made), **{name: _item(plan) for name, plan in made.items()}}
    secrecy = any(inventory.is_secret(d) for d in found_datasets(hold))
    destroys = case.right not in GIVING_NO_MORE and any(_changes(plan) for plan in made.values())
    reasons = lifecycle.needs_second_person(case.right, secrecy=secrecy, review_band=bool(case.facts.get("band")),
                                            agent=bool(hold.request.agent), destruction=destroys)  # fmt: skip
    facts = {"proposal": items, "drafts": {}, "plan": digest(hold, made), "plan_stage": here, "items": {},
             "cut_off": hold.office.now.isoformat(), "second_person": list(reasons), "secrecy": secrecy,
             "decision_outcome": None}  # fmt: skip
    public = {"plan": facts["plan"], "items": items, "second_person": list(reasons)}
    hold.record(Act(proposing_step(hold), "result", public, to=State.AWAITING_DECISION, facts=facts))
    return State.AWAITING_DECISION


def planned(hold: Hold, rows: Mapping[str, pa.Table], today: date | None = None) -> dict[str, Planned]:
    """What the rules make of these rows; ``rows`` by dataset id."""
    request = hold.request
    if hold.case.right in CORRECTING:
        assert request.correction is not None
        return correcting.plan(hold.office.inventory, request.correction, true_value(hold), rows)
    return planning.plan(
        hold.office.inventory, hold.case.right, request.ground, rows, hold.case.facts["datasets"],
        today or hold.office.today, held(hold), _mentioned(hold), hold.person,
    )  # fmt: skip


def true_value(hold: Hold) -> str:
    """What is to stand there: as investigated, until then as asked."""
    name = f"decision/{hold.case.facts.get('decision')}.investigated.json"
    said = hold.read_json(name)["value"] if hold.vault.exists(name) else ""
    return str(said or (hold.request.correction.right if hold.request.correction else ""))


def _columns(hold: Hold, dataset: Dataset) -> list[str]:
    if hold.case.right in CORRECTING:
        return list(dataset.fields)
    return list(planning.needed_columns(hold.office.inventory, dataset))


def _rows(hold: Hold, dataset: Dataset) -> pa.Table:
    columns = _columns(hold, dataset)
    batches = [batch.select(columns) for batch in fetched(hold, dataset)]
    return pa.Table.from_batches(batches)


def _mentioned(hold: Hold) -> dict[str, frozenset[str]]:
    """Records that are the person's only because an officer found them named there."""
    known: dict[str, set[str]] = {}
    found = collecting.current(hold)
    for name, mark in found.marks.items():
        dataset_id, _, record_no = name.partition("/")
        if mark == "same" and found.candidates[name].only_mentioned:
            known.setdefault(dataset_id, set()).add(record_no)
    return {name: frozenset(numbers) for name, numbers in known.items()}


def _others(hold: Hold, made: Mapping[str, Planned]) -> dict[str, dict[str, Any]]:
    """Datasets of which nothing is planned: none found, not ours, not asked; found, and no wrong copy in it."""
    ended = {name: found for name, found in hold.case.facts["datasets"].items() if name not in made}
    unfound = {name: found for name, found in ended.items() if found["status"] != "found"}
    none = {"outcome": "not_held", "ground": None, "reason": "no_wrong_copy"}
    items = {**proposing.propose(unfound, {}), **{name: none for name in ended if name not in unfound}}
    return {name: {**item, "parts": []} for name, item in items.items()}


def _item(plan: Planned) -> dict[str, Any]:
    grounds = sorted({part.ground for part in plan.parts if part.ground})
    return {"outcome": plan.outcome, "ground": grounds[0] if grounds else None, "reason": "",
            "parts": [_said(part) for part in plan.parts]}  # fmt: skip


def _said(part: planning.Part) -> dict[str, Any]:
    said = asdict(part)
    return {**said, "until": part.until.isoformat() if part.until else None, "purposes": list(part.purposes),
            "fields": list(part.fields)}  # fmt: skip


def _changes(plan: Planned) -> bool:
    return any(part.measure in ACTS for part in plan.parts)


def digest(hold: Hold, made: Mapping[str, Planned]) -> str:
    """Over measure, rule and until of every record, by keyed record number; the law's version and the declarations."""
    told = {name: _keyed(hold, plan) for name, plan in sorted(made.items())}
    return digest_of([hold.case_no, hold.case.law_version, hold.office.inventory.declaration, told])


def _keyed(hold: Hold, plan: Planned) -> list[Any]:
    lines = planning.commitment(plan, hold.office.inventory.dataset(plan.dataset))
    parts = [[part.measure, part.rule, str(part.until), part.ground, list(part.fields)] for part in plan.parts]
    return [parts, hold.vault.commit("plan", hashlib.sha256("\n".join(lines).encode()).hexdigest())]


# -- sealed --------------------------------------------------------------------------------------------------------


def seal(hold: Hold, here: str, plan: Planned) -> None:
    for name, table in (("keys", _marked(hold, plan)), ("values", plan.values)):
        if table is not None:
            collecting.write_table(hold, f"plan/{here}/{plan.dataset}.{name}.arrow", table)


def seal_again(hold: Hold, number: int) -> None:
    """The same records, set to what was found true, which may not be what was asked for."""
    told = hold.read_json(f"decision/{number}.investigated.json")
    correction = hold.request.correction
    assert correction is not None
    rows = {d.id: _rows(hold, d) for d in found_datasets(hold)}
    for plan in correcting.plan(hold.office.inventory, correction, told["value"] or correction.right, rows).values():
        seal(hold, hold.case.facts["plan_stage"], plan)


def _marked(hold: Hold, plan: Planned) -> pa.Table:
    """A log's lines with what they said: a line's number is only a place, where another may stand by now."""
    dataset = hold.office.inventory.dataset(plan.dataset)
    if hold.office.inventory.system_of(dataset).store != "logs":
        return plan.keys
    marks = [line_marks(dataset, batch) for batch in fetched(hold, dataset)]
    return plan.keys.append_column(LINE, pa.chunked_array(marks, pa.string()))


@dataclass(frozen=True)
class Frozen:
    """The records of one dataset by part, as they were decided upon. ``parts`` are the item's, changed by decisions."""

    dataset: Dataset
    parts: tuple[Mapping[str, Any], ...]
    keys: pa.Table
    values: pa.Table | None

    def of(self, measures: frozenset[str], only: frozenset[int] | None = None) -> pa.Table:
        """Key columns of the records whose part has one of the measures; ``only``: of these parts."""
        wanted = [at for at, part in enumerate(self.parts)
                  if part["measure"] in measures and (only is None or at in only)]  # fmt: skip
        rows = self.keys.filter(pc.is_in(self.keys.column(PART), pa.array(wanted, self.keys.schema.field(PART).type)))
        return rows.select([*self.dataset.key, *([LINE] if LINE in rows.column_names else [])])

    def changed(self, measures: frozenset[str] = SETS) -> pa.Table | None:
        """Beside ``of(measures)``: the columns to set, or of vouchers what their notes are to say."""
        if self.values is None:
            return None
        planned = [at for at, part in enumerate(self.parts) if part["planned"] in SETS | NOTED]
        acts = [at for at in planned if self.parts[at]["measure"] in measures]
        part = self.keys.column(PART)
        mine = part.filter(pc.is_in(part, pa.array(planned, part.type)))
        return self.values.filter(pc.is_in(mine, pa.array(acts, part.type)))


def frozen(hold: Hold) -> Iterator[Frozen]:
    """Leaves before hubs."""
    here, items = hold.case.facts["plan_stage"], hold.case.facts["items"] or hold.case.facts["proposal"]
    for dataset_id in planning.order_of(hold.office.inventory):
        name = f"plan/{here}/{dataset_id}"
        if items.get(dataset_id, {}).get("parts") and hold.vault.exists(f"{name}.keys.arrow"):
            keys = collecting.read_table(hold, f"{name}.keys.arrow")
            has = hold.vault.exists(f"{name}.values.arrow")
            values = collecting.read_table(hold, f"{name}.values.arrow") if has else None
            parts = tuple({"planned": part["measure"], **part} for part in items[dataset_id]["parts"])
            yield Frozen(hold.office.inventory.dataset(dataset_id), parts, keys, values)


def to_carry_out(hold: Hold, one: Frozen, due: frozenset[int] | None) -> list[Plan]:
    """What a store is asked to change; ``due``: only these kept parts, whose day has come."""
    plan = hold.case.facts["decided_plan"]
    if due is not None:
        gone = one.of(KEPT, due)
        return [Plan(hold.case_no, one.dataset, gone, plan)] if gone.num_rows else []
    made = []
    gone, emptied = one.of(frozenset({"erase"})), one.of(SETS)
    if gone.num_rows:
        made.append(Plan(hold.case_no, one.dataset, gone, plan))
    if emptied.num_rows:
        made.append(Plan(hold.case_no, one.dataset, emptied, plan, one.changed()))
    return made


def was(hold: Hold, plan: Plan) -> pa.Table:
    """Keys of a plan, and beside them what stands, as it was fetched, in the columns that it sets."""
    rows, old = plan.keys.select(list(plan.dataset.key)), with_old(hold, plan).old
    if old is not None:
        for name in (name for name in old.column_names if name not in plan.dataset.key):
            rows = rows.append_column(name, old.column(name))
    return rows


def with_old(hold: Hold, plan: Plan) -> Plan:
    """With what stands, as it was fetched, in the columns that it sets."""
    if plan.values is None:
        return plan
    rows = pa.Table.from_batches(list(fetched(hold, plan.dataset)))
    order = {number: at for at, number in enumerate(record_nos(rows, plan.dataset.key).to_pylist())}
    places = [order[number] for number in record_nos(plan.keys, plan.dataset.key).to_pylist()]
    return replace(plan, old=rows.select(plan.values.column_names).take(pa.array(places, pa.int64())))


def due_parts(hold: Hold) -> dict[str, frozenset[int]] | None:
    """What a day that came lets go: parts that were kept, by dataset; None for the first carrying out."""
    fired = hold.case.facts.get("fired_parts")
    return None if fired is None else {name: frozenset(parts) for name, parts in fired.items()}


def due_of(hold: Hold, one: Frozen) -> frozenset[int] | None:
    due = due_parts(hold)
    return None if due is None else due.get(one.dataset.id, frozenset())


def work_of(hold: Hold, one: Frozen) -> list[Plan]:
    """What is to be carried out now."""
    return to_carry_out(hold, one, due_of(hold, one))


MEASURES: Mapping[str, Measure] = {"erase": "erased", "deidentify": "deidentified", "use_stop": "use_stopped",
                                 "provision_stop": "provision_stopped"}  # fmt: skip
"""Measure of a part → what was done to its records."""


def measures_of(hold: Hold, one: Frozen) -> dict[Measure, int]:
    """What is to be done now → to how many records; empty for a correction."""
    due = due_of(hold, one)
    if due is not None:
        return {"erased": one.of(KEPT, due).num_rows} if due else {}
    told: dict[Measure, int] = {}
    for at, part in enumerate(one.parts):
        if done := MEASURES.get(part["measure"]):
            told[done] = told.get(done, 0) + one.of(frozenset({part["measure"]}), frozenset({at})).num_rows
    return {done: told[done] for done in MEASURES.values() if told.get(done)}


def first_run(hold: Hold) -> str:
    """Names one carrying out of a decision: its number, and the day that came for what was kept."""
    facts = hold.case.facts
    return f"{facts['decision']}{'.' + facts['fired'] if facts.get('fired') else ''}"


def run(hold: Hold) -> str:
    """The same with the try: after a residue, what is left is carried out once more."""
    tries = hold.case.facts.get("tries", 1)
    return f"{first_run(hold)}{'r' + str(tries) if tries > 1 else ''}"


def back(hold: Hold, step: str, why: Mapping[str, Any]) -> None:
    """To the decision, nothing erased; ``why`` holds ids and counts."""
    number = 1 + sum(done.startswith(f"{step}:") for done, _ in hold.steps())
    owed = ("decision", "handler", hold.office.today)
    facts = {"items": {}, "stale": dict(why), "fired": None, "fired_parts": None}
    hold.record(Act(f"{step}:{number}", "result", why, to=State.AWAITING_DECISION, facts=facts, owes=(owed,)))


def keep_known(hold: Hold) -> dict[str, int]:
    """Of what stays the keys, each with its moment and tenure: for the person's later requests, once what led there is
    gone. Records by dataset. ``remembering.MARK`` is of what stands in the columns that are not set, so that a record
    which is another's by now is never taken for hers; a line of a log is only a place, and is not kept at all."""
    told = {}
    for one in frozen(hold) if due_parts(hold) is None else ():
        if LINE in one.keys.column_names:
            continue
        dataset, known = one.dataset, collecting.matched_keys(hold, one.dataset)
        gone = ("erase", "deidentify")
        parts = [at for at, part in enumerate(one.parts) if part["measure"] not in gone or part["until"]]
        places = pc.index_in(record_nos(known, dataset.key), record_nos(one.keys, dataset.key))
        part = one.keys.column(PART).combine_chunks().take(places)
        rows = known.append_column(PART, part).filter(pc.is_valid(places))
        rows = rows.filter(pc.is_in(rows.column(PART), pa.array(parts, rows.schema.field(PART).type)))
        if rows.num_rows:
            columns = sorted(set(dataset.fields) - set(one.values.column_names if one.values is not None else ()))
            stood = remembering.marks_of(dataset, list(fetched(hold, dataset)), columns)
            marks = [stood.get(number, "") for number in record_nos(rows, dataset.key).to_pylist()]
            rows = rows.append_column(remembering.MARK, pa.array(marks, pa.string()))
            rows = rows.replace_schema_metadata({"columns": json.dumps(columns)})
            collecting.write_table(hold, f"{remembering.STAYS}{dataset.id}.arrow", rows)
            told[dataset.id] = rows.num_rows
    return told


def journal(hold: Hold, plan: Plan) -> None:
    """In the second place, on the disk, before anything happens; what an order asks for again stands there already."""
    digest = f"{first_run(hold)}:{plan.digest}:{'erase' if plan.values is None else 'empty'}"
    numbers = set(record_nos(plan.keys, plan.dataset.key).to_pylist())
    for intent in hold.office.journal.of_case(hold.case_no):
        same = (intent.dataset, intent.digest) == (plan.dataset.id, digest)
        if same and numbers <= set(record_nos(intent.keys, plan.dataset.key).to_pylist()):
            return
    corrects = plan.values is not None and hold.case.right in CORRECTING
    before = _said_before(hold, plan) if corrects else None
    hold.office.journal.append(
        Intent(hold.case_no, plan.dataset.id, digest, hold.office.now.isoformat(), plan.keys, plan.values, before)
    )


def _said_before(hold: Hold, plan: Plan) -> pa.Table:
    """What the columns that are set said when they were fetched, row by row beside the keys."""
    assert plan.values is not None
    rows, key = _rows(hold, plan.dataset), plan.dataset.key
    places = pc.index_in(record_nos(plan.keys, key), record_nos(rows, key))
    return rows.select(plan.values.column_names).take(places)


# -- holds ---------------------------------------------------------------------------------------------------------


def held(hold: Hold) -> frozenset[str]:
    """``<dataset>/<record no>`` that a court, a dispute or a request for preservation keeps (HOLD)."""
    return frozenset(holds(hold))


def holds(hold: Hold) -> dict[str, Any]:
    """The same with who held it, on which day and why."""
    return dict(hold.read_json("holds.json")) if hold.vault.exists("holds.json") else {}


# -- made again ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moved:
    """How the live stores differ from the plan: dataset ids. ``fresh``: keys of rows that came since, by dataset."""

    vanished: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    fresh: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)

    @property
    def matches(self) -> bool:
        return not (self.vanished or self.changed)


def look_again(hold: Hold, due: Mapping[str, frozenset[int]] | None = None) -> Moved:
    """Fetch what is frozen once more, plan it anew, look for new rows. Raises ConnectorError: who cannot look, may not
    erase. ``due``: only these kept parts are about to be erased, and must be due under the rules as they are now."""
    vanished, changed = [], []
    fresh: dict[str, pa.Table] = {}
    ones = {one.dataset.id: one for one in frozen(hold)}
    if due is not None:
        return _due_again(hold, ones, due)
    rows = {name: _live(hold, one.dataset, one.keys) for name, one in ones.items()}
    again = planned(hold, rows)
    for name, one in ones.items():
        if rows[name].num_rows != one.keys.num_rows:
            vanished.append(name)
        elif _fates(one.dataset, one.keys, one.parts) != _fates_now(one, again[name]):
            changed.append(name)
        if (new := new_rows(hold, one)) is not None:
            fresh[name] = new
    return Moved(tuple(vanished), tuple(changed), fresh)


def _due_again(hold: Hold, ones: Mapping[str, Frozen], due: Mapping[str, frozenset[int]]) -> Moved:
    """Of what waits for its day: the records are all there, say what they said, and nothing keeps them any longer.

    What else the person had is gone by our own hand; it is planned with as it was fetched then.
    """
    then = {name: _rows(hold, one.dataset) for name, one in ones.items()}
    again = planned(hold, then)
    vanished, changed = [], []
    for name, parts in due.items():
        one = ones[name]
        keys = one.of(KEPT, parts)
        live, free = _live(hold, one.dataset, keys), _fates_now(one, again[name])
        numbered = set(record_nos(keys, one.dataset.key).to_pylist())
        if live.num_rows != keys.num_rows:
            vanished.append(name)
        elif _said_then(one, then[name], numbered) != _said_then(one, live, numbered) or any(
            free[number][1] for number in numbered
        ):
            changed.append(name)
    return Moved(tuple(vanished), tuple(changed))


KEPT = frozenset({"keep", "deidentify", "use_stop"})
"""Measures of parts of which something waits for a day."""


def _said_then(one: Frozen, rows: pa.Table, numbered: set[str]) -> list[str]:
    """The records as text, without the columns that we emptied ourselves."""
    ours = {name for part in one.parts for name in part["fields"] if part["measure"] == "deidentify"}
    ours |= set(one.dataset.use_stop)
    left = rows.select([name for name in rows.column_names if name not in ours])
    mine = left.filter(pc.is_in(record_nos(rows, one.dataset.key), pa.array(sorted(numbered), pa.string())))
    return sorted(map(str, mine.to_pylist()))


def _live(hold: Hold, dataset: Dataset, keys: pa.Table) -> pa.Table:
    columns = _columns(hold, dataset)
    if hold.office.inventory.system_of(dataset).store == "manual":
        rows = _rows(hold, dataset)  # what the keeper wrote down
        return rows.filter(pc.is_in(record_nos(rows, dataset.key), pa.array(record_nos(keys, dataset.key))))
    batches = list(hold.connectors[dataset.system].fetch(dataset, keys.select(list(dataset.key))))
    if not batches:
        return _rows(hold, dataset).slice(0, 0)
    return pa.Table.from_batches([batch.select(columns) for batch in batches])


def _fates_now(one: Frozen, again: Planned) -> dict[str, tuple[Any, ...]]:
    return _fates(one.dataset, again.keys, [_said(part) for part in again.parts])


def numbers(dataset: Dataset, keys: pa.Table) -> tuple[list[str], list[int]]:
    return record_nos(keys, dataset.key).to_pylist(), keys.column(PART).to_pylist()


def _fates(dataset: Dataset, keys: pa.Table, parts: Any) -> dict[str, tuple[Any, ...]]:
    told = [(p.get("planned", p["measure"]), p["rule"], p["until"], tuple(p["fields"])) for p in parts]
    return {number: told[part] for number, part in zip(*numbers(dataset, keys), strict=True)}


def new_rows(hold: Hold, one: Frozen, stopping: Sequence[Entry] | None = None) -> pa.Table | None:
    """Keys of rows that are the person's and were not there when the plan was made. ``stopping``: only such as one of
    these entries of the case stops."""
    dataset = one.dataset
    if hold.office.inventory.system_of(dataset).store == "manual":
        return None
    known = collecting.current(hold)
    anew = discovery.asked_anew(known, dataset.id)
    forms = collecting.forms_of(hold)
    asks = discovery.asks_for(dataset, anew, forms, hold.request.scope.interval)
    found = []
    for located in hold.connectors[dataset.system].locate(dataset, asks) if asks else ():
        mine = collecting.ours(hold, dataset, located.ask, located.rows, known)
        found.append(mine if stopping is None else _stopped(hold, dataset, mine, stopping))
    rows = [table.select(list(dataset.key)) for table in found if table.num_rows]
    if not rows:
        return None
    live = pa.concat_tables(rows, promote_options="permissive")
    there = pa.array(record_nos(one.keys, dataset.key))
    new = live.filter(pc.invert(pc.is_in(record_nos(live, dataset.key), there)))
    return new if new.num_rows else None


def _stopped(hold: Hold, dataset: Dataset, rows: pa.Table, entries: Sequence[Entry]) -> pa.Table:
    """Rows inside the days of an entry of this case; a row that does not say when, while an entry is open."""
    mine = [e for e in entries if e.case_no == hold.case_no and e.dataset == dataset.id and e.reason == "erased"]
    stamps = happened(dataset, rows).to_pylist()
    return rows.filter(pa.array([stopped(mine, at) is not None for at in stamps], pa.bool_()))


