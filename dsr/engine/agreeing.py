"""The way of disclosure, changed with the person: said to be hard, other ways offered, one of them chosen (M-2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from dsr import law
from dsr.case import Act
from dsr.documents import templates
from dsr.documents.content import Words, listed
from dsr.documents.wordings import say
from dsr.engine import corresponding, timing
from dsr.engine.office import Office
from dsr.errors import BadInput, NotAllowed
from dsr.shapes import shaped

Method = Literal["electronic", "paper", "other"]
PAPER = "paper"
ANSWER_DAYS = 14
"""Within which the person says which way; then it is paper [policy]."""


def offer(office: Office, case_no: str, reason: str, ways: Sequence[Method]) -> None:
    """開示方法の変更について. Raises NotAllowed where paper was asked for: it is fallen back to, never from."""
    office.may("clock")
    why = shaped(timing.Reason, {"reason": reason}, "--hard").reason
    with office.hold(case_no) as hold:
        timing.must_run(hold)
        if hold.method == PAPER:
            raise NotAllowed(f"{case_no}: paper was asked for, and is always given (Act, 33(2))")
        offered = list(dict.fromkeys([*ways, PAPER]))
        if hold.method in offered:
            raise BadInput("--ways", f"names the way that is hard ({hold.method})", "name other ways")
        due = office.today + timedelta(days=ANSWER_DAYS)
        values: dict[str, templates.Value] = {
            "asked": say(f"method.{hold.method}"), "reason": why, "due": due,
            "ways": listed([say(f"method.{way}") for way in offered]),
            "basis": Words(law.cited("method"), law.in_english(law.cited("method"))),
        }  # fmt: skip
        act = Act("", public={"ways": offered}, secret=why.encode(), facts={"ways": offered},
                  owes=(("method", "handler", due),))  # fmt: skip
        corresponding.write(hold, "method", "method_change_notice", values, act=act)


def choose(office: Office, case_no: str, way: Method) -> None:
    """What the person chose of what was offered, or paper once the day has passed. Raises BadInput."""
    office.may("clock")
    with office.hold(case_no) as hold:
        timing.must_run(hold)
        offered = hold.case.facts.get("ways", [])
        if way not in offered:
            fix = f"one of {', '.join(offered)}" if offered else "first dsr method CASE --hard REASON"
            raise BadInput("--chosen", "was not offered", fix)
        facts = {"method": way, "method_changed": True}
        hold.record(Act("method:chosen", "result", {"method": way}, facts=facts, done=("method",)))
