"""Keys of phones, mails and customer numbers; compared as text, leading zeros kept (names.md 7)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import phonenumbers

from dsr.names.letters import spelled

_EXTENSION = re.compile(r"\s*[(,、]?\s*(?:内線|extension|ext\.?|(?<=[\d\s])x|#)\s*:?\s*(\d+).*$", re.IGNORECASE)
_PREFIX = re.compile(r"^\D*18[46](?=0[1-9]\d{8,9}$|\+)")
_NATIONAL = re.compile(r"0(?!10)[1-9][0-9]{8,9}")
_UNITS = {"十": 10, "百": 100, "千": 1000}
_DIGITS = {digit: str(value) for value, digit in enumerate("〇一二三四五六七八九")}
KANJI_NUMERAL = "〇一二三四五六七八九十百千"


def arabic(numeral: str) -> str:
    """二十三 → 23, 一〇二 → 102; other text unchanged. Callers say where a numeral stands: 三田 is a town."""
    if not numeral or any(letter not in KANJI_NUMERAL for letter in numeral):
        return numeral
    if not any(letter in _UNITS for letter in numeral):
        return "".join(_DIGITS[letter] for letter in numeral)
    total, digit = 0, 0
    for letter in numeral:
        if letter in _UNITS:
            total, digit = total + (digit or 1) * _UNITS[letter], 0
        else:
            digit = int(_DIGITS[letter])
    return str(total + digit)


@dataclass(frozen=True)
class Phone:
    """``completed``: the area code was filled in from the contract's area, so it only supports a review."""

    e164: str = field(repr=False)
    extension: str = field(default="", repr=False)
    completed: bool = False

    @property
    def identifies_nobody(self) -> bool:
        return re.match(r"\+81(?:120|800|570|990)", self.e164) is not None


@lru_cache(16384)
def read_phone(text: str, area_code: str = "") -> Phone | None:
    """A written number as E.164, whether or not the numbering plan knows it; None when it is no number.

    ``area_code`` (092) completes 7-8 digits; without it they are no number.
    """
    plain = spelled(text).strip()
    extension = _EXTENSION.search(plain)
    plain = _EXTENSION.sub("", plain)
    digits = re.sub(r"[^0-9+]", "", re.sub(r"^(\+|0081|01081)(\D*81)?\D*\(0\)", r"\1\2", plain))
    digits = _PREFIX.sub("", digits)
    completed = bool(area_code) and re.fullmatch(r"[1-9][0-9]{6,7}", digits) is not None
    if completed:
        digits = re.sub(r"[^0-9]", "", spelled(area_code)) + digits
    if not re.search(r"[1-9]", digits) or len(digits.lstrip("+")) < 9:
        return None
    e164 = _international(digits)
    return Phone(e164, extension[1] if extension else "", completed) if e164 else None


def _international(digits: str) -> str | None:
    if _NATIONAL.fullmatch(digits):  # what phonenumbers answers too (tested), at a tenth of the time
        return "+81" + digits[1:]
    try:
        number = phonenumbers.parse(digits, "JP")
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def e164(text: str) -> str | None:
    phone = read_phone(text)
    return phone.e164 if phone and not phone.completed else None


def phone_forms(number: str) -> tuple[str, ...]:
    """Every way a store may write one E.164 number: each place a hyphen may stand, brackets, +81, full width."""
    if not number.startswith("+81"):
        return (number, number.lstrip("+"))
    rest = number[3:]
    national = "0" + rest
    if len(national) == 11:
        splits = [(3, 7), (4, 7)]
    elif re.match("0120|0570|0990", national):
        splits = [(4, 7)]
    else:
        splits = [(3, 6), (2, 6), (4, 6), (5, 6)]
    forms = [national]
    for first, second in splits:
        area, local, tail = national[:first], national[first:second], national[second:]
        forms += [f"{area}-{local}-{tail}", f"{area}({local}){tail}", f"({area}){local}-{tail}"]
        forms += [f"{area} {local} {tail}", f"+81-{area[1:]}-{local}-{tail}", f"+81 {area[1:]}-{local}-{tail}"]
    forms += [number, number[1:]]
    return tuple(dict.fromkeys(forms + [_full_width(form) for form in forms]))


def _full_width(form: str) -> str:
    return "".join("\u3000" if c == " " else chr(ord(c) + 0xFEE0) for c in form)


def mail_key(text: str) -> str | None:
    """Domain casefolded, local part kept as it is, dots and +tags too; None when it is no mail address."""
    plain = re.sub(r"^mailto:", "", spelled(text).strip(), flags=re.IGNORECASE)
    local, at, domain = plain.rpartition("@")
    return f"{local}@{domain.casefold()}" if at and local and domain and " " not in plain else None


def number_key(text: str) -> str:
    """Customer, contract and billing numbers, and cookie ids: spaces and dashes out, letters upper, zeros kept."""
    return re.sub(r"[\s‐‑‒–—―−ー-]+", "", spelled(text)).upper()


def supply_point_key(text: str) -> str | None:
    """22 digits, or None. ``[0-9]`` after NFKC: int() would also take Arabic-Indic digits."""
    key = number_key(text)
    return key if re.fullmatch(r"[0-9]{22}", key) else None


def device_key(text: str) -> str | None:
    """IMEI (15, or 16 with software version) and MEID by their first 14 digits; the rest is check and version."""
    key = re.sub(r"[^0-9A-F]", "", unicodedata.normalize("NFKC", text).upper())
    return key[:14] if 14 <= len(key) <= 16 else None


NORMAL: Mapping[str, Callable[[str], str | None]] = {
    "phone": e164,
    "line_no": e164,
    "mail": mail_key,
    "supply_point_no": supply_point_key,
}
"""Kind of identifier → its one form; any other is a number as ``number_key`` reads it."""


def normal_form(kind: str, value: str) -> str:
    """The same of every way in which one identifier is written; what has no such form is compared without dashes."""
    return NORMAL.get(kind, number_key)(value) or number_key(value)
