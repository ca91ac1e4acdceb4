"""Letters on stop of use and erasure (利用停止等通知書 and what follows it): what was done, when, and why not.

Nothing is typed here: outcomes, grounds and rules are ids of ``dsr.law``, their words are its rows. A dataset of which
nothing may be known is printed as one where nothing was found, from the outward outcome alone (documents.md §3, DC-5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from dsr import law
from dsr.documents.content import Frame, Letter, Section, Text, Told, Words, listed
from dsr.documents.parts import (
    NUMBER,
    citation,
    closing,
    column,
    day,
    lines,
    numbered,
    reason,
    records,
    statute,
    told_section,
)
from dsr.documents.wordings import by_law, say
from dsr.errors import BadInput

DONE = ("erased", "deidentified", "use_stopped", "provision_stopped")
OTHER = ("kept_until", "alternative_measure")
NONE = ("not_held",)
NOT_RETAINED = frozenset({*NONE, "not_our_authority", "redirected", "out_of_scope", "not_asked"})
"""Of which there is no retained personal data to stop using: a letter of these alone declines nothing."""
ABOUT_PROVISION = frozenset({"provision_stop", "optout_provision_stop", "listing_stop"})
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
    ``why``: id of the reason for which nothing was searched (law.md §6).
    """

    label: Text
    outcome: str
    records: int | None = None
    on: date | None = None
    ground: str = ""
    purposes: tuple[Text, ...] = ()
    words: Text = field(default="", repr=False)
    rule: str = ""
    last_day: date | None = None
    erase_on: date | None = None
    fields: tuple[Text, ...] = ()
    desk: Text = ""
    why: str = ""


Outward = Sequence[tuple[Stop, str]]


def stop_notice(frame: Frame, stops: Sequence[Stop], told: Sequence[Told] = (), *, certificate_no: str = "",
                verified: bool = False, terminate_at: Text = "", backups_by: date | None = None,
                file_until: date | None = None, unverified: Sequence[Stop] = (),
                reported: Sequence[Text] = ()) -> Letter:  # fmt: skip
    """The letter of Act art. 35(7) and 36. ``terminate_at``: where a live contract can be ended; ``verified``: that the
    result was, where no certificate says so; ``unverified``: those of ``stops`` of which it was not; ``reported``:
    labels of those of which only the owner says so.

    Raises BadInput naming the field that an outcome cannot be printed without. That it is so, the survey has proved.
    """
    outward = [(stop, law.outcome(stop.outcome).outward or stop.outcome) for stop in stops]
    for stop, outcome in outward:
        _whole(stop, outcome, frame.right)
    outcomes = {outcome for _, outcome in outward}
    about = "provision" if frame.right in ABOUT_PROVISION else "stop"
    sections = (_done(outward), _kept(outward), _refused(outward, about), told_section(told))
    last = closing(
        frame,
        by_law("certified", number=certificate_no) if certificate_no else by_law("verified") if verified else "",
        _unverified(unverified) if certificate_no or verified else "",
        by_law("reported", labels=listed(reported)) if reported else "",
        by_law("backups", date=backups_by) if backups_by else "",
        by_law("terminate", desk=terminate_at) if terminate_at else "",
        _suppressed(outcomes),
        file_until=file_until,
    )
    opening = by_law(f"{about}_{_opening(outcomes)}")
    return frame.letter("use_stop_notice", say("use_stop_notice"), opening, sections, last)


def _suppressed(outcomes: set[str]) -> Text:
    """What is held so that it does not come back."""
    gone, stopped = bool(outcomes & {"erased", "deidentified"}), "use_stopped" in outcomes
    if not gone and not stopped:
        return ""
    return by_law("suppressed_both" if gone and stopped else "suppressed" if gone else "suppressed_stop")


def _unverified(stops: Sequence[Stop]) -> Text:
    days = [stop.on for stop in stops if stop.on]
    labels = list(dict.fromkeys(stop.label for stop in stops))
    return by_law("done_before", labels=listed(labels), date=max(days)) if days else ""


def _whole(stop: Stop, outcome: str, right: str) -> None:
    if not law.closes(outcome, stop.why or None) and outcome not in OTHER:
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
    if outcomes <= NOT_RETAINED:
        return "absence"
    if outcomes <= {*DONE, *NONE}:
        return "done"
    if outcomes & set(DONE):
        return "partly"
    return "other" if outcomes & set(OTHER) else "declined"


def _label(outcome: str) -> Words:
    return Words(law.outcome(outcome).label, law.outcome(outcome).label_en)


def _done(outward: Outward) -> Section:
    rows = numbered((stop.label, _label(outcome), records(stop.records), day(stop.on))
                    for stop, outcome in outward if outcome in DONE)  # fmt: skip
    columns = (NUMBER, column("item"), column("measure", 0.24), column("count", 0.11, "right"),
               column("measured_on", 0.21))  # fmt: skip
    return Section("done", say("done"), columns, rows)


def _kept(outward: Outward) -> Section:
    rows = numbered((stop.label, records(stop.records), day(stop.erase_on), _why_kept(stop))
                    for stop, outcome in outward if outcome in OTHER)  # fmt: skip
    columns = (NUMBER, column("item", 0.22), column("count", 0.11, "right"), column("erase_on", 0.19),
               column("why_kept"))  # fmt: skip
    return Section("kept", say("kept"), columns, rows)


def _why_kept(stop: Stop) -> Text:
    if not stop.rule or stop.last_day is None or stop.erase_on is None:
        return stop.words
    key = "other_measure_claims" if stop.rule in CLAIMS else "other_measure"
    said = by_law(key, law_label=statute(stop.rule), last_day=stop.last_day, erase_day=stop.erase_on)
    return lines(said, by_law("kept_fields", fields=listed(stop.fields)) if stop.fields else "", stop.words)


def _refused(outward: Outward, about: str) -> Section:
    # Of what must not be known there is no count either (DC-5).
    rows = numbered((stop.label, _label(outcome), records(stop.records if outcome == "stop_declined" else None),
                     _why_not(stop, outcome, about))
                    for stop, outcome in outward if outcome not in (*DONE, *OTHER))  # fmt: skip
    columns = (NUMBER, column("item", 0.21), column("outcome", 0.2), column("count", 0.08, "right"), column("why"))
    return Section("refused", say("refused"), columns, rows)


def _why_not(stop: Stop, outcome: str, about: str) -> Text:
    if outcome in NONE:
        # An earlier erasure may be named; of what must not be known (outwardly none held) nothing ever is (DC-5).
        return (stop.words if stop.outcome in NONE else "") or by_law(f"{about}_absence")
    if outcome in ("not_our_authority", "redirected"):
        return by_law("not_ours", desk=stop.desk) if stop.desk else by_law("not_ours_unnamed")
    if not stop.ground:
        return stop.words
    ground = law.ground(stop.ground)
    return lines(citation(ground), reason(ground, stop.purposes, stop.words))


# -- what a statutory date triggers, and what is taken back ----------------------------------------------------------
@dataclass(frozen=True)
class Fired:
    """A promise that was kept: the frozen records of one dataset under one rule."""

    label: Text
    rule: str
    promised: date
    done_on: date
    records: int


def scheduled_erasure_done(frame: Frame, fired: Sequence[Fired], *, promised_on: date, promised_in: str,
                           certificate_no: str, file_until: date | None = None) -> Letter:
    """The second notice (GL 3-8-5-3): what was promised in which letter, done when, certified where."""
    if not fired:
        raise BadInput("fired", "is empty", "a notice of completion names what was completed")
    rows = numbered((one.label, statute(one.rule), records(one.records), day(one.promised), day(one.done_on))
                    for one in fired)  # fmt: skip
    columns = (NUMBER, column("item"), column("kept_under", 0.24), column("count", 0.11, "right"),
               column("promised", 0.19), column("erased_on", 0.19))  # fmt: skip
    opening = by_law("scheduled_done", promised_on=promised_on, number=promised_in)
    last = closing(frame, by_law("certified", number=certificate_no), file_until=file_until)
    kind = "scheduled_erasure_done"
    return frame.letter(kind, say(kind), opening, (Section("fired", say("fired"), columns, rows),), last)


def withdrawal_confirmation(frame: Frame, withdrawn_on: date, object_by: date, done: Sequence[Stop] = ()) -> Letter:
    """To the registered address, whoever took it back: she can still object (edge case EN-28)."""
    outward = [(stop, stop.outcome) for stop in done]
    for stop, outcome in outward:
        _whole(stop, outcome, frame.right)
    opening = by_law("withdrawn", date=withdrawn_on, object_by=object_by)
    last = closing(frame, "" if done else by_law("nothing_done"))
    return frame.letter("withdrawal_confirmation", say("withdrawal_confirmation"), opening, (_done(outward),), last)
