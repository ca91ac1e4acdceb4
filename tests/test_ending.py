"""A case's own data ends on its dates (EN-39): copies, package and working data, the whole file; the log goes on."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dsr.case import Act
from dsr.engine.office import Office as Engine
from dsr.errors import Sealed
from dsr.rules import filing
from dsr.rules.lifecycle import State
from dsr.store import EVENT, WORK, Store, Work
from dsr.vault import CaseVault, Keys, Vault
from flows import home as homes
from tests.differ import difference
from tests.differ import held as rows_of
from tests.erasing import Erasure
from tests.markers import Markers, values_of
from tests.story import Office, closing_store
from tests.test_dispatching import INCIDENT, came_back, paper, send
from tests.test_templates import text_of
from tests.test_timing import at, letters


def held(office: Office, case: str, markers: Markers) -> dict[str, set[str]]:
    """Object of the case's vault, or step of its log → names of the values that stand in it, opened by whatever key
    lies in the home."""
    try:
        vault = Vault(office.home / "vault", Keys.load(office.home / "keys")).case(case)
    except Sealed:
        return {}
    found = {name: markers.within(vault.read(name)) for name in vault.names()}
    return {name: told for name, told in found.items() if told}


def sealed_files(office: Office, case: str) -> dict[str, str]:
    return {str(path.relative_to(office.home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (office.home / "vault" / case).rglob("*") if path.is_file()}  # fmt: skip


def objects(office: Office, case: str) -> dict[str, set[str]]:
    """Folder of the case's vault → names in it."""
    found: dict[str, set[str]] = {}
    for name in Vault(office.home / "vault", Keys.load(office.home / "keys")).case(case).names():
        found.setdefault(name.partition("/")[0], set()).add(name)
    return found


def answered(office: Office, person: str, folder: Path, **proof: Any) -> str:
    case = office.open(person)
    told = {**json.loads((office.sample / f"requests/{person}.proof.json").read_text()), **proof}
    office.ok("prove", case, "--file", paper(folder, told))
    answer = office.sample / f"answers/{person}.archives_backups.json"
    if answer.exists():
        office.ok("answer", case, "archives_backups", "--file", str(answer))
    office.ok("collect", case)
    if office.state(case) == "review":
        office.ok("review", case, "--file", str(office.review_of(person, folder)))
    office.ok("decide", case, "--as-proposed")
    if office.state(case) == "awaiting_approval":
        office.ok("approve", case, officer="shonin-1")
    office.ok("fulfil", case)
    return case


def owed(office: Office, case: str) -> dict[str, str]:
    return {work["what"]: work["due"] for work in office.ok("show", case)["work"]}


def test_a_disclosures_own_data_ends_and_the_log_still_proves_itself(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers = Markers(values_of(office.sample, "saki"))
    case = answered(office, "saki", tmp_path, copies_destroyed_on=None)
    send(office, case, tmp_path)
    _copies_are_owed_until_they_went(office, case, tmp_path)
    _a_parcel_that_came_back_keeps_everything(office, case, tmp_path)
    at(office, "2027-02-10")
    other = answered(office, "akari", tmp_path)  # the neighbour, whose dates come later
    send(office, other, tmp_path)
    before, neighbour = held(office, case, hers), sealed_files(office, other)
    assert {name.partition("/")[0] for name in before} >= {"request.json", "fetched", "draft", "package", "identity"}
    at(office, "2027-03-22")  # sixty days after 21 January
    office.ok("watch")
    assert held(office, case, hers) == before
    at(office, "2027-03-23")
    with closing_store(homes.engine_office(office.home, office.now)) as engine:
        engine.store.owe([Work(case, "incident:1:appi_full", "approver", date(2027, 4, 1))])
        office.ok("watch")
        assert held(office, case, hers) == before  # whose report is owed
        _forget_work(engine, case, "incident:1:appi_full")
    _killed_while_it_ends(office, case, monkeypatch)
    after = held(office, case, hers)
    assert after == {"request.json": before["request.json"]}
    assert sealed_files(office, other) == neighbour
    status, _, words = office.run("package", case, "--out", str(tmp_path / "late"))
    assert (status, "destroyed on 2027-03-23" in words) == (1, True)
    assert "id_return_slip.copies.pdf" in letters(office, case, tmp_path)
    _the_file_ends(office, case, hers, monkeypatch, tmp_path)


def _copies_are_owed_until_they_went(office: Office, case: str, folder: Path) -> None:
    assert owed(office, case)["copies"] == "2026-11-23"
    assert office.ok("show", case)["file"] == {
        "copies": "held", "working_ended_on": None, "ended_on": None,
        "ends": {"working": "2027-01-22", "whole": "2029-11-23"}}  # fmt: skip
    assert office.run("dispose", case, "--copies", "2026-11-23")[0] == 2  # to come
    assert office.run("dispose", case, "--copies", "2026-01-01")[0] == 2  # before it arrived
    at(office, "2026-11-24")
    assert "copies" in {told["what"] for told in office.ok("watch")["reminders"]}
    office.ok("dispose", case, "--copies", "2026-11-24", "--how", "returned")
    assert office.run("dispose", case, "--copies", "2026-11-24")[0] == 1  # none lie here
    assert "copies" not in owed(office, case)
    told = letters(office, case, folder)["id_return_slip.copies.pdf"]
    assert "令和8年11月24日にご返送しました" in told and "運転免許証" in told


def _a_parcel_that_came_back_keeps_everything(office: Office, case: str, folder: Path) -> None:
    at(office, "2027-01-20")
    office.ok("dispatch", case, "--file", paper(folder, came_back("lapsed", "2027-01-20")))
    before = sealed_files(office, case)
    at(office, "2027-01-22")
    office.ok("watch")
    assert sealed_files(office, case).items() >= before.items()
    at(office, "2027-01-21")
    send(office, case, folder)
    assert office.ok("show", case)["file"]["ends"] == {"working": "2027-03-23", "whole": "2030-01-22"}


def _killed_while_it_ends(office: Office, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, gone = CaseVault.remove, []

    def dying(self: CaseVault, name: str) -> None:
        if len(gone) == 2:
            raise KeyboardInterrupt
        gone.append(name)
        real(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(CaseVault, "remove", dying)
        with pytest.raises(KeyboardInterrupt):
            office.run("watch")
    assert office.run("package", case, "--out", str(office.home / "half"))[0] == 1
    assert office.ok("watch")["files"] == [{"case": case, "ends": "working"}]
    assert office.ok("watch")["files"] == []


def _the_file_ends(office: Office, case: str, hers: Markers, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    at(office, "2030-01-21")
    kept = {**INCIDENT, "known_at": "2030-01-20T09:00+09:00", "persons": 1001}
    office.ok("watch")
    assert "request.json" in held(office, case, hers)
    events = office.ok("show", case)["trail"]["events"]
    counted = office.ok("statistics", "--year", "2026")
    assert (counted["total"]["received"], counted["right"], counted["days"], counted["clock_a"]) == (
        2, {"disclosure": 2}, {"median": 60, "max": 100}, {"breached": 2})  # fmt: skip
    with closing_store(homes.engine_office(office.home, office.now)) as engine:
        secret = [event for event, _ in engine.store.events(case) if event.sealed]
        vault = engine.vault.case(case)
        assert all(vault.unseal(f"{one.step_key}/{one.phase}", one.sealed) for one in secret)
    at(office, "2030-01-22")
    real = Vault.destroy_key

    def dying(self: Vault, case_no: str) -> None:
        real(self, case_no)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "destroy_key", dying)
        with pytest.raises(KeyboardInterrupt):
            office.run("watch")
    office.ok("watch")
    assert held(office, case, hers) == {}
    assert hers.search(office.home) == []
    assert list(sealed_files(office, case)) == [f"vault/{case}/key"]
    shown = office.ok("show", case)
    assert shown["file"] == {"copies": None, "working_ended_on": "2027-03-23", "ended_on": "2030-01-22", "ends": {}}
    assert (shown["outcome"] is not None, shown["trail"]["events"], shown["documents"]) == (True, events + 2, [])
    assert {row["case"]: row["file_ended_on"] for row in office.ok("list")}[case] == "2030-01-22"
    assert office.ok("trail", "verify")["sound"]
    assert office.ok("statistics", "--year", "2026", "--out", str(folder / "yearly")) == counted
    table = (folder / "yearly/statistics-2026.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbf") and '"right","disclosure","開示","2"'.encode() in table
    drawn = text_of((folder / "yearly/statistics-2026.pdf").read_bytes())
    assert "開示等の請求の状況（2026年）" in drawn and "期間を超過" in drawn
    office.ok("trail", "export", case, "--out", str(folder / "bundle.json"))
    for command in (("package", "--out", str(folder / "x")), ("letters", "--out", str(folder / "x")), ("review",),
                    ("incident", "--file", paper(folder, kept)), ("decide", "--as-proposed"), ("collect",),
                    ("dispatch", "--file", paper(folder, came_back("lapsed", "2030-01-22"))),
                    ("dispose", "--copies", "2030-01-22"), ("withdraw",)):  # fmt: skip
        status, _, words = office.run(command[0], case, *command[1:])
        assert (status, "its file ended on 2030-01-22" in words) == (1, True), (command, words)
    assert office.ok("watch")["files"] == []


def test_what_is_kept_for_its_day_is_erased_on_it_though_the_package_is_gone(
    own_office: Office, tmp_path: Path
) -> None:
    erasure = Erasure(own_office, "nozomi", tmp_path).approved()
    assert erasure.run()[0] == 0
    _who_did_not_answer_is_named(own_office, erasure)
    assert erasure.carried_out().dispatched() == "kept"
    before = objects(own_office, erasure.case)
    assert {"package", "plan", "fetched", "identity"} <= before.keys()
    at(own_office, "2026-12-01")
    own_office.run("watch")  # the first of its days came, while everything was there
    assert erasure.dispatched() == "kept"
    at(own_office, "2027-01-30")
    own_office.run("watch")
    assert objects(own_office, erasure.case)["package"]
    at(own_office, "2027-01-31")
    own_office.run("watch")
    after = objects(own_office, erasure.case)
    assert before.keys() - after.keys() == {"package"}
    assert [after[name] for name in ("plan", "fetched", "identity")] == [
        before[name] for name in ("plan", "fetched", "identity")
    ]
    kept = erasure.show()["kept"]
    first = min(part["until"] for part in kept)
    due = {part["dataset"]: part["records"] for part in kept if part["until"] == first}
    at(own_office, f"{int(first[:4]) + 1}-01-05")
    rows = rows_of(own_office.sample)
    own_office.run("watch")
    assert erasure.dispatched() in ("kept", "closed"), erasure.show()["stale"]
    found = difference(rows, rows_of(own_office.sample))
    assert found.gone.keys() <= due.keys() and found.gone and (found.new, found.changed) == ({}, {})
    assert all(
        set(numbers) <= set(own_office.truth["people"]["nozomi"]["owns"][name]) for name, numbers in found.gone.items()
    )
    assert own_office.ok("trail", "verify")["sound"]


def _who_did_not_answer_is_named(office: Office, erasure: Erasure) -> None:
    """Owners and partners, once their day is over; until then nobody is pressed, and silence changes no state."""
    waiting = {f"order:{order['order']}": order["to"] for order in erasure.show()["orders"]}
    assert waiting and not any("to" in told for told in office.ok("watch")["reminders"])
    day, state = office.now[:10], erasure.state
    at(office, "2027-03-01")
    told = office.ok("watch")
    assert {r["what"]: r["to"] for r in told["reminders"] if "to" in r} == waiting
    assert waiting.keys() <= {r["what"] for r in told["escalated"]}
    assert erasure.state == state
    at(office, day)


@pytest.mark.parametrize(("name", "gone"), [
    ("request.json", ""), ("proof/1.json", ""), ("decision/1.json", ""), ("documents/receipt.pdf", ""),
    ("statements/1.json", ""), ("survey/planned.billing.json", ""), ("package/decision.pdf", "closed replayed kept"),
    ("review/1.texts.json", "closed replayed kept"), ("fetched/billing.invoices.arrow", "closed replayed"),
    ("review/1.json", "closed replayed"), ("what/comes/later", "closed replayed"), ("plan/1/x.keys.arrow", "closed"),
    ("identity/1.json", "closed"),
])  # fmt: skip
def test_what_goes_after_the_days_to_complain(name: str, gone: str) -> None:
    """Of a closed case all but the request's own file; while a restore may bring data back, not what it is swept by;
    of a kept case what was printed."""
    found = {"closed": filing.goes(name, State.CLOSED, False), "replayed": filing.goes(name, State.CLOSED, True),
             "kept": filing.goes(name, State.KEPT, False)}  # fmt: skip
    assert {how for how, goes in found.items() if goes} == set(gone.split())


def test_cases_that_ended_under_an_older_release_get_their_days(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = office.collected("akari")
    office.ok("withdraw", case)
    at(office, "2026-12-02")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "files", lambda *_args, **_more: [])
        patch.setattr("dsr.rules.filing.ENDS", ())
        office.ok("watch")
    with closing_store(homes.engine_office(office.home, office.now)) as engine:
        _forget_work(engine, case)
        with engine.store._write() as connection:
            connection.execute(EVENT.delete().where(EVENT.c.step_key == "files:dated"))
        assert engine.store.files(case_no=case) == []
    office.ok("watch")
    assert office.ok("show", case)["file"]["ends"].keys() == {"working", "whole"}


def test_a_statement_of_dispute_keeps_the_file_that_it_stands_in(office: Office) -> None:
    stated, plain = office.collected("akari"), office.collected("saki")
    for case in (stated, plain):
        office.ok("withdraw", case)
    at(office, "2026-12-02")
    office.ok("watch")
    with closing_store(homes.engine_office(office.home, office.now)) as engine, engine.hold(stated) as hold:
        hold.record(Act("statement:1", facts={"statements": 1}))
    at(office, "2029-12-10")
    office.ok("watch")
    assert office.ok("show", plain)["file"]["ended_on"] == "2029-12-10"
    assert {"request.json"} <= {name for names in objects(office, stated).values() for name in names}
    assert office.ok("show", stated)["file"]["ended_on"] is None


def _forget_work(engine: Engine, case: str, what: str = "%") -> None:
    with engine.store._write() as connection:
        connection.execute(WORK.delete().where(WORK.c.case_no == case, WORK.c.what.like(what)))
