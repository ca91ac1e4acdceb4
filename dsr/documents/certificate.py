"""The certificate of erasure (消去証明書, documents.md §4): one page without personal data, or none at all.

What it certifies is what an independent survey found, dataset by dataset, at the level that was reached and no higher.
A ``Certificate`` that would say more than was found cannot be made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import BinaryIO, Literal

from dsr import law
from dsr.documents.content import Head, Heading, Language, Party, Section
from dsr.documents.letter import SMALL, SMALL_TABLE, draw_grid, draw_section, draw_title, foot
from dsr.documents.sheet import Sheet, drawing
from dsr.documents.style import FORM, MM, NOTICE_CELL, NOTICE_TINY, both_days
from dsr.documents.wording import DASH, Both, both, cases, day, say
from dsr.errors import CheckFailed
from dsr.plan import Finding

TITLE = "消去証明書"
SEARCHED = ("found", "none_found")
Limit = Literal["paper", "replica_lag", "wal"]
Measure = Literal["erased", "deidentified", "unlinked", "use_stopped"]
MEASURES: dict[Measure, Both] = {
    "erased": ("消去", "erased"),
    "deidentified": ("非識別化", "deidentified"),
    "unlinked": ("紐づけの解除", "unlinked"),
    "use_stopped": ("利用停止", "use stopped"),
}


@dataclass(frozen=True)
class Covered:
    """One dataset: what was approved, what its store counted, what the survey found on ``looked_on``.

    ``absent``: gone before we came, by the earlier ``receipt``. ``status``: its last search result (documents.md §3).
    ``commitment``: the keyed digest of its locators. ``backups_by``: when no backup holds it any more; None: unsaid.
    ``dba_by``: the day of the DBA's duty, without which a PostgreSQL ``store`` at L1 is not certified (limits.md §5).
    """

    dataset: str
    label: str
    measure: Measure
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

    def problems(self, issued_on: date) -> Iterator[str]:
        """What forbids to certify this dataset."""
        if self.status not in SEARCHED:
            yield f"was {self.status}; a certificate waits until it has been looked at"
        if self.finding is None or self.finding.dataset != self.dataset:
            yield "has no finding; survey it"
            return
        if self.finding.verdict != "verified" or self.finding.level is None:
            yield f"is {self.finding.verdict}, level {self.finding.level}; only what was verified is certified"
        if self.changed + self.absent != self.planned:
            yield f"{self.planned} records were planned, {self.changed} done and {self.absent} absent"
        if self.absent and not self.receipt:
            yield f"{self.absent} records were absent without a receipt of an earlier erasure"
        if self.finding.level == "L3" and (self.backups_by is None or self.backups_by > issued_on):
            yield "claims L3 before the day on which its backups are overwritten"
        if self.store == "postgresql" and self.finding.level == "L1" and self.dba_by is None:
            yield "is a PostgreSQL store at L1 without the day of the DBA's duty"


@dataclass(frozen=True)
class Stays:
    """What lawfully stays of one class of data. ``locked``: closed to every use but keeping."""

    label: str
    rule: str
    last_day: date
    locked: bool = True


@dataclass(frozen=True)
class Certificate:
    """Raises CheckFailed, naming dataset and reason, rather than be made of anything not wholly verified.

    ``approved`` and ``run`` are the plan's digest at approval and at the run, ``planned`` its datasets: each is covered
    once, and no other. ``elsewhere``: findings in places that nobody declared. ``steps``: the numbers of verification
    passed. ``derived_on``: None where nothing is derived. ``position`` and ``head``: the trail's last event and its
    tree head at issue. People are accounts, never subjects.
    """

    number: str
    case_no: str
    issued_on: date
    party: Party
    law_version: str
    engine_version: str
    approved: str
    run: str
    planned: frozenset[str]
    covered: tuple[Covered, ...]
    suppressed_on: date
    derived_on: date | None
    steps: tuple[int, ...]
    second_route: str
    position: int
    head: Head
    handler: str
    approver: str
    runners: tuple[str, ...]
    elsewhere: tuple[Finding, ...] = ()
    kept: tuple[Stays, ...] = ()
    pending: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
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
        if not any(one.changed + one.absent for one in self.covered):
            yield "no system carried anything out"
        for one in self.covered:
            yield from (f"{one.dataset} {problem}" for problem in one.problems(self.issued_on))
        for found in self.elsewhere:
            if found.verdict != "verified":
                yield f"{found.dataset} is {found.verdict}; nobody declared this place"
        if not self.steps:
            yield "no step of verification is named"
        if self.handler == self.approver:
            yield "handler and approver are the same person"

    @property
    def live_on(self) -> date:
        return max(one.looked_on for one in self.covered)

    @property
    def backups_by(self) -> date | None:
        """The last day on which any backup may still hold something; None where one system states none."""
        days = [one.backups_by for one in self.covered]
        return None if None in days else max(day for day in days if day)

    @property
    def commitment(self) -> str:
        """SHA-256 over ``dataset:commitment`` lines in the order of their ids; the lines are in the evidence bundle."""
        lines = sorted(f"{one.dataset}:{one.commitment}\n" for one in self.covered)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


TABLE = replace(SMALL_TABLE, pad=1.0)  # a company has some twenty datasets, and the page is one
TIGHT = SMALL._replace(look=TABLE, gap=4)
GRID = replace(TABLE, label=NOTICE_TINY, label_fill=FORM)
LABELS: dict[str, Both] = {
    "number": ("証明書番号", "Certificate no."),
    "case": ("受付番号", "Case number"),
    "issued": ("発行", "Issued"),
    "law": ("法令、システムの版", "Law, version"),
    "checked": ("検証の手順及び経路", "Steps passed, second route"),
    "plan": ("承認された計画", "Plan approved"),
    "locators": ("対象記録の特定値", "Locators, committed"),
    "trail": ("証跡の位置", "Position in the trail"),
    "people": ("担当者、承認者、実行者", "Handler, approver, runner"),
}


def draw_certificate(certificate: Certificate, out: BinaryIO) -> int:
    """Writes the certificate as a PDF; the number of its pages: one, unless the company has very many datasets."""
    lang, case_no = certificate.language, certificate.case_no
    with drawing(TITLE, certificate.number, certificate.issued_on, foot(certificate.party, case_no), 15 * MM) as sheet:
        draw_title(sheet, TITLE, "erasure_certificate", lang)
        sheet.paragraph(say("certificate", lang), NOTICE_CELL, ("certificate",), "justify", first=NOTICE_CELL.size)
        sheet.skip(5)
        _grid(sheet, certificate, _head(certificate))
        for section in (_scope(certificate), _dates(certificate), _kept(certificate), _claims(certificate)):
            draw_section(sheet, section, lang, TIGHT)
        _grid(sheet, certificate, _proof(certificate))
        sheet.paragraph("以上", NOTICE_CELL, ("以上",), "right")
        return sheet.save(out)


def _grid(sheet: Sheet, certificate: Certificate, rows: Sequence[tuple[str, str]]) -> None:
    draw_grid(sheet, [(_label(key, certificate.language), text) for key, text in rows], certificate.language, GRID, 4)


def _label(key: str, language: Language) -> str:
    return "　".join(LABELS[key]) if language == "en" else LABELS[key][0]


def _head(of: Certificate) -> list[tuple[str, str]]:
    issuer = "　".join((of.party.name, of.party.representative)).replace("\n", "　")
    return [("number", of.number), ("case", of.case_no), ("issued", f"{both_days(of.issued_on)}　{issuer}"),
            ("law", f"{of.law_version}、{of.engine_version}")]  # fmt: skip


def _scope(of: Certificate) -> Section:
    columns = (
        Heading("対象データ", "Dataset"), Heading("措置", "Measure", 0.19 if of.language == "en" else 0.12),
        Heading("対象", "Planned", 0.09, "right"), Heading("実施", "Done", 0.09, "right"),
        Heading("水準", "Level", 0.07, "center"), Heading("検証日", "Verified on", 0.16),
        Heading("上書き期限", "Backups until", 0.16),
    )  # fmt: skip
    rows = tuple(_row(one, of.language) for one in of.covered)
    return Section("scope", "対象及び措置", "Scope and measures", columns, rows)


def _row(one: Covered, language: Language) -> tuple[str, ...]:
    assert one.finding is not None
    label = one.label + (f"（うち{cases(one.absent)}は消去済み：{one.receipt}）" if one.absent else "")
    return (label, both(MEASURES[one.measure], language, " "), cases(one.planned), cases(one.changed + one.absent),
            one.finding.level or "", day(one.looked_on), day(one.backups_by))


def _dates(of: Certificate) -> Section:
    columns = (
        Heading("再登録の抑止を開始した日", "Suppressed"), Heading("稼働中のシステム", "Live stores"),
        Heading("派生データ（集計・写し）", "Derived data"),
        Heading("バックアップの上書き期限", "Backups overwritten by"),
    )  # fmt: skip
    derived = day(of.derived_on) if of.derived_on else say("no_derived", of.language)
    backups = day(of.backups_by) if of.backups_by else say("backups_unstated", of.language)
    row = (day(of.suppressed_on), day(of.live_on), derived, backups)
    return Section("dates", "四つの期日", "Four dates", columns, (row,))


def _kept(of: Certificate) -> Section:
    columns = (Heading("保存する区分", "What stays", 0.26), Heading("根拠", "Rule"),
               Heading("保存期限", "Last day", 0.16), Heading("状態", "State", 0.2))  # fmt: skip
    locked: dict[bool, Both] = {True: ("保存以外の利用を停止", "locked"), False: ("未施錠", "not locked")}
    rows = [(one.label, both((law.retention(one.rule).label, law.retention(one.rule).label_en), of.language),
             day(one.last_day), both(locked[one.locked], of.language)) for one in of.kept]  # fmt: skip
    waiting: Both = ("回答待ち", "answer awaited")
    rows += [(partner, DASH, DASH, both(waiting, of.language)) for partner in of.pending]
    title = "法令等により保存するもの及び回答待ちの先"
    return Section("kept", title, "What lawfully stays; answers awaited", columns, tuple(rows))


def _claims(of: Certificate) -> Section:
    """What each level printed above claims, and no other level's words; then what this paper does not claim."""
    lang, levels = of.language, {one.finding.level for one in of.covered if one.finding and one.finding.level}
    rows: list[tuple[str, str]] = [(level, say(f"level_{level}", lang)) for level in sorted(levels)]
    duties: dict[date, list[str]] = {}
    for one in of.covered:
        if one.dba_by:
            duties.setdefault(one.dba_by, []).append(one.label)
    rows += [("DBA", say("dba_duty", lang, label="、".join(labels), date=by)) for by, labels in sorted(duties.items())]
    if of.limits:
        rows.append((DASH, "\n".join(say(f"limit_{limit}", lang) for limit in of.limits)))
    columns = (Heading("", "", 0.08, "center"), Heading("内容", "Meaning"))
    return Section("claims", "水準の意味及びこの証明の限界", "What the levels claim, and limits", columns, tuple(rows))


def _proof(of: Certificate) -> list[tuple[str, str]]:
    checked = f"{', '.join(str(step) for step in of.steps)}　{of.second_route}"
    people = "、".join((of.handler, of.approver, *of.runners))
    return [("checked", checked), ("plan", of.approved), ("locators", of.commitment),
            ("trail", f"{of.position}　{of.head.text}"), ("people", people)]  # fmt: skip
