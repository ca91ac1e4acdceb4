"""手続外請求の不受理: a cure that was asked for and failed is itself decided, and answered by one letter (APPI 37).

Of what we hold nothing was looked at for it, and nothing is said about it; the person may ask again at any time.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from dsr import law
from dsr.case import Act
from dsr.engine import charging, intake, replying
from dsr.engine.office import Hold, digest_of
from dsr.errors import BadInput, NotAllowed
from dsr.request import Decision
from dsr.rules import courses, proposing
from dsr.rules.lifecycle import State

GROUNDS = ("APPI-37-1-FORM", "APPI-37-1-ID", "APPI-37-1-AGENT", "APPI-37-1-FEE", "APPI-37-2-UNSPEC")
AGENTS = ("agent_", "mandate_")
"""Beginnings of the defects that an agent's authority has."""


def decide(hold: Hold, decision: Decision) -> State:
    """Raises BadInput for a ground that does not fit what was asked for; NotAllowed before the cure's day is over."""
    said = decision.procedure
    assert said is not None
    if decision.datasets or decision.records:
        raise BadInput("procedure", "stands beside decisions on data", "refuse on procedure, or decide the datasets")
    asked_on = _failed(hold, said.ground)
    _fits(hold, decision)
    number = len(hold.case.facts.get("decisions", [])) + 1
    hold.write_json(f"decision/{number}.json", {"procedure": said.reason})
    replying.seal(hold, number, decision)
    words = [hold.vault.commit("words", said.reason), hold.vault.commit("given", str(decision.given))]
    plan = digest_of([hold.case_no, said.ground, asked_on, *words])
    if hold.case.state is State.AWAITING_CURE:
        hold.record(Act(f"cure_failed:{number}", "result", {"ground": said.ground}, to=State.AWAITING_DECISION,
                        facts={courses.FAILED: True, "datasets": {}, "proposal": {}}))  # fmt: skip
    made = {"by": hold.office.actor.name, "at": hold.office.now.isoformat(), "plan": plan, "changed": []}
    facts: dict[str, Any] = {
        courses.FAILED: True, "whole": "procedure_refused", "decision_outcome": "procedure_refused", "items": {},
        "procedure": {"ground": said.ground, "asked_on": asked_on}, "decision": number, "decided_plan": plan,
        "second_person": [], "secrecy": False, "decided_by": hold.office.actor.name,
        "decided_on": hold.office.today.isoformat(), "decisions": [*hold.case.facts.get("decisions", []), made],
    }  # fmt: skip
    hold.record(Act(f"decide:{number}", "result", {"plan": plan, "ground": said.ground}, to=State.FULFILLING,
                    facts=facts, done=("decision", "cure", "fee")))  # fmt: skip
    return State.FULFILLING


def _failed(hold: Hold, ground: str) -> str:
    """The day on which the cure was asked for. Raises BadInput, NotAllowed."""
    if ground not in GROUNDS:
        raise BadInput("procedure.ground", "is no ground of procedure", f"one of {', '.join(GROUNDS)}")
    proposing.check_ground(hold.case.right, ground, "procedure.ground")
    if ground == "APPI-37-1-FEE":
        hold.require(State.AWAITING_DECISION)
        fee = hold.case.facts.get("fee") or {}
        asked, due = fee.get("asked_on"), date.fromisoformat(fee["due"]) if charging.is_owed(hold) else None
    else:
        hold.require(State.AWAITING_CURE, *([State.AWAITING_DECISION] if hold.case.facts.get(courses.FAILED) else []))
        asked, due = intake.cure_of(hold)
    if asked is None or due is None:
        raise NotAllowed(f"{hold.case_no}: nobody was asked to cure it; only a cure that failed is refused (37(1))")
    if hold.office.today <= due:
        raise NotAllowed(f"{hold.case_no}: the person has until {due} to cure it")
    return str(asked)


def _fits(hold: Hold, decision: Decision) -> None:
    """What the row of the ground needs before use (law.md §5), and that it is what the person was told is missing."""
    said, office = decision.procedure, hold.office
    assert said is not None
    if "procedure_published" in law.ground(said.ground).needs and not office.inventory.company.procedure:
        raise BadInput("company.procedure", "is missing", "only what was published can be demanded: publish it first")
    proposing.must_be_given(said.ground, decision, "procedure", {"procedure_published", "cure_asked"})
    of_agent = {code.startswith(AGENTS) for code in hold.case.facts["defects"]}
    wanted = {"APPI-37-1-ID": False, "APPI-37-1-AGENT": True}.get(said.ground)
    if wanted is not None and wanted not in of_agent:
        raise BadInput("procedure.ground", "is not what the person was told is missing", "see defects of dsr show CASE")
