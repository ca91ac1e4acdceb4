"""What a look found left of a plan that was carried out: only that is done, or ordered, again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from dsr.case import Act
from dsr.engine import plans
from dsr.engine.office import Hold
from dsr.plan import LINE, Plan, line_marks
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos


def looks(hold: Hold) -> bool:
    """Before anybody is asked again the stores are looked at again: what was left may have gone since. Not where an
    owner said of less that it was done: then it is known who has something left to do."""
    if _short(hold, plans.run(hold)):
        return False
    number = 1 + sum(step.startswith(f"look:{plans.run(hold)}:") for step, _ in hold.steps())
    hold.record(Act(f"look:{plans.run(hold)}:{number}", "result", {}, to=State.VERIFYING))
    return True


def once_more(hold: Hold) -> bool:
    """Another try at what is left. False where no dataset of the plan is: a residue elsewhere is a person's to mend."""
    before = plans.run(hold)
    left, short = _left(hold, before), _short(hold, before)
    if not left | short:
        return False
    tries = int(hold.case.facts.get("tries", 1)) + 1
    for name, said in _results(hold, before):
        if name not in left | short:  # before the move: a run killed in between asks nobody for what is done
            hold.record(Act(f"erase:{plans.first_run(hold)}r{tries}:{name}", "result", said))
    facts = {"tries": tries, "unlooked": bool(short)}
    hold.record(Act(f"retry:{before}:{tries}", "result", {"left": sorted(left | short)}, to=State.FULFILLING,
                    facts=facts, done=("residual",)))  # fmt: skip
    return True


def there(hold: Hold, work: list[Plan]) -> list[Plan]:
    """Of ``work`` the records that still stand in the live store; all of them where we cannot see them and the survey
    could. In the first try that is asked of nobody: what is there was compared with the plan just now."""
    if int(hold.case.facts.get("tries", 1)) == 1:
        return work
    seen = [plan for plan in (_standing(hold, plan) for plan in work) if plan.records]
    return seen or ([] if hold.case.facts.get("unlooked") else work)


def _left(hold: Hold, run: str) -> frozenset[str]:
    """Datasets of which the look found something: records that should be gone, values that should be changed."""
    told = (found for found in hold.case.facts.get("findings", []) if found["run"] == run)
    return frozenset(found["dataset"] for found in told if found["verdict"] == "residual" and _counted(hold, found))


def _counted(hold: Hold, found: dict[str, Any]) -> int:
    said = found["said"].get("cases", {}).get(hold.case_no, found["said"])  # a person who looked told one number
    return int(said.get("left", 0)) + int(said.get("not_emptied", 0))


def _short(hold: Hold, run: str) -> frozenset[str]:
    """Datasets of which an owner found more than was done."""
    return frozenset(n for n, said in _results(hold, run) if said["changed"] + said["absent"] < said["planned"])


def _results(hold: Hold, run: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in plans.frozen(hold):
        if (said := hold.result(f"erase:{run}:{one.dataset.id}")) is not None:
            yield one.dataset.id, said


def _standing(hold: Hold, plan: Plan) -> Plan:
    connector = hold.connectors.get(plan.dataset.system)
    if connector is None or hold.office.inventory.system_of(plan.dataset).store == "manual":
        return plan
    marks: dict[str, Any] = {}
    for batch in connector.fetch(plan.dataset, plan.keys.select(list(plan.dataset.key))):
        marks |= dict(zip(record_nos(batch, plan.dataset.key).to_pylist(), _mark(plan, batch), strict=True))
    wanted = zip(record_nos(plan.keys, plan.dataset.key).to_pylist(), _wanted(plan), strict=True)
    stands = pa.array([number in marks and mark == marks[number] for number, mark in wanted], pa.bool_())
    tables = {name: getattr(plan, name) for name in ("keys", "values", "old")}
    return replace(plan, **{name: table.filter(stands) for name, table in tables.items() if table is not None})


def _mark(plan: Plan, rows: pa.RecordBatch) -> list[Any]:
    """What tells a record that is as it was: a log's line by what it says, others by the values to be changed."""
    if LINE in plan.keys.column_names:
        return list(line_marks(plan.dataset, rows).to_pylist())
    return rows.select(plan.old.column_names).to_pylist() if plan.old is not None else [None] * rows.num_rows


def _wanted(plan: Plan) -> list[Any]:
    if LINE in plan.keys.column_names:
        return list(plan.keys.column(LINE).to_pylist())
    return plan.old.to_pylist() if plan.old is not None else [None] * plan.records
