"""Law as data: the closed lists are whole, dated, and nothing outside them can be cited or printed."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import get_args

import pytest

from dsr import law, request
from dsr.errors import BadInput
from dsr.law.shown import shown
from flows.cli import main

CLOSED = """
APPI-16-4-AUTH APPI-16-4-R5-1 APPI-16-4-R5-2 APPI-16-4-R5-3 APPI-16-4-R5-4
APPI-33-5-R11-1 APPI-33-5-R11-2 APPI-33-5-R11-3 APPI-33-5-R11-4
APPI-2-DECEASED APPI-2-CORPORATE APPI-2-UNLINKED APPI-16-NOTDB APPI-41-9 APPI-45 APPI-33-1-OTHER
APPI-32-2-1 APPI-32-2-2-A APPI-32-2-2-B APPI-32-2-2-C APPI-33-2-1-SELF APPI-33-2-1-THIRD APPI-33-2-2
APPI-33-2-3 TBA-4-1 TBA-30-4-1 EBA-23-1-1 APPI-33-4 APPI-33-5-NOREC
APPI-34-1-TRUE APPI-34-1-OPINION APPI-34-2-PURPOSE APPI-34-2-OTHERLAW
APPI-35-1-NONE APPI-35-3-NONE APPI-35-5-NEEDED APPI-35-5-NOLEAK APPI-35-5-NOHARM W-A W-I W-U W-E W-O
APPI-37-1-FORM APPI-37-1-ID APPI-37-1-AGENT APPI-37-1-FEE APPI-37-2-UNSPEC DUPLICATE WITHDRAWN
"""
ARTICLE = re.compile(r"第?\s*[0-9０-９一二三四五六七八九十百]+\s*[条項号]|[Aa]rt(icle|\.)")


def rows(table: dict[str, tuple[law.Row, ...]]) -> list[law.Row]:
    return [row for versions in table.values() for row in versions]


def test_the_lists_are_those_of_the_request_and_of_the_closed_vocabulary():
    assert set(law.RIGHTS) == set(get_args(request.Right))
    assert set(law.OUTCOMES) == set(get_args(request.Outcome))
    assert sorted(law.GROUNDS) == sorted(CLOSED.split())


@pytest.mark.parametrize(("right", "basis", "fee", "presuit"), [
    ("disclosure", "個人情報の保護に関する法律第33条第1項", "may", True),
    ("record_disclosure", "個人情報の保護に関する法律第33条第5項", "may", True),
    ("purpose_notice", "個人情報の保護に関する法律第32条第2項", "may", False),
    ("correction", "個人情報の保護に関する法律第34条第1項", "never", True),
    ("erasure", "個人情報の保護に関する法律第35条第1項又は第5項", "never", True),
    ("optout_provision_stop", "個人情報の保護に関する法律第27条第2項", "never", False),
])
def test_a_right_knows_its_article_its_fee_and_its_clock(right: str, basis: str, fee: str, presuit: bool):
    row = law.right(right)
    assert (row.basis, row.fee, row.presuit) == (basis, fee, presuit)


def test_only_three_rights_may_be_charged_for():
    charged = {right for right in law.RIGHTS if law.right(right).may_charge}
    assert charged == {"purpose_notice", "disclosure", "record_disclosure"}


def test_every_ground_a_right_asks_for_is_a_claim_and_every_right_of_a_ground_exists():
    assert all(law.claim(claim).label for right in law.RIGHTS for claim in law.right(right).ground_needed)
    named = {right for row in rows(law._GROUNDS) for right in row.rights}  # type: ignore[attr-defined]
    assert named <= set(law.RIGHTS)


def test_a_ground_is_printed_with_citation_and_both_reasons_or_not_at_all():
    for row in rows(law._GROUNDS):
        assert isinstance(row, law.Ground)
        if row.printed:
            assert row.citation and row.ja and row.en, row.id
        else:
            assert (row.citation, row.ja, row.en) == ("", "", ""), row.id
            with pytest.raises(BadInput, match="never printed"):
                row.reason()
    unprinted = {row.id for row in rows(law._GROUNDS) if not row.printed}  # type: ignore[attr-defined]
    assert unprinted == {ground for ground in CLOSED.split() if "-R5-" in ground or "-R11-" in ground}


def test_no_template_holds_a_typed_article_number():
    """V-6: an amendment that renumbers the Act changes rows of citations and no sentence."""
    sentences = [text for row in rows(law._GROUNDS) for text in (row.ja, row.en)]  # type: ignore[attr-defined]
    sentences += [row.legend for row in rows(law._MARKS)]  # type: ignore[attr-defined]
    sentences += [text for row in law._WORDINGS_FILE["wording"].values() for text in row.values()]
    sentences += [text for row in rows(law._DEFECTS) for text in (row.ja, row.en)]  # type: ignore[attr-defined]
    assert not [text for text in sentences if ARTICLE.search(text)]
    assert ARTICLE.search("法第33条第2項により") and ARTICLE.search("under Article 33")


def test_two_grounds_together_cite_both_and_limit_the_right_to_both():
    both = law.ground("APPI-33-2-3+TBA-4-1")
    assert both.citation == "個人情報の保護に関する法律第33条第2項第3号及び電気通信事業法第4条第1項"
    assert both.reason() == "開示することにより、他の法令に違反することとなるためです。通信の秘密に当たる情報です。"
    assert both.item == 3 and both.allows("disclosure") and not both.allows("erasure")
    assert law.ground("APPI-33-2-3+TBA-30-4-1").status == "verify"
    weighed = law.ground("APPI-35-5-NOHARM+W-O")
    assert weighed.citation.endswith("（通則編）3-8-5-1（※5）オ") and weighed.allows("erasure")


@pytest.mark.parametrize(("ground", "names"), [
    ("APPI-99", "APPI-99"), ("", "no ground"), ("APPI-33-2-3", "other law"), ("TBA-4-1", "APPI-33-2-3"),
    ("W-O", "APPI-35-5-NOHARM"), ("APPI-33-2-2+TBA-4-1", "TBA-4-1"), ("APPI-33-2-3+NONSENSE", "NONSENSE"),
    ("APPI-33-2-3+TBA-4-1+W-O", "W-O"), ("G-3", "G-3"),
])
def test_a_ground_outside_the_closed_list_is_refused_by_name(ground: str, names: str):
    with pytest.raises(BadInput, match=re.escape(names)):
        law.ground(ground)


def test_a_combination_with_a_ground_that_is_never_printed_prints_nothing():
    mixed = law.ground("APPI-16-4-AUTH+APPI-16-4-R5-4")
    assert (mixed.printed, mixed.citation, mixed.ja) == (False, "", "")


@pytest.mark.parametrize("look", [law.right, law.claim, law.ground, law.outcome, law.mark, law.proof_document,
                                  law.wording, law.status_label, law.defect_words])
def test_an_unknown_id_is_bad_input_that_names_it(look):  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match="nonesuch"):
        look("nonesuch")


def test_the_law_in_force_is_that_of_the_day():
    assert law.version_on(date(2022, 4, 1)).id == "appi_r3"
    assert law.version_on(date(2029, 1, 1)).id == "appi_r3", "without a day it cannot have come into force"
    with pytest.raises(BadInput, match="2022-04-01"):
        law.version_on(date(2022, 3, 31))


def test_a_law_without_a_day_cannot_be_chosen():
    stored = law.VERSIONS["appi_2026"]
    assert (stored.status, stored.valid_from) == ("enacted_not_in_force", None)
    with pytest.raises(BadInput, match="appi_2026 is not in force"):
        law.right("erasure", stored)


def test_the_day_before_and_the_day_a_new_law_starts_have_their_own_rows(monkeypatch: pytest.MonkeyPatch):
    """EN-45: two sets of procedural rules; a row the new law does not touch stands in both."""
    old, new = law.VERSIONS["appi_r3"], law.VERSIONS["appi_2026"].model_copy(update={"valid_from": date(2028, 4, 1)})
    monkeypatch.setitem(law.VERSIONS, "appi_2026", new)
    erasure = law.right("erasure")
    changed = erasure.model_copy(update={"law_version": "appi_2026", "ground_needed": ()})
    monkeypatch.setitem(law._RIGHTS, "erasure", (erasure, changed))
    before, after = law.version_on(date(2028, 3, 31)), law.version_on(date(2028, 4, 1))
    told = [shown(date(2028, 3, 31)), shown(date(2028, 4, 1))]
    assert [one["version"]["id"] for one in told] == ["appi_r3", "appi_2026"]
    assert [one["rights"]["erasure"]["ground_needed"] for one in told] == [list(erasure.ground_needed), []]
    assert told[0]["retention"] == told[1]["retention"], "V-2: by the day of the act, not by the version"
    assert [len(one["not_in_force"]) for one in told] == [1, 0]
    assert (before, after) == (old, new)
    assert law.right("erasure", before).ground_needed and not law.right("erasure", after).ground_needed
    assert law.right("disclosure", before) == law.right("disclosure", after)
    assert law.right("erasure") == erasure, "without a day the version in force answers, not the newest"


def test_the_law_of_a_day_is_told_whole_with_what_waits_for_counsel(capsys: pytest.CaptureFixture[str]):
    """``dsr law show``: V-4 and V-5 stand there as what they are, enacted and not in force."""
    assert main(["law", "show", "--on", "2026-11-22", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] | {"id": "appi_r3", "status": "in_force", "valid_from": "2022-04-01"} == told["version"]
    for part, names in (("rights", law.RIGHTS), ("grounds", law.GROUNDS), ("outcomes", law.OUTCOMES),
                        ("retention", law.RETENTIONS)):  # fmt: skip
        assert set(told[part]) == set(names)
    assert told["grounds"]["APPI-32-2-1"]["citation"].endswith("第32条第2項第1号")
    assert told["grounds"]["APPI-16-4-R5-4"]["citation"] == "", "never printed, here neither"
    assert told["retention"]["TAX59-7Y"]["label"].startswith("法人税法施行規則第59条")
    assert {"rights.foreign_measures", "grounds.TBA-30-4-1", "retention.CDR-MAX"} <= set(told["verify"])
    assert not {"rights.disclosure", "retention.TAX59-7Y"} & set(told["verify"])
    (later,) = told["not_in_force"]
    assert (later["status"], later["valid_from"], later["mark"]) == ("enacted_not_in_force", None, "verify")
    assert (later["passed_on"], later["promulgated_on"]) == ("2026-07-10", "2026-07-17")
    assert [change.partition(":")[0] for change in later["changes"]] == [
        "under_16", "face_features", "contactable_person_related_information", "surcharge"]  # fmt: skip
    for day in ("2022-03-31", "tomorrow"):
        assert main(["law", "show", "--on", day]) == 2


def test_absence_and_neutral_are_the_same_bytes():
    for lang in ("ja", "en"):
        assert law.wording("absence", lang) == law.wording("neutral", lang)  # type: ignore[arg-type]
    assert law.wording("absence") == "ご請求の範囲について、開示の対象となる保有個人データはありませんでした。"
    assert law.outcome("existence_neutral").outward == "not_held"


def test_a_wording_is_filled_whole_or_not_at_all():
    assert law.wording("not_ours", desk="九州配電 窓口") == (
        "当該データについて当社は開示等を行う権限を有していません。九州配電 窓口へお問い合わせください。")
    for fields in ({}, {"desk": ""}, {"desk": "a", "date": "b"}):
        with pytest.raises(BadInput, match=r"wording\.not_ours\."):
            law.wording("not_ours", **fields)
    with pytest.raises(BadInput, match="lang"):
        law.wording("absence", "fr")  # type: ignore[arg-type]
    assert law.wording("erased", date="{desk}") == "当該データは{desk}に消去済みです。", "a value is never a template"


def test_both_languages_of_a_wording_ask_for_the_same_fields():
    fields = re.compile(r"\{(\w+)\}")
    for key in law.WORDINGS:
        row = law._WORDINGS_FILE["wording"][key]
        if "same_as" not in row:
            assert set(fields.findall(row["ja"])) == set(fields.findall(row["en"])), key


def test_every_status_has_a_label_and_its_reasons_words():
    assert " ".join(law.STATUSES) == "found none_found withheld not_ours not_asked unreachable under_review"
    assert law.status_label("not_asked", "scope_limited") == "調査せず（ご請求の範囲外）"
    assert law.status_label("unreachable", "truncated", "en") == "not reached (the answer broke off)"
    assert law.reason_label("none_found", "no_identifier", "en") == "no identifier leads here"
    for status, reason in (("unreachable", "scope_limited"), ("found", "drift")):
        with pytest.raises(BadInput, match=reason):
            law.status_label(status, reason)


def test_unreachable_is_never_worded_as_absence():
    texts = [law.wording("unreachable", system_label="x", date="y"), law.status_label("unreachable", "no_answer")]
    assert not [text for text in texts if "ありません" in text or "該当なし" in text]


@pytest.mark.parametrize(("outcome", "reason", "may"), [
    ("full", None, True), ("kept_until", None, False), ("under_review", None, False),
    ("unreachable", "no_answer", False), ("not_asked", None, False),
    ("not_asked", "scope_limited", True), ("not_asked", "no_identifier", True),
    ("not_asked", "out_of_scope", True), ("not_asked", "paused", False), ("not_asked", "drift", False),
])
def test_a_case_closes_only_over_final_items(outcome: str, reason: str | None, may: bool):
    assert law.closes(outcome, reason) is may


def test_marks_are_shown_as_documents_say():
    assert " ".join(law.MARKS) == "last4 withheld_number account_tail card_tail person_other struck under_review"
    assert law.mark("struck").shown_for(law.ground("APPI-33-2-1-THIRD")) == "■■■（不開示・1号）"
    assert law.mark("struck").shown_for(law.ground("APPI-33-1-OTHER")) == "■■■（不開示）"
    assert law.mark("person_other").shown == "■■■（第三者に関する情報）"
    cited = law.ground("APPI-33-2-3+TBA-4-1").citation
    assert law.mark("withheld_number").line(cited).endswith(f"（{cited}）")


def test_rows_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        law.right("disclosure").fee = "never"  # type: ignore[misc]
