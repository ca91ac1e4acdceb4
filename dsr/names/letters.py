"""The name key: one folded spelling per name, for search only; what is printed is never folded (names.md 2, 3)."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

KANJI = r"々〆\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_INVISIBLE = re.compile(
    r"[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    r"\ufe00-\ufe0f\U000e0100-\U000e01ef]"  # the last two: variation selectors, which NFKC keeps
)
_SPACING_MARKS = str.maketrans("\u309b\u309c", "\u3099\u309a")
_SEPARATOR = re.compile(r"[\s・·‧,.=_'’‐‑-]+")
_HONORIFIC = re.compile(r"(?:\s+|(?<=\S\S)|(?<=\S\s\S))(?:様|殿|さま|御中|先生)\s*$")
_SMALL_KANA = re.compile(rf"(?<=[{KANJI}])[ヶケがガヵカ](?=[{KANJI}])")
_COMPANY = re.compile(
    r"株式会社|有限会社|合同会社|合資会社|合名会社|(?:一般|公益|医療)?(?:社団|財団)法人|(?:医療|学校|宗教|NPO)法人"
    r"|社会福祉法人|特定非営利活動法人|\((?:株|有|同|資|名|医|学|宗|福|社|財|一社|一財)\)|カブシキガイシャ|ユウゲンガイシャ"
    r"|(?:^|\()(?:カ|ユ|ド|メ|シ|イ)\)|\((?:カ|ユ|ド|メ|シ|イ)$"
    r"|(?i:[\s,]+(?:co\.?,?\s*ltd|inc|corp|corporation|llc|k\.k|g\.k)\.?)$"
)
_NOT_GIVEN = frozenset(("", "-", "--", "―", "ー", "不明", "未登録", "未設定", "なし", "無し", "n/a", "null", "none"))


def _table() -> dict[str, str]:
    """Letter → representative, from variants.csv (each row with its source)."""
    with (files("dsr.names") / "variants.csv").open(encoding="utf-8") as lines:
        return {row["variant"]: row["base"] for row in csv.DictReader(lines)}


VARIANTS = _table()
_FOLD = str.maketrans(VARIANTS)


def _classes() -> dict[str, tuple[str, ...]]:
    """Letter → every letter of the same key, those of cp932 that NFKC silently merges (塚 U+FA10) included."""
    pairs = list(VARIANTS.items())
    for letter in map(chr, range(0xF900, 0xFB00)):
        base = unicodedata.normalize("NFKC", letter)
        if base != letter and letter.encode("cp932", "ignore"):
            pairs.append((letter, VARIANTS.get(base, base)))
    classes: dict[str, list[str]] = {}
    for variant, base in pairs:
        classes.setdefault(base, [base]).append(variant)
    return {letter: tuple(letters) for letters in classes.values() for letter in letters}


SAME_KEY = _classes()


def given(value: object) -> str:
    """A stored value as text, ``""`` for NULL, blanks and the words clerks write for "not known"."""
    text = "" if value is None else str(value).strip(" \t\r\n\u3000\x00\x1a")
    return "" if text.casefold() in _NOT_GIVEN else text


def spelled(text: str) -> str:
    """NFKC without invisible letters; a spacing dakuten (ｶ + U+309B) is joined first, or NFKC would part them."""
    joined = unicodedata.normalize("NFKC", text.translate(_SPACING_MARKS))
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", joined))


def fold(text: str) -> str:
    """Variant letters to their representative; ヶ ケ が ガ ヵ カ between kanji are one."""
    return _SMALL_KANA.sub("ケ", text.translate(_FOLD))


def without_honorific(text: str) -> str:
    while (shorter := _HONORIFIC.sub("", text)) != text:
        text = shorter
    return text


def split_company(text: str) -> tuple[str, str]:
    """Of a spelled text: the name proper, and its company words ('' for a person)."""
    words = "".join(found.strip() for found in _COMPANY.findall(text))
    return (_COMPANY.sub(" ", text).strip(), words) if words else (text, "")


@dataclass(frozen=True)
class Name:
    """``words`` serve names whose order is free; ``company`` keeps a corporation apart from its namesake (SC-2)."""

    key: str = field(repr=False)
    words: frozenset[str] = field(repr=False)
    company: str = field(repr=False)


@lru_cache(16384)
def read_name(text: str) -> Name:
    proper, company = split_company(without_honorific(spelled(text)))
    words = [word for word in _SEPARATOR.split(fold(without_honorific(proper).casefold())) if word]
    return Name(fold(unicodedata.normalize("NFC", "".join(words))), frozenset(words), company)


def name_key(text: str) -> str:
    """Search key of a person's or company's name, spaces, honorifics and company words left out."""
    return read_name(text).key


def without_accents(text: str) -> str:
    """José as passports write it; kana keep their dakuten."""
    return unicodedata.normalize("NFC", re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFD", text)))


def latin_key(text: str) -> str:
    """The second key: the name key also without Latin accents."""
    return without_accents(name_key(text))


def company_words(text: str) -> str:
    return read_name(text).company


@lru_cache(4096)
def _pattern(key: str) -> re.Pattern[str] | None:
    """A key with unreadable letters, or kana among kanji, as a pattern; None without them, or without a kanji."""
    parts: list[str] = []
    wild = False
    for letters in re.findall(r"[ぁ-んァ-ヶー]+|.", key):
        if letters in "〓□*?":
            # A lost selector leaves "?" after the letter it belonged to (辻? for 辻 + U+E0100 written to cp932).
            parts.append(".?" if letters == "?" and parts else ".")
            wild = True
        elif re.match(r"[ぁ-んァ-ヶー]", letters):
            parts.append(f"(?:{letters}|.)")
            wild = True
        else:
            parts.append(re.escape(letters))
    return re.compile("".join(parts)) if wild and re.search(f"[{KANJI}]", key) else None


def wildcard_agrees(one: str, other: str) -> bool:
    """Whether two name keys could be the same where 〓 □ ? ＊ or kana (よし田) stand for a letter; review band only."""
    return one != other and any(
        pattern is not None and pattern.fullmatch(key) is not None
        for pattern, key in ((_pattern(one), other), (_pattern(other), one))
    )


def same_name(one: str, other: str) -> bool:
    """Same key, or the same two or more words in any order; a company is never its namesake."""
    a, b = read_name(one), read_name(other)
    if not a.key or bool(a.company) != bool(b.company):
        return False
    return a.key == b.key or (len(a.words) > 1 and a.words == b.words)
