"""A package that reached somebody else, or was lost: the reports it asks for, the person told, the case opened again.

The reports themselves are made in the authorities' own forms; what stands here is that they are due, and were made
(documents.md §3, ``incident_report``).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from dsr import law
from dsr.case import Act
from dsr.documents import templates
from dsr.documents.content import Words
from dsr.documents.wordings import say
from dsr.engine import corresponding, dispatching
from dsr.engine.office import Office
from dsr.errors import BadInput, NotAllowed, as_id
from dsr.request import AuthorityReport, IncidentReport
from dsr.rules import incidents
from dsr.rules.lifecycle import State
from dsr.shapes import shaped


def occurred(office: Office, case_no: str, document: object) -> dict[str, Any]:
    """Of the person whose data it is. Raises NotAllowed for a case of which nothing ever left."""
    office.may("incident")
    said = shaped(IncidentReport, document, "incident")
    if said.known_at > office.now:
        raise BadInput("known_at", "is in the future", "give the moment at which it became known")
    with office.hold(case_no) as hold:
        case = hold.case
        if not case.facts.get("dispatched_on"):
            raise NotAllowed(f"{case_no}: nothing has left yet; see dsr show {case_no}")
        number = 1 + len(case.facts.get("incidents", []))
        due = incidents.reports(said, bool(case.facts.get("secrecy")))
        kept: dict[str, Any] = {
            "kind": said.kind, "persons": said.persons, "read": said.read, "leak": incidents.is_leak(said),
            "known_at": said.known_at.isoformat(), "secrecy": bool(case.facts.get("secrecy")),
            "reports": {report.name: {"due": report.due.isoformat(), "on": None, "to": None} for report in due},
        }  # fmt: skip
        hold.write_json(f"incident/{number}.json", said.model_dump(mode="json"))
        owes = tuple((f"incident:{number}:{report.name}", "approver", report.due) for report in due)
        facts = {"incidents": [*case.facts.get("incidents", []), kept], "envelope_checked_by": None}
        to = State.DISPATCHING if case.state in (State.CLOSED, State.KEPT) else None
        act = Act("", public={"reports": sorted(kept["reports"]), "leak": kept["leak"]}, to=to,
                  facts={**facts, "deliveries": _gone_astray(dispatching.past(hold), office.today)},
                  owes=owes, done=("incident:opened",))  # fmt: skip
        back = "recovered" if said.recovered_on else "not_recovered"
        values: dict[str, templates.Value] = {
            "outline": say(f"incident.{said.kind}"), "items": say("incident.package"),
            "basis": Words(law.cited("incident"), law.in_english(law.cited("incident"))),
            "cause": said.cause, "secondary_harm": said.secondary_harm, "other": said.other,
            "recovered": say(f"incident.{back}.{said.read}"),
        }  # fmt: skip
        corresponding.write(hold, f"incident:{number}", "incident_notice", values, act=act)
        return kept


def _gone_astray(past: list[dict[str, Any]], today: date) -> list[dict[str, Any]]:
    """The last delivery did not reach the person: it is sent anew, after a new envelope check."""
    if not past or past[-1].get("returned_on"):
        return past
    return [*past[:-1], {**past[-1], "returned_on": today.isoformat(), "reason": "astray", "seal": "broken"}]


def reported(office: Office, case_no: str, document: object) -> dict[str, Any]:
    """A report was made. Raises BadInput for one that is not due."""
    office.may("incident")
    said = shaped(AuthorityReport, document, "report")
    number, _, name = said.report.partition(":")
    with office.hold(case_no) as hold:
        found = list(hold.case.facts.get("incidents", []))
        at = int(number) - 1 if number.isascii() and number.isdigit() else -1
        if not 0 <= at < len(found) or name not in found[at]["reports"]:
            due = ", ".join(f"{n}:{one}" for n, each in enumerate(found, 1) for one in each["reports"])
            raise BadInput("report", f"{as_id(said.report)} is not due", f"one of {due or 'none'}")
        if said.reported_on > office.today or said.reported_on.isoformat() < found[at]["known_at"][:10]:
            raise BadInput("reported_on", "is in the future, or before it was known", "give the day of the report")
        made = {**found[at]["reports"][name], "on": said.reported_on.isoformat(), "to": said.to}
        found[at] = {**found[at], "reports": {**found[at]["reports"], name: made}}
        hold.record(Act(f"incident:{number}:{name}", "result", {"on": made["on"]}, facts={"incidents": found},
                        secret=said.model_dump_json().encode(), done=(f"incident:{said.report}",)))  # fmt: skip
        kept: dict[str, Any] = found[at]
        return kept
