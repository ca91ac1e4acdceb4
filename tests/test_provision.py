"""Rights about what is given to third parties and what is published: each told to its end, and its letter read."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dsr import law
from dsr.inventory import read_inventory
from tests.erasing import Erasure
from tests.story import Office, rows_of
from tests.test_rights import SENT, Desk, text_of

RECORDS = "provision_records.records"
NONE_BESIDE = "上記のほか、法令上、提供記録の作成を要しない提供については、開示の対象となる記録はありません。"


@pytest.fixture(scope="module")
def desk(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("provision")
    with pytest.MonkeyPatch.context() as patch:
        yield Desk(Office.set_up(folder / "home", sample_of(1), patch), folder)


def proposed(desk: Desk, person: str, **changes: Any) -> tuple[str, Any]:
    case = desk.proved(person, "record_disclosure", **changes)
    desk.office.ok("collect", case)
    if desk.office.state(case) == "review":
        told = desk.office.truth["people"][person].get("identity", {})
        desk.office.ok("review", case, "--file", desk.paper("identity", {"identity": told}))
    return case, desk.office.ok("show", case)


def answered(desk: Desk, case: str, decision: Any = None) -> tuple[str, Path]:
    """Decided, approved where it must be, made, taken out and sent: the letter's text, and the package."""
    desk.decided(case, decision)
    desk.office.ok("fulfil", case)
    out = desk.folder / case
    desk.office.ok("package", case, "--out", str(out))
    desk.office.ok("dispatch", case, "--file", desk.paper(f"{case}.sent", SENT))
    assert desk.office.state(case) == "closed"
    return text_of(out / "decision.pdf"), out


# -- record_disclosure -------------------------------------------------------------------------------------------------


def test_hanako_sees_each_record_with_its_own_items_and_no_other_flow(desk: Desk) -> None:
    case, shown = proposed(desk, "hanako")
    assert [(d["dataset"], d["status"], d["records"]) for d in shown["datasets"]] == [(RECORDS, "found", 6)]
    assert shown["clocks"]["presuit"] is not None, "33条5項 is a 請求 of Art. 39"
    letter, out = answered(desk, case)
    provided = desk.office.truth["people"]["hanako"]["provided"]
    rows, told = rows_of(out, RECORDS), read_inventory(desk.office.sample / "inventory.toml").dataset(RECORDS)
    assert rows.keys() == provided.keys() and told.provision is not None
    columns = {name: rule.label for name, rule in told.fields.items()}
    for number, kind in provided.items():
        due = law.record(told.provision.kinds[kind]).items
        for item, names in told.provision.items.items():
            for name in names:
                assert bool(rows[number][columns[name]]) == (item in due), (kind, item)
    assert {kind: bool(rows[n][columns["provided_on"]]) for n, kind in provided.items()} == {
        "given_consent": False, "given_optout": True, "received_consent": False, "received_optout": True,
        "related": False, "no_business": False}  # fmt: skip
    given, _, received = letter.partition("第三者から提供を受けた記録")
    for number, kind in provided.items():
        place, other = (given, received) if kind.startswith("given") else (received, given)
        assert number in place and number not in other, (number, kind)
    assert "第三者提供記録開示書" in given and "並木 守" in given and "会員登録" not in given, "R-1, R-2 say no 経緯"
    assert NONE_BESIDE in letter and "会員登録" in received
    assert given.count("年月日：") == received.count("年月日：") == 1
    everything = letter + "".join(path.read_text() for path in (out / "data").iterdir()) + (
        out / "manifest.json").read_text()  # fmt: skip
    for never in ("みなと警察署", "R0000007", "R0000008", "R0000009", "APPI-", "order_11", "R11"):
        assert never not in everything, never


def test_of_kentas_record_nothing_is_known_and_his_letter_is_akaris(desk: Desk) -> None:
    """Order 11(4): outwardly as none; inside a second officer looks (R-8)."""
    letters, manifests = {}, {}
    for person, second in (("kenta", ["existence_neutral"]), ("akari", []), ("ryoko", [])):
        case, shown = proposed(desk, person)
        assert [reason for reason in shown["second_person"] if reason == "existence_neutral"] == second, person
        assert shown["proposal"][RECORDS]["outcome"] == ("existence_neutral" if second else "not_held")
        letters[person], out = answered(desk, case)
        manifests[person] = json.loads((out / "manifest.json").read_text())["datasets"]
        assert sorted(path.name for path in out.iterdir()) == ["decision.pdf", "manifest.json"]
    for letter in letters.values():
        assert "開示の対象となる第三者提供記録はありませんでした。" in letter and NONE_BESIDE in letter
    assert manifests["kenta"] == manifests["ryoko"]
    assert _searched(letters["kenta"]) == _searched(letters["ryoko"])
    assert desk.office.truth["people"]["kenta"]["provided"] == {}


def _searched(letter: str) -> str:
    found = re.search(r"確認したデータ.*?(?=\(1\)|お心当たり)", letter, re.DOTALL)
    assert found, letter
    return found[0]


def test_beside_susumus_record_another_leaves_no_trace(desk: Desk) -> None:
    case, shown = proposed(desk, "susumu")
    assert shown["proposal"][RECORDS]["outcome"] == "full" and "existence_neutral" in shown["second_person"]
    assert desk.office.run("fulfil", case)[0] != 0, "nobody approved"
    letter, out = answered(desk, case)
    [told] = json.loads((out / "manifest.json").read_text())["datasets"]
    assert (told["records"], told["shown"], told["withheld_rows"]) == (1, 1, {})
    assert set(rows_of(out, RECORDS)) == set(desk.office.truth["people"]["susumu"]["provided"])
    assert "開示しない記録" not in letter and NONE_BESIDE in letter


def test_records_are_withheld_by_a_ground_of_their_own_right_only(desk: Desk) -> None:
    again = {"received": {"at": "2026-11-03T10:15:00+09:00", "channel": "post"}}
    case, _ = proposed(desk, "hanako", **again)
    for ground in ("APPI-33-4", "APPI-33-5-R11-4", "APPI-35-3-NONE"):
        item = {"outcome": "refused", "ground": ground, "reason": "調査した結果"}
        wrong = desk.paper("wrong", {"datasets": {RECORDS: item}})
        assert desk.office.run("decide", case, "--file", wrong)[0] == 2, ground
    item = {"outcome": "refused", "ground": "APPI-33-2-1-THIRD", "reason": "相手方の身体の安全"}
    letter, out = answered(desk, case, {"datasets": {RECORDS: item}, "given": {"whose_interest": "相手方"}})
    assert "第三者提供記録を開示しない旨の通知書" in letter and "第33条第2項第1号" in letter and "6件" in letter
    assert NONE_BESIDE in letter and "並木" not in letter and not (out / "data").exists()


def test_what_is_asked_for_by_itself_stands_on_no_other_list(desk: Desk) -> None:
    """APPI 33(5) is a request of its own (documents.md §5, part 14)."""
    case = desk.proved("saki", "purpose_notice")
    desk.office.ok("answer", case, "archives_backups", "--file",
                   str(desk.office.sample / "answers/saki.archives_backups.json"))  # fmt: skip
    desk.office.ok("collect", case)
    shown = desk.office.ok("show", case)
    assert RECORDS not in [d["dataset"] for d in shown["datasets"]] and len(shown["datasets"]) > 10


# -- provision_stop, optout_provision_stop, listing_stop ---------------------------------------------------------------

LISTINGS = "directory_listings.listings"
DIRECTORY = "番号案内センター株式会社"


@pytest.fixture(scope="module")
def office(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """On a company of its own, whose listings are changed; contracts are given to the directory too, and
    no column of theirs can say that they are no more."""
    folder = tmp_path_factory.mktemp("stops")
    shutil.copytree(sample_of(1), folder / "company")
    inventory = folder / "company" / "inventory.toml"
    told = f'datasets = ["{LISTINGS}"]'
    assert told in inventory.read_text()
    inventory.write_text(inventory.read_text().replace(told, f'datasets = ["{LISTINGS}", "service_contracts.contracts"]'))
    with pytest.MonkeyPatch.context() as patch:
        yield Office.set_up(folder / "home", folder / "company", patch)


def listed(office: Office) -> dict[str, int]:
    with closing(sqlite3.connect(office.sample / "listings.db")) as base:
        return dict(base.execute("SELECT listing_no, listed FROM listings"))


def of(office: Office, person: str) -> str:
    [number] = office.truth["people"][person]["owns"][LISTINGS]
    return str(number)


def letter_of(stop: Erasure) -> str:
    stop.dispatched()
    [package] = stop.folder.glob("package*")
    assert not (package / "certificate.pdf").exists(), "nothing was destroyed"
    return text_of(package / "decision.pdf")


def test_ryokos_listing_is_stopped_at_once_and_what_is_printed_is_said(office: Office, tmp_path: Path) -> None:
    mine, before = of(office, "ryoko"), listed(office)
    stop = Erasure(office, "ryoko", tmp_path, "listing_stop")
    items = stop.proposed()
    assert list(items) == [LISTINGS] and stop.show()["second_person"] == [], "nothing is destroyed"
    stop.decided()
    assert stop.state == "fulfilling"
    assert office.run("fulfil", stop.case)[0] == 1 and listed(office) == before, "a dry run"
    status, _, errors = stop.run()
    assert status == 0 and stop.state == "dispatching", errors
    assert before[mine] == 1 and listed(office) == {**before, mine: 0}, "hers, and no neighbour's"
    [finding] = stop.show()["findings"]
    assert (finding["dataset"], finding["verdict"]) == (LISTINGS, "verified")
    [order] = [one for one in stop.show()["orders"] if one["kind"] == "recipient"]
    out = tmp_path / "request"
    office.ok("order", stop.case, "directory", "--out", str(out))
    request = text_of(next(out.glob("*.pdf")))
    assert "第三者への提供の停止" in request and "依頼書" in request and "指示" not in request
    asked = next(out.glob("*provision_stop.csv")).read_text("utf-8-sig")
    assert mine in asked and "092-000-1005" not in asked and "C0001240" not in asked, "no more than it needs"
    assert order["answered_on"] is None
    letter = letter_of(stop)
    assert "令和8年版の電話帳は、すでに配布されているため、回収することができません。" in letter
    assert "電話番号情報" in letter and "第三者提供の停止" in letter and DIRECTORY in letter and "回答待ち" in letter
    assert "第三者への提供又は公表の停止について、次のとおり、一部について" in letter and "証明書" not in letter
    assert stop.show()["outcome"] == "provision_stopped"
    assert stop.show()["clocks"]["presuit"] is None, "no request of Art. 39"


def test_nana_needs_no_ground_where_provision_rests_on_opt_out(office: Office, tmp_path: Path) -> None:
    mine, before = of(office, "nana"), listed(office)
    stop = Erasure(office, "nana", tmp_path, "optout_provision_stop", ground=None)
    assert list(stop.proposed()) == [LISTINGS], "contracts are given, and not by opt-out"
    stop.decided()
    assert stop.run()[0] == 0 and stop.state == "dispatching"
    assert before[mine] == 1 and listed(office) == {**before, mine: 0}
    assert "第27条第2項" in letter_of(stop)


def test_yutakas_provision_ends_where_a_column_says_so_and_where_only_its_owner_can(
    office: Office, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.json"
    whole = json.loads((office.sample / "requests/yutaka.json").read_text()) | {"right": "provision_stop"}
    for ground in (None, "G-1", "OPTOUT"):
        wrong.write_text(json.dumps(whole | {"ground": ground}))
        assert office.run("open", str(wrong))[0] == 2, ground
    mine, before, contracts = of(office, "yutaka"), listed(office), _contracts(office)
    stop = Erasure(office, "yutaka", tmp_path, "provision_stop", ground="G-2")
    items = stop.proposed()
    assert {name: item["parts"][0]["measure"] for name, item in items.items() if item["parts"]} == {
        LISTINGS: "provision_stop", "service_contracts.contracts": "provision_order"}  # fmt: skip
    stop.decided()
    assert stop.run()[0] == 0 and stop.state == "fulfilling", "an order is no answer"
    assert before[mine] == 1 and listed(office) == {**before, mine: 0}
    [order] = [one for one in stop.show()["orders"] if one["to"] == "service_contracts"]
    out = tmp_path / "order"
    office.ok("order", stop.case, "service_contracts", "--out", str(out))
    assert not list(out.glob("*.sql")) and "第三者への提供の停止" in text_of(next(out.glob("*.pdf")))
    none = {"done_on": office.now[:10], "done_by": "所管課", "datasets": {order["dataset"]: {"found": 1, "done": 0}}}
    assert stop.answer("service_contracts", none)[0] == 2, "less than ordered is not taken for done"
    stop.answer_order(order)
    assert stop.run()[0] == 0 and stop.state == "dispatching"
    assert _contracts(office) == contracts, "no record is touched"
    letter = letter_of(stop)
    assert "第35条第3項又は第5項" in letter and "契約・お申込み／ご契約の措置は、担当部署からの報告により確認したもの" in letter
    assert "別の経路により検証しました" in letter and letter.count("第三者提供の停止") >= 2


def test_a_stop_is_declined_by_its_own_grounds_only(office: Office, tmp_path: Path) -> None:
    neighbour = listed(office)
    stop = Erasure(office, "makoto", tmp_path, "provision_stop", ground="G-5", scope={"systems": None})
    items = stop.proposed()
    assert items[LISTINGS]["outcome"] == "alternative_measure", "has not been listed for long"
    named = "service_contracts.contracts"
    for ground in ("APPI-35-1-NONE", "APPI-33-2-2"):
        item = {"outcome": "stop_declined", "ground": ground, "measure": "keep", "reason": "調査の結果"}
        document = stop.written("wrong", {"datasets": {named: item}})
        assert office.run("decide", stop.case, "--file", document)[0] == 2, ground
    assert items[named]["parts"][0]["measure"] == "provision_order"
    item = {"outcome": "stop_declined", "ground": "APPI-35-3-NONE", "measure": "keep", "reason": "調査の結果"}
    stop.decided({"datasets": {named: item}, "given": {"investigation": "委託先の記録を確認"}})
    assert stop.run()[0] == 0 and stop.state == "dispatching"
    assert listed(office) == neighbour and not stop.show()["orders"]
    letter = letter_of(stop)
    assert "第35条第3項" in letter and "違反が認められなかった" in letter
    assert "第三者への提供及び公表をすでに停止しており" in letter and "すでに配布" not in letter


def test_who_is_listed_nowhere_is_told_so(office: Office, tmp_path: Path) -> None:
    before = listed(office)
    stop = Erasure(office, "saki", tmp_path, "listing_stop")
    assert stop.proposed()[LISTINGS]["outcome"] == "not_held"
    stop.decided()
    assert stop.run()[0] == 0 and listed(office) == before
    assert "第三者に提供し、又は公表している保有個人データはありませんでした。" in letter_of(stop)


def _contracts(office: Office) -> list[Any]:
    with closing(sqlite3.connect(office.sample / "company.db")) as base:
        return base.execute("SELECT * FROM contracts ORDER BY 1").fetchall()
