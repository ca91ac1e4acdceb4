"""Addresses compared level by level, from local data alone: no customer's address leaves the machine (names.md 6)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import Literal

import jaconv

from dsr.names.letters import KANJI, fold, spelled
from dsr.names.numbers import KANJI_NUMERAL, arabic

Agreement = Literal["same", "building", "room_differs", "household_differs", "different", "unknown"]
"""``building``: one has no room or no city; ``unknown``: too little written to say, a common town is nothing."""

_PREFECTURE = re.compile(
    "北海道|東京都|京都府|大阪府|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|富山|石川|福井|山梨|長野"
    "|岐阜|静岡|愛知|三重|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡|佐賀|長崎|熊本|大分|宮崎"
    "|鹿児島|沖縄)県"
)
_DESIGNATED = {
    "札幌市": "北海道", "仙台市": "宮城県", "さいたま市": "埼玉県", "千葉市": "千葉県", "横浜市": "神奈川県",
    "川崎市": "神奈川県", "相模原市": "神奈川県", "新潟市": "新潟県", "静岡市": "静岡県", "浜松市": "静岡県",
    "名古屋市": "愛知県", "京都市": "京都府", "大阪市": "大阪府", "堺市": "大阪府", "神戸市": "兵庫県",
    "岡山市": "岡山県", "広島市": "広島県", "北九州市": "福岡県", "福岡市": "福岡県", "熊本市": "熊本県",
}
# Cities whose names hold one of the letters that end a level.
_CITY = re.compile(
    "(四日市市|市川市|市原市|野々市市|廿日市市|八日市場市|町田市|十日町市|大町市|村山市|東村山市|武蔵村山市|村上市|田村市"
    r"|羽村市|大村市|郡山市|大和郡山市|蒲郡市|郡上市|小郡市|(?:余市|高市|[^市区郡町村\d]{1,4})郡[^\d]{1,5}?[町村]"
    r"|[^市区\d]{1,6}?市|[^市区\d]{1,3}区)"
)
_WARD = re.compile(r"([^市区\d]{1,4}?区)")
_TOWN_OR_VILLAGE = re.compile(r"([^市区郡町村\d]{1,5}[町村])")
_STREET = re.compile(r"(.*(?:上[るル]|下[るル]|[東西]入[るル]?))")
_POSTCODE = re.compile(r"^〒?\s*\d{3}-\d{4}(?![\d-])\s*|^〒\s*\d{7}\s*")
_DASH = re.compile(r"(?<=\d)\s*[-‐‑‒–—―−ー]\s*(?=[\dA-Za-z])")
_NUMERAL = re.compile(rf"[{KANJI_NUMERAL}]+(?=丁目|番地|番(?![町館街場])|号(?!線)|階|室)")
_NO = re.compile(rf"(?<=[{KANJI}])[之ノの](?=[{KANJI}])")
_UNIT = re.compile(r"(?<=\d)(?:丁目?|番地の?|番の?|の)\s*(?=\d)")
_LAST_UNIT = re.compile(r"(?<=\d)(?:丁目|番地|番|号(?!室|棟|館))")
_CARE_OF = re.compile(r"(?<=[\d\s号室])([^\d\s-]{1,15}?)(?:様|気付)?方(?=\s|$)")
_BUILDING = re.compile(
    "ハイツ|マンション|アパート|コーポ|ビル|タワー|レジデンス|メゾン|パレス|ハイム|コート|ハウス"
    "|荘$|寮$|棟$|団地$|住宅$|館$"
)
_ROOM = re.compile(
    r"(?:(?<=[^\dA-Za-z])|^)-?([A-Za-z]?-?\d{1,5}-?[A-Za-z]?)\s*(?:号室|室|号)?\s*$|(\d+)\s*(?:階|[Ff])\s*$"
)


def _renamed() -> tuple[tuple[str, str], ...]:
    """Old beginnings of an address → new ones: merged municipalities, renamed wards (data, each row with its day)."""
    with (files("dsr.names") / "municipalities.csv").open(encoding="utf-8") as lines:
        whole = [(fold(row["old"]), fold(row["new"])) for row in csv.DictReader(lines)]
    return tuple(whole + [(_PREFECTURE.sub("", old, count=1), new) for old, new in whole])


@dataclass(frozen=True)
class Address:
    """The levels of names.md 6; '' and () where not written. ``care_of`` is the 〇〇 of 〇〇方."""

    prefecture: str = field(default="", repr=False)
    city: str = field(default="", repr=False)
    ward: str = field(default="", repr=False)
    street: str = field(default="", repr=False)
    town: str = field(default="", repr=False)
    numbers: tuple[str, ...] = field(default=(), repr=False)
    building: str = field(default="", repr=False)
    room: str = field(default="", repr=False)
    care_of: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """Without street and ward, which one source writes and another does not."""
        return "|".join(
            (self.prefecture, self.city, self.town, "-".join(self.numbers), self.building, self.room, self.care_of)
        )


def _plain(text: str) -> str:
    """Spelling, numerals and dashes as one, before the levels are read."""
    plain = _POSTCODE.sub("", _DASH.sub("-", spelled(text).strip()))
    plain = fold(_NUMERAL.sub(lambda numeral: arabic(numeral[0]), plain))
    plain = re.sub(r"大字|小字|(?<![文大小])字", "", plain)
    return _NO.sub("ノ", plain)


def _start(plain: str) -> str:
    return next((new + plain.removeprefix(old) for old, new in RENAMED if plain.startswith(old)), plain)


def _take(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    found = pattern.match(text)
    return (found[0], text[found.end() :].lstrip()) if found else ("", text)


def _building(text: str) -> str:
    return jaconv.hira2kata(re.sub(r"[\s・-]+", "", text)).casefold()


def _unit(text: str) -> tuple[str, str]:
    """Building and room of what follows the number."""
    found = _ROOM.search(text)
    if not found:
        return _building(text), ""
    room = (found[1] or found[2] + "F").replace("-", "").upper().lstrip("0")
    return _building(text[: found.start()]), room


@lru_cache(16384)
def read_address(text: str) -> Address:
    """Never raises: what cannot be read as a level stays in the town."""
    prefecture, rest = _take(_PREFECTURE, _start(_plain(text)))
    city, rest = _take(_CITY, rest)
    if not city and prefecture:
        city, rest = _take(_TOWN_OR_VILLAGE, rest)
    ward, rest = _take(_WARD, rest) if city in _DESIGNATED else ("", rest)
    street, rest = _take(_STREET, rest) if city == "京都市" else ("", rest)
    care_of = _CARE_OF.search(rest)
    rest = _CARE_OF.sub(" ", rest)
    rest = _LAST_UNIT.sub(" ", _UNIT.sub("-", rest))
    found = re.match(r"(\D*?)\s*(\d+(?:-\d+)*)(.*)$", rest, re.DOTALL)
    before, block, after = found.groups() if found else (rest, "", "")
    town, _, behind = before.strip().partition(" ")
    numbers = tuple(part.lstrip("0") or "0" for part in block.split("-")) if block else ()
    if len(numbers) <= 1 and not after.strip(" 号室") and _BUILDING.search(before.strip()):
        town, building = (town, behind) if behind else ("", before)
        building, room = _building(building), "".join(numbers)
        numbers = ()
    else:
        building, room = _unit(after.strip())
        building = _building(behind) + building if behind and not block else building
        town = town if not block else before
        numbers, room = numbers[:3], room or "-".join(numbers[3:])
    return Address(
        prefecture or _DESIGNATED.get(city, ""), city, ward, street, re.sub(r"\s+", "", town),
        numbers, building, room, care_of[1] if care_of else "",
    )


def address_key(text: str) -> str:
    return read_address(text).key


def compare(one: Address, other: Address) -> Agreement:
    """From the widest level down; a level that only one of them writes cannot disagree."""
    if not (one.town or one.building) or not (other.town or other.building):
        return "unknown"
    for level in ("prefecture", "city", "ward", "town"):
        a, b = getattr(one, level), getattr(other, level)
        if a != b and a and b:
            return "different"
    shorter = min(len(one.numbers), len(other.numbers))
    if one.numbers[:shorter] != other.numbers[:shorter]:
        return "different"
    if len(one.numbers) != len(other.numbers) or not (one.numbers or (one.building and one.building == other.building)):
        return "unknown"
    if one.care_of != other.care_of:
        return "household_differs"
    return _compare_rooms(one, other)


def _compare_rooms(one: Address, other: Address) -> Agreement:
    if one.room != other.room:
        return "room_differs" if one.room and other.room else "building"
    if bool(one.city) != bool(other.city) or one.town != other.town:
        return "building"
    return "same" if one.room or one.building == other.building else "building"


def address_forms(text: str) -> tuple[str, ...]:
    """As stated, and in the common ways of writing number, building and room; with and without the prefecture."""
    read, stated = read_address(text), spelled(text).strip()
    head = re.match(rf"[^\d]*?(?=\s*(?:\d|[{KANJI_NUMERAL}]+(?:丁目|番)))", _POSTCODE.sub("", stated))
    if not head or not read.numbers:
        return tuple(dict.fromkeys((text, stated)))
    start = head[0].strip()
    behind = re.search(r"\d(?:号|番地?)?\s*([^\d\s-][^\d]*?)\s*-?(?:[A-Za-z]?\d+[A-Za-z]?\s*(?:号室|室|号)?)?$", stated)
    building = behind[1] if behind and _building(behind[1]) == read.building else ""
    heads = [start, _PREFECTURE.sub("", start, count=1)]
    tails = [""]
    if read.room:
        ends = [f"{inner}{read.room}{last}" for inner, last in product(("", " "), ("", "号室"))]
        tails += [f"-{read.room}", *(gap + building + end for gap, end in product(("", " "), ends))]
    elif building:
        tails += [building, " " + building]
    narrow = [h + n + t for h, n, t in product(heads, _number_forms(read.numbers), tails)]
    wide = [str(jaconv.h2z(form, kana=False, digit=True, ascii=True)).replace(" ", "\u3000") for form in narrow]
    return tuple(dict.fromkeys([text, stated, *narrow, *wide]))


def _number_forms(numbers: tuple[str, ...]) -> list[str]:
    forms = ["-".join(numbers)]
    if len(numbers) == 3:
        first, second, third = numbers
        chome = [first] + ([_kanji(first)] if len(first) <= 2 else [])
        ends = (f"{second}番{third}号", f"{second}-{third}", f"{second}番地{third}")
        forms += [f"{c}丁目{end}" for c, end in product(chome, ends)]
    elif len(numbers) == 2:
        first, second = numbers
        forms += [f"{first}{unit}{second}" for unit in ("番地", "番地の", "番")] + [f"{first}番{second}号"]
    else:
        forms += [f"{numbers[0]}番地"]
    return forms


def _kanji(number: str) -> str:
    """1..99 as 丁目 is written."""
    tens, ones = divmod(int(number), 10)
    word = "〇一二三四五六七八九"
    return (("" if tens == 1 else word[tens]) + "十" if tens else "") + (word[ones] if ones or not tens else "")


RENAMED = _renamed()
