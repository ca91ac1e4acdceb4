"""What a column holds, guessed from its name (English, Japanese) and from how a few of its values look.

A value is looked at and forgotten: only the words of LOOKS leave this module.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from dsr.days import Form

NAMES: tuple[tuple[str, str, str], ...] = (  # kind · whole words of an English name · parts of a Japanese one
    ("user.postcode", r"zip(?:_?code|_?cd|_?no)?|post(?:al)?_?(?:code|cd|no)|yubin\w*", "郵便番号"),
    ("credential", r"password\w*|passwd|pwd|pass_?hash|secret|pin|token|api_?key", "暗証|パスワード"),
    ("payment.card_no", r"card_?(?:no|num|number)|credit_?card|pan", "カード番号"),
    ("payment.account_no", r"(?:account|acct|koza)_?(?:no|num|number)|iban", "口座番号"),
    ("user.my_number", r"my_?number|kojin_?bango|ssn", "個人番号|マイナンバー"),
    ("value", r"(?:\w+_)?(?:id|cd|code|type|kind|flag|flg|kbn|status|count|cnt|len)$", "コード|区分|フラグ|種別|件数"),
    ("value", r"username|(?:file|host|table|product|item|plan|shop|company)_?(?:name|nm)$", "商品名|会社名|店名"),
    ("value", r"(?:ip|mac|web|url)_?addr(?:ess)?", ""),
    ("user.name.kana.family", r"(?:last|family|sei)_?(?:na?me?_?)?kana|kana_?(?:sei|last|family)", "^セイ$|^姓.?カナ"),
    ("user.name.kana.given", r"(?:first|given|mei)_?(?:na?me?_?)?kana|kana_?(?:mei|first|given)", "^メイ$|^名.?カナ"),
    ("user.name.kana", r"(?:\w+_?)?kana|furigana|yomi\w*|ruby", "カナ|かな|フリガナ|ふりがな|よみ|読み"),
    ("user.name.family", r"(?:last|family|sur)_?(?:name|nm)|sei|lname", "^姓$|苗字|名字"),
    ("user.name.given", r"(?:first|given|fore)_?(?:name|nm)|mei|fname", "^名$"),
    ("user.name", r"(?:full|cust\w*|member|user|person|party|payer|holder|contact|caller|recipient|owner|subscriber"
                  r"|applicant|sender|ship|bill|employee|staff|guest|patient|student|kanji|legal)_?(?:name|nm)"
                  r"|s(?:h)?imei|meigi\w*", "氏名|姓名|名前|名義|者名|先名"),
    ("user.died_on", r"died\w*|death\w*|deceased\w*", "死亡"),
    ("user.born_on", r"birth\w*|dob|born(?:_\w+)?|seinengappi", "生年月日|誕生日"),
    ("user.mail", r"e?_?mail(?:_?ad(?:dr|dress|r))?", "メール"),
    ("user.phone.fax", r"fax(?:_?(?:no|num|number))?", "FAX|ファクス|ファックス"),
    ("user.phone", r"(?:tel|telephone|phone|mobile)(?:_?(?:no|num|number))?|cell|keitai", "電話|携帯"),
    ("user.address.prefecture", r"pref|prefecture|state|province|district", "都道府県"),
    ("user.address.city", r"city|municipality|shikuchoson", "市区町村"),
    ("user.address.building", r"(?:address|addr)_?(?:line_?)?2|building|bldg|apartment", "建物|部屋"),
    ("user.address", r"(?:address|addr|adr|jusho)_?1?|street", "住所|所在地|番地"),
    ("user.gender", r"gender|sex", "性別"),
    ("text", r"notes?|memo\d?|remarks?|comments?|description|body|message|biko", "備考|メモ|摘要|コメント|内容|本文"),
    ("value", r"(?:\w+_)?(?:no|num|number|seq)$", "番号$"),
    ("name", r"name|nm", "名称|名$"),
)  # fmt: skip
"""First match wins. ``name`` is a person's only beside other columns of a person: a genre has one too."""
_PATTERNS = [(kind, re.compile(rf"(?:^|_)(?:{words})(?:_|\d|$)" + (f"|{japanese}" if japanese else "")))
             for kind, words, japanese in NAMES]  # fmt: skip
HUMAN = ("user.name", "user.born_on", "user.died_on", "user.mail", "user.phone")
"""Kinds that only a person's row has."""
MASKS = {"payment.card_no": "card_last4", "payment.account_no": "last3", "credential": "all", "user.my_number": "all"}
DIGITS: tuple[Form, ...] = ("yyyymmdd", "yyyymmddhhmmss", "epoch", "epoch_ms")
TIMELY = re.compile(r"(?:^|_)(?:at|on|ts|time\w*|date|day|ymd|dt|when|start\w*|end\w*|from|to|until)(?:_|$)|日|時")
STAFF = re.compile(r"_by(?:_|$)|staff|operator|clerk|担当|記入|入力者|作成者|対応者")
AUDIT = re.compile(r"update|modif|insert|creat|regist|更新|登録|作成")


def snake(name: str) -> str:
    """BillingPostalCode, billing postal-code → billing_postal_code."""
    plain = unicodedata.normalize("NFKC", name)
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return re.sub(r"\W+", "_", parted).strip("_").lower()


def _is_card(text: str) -> bool:
    """By its check digit (Luhn)."""
    digits = [int(digit) for digit in re.sub(r"[ -]", "", text) if digit in "0123456789"][::-1]
    doubled = sum(sum(divmod(digit * 2, 10)) for digit in digits[1::2])
    return bool(re.fullmatch(r"[3-6][0-9 -]{13,18}", text)) and (sum(digits[::2]) + doubled) % 10 == 0


def _is_day(text: str) -> bool:
    with suppress(ValueError):
        return bool(datetime.fromisoformat(text.replace("/", "-"))) and not text.isdigit()
    return False


def _is_ymd(text: str) -> bool:
    with suppress(ValueError):
        return len(text) == 8 and text.isdigit() and 1850 < date.fromisoformat(text).year < 2200
    return False


_OPEN = ("99999999", "00000000")  # no end; not known
_SURE_PHONE = r"(?:\+\d{1,3}[ -]?\(?|\(?0)[1-9]\d{0,3}[ ()-]+\d{1,4}[ -]\d{3,4}|0[5789]0\d{8}"
_PHONE = r"(?=(?:\D*\d){7,15}\D*$)\+?[\d ().-]+(?:\s*(?:x|ext|内線).*)?"
LOOKS: dict[str, tuple[float, Callable[[str], object]]] = {  # share of the values, and what they look like
    "mail": (0.9, re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+").fullmatch),
    "phone": (0.9, re.compile(_SURE_PHONE).fullmatch),
    "dialled": (0.9, re.compile(_PHONE).fullmatch),
    "card": (0.9, _is_card),
    "day": (0.9, _is_day),
    "yyyymmdd": (0.9, lambda text: text in _OPEN or _is_ymd(text)),
    "yyyymmddhhmmss": (1, re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d[0-2]\d[0-5]\d[0-5]\d").fullmatch),
    "epoch": (1, re.compile(r"[1-9]\d{8,9}(?:\.\d+)?").fullmatch),
    "epoch_ms": (1, re.compile(r"[1-9]\d{11,12}").fullmatch),
    "every day": (1, _is_day),
    "every yyyymmdd": (1, _is_ymd),
    "in full": (0.9, re.compile(r"北海道|東京都|(?:京都|大阪)府|\w{2,3}県").match),
    "long": (0, re.compile(r"(?=.*[\s。、]).{30,}", re.DOTALL).match),
}
CONFIRMED = {"user.mail": {"mail"}, "user.phone": {"dialled"}, "user.phone.fax": {"dialled"},
             "user.born_on": {"day", "yyyymmdd"}, "user.died_on": {"day", "yyyymmdd"}}  # fmt: skip
"""How the values of a column of such a name must look: ``phone`` may hold "home" or "office"."""
BY_VALUES = (("mail", "user.mail"), ("phone", "user.phone"), ("card", "payment.card_no"), ("long", "text"))
READABLE = {"every day", "every yyyymmdd", "yyyymmddhhmmss", "epoch", "epoch_ms"}
"""Looks of a time column whose every value can be read as an instant."""


@dataclass(frozen=True)
class Guess:
    """``why`` is the comment: Japanese and English, names and counts only. ``looks``: words of LOOKS."""

    kind: str = "value"
    why: str = ""
    form: Form | None = None
    looks: frozenset[str] = frozenset()
    count: int = 0


def guess(column: str, family: str, values: Iterable[object]) -> Guess:
    """``family`` of the column's type: text, number, time, untyped or other."""
    texts = [unicodedata.normalize("NFKC", str(value)).strip() for value in values if value is not None]
    texts = [text for text in texts if text]
    hits = {word: sum(bool(test(text)) for text in texts) for word, (_, test) in LOOKS.items()}
    looks = frozenset(word for word, hit in hits.items() if hit and hit >= LOOKS[word][0] * len(texts))
    return Guess(*_guess(snake(column), family, looks, len(texts)), looks, len(texts))


def _guess(name: str, family: str, looks: frozenset[str], count: int) -> tuple[str, str, Form | None]:
    named = next((kind for kind, pattern in _PATTERNS if pattern.search(name)), "")
    form = next((f for f in DIGITS if f in looks and (f == "yyyymmdd" or TIMELY.search(name))), None)
    if count and named in CONFIRMED and not looks & CONFIRMED[named]:
        return "value", f"要確認: 列名は {named} のようだが値は違う / the name says {named}, the values do not", None
    if named not in ("", "value"):
        return named, "列名から / by its name", form if named in ("user.born_on", "user.died_on") else None
    is_text = family in ("text", "untyped")
    by_values = f"値の形から（{count}件を見た）/ by the look of {count} values"
    seen = next((kind for look, kind in BY_VALUES if look in looks and is_text), "")
    if not named and (seen or form):
        return seen or "day", by_values, None if seen else form
    if is_text and not named and STAFF.search(name):
        return "value", "要確認: 従業員の名か / a member of staff's name?", None
    is_day = family == "time" or (is_text and "day" in looks)
    return ("day", "日時 / a day or time", None) if is_day else ("value", "", None)
