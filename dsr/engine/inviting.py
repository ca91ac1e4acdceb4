"""録音視聴のご案内: recordings are listened to at a place or by a link, as the person chose (Rule 30, M-1)."""

from __future__ import annotations

from dsr.documents import templates
from dsr.engine import corresponding, papers
from dsr.engine.fetched import found_datasets
from dsr.engine.office import Office
from dsr.errors import BadInput, NotAllowed
from dsr.request import Invitation
from dsr.rules.lifecycle import State
from dsr.shapes import shaped

RECORDINGS = 17
"""Category of recordings (estate.md)."""


def invite(office: Office, case_no: str, document: object) -> None:
    """Once it is decided that they are disclosed, never before. Raises NotAllowed where no recording is."""
    office.may("dispatch")
    said = shaped(Invitation, document, "invitation")
    if said.until <= office.today:
        raise BadInput("until", "is not in the future", "give the day until which the person may reply")
    with office.hold(case_no) as hold:
        case = hold.require(State.FULFILLING, State.DISPATCHING, State.REVIEW, State.CLOSED)
        shown = [d for d in found_datasets(hold) if d.row == RECORDINGS
                 and case.facts["items"].get(d.id, {}).get("outcome") in ("full", "partial")]  # fmt: skip
        if not shown:
            raise NotAllowed(f"{case_no}: no recording is disclosed in this case; see dsr show {case_no}")
        count = sum(case.facts["datasets"][dataset.id]["records"] for dataset in shown)
        muted = [(papers.own(office.inventory, text),) for text in said.muted]
        values: dict[str, templates.Value] = {
            "records": f"{count}件", "place": said.place, "hours": said.hours, "bring": said.bring, "until": said.until,
            "muted": muted,
        }  # fmt: skip
        number = 1 + sum(s.startswith("letter:invite:") and phase == "result" for s, phase in hold.steps())
        corresponding.write(hold, f"invite:{number}", "listening_invitation", values)
