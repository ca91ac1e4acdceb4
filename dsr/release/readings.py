"""What text and bytes may read as: width, hyphens, encodings, escapes, hex, base64; and digits that are a digest.

Everything is read towards one plain form, so that a value need be known in that form only.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from dsr.names.letters import VARIANTS, spelled

ENCODINGS = ("utf-8", "utf-16-be", "utf-16-le", "cp932", "euc_jp")
HYPHENS = "[\u2010-\u2015\u2212\u30fc\uff0d\uff70]"
"""As one class of Arrow's and Python's expressions; a long-vowel sign between digits is a clerk's hyphen."""
_HYPHENS = re.compile(HYPHENS)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_PREFIX = r"^(?:\+|00|010)810?"
_ABROAD = re.compile("(?:00|010)?810?")
_FOLD: dict[int, int | str | None] = {
    **{ord(letter): base for letter, base in VARIANTS.items()},
    **{code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)},
    **dict.fromkeys(map(ord, ",、・·‧|\"「」")),
}
"""Letters of one name to one form, and no sign that stands between its parts or cells."""


def level(text: str) -> str:
    """One width, no invisible letters, one hyphen; spaces stay."""
    if text.isascii() and not _CONTROL.search(text):
        return text
    return _HYPHENS.sub("-", spelled(text))


def unspaced(text: str) -> str:
    return "".join(text.lower().split())


def squeezed(text: str) -> str:
    """What is broken over lines or cells is one again, whatever the width, age or kana of its letters."""
    return unspaced(text).translate(_FOLD)


def plain(text: str) -> str:
    return squeezed(level(text))


def digits_of(written: pa.Array) -> pa.Array:
    """The digits of levelled numbers, +81 as the national 0."""
    signs = pc.replace_substring_regex(written, "[^0-9+]", "")
    return pc.replace_substring(pc.replace_substring_regex(signs, _PREFIX, "0"), "+", "")


def national(digits: str) -> str:
    """Digits of a text: 81… as 0…; anything else unchanged."""
    found = _ABROAD.match(digits)
    return "0" + digits[found.end() :] if found else digits


# -- bytes as text ---------------------------------------------------------------------------------------------------



def text_of(raw: bytes) -> str | None:
    """Bytes that are a text, as that text; ``None`` for anything else."""
    if raw.startswith((b"\xfe\xff", b"\xff\xfe")):
        return raw.decode("utf-16", "replace")
    for name in ("utf-8-sig", "cp932", "euc_jp"):
        try:
            text = raw.decode(name)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
    return None


def texts_in(raw: bytes) -> Iterator[str]:
    """Bytes that are no text, read as if they were, in each encoding; what stands there from an odd byte too."""
    for name in ENCODINGS:
        for start in (0, 1) if name.startswith("utf-16") else (0,):
            yield raw[start:].decode(name, "replace")


_DIGITS = re.compile("[0-9０-９()（）+＋－-]{7,64}")


def numbers_in(text: str) -> Iterator[str]:
    """Runs of digits in a text that is none; the rest is not worth levelling."""
    yield from (level(found[0]) for found in _DIGITS.finditer(text))


# -- what stands in a text in another form ---------------------------------------------------------------------------

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{10,}={0,2}")
_HEX_DIGEST = re.compile("(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?![0-9A-Za-z])")
_WORD = re.compile("[a-z+/_-]+|[A-Z]?[a-z]+|[A-Z+/_-]+|[0-9+/_-]+")
"""No base64: ten signs and more of one kind, which is a word or a number."""
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")
_FOLDED = re.compile(r"\r?\n(?:(?<=[A-Za-z0-9+/]{60}\n)|(?<=[A-Za-z0-9+/]{60}\r\n))(?=[A-Za-z0-9+/=])")
_QUOTED = re.compile("=[0-9A-F]{2}=[0-9A-F]{2}=[0-9A-F]{2}")
_TAG = re.compile(r"</?(?<!<<)(?<!<</)[A-Za-z][^<>]{0,200}>")
_END_TAG = re.compile(r"</(?<!<</)[A-Za-z][\w:.\-]*>")
_SIZES = (16, 20, 32)
"""Bytes of an MD5, SHA-1 and SHA-256."""


def unescaped(text: str) -> Iterator[str]:
    """The text with its JSON, percent, mail and XML escapes read, its tags taken out and its base64 in one line."""
    if "\\" in text and _ESCAPED.search(text):
        yield _ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
    if "%" in text and re.search("%[0-9A-Fa-f]{2}", text):
        yield unquote(text, "utf-8")
        yield unquote(text, "cp932")
    if "&" in text and re.search("&(?:#|[a-z]+;)", text):
        yield html.unescape(text)
    if _END_TAG.search(text):
        yield _TAG.sub("", text)
    if _QUOTED.search(text):
        yield unquote(text.replace("=", "%"), "utf-8")
    if _FOLDED.search(text):
        yield _FOLDED.sub("", text)


def runs(text: str) -> set[str]:
    """Signs without a break that may be hex, base64 or a digest."""
    return set(_RUN.findall(text))


def coded(run: str) -> Iterator[bytes]:
    """Bytes that stand in a run as hex or base64, at every place where they may begin."""
    for found in _HEX.findall(run):
        yield from (bytes.fromhex(found[at : len(found) - at]) for at in (0, 1))
    if not _WORD.fullmatch(run):
        signs = run.rstrip("=").replace("-", "+").replace("_", "/")
        yield from (_from_base64(signs[at:]) for at in range(4))


def _from_base64(run: str) -> bytes:
    whole = run[: len(run) - 1] if len(run) % 4 == 1 else run
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except binascii.Error:  # pragma: no cover - the run holds nothing else
        return b""


def digests(run: str) -> Iterator[bytes]:
    """What has the length and letters of a digest and stands alone."""
    yield from map(bytes.fromhex, _HEX_DIGEST.findall(run))
    bare = run.rstrip("=")
    # Nearly every digest has a digit in base64; names of fonts have none.
    if 22 <= len(bare) <= 43 and len(bare) % 4 != 1 and re.search("[0-9=]", run):
        raw = _from_base64(bare.replace("-", "+").replace("_", "/"))
        yield from [raw] if len(raw) in _SIZES else []


__all__ = ["ENCODINGS", "HYPHENS", "coded", "digests", "digits_of", "level", "national", "numbers_in", "plain", "runs",
           "squeezed", "text_of", "texts_in", "unescaped", "unspaced"]  # fmt: skip
