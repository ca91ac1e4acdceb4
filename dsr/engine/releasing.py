"""The release gate at work: what is masked in a case against every file of its package, before the state lets it go."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from dsr.case import Act, Case
from dsr.documents.archival import PROFILES
from dsr.engine import collecting, reviewing, stated
from dsr.engine.assembling import to_write
from dsr.engine.office import Hold
from dsr.errors import CheckFailed
from dsr.inventory import Dataset
from dsr.release import rows
from dsr.release.finding import Finding
from dsr.release.forbidden import Column, Forbidden
from dsr.release.judging import Batch, hidden, judge, lawful, may_hide
from dsr.release.pdf import look_through
from dsr.release.search import Place, Search, Seen
from dsr.release.standards import standards
from dsr.release.wordings import leaves, printed
from dsr.rules.lifecycle import State

DATA = "data/"
OTHERS = ("name", "kana", "address", "phone", "mail")
"""Of a candidate who is another person, what may stand nowhere."""
AT_ONCE = 16_384
"""Rows that are judged at a time; a batch as it was fetched may hold more than memory is for."""
TOLD = 5
"""Findings of one kind in one file that a case keeps; the rest is a number."""


@dataclass(frozen=True)
class Looked:
    """``values``: distinct masked ones that were looked for."""

    files: int
    values: int
    findings: tuple[Finding, ...]


def release(hold: Hold, step: str, folder: str, digests: Mapping[str, str | None], facts: Mapping[str, Any]) -> State:
    """The last step of fulfilling: what is clean may be dispatched, with ``facts``. Raises CheckFailed for what is not.

    A package that is stopped stays in the vault: the case is fulfilling as before, and each run looks again. One that
    was made before there was a gate goes back to review.
    """
    gate = f"gate:{step}"
    if hold.result(gate) is None:
        hold.record(Act(gate, "intent"))
        looked = look(hold, folder, digests)
        if looked.findings:
            _stop(hold, looked)
        public = {"files": looked.files, "values": looked.values}
        passed = {**facts, "release": {"passed": True, "findings": [], "more": 0}}
        to = State.CLOSED if hold.case.state is State.CLOSED else State.DISPATCHING
        hold.record(Act(gate, "result", public, to=to, facts=passed, done=("release",)))
    return hold.case.state


def is_released(case: Case) -> bool:
    return bool((case.facts.get("release") or {}).get("passed"))


def _stop(hold: Hold, looked: Looked) -> None:
    number = 1 + sum(1 for name, _ in hold.steps() if name.startswith("stopped:"))
    kinds = [finding.kind for finding in looked.findings]
    public = {"files": looked.files, "values": looked.values, "findings": {kind: kinds.count(kind) for kind in kinds}}
    told = [_told(finding) for finding in _first(looked.findings)]
    told_of = {"passed": False, "findings": told, "more": len(kinds) - len(told)}
    facts = {"release": told_of, "envelope_checked_by": None}
    to = State.REVIEW if hold.case.state is State.DISPATCHING else None
    owes = (("release", "handler", hold.office.today),) if hold.case.state is not State.CLOSED else ()
    hold.record(Act(f"stopped:{number}", "result", public, to=to, facts=facts, owes=owes))
    raise stopped(hold.case_no, looked.findings)


def _first(findings: Iterable[Finding]) -> list[Finding]:
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        grouped.setdefault((finding.kind, finding.file), []).append(finding)
    return [finding for group in grouped.values() for finding in group[:TOLD]]


def stopped(case_no: str, findings: Sequence[Finding]) -> CheckFailed:
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    return CheckFailed(
        f"{case_no}: nothing may leave: {findings[0]}{more}; see dsr show {case_no}. Mend what is named, "
        f"then dsr review {case_no} --file REVIEW.json makes the drafts anew"
    )


def _told(finding: Finding) -> dict[str, Any]:
    return {"file": finding.file, "place": finding.place, "kind": finding.kind,
            "cell": str(finding.cell) if finding.cell else None}  # fmt: skip


# -- looking -------------------------------------------------------------------------------------------------------


def look(hold: Hold, folder: str, digests: Mapping[str, str | None]) -> Looked:
    """Every file of the package in ``folder`` of the vault; ``digests``: its name → SHA-256."""
    case = _Case(hold)
    forbidden = Forbidden(case.hidden)
    known = {bytes.fromhex(digest) for digest in [*digests.values(), *_inputs(hold)] if digest}
    search = Search(forbidden, known)
    for number, name in enumerate(digests, start=1):
        search.text(Place("the package", "string", f"name of file {number}"), name, loose=False)
        kind = PurePosixPath(name).suffix
        if kind == ".pdf":
            paper = hold.vault.read(folder + name)
            look_through(search, name, paper, known)
            search.found += standards(name, paper, PROFILES)
        elif kind in (".json", ".txt") and not name.startswith(DATA):
            search.octets(Place(name, "file", "its text"), hold.vault.read(folder + name))
        elif not name.startswith(DATA):
            search.unreadable(name, "a file of a kind that is not expected")
    for stem, names in _by_dataset(digests).items():
        _rows(case, search, folder, stated.beside(hold, hold.office.inventory.dataset(stem)), names)
    return Looked(len(digests), len(forbidden), tuple(search.findings(case.lawful)))


def _inputs(hold: Hold) -> list[str]:
    """Digests that papers print and that are no file's: the log's head."""
    heads = [found["head"] for _, found in hold.ledger().items() if "head" in found]
    return [b64decode(head.partition(":")[2]).hex() for head in [*heads, hold.office.store.head().text]]


class _Case:
    """What the gate works out of a case, as often as it is asked, from the rows as they were fetched."""

    def __init__(self, hold: Hold) -> None:
        self.hold, self.shown = hold, to_write(hold)
        self._notes, self._whose = reviewing.valid_marks(hold), reviewing.whose(hold)

    def judged(self, dataset: Dataset, only: Collection[str] | None = None) -> Iterator[Batch]:
        first, told = 1, stated.frozen(self.hold, dataset)
        dataset = stated.beside(self.hold, dataset)
        for whole in reviewing.fetched(self.hold, dataset):
            batch = stated.with_column(dataset, whole, told)
            for start in range(0, batch.num_rows, AT_ONCE):
                part = batch.slice(start, AT_ONCE)
                notes = self._notes.get(dataset.id, {})
                yield judge(dataset, part, first, self._whose, notes, only, self._apart(dataset))
                first += part.num_rows

    def _apart(self, dataset: Dataset) -> Collection[str]:
        return reviewing.apart_of(self.hold, dataset.id)

    def hidden(self) -> Iterator[Column]:
        """What is only unread comes last, and once more: a value that is masked too is known as masked."""
        yield from (column for column in self._hidden(may_hide) if not column.unread)
        yield from self._others()
        yield from (column for column in self._hidden(_notes) if column.unread)

    def _hidden(self, fields_of: Callable[[Dataset, bool], Collection[str]]) -> Iterator[Column]:
        for dataset in reviewing.found_datasets(self.hold):
            shown = dataset.id in self.shown
            fields = fields_of(dataset, shown and not self._apart(dataset))
            for batch in self.judged(dataset, fields) if fields else ():
                yield from hidden(batch, shown)

    def _others(self) -> Iterator[Column]:
        """People who were found beside the subject and are not the subject."""
        known = collecting.current(self.hold)
        for name, one in known.doubtful.items():
            for word in OTHERS if known.marks.get(name) != "same" else ():
                yield Column(name.split("/")[0], word, 0, pa.array([one.evidence.get(word)], pa.string()))

    def lawful(self) -> Iterator[Seen]:
        """What the rules show, what the person wrote, what the company says of itself and every paper by itself."""
        for name in self.shown:
            for batch in self.judged(self.hold.office.inventory.dataset(name)):
                yield from lawful(batch)
        own = [self.hold.request.model_dump(mode="json"), self.hold.office.inventory.model_dump(mode="json")]
        # Of a corrected voucher the letter names the record itself, and what stands beside it (EBOOK).
        issued = (self.hold.read_json(name) for name in self.hold.vault.names("issued/"))
        own += [{"of": no, "new": new} for numbers in issued for no, new in numbers.items()]
        yield Seen(pa.array(sorted({*leaves(own), *printed(), *self._cited()}), pa.string()))

    def _cited(self) -> Iterator[str]:
        """The number of the case and the day of issue stand in every file's own claims."""
        days = [found.get("issued_on") for found in self.hold.ledger().values()]
        yield from filter(None, [self.hold.case_no, self.hold.office.today.isoformat(), *days])


def _notes(dataset: Dataset, _shown: bool) -> Collection[str]:
    return dataset.free_text_fields()


# -- by kind of file ------------------------------------------------------------------------------------------------


def _by_dataset(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        if name.startswith(DATA):
            found.setdefault(PurePosixPath(name).stem, []).append(name)
    return found


def _rows(case: _Case, search: Search, folder: str, dataset: Dataset, names: Sequence[str]) -> None:
    with ExitStack() as opened:
        files = [rows.File(name, opened.enter_context(case.hold.vault.reader(folder + name))) for name in names]
        rows.check_rows(search, dataset, files, case.judged(dataset))


__all__ = ["Looked", "is_released", "look", "release", "stopped"]
