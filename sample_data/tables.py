"""The company's database: portable tables, written once into SQLite or PostgreSQL with the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, String, Table, create_engine

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

metadata = MetaData()


def _table(name: str, keys: str, rest: str, numbers: str = "") -> None:
    """Text columns, ``numbers`` excepted; a date is text here and there a number, as grown systems have it."""
    columns = [
        Column(
            column,
            BigInteger if column in numbers.split() else String,
            primary_key=column in keys.split(),
            autoincrement=False,
        )
        for column in f"{keys} {rest}".split()
    ]
    Table(name, metadata, *columns)


_table("customers", "customer_no", "kind name kana born_on died_on address phone mail registered_on")
_table("contracts", "contract_no", "customer_no billing_no service applied_on started_on ended_on")
_table("parties", "contract_no party_no", "customer_no name kana address phone mail usage_minutes", "usage_minutes")
_table("protections", "customer_no", "kind since until")
_table("lines", "line_no started_on", "ended_on contract_no service", "started_on ended_on")
_table("users", "user_no", "contract_no name kana born_on relation")
_table("installations", "installation_no", "contract_no address port terminal installed_on removed_on")
_table("invoices", "invoice_no", "billing_no contract_no issued_on due_on amount_yen payer_name", "amount_yen")
_table(
    "payments",
    "payment_no",
    "billing_no invoice_no paid_at amount_yen method account_no card_no",
    "payment_no paid_at amount_yen",
)
_table("ledger", "entry_no", "billing_no contract_no entered_on amount_yen", "amount_yen")
_table("inquiries", "inquiry_no", "customer_no received_at channel topic caller_name caller_phone note answer")
_table("members", "member_id", "customer_no mail nickname registered_at last_login_at")
_table("links", "cookie_id member_id", "first_seen linked_at")
_table(
    "consents",
    "consent_no",
    "customer_no list contact opted_in source recorded_at last_sent_on stopped",
    "opted_in stopped",
)
_table("contacts", "contact_no", "contract_no name kana address phone mail relation")
_table("power_contracts", "supply_no", "customer_no supply_point_no meter_no plan started_on ended_on")
_table("recordings", "recording_no", "customer_no recorded_at seconds operator file", "seconds")
_table("segments", "segment_no", "member_id label score formula reckoned_on")
_table("sessions", "session_no", "line_no ip started_at ended_at result")
_table("rate_plans", "plan_code", "plan_name monthly_yen", "monthly_yen")

INDEXES = (
    ("customers", "kana"),
    ("customers", "phone"),
    ("contracts", "customer_no"),
    ("parties", "customer_no"),
    ("lines", "contract_no"),
    ("users", "kana"),
    ("installations", "contract_no"),
    ("invoices", "billing_no"),
    ("payments", "billing_no"),
    ("ledger", "billing_no"),
    ("inquiries", "customer_no"),
    ("inquiries", "caller_phone"),
    ("members", "customer_no"),
    ("members", "mail"),
    ("links", "member_id"),
    ("consents", "customer_no"),
)
"""Written out and not attached to the tables: a Table keeps its indexes in a set, and their order must not vary."""


def write_tables(folder: Path, rows: Rows, database_url: str | None) -> None:
    """Create every table anew and fill it in the given order; ``None`` is ``company.db`` in ``folder``."""
    file = folder / "company.db"
    if database_url is None:
        file.unlink(missing_ok=True)
    engine = create_engine(database_url or f"sqlite:///{file}")
    try:
        with engine.begin() as connection:
            metadata.drop_all(connection)
            tables = [table for table in metadata.sorted_tables if table.name in rows]
            metadata.create_all(connection, tables)
            for table in tables:
                if rows[table.name]:
                    connection.execute(table.insert(), list(rows[table.name]))
            for name, column in INDEXES:
                connection.exec_driver_sql(f"CREATE INDEX {name}_by_{column} ON {name} ({column})")
        if database_url is None:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM")  # same bytes for same rows
    finally:
        engine.dispose()
