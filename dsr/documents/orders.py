"""Work orders and instructions on paper (作業指図書, 指示書): one page, no person's data, no reason.

Whose data it is stands in the key file alone; the paper names that file and the signed order by their digests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

from dsr.documents.content import Fact, FileLine, Head, Language, Letter, Party, Recipient, Section, Text, listed
from dsr.documents.parts import column
from dsr.documents.style import both_days
from dsr.documents.wordings import by_law, say
from dsr.errors import NotAllowed
from dsr.work_order import Order

Kind = Literal["work_order", "processor_instruction", "joint_user_instruction", "recipient_request"]
ANSWER = {
    "done_on, done_by": "answer.done",
    "datasets.<ID>.found, done": "answer.found",
    "datasets.<ID>.issued {NO: NEW NO}": "answer.issued",
    "datasets.<ID>.kept [{rule, until, records}]": "answer.kept",
    "datasets.<ID>.note": "answer.note",
    "sub_processors": "answer.sub_processors",
}
"""The fields of ``dsr.request.OrderAnswer`` → what to write there."""
ASKS = {"sub_processors": "processor_instruction"}
"""Field → the only kind of paper that asks for it."""


def protective_letter(order: Order, sender: Party, to: Recipient, system: Text, datasets: Sequence[Text],
                      files: Sequence[FileLine], head: Head) -> Letter:  # fmt: skip
    """保護措置の指図書: what must not be purged, or listed, until when; no count is asked for, for nobody may look."""
    told = say("objects", system=system, datasets=listed(datasets), ids=", ".join(order.datasets))
    facts = (Fact(say("order_no.work_order"), order.order_no), Fact(say("object"), told),
             Fact(say("measure"), say(f"order.{order.measure}")), Fact(say("until"), both_days(order.due)),
             Fact(say("desk"), sender.desk))  # fmt: skip
    above = replace(sender, desk="", complaint_desk="", accredited_body="")
    return Letter("protective_order", say("protective_order"), order.case_no, order.issued_on, above, to, "", "",
                  files=tuple(files), paragraphs=(by_law("opening_protective", measure=say(f"order.{order.measure}")),),
                  facts=facts, closing=(by_law("order_keys", paper=say("paper.work_order")),
                                        by_law("protective_unseen")), head=head)  # fmt: skip


def order_letter(order: Order, kind: Kind, sender: Party, to: Recipient, system: Text, datasets: Sequence[Text],
                 files: Sequence[FileLine], *, secret: Collection[str] = (), head: Head | None = None,
                 language: Language = "ja") -> Letter:
    """The paper of ``order``; ``system`` and ``datasets`` are labels, ``files`` its key file, document and signature.

    ``secret``: ids of datasets under secrecy of communications; raises NotAllowed where one would reach a joint user
    or a third party (law.md T-13).
    """
    if kind in ("joint_user_instruction", "recipient_request") and set(secret) & set(order.datasets):
        raise NotAllowed(f"{order.order_no}: data under secrecy of communications never enters joint use; leave it out")
    own = kind == "work_order"
    name = {"work_order": "work_order", "recipient_request": "request"}.get(kind, "instruction")
    told = say("objects", system=system, datasets=listed(datasets), ids=", ".join(order.datasets))
    facts = (
        Fact(say(f"order_no.{name}"), order.order_no),
        Fact(say("object"), told),
        Fact(say("measure"), say("ordered", measure=say(f"order.{order.measure}"), n=order.records)),
        Fact(say("due"), both_days(order.due)),
        Fact(say("desk"), sender.desk),
    )
    rows = tuple((field, say(key)) for field, key in ANSWER.items()
                 if kind == ASKS.get(field, kind) and (order.measure == "annotate" or key != "answer.issued"))
    answer = Section("answer", say("answer"), (column("item", 0.42), column("to_write")), rows, small=True)
    above = replace(sender, desk="", complaint_desk="", accredited_body="")  # the desk stands among the facts
    return Letter(kind, say(kind), order.case_no, order.issued_on, above, to, "", "", files=tuple(files),
                  paragraphs=(by_law(f"opening_{kind}", due=order.due),), facts=facts, sections=(answer,),
                  closing=(by_law("order_keys", paper=say(f"paper.{name}")),
                           by_law("order_checked" if own else "order_late")), head=head, language=language)  # fmt: skip
