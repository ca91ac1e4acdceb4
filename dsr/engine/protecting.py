"""保護措置: before proof a system's owner is told to let nothing be purged of the numbers stated, or to stop a listing.

Nothing is looked at, copied or counted, and no system is asked: the order is made of what the letter states. It says no
reason and asks for no answer but that it was done; it is lifted by another such order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dsr.case import Act
from dsr.documents.content import FileLine, Head, Recipient
from dsr.documents.letter import draw_letter
from dsr.documents.orders import protective_letter
from dsr.documents.wordings import say
from dsr.engine import papers
from dsr.engine.office import Hold, Office
from dsr.engine.order_files import PUBLIC_KEY
from dsr.errors import BadInput, NotAllowed, as_id
from dsr.identity import Identifier
from dsr.inventory import System
from dsr.rules import protection
from dsr.rules.lifecycle import State
from dsr.shapes import Shape, Words, shaped
from dsr.work_order import Measure, Order, identifiers_csv, sign_order

BEFORE = (State.RECEIVED, State.AWAITING_CURE, State.PROVED)
"""Until the search begins, which brings what is the person's."""
LIFTS: Mapping[protection.Act, Measure] = {"suspend_purge": "resume_purge", "stop_listing": "resume_listing"}


class Why(Shape):
    reason: Words


def protect(office: Office, case_no: str, system: str, act: protection.Act, until: date, reason: str,
            out: Path) -> list[Path]:  # fmt: skip
    """The signed order in ``out``. Raises BadInput for a system that no number of the letter leads to, NotAllowed."""
    office.may("protect")
    why = shaped(Why, {"reason": reason}, "--reason").reason
    if until <= office.today:
        raise BadInput("--until", "is not after today", "give the day on which it is lifted at the latest")
    with office.hold(case_no) as hold:
        case = hold.require(*BEFORE)
        told = _stated(hold, _system(office, system))
        if system in protection.standing(case.facts):
            raise NotAllowed(f"{case_no}: {system} is protected already; lift that first")
        kept = {"act": act, "given_on": office.today.isoformat(), "until": until.isoformat(), "lifted_on": None}
        owed = ((f"{protection.WORK}{system}", "handler", until),)
        return _give(hold, system, act, until, told, out, kept, Act("", secret=why.encode(), owes=owed))


def lift(office: Office, case_no: str, system: str, out: Path) -> list[Path]:
    """Whatever state the case is in. Raises NotAllowed where nothing is protected."""
    office.may("protect")
    with office.hold(case_no) as hold:
        standing = protection.standing(hold.case.facts)
        if system not in standing:
            raise NotAllowed(f"{case_no}: nothing of {as_id(system)} is protected; see dsr show {case_no}")
        kept = {**standing[system], "lifted_on": office.today.isoformat()}
        told = _stated(hold, _system(office, system))
        act = Act("", done=(f"{protection.WORK}{system}",))
        return _give(hold, system, LIFTS[kept["act"]], office.today, told, out, kept, act)


def _system(office: Office, name: str) -> System:
    declared = office.inventory.system.get(name)
    if declared is None or declared.nature not in ("own", "joint"):
        ours = [system.name for system in office.inventory.system.values() if system.nature in ("own", "joint")]
        raise BadInput("system", f"'{as_id(name)}' is no system of ours", f"one of {', '.join(ours)}")
    return declared


def _stated(hold: Hold, system: System) -> list[Identifier]:
    """The numbers of the letter that lead to it, and nothing of the person besides."""
    kinds = {kind for dataset in system.dataset.values() for kind in dataset.kinds}
    found = [one for one in hold.request.identifiers() if one.kind in kinds]
    if not found:
        fix = f"only what is stated can be protected: {', '.join(sorted(kinds))}"
        raise BadInput("system", f"no number in the letter leads to {system.name}", fix)
    return found


def _give(hold: Hold, system: str, measure: Measure, due: date, told: list[Identifier], out: Path,
          kept: Mapping[str, Any], changed: Act) -> list[Path]:  # fmt: skip
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "is not an empty folder", "name a new folder")
    number = 1 + sum(step.startswith(f"protect:{system}:") and phase == "result" for step, phase in hold.steps())
    step, public = f"protect:{system}:{number}", {"measure": measure, "until": due.isoformat()}
    hold.record(Act(step, "intent", public))
    files = _files(hold, system, measure, due, told, f"{hold.case_no}-protect-{system}-{number}")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, data in files.items():
        (out / name).write_bytes(data)
    facts = {"protected": {**hold.case.facts.get("protected", {}), system: dict(kept)}}
    hold.record(Act(step, "result", public, facts=facts, owes=changed.owes, done=changed.done, secret=changed.secret))
    return sorted(out.iterdir())


def _files(hold: Hold, system: str, measure: Measure, due: date, told: list[Identifier],
           number: str) -> dict[str, bytes]:  # fmt: skip
    office, declared = hold.office, hold.office.inventory.system[system]
    name, keys = f"{number}.csv", identifiers_csv({one.kind for one in told}, told)
    datasets = tuple(d.id for d in declared.dataset.values() if d.kinds & {one.kind for one in told})
    order = Order(number, hold.case_no, system, datasets, measure, keys[1], due, office.today, "")
    signed = sign_order(order, name, keys[0], office.keys.signing)
    files = {name: keys[0], f"{number}.order.json": signed.document, f"{number}.order.sig": signed.signature}
    listed = [FileLine(file, sha256(data).hexdigest(), len(data)) for file, data in files.items()]
    to = Recipient(say("in_charge", system=declared.label).ja, "", "御中")
    labels = [office.inventory.dataset(one).label for one in datasets]
    page = BytesIO()
    draw_letter(protective_letter(order, papers.party(hold), to, declared.label, labels, listed,
                                  Head(office.store.head().text)), page)  # fmt: skip
    public = office.keys.signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {**files, f"{number}.pdf": page.getvalue(), PUBLIC_KEY: public}
