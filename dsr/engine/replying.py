"""The answer of a right that changes no store: one letter from the office's template, with what data go beside it.

What is said comes from the inventory and from what was located; an officer's own words only where the law asks for an
answer in words (a complaint), sealed with the decision that they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from dsr import law
from dsr.documents import templates
from dsr.documents.content import FileLine, Text, Words, listed
from dsr.documents.letter import draw_letter
from dsr.documents.parts import citation, lines, records
from dsr.documents.wordings import by_law, say
from dsr.engine import corresponding, papers, releasing
from dsr.engine.assembling import FOLDER, listing, manifest_file
from dsr.engine.office import Hold, digest_of
from dsr.errors import BadInput
from dsr.inventory import Dataset, Inventory
from dsr.package import read_batches
from dsr.request import Decision
from dsr.rules import courses, provision
from dsr.rules.lifecycle import State

Values = dict[str, templates.Value]
Rows = list[tuple[Text, ...]]


# -- what an officer says ------------------------------------------------------------------------------------------


def must_say(right: str, decision: Decision) -> None:
    """Raises BadInput for words that the letter waits for, and for some that it has no place for."""
    course = courses.of(right)
    for name in ("answer", "desk"):
        given = bool(getattr(decision, name))
        if name in course.needs and not given:
            raise BadInput(name, "is missing", 'an officer answers: {"datasets": {}, "answer": ["…", "…"]}')
        if given and name not in (*course.needs, *course.takes):
            raise BadInput(name, f"has no place in the answer to {right}", "leave it out")


def seal(hold: Hold, number: int, decision: Decision) -> None:
    """Words of the letter; and what a ground needs, which is for the file alone."""
    if decision.given:
        hold.write_json(f"decision/{number}.given.json", dict(decision.given))
    if decision.answer or decision.desk:
        hold.write_json(f"decision/{number}.said.json", {"answer": list(decision.answer), "desk": decision.desk})


def _said(hold: Hold) -> Mapping[str, Any]:
    name = f"decision/{hold.case.facts.get('decision')}.said.json"
    return dict(hold.read_json(name)) if hold.vault.exists(name) else {"answer": [], "desk": ""}


# -- the letter ----------------------------------------------------------------------------------------------------


def finish(hold: Hold, step: str, cited: Mapping[str, Any], data: Sequence[Mapping[str, Any]]) -> State:
    """Letter, manifest, gate: to dispatching. ``data``: what goes out beside the letter."""
    letter = hold.once(f"letter:{step}", lambda: (letter_file(hold, FOLDER, cited, data), None))
    files = [listing(letter), *map(dict, data)]
    hold.once(f"manifest:{step}", lambda: (manifest_file(hold, FOLDER, cited, files), None))
    documents = [d for d in hold.case.facts.get("documents", []) if not d["path"].startswith(FOLDER)]
    facts = {"documents": [*documents, dict(letter)], "files": files, "issued_on": cited["issued_on"],
             "outcome": hold.case.facts["decision_outcome"]}  # fmt: skip
    digests = {**{file["path"]: file["sha256"] for file in files}, "manifest.json": None}
    return releasing.release(hold, step, FOLDER, digests, facts)


def letter_file(
    hold: Hold, folder: str, cited: Mapping[str, Any], data: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Raises BadInput for what the inventory must say and does not."""
    right, outcome = hold.case.right, hold.case.facts["decision_outcome"]
    failed = hold.case.facts.get(courses.FAILED)
    kind, values = PROCEDURE if failed else LETTERS.get((right, outcome)) or LETTERS[right, ""]
    template = corresponding.template_of(hold.office, kind)
    frame = replace(corresponding.frame(hold, cited["head"]), issued_on=date.fromisoformat(cited["issued_on"]))
    made = templates.letter(kind, template, frame, {**corresponding.common(hold), **values(hold)})
    made = replace(made, files=tuple(FileLine(file["path"], file["sha256"], file["size"]) for file in data))
    entry = papers.draw(hold, kind, f"{folder}decision.pdf", lambda out: draw_letter(made, out))
    return {**entry, "template": digest_of(template.model_dump(mode="json"))[:16]}


def _purposes(hold: Hold) -> Values:
    """Per dataset found what it is used for and to whom it is given (APPI 32(2)); what is refused with its ground."""
    told: Rows = []
    refused: Rows = []
    inventory, items = hold.office.inventory, hold.case.facts["items"]
    for name in inventory.ordered(items):
        dataset, item = inventory.dataset(name), items[name]
        label = papers.label_of(inventory, dataset)
        if item["outcome"] == "refused":
            refused.append((label, *_refused(inventory, dataset.purposes, item["ground"])))
        elif item["outcome"] in ("full", "partial"):
            used = [_purpose(inventory, number) for number in dataset.purposes]
            given = [papers.own(inventory, text) for text in _given_to(inventory, dataset)]
            told.append((label, lines(*used), lines(*given) or say("given_to_nobody")))
    return {"purposes": told, "refused": refused, "searched": _searched(hold, ("not_ours", "not_asked"))}


def _given_to(inventory: Inventory, dataset: Dataset) -> list[str]:
    """Third parties, processors and joint users, each once."""
    partners = [one.label for one in inventory.partner.values() if dataset.id in one.datasets]
    return list(dict.fromkeys([*(inventory.recipients.get(key, key) for key in dataset.recipients), *partners]))


def _purpose(inventory: Inventory, number: str) -> Words:
    return say("numbered_purpose", number=number, purpose=papers.own(inventory, inventory.purposes.get(number, "")))


def _refused(inventory: Inventory, purposes: tuple[str, ...], ground: str) -> tuple[Text, Text]:
    """Citation and reason. The officer's memo is for the file; of what is published the purpose is named."""
    row = law.ground(ground)
    published = [_purpose(inventory, number) for number in purposes] if "purpose_no" in row.needs else []
    return citation(row), lines(papers.both(row.reason), *published)


def _refusal(hold: Hold) -> Values:
    return {"refused": _purposes(hold)["refused"], "searched": _searched(hold, ("not_ours",))}


def _absence(hold: Hold) -> Values:
    """From outward results only: for what must not be known the same (DC-5)."""
    return {"statement": by_law("purpose_absence"), "searched": _searched(hold)}


def _searched(hold: Hold, only: tuple[str, ...] = ()) -> Rows:
    """What the search ended with; of what was found and decided to be outside our answer, that."""
    told: Rows = []
    for name, one in zip(papers.outward(hold), papers.searched(hold), strict=True):
        label = listed(dict.fromkeys([one.system, one.dataset]), "／", " / ")
        outcome = law.outcome(hold.case.facts["items"][name]["outcome"])
        if hold.case.facts["datasets"][name]["status"] == "found" and outcome.id in papers.OUTSIDE:
            told.append((label, Words(outcome.label, outcome.label_en)))
        elif one.status not in ("found", "withheld") and (not only or one.status in only):
            told.append((label, lines(one.status_label, one.detail)))
    return told


def _records(hold: Hold) -> Values:
    """Given and received apart, each record with its items and no more; what is withheld, by ground (APPI 33(5))."""
    told: dict[bool, Rows] = {True: [], False: []}
    for dataset in papers.shown_datasets(hold):
        with hold.vault.reader(f"draft/{dataset.id}.arrow") as source:
            for row in (row for batch in read_batches(source) for row in batch.to_pylist()):
                one = provision.said(dataset, row)
                items = [listed([papers.label(dataset.fields[name]), text], "：", ": ") for name, text in one.items]
                told[one.kind.given].append((one.record_no, Words(one.kind.label, one.kind.label_en), lines(*items)))
    none = [("―", papers.both(lambda lang: law.status_label("none_found", None, lang)), "")]
    return {"given": told[True] or none, "received": told[False] or none, **_not_shown(hold)}


def _not_shown(hold: Hold) -> Values:
    """And, in every answer alike, that beyond it there is none (law.md §5, APPI-33-5-NOREC)."""
    inventory, drafts = hold.office.inventory, hold.case.facts["drafts"]
    rows: Rows = []
    for name, item in inventory.ordered(hold.case.facts["items"]).items():
        whole = {item["ground"]: drafts[name]["rows"]} if item["outcome"] == "refused" and name in drafts else {}
        parts = papers.withheld(drafts[name]) if item["outcome"] == "partial" else {}
        for ground, n in {**whole, **parts}.items():
            row, label = law.ground(ground), papers.label_of(inventory, inventory.dataset(name))
            rows.append((label, records(n), citation(row), papers.both(row.reason)))
    return {"withheld": rows, "no_record": by_law("no_statutory_record")}


def _no_records(hold: Hold) -> Values:
    """As ``_absence``; alike whether or not there ever was such a provision."""
    none = lines(by_law("record_absence"), by_law("no_statutory_record"))
    return {"statement": none, "searched": _searched(hold)}


def _published(hold: Hold) -> Values:
    """All of APPI 32(1) and Order 10."""
    inventory = hold.office.inventory
    told: Values = {}
    for name, needed in PUBLISHED.items():
        if needed and not getattr(inventory.company, name):
            raise BadInput(f"company.{name}", "is missing", "what must be published is answered whole: add it")
        told[name] = papers.own(inventory, getattr(inventory.company, name))
    purposes = [(number, papers.own(inventory, text)) for number, text in inventory.purposes.items()]
    return {**told, "fee": say("no_fee"), "purposes": purposes}


PUBLISHED = {"name": True, "address": True, "representative": True, "procedure": True, "security_measures": True,
             "complaint_desk": True, "accredited_body": False}  # fmt: skip
"""Fields of the company that 32(1) and Order 10 name → whether there is no answer without."""


def _measures(hold: Hold) -> Values:
    inventory = hold.office.inventory
    rows = [tuple(papers.own(inventory, text) or "―" for text in (one.label, one.country, one.system, one.measures))
            for one in inventory.abroad]  # fmt: skip
    return {"recipients": rows} if rows else {}


def _answer(hold: Hold) -> Values:
    return {"answer": [(paragraph,) for paragraph in _said(hold)["answer"]]}


def _on_screen(hold: Hold) -> Values:
    inventory = hold.office.inventory
    if not inventory.company.member_site:
        raise BadInput("company.member_site", "is missing", "say where members change it themselves")
    return {"place": papers.own(inventory, inventory.company.member_site)}


def _elsewhere(hold: Hold) -> Values:
    """The right desk where an officer or the inventory names one."""
    inventory, said = hold.office.inventory, _said(hold)
    desk = said["desk"] or papers.own(inventory, inventory.company.desks.get(hold.case.right, ""))
    right = law.right(hold.case.right)
    return {"part": Words(right.label, right.label_en), "other_desk": desk,
            "remarks": [(paragraph,) for paragraph in said["answer"]]}  # fmt: skip


def _not_taken_up(hold: Hold) -> Values:
    said, procedure = papers.officers_words(hold)["procedure"], hold.case.facts["procedure"]
    ground, inventory = law.ground(procedure["ground"]), hold.office.inventory
    return {"asked_on": date.fromisoformat(procedure["asked_on"]), "ground": citation(ground),
            "procedure": papers.own(inventory, inventory.company.procedure),
            "reasons": [(papers.both(ground.reason),), (said,)]}  # fmt: skip


PROCEDURE = ("procedure_refusal", _not_taken_up)
LETTERS: Mapping[tuple[str, str], tuple[str, Callable[[Hold], Values]]] = {
    ("purpose_notice", "full"): ("purpose_answer", _purposes),
    ("purpose_notice", "partial"): ("purpose_answer", _purposes),
    ("purpose_notice", "refused"): ("purpose_refusal", _refusal),
    ("purpose_notice", "not_held"): ("absence_notice", _absence),
    ("record_disclosure", "full"): ("provision_record_disclosure", _records),
    ("record_disclosure", "partial"): ("provision_record_disclosure", _records),
    ("record_disclosure", "refused"): ("provision_record_refusal", _not_shown),
    ("record_disclosure", "not_held"): ("absence_notice", _no_records),
    ("published_matters", ""): ("published_matters_answer", _published),
    ("foreign_measures", "full"): ("foreign_measures_answer", _measures),
    ("foreign_measures", "not_held"): ("foreign_measures_none", _measures),
    ("complaint", ""): ("complaint_answer", _answer),
    ("self_service", ""): ("self_service_guide", _on_screen),
    ("sender_identification", ""): ("redirect_notice", _elsewhere),
    ("other", ""): ("redirect_notice", _elsewhere),
}
"""(right, outcome of the case, or any) → the letter and what it says."""
