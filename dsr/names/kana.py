"""Keys of readings: ``kana_key`` is evidence, ``kana_loose`` only finds what a person must look at (names.md 4)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import jaconv

from dsr.names.letters import spelled, split_company, without_honorific

_KANA = re.compile(r"[\s・,.=ー‐‑‒–—―−ぁ-ゖァ-ヺヽヾゝゞ()-]+")
_DROPPED = re.compile(r"[\s・,.=ー‐‑‒–—―−()'’-]+")
_V = {"ヴァ": "バ", "ヴア": "バ", "ヴィ": "ビ", "ヴイ": "ビ", "ヴェ": "ベ", "ヴエ": "ベ", "ヴォ": "ボ", "ヴオ": "ボ"}
_V_ROW = re.compile("|".join(_V))
_SINGLE = str.maketrans("ヰヱヲヂヅヴヷヸヹヺァィゥェォッャュョヮヵヶ", "イエオジズブバビベボアイウエオツヤユヨワカケ")
_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_REPEAT = re.compile(r"([ァ-ヺ])([ヽヾ])")
_LONG_O = re.compile(r"([オコソトノホモヨロゴゾドボポ])[オウ]+")
_HALF_WIDTH = re.compile(r"[\uff66-\uff9f]")


def is_kana(text: str) -> bool:
    """Written in kana alone, marks and spaces aside."""
    return bool(text) and _KANA.fullmatch(spelled(text)) is not None


def _expanded(match: re.Match[str]) -> str:
    letter, mark = match.groups()
    voiced = unicodedata.normalize("NFC", letter + "\u3099")
    return letter + (voiced if mark == "ヾ" and len(voiced) == 1 else letter)


@lru_cache(16384)
def kana_key(text: str) -> str:
    """Width, script, small letters, long marks and old letters folded; idempotent."""
    proper, _ = split_company(without_honorific(spelled(text)).upper())
    plain = unicodedata.normalize("NFC", _DROPPED.sub("", jaconv.hira2kata(proper)))
    plain = re.sub("[\u3099\u309a]", "", plain)  # marks that no letter takes
    while (longer := _REPEAT.sub(_expanded, plain)) != plain:  # ミスヾ, イスヽ
        plain = longer
    return _V_ROW.sub(lambda match: _V[match[0]], plain).translate(_SINGLE)


@lru_cache(16384)
def kana_loose(text: str) -> str:
    """Also オオ/オウ/オ, and 清濁 after the first letter (where the second element begins cannot be known)."""
    key = kana_key(text)
    clear = key[:1] + unicodedata.normalize("NFC", unicodedata.normalize("NFD", key[1:]).replace("\u3099", ""))
    return _LONG_O.sub(r"\1", clear)


def kana_words(text: str) -> frozenset[str]:
    """Keys of the words, for names whose order is free (スミス・ジョン)."""
    return frozenset(filter(None, map(kana_key, re.split(r"[\s・,=]+", spelled(text)))))


def bank_kana(text: str, width: int | None = None) -> str:
    """As banks write it: half-width, no small kana, hyphen for the long mark, cut at ``width`` half-width letters."""
    katakana = jaconv.hira2kata(spelled(text)).upper().translate(_SMALL).replace("ー", "-").replace("・", " ")
    return str(jaconv.z2h(katakana, kana=True, ascii=True, digit=True))[:width]


def is_cut_of(stored: str, reading: str) -> bool:
    """Whether a half-width field holds the beginning of this reading: cut at a fixed width, so never a sure match."""
    key = kana_key(stored)
    whole = kana_key(reading)
    return bool(_HALF_WIDTH.search(stored)) and len(key) >= 4 and key != whole and whole.startswith(key)
