"""Review: an officer says whose the doubtful rows are and reads the notes; then the drafts are made and proposed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsr.case import Act, Case
from dsr.engine import collecting, plans, stated
from dsr.engine.fetched import fetched, found_datasets, proposing_step, revision, stage
from dsr.engine.office import Hold, Office, digest_of
from dsr.errors import BadInput, CheckFailed, as_id
from dsr.inventory import Dataset
from dsr.names.person import is_named
from dsr.request import NoteReview, Review
from dsr.rules import courses, discovery, lifecycle, proposing
from dsr.rules.lifecycle import State
from dsr.rules.proofing import for_a_minor
from dsr.rules.redaction import MASKING, RECORD_NO, Whose, propose_spans, record_nos, redact, without
from dsr.shapes import shaped

# -- the worksheets ----------------------------------------------------------------------------------------------


def notes(hold: Hold) -> Iterator[tuple[Dataset, str, str, str, list[str]]]:
    """Every note: dataset, record no, field, text, names known in that record."""
    for dataset in found_datasets(hold):
        fields = dataset.free_text_fields()
        if not fields:
            continue
        named = [name for name, rule in dataset.fields.items() if rule.is_kind("user.name") or rule.is_kind("staff")]
        for batch in fetched(hold, dataset):
            numbers = record_nos(batch, dataset.key).to_pylist()
            for number, row in zip(numbers, batch.select([*fields, *named]).to_pylist(), strict=True):
                for name in fields:
                    if row[name]:
                        yield dataset, number, name, str(row[name]), [str(row[n]) for n in named if row[n]]


def read_marks(hold: Hold) -> Review:
    name = f"review/{revision(hold)}.json"
    return Review.model_validate(hold.read_json(name)) if hold.vault.exists(name) else Review()


def _read_texts(hold: Hold) -> dict[str, dict[str, str]]:
    """Dataset → record no. → what the note was when it was read, as a keyed digest."""
    name = f"review/{revision(hold)}.texts.json"
    return dict(hold.read_json(name)) if hold.vault.exists(name) else {}


def _texts(hold: Hold) -> dict[str, dict[str, str]]:
    """The same of the notes as they are now."""
    found: dict[str, dict[str, list[list[str]]]] = {}
    for dataset, number, name, text, _ in notes(hold):
        found.setdefault(dataset.id, {}).setdefault(number, []).append([name, text])
    return {
        dataset: {number: hold.vault.commit("note", json.dumps(texts)) for number, texts in records.items()}
        for dataset, records in found.items()
    }


def valid_marks(hold: Hold) -> dict[str, dict[str, NoteReview]]:
    """Marks of notes that still say what the officer read; a note that changed since is unread again."""
    read, now = _read_texts(hold), _texts(hold)
    return {
        dataset: {n: mark for n, mark in records.items() if read.get(dataset, {}).get(n) == now.get(dataset, {}).get(n)}
        for dataset, records in read_marks(hold).notes.items()
    }


def is_stopped(case: Case) -> bool:
    """By the release gate (``dsr.engine.releasing``)."""
    return case.state is State.FULFILLING and (case.facts.get("release") or {}).get("passed") is False


def worksheets(office: Office, case_no: str) -> dict[str, Any]:
    """What an officer must look at, with proposed spans; shown to the officer and stored nowhere."""
    office.may("review")
    with office.hold(case_no) as hold:
        known, marks = collecting.current(hold), valid_marks(hold)
        return {
            "case": case_no,
            "refused": _refused(hold),
            "identity": {
                name: {
                    "evidence": dict(c.evidence),
                    "strong": c.strong,
                    "weak": c.weak,
                    "against": c.against,
                    "mark": known.marks.get(name),
                }
                for name, c in known.doubtful.items()
            },
            "notes": [
                {
                    "dataset": dataset.id,
                    "record": number,
                    "field": name,
                    "text": text,
                    "proposed": [[name, start, end, USUAL] for start, end in _proposed(hold, text, names)],
                    "read": number in marks.get(dataset.id, {}),
                }
                for dataset, number, name, text, names in notes(hold)
            ],
        }


def _refused(hold: Hold) -> dict[str, str] | None:
    """By whom and why the last decision was not approved."""
    name = f"decision/{hold.case.facts.get('refused')}.refused.json"
    return dict(hold.read_json(name)) if hold.vault.exists(name) else None


USUAL = "APPI-33-2-1-THIRD"
"""Ground of a proposed span; the officer may give another."""


def _proposed(hold: Hold, text: str, names: Sequence[str]) -> list[tuple[int, int]]:
    return propose_spans(text, [name for name in names if not is_named(hold.person, name)], hold.person)


def left_over(office: Office, case_no: str) -> dict[str, Any]:
    """For the officer's eyes after a reading: notes still unread, and proposed spans that a released note leaves."""
    with office.hold(case_no) as hold:
        marks, unread = valid_marks(hold), 0
        unstruck: list[dict[str, Any]] = []
        for dataset, number, name, text, names in notes(hold):
            mark = marks.get(dataset.id, {}).get(number)
            if mark is None or not mark.release:
                unread += 1
                continue
            struck = [(start, end) for field_name, start, end, _ in mark.strike if field_name == name]
            left = [[s, e] for s, e in _proposed(hold, text, names) if not any(a <= s and e <= b for a, b in struck)]
            if left:
                unstruck.append({"dataset": dataset.id, "record": number, "field": name, "spans": left})
        return {"unread": unread, "unstruck": unstruck}


# -- the marks ---------------------------------------------------------------------------------------------------


def take_review(office: Office, case_no: str, document: object) -> State:
    """Take an officer's marks. A candidate marked the same, or no longer so, reopens the collection; otherwise the
    drafts are made. A case that the release gate stopped comes back here, and is decided upon again.
    """
    office.may("review")
    review = shaped(Review, document, "review")
    with office.hold(case_no) as hold:
        if is_stopped(hold.case):
            number = 1 + sum(1 for step, _ in hold.steps() if step.startswith("reopen:"))
            hold.record(Act(f"reopen:{number}", "result", {}, to=State.AWAITING_DECISION, facts={"release": None}))
        hold.require(State.REVIEW, State.AWAITING_DECISION)
        _check_marks(hold, review)
        known = collecting.current(hold)
        fresh_same = {n for n, mark in review.identity.items() if mark == "same" and known.marks.get(n) != "same"}
        withdrawn = {n for n, mark in review.identity.items() if mark == "other" and known.marks.get(n) == "same"}
        number = _keep_review(hold, review)
        if withdrawn:  # what that row revealed, and all that was found through it, counts no more
            known = discovery.restarted(known, hold.request.identifiers())
        again = {name.split("/")[0] for name in fresh_same}
        asked = frozenset(pair for pair in known.asked if pair[0] not in again)
        known = replace(known, asked=asked, marks={**known.marks, **review.identity},
                        declared=hold.office.inventory.declaration)  # fmt: skip
        collecting.keep(hold, known)
        reopened = bool(fresh_same | withdrawn)
        public = {
            "same": sum(m == "same" for m in review.identity.values()),
            "other": sum(m == "other" for m in review.identity.values()),
            "notes": sum(len(found) for found in review.notes.values()),
        }
        facts = {"candidates": len(known.undecided), "band": bool(known.marks), "reviewed_by": office.actor.name}
        to = State.COLLECTING if reopened else State.REVIEW
        hold.record(Act(f"review:{number}", "result", public, to=to, facts=facts))
        if reopened:
            return State.COLLECTING
    return finish_review(office, case_no)


def _keep_review(hold: Hold, review: Review) -> int:
    """All marks so far with these, and what each note said when it was marked; the number of this reading."""
    before, texts, now = read_marks(hold), _read_texts(hold), _texts(hold)
    datasets = {*before.notes, *review.notes}
    notes = {name: {**before.notes.get(name, {}), **review.notes.get(name, {})} for name in datasets}
    read = {name: {**texts.get(name, {}), **{n: now[name][n] for n in review.notes.get(name, {})}} for name in datasets}
    number = revision(hold) + 1
    merged = Review(identity={**before.identity, **review.identity}, notes=notes)
    hold.write_json(f"review/{number}.json", merged.model_dump(mode="json"))
    hold.write_json(f"review/{number}.texts.json", read)
    return number


def _check_marks(hold: Hold, review: Review) -> None:
    known = collecting.current(hold)
    for name in review.identity:
        if name not in known.doubtful and name not in known.marks:
            raise BadInput("identity", "names a candidate that is not on the worksheet", "see dsr review CASE")
    texts = {(dataset.id, number, name): len(text) for dataset, number, name, text, _ in notes(hold)}
    for dataset_id, records in review.notes.items():
        for number, mark in records.items():
            if not any(key[:2] == (dataset_id, number) for key in texts):
                field = f"notes.{as_id(dataset_id)}.{as_id(number)}"
                raise BadInput(field, "names a record without a note on the worksheet", "see dsr review CASE")
            for name, start, end, ground in mark.strike:
                proposing.check_ground(hold.case.right, ground, f"notes.{dataset_id}.strike")
                if not 0 <= start < end <= texts.get((dataset_id, number, name), -1):
                    raise BadInput(
                        f"notes.{dataset_id}.strike",
                        f"span {start}..{end} of {as_id(name)} is not inside the note",
                        "offsets count characters of the stored text, the end is exclusive",
                    )


def finish_review(office: Office, case_no: str) -> State:
    """Nothing left to judge: make the drafts and propose. With candidates undecided the case stays in review."""
    with office.hold(case_no) as hold:
        case = hold.require(State.REVIEW, State.AWAITING_DECISION)
        if collecting.current(hold).undecided:
            return case.state
        if plans.changes(hold):
            return plans.propose(hold)
        for dataset in drafted(hold):
            draft(hold, dataset)
        return propose(hold)


def ready_to_propose(hold: Hold) -> bool:
    """A case without doubtful rows, and without notes that somebody would be shown, needs no reader."""
    settled = hold.case.state is State.REVIEW and not collecting.current(hold).undecided
    return settled and (plans.changes(hold) or next(notes(hold), None) is None)


def drafted(hold: Hold) -> list[Dataset]:
    """Datasets whose rows are to be shown."""
    return found_datasets(hold) if courses.of(hold.case.right).shows else []


# -- drafts and proposal -------------------------------------------------------------------------------------------


_FILE = "draft/{}.arrow"


def file_of(hold: Hold, dataset_id: str) -> str:
    """Where the draft is: the one that was decided on, where records of it were decided apart."""
    return str(hold.case.facts.get("drafts", {}).get(dataset_id, {}).get("file") or _FILE.format(dataset_id))


def apart_of(hold: Hold, dataset_id: str) -> dict[str, str]:
    """Record no. → its ground, empty where it must not be known, of the records left out of the draft."""
    number = hold.case.facts.get("drafts", {}).get(dataset_id, {}).get("apart")
    return dict(hold.read_json(f"decision/{number}.records.json")[dataset_id]) if number else {}


def redacted(hold: Hold, dataset: Dataset, file: str, apart: Mapping[str, str]) -> dict[str, Any]:
    """The draft once more without records that are decided apart, into a file of its own."""
    return _redact_all(hold, dataset, _marks_of(hold, dataset), file, apart)


def _marks_of(hold: Hold, dataset: Dataset) -> Mapping[str, NoteReview]:
    return valid_marks(hold).get(dataset.id, {}) if dataset.free_text_fields() else {}


def draft(hold: Hold, dataset: Dataset) -> Mapping[str, Any]:
    """Redact one dataset into the vault: shown text only. Raises CheckFailed for a field without a rule (EN-42)."""

    def work() -> tuple[Mapping[str, Any], None]:
        marks = _marks_of(hold, dataset)
        return _redact_all(hold, dataset, marks, _FILE.format(dataset.id), {}), None

    return hold.once(f"redact:{stage(hold)}:{dataset.id}", work)


def whose(hold: Hold) -> Whose:
    """The subject as redaction knows them: with the identifiers that matched records revealed."""
    return Whose.of(hold.person, collecting.current(hold))


def _redact_all(
    hold: Hold, dataset: Dataset, marks: Mapping[str, NoteReview], file: str, apart: Mapping[str, str]
) -> dict[str, Any]:
    reasons: dict[str, int] = {}
    withheld: dict[str, int] = {}
    rows = unread = masked = disputed = unknown = 0
    stated.freeze(hold, dataset)
    told, dataset = stated.frozen(hold, dataset), stated.beside(hold, dataset)
    schema = pa.schema([(name, pa.string()) for name in (RECORD_NO, *dataset.fields, MASKING)])
    subject = whose(hold)
    with hold.vault.writer(file) as out, pa.ipc.new_stream(out, schema) as stream:
        for whole in fetched(hold, dataset):
            batch, left_out = without(whole, dataset.key, apart)
            unknown += left_out.pop("", 0)
            for ground, count in left_out.items():
                withheld[ground] = withheld.get(ground, 0) + count
            shown = redact(dataset, stated.with_column(dataset, batch, told), subject, marks)
            stream.write_table(shown.rows.select(schema.names).cast(schema))
            rows, unread = rows + shown.rows.num_rows, unread + shown.unread
            disputed += pc.sum(pc.not_equal(shown.rows.column(stated.COLUMN), "")).as_py() or 0 if told else 0
            masked += pc.sum(pc.not_equal(shown.rows.column(MASKING), "")).as_py() or 0
            for (mark, ground), count in shown.reasons.items():
                reasons[f"{mark}:{ground}"] = reasons.get(f"{mark}:{ground}", 0) + count
            for ground, count in shown.withheld.items():
                withheld[ground] = withheld.get(ground, 0) + count
    total = int(hold.read_json(f"fetched/{dataset.id}.json")["records"])
    if total != rows + unknown + sum(withheld.values()):  # DC-4: located = shown + masked + withheld
        raise CheckFailed(
            f"{dataset.id}: {total} rows were fetched but {rows + unknown + sum(withheld.values())} are accounted for"
        )
    return {"rows": rows, "masked_rows": masked, "unread": unread, "reasons": reasons, "withheld": withheld,
            **({"statements": disputed} if disputed else {}), **({"unknown": unknown} if unknown else {})}  # fmt: skip


def propose(hold: Hold) -> State:
    """Per dataset an outcome with its reason; the decision is a person's."""
    case, inventory = hold.case, hold.office.inventory
    drafts = {d.id: hold.result(f"redact:{stage(hold)}:{d.id}") or {} for d in drafted(hold)}
    secret = [d.id for d in drafted(hold) if inventory.is_secret(d)]
    items = proposing.propose(case.facts["datasets"], drafts, secret if for_a_minor(hold.request) else ())
    secrecy = bool(secret)
    reasons = lifecycle.needs_second_person(
        case.right,
        secrecy=secrecy,
        review_band=bool(case.facts.get("band")),
        neutral=hold.request.asks_existence or any(map(proposing.unknowable_of, drafts.values())),
        agent=bool(hold.request.agent),
        co_contractors=any(d.owners == "shared" for d in found_datasets(hold)),
        destruction=False,
    )
    plan = digest_of(
        [case.case_no, items, drafts, case.facts["datasets"], case.law_version, inventory.digest, read_digest(hold)]
    )
    facts = {"proposal": items, "drafts": drafts, "plan": plan, "second_person": list(reasons), "secrecy": secrecy,
             "whole": courses.outcome(case.right, inventory),
             "items": {}, "decision_outcome": None}  # fmt: skip  an earlier decision was on other drafts
    hold.record(
        Act(
            proposing_step(hold),
            "result",
            {"plan": plan, "items": items, "second_person": list(reasons)},
            to=State.AWAITING_DECISION,
            facts=facts,
        )
    )
    return State.AWAITING_DECISION


def read_digest(hold: Hold) -> str:
    """Keyed digest of the marks, so that a changed reading is a changed plan."""
    return hold.vault.commit("review", read_marks(hold).model_dump_json())


__all__ = ["draft", "fetched", "finish_review", "found_datasets", "ready_to_propose", "take_review", "worksheets"]
