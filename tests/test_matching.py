"""The table of pairs (names.md 11), in both directions, and the rules of three answers (names.md 9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from dsr.days import ALWAYS, Interval, whole_days
from dsr.identity import Identifier
from dsr.inventory import EVIDENCE
from dsr.names.person import Person
from dsr.rules.matching import MARKS, NAMES, TRUSTED, WORDS, Answer, Judgement, judge

MATCH, REVIEW, NO = Answer.MATCH, Answer.REVIEW, Answer.NO
ARRIVED = date(2026, 11, 2)
HOUSE = "福岡市中央区天神1-2-3"


def person(
    name: str, *, kana: str = "", born_on: object = None, address: str = "", phone: str = "", mail: str = "",
    former: tuple[str, ...] = (), held: Interval = ALWAYS,
) -> Person:
    stated = [Identifier("phone", phone, held)] if phone else []
    stated += [Identifier("mail", mail)] if mail else []
    names = (name, *former)
    return Person.compiled(names=names, kana=(kana,), born_on=born_on, addresses=(address,), identifiers=stated)


def answer(one: Person, evidence: Mapping[str, Any], *, trusted: bool = False, **more: Any) -> Answer:
    return judge(one, evidence, trusted=trusted, at=ARRIVED, **more).answer


PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], frozenset[str], Answer]] = {
    "fold, kana, era": (
        {"name": "髙橋 花子", "kana": "タカハシ ハナコ", "born_on": "1984-05-17"},
        {"name": "高橋花子", "kana": "ﾀｶﾊｼ ﾊﾅｺ", "born_on": "S59.5.17"}, frozenset(), MATCH,
    ),
    "birth date": (
        {"name": "佐藤 浩", "kana": "サトウ ヒロシ", "born_on": "1965-02-03", "address": "福岡市早良区西新1"},
        {"name": "佐藤 浩", "kana": "サトウ ヒロシ", "born_on": "1990-11-30", "address": "福岡市早良区西新1"},
        frozenset(), NO,
    ),
    "wildcard": (
        {"name": "𠮷田 玲", "kana": "ヨシダ レイ", "born_on": "1990-01-02", "phone": "092-000-1012"},
        {"name": "〓田 玲", "born_on": "1990-01-02", "phone": "0920001012"}, frozenset(), REVIEW,
    ),
    "loose kana": (
        {"name": "山﨑 明美", "kana": "ヤマサキ アケミ", "born_on": "1970-07-07", "address": HOUSE},
        {"name": "山崎 明美", "kana": "ヤマザキ アケミ", "born_on": "1970-07-07", "address": HOUSE}, frozenset(),
        REVIEW,
    ),
    "birth date and mail, order free": (
        {"name": "John Michael Smith", "born_on": "1980-03-04", "mail": "john@example.jp"},
        {"name": "スミス・ジョン", "born_on": "1980-03-04", "mail": "john@EXAMPLE.jp"}, frozenset({"mail_verified"}),
        MATCH,
    ),
    "household": (
        {"name": "高橋 健太", "kana": "タカハシ ケンタ", "address": HOUSE},
        {"name": "高橋 賢太", "kana": "タカハシ ケンタ", "address": HOUSE}, frozenset(), REVIEW,
    ),
    "selector dropped in the key": (
        {"name": "辻\U000e0100 誠", "kana": "ツジ マコト", "born_on": "1975-12-01"},
        {"name": "辻 誠", "kana": "ツジ マコト", "born_on": "1975-12-01"}, frozenset(), MATCH,
    ),
}


@pytest.mark.parametrize(("one", "other", "marks", "expected"), PAIRS.values(), ids=PAIRS)
def test_each_pair_of_the_guide_answers_alike_from_either_side(
    one: dict[str, Any], other: dict[str, Any], marks: frozenset[str], expected: Answer
) -> None:
    assert answer(person(**one), other, marks=marks) is expected
    assert answer(person(**other), one, marks=marks) is expected


def test_a_proved_alias_and_an_old_address_lead_to_megumi() -> None:
    megumi: dict[str, Any] = {"born_on": "1991-09-09", "address": HOUSE}
    married = person("井上 恵", kana="イノウエ メグミ", former=("田中 恵",), **megumi)
    maiden = person("田中 恵", kana="タナカ メグミ", former=("井上 恵",), **megumi)
    assert answer(married, {"name": "田中 恵", **megumi}) is MATCH
    assert answer(maiden, {"name": "井上 恵", **megumi}) is MATCH
    unproved = person("井上 恵", kana="イノウエ メグミ", **megumi)
    assert answer(unproved, {"name": "田中 恵", **megumi}) is REVIEW, "married, perhaps: a person decides"


KAORU_HELD, SUSUMU_HELD = whole_days(None, date(2025, 11, 30)), whole_days(date(2026, 2, 1), None)


@pytest.mark.parametrize(
    ("name", "held", "other", "during"),
    [("齋藤 進", SUSUMU_HELD, "斎藤 薫", KAORU_HELD), ("斎藤 薫", KAORU_HELD, "齋藤 進", SUSUMU_HELD)],
)
def test_a_number_that_changed_hands_joins_nobody(name: str, held: Interval, other: str, during: Interval) -> None:
    one = person(name, phone="092-000-1013", held=held)
    apart = judge(one, {"name": other, "phone": "092-000-1013"}, trusted=False, stated=True, during=during)
    assert apart.answer is NO and "tenure_apart" in apart.against
    undated = {"name": other, "phone": "092-000-1013"}
    assert answer(one, undated, stated=True) is NO, "without dates the name still differs"
    alone = judge(one, {"phone": "092-000-1013"}, trusted=False, during=during)
    assert (alone.answer, alone.against) == (NO, ("tenure_apart",))


def test_one_day_decides_whose_number_it_was() -> None:
    kaoru = person("斎藤 薫", born_on="1980-01-01", phone="092-000-1013", held=KAORU_HELD)
    row = {"name": "斎藤 薫", "born_on": "1980-01-01", "phone": "092-000-1013"}
    last, first = date(2025, 11, 30), date(2026, 2, 1)
    assert answer(kaoru, row, during=whole_days(last, last)) is MATCH
    assert answer(kaoru, row, during=whole_days(first, first)) is NO


def test_a_former_number_on_an_undated_row_is_weak() -> None:
    kaoru = person("斎藤 薫", phone="092-000-1013", held=KAORU_HELD)
    assert judge(kaoru, {"phone": "092-000-1013"}, trusted=False, at=ARRIVED).weak == ("phone_former",)
    assert judge(kaoru, {"phone": "092-000-1013"}, trusted=False, at=date(2025, 6, 1)).strong == ("phone",)


HANAKO = person(
    "髙橋 花子", kana="タカハシ ハナコ", born_on="1984-05-17", address=HOUSE + " みなとハイツ101", phone="092-000-1001",
    mail="hanako@example.jp",
)
NAME = {"name": "高橋 花子", "kana": "タカハシ ハナコ"}
HOME = {"address": HOUSE + " みなとハイツ101号室"}


@pytest.mark.parametrize(
    ("evidence", "stated", "marks", "expected"),
    [
        ({}, False, (), NO),
        ({}, True, (), NO),
        (NAME, False, (), NO),                                                     # one strong alone
        (NAME, True, (), REVIEW),                                                  # one strong and what was stated
        ({"name": "高橋 花子"}, True, (), NO),                                     # two weak ones
        ({"name": "高橋 花子", "born_on": 19840517}, False, (), REVIEW),           # no kana there: one strong, one weak
        ({**NAME, "born_on": "1984年5月"}, False, (), REVIEW),
        ({**NAME, "born_on": "1985年"}, False, (), NO),
        ({**NAME, "born_on": "1900-01-01"}, False, (), NO),                        # a default is no evidence
        ({**NAME, "born_on": "1984-05-11"}, False, (), NO),                        # one strong, nothing weak
        ({**NAME, "phone": "0920001001", "born_on": "1984-05-11"}, False, (), REVIEW),   # typing error
        ({**NAME, "phone": "0920001001", "born_on": "1984-11-30"}, False, (), NO),
        ({**NAME, "born_on": "590517"}, False, (), REVIEW),                        # era or western
        ({**NAME, "phone": "0920001001"}, False, (), MATCH),
        ({**NAME, "phone": "0920001001"}, False, ("phone_shared",), REVIEW),
        ({**NAME, "phone": "0120-000-123"}, False, (), NO),
        ({**NAME, "mail": "hanako@example.jp"}, False, (), REVIEW),                # unverified
        ({**NAME, "mail": "hanako@example.jp"}, False, ("mail_verified",), MATCH),
        ({**NAME, "mail": "HANAKO@example.jp"}, False, ("mail_verified",), REVIEW),
        ({**NAME, "mail": "other@example.jp", "phone": "092-000-9999"}, False, (), NO),
        ({**NAME, **HOME}, False, (), REVIEW),                                     # households
        ({**NAME, **HOME}, False, ("alone_there",), MATCH),
        ({**NAME, **HOME, "born_on": "1984-05-17"}, False, (), MATCH),
        ({**NAME, **HOME, "born_on": "1984-05-16"}, False, ("alone_there",), REVIEW),
        ({**NAME, "born_on": "1984-05-17", "address": "佐賀県佐賀市本庄1-1"}, False, (), REVIEW),   # moved
        ({**NAME, "phone": "0920001001", "address": HOUSE + " みなとハイツ110"}, False, (), NO),   # different room
        ({**NAME, "born_on": "1984-05-17", "address": HOUSE + " みなとハイツ110"}, False, (), REVIEW),
        ({**NAME, "address": HOUSE}, False, (), REVIEW),                           # same building
        ({"name": "高橋 健太", "kana": "タカハシ ケンタ", **HOME}, True, (), NO),   # the household's other person
        ({"name": "高橋 健太", **HOME, "phone": "092-000-1001"}, False, (), REVIEW),
        ({"name": "高橋 健太", **HOME, "phone": "092-000-1001", "born_on": "1982-08-08"}, True, (), NO),
        ({"name": "高橋 華子", "kana": "タカハシ ハナコ", "born_on": "1984-05-17"}, False, (), REVIEW),
        ({"name": "高橋 花子", "kana": "タカハシ カコ", "born_on": "1984-05-17"}, False, (), REVIEW),
        ({"name": "ﾀｶﾊｼ ﾊﾅｺ", "born_on": "1984-05-17", "phone": "0920001001"}, False, (), MATCH),
        ({"kana": "ﾀｶﾊｼ ﾊﾅ", "born_on": "1984-05-17", "phone": "0920001001"}, False, (), REVIEW),  # cut by the bank
        ({"name": "株式会社高橋花子", "born_on": "1984-05-17"}, False, (), REVIEW),  # SC-2
        ({"name": "株式会社遠藤商店", "phone": "0920001001"}, True, (), NO),
        # A family name alone, or none: a twin at home agrees as well; only the mail is the person's own.
        ({"name": "高橋", "phone": "0920001001", "born_on": "1984-05-17"}, False, (), REVIEW),
        ({"phone": "0920001001", "born_on": "1984-05-17"}, False, (), REVIEW),
        ({"kana": "ﾀｶﾊｼ ﾊﾅｺ", "born_on": "1984-05-17"}, False, (), REVIEW),        # a reading alone is weak
        ({"name": "〓橋 花子", "kana": "タカハシ ハナコ"}, False, (), REVIEW),        # unsure beside another
        ({"name": "〓橋 花子"}, False, (), NO),
        ({"name": "高橋 華子", "kana": "タカハシ ハナコ", "born_on": "1984-05-17", "phone": "0920001001"}, False, (),
        REVIEW),
        ({"name": "高橋 花子", "kana": "タカハシ カコ", "born_on": "1984-05-17", "phone": "0920001001"}, False, (),
        REVIEW),
        ({"name": "株式会社高橋花子", "born_on": "1984-05-17", "phone": "0920001001"}, False, (), REVIEW),
        ({**NAME, "phone": "0920001001", "born_on": "590517"}, False, (), REVIEW),
        ({**NAME, "born_on": "1984-05-17", "phone": "0920001001"}, False, ("phone_shared",), REVIEW),
        ({**NAME, "born_on": "1984-05-17", "address": HOUSE + " 山田方"}, False, (), REVIEW),
        ({"born_on": "1984-05-17", "mail": None, "phone": " ", "name": ""}, True, (), REVIEW),
        ({**NAME, "born_on": "1984-05-17", "gender": "male"}, False, (), MATCH),   # nothing to compare with
    ],
)
def test_two_strong_match_and_doubt_goes_to_a_person(
    evidence: dict[str, Any], stated: bool, marks: tuple[str, ...], expected: Answer
) -> None:
    assert answer(HANAKO, evidence, stated=stated, marks=frozenset(marks)) is expected


def test_a_number_without_area_only_supports_a_review() -> None:
    one = person("森 直樹", kana="モリ ナオキ", born_on="1970-01-02", phone="092-200-1001")
    row = {"born_on": "1970-01-02", "phone": "200-1001"}
    assert answer(one, row) is NO and answer(one, row, area_code="092") is REVIEW
    whole = {**row, "name": "森 直樹", "kana": "モリ ナオキ"}
    assert answer(one, whole) is MATCH and answer(one, whole, area_code="092") is REVIEW


def test_a_middle_name_left_out_is_weak() -> None:
    john = person("John Michael Smith", born_on="1980-03-04")
    assert answer(john, {"name": "SMITH JOHN", "born_on": "1980-03-04"}) is REVIEW
    jose = person("José Garcia", born_on="1980-03-04")
    assert answer(jose, {"name": "GARCIA JOSE", "born_on": "1980-03-04"}) is REVIEW
    assert judge(jose, {"name": "JOSEGARCIA"}, trusted=False).weak == ("name_partial",)


# Mentions -------------------------------------------------------------------------------------------------------------

IZUMI = person("平野 泉", kana="ヒラノ イズミ", born_on="1979-03-03")


def test_izumi_in_hanakos_note_is_for_a_person_to_read() -> None:
    row = {**NAME, "born_on": "1984-05-17", "phone": "092-000-1001", "mention": "平野泉様も同席"}
    judged = judge(IZUMI, row, trusted=False, at=ARRIVED)
    assert judged.answer is REVIEW and "mention" in judged.weak
    assert answer(IZUMI, {**row, "mention": "山田様も同席"}) is NO
    assert answer(IZUMI, {"mention": "ﾋﾗﾉ ｲｽﾞﾐ様"}) is REVIEW and answer(IZUMI, {"mention": None}) is NO


def test_a_mention_never_makes_a_match_and_never_takes_one_away() -> None:
    assert answer(IZUMI, {"mention": "平野 泉", "name": "平野 泉", "kana": "ヒラノ イズミ"}) is REVIEW
    own = {"name": "平野 泉", "kana": "ヒラノ イズミ", "born_on": "1979-03-03", "mention": "平野 泉様より"}
    assert answer(IZUMI, own) is MATCH


# Trusted hits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({}, MATCH),
        ({"name": "高橋 健太"}, MATCH),                                            # the payer's name
        ({"name": "株式会社遠藤商店", "phone": "092-000-9999", "address": "佐賀市本庄1-1"}, MATCH),
        ({"born_on": "1984-05-17"}, MATCH), ({"born_on": "1900-01-00"}, MATCH), ({"born_on": None}, MATCH),
        ({"born_on": "1984-05-11"}, REVIEW), ({"born_on": "1982-08-08", **NAME}, NO),
        ({"mention": "平野泉様"}, MATCH), ({"died_on": "2026-02-10"}, NO), ({"died_on": "9999-12-31"}, MATCH),
    ],
)
def test_a_trusted_hit_holds_unless_a_birth_date_speaks_against(evidence: dict[str, Any], expected: Answer) -> None:
    assert answer(HANAKO, evidence, trusted=True) is expected


def test_a_day_and_month_swap_is_reviewed_on_a_trusted_hit() -> None:
    one = person("森 直樹", born_on="1970-05-07")
    assert answer(one, {"born_on": "1970-07-05"}, trusted=True) is REVIEW
    assert answer(one, {"born_on": "1970-08-05"}, trusted=True) is NO


@pytest.mark.parametrize("trusted", [True, False])
def test_a_date_of_death_stops_matching_for_requests_arriving_later(trusted: bool) -> None:
    row = {**NAME, "born_on": "1984-05-17", "died_on": "2026-02-10"}
    dead = judge(HANAKO, row, trusted=trusted, at=ARRIVED)
    assert dead.answer is NO and dead.against == ("deceased",)
    assert judge(HANAKO, row, trusted=trusted, at=date(2026, 2, 10)).answer is MATCH
    assert judge(HANAKO, row, trusted=trusted).answer is NO


# The tables and the judgement -----------------------------------------------------------------------------------------


def test_the_tables_are_whole() -> None:
    kanji = ("equal", "wild", "partial", "differs", "none")
    kana = ("equal", "loose", "cut", "differs", "none")
    assert set(NAMES) == {(a, b) for a in kanji for b in kana}
    assert {word for words in NAMES.values() for word in words} <= set(WORDS)
    assert {word for word, _ in TRUSTED} <= set(WORDS) and "mention" in EVIDENCE and len(MARKS) == 3


VALUES = st.sampled_from(
    [
        None, "", "高橋 花子", "タカハシ ハナコ", "〓橋花子", "高橋 健太", "1984-05-17", "1984-05-11", 19840517,
        "0920001001", HOUSE, "x@y.jp", 0, "？",
    ]
)


@over(st.dictionaries(st.sampled_from(EVIDENCE), VALUES), st.booleans(), st.booleans())
def test_a_judgement_is_coded_words_alone_and_never_fails(row: dict[str, Any], trusted: bool, stated: bool) -> None:
    judged = judge(HANAKO, row, trusted=trusted, stated=stated, at=ARRIVED)
    assert {*judged.strong, *judged.weak, *judged.against} <= set(WORDS)
    assert json.loads(json.dumps(judged.as_json()))["answer"] == judged.answer
    if not trusted and judged.answer is MATCH:
        assert len(judged.strong) > 1 and not judged.against
        assert not any(WORDS[word] == "band" for word in judged.weak if word != "mention")


@over(st.dictionaries(st.sampled_from(EVIDENCE), VALUES))
def test_a_stranger_is_never_matched(row: dict[str, Any]) -> None:
    akari = person("宇野 灯", kana="ウノ アカリ", born_on="2001-10-10")
    assert answer(akari, row, stated=True) is NO


def test_a_judgement_shows_no_value() -> None:
    row = {**NAME, **HOME, "born_on": "1984-05-17", "phone": "0920001001", "mention": "髙橋花子"}
    judged = judge(HANAKO, row, trusted=False, at=ARRIVED)
    assert isinstance(judged, Judgement)
    shown = repr(judged) + repr(HANAKO)
    assert not any(part in shown for part in ("花子", "1984", "1001", "天神", "ハナコ"))
