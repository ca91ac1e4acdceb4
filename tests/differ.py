"""Everything a sample company holds, read by nobody's code but this: what was there before and is not after, and back.

Shares nothing with engine, connectors or survey. A record is named as truth.json names it; its content is every byte of
every column (or the raw line), so that a neighbour's changed blank shows.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

TABLES = {
    "customers": ("customer_master.customers", ("customer_no",)),
    "contracts": ("service_contracts.contracts", ("contract_no",)),
    "parties": ("service_contracts.parties", ("contract_no", "party_no")),
    "protections": ("customer_master.protections", ("customer_no",)),
    "lines": ("service_contracts.lines", ("line_no", "started_on")),
    "users": ("service_contracts.users", ("user_no",)),
    "installations": ("premises_lines.installations", ("installation_no",)),
    "invoices": ("billing.invoices", ("invoice_no",)),
    "payments": ("billing.payments", ("payment_no",)),
    "inquiries": ("inquiry_records.inquiries", ("inquiry_no",)),
    "members": ("member_accounts.members", ("member_id",)),
    "ledger": ("billing.ledger", ("entry_no",)),
    "contacts": ("contact_persons.contacts", ("contact_no",)),
    "power_contracts": ("power_contracts.supplies", ("supply_no",)),
    "recordings": ("call_recordings.recordings", ("recording_no",)),
    "segments": ("segments.labels", ("segment_no",)),
    "sessions": ("connection_logs.sessions", ("session_no",)),
    "consents": ("marketing_consents.consents", ("consent_no",)),
    "listings": ("directory_listings.listings", ("listing_no",)),
    "links": ("cookie_links.links", ("cookie_id", "member_id")),
}
"""Table → dataset and the columns of its record no.; any other table stands under its own name, row by row."""

Records = dict[str, dict[str, Any]]


def held(sample: Path) -> Records:
    """Dataset → record no. → content."""
    found: Records = {}
    for dataset, number, content in (*_tables(sample), *_calls(sample), *_lines(sample), *_tickets(sample)):
        assert number not in found.setdefault(dataset, {}), (dataset, "two records of one number")
        found[dataset][number] = content
    return found


def _tables(sample: Path) -> Iterator[tuple[str, str, Any]]:
    for database in ("company.db", "listings.db", "records.db"):
        yield from _tables_of(sample / database)


def _tables_of(database: Path) -> Iterator[tuple[str, str, Any]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as base:
        names = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            cursor = base.execute(f'SELECT * FROM "{name}"')
            columns = [column[0] for column in cursor.description]
            dataset, key = TABLES.get(name, (f"table.{name}", tuple(columns)))
            for row in cursor:
                values = dict(zip(columns, row, strict=True))
                yield dataset, "|".join(str(values[column]) for column in key), row


def _calls(sample: Path) -> Iterator[tuple[str, str, Any]]:
    for name, dataset in (("calls", "call_history.calls"), ("usage", "usage_30min.half_hours")):
        for path in sorted((sample / "lake" / name).glob("*.parquet")):
            for row in pq.read_table(path).to_pylist():
                yield dataset, str(next(iter(row.values()))), tuple(row.values())


def _lines(sample: Path) -> Iterator[tuple[str, str, Any]]:
    for path in sorted((sample / "logs").iterdir()):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        name = Path(path.name.removesuffix(".gz")).stem
        for number, line in enumerate(raw.split(b"\n")[:-1], 1):
            yield "web_logs.access", f"{name}:{number}", line


def _tickets(sample: Path) -> Iterator[tuple[str, str, Any]]:
    for ticket in json.loads((sample / "faults" / "tickets.json").read_text()):
        yield "fault_records.tickets", ticket["ticket_no"], tuple(sorted(ticket.items()))


LINES = "web_logs.access"


def _numbered_as_before(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Where lines were taken out the ones below moved up: they are matched in order, file by file."""
    files: dict[str, list[tuple[str, Any]]] = {}
    for number, line in before.items():
        files.setdefault(number.rpartition(":")[0], []).append((number, line))
    found: dict[str, Any] = {}
    for name, lines in files.items():
        left = [line for number, line in after.items() if number.rpartition(":")[0] == name]
        if len(left) == len(lines):  # none was taken out
            found |= dict(zip((number for number, _ in lines), left, strict=True))
            continue
        for number, line in lines:
            if left and left[0] == line:
                found[number] = left.pop(0)
        found |= {f"{name}:new{at}": line for at, line in enumerate(left)}
    return found


@dataclass(frozen=True)
class Difference:
    """By dataset: records that are gone, that are new, and that say something else."""

    gone: dict[str, set[str]]
    new: dict[str, set[str]]
    changed: dict[str, set[str]]


def difference(before: Records, after: Records) -> Difference:
    after = {**after, LINES: _numbered_as_before(before.get(LINES, {}), after.get(LINES, {}))}
    datasets = sorted({*before, *after})
    gone = {d: set(before.get(d, {})) - set(after.get(d, {})) for d in datasets}
    new = {d: set(after.get(d, {})) - set(before.get(d, {})) for d in datasets}
    changed = {
        d: {n for n, content in before.get(d, {}).items() if n in after.get(d, {}) and after[d][n] != content}
        for d in datasets
    }
    return Difference(*({d: names for d, names in told.items() if names} for told in (gone, new, changed)))
