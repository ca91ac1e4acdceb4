"""The call lake: Parquet by month, sorted by time. No row knows a customer: line and tenure say whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sample_data import canary, fates
from sample_data.people import FIRST_DAY, HANAKO, KENTA, LAST_DAY, SHARED_LINE, STORY, Person
from sample_data.truth import LAST4, WITHHELD, Mark, Truth

DATASET = "call_history.calls"
OUTGOING, INCOMING = 1, 2
FIRST_CALL_ID = 1_000_000_001
ROW_GROUP = 65_536
CALLS = {
    "hanako": 300,
    "kenta": 60,
    "kaoru": 30,
    "susumu": 40,
    "ryoko": 40,
    "nana": 12,
    "yutaka": 12,
    "ryo": 12,
    "rei": 15,
    "saki": 15,
    "makoto": 15,
    "hiroshi_65": 25,
    "hiroshi_90": 25,
    "fumi": 60,
    "nozomi": 20,
    "isamu": 30,
    "jin": 12,
    "naoki": 12,
    "yui": 20,
    "riku": 8,
    "takumi": 8,
    "akira": 8,
    "aya": 8,
    "yu": 12,
    "kiyoshi": 12,
    "shun": 8,
    "jun_f": 180,
    "chikara": 8,
    "kaname": 8,
    "jun_h": 8,
}
LEVEL_CHANGED = datetime(2026, 4, 1)  # noqa: DTZ001 - local, as stored
"""From here Hanako's bill shows called numbers whole; before, without their last four digits (law.md T-2)."""


@dataclass(frozen=True)
class Call:
    """``owner``: key of the person in whose tenure it falls; None: nobody's. ``at`` is local, as the lake stores it."""

    owner: str | None
    line_no: str
    counterpart_no: str
    direction: int
    shown: int
    level: str
    at: datetime
    seconds: int


def _span(person: Person) -> tuple[int, int]:
    """Seconds since FIRST_DAY in which the person's line could call: its tenure, cut to the days of the lake."""
    first, last = max(person.since, FIRST_DAY), min(person.until or LAST_DAY, LAST_DAY)
    return int((first - FIRST_DAY).total_seconds()), int((last + timedelta(days=1) - FIRST_DAY).total_seconds())


def _instant(second: int) -> datetime:
    return datetime.combine(FIRST_DAY, time.min) + timedelta(seconds=second)


def _number(value: int) -> str:
    """Numbers that nobody can have: no Japanese number goes on with 0 after 080 or 03."""
    return f"{'080' if value % 3 else '03'}-0{value // 7 % 900 + 100}-{value // 6300 % 10_000:04d}"


def _level(person: Person, at: datetime) -> str:
    return "last4_masked" if person.key == "hanako" and at < LEVEL_CHANGED else "full"


def _usual(person: Person, count: int, rng: np.random.Generator) -> list[Call]:
    low, high = _span(person)
    calls = []
    for second, way, number, seconds in zip(
        rng.integers(low, high, count),
        rng.integers(0, 10, count),
        rng.integers(0, 1 << 30, count),
        rng.integers(5, 1800, count),
        strict=True,
    ):
        direction = OUTGOING if way < 6 else INCOMING
        at = _instant(int(second))
        calls.append(
            Call(
                person.key,
                person.line_no,
                _number(int(number)),
                direction,
                int(direction == OUTGOING or way < 9),
                _level(person, at),
                at,
                int(seconds),
            )
        )
    return calls


def _between(caller: Person, called: Person, at: datetime) -> list[Call]:
    """One call between two of our lines: a row of each, and each row only its own line's."""
    return [
        Call(caller.key, caller.line_no, called.line_no, OUTGOING, 1, _level(caller, at), at, 75),
        Call(called.key, called.line_no, caller.line_no, INCOMING, 1, "full", at, 75),
    ]


DISPLAYED, ANONYMOUS = "080-0000-7777", "080-0000-8888"


def _ryoko(ryoko: Person) -> list[Call]:
    """Callers with 184 and without; one number is masked where it called her and shown where she called it."""

    def call(counterpart: str, direction: int, shown: int, day: int) -> Call:
        return Call("ryoko", ryoko.line_no, counterpart, direction, shown, "full", datetime(2026, 8, day, 20, 15), 40)  # noqa: DTZ001

    return [
        *(call(ANONYMOUS, INCOMING, 0, day) for day in (3, 4, 6)),
        *(call(DISPLAYED, INCOMING, 1, day) for day in (9, 11)),
        call(DISPLAYED, OUTGOING, 1, 12),
        call("184" + DISPLAYED, OUTGOING, 0, 13),
    ]


def _passed_on() -> list[Call]:
    """The shared number at the very seconds of its two tenures, and in the gap between them, where it is nobody's."""

    def call(owner: str | None, *at: int) -> Call:
        return Call(owner, SHARED_LINE, "03-0100-0001", INCOMING, 1, "full", datetime(*at), 9)  # type: ignore[arg-type]  # noqa: DTZ001

    return [
        call("kaoru", 2025, 11, 30, 23, 59, 59),
        call(None, 2025, 12, 1, 0, 0, 0),
        call(None, 2025, 12, 24, 8, 0, 0),
        call(None, 2026, 1, 31, 23, 59, 59),
        call("susumu", 2026, 2, 1, 0, 0, 0),
    ]


def story_calls(neighbours: Sequence[Person], rng: np.random.Generator) -> list[Call]:
    by = {person.key: person for person in STORY}
    special = [call for day in (5, 12, 19) for call in _between(HANAKO, KENTA, datetime(2026, 6, day, 19, 30))]  # noqa: DTZ001
    special.append(Call(None, canary.LINE, "03-0100-0001", INCOMING, 1, "full", canary.AT, 9))
    special += _between(KENTA, HANAKO, datetime(2026, 6, 26, 7, 45)) + _ryoko(by["ryoko"]) + _passed_on()  # noqa: DTZ001
    for key, wanted in CALLS.items():
        special += _usual(by[key], wanted - sum(call.owner == key for call in special), rng)
    for person in neighbours:
        special += _usual(person, 25, rng)
    return special


Integers = npt.NDArray[np.int64]


@dataclass
class _Columns:
    """Calls as columns; ``line`` and ``other`` are places in ``numbers``, ``owner`` a place in the owners or −1."""

    second: Integers
    line: Integers
    other: Integers
    direction: Integers
    shown: Integers
    masked: Integers
    seconds: Integers
    owner: Integers

    def sorted(self) -> _Columns:
        order = np.argsort(self.second, kind="stable")
        return _Columns(*(column[order] for column in vars(self).values()))


def _random_columns(
    people: Sequence[Person], calls: int, others: int, first_other: int, rng: np.random.Generator
) -> _Columns:
    """``calls`` calls of ``people`` (line and owner are their places), spread evenly over their tenures."""
    spans = np.array([_span(person) for person in people], np.int64)
    line = rng.integers(0, len(people), calls)
    low, high = spans[line, 0], spans[line, 1]
    direction = np.where(rng.integers(0, 10, calls) < 6, OUTGOING, INCOMING).astype(np.int64)
    return _Columns(
        low + (rng.random(calls) * (high - low)).astype(np.int64),
        line,
        first_other + rng.integers(0, others, calls),
        direction,
        np.where((direction == OUTGOING) | (rng.integers(0, 4, calls) > 0), 1, 0).astype(np.int64),
        (line % 3 == 0).astype(np.int64),
        rng.integers(5, 1800, calls),
        line,
    )


def _story_columns(calls: Sequence[Call], place: dict[str, int], owners: dict[str, int]) -> _Columns:
    start = datetime.combine(FIRST_DAY, time.min)
    rows = [
        (
            int((call.at - start).total_seconds()),
            place[call.line_no],
            place[call.counterpart_no],
            call.direction,
            call.shown,
            int(call.level != "full"),
            call.seconds,
            owners[call.owner] if call.owner else -1,
        )
        for call in calls
    ]
    return _Columns(*np.array(rows, np.int64).T)


def write_lake(
    folder: Path, strangers: Sequence[Person], neighbours: Sequence[Person], calls: int, seed: int, truth: Truth
) -> None:
    """``calls`` random calls of ``strangers`` around the calls of the stories, one file per month."""
    rng = np.random.default_rng([seed, 4])
    told = story_calls(neighbours, rng)
    strangers = list(strangers) or list(neighbours)
    pool = [_number(int(value)) for value in rng.integers(0, 1 << 30, 20_000)]
    told_numbers = sorted({number for call in told for number in (call.line_no, call.counterpart_no)})
    numbers = [person.line_no for person in strangers] + pool + told_numbers
    place = {number: len(numbers) - len(told_numbers) + at for at, number in enumerate(told_numbers)}
    keys = [person.key for person in strangers] + sorted({call.owner for call in told if call.owner})
    owners = {key: at for at, key in enumerate(keys) if at >= len(strangers)}
    random, story = (
        _random_columns(strangers, calls, len(pool), len(strangers), rng),
        _story_columns(told, place, owners),
    )
    columns = _Columns(
        *(np.concatenate(pair) for pair in zip(vars(random).values(), vars(story).values(), strict=True))
    ).sorted()
    _write_months(folder, columns, pa.array(numbers, pa.string()))
    _tell(columns, keys, truth)


def _places(column: Integers) -> pa.Array[Any]:
    return pa.array(column, pa.int64())


def _write_months(folder: Path, columns: _Columns, numbers: pa.Array[Any]) -> None:
    stamps = np.datetime64(FIRST_DAY.isoformat(), "us") + columns.second.astype("timedelta64[s]")
    table = pa.table(
        {
            "call_id": pa.array(np.arange(len(stamps), dtype=np.int64) + FIRST_CALL_ID),
            "line_no": numbers.take(_places(columns.line)),
            "counterpart_no": numbers.take(_places(columns.other)),
            "direction": pa.array(columns.direction, pa.int8()),
            "shown": pa.array(columns.shown, pa.int8()),
            "level": pa.array(["full", "last4_masked"], pa.string()).take(_places(columns.masked)),
            "started_at": pa.array(stamps, pa.timestamp("us")),
            "duration_s": pa.array(columns.seconds, pa.int32()),
            "charge_yen": pa.array(
                np.where(columns.direction == OUTGOING, 9 * (1 + columns.seconds // 180), 0), pa.int32()
            ),
        }
    )
    months = stamps.astype("datetime64[M]")
    month = np.datetime64(FIRST_DAY.isoformat(), "M")
    while month <= np.datetime64(LAST_DAY.isoformat(), "M"):
        low, high = np.searchsorted(months, [month, month + 1])
        pq.write_table(
            table.slice(low, high - low),
            folder / f"calls-{month}.parquet",
            compression="zstd",
            row_group_size=ROW_GROUP,
        )
        month = month + 1


def _tell(columns: _Columns, keys: Sequence[str], truth: Truth) -> None:
    """Whose each call is: story people row by row with their masks, everybody else as columns."""
    by = {person.key: person for person in STORY}
    story = set(by)
    told = np.isin(columns.owner, [at for at, key in enumerate(keys) if key in story])
    for at in np.flatnonzero(told):
        incoming, masked = columns.direction[at] == INCOMING, columns.masked[at]
        mark: dict[str, Mark] = (
            {"counterpart_no": WITHHELD} if incoming else {"counterpart_no": LAST4} if masked else {}
        )
        key, day = keys[columns.owner[at]], FIRST_DAY + timedelta(days=int(columns.second[at]) // 86_400)
        truth.own(key, DATASET, FIRST_CALL_ID + int(at), mark, fate=fates.call(by[key], day))
    others = np.flatnonzero(~told & (columns.owner >= 0))
    truth.columns[DATASET] = (
        pc.cast(pa.array(others + FIRST_CALL_ID), pa.string()),
        pa.array(list(keys), pa.string()).take(_places(columns.owner[others])),
    )
