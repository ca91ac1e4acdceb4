"""Letters on correction (訂正等通知書): old and new content and every copy, or what was investigated and why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from dsr import law
from dsr.documents.content import Frame, Heading, Letter, Section, Told
from dsr.documents.wording import DASH, Both, both, day, say, told_section
from dsr.errors import BadInput

NOTHING: Both = ("（記録なし）", "(no entry)")
REMOVED: Both = ("（削除）", "(removed)")
CORRECTED: Both = ("訂正済み", "corrected")
PENDING: Both = ("手続中", "pending")


@dataclass(frozen=True)
class Change:
    """One field; ``old`` is empty where content was added, ``new`` where it was removed."""

    label: str
    field_label: str
    old: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True)
class Copy:
    """A system that holds the content; ``done_on`` is None until a survey has found the new content there."""

    label: str
    done_on: date | None = None


@dataclass(frozen=True)
class Voucher:
    """``new_number``: of the note or the voucher issued anew; the one of ``number`` stays as it is (EBOOK, EN-58)."""

    label: str
    number: str
    measure: Literal["annotated", "reissued"]
    new_number: str
    on: date


MEASURES: dict[str, Both] = {"annotated": ("追記", "annotated"), "reissued": ("再発行", "issued anew")}


def correction_notice(frame: Frame, changes: Sequence[Change], copies: Sequence[Copy], told: Sequence[Told] = (),
                      vouchers: Sequence[Voucher] = (), file_until: date | None = None) -> Letter:
    """The letter of Act art. 34(3), with the content of the correction. Raises BadInput where it would say nothing."""
    if not changes and not vouchers:
        raise BadInput("changes", "is empty", "name what was corrected, or send the letter of refusal")
    for number, change in enumerate(changes):
        if change.old == change.new:
            raise BadInput(f"changes.{number}.new", "is what stood there before", "give the new content")
    lang = frame.language
    closing = [
        say("corrected_pending", lang) if any(copy.done_on is None for copy in copies) else "",
        say("request_file", lang, date=file_until) if file_until else "",
        say("complain", lang),
    ]
    sections = (_changes(changes, frame), _copies(copies, frame), _vouchers(vouchers, frame), told_section(told, lang))
    title, opening = "保有個人データ訂正等通知書", say("corrected", lang)
    return frame.letter("correction_notice", title, (opening,), sections, tuple(filter(None, closing)))


def _changes(changes: Sequence[Change], frame: Frame) -> Section:
    rows = tuple(
        (f"{change.label}\n{change.field_label}", change.old or both(NOTHING, frame.language),
         change.new or both(REMOVED, frame.language))
        for change in changes
    )  # fmt: skip
    columns = (Heading("項目", "Item", 0.24), Heading("訂正前", "Before"), Heading("訂正後", "After"))
    return Section("changes", "訂正等の内容", "Content of the correction", columns, rows)


def _copies(copies: Sequence[Copy], frame: Frame) -> Section:
    rows = tuple((copy.label, both(CORRECTED if copy.done_on else PENDING, frame.language), day(copy.done_on))
                 for copy in copies)  # fmt: skip
    columns = (Heading("システム", "System"), Heading("状況", "State", 0.22), Heading("訂正の日", "Corrected on", 0.25))
    return Section("copies", "システムごとの状況", "State by system", columns, rows)


def _vouchers(vouchers: Sequence[Voucher], frame: Frame) -> Section:
    rows = tuple((v.label, v.number, both(MEASURES[v.measure], frame.language), v.new_number or DASH, day(v.on))
                 for v in vouchers)  # fmt: skip
    columns = (Heading("帳簿書類", "Voucher or book"), Heading("元の番号", "Number", 0.25),
               Heading("方法", "Way", 0.12), Heading("追記・新たな番号", "Note or new number", 0.25),
               Heading("日付", "On", 0.19))  # fmt: skip
    note = say("vouchers", frame.language)
    return Section("vouchers", "帳簿書類の訂正", "Vouchers and books", columns, rows, note)


@dataclass(frozen=True)
class Investigated:
    """What was looked into, how, and what came of it; safe words, no other person's data."""

    what: str
    how: str
    result: str


def correction_refusal(frame: Frame, label: str, ground_id: str, investigated: Sequence[Investigated], *,
                       words: str = "", purposes: Sequence[str] = (), statement_to: str = "",
                       file_until: date | None = None) -> Letter:
    """The letter of Act art. 34(3) and 36 for one item that is not corrected. ``statement_to``: the desk that takes a
    statement of dispute. Raises BadInput for a ground that is no ground here, and without an investigation."""
    ground, lang = law.ground(ground_id), frame.language
    if not ground.printed or not ground.allows(frame.right):
        raise BadInput("ground", f"{ground.id} is no ground to print for {frame.right}", "see law.md §5")
    if not investigated:
        raise BadInput("investigated", "is empty", "say what was investigated, how and with what result")
    if "purpose_no" in ground.needs and not purposes:
        raise BadInput("purposes", f"is missing for {ground.id}", "name the published purpose")
    reason = [both((ground.reason("ja"), ground.reason("en")), lang)]
    reason += [say("needed_for", lang, purposes="、".join(purposes))] if purposes else []
    refused = Section(
        "refused", "訂正等を行わないもの", "What is not corrected",
        (Heading("項目", "Item", 0.24), Heading("根拠", "Ground", 0.28), Heading("理由", "Reason")),
        ((label, ground.citation, "\n".join(filter(None, (*reason, words)))),),
    )  # fmt: skip
    looked = Section(
        "investigated", "調査の内容", "Investigation",
        (Heading("調査した事項", "What", 0.3), Heading("方法", "How"), Heading("結果", "Result")),
        tuple((one.what, one.how, one.result) for one in investigated),
    )  # fmt: skip
    closing = [
        say("statement", lang, desk=statement_to) if statement_to else "",
        say("request_file", lang, date=file_until) if file_until else "",
        say("complain", lang),
    ]
    title, opening = "保有個人データの訂正等を行わない旨の通知書", say("correction_refused", lang)
    return frame.letter("correction_refusal", title, (opening,), (refused, looked), tuple(filter(None, closing)))
