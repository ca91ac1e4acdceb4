"""The papers of the rehearsal: requests, proofs, decisions, the paper box and its answers, accounts of the office."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sample_data import fates
from sample_data.company import MISBILLED, MOVED, REMARKED
from sample_data.people import HANAKO, SHARED_LINE, STORY, Person
from sample_data.truth import Truth
from sample_data.weblogs import LONELY_COOKIE

AS_OF = "2026-11-22T09:00:00+09:00"
RECEIVED = "2026-11-02T10:15:00+09:00"
SEEN_ON = "2026-11-04"
PAPER = "archives_backups.paper_boxes"
RITSU = ("T-880042", "J-0017")
"""Numbers of a customer of another carrier and of a consignor: what we hold under them is not ours to answer for."""
IN_ENGLISH = frozenset({"john"})

DATASETS: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(
        (
            "customer_master.customers",
            "customer_master.protections",
            "service_contracts.contracts",
            "service_contracts.parties",
            "service_contracts.lines",
            "service_contracts.users",
            "premises_lines.installations",
            "billing.invoices",
            "billing.payments",
            "billing.ledger",
            "inquiry_records.inquiries",
            "member_accounts.members",
            "cookie_links.links",
            "marketing_consents.consents",
            "call_history.calls",
            "fault_records.tickets",
            "web_logs.access",
            "directory_listings.listings",
            PAPER,
        ),
        ("none_found", None),
    ),
    "interconnect.subscribers": ("not_ours", None),
    "entrusted_work.applicants": ("not_ours", None),
    "deidentified_sets.usage_statistics": ("not_asked", "out_of_scope"),
}
"""Every declared dataset with its status where nothing is found, and the reason of a not_asked."""
RARE: Mapping[str, tuple[str, str | None]] = dict.fromkeys(
    (
        "contact_persons.contacts",
        "power_contracts.supplies",
        "usage_30min.half_hours",
        "call_recordings.recordings",
        "segments.labels",
        "connection_logs.sessions",
    ),
    ("none_found", None),
)
"""As DATASETS, of the whole estate."""


def write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _identifiers(person: Person) -> list[dict[str, str | None]]:
    def stated(kind: str, value: str, first: str | None = None, last: str | None = None) -> dict[str, str | None]:
        return {"kind": kind, "value": value, "from": first, "to": last}

    known = (
        [stated("customer_no", person.customer_no)]
        if person.customer_no and not person.key.startswith("hiroshi")
        else []
    )
    since, until = person.since.isoformat(), person.until.isoformat() if person.until else None
    phone = [stated("phone", person.phone, since if person.phone == person.line_no else None)] if person.phone else []
    # What holders of one number, a payer, an heir, a user or officer of a company claim is more than is theirs.
    claims = {
        "hanako": [stated("mail", person.mail)],
        "kaoru": [stated("phone", SHARED_LINE, since, until)],
        "susumu": [stated("line_no", SHARED_LINE, "2025-10-01", "2026-06-30")],
        "kazuo": [stated("line_no", "092-000-1006")],
        "nana": [stated("member_id", person.member_id)],
        "naoki": [stated("line_no", "092-000-1022")],
        "takuya": [stated("customer_no", "C0001268")],
        "yu": [stated("line_no", person.line_no, "2025-10-01"), stated("customer_no", "C0001272")],
        "tsukasa": [stated("customer_no", "C0001274"), stated("line_no", "092-000-1036")],
        "ritsu": [stated("carrier_customer_no", RITSU[0]), stated("applicant_no", RITSU[1])],
        "cookie_7f3a": [stated("cookie_id", LONELY_COOKIE)],
    }
    return known + phone + claims.get(person.key, [])


def _addresses(person: Person) -> list[str]:
    """Where they live, and where they lived before if they moved."""
    return [*filter(None, [person.address]), *([person.written["customers.address"]] if person.key in MOVED else [])]


def request(person: Person) -> dict[str, Any]:
    """REQUEST.json of a disclosure without scope dates (public_face.md)."""
    return {
        "right": "disclosure",
        "subject": {
            "name": person.name,
            "kana": person.kana,
            "born_on": person.born_on or None,
            "addresses": _addresses(person),
            "identifiers": _identifiers(person),
        },
        "former_names": [],
        "agent": None,
        "received": {"at": RECEIVED, "channel": "post"},
        "scope": {"systems": None, "from": None, "to": None},
        "answer": {"method": "electronic", "language": "en" if person.key in IN_ENGLISH else "ja"},
        "correction": None,
        "ground": None,
    }


LEAVES_THE_SITE = {"mai": ("member_accounts", "cookie_links", "web_logs")}
"""Whose erasure is of these systems only."""


def erasure(person: Person) -> dict[str, Any]:
    """The same person asks that everything be erased, for it is no longer needed (G-3)."""
    scope = {"systems": LEAVES_THE_SITE.get(person.key), "from": None, "to": None}
    return {**request(person), "right": "erasure", "scope": scope, "ground": "G-3"}


def correction(person: Person, known: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of those who say that something is wrong: what stands there, what is right, and by which paper."""
    if person.key in MOVED:
        right, wrong = _addresses(person)
        said: dict[str, Any] = {"field": "user.address", "wrong": wrong, "right": right, "evidence": "residence_record"}
    elif person.key in MISBILLED:
        _, billed, metered = MISBILLED[person.key]
        said = {"field": "amount.yen", "wrong": billed, "right": metered, "evidence": "meter_record"}
        said["record"] = f"billing.invoices/{known['wrong']['billing.invoices'][0]}"
    elif person.key in REMARKED:
        noted, said_so = REMARKED[person.key]
        said = {"field": "text", "wrong": noted, "right": said_so}
        said["record"] = f"inquiry_records.inquiries/{known['wrong']['inquiry_records.inquiries'][0]}"
    else:
        return None
    return {**request(person), "right": "correction", "correction": said}


def _paper(kind: str, last_digits: str = "", seen_on: str = SEEN_ON, **changes: str) -> dict[str, str]:
    found = {"name": "match", "birth": "match", "address": "match", **changes}
    return {"type": kind, "last_digits": last_digits, "seen_on": seen_on, **found}


def proof(person: Person) -> dict[str, Any]:
    """Of a browser's owner there is nothing to show; who moved shows where they live by their residence record."""
    moved = person.key == "aya"
    licence = _paper("drivers_licence", person.born_on[-2:], address="differs" if moved else "match")
    documents = [licence, *([_paper("residence_record", birth="absent")] if moved else [])] if person.born_on else []
    return {"method": "post", "documents": documents, "agent": None, "copies_destroyed_on": SEEN_ON}


ASKED_FOR_BY: Mapping[tuple[str, str], tuple[str, str, str, dict[str, Any]]] = {
    ("yui", "parent"): ("statutory", "森 直樹", "父", {"authority": "residence_record"}),
    ("aoi", "father"): ("statutory", "小林 匠", "父", {"authority": "family_register", "seen_on": "2026-10-20"}),
    ("hatsu", "guardian"): ("statutory", "加藤 邦子", "成年後見人", {"authority": "guardianship_register"}),
    ("tadashi", "curator"): ("statutory", "加藤 修", "保佐人", {"authority": "guardianship_register"}),
    ("akira", "mandate"): ("mandated", "山本 信", "友人", {"authority": "mandate", "names_this_request": True}),
    ("rei", "lawyer"): ("mandated", "弁護士 桐野 章", "弁護士", {"authority": "mandate", "names_this_request": True}),
}
"""(Person, who asks for them) → kind, name, relation and what is shown of the authority: a register copy older than
the request (AG-4), a curator without a listed power (AG-3), a mandate with no sign that it is the person's (AG-2)."""
SIGNED = frozenset({"rei"})
"""Whose seal certificate lies beside the mandate."""


def agents_papers(person: Person, who: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and proof of somebody who asks for the person; the answer goes to the person (AG-6)."""
    kind, name, relation, shown = ASKED_FOR_BY[person.key, who]
    agent = {"kind": kind, "name": name, "relation": relation, "receives_answer": False, "address": ""}
    authority = {key: value for key, value in shown.items() if key != "seen_on"}
    papers = [
        _paper("drivers_licence", "07", birth="absent", address="absent"),
        _paper(shown["authority"], seen_on=shown.get("seen_on", SEEN_ON), birth="absent", address="absent"),
    ]
    own = [_paper("seal_certificate", birth="absent")] if person.key in SIGNED else []
    proved = {
        **proof(person),
        "documents": own,
        "agent": {"documents": papers, "names_this_request": False, **authority},
    }
    return {**request(person), "agent": agent}, proved


def decision(known: Mapping[str, Any]) -> dict[str, Any]:
    """DECISION.json that says of each dataset what its entry of truth.json implies."""
    return {"datasets": {name: _item(name, status, known) for name, status in known["status"].items()}, "records": {}}


def _item(dataset: str, status: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Grounds stand with the masked cells; an item has one of its own only where all of it is withheld."""
    struck = any(note["strike"] for note in known["spans"].get(dataset, {}).values())
    words: dict[str, tuple[str, str | None, str]] = {
        "none_found": ("not_held", None, "検索の結果、該当する記録はありませんでした。"),
        "not_ours": ("not_our_authority", "APPI-16-4-AUTH", "当社は開示等を行う権限を有していません。"),
        "not_asked": ("out_of_scope", None, "個人を識別しないよう加工した情報であり、保有個人データに当たりません。"),
        "found": ("partial", None, "第三者に関する情報等を除いて開示します。")
        if struck or dataset in known["masked"]
        else ("full", None, "開示します。"),
    }
    outcome, ground, reason = words[status]
    return {"outcome": outcome, "ground": ground, "measure": None, "until": None, "reason": reason}


# -- stores of which the desk never reads ------------------------------------------------------------------------

_SEALED = "inquiry_no,received_on,subject,answered\r\nS-0001,2026-09-14,青木 隼,1\r\n"


def write_closed_stores(out: Path) -> None:
    """Ritsu's rows where we have no authority, and the ledger of police inquiries, which no inventory lists (SC-7)."""
    ritsu = next(person for person in STORY if person.key == "ritsu")
    for name, table, key, number in (
        ("interconnect", "subscribers", "carrier_customer_no", RITSU[0]),
        ("entrusted", "applicants", "applicant_no", RITSU[1]),
    ):
        (out / f"{name}.db").unlink(missing_ok=True)
        with closing(sqlite3.connect(out / f"{name}.db")) as base:
            base.execute(f"CREATE TABLE {table} ({key} TEXT PRIMARY KEY, name TEXT, address TEXT)")
            base.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (number, ritsu.name, ritsu.address))  # noqa: S608
            base.commit()
    (out / "sealed" / "authority_inquiries.csv").write_text(_SEALED, encoding="utf-8")


# -- the paper box ---------------------------------------------------------------------------------------------

_HEAD = ("box_no", "item_no", "document", "name", "kana", "born_on", "customer_no", "stored_on")
_BOX: tuple[tuple[str | int, ...], ...] = (
    ("B-017", 1, "加入契約申込書", "中川 節子", "ナカガワ セツコ", "S22.8.9", "", "2019-04-15"),
    ("B-017", 2, "工事立会票", "株式会社伊藤工務店", "イトウコウムテン", "", "C0001206", "2019-04-15"),
    ("B-017", 3, "加入契約申込書", "髙橋 花子", "タカハシ ハナコ", "S59.5.17", "C0001234", "2019-04-15"),
    ("B-018", 1, "加入契約申込書", "高橋 華子", "タカハシ ハナコ", "S27.11.29", "C0001299", "2019-06-01"),
)


def write_paper_box(out: Path, truth: Truth) -> None:
    """The index a keeper reads, and what he would answer for each person of a story."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_HEAD, *_BOX])
    (out / "paper" / "index.csv").write_bytes(text.getvalue().encode("utf-8-sig"))
    truth.own(HANAKO.key, PAPER, "B-017|3", fate=fates.with_the_contract(HANAKO))
    truth.own("C0001206", PAPER, "B-017|2")
    truth.own("C0001299", PAPER, "B-018|1")
    for person in STORY:
        mine = [
            dict(zip(_HEAD, item, strict=True)) for item in _BOX if person.customer_no and item[6] == person.customer_no
        ]
        answer = {"searched_on": "2026-11-09", "searched_by": "文書保管担当", "datasets": {PAPER: mine}}
        write_json(out / "answers" / f"{person.key}.archives_backups.json", answer)


# -- accounts --------------------------------------------------------------------------------------------------

_OFFICERS = (
    ("uketsuke-1", "handler"),
    ("uketsuke-2", "handler"),
    ("shonin-1", "approver"),
    ("shonin-2", "approver"),
    ("kansa-1", "auditor"),
    ("gijutsu-1", "technician"),
)


def secret(seed: int, name: str) -> str:
    """A rehearsal secret: repeatable, and therefore worth nothing outside the sample."""
    return hashlib.sha256(f"sample:{seed}:{name}".encode()).hexdigest()[:32]


def write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def write_accounts(out: Path, seed: int) -> None:
    officers = [{"name": name, "role": role, "secret": secret(seed, name)} for name, role in _OFFICERS]
    write_private(out / "officers.json", json.dumps(officers, ensure_ascii=False, indent=1) + "\n")
    write_private(out / "faults.token", secret(seed, "faults") + "\n")


def write_people(out: Path, truth: Truth, whole: bool) -> None:
    """truth.json, and for each person of a story the ready request, proof and decision."""
    datasets = {**DATASETS, **(RARE if whole else {})}
    people = {person.key: truth.person(person.key, datasets, LEAVES_THE_SITE.get(person.key)) for person in STORY}
    write_json(out / "truth.json", {"as_of": AS_OF, "people": people})
    for person in STORY:
        base = out / "requests" / person.key
        write_json(base.with_name(f"{person.key}.json"), request(person))
        write_json(base.with_name(f"{person.key}.erasure.json"), erasure(person))
        if corrected := correction(person, people[person.key]):
            write_json(base.with_name(f"{person.key}.correction.json"), corrected)
        write_json(base.with_name(f"{person.key}.proof.json"), proof(person))
        for asked, who in ASKED_FOR_BY:
            if asked == person.key:
                for kind, paper in zip(("", ".proof"), agents_papers(person, who), strict=True):
                    write_json(base.with_name(f"{person.key}.{who}{kind}.json"), paper)
        write_json(base.with_name(f"{person.key}.decision.json"), decision(people[person.key]))
