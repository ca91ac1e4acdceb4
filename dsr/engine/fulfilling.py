"""Fulfil a disclosure: data, book, letter, manifest into the vault; out of it whole or not at all; dispatch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsr.case import Act
from dsr.documents.book import draw_book
from dsr.documents.letter import draw_letter
from dsr.engine import papers
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, DsrError, NotAllowed
from dsr.inventory import Dataset
from dsr.package import Digested, Sink, manifest, read_batches, write_csv, write_json
from dsr.request import Dispatch
from dsr.rules import lifecycle
from dsr.rules.lifecycle import State
from dsr.shapes import shaped

FOLDER = "package/"


def fulfil(office: Office, case_no: str) -> State:
    """Run every step here, at once."""
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


def to_write(hold: Hold) -> list[str]:
    return [name for name, item in hold.case.facts["items"].items() if item["outcome"] in ("full", "partial")]


def write_data(hold: Hold, dataset_id: str) -> Mapping[str, Any]:
    """CSV and JSON of one dataset, the same rows."""
    inventory = hold.office.inventory
    dataset = inventory.dataset(dataset_id)
    label = f"{inventory.system_of(dataset).label}／{dataset.label}"

    def work() -> tuple[Mapping[str, Any], None]:
        return {
            "files": [
                _write(hold, dataset, f"data/{dataset_id}.csv", lambda batches, out: write_csv(dataset, batches, out)),
                _write(
                    hold,
                    dataset,
                    f"data/{dataset_id}.json",
                    lambda batches, out: write_json(dataset, label, batches, out),
                ),
            ]
        }, None

    return hold.once(f"data:{_issue(hold)}:{dataset_id}", work)


def _write(
    hold: Hold, dataset: Dataset, path: str, writing: Callable[[Iterable[pa.RecordBatch], Sink], None]
) -> dict[str, Any]:
    with hold.vault.reader(f"draft/{dataset.id}.arrow") as source, hold.vault.writer(FOLDER + path) as out:
        sink = Digested(out)
        writing(read_batches(source), sink)
    return {"path": path, "sha256": sink.sha256, "size": sink.size}


def finish(hold: Hold) -> State:
    """Book, letter, manifest. The letter lists the digests of everything before it; the manifest of everything."""
    cited = issued(hold)
    data = [file for name in to_write(hold) for file in write_data(hold, name)["files"]]
    book = hold.once(
        f"book:{_issue(hold)}",
        lambda: (
            papers.draw(
                hold, "disclosure_book", FOLDER + "disclosure.pdf", lambda out: draw_book(papers.book(hold, cited), out)
            ),
            None,
        ),
    )
    listed = [_file(book), *data]
    letter = hold.once(
        f"letter:{_issue(hold)}",
        lambda: (
            papers.draw(
                hold,
                papers.TITLES[hold.case.facts["decision_outcome"]][0],
                FOLDER + "decision.pdf",
                lambda out: draw_letter(papers.letter(hold, cited, listed), out),
            ),
            None,
        ),
    )
    documents = [d for d in hold.case.facts.get("documents", []) if not d["path"].startswith(FOLDER)]

    def write_manifest() -> tuple[Mapping[str, Any], Act]:
        files = sorted([_file(letter), *listed], key=lambda file: str(file["path"]))
        found = _manifest(hold, cited, files)
        entries = [*documents, dict(letter), dict(book)]
        return found, Act(
            "",
            to=State.DISPATCHING,
            facts={"documents": entries, "files": files, "outcome": hold.case.facts["decision_outcome"]},
        )

    hold.once(f"manifest:{_issue(hold)}", write_manifest)
    return hold.case.state


def _file(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": str(entry["path"]).removeprefix(FOLDER), "sha256": entry["sha256"], "size": entry["size"]}


def _manifest(hold: Hold, cited: Mapping[str, Any], files: list[dict[str, Any]]) -> dict[str, Any]:
    inventory = hold.office.inventory
    datasets = []
    for name, ended in papers.outward(hold).items():
        dataset = inventory.dataset(name)
        draft = hold.case.facts.get("drafts", {}).get(name, {})
        entry = {
            "dataset": name,
            "label": dataset.label,
            **ended,
            "columns": {k: r.label for k, r in dataset.fields.items()},
        }
        if ended["status"] == "found":
            entry |= {
                "shown": draft["rows"],
                "masked_rows": draft["masked_rows"],
                "withheld_rows": draft["withheld"],
                "under_review": draft["unread"],
            }
        datasets.append(entry)
    content = manifest(
        hold.case_no,
        hold.case.law_version,
        f"dsr {version('dsr')}",
        files,
        datasets,
        papers.redaction_counts(hold),
        cited["head"],
    )
    with hold.vault.writer(FOLDER + "manifest.json") as out:
        sink = Digested(out)
        sink.write(content)
    return {"path": FOLDER + "manifest.json", "sha256": sink.sha256, "size": sink.size}


# -- out of the vault ----------------------------------------------------------------------------------------------


def write_out(office: Office, case_no: str, out: Path) -> list[Path]:
    """The package as plain files for the officer who sends it. Digests are checked on the way; whole or not at all."""
    office.may("package")
    with office.hold(case_no) as hold:
        case = hold.require(State.DISPATCHING, State.CLOSED)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise BadInput("--out", "is not an empty folder", "name a new folder")
        part = out.with_name(f".{out.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        problem = ""
        try:
            part.mkdir(parents=True, mode=0o700)
            for name in [f["path"] for f in case.facts["files"]] + ["manifest.json"]:
                _copy_out(hold, name, part / name)
            if out.exists():
                out.rmdir()
            part.rename(out)
        except OSError as error:
            problem = f"--out: cannot be written ({error.strerror}); free space, run again; nothing is half-written"
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        if problem:
            shutil.rmtree(part, ignore_errors=True)
            raise DsrError(problem)
        number = sum(1 for step, _ in hold.ledger() if step.startswith("taken:")) + 1
        hold.record(Act(f"taken:{number}", "result", {"files": len(case.facts["files"]) + 1}))
        return sorted(path for path in out.rglob("*") if path.is_file())


def _copy_out(hold: Hold, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    expected = {f["path"]: f["sha256"] for f in hold.case.facts["files"]}
    with hold.vault.reader(FOLDER + name) as source, target.open("wb") as plain:
        sink = Digested(plain)
        while chunk := source.read(1 << 20):
            sink.write(chunk)
        plain.flush()
        os.fsync(plain.fileno())
    if name in expected and sink.sha256 != expected[name]:
        raise DsrError(f"{name}: the digest is not the recorded one; run dsr trail verify and tell the technician")


# -- dispatch ----------------------------------------------------------------------------------------------------


def dispatch(office: Office, case_no: str, document: object) -> State:
    """The envelope check by a second officer, the sending, or a return. Secrecy never leaves unchecked (EC-32b)."""
    act = shaped(Dispatch, document, "dispatch")
    office.may("envelope_check" if act.envelope_check else "dispatch")
    with office.hold(case_no) as hold:
        case = hold.require(State.DISPATCHING, State.CLOSED) if act.returned_on else hold.require(State.DISPATCHING)
        number = sum(1 for step, _ in hold.ledger() if step.startswith("dispatch:")) + 1
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
        unread = sum(int(d.get("unread", 0)) for d in case.facts.get("drafts", {}).values())
        hold.write_json(f"dispatch/{number}.json", act.model_dump(mode="json"))
        public = {"channel": act.channel, "sent_on": act.sent_on.isoformat() if act.sent_on else None, "unread": unread}
        # Notes unread today follow in a second delivery; until then the case cannot close (EN-53).
        to = State.REVIEW if unread else State.CLOSED
        hold.record(
            Act(
                f"dispatch:{number}",
                "result",
                public,
                to=to,
                facts={"dispatched_on": office.today.isoformat(), "envelope_checked_by": None},
            )
        )
        if to is State.CLOSED:
            office.store.done(case_no, *(work.what for work in office.store.work(case_no)))
    if to is State.CLOSED:
        _close_twins(office, case_no)
    return to


def _close_twins(office: Office, case_no: str) -> None:
    """The same request, linked at its arrival, is answered by the same package (EN-05)."""
    for twin in office.store.cases():
        if twin.facts.get("linked_to") == case_no and twin.state is State.RECEIVED:
            with office.hold(twin.case_no) as hold:
                hold.record(
                    Act("answered_with", "result", {"case": case_no}, to=State.CLOSED, facts={"outcome": "duplicate"})
                )
                office.store.done(twin.case_no, *(work.what for work in office.store.work(twin.case_no)))


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
