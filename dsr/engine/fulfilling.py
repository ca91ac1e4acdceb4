"""Fulfil a disclosure: data, book, letter, manifest into the vault; through the gate and out, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from dsr.case import Act
from dsr.engine import corresponding, erasing, papers, plans, releasing, replying
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
from dsr.engine.corresponding import LETTERS
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, DsrError, NotAllowed, os_words
from dsr.package import Digested
from dsr.rules import courses
from dsr.rules.lifecycle import State


def fulfil(office: Office, case_no: str, live: str | None = None) -> State:
    """Run every step here, at once. What destroys is only done with ``live``, the case number once more."""
    if plans.is_changing(office.store.case(case_no)):
        return erasing.fulfil(office, case_no, live)
    with office.hold(case_no) as hold:
        begin(hold)
        for dataset_id in to_write(hold):
            write_data(hold, dataset_id)
        return finish(hold)


def begin(hold: Hold) -> None:
    """Fix what the papers cite: the day of issue and the log's head, an input of the build and recorded with it."""
    hold.office.may("fulfil")
    case = hold.require(State.FULFILLING, State.MISDIRECTED)
    if not case.facts.get("decisions"):
        raise NotAllowed(f"{hold.case_no}: nobody decided yet; run dsr decide {hold.case_no} --as-proposed")
    cite(hold)


def cite(hold: Hold) -> None:
    """Of this edition: a new address has everything made anew."""
    step = _issue(hold)
    if hold.result(step) is None:
        head = hold.office.store.head()
        hold.record(Act(step, "result", {"issued_on": hold.office.today.isoformat(), "head": head.text}))


def _issue(hold: Hold) -> str:
    return papers.edition(hold, f"issue:{len(hold.case.facts['decisions'])}")


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
    if courses.by_letter(hold.case.right, hold.case.facts):
        return replying.finish(hold, step, cited, data)
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
        hold.must_be_whole()
        must_be_released(hold)
        return _taken(hold, "taken", FOLDER, made(hold), out)


def made(hold: Hold) -> dict[str, str | None]:
    """The files of the package → their recorded digests."""
    return {**{file["path"]: file["sha256"] for file in hold.case.facts["files"]}, "manifest.json": None}


def must_be_released(hold: Hold) -> None:
    """What was made before there was a gate passes it now. Raises CheckFailed for what does not; it goes to review."""
    if not releasing.is_released(hold.case):
        releasing.release(hold, _issue(hold), FOLDER, made(hold), {})


def letters_out(office: Office, case_no: str, out: Path) -> list[Path]:
    """The letters made so far that go out before any package, such as the acknowledgement (受付票), in any state."""
    office.may("package")
    with office.hold(case_no) as hold:
        made = [d for d in hold.case.facts.get("documents", []) if d["path"].startswith(LETTERS)]
        digests = {d["path"].removeprefix(LETTERS): d["sha256"] for d in made}
        return _taken(hold, "letters", LETTERS, digests, out, corresponding.to_post(hold))


def _taken(hold: Hold, kind: str, folder: str, digests: Mapping[str, str | None], out: Path,
           done: tuple[str, ...] = ()) -> list[Path]:  # fmt: skip
    ended = [step for step, phase in hold.steps() if step.startswith(f"{kind}:") and phase == "result"]
    step = f"{kind}:{len(ended) + 1}"
    hold.record(Act(step, "intent", {"files": len(digests)}))  # nothing leaves the vault unrecorded
    copy_out(hold, folder, digests, out)
    hold.record(Act(step, "result", {"files": len(digests)}, done=done))
    return sorted(path for path in out.rglob("*") if path.is_file())


def preview(office: Office, case_no: str, out: Path) -> list[Path]:
    """Exactly what would be sent if the proposal, or the decision, stood as it is; nothing is recorded as sent.

    Raises CheckFailed for what the gate would stop.
    """
    office.may("preview")
    with office.hold(case_no) as hold:
        hold.require(State.AWAITING_DECISION, State.AWAITING_APPROVAL, State.FULFILLING, State.MISDIRECTED)
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
    if courses.by_letter(draft.case.right, draft.case.facts):
        files = [listing(replying.letter_file(draft, "preview/", cited, data), "preview/"), *data]
        manifest_file(draft, "preview/", cited, files)
        return {file["path"]: file["sha256"] for file in files} | {"manifest.json": None}
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
    with target.open("wb") as plain:
        copy_to(hold, name, digest, plain)
        plain.flush()
        os.fsync(plain.fileno())


def copy_to(hold: Hold, name: str, digest: str | None, plain: IO[bytes]) -> None:
    """Raises DsrError where a file of the vault is not what was recorded."""
    with hold.vault.reader(name) as source:
        sink = Digested(plain)
        while chunk := source.read(1 << 20):
            sink.write(chunk)
    if digest and sink.sha256 != digest:
        file = Path(name).name
        raise DsrError(f"{file}: the digest is not the recorded one; run dsr trail verify, tell the technician")


__all__ = ["begin", "finish", "fulfil", "must_be_released", "preview", "to_write", "write_data", "write_out"]
