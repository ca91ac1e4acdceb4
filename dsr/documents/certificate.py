"""The certificate of erasure (消去証明書, documents.md §4): one page without personal data, or none at all.

What it certifies is what an independent survey found, dataset by dataset, at the level that was reached and no higher.
A ``Certificate`` that would say more than was found cannot be made: a stop of use leaves the record where it stood, and
has no level; a step that no survey of a dataset took is not printed beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import BinaryIO, Literal

from dsr import law
from dsr.documents.content import Head, Language, Party, Section, Text, Words, listed
from dsr.documents.letter import SMALL, SMALL_TABLE, draw_grid, draw_section, draw_title, foot
from dsr.documents.parts import DASH, column, day, lines, records
from dsr.documents.sheet import drawing
from dsr.documents.style import FORM, MM, NOTICE_CELL, NOTICE_TINY, both_days, era_day
from dsr.documents.wordings import by_law, say
from dsr.errors import CheckFailed
from dsr.plan import Finding, Level, Measure

ABSENCE = frozenset({3, 5})
"""Steps that speak of what is gone: of a record whose use was stopped they say nothing."""
SEARCHED = ("found", "none_found")
Limit = Literal["paper", "replica_lag", "wal", "others"]


@dataclass(frozen=True)
class Covered:
    """One dataset: what was approved, what its store counted, what the survey found on ``looked_on``.

    ``measures``: each that was taken there, once. ``absent``: gone before we came, by the earlier ``receipt``.
    ``status``: its last search result (documents.md §3). ``commitment``: the keyed digest of its locators.
    ``backups_by``: when no backup holds it any more; None: unsaid.
    ``dba_by``: the day of the DBA's duty, without which a PostgreSQL ``store`` at L1 is not certified (limits.md §5).
    """

    dataset: str
    label: Text
    measures: tuple[Measure, ...]
    planned: int
    changed: int
    finding: Finding | None
    looked_on: date
    commitment: str
    absent: int = 0
    receipt: str = ""
    status: str = "found"
    backups_by: date | None = None
    store: str = ""
    dba_by: date | None = None
    again: int = 0
    """Records that came back after they were erased, and were erased a second time."""

    @property
    def goes(self) -> bool:
        """Whether something of it is gone; a record whose use was stopped stands there in full."""
        return set(self.measures) != {"use_stopped"}

    @property
    def level(self) -> Level | None:
        """Of what is gone."""
        return self.finding.level if self.finding and self.goes else None

    @property
    def steps(self) -> tuple[int, ...]:
        """Numbers of the steps that its survey took (limits.md §6); none where a person looked."""
        said = self.finding.said if self.finding else {}
        taken = {step["step"] for step in said.get("steps", ())}
        return tuple(sorted(taken if self.goes else taken - ABSENCE))

    @property
    def by_hand(self) -> bool:
        return bool(self.finding and self.finding.said.get("by") == "person")

    def problems(self, issued_on: date) -> Iterator[str]:
        """What forbids to certify this dataset."""
        if self.status not in SEARCHED:
            yield f"was {self.status}; a certificate waits until it has been looked at"
        if self.finding is None or self.finding.dataset != self.dataset:
            yield "has no finding; survey it"
            return
        if self.finding.verdict != "verified" or self.finding.level is None:
            yield f"is {self.finding.verdict}, level {self.finding.level}; only what was verified is certified"
        if not self.steps and not self.by_hand:
            yield "has a finding that names no step of verification"
        if self.changed + self.absent != self.planned:
            yield f"{self.planned} records were planned, {self.changed} done and {self.absent} absent"
        if self.absent and not self.receipt:
            yield f"{self.absent} records were absent without a receipt of an earlier erasure"
        if self.level == "L3" and (self.backups_by is None or self.backups_by > issued_on):
            yield "claims L3 before the day on which its backups are overwritten"
        if self.store == "postgresql" and self.level == "L1" and self.dba_by is None:
            yield "is a PostgreSQL store at L1 without the day of the DBA's duty"


@dataclass(frozen=True)
class Stays:
    """What lawfully stays of one class of data, under a rule of law.md §9 to a day, or without one: ``held`` back for
    the time being, kept as the record of a stop, or standing by the decision. ``locked``: closed to every other use."""

    label: Text
    rule: str = ""
    last_day: date | None = None
    state: Literal["locked", "not_locked", "held_back", "stopped_before", "by_decision"] = "locked"


@dataclass(frozen=True)
class Certificate:
    """Raises CheckFailed, naming dataset and reason, rather than be made of anything not wholly verified.

    ``approved`` and ``run`` are the plan's digest at approval and at the run, ``planned`` its datasets: each is covered
    once, and no other. ``elsewhere``: findings in places that nobody declared. ``derived_on``: the day on which derived
    data was looked at; None where none was. ``remarks``: further limits. ``position`` and ``head``: the trail's last
    event and its tree head at issue. People are accounts, never subjects.
    """

    number: str
    case_no: str
    issued_on: date
    party: Party
    law_version: Text
    engine_version: str
    approved: str
    run: str
    planned: frozenset[str]
    covered: tuple[Covered, ...]
    suppressed_on: date
    position: int
    head: Head
    handler: str
    approver: str
    runners: tuple[Text, ...]
    derived_on: date | None = None
    elsewhere: tuple[Finding, ...] = ()
    kept: tuple[Stays, ...] = ()
    pending: tuple[Text, ...] = ()
    limits: tuple[Limit, ...] = ()
    remarks: tuple[Text, ...] = ()
    language: Language = "ja"

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise CheckFailed(f"certificate: {problem}")

    def _problems(self) -> Iterator[str]:
        if not sum(one.planned for one in self.covered):
            yield "nothing was planned; there is nothing to certify"
        if uncovered := self.planned ^ {one.dataset for one in self.covered}:
            yield f"{min(uncovered)} was planned and is not covered, or the other way round"
        if len(self.covered) != len(self.planned):
            yield "a dataset is covered twice"
        if self.approved != self.run:
            yield "the plan that ran is not the one that was approved"
        if self.covered and not any(one.goes for one in self.covered):
            yield "nothing is gone: a stop of use is told in the letter alone"
        if not any(one.changed + one.absent for one in self.covered):
            yield "no system carried anything out"
        for one in self.covered:
            yield from (f"{one.dataset} {problem}" for problem in one.problems(self.issued_on))
        for found in self.elsewhere:
            if found.verdict != "verified":
                yield f"{found.dataset} is {found.verdict}; nobody declared this place"
        if self.handler == self.approver:
            yield "handler and approver are the same person"

    @property
    def live_on(self) -> date:
        return max(one.looked_on for one in self.covered)

    @property
    def backups_by(self) -> date | None:
        """The last day on which any backup may still hold something; None where one system states none."""
        days = [one.backups_by for one in self.covered if one.goes]
        return None if None in days else max(day for day in days if day)

    @property
    def commitment(self) -> str:
        """SHA-256 over ``dataset:commitment`` lines in the order of their ids; the lines are in the evidence bundle."""
        lines = sorted(f"{one.dataset}:{one.commitment}\n" for one in self.covered)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


TABLE = replace(SMALL_TABLE, pad=1.0)  # a company has some twenty datasets, and the page is one
TIGHT = SMALL._replace(look=TABLE, gap=4)
GRID = replace(TABLE, label=NOTICE_TINY, label_fill=FORM)


def draw_certificate(certificate: Certificate, out: BinaryIO) -> int:
    """Writes the certificate as a PDF; the number of its pages: one, unless the company has very many datasets."""
    of, title = certificate, say("erasure_certificate")
    below = foot(of.party, of.case_no, of.language)
    with drawing(title, of.number, of.issued_on, below, 15 * MM, of.language) as sheet:
        draw_title(sheet, title, "erasure_certificate")
        sheet.paragraph(by_law("certificate"), NOTICE_CELL, ("certificate",), "justify", first=NOTICE_CELL.size)
        sheet.skip(5)
        draw_grid(sheet, _head(of), GRID, 4)
        for section in (_scope(of), _dates(of), _kept(of), _claims(of)):
            draw_section(sheet, section, TIGHT)
        draw_grid(sheet, _proof(of), GRID, 4)
        sheet.paragraph(say("end"), NOTICE_CELL, ("以上",), "right")
        return sheet.save(out)


def _head(of: Certificate) -> list[tuple[Text, Text]]:
    issuer = listed([of.party.name, of.party.representative], "　", ", ")
    return [
        (say("certificate_no"), of.number),
        (say("case"), of.case_no),
        (say("issued"), say("issued_by", day=both_days(of.issued_on), issuer=issuer)),
        (say("law_and_version"), say("law_version", law=of.law_version, engine=of.engine_version)),
    ]


def _scope(of: Certificate) -> Section:
    columns = (
        column("dataset"), column("measure", 0.13), column("planned", 0.08, "right"),
        column("carried_out", 0.08, "right"), column("level", 0.06, "center"), column("steps", 0.08, "center"),
        column("verified_on", 0.16), column("overwritten", 0.16),
    )  # fmt: skip
    return Section("scope", say("scope_of"), columns, tuple(_row(one, of.case_no) for one in of.covered))


def _told(one: Covered, case_no: str) -> Text:
    """With what of it was gone before, or came back."""
    label = say("again", label=one.label, n=one.again) if one.again else one.label
    if not one.absent:
        return label
    here = one.receipt == case_no
    return say("before_here", label=label, n=one.absent) if here else say(
        "absent", label=label, n=one.absent, receipt=one.receipt)  # fmt: skip


def _row(one: Covered, case_no: str) -> tuple[Text, ...]:
    label = _told(one, case_no)
    measures = listed([say(f"measure.{measure}") for measure in one.measures])
    steps = say("by_hand") if one.by_hand else _ranged(one.steps)
    backups = _short(one.backups_by) if one.goes else DASH
    return (label, measures, records(one.planned), records(one.changed + one.absent), one.level or DASH, steps,
            _short(one.looked_on), backups)  # fmt: skip


def _ranged(steps: tuple[int, ...]) -> str:
    """1–5 where none of them is missing."""
    whole = steps == tuple(range(steps[0], steps[-1] + 1)) and len(steps) > 2
    return f"{steps[0]}–{steps[-1]}" if whole else ", ".join(map(str, steps))


def _short(when: date | None) -> Text:
    """A day for a narrow column: its gloss is the ISO date."""
    return Words(era_day(when), when.isoformat()) if when else DASH


def _dates(of: Certificate) -> Section:
    columns = tuple(column(key) for key in ("suppressed_on", "live_on", "derived_on", "backups_by"))
    derived = day(of.derived_on) if of.derived_on else by_law("derived_unexamined")
    backups = day(of.backups_by) if of.backups_by else by_law("backups_unstated")
    return Section("dates", say("dates"), columns, ((day(of.suppressed_on), day(of.live_on), derived, backups),))


def _kept(of: Certificate) -> Section:
    columns = (column("stays_what", 0.26), column("citation"), column("last_day", 0.16), column("state", 0.2))
    rows: list[tuple[Text, ...]] = []
    for one in of.kept:
        rule = law.retention(one.rule) if one.rule else None
        cited: Text = Words(rule.label, rule.label_en) if rule else DASH
        rows.append((one.label, cited, day(one.last_day), say(one.state)))
    rows += [(partner, DASH, DASH, say("waiting")) for partner in of.pending]
    return Section("kept", say("stays"), columns, tuple(rows))


def _claims(of: Certificate) -> Section:
    """What each level printed above claims, and no other level's words; then what this paper does not claim."""
    levels = sorted({one.level for one in of.covered if one.level})
    rows: list[tuple[Text, ...]] = [(level, by_law(f"level_{level}")) for level in levels]
    if any("use_stopped" in one.measures for one in of.covered):
        rows.append((DASH, by_law("level_none")))
    duties: dict[date, list[Text]] = {}
    for one in of.covered:
        if one.dba_by:
            duties.setdefault(one.dba_by, []).append(one.label)
    rows += [("DBA", by_law("dba_duty", label=listed(labels), date=by)) for by, labels in sorted(duties.items())]
    if limits := [*(by_law(f"limit_{limit}") for limit in of.limits), *of.remarks]:
        rows.append((DASH, lines(*limits)))
    return Section("claims", say("claims"), (column("level", 0.08, "center"), column("meaning")), tuple(rows))


def _proof(of: Certificate) -> list[tuple[Text, Text]]:
    taken = sorted({step for one in of.covered for step in one.steps})
    steps = listed([say("numbered", number=step, what=say(f"step.{step}")) for step in taken], "、", "; ")
    people = say("people_are", handler=of.handler, approver=of.approver, runners=listed(of.runners))
    return [
        (say("checked"), lines(steps, say("second_route"))),
        (say("plan"), of.approved),
        (say("locators"), of.commitment),
        (say("trail"), f"{of.position}　{of.head.text}"),
        (say("people"), people),
    ]
