"""取下げ: confirmed to the registered address, open to objection for three business days, then closed (EN-28)."""

from __future__ import annotations

from dsr.case import Act
from dsr.documents.letter import draw_letter
from dsr.documents.stop_notice import withdrawal_confirmation
from dsr.engine import corresponding, dispatching, papers
from dsr.engine.office import Office
from dsr.errors import NotAllowed
from dsr.rules import lifecycle
from dsr.rules.lifecycle import State

OBJECT_DAYS = 3
"""Business days in which the person may say that it was not she who took it back [policy]."""
LETTER = "withdrawal_confirmation"


def withdraw(office: Office, case_no: str) -> None:
    """Nothing runs afterwards. Raises NotAllowed once an effect has begun."""
    office.may("withdraw")
    with office.hold(case_no) as hold:
        begun = any(step.startswith(("suppress:", "erase:", "order:")) for step, _ in hold.steps())
        if hold.case.state is State.WITHDRAWN:
            return
        before = hold.case.state
        lifecycle.move(before, State.WITHDRAWN, effect_begun=begun)
        number = 1 + sum(step.startswith("withdraw:") and phase == "result" for step, phase in hold.steps())
        until = office.calendar.after(office.today, OBJECT_DAYS)
        path = f"{corresponding.LETTERS}{LETTER}.{number}.pdf"
        head = office.store.head().text
        made = withdrawal_confirmation(corresponding.frame(hold, head), office.today, until)
        entry = papers.draw(hold, LETTER, path, lambda out: draw_letter(made, out))
        facts = {"outcome": "withdrawn", "withdrawn_from": before.value, "object_until": until.isoformat(),
                 "documents": [*hold.case.facts.get("documents", []), entry]}  # fmt: skip
        posting = (f"{corresponding.POST}{path.removeprefix(corresponding.LETTERS)}", "handler", office.today)
        hold.record(Act(f"withdraw:{number}", "result", {"until": until.isoformat(), "sha256": entry["sha256"],
                                                         "issued_on": office.today.isoformat(), "head": head},
                        to=State.WITHDRAWN, facts=facts, owes=(posting,), done=dispatching.ended(hold)))  # fmt: skip


def objected(office: Office, case_no: str) -> None:
    """She did not take it back, or changed her mind in time: the case begins again, on its old clock A."""
    office.may("withdraw")
    with office.hold(case_no) as hold:
        case = hold.require(State.WITHDRAWN)
        if office.today.isoformat() > case.facts["object_until"]:
            raise NotAllowed(f"{case_no}: the days to object ended on {case.facts['object_until']}; open a new case")
        number = 1 + sum(step.startswith("objected:") for step, _ in hold.steps())
        owed = (("id_check", "handler", office.calendar.after(office.today, 1)),)
        facts = {"outcome": None, "withdrawn_from": None, "object_until": None}
        hold.record(Act(f"objected:{number}", "result", to=State.RECEIVED, facts=facts, owes=owed))


def lapsed(office: Office) -> list[str]:
    """Withdrawn cases whose days to object are over: closed by the morning round."""
    today, gone = office.today.isoformat(), office.store.cases({State.WITHDRAWN})
    over = [case for case in gone if (case.facts.get("object_until") or case.facts["opened_on"]) < today]
    for case in over:
        with office.hold(case.case_no) as hold:
            hold.record(Act("withdrawn", "result", to=State.CLOSED, done=dispatching.ended(hold)))
    return [case.case_no for case in over]

