"""Whole inclusive days outside, half-open instants inside, and the forms in which stores write both (law.md T-8).

This is the only module that turns one into the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

TOKYO = ZoneInfo("Asia/Tokyo")

Form = Literal[
    "date",  # 2026-04-01 (a DATE column, or text)
    "timestamp",  # 2026-04-01 09:30:00, local time of the declared zone
    "iso",  # 2026-04-01T09:30:00+09:00, its own offset
    "yyyymmdd",  # 20260401, number or text
    "yyyymmddhhmmss",  # 20260401093000
    "epoch",  # seconds since 1970 UTC
    "epoch_ms",
    "clf",  # 01/Apr/2026:09:30:00 +0900, as Apache and nginx write their logs
    "text",  # as "date" or "timestamp", whichever the value is
]


@dataclass(frozen=True, order=True)
class Interval:
    """``[start, end)``; ``None`` is open. Aware instants only."""

    start: datetime | None = None
    end: datetime | None = None

    def __contains__(self, instant: datetime) -> bool:
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)

    @property
    def empty(self) -> bool:
        return self.start is not None and self.end is not None and self.start >= self.end

    def meet(self, other: Interval) -> Interval:
        """The part that both cover; may be empty."""
        starts = [s for s in (self.start, other.start) if s is not None]
        ends = [e for e in (self.end, other.end) if e is not None]
        return Interval(max(starts) if starts else None, min(ends) if ends else None)


ALWAYS = Interval()


def whole_days(first: date | None, last: date | None, zone: ZoneInfo = TOKYO) -> Interval:
    """Inclusive days ``first``..``last`` as the instants they cover. 0001-01-01 and 9999-12-31 mean an open end."""
    return Interval(
        datetime.combine(first, time.min, zone) if first and first.year > 1 else None,
        datetime.combine(last + timedelta(days=1), time.min, zone) if last and last.year < 9999 else None,
    )


def day_of(instant: datetime, zone: ZoneInfo = TOKYO) -> date:
    return instant.astimezone(zone).date()


def read_instant(value: Any, form: Form, zone: ZoneInfo) -> datetime | None:
    """A stored value as an instant; ``None`` for NULL and blank. Raises ValueError for anything else unreadable."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, date):
        return datetime.combine(value, time.min, zone)
    if form in ("epoch", "epoch_ms"):
        return _from_epoch(value, 1 if form == "epoch" else 1000)
    text = str(value).strip()
    if form in ("yyyymmdd", "yyyymmddhhmmss"):
        pattern, width = ("%Y%m%d", 8) if form == "yyyymmdd" else ("%Y%m%d%H%M%S", 14)
        try:
            if re.fullmatch(rf"[0-9]{{{width}}}", text):
                return datetime.strptime(text, pattern).replace(tzinfo=zone)
        except ValueError:  # its message holds the value
            pass
        raise ValueError(f"not of the form {form}")
    if form == "clf":
        text = _iso_of_clf(text)
    try:
        read = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise ValueError(f"not of the form {form}") from None
    return read if read.tzinfo else read.replace(tzinfo=zone)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _iso_of_clf(text: str) -> str:
    """Month names are English whatever the machine's locale says, which strptime would follow."""
    found = re.fullmatch(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})", text, re.ASCII)
    if not found or found[2] not in _MONTHS:
        raise ValueError("not of the form clf")
    return f"{found[3]}-{_MONTHS.index(found[2]) + 1:02d}-{found[1]}T{found[4]}{found[5]}"


def _from_epoch(value: Any, per_second: int) -> datetime:
    try:
        return datetime.fromtimestamp(float(value) / per_second, UTC)
    except (ValueError, OverflowError, OSError):  # their words quote the value
        raise ValueError("not of the form epoch") from None


def write_instant(instant: datetime, form: Form, zone: ZoneInfo) -> Any:
    """An instant in the form a column stores, for comparing inside the store."""
    local = instant.astimezone(zone)
    if form == "clf":
        return f"{local:%d}/{_MONTHS[local.month - 1]}/{local.year:04d}:{local:%H:%M:%S %z}"
    if form == "epoch":
        return int(instant.timestamp())
    if form == "epoch_ms":
        return int(instant.timestamp() * 1000)
    patterns: dict[str, str] = {
        "date": "%Y-%m-%d",
        "timestamp": "%Y-%m-%d %H:%M:%S",
        "iso": "%Y-%m-%dT%H:%M:%S%z",
        "yyyymmdd": "%Y%m%d",
        "yyyymmddhhmmss": "%Y%m%d%H%M%S",
        "text": "%Y-%m-%d" if local.time() == time.min else "%Y-%m-%d %H:%M:%S",
    }
    # strftime does not pad years below 1000 on every platform, and open ends use year 1.
    return local.strftime(patterns[form].replace("%Y", f"{local.year:04d}"))


OPEN_START = datetime(1, 1, 2, tzinfo=UTC)
OPEN_END = datetime(9999, 12, 30, tzinfo=UTC)


def _ceiling(instant: datetime, form: Form, zone: ZoneInfo) -> datetime:
    """The first value a column of this form can hold at or after ``instant``: a DATE row of a part day belongs."""
    local = instant.astimezone(zone)
    if form in ("date", "yyyymmdd"):
        floor, step = datetime.combine(local.date(), time.min, zone), timedelta(days=1)
    elif form == "epoch_ms":
        floor, step = local.replace(microsecond=local.microsecond // 1000 * 1000), timedelta(milliseconds=1)
    else:
        floor, step = local.replace(microsecond=0), timedelta(seconds=1)
    return local if floor == local else floor + step


def after(instant: datetime, form: Form, zone: ZoneInfo) -> datetime:
    """The first instant behind what a column of this form says with this value: its day, second or millisecond."""
    local = instant.astimezone(zone)
    if form in ("date", "yyyymmdd") or (form == "text" and local.time() == time.min):
        return datetime.combine(local.date() + timedelta(days=1), time.min, zone)
    return instant + (timedelta(milliseconds=1) if form == "epoch_ms" else timedelta(seconds=1))


def bound(interval: Interval, form: Form, zone: ZoneInfo) -> tuple[Any, Any]:
    """``:from`` and ``:to`` of an interval in a column's stored form, open ends written as the far past and future.

    Never narrower than the interval: a start inside a stored unit is rounded down, an end up.
    """
    end = None if interval.end is None else _ceiling(interval.end, form, zone)
    if form in ("epoch", "epoch_ms"):
        low, high = -(2**53), 2**53
        return (
            write_instant(interval.start, form, zone) if interval.start else low,
            write_instant(end, form, zone) if end else high,
        )
    return (
        write_instant(interval.start or OPEN_START, form, zone),
        write_instant(end or OPEN_END, form, zone),
    )


def instants(column: pa.ChunkedArray | pa.Array, form: Form, zone: ZoneInfo) -> pa.Array:
    """A whole column as ``timestamp[us, UTC]``. Text and numbers are read once per distinct value."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # combine_chunks keeps a ChunkedArray when there is no chunk
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    utc = pa.timestamp("us", "UTC")
    if pa.types.is_timestamp(array.type):
        if array.type.tz is None:
            array = pc.assume_timezone(array, str(zone))
        return array.cast(utc)
    if pa.types.is_date(array.type):
        return pc.assume_timezone(array.cast(pa.timestamp("us")), str(zone)).cast(utc)
    coded = array.dictionary_encode()
    words = [read_instant(value, form, zone) for value in coded.dictionary.to_pylist()]
    return pa.array(words, utc).take(coded.indices)


def within(stamps: pa.Array, interval: Interval) -> pa.Array:
    """Which instants lie inside; NULL lies inside only an interval open on both sides."""
    keep = pc.or_(pc.is_valid(stamps), pa.scalar(interval == ALWAYS))
    for edge, compare in ((interval.start, pc.greater_equal), (interval.end, pc.less)):
        if edge is not None:
            keep = pc.and_(keep, pc.fill_null(compare(stamps, pa.scalar(edge.astimezone(UTC), stamps.type)), False))
    return keep
