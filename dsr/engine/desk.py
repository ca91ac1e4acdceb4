"""What the office sees of its cases: the list with both clocks, one case, the morning round, the trail."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from dsr import log
from dsr.case import Act, Case
from dsr.days import TOKYO, day_of
from dsr.engine import cooling
from dsr.engine.office import Office
from dsr.errors import BadInput, CheckFailed, ConnectorError
from dsr.rules import clocks, lifecycle, scope
from dsr.rules.lifecycle import State
from dsr.rules.scope import Status
from dsr.store import OFFICE, Work

ORIGIN = "dsr/trail"
OFFICE_LOG = OFFICE


def standing(office: Office, case: Case) -> dict[str, Any]:
    """Both clocks. Clock A never pauses; clock B starts when the request was formally complete (law.md §8)."""
    presuit = clocks.presuit_of(case.right, case.received_at)
    return clocks.standing(presuit, clocks.sla_of(office.calendar, case.facts), office.today)


def listed(office: Office, due_only: bool = False) -> list[dict[str, Any]]:
    """Cases, the most urgent first. ``due_only``: those with work due by today, or clock A within three days."""
    works: dict[str, list[Work]] = {}
    for work in office.store.work():
        works.setdefault(work.case_no, []).append(work)
    rows = []
    # A closed case has no clock; what is owed beyond its closing is listed all the same.
    cases = office.store.cases(set(State) - {State.CLOSED} if due_only else None)
    known = {case.case_no for case in cases}
    for case in [*cases, *(office.store.case(no) for no in works if no not in known and office.store.holds(no))]:
        due = [] if waits_for_twin(office, case) else works.get(case.case_no, [])
        late = [work for work in due if work.due <= office.today]
        clock = standing(office, case)
        left = clock["presuit"]["left"] if clock["presuit"] else None
        live = case.state not in (State.CLOSED, State.WITHDRAWN)
        if due_only and not (late or (live and left is not None and left <= 3)):
            continue
        rows.append(
            {
                "case": case.case_no,
                "right": case.right,
                "state": case.state.value,
                "owner": lifecycle.owner(case.state),
                "outcome": case.outcome,
                "arrived": case.facts.get("arrived"),
                "clocks": clock,
                "linked_to": case.facts.get("linked_to"),
                "file_ended_on": case.facts.get("file_ended_on"),
                "due": [{"what": w.what, "who": w.who, "due": w.due.isoformat()} for w in (late if due_only else due)],
            }
        )
    return sorted(
        rows,
        key=lambda row: (
            row["state"] in ("closed", "withdrawn"),
            min((d["due"] for d in row["due"]), default="9"),
            row["case"],
        ),
    )


def waits_for_twin(office: Office, case: Case) -> bool:
    """The same request, linked at its arrival: its twin does the work, unless that was withdrawn (EN-05)."""
    twin = case.facts.get("linked_to")
    return bool(twin) and case.state is State.RECEIVED and not office.store.case(str(twin)).withdrawn


def shown(office: Office, case_no: str) -> dict[str, Any]:
    """``dsr show --json`` (public_face.md): ids, counts, days and officers, nothing of the subject."""
    case = office.store.case(case_no)
    facts, head = case.facts, office.store.head()
    datasets = [
        {
            "system": name.partition(".")[0],
            "dataset": name,
            "status": d["status"],
            "records": d["records"],
            "reason": d["reason"],
            "detail": d.get("detail"),
        }
        for name, d in office.inventory.ordered(facts.get("datasets", {})).items()
    ]
    systems: dict[str, list[Status]] = {}
    for entry in datasets:
        systems.setdefault(entry["system"], []).append(Status(entry["status"], entry["records"], entry["reason"]))
    return {
        "case": case.case_no,
        "right": case.right,
        "state": case.state.value,
        "outcome": case.outcome,
        "outcomes": facts.get("outcomes", {}),
        "law_version": case.law_version,
        "received_at": case.received_at.isoformat(),
        "clocks": standing(office, case),
        "linked_to": facts.get("linked_to"),
        "letter": facts.get("letter", [case.case_no]),
        "candidates": facts.get("candidates", 0),
        "defects": facts.get("defects", []),
        "datasets": datasets,
        "systems": {name: scope.of_system(found) for name, found in systems.items()},
        "proposal": facts.get("proposal"),
        "items": facts.get("items"),
        "second_person": facts.get("second_person", []),
        "decisions": facts.get("decisions", []),
        "orders": [{"order": number, **order} for number, order in facts.get("orders", {}).items()],
        "documents": facts.get("documents", []),
        "findings": facts.get("findings", []),
        "kept": facts.get("kept", []),
        "holds": facts.get("holds", 0),
        "protected": facts.get("protected", {}),
        "deliveries": facts.get("deliveries", []),
        "incidents": facts.get("incidents", []),
        "fee": facts.get("fee"),
        "statements": facts.get("statements", 0),
        "stale": facts.get("stale"),
        "file": {
            "copies": facts.get("copies"),
            "working_ended_on": facts.get("working_ended_on"),
            "ended_on": facts.get("file_ended_on"),
            "ends": {work.what.partition(":")[2]: work.due.isoformat() for work in office.store.files(case_no=case_no)},
        },
        "release": facts.get("release"),
        "work": [{"what": w.what, "who": w.who, "due": w.due.isoformat()} for w in office.store.work(case_no)],
        "trail": {"events": sum(1 for _ in office.store.events(case_no)), "head": head.text},
    }


# -- the morning round ---------------------------------------------------------------------------------------------


def watch(office: Office) -> dict[str, Any]:
    """One round: remind once a day of what is due, by case number and role, never by name; name what may be resumed."""
    office.may("watch")
    due = list(_due_today(office))
    office.store.owe([replace(work, reminded=office.today) for work in due])
    reminders = [_reminder(office, work) for work in due]
    late = [{**told, "who": ESCALATED_TO} for told, work in zip(reminders, due, strict=True)
            if _escalates(office, work)]  # fmt: skip
    reminders += _announced(office)
    resumable = [case.case_no for case in office.store.cases({State.BLOCKED, State.COLLECTING})]
    head = office.store.head()
    day = office.today.isoformat()
    counts = {"reminders": len(reminders), "escalated": len(late), "resumable": len(resumable)}
    office.store.log_alone(
        OFFICE_LOG,
        Act(f"watch:{day}", "result", counts),
        office.now,
        office.actor.name,
    )
    return {
        "day": day,
        "business_day": office.calendar.is_business_day(office.today),
        "reminders": reminders,
        "escalated": late,
        "resume": resumable,
        "files": [{"case": w.case_no, "ends": w.what.partition(":")[2]} for w in office.store.files(office.today)],
        "head": head.text,
    }


ESCALATED_TO = "approver"


def _announced(office: Office) -> Iterator[dict[str, Any]]:
    """A setting that is about to be loosened, to everybody who could still object (EN-33)."""
    if pending := cooling.loosening(office):
        holds, will, since = pending
        yield {"case": OFFICE_LOG, "what": f"cooling_off:{holds}-{will}", "who": ESCALATED_TO,
               "due": since.astimezone(TOKYO).date().isoformat(), "overdue_days": 0}  # fmt: skip


def _due_today(office: Office) -> Iterator[Work]:
    """What nobody was reminded of today and falls due before the office opens again: clock A waits for no Monday."""
    last = office.calendar.after(office.today, 1) - timedelta(days=1)
    states = {case.case_no: case.state for case in office.store.cases({State.RECEIVED, State.DISPATCHING})}
    for work in office.store.work():
        state = states.get(work.case_no)
        if work.due > last or work.reminded == office.today:
            continue
        if state is State.RECEIVED and waits_for_twin(office, office.store.case(work.case_no)):
            continue
        if state is State.DISPATCHING and work.what == "interim_answer":  # all is ready: nothing is answered apart
            continue
        yield work


def _reminder(office: Office, work: Work) -> dict[str, Any]:
    """``to``, of an order that stands: the owner or partner who has not answered it. Silence is never success."""
    told = {"case": work.case_no, "what": work.what, "who": work.who, "due": work.due.isoformat(),
            "overdue_days": max(0, (office.today - work.due).days)}  # fmt: skip
    kind, _, number = work.what.partition(":")
    if kind != "order":
        return told
    order = office.store.case(work.case_no).facts.get("orders", {}).get(number)  # gone with a plan that was overtaken
    return {**told, "to": order["to"]} if order else told


def _escalates(office: Office, work: Work) -> bool:
    """Late by so many business days that another role hears of it too."""
    days = office.inventory.company.escalate_days
    return work.who != ESCALATED_TO and office.calendar.after(work.due, days) <= office.today


# -- the trail -----------------------------------------------------------------------------------------------------


def checkpoint_file(office: Office) -> Path:
    return office.home / "checkpoint"


def verify_trail(office: Office, printed: Sequence[str] = ()) -> dict[str, Any]:
    """Recompute the whole log against the last checkpoint kept outside the store, and heads printed on letters.

    A sound log is signed anew; an unsound one never is (limits.md §9).
    """
    office.may("verify")
    kept, head = checkpoint_file(office), office.store.head()
    last = [log.open_checkpoint(kept.read_text(), ORIGIN, office.keys.public_key)] if kept.exists() else []
    events = itertools.islice(office.store.events(), head.size)
    problems = log.verify_log(events, last, [log.TreeHead.parse(text) for text in printed], kept=head)
    problems += [log.Problem(None, "altered", f"the row of case {name} is not what its last event left")
                 for name in office.store.altered()]  # fmt: skip
    sound = all(problem.level != "error" for problem in problems)
    if sound:
        sign(office, head)
    return {
        "events": head.size,
        "head": head.text,
        "sound": sound,
        "compared_with_checkpoint": bool(last),
        "problems": [{"seq": p.seq, "what": p.what, "words": p.words, "level": p.level} for p in problems],
    }


def sign(office: Office, head: log.TreeHead) -> str:
    """Keep a signed checkpoint beside the store: cutting the log's tail shows against it."""
    note = log.Checkpoint.sign(ORIGIN, head, office.keys.signing)
    part = checkpoint_file(office).with_suffix(".part")
    with part.open("w") as out:
        out.write(note)
        out.flush()
        os.fsync(out.fileno())
    part.replace(checkpoint_file(office))
    return note


def export_trail(office: Office, case_no: str) -> Mapping[str, Any]:
    """The evidence bundle of one case, for ``evidence_verifier.py`` and nothing else."""
    office.may("export")
    office.store.case(case_no)
    if not verify_trail(office)["sound"]:
        raise CheckFailed("trail: the log does not prove itself; run dsr trail verify")
    note = checkpoint_file(office).read_text()
    head = log.open_checkpoint(note, ORIGIN, office.keys.public_key)
    events = [event for event, _ in office.store.events(case_no) if event.seq <= head.size]
    return log.evidence_bundle(case_no, office.store.leaves(), events, head, note, office.keys.public_key)


LETTER_NEEDS = ("address", "representative", "desk", "complaint_desk")
PUBLISHED = ("procedure", "security_measures")
"""And what the answer on published matters must say (Order 10)."""


def letter_gaps(office: Office) -> list[str]:
    """What letters must say of the controller and the inventory does not (APPI 32(1), Order 10; documents.md §1)."""
    return [name for name in (*LETTER_NEEDS, *PUBLISHED) if not getattr(office.inventory.company, name)]


def inventory_problems(office: Office) -> Iterator[dict[str, str | None]]:
    """Live schemas against the declaration, per system; ``reason`` is ``drift``, or why it could not be compared."""
    for name, connector in office.connect(lambda _system: None, nullcontext).items():
        try:
            drifts = connector.check()
        except (ConnectorError, BadInput) as error:
            dataset, reason, words = None, "refused", str(error)
            if isinstance(error, ConnectorError):
                dataset, reason, words = error.dataset, error.reason, f"{error.reason}: {error.detail}"
            yield {"system": name, "dataset": dataset, "place": "", "problem": words, "reason": reason}
        else:
            for d in drifts:
                yield {"system": d.system, "dataset": d.dataset, "place": d.place, "problem": d.problem,
                       "reason": "drift"}  # fmt: skip


__all__ = [
    "ORIGIN",
    "day_of",
    "export_trail",
    "inventory_problems",
    "listed",
    "shown",
    "standing",
    "verify_trail",
    "watch",
]
