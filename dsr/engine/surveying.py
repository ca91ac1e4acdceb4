"""The survey of a case: what is sought in each system, the look before, the looks after, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsr.case import Act
from dsr.engine import carried, closing_papers, collecting, plans
from dsr.engine.fetched import found_datasets
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, CheckFailed, NotAllowed, Sealed, as_id
from dsr.inventory import System
from dsr.names.letters import spelled
from dsr.plan import Finding, Sought
from dsr.request import OthersAnswer, RewriteAnswer
from dsr.rules import discovery
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos
from dsr.shapes import shaped
from dsr.vault import CaseVault


def concerned(hold: Hold) -> list[System]:
    """Systems in which something is sought; of those at one address, which one look sees, the first."""
    names = {name.partition(".")[0] for name in _named(hold)}
    looks: list[System] = []
    for system in hold.office.inventory.system.values():
        if system.name in names and not any(system.seen_with(other) for other in looks):
            looks.append(system)
    return looks


def _named(hold: Hold) -> list[str]:
    """Datasets of which something is to change, or was changed for a plan that was overtaken."""
    work = [one.dataset.id for one in plans.frozen(hold) if plans.work_of(hold, one) or _vouchers(hold, one)]
    return list(dict.fromkeys([*work, *(name for group in carried.sought(hold) for name in group)]))


def _vouchers(hold: Hold, one: plans.Frozen) -> pa.Table | None:
    """Records that are annotated or issued anew, and must stand as they stood; what is on paper no look reads."""
    rows = one.of(plans.NOTED).select(list(one.dataset.key))
    by_hand = hold.office.inventory.system_of(one.dataset).store == "manual"
    return rows if rows.num_rows and not by_hand else None


def sought(hold: Hold, system: System) -> Sought:
    """Frozen keys, what overtaken plans did, and every written form of every identifier.

    No kind is lasting where not all was collected.
    """
    gone: dict[str, pa.Table] = {}
    emptied: dict[str, pa.Table] = {}
    kept: dict[str, pa.Table] = {}
    still: dict[str, pa.Table] = {}
    notes: dict[str, tuple[str, Mapping[str, str]]] = {}
    for one in plans.frozen(hold):
        if not _neighbours(hold, system, one.dataset.system):
            continue
        key, left = list(one.dataset.key), one.keys.select(list(one.dataset.key))
        for plan in plans.work_of(hold, one):
            target = gone if plan.values is None else emptied
            target[one.dataset.id] = plan.keys if plan.values is None else plans.was(hold, plan)
            if plan.values is None:
                left = _without(left, plan.keys, key)
        if (vouchers := _vouchers(hold, one)) is not None:
            still[one.dataset.id] = vouchers
            if one.dataset.notes and hold.vault.exists(issued := f"issued/{one.dataset.id}.json"):
                said = {new: old for old, new in hold.read_json(issued).items()}
                notes[one.dataset.id] = (f"{one.dataset.system}.{one.dataset.notes}", said)
        fresh = f"fresh/{plans.first_run(hold)}/{one.dataset.id}.arrow"
        new = [collecting.read_table(hold, fresh).select(key)] if hold.vault.exists(fresh) else []
        kept[one.dataset.id] = pa.concat_tables([left, *new], promote_options="permissive")
    for dataset in found_datasets(hold):  # what is hers and in no plan lawfully holds her numbers too
        if dataset.id not in kept and _neighbours(hold, system, dataset.system):
            kept[dataset.id] = collecting.matched_keys(hold, dataset).select(list(dataset.key))
    forms = _forms(hold)
    if hold.request.correction:  # the record stays hers: only the wrong value must be nowhere
        wrong = hold.request.correction.wrong
        # A true value that only adds to the wrong one holds it: then only each cell's old value is sought.
        forms = {"wrong": (wrong,)} if wrong and spelled(wrong) not in spelled(plans.true_value(hold)) else {}
    whole = hold.request.scope.systems is None
    lasting = frozenset(forms) - discovery.reused_kinds(hold.office.inventory) - NEVER_LASTING if whole else frozenset()
    here = {dataset.id for dataset in hold.office.inventory.datasets() if _neighbours(hold, system, dataset.system)}
    gone_before, emptied_before = ({name: rows for name, rows in group.items() if name in here}
                                   for group in carried.sought(hold))  # fmt: skip
    return Sought(hold.case_no, gone, emptied, kept, forms, frozenset(lasting), gone_before, emptied_before,
                  still, notes)  # fmt: skip


PLANNED = "survey/planned.{}.json"
"""Marks of the rows that a case changes in a store, in its vault: read by the looks of other cases."""
OTHERS = "others:"
"""Begins the name of a question about other people's rows; the system's name follows."""
DBA = "dba:"
"""Begins the name of a DBA's duty; the system's name follows."""
NEVER_LASTING = frozenset({"wrong", "name", "kana", "born_on", "address", "phone", "mail", "cookie_id"})
"""Kinds that others may bear too: a household's address, a mother's telephone, a shared browser."""


def _neighbours(hold: Hold, system: System, other: str) -> bool:
    """Systems at one address are one store: their kept records explain hits in the same look."""
    declared = hold.office.inventory.system[other]
    return other == system.name or (declared.store == system.store and bool(system.url) and declared.url == system.url)


def _without(keys: pa.Table, gone: pa.Table, key: Sequence[str]) -> pa.Table:
    return keys.filter(pc.invert(pc.is_in(record_nos(keys, key), pa.array(record_nos(gone, key)))))


def _forms(hold: Hold) -> dict[str, tuple[str, ...]]:
    forms = {kind.removesuffix("_forms"): tuple(told) for kind, told in collecting.forms_of(hold).items()}
    for identifier in collecting.current(hold).identifiers:
        if identifier.trusted:
            forms[identifier.kind] = tuple(dict.fromkeys((*forms.get(identifier.kind, ()), identifier.value)))
    return {kind: told for kind, told in forms.items() if told}


# -- before --------------------------------------------------------------------------------------------------------


def baseline(hold: Hold, run: str) -> bool:
    """The look before anything is changed. False where a copy was found that nobody planned: back to the decision."""
    for system in concerned(hold):
        step = f"baseline:{run}:{system.name}"
        if hold.result(step) is not None:
            continue
        if system.store == "manual":
            continue
        seen = hold.office.survey(system).before([sought(hold, system)])
        unplanned = seen.get("unplanned") or {}
        if unplanned:
            plans.back(hold, f"unplanned:{run}", {"system": system.name, "places": unplanned})
            return False
        told = {name: value for name, value in seen.items() if name != "planned"}
        hold.write_json(f"survey/{run}/{system.name}.json", told)
        store = _store(hold.office, system)
        mine, known = seen.get("planned", {}), _planned(hold.vault, store)
        hold.write_json(PLANNED.format(store), known if mine in known else [*known, mine])  # killed before the record
        hold.record(Act(step, "result", {"system": system.name}))
    return True


# -- after ---------------------------------------------------------------------------------------------------------


def verify(hold: Hold) -> State:
    """Every system in which something was sought; all verified → the papers. Raises ConnectorError for one away."""
    run = plans.run(hold)
    looked = [found for found in hold.case.facts.get("findings", []) if found["run"] == run]
    if looked and all(found["verdict"] == "verified" for found in looked):
        return closing_papers.finish(hold, run)  # killed after the look, before the papers
    number = 1 + sum(step.startswith(f"survey:{run}:") and phase == "result" for step, phase in hold.steps())
    found: list[Finding] = []
    by_hand = [system for system in concerned(hold) if system.store == "manual"]
    if waiting := [system for system in by_hand if not hold.vault.exists(_again(run, system.name))]:
        works = tuple((f"search_again:{s.name}", "handler", _due(hold, s)) for s in waiting)
        hold.record(Act(f"search_again:{run}", "result", {"systems": [s.name for s in waiting]}, owes=works))
        return State.VERIFYING
    for system in by_hand:
        found += _looked_by_hand(hold, system, hold.read_json(_again(run, system.name)))
    for system in concerned(hold):
        if system in by_hand:
            continue
        seen = hold.read_json(f"survey/{plans.first_run(hold)}/{system.name}.json")
        found += hold.office.survey(system).after([sought(hold, system)], seen, partial(_ours, hold, system))
    found = [_explained(hold, run, finding) for finding in _one_each(hold, found)]
    if not _named(hold):
        return closing_papers.finish(hold, run)  # nothing was to change, and nothing is certified
    said = [_said(finding) for finding in found]
    before = [f for f in hold.case.facts.get("findings", []) if f["run"] != run]
    facts = {"findings": [*before, *({**one, "run": run, "on": hold.office.today.isoformat()} for one in said)]}
    public = {"findings": [[f.dataset, f.verdict, f.level] for f in found]}
    if found and all(finding.verdict == "verified" for finding in found):
        hold.record(Act(f"survey:{run}:{number}", "result", public, facts=facts, done=("residual",),
                        owes=duties(facts["findings"])))  # fmt: skip
        return closing_papers.finish(hold, run)
    owed = ("residual", "handler", hold.office.today)
    hold.record(Act(f"survey:{run}:{number}", "result", public, to=State.RESIDUAL, facts=facts, owes=(owed,)))
    return State.RESIDUAL


# -- other people's rows -------------------------------------------------------------------------------------------


def explain(office: Office, case_no: str, system: str, document: object) -> None:
    """Rows of others changed since the look before, and who runs the store knows why; the next look accepts it.

    Never of what is the person's: that is looked for again (traps.md T05).
    """
    office.may("answer")
    said = shaped(OthersAnswer, document, "answer")
    with office.hold(case_no) as hold:
        hold.require(State.RESIDUAL)
        run = plans.run(hold)
        mine = [f for f in hold.case.facts["findings"]
                if (f["run"], f["system"]) == (run, system) and _as_finding(f).others_only]  # fmt: skip
        if not mine:
            raise NotAllowed(f"{case_no}: of {as_id(system)} no other rows are in question; see dsr show {case_no}")
        explained = hold.case.facts.get("explained", {})
        systems = sorted({*explained.get(run, ()), system})
        number = 1 + sum(step.startswith(f"explained:{run}:{system}:") for step, _ in hold.steps())
        facts = {"explained": {**explained, run: systems}}
        hold.record(Act(f"explained:{run}:{system}:{number}", "result", {"findings": len(mine)},
                        secret=said.model_dump_json().encode(), facts=facts))  # fmt: skip


def _as_finding(said: Mapping[str, Any]) -> Finding:
    return Finding(said["dataset"], said["verdict"], said["level"], said["said"])


def _explained(hold: Hold, run: str, found: Finding) -> Finding:
    known = hold.case.facts.get("explained", {}).get(run, ())
    if not found.others_only or found.dataset.partition(".")[0] not in known:
        return found
    return replace(found, verdict="verified", said={**found.said, "explained": True})


# -- what a DBA owes -----------------------------------------------------------------------------------------------


def duties(findings: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str, date], ...]:
    """Work that is owed until each database whose rows were only deleted has been rewritten, by its first day."""
    days: dict[str, date] = {}
    for found in findings:
        if owed_by(found):
            due = date.fromisoformat(found["on"]) + timedelta(days=closing_papers.DBA_DAYS)
            days[found["system"]] = min(due, days.get(found["system"], due))
    return tuple((f"{DBA}{system}", "handler", due) for system, due in days.items())


def owed_by(found: Mapping[str, Any]) -> dict[str, Any]:
    """What takes this finding's rows from L1 to L2; empty where nothing does, or nothing need."""
    return next((dict(step["owes"]) for step in found["said"].get("steps", ()) if "owes" in step), {})


def findings(hold: Hold, system: str) -> list[dict[str, Any]]:
    """Those of a system for which its DBA still owes something."""
    return [found for found in hold.case.facts.get("findings", []) if found["system"] == system and owed_by(found)]


def rewritten(office: Office, case_no: str, system: str, document: object) -> None:
    """A DBA says that the deleted rows' bytes are gone: L2 once the catalogue does not say otherwise (limits.md §5).

    Raises CheckFailed naming table and step still to be done; the duty then stays owed.
    """
    office.may("answer")
    said = shaped(RewriteAnswer, document, "answer")
    if late := next((name for name, day in said.days.items() if day > office.today), None):
        raise BadInput(late, "is in the future", "answer when that day has come")
    with office.hold(case_no) as hold:
        mine = findings(hold, system)
        if not mine:
            raise NotAllowed(f"{case_no}: no DBA owes a rewrite of {as_id(system)}; see dsr show {case_no}")
        if early := next((name for name, day in said.days.items() if day.isoformat() < mine[0]["on"]), None):
            raise BadInput(early, f"is before the rows were gone ({mine[0]['on']})", "give the true day")
        survey = office.survey(office.inventory.system[system])
        left = sorted({step for found in mine for step in survey.rewritten(owed_by(found))})
        if left:
            raise CheckFailed(f"{system}: not done since {mine[0]['on']}: {'; '.join(left)}; nothing was recorded")
        days = {name: day.isoformat() for name, day in said.days.items()}
        facts = {"findings": [_at_l2(f, days) if f in mine else f for f in hold.case.facts["findings"]]}
        hold.record(Act(f"rewritten:{mine[-1]['run']}:{system}", "result", {**days, "datasets": len(mine)}, facts=facts,
                        done=(f"{DBA}{system}",)))  # fmt: skip


def _at_l2(found: Mapping[str, Any], days: Mapping[str, str]) -> dict[str, Any]:
    steps = [step for step in found["said"]["steps"] if "owes" not in step]
    return {**found, "level": "L2", "said": {**found["said"], "steps": [*steps, {"step": 5, "rewritten": dict(days)}]}}


def _store(office: Office, system: System) -> str:
    """One name for all systems at an address, whichever of them a case is concerned with."""
    return next(s.name for s in office.inventory.system.values() if s.name == system.name or system.seen_with(s))


def _planned(vault: CaseVault, store: str) -> list[dict[str, str]]:
    name = PLANNED.format(store)
    return list(json.loads(vault.read(name))) if vault.exists(name) else []


def _ours(hold: Hold, system: System) -> list[dict[str, str]]:
    """What cases that went on since our look before planned in this store: two erasures at a time disturb neither."""
    office, step = hold.office, f"baseline:{plans.first_run(hold)}:{system.name}"
    others = office.store.busy_since(hold.case_no, step)
    told: list[dict[str, str]] = []
    for case_no in others:
        with suppress(Sealed):  # forgotten since
            told += _planned(office.vault.case(case_no), _store(office, system))
    return told


def _again(run: str, system: str) -> str:
    return f"answers/after.{run}.{system}.json"


def _due(hold: Hold, system: System) -> date:
    return hold.office.calendar.after(hold.office.today, system.due_days)


def search_again(hold: Hold, system: str, document: Mapping[str, Any]) -> None:
    """A keeper's second search, entered by another officer than the one who entered what was done."""
    run = plans.run(hold)
    hold.write_json(_again(run, system), dict(document))
    counts = {name: len(rows) for name, rows in document["datasets"].items()}
    hold.record(Act(f"searched_again:{run}:{system}", "result", {"records": counts}, done=(f"search_again:{system}",)))


def _looked_by_hand(hold: Hold, system: System, document: Mapping[str, Any]) -> Iterator[Finding]:
    """A person looked again: what stands on the new list is still there."""
    told = sought(hold, system)
    for dataset_id in dict.fromkeys([*told.gone, *told.gone_before]):
        dataset = hold.office.inventory.dataset(dataset_id)
        listed = {"|".join(str(row[name]) for name in dataset.key) for row in document["datasets"].get(dataset_id, [])}
        sets = [set(record_nos(group[dataset_id], dataset.key).to_pylist()) if dataset_id in group else set()
                for group in (told.gone, told.gone_before)]  # fmt: skip
        left, back = (len(listed & keys) for keys in sets)
        yield Finding(dataset_id, "residual" if left + back else "verified", None if left + back else "L1",
                      {"by": "person", "sought": sum(map(len, sets)), "left": left, "back": back})  # fmt: skip


def _one_each(hold: Hold, found: list[Finding]) -> list[Finding]:
    """A finding for every dataset that was to change: nothing is verified by not being looked at (T01)."""
    told = {finding.dataset for finding in found}
    missing = [Finding(n, "indeterminate", None, {"why": "not_surveyed"}) for n in _named(hold) if n not in told]
    return [*found, *missing]


def _said(finding: Finding) -> dict[str, Any]:
    told = asdict(finding)
    return {**told, "system": finding.dataset.partition(".")[0], "said": dict(finding.said)}
