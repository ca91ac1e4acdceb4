"""Corrections: every copy found and changed or ordered, vouchers only annotated, neighbours as they were, letter old → new."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dsr import law
from dsr.engine import collecting, ordering, remembering
from flows.home import engine_office
from tests.differ import TABLES, difference, held
from tests.erasing import Erasure
from tests.story import Office, closing_store, rows_of
from tests.test_erasure_luck import letter_of, text_of

RIGHT, WRONG = "福岡県ひがし市泉町2-2-12", "福岡県みなと市北町6-1-3"
UNTRUE = {"datasets": {}, "investigated": {"how": "住民票により確認", "result": "untrue"}}


def stories(office: Office, person: str) -> Any:
    return office.truth["people"][person]["wrong"]


def previewed(erasure: Erasure) -> Any:
    """What the approver reads, and that the words say it too."""
    out = erasure.folder / f"preview{len(list(erasure.folder.glob('preview*')))}"
    erasure.office.ok("preview", erasure.case, "--out", str(out))
    told = json.loads((out / "plan.json").read_text())
    text = (out / "plan.txt").read_text()
    assert all(value in text for value in (WRONG, told["correction"]["asked"], told["correction"]["decided"], told["code"]))
    return told


def azumas(erasure: Erasure, out: Path) -> str:
    """What the joint user is told in its order."""
    erasure.office.ok("order", erasure.case, "azuma", "--out", str(out))
    [keys] = out.glob("*.csv")
    return keys.read_text("utf-8-sig")


def test_anzus_address_is_mended_in_every_copy_and_the_joint_user_is_told(
    own_office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = Erasure(own_office, "anzu", tmp_path, "correction")
    items = erasure.proposed()
    wrong = {name: set(numbers) for name, numbers in stories(own_office, "anzu").items()}
    told = {name for name, item in items.items() if item["parts"]}
    assert told == set(wrong) != set()
    status, _, said = own_office.run("decide", erasure.case, "--as-proposed")
    assert (status, "investigated" in said) == (2, True)
    erasure.decided({"datasets": {}, "investigated": {**UNTRUE["investigated"], "value": "福岡県ひがし市泉町2-2-13"}})
    seen, refused = previewed(erasure), "番地が住民票と違います"
    assert (seen["correction"]["asked"], seen["correction"]["decided"]) == (RIGHT, "福岡県ひがし市泉町2-2-13")
    assert own_office.run("approve", erasure.case, "--refuse", " ", officer="shonin-1")[0] == 2
    assert own_office.ok("approve", erasure.case, "--refuse", refused, officer="shonin-1")["state"] == "review"
    assert own_office.ok("review", erasure.case)["refused"] == {"by": "shonin-1", "reason": refused}
    assert refused not in str(erasure.show())
    own_office.ok("collect", erasure.case)
    erasure.decided(UNTRUE)
    again = previewed(erasure)
    assert (again["correction"]["decided"], again["code"] == seen["code"]) == (RIGHT, False)
    changes = again["correction"]["changes"]
    assert {(c["dataset"], c["new"]) for c in changes} == {(name, RIGHT) for name in wrong}
    assert WRONG in {c["old"] for c in changes}
    own_office.ok("approve", erasure.case, "--code", again["code"], officer="shonin-1")
    before = held(own_office.sample)
    shutil.copy(own_office.sample / "company.db", tmp_path / "backup.db")
    with monkeypatch.context() as patch:
        patch.setattr(ordering, "identifiers", lambda _hold, _partner: [])
        status, _, said = erasure.run()
        assert (status, "collection" in said, "customer_no" in said) == (1, True, True), "nobody could tell it whose"
        assert held(own_office.sample) == before
    status, _, said = own_office.run("fulfil", erasure.case, "--live", "DSR-2026-999999")
    assert (status, "--live DSR-2026-999999: is none of" in said or "今回" in said) == (1, True)
    assert (status := erasure.run())[0] == 0
    assert all(f"dsr answer {erasure.case} {to} --file" in status[2] for to in ("azuma", "customer_master"))
    assert [o["to"] for o in erasure.show()["orders"] if o["kind"] != "owner"] == ["azuma", *PROCESSORS]
    assert sorted(again["partners"]) == ["azuma", *PROCESSORS], "the preview named them"
    for processor in PROCESSORS:
        assert erasure.answer(processor, done(processor))[0] == 0
    [told] = azumas(erasure, tmp_path / "azuma").splitlines()[1:]
    assert told.startswith('"customer_no","C') and told.endswith(f'"{WRONG}","{RIGHT}"')
    [owner] = [o for o in erasure.show()["orders"] if o["kind"] == "owner"]
    more = {"found": owner["records"] + 1, "done": owner["records"]}
    too_many = {"done_on": "2026-11-22", "done_by": "x", "datasets": {owner["dataset"]: more}}
    status, _, said = erasure.answer("customer_master", too_many)
    assert (status, "datasets.customer_master.customers.found" in said) == (2, True), "more than was ordered"
    mistaken = {**done("call_centre"), "corrects": "前の回答は別の案件のもの"}
    mistaken["datasets"]["call_centre"]["done"] = 0
    assert erasure.answer("call_centre", done("call_centre"))[0] == 2, "answered already"
    assert erasure.answer("call_centre", mistaken)[0] == 0
    assert {o["to"]: o["done"] for o in erasure.show()["orders"]}["call_centre"] == 0
    erasure.answer_order(owner)  # says done, and did nothing
    assert (erasure.run()[0], erasure.state) == (1, "residual")
    assert erasure.run()[0] == 0  # looked at again, and ordered again of its owner alone
    numbers = [o["order"].removeprefix(f"{erasure.case}-") for o in erasure.show()["orders"]]
    told_once = [f"2-partner.{partner}" for partner in ("azuma", *PROCESSORS)]
    assert numbers == ["2-customer_master.customers", *told_once, "2r2-customer_master.customers"]
    assert [told] == azumas(erasure, tmp_path / "azuma again").splitlines()[1:], "what is known of her is still known"
    [script] = erasure.scripts("customer_master")
    said = {"done_on": "2026-11-22", "done_by": "x", "datasets": {"customer_master.customers": {"found": 1, "done": 0}}}
    assert erasure.answer("customer_master", said)[0] == 0  # honest: not done
    assert (erasure.run()[0], erasure.state) == (1, "residual")
    erasure.run_script(script)  # done after all, and nobody is asked a third time
    assert erasure.run()[0] == 0
    assert [o["order"].removeprefix(f"{erasure.case}-") for o in erasure.show()["orders"]] == numbers
    assert erasure.state == "dispatching", str(erasure.show()["findings"])
    found = difference(before, held(own_office.sample))
    assert (found.changed, found.gone, found.new) == (wrong, {}, {})
    letter = letter_of(erasure).replace("\n", "")
    assert letter.count("あずま通信株式会社") == 1
    assert answers_told(letter) == (1, 3), "one of four has not answered (EN-38)"
    assert {d["kind"] for d in erasure.show()["documents"]} == {"receipt_slip", "correction_notice"}, "nothing is certified"
    assert "訂正等通知書" in letter
    assert "福岡県みなと市北町6-1-3" in letter
    assert "福岡県ひがし市泉町2-2-12" in letter
    _restored_and_set_again(own_office, tmp_path / "backup.db", {n: r for n, r in wrong.items() if n in TOLD}, erasure)
    assert erasure.dispatched() == "kept"
    assert own_office.ok("watch", officer="gijutsu-1")["failed"] == {} and erasure.state == "kept", "silence is no answer"
    own_office.now = "2026-11-25T09:00+09:00"
    nobody: dict[str, Any] = {**done("azuma"), "datasets": {"azuma": {"found": 0, "done": 0}}}
    assert erasure.answer("azuma", nobody)[0] == 0
    [waits] = [order for order in erasure.show()["orders"] if order["to"] == "azuma"]
    assert (waits["answered_on"], waits["mismatch"]) == (None, "2026-11-25"), "whom we handed over they must know (EN-46)"
    status, _, words = erasure.answer("azuma", nobody)
    assert (status, "azuma.note" in words) == (2, True)
    assert erasure.answer("azuma", done("azuma"))[0] == 0
    assert own_office.ok("watch", officer="gijutsu-1")["failed"] == {} and erasure.state == "dispatching"
    assert answers_told(letter_of(erasure)) == (0, 4)
    assert erasure.dispatched() == "closed"


PROCESSORS = ("call_centre", "collection", "field_work")


def answers_told(letter: str) -> tuple[int, int]:
    """Of those who were told: how many are waited for, and how many were done today."""
    plain = letter.replace("\n", "").replace(" ", "")
    return plain.count("回答待ち―"), plain.count("確認済み令和8年11月22日")


def done(partner: str) -> Any:
    return {"done_on": "2026-11-22", "done_by": "担当", "datasets": {partner: {"found": 1, "done": 1}}}


TOLD = {dataset for dataset, _ in TABLES.values()}


def _restored_and_set_again(office: Office, backup: Path, wrong: dict[str, set[str]], erasure: Erasure) -> None:
    """EN-03 of a correction: what a backup undid is set again or told to the owner; what moved on since is not."""
    mended = held(office.sample)
    assert office.ok("replay", officer="gijutsu-1")["came_back"] == []
    shutil.copy(backup, office.sample / "company.db")
    assert difference(mended, held(office.sample)).changed == wrong
    status, told, _ = office.run("replay", officer="gijutsu-1")
    assert (status, told["resurrected"]) == (1, sum(map(len, wrong.values()))), told
    owners = {entry["dataset"] for entry in told["came_back"] if entry["state"] == "ask_the_owner"}
    assert owners == {o["dataset"] for o in erasure.show()["orders"] if o["kind"] == "owner"} & set(wrong)
    left = difference(mended, held(office.sample))
    assert (left.changed, left.gone, left.new) == ({name: wrong[name] for name in owners}, {}, {})
    for order in erasure.show()["orders"]:  # ordered anew: owed until a replay finds it as it was set
        if order["answered_on"] is None and order["kind"] == "owner":
            for script in erasure.scripts(order["to"]):
                erasure.run_script(script)
            erasure.answer_order(order)
    assert office.ok("replay", officer="gijutsu-1")["came_back"] == []
    assert difference(mended, held(office.sample)) == difference(mended, mended)


NOTES = """
[system.billing.dataset.notes]
label = "請求書の追記"
row = 6
key = ["note_no"]
by = "billing_no"
locate = "SELECT note_no FROM invoice_notes WHERE billing_no = :billing_no"
fetch = "SELECT * FROM invoice_notes WHERE note_no IN :keys"
[system.billing.dataset.notes.fields]
note_no = {label = "追記番号", kind = "record_no"}
billing_no = {label = "請求番号", kind = "billing_no"}
invoice_no = {label = "請求書番号", kind = "invoice_no"}
"""


def changed(office: Office, *statements: tuple[str, tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(office.sample / "company.db")) as base, base:
        for statement, values in statements:
            assert base.execute(statement, values).rowcount in (1, -1)


def test_a_voucher_overwritten_is_a_residue_and_its_note_is_looked_for(own_office: Office, tmp_path: Path) -> None:
    """EN-58: an owner who overwrote the invoice, or wrote no note, is not believed; the letter tells old and new."""
    inventory = own_office.sample / "inventory.toml"
    text = inventory.read_text()
    head, invoices = text.split("[system.billing.dataset.invoices]\n")
    declared = invoices.replace("voucher = true\n", 'voucher = true\nnotes = "notes"\n', 1)
    inventory.write_text(f"{head}[system.billing.dataset.invoices]\n{declared}{NOTES}")
    changed(own_office, ("CREATE TABLE invoice_notes (note_no TEXT PRIMARY KEY, billing_no TEXT, invoice_no TEXT)", ()))
    erasure = Erasure(own_office, "jin", tmp_path, "correction")
    erasure.proposed()
    erasure.decided(UNTRUE)
    if erasure.state == "awaiting_approval":
        own_office.ok("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    assert erasure.run()[0] == 0
    orders = {o["dataset"]: o for o in erasure.show()["orders"] if o["kind"] == "owner"}
    order = orders.pop("billing.invoices")
    for other in orders.values():
        erasure.answer_order(other)
    out = tmp_path / "order"
    own_office.ok("order", erasure.case, "billing", "--out", str(out))
    [keys], [form], [signed] = (list(out.glob(f"*{end}")) for end in (".csv", "answer.json", "order.json"))
    [head, line] = list(csv.reader(keys.read_text("utf-8-sig").splitlines()))
    number, old, new = line
    assert head == ["invoice_no", "old:amount_yen", "set:amount_yen"] and old != new
    assert json.loads(form.read_text())["datasets"]["billing.invoices"]["issued"] == {number: ""}
    assert json.loads(signed.read_text())["measure"] == "annotate"
    assert "再発行" in text_of(next(out.glob("*.pdf"))).replace("\n", "")
    update = "UPDATE invoices SET amount_yen = ? WHERE invoice_no = ?"
    of_another = {"billing.invoices": {"found": 1, "done": 1, "issued": {"x": "N-1"}}}
    assert erasure.answer("billing", {"done_on": "2026-11-22", "done_by": "x", "datasets": of_another})[0] == 2
    changed(own_office, (update, (new, number)))
    erasure.answer_order(order)
    assert (erasure.run()[0], erasure.state) == (1, "residual")
    assert why_of(erasure) == {"digest", "not_noted", "overwritten"}
    changed(own_office, (update, (old, number)))
    assert (erasure.run()[0], erasure.state) == (1, "residual")
    assert why_of(erasure) == {"not_noted"}
    changed(own_office, ("INSERT INTO invoice_notes VALUES (?, NULL, ?)", (f"{number}-2", "another")))
    assert (erasure.run()[0], erasure.state) == (1, "residual"), "a note that names no voucher of hers"
    changed(own_office, ("UPDATE invoice_notes SET invoice_no = ? WHERE note_no = ?", (number, f"{number}-2")))
    assert (erasure.run()[0], erasure.state) == (0, "dispatching")
    letter = letter_of(erasure).replace("\n", "").replace(" ", "")
    assert f"{number}追記{number}-2" in letter, "of which no owner's word alone is told"
    assert f"請求額(円){old}{new}" in letter


def why_of(erasure: Erasure) -> set[str]:
    return set([f for f in erasure.show()["findings"] if f["dataset"] == "billing.invoices"][-1]["said"]["why"])


def test_a_wrong_bill_is_annotated_and_never_changed(own_office: Office, tmp_path: Path) -> None:
    """Jin (EN-58): the invoice and its history are byte-equal before and after; its owner adds a note."""
    erasure = Erasure(own_office, "jin", tmp_path, "correction")
    before = held(own_office.sample)
    items = erasure.proposed()
    told = {name: item["parts"][0] for name, item in items.items() if item["parts"]}
    assert {name: part["records"] for name, part in told.items()} == {n: len(r) for n, r in stories(own_office, "jin").items()}
    assert {part["measure"] for part in told.values()} == {"annotate"}
    erasure.decided(UNTRUE)
    if erasure.state == "awaiting_approval":
        own_office.ok("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    assert erasure.run()[0] == 0
    assert {tuple(o["acts"]) for o in erasure.show()["orders"] if o["kind"] == "owner"} == {("annotate",)}
    erasure.carried_out()
    assert difference(before, held(own_office.sample)) == difference(before, before)
    assert erasure.state == "dispatching", str(erasure.show()["findings"])
    found = {(f["dataset"], f["verdict"], f["level"]) for f in erasure.show()["findings"]}
    assert found == {(name, "verified", None) for name in told}
    assert "所管部署の報告" in letter_of(erasure).replace("\n", ""), "nobody said where notes are: only the owner saw it"


@pytest.mark.parametrize(("result", "outcome"), [("true", "correction_declined"), ("opinion", "correction_declined")])
def test_what_was_found_true_is_not_corrected_and_the_letter_says_what_was_looked_into(
    own_office: Office, tmp_path: Path, result: str, outcome: str
) -> None:
    erasure = Erasure(own_office, "anzu", tmp_path, "correction")
    erasure.proposed()
    before = held(own_office.sample)
    erasure.decided({"datasets": {}, "investigated": {"how": "住民票により確認", "result": result}})
    own_office.ok("preview", erasure.case, "--out", str(tmp_path / "preview"))
    told = json.loads((tmp_path / "preview/plan.json").read_text())
    assert (told["correction"]["decided"], told["partners"]) == (None, []), "nothing is to become otherwise"
    numbers = {line.split('"')[1] for line in (tmp_path / "preview/records.csv").read_text().splitlines()[1:]}
    assert numbers == {f"{name}/{no}" for name, nos in stories(own_office, "anzu").items() for no in nos}
    if erasure.state == "awaiting_approval":
        own_office.ok("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    assert {item["outcome"] for item in erasure.show()["items"].values() if item["parts"]} == {outcome}
    erasure.carried_out()
    assert held(own_office.sample) == before
    letter = letter_of(erasure).replace("\n", "")
    assert "訂正等を行わない旨の通知書" in letter
    assert "user.address" not in letter and "「text」" not in letter
    assert "住民票により確認" in letter


REMARKS = "inquiry_records.inquiries"
HER_WORDS = "高橋 健太様が取り次いだ電話で、私は終始落ち着いて話しました。"
"""They name who called for her, whose name her record hides."""
STATED = f"（令和8年11月22日受付）{HER_WORDS}\n訂正を求めます。"


def test_a_statement_of_dispute_stands_beside_its_record_and_nowhere_else(own_office: Office, tmp_path: Path) -> None:
    """Shizu (EC-23): an opinion is not corrected; what she says of it is shown to her with the record, while it is held,
    and never to Kenta, whose call it was and who sees the same record."""
    [remark] = stories(own_office, "shizu")[REMARKS]
    people = own_office.truth["people"]
    with closing(sqlite3.connect(own_office.sample / "company.db")) as base, base:
        changed = base.execute("UPDATE inquiries SET caller_name = '高橋 健太', caller_phone = '092-000-1002' "
                               "WHERE inquiry_no = ?", (remark,)).rowcount  # fmt: skip
    assert changed == 1
    people["kenta"]["identity"] = {f"{REMARKS}/{remark}": "same"}
    people["kenta"]["spans"].setdefault(REMARKS, {})[remark] = {"strike": [], "release": True}
    refusal = Erasure(own_office, "shizu", tmp_path, "correction")
    said = {"received_on": "2026-11-22", "text": [HER_WORDS, "訂正を求めます。"]}
    assert set(refusal.proposed()[REMARKS]["parts"][0]["fields"]) == {"note"}
    assert refusal.answer("statement", said)[0] == 1, "nothing is declined yet"
    refusal.decided({"datasets": {}, "investigated": {"how": "応対した者に確認", "result": "opinion"}})
    if refusal.state == "awaiting_approval":
        own_office.ok("approve", refusal.case, "--code", refusal.code(), officer="shonin-1")
    refusal.carried_out()
    item = refusal.show()["items"][REMARKS]
    assert (item["outcome"], item["ground"]) == ("correction_declined", "APPI-34-1-OPINION")
    assert "書面をお送りいただければ" in letter_of(refusal).replace("\n", "")
    assert refusal.dispatched() == "closed"
    for wrong in ({"received_on": "2026-11-23"}, {"text": []}, {"text": " "}, {"record": "x"}):
        assert refusal.answer("statement", {**said, **wrong})[0] == 2
    assert refusal.answer("statement", said)[0] == 0
    assert refusal.show()["statements"] == 1
    exported = own_office.home / "trail.json"
    own_office.ok("trail", "export", refusal.case, "--out", str(exported), officer="kansa-1")
    assert "statement:1" in exported.read_text() and not {HER_WORDS, remark} & set(exported.read_text().split('"'))

    case, hers = _disclosed(own_office, "shizu", tmp_path / "hers")
    row = rows_of(hers, REMARKS)[remark]
    assert (row["申立書（ご本人の主張）"], row["お電話の方"]) == (STATED, law.mark("person_other").shown)
    [data] = json.loads((hers / "data" / f"{REMARKS}.json").read_text())["rows"]
    assert data["_statement"] == STATED
    told = {d["dataset"]: d.get("statements") for d in json.loads((hers / "manifest.json").read_text())["datasets"]}
    assert (told[REMARKS], told["customer_master.customers"]) == (1, 0)
    assert _says(hers / "disclosure.pdf", HER_WORDS) and _says(hers / "disclosure.pdf", "記録を保有する間")
    assert own_office.ok("show", case)["release"]["passed"]

    kentas, his = _disclosed(own_office, "kenta", tmp_path / "his")
    assert remark in rows_of(his, REMARKS)
    with closing(sqlite3.connect(own_office.sample / "company.db")) as base, base:
        assert base.execute("DELETE FROM inquiries WHERE inquiry_no = ?", (remark,)).rowcount == 1
    _, gone = own_office.data_of("shizu", tmp_path)
    assert rows_of(gone, "customer_master.customers")
    for package in (his, gone):
        files = [path for path in package.rglob("*") if path.is_file()]
        assert files and not [path for path in files if _says(path, HER_WORDS) or _says(path, "申立書")], package
    with closing_store(engine_office(own_office.home, own_office.now)) as office:
        assert remark in _remembered(office, case) and _remembered(office, kentas) == {}
        office.vault.destroy_key(refusal.case)  # as its file is ended
        assert _remembered(office, case) == {}


def _remembered(office: Any, case: str) -> Any:
    with office.hold(case) as hold:
        return remembering.statements(hold, collecting.current(hold), REMARKS)


def _disclosed(office: Office, person: str, folder: Path) -> tuple[str, Path]:
    """Of two systems, which is enough to see."""
    scope = {"systems": ["customer_master", "inquiry_records"], "from": None, "to": None}
    spans = office.truth["people"][person]["spans"]
    folder.mkdir()
    case = Erasure(office, person, folder, "disclosure", scope=scope).case
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(office.truth["people"][person], "spans", {name: spans[name] for name in spans if name == REMARKS})
        return office.packaged(person, folder, case)


def _says(path: Path, words: str) -> bool:
    text = text_of(path) if path.suffix == ".pdf" else path.read_text("utf-8-sig")
    return words.replace(" ", "") in "".join(text.split())


def test_offers_are_switched_off_and_the_neighbour_is_still_on_the_list(own_office: Office, tmp_path: Path) -> None:
    """Hanako objects to offers: the next extract does not hold her, and still holds Kenta (EN-37)."""

    def extract() -> set[str]:
        with closing(sqlite3.connect(own_office.sample / "company.db")) as base:
            return {row[0] for row in base.execute("SELECT customer_no FROM consents WHERE opted_in = 1 AND stopped = 0")}

    assert {"C0001234", "C0001235"} <= extract()
    before = held(own_office.sample)
    shutil.copy(own_office.sample / "company.db", tmp_path / "backup.db")
    erasure = Erasure(own_office, "hanako", tmp_path, "marketing_stop")
    erasure.proposed()
    own_office.ok("preview", erasure.case, "--out", str(tmp_path / "plan"))
    plan = (tmp_path / "plan" / "plan.txt").read_text()
    assert "：2件の利用を停止します" in plan and "計：2件の利用を停止します\n" in plan
    erasure.decided()
    if erasure.state == "awaiting_approval":
        own_office.ok("approve", erasure.case, "--code", erasure.code(), officer="shonin-1")
    erasure.carried_out()
    assert erasure.state == "dispatching", str(erasure.show()["findings"])
    kinds, letter = {d["kind"] for d in erasure.show()["documents"]}, letter_of(erasure).replace("\n", "")
    assert kinds == {"receipt_slip", "use_stop_notice"}, "the row stands there in full"
    assert law.wording("verified") in letter and law.wording("suppressed_stop") in letter and "上書き" not in letter
    assert "C0001234" not in extract()
    assert "C0001235" in extract()
    found = difference(before, held(own_office.sample))
    assert (set(found.changed), found.gone, found.new) == ({"marketing_consents.consents"}, {}, {})
    shutil.copy(tmp_path / "backup.db", own_office.sample / "company.db")
    assert "C0001234" in extract()
    _, told, _ = own_office.run("replay", officer="gijutsu-1")
    stopped = found.changed["marketing_consents.consents"]
    assert [(e["dataset"], e["act"], e["resurrected"], e["state"]) for e in told["came_back"]] == [
        ("marketing_consents.consents", "set", len(stopped), "done")
    ]
    assert difference(before, held(own_office.sample)) == found
    assert own_office.ok("replay", officer="gijutsu-1")["came_back"] == []
