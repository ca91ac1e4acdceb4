"""Letters on stop, erasure and correction, the certificate that refuses, and orders that touch no row but those named.

The text of every paper is kept in ``tests/stop_papers/``; ``python -m tests.test_stop_papers`` writes it anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import page
import psycopg
import pyarrow as pa
import pypdfium2  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dsr import law
from dsr.days import TOKYO, whole_days
from dsr.documents import content as c
from dsr.documents.archival import PROFILES
from dsr.documents.certificate import Certificate, Covered, Stays, draw_certificate
from dsr.documents.correction import (
    Change,
    Copy,
    Investigated,
    Voucher,
    correction_notice,
    correction_refusal,
)
from dsr.documents.letter import draw_letter
from dsr.documents.orders import Kind, order_letter
from dsr.documents.stop_notice import Fired, Stop, scheduled_erasure_done, stop_notice, withdrawal_confirmation
from dsr.errors import BadInput, CheckFailed, NotAllowed
from dsr.identity import Identifier
from dsr.inventory import Dataset, Partner
from dsr.plan import Finding, Plan
from dsr.request import OrderAnswer, read_order_answer
from dsr.work_order import Dialect, Order, csv_of, identifiers_csv, sign_order, sql_of, table_of, verify_order
from tests.connector_fixtures import Postgres

KEPT = Path(__file__).parent / "stop_papers"
DAY, DONE, LAST = date(2026, 11, 22), date(2026, 11, 20), date(2034, 5, 31)
NAME, ADDRESS = "髙橋 花子", "福岡県みなと市湊町2-3-4"
PARTY = c.Party("みなと通信電力株式会社", "〒810-0000 福岡県みなと市中央1-1-1", "代表取締役 湊 総一郎",
                "個人情報開示等受付窓口 (092-000-0100)", "お客様相談センター (092-000-0110)", "推進センター")
HEAD = c.Head("1284:3q2+7wX0l9sB1v5mEwQ0o2QJ8bX6kqk0s1YF2f7h1Yw=")
PLAN, LAW = "5f" * 32, "個人情報の保護に関する法律（令和4年4月1日施行）"


def frame(right: str = "erasure", language: c.Language = "ja") -> c.Frame:
    facts = (c.Fact("ご請求の受付日", "令和8年11月2日"), c.Fact("ご請求の種類", law.right(right).label))
    return c.Frame("DSR-2026-000012", right, DAY, PARTY, c.Recipient(NAME, f"〒810-0001\n{ADDRESS}"), NAME, LAW, facts,
                   HEAD, language, "み個情第2026-000012号")


ABSENT = Stop("電話帳", "not_held")
NEEDED = Stop("ご契約", "stop_declined", 4, ground="APPI-35-5-NEEDED", purposes=("P04 料金の計算および請求",),
              words="電話サービスのご契約が続いているためです。")
STOPS = [
    Stop("お客様情報", "erased", 1, DONE), Stop("ウェブ閲覧記録", "deidentified", 1_418, DONE),
    Stop("ご案内の名簿", "use_stopped", 1, date(2026, 11, 9)), Stop("共同利用", "provision_stopped", 1, DONE),
    Stop("請求書", "kept_until", 6, rule="TAX59-7Y", last_day=LAST, erase_on=date(2034, 6, 1), fields=("発行日", "請求額")),
    Stop("故障対応履歴", "kept_until", 2, rule="CIV166", last_day=date(2031, 3, 31), erase_on=date(2031, 4, 1)),
    Stop("番号案内", "alternative_measure", on=DONE, words="次の版から掲載しません。既に配布したものは回収できません。"),
    NEEDED,
    Stop("お支払い", "stop_declined", ground="APPI-35-5-NOHARM+W-O", words="10月分のお支払いの確認ができていません。"),
    ABSENT, Stop("他事業者のお客様の情報", "not_our_authority", desk="ご契約の電気通信事業者の窓口"),
]  # fmt: skip
TOLD = [c.Told("みなとコールサービス", "processor", DONE), c.Told("あずま通信", "joint")]
ORDER = Order("DSR-2026-000012-W03", "DSR-2026-000012", "billing", ("billing.invoices",), "erase", 6, date(2026, 12, 7),
              DAY, PLAN)
FILES = tuple(c.FileLine(f"{ORDER.order_no}.{kind}", digest * 32, 900)
              for kind, digest in (("sql", "ab"), ("json", "cd"), ("sig", "ef")))


STEPS = {"steps": [{"step": step} for step in (1, 2, 3, 4, 5)]}


def covered(number: int = 0, **more: Any) -> Covered:
    """A dataset wholly verified; ``more`` spoils it."""
    dataset = f"system.dataset_{number}"
    made = Covered(dataset, f"データ{number}", ("erased",), 3, 3, Finding(dataset, "verified", "L2", STEPS), DONE, "ab" * 32,
                   backups_by=date(2026, 12, 22))
    return replace(made, **more)


def certificate(*datasets: Covered, **more: Any) -> Certificate:
    told = more.get("covered", datasets or (covered(),))
    given: dict[str, Any] = {
        "planned": frozenset(one.dataset for one in told), "number": "DSR-2026-000012-C1", "case_no": "DSR-2026-000012", "issued_on": DAY, "party": PARTY,
        "law_version": LAW, "engine_version": "dsr 0.2.0", "approved": PLAN, "run": PLAN,
        "covered": told, "suppressed_on": date(2026, 11, 19), "position": 1283, "head": HEAD,
        "handler": "tanto-1", "approver": "shonin-1", "runners": ("gijutsu-1",),
    }  # fmt: skip
    return Certificate(**{**given, **more})


DBA = {"finding": Finding("system.dataset_1", "verified", "L1", STEPS), "store": "postgresql", "dba_by": date(2026, 12, 31)}
CERTIFICATE = certificate(
    covered(0), covered(1, **DBA), covered(2, absent=1, changed=2, receipt="DSR-2025-000003-C1"),
    covered(3, measures=("deidentified", "use_stopped")), covered(4, measures=("use_stopped",), backups_by=None),
    covered(5, finding=Finding("system.dataset_5", "verified", "L1", {"by": "person"})),
    kept=(Stays("請求書", "TAX59-7Y", LAST), Stays("元帳", "CO432-10Y", LAST, "not_locked"), Stays("通話履歴", state="held_back"),
          Stays("ご案内の名簿", state="stopped_before")),
    pending=("あずま通信",), limits=("paper", "replica_lag", "wal"),
)  # fmt: skip


def paper(order: Order = ORDER, kind: Kind = "work_order", **more: Any) -> c.Letter:
    to = c.Recipient("業務システム部", "", "御中")
    return order_letter(order, kind, PARTY, to, "請求・お支払い", ["請求書"], FILES, head=HEAD, **more)


LETTERS: dict[str, Callable[[c.Language], c.Letter]] = {
    "use_stop_notice": lambda lang: stop_notice(
        frame(language=lang), STOPS, TOLD, certificate_no="DSR-2026-000012-C1", terminate_at="お客様センター",
        backups_by=date(2026, 12, 22), file_until=date(2029, 11, 30)),
    "scheduled_erasure_done": lambda lang: scheduled_erasure_done(
        frame(language=lang), [Fired("請求書", "TAX59-7Y", date(2034, 6, 1), date(2034, 6, 1), 6)], promised_on=DAY,
        promised_in="み個情第2026-000012号", certificate_no="DSR-2026-000012-C2", file_until=date(2037, 6, 30)),
    "withdrawal_confirmation": lambda lang: withdrawal_confirmation(frame(language=lang), DONE, date(2026, 11, 26)),
    "correction_notice": lambda lang: correction_notice(
        frame("correction", lang),
        [Change("お客様情報", "お名前", "高橋 花子", NAME), Change("設置場所", "住所", "", ADDRESS)],
        [Copy("お客様情報", DONE), Copy("請求・お支払い")], TOLD,
        [Voucher("請求書", "INV-202610-0012", "reissued", "INV-202611-0099", DONE),
         Voucher("元帳", "L-0001", "annotated", "N-0007", DONE)]),
    "correction_refusal": lambda lang: correction_refusal(
        frame("correction", lang), "ご相談記録", "APPI-34-1-TRUE",
        [Investigated("3月10日のお電話の内容", "録音と応対記録の照合", "記録は録音と一致していました。")], statement_to="受付窓口"),
    "work_order": lambda _: paper(),
    "processor_instruction": lambda _: paper(kind="processor_instruction"),
    "joint_user_instruction": lambda _: paper(kind="joint_user_instruction"),
}  # fmt: skip


def drawn(name: str, language: c.Language = "ja") -> bytes:
    out = io.BytesIO()
    if name == "erasure_certificate":
        draw_certificate(replace(CERTIFICATE, language=language), out)
    else:
        draw_letter(LETTERS[name](language), out)
    return out.getvalue()


def pages(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [one.get_textpage().get_text_range().replace("\r\n", "\n") for one in document]
    finally:
        document.close()


def letter_text(letter: c.Letter) -> str:
    out = io.BytesIO()
    draw_letter(letter, out)
    return "\n".join(pages(out.getvalue()))


def flat(text: str) -> str:
    return text.replace("\n", "")


NAMES = [*LETTERS, "erasure_certificate"]


# -- every paper -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_every_paper_reads_as_it_was_approved(name: str) -> None:
    assert "\f\n".join(pages(drawn(name))) == (KEPT / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_every_paper_is_accessible_and_fit_for_the_archive(name: str, language: c.Language) -> None:
    pdf = drawn(name, language)
    for profile in PROFILES:
        report = page.validate_pdf_bytes(pdf, profile=profile, limits=page.SafetyLimits.unlimited())
        assert [(failure.rule_id, failure.message) for failure in report.failures] == []
    assert drawn(name, language) == pdf, "the same bytes again"


@pytest.mark.parametrize(("name", "gloss"), [
    ("use_stop_notice", "it will be erased on 1 June 2034 and you will be told"),
    ("correction_notice", "annotated or issued anew"), ("correction_refusal", "We investigated and found the content true"),
    ("scheduled_erasure_done", "notice of 22 November 2026"), ("withdrawal_confirmation", "taken back on 20 November 2026"),
    ("erasure_certificate", "no query returns it"),
])  # fmt: skip
def test_english_stands_beside_the_japanese_and_takes_none_away(name: str, gloss: str) -> None:
    plain, glossed = "".join(pages(drawn(name))), flat("".join(pages(drawn(name, "en"))))
    assert gloss.replace(" ", "") in glossed.replace(" ", "") and gloss not in plain
    title = c.words(LETTERS[name]("ja").title if name in LETTERS else c.Words("消去証明書", "Certificate of Erasure"))
    assert title.ja in plain and title.ja in glossed and title.en.replace(" ", "") in glossed.replace(" ", "")


def test_nothing_said_of_a_value_shows_a_person() -> None:
    for value in (frame(), Change("表", "名", NAME, NAME), LETTERS["correction_notice"]("ja"), replace(NEEDED, words=NAME)):
        assert NAME not in repr(value)


# -- the stop notice -------------------------------------------------------------------------------------------------
def test_what_must_not_be_known_is_printed_like_what_is_not_there() -> None:
    """DC-5, DC-9: the same letter to the byte, whatever the case knows inside."""
    secret = Stop("電話帳", "existence_neutral", 7, DONE, "APPI-16-4-R5-4", words="照会中のためです。")
    for others in ([], STOPS[:2], STOPS):
        hidden, empty = (io.BytesIO(), io.BytesIO())
        draw_letter(stop_notice(frame(), [*others, secret], TOLD), hidden)
        draw_letter(stop_notice(frame(), [*others, ABSENT], TOLD), empty)
        assert hidden.getvalue() == empty.getvalue()


@pytest.mark.parametrize(("stops", "opening"), [
    ([STOPS[0]], "stop_done"), ([STOPS[0], ABSENT], "stop_done"), (STOPS, "stop_partly"), ([STOPS[4]], "stop_other"), ([STOPS[4], NEEDED, ABSENT], "stop_other"),
    ([NEEDED], "stop_declined"), ([NEEDED, ABSENT], "stop_declined"), ([ABSENT], "stop_absence"), ([], "stop_absence"),
    ([ABSENT, STOPS[-1]], "stop_absence"),
])  # fmt: skip
def test_the_letter_opens_with_what_was_decided(stops: list[Stop], opening: str) -> None:
    assert stop_notice(frame(), stops).paragraphs == (c.Words(law.wording(opening), law.wording(opening, "en")),)


def test_what_stays_is_said_with_its_law_and_its_days_in_the_fixed_words() -> None:
    text = flat(letter_text(stop_notice(frame(), STOPS[4:6])))
    duty = law.wording("other_measure", law_label="法人税法施行規則第59条", last_day="令和16年5月31日",
                       erase_day="令和16年6月1日")
    assert duty in text and "保存するのは、発行日、請求額のみです。" in text
    assert "民法第166条ほかに定める期間、権利の行使又は防御のため" in text
    assert text.count("まで保存義務がある") == 1, "a claim is an interest, not a duty"


@pytest.mark.parametrize(("spoilt", "field"), [
    (Stop("表", "erased", 1), "stop.on"), (replace(STOPS[4], erase_on=None), "stop.erase_on"),
    (replace(STOPS[4], last_day=None), "stop.last_day"), (replace(STOPS[4], rule=""), "stop.rule"),
    (replace(STOPS[6], words=""), "stop.words"), (replace(NEEDED, ground=""), "stop.ground"),
    (replace(NEEDED, purposes=()), "stop.purposes"), (replace(NEEDED, ground="APPI-33-2-2"), "stop.ground"),
    (replace(NEEDED, ground="APPI-16-4-R5-1"), "stop.ground"), (Stop("表", "unreachable"), "stop.outcome"),
    (Stop("表", "under_review"), "stop.outcome"), (Stop("表", "banana"), "outcome"),
    (replace(STOPS[4], rule="TAX-99"), "retention"),
])  # fmt: skip
def test_a_letter_that_lacks_something_is_not_built(spoilt: Stop, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        stop_notice(frame(), [STOPS[0], spoilt])
    assert refused.value.field == field


def test_silence_of_a_partner_is_never_printed_as_success() -> None:
    waiting, done = (letter_text(stop_notice(frame(), STOPS[:1], [c.Told("あずま通信", "joint", on)])) for on in (None, DONE))
    assert "回答待ち" in waiting and "確認済み" not in waiting and "あらためてお知らせ" in flat(waiting)
    assert "確認済み" in done and "回答待ち" not in done


def test_no_letter_on_stop_or_correction_speaks_of_a_fee() -> None:
    """DC-8, F-1."""
    assert not [name for name in LETTERS if "手数料" in "".join(pages(drawn(name)))]


def test_a_withdrawal_names_what_was_already_done() -> None:
    done = flat(letter_text(withdrawal_confirmation(frame(), DONE, date(2026, 11, 26), STOPS[2:3])))
    assert "ご案内の名簿 利用停止 1件 令和8年11月9日" in done and "行った措置はありません" not in done
    assert "行った措置はありません" in "".join(pages(drawn("withdrawal_confirmation")))


def test_a_notice_of_completion_needs_something_completed() -> None:
    with pytest.raises(BadInput, match="fired"):
        scheduled_erasure_done(frame(), [], promised_on=DAY, promised_in="第1号", certificate_no="C2")


# -- correction ------------------------------------------------------------------------------------------------------
def test_a_correction_shows_old_and_new_and_both_numbers_of_a_voucher() -> None:
    text = "".join(pages(drawn("correction_notice")))
    order = ["高橋 花子", NAME, "（記録なし）", ADDRESS, "訂正済み", "手続中", "請求書 INV-202610-0012 再発行 INV-202611-0099",
             "元帳 L-0001 追記 N-0007", "書き換えず"]
    places = [text.rindex(part) if part == NAME else text.index(part, text.index("訂正等の内容")) for part in order]
    assert places == sorted(places)


def test_a_correction_that_changes_nothing_is_not_announced() -> None:
    with pytest.raises(BadInput, match="changes: is empty"):
        correction_notice(frame("correction"), [], [Copy("表", DONE)])
    with pytest.raises(BadInput, match=r"changes\.0\.new") as refused:
        correction_notice(frame("correction"), [Change("表", "名", NAME, NAME)], [])
    assert NAME not in str(refused.value)
    for new_number in ("", "INV-1"):
        with pytest.raises(BadInput, match=r"vouchers\.0\.new_number"):
            correction_notice(frame("correction"), [], [], vouchers=[Voucher("請求書", "INV-1", "annotated", new_number, DONE)])


@pytest.mark.parametrize(("ground", "right", "looked", "field"), [
    ("APPI-34-1-TRUE", "correction", 0, "investigated"), ("APPI-35-5-NEEDED", "correction", 1, "ground"),
    ("APPI-34-1-TRUE", "erasure", 1, "ground"), ("APPI-34-2-PURPOSE", "correction", 1, "purposes"),
    ("APPI-16-4-R5-1", "correction", 1, "ground"),
])  # fmt: skip
def test_a_refusal_of_correction_rests_on_an_investigation_and_a_ground(
    ground: str, right: str, looked: int, field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        correction_refusal(frame(right), "表", ground, [Investigated("何", "方法", "結果")] * looked)
    assert refused.value.field == field


# -- the certificate -------------------------------------------------------------------------------------------------
FOUND = "system.dataset_0"
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "residual": ({"finding": Finding(FOUND, "residual", "L1")}, {}, "dataset_0 is residual"),
    "indeterminate": ({"finding": Finding(FOUND, "indeterminate", None)}, {}, "dataset_0 is indeterminate"),
    "no level": ({"finding": Finding(FOUND, "verified", None)}, {}, "level None"),
    "no finding": ({"finding": None}, {}, "dataset_0 has no finding"),
    "another's finding": ({"finding": Finding("system.other", "verified", "L2")}, {}, "dataset_0 has no finding"),
    "unreachable": ({"status": "unreachable"}, {}, "dataset_0 was unreachable"),
    "drift": ({"status": "drift"}, {}, "dataset_0 was drift"),
    "nothing planned": ({"planned": 0, "changed": 0}, {}, "nothing was planned"),
    "no dataset": ({}, {"covered": ()}, "nothing was planned"),
    "nothing done": ({"changed": 0}, {}, "no system carried anything out"),
    "less done": ({"changed": 2}, {}, "3 records were planned, 2 done"),
    "more done": ({"changed": 4}, {}, "3 records were planned, 4 done"),
    "absent, no receipt": ({"changed": 2, "absent": 1}, {}, "without a receipt"),
    "another plan": ({}, {"run": "00" * 32}, "not the one that was approved"),
    "found elsewhere": ({}, {"elsewhere": (Finding("system.memo", "residual", "L1"),)}, r"system\.memo is residual"),
    "L3 too early": ({"finding": Finding(FOUND, "verified", "L3", STEPS)}, {}, "claims L3"),
    "L3 without a day": ({"finding": Finding(FOUND, "verified", "L3", STEPS), "backups_by": None}, {}, "claims L3"),
    "PostgreSQL at L1": ({"finding": Finding(FOUND, "verified", "L1", STEPS), "store": "postgresql"}, {}, "DBA's duty"),
    "left out": ({}, {"planned": frozenset({FOUND, "system.other"})}, r"system\.other was planned and is not"),
    "not asked for": ({}, {"planned": frozenset()}, "dataset_0 was planned and is not covered, or the other"),
    "no steps": ({"finding": Finding(FOUND, "verified", "L2")}, {}, "no step"),
    "only stopped": ({"measures": ("use_stopped",)}, {}, "nothing is gone"),
    "one person": ({}, {"approver": "tanto-1"}, "the same person"),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_a_certificate_that_would_say_more_than_was_found_cannot_be_made(reason: str) -> None:
    spoilt, more, said = REFUSED[reason]
    whole = certificate(covered(0), covered(1))
    with pytest.raises(CheckFailed, match=said):
        certificate(*([] if "covered" in more else [covered(0, **spoilt)]), **more)
    if spoilt and reason not in ("nothing planned", "nothing done", "only stopped"):  # one good dataset does not carry a bad one
        with pytest.raises(CheckFailed, match=said):
            replace(whole, covered=(covered(1), covered(0, **spoilt)))
    with pytest.raises(CheckFailed, match="covered twice"):
        replace(whole, covered=(*whole.covered, covered(1)))


def test_a_certificate_says_the_level_that_was_reached_and_no_other_levels_words() -> None:
    (text,) = pages(drawn("erasure_certificate"))
    flat_text = flat(text)
    for level, printed in (("L0", False), ("L1", True), ("L2", True), ("L3", False)):
        assert (flat(law.wording(f"level_{level}")) in flat_text) is printed
    assert "データベース管理者が令和8年12月31日までに" in flat_text
    low = certificate(covered(0, finding=Finding(FOUND, "verified", "L0", STEPS)))
    out = io.BytesIO()
    draw_certificate(low, out)
    assert law.wording("level_L0") in flat("".join(pages(out.getvalue())))


def test_a_stop_of_use_has_no_level_and_no_day_and_hides_none() -> None:
    stopped = covered(1, measures=("use_stopped",), backups_by=None)
    whole, both = certificate(covered(0), stopped), certificate(covered(0), covered(1, backups_by=date(2027, 1, 3)))
    assert (stopped.level, whole.backups_by, both.backups_by) == (None, date(2026, 12, 22), date(2027, 1, 3))
    (text,) = pages(drawn("erasure_certificate"))
    assert "データ4 利用停止 3件 3件 ― 1, 2, 4 令和8年11月20日 ―" in text and "データ0 消去 3件 3件 L2 1–5" in text
    assert flat(law.wording("level_none")) in flat(text)


def test_what_came_back_and_what_an_earlier_run_erased_are_told_apart() -> None:
    back, before = covered(0, again=2), covered(1, absent=1, changed=2, receipt="DSR-2026-000012")
    elsewhere = covered(2, absent=1, changed=2, receipt="DSR-2025-000001")
    out = io.BytesIO()
    draw_certificate(certificate(back, before, elsewhere), out)
    text = flat("".join(pages(out.getvalue())))
    assert "データ0（うち2件は再び現れたため、あらためて消去）" in text
    assert "データ1（うち1件は本件の先の実行で消去済み）" in text
    assert "データ2（うち1件は消去済み：DSR-2025-000001）" in text


def test_the_certificate_names_only_steps_that_a_survey_took() -> None:
    two = {"steps": [{"step": 2}, {"step": 1}, {"step": 2}]}
    out = io.BytesIO()
    draw_certificate(certificate(covered(0, finding=Finding(FOUND, "verified", "L2", two))), out)
    text = flat("".join(pages(out.getvalue())))
    assert "L2 1, 2 令和" in text and "対象記録の不存在" in text and "水準の判定" not in text
    assert "水準の判定" in flat(pages(drawn("erasure_certificate"))[0])
    assert law.wording("derived_unexamined") in text


def test_backups_are_certified_only_where_every_system_said_a_day() -> None:
    assert certificate(covered(0), covered(1, backups_by=date(2027, 1, 3))).backups_by == date(2027, 1, 3)
    silent = certificate(covered(0), covered(1, backups_by=None))
    out = io.BytesIO()
    draw_certificate(silent, out)
    assert silent.backups_by is None and "バックアップについては証明しない" in flat("".join(pages(out.getvalue())))


def test_the_deepest_level_is_certified_from_the_day_on_which_the_backups_are_overwritten() -> None:
    deep: dict[str, Any] = {"finding": Finding(FOUND, "verified", "L3", STEPS)}
    assert certificate(covered(0, **deep, backups_by=DAY)).backups_by == DAY
    with pytest.raises(CheckFailed, match="claims L3"):
        certificate(covered(0, **deep, backups_by=DAY + timedelta(1)))


def test_the_commitment_follows_every_dataset_and_not_their_order() -> None:
    one, two = covered(0), covered(1, commitment="cd" * 32)
    assert certificate(one, two).commitment == certificate(two, one).commitment
    assert certificate(one, two).commitment != certificate(one, covered(1)).commitment


@pytest.mark.parametrize(("count", "sheets"), [(1, 1), (20, 1), (90, 3)])
def test_a_company_of_twenty_datasets_has_one_page_and_no_dataset_is_ever_left_out(count: int, sheets: int) -> None:
    out = io.BytesIO()
    more = {name: getattr(CERTIFICATE, name) for name in ("kept", "pending", "limits")}
    assert draw_certificate(certificate(*(covered(n) for n in range(count)), **more), out) == sheets
    text = "".join(pages(out.getvalue()))
    assert all(f"データ{n} 消去" in text for n in range(count)) and "以上" in text


# -- orders: paper ---------------------------------------------------------------------------------------------------
LONG = "DSR-2026-000001-1-customer_master.customers"


@pytest.mark.parametrize("kind", ["work_order", "processor_instruction", "joint_user_instruction"])
def test_an_order_is_one_page_whatever_it_is_called_and_promises_only_what_we_can_do(kind: Kind) -> None:
    out = io.BytesIO()
    files = [replace(line, path=f"{LONG}.erase.order{at}.json") for at, line in enumerate(FILES)]
    desk = "個人情報開示等受付窓口 (〒810-0000 福岡県みなと市中央1-1-1、092-000-0100、平日9:00-17:00)"
    order = replace(ORDER, order_no=LONG, datasets=("web_logs.access", "cookie_links.links"))
    letter = order_letter(order, kind, replace(PARTY, desk=desk), c.Recipient("なぎさ解析", "", "御中"), "なぎさ解析",
                          ["会員サイトの閲覧履歴", "クッキー紐づけ"], files, head=HEAD)
    assert draw_letter(letter, out) == 1
    (text,) = pages(out.getvalue())
    own = kind == "work_order"
    assert f"{'指図' if own else '指示'}番号 {LONG}\n" in text and text.count(LONG) == 1 + len(files)
    assert ("別の経路で結果を確認" in text) is own, "into a partner's systems we cannot look"
    assert ("作業指図書（JSON）" in text, "、指示書（JSON）" in text) == (own, not own)
    assert ("sub_processors" in text) is (kind == "processor_instruction")


@pytest.mark.parametrize("rows", range(8, 16))
def test_a_head_of_a_table_never_stands_without_its_first_row(rows: int) -> None:
    out = io.BytesIO()
    draw_letter(stop_notice(frame(), [*STOPS[:1] * rows, NEEDED, NEEDED]), out)
    assert all(not text.rstrip().split("みなと通信電力株式会社 ")[0].rstrip().endswith("根拠と理由") for text in pages(out.getvalue()))


@pytest.mark.parametrize("lines", range(1, 60, 4))
def test_no_page_holds_the_end_of_a_letter_alone(lines: int) -> None:
    letter = paper()
    whole = replace(letter, closing=("あ" * 200,) * lines)
    out = io.BytesIO()
    draw_letter(whole, out)
    assert "ああ" in pages(out.getvalue())[-1]


# -- orders ----------------------------------------------------------------------------------------------------------
def dataset(**more: Any) -> Dataset:
    given = {
        "system": "shop", "name": "owned", "label": "持ち物", "key": ("user", "order"), "ways": [{"by": "x", "locate": "x"}],
        "fetch": 'SELECT * FROM owned WHERE ("user", "order") IN :keys',
        "fields": {name: name for name in ("user", "order", "note", "seen_at")},
    }  # fmt: skip
    return Dataset(**{**given, **more})


def plan(rows: list[tuple[Any, ...]], values: dict[str, list[Any]] | None = None, **more: Any) -> Plan:
    declared = dataset(**more)
    columns = zip(*rows, strict=True) if rows else [()] * len(declared.key)
    keys = pa.table(dict(zip(declared.key, map(list, columns), strict=True)))
    return Plan("DSR-2026-000012", declared, keys, PLAN, pa.table(values) if values else None)


HERS: list[tuple[str | None, int | None]] = [
    ("O'Brien", 0), ("O'Brien", 1), ("𠮷野 'さくら'", 0), ("a\\b", 0), ("a\\' OR 1=1; --", 0), ("", 0), (None, 0), ("0", None),
    ("line\nbreak\r\ttab", 0), ("%_;", -7), (":name {x} $1 \"q\"", 2**40), ("ends\\", 0), ("abc", 0),
]  # fmt: skip
OTHERS: list[tuple[str | None, int | None]] = [
    ("O''Brien", 0), ("O'Brien", 2), ("O'Brien", None), ("吉野 'さくら'", 0), ("a\\\\b", 0), ("a/b", 0), ("", None), ("", 1),
    (None, 1), (None, None), ("0", 0), ("line\nbreak\ttab", 0), ("xx;", -7), ("ends", 0), ("ABC", 0), ("abc ", 0),
    ("NULL", 0),
]  # fmt: skip
"""Of other people: each but a hair from one of hers."""
NOTE = "it's \\ 'gone' ☑"


@dataclass
class Shop:
    """A real database with her rows and theirs: an owner runs a file there, whole or by ``step``, and looks into it."""

    dialect: Dialect
    run: Callable[[bytes], object]
    step: Callable[[bytes], object]
    look: Callable[[], set[Any]]
    rollback: Callable[[], None]


ROWS = [(user, number, "あ'", None) for user, number in [*HERS, *OTHERS]]
CREATE = 'CREATE TABLE owned ("user" TEXT{}, "order" BIGINT, note TEXT, seen_at TEXT)'
LOOK = 'SELECT "user", "order", note FROM owned'


@contextmanager
def sqlite_shop() -> Iterator[Shop]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute(CREATE.format(" COLLATE NOCASE"))
        db.executemany("INSERT INTO owned VALUES (?, ?, ?, ?)", ROWS)
        yield Shop("sqlite", lambda sql: db.executescript(sql.decode()), lambda sql: db.execute(sql.decode()),
                   lambda: set(db.execute(LOOK)), db.rollback)  # fmt: skip


@contextmanager
def postgresql_shop(postgres: Postgres) -> Iterator[Shop]:
    with psycopg.connect(postgres.database().replace("+psycopg", ""), autocommit=True) as db:
        db.execute(CREATE.format(""))  # type: ignore[arg-type]
        with db.cursor() as cursor:
            cursor.executemany("INSERT INTO owned VALUES (%s, %s, %s, %s)", ROWS)
        run: Callable[[Any], object] = db.execute
        yield Shop("postgresql", run, run, lambda: set(db.execute(LOOK).fetchall()), db.rollback)


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    lite = request.param == "sqlite"
    with sqlite_shop() if lite else postgresql_shop(request.getfixturevalue("postgres")) as made:
        yield made


COUNTED = (sqlite3.IntegrityError, psycopg.errors.RaiseException)


def undone(shop: Shop, order: bytes) -> None:
    with pytest.raises(COUNTED):
        shop.run(order)
    shop.rollback()


def test_an_order_of_sql_removes_her_rows_and_no_neighbours(shop: Shop) -> None:
    hers, others = {(*key, "あ'") for key in HERS}, {(*key, "あ'") for key in OTHERS}
    assert shop.look() == hers | others
    order = sql_of(plan(HERS), "W03", shop.dialect)
    shop.run(order)
    assert shop.look() == others
    undone(shop, order)
    assert shop.look() == others, "twice is as once, and says so"


def test_an_order_of_sql_sets_the_fields_of_her_rows_alone(shop: Shop) -> None:
    notes = [None if n % 3 == 0 else NOTE if n % 3 == 1 else f"{NOTE}{n}" for n in range(len(HERS))]
    shop.run(sql_of(plan(HERS, {"note": notes}), "W04", shop.dialect))
    hers = {(*key, note) for key, note in zip(HERS, notes, strict=True)}
    assert shop.look() == hers | {(*key, "あ'") for key in OTHERS}


@pytest.mark.parametrize("note", [None, NOTE])
def test_a_count_that_differs_undoes_the_whole_order_by_itself(shop: Shop, note: str | None) -> None:
    """A row of the second statement is gone; the first met all of its own, and is undone with it."""
    many: list[tuple[Any, ...]] = [(f"many{n}", n) for n in range(150)]
    told = ", ".join(f"('{user}', {number}, 'x', NULL)" for user, number in many[:-1])
    shop.run(f"INSERT INTO owned VALUES {told};".encode())
    before = shop.look()
    undone(shop, sql_of(plan(many, {"note": [note] * 150} if note else None), "W05", shop.dialect))
    assert shop.look() == before
    shop.run(sql_of(plan(many[:-1], {"note": [note] * 149} if note else None), "W05", shop.dialect))
    assert before - shop.look() == {(*key, "x") for key in many[:-1]}


def test_a_value_that_changed_since_is_not_written_over(shop: Shop) -> None:
    """The old value stands beside the key: what somebody else wrote there meanwhile is another's word."""
    count = len(HERS)
    old = pa.table({"note": ["あ'"] * count, "seen_at": pa.nulls(count, pa.string())})
    order = sql_of(replace(plan(HERS, {"note": [NOTE] * count, "seen_at": ["$order$"] * count}), old=old), "W04", shop.dialect)
    shop.run(b"""UPDATE owned SET note = 'other' WHERE "user" = 'abc' AND "order" = 0;""")
    before = shop.look()
    undone(shop, order)
    assert shop.look() == before
    shop.run("UPDATE owned SET note = 'あ''' WHERE note = 'other';".encode())
    shop.run(order)
    assert shop.look() == {(*key, NOTE) for key in HERS} | {(*key, "あ'") for key in OTHERS}


def typed(shop: Shop, sql: bytes) -> None:
    """As a shell does that goes on after an error: one statement after the other, and then it is closed."""
    words = ""
    for line in sql.decode().splitlines():
        words += line + "\n"
        quoted = words.count("$order$") % 2
        if sqlite3.complete_statement(words) and not quoted:
            with suppress(sqlite3.Error, psycopg.Error):
                shop.step(words.encode())
            words = ""
    shop.rollback()


def test_a_shell_that_goes_on_after_an_error_changes_nothing_either(shop: Shop) -> None:
    """First a count that differs, then a statement that fails."""
    many: list[tuple[Any, ...]] = [(f"many{n}", n) for n in range(201)]
    there = [*many[:99], *many[100:]]
    told = ", ".join(f"('{user}', {number}, 'x', NULL)" for user, number in there)
    shop.run(f"INSERT INTO owned VALUES {told};".encode())
    before = shop.look()
    typed(shop, sql_of(plan(many), "W05", shop.dialect))
    assert shop.look() == before
    whole = sql_of(plan(there[:101]), "W05", shop.dialect)  # the last statement meets one row
    first, last = whole.rsplit(b"DELETE FROM owned", 1)
    typed(shop, first + b"DELETE FROM lost" + last)
    assert shop.look() == before
    typed(shop, whole)
    assert before - shop.look() == {(*key, "x") for key in there[:101]}


def test_an_old_setting_of_postgresql_does_not_turn_a_backslash_into_an_escape(postgres: Postgres) -> None:
    with postgresql_shop(postgres) as shop:
        shop.run(b"SET standard_conforming_strings = off; SET backslash_quote = on;")
        shop.run(sql_of(plan(HERS), "W03", "postgresql"))
        assert shop.look() == {(*key, "あ'") for key in OTHERS}


def test_many_rows_go_in_statements_that_a_database_and_a_person_can_read(shop: Shop) -> None:
    many = [(f"many{n}", n) for n in range(1_250)]
    values = ", ".join(f"('{user}', {number}, 'x', NULL)" for user, number in many)
    shop.run(f"INSERT INTO owned VALUES {values};".encode())
    before = shop.look()
    order = sql_of(plan(many[:-1]), "W05", shop.dialect)
    shop.run(order)
    assert before - shop.look() == {(*key, "x") for key in many[:-1]}
    count = "met <> {} THEN" if shop.dialect == "postgresql" else "changes() <> {};"
    assert [order.decode().count(count.format(rows)) for rows in (100, 49)] == [12, 1]


def test_a_column_that_is_not_there_is_an_error_and_nothing_is_changed(shop: Shop) -> None:
    """SQLite would take "gone" for the text 'gone' and so meet every row."""
    before, lost = shop.look(), plan([("gone",)], key=("gone",), fields={"gone": "無い列"})
    with pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedColumn)):
        shop.run(sql_of(lost, "W06", shop.dialect))
    shop.rollback()
    assert shop.look() == before


KINDS = {True: "boolean", 0: "integer", 1.5: "double precision", b"\x00'\xff": "bytea", date(2026, 4, 1): "date",
         datetime(2026, 4, 1, 9, 30): "timestamp", Decimal("12.50"): "numeric"}


@pytest.mark.parametrize("value", KINDS)
def test_a_key_of_any_kind_meets_itself(value: Any, postgres: Postgres) -> None:
    one = plan([(value,)], key=("k",), fields={"k": "鍵"}, fetch="SELECT k FROM t WHERE k IN :keys")
    stored = str(value) if isinstance(value, date | Decimal) else value
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as lite:
        lite.execute("CREATE TABLE t (k)")
        lite.executemany("INSERT INTO t VALUES (?)", [(stored,), ("other",)])
        lite.executescript(sql_of(one, "W07", "sqlite").decode())
        assert lite.execute("SELECT k FROM t").fetchall() == [("other",)]
    with psycopg.connect(postgres.database().replace("+psycopg", ""), autocommit=True) as db:
        run: Callable[..., Any] = db.execute
        run(f"CREATE TABLE t (k {KINDS[value]})")
        run("INSERT INTO t VALUES (%s), (NULL)", [value])
        run(sql_of(one, "W07", "postgresql"))
        assert run("SELECT k FROM t").fetchall() == [(None,)]


@pytest.mark.parametrize(("rows", "said"), [
    ([("hush", 0), (None, None)], "no key"), ([("hush", 1), ("hush", 1)], "twice"), ([("hush\0", 1)], "no database text"),
    ([("hush", float("nan"))], "not finite"), ([("hush", timedelta(1))], "type timedelta"),
])  # fmt: skip
def test_a_key_that_cannot_be_written_is_refused_without_its_value(rows: list[tuple[Any, ...]], said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        sql_of(plan(rows), "W08", "postgresql")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(("more", "table"), [
    ({}, "owned"), ({"table": "app.owned"}, "app.owned"),
    ({"fetch": "SELECT o.* FROM app.owned AS o WHERE o.k::text IN :keys"}, "app.owned AS o"),
    ({"fetch": "SELECT * FROM owned JOIN other USING (k) WHERE k IN :keys"}, None), ({"fetch": "書類を出す"}, None),
])  # fmt: skip
def test_the_table_is_the_declared_one_or_the_only_one(more: dict[str, Any], table: str | None) -> None:
    if table is None:
        with pytest.raises(BadInput, match=r"shop\.owned\.table"):
            table_of(dataset(**more))
    else:
        assert table_of(dataset(**more)) == table


def test_a_file_of_keys_tells_null_from_blank_and_keeps_leading_zeros() -> None:
    planned = plan([("00123", 0), ("", 1), (None, 2)], {"note": ['say "x"', None, "髙"]})
    text = csv_of(planned).decode("utf-8")
    assert text == '\ufeff"user","order","set:note"\n"00123","0","say ""x"""\n"","1",\n,"2","髙"\n'
    known = replace(planned, old=pa.table({"note": ["高", None, ""]}))  # who changes it by hand sees what he replaces
    assert csv_of(known).decode("utf-8-sig") == (
        '"user","order","old:note","set:note"\n"00123","0","高","say ""x"""\n"","1",,\n,"2","","髙"\n'
    )


AZUMA = Partner(key="azuma", label="あずま通信", kind="joint", datasets=("shop.owned",), identifiers=("customer_no", "phone"))


def test_a_partner_is_told_its_kinds_with_the_days_and_nothing_else() -> None:
    hers = [Identifier("phone", "092-000-1001", whole_days(date(2019, 4, 1), date(2025, 11, 30)), "a.b/1"),
            Identifier("customer_no", "C0001234", revealed_by="a.b/1"), Identifier("mail", "h@example.jp"),
            Identifier("customer_no", "C0001234", revealed_by="a.b/2")]
    told, lines = identifiers_csv(AZUMA.identifiers, hers)
    assert told.decode("utf-8-sig").splitlines() == [
        '"kind","value","from","to"', '"customer_no","C0001234",,', '"phone","092-000-1001","2019-04-01","2025-11-30"']
    assert lines == 2
    with pytest.raises(BadInput, match="none of a kind"):
        identifiers_csv(AZUMA.identifiers, hers[2:3])


# -- the signed order ------------------------------------------------------------------------------------------------
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"home").digest())
PUBLIC = KEY.public_key().public_bytes_raw()
KEYS = b"DELETE ..."


def test_an_owner_can_prove_whose_order_it_is_and_which_keys_it_names() -> None:
    signed = sign_order(ORDER, "W03.sql", KEYS, KEY)
    order = verify_order(signed.document, signed.signature, PUBLIC, KEYS)
    assert order == json.loads(signed.document) and (order["order_no"], order["due"]) == (ORDER.order_no, "2026-12-07")
    assert order["keys"] == {"name": "W03.sql", "sha256": hashlib.sha256(KEYS).hexdigest(), "size": len(KEYS)}
    assert set(order) == {"format", "order_no", "case", "system", "datasets", "measure", "records", "issued_on", "due",
                          "plan", "keys"}  # fmt: skip


def test_an_order_that_was_touched_is_no_order() -> None:
    signed = sign_order(ORDER, "W03.sql", KEYS, KEY)
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    document = signed.document
    assert b'"records":6' in document
    for touched, signature, key, keys in (
        (document.replace(b'"records":6', b'"records":7'), signed.signature, PUBLIC, None),
        (document + b" ", signed.signature, PUBLIC, None), (b"", signed.signature, PUBLIC, None),
        (document, bytes([signed.signature[0] ^ 1]) + signed.signature[1:], PUBLIC, None),
        (document, b"", PUBLIC, None), (document, signed.signature, other, None), (document, signed.signature, b"x", None),
        (document, signed.signature, PUBLIC, KEYS + b" "),
        (b'{"format":"other"}', KEY.sign(b'{"format":"other"}'), PUBLIC, None), (b"[]", KEY.sign(b"[]"), PUBLIC, None),
    ):  # fmt: skip
        with pytest.raises(CheckFailed, match=r"^order: "):
            verify_order(touched, signature, key, keys)


def test_openssl_alone_verifies_an_order(tmp_path: Path) -> None:
    signed = sign_order(ORDER, "W03.sql", KEYS, KEY)
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for document, status in ((signed.document, 0), (signed.document + b" ", 1)):
        for name, written in (("pub.pem", pem), ("o.json", document), ("o.sig", signed.signature)):
            (tmp_path / name).write_bytes(written)
        words = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "pub.pem", "-in", "o.json", "-sigfile", "o.sig"]
        assert subprocess.run(["openssl", *words], cwd=tmp_path, capture_output=True, check=False).returncode == status


def test_an_order_on_paper_is_one_page_and_names_no_person_no_reason_and_no_law() -> None:
    for kind in ("work_order", "processor_instruction", "joint_user_instruction"):
        (text,) = pages(drawn(kind))
        assert not [word for word in (NAME, ADDRESS, "本人", "請求の種類", "法律", "苦情") if word in text]
        assert ORDER.order_no in text and FILES[0].sha256 in text and "令和8年12月7日" in text


def test_data_under_secrecy_never_reaches_a_joint_user() -> None:
    """T-13."""
    assert paper(kind="processor_instruction", secret={"billing.invoices"}) and paper(secret={"billing.invoices"})
    assert paper(kind="joint_user_instruction", secret={"call_history.calls"})
    with pytest.raises(NotAllowed, match="secrecy"):
        paper(kind="joint_user_instruction", secret={"billing.invoices"})


# -- the answer ------------------------------------------------------------------------------------------------------
ANSWER: dict[str, Any] = {
    "done_on": "2026-11-24", "done_by": "料金システム担当",
    "datasets": {"billing.invoices": {"found": 6, "done": 4, "kept": [{"rule": "TAX59-7Y", "until": "2034-05-31", "records": 1}]}},
}  # fmt: skip
NOON = datetime(2026, 11, 25, 12, tzinfo=TOKYO)


def answered(change: Callable[[dict[str, Any]], Any]) -> OrderAnswer:
    document = json.loads(json.dumps(ANSWER))
    change(document)
    return read_order_answer(document, ["billing.invoices"], DAY, NOON)


def test_an_answer_counts_what_was_found_done_and_kept() -> None:
    told = answered(lambda _: None).datasets["billing.invoices"]
    assert (told.found, told.done, told.open) == (6, 4, 1)


ROW: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer["datasets"]["billing.invoices"]  # noqa: E731


@pytest.mark.parametrize(("change", "field", "fix"), [
    (lambda a: a.pop("done_on"), "done_on", "give this field"),
    (lambda a: a.update(done_on=20261124), "done_on", "write 2026-11-02"),
    (lambda a: a.update(done_on="2026-11-26"), "done_on", "give the day on which it was finished"),
    (lambda a: a.update(done_on="2026-11-21"), "done_on", "check the day"),
    (lambda a: a.update(done_by=" "), "done_by", "write it"),
    (lambda a: a.update(reason="x"), "reason", "no such field"),
    (lambda a: a.update(datasets={}), "datasets", "give at least one"),
    (lambda a: a.update(datasets={"other.data": ROW(a)}), "datasets.billing.invoices", "answer for every dataset"),
    (lambda a: a["datasets"].update({"other.data": ROW(a)}), "datasets.other.data", "answer for billing.invoices"),
    (lambda a: ROW(a).update(found="6"), "datasets.billing.invoices.found", "write a whole number without quotes"),
    (lambda a: ROW(a).update(done=-1), "datasets.billing.invoices.done", "write 0 or more"),
    (lambda a: ROW(a).update(found=True), "datasets.billing.invoices.found", "write a whole number without quotes"),
    (lambda a: ROW(a).update(done=6), "datasets.billing.invoices", "found counts all records"),
    (lambda a: ROW(a)["kept"][0].pop("until"), "datasets.billing.invoices.kept.0.until", "give this field"),
    (lambda a: ROW(a)["kept"][0].update(rule=""), "datasets.billing.invoices.kept.0.rule", "write it"),
])  # fmt: skip
def test_an_answer_that_cannot_be_taken_names_the_field_and_the_fix(
    change: Callable[[dict[str, Any]], Any], field: str, fix: str
) -> None:
    with pytest.raises(BadInput) as refused:
        answered(change)
    assert refused.value.field == field and refused.value.fix.startswith(fix)


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for name in NAMES:
        (KEPT / f"{name}.txt").write_text("\f\n".join(pages(drawn(name))), encoding="utf-8")
