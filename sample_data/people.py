"""Who lives in the sample: the people of the stories, a few planted neighbours, and a random crowd. All invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

FIRST_DAY = date(2025, 10, 1)
LAST_DAY = date(2026, 10, 31)
"""Everything that happens, happens on these days: before the requests arrive, so that no story depends on a cut-off."""


@dataclass(frozen=True)
class Person:
    """``key``: of the story, else the customer no. Empty ``customer_no``, ``line_no``, ``member_id``: has none.

    ``since``..``until``: whole inclusive days of the contract and its line. ``written``: how one table spells a
    value otherwise, as ``{"customers.name": …}``.
    """

    key: str
    name: str
    kana: str
    born_on: str
    address: str
    phone: str
    customer_no: str = ""
    line_no: str = ""
    since: date = date(2019, 4, 1)
    until: date | None = None
    mail: str = ""
    member_id: str = ""
    corporate: bool = False
    written: Mapping[str, str] = field(default_factory=dict)

    def as_written(self, column: str, usual: str) -> str:
        return self.written.get(column, usual)


TOWN = "福岡県みなと市"
HOME = TOWN + "浜町3-4-5 みなとハイツ101"
SHARED_LINE = "092-000-1013"


def _customer(
    key: str,
    number: int,
    name: str,
    kana: str,
    born_on: str,
    address: str,
    line: int,
    *,
    member: bool = False,
    since: date = date(2019, 4, 1),
    until: date | None = None,
    phone: str = "",
    written: Mapping[str, str] | None = None,
) -> Person:
    line_no = f"092-000-{line}"
    return Person(
        key,
        name,
        kana,
        born_on,
        TOWN + address,
        phone or line_no,
        f"C{number:07d}",
        line_no,
        since,
        until,
        f"{key.replace('_', '-')}@mail.example",
        f"M{number:07d}" if member else "",
        False,
        written or {},
    )


STORY: tuple[Person, ...] = (
    _customer(
        "hanako",
        1234,
        "髙橋 花子",
        "タカハシ ハナコ",
        "1984-05-17",
        "浜町3-4-5 みなとハイツ101",
        1001,
        member=True,
        written={
            "customers.name": "高橋　花子",
            "customers.kana": "ﾀｶﾊｼ ﾊﾅｺ",
            "invoices.payer_name": "ﾀｶﾊｼ ﾊﾅｺ",
            "customers.address": TOWN + "浜町三丁目４番５号 みなとハイツ１０１",
        },
    ),
    _customer(
        "kenta", 1235, "高橋 健太", "タカハシ ケンタ", "1986-09-01", "浜町3-4-5 みなとハイツ101", 1002, member=True
    ),
    _customer("hiroshi_65", 1236, "佐藤 浩", "サトウ ヒロシ", "1965-02-03", "浜町1-2-3", 1003),
    _customer("hiroshi_90", 1237, "佐藤 浩", "サトウ ヒロシ", "1990-11-30", "浜町5-6-7", 1004),
    _customer(
        "kaoru",
        1238,
        "斎藤 薫",
        "サイトウ カオル",
        "1979-07-07",
        "港町2-1-8",
        1013,
        since=date(2019, 6, 1),
        until=date(2025, 11, 30),
        phone="080-0000-1313",
    ),
    _customer(
        "susumu",
        1239,
        "齋藤 進",
        "サイトウ ススム",
        "1988-12-24",
        "港町9-9-1",
        1013,
        since=date(2026, 2, 1),
        written={"invoices.payer_name": "斎藤 進"},
    ),
    Person("izumi", "平野 泉", "ヒラノ イズミ", "1983-10-10", TOWN + "東町4-4-4", "080-0000-3003"),
    Person("akari", "宇野 灯", "ウノ アカリ", "1995-01-15", TOWN + "西町7-1-2", "080-0000-9009"),
    Person("kazuo", "伊藤 一生", "イトウ カズオ", "1968-07-19", TOWN + "本町6-2-2", "080-0000-4004"),
    _customer(
        "ryoko",
        1240,
        "渡邉 涼子",
        "ワタナベ リョウコ",
        "1977-03-21",
        "北町1-1-9",
        1005,
        written={"customers.name": "渡辺 涼子"},
    ),
    _customer("nana", 1241, "阿部 奈々", "アベ ナナ", "1992-06-06", "南町8-3-1", 1008, member=True),
    _customer("yutaka", 1242, "阿部 豊", "アベ ユタカ", "1990-04-02", "南町8-3-1", 1009, member=True),
    _customer("ryo", 1243, "石川 亮", "イシカワ リョウ", "1999-08-30", "南町2-5-5", 1010, member=True),
    _customer(
        "rei",
        1244,
        "𠮷田 玲",
        "ヨシダ レイ",
        "1981-11-11",
        "東町1-8-4",
        1007,
        written={"invoices.payer_name": "吉田 玲"},
    ),
    _customer(
        "saki",
        1245,
        "山﨑 咲",
        "ヤマサキ サキ",
        "1994-03-03",
        "西町3-3-7",
        1011,
        written={"invoices.payer_name": "山崎 咲"},
    ),
    _customer(
        "makoto",
        1246,
        "辻\U000e0100 誠",
        "ツジ マコト",
        "1972-05-05",
        "本町4-7-7",
        1012,
        written={"invoices.payer_name": "辻 誠"},
    ),
)
KENTA, HANAKO = STORY[1], STORY[0]

NEIGHBOURS: tuple[Person, ...] = (
    # The company whose line Kazuo uses: its contract and its calls are not his (law.md T-6).
    Person(
        "C0001206",
        "株式会社伊藤工務店",
        "イトウコウムテン",
        "",
        TOWN + "本町6-1-1",
        "092-000-1006",
        "C0001206",
        "092-000-1006",
        corporate=True,
    ),
    # Hanako's kana, other letters, another day of birth: found with her and never hers.
    Person(
        "C0001299",
        "高橋 華子",
        "タカハシ ハナコ",
        "1952-11-29",
        TOWN + "浜町8-8-8",
        "092-000-1099",
        "C0001299",
        "092-000-1099",
        mail="kasumi@mail.example",
        member_id="M0001299",
    ),
)

# Readings that no person of a story has, so that a hit among the crowd is always a wrong join.
_SURNAMES = (
    "高橋 タカハシ",
    "佐藤 サトウ",
    "斎藤 サイトウ",
    "伊藤 イトウ",
    "渡辺 ワタナベ",
    "阿部 アベ",
    "石川 イシカワ",
    "吉田 ヨシダ",
    "山崎 ヤマサキ",
    "辻 ツジ",
    "平野 ヒラノ",
    "田中 タナカ",
    "鈴木 スズキ",
    "中川 ナカガワ",
    "古賀 コガ",
    "松尾 マツオ",
    "原口 ハラグチ",
    "江口 エグチ",
    "川原 カワハラ",
    "野田 ノダ",
    "大坪 オオツボ",
    "馬場 ババ",
    "内田 ウチダ",
    "宮崎 ミヤザキ",
)
_GIVEN = (
    "美咲 ミサキ",
    "陽子 ヨウコ",
    "久美子 クミコ",
    "雅子 マサコ",
    "直美 ナオミ",
    "由紀 ユキ",
    "京子 キョウコ",
    "千春 チハル",
    "和也 カズヤ",
    "大輔 ダイスケ",
    "達也 タツヤ",
    "正樹 マサキ",
    "康弘 ヤスヒロ",
    "俊介 シュンスケ",
    "隆 タカシ",
    "博 ヒロム",
    "慎一 シンイチ",
    "哲也 テツヤ",
    "光男 ミツオ",
    "敏江 トシエ",
    "節子 セツコ",
    "望美 ノゾミ",
    "絵里 エリ",
    "翼 ツバサ",
)
_TOWNS = ("浜町", "港町", "北町", "南町", "東町", "西町", "本町", "若葉台", "汐見町", "松原")


def crowd(size: int, seed: int) -> list[Person]:
    """``size`` random customers, many of them with a surname, a town or both of somebody in a story."""
    rng = np.random.default_rng([seed, 1])
    draw = rng.integers(0, 1 << 30, (size, 10))
    return [_stranger(number, *(int(n) for n in row)) for number, row in enumerate(draw)]


def _stranger(
    i: int,
    surname: int,
    given: int,
    town: int,
    block: int,
    born: int,
    begin: int,
    end: int,
    member: int,
    ends: int,
    house: int,
) -> Person:
    family, family_kana = _SURNAMES[surname % len(_SURNAMES)].split()
    own, own_kana = _GIVEN[given % len(_GIVEN)].split()
    customer_no, line_no = f"C{100_000 + i:07d}", f"092-{200 + i // 10_000}-{i % 10_000:04d}"
    since = FIRST_DAY - timedelta(days=begin % 3000) if begin % 7 else FIRST_DAY + timedelta(days=begin % 200)
    until = LAST_DAY - timedelta(days=end % 150) if ends % 10 == 0 else None
    address = f"{TOWN}{_TOWNS[town % len(_TOWNS)]}{block % 9 + 1}-{house % 30 + 1}-{house // 30 % 20 + 1}"
    return Person(
        customer_no,
        f"{family} {own}",
        f"{family_kana} {own_kana}",
        (date(1940, 1, 1) + timedelta(days=born % 23_000)).isoformat(),
        address,
        line_no,
        customer_no,
        line_no,
        since,
        until,
        f"user{i:06d}@mail.example",
        f"M{100_000 + i:07d}" if member % 5 < 3 else "",
    )
