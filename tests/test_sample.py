"""The sample company: repeatable, quick, and its truth agrees with its stores, read by plain SQL and pandas."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sqlite3
import tomllib
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import NullPool, create_engine, text

from dsr.inventory import read_inventory
from dsr.request import Decision, Proof, SearchAnswer, read_request
from dsr.shapes import read_json, shaped
from sample_data.build import build
from sample_data.serve import EVERY, Server, serve
from tests.connector_fixtures import Postgres, running_postgres  # noqa: F401 - a fixture is used by its name

KEYS = {
    "customer_master.customers": ("customers", "customer_no"),
    "service_contracts.contracts": ("contracts", "contract_no"),
    "customer_master.protections": ("protections", "customer_no"),
    "service_contracts.parties": ("parties", "contract_no || '|' || party_no"),
    "service_contracts.lines": ("lines", "line_no || '|' || started_on"),
    "service_contracts.users": ("users", "user_no"),
    "premises_lines.installations": ("installations", "installation_no"),
    "billing.invoices": ("invoices", "invoice_no"),
    "billing.payments": ("payments", "payment_no"),
    "billing.ledger": ("ledger", "entry_no"),
    "inquiry_records.inquiries": ("inquiries", "inquiry_no"),
    "member_accounts.members": ("members", "member_id"),
    "cookie_links.links": ("links", "cookie_id || '|' || member_id"),
    "marketing_consents.consents": ("consents", "consent_no"),
    "contact_persons.contacts": ("contacts", "contact_no"),
    "power_contracts.supplies": ("power_contracts", "supply_no"),
    "call_recordings.recordings": ("recordings", "recording_no"),
    "segments.labels": ("segments", "segment_no"),
    "connection_logs.sessions": ("sessions", "session_no"),
}

KIYOSHI = "C0001272"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("company")
    build(out, people=60, calls=3_000, seed=4)
    return out


@pytest.fixture(scope="module")
def people(company: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((company / "truth.json").read_text())["people"]
    return found


def digest_of(out: Path) -> dict[str, str]:
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(company: Path, select: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(company / "company.db")) as database:
        return database.execute(select).fetchall()


def calls_of(company: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted((company / "lake/calls").glob("*.parquet"))])


def log_lines(company: Path) -> dict[str, str]:
    """Record no. → line, every line counted."""
    found = {}
    for path in sorted((company / "logs").glob("*.log.gz")):
        for number, line in enumerate(gzip.decompress(path.read_bytes()).decode().splitlines(), 1):
            found[f"{path.name.removesuffix('.log.gz')}:{number}"] = line
    return found


def strangers(company: Path) -> dict[str, list[tuple[str, str]]]:
    """Dataset → (record no., customer no.) of everybody without a story."""
    frames = {path.stem: pd.read_parquet(path) for path in sorted((company / "truth").glob("*.parquet"))}
    return {name: list(zip(frame["record_no"], frame["customer_no"], strict=True)) for name, frame in frames.items()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        build(tmp_path / name, people=20, calls=500, seed=seed)
    one, same, other = (digest_of(tmp_path / name) for name in "abc")
    assert one == same
    assert set(one) == set(other)
    assert one["company.db"] != other["company.db"]
    build(tmp_path / "c", people=20, calls=500, seed=7)  # an older sample is replaced whole
    assert digest_of(tmp_path / "c") == one


def test_the_default_company_has_calls_enough_to_look_through(tmp_path: Path) -> None:
    build(tmp_path)
    assert len(calls_of(tmp_path)) > 20_000


def test_every_record_of_every_store_is_one_persons_or_nobodys(company: Path, people: dict[str, Any]) -> None:
    """A record has one owner; the note that names Izumi and what couples contracted have two; who has none is named here."""
    stored = {
        name: {str(row[0]) for row in rows(company, f"SELECT {key} FROM {table}")}
        for name, (table, key) in KEYS.items()
    }
    half_hours = [pd.read_parquet(path) for path in sorted((company / "lake/usage").glob("*.parquet"))]
    stored["usage_30min.half_hours"] = set(pd.concat(half_hours)["usage_no"].astype(str))
    stored["call_history.calls"] = set(calls_of(company)["call_id"].astype(str))
    stored["fault_records.tickets"] = {
        t["ticket_no"] for t in json.loads((company / "faults/tickets.json").read_text())
    }
    stored["web_logs.access"] = set(log_lines(company))
    for dataset, numbers in stored.items():
        owned = [number for told in people.values() for number in told["owns"].get(dataset, [])]
        owned += [number for number, _ in strangers(company).get(dataset, [])]
        assert set(owned) <= numbers, dataset
        shared = [number for number, count in Counter(owned).items() if count > 1]
        twice = {"inquiry_records.inquiries": 1, "service_contracts.contracts": 2, "service_contracts.parties": 4}
        assert len(shared) == twice.get(dataset, 0), dataset
        nobodys = {  # the planted records, gaps, strangers on a browser, and what is stored of a dead man (SC-1)
            "customer_master.customers": 1 + 1,
            "service_contracts.contracts": 1,
            "service_contracts.lines": 1,
            "service_contracts.users": 2,
            "premises_lines.installations": 1 + 1,
            "billing.invoices": 1 + 6,
            "billing.payments": 6,
            "billing.ledger": 6,
            "inquiry_records.inquiries": 1,
            "member_accounts.members": 1,
            "cookie_links.links": 1,
            "marketing_consents.consents": 1,
            "call_history.calls": 4 + 12,
            **dict.fromkeys(("contact_persons.contacts", "power_contracts.supplies", "usage_30min.half_hours"), 1),
            **dict.fromkeys(("call_recordings.recordings", "segments.labels", "connection_logs.sessions"), 1),
            "fault_records.tickets": 2,
            "web_logs.access": 22,
        }
        assert len(numbers - set(owned)) == nobodys.get(dataset, 0), dataset


def test_hanako_has_427_rows_and_her_own_spellings(company: Path, people: dict[str, Any]) -> None:
    counts = {name: len(numbers) for name, numbers in people["hanako"]["owns"].items()}
    wanted = {"customer_master.customers": 1, "billing.invoices": 12, "billing.payments": 12}
    wanted |= {"call_history.calls": 300, "fault_records.tickets": 2, "web_logs.access": 100}
    assert {name: counts[name] for name in wanted} == wanted
    assert sum(wanted.values()) == 427
    assert counts["archives_backups.paper_boxes"] == 1
    assert rows(company, "SELECT name, kana FROM customers WHERE customer_no = 'C0001234'") == [
        ("高橋　花子", "ﾀｶﾊｼ ﾊﾅｺ")
    ]
    assert "0" in people["hanako"]["owns"]["billing.payments"]  # a key of zero is a key


def test_sql_records_are_owned_along_customer_contract_and_billing_numbers(
    company: Path, people: dict[str, Any]
) -> None:
    of = "JOIN contracts c USING ({}) WHERE c.customer_no = "
    joined = {
        "billing.invoices": "SELECT DISTINCT invoice_no FROM invoices i " + of.format("billing_no") + "'{}'",
        "service_contracts.lines": "SELECT line_no || '|' || l.started_on FROM lines l "
        + of.format("contract_no")
        + "'{}'",
        "member_accounts.members": "SELECT member_id FROM members WHERE customer_no = '{}'",
    }
    numbers = dict(rows(company, "SELECT m.customer_no, m.customer_no FROM customers m"))
    for told in people.values():
        [number] = told["owns"].get("customer_master.customers", [None])
        for dataset, select in joined.items():
            expected = {row[0] for row in rows(company, select.format(number))} if number else set()
            assert set(told["owns"].get(dataset, [])) == expected
    for dataset, select in joined.items():
        told_by_customer = (
            pd.DataFrame(strangers(company)[dataset], columns=["record", "customer"])
            .groupby("customer")["record"]
            .agg(set)
        )
        for number, records in told_by_customer.items():
            assert number in numbers
            assert records == {row[0] for row in rows(company, select.format(number))}


def test_calls_belong_to_who_had_the_line_on_that_day(company: Path, people: dict[str, Any]) -> None:
    calls = calls_of(company).set_index("call_id")
    assert calls.index.is_monotonic_increasing
    assert calls["started_at"].is_monotonic_increasing
    assert calls.index.is_unique
    tenures = rows(
        company,
        "SELECT c.customer_no, l.line_no, l.started_on, l.ended_on FROM lines l JOIN contracts c USING (contract_no)",
    )
    owner_of = {int(number): customer for number, customer in strangers(company)["call_history.calls"]}
    for told in people.values():
        for number in told["owns"].get("call_history.calls", []):
            owner_of[int(number)] = told["owns"]["customer_master.customers"][0]
    assert len(owner_of) > 3_000
    for customer, line, first, last in tenures:
        day = calls["started_at"].dt.strftime("%Y%m%d").astype(int)
        theirs = calls.index[(calls["line_no"] == line) & (day >= first) & (day <= (last or 99_999_999))]
        if customer == KIYOSHI:
            assert len(theirs) == 12 and not set(theirs) & set(owner_of), "what he left is nobody's, nor his heir's"
            continue
        assert set(theirs) == {number for number, owner in owner_of.items() if owner == customer}


def test_the_passed_on_number_has_a_call_at_each_edge_and_nobodys_in_the_gap(
    company: Path, people: dict[str, Any]
) -> None:
    calls = calls_of(company)
    line = calls[calls["line_no"] == "092-000-1013"].copy()
    keys = ("kaoru", "susumu")
    at = {
        str(moment): next((k for k in keys if str(number) in people[k]["owns"]["call_history.calls"]), None)
        for moment, number in zip(line["started_at"], line["call_id"], strict=True)
    }
    edges = ("2025-11-30 23:59:59", "2025-12-01 00:00:00", "2026-01-31 23:59:59", "2026-02-01 00:00:00")
    assert [at[moment] for moment in edges] == ["kaoru", None, None, "susumu"]
    assert (
        len(people["kaoru"]["owns"]["fault_records.tickets"])
        == len(people["susumu"]["owns"]["fault_records.tickets"])
        == 1
    )


def test_masks_follow_direction_and_level_and_the_subjects_own_name(company: Path, people: dict[str, Any]) -> None:
    calls = calls_of(company).set_index("call_id")
    seen = set()
    for told in people.values():
        for number in told["owns"].get("call_history.calls", []):
            call = calls.loc[int(number)]
            expected = {"counterpart_no": ["withheld_number", "APPI-33-2-3+TBA-4-1"]} if call["direction"] == 2 else (
                {"counterpart_no": ["last4", None]} if call["level"] == "last4_masked" else {})  # fmt: skip
            assert told["masked"].get("call_history.calls", {}).get(number, {}) == expected
            seen.add((call["direction"], call["level"], call["shown"]))
    assert {(2, "full", 0), (2, "full", 1), (1, "last4_masked", 1), (1, "full", 1)} <= seen
    payers = dict(rows(company, "SELECT invoice_no, payer_name FROM invoices"))
    assert [payers[number] for number in people["hanako"]["masked"]["billing.invoices"]] == ["高橋 文子"]


def test_a_number_is_masked_where_it_called_ryoko_and_shown_where_she_called_it(
    company: Path, people: dict[str, Any]
) -> None:
    calls = calls_of(company).set_index("call_id")
    told = people["ryoko"]
    own = calls.loc[[int(number) for number in told["owns"]["call_history.calls"]]]
    both = own[own["counterpart_no"].str.endswith("080-0000-7777")]
    assert set(both["direction"]) == {1, 2}
    assert set(own[own["shown"] == 0]["direction"]) == {1, 2}


def test_log_lines_belong_to_the_member_or_to_the_only_member_of_the_cookie(
    company: Path, people: dict[str, Any]
) -> None:
    declared = tomllib.loads((company / "inventory.toml").read_text())["system"]["web_logs"]["dataset"]["access"][
        "line"
    ]
    lines = {number: re.fullmatch(declared, line) for number, line in log_lines(company).items()}
    linked: dict[str, set[str]] = {}
    for cookie, member in rows(company, "SELECT cookie_id, member_id FROM links"):
        linked.setdefault(cookie, set()).add(member)
    assert {len(members) for members in linked.values()} == {1, 2}
    for told in people.values():
        member = (told["owns"].get("member_accounts.members") or [None])[0]
        cookies = {cookie for cookie, members in linked.items() if members == {member}}
        expected = {n for n, found in lines.items() if found and (
            found["member_id"] == member or (found["member_id"] == "-" and found["cookie_id"] in cookies))}  # fmt: skip
        assert set(told["owns"].get("web_logs.access", [])) == expected
    assert all(lines.values())


def test_ryo_browsed_before_he_logged_in_and_a_guest_used_his_browser(company: Path, people: dict[str, Any]) -> None:
    [(cookie, first_seen, linked_at)] = rows(
        company, "SELECT cookie_id, first_seen, linked_at FROM links WHERE member_id = 'M0001243'"
    )
    assert (first_seen[:10], linked_at[:10]) == ("2026-05-03", "2026-06-01")
    lines = log_lines(company)
    own = set(people["ryo"]["owns"]["web_logs.access"])
    assert sum(" - - [2026-05" in lines[number] for number in own) >= 25
    guests = [number for number, line in lines.items() if cookie in line and "M0001299" in line]
    assert guests
    assert not own & set(guests)


def test_the_stories_stand_beside_their_neighbours(company: Path, people: dict[str, Any]) -> None:
    """A wrong join would find somebody: the same name, reading, address, town, line of the company."""
    hiroshis = rows(company, "SELECT customer_no FROM customers WHERE kana = 'サトウ ヒロシ' AND address LIKE '%浜町%'")
    assert len(hiroshis) == 2
    assert rows(
        company,
        "SELECT COUNT(*) FROM customers WHERE address LIKE '%浜町3-4-5%' OR address LIKE '%浜町三丁目４番５号%'",
    ) == [(2,)]
    assert rows(company, "SELECT COUNT(*) FROM customers WHERE name LIKE '高橋%' OR name LIKE '髙橋%'")[0][0] >= 3
    assert people["kazuo"]["owns"] == {"service_contracts.users": ["U0000001"]}
    assert (calls_of(company)["line_no"] == "092-000-1006").sum() > 0
    assert people["akari"]["owns"] == {}


def test_notes_have_a_review_and_its_spans_strike_the_words_meant(company: Path, people: dict[str, Any]) -> None:
    notes = {
        n: {"note": note, "answer": answer}
        for n, note, answer in rows(company, "SELECT inquiry_no, note, answer FROM inquiries")
    }
    notes |= {t["ticket_no"]: t for t in json.loads((company / "faults/tickets.json").read_text())}
    struck = {}
    for key, told in people.items():
        for dataset in ("inquiry_records.inquiries", "fault_records.tickets"):
            assert set(told["spans"].get(dataset, {})) == set(told["owns"].get(dataset, []))
            for number, review in told["spans"].get(dataset, {}).items():
                struck.setdefault(key, []).extend(notes[number][field][a:b] for field, a, b, _ in review["strike"])
    assert struck["hanako"] == ["平野泉", "080-0000-3003", "野中 剛", "092-000-1099"]
    assert people["izumi"]["identity"] == {
        f"inquiry_records.inquiries/{n}": "same" for n in people["izumi"]["owns"]["inquiry_records.inquiries"]
    }
    [number] = people["izumi"]["owns"]["inquiry_records.inquiries"]
    assert number in people["hanako"]["owns"]["inquiry_records.inquiries"]
    assert not any("平野" in words for words in struck["izumi"])


def test_papers_have_the_engines_shapes_and_every_declared_dataset_a_status(
    company: Path, people: dict[str, Any]
) -> None:
    inventory = read_inventory(company / "inventory.toml")
    declared = {dataset.id for dataset in inventory.datasets() if dataset.provision is None}
    now = pd.Timestamp((company / "as_of").read_text().strip()).to_pydatetime()
    for key, told in people.items():
        read_request(read_json(company / told["request"], "request"), now)
        shaped(Proof, read_json(company / f"requests/{key}.proof.json", "proof"), "proof")
        assert (
            set(shaped(Decision, read_json(company / f"requests/{key}.decision.json", "decision"), "decision").datasets)
            == declared
        )
        for path in (company / "requests").glob(f"{key}.*.proof.json"):
            read_request(read_json(path.with_name(path.name.replace(".proof", "")), "request"), now)
            shaped(Proof, read_json(path, "proof"), "proof")
        answer = shaped(SearchAnswer, read_json(company / f"answers/{key}.archives_backups.json", "answer"), "answer")
        fields = set(inventory.dataset("archives_backups.paper_boxes").fields)
        assert all(set(row) == fields for row in answer.datasets["archives_backups.paper_boxes"])
        assert set(told["status"]) == declared
        assert told["status"]["interconnect.subscribers"] == "not_ours"
        assert told["reasons"] == {"deidentified_sets.usage_statistics": "out_of_scope"}


def test_what_the_desk_may_never_read_is_there_and_nobody_finds_it(company: Path, people: dict[str, Any]) -> None:
    """Ritsu's rows at another carrier and a consignor (SC-6); the police ledger stands in no inventory (SC-7)."""
    inventory = (company / "inventory.toml").read_text()
    for name, table in (("interconnect", "subscribers"), ("entrusted", "applicants")):
        with closing(sqlite3.connect(company / f"{name}.db")) as base:
            assert base.execute(f"SELECT name FROM {table}").fetchall() == [("藤井 律",)]
    assert people["ritsu"]["owns"] == {}
    assert "青木 隼" in (company / "sealed/authority_inquiries.csv").read_text()
    assert "sealed" not in inventory and "authority_inquiries" not in inventory
    assert set(people["shun"]["status"]) == set(people["kenta"]["status"])


def test_every_column_of_every_table_is_declared(company: Path) -> None:
    inventory = read_inventory(company / "inventory.toml")
    for dataset, (table, _) in KEYS.items():
        assert [row[1] for row in rows(company, f"PRAGMA table_info({table})")] == list(
            inventory.dataset(dataset).fields
        )
    half_hours = pd.read_parquet(company / "lake/usage/usage-2026-04.parquet")
    assert list(half_hours.columns) == list(inventory.dataset("usage_30min.half_hours").fields)
    assert list(calls_of(company).columns) == list(inventory.dataset("call_history.calls").fields)
    ticket = json.loads((company / "faults/tickets.json").read_text())[0]
    assert list(ticket) == list(inventory.dataset("fault_records.tickets").fields)


def test_postgresql_holds_the_same_rows_and_the_inventory_leads_there(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    build(tmp_path / "lite", people=5, calls=50)
    for _ in range(2):  # tables of an older sample are made anew
        build(tmp_path / "pg", people=5, calls=50, database_url=url)
    assert not (tmp_path / "pg/company.db").exists()
    systems = tomllib.loads((tmp_path / "pg/inventory.toml").read_text())["system"]
    assert {name for name, system in systems.items() if system.get("url") == url} == {n.partition(".")[0] for n in KEYS}
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        for table, _ in KEYS.values():
            found = connection.execute(text(f"SELECT * FROM {table}")).fetchall()
            assert sorted(map(repr, found)) == sorted(map(repr, rows(tmp_path / "lite", f"SELECT * FROM {table}")))
    assert digest_of(tmp_path / "pg/requests") == digest_of(tmp_path / "lite/requests")


# -- the ticket system ---------------------------------------------------------------------------------------------


@pytest.fixture
def server(company: Path) -> Iterator[Server]:
    with serve(company) as running:
        yield running


def get(server: Server, path: str, token: str | None = None, timeout: float = 5) -> tuple[int, Any]:
    """Status and document; a 429 is waited out once, as a client must."""
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {token or server.token}"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 429:
                assert error.headers["Retry-After"] == "1"
                return get(server, path, token, timeout)
            return error.code, None


def test_tickets_come_in_pages_and_only_with_the_token(company: Path, server: Server) -> None:
    assert (company / "faults.url").read_text().strip() == server.url
    assert get(server, "/health") == (200, {"status": "ok"})
    assert get(server, "/tickets", "wrong") == (401, None)
    server.tickets = [{**server.tickets[0], "ticket_no": f"F{n}"} for n in range(45)]
    found, page = [], 1
    while page:
        _, document = get(server, f"/tickets?page={page}")
        assert document["total"] == 45
        found += [ticket["ticket_no"] for ticket in document["items"]]
        page = document["next"]
    assert found == [f"F{n}" for n in range(45)]
    assert get(server, "/tickets/F7")[1]["note"]
    assert get(server, "/tickets/F99") == (404, None)


def test_tickets_of_a_line_are_cut_to_the_asked_instants(server: Server, people: dict[str, Any]) -> None:
    asked = "/tickets?line_no=092-000-1013&from=2026-02-01T00:00:00%2B0900&to=9999-12-30T09:00:00%2B0900"
    assert [t["ticket_no"] for t in get(server, asked)[1]["items"]] == people["susumu"]["owns"]["fault_records.tickets"]
    before = "/tickets?line_no=092-000-1013&from=0001-01-02T09:00:00+0900&to=2025-12-01T00:00:00+0900"
    assert [t["ticket_no"] for t in get(server, before)[1]["items"]] == people["kaoru"]["owns"]["fault_records.tickets"]
    assert get(server, "/tickets?from=yesterday")[0] == 400


def test_every_seventh_request_is_told_to_wait_and_never_two_in_a_row(server: Server) -> None:
    statuses = [server.answer("/tickets", f"Bearer {server.token}")[0] for _ in range(4 * EVERY)]
    assert [at for at, status in enumerate(statuses, 1) if status == 429] == [EVERY, 2 * EVERY, 3 * EVERY, 4 * EVERY]


def test_the_server_can_be_down_cut_off_or_slow(server: Server) -> None:
    server.fail = "down"
    assert get(server, "/tickets")[0] == 503
    server.fail = "truncate"
    with pytest.raises(Exception, match=r"IncompleteRead|Expecting|Unterminated|end"):
        get(server, "/tickets")
    server.fail, server.delay = "slow", 30.0
    with pytest.raises(TimeoutError):
        get(server, "/tickets", timeout=0.2)
    server.fail = None
    assert get(server, "/tickets")[0] == 200
