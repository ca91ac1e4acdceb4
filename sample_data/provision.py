"""What is given to third parties: the directory's listings and the register of records, each a small database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sample_data import canary, fates
from sample_data.people import NEIGHBOURS, STORY
from sample_data.truth import Truth

RECORDS = "provision_records.records"
DUE = ("given_consent", "given_optout", "received_consent", "received_optout", "related", "no_business")
"""Kinds of record that the law asks for; what went to the police, to a trustee or into joint use is none of them."""
HELD: Mapping[str, Sequence[str]] = {
    "hanako": (*DUE, "law", "entrusted", "joint"),
    "kenta": ("order_11_4",),
    "susumu": ("given_consent", "order_11_4"),
    "ryoko": ("law",),
    NEIGHBOURS[1].key: ("given_consent",),
}
"""Who stands in the register, by the kinds of their rows; one of Order 11 is nobody's to know."""
PARTIES = ("なみ保険株式会社", "福岡県みなと市本町9-1-1", "代表取締役 並木 守")
POLICE = ("みなと警察署", "福岡県みなと市本町1-9-9", "署長")
TABLE = """CREATE TABLE records (record_no VARCHAR PRIMARY KEY, customer_no VARCHAR, kind VARCHAR, consent VARCHAR,
 provided_on VARCHAR, party VARCHAR, party_address VARCHAR, party_head VARCHAR, how VARCHAR, person VARCHAR,
 data_items VARCHAR, published VARCHAR, foreign_told VARCHAR)"""
INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def write_register(out: Path, truth: Truth) -> None:
    """Every column of every row is filled: what a kind of record need not say is for the engine to leave out."""
    people = {person.key: person for person in (*STORY, *NEIGHBOURS)}
    rows: list[tuple[str, ...]] = []
    for key, kinds in HELD.items():
        for kind in kinds:
            person, record_no = people[key], f"R{len(rows) + 1:07d}"
            party = POLICE if kind in ("law", "order_11_4") else PARTIES
            rows.append((record_no, person.customer_no, kind, "同意あり", f"2026-0{len(rows) % 9 + 1}-15", *party,
                         "会員登録", person.name, "お名前、ご住所、電話番号", "公表あり", "情報提供あり"))  # fmt: skip
            if kind in DUE:
                truth.provided.setdefault(key, {})[record_no] = kind
    write_database(out / "records.db", TABLE, INSERT, rows)


LISTINGS = "directory_listings.listings"
LISTED = ("nana", "ryoko", "yutaka", "makoto", NEIGHBOURS[1].key)
OMITTED = frozenset({"makoto"})
"""Has said long ago that he will not be listed."""
LISTING_TABLE = """CREATE TABLE listings (listing_no VARCHAR PRIMARY KEY, customer_no VARCHAR, line_no VARCHAR,
 printed_name VARCHAR, address_form VARCHAR, listed INTEGER)"""


def write_listings(out: Path, truth: Truth) -> None:
    people = {person.key: person for person in (*STORY, *NEIGHBOURS)}
    rows: list[tuple[str | int | None, ...]] = []
    for key in LISTED:
        person, listing_no = people[key], f"D{len(rows) + 1:07d}"
        rows.append((listing_no, person.customer_no, person.phone, person.name, "町名まで", int(key not in OMITTED)))
        truth.own(key, LISTINGS, listing_no, fate=fates.with_the_contract(person))
    rows.append(("D9000001", None, canary.LINE, "見本検査 掲載", "検査", 0))
    insert = "INSERT INTO listings VALUES (?, ?, ?, ?, ?, ?)"
    write_database(out / "listings.db", LISTING_TABLE, insert, rows)


def write_database(file: Path, table: str, insert: str, rows: Sequence[Sequence[str | int | None]]) -> None:
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as base, base:
        base.execute(table)
        base.executemany(insert, rows)
