"""What the letters on stop, erasure and correction have in common: columns, reasons, who was told, how they close."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from dsr import law
from dsr.documents.content import Align, Frame, Heading, Section, Text, Told, Words, listed
from dsr.documents.style import said_day
from dsr.documents.wordings import by_law, say

DASH = "―"
NUMBER = Heading("", 0.05, "right")


def column(key: str, share: float = 0.0, align: Align = "left") -> Heading:
    return Heading(say(key), share, align)


def numbered(rows: Iterable[tuple[Text, ...]]) -> tuple[tuple[Text, ...], ...]:
    return tuple((str(number), *row) for number, row in enumerate(rows, start=1))


def day(when: date | None) -> Text:
    return said_day(when) if when else DASH


def records(number: int | None) -> Text:
    return DASH if number is None else say("counted", n=f"{number:,}")


def lines(*texts: Text) -> Words:
    """One below the other, those that say something."""
    return listed([text for text in texts if text], "\n", "\n")


def statute(rule: str) -> Words:
    """The rule's name for the middle of a sentence: without the remark that its label carries in brackets."""
    row = law.retention(rule)
    return Words(row.label.partition("（")[0], row.label_en.partition(" (")[0])


def citation(ground: law.Ground) -> Words:
    return Words(ground.citation, law.in_english(ground.citation))


def reason(ground: law.Ground, purposes: Sequence[Text], words: Text) -> Words:
    """Why, in the ground's own words; the published purposes it rests on; what the officer says of this case."""
    named = by_law("needed_for", purposes=listed(purposes)) if purposes else ""
    return lines(Words(ground.reason("ja"), ground.reason("en")), named, words)


def told_section(told: Sequence[Told]) -> Section:
    """Who was told, and whose answer is awaited: silence is never printed as success (law.md P-1..P-3)."""
    rows = tuple((one.label, say(f"kind.{one.kind}"), say("answered" if one.done_on else "waiting"), day(one.done_on))
                 for one in told)  # fmt: skip
    waiting = any(one.done_on is None for one in told)
    columns = (column("name"), column("kind", 0.16), column("state", 0.18), column("checked_on", 0.21))
    return Section("told", say("told"), columns, rows, by_law("told_pending" if waiting else "told"))


def closing(frame: Frame, *texts: Text, file_until: date | None = None) -> tuple[Text, ...]:
    """``texts``, what we still hold about the request itself, where to complain, which language is authentic."""
    held = by_law("request_file", date=file_until) if file_until else ""
    return (*texts, held, by_law("complain"), say("glossed") if frame.language == "en" else "")
