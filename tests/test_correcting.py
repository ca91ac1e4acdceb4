"""Which cells a correction changes: every copy however it is written, no neighbour's, no key, and no voucher (APPI 34)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dsr.errors import BadInput
from dsr.inventory import Inventory, read_inventory
from dsr.request import Correction
from dsr.rules.correcting import fields_of, plan, same_value
from dsr.rules.sorting import PART, Part, Planned

INVENTORY = """
[company]
name = "c"
[system.shop]
label = "店"
store = "sql"
url = "sqlite:///x.db"
[system.shop.dataset.people]
label = "顧客"
key = ["no"]
locate = "SELECT no FROM people WHERE no = :customer_no"
fetch = "SELECT * FROM people WHERE no IN :keys"
[system.shop.dataset.people.fields]
no = {label = "番号", kind = "record_no"}
name = {label = "氏名", kind = "user.name"}
kana = {label = "カナ", kind = "user.name.kana"}
home = {label = "住所", kind = "user.address"}
sent_to = {label = "送付先", kind = "user.address"}
size = {label = "寸法", kind = "value"}
[system.shop.dataset.bills]
label = "請求書"
voucher = true
key = ["no"]
locate = "SELECT no FROM bills WHERE no = :customer_no"
fetch = "SELECT * FROM bills WHERE no IN :keys"
[system.shop.dataset.bills.fields]
no = {label = "番号", kind = "record_no"}
home = {label = "住所", kind = "user.address"}
[system.shop.dataset.places]
label = "供給場所"
key = ["home", "seq"]
locate = "SELECT home, seq FROM places WHERE no = :customer_no"
fetch = "SELECT * FROM places WHERE (home, seq) IN :keys"
[system.shop.dataset.places.fields]
home = {label = "住所", kind = "user.address"}
seq = {label = "枝番", kind = "record_no"}
copy = {label = "住所（写し）", kind = "user.address"}
"""
PEOPLE, BILLS, PLACES = "shop.people", "shop.bills", "shop.places"
WRONG, RIGHT = "福岡県ひがし市泉町2-2-12", "福岡県みなと市北町6-1-3"
SPELLED = "福岡県ひがし市泉町２丁目２番１２号"
NEXT_DOOR = "福岡県ひがし市泉町2-2-13"
ADDRESS = Correction(field="user.address", wrong=WRONG, right=RIGHT)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    (tmp_path / "inventory.toml").write_text(INVENTORY)
    return read_inventory(tmp_path / "inventory.toml")


def person(no: str, home: str | None, sent_to: str | None = None, **more: Any) -> dict[str, Any]:
    return {"no": no, "name": "髙橋 花子", "kana": None, "home": home, "sent_to": sent_to, "size": 7, **more}


def planned(
    inventory: Inventory, correction: Correction, true_value: str = RIGHT, **rows: list[dict[str, Any]]
) -> dict[str, Planned]:
    return plan(inventory, correction, true_value, {f"shop.{n}": pa.Table.from_pylist(r) for n, r in rows.items()})


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("user.name", "髙橋 花子", "高橋花子", True),
        ("user.name", "髙橋 花子", "髙橋 華子", False),
        ("user.name", "", "", False),
        ("user.name.kana", "ﾔﾏﾀﾞ ﾊﾅｺ", "やまだ　はなこ", True),
        ("user.name.kana", "ヤマダ ハナコ", "ヤマダ ハナエ", False),
        ("user.phone", "092-000-1001", "+81 92 000 1001", True),
        ("user.phone", "092-000-1001", "092-000-1002", False),
        ("user.phone", "なし", "不明", False),  # two that are no number are not one number
        ("user.mail", "hanako@EXAMPLE.jp", "hanako@example.jp", True),
        ("user.mail", "hanako@example.jp", "hanae@example.jp", False),
        ("user.mail", "なし", "不明", False),
        ("user.born_on", "昭和60年1月2日", "1985-01-02", True),
        ("user.born_on", "1985-01-02", "1985-02-01", False),
        ("user.born_on", "なし", "不明", False),
        ("user.address", WRONG, SPELLED, True),
        ("user.address", WRONG, NEXT_DOOR, False),
        ("user.address", WRONG, WRONG + " ハイツ泉 101", False),
        ("user.address", "福岡県ひがし市泉町", "福岡県ひがし市泉町", True),  # too coarse to compare, and copied from our paper
        ("user.address", "福岡県ひがし市泉町", "福岡県ひがし市泉町2-2-12", False),
        ("value", "１２０", " 120 ", True),
        ("value", "120", "121", False),
    ],
)
def test_two_spellings_are_one_value_by_the_rules_of_their_kind(kind: str, one: str, other: str, same: bool) -> None:
    assert same_value(kind, one, other) is same_value(kind, other, one) is same


def test_every_copy_is_corrected_however_written_and_what_stands_beside_it_is_what_it_was(inventory: Inventory) -> None:
    rows = [person("1", WRONG, NEXT_DOOR), person("2", NEXT_DOOR), person("3", None, SPELLED), person("4", None)]
    [(name, found)] = planned(inventory, ADDRESS, people=rows).items()
    assert (name, found.dataset, found.outcome) == (PEOPLE, PEOPLE, "corrected")
    assert found.parts == (Part("correct", 2, fields=("home", "sent_to")),)
    assert found.keys.to_pylist() == [{"no": "1", PART: 0}, {"no": "3", PART: 0}]
    assert found.values is not None
    assert found.values.to_pylist() == [{"home": RIGHT, "sent_to": NEXT_DOOR}, {"home": None, "sent_to": RIGHT}]


def test_what_was_found_true_is_written_and_not_what_was_asked_for(inventory: Inventory) -> None:
    true = "福岡県みなと市北町6-1-4"
    found = planned(inventory, ADDRESS, true, people=[person("1", WRONG)])[PEOPLE]
    assert found.values is not None and found.values.to_pylist() == [{"home": true}]


def test_a_voucher_is_annotated_with_the_true_value_and_never_set(inventory: Inventory) -> None:
    found = planned(
        inventory,
        ADDRESS,
        people=[person("1", WRONG)],
        bills=[{"no": "7", "home": SPELLED}, {"no": "8", "home": NEXT_DOOR}],
    )
    bill = found[BILLS]
    assert bill.outcome == "alternative_measure"
    assert bill.values is not None and bill.values.to_pylist() == [{"home": ADDRESS.right}], "what its note is to say"
    assert bill.parts == (Part("annotate", 1, rule="EBOOK", fields=("home",)),)
    assert bill.keys.to_pylist() == [{"no": "7", PART: 0}]
    assert found[PEOPLE].values is not None  # its neighbour, no voucher, is corrected


def test_a_key_is_never_corrected_though_it_holds_the_value(inventory: Inventory) -> None:
    assert planned(inventory, ADDRESS, places=[{"home": WRONG, "seq": 1, "copy": NEXT_DOOR}]) == {}
    found = planned(inventory, ADDRESS, places=[{"home": WRONG, "seq": 1, "copy": WRONG}])[PLACES]
    assert found.values is not None and found.values.to_pylist() == [{"copy": RIGHT}]
    assert found.keys.to_pylist() == [{"home": WRONG, "seq": 1, PART: 0}]


def test_only_fields_of_its_very_kind_hold_such_a_value(inventory: Inventory) -> None:
    name = Correction(field="user.name", wrong="高橋花子", right="高橋 華子")
    assert fields_of(inventory.dataset(PEOPLE), name) == ["name"]
    assert planned(inventory, ADDRESS, people=[person("1", None, name=WRONG, kana=WRONG)]) == {}


def test_one_dataset_may_be_named_and_no_other_is_then_touched(inventory: Inventory) -> None:
    here = ADDRESS.model_copy(update={"dataset": PEOPLE})
    rows: dict[str, Any] = {"people": [person("1", WRONG)], "places": [{"home": "x", "seq": 1, "copy": WRONG}]}
    assert set(planned(inventory, here, **rows)) == {PEOPLE}
    assert set(planned(inventory, ADDRESS, **rows)) == {PEOPLE, PLACES}


def test_a_column_keeps_its_type_and_a_value_it_cannot_hold_is_refused_in_other_words(inventory: Inventory) -> None:
    size = Correction(field="value", wrong="7", right="8")
    rows = pa.Table.from_pylist([person("1", None), person("2", None, size=70)])
    found = plan(inventory, size, "8", {PEOPLE: rows})[PEOPLE]
    assert found.values is not None and found.values.schema == pa.schema([("size", pa.int64())])
    assert found.values.to_pylist() == [{"size": 8}]
    with pytest.raises(BadInput, match=r"shop\.people\.size") as told:
        plan(inventory, size, "八つ", {PEOPLE: rows})
    assert "八つ" not in str(told.value) and told.value.__context__ is None
    coded = rows.set_column(3, "home", pa.array([WRONG, NEXT_DOOR]).dictionary_encode())
    found = plan(inventory, ADDRESS, RIGHT, {PEOPLE: coded})[PEOPLE]
    assert found.values is not None and found.values.to_pylist() == [{"home": RIGHT}]


def test_nothing_at_all_is_no_wrong_copy(inventory: Inventory) -> None:
    right_already = [person("1", NEXT_DOOR), person("2", None)]
    assert planned(inventory, ADDRESS, people=right_already) == planned(inventory, ADDRESS) == {}
