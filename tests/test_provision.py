"""Rights about what is given to third parties and what is published: each told to its end, and its letter read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dsr import law
from dsr.inventory import read_inventory
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
