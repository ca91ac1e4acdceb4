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
class Words:
    """A wording in Japanese and its English gloss (empty: it has none), which is drawn where English was asked for."""

    ja: str
    en: str = ""

    def __bool__(self) -> bool:
        return bool(self.ja)

    def of(self, language: Language) -> str:
        """In one language; Japanese where there is no English."""
        return self.en or self.ja if language == "en" else self.ja


Text = str | Words
"""A plain text has no gloss: values, names, numbers."""


def words(text: Text) -> Words:
    return text if isinstance(text, Words) else Words(text)


def drawn_in(text: Text, language: Language) -> Text:
    """The text alone, or ``Words`` where both are drawn."""
    return text if isinstance(text, str) or (language == "en" and text.en) else text.ja


def after(prefix: str, text: Text) -> Words:
    """``prefix`` (a bullet, a number) before the Japanese; the gloss stands below and has none."""
    told = words(text)
    return Words(prefix + told.ja, told.en)


def listed(texts: Iterable[Text], ja: str = "、", en: str = ", ") -> Words:
    """One after another. Glossed if any is: what has no English stands in the gloss as it is."""
    told = [words(text) for text in texts]
    return Words(ja.join(t.ja for t in told), en.join(t.of("en") for t in told) if any(t.en for t in told) else "")


@dataclass(frozen=True)
class Party:
    """Who issues the paper (the controller, law.md §3; Act art. 32(1)). Texts may hold line breaks."""

    name: Text
    address: Text
    representative: Text
    desk: Text
    complaint_desk: Text = ""
    accredited_body: Text = ""


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


Cell = Text | Masked


@dataclass(frozen=True)
class Column:
    """``wide`` columns hold running text and wrap; all others are wide enough for their longest value, if they can."""

    key: str
    label: Text
    align: Align = "left"
    wide: bool = False


@dataclass(frozen=True)
class Table:
    """``rows`` is called twice (to measure, to draw) and must give the same ``count`` rows both times."""

    title: Text
    dataset: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Sequence[Cell]]] = field(repr=False)
    count: int
    note: Text = ""


@dataclass(frozen=True)
class Chapter:
    """A part of the book (documents.md §5); ``lines`` are statements, such as the outward result of an empty part."""

    no: str
    title: Text
    intro: Text = ""
    tables: tuple[Table, ...] = ()
    lines: tuple[Text, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Searched:
    """One dataset's outward result; ``count`` is ``None`` where nothing could be counted."""

    system: Text
    dataset: Text
    status: str
    status_label: Text
    count: int | None = None
    detail: Text = ""


@dataclass(frozen=True)
class Redaction:
    """``count`` is of places (fields or spans), not rows."""

    mark_label: Text
    citation: Text
    count: int


@dataclass(frozen=True)
class Item:
    """One decided item of a letter; ``citation`` and ``reason`` are empty where nothing was refused."""

    label: Text
    outcome_label: Text
    count_text: str = ""
    citation: Text = ""
    reason: Text = ""


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

    label: Text
    text: Text = field(repr=False)


@dataclass(frozen=True)
class Heading:
    """A column of a section. ``share`` of the measure; the columns without one divide what is left."""

    label: Text
    share: float = 0.0
    align: Align = "left"


@dataclass(frozen=True)
class Section:
    """A table of a letter under its own heading; ``key`` names it in errors. ``small``: in the type of remarks."""

    key: str
    title: Text
    columns: tuple[Heading, ...]
    rows: tuple[tuple[Text, ...], ...] = field(repr=False)
    note: Text = ""
    small: bool = False


@dataclass(frozen=True)
class Letter:
    """``paragraphs`` stand above 記 and ``closing`` below the tables; ``facts`` are rows of the grid between them."""

    kind: str
    title: Text
    case_no: str
    issued_on: date
    party: Party
    recipient: Recipient
    subject_name: str = field(repr=False)
    law_line: Text
    items: tuple[Item, ...] = ()
    files: tuple[FileLine, ...] = ()
    paragraphs: tuple[Text, ...] = field(default=(), repr=False)
    closing: tuple[Text, ...] = ()
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
    law_line: Text
    facts: tuple[Fact, ...] = ()
    head: Head | None = None
    language: Language = "ja"
    number: str = ""

    def letter(self, kind: str, title: Text, opening: Text, sections: Iterable[Section],
               closing: Iterable[Text]) -> Letter:
        """``closing``: lines without text are left out."""
        return Letter(kind, title, self.case_no, self.issued_on, self.party, self.recipient, self.subject_name,
                      self.law_line, paragraphs=(opening,), closing=tuple(line for line in closing if line),
                      head=self.head, language=self.language, facts=self.facts, number=self.number,
                      sections=tuple(sections))


@dataclass(frozen=True)
class Told:
    """A processor, joint user or earlier recipient who was told; ``done_on`` is None while the answer is awaited."""

    label: Text
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
    legend: tuple[tuple[str, Text], ...] = ()
    title: Text = "保有個人データ開示書"
    head: Head | None = None
    language: Language = "ja"
    holdings: tuple[tuple[Text, int], ...] = ()


@dataclass(frozen=True)
class Slip:
    """The acknowledgement; ``word`` is the two-way check word asked and given on the telephone."""

    case_no: str
    issued_on: date
    party: Party
    recipient: Recipient
    received_on: date
    channel: Text
    right_label: Text
    scope_text: Text
    method_label: Text
    target_date: date | None
    contact: Text
    missing: tuple[Text, ...] = ()
    word: str = field(default="", repr=False)
    fee_text: Text = ""
    head: Head | None = None
    language: Language = "ja"
