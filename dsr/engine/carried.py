"""What was carried out of a plan that a later one overtook, and stands on no paper yet: told from the log's receipts.

A run that stops half way has erased all the same. The person is told of it with whatever is decided in its place, and
the survey of that looks for it too, by the keys that were sealed before the first effect.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsr.days import day_of
from dsr.engine import collecting, plans
from dsr.engine.fetched import fetched
from dsr.engine.office import Hold
from dsr.plan import Measure
from dsr.rules.redaction import record_nos

EFFECT = "erase:"
MEANT = "meant/{}/{}.{}.arrow"
"""Of a run, a dataset and how its store is asked, in the vault: the keys, and what stood in columns that are set."""
GONE, EMPTIED = "erase", "empty"
SEARCHED = frozenset({"found", "none_found"})
ACTS: Mapping[str, Sequence[Measure]] = {
    "erase": ("erased",), "empty": ("deidentified", "use_stopped", "provision_stopped"),
    "": ("erased", "deidentified", "use_stopped", "provision_stopped"),
}  # fmt: skip
"""How a store was asked → what that may have done; nothing where an owner did it, who counts both together."""


@dataclass(frozen=True)
class Carried:
    """Of one dataset: so many records, by the receipt of its store or the answer of its owner; the last day of it."""

    dataset: str
    measure: Measure
    records: int
    on: date


def announce(hold: Hold, run: str) -> None:
    """Before the first effect of a run: what is meant to be done where, so that a part of it can be told, and looked
    for, later: the next collection knows neither its keys nor its values."""
    hold.once(f"meant:{run}", lambda: ({"datasets": _meant(hold, run)}, None))


def _meant(hold: Hold, run: str) -> dict[str, Mapping[Measure, int]]:
    for one in plans.frozen(hold):
        for plan in plans.work_of(hold, one):
            kind = GONE if plan.values is None else EMPTIED
            collecting.write_table(hold, MEANT.format(run, one.dataset.id, kind), plans.was(hold, plan))
    return {one.dataset.id: measures for one in plans.frozen(hold) if (measures := plans.measures_of(hold, one))}


def before(hold: Hold) -> list[Carried]:
    """Since the last answer that was sent, by other runs than the one that stands. In the order of the inventory."""
    effects, meant = _effects(hold)
    told: dict[tuple[str, Measure], Carried] = {}
    for (run, name), counts in effects.items():
        for act, count, at in counts:
            for measure, share in _shared(act, count, meant.get(run.split("r")[0], {}).get(name, {})):
                known = told.get((name, measure), Carried(name, measure, 0, at))
                told[name, measure] = Carried(name, measure, known.records + share, max(known.on, at))
    order = [dataset.id for dataset in hold.office.inventory.datasets()]
    return sorted(told.values(), key=lambda one: order.index(one.dataset))


Keys = dict[str, pa.Table]


def sought(hold: Hold) -> tuple[Keys, ...]:
    """By dataset keys of records that must not be there again, and keys with the old values of what was emptied.

    Not what was found as it had been when the plan that stands was made: that is this plan's to change, or to keep.
    """
    gone, emptied = (_sealed(hold, kind) for kind in (GONE, EMPTIED))
    for group in (gone, emptied):
        group |= {name: _changed(hold, name, rows) for name, rows in group.items()}
    for one in plans.frozen(hold) if emptied else ():
        for plan in plans.work_of(hold, one) if one.dataset.id in emptied else ():
            if plan.values is None:
                rows, key = emptied[one.dataset.id], one.dataset.key
                going = pc.is_in(record_nos(rows, key), pa.array(record_nos(plan.keys, key)))
                emptied[one.dataset.id] = rows.filter(pc.invert(going))
    return tuple({name: rows for name, rows in group.items() if rows.num_rows} for group in (gone, emptied))


def unsought(hold: Hold) -> list[Carried]:
    """Of ``before`` what no look can find: nobody knows the keys of it any more, or they are places in a log."""
    gone, emptied = ({name: rows.num_rows for name, rows in _sealed(hold, kind).items()} for kind in (GONE, EMPTIED))
    told = before(hold)
    left = Counter({name: -known for name, known in emptied.items()})
    left.update({one.dataset: one.records for one in told if one.measure != "erased"})
    left_of = {one: one.records - gone.get(one.dataset, 0) if one.measure == "erased" else left[one.dataset]
               for one in told}  # fmt: skip
    return [one for one, count in left_of.items() if count > 0]


def _sealed(hold: Hold, kind: str) -> Keys:
    """What overtaken runs were to do where they did something; only where the person's records were searched for since,
    for else it is not known which of them still stand."""
    found: dict[str, list[pa.Table]] = {}
    for run, name in _touched(hold, kind) if plans.first_run(hold) != "1" else ():
        dataset, sealed = hold.office.inventory.dataset(name), MEANT.format(run, name, kind)
        searched = hold.case.facts["datasets"][name]["status"] in SEARCHED
        numbered = hold.office.inventory.system_of(dataset).store == "logs"  # where another line may stand by now
        if searched and not numbered and hold.vault.exists(sealed):
            found.setdefault(name, []).append(collecting.read_table(hold, sealed))
    return {name: pa.concat_tables(tables, promote_options="permissive") for name, tables in found.items()}


def _touched(hold: Hold, kind: str) -> list[tuple[str, str]]:
    """(run, dataset) of which at least one record was changed so."""
    done = ((run.split("r")[0], name) for (run, name), counts in _effects(hold)[0].items()
            if any(count and act in ("", kind) for act, count, _ in counts))  # fmt: skip
    return list(dict.fromkeys(done))


def _changed(hold: Hold, name: str, rows: pa.Table) -> pa.Table:
    found = hold.case.facts["datasets"][name]["status"] == "found"
    batches = fetched(hold, hold.office.inventory.dataset(name)) if found else ()
    stood = {tuple(row.values()) for batch in batches for row in batch.select(rows.column_names).to_pylist()}
    return rows.filter(pa.array([tuple(row.values()) not in stood for row in rows.to_pylist()], pa.bool_()))


Effects = dict[tuple[str, str], list[tuple[str, int, date]]]


def _effects(hold: Hold) -> tuple[Effects, dict[str, Any]]:
    """(run, dataset) → how the store was asked, records, day; and what each run was meant to do."""
    meant: dict[str, Any] = {}
    whole: Effects = {}
    parts: Effects = {}
    now = plans.first_run(hold)
    for step, at, said in _results(hold):
        if step.startswith("dispatch:") and said.get("sent_on"):
            whole, parts = {}, {}
        elif step.startswith("meant:"):
            meant[step.removeprefix("meant:")] = said["datasets"]
        elif step.startswith(EFFECT):
            run, name, act = _read(step)
            if run.split("r")[0] != now:
                into = whole if act is None else parts
                into.setdefault((run, name), []).extend((how, n, at) for how, n in _counted(said, act))
    return {**parts, **whole}, meant


def already(part: Mapping[str, Any]) -> bool:
    """Nothing was left to change when the plan was made."""
    return part["measure"] == "keep" and not part["rule"] and not part["ground"]


def beside(parts: Sequence[Mapping[str, Any]], name: str, earlier: Sequence[Carried]) -> Iterator[Mapping[str, Any]]:
    """The parts of a dataset as they are told beside what was carried out before: that it is so already, only of
    records that were so without us."""
    ours = sum(one.records for one in earlier if one.dataset == name and one.measure != "erased")
    for part in parts:
        left = part["records"] - (ours if already(part) else 0)
        if left > 0:
            yield {**part, "records": left}


def _results(hold: Hold) -> Iterator[tuple[str, date, dict[str, Any]]]:
    for event, _ in hold.office.store.events(hold.case_no):
        if event.phase == "result":
            yield event.step_key, day_of(datetime.fromisoformat(event.at)), json.loads(event.public)


def _read(step: str) -> tuple[str, str, str | None]:
    """Run and dataset, and how the store was asked where the step is one place of it: a file, a table."""
    run, name, *place = step.removeprefix(EFFECT).split(":", 2)
    return run, name, place[0].partition("@")[0] if place else None


def _counted(said: Mapping[str, Any], act: str | None) -> Iterator[tuple[str, int]]:
    """How the store was asked → records that it changed."""
    if act is not None:  # as the connectors say it of one place
        effect = json.loads(said["said"])
        there = effect.get("records", effect.get("there", 0))
        yield act, (sum(there.values()) if isinstance(there, dict) else there) - effect.get("left", 0)
    elif "acts" in said:
        yield from said["acts"].items()
    else:
        yield "", said["changed"]


def _shared(act: str, count: int, meant: Mapping[Measure, int]) -> Iterator[tuple[Measure, int]]:
    """Between the measures that were meant; what nobody said before counts as the first of them."""
    for measure in ACTS[act]:
        share = min(count, meant.get(measure, 0)) if meant else count
        count -= share
        if share:
            yield measure, share
