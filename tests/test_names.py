"""Rows of names.md 2-8 as promises: keys find every spelling, forms lead back to the key, nothing stored is changed."""

from __future__ import annotations

import csv
import unicodedata
from datetime import UTC, date, datetime
from importlib.resources import files

import phonenumbers
import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from dsr.names.addresses import address_forms, address_key, compare, read_address
from dsr.names.birthdays import WrittenDay, birthday, day_forms, is_typing_error, read_day, two_digit_days
from dsr.names.kana import bank_kana, is_cut_of, is_kana, kana_key, kana_loose
from dsr.names.letters import VARIANTS, company_words, latin_key, name_key, same_name, wildcard_agrees
from dsr.names.numbers import (
    device_key,
    e164,
    mail_key,
    number_key,
    phone_forms,
    read_phone,
    supply_point_key,
)
from dsr.names.person import Person, mentions, same_person_value, written_forms
from dsr.request import read_request

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def request_of(**subject: object) -> Person:
    former = subject.pop("former_names", [])
    document = {
        "right": "disclosure", "subject": subject, "former_names": former,
        "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"},
    }
    return Person.of(read_request(document, NOW))


HANAKO = request_of(
    name="髙橋 花子", kana="タカハシ ハナコ", born_on="1984-05-17",
    addresses=["福岡県福岡市中央区天神1丁目2番3号 みなとハイツ101"],
    identifiers=[
        {"kind": "phone", "value": "092-000-1001", "from": "2019-04-01", "to": None},
        {"kind": "mail", "value": "Hanako.T@Example.jp"},
        {"kind": "customer_no", "value": "C0001234"},
    ],
)


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("髙橋 花子", "高橋花子"), ("高橋　花子　様", "高橋花子"), ("山﨑", "山崎"), ("山碕", "山嵜"), ("渡邉", "渡邊"),
        ("渡辺", "渡邉"),
        ("齋藤", "斉藤"), ("斎藤", "齊藤"), ("濵田", "濱田"), ("浜田", "濵田"), ("𠮷田", "吉田"), ("大澤", "大沢"),
        ("中嶋", "中嶌"),
        ("辻\U000e0100 誠", "辻 誠"), ("葛\U000e0100城", "葛城"), ("鶴ヶ谷", "鶴ケ谷"), ("緑が丘", "緑ガ丘"), ("HANAKO",
        "ＨＡＮＡＫＯ"),
        ("鈴木・一郎", "鈴木一郎"), ("鈴木･一郎", "鈴木一郎"), ("福\ufe00田", "福田"), ("\ufa1b田", "福田"),
        ("林 薫 殿", "林 薫"), ("林 薫様", "林 薫"),
        ("㈱遠藤商店", "遠藤商店株式会社"), ("か\u3099", "が"), ("ｶ\u309b", "ガ"), ("佐藤\x00", "佐藤"),
        ("佐藤\u200b浩", "佐藤浩"),
    ],
)
def test_one_name_has_one_key_however_a_system_spells_it(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("高橋 花子", "高橋 華子"), ("鵜殿", "鵜"), ("三田", "3田"), ("林", "森"), ("カ丘", "ケ丘")]
)
def test_different_names_keep_different_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_every_row_of_the_variant_table_is_reachable_ends_at_its_base_and_names_its_source() -> None:
    rows = list(csv.DictReader((files("dsr.names") / "variants.csv").read_text("utf-8").splitlines()))
    assert len(rows) == len(VARIANTS) >= 60
    for row in rows:
        assert unicodedata.normalize("NFKC", row["variant"]) == row["variant"], "NFKC comes first and would hide it"
        assert row["base"] not in VARIANTS and name_key(row["variant"]) == row["base"] and row["source"]


def test_accents_fall_only_in_the_second_key() -> None:
    assert name_key("José") != name_key("Jose")
    assert latin_key("José") == latin_key("JOSE") and latin_key("ガ") == "ガ"


@pytest.mark.parametrize(
    ("written", "company", "key"),
    [
        ("株式会社遠藤商店", "株式会社", "遠藤商店"), ("（有）遠藤商店", "(有)", "遠藤商店"), ("ｶ)ｴﾝﾄﾞｳ", "カ)",
        "エンドウ"),
        ("ｴﾝﾄﾞｳ(ｶ", "(カ", "エンドウ"), ("Endo Co., Ltd.", "Co., Ltd.", "endo"), ("高橋 花子", "", "高橋花子"),
    ],
)
def test_company_words_are_an_attribute_beside_the_key(written: str, company: str, key: str) -> None:
    assert company_words(written).replace(",", "") == company.replace(",", "") and name_key(written) == key


def test_a_company_is_never_its_namesake() -> None:
    assert not same_name("株式会社高橋花子", "高橋花子")
    assert same_name("John Smith", "SMITH, JOHN") and not same_name("John Smith", "John Michael Smith")
    assert not same_name("", "") and not same_name("様", "")


@pytest.mark.parametrize(
    ("one", "other", "agrees"),
    [
        ("𠮷田玲", "〓田玲", True), ("吉田玲", "?田 玲", True), ("吉田玲", "＊田玲", True), ("吉田", "よし田", True),
        ("辻\U000e0100誠", "辻?誠", True),
        ("上野桜", "上野さくら", True), ("吉田玲", "〓本玲", False), ("吉田玲", "吉田玲", False), ("吉田玲", "〓〓〓",
        False),
        ("森", "森〓", False), ("高橋", "髙橋", False),
    ],
)
def test_an_unreadable_letter_stands_for_one_letter(one: str, other: str, agrees: bool) -> None:
    assert wildcard_agrees(name_key(one), name_key(other)) is agrees
    assert wildcard_agrees(name_key(other), name_key(one)) is agrees


@over(st.text("髙高橋﨑辺邉 　様ヶがケ・〓?ア\u3099\U000e0100aÉ㈱()カ株", max_size=12))
def test_a_name_key_is_its_own_key_unless_it_reads_as_a_company(text: str) -> None:
    key = name_key(text)
    if not company_words(key) and not key.endswith("様"):
        assert name_key(key) == key


# Kana -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("タカハシ ハナコ", "ﾀｶﾊｼ ﾊﾅｺ"), ("たかはし　はなこ", "タカハシハナコ"), ("ショウジ", "シヨウジ"), ("ハットリ",
        "ハツトリ"), ("ミヅキ", "ミズキ"),
        ("ヰチ", "イチ"), ("ヴァレリー", "バレリ"), ("ゔぃくとる", "ビクトル"), ("ジョー", "ジヨ-"), ("スミス・ジョン",
        "スミス ジョン"), ("ｶ\u309b", "ガ"),
        ("ｶﾞ", "ガ"), ("ミスヾ", "みすゞ"), ("みすゞ", "ミスズ"), ("カオル 様", "カオル"), ("チヂ", "チジ"), ("ヲサム",
        "オサム"),
    ],
)
def test_one_reading_has_one_kana_key(one: str, other: str) -> None:
    assert kana_key(one) == kana_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ナカシマ", "ナカジマ"), ("ヤマサキ", "ヤマザキ"), ("オオノ", "オウノ"), ("オオノ", "オノ"),
    ("コウノ", "コノ")]
)
def test_loose_kana_folds_what_kana_key_keeps_apart(one: str, other: str) -> None:
    assert kana_key(one) != kana_key(other) and kana_loose(one) == kana_loose(other)


def test_loose_kana_keeps_the_first_letter_and_other_vowels() -> None:
    assert kana_loose("カトウ") != kana_loose("ガトウ") and kana_loose("イイダ") != kana_loose("イダ")


KANA = st.text("アイウオカガサザタダツヅッャヤヴァヰヱヲヽヾーｶﾞﾟ゛゜ 　・-ぁがずゝゞ\u3099\u309a)(A", max_size=14)


@over(KANA)
def test_kana_keys_are_idempotent(text: str) -> None:
    assert kana_key(kana_key(text)) == kana_key(text)
    assert kana_loose(kana_loose(text)) == kana_loose(text) and kana_loose(kana_key(text)) == kana_loose(text)


def test_bank_kana_is_a_prefix_of_the_reading_and_a_cut_is_noticed() -> None:
    assert bank_kana("リョウコ　ショー") == "ﾘﾖｳｺ ｼﾖ-"
    assert kana_key("タカハシ ハナコ").startswith(kana_key(bank_kana("タカハシ ハナコ", 8)))
    assert is_cut_of("ﾀｶﾊｼ ﾊﾅ", "タカハシ ハナコ") and not is_cut_of("ﾀｶﾊｼ ﾊﾅｺ", "タカハシ ハナコ")
    assert not is_cut_of("タカハシ ハナ", "タカハシ ハナコ"), "a full-width field is not cut"
    assert is_kana("スミス・ジョン") and not is_kana("加藤ハツ") and not is_kana("")


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("三田3丁目4番5号", "三田３－４－５"), ("三田三丁目四番五号", "三田3-4-5"), ("三田3丁目4番地5", "三田3ー4―5"),
        ("三田3‐4−5", "三田3–4—5"),
        ("福岡県福岡市中央区天神1-2-3", "福岡市天神1丁目2番3号"), ("〒810-0001 福岡市中央区天神1-2-3",
        "福岡市中央区天神1-2-3"),
        ("福岡市中央区天神1-2-3 みなとハイツ101号室", "福岡市中央区天神1-2-3みなとハイツ１０１"),
        ("福岡市中央区天神1-2-3 みなとハイツ101", "福岡市中央区天神1-2-3-101"),
        ("福岡市西区大字姪の浜123番地の4", "福岡市西区姪之浜123-4"), ("東京都千代田区霞が関3-1-1",
        "東京都千代田区霞ヶ関三丁目1番1号"),
        ("福岡県筑紫郡那珂川町仲1-2", "福岡県那珂川市仲1番地2"), ("静岡県浜松市中区元城町103-2",
        "浜松市中央区元城町103番地の2"),
        ("京都市中京区烏丸通御池上る虎屋町566", "京都府京都市中京区虎屋町566番地"), ("みなとハイツ101",
        "みなとハイツ 101号室"),
        ("福岡市中央区天神二十三丁目一番地", "福岡市中央区天神23-1"), ("福岡市東区香椎4-5 濱田荘203",
        "福岡市東区香椎4-5 浜田荘203"),
    ],
)
def test_the_same_place_written_twice(one: str, other: str) -> None:
    assert compare(read_address(one), read_address(other)) == "same"
    assert compare(read_address(other), read_address(one)) == "same"


@pytest.mark.parametrize(
    ("one", "other", "agreement"),
    [
        ("六本木一丁目", "61本木1丁目", "different"), ("みなとハイツ101", "みなとハイツ110", "room_differs"),
        ("三田3-4-5 みなとハイツ101", "三田3-4-5 みなとハイツ110", "room_differs"), ("三田3-4-5", "三田3-4-6",
        "different"),
        ("三田3-4-5 みなとハイツ101", "三田3-4-5 みなとハイツ", "building"), ("三田3-4-5", "東京都港区三田3-4-5",
        "building"),
        ("三田3-4-5", "三田3-4-5 山田方", "household_differs"), ("福岡市中央区天神", "福岡市中央区天神", "unknown"),
        ("福岡市中央区天神1-2", "福岡市博多区天神1-2", "different"), ("福岡県天神", "佐賀県天神", "different"), ("",
        "三田3-4-5", "unknown"),
        ("福岡市中央区天神1", "福岡市中央区天神1-2-3", "unknown"), ("東京都三鷹市1-2-3", "東京都三鷹市1-2-3",
        "unknown"),
    ],
)
def test_places_that_are_not_the_same_say_how(one: str, other: str, agreement: str) -> None:
    assert compare(read_address(one), read_address(other)) == agreement
    assert compare(read_address(other), read_address(one)) == agreement


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("東京都千代田区三番町1-2", "東京都|千代田区|三番町|1-2|||"), ("福岡市博多区八丁堀三丁目1番",
        "福岡県|福岡市|八丁堀|3-1|||"),
        ("三重県四日市市市場町1-1", "三重県|四日市市|市場町|1-1|||"), ("福岡県小郡市三沢1番地",
        "福岡県|小郡市|三沢|1|||"),
        ("東京都新宿区市谷本村町5-1", "東京都|新宿区|市谷本村町|5-1|||"), ("十文字町梨木1", "||十文字町梨木|1|||"),
        ("福岡市中央区天神1-2-3 3階", "福岡県|福岡市|天神|1-2-3||3F|"), ("福岡市西区姪浜4-5 A棟B203",
        "福岡県|福岡市|姪浜|4-5|a棟|B203|"),
        ("福岡市東区香椎4-5-6山田方", "福岡県|福岡市|香椎|4-5-6|||山田"),
    ],
)
def test_an_address_is_read_by_level_and_numerals_only_in_context(written: str, key: str) -> None:
    assert address_key(written) == key


def test_every_address_form_names_the_same_place_and_the_stated_one_stays() -> None:
    for stated in ("福岡県福岡市中央区天神1丁目2番3号 みなとハイツ101", "三田3-4-5", "福岡市西区姪の浜123番地の4"):
        forms = address_forms(stated)
        assert forms[0] == stated and len(forms) < 400
        whole = [form for form in forms if read_address(form).room == read_address(stated).room]
        assert len(whole) >= len(forms) // 2
        assert {compare(read_address(form), read_address(stated)) for form in whole} == {"same"}
    assert {"三田３丁目４番５号", "三田三丁目4番5号", "三田３－４－５"} <= set(address_forms("三田3-4-5"))
    assert address_forms("どこか") == ("どこか",)


# Numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "092-000-1001", "０９２－０００－１００１", "092(000)1001", "（０９２）０００－１００１", "+81 92-000-1001",
        "+81-(0)92-000-1001", "0920001001",
        "184-092-000-1001", "186 0920001001", "1840920001001", "092-000-1001 内線12", "092-000-1001 ext. 12",
        "092ー000―1001",
        "092-000-1001（内線12）", "010-81-92-000-1001",
    ],
)
def test_one_phone_however_it_is_written(written: str) -> None:
    assert e164(written) == "+81920001001"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0120-000-123", "+81120000123"), ("0800-123-4567", "+818001234567"), ("050-1234-5678", "+815012345678"),
        ("060-1234-5678", "+816012345678"), ("0570-000-123", "+81570000123"), ("090-0000-1234", "+819000001234"),
        ("+1 202-555-0100", "+12025550100"), ("186-4-3", None), ("1234-5678", None), ("", None), ("000-0000-0000",
        None), ("内線12", None),
        ("119", None),
    ],
)
def test_a_number_needs_no_valid_plan_but_an_area(written: str, number: str | None) -> None:
    assert e164(written) == number


def test_a_number_without_area_is_completed_and_says_so() -> None:
    read = read_phone("000-1001", "092")
    assert read is None, "a local number does not begin with 0"
    read = read_phone("200-1001", "092")
    assert read is not None and read.completed and read.e164 == "+81922001001"


def test_toll_free_numbers_identify_nobody() -> None:
    for written in ("0120-000-123", "0800-123-4567", "0570-000-123", "0990-000-123", "080-1234-5678"):
        read = read_phone(written)
        assert read is not None and read.identifies_nobody is (written != "080-1234-5678")


@over(st.from_regex(r"0[5-9]0[0-9]{8}|0[1-9][1-9][0-9]{7}", fullmatch=True))
def test_every_phone_form_leads_back_to_the_same_number(national: str) -> None:
    number = e164(national)
    assert number is not None
    assert {e164(form) for form in phone_forms(number)} == {number}
    assert national in phone_forms(number)


@over(st.from_regex(r"0[1-9][0-9]{8,9}", fullmatch=True))
def test_the_short_way_for_national_numbers_answers_as_phonenumbers_does(national: str) -> None:
    try:
        number = phonenumbers.parse(national, "JP")
    except phonenumbers.NumberParseException:
        assert e164(national) is None
    else:
        assert e164(national) == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def test_other_numbers_stay_text() -> None:
    assert number_key(" ｃ０００－１２３４ ") == "C0001234" and number_key("0001234") == "0001234"
    assert supply_point_key("09-1234-5678-9012-3456-78 90") == "0912345678901234567890"
    assert supply_point_key("091234567890123456789") is None
    assert supply_point_key("٠" * 22) is None
    assert device_key("35-209900-176148-1") == device_key("3520990017614823") == "35209900176148"
    assert device_key("a0000012345678") == "A0000012345678" and device_key("123") is None


def test_mail_domains_fold_and_local_parts_stay() -> None:
    assert mail_key("mailto:Hanako.T+x@EXAMPLE.jp") == "Hanako.T+x@example.jp"
    assert mail_key("a..b.@docomo.example") == "a..b.@docomo.example"
    assert mail_key("ｈａｎａ＠ｅｘａｍｐｌｅ．ｊｐ") == "hana@example.jp" and mail_key("no mail") is None


# Days -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "1984-05-17", "1984/5/17", "1984.05.17", "19840517", 19840517, 19840517.0, "昭和59年5月17日", "S59.5.17",
        "S590517", "s59/05/17",
        "昭和５９年　５月１７日", "㍼59年5月17日", "昭和五十九年五月十七日", "1984年5月17日", "1984-05-17 00:00:00",
        "1984-05-17T00:00:00+09:00",
        date(1984, 5, 17), datetime(1984, 5, 17, tzinfo=UTC), " S59. 5.17 ",
    ],
)
def test_one_birth_date_however_it_is_written(written: object) -> None:
    read = read_day(written)
    assert read is not None and read.date == date(1984, 5, 17) and not read.marked


@pytest.mark.parametrize(
    "written",
    [
        None, "", " ", "1900-01-01", "1900-01-00", "9999-12-31", "0000-00-00", "00000000", 99999999,
        "1984-02-30", "1984-13-01", "不明", "S59.2.30",
        "840517", date(1900, 1, 1), "昭和", "次の日",
    ],
)
def test_defaults_and_impossible_days_are_no_birth_date(written: object) -> None:
    assert birthday(written) is None


@pytest.mark.parametrize(
    ("written", "day", "marked"),
    [
        ("平成31年4月30日", date(2019, 4, 30), False), ("H31.4.30", date(2019, 4, 30), False), ("令和元年5月1日",
        date(2019, 5, 1), False),
        ("R1.4.30", date(2019, 4, 30), True), ("昭和64年1月7日", date(1989, 1, 7), False), ("昭和64年1月8日", date(1989,
        1, 8), True),
        ("平成元年1月8日", date(1989, 1, 8), False), ("平成32年1月1日", date(2020, 1, 1), True), ("昭和65年1月1日",
        date(1990, 1, 1), True),
        ("大正15年12月24日", date(1926, 12, 24), False), ("明治45年7月29日", date(1912, 7, 29), False),
    ],
)
def test_an_era_is_read_by_arithmetic_and_marked_outside_its_days(written: str, day: date, marked: bool) -> None:
    read = read_day(written)
    assert read is not None and (read.date, read.marked) == (day, marked)


def test_years_alone_are_read_and_marked_too() -> None:
    assert read_day("平成35年") == WrittenDay(2023, marked=True)
    assert {read_day(text) for text in ("昭和64年", "平成元年", "1989年")} == {WrittenDay(1989)}
    assert read_day("平成31年") == read_day("令和元年") == WrittenDay(2019)
    assert read_day("1984-05") == read_day("1984-05-00") == WrittenDay(1984, 5)


def test_two_digit_years_are_several_days_and_none() -> None:
    assert {date(1984, 5, 17), date(1959, 5, 17)} <= two_digit_days("590517") and birthday("590517") is None
    assert date(1984, 5, 17) in two_digit_days(3590517) and date(1959, 5, 17) not in two_digit_days("3590517")
    assert two_digit_days("1984-05-17") == frozenset() == two_digit_days("999999")


def test_a_typing_error_is_one_digit_or_a_swap() -> None:
    assert is_typing_error(date(1984, 5, 17), date(1984, 5, 11)) and is_typing_error(date(1984, 5, 7), date(1984, 7, 5))
    assert not is_typing_error(date(1965, 2, 3), date(1990, 11, 30))
    assert not is_typing_error(date(1984, 5, 17), date(1984, 5, 17))


@over(st.dates(date(1900, 1, 2), date(2099, 12, 31)))
def test_every_day_form_leads_back_to_the_day(day: date) -> None:
    forms = day_forms(day)
    assert {birthday(form) for form in forms} == {day} and f"{day:%Y%m%d}" in forms


# The person -----------------------------------------------------------------------------------------------------------


def test_a_person_shows_nothing_personal() -> None:
    parts = (HANAKO, HANAKO.name_keys, HANAKO.address_keys, read_phone("0920001001"), read_day("1984-05-17"))
    shown = "".join(map(repr, parts))
    for value in ("花子", "ハナコ", "1984", "天神", "92000", "Example", "C0001234"):
        assert value not in shown


HELD = {
    "name_forms": {"髙橋 花子", "高橋花子", "高橋　花子", "髙橋花子", "高橋 花子 様", "高橋花子様"},
    "kana_forms": {"タカハシ ハナコ", "タカハシハナコ", "ﾀｶﾊｼ ﾊﾅｺ", "ﾀｶﾊｼﾊﾅｺ", "ﾀｶﾊｼ　ﾊﾅｺ", "たかはし　はなこ"},
    "born_on_forms": {"1984-05-17", "1984/5/17", "19840517", "S59.5.17", "S590517", "昭和59年5月17日",
                      "昭和５９年５月１７日"},
    "address_forms": {"福岡市中央区天神1-2-3 みなとハイツ101"},
    "phone_forms": {"092-000-1001", "0920001001", "+81920001001", "+81-92-000-1001", "092(000)1001",
                    "０９２－０００－１００１"},
    "mail_forms": {"Hanako.T@Example.jp", "Hanako.T@example.jp", "hanako.t@example.jp"},
}


def test_written_forms_hold_what_every_kind_of_system_holds() -> None:
    forms = written_forms(HANAKO)
    assert set(forms) == set(HELD)
    for word, held in HELD.items():
        assert held <= set(forms[word]) and all(forms[word]), word


def test_every_name_form_of_every_person_leads_back_to_the_key() -> None:
    for name in ("髙橋 花子", "渡邉涼子", "齋藤 進", "山﨑 咲"):
        forms = written_forms(request_of(name=name))["name_forms"]
        assert {name_key(form) for form in forms} == {name_key(name)} and len(forms) < 3000


def test_a_letter_old_systems_lack_is_searched_as_what_stands_in_its_place() -> None:
    rei = set(written_forms(request_of(name="𠮷田 玲"))["name_forms"])
    assert {"吉田 玲", "〓田 玲", "?田玲", "𠮷田玲"} <= rei
    makoto = set(written_forms(request_of(name="辻\U000e0100 誠"))["name_forms"])
    assert {"辻 誠", "辻\U000e0100 誠", "辻? 誠", "辻誠"} <= makoto
    assert "\ufa1b田 巡" in written_forms(request_of(name="福田 巡"))["name_forms"], "NFKC would merge it silently"


def test_a_name_without_space_is_searched_with_one_and_former_names_too() -> None:
    forms = set(written_forms(request_of(name="井上恵", former_names=["田中 恵"]))["name_forms"])
    assert {"井上 恵", "井上　恵", "田中恵", "田中　恵　様"} <= forms


def test_foreign_names_are_searched_in_any_order_and_case() -> None:
    forms = written_forms(request_of(name="John Smith", kana="ジョン・スミス"))
    assert {"John Smith", "SMITH JOHN", "Smith, John", "JOHN SMITH"} <= set(forms["name_forms"])
    assert {"ジョン・スミス", "スミス・ジョン", "ｼﾞﾖﾝ ｽﾐｽ", "ジョンスミス"} <= set(forms["kana_forms"])


def test_loose_readings_are_searched_too() -> None:
    saki = set(written_forms(request_of(name="山﨑 咲", kana="ヤマサキ サキ"))["kana_forms"])
    assert {"ヤマザキ サキ", "ﾔﾏｻﾞｷ ｻｷ"} <= saki


def test_a_name_with_many_variants_stays_bounded() -> None:
    forms = written_forms(request_of(name="齋邊濵嶋澤 﨑廣櫻惠國"))["name_forms"]
    assert len({form.replace(" ", "").replace("\u3000", "").removesuffix("様") for form in forms}) <= 66


def test_toll_free_and_unreadable_contacts_are_no_forms() -> None:
    stated = (("phone", "0120-000-123"), ("phone", "内線"), ("mail", "x"))
    identifiers = [{"kind": kind, "value": value} for kind, value in stated]
    forms = written_forms(request_of(name="森 直樹", identifiers=identifiers))
    assert forms["phone_forms"] == forms["mail_forms"] == ()


@pytest.mark.parametrize(
    ("kind", "value", "own"),
    [
        ("name", "高橋花子 様", True), ("name", "ﾀｶﾊｼ ﾊﾅｺ", True), ("name", "高橋 健太", False), ("name",
        "株式会社高橋花子", False),
        ("name", "〓橋 花子", False), ("name", "高橋", False), ("name", None, True), ("name", "  ", True),
        ("kana", "たかはし はなこ", True), ("kana", "タカバシ ハナコ", False), ("kana", "ｶ)ﾀｶﾊｼﾊﾅｺ", False),
        ("phone", "＋８１ ９２ ０００ １００１", True), ("phone", "092-000-1002", False), ("phone", "0120-000-123",
        False),
        ("mail", "Hanako.T@EXAMPLE.JP", True), ("mail", "kenta@example.jp", False), ("mail", "x", False),
        ("address", "福岡市中央区天神１－２－３－１０１", True), ("address", "福岡市中央区天神1-2-3-110", False),
        ("born_on", "S59.5.17", True), ("born_on", 19840518, False),
    ],
)
def test_a_stored_value_is_the_subjects_own_only_without_doubt(kind: str, value: object, own: bool) -> None:
    assert same_person_value(HANAKO, kind, value) is own


@pytest.mark.parametrize(
    ("note", "named"),
    [
        ("髙橋花子様よりお電話", True), ("高橋　花子さんから", True), ("ﾀｶﾊｼﾊﾅｺ様 折返し", True),
        ("折返し先 (092)000-1001 まで", True),
        ("hanako.t@example.jp へ送付", True), ("高橋 健太様よりお電話 092-000-1002", False), ("", False), ("0920010001",
        False),
    ],
)
def test_a_note_mentions_a_person_in_any_spelling(note: str, named: bool) -> None:
    assert mentions(HANAKO, note) is named
