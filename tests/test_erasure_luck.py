"""Bad luck on the way of an erasure, and what comes after it: each has a clear outcome, and no neighbour is touched."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pypdfium2
import pytest

from dsr import law
from dsr.engine import surveying
from dsr.inventory import read_inventory
from flows.cli import _unverified
from tests.differ import difference, held
from tests.erasing import PASSED, SENT, Erasure
from tests.story import Office, datasets_of, rows_of

pytestmark = pytest.mark.usefixtures("own_office")


@contextmanager
def company(office: Office) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(office.sample / "company.db")) as base, base:
        yield base


def text_of(path: Path) -> str:
    with closing(pypdfium2.PdfDocument(path)) as paper:
        return "\n".join(page.get_textpage().get_text_bounded() for page in paper).replace("\r", "")


def letter_of(erasure: Erasure) -> str:
    out = erasure.folder / f"out{len(list(erasure.folder.glob('out*')))}"
    erasure.office.ok("package", erasure.case, "--out", str(out))
    return text_of(out / "decision.pdf")


WHY = "係争中のため"


# -- before anything is erased -------------------------------------------------------------------------------------


def test_a_dry_run_a_wrong_code_and_the_decider_change_nothing(own_office: Office, tmp_path: Path) -> None:
    before = held(own_office.sample)
    erasure = Erasure(own_office, "shigeru", tmp_path)
    erasure.proposed()
    erasure.decided()
    for code in ("", "AAAAAA"):
        status, _, said = own_office.run("approve", erasure.case, "--code", code, officer="shonin-1")
        assert (status, "--code" in said) == (2, True)
    code = erasure.code()
    own_office.ok("approve", erasure.case, "--code", code.lower(), officer="shonin-1")
    for live in ((), ("--live", "DSR-2026-000099")):
        status, _, said = own_office.run("fulfil", erasure.case, *live)
        assert (status, "dry run" in said) == (1, True)
    assert difference(before, held(own_office.sample)) == difference(before, before)


def test_a_stopped_system_and_a_stopped_house_start_nothing_and_go_on(own_office: Office, tmp_path: Path) -> None:
    before, erasure = held(own_office.sample), Erasure(own_office, "shigeru", tmp_path).approved()
    own_office.ok("stop", officer="gijutsu-1")
    status, _, said = erasure.run()
    assert (status, "stopped" in said) == (1, True)
    assert held(own_office.sample) == before
    own_office.ok("stop", "--lift", officer="gijutsu-1")
    assert erasure.carried_out().state == "dispatching"


def test_a_contract_that_lives_again_sends_the_plan_back(own_office: Office, tmp_path: Path) -> None:
    """Shigeru's contract was ended by mistake; after the approval somebody mends it (EN-13: a changed measure)."""
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    with company(own_office) as base:
        base.execute("UPDATE contracts SET ended_on = NULL WHERE customer_no = 'C0001250'")
    before = held(own_office.sample)
    status, _, said = erasure.run()
    assert (status, "no longer" in said) == (1, True)
    assert "service_contracts.contracts: changed" in said and f"dsr collect {erasure.case} --again" in said
    assert erasure.state == "awaiting_decision"
    assert "service_contracts.contracts" in erasure.show()["stale"]["changed"]
    assert held(own_office.sample) == before
    status, _, said = own_office.run("decide", erasure.case, "--as-proposed")
    assert (status, f"dsr collect {erasure.case} --again" in said) == (1, True), "the same plan would come back again"
    own_office.ok("collect", erasure.case, "--again")
    assert erasure.show()["stale"] is None
    erasure.decided()
    assert own_office.state(erasure.case) == "awaiting_approval"


def test_a_vanished_row_sends_the_plan_back(own_office: Office, tmp_path: Path) -> None:
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    with company(own_office) as base:
        base.execute("DELETE FROM installations WHERE contract_no = 'K0001250'")
    before = held(own_office.sample)
    assert erasure.run()[0] == 1
    assert (erasure.state, erasure.show()["stale"]["vanished"]) == ("awaiting_decision", ["premises_lines.installations"])
    assert held(own_office.sample) == before


def test_a_row_that_came_since_stays_and_is_decided_by_itself(own_office: Office, tmp_path: Path) -> None:
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    with company(own_office) as base:
        base.execute("INSERT INTO installations SELECT 'S9999999', contract_no, address, port, terminal, installed_on, "
                     "removed_on FROM installations WHERE contract_no = 'K0001250'")  # fmt: skip
    shown = erasure.carried_out().show()
    assert shown["state"] == "dispatching"
    assert "second_sweep" in [work["what"] for work in shown["work"]]
    assert "S9999999" in held(own_office.sample)["premises_lines.installations"]


def test_a_hold_between_approval_and_run_keeps_that_record_and_goes_back(own_office: Office, tmp_path: Path) -> None:
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    invoice = sorted(own_office.truth["people"]["shigeru"]["erased"]["billing.invoices"])[0]
    hold = ("--record", f"billing.invoices/{invoice}", "--reason", WHY)
    neighbours = own_office.truth["people"]["hanako"]["owns"]["billing.invoices"][0]
    assert neighbours in held(own_office.sample)["billing.invoices"]
    for record in (f"billing.invoices/{neighbours}", f"billing.invoices/{invoice}x", "fault_records.tickets/F1", "nosuch/1"):
        assert own_office.run("hold", "add", erasure.case, "--record", record, "--reason", WHY)[0] == 2
    assert own_office.run("hold", "add", erasure.case, *hold[:2], "--reason", " ")[0] == 2
    assert own_office.run("hold", "frob", erasure.case, *hold)[0] == 2
    own_office.ok("hold", "add", erasure.case, *hold, officer="shonin-1")
    for officer in ("uketsuke-1", "shonin-1"):
        assert own_office.run("hold", "release", erasure.case, *hold, officer=officer)[0] == 1
    assert erasure.show()["holds"] == 1
    before = held(own_office.sample)
    status, _, said = erasure.run()
    assert (status, "billing.invoices: a record was put on hold" in said) == (1, True)
    assert erasure.state == "awaiting_decision"
    assert held(own_office.sample) == before
    own_office.ok("collect", erasure.case, "--again")
    erasure.decided()
    [contract] = own_office.truth["people"]["shigeru"]["erased"]["service_contracts.contracts"]
    late = f"service_contracts.contracts/{contract}"
    own_office.ok("hold", "add", erasure.case, "--record", late, "--reason", WHY, officer="shonin-1")
    status, _, said = own_office.run("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    assert (status, "contracts: a record was put on hold" in said, erasure.state) == (1, True, "review")
    own_office.ok("hold", "release", erasure.case, "--record", late, "--reason", WHY, officer="shonin-2")
    own_office.ok("collect", erasure.case, "--again")
    erasure.decided()
    own_office.ok("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    assert erasure.carried_out().state == "dispatching"
    left = held(own_office.sample)["billing.invoices"]
    theirs = set(own_office.truth["people"]["shigeru"]["erased"]["billing.invoices"])
    assert theirs & set(left) == {invoice}
    assert erasure.dispatched() == "kept"
    own_office.ok("hold", "release", erasure.case, *hold, officer="shonin-2")
    exported = own_office.home / "trail.json"
    own_office.ok("trail", "export", erasure.case, "--out", str(exported))
    assert "release:" in exported.read_text() and WHY not in exported.read_text()
    status, told, _ = own_office.run("watch", officer="gijutsu-1")
    assert status == 0, told["failed"]
    assert theirs & set(held(own_office.sample)["billing.invoices"]) == set()


# -- while it is carried out ---------------------------------------------------------------------------------------


def test_an_owner_who_says_done_and_did_nothing_is_not_believed(own_office: Office, tmp_path: Path) -> None:
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    assert erasure.run()[0] == 0
    [order] = [o for o in erasure.show()["orders"] if o["kind"] == "owner"]
    assert order["dataset"] == "customer_master.customers"
    [script] = erasure.scripts(order["to"])
    [signed] = (erasure.folder / "orders0").glob("*.order.json")
    words = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public-key.pem", "-in", signed.name, "-sigfile",
             signed.with_suffix(".sig").name]  # fmt: skip
    assert subprocess.run(["openssl", *words], cwd=signed.parent, capture_output=True, check=False).returncode == 0
    erasure.answer_orders()
    status, _, _ = erasure.run()
    shown = erasure.show()
    assert (status, shown["state"]) == (1, "residual")
    wrong = {f["dataset"]: f["verdict"] for f in shown["findings"] if f["verdict"] != "verified"}
    assert wrong["customer_master.customers"] == "residual"
    [told] = [line for line in _unverified(shown["findings"]) if "customer_master.customers" in line]
    assert "residual" in told and "left 1" in told, "and for people too"
    assert "C0001250" in held(own_office.sample)["customer_master.customers"]
    status, _, _ = own_office.run("package", erasure.case, "--out", str(tmp_path / "none"))
    assert status == 1, "no certificate and no letter of what was not done"
    erasure.run_script(script)  # late, but done
    assert erasure.run()[0] == 0
    assert (erasure.state, len(erasure.show()["orders"])) == ("dispatching", len(shown["orders"])), "nobody is asked again"
    assert "C0001250" not in held(own_office.sample)["customer_master.customers"]


@pytest.mark.parametrize("business", [
    "INSERT INTO consents SELECT 'N9' || consent_no, {others} FROM consents WHERE customer_no = 'C0001235'",
    "UPDATE customers SET phone = '080-0000-1111' WHERE customer_no = 'C0001235'",
])
def test_a_company_goes_on_working_while_an_owner_takes_his_time(
    own_office: Office, tmp_path: Path, business: str
) -> None:
    """Rows that came are no harm; a row that changed is somebody's to explain, and never taken for a residue."""
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    assert erasure.run()[0] == 0
    with company(own_office) as base:
        columns = [row[1] for row in base.execute("PRAGMA table_info(consents)") if row[1] != "consent_no"]
        assert base.execute(business.format(others=", ".join(columns))).rowcount, "business as usual"
    before = held(own_office.sample)
    assert "C0001250" in before["customer_master.customers"], "present before"
    erasure.owners_do()
    status, _, _ = erasure.run()
    after = held(own_office.sample)
    assert "C0001250" not in after["customer_master.customers"], "absent after"
    assert after["marketing_consents.consents"] == before["marketing_consents.consents"]
    if business.startswith("UPDATE"):
        shown = erasure.show()
        wrong = {f["system"] for f in shown["findings"] if f["verdict"] != "verified"}
        assert (status, shown["state"]) == (1, "residual") and wrong
        assert not any(f["verdict"] == "residual" for f in shown["findings"])
        for system in wrong:
            assert erasure.answer(f"others:{system}", {"explained_by": "基盤課"})[0] == 2, "why is missing"
            assert erasure.answer(f"others:{system}", {"explained_by": "基盤課", "how": "住所変更の届出"})[0] == 0
        assert erasure.run()[0] == 0
    assert erasure.state == "dispatching"
    out = tmp_path / "package"
    own_office.ok("package", erasure.case, "--out", str(out))
    assert ("管理部署の説明" in text_of(out / "certificate.pdf")) == business.startswith("UPDATE")
    assert after["customer_master.customers"]["C0001235"] == held(own_office.sample)["customer_master.customers"]["C0001235"]


def test_what_cases_planned_in_a_store_has_one_name_whichever_system_each_begins_with(sample: Path) -> None:
    office: Any = SimpleNamespace(inventory=read_inventory(sample / "inventory.toml"))
    systems = office.inventory.system.values()
    beside = [system for system in systems if system.url.endswith("company.db")]
    assert len(beside) > 2 and {surveying._store(office, system) for system in beside} == {beside[0].name}
    apart = [system for system in systems if system not in beside]
    assert all(surveying._store(office, system) == system.name for system in apart) and apart


def test_a_store_that_answers_yes_and_does_nothing_is_found_out(
    own_office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connector deletes nothing and reports success (T02, T04)."""
    from connectors.stores.sql import SqlStore
    from dsr.plan import Effects, Plan, Receipt

    def lying(self: SqlStore, plans: list[Plan], effects: Effects) -> list[Receipt]:
        return [Receipt(p.case_no, p.dataset.id, p.records, p.records) for p in plans]

    before, erasure = held(own_office.sample), Erasure(own_office, "shigeru", tmp_path).approved()
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "write", lying)
        assert erasure.run()[0] == 0
        erasure.answer_orders()
        assert erasure.run()[0] == 1
    assert erasure.state == "residual"
    assert difference(before, held(own_office.sample)) == difference(before, before)


def test_a_copy_that_nobody_declared_stops_it_before_anything_goes(own_office: Office, tmp_path: Path) -> None:
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    with company(own_office) as base:
        base.execute("CREATE TABLE old_backup AS SELECT * FROM customers WHERE customer_no = 'C0001250'")
    before = held(own_office.sample)
    status, _, said = erasure.run()
    assert (status, "old_backup: holds a copy" in said) == (1, True)
    shown = erasure.show()
    assert shown["state"] == "awaiting_decision"
    assert "old_backup" in json.dumps(shown["stale"])
    assert held(own_office.sample) == before


def test_what_an_overtaken_plan_had_erased_stands_on_the_papers(own_office: Office, tmp_path: Path) -> None:
    """Kenta: log lines move up under the run; calls and an offer are gone by then, and a new plan knows nothing of it."""
    told = own_office.truth["people"]["kenta"]
    calls, stopped = len(told["erased"]["call_history.calls"]), len(told["use_stopped"]["marketing_consents.consents"])
    erasure = Erasure(own_office, "kenta", tmp_path).approved()
    log = own_office.sample / "logs" / (min(told["erased"]["web_logs.access"]).rpartition(":")[0] + ".log.gz")
    assert calls and stopped and not min(told["erased"]["web_logs.access"]).endswith(":1")
    log.write_bytes(gzip.compress(gzip.decompress(log.read_bytes()).partition(b"\n")[2]))
    before = {path: path.read_bytes() for path in (own_office.sample / "lake").rglob("*.parquet")}
    status, _, said = erasure.run()
    assert (status, "shifted" in said) == (1, True), said
    assert len(set(told["erased"]["call_history.calls"]) & held(own_office.sample)["call_history.calls"].keys()) == 0
    own_office.ok("collect", erasure.case, "--again")
    erasure.decided()
    own_office.ok("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    rewritten = {path: path.read_bytes() for path in before if path.read_bytes() != before[path]}
    for path in rewritten:  # somebody restores the lake's files
        path.write_bytes(before[path])
    everyones = held(own_office.sample)["call_history.calls"]
    assert rewritten and erasure.carried_out().state == "residual"
    wrong = {f["dataset"]: f["said"]["why"] for f in erasure.show()["findings"] if f["verdict"] != "verified"}
    assert wrong.keys() == {"call_history.calls"} and "back" in wrong["call_history.calls"]
    assert own_office.run("package", erasure.case, "--out", str(tmp_path / "none"))[0] == 1, "no certificate"
    assert held(own_office.sample)["call_history.calls"] == everyones, "what no standing plan names is a person's to mend"
    for path, content in rewritten.items():
        path.write_bytes(content)
    assert erasure.carried_out().state == "dispatching"
    out = tmp_path / "papers"
    own_office.ok("package", erasure.case, "--out", str(out))
    letter, certificate = (text_of(out / f"{name}.pdf").replace("\n", "") for name in ("decision", "certificate"))
    assert f"通話履歴 消去 {calls}件" in letter, letter
    assert f"利用停止 {stopped}件" in letter and law.wording("already_so") not in letter
    assert f"通話履歴の消去{calls}件" in certificate and "併せて確認" in certificate
    assert "証明の対象に含まれない" not in certificate and "検証の対象に含まれません" not in letter
    told = {d["dataset"]: d["outcomes"] for d in json.loads((out / "manifest.json").read_text())["datasets"]}
    assert told["call_history.calls"]["erased"] == calls and "stop_declined" in told["call_history.calls"]
    assert told["marketing_consents.consents"] == {"use_stopped": stopped}
    assert erasure.show()["outcomes"]["erased"] == sum(counts.get("erased", 0) for counts in told.values())


def test_who_was_told_under_an_overtaken_plan_stays_told(own_office: Office, tmp_path: Path) -> None:
    """Shigeru: his row of the hub is gone and its partners know; the plan made anew has nothing for them any more."""
    erasure = Erasure(own_office, "shigeru", tmp_path).approved()
    gone, hers = "C0001250", "C0001234"
    assert {gone, hers} <= held(own_office.sample)["customer_master.customers"].keys()
    for _ in range(4):  # leaves before the hub: once it is ordered, its partners are told
        assert erasure.run()[0] == 0
        if any(order["kind"] != "owner" for order in erasure.show()["orders"]):
            break
        erasure.owners_do()
    partners = [order for order in erasure.show()["orders"] if order["kind"] != "owner"]
    silent, *answered = partners
    for order in answered:
        erasure.answer_order(order)
    with company(own_office) as base:  # somebody was faster than the order
        base.execute("DELETE FROM customers WHERE customer_no = ?", (gone,))
    own_office.ok("collect", erasure.case, "--again")
    erasure.decided()
    own_office.ok("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    kept = [order for order in erasure.show()["orders"] if order["kind"] != "owner"]
    assert [order["order"] for order in kept] == [order["order"] for order in partners]
    owed = {work["what"] for work in erasure.show()["work"] if work["what"].startswith("order:")}
    assert owed == {f"order:{silent['order']}"}, "nobody waits for an owner whose order fell with its plan"
    assert erasure.answer(silent["to"], {"done_on": own_office.now[:10], "done_by": "担当",
                                         "datasets": {silent["to"]: {"found": 1, "done": 1}}})[0] == 0  # fmt: skip
    assert erasure.carried_out().state == "dispatching"
    letter = letter_of(erasure).replace("\n", "").replace(" ", "")
    assert letter.count("確認済み") == len(partners) == 4
    assert letter.count("あずま通信株式会社") == 1
    assert hers in held(own_office.sample)["customer_master.customers"]


# -- afterwards ----------------------------------------------------------------------------------------------------


def test_a_statutory_day_erases_exactly_what_was_frozen_and_tells_the_person(own_office: Office, tmp_path: Path) -> None:
    erasure = Erasure(own_office, "shigeru", tmp_path).approved().carried_out()
    assert "令和10年3月31日" in letter_of(erasure).replace("\n", "")
    assert erasure.dispatched() == "kept"
    before = held(own_office.sample)
    mine = set(own_office.truth["people"]["shigeru"]["kept_on_erasure"]["billing.ledger"])
    assert mine <= set(before["billing.ledger"])
    own_office.now = "2028-03-31T23:59+09:00"
    own_office.ok("watch", officer="gijutsu-1")
    assert held(own_office.sample) == before
    own_office.now = "2028-04-01T09:00+09:00"
    own_office.ok("watch", officer="gijutsu-1")
    assert erasure.state == "dispatching"
    found = difference(before, held(own_office.sample))
    assert (found.gone, found.changed, found.new) == ({"billing.ledger": mine}, {}, {})
    assert "予定消去の完了" in letter_of(erasure)
    assert erasure.dispatched() in ("closed", "kept")


def test_a_restored_backup_is_put_right_again_with_the_first_dates(own_office: Office, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    shutil.copy(own_office.sample / "company.db", backup)
    erasure = Erasure(own_office, "shigeru", tmp_path).approved().carried_out()
    erased = held(own_office.sample)
    assert own_office.ok("replay", officer="gijutsu-1")["resurrected"] == 0
    shutil.copy(backup, own_office.sample / "company.db")
    own_office.now = "2026-12-10T09:00+09:00"
    status, told, _ = own_office.run("replay", officer="gijutsu-1")
    assert status == 1
    assert told["resurrected"] == sum(len(n) for n in own_office.truth["people"]["shigeru"]["erased"].values())
    assert {entry["erased_at"][:10] for entry in told["came_back"]} == {"2026-11-22"}
    [owner] = [entry for entry in told["came_back"] if entry["state"] != "done"]
    assert (owner["dataset"], owner["state"]) == ("customer_master.customers", "ask_the_owner")
    found = difference(erased, held(own_office.sample))
    assert found.new == {"customer_master.customers": {"C0001250"}}
    assert (found.gone, found.changed) == ({}, {})
    assert erasure.show()["state"] == "dispatching"
    [order] = [one for one in erasure.show()["orders"] if one["answered_on"] is None]
    assert (order["to"], order["dataset"], order["records"]) == ("customer_master", "customer_master.customers", 1)
    assert own_office.ok("replay", officer="gijutsu-1", status=1)["came_back"], "told again, and ordered once"
    own_office.ok("package", erasure.case, "--out", str(tmp_path / "early"))
    own_office.ok("dispatch", erasure.case, "--file", erasure.written("check", PASSED), officer="shonin-2")
    sent = erasure.written("early", {**SENT, "sent_on": own_office.now[:10]})
    status, _, words = own_office.run("dispatch", erasure.case, "--file", sent)
    assert (status, "stands again in customer_master.customers" in words) == (1, True)
    erasure.answer_orders()  # an owner who says so and did nothing
    assert own_office.run("replay", officer="gijutsu-1")[1]["resurrected"] == 1
    assert own_office.run("dispatch", erasure.case, "--file", sent)[0] == 1
    [order] = [one for one in erasure.show()["orders"] if one["answered_on"] is None]
    assert erasure.owners_do() == 1
    assert own_office.ok("replay", officer="gijutsu-1")["resurrected"] == 0
    assert difference(erased, held(own_office.sample)) == difference(erased, erased)
    own_office.ok("dispatch", erasure.case, "--file", sent)
    assert "call_history.calls" not in own_office.truth["people"]["shigeru"]["owns"], "he was erased without a call"
    asked = json.loads((own_office.sample / "requests/shigeru.json").read_text())["subject"]["identifiers"]
    [line] = [one["value"] for one in asked if one["kind"] == "phone"]
    rows = [{"dataset": "call_history.calls", "identifiers": {"line_no": number}, "at": "2018-01-15T10:00:00+09:00"}
            for number in (line, "092-000-1001")]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    late = own_office.ok("ingest-check", "--file", str(tmp_path / "rows.jsonl"), officer="gijutsu-1", status=1)
    assert [row["stopped"] for row in late] == [True, False], "and one of his that comes late is stopped all the same"


def test_a_late_row_that_landed_is_swept_and_the_neighbours_new_one_is_not(own_office: Office, tmp_path: Path) -> None:
    """An old feed is played again after the answer (EN-01, EN-02)."""
    erasure = Erasure(own_office, "nozomi", tmp_path).approved().carried_out()
    assert erasure.dispatched() == "kept"
    with company(own_office) as base:
        for number, whose in (("A8888881", "C0001248"), ("A8888882", "C0001235")):
            base.execute("INSERT INTO consents SELECT ?, ?, list, contact, opted_in, source, recorded_at, last_sent_on, "
                         "stopped FROM consents LIMIT 1", (number, whose))  # fmt: skip
    before = held(own_office.sample)
    status, told, _ = own_office.run("replay", officer="gijutsu-1")
    assert (status, told["swept"]) == (1, {erasure.case: {"marketing_consents.consents": 1}})
    found = difference(before, held(own_office.sample))
    assert (found.gone, found.new, found.changed) == ({"marketing_consents.consents": {"A8888881"}}, {}, {})
    assert "incident" in [work["what"] for work in erasure.show()["work"]]
    assert own_office.ok("replay", officer="gijutsu-1")["swept"] == {}


def test_late_rows_are_stopped_and_a_later_holders_never(own_office: Office, tmp_path: Path) -> None:
    """Kaoru's line went to Susumu (EN-44, EN-47, EN-51)."""
    erasure = Erasure(own_office, "kaoru", tmp_path).approved()
    erasure.run()
    calls, line = "call_history.calls", {"line_no": "092-000-1013"}
    rows: list[dict[str, Any]] = [
        {"dataset": calls, "identifiers": line, "at": "2025-11-30T23:59:59+09:00"},
        {"dataset": calls, "identifiers": line, "at": "2026-02-01T00:00:00+09:00"},
        {"dataset": calls, "identifiers": {"line_no": "092-000-1001"}, "at": "2025-11-30T23:59:59+09:00"},
        *({"dataset": "service_contracts.lines", "identifiers": {"contract_no": number}, "at": None}
          for number in (*own_office.truth["people"]["kaoru"]["owns"]["service_contracts.contracts"],
                         *own_office.truth["people"]["susumu"]["owns"]["service_contracts.contracts"])),
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    status, told, _ = own_office.run("ingest-check", "--file", str(path), officer="gijutsu-1")
    assert status == 1
    assert [row["stopped"] for row in told] == [True, False, False, True, False]
    assert told[0]["case"] == erasure.case
    assert "1013" not in json.dumps(told)


def test_a_second_erasure_and_a_disclosure_answer_with_the_first_day(own_office: Office, tmp_path: Path) -> None:
    """And say what stays, why and how long, and what is held of the first request itself (limits.md §7)."""
    first = Erasure(own_office, "nozomi", tmp_path).approved().carried_out()
    assert first.dispatched() == "kept"
    own_office.now = "2026-12-22T09:00+09:00"
    again = Erasure(own_office, "nozomi", tmp_path / "again",
                    received={"at": "2026-12-02T10:15:00+09:00", "channel": "post"}).approved().carried_out()  # fmt: skip
    assert again.state == "dispatching", again.show()["findings"]
    letter = letter_of(again).replace("\n", "")
    gone, partly = (law.wording(key, date="令和8年11月22日") for key in ("erased", "erased_in_part"))
    assert gone in letter and "請求書1件 令和16年6月1日" in letter and "得意先元帳1件 令和19年4月1日" in letter
    [order] = [text_of(path) for path in first.folder.glob("orders*/*.pdf")]
    assert "お客様情報 所管部署　御中" in order and "様\n" not in order
    [entry] = [part for part in first.show()["kept"] if part["dataset"] == "billing.ledger"]
    assert entry["records"] == 1
    with company(own_office) as base:  # the number of a kept record is given to another's
        [[number]] = base.execute("SELECT payment_no FROM payments WHERE payment_no = "
                                  "(SELECT max(payment_no) FROM payments WHERE billing_no = 'B0001248')").fetchall()  # fmt: skip
        base.execute("UPDATE payments SET billing_no = 'B0001234' WHERE payment_no = ?", [number])
    _, package = own_office.packaged("nozomi", tmp_path)
    assert "billing.payments" not in datasets_of(package), "it is not hers because it once was"
    letter, book = (text_of(package / f"{name}.pdf").replace("\n", "") for name in ("decision", "disclosure"))
    assert gone in letter and partly in letter
    kept = first.show()["kept"]
    shown = set(datasets_of(package))
    gone_by_now = {"marketing_consents.consents", "billing.payments"}
    assert {part["dataset"] for part in kept} - shown == gone_by_now, "gone with the second request, or another's by now"
    assert len(shown) == 4 and shown <= {part["dataset"] for part in kept}, "shown though nothing leads there any more (EN-12)"
    told = own_office.truth["people"]["nozomi"]
    assert set(rows_of(package, "billing.ledger")) <= set(told["owns"]["billing.ledger"])
    assert book.count("令和8年11月22日に決定した消去等のご請求の後も") == len(kept)
    assert "令和16年5月31日まで1件を保存し" in book
    assert law.wording("suppressed") in book
    assert law.wording("earlier_file", day="令和8年11月22日", date="令和11年11月22日") in book


def test_a_browser_of_two_stays_nobodys_once_one_of_them_is_erased(own_office: Office, tmp_path: Path) -> None:
    """K-3: Yutaka's link goes; what was done in the browser without a login is not Nana's because of that."""
    owned = own_office.truth["people"]["nana"]["owns"]["web_logs.access"]
    assert Erasure(own_office, "yutaka", tmp_path).approved().carried_out().state == "dispatching"
    case = own_office.collected("nana")
    found = {d["dataset"]: d["records"] for d in own_office.ok("show", case)["datasets"]}
    assert found["web_logs.access"] == len(owned) > 0
