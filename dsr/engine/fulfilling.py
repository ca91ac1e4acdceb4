"""Fulfil a disclosure: data, book, letter, manifest into the vault; through the gate and out, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsr.case import EVERYTHING, Act, Case
from dsr.engine import afterwards, erasing, plans, releasing
from dsr.engine.assembling import (
    FOLDER,
    Draft,
    book_file,
    data_files,
    letter_file,
    listing,
    manifest_file,
    readme_file,
    to_write,
    volume_files,
)
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, DsrError, NotAllowed, os_words
from dsr.package import Digested
from dsr.request import Dispatch
from dsr.rules import lifecycle
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def fulfil(office: Office, case_no: str, live: str | None = None) -> State:
    """Run every step here, at once. What destroys is only done with ``live``, the case number once more."""
    if office.store.case(case_no).right in plans.CHANGING:
        return erasing.fulfil(office, case_no, live)
    with office.hold(case_no) as hold:
        begin(hold)
        for dataset_id in to_write(hold):
            write_data(hold, dataset_id)
        return finish(hold)


def begin(hold: Hold) -> None:
    """Fix what the papers cite: the day of issue and the log's head, an input of the build and recorded with it."""
    hold.office.may("fulfil")
    hold.require(State.FULFILLING)
    step = _issue(hold)
    if hold.result(step) is None:
        head = hold.office.store.head()
        hold.record(Act(step, "result", {"issued_on": hold.office.today.isoformat(), "head": head.text}))


def _issue(hold: Hold) -> str:
    return f"issue:{len(hold.case.facts['decisions'])}"


def issued(hold: Hold) -> Mapping[str, Any]:
    found = hold.result(_issue(hold))
    if found is None:
        raise NotAllowed(f"{hold.case_no}: not begun; run dsr fulfil {hold.case_no}")
    return found


def write_data(hold: Hold, dataset_id: str) -> Mapping[str, Any]:
    """CSV and JSON of one dataset, the same rows."""
    return hold.once(
        f"data:{_issue(hold)}:{dataset_id}", lambda: ({"files": data_files(hold, FOLDER, dataset_id)}, None)
    )


def finish(hold: Hold) -> State:
    """Book, letter, manifest, gate. The letter lists the digests of what comes before it; the manifest of all."""
    cited, step = issued(hold), _issue(hold)
    data = [file for name in to_write(hold) for file in write_data(hold, name)["files"]]
    book = hold.once(f"book:{step}", lambda: (book_file(hold, FOLDER, cited), None))
    volumes = hold.once(f"volumes:{step}", lambda: ({"files": volume_files(hold, FOLDER, cited)}, None))["files"]
    printed = [listing(book), *(listing(volume) for volume in volumes)]
    names = [file["path"] for file in (*printed, *data)]
    readme = hold.once(f"readme:{step}", lambda: (readme_file(hold, FOLDER, cited, names), None))
    listed = [*printed, listing(readme), *data]
    letter = hold.once(f"letter:{step}", lambda: (letter_file(hold, FOLDER, cited, listed), None))
    documents = [d for d in hold.case.facts.get("documents", []) if not d["path"].startswith(FOLDER)]

    files = sorted([listing(letter), *listed], key=lambda file: str(file["path"]))
    hold.once(f"manifest:{step}", lambda: (manifest_file(hold, FOLDER, cited, files), None))
    facts = {
        "documents": [*documents, dict(letter), dict(book), *volumes],
        "files": files,
        "outcome": hold.case.facts["decision_outcome"],
        "issued_on": cited["issued_on"],
    }
    digests = {**{file["path"]: file["sha256"] for file in files}, "manifest.json": None}
    return releasing.release(hold, step, FOLDER, digests, facts)


# -- out of the vault ----------------------------------------------------------------------------------------------


def write_out(office: Office, case_no: str, out: Path) -> list[Path]:
    """The package as plain files for the officer who sends it. Digests are checked on the way; whole or not at all."""
    office.may("package")
    with office.hold(case_no) as hold:
        hold.require(State.DISPATCHING, State.CLOSED)
        _must_be_released(hold)
        return _taken(hold, "taken", FOLDER, _made(hold), out)


def _made(hold: Hold) -> dict[str, str | None]:
    return {**{file["path"]: file["sha256"] for file in hold.case.facts["files"]}, "manifest.json": None}


def _must_be_released(hold: Hold) -> None:
    """What was made before there was a gate passes it now. Raises CheckFailed for what does not; it goes to review."""
    if not releasing.is_released(hold.case):
        releasing.release(hold, _issue(hold), FOLDER, _made(hold), {})


LETTERS = "documents/"


def letters_out(office: Office, case_no: str, out: Path) -> list[Path]:
    """The letters made so far that go out before any package, such as the acknowledgement (受付票), in any state."""
    office.may("package")
    with office.hold(case_no) as hold:
        made = [d for d in hold.case.facts.get("documents", []) if d["path"].startswith(LETTERS)]
        return _taken(hold, "letters", LETTERS, {d["path"].removeprefix(LETTERS): d["sha256"] for d in made}, out)


def _taken(hold: Hold, kind: str, folder: str, digests: Mapping[str, str | None], out: Path) -> list[Path]:
    ended = [step for step, phase in hold.steps() if step.startswith(f"{kind}:") and phase == "result"]
    step = f"{kind}:{len(ended) + 1}"
    hold.record(Act(step, "intent", {"files": len(digests)}))  # nothing leaves the vault unrecorded
    copy_out(hold, folder, digests, out)
    hold.record(Act(step, "result", {"files": len(digests)}))
    return sorted(path for path in out.rglob("*") if path.is_file())


def preview(office: Office, case_no: str, out: Path) -> list[Path]:
    """Exactly what would be sent if the proposal, or the decision, stood as it is; nothing is recorded as sent.

    Raises CheckFailed for what the gate would stop.
    """
    office.may("preview")
    with office.hold(case_no) as hold:
        hold.require(State.AWAITING_DECISION, State.AWAITING_APPROVAL, State.FULFILLING)
        try:
            draft = Draft(hold.office, hold.lease, hold.vault)
            digests = _drawn(draft)
            if found := releasing.look(draft, "preview/", digests).findings:
                raise releasing.stopped(case_no, found)
            copy_out(hold, "preview/", digests, out)
        finally:
            for name in hold.vault.names("preview/"):
                hold.vault.remove(name)
        return sorted(path for path in out.rglob("*") if path.is_file())


def _drawn(draft: Draft) -> dict[str, str | None]:
    """The files of a preview, in the vault; path → sha256."""
    office = draft.office
    cited = {"issued_on": office.today.isoformat(), "head": office.store.head().text}
    data = [file for name in to_write(draft) for file in data_files(draft, "preview/", name)]
    printed = [book_file(draft, "preview/", cited), *volume_files(draft, "preview/", cited)]
    listed = [*(listing(file, "preview/") for file in printed), *data]
    names = [file["path"] for file in listed]
    listed.insert(len(printed), listing(readme_file(draft, "preview/", cited, names), "preview/"))
    letter = listing(letter_file(draft, "preview/", cited, listed), "preview/")
    manifest_file(draft, "preview/", cited, sorted([letter, *listed], key=lambda file: str(file["path"])))
    return {file["path"]: file["sha256"] for file in [letter, *listed]} | {"manifest.json": None}


def copy_out(hold: Hold, folder: str, digests: Mapping[str, str | None], out: Path) -> None:
    """Into a folder that must be new or empty: beside it first, then by one rename."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "is not an empty folder", "name a new folder")
    part, problem = out.with_name(f".{out.name}.part"), ""
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True, mode=0o700)
        for name, digest in digests.items():
            _copy(hold, folder + name, digest, part / name)
        if out.exists():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        problem = f"--out: cannot be written ({os_words(error)}); free space, run again; nothing is half-written"
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if problem:
        raise DsrError(problem)


def _copy(hold: Hold, name: str, digest: str | None, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with hold.vault.reader(name) as source, target.open("wb") as plain:
        sink = Digested(plain)
        while chunk := source.read(1 << 20):
            sink.write(chunk)
        plain.flush()
        os.fsync(plain.fileno())
    if digest and sink.sha256 != digest:
        raise DsrError(f"{target.name}: the digest is not the recorded one; run dsr trail verify, tell the technician")


# -- dispatch ----------------------------------------------------------------------------------------------------


def dispatch(office: Office, case_no: str, document: object) -> State:
    """The envelope check by a second officer, the sending, or a return. Secrecy never leaves unchecked (EC-32b)."""
    act = shaped(Dispatch, document, "dispatch")
    office.may("envelope_check" if act.envelope_check else "dispatch")
    for field, day in (("sent_on", act.sent_on), ("returned_on", act.returned_on)):
        if day and day > office.today:
            raise BadInput(field, "is in the future", "record it when it is done, with the day it was done")
    with office.hold(case_no) as hold:
        case = hold.require(State.DISPATCHING, State.CLOSED) if act.returned_on else hold.require(State.DISPATCHING)
        _not_before(act, case)
        number = sum(1 for step, _ in hold.steps() if step.startswith("dispatch:")) + 1
        if act.envelope_check:
            return _check_envelope(hold, act, number)
        if act.returned_on:
            return hold.record(
                Act(
                    f"dispatch:{number}",
                    "result",
                    {"returned_on": act.returned_on.isoformat(), "reason": act.return_reason},
                )
            ).state
        if case.facts.get("secrecy") and not case.facts.get("envelope_checked_by"):
            raise NotAllowed(
                f"{case_no} holds data under secrecy of communications: another officer must compare person and "
                "envelope first (dsr dispatch with envelope_check, role approver)"
            )
        _must_be_released(hold)
        if not _taken_out(hold):
            raise NotAllowed(f"{case_no}: this package never left the vault; run dsr package {case_no} --out DIR first")
        unread = sum(int(d.get("unread", 0)) for d in case.facts.get("drafts", {}).values())
        hold.write_json(f"dispatch/{number}.json", act.model_dump(mode="json"))
        public = {"channel": act.channel, "sent_on": act.sent_on.isoformat() if act.sent_on else None, "unread": unread}
        # Notes unread today follow in a second delivery; until then the case cannot close (EN-53).
        to, ending = State.REVIEW if unread else State.CLOSED, Act("", done=EVERYTHING)
        if plans.changes(hold):
            to, ending = afterwards.ends(hold)
        if to is State.CLOSED:
            _close_twins(office, case_no)  # before: a case that is closed is not dispatched a second time
        hold.record(
            Act(
                f"dispatch:{number}",
                "result",
                public,
                to=to,
                facts={
                    "dispatched_on": office.today.isoformat(),
                    "envelope_checked_by": None,
                    "sent_on": public["sent_on"],
                    **ending.facts,
                },
                owes=ending.owes,
                done=ending.done if to is not State.REVIEW else (),
            )
        )
    return to


def _not_before(act: Dispatch, case: Case) -> None:
    """Nothing was sent before it was issued, nor came back before it was sent."""
    for field, day, first in (("sent_on", act.sent_on, case.facts.get("issued_on")),
                              ("returned_on", act.returned_on, case.facts.get("sent_on"))):  # fmt: skip
        if day and first and day.isoformat() < first:
            before = "the package was issued" if field == "sent_on" else "it was sent"
            raise BadInput(field, f"is before {before} ({first})", "give the day it was done")


def _taken_out(hold: Hold) -> bool:
    """Since it was last made: what was never taken out cannot have been sent."""
    made = [step for step, phase in hold.steps() if phase == "result" and step.startswith(("manifest:", "taken:"))]
    return made[-1].startswith("taken:")


def _close_twins(office: Office, case_no: str) -> None:
    """The same request, linked at its arrival, is answered by the same package (EN-05)."""
    for twin in office.store.cases({State.RECEIVED}):
        if twin.facts.get("linked_to") == case_no:
            with office.hold(twin.case_no) as hold:
                facts = {"outcome": "duplicate"}
                hold.record(
                    Act("answered_with", "result", {"case": case_no}, to=State.CLOSED, facts=facts, done=EVERYTHING)
                )


def _check_envelope(hold: Hold, act: Dispatch, number: int) -> State:
    case, check = hold.case, act.envelope_check
    lifecycle.must_differ(case.facts["decided_by"], hold.office.actor.name)
    passed = bool(check and check.passed)
    facts = {"envelope_checked_by": hold.office.actor.name if passed else None}
    hold.record(
        Act(f"dispatch:{number}", "result", {"envelope_check": "passed" if passed else "mismatch"}, facts=facts)
    )
    if not passed:
        raise NotAllowed(
            f"{hold.case_no}: person and envelope do not agree; nothing may leave. Seal anew and check again"
        )
    return hold.case.state


__all__ = ["begin", "dispatch", "finish", "fulfil", "preview", "to_write", "write_data", "write_out"]
