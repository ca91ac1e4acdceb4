"""Rows of the company's SQL tables, person by person, each told to the truth as it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sample_data import canary, fates
from sample_data.people import LAST_DAY, NEIGHBOURS, SHARED_LINE, STORY, Person
from sample_data.truth import ACCOUNT, CARD, OTHER, Mark, Truth, spans_of

TOKYO = ZoneInfo("Asia/Tokyo")
Row = dict[str, Any]
MOTHER = ("高橋 文子", "080-0000-2002")
"""Calls and once pays for Hanako: somebody else's name in records that are Hanako's."""
BILLS = {"hanako": 12, "kenta": 12, "kaoru": 3}
BILLS_EACH = 6
BILLED_ON = {
    "nozomi": (date(2026, 6, 15),),
    "shigeru": (date(2018, 1, 5), date(2018, 2, 5), date(2018, 3, 5)),
}
UNPAID = {"isamu": 2}
"""How many of the last bills were never paid: he disputes them."""
MISBILLED = {"jin": (date(2026, 7, 5), 12_980, 2_980)}
"""Day, what was billed and what the meter says: the amount is wrong in the bill, the payment and the ledger."""
MOVED = frozenset({"anzu", "aya"})
"""Their home is right in the letter and everywhere but in the customer master (and at the joint user)."""
POWER_ONLY = frozenset({"mai", "sho", "haruka", "hikaru", "shizu"})
PAID_BY = {"yui": "森 直樹"}
"""Every bill is paid by somebody else, who is neither subscriber nor user (law.md T-7)."""
REMARKED = {"shizu": ("お客様は興奮したご様子であった。", "お客様は料金の誤りを落ち着いて指摘された。")}
"""What a clerk noted of somebody, and what they say should stand there: an opinion, which nobody corrects (EC-23)."""


COUPLES = {"megumi": "tsuyoshi", "satsuki": "mamoru"}
"""Who contracts together: each pair has one contract and a row of either in it; the second asks (EC-11)."""
SAME_BILLS = {"satsuki": "megumi", "mamoru": "tsuyoshi"}
PROTECTED = {"megumi": "2025-12-01"}
"""Nobody may learn where she is, nor that this is known of her."""


def digits(person: Person) -> str:
    return person.customer_no[1:]


def _customers(person: Person) -> Row:
    return {
        "customer_no": person.customer_no,
        "kind": "法人" if person.corporate else "個人",
        "name": person.as_written("customers.name", person.name),
        "kana": person.as_written("customers.kana", person.kana),
        "born_on": person.born_on or None,
        "died_on": person.written.get("customers.died_on"),
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

    phone, power = row("K" + digits(person), "みなとひかり電話"), row("E" + digits(person), "みなとでんき")
    if person.key in POWER_ONLY:
        return [power]
    return [phone, power] if person.key == "hanako" else [phone]


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
    if person.key in BILLED_ON:
        return list(BILLED_ON[person.key])
    last = min(LAST_DAY, (person.until or LAST_DAY) + timedelta(days=30))
    index = last.year * 12 + last.month - 1
    months = [
        date((index - back) // 12, (index - back) % 12 + 1, 5) for back in range(BILLS.get(person.key, BILLS_EACH))
    ]
    return [day for day in reversed(months) if person.since <= day <= LAST_DAY]


def _bills(
    person: Person, first_no: int, amounts: Sequence[int], truth: Truth
) -> Iterator[tuple[Row, Row | None, Row]]:
    """Invoice, payment and ledger line of each month. Payment numbers begin at 0, a number like any other."""
    by_card = int(digits(person)) % 2 == 1
    months = _months(person)
    unpaid = months[len(months) - UNPAID.get(person.key, 0) :]
    owed_since = max(map(_due, unpaid), default=None)
    for at, day in enumerate(months):
        payer = PAID_BY.get(person.key, person.as_written("invoices.payer_name", person.name))
        masks: dict[str, Mark] = {"payer_name": OTHER} if person.key in PAID_BY else {}
        if person.key == "hanako" and day.month == 2:
            payer, masks = MOTHER[0], {"payer_name": OTHER}
        invoice_no, amount = f"I{day:%y%m}-{digits(person)}", 2_900 + amounts[at % len(amounts)] % 4_000
        wrong_on, billed, _ = MISBILLED.get(person.key, (None, 0, 0))
        amount = billed if day == wrong_on else amount
        base = {"billing_no": "B" + digits(person), "amount_yen": amount}
        invoice = {
            **base,
            "invoice_no": invoice_no,
            "contract_no": ("E" if person.key in POWER_ONLY else "K") + digits(person),
            "issued_on": day.isoformat(),
            "due_on": _due(day).isoformat(),
            "payer_name": payer,
        }
        paid_at = datetime.combine(_due(day), time(9), TOKYO)
        payment = {
            **base,
            "payment_no": first_no + at,
            "invoice_no": invoice_no,
            "paid_at": int(paid_at.timestamp()),
            "method": "card" if by_card else "bank",
            "account_no": None if by_card else "79" + digits(person)[-5:],
            "card_no": f"49990000{digits(person)[-7:]}7" if by_card else None,
        }
        entry = {
            **base,
            "entry_no": "L" + invoice_no[1:],
            "contract_no": invoice["contract_no"],
            "entered_on": day.isoformat(),
        }
        numbers: dict[str, object] = {"billing.invoices": invoice_no, "billing.ledger": entry["entry_no"]}
        truth.own(person.key, "billing.invoices", invoice_no, masks, fate=fates.bill(person, day, owed_since))
        if day not in unpaid:
            numbers["billing.payments"] = first_no + at
            truth.own(
                person.key,
                "billing.payments",
                first_no + at,
                {"card_no": CARD} if by_card else {"account_no": ACCOUNT},
                fate=fates.bill(person, _due(day), owed_since),
            )
        truth.own(person.key, "billing.ledger", entry["entry_no"], fate=fates.book_entry(person, day, owed_since))
        if day == wrong_on:
            truth.wrong[person.key] = {dataset: [str(number)] for dataset, number in numbers.items()}
        yield invoice, None if day in unpaid else payment, entry


def _due(day: date) -> date:
    return day.replace(day=27)


def company_rows(people: Sequence[Person], seed: int, truth: Truth) -> dict[str, list[Row]]:
    """Tables of every SQL system but ``links``, in the order of ``people``."""
    rows: dict[str, list[Row]] = {
        name: []
        for name in (
            "customers",
            "contracts",
            "parties",
            "protections",
            "lines",
            "users",
            "installations",
            "invoices",
            "payments",
            "ledger",
            "inquiries",
            "members",
            "consents",
            "rate_plans",
        )
    }
    amounts = np.random.default_rng([seed, 2]).integers(0, 4_000, (len(people), 16)).tolist()
    drawn = dict(zip((person.key for person in people), amounts, strict=True))
    for person in people:
        if person.customer_no:
            _add_person(rows, person, drawn[SAME_BILLS.get(person.key, person.key)], truth)
    _add_couples(rows, truth)
    rows["users"] = _users(truth)
    rows["inquiries"] = _inquiries(people, seed, truth)
    rows["consents"] = _consents(people, truth)
    for table, row in canary.ROWS.items():
        if table in rows:
            rows[table].append(row)
    rows["rate_plans"] = [{"plan_code": "P1", "plan_name": "みなとひかり電話 基本", "monthly_yen": 2_900}]
    return rows


def _add_person(rows: dict[str, list[Row]], person: Person, amounts: Sequence[int], truth: Truth) -> None:
    rows["customers"].append(_customers(person))
    stays = fates.with_the_contract(person)
    truth.own(person.key, "customer_master.customers", person.customer_no, fate=stays)
    if "customers.address" in person.written and person.key in MOVED:
        truth.wrong[person.key] = {"customer_master.customers": [person.customer_no]}
    for contract in _contracts(person):
        rows["contracts"].append(contract)
        applied_on = date.fromisoformat(contract["applied_on"])
        truth.own(
            person.key, "service_contracts.contracts", contract["contract_no"], fate=fates.document(person, applied_on)
        )
    if person.line_no:
        line = _lines(person)
        rows["lines"].append(line)
        truth.own(person.key, "service_contracts.lines", f"{line['line_no']}|{line['started_on']}", fate=stays)
        rows["installations"].append(_installations(person))
        truth.own(
            person.key, "premises_lines.installations", "S" + digits(person), fate=fates.order(person, person.since)
        )
    for invoice, payment, entry in _bills(person, len(rows["payments"]), amounts, truth):
        rows["invoices"].append(invoice)
        rows["ledger"].append(entry)
        if payment:
            rows["payments"].append(payment)
    if person.member_id:
        rows["members"].append(_members(person))
        truth.own(person.key, "member_accounts.members", person.member_id)


def _add_couples(rows: dict[str, list[Row]], truth: Truth) -> None:
    """One contract of two: it is both's, and what stands in it of the other is not the asker's (AG-7)."""
    by = {person.key: person for person in STORY}
    for first, second in COUPLES.items():
        pair = (by[first], by[second])
        [contract, *_] = _contracts(by[first])
        number = "J" + digits(by[first])
        rows["contracts"].append({**contract, "contract_no": number, "billing_no": None, "service": "みなとファミリー"})
        for at, (person, minutes) in enumerate(zip(pair, (147, 312), strict=True), 1):
            told = _customers(person)
            shown = {name: told[name] for name in ("customer_no", "name", "kana", "address", "phone", "mail")}
            rows["parties"].append(
                {"contract_no": number, "party_no": str(at), **shown, "usage_minutes": minutes},
            )
            struck = dict.fromkeys((*shown, "usage_minutes"), OTHER)
            hers = {} if person.key == first else {"customer_no": OTHER}
            truth.own(person.key, "service_contracts.contracts", number, hers, fate=fates.NEEDED)
            for row in (1, 2):
                masks = {} if row == at else struck
                truth.own(person.key, "service_contracts.parties", f"{number}|{row}", masks, fate=fates.NEEDED)
    for key, since in PROTECTED.items():
        number = by[key].customer_no
        rows["protections"].append({"customer_no": number, "kind": "支援措置", "since": since, "until": None})
        truth.own(key, "customer_master.protections", number, fate=fates.NEEDED)


def _users(truth: Truth) -> list[Row]:
    """Registered users of the line of 伊藤工務店 (Kazuo, and somebody whose name reads the same), and a child of her
    father's line."""
    kazuo, aoi = (next(person for person in STORY if person.key == key) for key in ("kazuo", "aoi"))
    contract_no = "K" + digits(NEIGHBOURS[0])
    truth.own("kazuo", "service_contracts.users", "U0000001", fate=fates.NEEDED)
    truth.own("aoi", "service_contracts.users", "U0000003", fate=fates.NEEDED)
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
        {
            "user_no": "U0000003",
            "contract_no": "K0001259",
            "name": aoi.name,
            "kana": aoi.kana,
            "born_on": "20170505",
            "relation": "子",
        },
    ]


# -- offers -----------------------------------------------------------------------------------------------------

LISTS = {
    "hanako": ("mail", "post"),
    "kenta": ("mail", "phone"),
    "fumi": ("mail", "post", "phone"),
    "nozomi": ("mail", "post"),
    "isamu": ("phone",),
    "mai": ("mail",),
    "kaoru": ("post",),
    "ryo": ("mail",),
    "anzu": ("mail",),
    "kaede": ("mail",),
    "jun_h": ("post",),
}
REFUSED_ALREADY = ("fumi", "phone")
"""She said no to calls long ago; that line is already stopped."""
LAST_SENT = {"nozomi": date(2026, 10, 31)}
"""She was still written to after her contract: proof that she had agreed stays a month from then (MAIL4)."""


def _consents(people: Sequence[Person], truth: Truth) -> list[Row]:
    """Who agreed to be sent offers, by which way: the stories as told, of the crowd every second one by mail."""
    rows: list[Row] = []
    for person in people:
        crowd = ("mail",) if person.key == person.customer_no and int(digits(person)) % 2 else ()
        for way in LISTS.get(person.key, crowd):
            consent_no, refused = f"A{len(rows) + 1:07d}", (person.key, way) == REFUSED_ALREADY
            sent_on = LAST_SENT.get(person.key, min(person.until or LAST_DAY, date(2026, 10, 15)))
            contacts = {"mail": person.mail, "phone": person.phone, "post": person.address}
            rows.append(
                {
                    "consent_no": consent_no,
                    "customer_no": person.customer_no,
                    "list": way,
                    "contact": contacts[way],
                    "opted_in": int(not refused),
                    "source": "会員サイト" if person.member_id else "お申込書",
                    "recorded_at": f"{person.since.isoformat()} 12:00:00",
                    "last_sent_on": None if refused else sent_on.isoformat(),
                    "stopped": int(refused),
                }
            )
            truth.own(
                person.key,
                "marketing_consents.consents",
                consent_no,
                fate=fates.consent(person, sent_on, way == "mail" and not refused),
            )
    return rows


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
        told("chikara", "2026-10-30 09:10:00", "開示のご請求の方法についてのお問い合わせ。"),
        told("jun_h", "2026-10-30 17:20:00", "居所を知られたくないとのご相談。"),
        *(told(key, "2026-10-30 10:00:00", note) for key, (note, _) in REMARKED.items()),
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
            fates.Fate(emptied=("note",)),
        )
        truth.identity["izumi"] = {f"{dataset}/{inquiry_no}": "same"}
    if key in REMARKED:
        truth.wrong[key] = {dataset: [inquiry_no]}
    if key == "hiroshi_65":
        truth.identity[key] = {f"{dataset}/{inquiry_no}": "same"}
    return {"inquiry_no": inquiry_no, **row}
