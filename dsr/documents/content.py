"""What the engine hands over to be printed: frozen values, already masked, already worded, already outward.

Nothing here has ever held a masked value: ``Masked`` carries the text that is shown, never the one that was there.
All text is Unicode as it should read; the layer below draws every character of it or refuses (``UndrawableLetter``).

=============== ===============================================================================================
Letter          a notice (decision, absence, …): facts, items with reasons, files with digests, tables, closing
Frame           what every letter of one case carries, whatever it says
Slip            the acknowledgement (受付票)
Book            the disclosure book: chapters of tables, what was searched, redactions by reason
=============== ===============================================================================================

Days are whole days in Asia/Tokyo. Counts are of rows unless said otherwise; sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Language = Literal["ja", "en"]
Align = Literal["left", "right", "center"]


@dataclass(frozen=True)
class Party:
    """Who issues the paper (the controller, law.md §3; Act art. 32(1)). Texts may hold line breaks."""

    name: str
    address: str
    representative: str
    desk: str
    complaint_desk: str = ""
    accredited_body: str = ""


@dataclass(frozen=True)
class Recipient:
    name: str = field(repr=False)
    address: str = field(repr=False)
    honorific: str = "様"


@dataclass(frozen=True)
class Masked:
    """A cell of which something is not shown: ``shown`` is all that is printed, ``mark`` and ``ground`` are ids."""

    shown: str
    mark: str
    ground: str


Cell = str | Masked


@dataclass(frozen=True)
class Column:
    """``wide`` columns hold running text and wrap; all others are wide enough for their longest value, if they can."""

    key: str
    label: str
    align: Align = "left"
    wide: bool = False


@dataclass(frozen=True)
class Table:
    """``rows`` is called twice (to measure, to draw) and must give the same ``count`` rows both times."""

    title: str
    dataset: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Sequence[Cell]]] = field(repr=False)
    count: int
    note: str = ""


@dataclass(frozen=True)
class Chapter:
    """A part of the book (documents.md §5); ``lines`` are statements, such as the outward result of an empty part."""

    no: str
    title: str
    intro: str = ""
    tables: tuple[Table, ...] = ()
    lines: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Searched:
    """One dataset's outward result; ``count`` is ``None`` where nothing could be counted."""

    system: str
    dataset: str
    status: str
    status_label: str
    count: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Redaction:
    """``count`` is of places (fields or spans), not rows."""

    mark_label: str
    citation: str
    count: int


@dataclass(frozen=True)
class Item:
    """One decided item of a letter; ``citation`` and ``reason`` are empty where nothing was refused."""

    label: str
    outcome_label: str
    count_text: str = ""
    citation: str = ""
    reason: str = ""


@dataclass(frozen=True)
class FileLine:
    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Head:
    """The log's tree head at issue, as ``size:base64 of the digest``."""

    text: str


@dataclass(frozen=True)
class Fact:
    """One row of the form grid: 請求の内容, 開示の方法, …"""

    label: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Heading:
    """A column of a section. ``share`` of the measure; the columns without one divide what is left."""

    label: str
    gloss: str
    share: float = 0.0
    align: Align = "left"


@dataclass(frozen=True)
class Section:
    """A table of a letter under its own heading; without rows it is not drawn. Cells may hold line breaks.

    ``small``: in the type of a form's remarks.
    """

    key: str
    title: str
    gloss: str
    columns: tuple[Heading, ...]
    rows: tuple[tuple[str, ...], ...] = field(repr=False)
    note: str = ""
    small: bool = False


@dataclass(frozen=True)
class Letter:
    """``paragraphs`` stand above 記 and ``closing`` below the tables; ``facts`` are rows of the grid between them."""

    kind: str
    title: str
    case_no: str
    issued_on: date
    party: Party
    recipient: Recipient
    subject_name: str = field(repr=False)
    law_line: str
    items: tuple[Item, ...] = ()
    files: tuple[FileLine, ...] = ()
    paragraphs: tuple[str, ...] = field(default=(), repr=False)
    closing: tuple[str, ...] = ()
    head: Head | None = None
    language: Language = "ja"
    facts: tuple[Fact, ...] = ()
    number: str = ""
    """文書番号, as it stands at the upper right; the case number where the company has no sign of its own."""
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Frame:
    """What every letter of one case carries. ``right`` is an id of ``dsr.law.RIGHTS``; ``facts`` are as a letter's.

    A letter about stop, erasure or correction has no row for a fee: none can be asked (law.md F-1).
    """

    case_no: str
    right: str
    issued_on: date
    party: Party
    recipient: Recipient
    subject_name: str = field(repr=False)
    law_line: str
    facts: tuple[Fact, ...] = ()
    head: Head | None = None
    language: Language = "ja"
    number: str = ""

    def letter(self, kind: str, title: str, paragraphs: tuple[str, ...], sections: tuple[Section, ...],
               closing: tuple[str, ...], facts: tuple[Fact, ...] = ()) -> Letter:
        return Letter(kind, title, self.case_no, self.issued_on, self.party, self.recipient, self.subject_name,
                      self.law_line, paragraphs=paragraphs, closing=closing, head=self.head, language=self.language,
                      facts=(*self.facts, *facts), number=self.number, sections=sections)


@dataclass(frozen=True)
class Told:
    """A processor, joint user or earlier recipient who was told; ``done_on`` is None while the answer is awaited."""

    label: str
    kind: Literal["processor", "joint", "recipient"]
    done_on: date | None = None


@dataclass(frozen=True)
class Book:
    """``legend``: what is shown in place of a value, and why. ``holdings``: rows by part, for the chart.

    Parts 01 and 16 are drawn in any case.
    """

    case_no: str
    issued_on: date
    party: Party
    recipient: Recipient
    chapters: tuple[Chapter, ...]
    searched: tuple[Searched, ...]
    redactions: tuple[Redaction, ...]
    legend: tuple[tuple[str, str], ...] = ()
    title: str = "保有個人データ開示書"
    head: Head | None = None
    language: Language = "ja"
    holdings: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Slip:
    """The acknowledgement; ``word`` is the two-way check word asked and given on the telephone."""

    case_no: str
    issued_on: date
    party: Party
    recipient: Recipient
    received_on: date
    channel: str
    right_label: str
    scope_text: str
    method_label: str
    target_date: date | None
    contact: str
    missing: tuple[str, ...] = ()
    word: str = field(default="", repr=False)
    fee_text: str = ""
    head: Head | None = None
    language: Language = "ja"
