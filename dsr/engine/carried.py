"""What was carried out of a plan that a later one overtook, and stands on no paper yet: told from the log's receipts.

A run that stops half way has erased all the same. The person is told of it with whatever is decided in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dsr.days import day_of
from dsr.engine import plans
from dsr.engine.office import Hold
from dsr.plan import Measure

EFFECT = "erase:"
ACTS: Mapping[str, Sequence[Measure]] = {
    "erase": ("erased",), "empty": ("deidentified", "use_stopped"), "": ("erased", "deidentified", "use_stopped"),
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
    """Before the first effect of a run: what is meant to be done where, so that a part of it can be told later."""
    hold.once(f"meant:{run}", lambda: ({"datasets": _meant(hold)}, None))


def _meant(hold: Hold) -> dict[str, Mapping[Measure, int]]:
    return {one.dataset.id: measures for one in plans.frozen(hold) if (measures := plans.measures_of(hold, one))}


def before(hold: Hold) -> list[Carried]:
    """Since the last answer that was sent, by other runs than the one that stands. In the order of the inventory."""
    meant: dict[str, Any] = {}
    whole: dict[tuple[str, str], list[tuple[str, int, date]]] = {}
    parts: dict[tuple[str, str], list[tuple[str, int, date]]] = {}
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
    told: dict[tuple[str, Measure], Carried] = {}
    for (run, name), counts in {**parts, **whole}.items():
        for act, count, at in counts:
            for measure, share in _shared(act, count, meant.get(run.split("r")[0], {}).get(name, {})):
                known = told.get((name, measure), Carried(name, measure, 0, at))
                told[name, measure] = Carried(name, measure, known.records + share, max(known.on, at))
    order = [dataset.id for dataset in hold.office.inventory.datasets()]
    return sorted(told.values(), key=lambda one: order.index(one.dataset))


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

