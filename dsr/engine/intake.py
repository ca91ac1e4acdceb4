"""Intake: a request becomes a case, and the requester's identity is recorded before anything is searched."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from datetime import date, timedelta
from typing import Any

from dsr import law
from dsr.case import Act, Case
from dsr.days import day_of
from dsr.documents.content import Words
from dsr.documents.letters import UndrawableLetter
from dsr.engine import collecting, corresponding
from dsr.engine.office import Hold, Office
from dsr.engine.papers import receipt_slip
from dsr.errors import BadInput, DsrError, NotAllowed, as_id
from dsr.inventory import PERSON, System
from dsr.names.person import Person
from dsr.request import IDENTIFIER_KINDS, Proof, Request, in_part, parted
from dsr.rules import clocks, courses, discovery, filing, proofing
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def _twin(office: Office, request: Request) -> str:
    """Keyed: a bare hash of a name and a birth date could be guessed (traps.md T30).

    Whom and where the answer would go to is part of it: nobody's request is answered at another's address (T26).
    """
    person, agent = Person.of(request), request.agent
    said = json.dumps(
        [
            request.right,
            sorted(name.key for name in person.name_keys),
            str(request.subject.born_on),
            request.scope.model_dump(mode="json"),
            sorted(number for number, _ in person.phones),
            sorted(str(astuple(address)) for address in person.address_keys),
            agent.model_dump(mode="json") if agent else None,
        ],
        ensure_ascii=False,
    )
    if request.correction:  # one letter may correct several things
        said += json.dumps(request.correction.model_dump(mode="json"), ensure_ascii=False)
    return hmac.new(office.keys.twin_key, said.encode(), hashlib.sha256).hexdigest()


Asked = Sequence[tuple[Request, Mapping[str, Any]]]
"""The requests of one letter, each with its document."""


def open_case(office: Office, document: object) -> Case:
    """Open a case for REQUEST.json; of a letter with several parts one for each, all or none: the first is returned.

    The same request while its twin runs is linked and executed once (EN-05).
    """
    office.may("open")
    asked = parted(document, office.now)
    for number, (request, _) in enumerate(asked):
        try:
            _known_here(office, request)
            _grounded(request)
        except BadInput as error:
            raise in_part(number, error) from None
    with office.vault.opening():
        letter, twins = _open(office, asked)
    for opened in (*twins, *letter):  # the twin too: a kill may have left it without its slip
        if ("receipt", "result") not in office.store.ledger(opened):
            with office.hold(opened) as hold:
                _acknowledge(hold)
    return office.store.case(letter[0])


def _known_here(office: Office, request: Request) -> None:
    """A mistyped system or kind would find nothing, and read like an absence (traps.md T18)."""
    inventory, wanted = office.inventory, request.scope.systems
    if wanted is not None and (not wanted or not set(wanted) <= set(inventory.system)):
        fix = f"use {', '.join(inventory.system)}, or null"
        raise BadInput("scope.systems", "names no system of the inventory", fix)
    led = {kind for d in inventory.datasets() for kind in (*d.kinds, *(reveal.kind for reveal in d.reveals))}
    kinds = sorted({*IDENTIFIER_KINDS, *led} - {PERSON})
    for number, stated in enumerate(request.subject.identifiers):
        if stated.kind not in kinds:
            field = f"subject.identifiers.{number}.kind"
            raise BadInput(field, "leads to no system", f"use {', '.join(kinds)}")


def _grounded(request: Request) -> None:
    """Of the closed list of its right (law.md §3): what nothing can be weighed against is never planned by."""
    allowed = law.right(request.right, law.version_on(day_of(request.received.at))).ground_needed
    choice = len(allowed) > 1  # a correction says by itself that something is not true
    if request.ground is None and choice:
        problem, fix = "is missing", f"give the one that the letter shows: {', '.join(allowed)}"
    elif request.ground is not None and request.ground not in allowed:
        problem = f"is no ground of {request.right}"
        fix = f"one of {', '.join(allowed)}{'' if choice else ', or null'}" if allowed else "write null: it needs none"
    else:
        return
    raise BadInput("ground", problem, fix)


def _open(office: Office, asked: Asked) -> tuple[list[str], list[str]]:
    """The letter's case numbers, and the running twins that they are linked to."""
    twins = [_twin(office, request) for request, _ in asked]
    _must_differ(asked, twins)
    running = [_running(office, twin) for twin in twins]
    if running[0] and (half := _half_opened(office, running[0], asked)):
        return half, []
    numbers = _following(office.store.next_case_no(office.today.year), len(asked))
    linked = [running[at] if courses.of(request.right).alike else None for at, (request, _) in enumerate(asked)]
    opened = [_opening(office, numbers, at, request, linked[at]) for at, (request, _) in enumerate(asked)]
    vaults = [office.vault.case(case_no, create=True) for case_no in numbers]
    try:
        for vault, (_, document) in zip(vaults, asked, strict=True):
            vault.write("request.json", json.dumps(document, ensure_ascii=False).encode())
        office.store.open_cases([(case, twin, act, b"") for twin, (case, act) in zip(twins, opened, strict=True)],
                                office.now, office.actor.name)  # fmt: skip
    except (DsrError, OSError):
        if not office.store.holds(numbers[0]):  # a server that died at the commit may have made it all the same
            for vault in vaults:
                vault.remove("request.json")
        raise
    return numbers, [twin for twin in linked if twin]


def _must_differ(asked: Asked, twins: Sequence[str]) -> None:
    for at, (request, _) in enumerate(asked):
        if twins[at] in twins[:at] and courses.of(request.right).alike:
            raise BadInput(f"parts.{at - 1}", "asks what another part of this letter asks", "leave it out")


def _following(first: str, count: int) -> list[str]:
    stem, _, number = first.rpartition("-")
    return [f"{stem}-{int(number) + at:06d}" for at in range(count)]


def _opening(
    office: Office, letter: Sequence[str], at: int, request: Request, linked_to: str | None
) -> tuple[Case, Act]:
    arrived = day_of(request.received.at)
    version = law.version_on(arrived)
    parts = {"letter": list(letter)} if len(letter) > 1 else {}
    facts: dict[str, Any] = {
        "arrived": arrived.isoformat(),
        "channel": request.received.channel,
        "method": request.answer.method,
        "language": request.answer.language,
        "opened_on": office.today.isoformat(),
        "presuit": law.right(request.right, version).presuit,
        **parts,
        **({"linked_to": linked_to} if linked_to else {}),
    }
    public = {
        "right": request.right,
        "channel": request.received.channel,
        "arrived": arrived.isoformat(),
        "law_version": version.id,
        "linked_to": linked_to,
        **parts,
        **({"rehearsal": True} if office.rehearsal else {}),
    }
    made = clocks.targets(arrived, None, office.calendar, request.right)
    act = Act("open", "result", public, owes=tuple((target.what, target.who, target.due) for target in made))
    return Case(letter[at], request.right, State.RECEIVED, request.received.at, version.id, 0, facts), act


def _half_opened(office: Office, case_no: str, asked: Asked) -> list[str]:
    """The same arrival, whose opening was cut off before a slip: opened to the end now, and not a second time."""
    case = office.store.case(case_no)
    letter = parts_of(case)
    same = case.received_at == asked[0][0].received.at and len(letter) == len(asked)
    return letter if same and any(("receipt", "result") not in office.store.ledger(no) for no in letter) else []


def parts_of(case: Case) -> list[str]:
    """The cases of the letter, the case itself among them."""
    return list(case.facts.get("letter") or [case.case_no])


def _running(office: Office, twin: str) -> str | None:
    """The case of the same request that is not answered yet."""
    ended = (State.CLOSED, State.WITHDRAWN, State.KEPT)  # kept: answered, and only a day is waited for
    running = (c for c in office.store.twins(twin) if c.state not in ended and not c.facts.get("linked_to"))
    return next((case.case_no for case in running), None)


def _acknowledge(hold: Hold) -> None:
    """受付票 (receipt_slip), due within two business days, made at once; taken out by ``dsr letters``.

    A name that no font can draw is no reason not to be received: the slip is then owed by hand.
    """

    def draw() -> tuple[Mapping[str, Any], Act]:
        first = _without_proof(hold)
        try:
            entry = receipt_slip(hold)
        except UndrawableLetter as error:
            undrawn = {**first.facts, "undrawn": str(error)}
            return {"undrawn": f"U+{error.code_point:04X}"}, replace(first, facts=undrawn)
        documents = [*hold.case.facts.get("documents", []), entry]
        return {"sha256": entry["sha256"], "pages": entry["pages"]}, replace(
            first, facts={**first.facts, "documents": documents}, done=(*first.done, "acknowledge")
        )

    hold.once("receipt", draw)


def _without_proof(hold: Hold) -> Act:
    """What needs no proof goes on at once (ID-2); what is no request waits only for its letter."""
    course = courses.of(hold.case.right)
    if not proofing.needs_none(hold.request) or hold.case.facts.get("linked_to"):  # its twin does the work
        return Act("")
    if course.outcome == "misdirected":
        facts = {"whole": course.outcome, "proposal": {}, "plan": "", "second_person": []}
        return Act("", to=State.MISDIRECTED, facts=facts, done=("id_check",))
    facts = {"proved_on": hold.office.today.isoformat()}
    return Act("", to=State.PROVED, facts=facts, owes=_search_owed(hold), done=("id_check",))


def prove(office: Office, case_no: str, document: object) -> proofing.Assessment:
    """Record how the requester was identified. Not proved: the case waits for a cure and nothing is searched.

    What was shown for one part of a letter was shown for all; how much it proves is judged for each right (ID-4).
    """
    office.may("prove")
    proof = shaped(Proof, document, "proof")
    with office.hold(case_no) as hold:
        case = hold.require(*_UNPROVED)
        if twin := _waits_for(office, case):
            raise BadInput(
                "case",
                f"{case_no} is the same request as {twin}",
                "work on that case; both are answered together",
            )
        assessment = _prove(hold, proof, asks=True)
    for other in parts_of(case):
        if other != case_no and office.store.case(other).state in _UNPROVED:
            with office.hold(other) as hold:
                if not _waits_for(office, hold.case):
                    _prove(hold, proof, asks=assessment.proved)  # else one letter asks for what all of them lack
    return assessment


_UNPROVED = (State.RECEIVED, State.AWAITING_CURE)


def _waits_for(office: Office, case: Case) -> str | None:
    """The twin that does the work; once that one is withdrawn, this one goes its own way."""
    twin = case.facts.get("linked_to")
    return str(twin) if twin and not office.store.case(twin).withdrawn else None


def _prove(hold: Hold, proof: Proof, *, asks: bool) -> proofing.Assessment:
    office = hold.office
    if backs := proofing.unread(proof):
        returned = sum(step.startswith("returned:") for step, _ in hold.steps()) + 1
        hold.record(Act(f"returned:{returned}", "result", {"papers": backs}))  # sent back unread: which, nowhere
    assessment = proofing.assess(hold.request, proof, office.today)
    number = sum(1 for step, _ in hold.steps() if step.startswith("prove:")) + 1
    hold.write_json(f"proof/{number}.json", proof.model_dump(mode="json"))
    public = {
        "proved": assessment.proved,
        "method": proof.method,
        "defects": [d.code for d in assessment.defects],
        "documents": [d.type for d in proof.documents],
        "strength": assessment.strength,
        **({"authority": proof.agent.authority} if proof.agent else {}),
    }
    facts: dict[str, Any] = {"defects": [d.code for d in assessment.defects], "strength": assessment.strength,
                             "no_address": not assessment.address}  # fmt: skip
    if proofing.copied(proof):
        facts["copies"] = filing.HELD
    act = Act(f"prove:{number}", "result", public, facts=facts)
    if assessment.proved:
        facts["proved_on"] = office.today.isoformat()
        hold.record(replace(act, to=State.PROVED, owes=_search_owed(hold), done=("id_check", "cure")))
    else:  # recorded first: what a kill leaves unsaid is proved, and asked for, once more
        hold.record(act)
        if asks:
            _ask_for_cure(hold, f"prove:{number}", assessment)
        elif hold.case.state is State.RECEIVED:
            hold.record(replace(_waits_for_cure(hold), step_key=f"cure:{number}"))
    return assessment


def _search_owed(hold: Hold) -> tuple[tuple[str, str, date], ...]:
    made = clocks.targets(day_of(hold.case.received_at), hold.office.today, hold.office.calendar, hold.case.right)
    return tuple((target.what, target.who, target.due) for target in made if target.what == "search")


def _ask_for_cure(hold: Hold, key: str, assessment: proofing.Assessment) -> None:
    """補正依頼書 (APPI 37(1)(2)): every defect with how it can be cured."""
    due = _cure_due(hold)
    rows = [(Words(defect.words_ja, defect.words_en),) for defect in assessment.defects]
    corresponding.write(hold, key, "defect_notice", {"defects": rows, "due": due}, act=_waits_for_cure(hold))


def _cure_due(hold: Hold) -> date:
    return hold.office.today + timedelta(days=hold.office.inventory.company.cure_days)


def _waits_for_cure(hold: Hold) -> Act:
    asked = {"cure": {"asked_on": hold.office.today.isoformat(), "due": _cure_due(hold).isoformat()}}
    return Act("", to=State.AWAITING_CURE, facts=asked, owes=(("cure", "handler", _cure_due(hold)),),
               done=("id_check",))  # fmt: skip


def cure_of(hold: Hold) -> tuple[str | None, date | None]:
    """When a cure was asked for last, by the letter of this case or of another part, and until when."""
    cure = hold.case.facts.get("cure") or {}
    return cure.get("asked_on"), date.fromisoformat(cure["due"]) if cure else None


def search_order(office: Office, case_no: str, system: str) -> dict[str, Any]:
    """検索指示票: whom to look for, where and how, and the form of the answer. Shown to the officer, stored nowhere."""
    office.may("answer")
    declared = _manual(office, case_no, system)
    with office.hold(case_no) as hold:
        hold.require(State.COLLECTING, State.BLOCKED, State.PROVED)
        known, subject = collecting.current(hold), hold.request.subject
        kinds = {kind for dataset in declared.dataset.values() for kind in dataset.kinds}
        numbers = [i for i in known.identifiers if i.kind in kinds]
        due = next((w.due for w in office.store.work(case_no) if w.what == f"search_order:{system}"), None)
        return {
            "case": case_no,
            "system": system,
            "label": declared.label,
            "due": due.isoformat() if due else None,
            "look_for": {
                "names": list(hold.person.names),
                "kana": list(hold.person.kana),
                "born_on": subject.born_on.isoformat() if subject.born_on else None,
                "addresses": list(subject.addresses),
                "identifiers": [{"kind": i.kind, "value": i.value, "trusted": i.trusted} for i in numbers],
            },
            "how": {d.id: [*(way.locate for way in d.ways), d.fetch] for d in declared.dataset.values()},
            "answer": {
                "searched_on": office.today.isoformat(),
                "searched_by": "",
                "datasets": {
                    name: [{key: rule.label for key, rule in dataset.fields.items()}]
                    for name, dataset in declared.dataset.items()
                },
            },
        }


def _manual(office: Office, case_no: str, system: str) -> System:
    declared = office.inventory.system.get(system)
    if declared and declared.nature not in discovery.ASKABLE:
        with office.hold(case_no) as hold:  # an attempt is itself an event (T-12, U-2)
            hold.note_denied({"system": system})
        raise NotAllowed(f"{system} is not ours to search: the person is sent to its desk; the attempt is in the log")
    if declared is None or declared.store != "manual":
        raise BadInput("system", f"no manual system '{as_id(system)}' in the inventory", "see dsr show CASE")
    return declared


def answer_search(office: Office, case_no: str, system: str, document: object) -> None:
    """An officer's answer to the search order of a manual system."""
    from dsr.request import SearchAnswer

    office.may("answer")
    found = shaped(SearchAnswer, document, "answer")
    if found.searched_on > office.today:
        raise BadInput("searched_on", "is in the future", "give the day the search was done")
    declared = _manual(office, case_no, system)
    for dataset_id in found.datasets:
        if dataset_id.removeprefix(f"{system}.") not in declared.dataset:
            known = ", ".join(dataset.id for dataset in declared.dataset.values())
            raise BadInput(f"datasets.{as_id(dataset_id)}", "is no dataset of this system", f"use {known}")
    with office.hold(case_no) as hold:
        hold.require(State.COLLECTING, State.BLOCKED, State.PROVED)
        hold.write_json(f"answers/{system}.json", found.model_dump(mode="json"))
        number = sum(1 for step, _ in hold.steps() if step.startswith(f"answer:{system}:")) + 1
        counts = {dataset: len(rows) for dataset, rows in found.datasets.items()}
        public = {"records": counts, "searched_on": found.searched_on.isoformat()}
        hold.record(Act(f"answer:{system}:{number}", "result", public, done=(f"search_order:{system}",)))
