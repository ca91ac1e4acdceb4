"""Who lives in the sample: the people of the stories, two planted neighbours, and a random crowd. All invented."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import resources

import numpy as np

FIRST_DAY = date(2025, 10, 1)
LAST_DAY = date(2026, 10, 31)
"""Everything that happens, happens on these days: before the requests arrive, so that no story depends on a cut-off."""
LONG_AGO = date(2019, 4, 1)


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
    since: date = LONG_AGO
    until: date | None = None
    mail: str = ""
    member_id: str = ""
    written: Mapping[str, str] = field(default_factory=dict)

    @property
    def corporate(self) -> bool:
        return not self.born_on

    def as_written(self, column: str, usual: str) -> str:
        return self.written.get(column, usual)


_PLAIN = ("key", "name", "kana", "born_on", "address", "phone", "customer_no", "line_no")


def _read(row: Mapping[str, str]) -> Person:
    key, customer_no = row["key"], row["customer_no"]
    return Person(
        **{name: row[name] for name in _PLAIN},
        since=date.fromisoformat(row["since"]) if row["since"] else LONG_AGO,
        until=date.fromisoformat(row["until"]) if row["until"] else None,
        mail=f"{key.lower().replace('_', '-')}@mail.example" if customer_no else "",
        member_id="M" + customer_no[1:] if row["member"] else "",
        written=dict(word.split("=") for word in row["written"].split(";") if word),
    )


_ALL = tuple(
    map(_read, csv.DictReader(resources.files("sample_data").joinpath("people.csv").read_text("utf-8").splitlines()))
)
STORY = tuple(person for person in _ALL if person.key != person.customer_no)
NEIGHBOURS = tuple(person for person in _ALL if person.key == person.customer_no)
"""The company whose line Kazuo uses (its contract and calls are not his, law.md T-6), a woman whose name reads like
Hanako's (found with her, born on another day, never hers), and the company whose contact is Tsukasa (SC-2)."""
DEAD = frozenset(person.key for person in STORY if "customers.died_on" in person.written)
"""What is stored of them is nobody's personal data any more (SC-1)."""
HANAKO, KENTA = STORY[:2]
SHARED_LINE = "092-000-1013"

# Readings that no person of a story has, so that a hit among the crowd is always a wrong join.
_SURNAMES = """高橋 タカハシ,佐藤 サトウ,斎藤 サイトウ,伊藤 イトウ,渡辺 ワタナベ,阿部 アベ,石川 イシカワ,吉田 ヨシダ,
山崎 ヤマサキ,辻 ツジ,平野 ヒラノ,田中 タナカ,鈴木 スズキ,中川 ナカガワ,古賀 コガ,松尾 マツオ,原口 ハラグチ,江口 エグチ,
川原 カワハラ,野田 ノダ,大坪 オオツボ,馬場 ババ,内田 ウチダ,宮崎 ミヤザキ""".replace("\n", "").split(",")
_GIVEN = """美咲 ミサキ,陽子 ヨウコ,久美子 クミコ,雅子 マサコ,直美 ナオミ,由紀 ユキ,京子 キョウコ,千春 チハル,
和也 カズヤ,大輔 ダイスケ,達也 タツヤ,正樹 マサキ,康弘 ヤスヒロ,俊介 シュンスケ,隆 タカシ,博 ヒロム,慎一 シンイチ,
哲也 テツヤ,光男 ミツオ,敏江 トシエ,節子 セツコ,望美 ノゾミ,絵里 エリ,翼 ツバサ""".replace("\n", "").split(",")
_TOWNS = ("浜町", "港町", "北町", "南町", "東町", "西町", "本町", "若葉台", "汐見町", "松原")


def crowd(size: int, seed: int) -> list[Person]:
    """``size`` random customers, many of them with a surname, a town or both of somebody in a story."""
    draw = np.random.default_rng([seed, 1]).integers(0, 1 << 30, (size, 10))
    return [_stranger(number, [int(value) for value in row]) for number, row in enumerate(draw)]


def _stranger(i: int, draw: list[int]) -> Person:
    surname, given, town, block, born, begin, end, member, ends, house = draw
    family, family_kana = _SURNAMES[surname % len(_SURNAMES)].split()
    own, own_kana = _GIVEN[given % len(_GIVEN)].split()
    customer_no, line_no = f"C{100_000 + i:07d}", f"092-{200 + i // 10_000}-{i % 10_000:04d}"
    return Person(
        key=customer_no,
        name=f"{family} {own}",
        kana=f"{family_kana} {own_kana}",
        born_on=(date(1940, 1, 1) + timedelta(days=born % 23_000)).isoformat(),
        address=f"福岡県みなと市{_TOWNS[town % 10]}{block % 9 + 1}-{house % 30 + 1}-{house // 30 % 20 + 1}",
        phone=line_no,
        customer_no=customer_no,
        line_no=line_no,
        since=FIRST_DAY - timedelta(days=begin % 3000) if begin % 7 else FIRST_DAY + timedelta(days=begin % 200),
        until=LAST_DAY - timedelta(days=end % 150) if ends % 10 == 0 else None,
        mail=f"user{i:06d}@mail.example",
        member_id=f"M{100_000 + i:07d}" if member % 5 < 3 else "",
    )
