"""Work orders as files to hand over: the keys, the signed order, its paper; and the form of the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dsr.case import Act
from dsr.documents.content import FileLine, Head, Recipient
from dsr.documents.letter import draw_letter
from dsr.documents.orders import Kind, order_letter
from dsr.documents.wordings import say
from dsr.engine import collecting, ordering, papers, plans
from dsr.engine.office import Hold, Office
from dsr.engine.surveying import DBA, findings, owed_by
from dsr.errors import BadInput, NotAllowed, as_id
from dsr.plan import Plan
from dsr.request import RewriteAnswer
from dsr.work_order import Measure, Order, csv_of, identifiers_csv, sign_order, sql_of

ANSWER = {"done_on": "", "done_by": "", "datasets": {}, "sub_processors": []}
PUBLIC_KEY = "public-key.pem"
STATISTIC = "pg_catalog.pg_statistic"
PAPER: Mapping[str, Kind] = {"owner": "work_order", "processor": "processor_instruction",
                             "joint": "joint_user_instruction", "recipient": "recipient_request"}  # fmt: skip


def write_orders(office: Office, case_no: str, to: str, out: Path) -> list[Path]:
    """The open orders to one owner or partner into a new folder; that they were taken out is recorded."""
    office.may("answer")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "is not an empty folder", "name a new folder")
    with office.hold(case_no) as hold:
        waiting = dict(ordering.open_orders(hold, to))
        files = {name: data for number, order in waiting.items() for name, data in _files(hold, number, order)}
        files |= dict(_rewrite(hold, to.removeprefix(DBA))) if to.startswith(DBA) else {}
        if not files:
            raise NotAllowed(f"{case_no}: no order to {as_id(to)} waits; see dsr show {case_no}")
        if waiting:  # handed over once by another road, too: a key that comes with an order proves nothing by itself
            public = office.keys.signing.public_key()
            files[PUBLIC_KEY] = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        count = 1 + sum(step.startswith(f"order_out:{to}:") and phase == "intent" for step, phase in hold.steps())
        hold.record(Act(f"order_out:{to}:{count}", "intent", {"files": len(files)}))
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, data in files.items():
            (out / name).write_bytes(data)
        hold.record(Act(f"order_out:{to}:{count}", "result", {"files": len(files)}))
        return sorted(out.iterdir())


def _rewrite(hold: Hold, system: str) -> Iterator[tuple[str, bytes]]:
    """What takes a PostgreSQL database from L1 to L2 (limits.md §5): it locks whole tables, so a DBA picks the hour."""
    tables = {table for found in findings(hold, system) for table in owed_by(found)["files"]} - {STATISTIC}
    if tables:
        steps = [f"{step} {table};" for step in ("VACUUM FULL", "ANALYZE") for table in sorted(tables)]
        steps += [f"VACUUM FULL {STATISTIC};", "CHECKPOINT;", "SELECT pg_switch_wal();"]
        head = f"-- {hold.case_no}: bytes of deleted rows. VACUUM FULL takes an exclusive lock on a whole table.\n"
        tail = "-- Then note from which day on WAL, its archive and the replicas hold none of the old pages.\n"
        yield f"{hold.case_no}.{system}.rewrite.sql", (head + "\n".join(steps) + "\n" + tail).encode()
        form = dict.fromkeys(RewriteAnswer.model_fields, "")
        yield f"{hold.case_no}.{system}.answer.json", json.dumps(form, indent=1).encode()


def _files(hold: Hold, number: str, order: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for at, act in enumerate(order["acts"]):
        name, keys = _keys(hold, number, at, act, order)
        made = _order(hold, number, act, order, keys)
        signed = sign_order(made, name, keys, hold.office.keys.signing)
        stem = f"{number}.{act}"
        files = {name: keys, f"{stem}.order.json": signed.document, f"{stem}.order.sig": signed.signature}
        yield from files.items()
        yield f"{stem}.pdf", _paper(hold, made, order, files)
    issued = {"issued": dict.fromkeys(ordering.numbers(hold, number, order), "")} if "annotate" in order["acts"] else {}
    datasets = {order["dataset"] or order["to"]: {"found": 0, "done": 0, "kept": [], **issued, "note": ""}}
    yield f"{number}.answer.json", json.dumps({**ANSWER, "datasets": datasets}, ensure_ascii=False, indent=1).encode()


def _keys(hold: Hold, number: str, at: int, act: str, order: Mapping[str, Any]) -> tuple[str, bytes]:
    if order["kind"] != "owner":
        known = [i for i in collecting.current(hold).identifiers if i.trusted]
        kinds, asked = hold.office.inventory.partner[order["to"]].identifiers, hold.request.correction
        change = (asked.field, asked.wrong, plans.true_value(hold)) if act == "correct" and asked else None
        return f"{number}.{act}.csv", identifiers_csv(kinds, known, change)[0]
    dataset = hold.office.inventory.dataset(order["dataset"])
    names = {name: f"orders/{number}.{at}.{name}.arrow" for name in ("keys", "values", "old")}
    kept = {name: collecting.read_table(hold, path) for name, path in names.items() if hold.vault.exists(path)}
    plan = Plan(hold.case_no, dataset, digest=hold.case.facts["decided_plan"], **kept)
    dialect = hold.office.dialect(hold.office.inventory.system_of(dataset))
    if dialect in ("sqlite", "postgresql") and act not in plans.OWNERS:
        return f"{number}.{act}.sql", sql_of(plan, number, cast(Any, dialect))
    return f"{number}.{act}.csv", csv_of(plan)


def _order(hold: Hold, number: str, act: str, order: Mapping[str, Any], keys: bytes) -> Order:
    sets = {**dict.fromkeys(plans.CORRECTING, "correct"), **dict.fromkeys(plans.GIVING_NO_MORE, "provision_stop")}
    words: Mapping[str, str] = {"set": sets.get(hold.case.right, "deidentify"), "provision_order": "provision_stop"}
    datasets = (order["dataset"],) if order["dataset"] else _told_of(hold, order)
    return Order(number, hold.case_no, order["to"], datasets, cast(Measure, words.get(act, act)), order["records"],
                 date.fromisoformat(order["due"]), date.fromisoformat(order["given_on"]),
                 hold.case.facts["decided_plan"])  # fmt: skip


def _told_of(hold: Hold, order: Mapping[str, Any]) -> tuple[str, ...]:
    """What a partner holds a copy of; never data under secrecy of communications, but to a processor (T-13)."""
    inventory = hold.office.inventory
    datasets = inventory.partner[order["to"]].datasets
    return tuple(d for d in datasets if order["kind"] == "processor" or not inventory.is_secret(inventory.dataset(d)))


def _paper(hold: Hold, made: Order, order: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    inventory = hold.office.inventory
    partner = inventory.partner.get(order["to"])
    # A partner's label says in brackets what it does for us; on an envelope stands its name alone.
    label = partner.label.partition("（")[0] if partner else inventory.system[order["to"]].label
    to = label if partner else say("in_charge", system=label).ja
    labels = [inventory.dataset(name).label for name in made.datasets]
    lines = [FileLine(name, sha256(data).hexdigest(), len(data)) for name, data in files.items()]
    secret = [name for name in made.datasets if inventory.is_secret(inventory.dataset(name))]
    letter = order_letter(made, PAPER[order["kind"]], papers.party(hold), Recipient(to, "", "御中"), label, labels,
                          lines, secret=secret, head=Head(hold.office.store.head().text))  # fmt: skip
    out = BytesIO()
    draw_letter(letter, out)
    return out.getvalue()
