"""What is held of a few people only: a company's contact, electricity, recordings, labels, sign-ins of a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sample_data import canary, fates
from sample_data.people import STORY, Person
from sample_data.tickets import ENGINEERS
from sample_data.truth import OTHER, Mark, Truth

USAGE = "usage_30min.half_hours"
POINTS = {"hikaru": "0800000000000000000201", "haruka": "0800000000000000000201", "sho": "0800000000000000000911"}
"""Hikaru's supply point is Haruka's from the day after she left (U-3)."""
MEASURED = {
    POINTS["hikaru"]: (datetime(2026, 3, 31), 96),  # noqa: DTZ001 - local, as stored
    POINTS["sho"]: (datetime(2026, 9, 1), 48),  # noqa: DTZ001
}
"""Supply point → first half-hour of those in the sample, and how many."""
CHANGED = datetime(2026, 4, 1)  # noqa: DTZ001
RECORDED = {"jun_f": 6}
"""People → recorded calls with the desk."""
FORMULA = ("APPI-33-2-2", "0.4*x1+0.3*x2+0.3*x3")
HELD: tuple[tuple[str, str, str, str], ...] = (
    ("contacts", "tsukasa", "contact_persons.contacts", "T0000001"),
    ("sessions", "kaede", "connection_logs.sessions", "N0000001"),
    ("sessions", "kaede", "connection_logs.sessions", "N0000002"),
    ("segments", "kaede", "segments.labels", "G0000001"),
    ("segments", "kaede", "segments.labels", "G0000002"),
)
"""Table, person, dataset, record no. of what is one or two rows."""
Row = dict[str, Any]


def held(truth: Truth) -> dict[str, list[Row]]:
    """Rows by table, each told to the truth."""
    by = {person.key: person for person in STORY}
    rows: dict[str, list[Row]] = {"contacts": [], "sessions": [], "segments": []}
    for table, key, dataset, number in HELD:
        rows[table].append(_ROW[table](by[key], number))
        struck: dict[str, Mark] = {"formula": ("struck", FORMULA[0])} if table == "segments" else {}
        truth.own(key, dataset, number, struck, fate=fates.NEEDED if table == "contacts" else fates.ERASED)
    truth.identity["tsukasa"] = {"contact_persons.contacts/T0000001": "same"}  # no birth date stands there
    rows["power_contracts"] = list(_power(by, truth))
    rows["recordings"] = list(_recordings(by, truth))
    return {table: [*found, canary.ROWS[table]] for table, found in rows.items()}


def _contact(person: Person, number: str) -> Row:
    shown = {"name": person.name, "kana": person.kana, "address": person.address, "phone": person.phone, "mail": None}
    return {"contact_no": number, "contract_no": "K0001274", **shown, "relation": "代表取締役"}


def _session(person: Person, number: str) -> Row:
    at = f"2026-10-0{number[-1]}"
    return {
        "session_no": number,
        "line_no": person.line_no,
        "ip": f"203.0.113.{number[-1]}",
        "started_at": f"{at} 21:00:00",
        "ended_at": f"{at} 22:10:00",
        "result": "ok",
    }


def _segment(person: Person, number: str) -> Row:
    label, score = {"1": ("料金プラン変更の見込み", "0.71"), "2": ("不正利用のおそれ", "0.12")}[number[-1]]
    return {
        "segment_no": number,
        "member_id": person.member_id,
        "label": label,
        "score": score,
        "formula": FORMULA[1],
        "reckoned_on": "2026-10-01",
    }


_ROW = {"contacts": _contact, "sessions": _session, "segments": _segment}


def _power(by: Mapping[str, Person], truth: Truth) -> Iterator[Row]:
    for key in sorted(POINTS):
        person, number = by[key], "D" + by[key].customer_no[1:]
        truth.own(key, "power_contracts.supplies", number, fate=fates.document(person, person.since))
        yield {
            "supply_no": number,
            "customer_no": person.customer_no,
            "supply_point_no": POINTS[key],
            "meter_no": "W" + POINTS[key][-6:],
            "plan": "みなとでんき 従量",
            "started_on": person.since.isoformat(),
            "ended_on": person.until.isoformat() if person.until else None,
        }


def _recordings(by: Mapping[str, Person], truth: Truth) -> Iterator[Row]:
    for key, count in RECORDED.items():
        for at in range(1, count + 1):
            number = f"R{by[key].customer_no[-4:]}{at:03d}"
            truth.own(key, "call_recordings.recordings", number, {"operator": OTHER})
            yield {
                "recording_no": number,
                "customer_no": by[key].customer_no,
                "recorded_at": f"2026-08-{at:02d} 10:00:00",
                "seconds": 60 + at,
                "operator": ENGINEERS[at % 3],
                "file": f"rec/2026/{number}.wav",
            }


def write_usage(folder: Path, truth: Truth) -> None:
    """Half-hours by month; a half-hour is of who had the contract at its start."""
    told = [(canary.POINT, canary.AT)]
    for point, (first, count) in MEASURED.items():
        told += [(point, first + timedelta(minutes=30 * at)) for at in range(count)]
    told.sort(key=lambda one: (one[1], one[0]))
    months: dict[str, list[Row]] = {}
    by = {person.key: person for person in STORY}
    for number, (point, at) in enumerate(told, 1):
        months.setdefault(f"{at:%Y-%m}", []).append(
            {"usage_no": number, "supply_point_no": point, "started_at": at, "kwh": (number * 7 % 90) / 100 + 0.05}
        )
        owner = {POINTS["sho"]: "sho", POINTS["haruka"]: "haruka" if at >= CHANGED else "hikaru"}.get(point)
        if owner:
            truth.own(owner, USAGE, number, fate=fates.with_the_contract(by[owner]))
    kinds = pa.schema([("usage_no", pa.int64()), ("supply_point_no", pa.string()),
                       ("started_at", pa.timestamp("us")), ("kwh", pa.float64())])  # fmt: skip
    for month, found in months.items():
        pq.write_table(pa.Table.from_pylist(found, kinds), folder / f"usage-{month}.parquet", compression="zstd")
