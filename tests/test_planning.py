"""What an erasure would do to each record: the builder's own reckoning, the vectors of estate.md §5, and every step alone.

The stores of the sample are read directly: no engine, no connector.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsr.errors import BadInput, CheckFailed
from dsr.identity import Identifier
from dsr.inventory import Inventory, read_inventory
from dsr.names.person import Person, mentions
from dsr.request import read_request
from dsr.rules.living import LAST_YEAR, context, days_of
from dsr.rules.planning import PART, Part, Planned, commitment, needed_columns, order_of, plan
from dsr.rules.redaction import record_nos
from dsr.rules.striking import STRUCK, Words, without
from sample_data.build import build
from tests.markers import _rows

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
INQUIRIES, CALLS, CONSENTS = "inquiry_records.inquiries", "call_history.calls", "marketing_consents.consents"
CUSTOMERS, CONTRACTS, LINES = "customer_master.customers", "service_contracts.contracts", "service_contracts.lines"
INVOICES, PAYMENTS, LEDGER = "billing.invoices", "billing.payments", "billing.ledger"
NOBODY = Person.compiled(names=("見知らぬ 人",))


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("company")
    build(out, people=40, calls=2_000, seed=6)
    return out


@pytest.fixture(scope="module")
def inventory(company: Path) -> Inventory:
    return read_inventory(company / "inventory.toml")


@pytest.fixture(scope="module")
def truth(company: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((company / "truth.json").read_text())["people"]
    return found


@pytest.fixture(scope="module")
def stores(company: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Dataset → record no. → the row as the store holds it; the paper box as its keeper answers."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for dataset, row in _rows(company):
        key = row.pop("_key")
        found.setdefault(dataset, {})["|".join(str(row[name]) for name in key)] = row
    for path in (company / "answers").glob("*.json"):
        for dataset, rows in json.loads(path.read_text())["datasets"].items():
            found.setdefault(dataset, {}).update({f"{row['box_no']}|{row['item_no']}": row for row in rows})
    return found


Fates = dict[str, dict[str, dict[str, Any]]]


def fates_of(inventory: Inventory, plans: Mapping[str, Planned]) -> Fates:
    """A plan in the words of truth.json."""
    told: Fates = {word: {} for word in WORDS}

    def tell(word: str, dataset: str, number: str, what: Any) -> None:
        told[word].setdefault(dataset, {})[number] = what

    for name, planned in plans.items():
        dataset = inventory.dataset(name)
        places = planned.keys.column(PART).to_pylist()
        for number, place in zip(record_nos(planned.keys, dataset.key).to_pylist(), places, strict=True):
            part = planned.parts[place]
            switched = part.measure == "use_stop" or (part.measure == "keep" and bool(dataset.use_stop))
            if part.rule:
                tell("kept_on_erasure", name, number, part.rule)
                tell("kept_until", name, number, part.until and part.until.isoformat())
            if part.measure == "refuse":
                tell("refused", name, number, part.ground)
            if part.measure == "deidentify":
                tell("deidentified", name, number, list(part.fields))
            if switched:
                tell("use_stopped", name, number, True)
            if part.measure == "erase":
                tell("erased", name, number, True)
    return told


WORDS = ("kept_on_erasure", "kept_until", "refused", "deidentified", "use_stopped", "erased")


@pytest.fixture(scope="module")
def planned_for(
    company: Path,
    inventory: Inventory,
    truth: dict[str, Any],
    stores: dict[str, dict[str, dict[str, Any]]],
) -> Callable[..., dict[str, Planned]]:
    """The plan of a story person's ready erasure request, over the rows that the builder says are theirs."""

    def of(key: str, **changes: Any) -> dict[str, Planned]:
        request = read_request(json.loads((company / f"requests/{key}.erasure.json").read_text()), NOW)
        told, systems = truth[key], request.scope.systems
        rows = {
            name: pa.Table.from_pylist([stores[name][number] for number in numbers])
            for name, numbers in told["owns"].items()
        }
        statuses = {
            name: {"status": word if systems is None or name.split(".")[0] in systems else "not_asked"}
            for name, word in told["status"].items()
        }
        found = {INQUIRIES: frozenset(told["owns"][INQUIRIES])} if key == "izumi" else {}
        case: dict[str, Any] = {
            "inventory": inventory,
            "right": request.right,
            "ground": request.ground,
            "rows": rows,
            "statuses": statuses,
            "today": TODAY,
            "holds": frozenset(),
            "matched_by_mention": found,
            "person": Person.of(request),
        }
        return plan(**{**case, **changes})

    return of


CAST = ("hanako", "kenta", "hiroshi_65", "hiroshi_90", "kaoru", "susumu", "izumi", "akari", "kazuo", "ryoko", "nana",
        "yutaka", "ryo", "rei", "saki", "makoto", "fumi", "nozomi", "isamu", "shigeru", "mai", "anzu", "jin", "john",
        "shizu")  # fmt: skip


def test_the_cast_is_all_there(truth: dict[str, Any]) -> None:
    assert set(CAST) == set(truth)


@pytest.mark.parametrize("key", CAST)
def test_each_record_of_each_person_meets_the_fate_that_the_builder_reckoned(
    key: str, inventory: Inventory, truth: dict[str, Any], planned_for: Callable[..., dict[str, Planned]]
) -> None:
    plans = planned_for(key)
    found = fates_of(inventory, plans)
    told = {word: truth[key][word] for word in WORDS}
    for word in ("use_stopped", "erased"):
        told[word] = {name: dict.fromkeys(numbers, True) for name, numbers in told[word].items()}
    assert found == told
    for name, planned in plans.items():  # and each record has exactly one part
        assert planned.keys.num_rows == len(truth[key]["owns"][name]) == sum(part.records for part in planned.parts)


def test_the_truth_leaves_no_record_without_a_fate(truth: dict[str, Any]) -> None:
    for key, told in truth.items():
        fated = {(name, number) for word in WORDS for name, numbers in told[word].items() for number in numbers}
        owned = {(name, number) for name, numbers in told["owns"].items() for number in numbers}
        if key == "mai":
            owned = {pair for pair in owned if pair[0].startswith(("member", "cookie", "web"))}
        assert fated == owned, key


# -- one life, written by hand -------------------------------------------------------------------------------------


def life(began: str, ended: str | None, *bills: str, unpaid: int = 0) -> dict[str, pa.Table]:
    """A customer with one line, bills of these days, two calls and an offer list; the last bills may be unpaid."""
    paid = bills[: len(bills) - unpaid]
    tables: dict[str, list[dict[str, Any]]] = {
        CUSTOMERS: [{"customer_no": "C1"}],
        CONTRACTS: [{"contract_no": "K1", "customer_no": "C1", "billing_no": "B1", "applied_on": began, "ended_on": ended}],
        LINES: [{"line_no": "1", "started_on": 1, "contract_no": "K1"}],
        INVOICES: [
            {"invoice_no": f"I{at}", "contract_no": "K1", "issued_on": day, "due_on": day} for at, day in enumerate(bills)
        ],
        PAYMENTS: [{"payment_no": at, "invoice_no": f"I{at}", "paid_at": epoch(day)} for at, day in enumerate(paid)],
        LEDGER: [{"entry_no": f"L{at}", "contract_no": "K1", "entered_on": day} for at, day in enumerate(bills)],
        CALLS: [
            {"call_id": at, "line_no": "1", "started_at": datetime(2026, month, 1)} for at, month in enumerate((3, 5))
        ],
        CONSENTS: [
            {"consent_no": "A1", "customer_no": "C1", "list": "post", "opted_in": 1, "last_sent_on": None, "stopped": 0}
        ],
        "web_logs.access": [{"record_no": "access-2026-05-01:1"}],
        "member_accounts.members": [{"member_id": "M1"}],
    }
    return {name: pa.Table.from_pylist(rows) for name, rows in tables.items() if rows}


def epoch(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T09:00:00+09:00").timestamp())


def decided(inventory: Inventory, rows: Mapping[str, pa.Table], today: str = "2026-06-10", **changes: Any) -> dict[str, Planned]:
    statuses = {dataset.id: {"status": "found" if dataset.id in rows else "none_found"} for dataset in inventory.datasets()}
    case: dict[str, Any] = {"right": "erasure", "ground": "G-3", "statuses": statuses, "holds": frozenset(),
                            "matched_by_mention": {}, "person": NOBODY}  # fmt: skip
    return plan(inventory=inventory, rows=rows, today=date.fromisoformat(today), **{**case, **changes})


def told(plans: Mapping[str, Planned]) -> dict[str, list[tuple[str, str | None, str | None]]]:
    """Dataset → measure, rule and last kept day of each part."""
    return {
        name: [(p.measure, p.rule, p.until.isoformat() if p.until else None) for p in planned.parts]
        for name, planned in plans.items()
    }


ERASE = [("erase", None, None)]


def test_a_live_line_without_debt_is_kept_and_its_offers_and_web_history_are_not(inventory: Inventory) -> None:
    """estate.md §5, first vector (EC-19)."""
    plans = decided(inventory, life("2019-04-01", None, "2026-04-05", "2026-05-05"))
    found = told(plans)
    assert found[CONSENTS] == [("use_stop", None, None)]
    assert found["web_logs.access"] == found["member_accounts.members"] == ERASE
    assert found[CUSTOMERS] == found[CONTRACTS] == found[LINES] == found[INVOICES] == [("refuse", None, None)]
    assert {part.ground for part in plans[CONTRACTS].parts} == {"APPI-35-5-NEEDED"}
    assert set(plans[CONTRACTS].parts[0].purposes) >= {"P03", "P04"}
    assert "P07" not in plans[CUSTOMERS].parts[0].purposes
    assert {plans[name].outcome for name in (CUSTOMERS, CONTRACTS, INVOICES)} == {"stop_declined"}
    assert (plans[CONSENTS].outcome, plans["web_logs.access"].outcome) == ("use_stopped", "erased")
    assert sorted(part.measure for part in plans[CALLS].parts) == ["erase", "refuse"]  # of March and of May


def test_ended_in_2022_vouchers_stay_by_their_years_and_the_ledger_by_its_own(inventory: Inventory) -> None:
    found = told(decided(inventory, life("2019-05-01", "2022-05-31", "2021-03-05", "2022-05-05")))
    years = [("keep", "TAX59-7Y", "2028-05-31"), ("keep", "TAX59-7Y", "2030-05-31")]
    assert found[INVOICES] == found[PAYMENTS] == years
    assert found[LEDGER] == [("keep", "CO432-10Y", "2031-03-31"), ("keep", "CO432-10Y", "2033-03-31")]
    assert found[CONTRACTS] == [("keep", "TAX59-7Y", "2027-05-31")]
    assert [found[name] for name in (CUSTOMERS, LINES, CALLS, CONSENTS, "web_logs.access")] == [ERASE] * 5


@pytest.mark.parametrize(("books", "ledger"), [("keep", [("keep", "CO432-10Y", "2027-03-31")]), ("drop", ERASE)])
def test_ended_in_january_2017_only_the_ledger_stays_while_it_counts_as_books(
    inventory: Inventory, books: str, ledger: list[Any]
) -> None:
    rows = life("2012-04-01", "2017-01-31", "2016-12-05", "2017-01-05")
    found = told(decided(with_company(inventory, subsidiary_books=books), rows))
    assert found.pop(LEDGER) == ledger
    assert all(parts == ERASE for parts in found.values())


def test_ended_in_january_2016_everything_goes(inventory: Inventory) -> None:
    rows = life("2012-04-01", "2016-01-31", "2015-12-05", "2016-01-05")
    assert all(parts == ERASE for parts in told(decided(inventory, rows, "2026-06-10")).values())
    assert told(decided(inventory, rows, "2026-03-31"))[LEDGER] == [("keep", "CO432-10Y", "2026-03-31")]
    assert told(decided(inventory, rows, "2026-04-01"))[LEDGER] == ERASE


def test_an_unpaid_bill_keeps_the_billing_set_and_nothing_else(inventory: Inventory) -> None:
    """estate.md §5, fifth vector: W-O, with an end; a paid bill of the same contract belongs to the dispute."""
    plans = decided(inventory, life("2012-04-01", "2023-03-31", "2023-02-05", "2023-03-05", unpaid=1))
    found = told(plans)
    assert found[INVOICES] == found[PAYMENTS] == [("keep", "CIV166", "2033-03-05")]
    assert found[LEDGER] == [("keep", "CO432-10Y", "2033-03-31")]
    for name in (INVOICES, PAYMENTS, LEDGER):
        assert {part.ground for part in plans[name].parts} == {"APPI-35-5-NOHARM+W-O"}
        assert plans[name].outcome == "stop_declined"  # EC-18
    assert all(parts == ERASE for name, parts in found.items() if not name.startswith("billing."))


def test_a_claim_that_is_barred_keeps_nothing(inventory: Inventory) -> None:
    rows = life("2005-04-01", "2010-03-31", "2010-03-05", unpaid=1)
    assert told(decided(inventory, rows, "2020-03-05"))[INVOICES] == [("keep", "CIV166", "2020-03-05")]
    assert told(decided(inventory, rows, "2020-03-06"))[INVOICES] == ERASE


def test_whoever_leaves_the_site_keeps_the_power_contract_and_the_reverse(
    inventory: Inventory, planned_for: Callable[..., dict[str, Planned]]
) -> None:
    """EC-34 both ways: the membership goes while supply lives; supply ends first and the membership is asked later."""
    assert {name: planned.outcome for name, planned in planned_for("mai").items()} == dict.fromkeys(
        ("member_accounts.members", "cookie_links.links", "web_logs.access"), "erased"
    )
    ended = told(decided(inventory, life("2019-05-01", "2026-05-31", "2026-05-05")))
    assert ended["member_accounts.members"] == ended["web_logs.access"] == ended[CUSTOMERS] == ERASE
    assert ended[INVOICES] == [("keep", "TAX59-7Y", "2034-05-31")]


def with_company(inventory: Inventory, **changes: Any) -> Inventory:
    return inventory.model_copy(update={"company": inventory.company.model_copy(update=changes)})


def test_shigeru_in_a_loss_year_keeps_his_vouchers_two_years_longer(
    inventory: Inventory, planned_for: Callable[..., dict[str, Planned]]
) -> None:
    """EC-20, the second run; the first is among the fates."""
    found = told(planned_for("shigeru", inventory=with_company(inventory, loss_years=(date(2017, 4, 1),))))
    assert found[INVOICES] == found[PAYMENTS] == [("keep", "TAX26-3-9Y", "2027-05-31")]
    assert found[LEDGER] == [("keep", "CO432-10Y", "2028-03-31")]
    assert found[CUSTOMERS] == found[CONTRACTS] == ERASE


def test_nozomis_invoice_is_free_on_the_first_of_june_2034(planned_for: Callable[..., dict[str, Planned]]) -> None:
    """EC-21: on the last kept day it stays, on the next it goes; her ledger line has its own day."""
    last, after = (told(planned_for("nozomi", today=day)) for day in (date(2034, 5, 31), date(2034, 6, 1)))
    assert last[INVOICES] == [("keep", "TAX59-7Y", "2034-05-31")]
    assert after[INVOICES] == ERASE
    assert last[LEDGER] == after[LEDGER] == [("keep", "CO432-10Y", "2037-03-31")]


# -- the steps, one by one -----------------------------------------------------------------------------------------


def test_a_hold_keeps_the_named_records_and_no_other(planned_for: Callable[..., dict[str, Planned]], truth: dict[str, Any]) -> None:
    """EC-18, EN-15: the disputed calls are held; the account's other calls go."""
    held, *others = truth["isamu"]["owns"][CALLS]
    plans = planned_for("isamu", holds=frozenset({f"{CALLS}/{held}", "web_logs.access/x"}))
    assert [(part.measure, part.rule, part.records) for part in plans[CALLS].parts] == [
        ("keep", "HOLD", 1), ("erase", None, len(others)),
    ]  # fmt: skip
    numbers = dict(zip(*(plans[CALLS].keys.column(name).to_pylist() for name in ("call_id", PART)), strict=True))
    assert [number for number, part in numbers.items() if part == 0] == [int(held)]
    assert plans[CALLS].outcome == "kept_until"


def test_a_record_kept_in_part_names_what_goes_and_what_stays(
    inventory: Inventory, planned_for: Callable[..., dict[str, Planned]], stores: dict[str, dict[str, dict[str, Any]]], truth: dict[str, Any]
) -> None:
    """RT-1: the order of an installation stays like a voucher; the home in it goes now."""
    planned = planned_for("nozomi")["premises_lines.installations"]
    [number] = truth["nozomi"]["owns"]["premises_lines.installations"]
    before = stores["premises_lines.installations"][number]
    assert planned.parts == (
        Part("deidentify", 1, "TAX59-7Y", date(2031, 5, 31), None, (), ("address", "port", "terminal")),
    )
    assert before["address"] and planned.values is not None
    assert planned.values.to_pylist() == [{"address": None, "port": None, "terminal": None}]
    assert planned.outcome == "kept_until"


def test_what_somebody_else_needs_of_a_note_stays_and_izumis_words_go(
    planned_for: Callable[..., dict[str, Planned]], stores: dict[str, dict[str, dict[str, Any]]], truth: dict[str, Any], company: Path
) -> None:
    """EN-10. Hanako's words beside them are the same to the letter."""
    [number] = truth["izumi"]["owns"][INQUIRIES]
    before = stores[INQUIRIES][number]
    izumi = Person.of(read_request(json.loads((company / "requests/izumi.json").read_text()), NOW))
    planned = planned_for("izumi")[INQUIRIES]
    assert planned.parts == (Part("deidentify", 1, fields=("note",), shared=True),)
    assert planned.values is not None
    [after] = planned.values.to_pylist()
    assert set(after) == {"note"}
    assert mentions(izumi, before["note"])
    assert not mentions(izumi, after["note"])
    assert after["note"] == before["note"].replace("平野泉", STRUCK).replace("080-0000-3003", STRUCK)
    assert "髙橋様" in after["note"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("平野　泉様と平野様より。平野町の件。", f"{STRUCK}様と{STRUCK}様より。平野町の件。"),
        ("ﾋﾗﾉ ｲｽﾞﾐ からTEL", f"{STRUCK} からTEL"),
        ("ひらの いずみ（080 0000 3003）", f"{STRUCK}（{STRUCK}）"),
        ("IZUMI@mail.example へ返信、izumi2@mail.example は別人", f"{STRUCK} へ返信、izumi2@mail.example は別人"),
        ("平野様のみ。", "平野様のみ。"),
        ("平野和泉様、090-0000-3003", "平野和泉様、090-0000-3003"),
    ],
    ids=["spaced, then the family name", "half width", "hiragana and phone", "mail", "a family name alone", "another"],
)  # fmt: skip
def test_words_are_struck_in_any_spelling_and_a_neighbours_are_not(text: str, left: str) -> None:
    izumi = Person.compiled(
        names=("平野 泉",), kana=("ヒラノ イズミ",),
        identifiers=(Identifier("phone", "080-0000-3003"), Identifier("mail", "izumi@mail.example")),
    )  # fmt: skip
    assert without(Words.of(izumi), text) == left


@pytest.mark.parametrize(("name", "kana", "text", "left"), [
    ("泉", "", "泉様、温泉の件。090-0000-9999", "泉様、温泉の件。090-0000-9999"),
    ("泉", "", "泉様、温泉の件。080-0000-3003", f"{STRUCK}様、温泉の件。{STRUCK}"),
    ("野 明", "ノ アキ", "シノアキラ様", "シノアキラ様"),
    ("野 明", "ノ アキ", "野明様、ノ アキ", f"{STRUCK}様、{STRUCK}"),
], ids=["one letter alone", "one letter and her number", "three letters within a name", "the whole name"])  # fmt: skip
def test_a_name_too_short_to_be_told_from_other_words_is_struck_only_beside_what_is_hers(
    name: str, kana: str, text: str, left: str
) -> None:
    who = Person.compiled(names=(name,), kana=(kana,) if kana else (), identifiers=(Identifier("phone", "080-0000-3003"),))
    assert without(Words.of(who), text) == left


SHARED = """
[purpose_kinds]
P08 = "improve"
[system.homes]
label = "世帯"
store = "sql"
[system.homes.dataset.households]
label = "世帯"
key = ["home_no"]
by = "customer_no"
locate = "SELECT home_no FROM households WHERE customer_no = :customer_no"
fetch = "SELECT * FROM households WHERE home_no IN :keys"
owners = "shared"
purposes = ["P08"]
[system.homes.dataset.households.fields]
home_no = {label = "世帯番号", kind = "record_no"}
name_1 = {label = "氏名1", kind = "user.name"}
name_2 = {label = "氏名2", kind = "user.name"}
phone = {label = "電話", kind = "user.phone"}
note = {label = "メモ", kind = "text"}
"""


def written(tmp_path: Path, document: str) -> Inventory:
    (tmp_path / "inventory.toml").write_text(document)
    return read_inventory(tmp_path / "inventory.toml")


def test_a_row_of_two_owners_stays_and_only_the_askers_fields_are_emptied(tmp_path: Path) -> None:
    """EN-04."""
    inventory = written(tmp_path, SHARED)
    row = {"home_no": 1, "name_1": "髙橋　花子", "name_2": "高橋 健太", "phone": "092-000-1002", "note": "高橋花子様、健太様同居"}
    hanako = Person.compiled(names=("髙橋 花子",), identifiers=(Identifier("phone", "092-000-1001"),))
    planned = decided(inventory, {"homes.households": pa.Table.from_pylist([row])}, person=hanako)["homes.households"]
    assert [(p.measure, set(p.fields), p.shared) for p in planned.parts] == [("deidentify", {"name_1", "note"}, True)]
    assert planned.values is not None
    assert planned.values.to_pylist() == [{"name_1": None, "note": f"{STRUCK}様、健太様同居"}]
    keyed = written(tmp_path, SHARED.replace('home_no = {label = "世帯番号", kind = "record_no"}', 'home_no = {label = "電話", kind = "user.phone"}'))
    own = {**row, "home_no": "092-000-1001", "name_1": "", "note": ""}
    alone = decided(keyed, {"homes.households": pa.Table.from_pylist([own])}, person=hanako)["homes.households"]
    assert (alone.parts, alone.values) == ((Part("keep", 1, shared=True),), None)  # a key is never emptied
    marked = written(tmp_path, SHARED.replace('owners = "shared"', 'owners = "shared"\ndeidentify = {note = "-"}'))
    stranger = decided(marked, {"homes.households": pa.Table.from_pylist([row])})["homes.households"]
    assert (stranger.parts[0].measure, stranger.values, stranger.outcome) == ("keep", None, "alternative_measure")


def test_her_own_record_beside_a_note_that_names_her_goes_whole(inventory: Inventory) -> None:
    """Of the record that is not hers only the words go, and only they are told."""
    izumi = Person.compiled(names=("平野 泉",))
    row = dict.fromkeys(inventory.dataset(INQUIRIES).fields) | {"answer": "済"}
    rows = [
        {**row, "inquiry_no": "Q1", "caller_name": "平野 泉", "note": "平野泉様より"},
        {**row, "inquiry_no": "Q2", "caller_name": "髙橋 花子", "note": "平野泉様が同席"},
        {**row, "inquiry_no": "Q3", "caller_name": "髙橋 花子", "note": "平野様が同席"},
    ]
    named = {INQUIRIES: frozenset({"Q2", "Q3"})}
    planned = decided(inventory, {INQUIRIES: pa.Table.from_pylist(rows)}, matched_by_mention=named, person=izumi)[INQUIRIES]
    assert planned.parts == (
        Part("deidentify", 1, fields=("note",), shared=True), Part("keep", 1, shared=True), Part("erase", 1),
    )  # fmt: skip
    assert planned.keys.column(PART).to_pylist() == [2, 0, 1]
    assert planned.values is not None
    assert planned.values.to_pylist() == [{"note": f"{STRUCK}様が同席"}]
    assert planned.outcome == "alternative_measure"  # Q3: an officer must look


def test_a_voucher_is_never_changed_so_it_is_kept_whole(company: Path, tmp_path: Path, inventory: Inventory) -> None:
    """EBOOK: what a rule leaves uncovered of it goes with it and not before."""
    text = (company / "inventory.toml").read_text()
    part = 'keep = [{rule = "TAX59-7Y", from = "stored_on", fields = ["document"]}]\nvoucher = true'
    changed = written(tmp_path, text.replace('keep = [{rule = "TAX59-7Y", from = "stored_on"}]\nvoucher = true', part))
    box = "archives_backups.paper_boxes"
    row = {**dict.fromkeys(changed.dataset(box).fields), "box_no": "B", "item_no": 1, "name": "x", "stored_on": "2020-04-15"}
    rows = {box: pa.Table.from_pylist([row])}
    assert told(decided(changed, rows))[box] == told(decided(inventory, rows))[box] == [("keep", "TAX59-7Y", "2028-05-31")]
    loose = written(tmp_path, text.replace('keep = [{rule = "TAX59-7Y", from = "stored_on"}]\nvoucher = true', part.replace("true", "false")))
    assert told(decided(loose, rows))[box] == [("deidentify", "TAX59-7Y", "2028-05-31")]


def test_a_number_that_is_not_there_connects_nothing(inventory: Inventory) -> None:
    """A live contract without a customer no. keeps no record alive that has none either."""
    rows = life("2012-04-01", None, "2016-01-05")
    for name in (CONTRACTS, CONSENTS):
        rows[name] = pa.Table.from_pylist([{**row, "customer_no": None} for row in rows[name].to_pylist()])
    assert told(decided(inventory, rows))[CONSENTS] == ERASE


def test_a_dataset_without_purposes_stops_the_plan_and_names_itself(tmp_path: Path) -> None:
    """PX-1."""
    inventory = written(tmp_path, SHARED.replace('purposes = ["P08"]\n', ""))
    with pytest.raises(CheckFailed, match=r"homes\.households: no purpose"):
        decided(inventory, {"homes.households": pa.Table.from_pylist([{"home_no": 1}])})


def test_a_core_purpose_of_which_nobody_said_how_it_ends_has_not_ended(tmp_path: Path) -> None:
    """PX-4; what the public notice may say about use after cancellation proves nothing (PX-6)."""
    rows = {"homes.households": pa.Table.from_pylist([{"home_no": 1, "name_1": "", "name_2": "", "phone": "", "note": ""}])}
    live = written(tmp_path, SHARED.replace('["P08"]', '["P03"]').replace('owners = "shared"\n', ""))
    ended = written(tmp_path, SHARED.replace('["P08"]', '["P03"]').replace('owners = "shared"\n', "alive = {}\n"))
    assert told(decided(live, rows))["homes.households"] == [("refuse", None, None)]
    assert told(decided(ended, rows))["homes.households"] == ERASE


def test_a_source_that_was_not_read_may_hold_a_live_contract(inventory: Inventory) -> None:
    """A request for one system, or a database that is down, must not erase what a contract nobody looked at needs."""
    rows = life("2012-04-01", "2016-01-31", "2015-12-05")
    statuses = {dataset.id: {"status": "found" if dataset.id in rows else "none_found"} for dataset in inventory.datasets()}
    alone = {name: table for name, table in rows.items() if name in (CUSTOMERS, LINES, CALLS)}
    for word in ("unreachable", "not_asked"):
        found = told(decided(inventory, alone, statuses={**statuses, CONTRACTS: {"status": word}}))
        assert found[CUSTOMERS] == found[LINES] == [("refuse", None, None)]
    assert context(inventory, frozenset({CALLS})) == {CALLS, LINES, CONTRACTS}
    scoped = {**{name: {"status": "not_asked"} for name in statuses}, CALLS: {"status": "found"}}
    assert told(decided(inventory, {n: rows[n] for n in (CALLS, LINES, CONTRACTS)}, statuses=scoped)) == {CALLS: ERASE}


def test_bills_whose_payments_could_not_be_read_count_as_unpaid(inventory: Inventory) -> None:
    rows = life("2012-04-01", "2016-01-31", "2016-01-05")
    del rows[PAYMENTS]
    statuses = {dataset.id: {"status": "found" if dataset.id in rows else "none_found"} for dataset in inventory.datasets()}
    down = {**statuses, PAYMENTS: {"status": "unreachable"}}
    assert told(decided(inventory, rows, "2025-06-10", statuses=down))[INVOICES] == [("keep", "CIV166", "2026-01-05")]


GROUNDS = (
    ("G-1", "erase", None),
    ("G-3", "refuse", "APPI-35-5-NEEDED"),
    ("G-4", "erase", None),
    ("G-5", "refuse", "APPI-35-5-NOHARM+W-U"),
)


@pytest.mark.parametrize(("ground", "measure", "cited"), GROUNDS)
def test_what_weighs_against_each_ground(inventory: Inventory, ground: str, measure: str, cited: str | None) -> None:
    """PX-9: the purpose test is of G-3 alone; statute keeps vouchers against every ground."""
    rows = life("2019-05-01", None, "2026-05-05", unpaid=1)
    plans = decided(inventory, rows, ground=ground)
    assert [(part.measure, part.ground) for part in plans[CUSTOMERS].parts] == [(measure, cited)]
    vouchers = told(plans)[INVOICES]
    assert vouchers == ([("refuse", None, None)] if cited else [("keep", "TAX59-7Y", "2034-05-31")])


def test_untrue_content_goes_whatever_it_was_for_and_a_voucher_stays(inventory: Inventory) -> None:
    """APPI 34 asks whether the content is true, not whether it is needed."""
    found = told(decided(inventory, life("2019-05-01", None, "2026-05-05"), right="content_deletion", ground=None))
    assert found[CUSTOMERS] == found[CALLS] == ERASE
    assert found[INVOICES] == [("keep", "TAX59-7Y", "2034-05-31")]


def test_an_unknown_ground_or_another_right_plans_nothing(inventory: Inventory) -> None:
    """What weighs nothing would erase most."""
    rows = life("2019-05-01", None, "2026-05-05")
    for changes in ({"ground": "G-9"}, {"right": "disclosure"}, {"right": "record_disclosure"}):
        with pytest.raises(BadInput):
            decided(inventory, rows, **changes)


def test_a_value_that_its_column_cannot_hold_is_told_by_name_and_not_by_value(tmp_path: Path) -> None:
    one = written(tmp_path, SHARED.replace('owners = "shared"\n', 'deidentify = {phone = "なし", note = "なし"}\n'))
    row = {"home_no": 1, "name_1": "", "name_2": "", "phone": None, "note": "x"}
    planned = decided(one, {"homes.households": pa.Table.from_pylist([row])})["homes.households"]
    assert planned.values is not None
    assert planned.values.to_pylist() == [{"phone": "なし", "note": "なし"}]
    with pytest.raises(CheckFailed, match=r"homes\.households\.phone: cannot hold") as caught:
        decided(one, {"homes.households": pa.Table.from_pylist([{**row, "phone": 920001002}])})
    assert caught.value.__context__ is None


@pytest.mark.parametrize("right", ["marketing_stop", "use_stop"])
def test_a_stop_switches_offers_off_and_touches_nothing_else(right: str, inventory: Inventory) -> None:
    for ended in (None, "2016-01-31"):
        plans = decided(inventory, life("2012-04-01", ended, "2016-01-05"), right=right, ground=None, holds=frozenset({f"{CONSENTS}/A1"}))
        assert told(plans) == {CONSENTS: [("use_stop", None, None)]}
        assert plans[CONSENTS].values is not None
        assert plans[CONSENTS].values.to_pylist() == [{"stopped": 1}]


def test_what_is_off_already_is_not_switched_again(inventory: Inventory) -> None:
    rows = life("2012-04-01", None, "2016-01-05")
    both = pa.Table.from_pylist([{**rows[CONSENTS].to_pylist()[0], "consent_no": f"A{n}", "stopped": n} for n in (0, 1)])
    planned = decided(inventory, {**rows, CONSENTS: both})[CONSENTS]
    assert [(part.measure, part.records) for part in planned.parts] == [("use_stop", 1), ("keep", 1)]
    assert planned.values is not None and planned.values.num_rows == 1
    assert planned.outcome == "use_stopped"


def test_a_document_without_a_day_is_kept_and_nobody_says_until_when(inventory: Inventory) -> None:
    rows = life("2012-04-01", "2016-01-31", "2016-01-05")
    for nothing in (None, "", "9999-12-31", "不明"):
        table = pa.Table.from_pylist([{**row, "issued_on": nothing} for row in rows[INVOICES].to_pylist()])
        assert told(decided(inventory, {**rows, INVOICES: table}))[INVOICES] == [("keep", "TAX59-7Y", None)]


@pytest.mark.parametrize(("ended", "lives"), [("2026-06-10", True), ("2026-06-09", False), ("9999-12-31", True), ("", True)])
def test_a_contract_lives_up_to_its_last_day(ended: str, lives: bool, inventory: Inventory) -> None:
    """A day to come, nines and a blank are no end."""
    found = told(decided(inventory, life("2012-04-01", ended, "2012-05-05"), "2026-06-10"))
    assert found[CUSTOMERS] == ([("refuse", None, None)] if lives else ERASE)


def test_an_ended_contract_lives_while_a_declared_condition_holds(company: Path, tmp_path: Path) -> None:
    """Equipment that was not brought back yet: either word is enough."""
    text = (company / "inventory.toml").read_text()
    also = written(tmp_path, text.replace('alive = {until = "ended_on",', 'alive = {when = "service = 1", until = "ended_on",'))
    rows = life("2012-04-01", "2016-01-31", "2016-01-05")
    for service, expected in ((1, [("refuse", None, None)]), (2, ERASE)):
        contracts = pa.Table.from_pylist([{**row, "service": service} for row in rows[CONTRACTS].to_pylist()])
        assert told(decided(also, {**rows, CONTRACTS: contracts}))[CUSTOMERS] == expected


def test_two_rules_of_one_record_keep_each_its_own_fields(company: Path, tmp_path: Path) -> None:
    """What only an ended rule kept goes, what the standing one keeps stays."""
    text = (company / "inventory.toml").read_text()
    keep = 'keep = [{rule = "TAX59-7Y", from = "applied_on"}]'
    assert keep in text
    both = written(tmp_path, text.replace(keep, 'keep = [{rule = "TAX59-7Y", from = "applied_on", fields = ["service"]}, '
                                                '{rule = "CO432-10Y", from = "ended_on", fields = ["billing_no"]}]'))  # fmt: skip
    rows = life("2012-04-01", "2019-01-31", "2019-01-05")
    blank: dict[str, Any] = dict.fromkeys(both.dataset(CONTRACTS).fields)
    whole = pa.Table.from_pylist([{**blank, **row} for row in rows[CONTRACTS].to_pylist()])
    [part] = decided(both, {**rows, CONTRACTS: whole})[CONTRACTS].parts
    assert (part.measure, part.rule) == ("deidentify", "CO432-10Y")
    assert "service" in part.fields
    assert "billing_no" not in part.fields


def test_a_voucher_of_a_loss_year_and_one_of_another_year_cite_each_its_own_rule(inventory: Inventory) -> None:
    loss = with_company(inventory, loss_years=(date(2019, 4, 1),))
    rows = life("2012-04-01", "2021-05-31", "2019-05-05", "2021-05-05")
    assert told(decided(loss, rows))[INVOICES] == [("keep", "TAX59-7Y", "2029-05-31"), ("keep", "TAX26-3-10Y", "2030-05-31")]


def test_a_claim_ends_by_its_own_day_whatever_else_keeps_the_bill(company: Path, tmp_path: Path) -> None:
    """Tax counts from the day of issue, which is later here: the claim does not."""
    text = (company / "inventory.toml").read_text()
    inventory = written(tmp_path, text)
    rows = life("2012-04-01", "2023-03-31", "2023-03-05", unpaid=1)
    late = pa.Table.from_pylist([{**row, "issued_on": "2025-03-05"} for row in rows[INVOICES].to_pylist()])
    assert told(decided(inventory, {**rows, INVOICES: late}))[INVOICES] == [("keep", "CIV166", "2033-03-05")]


@pytest.mark.parametrize("values", [["9900-12-31", "9901-01-01", None], [datetime(9900, 12, 31), datetime(9901, 1, 1), None]])
def test_the_last_day_that_is_a_day(values: list[Any]) -> None:
    assert LAST_YEAR == 9900
    found = days_of(pa.array(values), "text" if isinstance(values[0], str) else "timestamp", ZoneInfo("Asia/Tokyo"))
    assert found.tolist() == [date(9900, 12, 31), None, None]


def test_systems_that_are_not_ours_are_never_planned(inventory: Inventory) -> None:
    rows = {"interconnect.subscribers": pa.Table.from_pylist([{"carrier_customer_no": "1"}])}
    assert decided(inventory, rows) == {}


# -- around the plan -----------------------------------------------------------------------------------------------


def test_leaves_go_before_the_hubs_that_lead_to_them(inventory: Inventory) -> None:
    """EN-35: as long as a leaf is not done, its hub still holds the keys."""
    order = order_of(inventory)
    ours = {d.id for d in inventory.datasets() if inventory.system_of(d).nature in ("own", "joint")}
    assert set(order) == ours and len(order) == len(ours)
    for before, after in (
        (CALLS, LINES), (LINES, CONTRACTS), (INVOICES, CONTRACTS), (CONTRACTS, CUSTOMERS), ("web_logs.access", "cookie_links.links"),
        ("cookie_links.links", "member_accounts.members"), ("member_accounts.members", CUSTOMERS), (CONSENTS, CUSTOMERS),
    ):  # fmt: skip
        assert order.index(before) < order.index(after), (before, after)


def test_the_plan_reads_only_the_columns_it_says(
    inventory: Inventory, planned_for: Callable[..., dict[str, Planned]], truth: dict[str, Any], stores: dict[str, dict[str, dict[str, Any]]]
) -> None:
    for key in ("hanako", "isamu", "nozomi", "izumi", "kaoru"):
        rows = {
            name: pa.Table.from_pylist([stores[name][n] for n in numbers]).select(needed_columns(inventory, inventory.dataset(name)))
            for name, numbers in truth[key]["owns"].items()
        }
        for name, planned in planned_for(key).items():
            less = planned_for(key, rows=rows)[name]
            assert (less.parts, less.keys, less.values) == (planned.parts, planned.keys, planned.values)
    assert needed_columns(inventory, inventory.dataset(CALLS)) == ("call_id", "line_no", "started_at")
    assert "invoice_no" in needed_columns(inventory, inventory.dataset(PAYMENTS))


def test_a_misspelled_column_of_a_keep_is_told_at_once(company: Path, tmp_path: Path) -> None:
    text = (company / "inventory.toml").read_text()
    with pytest.raises(BadInput, match="isued_on"):
        written(tmp_path, text.replace('from = "issued_on"}, {rule = "CTAX', 'from = "isued_on"}, {rule = "CTAX'))


def test_what_an_approval_is_bound_to_changes_with_each_thing_decided(
    inventory: Inventory, planned_for: Callable[..., dict[str, Planned]], truth: dict[str, Any]
) -> None:
    """EN-13: same records and rules, same lines, in whatever order they came; a hold, a day or a rule changes them."""
    dataset = inventory.dataset(INVOICES)
    first = commitment(planned_for("isamu")[INVOICES], dataset)
    assert first == commitment(planned_for("isamu")[INVOICES], dataset)
    assert len(first) == len(truth["isamu"]["owns"][INVOICES])
    held = frozenset({f"{INVOICES}/{truth['isamu']['owns'][INVOICES][0]}"})
    others = (
        planned_for("isamu", holds=held),
        planned_for("isamu", today=date(2036, 9, 28)),
        planned_for("isamu", ground="G-1"),
    )
    assert all(commitment(plans[INVOICES], dataset) != first for plans in others)


def test_a_million_calls_are_planned_in_seconds(inventory: Inventory) -> None:
    count = 1_000_000
    rows = life("2012-04-01", None, "2026-05-05")
    at = np.datetime64("2025-06-10T00:00", "us") + np.arange(count) * np.timedelta64(31, "s")
    rows[CALLS] = pa.table({"call_id": np.arange(count), "line_no": pa.repeat(pa.scalar("1"), count), "started_at": at})
    began = time.process_time()
    planned = decided(inventory, rows)[CALLS]
    lines = commitment(planned, inventory.dataset(CALLS))
    assert time.process_time() - began < 10
    assert sum(part.records for part in planned.parts) == len(lines) == count
    assert {part.measure for part in planned.parts} == {"erase", "refuse"}


DAYS = st.dates(date(2014, 1, 1), date(2026, 5, 31)).map(date.isoformat)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    ended=st.none() | DAYS,
    bills=st.lists(DAYS, min_size=1, max_size=5, unique=True),
    unpaid=st.integers(0, 2),
    later=st.integers(1, 4000),
)
def test_every_record_has_one_fate_and_time_only_frees(
    inventory: Inventory, ended: str | None, bills: list[str], unpaid: int, later: int
) -> None:
    """What is erased today is erased on every later day; kept days are never in the past."""
    rows = life("2012-04-01", ended, *sorted(bills), unpaid=min(unpaid, len(bills) - 1))
    today = date(2026, 6, 10)
    first, second = (decided(inventory, rows, (today + timedelta(days=n)).isoformat()) for n in (0, later))
    for name, planned in first.items():
        assert sum(part.records for part in planned.parts) == rows[name].num_rows == planned.keys.num_rows
        assert all(part.until is None or part.until >= today for part in planned.parts)
        gone = [[p.parts[at].measure == "erase" for at in p.keys.column(PART).to_pylist()] for p in (planned, second[name])]
        assert all(after or not before for before, after in zip(*gone, strict=True))
