"""Rows of the company's SQL tables, person by person, each told to the truth as it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sample_data.people import LAST_DAY, NEIGHBOURS, SHARED_LINE, STORY, Person
from sample_data.truth import ACCOUNT, CARD, OTHER, Mark, Truth, spans_of

TOKYO = ZoneInfo("Asia/Tokyo")
Row = dict[str, Any]
MOTHER = ("高橋 文子", "080-0000-2002")
"""Calls and once pays for Hanako: somebody else's name in records that are Hanako's."""
BILLS = {"hanako": 12, "kenta": 12, "kaoru": 3}
BILLS_EACH = 6


def digits(person: Person) -> str:
    return person.customer_no[1:]


def _customers(person: Person) -> Row:
    return {
        "customer_no": person.customer_no,
        "kind": "法人" if person.corporate else "個人",
        "name": person.as_written("customers.name", person.name),
        "kana": person.as_written("customers.kana", person.kana),
        "born_on": person.born_on or None,
        "address": person.as_written("customers.address", person.address),
        "phone": person.phone,
        "mail": person.mail or None,
        "registered_on": (person.since - timedelta(days=10)).isoformat(),
    }


def _contracts(person: Person) -> list[Row]:
    def row(contract_no: str, service: str) -> Row:
        return {
            "contract_no": contract_no,
            "customer_no": person.customer_no,
            "billing_no": "B" + digits(person),
            "service": service,
            "applied_on": (person.since - timedelta(days=10)).isoformat(),
            "started_on": person.since.isoformat(),
            "ended_on": person.until.isoformat() if person.until else None,
        }

    rows = [row("K" + digits(person), "みなとひかり電話")]
    return [*rows, row("E" + digits(person), "みなとでんき")] if person.key == "hanako" else rows


def _lines(person: Person) -> Row:
    # Two programs wrote this table: one leaves an open end empty, the other fills it with nines.
    still_open = 99_999_999 if int(digits(person)) % 2 else None
    return {
        "line_no": person.line_no,
        "started_on": int(f"{person.since:%Y%m%d}"),
        "ended_on": int(f"{person.until:%Y%m%d}") if person.until else still_open,
        "contract_no": "K" + digits(person),
        "service": "音声",
    }


def _installations(person: Person) -> Row:
    return {
        "installation_no": "S" + digits(person),
        "contract_no": "K" + digits(person),
        "address": person.address,
        "port": f"MNT-{int(digits(person)) % 96:02d}",
        "terminal": "ONU-200",
        "installed_on": person.since.isoformat(),
        "removed_on": person.until.isoformat() if person.until else None,
    }


def _members(person: Person) -> Row:
    return {
        "member_id": person.member_id,
        "customer_no": person.customer_no,
        "mail": person.mail,
        "nickname": person.mail.split("@")[0],
        "registered_at": f"{person.since.isoformat()} 12:00:00",
        "last_login_at": "2026-10-30 21:15:00",
    }


def _months(person: Person) -> list[date]:
    """Days of bills, oldest first: the fifth of each of the last months, the final bill after the end included."""
    last = min(LAST_DAY, (person.until or LAST_DAY) + timedelta(days=30))
    index = last.year * 12 + last.month - 1
    months = [
        date((index - back) // 12, (index - back) % 12 + 1, 5) for back in range(BILLS.get(person.key, BILLS_EACH))
    ]
    return [day for day in reversed(months) if person.since <= day <= LAST_DAY]


def _bills(person: Person, first_no: int, amounts: Sequence[int], truth: Truth) -> Iterator[tuple[Row, Row]]:
    """Invoice and payment of each month. Payment numbers begin at 0, a number like any other (traps.md T13)."""
    by_card = int(digits(person)) % 2 == 1
    for at, day in enumerate(_months(person)):
        payer = person.as_written("invoices.payer_name", person.name)
        masks: dict[str, Mark] = {}
        if person.key == "hanako" and day.month == 2:
            payer, masks = MOTHER[0], {"payer_name": OTHER}
        invoice_no, amount = f"I{day:%y%m}-{digits(person)}", 2_900 + amounts[at % len(amounts)] % 4_000
        base = {"billing_no": "B" + digits(person), "amount_yen": amount}
        invoice = {
            **base,
            "invoice_no": invoice_no,
            "contract_no": "K" + digits(person),
            "issued_on": day.isoformat(),
            "payer_name": payer,
        }
        paid_at = datetime(day.year, day.month, 27, 9, 0, tzinfo=TOKYO)
        payment = {
            **base,
            "payment_no": first_no + at,
            "invoice_no": invoice_no,
            "paid_at": int(paid_at.timestamp()),
            "method": "card" if by_card else "bank",
            "account_no": None if by_card else "79" + digits(person)[-5:],
            "card_no": f"49990000{digits(person)[-7:]}7" if by_card else None,
        }
        truth.own(person.key, "billing.invoices", invoice_no, masks)
        truth.own(
            person.key, "billing.payments", first_no + at, {"card_no": CARD} if by_card else {"account_no": ACCOUNT}
        )
        yield invoice, payment


def company_rows(people: Sequence[Person], seed: int, truth: Truth) -> dict[str, list[Row]]:
    """Tables of every SQL system but ``links``, in the order of ``people``."""
    rows: dict[str, list[Row]] = {
        name: []
        for name in (
            "customers",
            "contracts",
            "lines",
            "users",
            "installations",
            "invoices",
            "payments",
            "inquiries",
            "members",
            "rate_plans",
        )
    }
    amounts = np.random.default_rng([seed, 2]).integers(0, 4_000, (len(people), 16)).tolist()
    for person, draw in zip(people, amounts, strict=True):
        if person.customer_no:
            _add_person(rows, person, draw, truth)
    rows["users"] = _users(truth)
    rows["inquiries"] = _inquiries(people, seed, truth)
    rows["rate_plans"] = [{"plan_code": "P1", "plan_name": "みなとひかり電話 基本", "monthly_yen": 2_900}]
    return rows


def _add_person(rows: dict[str, list[Row]], person: Person, amounts: Sequence[int], truth: Truth) -> None:
    rows["customers"].append(_customers(person))
    truth.own(person.key, "customer_master.customers", person.customer_no)
    for contract in _contracts(person):
        rows["contracts"].append(contract)
        truth.own(person.key, "service_contracts.contracts", contract["contract_no"])
    line = _lines(person)
    rows["lines"].append(line)
    truth.own(person.key, "service_contracts.lines", f"{line['line_no']}|{line['started_on']}")
    rows["installations"].append(_installations(person))
    truth.own(person.key, "premises_lines.installations", "S" + digits(person))
    for invoice, payment in _bills(person, len(rows["payments"]), amounts, truth):
        rows["invoices"].append(invoice)
        rows["payments"].append(payment)
    if person.member_id:
        rows["members"].append(_members(person))
        truth.own(person.key, "member_accounts.members", person.member_id)


def _users(truth: Truth) -> list[Row]:
    """Registered users of the line of 伊藤工務店: Kazuo, and somebody whose name reads the same."""
    kazuo = next(person for person in STORY if person.key == "kazuo")
    contract_no = "K" + digits(NEIGHBOURS[0])
    truth.own("kazuo", "service_contracts.users", "U0000001")
    return [
        {
            "user_no": "U0000001",
            "contract_no": contract_no,
            "name": kazuo.name,
            "kana": "ｲﾄｳ ｶｽﾞｵ",
            "born_on": "19680719",
            "relation": "従業員",
        },
        {
            "user_no": "U0000002",
            "contract_no": contract_no,
            "name": "伊藤 一夫",
            "kana": "イトウ カズオ",
            "born_on": "19910206",
            "relation": "従業員",
        },
    ]


# -- inquiries -------------------------------------------------------------------------------------------------

IZUMI = "平野泉"
IZUMI_PHONE = "080-0000-3003"
IZUMI_NOTE = (
    "髙橋様よりお支払方法の変更のご相談。",
    f"ご友人の{IZUMI}様（{IZUMI_PHONE}）が同席され、",
    "髙橋様の連絡先として登録を希望された。",
)
IZUMI_ANSWER = "口座振替依頼書を郵送しました。"


def _inquiry(
    key: str | None,
    at: str,
    caller: str,
    phone: str,
    note: str,
    answer: str = "ご説明し、ご了承いただいた。",
    customer_no: str | None = None,
    topic: str = "料金",
) -> tuple[str | None, Row]:
    return key, {
        "customer_no": customer_no,
        "received_at": at,
        "channel": "phone",
        "topic": topic,
        "caller_name": caller,
        "caller_phone": phone,
        "note": note,
        "answer": answer,
    }


def _story_inquiries() -> list[tuple[str | None, Row]]:
    by = {person.key: person for person in STORY}

    def told(key: str, at: str, note: str) -> tuple[str | None, Row]:
        person = by[key]
        phone = SHARED_LINE if person.line_no == SHARED_LINE else person.phone
        return _inquiry(key, at, person.name, phone, note, customer_no=person.customer_no)

    return [
        _inquiry(
            "hanako",
            "2026-03-04 10:20:00",
            "高橋 花子",
            "092-000-1001",
            "".join(IZUMI_NOTE),
            IZUMI_ANSWER,
            "C0001234",
            "支払方法",
        ),
        _inquiry(
            "hanako",
            "2026-07-15 14:05:00",
            *MOTHER,
            "ご家族より、請求書の見方についてお問い合わせ。",
            customer_no="C0001234",
        ),
        # No customer no. was taken down: his number and half his name; an officer decides (names.md §9).
        _inquiry("hiroshi_65", "2026-05-20 09:30:00", "佐藤 浩", "092-000-1003", "料金プランのお問い合わせ。"),
        told("hiroshi_90", "2026-05-21 16:45:00", "通話明細の見方のお問い合わせ。"),
        told("kaoru", "2025-11-10 11:00:00", "転居に伴う解約のお申し出。"),
        told("susumu", "2026-02-03 13:10:00", "前の番号使用者あての電話が続くとのご相談。"),
        told("ryoko", "2026-08-08 18:25:00", "非通知の着信が続くとのご相談。"),
        told("kenta", "2026-09-09 19:00:00", "会員サイトの利用方法のお問い合わせ。"),
    ]


_TOPICS = ("請求金額の確認。", "解約手続きのお問い合わせ。", "工事日の変更のご希望。", "通話品質のご相談。")


def _inquiries(people: Sequence[Person], seed: int, truth: Truth) -> list[Row]:
    draw = np.random.default_rng([seed, 3]).integers(0, 1 << 30, (len(people), 3)).tolist()
    told = _story_inquiries()
    for person, (asks, when, what) in zip(people[len(STORY) :], draw, strict=False):
        if asks % 3 == 0 and not person.corporate:
            at = datetime(2025, 10, 1, 9) + timedelta(minutes=when % (390 * 24 * 60))  # noqa: DTZ001 - local, as stored
            told.append(
                _inquiry(
                    person.key, str(at), person.name, person.phone, _TOPICS[what % 4], customer_no=person.customer_no
                )
            )
    told.sort(key=lambda entry: entry[1]["received_at"])
    return [_numbered(f"Q{number:07d}", key, row, truth) for number, (key, row) in enumerate(told, 1)]


def _numbered(inquiry_no: str, key: str | None, row: Row, truth: Truth) -> Row:
    dataset, note = "inquiry_records.inquiries", row["note"]
    other = row["caller_name"] == MOTHER[0]
    mentions = IZUMI in note
    truth.own(
        key,
        dataset,
        inquiry_no,
        {"caller_name": OTHER, "caller_phone": OTHER} if other else None,
        spans_of("note", note, (IZUMI, IZUMI_PHONE)) if mentions else [],
    )
    if mentions:
        truth.own(
            "izumi",
            dataset,
            inquiry_no,
            {"customer_no": OTHER, "caller_name": OTHER, "caller_phone": OTHER},
            spans_of("note", note, (IZUMI_NOTE[0], IZUMI_NOTE[2])) + spans_of("answer", IZUMI_ANSWER, (IZUMI_ANSWER,)),
        )
        truth.identity["izumi"] = {f"{dataset}/{inquiry_no}": "same"}
    if key == "hiroshi_65":
        truth.identity[key] = {f"{dataset}/{inquiry_no}": "same"}
    return {"inquiry_no": inquiry_no, **row}
