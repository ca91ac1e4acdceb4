"""Letters on stop of use and erasure (利用停止等通知書 and what follows it): what was done, when, and why not.

Nothing is typed here: outcomes, grounds and rules are ids of ``dsr.law``, their words are its rows. A dataset of which
nothing may be known is printed as one where nothing was found, from the outward outcome alone (documents.md §3, DC-5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from dsr import law
from dsr.documents.content import Frame, Heading, Letter, Section, Told
from dsr.documents.wording import both, cases, day, say, statute, told_section
from dsr.errors import BadInput

TITLE = "保有個人データ利用停止等通知書"
DONE = ("erased", "deidentified", "use_stopped", "provision_stopped")
OTHER = ("kept_until", "alternative_measure")
NONE = ("not_held",)
CLAIMS = frozenset({"CIV166"})
"""Rules that are an interest of ours and no duty: the sentence of a duty would be untrue."""
NEEDS = {
    **dict.fromkeys(DONE, ("on",)),
    "kept_until": ("rule", "last_day", "erase_on"),
    "alternative_measure": ("on", "words"),
    "stop_declined": ("ground",),
}
"""Outcome → the fields it cannot be printed without (DC-1)."""


@dataclass(frozen=True)
class Stop:
    """One measure, or its refusal, for one dataset; several where records of one dataset fare differently.

    ``outcome`` and ``ground`` are ids of law.md §6 and §5 (``APPI-35-5-NOHARM+W-O``), ``rule`` of §9; ``on`` the day of
    the measure, ``last_day`` and ``erase_on`` of what is kept, ``fields`` the labels of those that stay, where not all.
    ``purposes``: number and text as published. ``words``: the officer's own, or of another measure what it is.
    """

    label: str
    outcome: str
    records: int | None = None
    on: date | None = None
    ground: str = ""
    purposes: tuple[str, ...] = ()
    words: str = field(default="", repr=False)
    rule: str = ""
    last_day: date | None = None
    erase_on: date | None = None
    fields: tuple[str, ...] = ()
    desk: str = ""


def stop_notice(frame: Frame, stops: Sequence[Stop], told: Sequence[Told] = (), *, certificate_no: str = "",
                terminate_at: str = "", backups_by: date | None = None, file_until: date | None = None) -> Letter:
    """The letter of Act art. 35(7) and 36. ``terminate_at``: where a live contract can be ended.

    Raises BadInput naming the field that an outcome cannot be printed without. That it is so, the survey has proved.
    """
    outward = [(stop, law.outcome(stop.outcome).outward or stop.outcome) for stop in stops]
    for stop, outcome in outward:
        _whole(stop, outcome, frame.right)
    lang, outcomes = frame.language, {outcome for _, outcome in outward}
    sections = (_done(frame, outward), _kept(frame, outward), _refused(frame, outward), told_section(told, lang))
    closing = [
        say("certified", lang, number=certificate_no) if certificate_no else "",
        say("backups", lang, date=backups_by) if backups_by else "",
        say("terminate", lang, desk=terminate_at) if terminate_at else "",
        say("suppressed", lang) if outcomes & {"erased", "deidentified"} else "",
        say("request_file", lang, date=file_until) if file_until else "",
        say("complain", lang),
    ]
    opening = say(_opening(outcomes), lang)
    return frame.letter("use_stop_notice", TITLE, (opening,), sections, tuple(filter(None, closing)))


def _whole(stop: Stop, outcome: str, right: str) -> None:
    if not law.outcome(outcome).final and outcome not in OTHER:
        raise BadInput("stop.outcome", f"{outcome} is still open", "a letter of decision waits until it is decided")
    for name in NEEDS.get(outcome, ()):
        if not getattr(stop, name):
            raise BadInput(f"stop.{name}", f"is missing for the outcome {outcome}", "give it: the letter needs it")
    if outcome == "stop_declined":
        ground = law.ground(stop.ground)
        if not ground.printed or not ground.allows(right):
            raise BadInput("stop.ground", f"{ground.id} is no ground to print for {right}", "see law.md §5")
        if "purpose_no" in ground.needs and not stop.purposes:
            raise BadInput("stop.purposes", f"is missing for {ground.id}", "name the published purpose")


def _opening(outcomes: set[str]) -> str:
    if outcomes <= set(NONE):
        return "stop_absence"
    if outcomes <= {*DONE, *NONE}:
        return "stop_done"
    return "stop_partly" if outcomes & {*DONE, *OTHER} else "stop_declined"


def _numbered(rows: Iterator[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple((str(number), *row) for number, row in enumerate(rows, start=1))


NUMBER = Heading("", "", 0.05, "right")
ITEM = Heading("項目", "Item")
RECORDS = Heading("件数", "Records", 0.11, "right")


def _label(outcome: str, language: str) -> str:
    row = law.outcome(outcome)
    return f"{row.label}\n{row.label_en}" if language == "en" else row.label


def _done(frame: Frame, outward: Sequence[tuple[Stop, str]]) -> Section:
    rows = _numbered(
        (stop.label, _label(outcome, frame.language), cases(stop.records), day(stop.on))
        for stop, outcome in outward if outcome in DONE
    )  # fmt: skip
    columns = (NUMBER, ITEM, Heading("措置", "Measure", 0.24), RECORDS, Heading("措置の日", "Taken on", 0.21))
    return Section("done", "行った措置", "Measures taken", columns, rows)


def _kept(frame: Frame, outward: Sequence[tuple[Stop, str]]) -> Section:
    rows = _numbered(
        (stop.label, cases(stop.records), day(stop.erase_on), _why_kept(frame, stop))
        for stop, outcome in outward if outcome in OTHER
    )  # fmt: skip
    columns = (NUMBER, Heading("項目", "Item", 0.22), RECORDS, Heading("消去予定日", "To be erased on", 0.19),
               Heading("根拠と措置", "Law and measure"))
    return Section("kept", "保存するもの及び異なる措置", "What is kept, and other measures", columns, rows)


def _why_kept(frame: Frame, stop: Stop) -> str:
    if not stop.rule or stop.last_day is None or stop.erase_on is None:
        return stop.words
    key = "other_measure_claims" if stop.rule in CLAIMS else "other_measure"
    said = say(key, frame.language, law_label=statute(stop.rule), last_day=stop.last_day, erase_day=stop.erase_on)
    fields = say("kept_fields", frame.language, fields="、".join(stop.fields)) if stop.fields else ""
    return "\n".join(filter(None, (said, fields, stop.words)))


def _refused(frame: Frame, outward: Sequence[tuple[Stop, str]]) -> Section:
    rows = _numbered(
        (stop.label, _label(outcome, frame.language), _why_not(frame, stop, outcome))
        for stop, outcome in outward if outcome not in (*DONE, *OTHER)
    )  # fmt: skip
    columns = (NUMBER, Heading("項目", "Item", 0.24), Heading("決定", "Decision", 0.21),
               Heading("根拠と理由", "Ground and reason"))
    return Section("refused", "措置を行わないもの及び該当のないもの", "No measure, or nothing held", columns, rows)


def _why_not(frame: Frame, stop: Stop, outcome: str) -> str:
    lang = frame.language
    if outcome in NONE:
        return say("stop_absence", lang)
    if outcome in ("not_our_authority", "redirected"):
        return say("not_ours", lang, desk=stop.desk) if stop.desk else say("not_ours_unnamed", lang)
    if not stop.ground:
        return stop.words
    ground = law.ground(stop.ground)
    purposes = say("needed_for", lang, purposes="、".join(stop.purposes)) if stop.purposes else ""
    return "\n".join(filter(None, (ground.citation, both((ground.reason("ja"), ground.reason("en")), lang), purposes,
                                   stop.words)))


# -- what a statutory date triggers, and what is taken back ----------------------------------------------------------
@dataclass(frozen=True)
class Fired:
    """A promise that was kept: the frozen records of one dataset under one rule."""

    label: str
    rule: str
    promised: date
    done_on: date
    records: int


def scheduled_erasure_done(frame: Frame, fired: Sequence[Fired], *, promised_on: date, promised_in: str,
                           certificate_no: str, file_until: date | None = None) -> Letter:
    """The second notice (GL 3-8-5-3): what was promised in which letter, done when, certified where."""
    if not fired:
        raise BadInput("fired", "is empty", "a notice of completion names what was completed")
    lang = frame.language
    rows = _numbered(
        (one.label, both(statute(one.rule), lang), cases(one.records), day(one.promised), day(one.done_on))
        for one in fired
    )
    columns = (NUMBER, ITEM, Heading("保存の根拠", "Kept under", 0.24), RECORDS,
               Heading("予定日", "Promised for", 0.19), Heading("消去した日", "Erased on", 0.19))  # fmt: skip
    section = Section("fired", "消去を完了したもの", "What has been erased", columns, rows)
    closing = (say("certified", lang, number=certificate_no),
               *((say("request_file", lang, date=file_until),) if file_until else ()), say("complain", lang))
    opening = say("scheduled_done", lang, promised_on=promised_on, number=promised_in)
    return frame.letter("scheduled_erasure_done", "予定消去の完了通知書", (opening,), (section,), closing)


def withdrawal_confirmation(frame: Frame, withdrawn_on: date, object_by: date, done: Sequence[Stop] = ()) -> Letter:
    """To the registered address, whoever took it back: she can still object (edge case EN-28)."""
    outward = [(stop, stop.outcome) for stop in done]
    for stop, outcome in outward:
        _whole(stop, outcome, frame.right)
    lang = frame.language
    closing = (*(() if done else (say("nothing_done", lang),)), say("complain", lang))
    opening = say("withdrawn", lang, date=withdrawn_on, object_by=object_by)
    sections = (_done(frame, outward),)
    return frame.letter("withdrawal_confirmation", "ご請求の取下げの確認について", (opening,), sections, closing)
