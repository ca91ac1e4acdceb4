"""Decide and approve: a person decides; where the table says so, another officer approves exactly that plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsr.case import Act
from dsr.engine import apart, charging, ordering, overtaken, plans, refusing, replying, reviewing
from dsr.engine.office import Hold, Office, digest_of
from dsr.errors import BadInput, Conflict, NotAllowed, as_id
from dsr.request import Decision
from dsr.rules import courses, erasures, proposing
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def decide(office: Office, case_no: str, document: object | None) -> State:
    """``None`` takes the proposal as it stands. A decision is bound to the plan by digest."""
    office.may("decide")
    decision = shaped(Decision, document, "decision") if document is not None else Decision(datasets={})
    with office.hold(case_no) as hold:
        if decision.procedure:
            return refusing.decide(hold, decision)
        case = hold.require(State.AWAITING_DECISION, State.MISDIRECTED)
        if case.facts.get(courses.FAILED):
            raise BadInput("procedure", "is missing", f"{case_no} was not cured: decide with procedure, see dsr show")
        if charging.is_owed(hold):
            raise NotAllowed(f"{case_no}: the fee is not paid yet; dsr fee {case_no} --paid DAY, or --waive")
        overtaken.must_not_be(hold)
        rules: Any = erasures if plans.changes(hold) else proposing
        replying.must_say(case.right, decision)
        items = rules.decided(case.right, case.facts["proposal"], decision)
        if case.right in plans.CORRECTING:
            items = erasures.corrected(items, decision)
        number = len(case.facts.get("decisions", [])) + 1
        drafts = apart.decide(hold, number, items, decision)
        changed = sorted(name for name, item in items.items() if item != case.facts["proposal"][name])
        # An officer's words are free text: sealed, and bound to the plan by a keyed digest.
        if decision.investigated:
            hold.write_json(f"decision/{number}.investigated.json", decision.investigated.model_dump(mode="json"))
        replying.seal(hold, number, decision)
        _must_be_given(hold, items, changed, decision)
        words = {name: items[name]["reason"] for name in changed}
        hold.write_json(f"decision/{number}.json", {**words, **_of_records(decision)})
        items |= {name: {**items[name], "reason": ""} for name in changed}
        plan = _plan(hold, items, number)
        if decision.investigated:
            plans.seal_again(hold, number)
        told = [*(item["outcome"] for item in items.values()), *(item.outcome for item in decision.records.values())]
        neutral = "existence_neutral" in told
        second = [*case.facts["second_person"], *(["existence_neutral"] if neutral else [])]
        to = State.AWAITING_APPROVAL if second else State.FULFILLING
        if case.state is State.MISDIRECTED:  # no request: only the letter is left to make
            to = case.state
        decisions = [
            *case.facts.get("decisions", []),
            {"by": office.actor.name, "at": office.now.isoformat(), "plan": plan, "changed": changed},
        ]
        facts = {
            "items": items,
            "drafts": drafts,
            "second_person": second,
            "decision": number,
            "refused": None,
            "decided_by": office.actor.name,
            "decided_on": office.today.isoformat(),
            "decided_plan": plan,
            "decisions": decisions,
            "decision_outcome": case.facts.get("whole") or rules.outcome_of_case(items),
            **({**plans.FRESH, "orders": ordering.still_told(hold)} if plans.changes(hold) else {}),
        }
        second_look = ("approve", "approver", office.calendar.after(office.today, 1))
        hold.record(
            Act(
                f"decide:{number}",
                "result",
                {"plan": plan, "items": _codes(items), "changed": changed, "second_person": second},
                to=to,
                facts=facts,
                owes=(second_look,) if to is State.AWAITING_APPROVAL else (),
                done=("decision", *ordering.fallen(hold)),
            )
        )
        return to


def _must_be_given(hold: Hold, items: Mapping[str, Mapping[str, Any]], changed: Sequence[str],
                   decision: Decision) -> None:  # fmt: skip
    """What the ground of each change needs before use (law.md §5). Raises BadInput."""
    grounds = [(f"datasets.{name}", name, items[name]["ground"]) for name in changed]
    grounds += [(f"records.{as_id(one)}", one.partition("/")[0], item.ground) for one, item in decision.records.items()]
    for field, name, ground in grounds:
        dataset = hold.office.inventory.dataset(name)
        stands = {"desk": hold.office.inventory.system_of(dataset).desk, "purpose_no": dataset.purposes,
                  "investigation": decision.investigated}  # fmt: skip
        if ground:
            proposing.must_be_given(ground, decision, field, {need for need, there in stands.items() if there})


def _of_records(decision: Decision) -> dict[str, str]:
    return {record: item.reason for record, item in decision.records.items() if item.reason}


def _plan(hold: Hold, items: Mapping[str, Mapping[str, Any]], number: int) -> str:
    words = hold.vault.read(f"decision/{number}.json").decode()
    looked = f"decision/{number}.investigated.json"  # what is to stand there: the code of another value is another
    true = [hold.vault.commit("investigated", hold.vault.read(looked).decode())] if hold.vault.exists(looked) else []
    for word in ("said", "given", "records"):
        name = f"decision/{number}.{word}.json"
        true += [hold.vault.commit(word, hold.vault.read(name).decode())] if hold.vault.exists(name) else []
    return digest_of([hold.case.facts["plan"], items, hold.vault.commit("words", words), *true])


def _codes(items: dict[str, dict[str, object]]) -> dict[str, list[object]]:
    """What the log says of them."""
    return {name: [item["outcome"], item["ground"]] for name, item in items.items()}


def code_of(hold: Hold) -> str:
    """Stands beside the counts in the preview; who approves destruction types it, and so has seen them."""
    said = hold.vault.commit("approval code", str(hold.case.facts["decided_plan"]))
    return "".join("23456789ABCDEFGHJKLMNPQRSTUVWXYZ"[byte % 32] for byte in bytes.fromhex(said)[:6])


def approve(office: Office, case_no: str, code: str = "") -> State:
    """The second person. Raises NotAllowed for the decider, Conflict when the plan is no longer what was decided,
    BadInput where a plan that destroys is approved without the code that stands beside its counts."""
    office.may("approve")
    with office.hold(case_no) as hold:
        case = hold.require(State.AWAITING_APPROVAL)
        hold.must_be_another("approve")
        if plans.changes(hold) and code.strip().upper() != code_of(hold):
            fix = f"read the counts of dsr preview {case_no} --out DIR, and give the code that stands beside them"
            raise BadInput("--code", "is not the code of this plan", fix)
        plan = _plan(hold, case.facts["items"], case.facts["decision"])
        if plan != case.facts["decided_plan"] or not _still(hold):
            _to_review(hold, f"approve:{len(case.facts['decisions'])}", {"stale": True}, {})
            raise Conflict(f"{case_no}: what was decided is no longer what lies in the case; it went back to review")
        if plans.changes(hold) and (why := overtaken.stale(hold)):
            _to_review(hold, f"approve:{len(case.facts['decisions'])}", why, {"stale": why})
            raise Conflict(f"{case_no}: the plan was overtaken since it was decided ({overtaken.words(why)}); it went "
                           f"back to review: {overtaken.anew(case_no, why)}")  # fmt: skip
        decisions = [
            *case.facts["decisions"],
            {"by": office.actor.name, "at": office.now.isoformat(), "plan": plan, "approves": True},
        ]
        hold.record(
            Act(
                f"approve:{len(case.facts['decisions'])}",
                "result",
                {"plan": plan},
                to=State.FULFILLING,
                facts={"decisions": decisions, "approved_by": office.actor.name},
                done=("approve",),
            )
        )
        return State.FULFILLING


def refuse(office: Office, case_no: str, reason: str) -> State:
    """The second person does not approve: back to review, with the reason sealed for who decided. Raises BadInput."""
    office.may("approve")
    if not reason.strip():
        raise BadInput("--refuse", "gives no reason", "say what must change before you would approve")
    with office.hold(case_no) as hold:
        case = hold.require(State.AWAITING_APPROVAL)
        hold.must_be_another("approve")
        number = case.facts["decision"]
        hold.write_json(f"decision/{number}.refused.json", {"by": office.actor.name, "reason": reason.strip()})
        _to_review(hold, f"refuse:{number}", {"plan": case.facts["decided_plan"]}, {"refused": number})
        return State.REVIEW


def _to_review(hold: Hold, step: str, public: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    owed = ("decision", "handler", hold.office.today)
    hold.record(Act(step, "result", public, to=State.REVIEW, facts={"items": {}, "decision_outcome": None, **facts},
                    owes=(owed,), done=("approve",)))  # fmt: skip


def _still(hold: Hold) -> bool:
    """The drafts that the plan was made of are still there."""
    return all(hold.vault.exists(reviewing.file_of(hold, name)) for name in hold.case.facts.get("drafts", {}))
