"""The machine half of a work order: the keys as SQL or CSV, and an order document signed with the home's key.

A file of SQL is for a DBA to read before running it: one transaction, literal keys and, of what is changed, the value
that stands there until then. Each statement counts its rows and undoes everything where the count is another, also in
a shell that goes on after an error. It names columns by an alias of the table, so that a column that is not there is an
error and never a literal (SQLite) nor a function (``user`` in PostgreSQL). A partner gets identifiers of the kinds its
declaration names, no key.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import sqlglot
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pyarrow import csv as pa_csv
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dsr.days import Interval, day_of
from dsr.errors import BadInput, CheckFailed
from dsr.identity import Identifier
from dsr.inventory import Dataset
from dsr.log import canonical
from dsr.plan import Plan

FORMAT = "dsr-order/1"
Dialect = Literal["postgresql", "sqlite"]
Measure = Literal["erase", "deidentify", "use_stop", "correct", "annotate", "provision_stop", "suspend_purge",
                  "resume_purge", "stop_listing", "resume_listing"]  # fmt: skip
TOGETHER = 100
"""Keys in one statement: SQLite refuses expressions deeper than 1,000, and nobody reads longer ones."""


@dataclass(frozen=True)
class Order:
    """``to``: a system, or a partner's key. ``plan``: the digest of the approved plan."""

    order_no: str
    case_no: str
    to: str
    datasets: tuple[str, ...]
    measure: Measure
    records: int
    due: date
    issued_on: date
    plan: str


@dataclass(frozen=True)
class Signed:
    """``document`` is RFC 8785 JSON, ``signature`` the 64 raw bytes of Ed25519 over exactly these bytes."""

    document: bytes
    signature: bytes


def sign_order(order: Order, keys_name: str, keys: bytes, signing: Ed25519PrivateKey) -> Signed:
    """Binds the order to its key file by name and SHA-256. ``openssl pkeyutl -verify -rawin`` can check it, too."""
    document = canonical({
        "format": FORMAT, "order_no": order.order_no, "case": order.case_no, "system": order.to,
        "datasets": list(order.datasets), "measure": order.measure, "records": order.records,
        "issued_on": order.issued_on.isoformat(), "due": order.due.isoformat(), "plan": order.plan,
        "keys": {"name": keys_name, "sha256": hashlib.sha256(keys).hexdigest(), "size": len(keys)},
    }).encode()  # fmt: skip
    return Signed(document, signing.sign(document))


def verify_order(document: bytes, signature: bytes, public_key: bytes, keys: bytes | None = None) -> Mapping[str, Any]:
    """The order, if ``public_key`` (32 raw bytes) signed it and ``keys`` is its key file. Raises CheckFailed."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, document)
        order = json.loads(document)
        if order["format"] != FORMAT:
            raise ValueError
    except (InvalidSignature, ValueError, KeyError, TypeError):
        raise CheckFailed("order: was not signed by this home, or was changed since; ask for it again") from None
    if keys is not None and hashlib.sha256(keys).hexdigest() != order["keys"]["sha256"]:
        raise CheckFailed("order: the key file is not the one that was signed; ask for it again")
    return dict(order)


# -- SQL -------------------------------------------------------------------------------------------------------------
class Write(NamedTuple):
    """How a database writes a value, a change that undoes all where it does not meet so many rows, and how a script
    begins and ends; what makes a column compare to the letter."""

    literal: Callable[[Any], str]
    counted: Callable[[str, str, int, str], str]
    begin: tuple[str, ...]
    end: tuple[str, ...]
    exactly: str = ""


def table_of(dataset: Dataset) -> str:
    """The table an order speaks of: as declared, else the only one of ``fetch``. Raises BadInput."""
    if dataset.table:
        return dataset.table
    try:
        read = sqlglot.parse_one(re.sub(r"(?<!:):\w+", "(NULL)", dataset.fetch))
        tables = {str(table.sql()) for table in read.find_all(exp.Table)}
    except SqlglotError:
        tables = set[str]()
    if len(tables) != 1:
        raise BadInput(f"{dataset.id}.table", "is not said, and fetch reads not just one", "name the table to change")
    return tables.pop()


def sql_of(plan: Plan, order_no: str, dialect: Dialect) -> bytes:
    """One transaction that changes exactly the plan's records, UTF-8. Raises BadInput for a key that cannot be written.

    A record without any key would stand for every row without one: it is refused.
    """
    table, write = table_of(plan.dataset), WRITERS[dialect]
    lines = [
        f"-- {order_no}  {plan.dataset.id}  {plan.records} rows in all  plan {plan.digest}",
        "-- 全体を一度に実行してください。件数が一つでも違えば自動で取り消され、何も変わりません。その時はご連絡を。",
        "-- Run it whole. Should one count differ, it undoes itself and nothing is changed: then tell us.",
        *write.begin,
    ]
    for values, rows in _groups(plan):
        for start in range(0, len(rows), TOGETHER):
            some = rows[start : start + TOGETHER]
            lines.append(write.counted(_changing(table, values, write), _where(plan, some, write), len(some), order_no))
    return "\n".join([*lines, *write.end, ""]).encode()


Row = tuple[Any, ...]


def _groups(plan: Plan) -> Iterator[tuple[Mapping[str, Any] | None, list[Row]]]:
    """Keys, and old values, by what they get: None where the records go whole, else column → value."""
    keys = _rows(plan.keys.select(list(plan.dataset.key)))
    if len(set(keys)) != len(keys):
        raise BadInput("keys", "name a record twice", "plan each record once")
    if plan.values is None:
        yield None, keys
        return
    rows = keys if plan.old is None else [(*key, *old) for key, old in zip(keys, _rows(plan.old), strict=True)]
    told = [(tuple(map(repr, given)), given, row) for given, row in zip(_rows(plan.values), rows, strict=True)]
    for _, same in groupby(sorted(told, key=lambda one: one[0]), key=lambda one: one[0]):
        group = list(same)
        yield dict(zip(plan.values.column_names, group[0][1], strict=True)), [row for _, _, row in group]


def _rows(table: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _changing(table: str, values: Mapping[str, Any] | None, write: Write) -> str:
    if values is None:
        return f"DELETE FROM {table} AS r"  # noqa: S608 - a person reads it before it runs; values are quoted below
    changes = ", ".join(f"{_name(column)} = {write.literal(value)}" for column, value in values.items())
    return f"UPDATE {table} AS r SET {changes}"  # noqa: S608


def _where(plan: Plan, rows: Sequence[Row], write: Write) -> str:
    """Each row singled out by its key, and by what stands in the columns that are changed."""
    key = plan.dataset.key
    if any(all(part is None for part in row[: len(key)]) for row in rows):
        raise BadInput("keys", f"a record of {plan.dataset.id} has no key", "single it out by hand")
    columns = [*key, *(plan.old.column_names if plan.old is not None and plan.values is not None else ())]
    names = [f"r.{_name(column)}{write.exactly}" for column in columns]
    if len(names) == 1:
        return f"{names[0]} IN ({', '.join(write.literal(row[0]) for row in rows)})"
    return "\n   OR ".join(
        f"({' AND '.join(_equals(name, part, write) for name, part in zip(names, row, strict=True))})" for row in rows
    )


def _equals(name: str, part: Any, write: Write) -> str:
    return f"{name} IS NULL" if part is None else f"{name} = {write.literal(part)}"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: Any) -> str:
    """What is written between quotes, of the kinds that a connector brings."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if not isinstance(value, str):
        raise BadInput("keys", f"hold a value of type {type(value).__name__}", "declare a key of text, number or day")
    if "\0" in value:
        raise BadInput("keys", "hold a character that no database text can hold", "single the record out by hand")
    return value


def _number(value: int | float) -> str:
    if not math.isfinite(value):
        raise BadInput("keys", "hold a number that is not finite", "single the record out by hand")
    return repr(value)


_CONTROL = re.compile(r"[\x01-\x1f\x7f]+")


def _postgresql(value: Any) -> str:
    """Correct whatever ``standard_conforming_strings`` says; controls are escaped, so that no editor changes them."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, bytes):
        return f"decode('{value.hex()}', 'hex')"
    text = _text(value).replace("'", "''")
    escaped = _CONTROL.sub(lambda m: "".join(f"\\x{ord(c):02x}" for c in m[0]), text.replace("\\", "\\\\"))
    return f"E'{escaped}'" if "\\" in escaped else f"'{escaped}'"


def _sqlite(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return _number(int(value) if isinstance(value, bool) else value)
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    text = _text(value).replace("'", "''")
    joined = _CONTROL.sub(lambda m: f"' || char({', '.join(str(ord(c)) for c in m[0])}) || '", text)
    return f"('{joined}')" if joined != text else f"'{text}'"


def _counted_postgresql(change: str, where: str, rows: int, order_no: str) -> str:
    """After an error PostgreSQL does nothing more of the transaction, and its COMMIT is a ROLLBACK."""
    tag = "$order$"
    while tag in change + where:
        tag = f"{tag[:-1]}_$"
    return (f"DO {tag} DECLARE met bigint; BEGIN\n{change}\nWHERE {where};\nGET DIAGNOSTICS met = ROW_COUNT;\n"
            f"IF met <> {rows} THEN RAISE EXCEPTION '{order_no}: % rows, expected {rows}; nothing was changed', met; "
            f"END IF; END {tag};")  # fmt: skip


_COUNTS = "temp.dsr_counts"
"""Made and dropped inside the transaction, always empty: once that was undone, every later change fails without it."""


def _counted_sqlite(change: str, where: str, rows: int, _order_no: str) -> str:
    """A count that differs breaks the CHECK and undoes the transaction. One that agrees inserts nothing, and leaves
    ``changes()`` at 0: a change that failed cannot pass for one that met its rows."""
    check = f"INSERT OR ROLLBACK INTO {_COUNTS} SELECT changes(), {rows} WHERE changes() <> {rows};"
    return f"{change}\nWHERE ({where})\n  AND NOT EXISTS (SELECT 1 FROM {_COUNTS});\n{check}"  # noqa: S608


WRITERS: dict[Dialect, Write] = {
    "postgresql": Write(_postgresql, _counted_postgresql, ("SET client_encoding = 'UTF8';", "BEGIN;"), ("COMMIT;",)),
    "sqlite": Write(
        _sqlite, _counted_sqlite,
        ("BEGIN IMMEDIATE;", "CREATE TEMP TABLE dsr_counts (met INTEGER, expected INTEGER, CHECK (met = expected));",
         "DELETE FROM temp.dsr_counts;"),
        (f"DROP TABLE {_COUNTS};", "COMMIT;"),
        " COLLATE BINARY",  # a column may be declared NOCASE or RTRIM, and her key be another's
    ),
}  # fmt: skip


# -- CSV -------------------------------------------------------------------------------------------------------------
def csv_of(plan: Plan) -> bytes:
    """Key columns, then ``old:<column>`` for what stands there and ``set:<column>`` for what to write; UTF-8 with BOM.
    NULL is an empty cell without quotes."""
    columns = {name: plan.keys.column(name) for name in plan.dataset.key}
    for word, table in (("old", plan.old), ("set", plan.values)):
        columns |= {f"{word}:{name}": table.column(name) for name in table.column_names} if table is not None else {}
    return _csv(pa.table(columns))


def identifiers_csv(
    kinds: Collection[str], identifiers: Iterable[Identifier], change: tuple[str, str, str] | None = None
) -> tuple[bytes, int]:
    """Only the kinds that are told, with the days in which they were the person's; and how many lines. ``change``: of a
    correction what kind of field, the value that is wrong and the one that is true."""
    told = sorted({
        (one.kind, one.value, *_days(one.interval))
        for one in identifiers if one.kind in kinds
    }, key=str)  # fmt: skip
    if not told:
        raise BadInput("identifiers", "none of a kind that may be told", f"it is told {', '.join(kinds)}")
    names, values, first, last = zip(*told, strict=True)
    table = pa.table({"kind": names, "value": values, "from": pa.array(first, pa.string()),
                      "to": pa.array(last, pa.string())})  # fmt: skip
    for name, value in zip(("field", "old", "new"), change or (), strict=False):
        table = table.append_column(name, pa.array([value] * len(told)))
    return _csv(table), len(told)


def _days(interval: Interval) -> tuple[str | None, str | None]:
    """Whole inclusive days; an open end is None."""
    last = interval.end - timedelta(microseconds=1) if interval.end else None
    first, until = (day_of(instant).isoformat() if instant else None for instant in (interval.start, last))
    return first, until


def _csv(table: pa.Table) -> bytes:
    out = io.BytesIO(b"\xef\xbb\xbf")
    out.seek(3)
    pa_csv.write_csv(table, out, pa_csv.WriteOptions(quoting_style="all_valid"))
    return out.getvalue()
