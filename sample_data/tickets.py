"""Fault tickets of the HTTP system. They know a line and a moment, and no customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sample_data import canary, fates
from sample_data.people import FIRST_DAY, LAST_DAY, NEIGHBOURS, SHARED_LINE, STORY, Person
from sample_data.truth import OTHER, Truth, spans_of

DATASET = "fault_records.tickets"
TOKYO = ZoneInfo("Asia/Tokyo")
ENGINEERS = ("野中 剛", "大塚 勲", "篠原 梓")
Ticket = tuple[str | None, dict[str, Any], tuple[str, ...]]
"""Owner (None: nobody), the ticket, the words of its note that are struck for its owner."""


def _ticket(
    owner: str | None,
    line_no: str,
    opened_at: str,
    symptom: str,
    cause: str,
    engineer: str,
    note: str,
    struck: tuple[str, ...] = (),
) -> Ticket:
    closed = datetime.fromisoformat(opened_at) + timedelta(hours=5)
    return (
        owner,
        {
            "line_no": line_no,
            "opened_at": opened_at,
            "closed_at": closed.isoformat(),
            "symptom": symptom,
            "cause": cause,
            "equipment": "ONU-200",
            "engineer": engineer,
            "note": note,
        },
        struck,
    )


def _story() -> list[Ticket]:
    return [
        _ticket(
            "hanako",
            "092-000-1001",
            "2026-02-10T09:12:00+09:00",
            "雑音が入る",
            "宅内配線",
            ENGINEERS[0],
            "作業者の野中 剛が宅内配線を確認。モジュラージャックを交換し回復。",
            ("野中 剛",),
        ),
        _ticket(
            "hanako",
            "092-000-1001",
            "2026-08-21T18:40:00+09:00",
            "つながらない",
            "局側装置",
            ENGINEERS[1],
            "同じ収容の 092-000-1099 も不通。装置を再起動し回復。",
            ("092-000-1099",),
        ),
        _ticket(
            "C0001299",
            "092-000-1099",
            "2026-08-21T18:42:00+09:00",
            "つながらない",
            "局側装置",
            ENGINEERS[1],
            "装置を再起動し回復。",
        ),
        _ticket(
            "kenta",
            "092-000-1002",
            "2026-08-21T19:05:00+09:00",
            "つながらない",
            "局側装置",
            ENGINEERS[1],
            "装置を再起動し回復。",
        ),
        # The API writes offsets; these three are one second or less from a change of tenure in Tokyo.
        _ticket(
            "kaoru",
            SHARED_LINE,
            "2025-11-30T14:59:59+00:00",
            "切替工事",
            "廃止工事",
            ENGINEERS[2],
            "廃止に伴う回線撤去の申込み。",
        ),
        _ticket(
            None, SHARED_LINE, "2025-11-30T15:00:00+00:00", "自動試験", "試験", ENGINEERS[2], "空き番号の定期試験。"
        ),
        _ticket(
            "susumu",
            SHARED_LINE,
            "2026-01-31T15:00:00+00:00",
            "切替工事",
            "新設工事",
            ENGINEERS[2],
            "新設工事。開通を確認。",
        ),
        _ticket(
            "C0001206",
            "092-000-1006",
            "2026-04-14T10:00:00+09:00",
            "雑音が入る",
            "構内交換機",
            ENGINEERS[0],
            "交換機の更新を提案。",
        ),
        _ticket(
            "fumi",
            "092-000-1014",
            "2026-03-09T11:30:00+09:00",
            "速度が出ない",
            "宅内配線",
            ENGINEERS[0],
            "配線を張り替え回復。",
        ),
        _ticket(None, canary.LINE, f"{canary.AT.isoformat()}+09:00", "検査", "検査", ENGINEERS[2], canary.NOTE),
    ]


def tickets(strangers: Sequence[Person], seed: int, truth: Truth) -> list[dict[str, Any]]:
    """Every ticket in the order of opening, numbered."""
    rng = np.random.default_rng([seed, 5])
    told = _story()
    for person, chance, day, minute in zip(
        strangers,
        rng.integers(0, 8, len(strangers)),
        rng.integers(0, 10_000, len(strangers)),
        rng.integers(0, 1440, len(strangers)),
        strict=True,
    ):
        first, last = max(person.since, FIRST_DAY), min(person.until or LAST_DAY, LAST_DAY)
        if chance == 0:
            on = first + timedelta(days=int(day) % ((last - first).days + 1))
            at = datetime(on.year, on.month, on.day, int(minute) // 60, int(minute) % 60, tzinfo=TOKYO)
            told.append(
                _ticket(
                    person.key,
                    person.line_no,
                    at.isoformat(),
                    "速度が出ない",
                    "不明",
                    ENGINEERS[int(minute) % 3],
                    "経過観察。",
                )
            )
    told.sort(key=lambda entry: (datetime.fromisoformat(entry[1]["opened_at"]), entry[1]["line_no"]))
    by = {person.key: person for person in (*STORY, *NEIGHBOURS, *strangers)}
    numbered = []
    for number, (owner, ticket, struck) in enumerate(told, 1):
        ticket_no = f"F{number:07d}"
        fate = fates.ticket(by[owner]) if owner else fates.ERASED
        truth.own(owner, DATASET, ticket_no, {"engineer": OTHER}, spans_of("note", ticket["note"], struck), fate)
        numbered.append({"ticket_no": ticket_no, **ticket})
    return numbered
