"""One planted record per system, nobody's: a look that does not find it has not looked (inventory: canary)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

LINE, COOKIE, POINT = "092-000-9999", "ca9a47e5ca9a47e5", "0899999999999999999999"
AT = datetime(2026, 5, 1, 3, 0)  # noqa: DTZ001 - local, as stored
NOTE = "見本検査の記録"
_CUSTOMER, _CONTRACT, _BILLING, _MEMBER = "C9000001", "K9000001", "B9000001", "M9000001"

ROWS: dict[str, dict[str, Any]] = {
    "customers": {
        "customer_no": _CUSTOMER,
        "kind": "検査",
        "name": "見本検査 顧客",
        "kana": "ミホンケンサ コキャク",
        "born_on": None,
        "died_on": None,
        "address": None,
        "phone": LINE,
        "mail": None,
        "registered_on": "2026-05-01",
    },
    "users": {
        "user_no": "U9000001",
        "contract_no": _CONTRACT,
        "name": "見本検査 利用者",
        "kana": "ミホンケンサ リヨウシャ",
        "born_on": None,
        "relation": "検査",
    },
    "installations": {
        "installation_no": "S9000001",
        "contract_no": _CONTRACT,
        "address": "見本検査町0-0-0",
        "port": None,
        "terminal": None,
        "installed_on": "2026-05-01",
        "removed_on": None,
    },
    "invoices": {
        "invoice_no": "I0000-9000001",
        "billing_no": _BILLING,
        "contract_no": _CONTRACT,
        "issued_on": "2026-05-01",
        "due_on": "2026-05-27",
        "amount_yen": 0,
        "payer_name": "見本検査 請求先",
    },
    "inquiries": {
        "inquiry_no": "Q9000001",
        "customer_no": None,
        "received_at": str(AT),
        "channel": "phone",
        "topic": "検査",
        "caller_name": "見本検査 相談者",
        "caller_phone": None,
        "note": NOTE,
        "answer": NOTE,
    },
    "members": {
        "member_id": _MEMBER,
        "customer_no": None,
        "mail": "canary@mail.example",
        "nickname": None,
        "registered_at": str(AT),
        "last_login_at": None,
    },
    "links": {"cookie_id": COOKIE, "member_id": _MEMBER, "first_seen": str(AT), "linked_at": str(AT)},
    "consents": {
        "consent_no": "A9000001",
        "customer_no": None,
        "list": "mail",
        "contact": "canary-list@mail.example",
        "opted_in": 0,
        "source": "検査",
        "recorded_at": str(AT),
        "last_sent_on": None,
        "stopped": 1,
    },
}
_NONE = dict.fromkeys
ROWS |= {
    "contacts": {
        **_NONE(("kana", "address", "phone", "mail", "relation")),
        "contact_no": "T9000001",
        "contract_no": _CONTRACT,
        "name": "見本検査 連絡先",
    },
    "power_contracts": {
        **_NONE(("meter_no", "plan", "ended_on")),
        "supply_no": "D9000001",
        "customer_no": _CUSTOMER,
        "supply_point_no": POINT,
        "started_on": "2026-05-01",
    },
    "recordings": {
        **_NONE(("operator",)),
        "recording_no": "R9000001",
        "customer_no": _CUSTOMER,
        "recorded_at": str(AT),
        "seconds": 9,
        "file": "rec/canary.wav",
    },
    "segments": {
        **_NONE(("score", "formula", "reckoned_on")),
        "segment_no": "G9000001",
        "member_id": _MEMBER,
        "label": "見本検査 分析",
    },
    "sessions": {
        **_NONE(("ip", "ended_at", "result")),
        "session_no": "N9000001",
        "line_no": LINE,
        "started_at": str(AT),
    },
}
"""Table → the row. Calls, tickets and log lines are planted where those stores are written."""
