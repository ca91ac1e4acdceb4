"""Letters on correction (訂正等通知書): old and new content and every copy, or what was investigated and why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from dsr import law
from dsr.documents.content import Frame, Letter, Section, Text, Told
from dsr.documents.parts import citation, closing, column, day, lines, reason, told_section
from dsr.documents.wordings import by_law, say
from dsr.errors import BadInput


@dataclass(frozen=True)
class Change:
    """One field; ``old`` is empty where content was added, ``new`` where it was removed."""

    label: Text
    field_label: Text
    old: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True)
class Copy:
    """A system that holds the content; ``done_on`` is None until a survey has found the new content there."""

    label: Text
    done_on: date | None = None


@dataclass(frozen=True)
class Voucher:
    """``new_number``: of the note or the voucher issued anew; the one of ``number`` stays as it is (EBOOK, EN-58).
    ``reported``: its owner says so, and no look of ours saw the note."""

    label: Text
    number: str
    way: Literal["annotated", "reissued", "reported"]
    new_number: str
    on: date


def correction_notice(frame: Frame, changes: Sequence[Change], copies: Sequence[Copy], told: Sequence[Told] = (),
                      vouchers: Sequence[Voucher] = (), file_until: date | None = None) -> Letter:
    """The letter of Act art. 34(3), with the content of the correction. Raises BadInput where it would say nothing."""
    if not changes and not vouchers:
        raise BadInput("changes", "is empty", "name what was corrected, or send the letter of refusal")
    for number, change in enumerate(changes):
        if change.old == change.new:
            raise BadInput(f"changes.{number}.new", "is what stood there before", "give the new content")
    for number, voucher in enumerate(vouchers):
        if not voucher.new_number or voucher.new_number == voucher.number:
            raise BadInput(f"vouchers.{number}.new_number", "is missing", "give the number of the note or new voucher")
    sections = (_changes(changes), _copies(copies), _vouchers(vouchers), told_section(told))
    pending = any(copy.done_on is None for copy in copies)
    last = closing(frame, by_law("corrected_pending") if pending else "", file_until=file_until)
    return frame.letter("correction_notice", say("correction_notice"), by_law("corrected"), sections, last)


def _changes(changes: Sequence[Change]) -> Section:
    rows = tuple((lines(change.label, change.field_label), change.old or say("no_entry"), change.new or say("removed"))
                 for change in changes)  # fmt: skip
    return Section("changes", say("changes"), (column("item", 0.24), column("before"), column("now")), rows)


def _copies(copies: Sequence[Copy]) -> Section:
    rows = tuple((copy.label, say("corrected" if copy.done_on else "pending"), day(copy.done_on)) for copy in copies)
    columns = (column("system"), column("state", 0.22), column("corrected_on", 0.25))
    return Section("copies", say("copies"), columns, rows)


def _vouchers(vouchers: Sequence[Voucher]) -> Section:
    rows = tuple((v.label, v.number, say(f"way.{v.way}"), v.new_number, day(v.on)) for v in vouchers)
    columns = (column("voucher"), column("number", 0.25), column("way", 0.12), column("new_number", 0.25),
               column("on", 0.19))  # fmt: skip
    reported = any(v.way == "reported" for v in vouchers)
    said = lines(by_law("vouchers"), by_law("vouchers_reported")) if reported else by_law("vouchers")
    return Section("vouchers", say("vouchers"), columns, rows, said)


@dataclass(frozen=True)
class Investigated:
    """What was looked into, how, and what came of it; safe words, no other person's data."""

    what: Text
    how: Text
    result: Text


def correction_refusal(frame: Frame, label: Text, ground_id: str, investigated: Sequence[Investigated], *,
                       words: Text = "", purposes: Sequence[Text] = (), statement_to: Text = "",
                       file_until: date | None = None) -> Letter:
    """The letter of Act art. 34(3) and 36 for one item that is not corrected. ``statement_to``: the desk that takes a
    statement of dispute. Raises BadInput for a ground that is no ground here, and without an investigation."""
    ground = law.ground(ground_id)
    if not ground.printed or not ground.allows(frame.right):
        raise BadInput("ground", f"{ground.id} is no ground to print for {frame.right}", "see law.md §5")
    if not investigated:
        raise BadInput("investigated", "is empty", "say what was investigated, how and with what result")
    if "purpose_no" in ground.needs and not purposes:
        raise BadInput("purposes", f"is missing for {ground.id}", "name the published purpose")
    refused = Section(
        "refused", say("not_corrected"), (column("item", 0.24), column("citation", 0.28), column("reason")),
        ((label, citation(ground), reason(ground, purposes, words)),),
    )  # fmt: skip
    looked = Section(
        "investigated", say("investigated"), (column("looked_into", 0.3), column("how"), column("result")),
        tuple((one.what, one.how, one.result) for one in investigated),
    )  # fmt: skip
    last = closing(frame, by_law("statement", desk=statement_to) if statement_to else "", file_until=file_until)
    kind = "correction_refusal"
    return frame.letter(kind, say(kind), by_law("correction_refused"), (refused, looked), last)
